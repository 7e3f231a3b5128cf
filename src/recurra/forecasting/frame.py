"""Frames and files in and out. Only this file knows data-frame libraries, and only inside its functions."""

from __future__ import annotations

import base64
import codecs
import contextlib
import csv
import io
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from recurra._checks import expected, one_of
from recurra.errors import DataError, extra_needed
from recurra.forecasting.columns import Column, first_rows, in_order, joint
from recurra.forecasting.fields import (
    PARTS_OF_DAYS,
    TWO_DIGIT_DAY,
    AmbiguousTimes,
    Times,
    decimal_sign,
    is_empty,
    is_missing,
    is_number,
    number,
    numbers,
    parse_times,
    unmarked,
    without_marks,
    write_times,
)
from recurra.forecasting.frequency import Frequency, is_regular, on_the_side_of, parse_frequency, shared_frequency
from recurra.forecasting.panel import FILLS, Panel, filled, indptr_of
from recurra.forecasting.zones import to_utc

WEEK_NAMES = ("week", "yearweek", "year_week", "주", "주차")
QUARTER_NAMES = ("quarter", "yearquarter", "year_quarter", "분기")
TIME_NAMES = (
    *WEEK_NAMES, *QUARTER_NAMES,
    "ds", "date", "datetime", "date_time", "time", "timestamp", "month", "day", "year", "period",
    "날짜", "일자", "일시", "시간", "시각", "시점", "기간", "기준일", "거래일",
    "월", "연월", "년월", "년", "년도", "연도",
)  # fmt: skip
TIME_ENDINGS = ("_date", " date", "날짜", "일자", "일시", "연월", "년월", "연도", "년도")
PARTS_OF_TIMES = (  # beside years or dates
    "month", "quarter", "week", "day", "hour", "minute", "time",
    "월", "분기", "주", "주차", "일", "시", "분", "시간", "시각",
)  # fmt: skip
TARGET_NAMES = ("y", "target", "value", "values", "값", "목표")
LARGEST_BYTES = 2**30
SEPARATORS = ",;\t|"
ROWS_OF_SEPARATOR = 20  # that tell it, the header among them
MOST_LISTED, MOST_LETTERS = 20, 40  # names of columns in an error, and letters of each
EXCEL_DAYS = (32874, 54789)  # 1990 to 2050
LARGEST_NUMBER = 1e100
MOST_FILLED = 10**7  # steps of a series of few values: more come from a wrong time
TWO_DIGITS = re.compile(
    r"\s*(\d{1,2}([-/.\s])\s?\d{1,2}\2\s?\d\d|(\d{1,2}[-\s])?[A-Za-z]{3,9}[-\s]\d\d|\d\d[-/.]\d\d)\.?(\s.*)?"
)
WORD_AND_YEAR = re.compile(r"\s*(\d{1,2}\.?\s)?[^\W\d]{3,}\.?\s\d{4}\s*")  # such as März 2024
PARTS_OF_YEARS = re.compile(  # as names of columns
    r"\s*(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?\s*|\s*(\d\d?월|Q[1-4]|[1-4]Q|[1-4]분기)\s*",
    re.IGNORECASE,
)
ROW_LABELS = re.compile(r"__index_level_\d+__")  # of pandas
ZONES_IN_PARQUET = "zones that have a name, such as Asia/Kolkata, or whole hours"
FOREIGN = {  # how files of other kinds begin
    rb"PK\x03\x04": "an Excel or zip file",
    rb"\xd0\xcf\x11\xe0": "an Excel file",
    rb"\x1f\x8b": "a gzip file",
    rb"%PDF": "a PDF file",
    rb"SQLite": "a database",
    rb"(\xef\xbb\xbf)?\s*<[!?a-zA-Z]": "a page of HTML or XML",
    rb"(\xef\xbb\xbf)?\s*\[?\s*\{": "JSON",
}
NO_TIME_HINT = "delete rows that hold no time, such as totals and notes"
WIDE_HINT = "turn the columns of times into rows, as with pandas.melt"
NAMES_HINT = "add a line such as date,value"
HEADER_HINT = "delete lines above the names of the columns"
FILL_HINT = f"choose how to fill it with --fill {'|'.join(FILLS)}"
WEEKS_HINT = "write weeks like 2024-W05 (of ISO 8601), or a day of each, such as 2024-01-29"
WEEKS = re.compile(r"(19|20)\d\d[-/.]?W?(0?[1-9]|[1-4]\d|5[0-3])", re.IGNORECASE)  # 202401 is no month there
DAYS_HINT = "write dates like 2024-01-31"
QUARTERS_HINT = "write quarters like 2024Q1"
OF_THOUSANDS = re.compile(r"\s*[+-]?[1-9]\d{0,2}\.\d{3}\s*")  # 1.234, where the point need not be decimal
_YEAR, _MONTH, _DAY = r"(19|20)\d\d", r"0[1-9]|1[0-2]", r"0[1-9]|[12]\d|3[01]"
SHORTHAND = (  # names of columns, None for all; whether counters alone are meant; a form, what it is, what to do
    (WEEK_NAMES, False, rf"{WEEKS.pattern}|\d\d(0[1-9]|[1-4]\d|5[0-3])", "weeks", WEEKS_HINT),
    (QUARTER_NAMES, False, rf"{_YEAR}[-/.]?0?[1-4]", "quarters", QUARTERS_HINT),
    (None, True, rf"({_DAY}|[1-9])({_MONTH}){_YEAR}|({_MONTH}|[1-9])({_DAY}){_YEAR}", "days", DAYS_HINT),
    (TIME_NAMES, True, rf"{_YEAR}(00[1-9]|0[1-9]\d|[12]\d\d|3[0-5]\d|36[0-6])", "days of years", DAYS_HINT),
    (TIME_NAMES, True, rf"({_MONTH}|[1-9]){_YEAR}", "months", "write months like 2024-01"),
    (TIME_NAMES, True, rf"{_YEAR}[1-4]", "quarters", QUARTERS_HINT),
)


