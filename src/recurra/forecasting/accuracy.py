"""The measures of a forecast, as the M4 competition defines them (Makridakis et al., 2020), one series at a time.

Actual values that are missing (NaN) are left out of every measure.
"""

from __future__ import annotations

import numpy as np


def smape(actual: np.ndarray, forecast: np.ndarray) -> float:
    """Symmetric mean absolute percentage error, 0 to 200; 0 where both are zero.

    Args:
        actual: float (H,).
        forecast: float (H,).
    """
    size = np.abs(actual) + np.abs(forecast)
    error = np.abs(actual - forecast)
    return 200.0 * _mean(np.divide(error, size, out=np.where(np.isnan(size), np.nan, 0.0), where=size > 0))


def mase_scale(past: np.ndarray, season_length: int) -> float:
    """Mean absolute error of the seasonal naive forecast within the past: what MASE divides by.

    A past that is not longer than one season is measured against the value before, as if without season.
    """
    lag = season_length if len(past) > season_length else 1
    return _mean(np.abs(past[lag:] - past[:-lag]))


def mase(actual: np.ndarray, forecast: np.ndarray, past: np.ndarray, season_length: int) -> float:
    """Mean absolute scaled error: below 1 it beats the average seasonal naive step of the past.

    It is NaN where the past never changes from season to season by more than rounding: there is nothing to scale by.

    Args:
        actual: float (H,).
        forecast: float (H,).
        past: float (n,), the values before the cutoff.
        season_length: Steps of a season, 1 for none.
    """
    scale = mase_scale(past, season_length)
    rounding = 16 * np.finfo(float).eps * np.abs(past).max()
    return _mean(np.abs(actual - forecast)) / scale if scale > rounding else float("nan")


def coverage(actual: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    """Share of the actual values within the interval, bounds included."""
    inside = ((actual >= low) & (actual <= high)).astype(float)
    return _mean(np.where(np.isnan(actual), np.nan, inside))


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")
