"""What a series goes through before the network sees it, and back: logarithm, season, and the size of its steps.

All of it is fitted on the past alone, per series.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LARGEST_SEASON_OF_MEANS = 60  # longer seasons are described by waves, not by one mean for each phase
WAVES = 4
FEWEST_OF_SWINGS = 48  # values from which on swings tell of themselves whether they grow with the level


@dataclass(frozen=True)
class Transform:
    """Fitted to the past of one series; `forward` and `inverse` undo each other.

    Attributes:
        log: Whether the network sees logarithms.
        seasonal: Additive pattern of one season, starting at the first value of the series; empty without a season.
        scale: Typical size of a step after that.
        smallest: Of the values; later ones that have no logarithm, zero and below, are seen as this.
    """

    log: bool
    seasonal: tuple[float, ...]
    scale: float
    smallest: float = float(np.finfo(float).tiny)  # files from before it was kept have none

    def forward(self, values: np.ndarray, start: int = 0) -> np.ndarray:
        """Returns what the network sees of values at the positions start, start + 1, ..."""
        values = np.log(np.where(values > 0, values, self.smallest)) if self.log else values
        return (values - self.pattern(start, values.shape[-1])) / self.scale

    def inverse(self, values: np.ndarray, start: int) -> np.ndarray:
        """Returns the values that the network means, the first of (..., n) at position `start`."""
        values = values * self.scale + self.pattern(start, values.shape[-1])
        return np.exp(values) if self.log else values

    def pattern(self, start: int, count: int) -> np.ndarray:
        """Returns the season at positions start, ..., start + count - 1."""
        if not self.seasonal:
            return np.zeros(count)
        return np.asarray(self.seasonal)[(start + np.arange(count)) % len(self.seasonal)]


def fit_transform(past: np.ndarray, season_length: int) -> Transform:
    """Fits a transform to the past of a series.

    Logarithms are taken where all values are positive and the swings grow with the level, in a short past only those of
    a season: a few blocks correlate by chance, and a trend taken for growth by percents leads far off. A season is
    taken out where it is significant.
    """
    log = swings_grow(past) and (len(past) >= FEWEST_OF_SWINGS or is_seasonal(np.log(past), season_length))
    values = np.log(past) if log else past
    seasonal = seasonal_pattern(values, season_length) if is_seasonal(values, season_length) else np.zeros(0)
    rest = values - seasonal[np.arange(len(values)) % len(seasonal)] if len(seasonal) else values
    steps = np.abs(np.diff(rest))
    scale = float(np.mean(steps)) if len(steps) else 0.0
    return Transform(log, tuple(seasonal.tolist()), scale if scale > 0 else 1.0, float(past.min()))


def swings_grow(past: np.ndarray) -> bool:
    """Returns whether all values are positive and the steps get larger where the level is higher."""
    if len(past) < 16 or past.min() <= 0 or past.max() < 1.5 * past.min():
        return False
    blocks = np.array_split(past, min(12, len(past) // 8))
    levels = np.log([block.mean() for block in blocks])
    swings = np.array([block.std() for block in blocks])
    if swings.min() <= 0 or np.ptp(np.log(swings)) == 0 or levels.std() < 0.1:
        return False
    return bool(np.corrcoef(levels, np.log(swings))[0, 1] > 0.7)


def is_seasonal(values: np.ndarray, season_length: int) -> bool:
    """Returns whether the autocorrelation at the season is significant (90 %): M4's test, less the trend."""
    n, m = len(values), season_length
    if m <= 1 or n < 3 * m:
        return False
    d = values - trend_of(values, m)
    d = d - d.mean()
    size = d @ d
    if size <= n * (16 * np.finfo(float).eps * np.abs(values).max()) ** 2:  # what rounding leaves, in any unit
        return False
    lags = np.array([d[k:] @ d[:-k] for k in range(1, m + 1)]) / size if m <= 400 else np.zeros(m)
    limit = 1.645 / np.sqrt(n) * np.sqrt(1 + 2 * np.sum(lags[:-1] ** 2))
    return bool(lags[-1] > limit)


def trend_of(values: np.ndarray, season_length: int) -> np.ndarray:
    """Returns the centred moving average over one season, its ends held."""
    m = season_length
    kernel = np.r_[0.5, np.ones(m - 1), 0.5] / m if m % 2 == 0 else np.ones(m) / m
    middle = np.convolve(values, kernel, "valid")
    before = (len(values) - len(middle)) // 2
    return np.pad(middle, (before, len(values) - len(middle) - before), "edge")


def size_of_pattern(season_length: int) -> int:
    """Returns how many numbers `seasonal_pattern` fits."""
    return season_length if season_length <= LARGEST_SEASON_OF_MEANS else 2 * WAVES


def seasonal_pattern(values: np.ndarray, season_length: int) -> np.ndarray:
    """Returns the mean of each phase around the trend, summing to zero: float (m,); smooth where seasons are long."""
    m = season_length
    around = values - trend_of(values, m)
    inner = slice(m // 2, len(values) - m // 2)
    phases = np.arange(len(values))[inner] % m
    if m <= LARGEST_SEASON_OF_MEANS:
        pattern = np.bincount(phases, around[inner], m) / np.bincount(phases, minlength=m)
        return pattern - pattern.mean()
    angles = 2 * np.pi * np.arange(m)[:, None] / m * np.arange(1, WAVES + 1)
    waves = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
    weights, *_ = np.linalg.lstsq(waves[phases], around[inner], rcond=None)
    return waves @ weights