class MissingColumn(DataError):
    """A column that was named is not there.

    Attributes:
        option: What named it, such as "target_col".
    """

    def __init__(self, message: str, option: str):
        super().__init__(message)
        self.option = option


def read_panel(
    source: Any,
    *,
    id_col: str | None = None,
    time_col: str | None = None,
    target_col: str | None = None,
    freq: str | None = None,
    fill: str | None = None,
) -> Panel:
    """Reads series from a CSV or Parquet file, or from a pandas, Polars or Arrow frame.

    Args:
        source: A path, an open binary file, or a frame; with one row for each time (and series).
        id_col: Column that names the series, or several joined by commas; "unique_id" if there is one.
        time_col: Column of the times; found by name and content if None.
        target_col: Column of the values; found if None and only one fits.
        freq: Such as "MS", "D", "15min"; inferred if None.
        fill: How gaps and missing values are filled: "interpolate" (a line between the neighbours), "ffill" (the value
            before), "zero", "mean" (of the values before). None refuses them. Those before the first number are cut
            off.

    Returns:
        The panel, sorted by time within each series; the order of the series is that of the data.

    Raises:
        DataError: If the data cannot be used: the message names the row, the column and the way out.
        TypeError: If `source` is none of these, or the name of a column is no text.
    """
    for option, name in (("id_col", id_col), ("time_col", time_col), ("target_col", target_col)):
        if name is not None and not isinstance(name, str):
            hint = "join several by commas, as in 'a,b'" if option == "id_col" else None
            raise TypeError(expected("read_panel", f"{option} to be the name of a column, a text", repr(name), hint))
    if fill is not None:
        one_of("fill", "the method", fill, FILLS)
    if isinstance(source, Panel):
        return source
    is_file = isinstance(source, (str, os.PathLike)) or hasattr(source, "read")
    table = _read_file(*_contents(source)) if is_file else _read_frame(source)
    ids = table.find_ids(id_col)
    time_name = table.find_time(time_col, ids, target_col)
    target_name = table.find_target(target_col, time_name, ids)
    _refuse_two_meanings(table.name, [*ids.columns, *([] if time_name is None else [time_name]), target_name])
    times = table.times(time_name, ids)
    reader = _Reader(table, ids, time_name, target_name, times, table.numbers(target_name))
    return reader.panel(freq, fill, None if is_file else source)


def _refuse_two_meanings(who: str, columns: list[str]) -> None:
    twice = next((name for place, name in enumerate(columns) if name in columns[:place]), None)
    if twice is not None:
        what = "different columns of ids, times and values"
        raise DataError(expected(who, what, f"{twice!r} twice", "name another with --id, --time or --target"))


# Reading ------------------------------------------------------------------------------------------------------------


def _contents(source: Any) -> tuple[str, bytes]:
    """Returns the name and the bytes of a file."""
    if hasattr(source, "read"):
        name = str(getattr(source, "name", "the file")).strip("<>")  # <stdin>
        data = source.read(LARGEST_BYTES + 1)
        if not isinstance(data, bytes):
            raise TypeError(
                expected("read_panel", "a file opened in binary mode", f"one that gives {type(data).__name__}")
            )
        if len(data) > LARGEST_BYTES:
            raise DataError(expected(name, "at most 1 GiB", "more"))
        return name, data
    path = Path(source)
    if path.is_dir():
        raise DataError(expected("forecast", "a file", f"the directory {str(path)!r}"))
    if not path.exists():
        hint = "download it first" if re.match("https?:/", str(source)) else None
        raise DataError(expected("forecast", "an existing file", repr(str(source)), hint))
    try:
        size = path.stat().st_size
        if size > LARGEST_BYTES:
            raise DataError(expected(path.name, "at most 1 GiB", f"{size / 2**30:.1f} GiB"))
        return path.name, path.read_bytes()
    except OSError as error:
        raise DataError(f"{path.name} cannot be read: {error.strerror}") from error


