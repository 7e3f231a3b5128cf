"""The forecaster: one network for all series of a panel, trained on the past, with intervals that were checked."""

from __future__ import annotations

import json
import numbers
import operator
import os
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra._checks import expected, one_of, positive_int
from recurra._files import write_atomically
from recurra.errors import DataError, FileFormatError, NotFittedError
from recurra.forecasting import network
from recurra.forecasting.baselines import BASELINES, MOST_CUTOFFS, error_sizes
from recurra.forecasting.frame import read_panel, to_frame
from recurra.forecasting.frequency import parse_frequency
from recurra.forecasting.network import KINDS, Progress, Settings
from recurra.forecasting.panel import Panel, indptr_of
from recurra.forecasting.transform import Transform, fit_transform
from recurra.forecasting.windows import Windows

if TYPE_CHECKING:
    from recurra.forecasting.backtest import Backtest

LEVELS = (80, 95)
NORMAL = {80: 1.2815515655446004, 95: 1.959963984540054}  # half widths of the central intervals of a normal
MOST_WINDOWS = 1500  # windows that a network is trained on; more are thinned out evenly
LONGEST_LOOKBACK = 96  # of networks whose timesteps are single values
SEGMENTS = range(24, 61)  # seasons of as many values are one timestep each; of longer ones too few have been seen
MOST_SEGMENTS = 7  # so that of hours the network sees a week
MOST_AT_ONCE = 2**20  # numbers that baselines of several series work on
ASSET = "assets/recurra_forecaster.json"
FORMAT = 2  # of that asset
LARGEST_SETTINGS = 2**28  # bytes


def fewest_values(horizon: int) -> int:
    """Returns how many values a series needs for this horizon: a past, a future to train on, and one to check with."""
    return 2 * horizon + 8


def longest_horizon(count: int) -> int:
    """Returns the longest horizon for which `count` values are enough; below 1 if they are for none."""
    return (count - 8) // 2


