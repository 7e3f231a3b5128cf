"""Constraints: what weights are brought back to after each update (https://keras.io/api/layers/constraints)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recurra import config as settings
from recurra import saving
from recurra._arrays import giving_arrays
from recurra._checks import expected, fraction, not_negative, whole_number
from recurra._missing import says_what_to_do

__all__ = [
    "Constraint",
    "MaxNorm",
    "MinMaxNorm",
    "NonNeg",
    "UnitNorm",
    "deserialize",
    "get",
    "max_norm",
    "min_max_norm",
    "non_neg",
    "serialize",
    "unit_norm",
]


class Constraint(saving.Configurable):
    """Base class: called with an array it gives the nearest allowed one."""

    def __call__(self, w: Any) -> np.ndarray:
        raise NotImplementedError(expected(type(self).__name__, "a method __call__(w)", "none"))


def _checked_axis(who: str, axis: Any) -> Any:
    """Returns an axis, a list or tuple of axes, or None for all of them, as it is; refuses what names none."""
    for one in axis if isinstance(axis, (list, tuple)) else [axis]:
        if one is not None:
            whole_number(who, "axis", one)
    return axis


def _norms(w: np.ndarray, axis: Any) -> np.ndarray:
    return np.sqrt(np.square(w).sum(axis=tuple(axis) if isinstance(axis, list) else axis, keepdims=True))


@saving.builtin("keras.constraints")
class MaxNorm(Constraint):
    """Norms along `axis` of at most `max_value`; None sets no limit.

    Raises:
        TypeError, ValueError: If `max_value` is not a number or is negative, or `axis` not a whole number.
    """

    def __init__(self, max_value: float | None = 2, axis: Any = 0):
        self.max_value = None if max_value is None else not_negative("MaxNorm", "max_value", max_value)
        self.axis = _checked_axis("MaxNorm", axis)

    @giving_arrays
    def __call__(self, w: Any) -> np.ndarray:
        w = np.asarray(w)
        norms = _norms(w, self.axis)
        return (w * (np.clip(norms, 0, self.max_value) / (settings.epsilon() + norms))).astype(w.dtype)


@saving.builtin("keras.constraints")
class NonNeg(Constraint):
    """No negative weights."""

    @giving_arrays
    def __call__(self, w: Any) -> np.ndarray:
        return np.maximum(w, 0)


@saving.builtin("keras.constraints")
class UnitNorm(Constraint):
    """Norms along `axis` of one.

    Raises:
        TypeError, ValueError: If `axis` is not a whole number.
    """

    def __init__(self, axis: Any = 0):
        self.axis = _checked_axis("UnitNorm", axis)

    @giving_arrays
    def __call__(self, w: Any) -> np.ndarray:
        w = np.asarray(w)
        return (w / (settings.epsilon() + _norms(w, self.axis))).astype(w.dtype)


@saving.builtin("keras.constraints")
class MinMaxNorm(Constraint):
    """Norms along `axis` moved towards [min_value, max_value] at the given rate.

    Raises:
        TypeError: If an option is not a number.
        ValueError: If a norm is negative, max_value is below min_value, or `rate` lies outside [0, 1].
    """

    def __init__(self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Any = 0):
        who = "MinMaxNorm"
        self.min_value: float = not_negative(who, "min_value", min_value)
        self.max_value: float = not_negative(who, "max_value", max_value)
        if self.min_value > self.max_value:
            raise ValueError(expected(who, f"max_value to be at least min_value={min_value!r}", repr(max_value)))
        self.rate: float = fraction(who, "rate", rate)
        self.axis = _checked_axis(who, axis)

    @giving_arrays
    def __call__(self, w: Any) -> np.ndarray:
        w = np.asarray(w)
        norms = _norms(w, self.axis)
        wanted = self.rate * np.clip(norms, self.min_value, self.max_value) + (1 - self.rate) * norms
        return (w * (wanted / (settings.epsilon() + norms))).astype(w.dtype)


_CLASSES = {"max_norm": MaxNorm, "non_neg": NonNeg, "unit_norm": UnitNorm, "min_max_norm": MinMaxNorm}
_BY_NAME = _CLASSES | {cls.__name__: cls for cls in _CLASSES.values()}
max_norm, non_neg, unit_norm, min_max_norm = MaxNorm, NonNeg, UnitNorm, MinMaxNorm


def get(identifier: Any) -> Any:
    """Returns a constraint for a name, a class, a config or an object; None for None.

    Raises:
        ValueError: If there is none of that name.
    """
    return saving.resolve(identifier, _BY_NAME, "constraints.get", "a constraint")


def serialize(constraint: Any) -> Any:
    """Returns the constraint's serialized form."""
    return saving.serialize_keras_object(constraint)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """Returns what `serialize` described, or what a name stands for."""
    return saving.deserialize_named(config, get, custom_objects)


if not TYPE_CHECKING:  # type checkers would take every name for one that is there
    __getattr__ = says_what_to_do(__name__)