def _read_file(name: str, data: bytes) -> _Table:
    if not data.strip():
        raise DataError(expected(name, "rows of data", "an empty file"))
    with extra_needed("reading data needs", "polars", "forecast"):
        import polars
    if data[:4] != b"PAR1" and not name.lower().endswith((".parquet", ".pq")):
        return _read_csv(name, data)
    try:
        _check_parquet(name, data)
        frame = polars.read_parquet(io.BytesIO(data))
    except polars.exceptions.PanicException as error:  # no Exception: of other zones that it does not know
        raise DataError(expected(name, ZONES_IN_PARQUET, f"what Polars cannot read ({_one_line(error)})")) from error
    except DataError:
        raise
    except Exception as error:
        raise DataError(expected(name, "a sound Parquet file", _one_line(error))) from error
    if frame.height == 0:
        raise DataError(expected(name, "rows of data", "none"))
    for column, dtype in frame.schema.items():
        if dtype == polars.Binary:  # texts, as some programs write them
            texts = [None if field is None else _name(field) for field in frame[column]]
            frame = frame.with_columns(polars.Series(column, texts, polars.String))
    return _Table(name, _columns(frame), first_row=2)


def _check_parquet(name: str, data: bytes) -> None:
    """Refuses what Polars does not understand, by the Arrow schema of a Parquet file."""
    import polars

    schema = base64.b64decode(polars.read_parquet_metadata(io.BytesIO(data)).get("ARROW:schema", ""))
    if b"pandas.period" in schema:
        what = "times, not periods of pandas, which are numbers here"
        raise DataError(expected(name, what, "such a column", "write it with .dt.to_timestamp() or .astype(str)"))
    offset = re.search(rb"(?<![ -~])(?:UTC|GMT)?[+-]\d\d:(?!00)\d\d(?![ -~])", schema)
    if offset:  # Polars would print a backtrace
        raise DataError(expected(name, ZONES_IN_PARQUET, offset[0].decode()))


def _read_csv(name: str, data: bytes) -> _Table:
    import polars

    foreign = next((kind for start, kind in FOREIGN.items() if re.match(start, data)), None)
    if foreign is not None:
        raise DataError(expected(name, "a CSV or Parquet file", foreign, "save the table as CSV"))
    text, remarks = _decoded(name, data)
    if "\x00" in text:
        raise DataError(expected(name, "text", "a binary file", "give a CSV or Parquet file"))
    named = re.match(r"sep=([,;\t|])\r?\n", text)  # a line for spreadsheets
    text = text[named.end() :] if named else text
    if not text.strip():
        raise DataError(expected(name, "rows of data below the header", "none"))
    if "\n" not in text:
        text = text.replace("\r", "\n")  # as old programs for Macs end lines
    blank = re.match(r"(?:[^\S\n]*\n)*", text)[0]  # type: ignore[index]  # it may be empty
    text = text[len(blank) :]
    separator = named[1] if named else _separator(text)
    first_row = 2 + blank.count("\n") + bool(named)
    try:
        frame = polars.read_csv(
            text.encode(), separator=separator, infer_schema=False, truncate_ragged_lines=False, quote_char='"'
        )
    except Exception as error:
        what = "a table with the same number of fields in each row"
        raise DataError(expected(name, what, *_what_is_wrong(text, separator, first_row, error))) from error
    if frame.height == 0:
        raise DataError(expected(name, "rows of data below the header", "none"))
    names = [column.strip() or column for column in frame.columns]
    numbered = [re.fullmatch(r"(.+)_duplicated_\d+", column) for column in names]  # by the reader
    twice = next((match[1] for match in numbered if match and match[1] in names), None)
    twice = twice or next((name for name in names if name and names.count(name) > 1), None)
    if twice is not None:
        raise DataError(expected(name, "columns of different names", f"{twice!r} twice"))
    frame.columns = names
    decimal = "," if separator == ";" else "."
    table = _Table(name, _columns(frame), first_row, decimal=decimal, remarks=remarks).without_empty_rows()
    if all(is_number(name) or _are_times([name]) for name in names) or any(map(table.is_a_date_above_dates, names)):
        got = ", ".join(map(repr, names[:3]))
        raise DataError(expected(name, "names of columns in the first line", got, NAMES_HINT))
    return table


def _separator(text: str) -> str:
    """Returns what separates fields: it parts most of the first rows as the header, and names may hold the others.

    Where several do, as in "Preis;Menge, kg" above "1,5;2,5", it is the one that leaves numbers and times.
    """
    lines = text.split("\n", ROWS_OF_SEPARATOR)[:ROWS_OF_SEPARATOR]
    header = re.sub(r'"[^"]*"', "", lines[0])
    alike: dict[str, list[list[str]]] = {}
    for separator in SEPARATORS:
        with contextlib.suppress(csv.Error):
            first, *rows = csv.reader(lines, delimiter=separator)
            alike[separator] = [row for row in rows if len(row) == len(first) > 1]
    most = max(map(len, alike.values()), default=0)
    best = [separator for separator, rows in alike.items() if len(rows) == most]
    if not most or len(best) == 1:
        return best[0] if most else max(SEPARATORS, key=header.count)

    def readable(separator: str) -> int:
        return sum(is_number(unmarked(field)[0]) or _are_times([field]) for field in alike[separator][0])

    return max(reversed(best), key=readable)  # the comma last, which numbers hold too


