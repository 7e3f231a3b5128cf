"""The forecaster: one network for all series of a panel, trained on the past, with intervals that were checked."""

from __future__ import annotations

import numbers
import operator
import os
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from recurra._arguments import KnowsArguments, unknown_arguments
from recurra._checks import expected, one_of, positive_int
from recurra.errors import DataError, NotFittedError
from recurra.forecasting.baselines import BASELINES, MOST_CUTOFFS, forecast_with_errors
from recurra.forecasting.frame import read_newer, to_frame
from recurra.forecasting.intervals import LEVELS, NORMAL, RESULTS, larger_of_few
from recurra.forecasting.network import KINDS, Progress
from recurra.forecasting.panel import Panel, one_of_several
from recurra.forecasting.reading.table import MissingColumn
from recurra.forecasting.trained import TrainedNetwork, train

if TYPE_CHECKING:
    from recurra.forecasting.backtest import Backtest

MOST_AT_ONCE = 2**20  # numbers that baselines of several series work on


def fewest_values(horizon: int) -> int:
    """Returns how many values a series needs for this horizon: a past, a future to train on, and one to check with."""
    return 2 * horizon + 8


def longest_horizon(count: int) -> int:
    """Returns the longest horizon for which `count` values are enough; below 1 if they are for none."""
    return (count - 8) // 2


class Steps(NamedTuple):
    """How many a forecaster looks ahead, and how many a season has: 1 for none."""

    horizon: int
    season_length: int


