"""The simple forecasts that a network has to beat, with intervals from their own past errors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

MOST_CUTOFFS = 60  # past cutoffs that the errors of a baseline are taken from


def naive(past: np.ndarray, horizon: int, season_length: int) -> np.ndarray:
    """Repeats the last value: float (H,)."""
    return np.full(horizon, past[-1])


def seasonal_naive(past: np.ndarray, horizon: int, season_length: int) -> np.ndarray:
    """Repeats the last season; the last value where the past is shorter than a season: float (H,)."""
    if len(past) < season_length:
        return naive(past, horizon, season_length)
    return past[len(past) - season_length + np.arange(horizon) % season_length]


def drift(past: np.ndarray, horizon: int, season_length: int) -> np.ndarray:
    """Goes on from the last value by the mean step of the past (Hyndman and Athanasopoulos, 2021): float (H,)."""
    slope = (past[-1] - past[0]) / max(len(past) - 1, 1)
    return past[-1] + slope * np.arange(1, horizon + 1)


BASELINES: dict[str, Callable[[np.ndarray, int, int], np.ndarray]] = {
    "naive": naive,
    "seasonal_naive": seasonal_naive,
    "drift": drift,
}


def error_sizes(name: str, past: np.ndarray, horizon: int, season_length: int) -> np.ndarray:
    """Root mean square errors of a baseline at its own past cutoffs, by step ahead: float (H,), never falling.

    Args:
        name: Of the baseline.
        past: float (n,), the values before the cutoff: all errors lie before it.
        horizon: H.
        season_length: Steps of a season.
    """
    forecast = BASELINES[name]
    earliest = min(max(season_length, 2), len(past) - 1)
    cutoffs = np.unique(np.linspace(earliest, len(past) - 1, MOST_CUTOFFS).astype(int))
    squares, counts = np.zeros(horizon), np.zeros(horizon)
    for cutoff in cutoffs:
        known = min(horizon, len(past) - cutoff)
        error = past[cutoff : cutoff + known] - forecast(past[:cutoff], known, season_length)
        squares[:known] += error**2
        counts[:known] += 1
    sizes = np.sqrt(np.divide(squares, counts, out=np.zeros(horizon), where=counts > 0))
    return np.maximum.accumulate(sizes)