def _what_is_wrong(text: str, separator: str, first_row: int, error: Exception) -> tuple[str, str | None]:
    """Returns the first row with too many fields or a lone quote, and what to do about it; else the reader's words."""
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    with contextlib.suppress(csv.Error):
        width = len(next(rows))
        for row in rows:
            if len(row) > width:
                got = f"{len(row)} in row {first_row - 2 + rows.line_num} and {width} in the header"
                return got, f"{HEADER_HINT}, put fields that hold separators in quotes"
    lone = next((i for i, line in enumerate(text.split("\n")) if line.count('"') % 2), None)
    if lone is not None:
        return f"a quote that stands alone in row {first_row - 1 + lone}", "close it or leave it out"
    return _one_line(error), None


def _columns(frame: Any) -> dict[str, Any]:
    """Returns the columns of a frame of any library by their names, as those of narwhals.

    The numbers of rows that pandas writes into Parquet files and Arrow tables are none of them.
    """
    import narwhals

    frame = narwhals.from_native(frame, eager_only=True)
    columns = {str(name): column for name, column in zip(frame.columns, frame.iter_columns(), strict=True)}
    labels = [name for name in columns if ROW_LABELS.fullmatch(name) and columns[name].dtype.is_integer()]
    return {name: column for name, column in columns.items() if name not in labels or len(labels) == len(columns)}


def _column(series: Any) -> Column:
    """Returns a column of narwhals as its different fields."""
    import narwhals

    if isinstance(series.dtype, narwhals.Datetime) and not series.null_count():
        unit = "ms" if series.dtype.time_unit == "s" else series.dtype.time_unit
        codes = in_order(series.dt.timestamp(unit).to_numpy())
        return Column(series[first_rows(codes).tolist()].to_list(), codes)
    if series.implementation.is_polars() and not isinstance(series.dtype, narwhals.Object):
        import polars

        fields = series.alias("field").to_frame().to_native().with_row_index("row")
        codes = in_order(fields.select(polars.col("row").first().over("field")).to_series().to_numpy())
        return Column(series[first_rows(codes)].to_list(), codes)
    fields = series.to_list()
    if series.dtype.is_numeric() or isinstance(series.dtype, narwhals.String):
        return Column.of(fields)
    # Times that clocks show alike before and after a change are equal.
    return Column.of(fields, (field.isoformat() if hasattr(field, "isoformat") else field for field in fields))


def _decoded(name: str, data: bytes) -> tuple[str, list[str]]:
    """Returns the text of a file and what is worth knowing: UTF-8, UTF-16 with its mark, or else Korean cp949."""
    marked = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return data.decode("utf-16" if marked else "utf-8-sig"), []
    except UnicodeDecodeError as error:
        text = data.decode("cp949", errors="replace")
        letters = [letter for letter in text if letter >= "\u3040" and letter.isalpha()]  # of Eastern Asia
        # Bytes of other languages seldom mean everyday Korean alone, whose syllables EUC-KR writes in two bytes each:
        # those of Chinese mean Chinese letters too, which Korean files seldom have today.
        syllables = sum("가" <= letter <= "힣" and len(letter.encode("euc-kr")) == 2 for letter in letters)
        if "\ufffd" in text or not letters or 5 * syllables < 4 * len(letters):
            hint = "save it as UTF-8, or give a Parquet file"
            raise DataError(expected(name, "text in UTF-8", f"other bytes at {error.start}", hint)) from error
    return text, ["the file is not UTF-8: it was read as Korean (cp949)"]


def _one_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0][:160] if str(error).strip() else type(error).__name__


def _read_frame(source: Any) -> _Table:
    with extra_needed("reading data needs", "narwhals", "forecast"):
        import narwhals
    try:
        frame = narwhals.from_native(source, eager_only=True)
        index = narwhals.maybe_get_index(frame)
        if index is not None and (any(name is not None for name in index.names) or index.dtype.kind not in "iu"):
            frame = narwhals.from_native(_with_labels(source), eager_only=True)
    except TypeError as error:
        what = "a path, or a pandas, Polars or Arrow frame"
        lazy = hasattr(source, "collect")
        hint = "collect() it first" if lazy else "make a frame of it, as with pandas.DataFrame(data)"
        raise TypeError(expected("read_panel", what, type(source).__name__, hint)) from error
    except narwhals.exceptions.DuplicateError as error:
        names = list(source.columns)
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(expected("the frame", "columns of different names", f"{twice!r} twice")) from error
    if len(frame) == 0 or not frame.columns:
        raise DataError(expected("the frame", "columns" if len(frame) else "rows", "none"))
    return _Table("the frame", _columns(frame), first_row=0)


def _with_labels(frame: Any) -> Any:
    """Returns a frame of pandas with the labels of its rows, such as times or ids, as columns."""
    index = frame.index
    twice = [name for name in index.names if name is not None and name in frame.columns]
    for name in twice:
        if index.get_level_values(name).tolist() != frame[name].tolist():
            raise DataError(expected("the frame", "columns and index of different names", f"{name!r} twice"))
    if len(twice) == len(index.names):
        return frame.reset_index(drop=True)
    return frame.reset_index(level=twice, drop=True).reset_index()


