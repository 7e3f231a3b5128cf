"""`tf.keras.backend`: what is left of it in Keras 3, and those of Keras 2's functions that one's own metrics use."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra import backend as _kept
from recurra import config
from recurra._arrays import Array as Tensor
from recurra._missing import says_what_to_do
from recurra.compat.tensorflow import math, tensors

_OF_TENSORFLOW = (
    *("abs", "cast", "equal", "exp", "greater", "greater_equal", "less", "less_equal", "maximum", "minimum"),
    *("not_equal", "ones_like", "pow", "reshape", "round", "shape", "sigmoid", "sign", "square", "tanh", "zeros_like"),
)
globals().update({name: getattr(_kept, name) for name in _kept.__all__})
globals().update({name: getattr(tensors, name) for name in _OF_TENSORFLOW})

__all__ = [
    *_kept.__all__,
    *_OF_TENSORFLOW,
    *("all", "any", "argmax", "argmin", "clip", "concatenate", "expand_dims", "flatten", "get_value", "log", "max"),
    *("mean", "min", "prod", "set_value", "sqrt", "std", "sum", "var"),
]

log = math.log
all, any, max, min = tensors.reduce_all, tensors.reduce_any, tensors.reduce_max, tensors.reduce_min
prod, sum = tensors.reduce_prod, tensors.reduce_sum


def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Returns the mean along an axis, several or all; truth values count as 0 and 1."""
    return tensors.reduce_mean(_as_numbers(x), axis, keepdims)


def std(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Returns the standard deviation along an axis, several or all; truth values count as 0 and 1."""
    return math.reduce_std(_as_numbers(x), axis, keepdims)


def var(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Returns the variance along an axis, several or all; truth values count as 0 and 1."""
    return math.reduce_variance(_as_numbers(x), axis, keepdims)


def sqrt(x: Any) -> Tensor:
    """Returns the square roots; those of negative numbers are zero."""
    return tensors.sqrt(np.maximum(tensors.convert_to_tensor(x), 0))


def clip(x: Any, min_value: Any, max_value: Any) -> Tensor:
    """Returns `x` with what lies below or above the bounds put onto them; None is no bound."""
    low, high = -np.inf if min_value is None else min_value, np.inf if max_value is None else max_value
    return tensors.clip_by_value(x, low, high)


def argmax(x: Any, axis: int = -1) -> Tensor:
    """Returns where the largest value along an axis is."""
    return tensors.argmax(x, axis)


def argmin(x: Any, axis: int = -1) -> Tensor:
    """Returns where the smallest value along an axis is."""
    return tensors.argmin(x, axis)


def concatenate(values: Any, axis: int = -1) -> Tensor:
    """Returns `values` joined along an axis that they have."""
    return tensors.concat(values, axis)


def expand_dims(x: Any, axis: int = -1) -> Tensor:
    """Returns `x` with an axis of length 1 more."""
    return tensors.expand_dims(x, axis)


def flatten(x: Any) -> Tensor:
    """Returns all values in one axis."""
    return tensors.reshape(x, -1)


def get_value(x: Any) -> Any:
    """Returns the value of a variable or tensor as an array; anything else as it is."""
    return x.numpy() if hasattr(x, "numpy") else x


def set_value(x: Any, value: Any) -> None:
    """Sets a variable, such as `optimizer.learning_rate`.

    Raises:
        ValueError: If the shape is another.
    """
    x.assign(value)


def _as_numbers(x: Any) -> Tensor:
    tensor = tensors.convert_to_tensor(x)
    return tensors.cast(tensor, config.floatx()) if tensor.dtype == bool else tensor


__getattr__ = says_what_to_do("recurra.compat.tensorflow.keras.backend")
