"""Frames and files in and out. Only this file knows data-frame libraries, and only inside its functions."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from recurra._checks import expected, one_of
from recurra.errors import DataError, extra_needed
from recurra.forecasting.frequency import Frequency, infer_frequency, parse_frequency
from recurra.forecasting.panel import Panel

FILLS = ("interpolate", "ffill", "zero", "mean")
TIME_NAMES = (
    "ds", "date", "datetime", "date_time", "time", "timestamp", "month", "week", "day", "year", "quarter", "period",
    "날짜", "일자", "일시", "시간", "월", "연월", "년월", "년도", "연도",
)  # fmt: skip
TARGET_NAMES = ("y", "target", "value", "values", "값", "목표")
MISSING = {"", "na", "n/a", "nan", "null", "none", "-", "?"}
LARGEST_BYTES = 2**30


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
        source: A path, or a frame with one row for each time (and series).
        id_col: Column that names the series, or several joined by commas; "unique_id" if there is one.
        time_col: Column of the times; found by name and content if None.
        target_col: Column of the values; found if None and only one fits.
        freq: Such as "MS", "D", "15min"; inferred if None.
        fill: How gaps and missing values are filled: "interpolate" (a line between the neighbours), "ffill" (the value
            before), "zero", "mean" (of the values before). None refuses them.

    Returns:
        The panel, sorted by time within each series; the order of the series is that of the data.

    Raises:
        DataError: If the data cannot be used: the message names the row, the column and the way out.
    """
    if fill is not None:
        one_of("fill", "the method", fill, FILLS)
    if isinstance(source, Panel):
        return source
    is_file = isinstance(source, (str, os.PathLike))
    columns = _read_file(Path(source)) if is_file else _read_frame(source)
    name = Path(source).name if is_file else "the frame"
    table = _Table(columns, name, first_row=2 if is_file else 0)
    ids, id_name = table.find_ids(id_col)
    time_name = table.find_time(time_col, id_name)
    target_name = table.find_target(target_col, time_name, id_name)
    times, unit = table.times(time_name)
    values = table.numbers(target_name)
    return _assemble(table, ids, id_name, times, unit, time_name, values, target_name, freq, fill, source, is_file)


def _assemble(
    table: _Table,
    ids: list[str],
    id_name: str | None,
    times: np.ndarray,
    unit: str,
    time_name: str | None,
    values: np.ndarray,
    target_name: str,
    freq: str | None,
    fill: str | None,
    source: Any,
    is_file: bool,
) -> Panel:
    names = list(dict.fromkeys(ids))
    codes = np.array([names.index(one) for one in ids]) if len(names) < 50 else _codes(ids, names)
    remarks = list(table.remarks)
    parts_values, parts_times = [], []
    shared: Frequency | None = parse_frequency(freq) if freq else None
    for code, name in enumerate(names):
        rows = np.flatnonzero(codes == code)
        own = times[rows]
        order = np.argsort(own, kind="stable")
        if np.any(order != np.arange(len(rows))):
            remarks.append(f"series {name!r} was not in order of time: sorted")
        rows, own = rows[order], own[order]
        _refuse_duplicates(table, name, own, rows, time_name, id_name, ids)
        if len(own) < 2:
            raise DataError(expected(f"series {name!r}", "at least 2 values", len(own)))
        shared = shared or infer_frequency(own, name)
        own, series = _regular(table, name, own, values[rows], rows, shared, fill, target_name, unit)
        parts_times.append(own)
        parts_values.append(series)
    lengths = [len(part) for part in parts_values]
    return Panel(
        values=np.concatenate(parts_values),
        indptr=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        ids=tuple(names),
        times=np.concatenate(parts_times),
        freq=shared or Frequency("step"),
        id_col=id_name,
        time_col=time_name or "ds",
        target_col=target_name,
        like=None if is_file else source,
        time_unit=unit,
        remarks=tuple(remarks),
    )