@dataclass(frozen=True)
class _Ids:
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
class _Table:
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
            self.used[name] = _column(self.columns[name])
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

    def without_empty_rows(self) -> _Table:
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
            message = expected(self.name, f"the {what} column {column!r}", _listed(self.columns))
            raise MissingColumn(message, f"{what}_col")
        return column

    def find_ids(self, id_col: str | None) -> _Ids:
        """Returns which series each row belongs to."""
        if id_col is None and "unique_id" not in self.columns:
            return _Ids(np.zeros(len(self), np.int64), [self.name], [], [])
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
        joined = ["/".join(map(_name, key)) for key in keys]
        if len(set(joined)) < len(joined):
            same = next(name for name in joined if joined.count(name) > 1)
            what = "ids that differ when they are joined by /"
            raise DataError(expected(f"columns {', '.join(map(repr, names))}", what, f"{same!r} of two series"))
        values = [key[0] for key in keys] if len(names) == 1 else []
        return _Ids(codes, joined, names, values if any(not isinstance(value, str) for value in values) else [])

    def find_time(self, time_col: str | None, ids: _Ids, target_col: str | None = None) -> str | None:
        """Returns the column of the times; None where rows are counted."""
        if time_col is not None:
            return self._need(time_col, "time")
        own = [name for name in self.columns if name not in (*ids.columns, target_col)]
        named = [name for name in own if name.strip().lower() in TIME_NAMES]
        named += [name for name in own if name not in named and _is_one_of(name, TIME_NAMES)]
        dates = [name for name in named if self._holds_dates(name, ids)] + [name for name in own if self._is_time(name)]
        counters = [name for name in named if self._is_numeric(name)]
        if dates or counters or named:
            return (dates or counters or named)[0]
        numeric = [name for name in own if self._is_numeric(name)]
        beside_values = len(own) > 1 or target_col is not None
        written = [name for name in numeric if beside_values and self._holds_regular_dates(name, ids)]
        if written:
            return written[0]
        if len(numeric) == len(own):
            self.remarks.append("no column of times: rows are counted")
            return None
        unnamed = [name for name in own if re.fullmatch(r"\s*(_duplicated_\d+)?", name)]
        hint = HEADER_HINT if 2 * len(unnamed) >= len(own) else "name it with --time (in Python time_col)"
        hint = f"{hint}, or {NAMES_HINT} if the file has none" if any(map(is_number, numeric)) else hint
        hint = WIDE_HINT if _are_mostly_dates(own) else hint
        raise DataError(expected(self.name, "a column of dates or times", _listed(own), hint))

    def find_target(self, target_col: str | None, time_name: str | None, ids: _Ids) -> str:
        """Returns the column of the values."""
        if target_col is not None:
            return self._need(target_col, "target")
        taken = {time_name, *ids.columns}
        own = [name for name in self.columns if name not in taken]
        for wanted in TARGET_NAMES:
            for name in own:
                if name.strip().lower() == wanted:
                    return name
        numeric = [name for name in own if self._is_numeric(name)]
        if len(numeric) > 1:
            numeric = [name for name in numeric if not self._counts_rows(name)]
        if len(numeric) == 1:
            return numeric[0]
        if len(own) == 1:
            return own[0]
        what = "one column of numbers" if numeric else "a column of numbers"
        got = _listed(numeric) if numeric else f"text in {_listed(own)}" if own else "none beside it"
        hint = "choose the target with --target (in Python target_col)"
        if _are_mostly_dates(numeric):
            hint = WIDE_HINT
        elif time_name is not None and not ids.columns and len(self.column(time_name).values) < len(self):
            hint += ", name several series with --id (id_col)"
        raise DataError(expected(self.name, what, got, hint))

    def _is_numeric(self, column: str) -> bool:
        values = [value for value in self.head(column, 200) if not is_missing(value)]
        return sum(is_number(unmarked(value)[0]) for value in values) > len(values) / 2

    def _counts_rows(self, column: str) -> bool:
        """Whether it stands first and holds 0, 1, 2, ... or 1, 2, 3, ..., as programs write before rows."""
        if column != next(iter(self.columns)):
            return False
        values = [number(value, ".") for value in self.head(column, 200)]
        return values[0] in (0, 1) and values == list(range(int(values[0]), int(values[0]) + len(values)))

    def _is_time(self, column: str) -> bool:
        """Whether it holds texts or objects that are times; not numbers, which could be anything."""
        values = [value for value in self.head(column, 50) if not is_missing(value)]
        if not values or any(isinstance(value, (int, float)) or number(value, ".") is not None for value in values):
            return False
        return _are_times(values)

    def is_a_date_above_dates(self, column: str) -> bool:
        """Whether the name of a column is a field like those in it: the first row of a file without names."""
        return _are_dates([column]) and _are_dates([v for v in self.head(column, 50) if not is_missing(v)])

    def _holds_dates(self, column: str, ids: _Ids) -> bool:
        """Whether it holds times of a calendar, which may be written as numbers."""
        values = self.head(column, 50)
        if any(map(is_missing, values)):
            return self._is_time(column)
        try:
            times = parse_times(values, ids.of_first[: len(values)])
        except AmbiguousTimes:
            return True
        return times is not None and times.unit != ""

    def _holds_regular_dates(self, column: str, ids: _Ids) -> bool:
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
            if self._is_numeric(column):
                hint = f"write a number there, or leave it empty and {FILL_HINT}"
            raise DataError(expected(who, "numbers", where, hint))
        if marked is not None:
            self.remarks.append(f"{column}: {marked!r} was read as {number(unmarked(marked)[0], sign):.15g}")
        if sign != decimal_sign(values, "." if self.decimal == "," else ","):
            example = next(value for value in values if isinstance(value, str) and "," in value)
            why = ", as ; separates the fields" if self.decimal == "," else ": the comma could be a decimal sign too"
            self.remarks.append(f"{column}: {example!r} was read as {number(example, sign):.15g}{why}")
        if self.decimal == "," and sign == ".":
            points = [value for value in values if isinstance(value, str) and "." in value]
            if points and all(map(OF_THOUSANDS.fullmatch, points)):
                read = f"{points[0]!r} was read as {number(points[0], sign):.15g}"
                self.remarks.append(f"{column}: {read}: the point could be of thousands too")
        return known[self.column(column).codes]

    def times(self, name: str | None, ids: _Ids) -> Times:
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
            bad = next((place for place, value in enumerate(column.values) if not _are_times([value])), 0)
            got = f"{str(column.values[bad])[:40]!r} in row {self.row(column.row_of(bad))}"
            hint = _hint_for(column.values, str(column.values[bad]), _is_one_of(name, WEEK_NAMES))
            raise DataError(expected(f"time column {name!r}", "dates or times", got, hint))
        of_excel = times.unit == "" and EXCEL_DAYS[0] <= times.values.min() and times.values.max() <= EXCEL_DAYS[1]
        if times.unit != "W" and not of_excel:
            _refuse_shorthand(name, column.values, times.unit == "")
        if of_excel:
            example = f"{column[0]} was read as a counter"
            self.remarks.append(f"{name}: {example}: if it is a day of Excel, format the column as dates first")
        if times.remark:
            self.remarks.append(f"{name}: {times.remark}")
        return replace(times, values=times.values[column.codes])