class Forecaster(KnowsArguments):
    """Forecasts the series of a panel by a network, or by a baseline.

    Args:
        model: "gru", "lstm" or "simple_rnn"; or a baseline: "naive", "seasonal_naive", "drift", "theta".
        horizon: Steps ahead; if None one season (6 where there is none), or as many as the shortest series allows.
        lookback: Values that the network sees; chosen by season, horizon and the shortest series if "auto".
        season_length: Steps of a season; if None that of the frequency, and a week of hours where it tells more.
        seed: Of the networks: the first has this one, the next the number after it, up to 2**32 - 1.
        n_seeds: Networks that are averaged.
        budget_s: Seconds of training, at the most.

    Attributes:
        horizon, season_length: As given; after `fit` the ones in use. Fitting to other data chooses anew what was None.

    Raises:
        TypeError, ValueError: If an option is out of range.

    >>> panel = Panel.from_arrays([np.sin(np.arange(60.0))])
    >>> Forecaster("naive", horizon=2).fit(panel).predict_arrays()["y_hat"].shape
    (1, 2)
    """

    def __init__(
        self,
        model: str = "gru",
        *,
        horizon: int | None = None,
        lookback: int | str = "auto",
        season_length: int | None = None,
        seed: int = 0,
        n_seeds: int = 3,
        budget_s: float | None = None,
    ):
        self.model = one_of("Forecaster", "model", model, (*KINDS, *BASELINES))
        self._given: dict[str, int | None] = {
            "horizon": None if horizon is None else positive_int("Forecaster", "horizon", horizon),
            "season_length": (
                None if season_length is None else positive_int("Forecaster", "season_length", season_length)
            ),
        }
        self._steps: Steps | None = None
        self.lookback = lookback if lookback == "auto" else positive_int("Forecaster", "lookback", lookback)
        self.n_seeds = positive_int("Forecaster", "n_seeds", n_seeds)
        self.seed = _checked_seed(seed, self.n_seeds)
        self.budget_s = checked_budget("Forecaster", budget_s)
        self._panel: Panel | None = None
        self._trained: TrainedNetwork | None = None

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={value!r}" for name, value in self.options().items())
        return f"{type(self).__name__}({options})"

    @property
    def horizon(self) -> int | None:
        """Steps ahead: as given, after `fit` as in use."""
        return self._given["horizon"] if self._steps is None else self._steps.horizon

    @property
    def season_length(self) -> int | None:
        """Steps of a season: as given, after `fit` as in use."""
        return self._given["season_length"] if self._steps is None else self._steps.season_length

    @property
    def steps(self) -> Steps:
        """Horizon and season in use; NotFittedError before `resolve` or `fit` chose them."""
        return _fitted("Forecaster.steps", self._steps)

    def fit(self, data: Any, *, progress: Progress | None = None, **columns: Any) -> Forecaster:
        """Learns from the whole of the data; stopped by an error or Ctrl-C, the forecaster is as it was before.

        What is worth knowing about how the data was read is a UserWarning here, in `predict` and in `backtest`.

        Args:
            data: A panel, a frame or a file, as `read_panel` takes it.
            progress: Called with a line now and then.
            **columns: Options of `read_panel`: id_col, time_col, target_col, freq, fill.

        Raises:
            DataError: If a series is too short for the horizon or the lookback.
        """
        panel = _read("Forecaster.fit", data, columns)
        fresh = self._unfitted()
        fresh.resolve(panel)
        fresh.learn_from(panel, progress)
        vars(self).update(vars(fresh))
        return self

    def _unfitted(self, **changes: Any) -> Forecaster:
        return Forecaster(**(self.options() | self._given | changes))

    def by(self, model: str) -> Forecaster:
        """Returns a forecaster that is not fitted, by this model, with horizon and season as in use here."""
        fresh = self._unfitted(model=model)
        fresh._steps = self._steps
        return fresh

    def _seasons(self, panel: Panel) -> tuple[int, ...]:
        return panel.freq.seasons if self._given["season_length"] is None else (self.steps.season_length,)

    def learn_from(self, panel: Panel, progress: Progress | None = None) -> None:
        """Fits to a panel whose lengths were checked, with horizon and season known."""
        if self.model in KINDS:
            self._trained = train(
                panel,
                self.model,
                horizon=self.steps.horizon,
                seasons=self._seasons(panel),
                lookback=self.lookback,
                seed=self.seed,
                n_seeds=self.n_seeds,
                budget_s=self.budget_s,
                progress=progress,
            )
        self._panel = panel

    def options(self) -> dict[str, Any]:
        """Returns the constructor's arguments, with the horizon and the season in use."""
        return {name: getattr(self, name) for name in OPTIONS}

    def resolve(self, panel: Panel) -> Steps:
        """Chooses horizon and season where they were left open, and checks that they and the names suit the data.

        Raises:
            DataError: If a series has too few values for the horizon, or all have for a season that is not that of the
                step, or a column is named like one of the result.
        """
        _refuse_taken_names(panel)
        most = int(panel.lengths.max())
        horizon, season = self._given["horizon"], self._given["season_length"]
        if season is not None and 1 < season >= most and season != panel.freq.season_length:
            got = f"{panel.ids[int(panel.lengths.argmax())]!r} of {most} values"
            hint = f"choose a season of at most {most - 1}, or 1 for none"
            got = got if panel.n_series == 1 else f"{got}, the longest"
            raise DataError(expected(f"a season of {season}", "longer series", got, hint))
        season = season or panel.freq.season_length
        longest = longest_horizon(int(panel.known_counts.min()))
        if horizon is None:
            horizon = max(1, min(season if season > 1 else 6, longest))
        if horizon > longest:
            raise _too_little(panel, horizon, longest)
        self._steps = Steps(horizon, season)
        return self._steps

    def predict_arrays(self, panel: Panel | None = None) -> dict[str, np.ndarray]:
        """Returns y_hat, lo-80, hi-80, lo-95 and hi-95, each (n_series, H), after the end of each series.

        Args:
            panel: Other ends of the same series, or of some of them, such as longer ones; those of `fit` if None.

        Raises:
            NotFittedError: Before `fit`.
            DataError: If a series or its step is not that of `fit`; of a network also if fewer values are there than it
                sees, or a season matters and neither times nor the first values of `fit` say where in it they lie.
        """
        fitted = _fitted("Forecaster.predict", self._panel)
        panel = fitted if panel is None else panel.on_the_clock_of(fitted)
        return self._forecast(fitted, panel, panel.places_in(fitted))

    def _forecast(self, fitted: Panel, panel: Panel, places: list[int]) -> dict[str, np.ndarray]:
        """Returns what `predict_arrays` does, of a panel on the clock of that of `fit`, and its places in that."""
        trained = self._trained
        result = self._forecast_by_baseline(panel) if trained is None else trained.predict(panel, places)
        for i, place in enumerate(places):
            if panel.is_constant(i) and (trained is None or fitted.is_constant(place)):
                for values in result.values():
                    values[i] = panel.series(i)[0]
        return result

    def _forecast_by_baseline(self, panel: Panel) -> dict[str, np.ndarray]:
        horizon, seasons = self.steps.horizon, self._seasons(panel)
        result = {name: np.empty((panel.n_series, horizon)) for name in RESULTS}
        gaps = [panel.gaps(i) for i in range(panel.n_series)]
        for rows in _alike(panel.lengths, MOST_CUTOFFS * horizon, np.array([own is not None for own in gaps])):
            past = panel.values[panel.indptr[rows, None] + np.arange(panel.lengths[rows[0]])]
            own = gaps[rows[0]]
            stale = 0 if own is None else own.stale
            y_hat, sizes = forecast_with_errors(self.model, past, horizon + stale, seasons, gaps=own)
            if self.model in ("naive", "seasonal_naive"):  # drift and theta erred by slopes of shorter pasts: enough
                sizes = sizes * larger_of_few(past.shape[-1], horizon + stale)
            y_hat, sizes = y_hat[..., :horizon], sizes[..., stale:]
            result["y_hat"][rows] = y_hat
            for level in LEVELS:
                result[f"lo-{level}"][rows] = y_hat - NORMAL[level] * sizes
                result[f"hi-{level}"][rows] = y_hat + NORMAL[level] * sizes
        return result

    # Frames ---------------------------------------------------------------------------------------------------------

    def predict(self, data: Any = None, **columns: Any) -> Any:
        """Returns the forecast as a long frame: the id column if there is one, times, y_hat and the intervals.

        Args:
            data: Newer values of the series of `fit`, or of some of them; those of `fit` if None.
            **columns: Options of `read_panel` for this data; those that are not named are those of `fit`.

        Raises:
            NotFittedError: Before `fit`.
            TypeError: If an option is none of those, or there is no data to read by it.
            DataError: As in `predict_arrays`, or if a column of `fit` is not there.
        """
        fitted = _fitted("Forecaster.predict", self._panel)
        panel = fitted
        if data is not None or columns:
            panel = _read("Forecaster.predict", data, columns, fitted).on_the_clock_of(fitted)
        places = panel.places_in(fitted)
        arrays = self._forecast(fitted, panel, places)
        zeros = [] if self._trained is None else self._trained.ids_with_zeros(panel, places)
        if zeros:
            which = one_of_several(zeros[0], len(zeros), panel.n_series)
            seen = f"zeros of {which} were seen as the smallest value of fit, which took logarithms"
            warnings.warn(f"{seen}: fit to data with zeros if they are no errors", stacklevel=2)
        return to_frame(self.columns(arrays, panel), panel)

    def columns(self, arrays: dict[str, np.ndarray], panel: Panel | None = None) -> dict[str, Any]:
        """Returns arrays of `predict_arrays(panel)` as columns of a long table; NotFittedError before `fit`."""
        panel = panel or _fitted("Forecaster.columns", self._panel)
        horizon = arrays["y_hat"].shape[1]
        times = panel.future_times(horizon)
        columns: dict[str, Any] = {}
        if panel.id_col is not None:
            columns[panel.id_col] = [name for name in panel.source.id_values or panel.ids for _ in range(horizon)]
        columns[panel.time_col] = panel.clock.write(times) if panel.source.as_text else panel.clock.as_in_frames(times)
        return columns | {name: values.ravel() for name, values in arrays.items()}

    def backtest(
        self,
        data: Any,
        n_windows: int | None = None,
        step_size: int | None = None,
        *,
        progress: Progress | None = None,
        **columns: Any,
    ) -> Backtest:
        """Forecasts the end of the data from before it, beside the baselines; see `Backtest`.

        The network learns from what lies before the first cutoff alone, a cutoff being one time for all series.

        Args:
            data: As in `fit`.
            n_windows: Cutoffs; if None as many, up to 13, as leave two thirds of the shortest series to learn from, and
                three seasons where it has them.
            step_size: Values between two cutoffs; if None the horizon, or a third of it where n_windows is None too.
            progress: Called with a line now and then.
            **columns: Options of `read_panel`; after `fit`, those that are not named are those of `fit`.
        """
        from recurra.forecasting.backtest import backtest_models

        panel = _read("Forecaster.backtest", data, columns, self._panel)
        fresh = self._unfitted()
        fresh.resolve(panel)
        return backtest_models(fresh, panel, n_windows, step_size, progress)

    # Files ----------------------------------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a `.keras` file: Keras opens the network in it, `Forecaster.load` the whole forecaster.

        What is loaded forecasts into Polars frames, whatever the data came in; ids other than numbers are texts.

        Raises:
            NotFittedError: Before `fit`.
            ValueError: If the model is a baseline, which has no network, or the file ends otherwise.
        """
        from recurra.forecasting import forecaster_file

        _fitted("Forecaster.save", self._panel)
        if self._trained is None:
            raise ValueError(expected("Forecaster.save", f"a network ({', '.join(KINDS)})", repr(self.model)))
        forecaster_file.save(path, self._trained, self.options(), self._given)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Forecaster:
        """Reads what `save` wrote.

        Raises:
            FileFormatError: If the file holds no forecaster, or one that a later recurra wrote.
        """
        from recurra.forecasting import forecaster_file

        return forecaster_file.load(path, cls._restored)

    @classmethod
    def _restored(cls, trained: TrainedNetwork, options: dict[str, Any], given: dict[str, Any]) -> Forecaster:
        forecaster = cls(**options)
        forecaster._given = cls(**(options | given))._given
        forecaster._steps = Steps(options["horizon"], options["season_length"])
        forecaster._panel, forecaster._trained = trained.panel, trained
        return forecaster


READ_OPTIONS = tuple(read_newer.__kwdefaults__ or ())  # of `read_panel` too
OPTIONS = ("model", "horizon", "lookback", "season_length", "seed", "n_seeds", "budget_s")
_Part = TypeVar("_Part")


def _fitted(who: str, part: _Part | None) -> _Part:
    """Returns what fitting leaves; NotFittedError where it is not there."""
    if part is None:
        raise NotFittedError(expected(who, "a fitted forecaster", "none", "call fit first"))
    return part


def _alike(lengths: np.ndarray, each: int, alone: np.ndarray) -> Iterator[np.ndarray]:
    """Yields the places of series of one length, as many at once as need no more than `MOST_AT_ONCE` numbers.

    Args:
        lengths: int (n_series,).
        each: Numbers that one series needs beside its values.
        alone: bool (n_series,), which ones come each by itself.
    """
    yield from np.flatnonzero(alone)[:, None]
    for length in np.unique(lengths[~alone]):
        places = np.flatnonzero((lengths == length) & ~alone)
        count = max(1, MOST_AT_ONCE // (int(length) + each))
        yield from np.split(places, range(count, len(places), count))


def _too_little(panel: Panel, horizon: int, longest: int) -> DataError:
    """Returns the error of the series that has too few values for a horizon: filled ones tell nothing."""
    i = int(panel.known_counts.argmin())
    known, filled = int(panel.known_counts[i]), int(panel.lengths[i] - panel.known_counts[i])
    got = f"{known} and {filled} that were filled, which do not count" if filled else known
    hint = f"use a horizon of at most {longest}" if longest >= 1 else "bring more data"
    fewest = fewest_values(horizon)
    count = int((panel.known_counts < fewest).sum())
    if count < panel.n_series:
        hint += f", or leave {'it' if count == 1 else 'them'} out"
    what = f"at least {fewest} values for a horizon of {horizon}"
    return DataError(expected(one_of_several(panel.ids[i], count, panel.n_series), what, got, hint))


def _refuse_taken_names(panel: Panel) -> None:
    """Refuses a time or id column that is named like another column of the result."""
    taken = list(RESULTS)
    for role, name in (("time", panel.time_col), ("id", panel.id_col)):
        if name in taken:
            what = f"a name that the forecast does not use itself ({', '.join(taken)})"
            raise DataError(expected(f"the {role} column", what, repr(name), "rename the column"))
        taken.append(str(name))


def _checked_seed(seed: Any, n_seeds: int) -> int:
    """Returns the seed as an int: any kind of whole number, whose followers are seeds too."""
    last = 2**32 - n_seeds
    what = f"seed to be a whole number from 0 to {last}"
    try:
        number = operator.index(seed)
    except TypeError:
        raise TypeError(expected("Forecaster", what, repr(seed))) from None
    if not 0 <= number <= last:
        raise ValueError(expected("Forecaster", what, number))
    return number


def checked_budget(who: str, seconds: Any) -> float | None:
    """Returns the seconds as they are; ValueError unless they are a number above 0, or None."""
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, numbers.Real) or not float(seconds) > 0:
        raise ValueError(expected(who, "budget_s to be a number of seconds above 0", repr(seconds)))
    return float(seconds)


def _read(who: str, data: Any, columns: dict[str, Any], fitted: Panel | None = None) -> Panel:
    """Returns data as a panel and warns of what was noticed; options that are not named are those of a fitted panel.

    Raises:
        TypeError: If an option is none of `read_panel`, or there is no data to read.
        DataError: If the data cannot be used, or does not have the columns of the fitted panel.
    """
    unknown = [name for name in columns if name not in READ_OPTIONS]
    if unknown:
        raise TypeError(unknown_arguments(who, unknown, READ_OPTIONS))
    if data is None and columns:
        raise TypeError(expected(who, f"data to read with {', '.join(map(repr, columns))}", "none"))
    of_fit = {} if fitted is None or isinstance(data, Panel) else fitted.options
    named = {name: value for name, value in columns.items() if value is not None}
    try:
        panel = read_newer(data, None if fitted is None else fitted.freq, **(of_fit | named))
    except MissingColumn as error:
        if error.option in named:
            raise
        hint = f"fit was on {of_fit[error.option]!r}, name another with {error.option}"
        raise DataError(f"{error}: {hint}") from None
    if panel is not data:
        for remark in panel.remarks:
            warnings.warn(remark, stacklevel=3)
    return panel
