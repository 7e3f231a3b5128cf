"""`tf.linalg`: matrices, of what networks use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recurra._arrays import Array as Tensor
from recurra._arrays import as_array
from recurra._missing import says_what_to_do
from recurra.compat.tensorflow.math import l2_normalize
from recurra.compat.tensorflow.tensors import convert_to_tensor, einsum, eye, matmul, norm, tensordot

__all__ = [
    "band_part", "diag", "diag_part", "einsum", "eye", "l2_normalize", "matmul", "matrix_transpose", "matvec", "norm",
    "tensordot", "trace",
]  # fmt: skip


def band_part(input: Any, num_lower: int, num_upper: int) -> Tensor:
    """Returns matrices with zeros beyond so many diagonals below and above the main one; -1 is all of them."""
    matrices = convert_to_tensor(input)
    rows, columns = np.ogrid[: matrices.shape[-2], : matrices.shape[-1]]
    below, above = rows - columns, columns - rows
    kept = ((num_lower < 0) | (below <= num_lower)) & ((num_upper < 0) | (above <= num_upper))
    return as_array(np.where(kept, matrices, matrices.dtype.type(0)))


def diag(diagonal: Any) -> Tensor:
    """Returns matrices with the last axis on their diagonals."""
    numbers = convert_to_tensor(diagonal)
    return as_array(numbers[..., None] * np.eye(numbers.shape[-1], dtype=numbers.dtype))


def diag_part(input: Any) -> Tensor:
    """Returns the diagonals of matrices."""
    return as_array(np.array(np.diagonal(convert_to_tensor(input), axis1=-2, axis2=-1)))


def trace(x: Any) -> Tensor:
    """Returns the sums of the diagonals of matrices."""
    tensor = convert_to_tensor(x)
    return as_array(np.trace(tensor, axis1=-2, axis2=-1, dtype=tensor.dtype))


def matrix_transpose(a: Any) -> Tensor:
    """Returns matrices with rows for columns."""
    return as_array(np.swapaxes(convert_to_tensor(a), -1, -2))


def matvec(a: Any, b: Any) -> Tensor:
    """Returns the products of matrices and vectors."""
    return as_array(np.matmul(convert_to_tensor(a), convert_to_tensor(b)[..., None])[..., 0])


if not TYPE_CHECKING:  # type checkers would take every name for one that is there
    __getattr__ = says_what_to_do(__name__)