def _listed(names: Iterable[str]) -> str:
    shown = [repr(name[:MOST_LETTERS]) for name in names]
    more = [f"{len(shown) - MOST_LISTED} more"] if len(shown) > MOST_LISTED else []
    return ", ".join(shown[:MOST_LISTED] + more)


def _are_mostly_dates(names: list[str]) -> bool:
    """Whether names of columns are those of times, as in tables with a column for each month."""
    if sum(map(bool, map(PARTS_OF_YEARS.fullmatch, names))) > max(2, len(names) / 2):
        return True
    dates = [name for name in names if _are_times([name])]
    if 2 * len(dates) <= len(names):
        return False
    with contextlib.suppress(AmbiguousTimes):
        times = parse_times(dates)
        return times is None or times.unit != ""  # None where each is one, as school years may be
    return True


def _is_one_of(name: str, names: tuple[str, ...]) -> bool:
    """Whether a column has one of these names; those of times may be the ends of longer ones."""
    plain = name.strip().lower()
    return plain in names or (names is TIME_NAMES and plain.endswith(TIME_ENDINGS))


def _refuse_shorthand(name: str, values: list[Any], counted: bool) -> None:
    """Refuses a column of times that were read as counters, or as others than its name says."""
    for names, in_counters, form, kind, hint in SHORTHAND:
        if (in_counters and not counted) or not (names is None or _is_one_of(name, names)):
            continue
        texts = [str(value).strip().removesuffix(".0") for value in values]
        if all(re.fullmatch(form, text, re.IGNORECASE) for text in texts):
            raise DataError(expected(f"time column {name!r}", "dates", f"{kind} such as {texts[0]}", hint))


def _hint_for(values: list[Any], bad: str, of_weeks: bool) -> str:
    """Returns what to do about a column of times of which one is none that is known."""
    texts = [str(value).strip().removesuffix(".0") for value in values]
    if TWO_DIGITS.fullmatch(bad) or (all(map(TWO_DIGIT_DAY.fullmatch, texts)) and not of_weeks):
        return "write years with four digits, such as 2024-01-31"
    if all(map(_are_two_years, texts)):
        return "write the year that each begins in, such as 2012"
    if re.fullmatch(r"[+-]?\d{19,}", bad):
        return "count from a smaller number"
    if all(map(_is_part_of_year, texts)):
        return "write months like 2000-04 and quarters like 2000Q2, not as parts of years"
    if WEEKS.fullmatch(bad):
        return WEEKS_HINT
    if WORD_AND_YEAR.fullmatch(bad):
        return f"write months as numbers, such as 2024-03, and {NO_TIME_HINT}"
    if not bad[:1].isdigit() and any(_are_times([value]) for value in values[:2]):
        return NO_TIME_HINT
    return "write times like 2024-01-31 or 2024-01-31 13:00, in whole microseconds"


def _is_part_of_year(text: str) -> bool:
    """Whether it is a month or a quarter as a number, such as 2000.25; 2000.05 would be none."""
    twelfths = 12 * float(text) if re.fullmatch(r"\d{4}(\.\d+)?", text) else 0.5
    return abs(twelfths - round(twelfths)) < 0.1


