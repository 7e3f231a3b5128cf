"""The measures of a forecast, as the M4 competition defines them (Makridakis et al., 2020), along the last axis.

Actual values that are missing (NaN) are left out of every measure, which is NaN if none is left.
"""

from __future__ import annotations

import numpy as np


def smape(actual: np.ndarray, forecast: np.ndarray) -> np.ndarray:
    """Symmetric mean absolute percentage error, 0 to 200; 0 where both are zero.

    Args:
        actual: float (..., H).
        forecast: float (..., H).

    Returns:
        float (...,).
    """
    size = np.abs(actual) + np.abs(forecast)
    error = np.abs(actual - forecast)
    return 200.0 * _mean(np.divide(error, size, out=np.where(np.isnan(size), np.nan, 0.0), where=size > 0))


def mase_lag(past: np.ndarray, season_length: int) -> int:
    """Returns how many steps `mase_scale` looks back: a season, or 1.

    It is 1 where fewer changes over a season are known than the season has steps.

    Args:
        past: float (n,), the values before the cutoff, the first one if there are several: all are measured alike.
            Changes from or to a value that is missing (NaN) do not count.
        season_length: Steps of a season, 1 for none.
    """
    known = np.isfinite(past[season_length:] - past[:-season_length])
    return season_length if known.sum() >= season_length else 1


def mase_scale(past: np.ndarray, season_length: int) -> float:
    """Mean absolute error of the seasonal naive forecast within the past: what MASE divides by.

    A past that is too short to tell of seasons, as of `mase_lag`, is measured against the value before.

    Args:
        past: float (n,), the values before the cutoff; steps from or to one that is missing (NaN) do not count.
        season_length: Steps of a season, 1 for none.

    Returns:
        NaN where the past never changes over so many steps by more than rounding, or no two values are so far apart:
        there is nothing to scale by.
    """
    lag = mase_lag(past, season_length)
    scale = float(_mean(np.abs(past[lag:] - past[:-lag])))
    rounding = 16 * np.finfo(float).eps * np.nanmax(np.abs(past), initial=0.0)
    return scale if scale > rounding else float("nan")


def mase(actual: np.ndarray, forecast: np.ndarray, scale: np.ndarray | float) -> np.ndarray:
    """Mean absolute scaled error: below 1 it beats the average seasonal naive step of the past.

    Args:
        actual: float (..., H).
        forecast: float (..., H).
        scale: float (...,), `mase_scale` of the pasts.

    Returns:
        float (...,).
    """
    return _mean(np.abs(actual - forecast)) / scale


def coverage(actual: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Share of the actual values within the interval, bounds included: float (...,)."""
    inside = ((actual >= low) & (actual <= high)).astype(float)
    return _mean(np.where(np.isnan(actual), np.nan, inside))


def _mean(values: np.ndarray) -> np.ndarray:
    known = ~np.isnan(values)
    counts = known.sum(axis=-1)
    return np.where(known, values, 0.0).sum(axis=-1) / np.where(counts > 0, counts, np.nan)
