"""Series of a table, each made regular: a panel."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from recurra._checks import expected
from recurra.errors import DataError
from recurra.forecasting.clock import PARTS_OF_DAYS, Clock, write_times
from recurra.forecasting.frequency import Frequency, goes_on, on_the_side_of, parse_frequency, shared_frequency
from recurra.forecasting.panel import Panel, Source, filled, indptr_of, one_of_several, steps_behind
from recurra.forecasting.reading.advice import FILL_HINT
from recurra.forecasting.reading.columns import in_order, joint
from recurra.forecasting.reading.names import TIME_NAMES, in_one_column, is_one_of, is_part_of_time, listed
from recurra.forecasting.reading.table import Ids, Table
from recurra.forecasting.reading.times import Times

LARGEST_NUMBER = 1e100
CODES = re.compile(r"-99+(\.9+)?")  # that stand for missing values
MOST_FILLED = 10**7  # steps of a series of few values: more come from a wrong time


@dataclass
class SeriesReader:
    """Makes a panel of a table whose columns are known."""

    table: Table
    ids: Ids
    time_col: str | None
    target_col: str
    times: Times
    values: np.ndarray

    def panel(self, given: str | None, fill: str | None, frame: Any, step: Frequency | None) -> Panel:
        named = None if given is None else parse_frequency(given)
        if named is not None and (named.name == "step") != (self.times.unit == ""):
            what, got = ("counters", "times") if named.name == "step" else ("dates or times", "counters")
            got = f"{got} in {self.time_col!r}" if self.time_col else "counted rows"
            raise DataError(expected(f"freq {given!r}", what, got))
        rows, indptr = self._in_time()
        times, names = self.times.values[rows], self.ids.names
        known = step if step is not None and goes_on(step, times, indptr) else None
        freq = on_the_side_of(named or known or shared_frequency(times, indptr, names), times, indptr, names)
        series = self._without_gaps_before(self._series(rows, indptr, freq, fill))
        missing = np.concatenate([np.isnan(full) for _, full in series])
        if missing.any():
            self.table.remarks.append(f"{missing.sum()} of {len(missing)} values were missing: filled by {fill}")
        if fill == "zero" and self.time_col is not None:
            series = self._up_to_the_latest(series, freq)
        self._remark_on_codes()
        guessed = missing.any() and fill != "zero"  # nothing sold is a fact
        unit, zone = self._unit(times[0], freq), self.table.zone(self.time_col)
        clock = Clock(unit, self.times.offset, zone, self.times.in_utc)
        source = Source(
            frame=frame,
            as_text=frame is None,
            id_values=tuple(self.ids.values),
            counted=self.time_col is None,
            freq_named=named is not None,
        )
        return Panel(
            values=np.concatenate([filled(full, fill) if fill else full for _, full in series]),
            indptr=indptr_of([len(full) for _, full in series]),
            ids=tuple(self.ids.names),
            times=np.concatenate([times for times, _ in series]),
            freq=freq,
            id_col=",".join(self.ids.columns) or None,
            time_col=self.time_col or "ds",
            target_col=self.target_col,
            observed=~missing if guessed else None,
            fill=fill,
            clock=clock,
            source=source,
            remarks=tuple(self.table.remarks),
        )

    def _without_gaps_before(self, series: list[tuple[np.ndarray, np.ndarray]]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Returns times and values of each series from its first number on: nothing tells what was before."""
        starts = [int(np.argmax(~np.isnan(values))) for _, values in series]
        if any(starts):
            self.table.remarks.append(f"{sum(starts)} steps before the first number of their series were left out")
        return [(times[start:], values[start:]) for start, (times, values) in zip(starts, series, strict=True)]

    def _up_to_the_latest(
        self, series: list[tuple[np.ndarray, np.ndarray]], freq: Frequency
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Returns times and values of each series, with zeros up to the latest time of all: nothing happened there."""
        firsts, lasts = (np.array([times[place] for times, _ in series]) for place in (0, -1))
        counts = np.floor(steps_behind(firsts, lasts, freq)).astype(np.int64)
        if not counts.any():
            return series
        latest = self._show(lasts.max())
        if counts.sum() >= max(MOST_FILLED, 100 * len(self.values)):
            at, names = int(counts.argmax()), self.ids.names
            end = f"up to {latest} in {names[int(lasts.argmax())]!r}"
            got = f"{counts[at]} after {self._show(lasts[at])} in {names[at]!r}, {end}"
            what = f"series that end fewer than {MOST_FILLED} {freq} steps in all before the latest time"
            raise DataError(expected("fill 'zero'", what, got, "is the time right?"))
        ended = int((counts > 0).sum())
        which = f"{ended} series that end{'s' * (ended == 1)} before it"
        self.table.remarks.append(f"zeros were added up to {latest} in {which}: {counts.sum()} values")
        return [
            (np.concatenate([times, freq.future(times[-1], count)]), np.concatenate([values, np.zeros(count)]))
            for count, (times, values) in zip(counts, series, strict=True)
        ]

    def _remark_on_codes(self) -> None:
        """Remarks on a smallest value such as -999.9 that stands far below all others."""
        lowest = np.nanmin(self.values)
        others = self.values[self.values > lowest]
        written = f"{lowest:.7g}"  # as many digits as float32 has
        if not len(others) or not CODES.fullmatch(written):
            return
        least = others.min()
        if least >= 0 or least - lowest > others.max() - least:
            count = int((self.values == lowest).sum())
            what = f"{written} in {count} row{'s' * (count > 1)} looks like a code for a missing value"
            self.table.remarks.append(f"{self.target_col}: {what}: if it is one, leave those fields empty")

    def _unit(self, first: Any, freq: Frequency) -> str:
        """Returns how times are written: as in the data, finer where steps as named (days of months) are."""
        if self.times.unit == "":
            return ""
        steps = np.array([first, *freq.future(first, 2)])
        exact = ("D", *PARTS_OF_DAYS)
        return next(
            unit
            for unit in (self.times.unit, *exact)
            if len(set(write_times(steps, unit))) == len(steps)
            and (unit not in exact or (steps == steps.astype(f"datetime64[{unit}]")).all())
        )

    def _in_time(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns the rows of one series after the other, each in the order of time, and where each series begins."""
        codes, times = self.ids.codes, self.times.values
        rows = np.argsort(codes, kind="stable")
        within = np.diff(codes[rows]) == 0
        early = within & (times[rows[1:]] < times[rows[:-1]])
        if early.any():
            unsorted = np.unique(codes[rows[1:][early]])
            were = f" and {len(unsorted) - 1} more were" if len(unsorted) > 1 else " was"
            self.table.remarks.append(f"series {self.ids.names[unsorted[0]]!r}{were} not in order of time: sorted")
            rows = np.lexsort((times, codes))
        lengths = np.bincount(codes, minlength=len(self.ids.names))
        twice = np.flatnonzero(within & (times[rows[1:]] == times[rows[:-1]]))
        short = np.flatnonzero(lengths < 2)
        if len(twice) and (not len(short) or codes[rows[twice[0]]] < short[0]):
            self._refuse_twice(*rows[twice[0] :][:2])
        if len(short):
            which = one_of_several(self.ids.names[short[0]], len(short), len(lengths))
            hint = f"leave {'it' if len(short) == 1 else 'them'} out" if len(short) < len(lengths) else None
            raise DataError(expected(which, "at least 2 values", lengths[short[0]], hint))
        return rows, indptr_of(lengths)

    def _refuse_twice(self, one: int, other: int) -> None:
        """Refuses two rows of one series and one time."""
        table, name = self.table, self.ids.names[self.ids.codes[one]]
        which = f"series {name!r}" if self.ids.columns else f"column {self.time_col!r}"
        got = f"{table.text(self.time_col, one)} twice (rows {table.row(one)} and {table.row(other)})"
        raise DataError(expected(which, "each time once", got, self._hint_for_twice()))

    def _hint_for_twice(self) -> str:
        """Returns which columns tell rows of one time apart: of a time, of several series, or of parts of the time."""
        table = self.table
        plain = [c for c in table.columns if not isinstance(table.head(c, 1)[0], (list, dict))]
        texts = [c for c in plain if not table.is_numeric(c) and not table.is_time(c)]
        taken = (self.time_col, self.target_col, *self.ids.columns)
        free = [c for c in dict.fromkeys([*texts, *plain]) if c not in taken]
        times = [self.ids.codes, in_order(self.times.values)]

        def tell(columns: list[str]) -> bool:
            return bool(joint([*times, *(table.column(c).codes for c in columns)]).max() + 1 == len(table))

        telling = [c for c in free if tell([c])]
        dates = [c for c in telling if table.is_time(c)]
        others = [c for c in telling if c not in dates and not is_one_of(c, TIME_NAMES)]
        others = [c for c in others if 2 * len(table.column(c).values) <= len(table)]  # a series has two values
        others = others[:1] or [c for c in free if c in texts]
        parts = [c for c in free if is_part_of_time(c, table.column(c).values)]
        parts = [c for c in parts if c in telling][:1] or parts
        hint = "drop or add up one"
        if self.times.unit in PARTS_OF_DAYS and not (self.times.offset or self.times.in_utc):
            hint += "; where clocks were set back, write times with their offset, such as 2024-10-27 02:00+01:00"
        if dates and not (others and tell(others)):
            hint = f"if the times are those of {dates[0]!r}, choose it with --time (in Python time_col)"
        elif others:
            columns = ",".join([*self.ids.columns, *others])
            hint = f"if there are several series, name them, in Python by id_col: --id {columns}"
        if parts and tell(parts):
            are, both = ("is a part", "both") if len(parts) == 1 else ("are parts", "all")
            example = in_one_column([self.time_col or "", *parts])
            hint = f"if {listed(parts)} {are} of the time, write {both} into one column, such as {example}"
        return hint

    def _series(
        self, rows: np.ndarray, indptr: np.ndarray, freq: Frequency, fill: str | None
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Returns times and values of each series with every step there, NaN where nothing was."""
        times, values = self.times.values[rows], self.values[rows]
        places = freq.positions(times, indptr)
        next_to = np.diff(places, prepend=places[0] - 1) == 1
        next_to[indptr[:-1]] = True
        usual = np.abs(values) < LARGEST_NUMBER  # no NaN is
        complete = np.logical_and.reduceat(next_to & (places == np.round(places)) & usual, indptr[:-1])
        return [
            (times[start:end], values[start:end]) if whole else self._regular(name, rows[start:end], freq, fill)
            for name, whole, (start, end) in zip(self.ids.names, complete, pairwise(indptr), strict=True)
        ]

    def _regular(self, name: str, rows: np.ndarray, freq: Frequency, fill: str | None) -> tuple[np.ndarray, np.ndarray]:
        """Returns times and values of one series with every step there, NaN where nothing was."""
        who, table = f"series {name!r}", self.table
        times, values = self.times.values[rows], self.values[rows]
        huge = np.flatnonzero(np.abs(values) >= LARGEST_NUMBER)
        if len(huge):
            what, got = "finite numbers", "infinity"
            if np.isfinite(values[huge[0]]):
                what, got = f"numbers below {LARGEST_NUMBER:g}, whose squares can be added up", f"{values[huge[0]]:g}"
            where = f"row {table.row(rows[huge[0]])} of column {self.target_col!r}"
            hint = f"write another number there, or leave it empty and {FILL_HINT}"
            raise DataError(expected(who, what, f"{got} in {where}", hint))
        places = freq.positions(times)
        off = np.flatnonzero(places != np.round(places))
        if len(off):
            got = f"{self._show(times[off[0]])} (row {table.row(rows[off[0]])})"
            raise DataError(
                expected(who, f"{freq} times", got, "if the step is another, name it with --freq (in Python freq)")
            )
        places = places.astype(np.int64)
        steps = np.diff(places)
        if steps.min() < 1:
            at = int(steps.argmin())
            got = f"{self._show(times[at])} and {self._show(times[at + 1])} (row {table.row(rows[at + 1])}) in one step"
            raise DataError(expected(who, f"{freq} times, one for each step", got, "add them up first"))
        missing = np.flatnonzero(np.isnan(values))
        if len(missing) == len(values):
            got = f"missing values alone in column {self.target_col!r}"
            hint = "leave its rows out" if self.ids.columns else "choose another with --target (in Python target_col)"
            raise DataError(expected(who, "numbers", got, hint))
        if fill is None:
            self._refuse_gaps(who, rows, freq, np.flatnonzero(steps > 1), missing)
        if places[-1] >= max(MOST_FILLED, 100 * len(places)):
            at = int(steps.argmax())
            jump = f"a jump from {self._show(times[at])} to {self._show(times[at + 1])} (row {table.row(rows[at + 1])})"
            raise DataError(expected(who, f"gaps of fewer than {MOST_FILLED} {freq} steps", jump, "is the time right?"))
        full = np.full(places[-1] + 1, np.nan)
        full[places] = values
        if len(full) > len(times):
            times = np.concatenate([times[:1], freq.future(times[0], len(full) - 1)])
        return times, full

    def _refuse_gaps(self, who: str, rows: np.ndarray, freq: Frequency, jumps: np.ndarray, missing: np.ndarray) -> None:
        """Refuses one series if steps or values are missing.

        Args:
            who: The series.
            rows: Its rows.
            freq: Its step.
            jumps, missing: Places in it before a gap, and of missing values.
        """
        times = self.times.values[rows]
        if len(jumps):
            at = int(jumps[0])
            more = f" and {len(jumps) - 1} more gap{'s' * (len(jumps) > 2)}" if len(jumps) > 1 else ""
            jump = f"a jump from {self._show(times[at])} to {self._show(times[at + 1])}{more}"
            mostly = freq.positions(times)[-1] + 1 > 2 * len(times)
            hint = f"resample it to one step first, or {FILL_HINT}" if mostly else FILL_HINT
            raise DataError(expected(who, f"{freq} rows without gaps", jump, hint))
        if len(missing):
            where = f"row {self.table.row(rows[missing[0]])} of column {self.target_col!r}"
            at_end = missing[0] > 0 and missing[0] + len(missing) == len(rows)
            hint = f"delete the rows after the last number, or {FILL_HINT}" if at_end else FILL_HINT
            raise DataError(expected(who, "a number in every row", f"none in {where}", hint))

    def _show(self, time: Any) -> str:
        if not isinstance(time, np.datetime64):
            return str(int(time))
        return write_times(np.array([time]), self.times.unit)[0]