class Forecaster:
    """Forecasts the series of a panel by a network, or by a baseline.

    Args:
        model: "gru", "lstm" or "simple_rnn"; or a baseline: "naive", "seasonal_naive", "drift", "theta".
        horizon: Steps ahead; one season if None, or as many as the shortest series allows.
        lookback: Values that the network sees; chosen by season and horizon if "auto".
        season_length: Steps of a season; that of the frequency if None.
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
        self._in_use = self._given
        self.lookback = lookback if lookback == "auto" else positive_int("Forecaster", "lookback", lookback)
        self.n_seeds = positive_int("Forecaster", "n_seeds", n_seeds)
        self.seed = _checked_seed(seed, self.n_seeds)
        self.budget_s = checked_budget("Forecaster", budget_s)
        self._panel: Panel | None = None
        self._network: Any = None
        self._settings: Settings | None = None
        self._transforms: list[Transform] = []
        self._widening = np.zeros((len(LEVELS), 1))
        self._least = np.zeros((1, 1))

    @property
    def horizon(self) -> int | None:
        """Steps ahead: as given, after `fit` as in use."""
        return self._in_use["horizon"]

    @property
    def season_length(self) -> int | None:
        """Steps of a season: as given, after `fit` as in use."""
        return self._in_use["season_length"]

    def fit(self, data: Any, *, progress: Progress | None = None, **columns: Any) -> Forecaster:
        """Learns from the whole of the data; stopped by an error or Ctrl-C, the forecaster is as it was before.

        Args:
            data: A panel, a frame or a file, as `read_panel` takes it.
            progress: Called with a line now and then.
            **columns: Options of `read_panel`: id_col, time_col, target_col, freq, fill.

        Raises:
            DataError: If a series is too short for the horizon.
        """
        panel = read_panel(data, **columns)
        fresh = self._unfitted()
        fresh.resolve(panel)
        fresh.learn_from(panel, progress)
        vars(self).update(vars(fresh))
        return self

    def _unfitted(self) -> Forecaster:
        return Forecaster(**(self.options() | self._given))

    def learn_from(self, panel: Panel, progress: Progress | None = None) -> None:
        """Fits to a panel whose lengths were checked, with horizon and season known."""
        if self.model in KINDS:
            self._fit_network(panel, progress)
        self._panel = panel

    def options(self) -> dict[str, Any]:
        """Returns the constructor's arguments, with the horizon and the season in use."""
        return {name: getattr(self, name) for name in OPTIONS}

    def resolve(self, panel: Panel) -> None:
        """Chooses horizon and season where they were left open, and checks that they and the names suit the data.

        Raises:
            DataError: If a series is too short for the horizon or the season, or a column is named like one of the
                result.
        """
        _refuse_taken_names(panel)
        shortest = int(panel.lengths.min())
        horizon, season = self._given["horizon"], self._given["season_length"]
        if season is not None and season >= shortest:
            name = panel.ids[int(panel.lengths.argmin())]
            hint = f"choose a season of at most {shortest - 1}, or 1 for none"
            raise DataError(expected(f"a season of {season}", "longer series", f"{name!r} of {shortest} values", hint))
        season = season or panel.freq.season_length
        longest = longest_horizon(shortest)
        if horizon is None:
            horizon = max(1, min(season if season > 1 else 6, longest))
        if horizon > longest:
            name = panel.ids[int(panel.lengths.argmin())]
            hint = f"use a horizon of at most {longest}" if longest >= 1 else "bring more data"
            what = f"at least {fewest_values(horizon)} values for a horizon of {horizon}"
            raise DataError(expected(f"series {name!r}", what, shortest, hint))
        self._in_use = {"horizon": horizon, "season_length": season}

    # The network ----------------------------------------------------------------------------------------------------

    def _choose_lookback(self, shortest: int) -> int:
        horizon, season = self.horizon or 1, self.season_length or 1
        if isinstance(self.lookback, int):
            return min(self.lookback, shortest - horizon - 2)
        segments = min(MOST_SEGMENTS, (shortest - horizon) // 2 // season)
        if season in SEGMENTS and segments > 1:
            return segments * season
        wanted = max(2 * min(season, 30), 2 * min(horizon, 24), 8)
        return max(2, min(wanted, LONGEST_LOOKBACK, (shortest - horizon) // 2))

    def _fit_network(self, panel: Panel, progress: Progress | None) -> None:
        started = time.monotonic()
        horizon, season = self.horizon or 1, self.season_length or 1
        transforms = [fit_transform(panel.series(i), season) for i in range(panel.n_series)]
        scaled = [transforms[i].forward(panel.series(i)) for i in range(panel.n_series)]
        lookback = self._choose_lookback(int(panel.lengths.min()))
        quantiles = (0.025, 0.1, 0.5, 0.9, 0.975)
        windows = Windows(np.concatenate(scaled), panel.indptr, lookback, horizon)
        train_ends, held_ends, enough = _split_in_time(windows, panel, horizon)
        segment = season if season in SEGMENTS and lookback % season == 0 and lookback > season else 1
        batch_size = int(np.clip(len(train_ends) // 12, 8, 64))
        settings = Settings(self.model, lookback, horizon, quantiles, segment, batch_size=batch_size)
        x, y = _anchored(windows, train_ends)
        x_held, y_held = _anchored(windows, held_ends)
        members = []
        for member in range(self.n_seeds):
            share = None if self.budget_s is None else started + self.budget_s * (member + 1) / self.n_seeds
            members.append(network.train(settings, x, y, x_held, y_held, self.seed + member, share, progress))
        self._settings, self._transforms = settings, transforms
        self._network = network.average(members, settings)
        answers = network.predict(self._network, x_held, settings)
        self._widening = _widening(answers, y_held, _growth(scaled, horizon))
        self._least = np.where(enough[:, None], 0.0, _least(scaled, horizon, season))

    def predict_arrays(self, panel: Panel | None = None) -> dict[str, np.ndarray]:
        """Returns y_hat, lo-80, hi-80, lo-95 and hi-95, each (n_series, H), after the end of each series.

        Args:
            panel: Other ends of the same series, or of some of them, such as longer ones; those of `fit` if None.

        Raises:
            NotFittedError: Before `fit`.
            DataError: If a series or its step is not that of `fit`, or fewer values are there than the network sees.
        """
        if self._panel is None:
            raise NotFittedError(expected("Forecaster.predict", "a fitted forecaster", "none", "call fit first"))
        panel = panel or self._panel
        result = self._predict_baseline(panel) if self.model in BASELINES else self._predict_network(panel)
        for i in range(panel.n_series):
            if np.ptp(panel.series(i)) == 0:
                for values in result.values():
                    values[i] = panel.series(i)[0]
        return result

    def _predict_network(self, panel: Panel) -> dict[str, np.ndarray]:
        settings = self._settings
        assert settings is not None
        places = self._places(panel)
        pasts, anchors, ends = [], [], []
        for i, place in enumerate(places):
            own = panel.series(i)[-settings.lookback :]
            end = self._steps_since_fit(panel, i, place) + int(panel.lengths[i])
            scaled = self._transforms[place].forward(own, end - len(own))
            pasts.append(scaled - scaled[-1])
            anchors.append(scaled[-1])
            ends.append(end)
        answers = network.predict(self._network, np.array(pasts), settings)
        result = {name: np.empty((panel.n_series, settings.horizon)) for name in ("y_hat", *interval_names())}
        for i, (answer, anchor, end, place) in enumerate(zip(answers, anchors, ends, places, strict=True)):
            bands = _bands(answer, self._widening, self._least[place])
            for name, values in bands.items():
                result[name][i] = self._transforms[place].inverse(values + anchor, end)
        return result

    def _places(self, panel: Panel) -> list[int]:
        """Returns the place of each series among those of `fit`."""
        fitted, settings = self._panel, self._settings
        assert fitted is not None and settings is not None
        who = "Forecaster.predict"
        if panel.freq != fitted.freq:
            raise DataError(expected(who, f"{fitted.freq} times, as in fit", f"{panel.freq} ones", "name them by freq"))
        clocks, of_fit = ((one.zone or one.offset or "no zone", one.in_utc) for one in (panel, fitted))
        if clocks != of_fit and panel.freq.name in ("h", "min", "s"):  # their seasons would begin at other times
            raise DataError(expected(who, f"times as in fit ({of_fit[0]})", f"times of another clock ({clocks[0]})"))
        if panel.lengths.min() < settings.lookback:
            i = int(panel.lengths.argmin())
            what = f"at least {settings.lookback} values of each series, which the network sees"
            raise DataError(expected(who, what, f"{panel.lengths[i]} of {panel.ids[i]!r}"))
        if panel.id_col is None and fitted.id_col is None:  # the one series, whatever its file was called
            return [0] * panel.n_series
        places = {name: place for place, name in enumerate(fitted.ids)}
        unknown = next((name for name in panel.ids if name not in places), None)
        if unknown is not None:
            raise DataError(expected(who, "series that were in the data of fit", repr(unknown), "fit to all of them"))
        return [places[name] for name in panel.ids]

    def _steps_since_fit(self, panel: Panel, i: int, place: int) -> int:
        """Returns how many steps after the first time of `fit` series i of a panel begins."""
        assert self._panel is not None
        first, fitted = panel.series_times(i)[:1], self._panel.series_times(place)[:1]
        steps = float(panel.freq.positions(np.concatenate([fitted, first]))[1])
        if steps != round(steps):
            what = f"times a whole number of steps from {self._panel.write_times(fitted)[0]}, as in fit"
            raise DataError(expected("Forecaster.predict", what, panel.write_times(first)[0]))
        return round(steps)

    def _predict_baseline(self, panel: Panel) -> dict[str, np.ndarray]:
        horizon, season = self.horizon or 1, self.season_length or 1
        result = {name: np.empty((panel.n_series, horizon)) for name in ("y_hat", *interval_names())}
        for rows in _alike(panel.lengths, MOST_CUTOFFS * horizon):
            past = panel.values[panel.indptr[rows, None] + np.arange(panel.lengths[rows[0]])]
            y_hat = BASELINES[self.model](past, horizon, season)
            sizes = error_sizes(self.model, past, horizon, season)
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
            **columns: Options of `read_panel`.

        Raises:
            NotFittedError: Before `fit`.
            DataError: As in `predict_arrays`.
        """
        panel = self._panel if data is None else read_panel(data, **columns)
        return to_frame(self.columns(self.predict_arrays(panel), panel), panel)

    def columns(self, arrays: dict[str, np.ndarray], panel: Panel | None = None) -> dict[str, Any]:
        """Returns arrays of `predict_arrays(panel)` as columns of a long table."""
        panel = panel or self._panel
        assert panel is not None
        horizon = arrays["y_hat"].shape[1]
        times = panel.future_times(horizon)
        columns: dict[str, Any] = {}
        if panel.id_col is not None:
            columns[panel.id_col] = [name for name in panel.id_values or panel.ids for _ in range(horizon)]
        columns[panel.time_col] = panel.write_times(times) if panel.as_text else plain_times(panel, times)
        return columns | {name: values.ravel() for name, values in arrays.items()}

    def backtest(
        self, data: Any, n_windows: int | None = None, step_size: int | None = None, **columns: Any
    ) -> Backtest:
        """Forecasts the end of the data from before it, beside the baselines; see `Backtest`.

        The network learns from what lies before the first cutoff alone.

        Args:
            data: As in `fit`.
            n_windows: Cutoffs; as many as leave two thirds of the shortest series to learn from, at most 5, if None.
            step_size: Values between two cutoffs; the horizon if None.
            **columns: Options of `read_panel`.
        """
        from recurra.forecasting.backtest import backtest_models

        panel = read_panel(data, **columns)
        fresh = self._unfitted()
        fresh.resolve(panel)
        return backtest_models([fresh], panel, n_windows, step_size)

    # Files ----------------------------------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a `.keras` file: Keras opens the network in it, `Forecaster.load` the whole forecaster.

        What is loaded forecasts into Polars frames, whatever the data came in; ids other than numbers are texts.

        Raises:
            NotFittedError: Before `fit`.
            ValueError: If the model is a baseline, which has no network, or the file ends otherwise.
        """
        from recurra.interop import keras_file

        if self._panel is None:
            raise NotFittedError(expected("Forecaster.save", "a fitted forecaster", "none", "call fit first"))
        if self._network is None or self._settings is None:
            raise ValueError(expected("Forecaster.save", f"a network ({', '.join(KINDS)})", repr(self.model)))
        panel, settings = self._panel, self._settings
        state = {
            "format": FORMAT,
            "options": self.options(),
            "given": self._given,
            "settings": asdict(settings),
            "transforms": list(map(asdict, self._transforms)),
            "widening": self._widening.tolist(),
            "least": self._least.tolist(),
            "freq": asdict(panel.freq),
            "ids": list(panel.ids),
            "id_values": _plain_ids(panel.id_values),
            "columns": [panel.id_col, panel.time_col, panel.target_col, panel.time_unit],
            "series": [panel.series(i).tolist() for i in range(panel.n_series)],
            "first_times": [int(panel.series_times(i)[0].astype(np.int64)) for i in range(panel.n_series)],
            "counted": panel.times.dtype.kind != "M",
            "zone": [panel.offset, panel.zone, panel.in_utc],
            "as_text": panel.as_text,
        }
        if Path(path).suffix != ".keras":
            raise ValueError(expected("Forecaster.save", "a file that ends in .keras", repr(str(path))))
        write_atomically(path, keras_file.model_bytes(self._network, {ASSET: json.dumps(state).encode()}))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Forecaster:
        """Reads what `save` wrote.

        Raises:
            FileFormatError: If the file holds no forecaster, or one that a later recurra wrote.
        """
        from recurra.interop import keras_file

        model = keras_file.load_model(path, compile=False)
        try:
            with open(path, "rb") as file:
                state = json.loads(keras_file.open_archive(file, Path(path).name).read(ASSET, LARGEST_SETTINGS))
            if state["format"] not in (1, FORMAT):
                what = f"a Forecaster of format 1 or {FORMAT}"
                raise FileFormatError(expected(Path(path).name, what, state["format"], "update recurra"))
            forecaster = cls(**state["options"])
            forecaster._given = state.get("given", forecaster._given)
            settings = state["settings"]
            forecaster._settings = Settings(**(settings | {"quantiles": tuple(settings["quantiles"])}))
            forecaster._transforms = [
                Transform(**(t | {"seasonal": tuple(t["seasonal"])})) for t in state["transforms"]
            ]
            forecaster._panel = _stored_panel(state)
            # format 1 held one number for each level, the same for all steps
            forecaster._widening = np.array(state["widening"]).reshape(len(LEVELS), -1)
            forecaster._least = np.array(state.get("least", np.zeros((len(state["ids"]), 1))))
            forecaster._network = model
            forecaster._check_loaded()
        except FileFormatError:
            raise
        except (KeyError, IndexError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
            got = f"none ({type(error).__name__}: {error})"
            raise FileFormatError(expected(Path(path).name, "a saved Forecaster", got)) from error
        return forecaster

    def _check_loaded(self) -> None:
        """Raises ValueError where the parts of a file do not fit each other."""
        panel, settings, model = self._panel, self._settings, self._network
        assert panel is not None and settings is not None
        count, horizon = panel.n_series, settings.horizon
        shapes = [tensor.shape for tensor in (*model.inputs, *model.outputs)]
        if self.model not in KINDS or len(settings.quantiles) != 5 or self.horizon != horizon:
            raise ValueError(f"a {self.model} of {len(settings.quantiles)} quantiles and {horizon} steps")
        if shapes != [(None, settings.lookback, 1), (None, 5 * horizon)]:
            raise ValueError(f"a network of shapes {shapes} for {settings.lookback} and {horizon} values")
        for name, array, rows in (("widening", self._widening, len(LEVELS)), ("least", self._least, count)):
            if array.shape not in ((rows, 1), (rows, horizon)) or not np.isfinite(array).all():
                raise ValueError(f"{name} of shape {array.shape}")
        if len(self._transforms) != count or panel.lengths.min() < settings.lookback:
            raise ValueError(f"{count} series of {panel.lengths.min()} values and more")
        numbers = [panel.values, *([t.scale, t.smallest, *t.seasonal] for t in self._transforms)]
        if not all(np.isfinite(np.array(one, np.float64)).all() for one in numbers):
            raise ValueError("numbers that are not finite")
        if any(t.log and t.smallest <= 0 for t in self._transforms):
            raise ValueError("a smallest value without a logarithm")
        if not all(isinstance(name, str) for name in (*panel.ids, panel.time_col, panel.target_col)):
            raise ValueError("names that are no text")
        if panel.id_values and tuple(map(str, panel.id_values)) != panel.ids:
            raise ValueError("ids that are not those of the series")
        self.predict_arrays()
        panel.write_times(panel.future_times(horizon))


OPTIONS = ("model", "horizon", "lookback", "season_length", "seed", "n_seeds", "budget_s")


def _alike(lengths: np.ndarray, each: int) -> Iterator[np.ndarray]:
    """Yields the places of series of one length, as many at once as need no more than `MOST_AT_ONCE` numbers.

    Args:
        lengths: int (n_series,).
        each: Numbers that one series needs beside its values.
    """
    for length in np.unique(lengths):
        places = np.flatnonzero(lengths == length)
        count = max(1, MOST_AT_ONCE // (int(length) + each))
        yield from np.split(places, range(count, len(places), count))


def plain_times(panel: Panel, times: np.ndarray) -> np.ndarray | list[str]:
    """Returns times as columns of frames hold them: counters and years as whole numbers, others as datetime64[us].

    Texts with an offset stay texts: not every library has a kind of column that keeps it.
    """
    times = times.ravel()
    if times.dtype.kind != "M":
        return times
    if panel.offset and panel.zone is None:
        return panel.write_times(times)
    if panel.time_unit == "Y":
        return times.astype("datetime64[Y]").astype(np.int64) + 1970
    return times.astype("datetime64[us]")  # a unit that every frame library knows


def _refuse_taken_names(panel: Panel) -> None:
    """Refuses a time or id column that is named like another column of the result."""
    taken = ["y_hat", *interval_names()]
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


def interval_names() -> list[str]:
    """Returns the names of the interval columns."""
    return [f"{side}-{level}" for level in LEVELS for side in ("lo", "hi")]


def _plain_ids(values: tuple[Any, ...]) -> list[Any]:
    """Returns ids for JSON, numbers as they are; none if there are others, such as dates, which become texts."""
    plain = [value.item() if isinstance(value, np.generic) else value for value in values]
    return plain if all(isinstance(value, (str, int, float)) for value in plain) else []


def _stored_panel(state: dict[str, Any]) -> Panel:
    freq = parse_frequency(f"{state['freq']['step']}{state['freq']['name']}")
    series = [np.array(values, np.float64) for values in state["series"]]
    times = []
    for first, values in zip(state["first_times"], series, strict=True):
        start: Any = np.int64(first) if state["counted"] else np.datetime64(first, "s")
        times.append(np.concatenate([[start], freq.future(start, len(values) - 1)]))
    id_col, time_col, target_col, unit = state["columns"]
    offset, zone, in_utc = state.get("zone", ("", None, False))
    return Panel(
        values=np.concatenate(series),
        indptr=indptr_of([len(values) for values in series]),
        ids=tuple(state["ids"]),
        id_values=tuple(state.get("id_values", ())),
        times=np.concatenate(times),
        freq=freq,
        id_col=id_col,
        time_col=time_col,
        target_col=target_col,
        time_unit=unit,
        offset=offset,
        zone=zone,
        in_utc=in_utc,
        as_text=bool(state.get("as_text", True)),
    )


def _bands(answer: np.ndarray, widening: np.ndarray, least: np.ndarray) -> dict[str, np.ndarray]:
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


def _split_in_time(windows: Windows, panel: Panel, horizon: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns ends of windows to train on, of later ones to check with, and for which series these tell the errors.

    The later ones are the last sixth of each series. The futures of the first lie wholly before those of the second
    begin, where the series is long enough for that. Where it is not, errors on them are no measure of those to come;
    neither where fewer windows than steps ahead are held back, so that the futures of all overlap.
    """
    train, held, apart = [], [], []
    for i in range(panel.n_series):
        ends = windows.ends(i)
        count = max(1, len(ends) // 6)
        later, earlier = ends[len(ends) - count :], ends[: len(ends) - count]
        before = earlier[earlier + horizon <= later[0]]
        apart.append(len(before) >= len(ends) // 3)
        train.append(before if apart[-1] else earlier)
        held.append(later)
    held_ends = np.concatenate(held)
    return _thinned(np.concatenate(train)), _thinned(held_ends), np.array(apart) & (len(held_ends) >= horizon)


def _thinned(ends: np.ndarray) -> np.ndarray:
    if len(ends) <= MOST_WINDOWS:
        return ends
    return ends[np.unique(np.linspace(0, len(ends) - 1, MOST_WINDOWS).astype(int))]


def _anchored(windows: Windows, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns pasts and futures less the last value of each past, as float32."""
    last = windows.values[ends][:, None]
    return (windows.pasts(ends) - last).astype(np.float32), (windows.futures(ends) - last).astype(np.float32)


def _growth(scaled: list[np.ndarray], horizon: int) -> np.ndarray:
    """Returns the sizes of the naive forecast's errors by step ahead, over all series: (H,), never falling."""
    sizes = [error_sizes("naive", series, horizon, 1) for series in scaled]
    growth = np.sqrt(np.mean(np.square(sizes), axis=0))
    return growth if growth[0] > 0 else np.ones(horizon)


def _least(scaled: list[np.ndarray], horizon: int, season_length: int) -> np.ndarray:
    """Returns the sizes of the best baseline's past errors for each series: (n_series, H).

    Of n values only (n - h) / h errors h steps ahead do not overlap: as they are few, the variance that they show is
    taken 1 + h / (n - h) times.
    """
    sizes = [[error_sizes(name, series, horizon, season_length) for series in scaled] for name in BASELINES]
    lengths = np.array([len(series) for series in scaled])[:, None]
    return np.array(min(sizes, key=np.mean)) * np.sqrt(lengths / (lengths - np.arange(1, horizon + 1)))


def _widening(answers: np.ndarray, futures: np.ndarray, growth: np.ndarray) -> np.ndarray:
    """Returns what the intervals must grow by on each side so that they hold as often as they say: (levels, H).

    Conformalised quantile regression (Romano, Patterson and Candès, 2019) over the windows held back. The scores of all
    steps together are taken relative to `growth` (H,), so that late steps grow by more than early ones; intervals are
    never made smaller.
    """
    low95, low80, _, high80, high95 = np.moveaxis(answers, -1, 0)
    sizes = []
    for level, low, high in ((80, low80, high80), (95, low95, high95)):
        outside = np.maximum(low - futures, futures - high) / growth
        rank = min(1.0, level / 100 * (1 + 1 / len(answers)))
        sizes.append(max(0.0, float(np.quantile(outside, rank))) * growth)
    return np.array(sizes)
