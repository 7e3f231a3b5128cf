"""Array helpers that several layers share: batched products, sums back to a shape, softmax on any axis."""

from __future__ import annotations

import math

import numpy as np

from recurra import ops


def batched_matmul(a: np.ndarray, b: np.ndarray, *, transpose_a: bool = False, transpose_b: bool = False) -> np.ndarray:
    """Returns a @ b for each of the B pairs: a (B, M, K), b (B, K, L) or their transposes, result (B, M, L)."""
    a, b = np.ascontiguousarray(a), np.ascontiguousarray(b)
    rows, columns = a.shape[2 if transpose_a else 1], b.shape[1 if transpose_b else 2]
    out = np.empty((len(a), rows, columns), a.dtype)
    for i in range(len(a)):
        ops.matmul(a[i], b[i], transpose_a=transpose_a, transpose_b=transpose_b, out=out[i])
    return out


def sum_to(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Returns `array` summed over the axes along which `shape` was broadcast to it."""
    if array.shape == tuple(shape):
        return array
    added = array.ndim - len(shape)
    stretched = [added + axis for axis, size in enumerate(shape) if size == 1 and array.shape[added + axis] != 1]
    return array.sum(axis=(*range(added), *stretched)).reshape(shape)


def softmax(x: np.ndarray, axes: tuple[int, ...] = (-1,)) -> np.ndarray:
    """Returns the softmax over the given axes together."""
    flat, back = _axes_last(x, axes)
    return back(ops.activation_forward("softmax", flat))


def softmax_gradient(dy: np.ndarray, y: np.ndarray, axes: tuple[int, ...] = (-1,)) -> np.ndarray:
    """Returns dx from dy and the output of `softmax`."""
    flat_dy, back = _axes_last(dy, axes)
    flat_y, _ = _axes_last(y, axes)
    return back(ops.activation_backward("softmax", flat_dy, flat_y, flat_y))


def _axes_last(x: np.ndarray, axes: tuple[int, ...]):  # type: ignore[no-untyped-def]
    """Returns `x` with `axes` moved to the end and joined, and the function that undoes this."""
    ends = tuple(range(-len(axes), 0))
    moved = np.moveaxis(x, axes, ends)
    shape = moved.shape
    kept = x.ndim - len(axes)
    flat = np.ascontiguousarray(moved).reshape(*shape[:kept], math.prod(shape[kept:]))
    return flat, lambda y: np.ascontiguousarray(np.moveaxis(y.reshape(shape), ends, axes))
