"""A column as its different fields and the rows where they stand: what is read and checked once for each of them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Column:
    """The fields of a column.

    Attributes:
        values: The different ones, in the order of their first rows.
        codes: int64 (rows,), the place in `values` of each row's.

    >>> column = Column.of(["b", "a", "b"])
    >>> column.values, column.codes.tolist(), column[2], column.row_of(1)
    (['b', 'a'], [0, 1, 0], 'b', 1)
    """

    values: list[Any]
    codes: np.ndarray

    @classmethod
    def of(cls, fields: list[Any], keys: Iterable[Hashable] | None = None) -> Column:
        """Returns the column of these fields, told apart by `keys` if equal ones can mean different things."""
        keys = fields if keys is None else list(keys)
        try:
            places = dict.fromkeys(keys)
        except TypeError:  # lists and the like
            keys = list(map(repr, fields))
            places = dict.fromkeys(keys)
        places = {key: place for place, key in enumerate(places)}
        codes = np.fromiter(map(places.__getitem__, keys), np.int64, len(keys))
        return cls([fields[row] for row in first_rows(codes)], codes)

    def __getitem__(self, row: Any) -> Any:
        return self.values[self.codes[row]]

    def row_of(self, place: int) -> int:
        """Returns the first row that holds `values[place]`."""
        return int(np.argmax(self.codes == place))


def first_rows(codes: np.ndarray) -> np.ndarray:
    """Returns the first row of each of the codes, which are 0, 1, ... without gaps: int64 (codes.max() + 1,)."""
    rows = np.empty(codes.max() + 1 if len(codes) else 0, np.int64)
    rows[codes[::-1]] = np.arange(len(codes))[::-1]
    return rows


def joint(parts: list[np.ndarray]) -> np.ndarray:
    """Returns one code for each combination of the codes of several columns, in the order of their first rows.

    >>> joint([np.array([1, 0, 1, 1]), np.array([0, 0, 0, 1])]).tolist()
    [0, 1, 0, 2]
    """
    codes = parts[0]
    for part in parts[1:]:
        codes = in_order(codes * (part.max() + 1) + part)
    return codes


def in_order(keys: np.ndarray) -> np.ndarray:
    """Returns the places of keys among the different ones, these in the order of their first rows: int64 (rows,)."""
    _, rows, places = np.unique(keys, return_index=True, return_inverse=True)
    rank = np.empty(len(rows), np.int64)
    rank[np.argsort(rows)] = np.arange(len(rows))
    return rank[places]


def column_of(series: Any) -> Column:
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
