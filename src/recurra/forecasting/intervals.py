"""The intervals of a forecast: a network's quantiles, widened to hold as often as they say on later windows."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra.forecasting.baselines import BASELINES, MOST_CUTOFFS, forecast_with_errors
from recurra.forecasting.panel import Gaps

OfEach = list[Gaps | None]
NORMAL = {80: 1.2815515655446004, 95: 1.959963984540054}  # half widths of the central intervals of a normal
LEVELS = tuple(NORMAL)
RESULTS = ("y_hat", *(f"{side}-{level}" for level in LEVELS for side in ("lo", "hi")))  # columns of a forecast
FEWEST_HELD = 10  # windows that tell of errors: the largest of fewer says little of an interval of 95 %
MOST_ERRORS = 2**18  # of one series that `growth_of_errors` is taken from


def bands(answer: np.ndarray, widening: np.ndarray, least: np.ndarray) -> dict[str, np.ndarray]:
    """Returns y_hat and the intervals of quantiles (H, 5): widened, never below `least`, each within the next."""
    low95, low80, middle, high80, high95 = answer.T
    wide80, wide95 = widening
    low80 = np.minimum(low80 - wide80, middle - NORMAL[80] * least)
    high80 = np.maximum(high80 + wide80, middle + NORMAL[80] * least)
    low95 = np.minimum(low95 - wide95, middle - NORMAL[95] * least)
    high95 = np.maximum(high95 + wide95, middle + NORMAL[95] * least)
    return {
        "y_hat": middle,
        "lo-80": low80,
        "hi-80": high80,
        "lo-95": np.minimum(low95, low80),
        "hi-95": np.maximum(high95, high80),
    }


def growth_of_errors(scaled: list[np.ndarray], horizon: int, gaps: OfEach) -> np.ndarray:
    """Returns the sizes of the naive forecast's errors by step ahead, over all series: (H,), never falling.

    They are taken from every past value where there is room for so many: between two cutoffs that lie apart, a jump
    would be an error two steps ahead and none one step ahead.

    Args:
        scaled: The series as the network sees them.
        horizon: H.
        gaps: Of each series, as of `Panel.gaps`.
    """
    most = max(MOST_CUTOFFS, MOST_ERRORS // horizon)
    sizes = [
        forecast_with_errors("naive", series, horizon, (1,), min(most, len(series)), own)[1]
        for series, own in zip(scaled, gaps, strict=True)
    ]
    growth = np.sqrt(np.mean(np.square(sizes), axis=0))
    return growth if growth[0] > 0 else np.ones(horizon)


def least_sizes(scaled: list[np.ndarray], horizon: int, season_lengths: list[int], gaps: OfEach) -> np.ndarray:
    """Returns the sizes of the best baseline's past errors for each series: (n_series, H).

    Args:
        scaled, horizon, gaps: As of `growth_of_errors`.
        season_lengths: Steps of a season of each series, 1 for none.
    """
    each = list(zip(scaled, season_lengths, gaps, strict=True))
    sizes = [
        [forecast_with_errors(name, series, horizon, (season,), gaps=own)[1] for series, season, own in each]
        for name in BASELINES
    ]
    return np.array(min(sizes, key=np.mean)) * larger_of_few(np.array([len(series) for series in scaled]), horizon)


def larger_of_few(counts: Any, horizon: int) -> np.ndarray:
    """Returns how much larger errors to come are taken to be than past ones, which are few: (..., H).

    Of n values only (n - h) / h errors h steps ahead do not overlap: the variance that they show is taken
    1 + h / (n - h) times. Newer values may be fewer than the steps: h is n - 1 at the most.

    Args:
        counts: int (...,), n.
        horizon: H.
    """
    counts = np.asarray(counts)[..., None]
    return np.sqrt(counts / (counts - np.minimum(np.arange(1, horizon + 1), counts - 1)))


def sizes_after_gap(scaled: np.ndarray, horizon: int, gaps: Gaps | None) -> np.ndarray:
    """Returns the sizes of the naive forecast's errors after a gap at the end of a series: (H,), zero if there is none.

    A network has learned from pasts that end with an observed value.
    """
    if gaps is None or gaps.seen[-1]:
        return np.zeros(horizon)
    return forecast_with_errors("naive", scaled, horizon + gaps.stale, (1,), gaps=gaps)[1][gaps.stale :]


def effective_series(scaled: list[np.ndarray], times: list[np.ndarray]) -> float:
    """Returns the effective number of independent series: how many as many tell, of which none moves with another.

    Changes at one time are added up over c series. The square of that sum is their squares added up where they are
    independent, and c times that where they are one: so much do the squares tell (Kish's design effect, 1965). Constant
    series do not count.

    Args:
        scaled: The series as the network sees them.
        times: Of their values.
    """
    pairs = [(np.diff(series) - np.diff(series).mean(), own[1:]) for series, own in zip(scaled, times, strict=True)]
    pairs = [(changes, own) for changes, own in pairs if changes @ changes > 0]
    if not pairs:
        return 1.0
    changes = np.concatenate([changes for changes, _ in pairs])
    places = np.unique(np.concatenate([own for _, own in pairs]), return_inverse=True)[1]
    together = np.sum(np.bincount(places, changes) ** 2)
    apart = np.sum(np.bincount(places) * np.bincount(places, changes**2))
    return max(1.0, float(apart / together)) if together * len(pairs) > apart else float(len(pairs))


def widening_of(answers: np.ndarray, futures: np.ndarray, growth: np.ndarray, larger: np.ndarray) -> np.ndarray:
    """Returns what the intervals must grow by on each side so that they hold as often as they say: (levels, H).

    Conformalised quantile regression (Romano, Patterson and Candès, 2019) over the windows held back. The scores of all
    steps together are taken relative to `growth` (H,), so that late steps grow by more than early ones; intervals are
    never made smaller. The steps of a window err together: it counts as one score in the correction for few, but not of
    fewer than `FEWEST_HELD`, of which the largest score would be meant for 80 % as for 95 %; `bands` has a least there.

    Args:
        answers: float (N, H, 5), the quantiles.
        futures: float (N, H); those that are NaN tell nothing.
        growth: See `growth_of_errors`.
        larger: float (N, 1), how much larger errors to come are taken to be than those on each future.
    """
    low95, low80, middle, high80, high95 = np.moveaxis(answers, -1, 0)
    futures = middle + larger * (futures - middle)
    sizes = []
    for level, low, high in ((80, low80, high80), (95, low95, high95)):
        outside = np.maximum(low - futures, futures - high) / growth
        count = len(answers) if len(answers) >= FEWEST_HELD else np.isfinite(outside).sum()
        rank = min(1.0, level / 100 * (1 + 1 / count))
        sizes.append(max(0.0, float(np.nanquantile(outside, rank))) * growth)
    return np.array(sizes)
