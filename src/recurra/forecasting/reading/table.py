"""A table as read, and what its columns mean: ids, times, values."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from recurra._checks import expected
from recurra.errors import DataError
from recurra.forecasting.clock import PARTS_OF_DAYS
from recurra.forecasting.frequency import is_regular
from recurra.forecasting.reading.advice import (
    FILL_HINT,
    HEADER_HINT,
    NAMES_HINT,
    NO_TIME_HINT,
    QUARTERS,
    TWO_DIGITS,
    WIDE_HINT,
    hint_for,
    refuse_shorthand,
)
from recurra.forecasting.reading.columns import Column, column_of, first_rows, joint
from recurra.forecasting.reading.fields import (
    decimal_sign,
    is_empty,
    is_missing,
    is_number,
    number,
    numbers,
    shown,
    unmarked,
    without_marks,
)
from recurra.forecasting.reading.names import (
    TARGET_NAMES,
    TIME_NAMES,
    WEEK_NAMES,
    WHOLE_TIMES,
    YEAR_NAMES,
    are_mostly_dates,
    by_name,
    in_one_column,
    is_one_of,
    is_part_of_time,
    listed,
    plain,
)
from recurra.forecasting.reading.times import AmbiguousTimes, Times, are_dates, are_times, parse_times

EXCEL_DAYS = (32874, 54789)  # 1990 to 2050
OF_THOUSANDS = re.compile(r"\s*[+-]?[1-9]\d{0,2}\.\d{3}\s*")  # 1.234, where the point need not be decimal


class MissingColumn(DataError):
    """A column that was named is not there.

    Attributes:
        option: What named it, such as "target_col".
    """

    def __init__(self, message: str, option: str):
        super().__init__(message)
        self.option = option


@dataclass(frozen=True)
class Ids:
    """Which series each row belongs to.

    Attributes:
        codes: int64 (rows,), the place of its name in `names`.
        names: Of the series, in the order of the data.
        columns: Names of the columns that they come from; none where all rows are one series.
        values: Where they come from one column: what it holds for each series.
    """

    codes: np.ndarray
    names: list[str]
    columns: list[str]
    values: list[Any]

    @property
    def of_first(self) -> np.ndarray:
        """The rows of the first series."""
        return self.codes == 0

    def rows(self) -> list[np.ndarray]:
        """Returns the rows of each series."""
        ends = np.cumsum(np.bincount(self.codes, minlength=len(self.names)))
        return np.split(np.argsort(self.codes, kind="stable"), ends[:-1])


@dataclass
class Table:
    """Columns as read, and what they mean.

    Attributes:
        name: Of the file, for errors.
        columns: Those of narwhals by name.
        first_row: Number of the first row: its line in a file, its position in a frame.
        decimal: The decimal sign where numbers do not tell.
        remarks: What was noticed.
        kept: int64 (rows,), which of the rows read these are; all if None.
        used: The columns that were read so far.
    """

    name: str
    columns: dict[str, Any]
    first_row: int
    decimal: str = "."
    remarks: list[str] = field(default_factory=list)
    kept: np.ndarray | None = None
    used: dict[str, Column] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def column(self, name: str) -> Column:
        """Returns a column as its different fields; read when it is first asked for."""
        if name not in self.used:
            self.used[name] = column_of(self.columns[name])
        return self.used[name]

    def head(self, name: str, count: int) -> list[Any]:
        """Returns the first fields of a column."""
        return list(self.columns[name].head(count).to_list())

    def zone(self, name: str | None) -> str | None:
        """Returns the time zone of a column, None if it has none; not all are told by the dtype."""
        if name is None:
            return None
        clock = getattr(next((v for v in self.column(name).values if not is_missing(v)), None), "tzinfo", None)
        dtype = self.columns[name].dtype
        zone = getattr(dtype, "time_zone", None) or getattr(clock, "key", None) or getattr(clock, "zone", None)
        return str(zone) if zone else None

    def row(self, index: Any) -> int:
        """Returns the row's number: its line in a file, its position in a frame."""
        return int(index if self.kept is None else self.kept[int(index)]) + self.first_row

    def without_empty_rows(self) -> Table:
        """Returns the table without rows that hold nothing; of one column only those at the end, others are gaps."""
        first, *others = self.columns
        empty = np.flatnonzero(np.array(list(map(is_missing, self.column(first).values)))[self.column(first).codes])
        for name in others:
            if not len(empty):
                break
            empty = empty[[is_missing(value) for value in self.columns[name][empty.tolist()].to_list()]]
        if not len(empty):
            return self
        if len(empty) == len(self):
            raise DataError(expected(self.name, "rows of data below the header", "empty ones"))
        kept = np.delete(np.arange(len(self)), empty)
        if len(self.columns) == 1:
            kept = np.arange(kept[-1] + 1)
        columns = {name: column[kept.tolist()] for name, column in self.columns.items()}
        return replace(self, columns=columns, kept=kept, used={})

    def text(self, column: str | None, index: Any) -> str:
        return str(self.column(column)[int(index)]) if column else str(index)

    def _need(self, column: str, what: str) -> str:
        if column not in self.columns:
            message = expected(self.name, f"the {what} column {column!r}", listed(self.columns))
            raise MissingColumn(message, f"{what}_col")
        return column

    def find_ids(self, id_col: str | None) -> Ids:
        """Returns which series each row belongs to."""
        if id_col is None and "unique_id" not in self.columns:
            return Ids(np.zeros(len(self), np.int64), [self.name], [], [])
        named = "unique_id" if id_col is None else id_col
        names = [named] if named in self.columns else [self._need(part.strip(), "id") for part in named.split(",")]
        parts = [self.column(name) for name in names]
        for name, part in zip(names, parts, strict=True):
            missing = next((place for place, value in enumerate(part.values) if is_empty(value)), None)
            if missing is not None:
                row = self.row(part.row_of(missing))
                raise DataError(expected(f"column {name!r}", "a name in every row", f"none in row {row}"))
            if isinstance(part[0], (list, dict)):
                raise DataError(expected(f"column {name!r}", "names or numbers", f"{part[0]} in row {self.row(0)}"))
        codes = joint([part.codes for part in parts])
        keys = [tuple(part[row] for part in parts) for row in first_rows(codes)]
        joined = ["/".join(map(id_text, key)) for key in keys]
        if len(set(joined)) < len(joined):
            same = next(name for name in joined if joined.count(name) > 1)
            what = "ids that differ when they are joined by /"
            raise DataError(expected(f"columns {', '.join(map(repr, names))}", what, f"{same!r} of two series"))
        values = [key[0] for key in keys] if len(names) == 1 else []
        return Ids(codes, joined, names, values if any(not isinstance(value, str) for value in values) else [])

    def find_time(self, time_col: str | None, ids: Ids, target_col: str | None) -> str | None:
        """Returns the column of the times; None where rows are counted."""
        if time_col is not None:
            return self._need(time_col, "time")
        own = [name for name in self.columns if name not in (*ids.columns, target_col)]
        named = sorted((name for name in own if plain(name) in TIME_NAMES), key=by_name)
        named += [name for name in own if name not in named and is_one_of(name, TIME_NAMES)]
        dates = [name for name in own if (name in named and self._holds_dates(name, ids)) or self.is_time(name)]
        if dates:
            return self._likeliest(dates, ids)
        counters = [name for name in named if self.is_numeric(name)]
        parts = [name for name in own if is_part_of_time(name)]
        for name in (counters or named)[:1]:
            if plain(name) in YEAR_NAMES and len(parts) > 1 and not self._holds_each_once(name, ids):
                hint = f"write them into one column, such as {in_one_column(parts)}"
                raise DataError(expected(self.name, "one column of times", listed(parts), hint))
            return name
        numeric = [name for name in own if self.is_numeric(name)]
        beside_values = len(own) > 1 or target_col is not None
        written = [name for name in numeric if beside_values and self._holds_regular_dates(name, ids)]
        if written:
            return self._likeliest(written, ids)
        if len(numeric) == len(own):
            self.remarks.append("no column of times: rows are counted")
            return None
        unnamed = [name for name in own if re.fullmatch(r"\s*(_duplicated_\d+)?", name)]
        name_it = "name it with --time (in Python time_col)"
        hint = HEADER_HINT if 2 * len(unnamed) >= len(own) else name_it
        hint = f"{hint}, or {NAMES_HINT} if the file has none" if any(map(is_number, numeric)) else hint
        hint = WIDE_HINT if are_mostly_dates(own) else hint
        nearly = [name for name in own if name not in numeric and self._nearly_holds_times(name)]
        if hint == name_it and len(nearly) == 1:  # what is wrong with it is told when it is read
            return nearly[0]
        raise DataError(expected(self.name, "a column of dates or times", listed(own), hint))

    def _likeliest(self, dates: list[str], ids: Ids) -> str:
        """Returns which of the columns of dates is the time: by its name, or because each stands once in it."""
        if len(dates) == 1:
            return dates[0]
        whole = [name for name in dates if plain(name) in WHOLE_TIMES] or dates
        once = [name for name in whole if self._holds_each_once(name, ids)] or whole
        known = sorted((name for name in once if plain(name) in TIME_NAMES), key=by_name)
        if len(once) > 1 and not known:
            hint = "choose the time with --time (in Python time_col)"
            raise DataError(expected(self.name, "one column of dates or times", listed(once), hint))
        time = (known or once)[0]
        if len(once) < len(whole):
            others = listed(name for name in whole if name not in once)
            why = f"where each stands once, not of {others}"
            self.remarks.append(f"times are those of {time!r}, {why}: --time (in Python time_col) names another")
        return time

    def _holds_each_once(self, name: str, ids: Ids) -> bool:
        """Whether every row has a time, which no other of its series has."""
        column = self.column(name)
        once = joint([ids.codes, column.codes]).max() + 1 == len(self)
        return bool(once and not any(map(is_missing, column.values)))

    def find_target(self, target_col: str | None, time_name: str | None, ids: Ids) -> str:
        """Returns the column of the values."""
        if target_col is not None:
            return self._need(target_col, "target")
        taken = {time_name, *ids.columns}
        own = [name for name in self.columns if name not in taken]
        for wanted in TARGET_NAMES:
            for name in own:
                if plain(name) == wanted:
                    return name
        numeric = [name for name in own if self.is_numeric(name)]
        if len(numeric) > 1:
            numeric = [name for name in numeric if not self._counts_rows(name)]
        if len(numeric) == 1:
            return numeric[0]
        if len(own) == 1:
            return own[0]
        what = "one column of numbers" if numeric else "a column of numbers"
        got = listed(numeric) if numeric else f"text in {listed(own)}" if own else "none beside it"
        hint = "choose the target with --target (in Python target_col)"
        if are_mostly_dates(numeric):
            hint = WIDE_HINT
        elif time_name is not None and not ids.columns:
            if len(self.column(time_name).values) < len(self):
                hint += ", name several series with --id (in Python id_col)"
            elif len(numeric) > 1:
                hint += ", or, if each is a series, turn the columns into rows, as with pandas.melt"
        raise DataError(expected(self.name, what, got, hint))

    def is_numeric(self, column: str) -> bool:
        values = [value for value in self.head(column, 200) if not is_missing(value)]
        return sum(is_number(unmarked(value)[0]) for value in values) > len(values) / 2

    def _counts_rows(self, column: str) -> bool:
        """Whether it stands first and holds 0, 1, 2, ... or 1, 2, 3, ..., as programs write before rows."""
        if column != next(iter(self.columns)):
            return False
        values = [number(value, ".") for value in self.head(column, 200)]
        return values[0] in (0, 1) and values == list(range(int(values[0]), int(values[0]) + len(values)))

    def is_time(self, column: str) -> bool:
        """Whether it holds texts or objects that are times; not numbers, which could be anything."""
        values = [value for value in self.head(column, 50) if not is_missing(value)]
        if not values or any(isinstance(value, (int, float)) or number(value, ".") is not None for value in values):
            return False
        return are_times(values)

    def _nearly_holds_times(self, column: str) -> bool:
        """Whether most of its texts are times or quarters, or would be if their years had four digits."""
        values = [value for value in self.head(column, 50) if not is_missing(value)]
        forms = (TWO_DIGITS.fullmatch, QUARTERS.search)
        times = [value for value in values if are_times([value]) or any(form(str(value)) for form in forms)]
        return len(times) > len(values) / 2

    def is_a_date_above_dates(self, column: str) -> bool:
        """Whether the name of a column is a field like those in it: the first row of a file without names."""
        return are_dates([column]) and are_dates([v for v in self.head(column, 50) if not is_missing(v)])

    def _holds_dates(self, column: str, ids: Ids) -> bool:
        """Whether it holds times of a calendar, which may be written as numbers."""
        values = self.head(column, 50)
        if any(map(is_missing, values)):
            return self.is_time(column)
        try:
            times = parse_times(values, ids.of_first[: len(values)])
        except AmbiguousTimes:
            return True
        return times is not None and times.unit != ""

    def _holds_regular_dates(self, column: str, ids: Ids) -> bool:
        """Whether it holds numbers that are dates, such as 202401, 202402: values are hardly regular as such."""
        values = self.head(column, 50)
        if any(map(is_missing, values)):
            return False
        of_first = ids.of_first[: len(values)]
        with contextlib.suppress(AmbiguousTimes):
            times = parse_times(values, of_first)
            return times is not None and times.unit in ("M", "D", *PARTS_OF_DAYS) and is_regular(times.values[of_first])
        return False

    def numbers(self, column: str) -> np.ndarray:
        """Returns the column as float64, NaN where missing."""
        who = f"target column {column!r}"
        values, marked = without_marks(self.column(column).values, who)
        sign = decimal_sign(values, self.decimal, who)
        known, other = numbers(values, sign)
        if other is not None:
            got = str(self.column(column).values[other])[:40]
            where = f"{got!r} in row {self.row(self.column(column).row_of(other))}"
            hint = "write numbers without units, or choose another with --target (in Python target_col)"
            if self.is_numeric(column):
                hint = f"write a number there, or leave it empty and {FILL_HINT}"
            raise DataError(expected(who, "numbers", where, hint))
        if marked is not None:
            self.remarks.append(f"{column}: {shown(marked)} was read as {number(unmarked(marked)[0], sign):.15g}")
        if sign != decimal_sign(values, "." if self.decimal == "," else ","):
            example = next(value for value in values if isinstance(value, str) and "," in value)
            why = ", as ; separates the fields" if self.decimal == "," else ": the comma could be a decimal sign too"
            self.remarks.append(f"{column}: {shown(example)} was read as {number(example, sign):.15g}{why}")
        if self.decimal == "," and sign == ".":
            points = [value for value in values if isinstance(value, str) and "." in value]
            if points and all(map(OF_THOUSANDS.fullmatch, points)):
                read = f"{points[0]!r} was read as {number(points[0], sign):.15g}"
                self.remarks.append(f"{column}: {read}: the point could be of thousands too")
        return known[self.column(column).codes]

    def times(self, name: str | None, ids: Ids) -> Times:
        """Returns the times of the rows; counted within each series if there is no column of them."""
        if name is None:
            counted = np.empty(len(self), np.int64)
            for rows in ids.rows():
                counted[rows] = np.arange(len(rows))
            return Times(counted, "")
        column = self.column(name)
        try:
            times = parse_times(column.values, column.codes[ids.of_first], zone=self.zone(name))
        except AmbiguousTimes as error:
            raise AmbiguousTimes(f"column {name!r}: {error}") from None
        if times is None:
            missing = next((place for place, value in enumerate(column.values) if is_missing(value)), None)
            if missing is not None:
                where = f"none in row {self.row(column.row_of(missing))}"
                raise DataError(expected(f"time column {name!r}", "a time in every row", where, NO_TIME_HINT))
            bad = next((place for place, value in enumerate(column.values) if not are_times([value])), 0)
            got = f"{str(column.values[bad])[:40]!r} in row {self.row(column.row_of(bad))}"
            hint = hint_for(column.values, str(column.values[bad]), is_one_of(name, WEEK_NAMES))
            raise DataError(expected(f"time column {name!r}", "dates or times", got, hint))
        of_excel = times.unit == "" and EXCEL_DAYS[0] <= times.values.min() and times.values.max() <= EXCEL_DAYS[1]
        if times.unit != "W" and not of_excel:
            refuse_shorthand(name, column.values, times.unit == "")
        if of_excel:
            example = f"{column[0]} was read as a counter"
            self.remarks.append(f"{name}: {example}: if it is a day of Excel, format the column as dates first")
        if times.remark:
            self.remarks.append(f"{name}: {times.remark}")
        return replace(times, values=times.values[column.codes])


def id_text(part: Any) -> str:
    return part.decode(errors="backslashreplace") if isinstance(part, bytes) else str(part)
