"""The simple forecasts that a network has to beat, with intervals from their own past errors."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

MOST_CUTOFFS = 60  # past cutoffs that the errors of a baseline are taken from


def naive(past: np.ndarray, horizon: int, season_length: int, at: Any = None) -> np.ndarray:
    """Repeats the last value: float (H,).

    Args:
        past: float (n,).
        horizon: H.
        season_length: Steps of a season.
        at: int (k, 1) forecasts from each past[:at] at once: float (k, H). None from the whole past.
    """
    at = len(past) if at is None else at
    return past[at - 1] + np.zeros(horizon)


def seasonal_naive(past: np.ndarray, horizon: int, season_length: int, at: Any = None) -> np.ndarray:
    """Repeats the last season; the last value where the past is shorter than a season. Shapes as above."""
    at = len(past) if at is None else at
    steps = np.arange(horizon) % season_length
    return past[np.where(at < season_length, at - 1, at - season_length + steps)]


def drift(past: np.ndarray, horizon: int, season_length: int, at: Any = None) -> np.ndarray:
    """Goes on from the last value by the mean step of the past (Hyndman and Athanasopoulos, 2021). Shapes as above."""
    at = len(past) if at is None else at
    slope = (past[at - 1] - past[0]) / np.maximum(at - 1, 1)
    return past[at - 1] + slope * np.arange(1, horizon + 1)


BASELINES: dict[str, Callable[..., np.ndarray]] = {
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
    cutoffs = _cutoffs(len(past), season_length)
    places = cutoffs + np.arange(horizon)
    known = places < len(past)
    actual = past[np.minimum(places, len(past) - 1)]
    errors = np.where(known, actual - BASELINES[name](past, horizon, season_length, cutoffs), 0.0)
    sizes = np.sqrt((errors**2).sum(axis=0) / np.maximum(known.sum(axis=0), 1))
    return np.maximum.accumulate(sizes)


@lru_cache(maxsize=256)
def _cutoffs(count: int, season_length: int) -> np.ndarray:
    """Returns the cutoffs within `count` values: int (k, 1). Kept, as many series are of one length."""
    earliest = min(max(season_length, 2), count - 1)
    return np.unique(np.linspace(earliest, count - 1, MOST_CUTOFFS).astype(int))[:, None]
