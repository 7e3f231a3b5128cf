"""Frames of pandas, Polars and Arrow as tables, by narwhals, which is loaded inside functions."""

from __future__ import annotations

import re
import sys
from typing import Any

from recurra._checks import expected
from recurra.errors import DataError, extra_needed
from recurra.forecasting.reading.table import Table

ROW_LABELS = re.compile(r"__index_level_\d+__")  # of pandas


def of_batch(source: Any) -> Any:
    """Returns a RecordBatch of Arrow, which narwhals does not know, as a table; what is none as it is."""
    pyarrow: Any = sys.modules.get("pyarrow")  # whoever has a batch has loaded it
    is_batch = pyarrow is not None and isinstance(source, pyarrow.RecordBatch)
    return pyarrow.Table.from_batches([source]) if is_batch else source


def read_frame(source: Any) -> Table:
    """Returns the table in a frame of any library; DataError for an empty one, TypeError for what is no frame."""
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
    if frame.implementation.is_pyarrow():
        refuse_periods("the frame", str(source.schema))
    return Table("the frame", columns_of(frame), first_row=0)


def refuse_periods(name: str, schema: str) -> None:
    """Refuses an Arrow schema, as text, with periods of pandas: Arrow keeps them as numbers."""
    if "pandas.period" in schema:
        what = "times, not periods of pandas, which are numbers here"
        raise DataError(expected(name, what, "such a column", "write it with .dt.to_timestamp() or .astype(str)"))


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


def columns_of(frame: Any) -> dict[str, Any]:
    """Returns the columns of a frame of any library by their names, as those of narwhals.

    The numbers of rows that pandas writes into Parquet files and Arrow tables are none of them.
    """
    import narwhals

    frame = narwhals.from_native(frame, eager_only=True)
    columns = {str(name): column for name, column in zip(frame.columns, frame.iter_columns(), strict=True)}
    labels = [name for name in columns if ROW_LABELS.fullmatch(name) and columns[name].dtype.is_integer()]
    return {name: column for name, column in columns.items() if name not in labels or len(labels) == len(columns)}
