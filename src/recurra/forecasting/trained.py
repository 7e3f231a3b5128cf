"""A network trained on the series of a panel, with what it takes to forecast them."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from recurra._checks import expected
from recurra.errors import DataError
from recurra.forecasting import network
from recurra.forecasting.intervals import (
    FEWEST_HELD,
    RESULTS,
    bands,
    effective_series,
    growth_of_errors,
    least_sizes,
    sizes_after_gap,
    widening_of,
)
from recurra.forecasting.network import Progress, Settings
from recurra.forecasting.panel import Panel
from recurra.forecasting.transform import Transform, final_error, fit_transform
from recurra.forecasting.windows import Windows

QUANTILES = (0.025, 0.1, 0.5, 0.9, 0.975)
MOST_WINDOWS = 1500  # windows that a network is trained on; more are thinned out evenly
FEWEST_WINDOWS = 5  # as many as the shortest series has without gaps
LONGEST_LOOKBACK = 96  # of networks whose timesteps are single values
SEGMENTS = range(24, 61)  # seasons of as many values are one timestep each; of longer ones too few have been seen
MOST_SEGMENTS = 7  # so that of hours the network sees a week


class NoLogarithm(DataError):
    """Newer values below zero, after a fit to logarithms: what is forecast would be positive and sure of it."""


@dataclass(frozen=True)
class TrainedNetwork:
    """What training left.

    Attributes:
        panel: What it was trained on.
        settings: How the network was made.
        model: The network, (N, L, 1) -> (N, H * 5).
        transforms: Of each series.
        widening: What the intervals of each level grow by on each side: float (2, H).
        least: Sizes of errors that the intervals are never narrower for: float (n_series, H).
    """

    panel: Panel
    settings: Settings
    model: Any
    transforms: list[Transform]
    widening: np.ndarray
    least: np.ndarray

    def predict(self, panel: Panel, places: list[int]) -> dict[str, np.ndarray]:
        """Returns y_hat and the intervals, each (n_series, H), after the end of each series.

        Args:
            panel: On the clock of that of training, as of `Panel.on_the_clock_of`.
            places: Of its series in that of training, as of `Panel.places_in`.

        Raises:
            DataError: If times are no whole steps from those of training, fewer values are there than the network sees,
                or nothing says where in the season they lie.
            NoLogarithm: If the network sees logarithms, and one of these values is below zero.
        """
        settings = self.settings
        if panel.lengths.min() < settings.lookback:
            i = int(panel.lengths.argmin())
            what = f"at least {settings.lookback} values of each series, which the network sees"
            raise DataError(expected("Forecaster.predict", what, f"{panel.lengths[i]} of {panel.ids[i]!r}"))
        pasts, anchors, ends, least = [], [], [], []
        for i, place in enumerate(places):
            start = self._steps_since_fit(panel, i, place)
            lowest = self._lowest_of_logarithms(panel, i, place)
            if lowest < 0:
                what = f"no values below zero of {panel.ids[i]!r}, as fit took logarithms"
                raise NoLogarithm(expected("Forecaster.predict", what, f"{lowest:g}", "fit to data with such values"))
            scaled = self.transforms[place].forward(panel.series(i), start)
            pasts.append(scaled[-settings.lookback :] - scaled[-1])
            anchors.append(scaled[-1])
            ends.append(start + len(scaled))
            least.append(np.maximum(self.least[place], sizes_after_gap(scaled, settings.horizon, panel.gaps(i))))
        answers = network.predict(self.model, np.array(pasts), settings)
        result = {name: np.empty((panel.n_series, settings.horizon)) for name in RESULTS}
        for i, (answer, anchor, end, place) in enumerate(zip(answers, anchors, ends, places, strict=True)):
            for name, values in bands(answer, self.widening, least[i]).items():
                result[name][i] = self.transforms[place].inverse(values + anchor, end)
        return result

    def _lowest_of_logarithms(self, panel: Panel, i: int, place: int) -> float:
        """Returns the smallest value that the network sees of series i of a panel; infinity if not by logarithms."""
        seen = panel.series(i)[-self.settings.lookback :]
        return float(seen.min()) if self.transforms[place].log else np.inf

    def ids_with_zeros(self, panel: Panel, places: list[int]) -> list[str]:
        """Returns which series have zeros that the network sees, by logarithms, as the smallest value of `fit`."""
        return [panel.ids[i] for i, place in enumerate(places) if self._lowest_of_logarithms(panel, i, place) == 0]

    def _steps_since_fit(self, panel: Panel, i: int, place: int) -> int:
        """Returns how many steps after the first time of training series i of a panel begins."""
        self._check_counted(panel, i, place)
        first, fitted = panel.series_times(i)[:1], self.panel.series_times(place)[:1]
        steps = float(panel.freq.positions(np.concatenate([fitted, first]))[1])
        if steps != round(steps):
            what = f"times a whole number of steps from {self.panel.clock.write(fitted)[0]}, as in fit"
            raise DataError(expected("Forecaster.predict", what, panel.clock.write(first)[0]))
        return round(steps)

    def _check_counted(self, panel: Panel, i: int, place: int) -> None:
        """Refuses counted rows of a series with a season, unless they begin as those of training did.

        Both are counted from zero: others would be forecast as if they began at the same place in the season.
        """
        season = len(self.transforms[place].seasonal)
        own, fitted = panel.series(i)[:season], self.panel.series(place)[:season]
        if (panel.source.counted or self.panel.source.counted) and not np.array_equal(own, fitted[: len(own)]):
            what = "a column of times, or each series from the first value of fit on"
            got = f"counted rows, of which those of {panel.ids[i]!r} begin with another"
            hint = f"they do not say where in the season of {season} they begin, add times to the data and fit again"
            raise DataError(expected("Forecaster.predict", what, got, hint))


def train(
    panel: Panel,
    kind: str,
    horizon: int,
    seasons: tuple[int, ...],
    lookback: int | str,
    seed: int,
    n_seeds: int,
    budget_s: float | None,
    progress: Progress | None,
) -> TrainedNetwork:
    """Returns networks of several seeds, trained on all series and averaged; arguments as of `Forecaster`."""
    started = time.monotonic()
    season_length = seasons[0]
    transforms, fitted = zip(*(fit_transform(panel.series(i), seasons) for i in range(panel.n_series)), strict=True)
    larger = np.sqrt(final_error(panel.lengths, np.array(fitted)))[:, None]  # errors where the season was not fitted
    scaled = [transforms[i].forward(panel.series(i)) for i in range(panel.n_series)]
    gaps = [panel.gaps(i) for i in range(panel.n_series)]
    lookback = choose_lookback(lookback, int(panel.lengths.min()), horizon, season_length)
    windows = Windows(np.concatenate(scaled), panel.indptr, lookback, horizon)
    train_ends, held_ends, enough = _split_in_time(windows, panel, horizon)
    segmented = season_length in SEGMENTS and lookback % season_length == 0 and lookback > season_length
    batch_size = int(np.clip(len(train_ends) // 12, 8, 64))
    settings = Settings(
        kind, lookback, horizon, QUANTILES, segment=season_length if segmented else 1, batch_size=batch_size
    )
    x, y = _anchored(windows, train_ends)
    x_held, y_held = _anchored(windows, held_ends)
    members = []
    for member in range(n_seeds):
        share = None if budget_s is None else started + budget_s * (member + 1) / n_seeds
        members.append(network.train(settings, x, y, x_held, y_held, seed + member, share, progress))
    model = network.average(members, settings)
    y_seen = _without_filled(y_held, windows, panel, held_ends)
    enough &= not np.isnan(y_seen).all(axis=0).any()
    y_seen = y_held if np.isnan(y_seen).all() else y_seen
    growth = growth_of_errors(scaled, horizon, gaps)
    larger_held = larger[np.searchsorted(panel.indptr, held_ends, side="right") - 1]
    widening = widening_of(network.predict(model, x_held, settings), y_seen, growth, larger_held)
    taken_out = [season_length if own.seasonal else 1 for own in transforms]  # of others the network knows none
    least = np.where(enough[:, None], 0.0, larger * least_sizes(scaled, horizon, taken_out, gaps))
    return TrainedNetwork(panel, settings, model, list(transforms), widening, least)


def choose_lookback(given: int | str, shortest: int, horizon: int, season_length: int) -> int:
    """Returns how many values a network sees: those given, or some seasons, as far as the shortest series allows.

    Raises:
        DataError: If more are given than leave a few windows of the shortest series.
    """
    if isinstance(given, int):
        most = shortest - horizon - 2
        if given > most:
            what = f"a lookback of at most {most} for a horizon of {horizon} and {shortest} values to learn from"
            hint = "choose a shorter one, or leave the choice to lookback='auto'"
            raise DataError(expected("Forecaster", what, given, hint))
        return given
    segments = min(MOST_SEGMENTS, (shortest - horizon) // 2 // season_length)
    if season_length in SEGMENTS and segments > 1:
        return segments * season_length
    wanted = max(2 * min(season_length, 30), 2 * min(horizon, 24), 8)
    return max(2, min(wanted, LONGEST_LOOKBACK, (shortest - horizon) // 2))


def _split_in_time(windows: Windows, panel: Panel, horizon: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns ends of windows to train on, of later ones to check with, and for which series these tell the errors.

    The later ones are the last sixth of each series. The futures of the first lie wholly before those of the second
    begin, where the series is long enough for that. Where it is not, errors on them are no measure of those to come;
    neither where fewer windows than steps ahead are held back, so that the futures of all overlap, or than
    `FEWEST_HELD`: of series that move together those at one time tell no more than one.
    """
    train, held, apart = [], [], []
    for i in range(panel.n_series):
        ends = _observed_ends(windows.ends(i), panel)
        count = max(1, len(ends) // 6)
        later, earlier = ends[len(ends) - count :], ends[: len(ends) - count]
        before = earlier[earlier + horizon <= later[0]]
        apart.append(len(before) >= len(ends) // 3)
        train.append(before if apart[-1] else earlier)
        held.append(later)
    held_ends = np.concatenate(held)
    series_times = np.split(panel.times, panel.indptr[1:-1])
    each_time = effective_series(np.split(windows.values, panel.indptr[1:-1]), series_times)
    told = min(len(held_ends), len(np.unique(panel.times[held_ends])) * each_time)
    enough = told >= max(horizon, FEWEST_HELD)
    return _thinned(np.concatenate(train)), _thinned(held_ends), np.array(apart) & enough


def _observed_ends(ends: np.ndarray, panel: Panel) -> np.ndarray:
    """Returns the ends of windows that were observed; all of them if few were.

    A past that ends within a gap holds what comes after it, if the gap was filled by a line.
    """
    observed = ends if panel.observed is None else ends[panel.observed[ends]]
    return observed if len(observed) >= FEWEST_WINDOWS else ends


def _without_filled(futures: np.ndarray, windows: Windows, panel: Panel, ends: np.ndarray) -> np.ndarray:
    """Returns futures with NaN where they were filled, which says nothing of errors."""
    if panel.observed is None:
        return futures
    return np.where(replace(windows, values=panel.observed).futures(ends), futures, np.nan)


def _thinned(ends: np.ndarray) -> np.ndarray:
    if len(ends) <= MOST_WINDOWS:
        return ends
    return ends[np.unique(np.linspace(0, len(ends) - 1, MOST_WINDOWS).astype(int))]


def _anchored(windows: Windows, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns pasts and futures less the last value of each past, as float32."""
    last = windows.values[ends][:, None]
    return (windows.pasts(ends) - last).astype(np.float32), (windows.futures(ends) - last).astype(np.float32)