def _are_two_years(text: str) -> bool:
    """Whether it is a year that ends in the next one, such as 2012/13."""
    years = re.fullmatch(r"(\d{4})[-/](\d\d|\d{4})", text)
    return years is not None and str(int(years[1]) + 1).endswith(years[2])


def _name(part: Any) -> str:
    return part.decode(errors="backslashreplace") if isinstance(part, bytes) else str(part)


def _are_times(values: list[Any]) -> bool:
    try:
        return parse_times(values) is not None
    except AmbiguousTimes:
        return True


def _are_dates(values: list[Any]) -> bool:
    """Whether they are times of a calendar, of months or finer, which may be written as numbers."""
    try:
        times = parse_times(values) if values else None
    except AmbiguousTimes:
        return True
    return times is not None and times.unit not in ("", "Y")


# Series by series ---------------------------------------------------------------------------------------------------


@dataclass
class _Reader:
    """Makes a panel of a table whose columns are known."""

    table: _Table
    ids: _Ids
    time_col: str | None
    target_col: str
    times: Times
    values: np.ndarray

    def panel(self, given: str | None, fill: str | None, like: Any) -> Panel:
        named = None if given is None else parse_frequency(given)
        if named is not None and (named.name == "step") != (self.times.unit == ""):
            what, got = ("counters", "times") if named.name == "step" else ("dates or times", "counters")
            got = f"{got} in {self.time_col!r}" if self.time_col else "counted rows"
            raise DataError(expected(f"freq {given!r}", what, got))
        rows, indptr = self._in_time()
        times, names = self.times.values[rows], self.ids.names
        freq = on_the_side_of(named or shared_frequency(times, indptr, names), times, indptr, names)
        series = self._without_gaps_before(self._series(rows, indptr, freq, fill))
        missing = np.concatenate([np.isnan(full) for _, full in series])
        if missing.any():
            self.table.remarks.append(f"{missing.sum()} of {len(missing)} values were missing: filled by {fill}")
        guessed = missing.any() and fill != "zero"  # nothing sold is a fact
        return Panel(
            values=np.concatenate([filled(full, fill) if fill else full for _, full in series]),
            indptr=indptr_of([len(full) for _, full in series]),
            ids=tuple(self.ids.names),
            times=np.concatenate([times for times, _ in series]),
            freq=freq,
            id_col=",".join(self.ids.columns) or None,
            time_col=self.time_col or "ds",
            target_col=self.target_col,
            like=like,
            time_unit=self._unit(times[0], freq),
            remarks=tuple(self.table.remarks),
            observed=~missing if guessed else None,
            fill=fill,
            id_values=tuple(self.ids.values),
            offset=self.times.offset,
            zone=self.table.zone(self.time_col),
            in_utc=self.times.in_utc,
            as_text=like is None,
            counted=self.time_col is None,
            freq_named=named is not None,
        )

    def _without_gaps_before(self, series: list[tuple[np.ndarray, np.ndarray]]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Returns times and values of each series from its first number on: nothing tells what was before."""
        starts = [int(np.argmax(~np.isnan(values))) for _, values in series]
        if any(starts):
            self.table.remarks.append(f"{sum(starts)} steps before the first number of their series were left out")
        return [(times[start:], values[start:]) for start, (times, values) in zip(starts, series, strict=True)]

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
            self._refuse_twice(self.ids.names[codes[rows[twice[0]]]], *rows[twice[0] :][:2])
        if len(short):
            raise DataError(expected(f"series {self.ids.names[short[0]]!r}", "at least 2 values", lengths[short[0]]))
        return rows, np.concatenate([[0], np.cumsum(lengths)])

    def _refuse_twice(self, name: str, one: int, other: int) -> None:
        table = self.table
        plain = [c for c in table.columns if not isinstance(table.head(c, 1)[0], (list, dict))]
        texts = [c for c in plain if not table._is_numeric(c) and not table._is_time(c)]
        taken = (self.time_col, self.target_col, *self.ids.columns)
        free = [c for c in dict.fromkeys([*texts, *plain]) if c not in taken]
        times = in_order(self.times.values)
        telling = [c for c in free if joint([times, table.column(c).codes]).max() + 1 == len(table)]
        columns = [*self.ids.columns, *(telling[:1] or [c for c in free if c in texts])]
        hint = "drop or add up one"
        if self.times.unit in PARTS_OF_DAYS and not (self.times.offset or self.times.in_utc):
            hint += "; where clocks were set back, write times with their offset, such as 2024-10-27 02:00+01:00"
        if len(columns) > len(self.ids.columns):
            hint = f"if there are several series, name them, in Python by id_col: --id {','.join(columns)}"
        parts = [c for c in telling if c.strip().lower() in PARTS_OF_TIMES]
        if parts:
            hint = f"if {parts[0]!r} is a part of the time, write both into one column, such as 2024-01"
        which = f"series {name!r}" if self.ids.columns else f"column {self.time_col!r}"
        got = f"{table.text(self.time_col, one)} twice (rows {table.row(one)} and {table.row(other)})"
        raise DataError(expected(which, "each time once", got, hint))

    def _series(
        self, rows: np.ndarray, indptr: np.ndarray, freq: Frequency, fill: str | None
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Returns times and values of each series with every step there, NaN where nothing was."""
        times, values = self.times.values[rows], self.values[rows]
        places = freq.positions(times, np.repeat(times[indptr[:-1]], np.diff(indptr)))
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
            raise DataError(expected(who, f"{freq} times", got))
        places = places.astype(np.int64)
        steps = np.diff(places)
        if steps.min() < 1:
            at = int(steps.argmin())
            got = f"{self._show(times[at])} and {self._show(times[at + 1])} (row {table.row(rows[at + 1])}) in one step"
            raise DataError(expected(who, f"{freq} times, one for each step", got, "add them up first"))
        jumps, missing = np.flatnonzero(steps > 1), np.flatnonzero(np.isnan(values))
        if len(missing) == len(values):
            got = f"missing values alone in column {self.target_col!r}"
            hint = "leave its rows out" if self.ids.columns else "choose another with --target (in Python target_col)"
            raise DataError(expected(who, "numbers", got, hint))
        if fill is None and len(jumps):
            at = int(jumps[0])
            more = f" and {len(jumps) - 1} more gap{'s' * (len(jumps) > 2)}" if len(jumps) > 1 else ""
            jump = f"a jump from {self._show(times[at])} to {self._show(times[at + 1])}{more}"
            mostly = places[-1] + 1 > 2 * len(times)
            hint = f"resample it to one step first, or {FILL_HINT}" if mostly else FILL_HINT
            raise DataError(expected(who, f"{freq} rows without gaps", jump, hint))
        if fill is None and len(missing):
            where = f"row {table.row(rows[missing[0]])} of column {self.target_col!r}"
            at_end = missing[0] > 0 and np.isnan(values[missing[0] :]).all()
            hint = f"delete the rows after the last number, or {FILL_HINT}" if at_end else FILL_HINT
            raise DataError(expected(who, "a number in every row", f"none in {where}", hint))
        if places[-1] >= max(MOST_FILLED, 100 * len(places)):
            at = int(steps.argmax())
            jump = f"a jump from {self._show(times[at])} to {self._show(times[at + 1])} (row {table.row(rows[at + 1])})"
            raise DataError(expected(who, f"gaps of fewer than {MOST_FILLED} {freq} steps", jump, "is the time right?"))
        full = np.full(places[-1] + 1, np.nan)
        full[places] = values
        if len(full) > len(times):
            times = np.concatenate([times[:1], freq.future(times[0], len(full) - 1)])
        return times, full

    def _show(self, time: Any) -> str:
        if not isinstance(time, np.datetime64):
            return str(int(time))
        return write_times(np.array([time]), self.times.unit)[0]


# Writing ------------------------------------------------------------------------------------------------------------


def to_frame(columns: dict[str, Any], panel: Panel | None = None) -> Any:
    """Returns columns as a frame of the library that the data of a panel came in; as a Polars frame for a file.

    Args:
        columns: Names and arrays or lists of one length.
        panel: The data.
    """
    with extra_needed("reading data needs", "narwhals", "forecast"):
        import narwhals
    if panel is None or panel.like is None:
        with extra_needed("reading data needs", "polars", "forecast"):
            import polars as backend
    else:
        backend = narwhals.get_native_namespace(panel.like)
    times = None if panel is None or panel.zone is None else columns[panel.time_col]
    if panel is not None and panel.zone is not None and isinstance(times, np.ndarray):
        in_utc = (times if panel.in_utc else to_utc(times, panel.zone)).astype("datetime64[us]")
        frame = narwhals.from_dict(columns | {panel.time_col: in_utc}, backend=backend)
        time = narwhals.col(panel.time_col).dt.replace_time_zone("UTC")
        frame = frame.with_columns(time.dt.convert_time_zone(panel.zone))
    else:
        frame = narwhals.from_dict(columns, backend=backend)
    return (frame if panel is None or panel.like is None else _of_the_kinds_of(panel, frame)).to_native()


def _of_the_kinds_of(panel: Panel, frame: Any) -> Any:
    """Returns a frame whose ids and times are named and of the dtypes as in the data, so that the two can be joined."""
    import narwhals

    schema = narwhals.from_native(panel.like, eager_only=True).schema
    known = {str(name): dtype for name, dtype in schema.items()}
    for name in (panel.id_col, panel.time_col):
        if name is None or name not in known:
            continue
        wanted, made = known[name], frame.schema[name]
        if isinstance(wanted, narwhals.Datetime) and isinstance(made, narwhals.Datetime):
            wanted = narwhals.Datetime(wanted.time_unit, made.time_zone)
        numbers = wanted.is_numeric() and made.is_numeric()
        names = isinstance(made, narwhals.String) and isinstance(wanted, (narwhals.Categorical, narwhals.Enum))
        if not (numbers or names or (wanted.is_temporal() and made.is_temporal())):
            continue
        with contextlib.suppress(Exception):  # each library has its own for what a dtype cannot hold
            column = frame[name].cast(wanted)
            if not numbers or (column == frame[name]).all():  # others let numbers overflow
                frame = frame.with_columns(column)
    numbered = {str(name): name for name in schema if not isinstance(name, str)}
    return frame.rename({name: numbered[name] for name in frame.columns if name in numbered})