def _codes(ids: list[str], names: list[str]) -> np.ndarray:
    places = {name: i for i, name in enumerate(names)}
    return np.array([places[one] for one in ids])


def _refuse_duplicates(
    table: _Table,
    name: str,
    times: np.ndarray,
    rows: np.ndarray,
    time_name: str | None,
    id_name: str | None,
    ids: list[str],
) -> None:
    same = np.flatnonzero(times[1:] == times[:-1])
    if not len(same):
        return
    at = int(same[0])
    places = f"rows {table.row(rows[at])} and {table.row(rows[at + 1])}"
    texts = [column for column in table.text_columns() if column not in (time_name, id_name)]
    hint = f"if the file holds several series, name them: --id {','.join(texts)}" if texts else "drop or add up one"
    which = f"series {name!r}" if id_name else f"column {time_name!r}"
    raise DataError(expected(which, "each time once", f"{table.text(time_name, rows[at])} twice ({places})", hint))


def _regular(
    table: _Table,
    name: str,
    times: np.ndarray,
    values: np.ndarray,
    rows: np.ndarray,
    freq: Frequency,
    fill: str | None,
    target_name: str,
    unit: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Returns times and values with every step there, filled as `fill` says."""
    infinite = np.flatnonzero(np.isinf(values))
    if len(infinite):
        where = f"row {table.row(rows[infinite[0]])} of column {target_name!r}"
        raise DataError(expected(f"series {name!r}", "finite numbers", f"infinity in {where}"))
    places = freq.positions(times)
    if np.any(places != np.round(places)):
        at = int(np.flatnonzero(places != np.round(places))[0])
        raise DataError(
            expected(f"series {name!r}", f"{freq} times", f"{_show(times[at], unit)} (row {table.row(rows[at])})")
        )
    places = places.astype(np.int64)
    jumps = np.flatnonzero(np.diff(places) > 1)
    missing = np.flatnonzero(np.isnan(values))
    if fill is None and len(jumps):
        at = int(jumps[0])
        more = f" and {len(jumps) - 1} more gaps" if len(jumps) > 1 else ""
        jump = f"a jump from {_show(times[at], unit)} to {_show(times[at + 1], unit)}{more}"
        hint = f"choose how to fill it with --fill {'|'.join(FILLS)}"
        raise DataError(expected(f"series {name!r}", f"{freq} rows without gaps", jump, hint))
    if fill is None and len(missing):
        where = f"row {table.row(rows[missing[0]])} of column {target_name!r}"
        hint = f"choose how to fill it with --fill {'|'.join(FILLS)}"
        raise DataError(expected(f"series {name!r}", "a number in every row", f"none in {where}", hint))
    full = np.full(places[-1] + 1, np.nan)
    full[places] = values
    if np.isnan(full).all():
        raise DataError(expected(f"series {name!r}", "numbers", "missing values alone"))
    all_times = times if len(full) == len(times) else np.concatenate([times[:1], freq.future(times[0], len(full) - 1)])
    return all_times, filled(full, fill) if fill else full


def filled(values: np.ndarray, how: str) -> np.ndarray:
    """Returns the values with NaN filled; leading ones take the first value, or zero.

    >>> filled(np.array([1.0, np.nan, 3.0]), "interpolate").tolist()
    [1.0, 2.0, 3.0]
    """
    known = np.flatnonzero(~np.isnan(values))
    result = values.copy()
    if how == "zero":
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


def _show(time: Any, unit: str) -> str:
    if not isinstance(time, np.datetime64):
        return str(int(time))
    return str(time.astype(f"datetime64[{unit or 's'}]")).replace("T", " ")


# Reading ------------------------------------------------------------------------------------------------------------


def _read_file(path: Path) -> dict[str, list[Any]]:
    if path.is_dir():
        raise DataError(expected("forecast", "a file", f"the directory {str(path)!r}"))
    if not path.exists():
        raise DataError(expected("forecast", "an existing file", repr(str(path))))
    try:
        size = path.stat().st_size
        if size > LARGEST_BYTES:
            raise DataError(expected(path.name, "at most 1 GiB", f"{size / 2**30:.1f} GiB"))
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path.name} cannot be read: {error.strerror}") from error
    if not data.strip():
        raise DataError(expected(path.name, "rows of data", "an empty file"))
    with extra_needed("reading data needs", "polars", "forecast"):
        import polars
    if data[:4] == b"PAR1" or path.suffix.lower() in (".parquet", ".pq"):
        try:
            frame = polars.read_parquet(io.BytesIO(data))
        except Exception as error:
            raise DataError(expected(path.name, "a sound Parquet file", _one_line(error))) from error
    else:
        frame = _read_csv(path.name, data)
    if frame.height == 0:
        raise DataError(expected(path.name, "rows of data below the header", "none"))
    return {name: frame[name].to_list() for name in frame.columns}


def _read_csv(name: str, data: bytes) -> Any:
    import polars

    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        hint = "save it as UTF-8" if _is_korean(data) else "give a CSV or Parquet file"
        raise DataError(expected(name, "text in UTF-8", f"other bytes at {error.start}", hint)) from error
    if "\x00" in text:
        raise DataError(expected(name, "text", "a binary file", "give a CSV or Parquet file"))
    header = text.lstrip().splitlines()[0]
    separator = max(",;\t|", key=header.count)
    try:
        return polars.read_csv(
            text.encode(), separator=separator, infer_schema=False, truncate_ragged_lines=False, quote_char='"'
        )
    except Exception as error:
        raise DataError(
            expected(name, "a table with the same number of fields in each row", _one_line(error))
        ) from error


def _is_korean(data: bytes) -> bool:
    try:
        data.decode("cp949")
    except UnicodeDecodeError:
        return False
    return True


def _one_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0][:160] if str(error).strip() else type(error).__name__


def _read_frame(source: Any) -> dict[str, list[Any]]:
    with extra_needed("reading data needs", "narwhals", "forecast"):
        import narwhals
    try:
        frame = narwhals.from_native(source, eager_only=True)
    except TypeError as error:
        what = "a path, or a pandas, Polars or Arrow frame"
        raise TypeError(expected("read_panel", what, type(source).__name__)) from error
    if len(frame) == 0:
        raise DataError(expected("the frame", "rows", "none"))
    return {name: frame[name].to_list() for name in frame.columns}


class _Table:
    """Columns as read, and what they mean."""

    def __init__(self, columns: dict[str, list[Any]], name: str, first_row: int):
        self.columns = {str(column): values for column, values in columns.items()}
        self.name = name
        self.first_row = first_row
        self.remarks: list[str] = []

    def row(self, index: Any) -> int:
        """Returns the row's number: its line in a file, its position in a frame."""
        return int(index) + self.first_row

    def text(self, column: str | None, index: Any) -> str:
        return str(self.columns[column][int(index)]) if column else str(index)

    def text_columns(self) -> list[str]:
        return [name for name in self.columns if not self._is_numeric(name) and not self._is_time(name)]

    def _need(self, column: str, what: str) -> str:
        if column not in self.columns:
            raise DataError(expected(self.name, f"the {what} column {column!r}", ", ".join(map(repr, self.columns))))
        return column

    def find_ids(self, id_col: str | None) -> tuple[list[str], str | None]:
        """Returns the name of each row's series, and of the column."""
        rows = len(next(iter(self.columns.values())))
        if id_col is None and "unique_id" not in self.columns:
            return [self.name] * rows, None
        names = [self._need(part.strip(), "id") for part in (id_col or "unique_id").split(",")]
        parts = [self.columns[name] for name in names]
        for name, part in zip(names, parts, strict=True):
            if None in part:
                raise DataError(
                    expected(f"column {name!r}", "a name in every row", f"none in row {self.row(part.index(None))}")
                )
        return ["/".join(map(str, key)) for key in zip(*parts, strict=True)], ",".join(names)

    def find_time(self, time_col: str | None, id_name: str | None) -> str | None:
        """Returns the column of the times; None where rows are counted."""
        if time_col is not None:
            return self._need(time_col, "time")
        own = [name for name in self.columns if name not in (id_name or "").split(",")]
        named = [name for name in own if name.strip().lower() in TIME_NAMES]
        for name in named:
            if self._is_time(name) or self._is_numeric(name):
                return name
        for name in own:
            if self._is_time(name):
                return name
        if named:
            return named[0]
        if all(self._is_numeric(name) for name in own):
            self.remarks.append("no column of times: rows are counted")
            return None
        hint = "name it with --time"
        raise DataError(expected(self.name, "a column of dates or times", ", ".join(map(repr, own)), hint))

    def find_target(self, target_col: str | None, time_name: str | None, id_name: str | None) -> str:
        """Returns the column of the values."""
        if target_col is not None:
            return self._need(target_col, "target")
        taken = {time_name, *(id_name or "").split(",")}
        own = [name for name in self.columns if name not in taken]
        for wanted in TARGET_NAMES:
            for name in own:
                if name.strip().lower() == wanted:
                    return name
        numeric = [name for name in own if self._is_numeric(name)]
        if len(numeric) == 1:
            return numeric[0]
        if len(own) == 1:
            return own[0]
        what = "one column of numbers" if numeric else "a column of numbers"
        got = ", ".join(map(repr, numeric)) if numeric else f"text in {', '.join(map(repr, own)) or 'no column'}"
        raise DataError(expected(self.name, what, got, "choose the target with --target"))

    def _is_numeric(self, column: str) -> bool:
        values = [value for value in self.columns[column][:200] if not _is_missing(value)]
        return bool(values) and sum(_number(value) is not None for value in values) > len(values) / 2

    def _is_time(self, column: str) -> bool:
        values = [value for value in self.columns[column][:50] if not _is_missing(value)]
        if not values or isinstance(values[0], (int, float)):
            return False
        return _parse_times(values)[0] is not None and not all(re.fullmatch(r"[\d.+-]*", str(v)) for v in values)

    def numbers(self, column: str) -> np.ndarray:
        """Returns the column as float64, NaN where missing."""
        values = self.columns[column]
        result = np.empty(len(values))
        for index, value in enumerate(values):
            if _is_missing(value):
                result[index] = np.nan
                continue
            number = _number(value)
            if number is None:
                where = f"{str(value)[:40]!r} in row {self.row(index)}"
                raise DataError(expected(f"target column {column!r}", "numbers", where, "choose another with --target"))
            result[index] = number
        return result

    def times(self, column: str | None) -> tuple[np.ndarray, str]:
        """Returns the column as datetime64[s] or int64, and the unit that it is written in."""
        if column is None:
            return np.arange(len(next(iter(self.columns.values())))), ""
        values = self.columns[column]
        for index, value in enumerate(values):
            if _is_missing(value):
                raise DataError(
                    expected(f"time column {column!r}", "a time in every row", f"none in row {self.row(index)}")
                )
        times, unit = _parse_times(values)
        if times is None:
            bad = next((i for i, value in enumerate(values) if _parse_times([value])[0] is None), 0)
            hint = "write times like 2024-01-31 or 2024-01-31 13:00"
            raise DataError(
                expected(
                    f"time column {column!r}",
                    "dates or times",
                    f"{str(values[bad])[:40]!r} in row {self.row(bad)}",
                    hint,
                )
            )
        return times, unit


def _is_missing(value: Any) -> bool:
    if value is None:
        return True
    if isinstance(value, str):
        return value.strip().lower() in MISSING
    return isinstance(value, float) and np.isnan(value)


def _number(value: Any) -> float | None:
    """Returns the number that a field holds: 1234.5, 1,234.5 or, with a decimal comma, 1234,5."""
    if not isinstance(value, str):
        try:
            return float(value)
        except (TypeError, ValueError):
            return None
    text = value.strip().replace("\u00a0", "")
    if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?", text):
        text = text.replace(",", "")
    elif re.fullmatch(r"[+-]?\d+,\d+", text):
        text = text.replace(",", ".")
    elif re.fullmatch(r"[+-]?\d{1,3}(\.\d{3})+,\d+", text):
        text = text.replace(".", "").replace(",", ".")
    try:
        return float(text) if "_" not in text else None
    except ValueError:
        return None


def _parse_times(values: list[Any]) -> tuple[np.ndarray | None, str]:
    """Returns times and their unit, or None where they are none."""
    first = values[0]
    if hasattr(first, "isoformat"):
        texts = [value.isoformat() for value in values]
    elif isinstance(first, np.datetime64):
        texts = [str(value) for value in values]
    else:
        texts = [str(value).strip() for value in values]
    if all(re.fullmatch(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])", text) for text in texts):
        texts = [f"{text[:4]}-{text[4:6]}-{text[6:]}" for text in texts]
    elif all(re.fullmatch(r"[+-]?\d+(\.0+)?", text) for text in texts):
        counters = np.array([int(float(text)) for text in texts], np.int64)
        years = len(counters) > 1 and counters.min() > 1500 and counters.max() < 2200 and np.diff(counters).min() >= 1
        return (counters - 1970).astype("datetime64[Y]").astype(
            "datetime64[s]"
        ) if years else counters, "Y" if years else ""
    texts = [_iso(text) for text in texts]
    lengths = {len(text) for text in texts}
    try:
        times = np.array(texts, "datetime64[s]")
    except ValueError:
        return None, ""
    if np.isnat(times).any():
        return None, ""
    unit = "M" if max(lengths) <= 7 else "D" if bool((times == times.astype("datetime64[D]")).all()) else "s"
    return times, unit


def _iso(text: str) -> str:
    """Returns a time in ISO's order; text that is none comes back as it is."""
    text = re.sub(r"(\.\d+)?(Z|[+-]00:?00)?$", "", text) if ":" in text else text
    korean = re.fullmatch(r"(\d{4})년\s*(\d{1,2})월(?:\s*(\d{1,2})일)?", text)
    quarter = re.fullmatch(r"(\d{4})[-\s]?Q([1-4])", text)
    ordered = re.fullmatch(r"(\d{4})[/.](\d{1,2})(?:[/.](\d{1,2}))?\.?(?:[ T](.*))?", text)
    us = re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{4})(?:[ T](.*))?", text)
    german = re.fullmatch(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(?:[ T](.*))?", text)
    if quarter:
        return f"{quarter[1]}-{3 * int(quarter[2]) - 2:02d}"
    if korean:
        day = f"-{int(korean[3]):02d}" if korean[3] else ""
        return f"{korean[1]}-{int(korean[2]):02d}{day}"
    if ordered:
        day = f"-{int(ordered[3]):02d}" if ordered[3] else ""
        return f"{ordered[1]}-{int(ordered[2]):02d}{day}" + (f"T{ordered[4]}" if ordered[4] else "")
    if us:
        return f"{us[3]}-{int(us[1]):02d}-{int(us[2]):02d}" + (f"T{us[4]}" if us[4] else "")
    if german:
        return f"{german[3]}-{int(german[2]):02d}-{int(german[1]):02d}" + (f"T{german[4]}" if german[4] else "")
    return text.replace(" ", "T", 1) if re.match(r"\d{4}-\d{2}-\d{2} ", text) else text


# Writing ------------------------------------------------------------------------------------------------------------


def to_frame(columns: dict[str, Any], like: Any = None) -> Any:
    """Returns columns as a frame of the library of `like`; a Polars frame if that is None.

    Args:
        columns: Names and arrays or lists of one length.
        like: The frame that the data came in.
    """
    if like is None:
        with extra_needed("reading data needs", "polars", "forecast"):
            import polars
        return polars.DataFrame(columns)
    with extra_needed("reading data needs", "narwhals", "forecast"):
        import narwhals
    backend = narwhals.get_native_namespace(like)
    return narwhals.from_dict(columns, backend=backend).to_native()
