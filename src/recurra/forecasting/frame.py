"""The doors of frames and files: series of them in, forecasts as frames out."""

from __future__ import annotations

import contextlib
import os
from typing import Any

import numpy as np

from recurra._checks import expected, one_of
from recurra.errors import DataError, extra_needed
from recurra.forecasting.frequency import TIMES, Frequency, parse_frequency
from recurra.forecasting.panel import FILLS, Panel
from recurra.forecasting.reading.files import contents, read_file
from recurra.forecasting.reading.frames import of_batch, read_frame
from recurra.forecasting.reading.series import SeriesReader
from recurra.forecasting.zones import to_utc


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
            before), "zero" (nothing happened: up to the latest time of all series too), "mean" (of the values before).
            None refuses them. Those before the first number are cut off.

    Returns:
        The panel, sorted by time within each series; the order of the series is that of the data.

    Raises:
        DataError: If the data cannot be used: the message names the row, the column and the way out.
        TypeError: If `source` is something else, or the name of a column is not a text.
    """
    return read_newer(source, None, id_col=id_col, time_col=time_col, target_col=target_col, freq=freq, fill=fill)


def read_newer(
    source: Any,
    step: Frequency | None,
    *,
    id_col: str | None = None,
    time_col: str | None = None,
    target_col: str | None = None,
    freq: str | None = None,
    fill: str | None = None,
) -> Panel:
    """Returns what `read_panel` does, with the step of older data where none is named and the times go on in it."""
    for option, name in (("id_col", id_col), ("time_col", time_col), ("target_col", target_col)):
        if name is not None and not isinstance(name, str):
            hint = "join several by commas, as in 'a,b'" if option == "id_col" else None
            raise TypeError(expected("read_panel", f"{option} to be the name of a column, a text", repr(name), hint))
    if fill is not None:
        one_of("fill", "the method", fill, FILLS)
    if isinstance(source, Panel):
        _refuse_other_options(source, {"id_col": id_col, "time_col": time_col, "target_col": target_col, "fill": fill})
        if freq is not None and str(parse_frequency(freq)) != str(source.freq):
            raise _read_otherwise("freq", freq, source.freq.alias)
        return source
    is_file = isinstance(source, (str, os.PathLike)) or hasattr(source, "read")
    source = source if is_file else of_batch(source)
    table = read_file(*contents(source)) if is_file else read_frame(source)
    ids = table.find_ids(id_col)
    time_name = table.find_time(time_col, ids, target_col)
    target_name = table.find_target(target_col, time_name, ids)
    _refuse_two_meanings(table.name, [*ids.columns, *([] if time_name is None else [time_name]), target_name])
    times = table.times(time_name, ids)
    reader = SeriesReader(table, ids, time_name, target_name, times, table.numbers(target_name))
    return reader.panel(freq, fill, None if is_file else source, step)


def _refuse_other_options(panel: Panel, given: dict[str, str | None]) -> None:
    own = panel.options
    for option, value in given.items():
        if value is not None and value != own.get(option):
            raise _read_otherwise(option, value, own.get(option))


def _read_otherwise(option: str, given: str, own: str | None) -> DataError:
    what = f"{option} {own!r}, as it was read" if own else f"no {option}, as it was read without"
    return DataError(expected("a panel", what, repr(given), "give it to read_panel"))


def _refuse_two_meanings(who: str, columns: list[str]) -> None:
    twice = next((name for place, name in enumerate(columns) if name in columns[:place]), None)
    if twice is not None:
        what = "different columns of ids, times and values"
        hint = "name another with --id, --time or --target (in Python id_col, time_col or target_col)"
        raise DataError(expected(who, what, f"{twice!r} twice", hint))


def to_frame(columns: dict[str, Any], panel: Panel) -> Any:
    """Returns columns as a frame of the library that the data of a panel came in; as a Polars frame for a file.

    Args:
        columns: Names and arrays or lists of one length.
        panel: The data.
    """
    with extra_needed("reading data needs", "narwhals", "forecast"):
        import narwhals
    if panel.source.frame is None:
        with extra_needed("reading data needs", "polars", "forecast"):
            import polars as backend
    else:
        backend = narwhals.get_native_namespace(panel.source.frame)
    times, zone = columns[panel.time_col], panel.clock.zone
    if zone is not None and isinstance(times, np.ndarray):
        in_utc = (times if panel.clock.in_utc else to_utc(times, zone)).astype(TIMES)
        frame = narwhals.from_dict(columns | {panel.time_col: in_utc}, backend=backend)
        time = narwhals.col(panel.time_col).dt.replace_time_zone("UTC")
        frame = frame.with_columns(time.dt.convert_time_zone(zone))
    else:
        frame = narwhals.from_dict(columns, backend=backend)
    return (frame if panel.source.frame is None else _of_the_kinds_of(panel, frame)).to_native()


def _of_the_kinds_of(panel: Panel, frame: Any) -> Any:
    """Returns a frame whose ids and times are named and of the dtypes as in the data, so that the two can be joined."""
    import narwhals

    schema = narwhals.from_native(panel.source.frame, eager_only=True).schema
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
