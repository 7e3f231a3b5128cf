"""What a series goes through before the network sees it, and back: logarithm, season, and the size of its steps.

All of it is fitted on the past alone, per series. Logarithms, exponentials and products of matrices are those of `ops`,
which have the same bits on all CPUs with FMA: NumPy's differ from one instruction set to the next.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from recurra import ops

LARGEST_SEASON_OF_MEANS = 60  # longer seasons may be described by waves instead of one mean for each phase
WAVES = 4
FEWEST_SEASONS = 3  # that tell of one
SEASONS_OF_A_WAVE = 4  # in which M4's test finds one
LIMIT = 1.645  # of autocorrelations times the root of how many pairs they are of: 90 % lie within both
PLAIN = 0.5  # autocorrelation of steps: the season is half of what they are
CLEARLY = 0.9  # of the errors by a shorter season: less tells of a longer one, and is no chance
SMALLEST = float(np.finfo(float).tiny)  # that has a logarithm
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
    smallest: float

    def forward(self, values: np.ndarray, start: int = 0) -> np.ndarray:
        """Returns what the network sees of values at the positions start, start + 1, ..."""
        values = ops.log(np.maximum(np.where(values > 0, values, self.smallest), SMALLEST)) if self.log else values
        return (values - self.pattern(start, values.shape[-1])) / self.scale

    def inverse(self, values: np.ndarray, start: int) -> np.ndarray:
        """Returns the values that the network means, the first of (..., n) at position `start`."""
        values = values * self.scale + self.pattern(start, values.shape[-1])
        return ops.exp(values) if self.log else values

    def pattern(self, start: int, count: int) -> np.ndarray:
        """Returns the season at positions start, ..., start + count - 1."""
        if not self.seasonal:
            return np.zeros(count)
        return np.asarray(self.seasonal)[(start + np.arange(count)) % len(self.seasonal)]


def fit_transform(past: np.ndarray, seasons: tuple[int, ...]) -> tuple[Transform, int]:
    """Returns a transform fitted to the past of a series, and how many numbers were fitted for its season.

    Logarithms are taken where all values are positive and the swings grow with the level, in a short past only those of
    a season: a few blocks correlate by chance, and a trend taken for growth by percents leads far off. A season is
    taken out where it is significant.

    Args:
        past: float (n,).
        seasons: As of `season_of`.
    """
    log = has_logarithms(past) and swings_grow(past)
    log = log and (len(past) >= FEWEST_OF_SWINGS or is_seasonal(ops.log(past), seasons[0]))
    values = ops.log(past) if log else past
    seasonal, fitted = fit_season(values, seasons)
    rest = values - seasonal[np.arange(len(values)) % len(seasonal)] if len(seasonal) else values
    steps = np.abs(np.diff(rest))
    scale = float(np.mean(steps)) if len(steps) else 0.0
    return Transform(log, tuple(seasonal.tolist()), scale if scale > 0 else 1.0, float(past.min())), fitted


def has_logarithms(values: np.ndarray) -> bool:
    """Returns whether all values are positive, and none so small that `ops.log` takes it for zero."""
    return bool(values.min() >= SMALLEST)


def of_size_one(values: np.ndarray, axis: Any = None) -> tuple[np.ndarray, np.ndarray]:
    """Returns values times a power of two, the largest then below one, and what `np.ldexp` takes to undo that.

    Squares of very small values would be zero, those of very large ones infinite; else no bit changes.

    Args:
        values: float.
        axis: Over which the largest is looked for; all if None.
    """
    exponents = np.frexp(np.abs(values).max(axis, keepdims=True, initial=0.0))[1]
    return np.ldexp(values, -exponents), exponents


def swings_grow(past: np.ndarray) -> bool:
    """Returns whether all values are positive and the steps get larger where the level is higher."""
    past, _ = of_size_one(past)
    if len(past) < 16 or past.min() <= 0 or past.max() < 1.5 * past.min():
        return False
    blocks = np.array_split(past, min(12, len(past) // 8))
    levels = ops.log(np.array([block.mean() for block in blocks]))
    swings = np.array([block.std() for block in blocks])
    if swings.min() <= 0 or np.ptp(ops.log(swings)) == 0 or levels.std() < 0.1:
        return False
    return bool(np.corrcoef(levels, ops.log(swings))[0, 1] > 0.7)


def is_seasonal(values: np.ndarray, season_length: int) -> bool:
    """Returns whether the autocorrelation at the season is significant (90 %): M4's test, less the trend; or of steps.

    The limit of M4's test grows with the autocorrelations before, which are large for the season's sake alone: in fewer
    than `SEASONS_OF_A_WAVE` it finds not even a clean wave. Steps of what has no season, such as noise or a random
    walk, are related to the next ones alone, by -1/2 at the most: their limit is Bartlett's for that. In cycles the
    step before tells more than that of a season ago. Where there are more seasons, the steps add what is plain alone.
    """
    n, m = len(values), season_length
    if m <= 1 or n < FEWEST_SEASONS * m:
        return False
    values, _ = of_size_one(values)
    rounding = 16 * np.finfo(float).eps * np.abs(values).max()
    lags = _autocorrelations(values, m, rounding)
    if lags[-1] > LIMIT / np.sqrt(n) * np.sqrt(1 + 2 * np.sum(lags[:-1] ** 2)):
        return True
    pairs = n - 1 - np.arange(1, m + 1)
    lags = _autocorrelations(np.diff(values), m, rounding) * (n - 1) / pairs
    least = PLAIN if n >= SEASONS_OF_A_WAVE * m else 0.0
    return bool(lags[-1] > max(least, lags[0], LIMIT / np.sqrt(pairs[-1]) * np.sqrt(1 + 2 * 0.5**2)))


def _autocorrelations(values: np.ndarray, most: int, rounding: float) -> np.ndarray:
    """Returns the autocorrelations around the trend at lags of 1 to `most`, the season; zeros if nothing is around it.

    Args:
        values: float (n,).
        most: Of the lags.
        rounding: What it may leave of one value.
    """
    d = values - trend_of(values, most)
    d = d - d.mean()
    size = d @ d
    return _products_of_lags(d, most) / size if size > len(d) * rounding**2 else np.zeros(most)


def _products_of_lags(values: np.ndarray, most: int) -> np.ndarray:
    """Returns the sums of values[k:] * values[:-k] for k of 1 to `most`: one after the other would take long."""
    size = 2 ** int(len(values) + most).bit_length()
    spectrum = np.abs(np.fft.rfft(values, size)) ** 2
    return np.fft.irfft(spectrum, size)[1 : most + 1]


def trend_of(values: np.ndarray, season_length: int) -> np.ndarray:
    """Returns the centred moving average over one season, its ends held."""
    m = season_length
    middle = _sums(values, m) / m
    middle = (middle[1:] + middle[:-1]) / 2 if m % 2 == 0 else middle
    before = (len(values) - len(middle)) // 2
    after = len(values) - len(middle) - before
    return np.concatenate((np.repeat(middle[:1], before), middle, np.repeat(middle[-1:], after)))  # np.pad is slow


def _sums(values: np.ndarray, count: int) -> np.ndarray:
    """Returns the sums of each `count` values in a row: (n - count + 1,).

    They are put together of sums of 1, 2, 4, ... values: few passes however long a season is, and little rounding.
    """
    sums, done, size = np.zeros(len(values) - count + 1), 0, 1
    while size <= count:
        if count & size:
            sums += values[done : done + len(sums)]
            done += size
        values = values[size:] + values[:-size]
        size *= 2
    return sums


def season_of(values: np.ndarray, seasons: tuple[int, ...]) -> int:
    """Returns the first of the seasons, or a longer one if the values of a season ago told those of now better by it.

    Args:
        values: float (n,).
        seasons: Steps of the usual season, and of longer ones that are several of it (a week of hours).
    """
    usual, *longer = seasons
    for season in reversed(longer):
        if len(values) >= FEWEST_SEASONS * season:
            now, ago = values[season:], values[:-season]
            if np.abs(now - ago).mean() < CLEARLY * np.abs(now - values[season - usual : -usual]).mean():
                return season
    return usual


def fit_season(values: np.ndarray, seasons: tuple[int, ...]) -> tuple[np.ndarray, int]:
    """Returns the pattern of the season around the trend, and how many numbers were fitted for it.

    Args:
        values: float (n,).
        seasons: As of `season_of`.

    Returns:
        float (m,), the season from the first value on; of no values if it is not significant.
    """
    season = season_of(values, seasons)
    if season > seasons[0] or is_seasonal(values, season):
        return seasonal_pattern(values, season)
    return np.zeros(0), 0


def seasonal_pattern(values: np.ndarray, season_length: int) -> tuple[np.ndarray, int]:
    """Returns the pattern of a season, summing to zero, and how many numbers were fitted for it; see `fit_season`.

    It is the mean of each phase around the trend. Long seasons have few values of a phase: they are described by waves
    if these have the smaller final prediction error (Akaike, 1970).
    """
    m = season_length
    values, exponents = of_size_one(values)
    around = values - trend_of(values, m)
    inner = slice(m // 2, len(values) - m // 2)
    around, phases = around[inner], np.arange(len(values))[inner] % m
    counts = np.bincount(phases, minlength=m)
    means = np.bincount(phases, around, m) / counts
    centred = means - means.mean()
    if m <= LARGEST_SEASON_OF_MEANS:
        return np.ldexp(centred, exponents), m
    candidates = [(centred, m), (_nearest_waves(means, counts), 2 * WAVES)]
    pattern, fitted = min(
        candidates, key=lambda found: np.mean((around - found[0][phases]) ** 2) * final_error(len(around), found[1])
    )
    return np.ldexp(pattern, exponents), fitted


def _nearest_waves(means: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Returns the sum of `WAVES` waves and their shifts that is nearest, by least squares, to values with these means.

    Args:
        means: float (m,), of the values of each phase.
        counts: int (m,), how many there are.
    """
    m, weights = len(means), np.sqrt(counts)
    turns = np.arange(1, WAVES + 1)[:, None] * np.arange(m) % m
    basis = ops.orthonormalize(np.ascontiguousarray(_circle(m)[:, turns].reshape(2 * WAVES, m) * weights))
    shares = ops.matmul(basis, (means * weights)[:, None])
    return ops.matmul(shares.T, basis)[0] / weights


@lru_cache(maxsize=16)
def _circle(parts: int) -> np.ndarray:
    """Returns cosines and sines of 0, 1, ... of so many parts of a turn: (2, parts).

    Those of one part are power series, and all others come by turning those before: NumPy's have other bits elsewhere.
    """
    angle, term, first = 2 * math.pi / parts, 1.0, [0.0, 0.0]
    for power in range(24):
        first[power % 2] += -term if power % 4 > 1 else term
        term *= angle / (power + 1)
    (cosine, sine), done = first, 1
    circle = np.zeros((2, parts))
    circle[0, 0] = 1.0
    while done < parts:
        before = circle[:, : min(done, parts - done)]
        circle[:, done : 2 * done] = before[0] * cosine - before[1] * sine, before[1] * cosine + before[0] * sine
        cosine, sine, done = cosine * cosine - sine * sine, 2 * sine * cosine, 2 * done
    return circle


def final_error(count: Any, fitted: Any) -> Any:
    """Returns how much larger squared errors to come are than those on `count` values that numbers were fitted to."""
    return (count + fitted) / np.maximum(count - fitted, 1)
