"""`tf.linalg`: matrices, of what networks use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recurra._arrays import Array as Tensor
from recurra._arrays import as_array
from recurra._checks import expected
from recurra._missing import says_what_to_do
from recurra.compat.tensorflow._conversion import convert_to_tensor
from recurra.compat.tensorflow.math import l2_normalize
from recurra.compat.tensorflow.tensors import einsum, eye, matmul, norm, tensordot

__all__ = [
    "band_part", "diag", "diag_part", "einsum", "eye", "l2_normalize", "matmul", "matrix_transpose", "matvec", "norm",
    "tensordot", "trace",
]  # fmt: skip


def band_part(input: Any, num_lower: int, num_upper: int) -> Tensor:
    """Returns matrices with zeros beyond so many diagonals below and above the main one; -1 is all of them.

    Raises:
        ValueError: If `input` has fewer than two axes.
    """
    matrices = convert_to_tensor(input)
    if matrices.ndim < 2:
        raise ValueError(expected("band_part", "matrices", f"shape {matrices.shape}"))
    rows, columns = np.ogrid[: matrices.shape[-2], : matrices.shape[-1]]
    below, above = rows - columns, columns - rows
    kept = ((num_lower < 0) | (below <= num_lower)) & ((num_upper < 0) | (above <= num_upper))
    return as_array(np.where(kept, matrices, matrices.dtype.type(0)))


def diag(diagonal: Any, k: int = 0) -> Tensor:
    """Returns matrices with the last axis on their diagonals, `k` above the main one."""
    numbers = convert_to_tensor(diagonal)
    size = numbers.shape[-1] + abs(_one_diagonal("diag", k))
    matrices = np.zeros((*numbers.shape[:-1], size, size), numbers.dtype)
    rows = np.arange(numbers.shape[-1]) + max(-k, 0)
    matrices[..., rows, rows + k] = numbers
    return as_array(matrices)


def diag_part(input: Any, k: int = 0) -> Tensor:
    """Returns the diagonals of matrices, those `k` above the main one."""
    offset = _one_diagonal("diag_part", k)
    return as_array(np.array(np.diagonal(convert_to_tensor(input), offset, axis1=-2, axis2=-1)))


def _one_diagonal(who: str, k: Any) -> int:
    if not isinstance(k, (int, np.integer)):
        raise TypeError(expected(who, "k to be the number of one diagonal", repr(k), "there are no bands here"))
    return int(k)


def trace(x: Any) -> Tensor:
    """Returns the sums of the diagonals of matrices."""
    tensor = convert_to_tensor(x)
    return as_array(np.trace(tensor, axis1=-2, axis2=-1, dtype=tensor.dtype))


def matrix_transpose(a: Any, conjugate: Any = False) -> Tensor:
    """Returns matrices with rows for columns; `conjugate` changes nothing for real numbers."""
    return as_array(np.swapaxes(convert_to_tensor(a), -1, -2))


def matvec(a: Any, b: Any) -> Tensor:
    """Returns the products of matrices and vectors."""
    return as_array(np.matmul(convert_to_tensor(a), convert_to_tensor(b)[..., None])[..., 0])


if not TYPE_CHECKING:  # type checkers would take every name for one that is there
    __getattr__ = says_what_to_do(__name__)
