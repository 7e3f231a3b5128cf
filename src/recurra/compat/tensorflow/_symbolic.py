"""TensorFlow's functions on symbolic tensors: the layers that they make, which have gradients and names in files."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from recurra import layers
from recurra._checks import expected
from recurra.layers.symbolic import KerasTensor


def on_symbolic(rule: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: of symbolic tensors, also in a list, a function is the rule, with the same arguments."""

    def mark(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapped(*arguments: Any, **options: Any) -> Any:
            given = *arguments, *options.values()
            return (rule if any(map(_is_symbolic, given)) else function)(*arguments, **options)

        return wrapped

    return mark


def _is_symbolic(given: Any) -> bool:
    is_list = isinstance(given, (list, tuple))
    return KerasTensor in map(type, given) if is_list else isinstance(given, KerasTensor)  # lists of data may be long


def expand_dims(input: KerasTensor, axis: int) -> KerasTensor:
    key = _whole(input.ndim)
    key.insert(_position("expand_dims", axis, input.ndim + 1), None)
    return input[tuple(key)]


def squeeze(input: KerasTensor, axis: Any = None) -> KerasTensor:
    if axis is None:
        axis = [position for position, size in enumerate(input.shape) if size == 1 and position]
    key = _whole(input.ndim)
    for position in _positions("squeeze", axis, input.ndim):
        if input.shape[position] != 1:
            raise ValueError(expected("squeeze", f"an axis of length 1 of {input.shape}", axis))
        key[position] = 0
    return input[tuple(key)]


def reverse(tensor: KerasTensor, axis: Any) -> KerasTensor:
    key = _whole(tensor.ndim)
    for position in _positions("reverse", axis, tensor.ndim):
        key[position] = slice(None, None, -1)
    return tensor[tuple(key)]


def reshape(tensor: KerasTensor, shape: Any) -> KerasTensor:
    batch, *sizes = shape
    if batch not in (-1, tensor.shape[0]):
        raise ValueError(expected("reshape", "a shape that keeps the batch, (-1, ...)", tuple(shape)))
    return layers.Reshape(sizes)(tensor)


def transpose(a: KerasTensor, perm: Any = None) -> KerasTensor:
    if perm is None or perm[0] != 0:
        raise ValueError(expected("transpose", "perm that keeps the batch, [0, ...]", perm))
    return layers.Permute(perm[1:])(a)


def concat(values: Iterable[KerasTensor], axis: int) -> KerasTensor:
    return layers.Concatenate(axis)(list(values))


def cast(x: KerasTensor, dtype: Any) -> KerasTensor:
    if np.dtype(dtype) != x.dtype:
        raise TypeError(expected("cast", f"the dtype of a symbolic tensor, {x.dtype}", np.dtype(dtype).name))
    return x


def softmax(logits: KerasTensor, axis: int = -1) -> KerasTensor:
    return layers.Softmax(axis, dtype=logits._float_dtype)(logits)


def _whole(rank: int) -> list[Any]:
    return [slice(None)] * rank


def _position(who: str, axis: int, rank: int) -> int:
    position = axis + rank if axis < 0 else axis
    if not 0 < position < rank:
        raise ValueError(expected(who, f"an axis from 1 to {rank - 1}, behind the batch", axis))
    return position


def _positions(who: str, axes: Any, rank: int) -> list[int]:
    return [_position(who, axis, rank) for axis in np.atleast_1d(axes).tolist()]
