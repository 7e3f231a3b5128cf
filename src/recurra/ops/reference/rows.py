"""Sums of squares, rows that are added to rows, and orthonormal rows."""

from __future__ import annotations

import numpy as np

from recurra.ops.reference.primitives import Array


def sum_of_squares(x: Array) -> float:
    """Returns the sum of x * x over all elements, added in float64."""
    return float(np.square(x, dtype=np.float64).sum())


def orthonormalize(rows: Array) -> Array:
    """Returns Q of the QR factorisation of rows.T whose R has a positive diagonal, as rows (count, size), float64."""
    q, r = np.linalg.qr(rows.T)
    return np.ascontiguousarray((q * np.where(r.diagonal() < 0, -1.0, 1.0)).T)


def add_rows(out: Array, rows: Array, index: Array) -> None:
    """Adds out[index[i]] += rows[i], one after the other: out (R, D), rows (count, D), index int64."""
    np.add.at(out, index, rows)
