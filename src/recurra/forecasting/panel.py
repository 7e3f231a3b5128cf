"""A panel: several series end to end in one array, with the positions where each begins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np

from recurra._arrays import as_numbers
from recurra._checks import expected
from recurra.errors import DataError
from recurra.forecasting.clock import Clock
from recurra.forecasting.frequency import CLOCKS, Frequency, parse_frequency
from recurra.forecasting.zones import fixed_offset

FILLS = ("interpolate", "ffill", "zero", "mean")


@dataclass(frozen=True)
class Gaps:
    """Which values of a series were filled.

    Attributes:
        seen: bool (n,), False where a value was filled.
        fill: How, one of `FILLS`.
    """

    seen: np.ndarray
    fill: str | None

    @property
    def starts(self) -> np.ndarray:
        """Where past forecasts may start so that their errors are as those after the last value: bool (n,).

        It is where values were observed: a line across a gap already tells of the value behind the gap. If the series
        ends in a gap that was filled with means, it is where values were filled so.
        """
        return ~self.seen if self.fill == "mean" and not self.seen[-1] else self.seen

    @property
    def stale(self) -> int:
        """How many steps before the end the last of `starts` lies, whose value was held since: as many are ahead."""
        return int(np.argmax(self.starts[::-1]))


@dataclass(frozen=True)
class Source:
    """What a panel was read from: forecasts come in the same form, and newer data is read alike.

    Attributes:
        frame: The frame that the data came in, None for a file: results come in the same kind.
        as_text: Whether forecasts have times as texts, as for files, or as the columns of frames hold them.
        id_values: The ids as the data has them, where that is no text; else empty.
        counted: Whether the data had no times: those of each series are made up.
        freq_named: Whether the step was named and not found.
    """

    frame: Any = None
    as_text: bool = True
    id_values: tuple[Any, ...] = ()
    counted: bool = False
    freq_named: bool = False


@dataclass(frozen=True)
class Panel:
    """Series of one frequency, each regular; what was missing has been filled.

    Attributes:
        values: float64 (total,), the series one after the other.
        indptr: int64 (n_series + 1,); series i is `values[indptr[i]:indptr[i + 1]]`.
        ids: Names of the series.
        times: datetime64[us] or int64 (total,).
        freq: The step of the times.
        observed: bool (total,), False where a value was missing and filled; None where nothing was. Zeros that were
            filled in are values like the others: who asks for them says that nothing happened.
        fill: How what is missing was filled, or would have been: one of `FILLS`.
        id_col, time_col, target_col: Names of the columns; `id_col` is None where the data had none.
        clock: What clock `times` are of, and how they are written.
        source: What the data came in, and how it was read.
        remarks: What was noticed while reading.
    """

    values: np.ndarray
    indptr: np.ndarray
    ids: tuple[str, ...]
    times: np.ndarray
    freq: Frequency
    observed: np.ndarray | None = None
    fill: str | None = None
    id_col: str | None = None
    time_col: str = "ds"
    target_col: str = "y"
    clock: Clock = field(default_factory=Clock)
    source: Source = field(default_factory=Source)
    remarks: tuple[str, ...] = ()

    def __repr__(self) -> str:
        names = f"id_col={self.id_col!r}, time_col={self.time_col!r}, target_col={self.target_col!r}"
        return f"Panel(n_series={self.n_series}, n_values={len(self.values)}, freq={self.freq.alias!r}, {names})"

    @classmethod
    def from_arrays(
        cls, series: Sequence[Any] | np.ndarray, freq: Frequency | str | None = None, ids: Sequence[str] | None = None
    ) -> Panel:
        """Returns a panel of arrays; times are counted, or begin in January 2000 if there is a `freq` such as "MS".

        Raises:
            ValueError: If `freq` is no name of a frequency, there is no series, one is not an axis of finite numbers or
                has no id of its own.
        """
        series = [np.asarray(as_numbers(one, f"series {i}"), np.float64) for i, one in enumerate(series)]
        for i, one in enumerate(series):
            if one.ndim != 1 or not len(one) or not np.isfinite(one).all():
                got = f"shape {one.shape}" if one.ndim != 1 or not len(one) else "NaN or infinity in it"
                raise ValueError(expected(f"series {i}", "an array (n,) of finite numbers", got))
        if not series:
            raise ValueError(expected("Panel.from_arrays", "at least one series", "none"))
        names = [f"series_{i}" for i in range(len(series))] if ids is None else list(ids)
        wrong = [f"{name!r} of type {type(name).__name__}" for name in names if not isinstance(name, str)]
        wrong += [f"{name!r} twice" for name, count in Counter(names).items() if count > 1]
        if wrong or len(names) != len(series):
            what = f"ids to be a different text for each of {len(series)} series"
            raise ValueError(expected("Panel.from_arrays", what, wrong[0] if wrong else len(names)))
        lengths = [len(one) for one in series]
        freq = parse_frequency(freq) if isinstance(freq, str) else freq or Frequency("step")
        by_steps = freq.name == "step"
        start: Any = np.int64(0) if by_steps else np.datetime64("2000-01-01", "us")
        return cls(
            values=np.concatenate(series),
            indptr=indptr_of(lengths),
            ids=tuple(names),
            times=np.concatenate([np.concatenate([[start], freq.future(start, n - 1)]) for n in lengths]),
            freq=freq,
            id_col=None if len(series) == 1 else "unique_id",
            clock=Clock("" if by_steps else "D"),
            source=Source(counted=True),
        )

    @property
    def options(self) -> dict[str, str]:
        """The options of `read_panel` with which newer data is read as this was; a step only if it was named."""
        options = {
            "id_col": self.id_col,
            "time_col": None if self.source.counted else self.time_col,
            "target_col": self.target_col,
            "freq": self.freq.alias if self.source.freq_named else None,
            "fill": self.fill,
        }
        return {option: value for option, value in options.items() if value is not None}

    @property
    def n_series(self) -> int:
        """Number of series."""
        return len(self.ids)

    @property
    def lengths(self) -> np.ndarray:
        """Number of values of each series: int64 (n_series,)."""
        return np.diff(self.indptr)

    @property
    def known_counts(self) -> np.ndarray:
        """Number of values of each series that were observed, not filled: int64 (n_series,)."""
        if self.observed is None:
            return self.lengths
        return np.add.reduceat(self.observed.astype(np.int64), self.indptr[:-1])

    def series(self, i: int) -> np.ndarray:
        """Returns the values of series i, a view."""
        return self.values[self.indptr[i] : self.indptr[i + 1]]

    def is_constant(self, i: int) -> bool:
        """Returns whether series i has one value alone."""
        return bool(np.ptp(self.series(i)) == 0)

    def series_times(self, i: int) -> np.ndarray:
        """Returns the times of series i, a view."""
        return self.times[self.indptr[i] : self.indptr[i + 1]]

    def known(self, i: int) -> np.ndarray:
        """Returns the values of series i, NaN where one was filled."""
        gaps = self.gaps(i)
        return self.series(i) if gaps is None else np.where(gaps.seen, self.series(i), np.nan)

    def gaps(self, i: int) -> Gaps | None:
        """Returns which values of series i were filled; None if none was."""
        if self.observed is None:
            return None
        own = self.observed[self.indptr[i] : self.indptr[i + 1]]
        return None if own.all() else Gaps(own, self.fill)

    def steps_behind(self) -> np.ndarray:
        """Returns how many steps before the latest end of all each series ends: float (n_series,).

        Zero where the times of different series are not the same clock's: rows that were counted, and counters that
        begin alike in all series.
        """
        firsts, lasts = self.times[self.indptr[:-1]], self.times[self.indptr[1:] - 1]
        return np.zeros(self.n_series) if self.source.counted else steps_behind(firsts, lasts, self.freq)

    def head(self, lengths: np.ndarray) -> Panel:
        """Returns the panel cut to the first `lengths[i]` values of series i: what was known at a cutoff.

        Missing values are filled anew from what is left, so that nothing comes from after the cutoff.
        """
        kept = np.concatenate([np.arange(a, a + n) for a, n in zip(self.indptr[:-1], lengths, strict=True)])
        indptr = indptr_of(lengths)
        values, observed = self.values[kept], None if self.observed is None else self.observed[kept]
        if observed is not None and self.fill is not None:
            for start, end in pairwise(indptr):
                own = slice(start, end)
                values[own] = filled(np.where(observed[own], values[own], np.nan), self.fill)
        return replace(self, values=values, times=self.times[kept], indptr=indptr, observed=observed)

    def future_times(self, horizon: int) -> np.ndarray:
        """Returns the next times of each series: (n_series, horizon)."""
        return np.stack([self.freq.future(self.series_times(i)[-1], horizon) for i in range(self.n_series)])

    def on_the_clock_of(self, fitted: Panel) -> Panel:
        """Returns the panel by the offset of another, which may be UTC: texts of summer and winter differ.

        Days and months go by their own clocks, and zones are told by their names.
        """
        clocks = self.clock, fitted.clock
        if self.freq.name not in CLOCKS or any(clock.zone or not clock.offset for clock in clocks):
            return self
        own, wanted = (np.timedelta64(fixed_offset(clock.offset), "s") for clock in clocks)
        clock = replace(self.clock, offset=fitted.clock.offset, in_utc=fitted.clock.in_utc)
        return replace(self, times=self.times - own + wanted, clock=clock)

    def places_in(self, fitted: Panel) -> list[int]:
        """Returns the place of each series among those of the fitted panel.

        Raises:
            DataError: If a series, the step or the clock is not one of those.
        """
        who = "Forecaster.predict"
        if self.freq != fitted.freq and str(self.freq) == str(fitted.freq):  # starts of months, and ends
            first, other = (str(one.times[0].astype("datetime64[D]")) for one in (fitted, self))
            hint = "write both on the same day of the month"
            raise DataError(expected(who, f"{fitted.freq} times such as {first}, as in fit", other, hint))
        if self.freq != fitted.freq:
            raise DataError(expected(who, f"{fitted.freq} times, as in fit", f"{self.freq} ones", "name them by freq"))
        clocks, of_fit = ((one.zone or one.offset or "no zone", one.in_utc) for one in (self.clock, fitted.clock))
        if clocks != of_fit and self.freq.name in CLOCKS:
            raise DataError(expected(who, f"times as in fit ({of_fit[0]})", f"times of another clock ({clocks[0]})"))
        if self.id_col is None and fitted.id_col is None:  # the one series, whatever its file was called
            return [0] * self.n_series
        places = {name: place for place, name in enumerate(fitted.ids)}
        unknown = next((name for name in self.ids if name not in places), None)
        if unknown is not None:
            raise DataError(expected(who, "series that were in the data of fit", repr(unknown), "fit to all of them"))
        return [places[name] for name in self.ids]


def steps_behind(firsts: np.ndarray, lasts: np.ndarray, freq: Frequency) -> np.ndarray:
    """Returns how many steps before the latest of all ends each one lies, as of `Panel.steps_behind`: float (n,)."""
    if freq.name == "step" and (firsts == firsts[0]).all():
        return np.zeros(len(lasts))
    ends = freq.positions(lasts)
    return ends.max() - ends


def one_of_several(name: str, count: int, total: int) -> str:
    """Returns what an error calls the first of `count` series that it is about, out of a total.

    >>> one_of_several("a", 3, 4), one_of_several("a", 1, 4)
    ("series 'a' (and 2 more of 4 series)", "series 'a'")
    """
    return f"series {name!r}" + (f" (and {count - 1} more of {total} series)" if count > 1 else "")


def indptr_of(lengths: Sequence[int] | np.ndarray) -> np.ndarray:
    """Returns where series of these lengths, end to end, begin, and where the last one ends: int64 (n + 1,)."""
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def filled(values: np.ndarray, how: str) -> np.ndarray:
    """Returns the values with NaN filled; leading ones take the first value, or zero. All are zero if all are NaN.

    >>> filled(np.array([1.0, np.nan, 3.0]), "interpolate").tolist()
    [1.0, 2.0, 3.0]
    """
    known = np.flatnonzero(~np.isnan(values))
    result = values.copy()
    if how == "zero" or not len(known):
        result[np.isnan(values)] = 0.0
    elif how == "interpolate":
        result = np.interp(np.arange(len(values)), known, values[known])
    else:
        places = np.searchsorted(known, np.arange(len(values)), side="right") - 1
        before = np.maximum(places, 0)
        if how == "ffill":
            result = values[known[before]]
        else:
            means = np.cumsum(values[known]) / np.arange(1, len(known) + 1)
            result[np.isnan(values)] = means[before][np.isnan(values)]
    return result
