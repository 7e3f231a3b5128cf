"""Norms of gradients, and constants as Keras rounds them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from recurra import ops


def power(base: float, exponent: int, dtype: np.dtype) -> Any:
    """Returns base ** exponent in `dtype`, with the base rounded to float32 first as `cast` does."""
    return dtype.type(whole_power(cast(base, dtype).item(), exponent))


def whole_power(base: float, exponent: int) -> float:
    """Returns base ** exponent as a product of squares: `**` takes libm's, whose last bit differs between systems."""
    result = 1.0
    while exponent:
        if exponent & 1:
            result *= base
        base *= base
        exponent >>= 1
    return result


def cast(value: float, dtype: np.dtype) -> Any:
    """Returns a constant as a scalar of `dtype` that went through float32, as Keras has it."""
    return dtype.type(np.float32(value))


def clip_by_norm(g: np.ndarray, limit: float) -> np.ndarray:
    """Returns `g`, shortened to the norm `limit` if it is longer."""
    norm = math.sqrt(ops.sum_of_squares(g))
    return g * limit / max(norm, limit)


def clip_by_global_norm(grads: list[np.ndarray], limit: float) -> list[np.ndarray]:
    """Returns gradients, shortened by one factor if all together are longer than `limit`; NaN if not finite."""
    norm = math.sqrt(sum(ops.sum_of_squares(g) for g in grads))
    if not math.isfinite(norm):
        return [np.full_like(g, np.nan) for g in grads]
    scale = limit / max(norm, limit)
    return [g * scale for g in grads]


def sums_of_squares(parts: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Returns which rows of a variable have parts, and the sum of the squares of each one's parts: (R,), (R, D).

    Args:
        parts: Pairs of indices (count,) and what was added to those rows, (count, D); see `Variable.sparse`.
    """
    indices, values = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    rows, places = np.unique(indices, return_inverse=True)
    sums = np.zeros((len(rows), values.shape[1]), values.dtype)
    ops.add_rows(sums, np.square(values), places)
    return rows, sums
