"""Shapes: what counts as one, and the checks of shapes and axes that several layers share."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from recurra._checks import expected, positive_int, whole_number

Shape = tuple[int | None, ...]
_SEQUENCE = "(batch, timesteps, features)"
INPUT_SHAPE = "an input shape with the batch, such as (None, 5, 3)"


def is_shape(value: Any) -> bool:
    """Returns whether `value` is one shape, not a list of shapes."""
    return isinstance(value, (tuple, list)) and all(d is None or isinstance(d, (int, np.integer)) for d in value)


def map_shapes(function: Callable[[Any], Any], shape: Any) -> Any:
    """Returns `function(shape)`, for each shape of a list or dict of them."""
    if is_shape(shape):
        return function(shape)
    if isinstance(shape, dict):
        return {key: map_shapes(function, item) for key, item in shape.items()}
    if not isinstance(shape, (list, tuple)):
        raise ValueError(expected("build", INPUT_SHAPE, repr(shape)))
    return [map_shapes(function, item) for item in shape]


def standardize_shape(shape: Any) -> Any:
    """Returns one shape, or a list or dict of shapes, with tuples for the shapes."""
    return map_shapes(lambda one: tuple(None if d is None else int(d) for d in one), shape)


def common_size(who: str, sizes: tuple[int | None, ...], shapes: Any) -> int | None:
    """Returns the size of an axis of inputs that are broadcast to each other, None where it is not known.

    Raises:
        ValueError: If two are known and neither is 1.
    """
    known = {size for size in sizes if size not in (None, 1)}
    if len(known) > 1:
        raise ValueError(expected(who, "inputs of one shape", f"{shapes}"))
    return known.pop() if known else None if None in sizes else 1


_OF_MORE = {  # where else an axis more than these comes from
    2: ", and a recurrent layer gives the last time step alone without return_sequences",
    3: ", and that in front of an Embedding is (timesteps,)",
}


def check_rank(who: str, shape: Shape, rank: int, axes: str = _SEQUENCE) -> None:
    """Raises ValueError unless `shape` has that many axes."""
    if len(shape) != rank:
        hint = None
        if axes == _SEQUENCE and len(shape) == 2:
            hint = "add a feature axis with x[..., None], or give a recurrent layer before it return_sequences=True"
        elif axes == _SEQUENCE and len(shape) < 2:
            hint = "x.reshape(batch, timesteps, features) gives it the axes"
        elif len(shape) == rank + 1 and shape[0] is None:
            hint = "the shape of an Input leaves out the batch axis"
            hint += _OF_MORE.get(rank, "")
        raise ValueError(expected(who, f"input of shape {axes}", tuple(shape), hint))


def check_features(who: str, shape: Shape, features: int) -> None:
    """Raises ValueError unless the last axis has the size that the layer was built for."""
    if shape[-1] != features:
        hint = "a layer keeps the number of features that it was built for"
        raise ValueError(expected(who, f"input with {features} features", tuple(shape), hint))


def known_features(who: str, shape: Shape) -> int:
    """Returns the size of the last axis; ValueError if it is unknown."""
    if shape[-1] is None:
        raise ValueError(expected(who, "a known number of features", tuple(shape)))
    return shape[-1]


def position(who: str, axis: int, rank: int) -> int:
    """Returns `axis` counted from the front; ValueError if there is no such axis."""
    axis = whole_number(who, "axis", axis)
    if not -rank <= axis < rank:
        raise ValueError(expected(who, f"axis to be among the {rank} axes of the input", axis))
    return axis % rank


def positions(who: str, axis: Any, rank: int) -> tuple[int, ...]:
    """Returns one axis or several, counted from the front, ascending."""
    axes = axis if isinstance(axis, (list, tuple)) else [axis]
    return tuple(sorted(position(who, item, rank) for item in axes))


def size_of(shape: Shape) -> int | None:
    """Returns the number of elements; None if a dimension is unknown."""
    known = [size for size in shape if size is not None]
    return math.prod(known) if len(known) == len(shape) else None


def pair(who: str, name: str, value: Any) -> tuple[int, int]:
    """Returns one whole number twice, or two as they are; ValueError for anything else or below 0."""
    given = tuple(value) if isinstance(value, (list, tuple)) else (value, value)
    if len(given) != 2 or any(isinstance(item, bool) or not isinstance(item, int) or item < 0 for item in given):
        raise ValueError(expected(who, f"{name} to be one or two whole numbers, not negative", repr(value)))
    return given


def one_number(who: str, name: str, value: Any) -> tuple[int]:
    """Returns a positive whole number, given alone or as a list of one, as a tuple of one."""
    alone = value[0] if isinstance(value, (list, tuple)) and len(value) == 1 else value
    return (positive_int(who, name, alone),)


def channels_last(who: str, data_format: str | None) -> str:
    """Returns "channels_last"; ValueError for any other order of axes."""
    if data_format not in (None, "channels_last"):
        raise ValueError(expected(who, "data_format='channels_last'", repr(data_format), "use Permute((2, 1)) around"))
    return "channels_last"
