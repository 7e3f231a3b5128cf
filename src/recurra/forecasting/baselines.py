"""The simple forecasts that a network has to beat, with intervals from their own past errors."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra import ops
from recurra.forecasting.transform import (
    FEWEST_SEASONS,
    final_error,
    fit_season,
    has_logarithms,
    of_size_one,
    season_of,
)

if TYPE_CHECKING:
    from recurra.forecasting.panel import Gaps

SMOOTHING = np.arange(1, 21) / 20  # weights of the newest value that theta chooses from
MOST_CUTOFFS = 60  # past cutoffs that the errors of a baseline are taken from
FEWEST_ERRORS = 5  # that tell of those to come by themselves
HALF_LIFE = 1 / 3  # of a past error, as a share of the past: the last ones tell most of those to come
Forecasts = tuple[np.ndarray, Any]
Seasons = tuple[int, ...]


def naive(past: np.ndarray, horizon: int, seasons: Seasons, at: np.ndarray) -> Forecasts:
    """Repeats the last value.

    Args:
        past: float (..., n), of one series or of several.
        horizon: H.
        seasons: Steps of the usual season, and of longer ones, as of `season_of`.
        at: int (k, 1), forecasts from each past[..., :at].

    Returns:
        The forecasts, float (..., k, H), and how many numbers were fitted to the whole past: one or int (...,).
    """
    return past[..., at - 1] + np.zeros(horizon), 0


def seasonal_naive(past: np.ndarray, horizon: int, seasons: Seasons, at: np.ndarray) -> Forecasts:
    """Repeats the last season, a longer one if that is clearer; the last value of shorter pasts. As above."""
    usual, *longer = seasons
    places = _season_ago(at, horizon, usual, at - 1)
    forecasts = past[..., places]
    if longer:
        for index in np.ndindex(past.shape[:-1]):
            season = season_of(past[index], seasons)
            forecasts[index] = past[index][_season_ago(at, horizon, season, places)]
    return forecasts, 0


def _season_ago(at: np.ndarray, horizon: int, season: int, otherwise: np.ndarray) -> np.ndarray:
    """Returns the places of the values a season before those after `at`, others where there are none: int (k, H)."""
    return np.where(at < season, otherwise, at - season + np.arange(horizon) % season)


def drift(past: np.ndarray, horizon: int, seasons: Seasons, at: np.ndarray) -> Forecasts:
    """Goes on from the last value by the mean step of the past (Hyndman and Athanasopoulos, 2021). As above."""
    slope = (past[..., at - 1] - past[..., 0 * at]) / np.maximum(at - 1, 1)
    return past[..., at - 1] + slope * np.arange(1, horizon + 1), 0


def theta(past: np.ndarray, horizon: int, seasons: Seasons, at: np.ndarray) -> Forecasts:
    """The theta method: goes on from the smoothed level by half the slope of the trend. As above.

    Assimakopoulos and Nikolopoulos (2000), in the form of Hyndman and Billah (2003): exponential smoothing with a
    drift, after the season was taken out (of logarithms where all values are positive; see `fit_season`). Season and
    smoothing are fitted to the whole past, level and slope to past[..., :at].
    """
    series = past.reshape(-1, past.shape[-1])
    times = np.arange(past.shape[-1], dtype=float)
    lags = times - _smoothed(times)  # those of all series: they are of one length
    forecasts, fitted = zip(*(_theta_of_one(values, horizon, seasons, at, lags) for values in series), strict=True)
    return np.reshape(forecasts, (*past.shape[:-1], len(at), horizon)), np.reshape(fitted, past.shape[:-1])


def _theta_of_one(
    past: np.ndarray, horizon: int, seasons: Seasons, at: np.ndarray, lags: np.ndarray
) -> tuple[np.ndarray, int]:
    count = len(past)
    positive = has_logarithms(past)
    values = ops.log(past) if positive else past
    pattern, size = fit_season(values, seasons)
    pattern = pattern if size else np.zeros(1)
    season = pattern[np.arange(count + horizon) % len(pattern)]
    rest = past / ops.exp(season[:count]) if positive else past - season[:count]
    slopes, levels = _slopes(rest), _smoothed(rest)
    errors = rest[1:] - (levels + slopes[-1] / 2 * (lags + 1))[:, :-1]
    best = int(np.argmin((of_size_one(errors)[0] ** 2).sum(axis=1)))
    last = at - 1
    steps = np.arange(1, horizon + 1)
    forecast = levels[best][last] + slopes[last] / 2 * (lags[best][last] + steps)
    ahead = season[last + steps]
    return (forecast * ops.exp(ahead) if positive else forecast + ahead), size + 2  # smoothing and slope


def _smoothed(values: np.ndarray) -> np.ndarray:
    """Returns the levels of exponential smoothing that begins with the first value: (len(SMOOTHING), n).

    The sums over all values before double their reach with each pass, so that no pass is a loop over the values.
    """
    levels = SMOOTHING[:, None] * values
    levels[:, 0] = values[0]
    weight, reach = 1 - SMOOTHING[:, None], 1
    while reach < len(values):
        levels[:, reach:] += weight * levels[:, :-reach]
        weight, reach = weight * weight, 2 * reach
    return levels


def _slopes(values: np.ndarray) -> np.ndarray:
    """Returns the slope of the line of least squares through values[:1], values[:2], ...: (n,); 0 for the first."""
    counts = np.arange(1.0, len(values) + 1)
    around = values - values.mean()
    products = np.cumsum((counts - 1) * around) - (counts - 1) / 2 * np.cumsum(around)
    return np.divide(products, counts * (counts**2 - 1) / 12, out=np.zeros(len(values)), where=counts > 1)


BASELINES: dict[str, Callable[..., Forecasts]] = {
    "naive": naive,
    "seasonal_naive": seasonal_naive,
    "drift": drift,
    "theta": theta,
}


def forecast_with_errors(
    name: str,
    past: np.ndarray,
    horizon: int,
    seasons: Seasons,
    most_cutoffs: int = MOST_CUTOFFS,
    gaps: Gaps | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the forecast of a baseline, and the sizes of its errors by step ahead.

    A size is the root of the mean square of past errors, in which an old one counts less (see `HALF_LIFE`). Errors on
    values that the baseline was fitted to are smaller than those to come, by the factor of Akaike's final prediction
    error (1970).

    The errors of a seasonal forecast are changes over a season. Where fewer than `FEWEST_ERRORS` are known, they are
    taken to be no smaller than changes over half of the past.

    Where values were filled, errors are those on observed ones, of forecasts that start as `Gaps` says: errors on what
    was filled are none of those to come.

    Args:
        name: Of the baseline.
        past: float (..., n), the values before the cutoff: all errors lie before it.
        horizon: H.
        seasons: Steps of the usual season, and of longer ones, as of `season_of`.
        most_cutoffs: Past cutoffs that the errors are taken from, evenly spaced.
        gaps: Of one series; None if nothing was filled.

    Returns:
        Both float (..., H); the sizes of the errors never fall.
    """
    count = past.shape[-1]
    cutoffs = _cutoffs(count, _earliest(name, count, seasons[0]), most_cutoffs)
    reach = horizon
    if gaps is not None:
        most = most_cutoffs * count // max(1, int(gaps.seen.sum()))  # as of each step only so many errors are known
        cutoffs = _cutoffs_after(gaps.starts, int(cutoffs[0, 0]), most)
        reach = max(horizon, _usual_gap(gaps.seen))
    forecasts, fitted = BASELINES[name](past, reach, seasons, cutoffs)
    places = cutoffs[:-1] + np.arange(reach)
    known = places < count
    places = np.minimum(places, count - 1)
    if gaps is not None and (known & gaps.seen[places]).any():
        known &= gaps.seen[places]
    actual = past[..., places]
    errors, exponents = of_size_one(np.where(known, actual - forecasts[..., :-1, :], 0.0), axis=(-2, -1))
    weights = known * ops.exp(-math.log(2) * (count - cutoffs[:-1]) / (HALF_LIFE * count))
    shares = weights / np.maximum(weights.sum(axis=0), np.finfo(float).tiny)
    squares = np.swapaxes(shares * errors**2, -1, -2)
    squares = np.ascontiguousarray(squares)  # summed in one order, however many series there are
    sizes = np.sqrt(squares.sum(axis=-1) * final_error(count, np.asarray(fitted)[..., None]))
    sizes = np.ldexp(sizes, exponents[..., 0])
    told = np.flatnonzero(known.any(axis=0))
    if len(told):  # the others are taken to be those of the next step that is told of
        sizes = sizes[..., told[np.minimum(np.searchsorted(told, np.arange(horizon)), len(told) - 1)]]
    if name == "seasonal_naive" and seasons[0] <= count and len(cutoffs) <= FEWEST_ERRORS:
        span = min(seasons[0], max(1, count // 2))
        sizes = np.maximum(sizes, forecast_with_errors("naive", past, span, (1,), most_cutoffs, gaps)[1][..., -1:])
    return forecasts[..., -1, :horizon], np.maximum.accumulate(sizes, axis=-1)


def _earliest(name: str, count: int, season_length: int) -> int:
    """Returns the first cutoff that errors are taken from: after a season, if the forecast after the end is of one.

    Of fewer seasons than tell of one all but `seasonal_naive` make none, and that one repeats the last value within the
    first: such errors come from the start on, as those after one season alone would be few.
    """
    seasonal = count >= season_length * (1 if name == "seasonal_naive" else FEWEST_SEASONS)
    return max(season_length, 2) if seasonal else 2


def _usual_gap(seen: np.ndarray) -> int:
    """Returns the steps from one observed value to the next: no error is known before, as of weeks filled to days."""
    steps = np.diff(np.flatnonzero(seen))
    return int(np.median(steps)) if len(steps) else 1


def _cutoffs_after(starts: np.ndarray, earliest: int, most: int) -> np.ndarray:
    """Returns the cutoffs from `earliest` on that come after one of `starts`, as of `_cutoffs`; all if none does."""
    count = len(starts)
    places = earliest + np.flatnonzero(starts[earliest - 1 : count - 1])
    places = places if len(places) else np.arange(earliest, count)
    within = places[np.linspace(0, len(places) - 1, most).astype(int)]
    return np.unique([*within, count])[:, None]


@lru_cache(maxsize=256)
def _cutoffs(count: int, earliest: int, most: int) -> np.ndarray:
    """Returns the cutoffs within `count` values and, last, their end: int (k, 1). Kept, as many series are as long."""
    within = np.linspace(min(earliest, count - 1), count - 1, most).astype(int)
    return np.unique([*within, count])[:, None]
