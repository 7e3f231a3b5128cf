"""What several layers do to arrays: sums back to a shape, softmax, unit length, windows of time."""

from __future__ import annotations

import numpy as np

from recurra import ops
from recurra._arrays import axes_last


def sum_to(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Returns `array` summed over the axes along which `shape` was broadcast to it."""
    if array.shape == tuple(shape):
        return array
    added = array.ndim - len(shape)
    stretched = [added + axis for axis, size in enumerate(shape) if size == 1 and array.shape[added + axis] != 1]
    return array.sum(axis=(*range(added), *stretched)).reshape(shape)


def sum_in_order(array: np.ndarray, axis: int) -> np.ndarray:
    """Returns the sum along an axis, one after the other, as native code adds: `array.sum` may add pair by pair."""
    return np.add.accumulate(array, axis=axis).take(-1, axis=axis)


def softmax(x: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Returns the softmax over the given axes together."""
    flat, back = axes_last(x, axes)
    return back(ops.softmax(flat))


def softmax_gradient(dy: np.ndarray, y: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Returns dx from dy and the output of `softmax`."""
    flat_dy, back = axes_last(dy, axes)
    flat_y, _ = axes_last(y, axes)
    return back(ops.softmax_gradient(flat_dy, flat_y))


def normalized(x: np.ndarray, axes: tuple[int, ...], epsilon: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns x scaled to length one along `axes`, by at most 1 / epsilon, and the factors."""
    with np.errstate(divide="ignore"):
        scale = 1 / np.sqrt(np.square(x).sum(axis=axes, keepdims=True))
    scale = np.minimum(scale, x.dtype.type(1 / epsilon))
    return x * scale, scale


def normalized_gradient(dy: np.ndarray, y: np.ndarray, scale: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Returns dx of `normalized`."""
    return scale * (dy - y * (dy * y).sum(axis=axes, keepdims=True))


def select(where: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns `np.where(where, a, b)` of floats, in the dtype of a.

    By their bits: `np.where` branches at each element, and takes ten times as long where there is no telling which way.
    """
    whole = np.dtype(f"i{a.itemsize}")
    bits = -where.astype(whole)
    return ((a.view(whole) & bits) | (b.astype(a.dtype, copy=False).view(whole) & ~bits)).view(a.dtype)


def zero_unless(where: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Returns x where `where` holds, and zero elsewhere: NaN times zero would be NaN. By bits as `select`."""
    whole = np.dtype(f"i{x.itemsize}")
    return (x.view(whole) & -where.astype(whole)).view(x.dtype)


def same_padding(timesteps: int, span: int, stride: int) -> tuple[int, int]:
    """Returns the padding before and after that gives ceil(timesteps / stride) windows."""
    total = max((-(-timesteps // stride) - 1) * stride + span - timesteps, 0)
    return total // 2, total - total // 2
