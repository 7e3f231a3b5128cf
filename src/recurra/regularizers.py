"""Regularizers: penalties on weights or outputs, each with its gradient (https://keras.io/api/layers/regularizers)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recurra import config, ops, saving
from recurra._arrays import as_array
from recurra._checks import expected, one_of
from recurra._missing import says_what_to_do
from recurra._owners import is_left_behind

__all__ = [
    "L1",
    "L1L2",
    "L2",
    "OrthogonalRegularizer",
    "Regularizer",
    "deserialize",
    "get",
    "l1",
    "l1_l2",
    "l2",
    "orthogonal_regularizer",
    "serialize",
]


class Regularizer(saving.Configurable):
    """Base class: called with an array it gives the penalty, in its dtype; `gradient` gives its derivative.

    A subclass with its own `__call__` needs its own `gradient`, to be trained with.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if is_left_behind(cls, "gradient", "__call__"):
            cls.gradient = Regularizer.gradient  # type: ignore[method-assign]

    def __call__(self, x: Any) -> Any:
        x = np.asarray(x)
        return as_array(np.asarray(self._penalty(x), x.dtype if x.dtype.kind == "f" else config.floatx()))

    def _penalty(self, x: np.ndarray) -> float:
        """Returns the penalty of one of recurra's own, which training takes without rounding it to a dtype."""
        raise NotImplementedError(expected(type(self).__name__, "a method __call__(x)", "none"))

    def gradient(self, x: Any) -> np.ndarray:
        """Returns the derivative of the penalty, of the shape of `x`."""
        raise NotImplementedError(expected(type(self).__name__, "a method gradient(x) to be used in training", "none"))


def _as_float32(value: float) -> float:
    """Returns the nearest float32: in this precision Keras keeps the factors of L1 and OrthogonalRegularizer."""
    return float(np.float32(value))


def _checked_penalty(who: str, name: str, value: Any) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not np.isfinite(value) or value < 0:
        raise ValueError(expected(who, f"{name} to be a finite number of at least 0", repr(value)))
    return float(value)


@saving.builtin("keras.regularizers")
class L1L2(Regularizer):
    """`l1 * sum(|x|) + l2 * sum(x**2)`."""

    def __init__(self, l1: float = 0.0, l2: float = 0.0):
        self.l1: float = _checked_penalty("L1L2", "l1", 0.0 if l1 is None else l1)
        self.l2: float = _checked_penalty("L1L2", "l2", 0.0 if l2 is None else l2)

    def _penalty(self, x: np.ndarray) -> float:
        return float(self.l1 * np.abs(x).sum() + self.l2 * np.square(x).sum())

    def gradient(self, x: Any) -> np.ndarray:
        x = np.asarray(x)
        return (self.l1 * np.sign(x) + 2 * self.l2 * x).astype(x.dtype)


@saving.builtin("keras.regularizers")
class L1(Regularizer):
    """`l1 * sum(|x|)`."""

    def __init__(self, l1: float = 0.01):
        self.l1 = _as_float32(_checked_penalty("L1", "l1", 0.01 if l1 is None else l1))

    def _penalty(self, x: np.ndarray) -> float:
        return float(self.l1 * np.abs(x).sum())

    def gradient(self, x: Any) -> np.ndarray:
        x = np.asarray(x)
        return (self.l1 * np.sign(x)).astype(x.dtype)


@saving.builtin("keras.regularizers")
class L2(Regularizer):
    """`l2 * sum(x**2)`."""

    def __init__(self, l2: float = 0.01):
        self.l2: float = _checked_penalty("L2", "l2", 0.01 if l2 is None else l2)

    def _penalty(self, x: np.ndarray) -> float:
        return float(self.l2 * np.square(x).sum())

    def gradient(self, x: Any) -> np.ndarray:
        x = np.asarray(x)
        return (2 * self.l2 * x).astype(x.dtype)


@saving.builtin("keras.regularizers")
class OrthogonalRegularizer(Regularizer):
    """Mean of |cosine| over the pairs of different rows or columns of a matrix, times `factor`; 0 of a single one.

    Args:
        factor: Of the penalty.
        mode: "rows" or "columns".
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows"):
        self.factor = _as_float32(_checked_penalty("OrthogonalRegularizer", "factor", factor))
        self.mode = one_of("OrthogonalRegularizer", "mode", mode, ("rows", "columns"))

    def _penalty(self, x: np.ndarray) -> float:
        unit, _, pairs = self._unit_rows(x)
        return float(self.factor * 0.5 * np.abs(self._products(unit)).sum() / pairs)

    def gradient(self, x: Any) -> np.ndarray:
        unit, norms, pairs = self._unit_rows(x)
        dunit = ops.matmul(self.factor / pairs * np.sign(self._products(unit)), unit)
        drows = (dunit - unit * (dunit * unit).sum(axis=1, keepdims=True)) / norms
        return (drows if self.mode == "rows" else drows.T).astype(np.asarray(x).dtype)

    def _unit_rows(self, x: Any) -> tuple[np.ndarray, np.ndarray, int]:
        x = np.asarray(x)
        if x.ndim != 2:
            raise ValueError(expected("OrthogonalRegularizer", "a matrix", f"shape {x.shape}"))
        rows = x if self.mode == "rows" else x.T
        norms = np.sqrt(np.maximum(np.square(rows).sum(axis=1, keepdims=True), 1e-12))
        return rows / norms, norms, max(1, len(rows) * (len(rows) - 1) // 2)

    def _products(self, unit: np.ndarray) -> np.ndarray:
        return ops.matmul(unit, unit, transpose_b=True) * (1 - np.eye(len(unit), dtype=unit.dtype))


_BY_NAME = {
    "l1": L1,
    "l2": L2,
    "l1l2": L1L2,
    "orthogonal_regularizer": OrthogonalRegularizer,
    "L1": L1,
    "L2": L2,
    "L1L2": L1L2,
    "OrthogonalRegularizer": OrthogonalRegularizer,
}
l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer


def get(identifier: Any) -> Any:
    """Returns a regularizer for a name, a class, a config or an object; None for None.

    Raises:
        ValueError: If there is none of that name, or for a function without a gradient: nothing could train with it.
    """
    if isinstance(identifier, (int, float)):
        hint = f"write regularizers.L2({identifier})"
        raise ValueError(expected("regularizers.get", "a regularizer or its name", repr(identifier), hint))
    found = saving.resolve(identifier, _BY_NAME, "regularizers.get", "a regularizer")
    if found is not None and not hasattr(found, "gradient"):
        what = "a regularizer with a gradient"
        hint = "write a subclass of regularizers.Regularizer with __call__(x) and gradient(x)"
        got = f"the function {found.__name__!r}" if hasattr(found, "__name__") else repr(found)
        raise ValueError(expected("regularizers.get", what, got, hint))
    return found


def serialize(regularizer: Any) -> Any:
    """Returns the regularizer's serialized form."""
    return saving.serialize_keras_object(regularizer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """Returns what `serialize` described, or what a name stands for."""
    return saving.deserialize_named(config, get, custom_objects)


if not TYPE_CHECKING:  # type checkers would take every name for one that is there
    __getattr__ = says_what_to_do(__name__)
