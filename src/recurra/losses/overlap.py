"""Losses of how much two sets overlap."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra import config as settings
from recurra import saving
from recurra.losses.base import SUM_OVER_BATCH_SIZE, LossFunctionWrapper
from recurra.losses.functions import Values, arrays, with_gradient

_SUMS = "of the shape of y_pred without `axis`; a single one where that is None"


def _as_axis(axis: Any) -> Any:
    """Returns an axis as NumPy takes it: several in a tuple; configs have lists."""
    return tuple(axis) if isinstance(axis, list) else axis


class _Overlap(LossFunctionWrapper):
    """A loss of how much two sets overlap: one value for all axes, or for those in `axis`."""

    axis: Any

    def reduced_axes(self, y_pred: np.ndarray) -> tuple[int, ...]:
        if self.axis is None:
            return tuple(range(y_pred.ndim))
        return tuple(axis % y_pred.ndim for axis in np.atleast_1d(self.axis))


def _dice_gradient(y_true: Any, y_pred: Any, axis: Any = None) -> np.ndarray:
    y_true, y_pred = arrays(y_true, y_pred)
    axis = _as_axis(axis)
    both = (y_true * y_pred).sum(axis=axis, keepdims=True)
    whole = (y_true + y_pred).sum(axis=axis, keepdims=True) + settings.epsilon()
    return -2 * (y_true * whole - both) / np.square(whole)


@with_gradient(_dice_gradient, values=_SUMS)
def dice(y_true: Any, y_pred: Any, axis: Any = None) -> Values:
    """`1 - 2 * sum(y_true * y_pred) / sum(y_true + y_pred)`, sums over `axis` or all axes (Dice, 1945)."""
    y_true, y_pred = arrays(y_true, y_pred)
    axis = _as_axis(axis)
    return 1 - 2 * (y_true * y_pred).sum(axis=axis) / ((y_true + y_pred).sum(axis=axis) + settings.epsilon())


@saving.builtin("keras.losses")
class Dice(_Overlap):
    """`1 - 2 * sum(y_true * y_pred) / sum(y_true + y_pred)` (Dice, 1945).

    Args:
        reduction, name, dtype: As in `Loss`.
        axis: The axis or axes of the sums; all if None, which gives one value for the whole batch.
    """

    def __init__(
        self,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "dice",
        axis: Any = None,
        dtype: Any = None,
    ):
        super().__init__(dice, reduction, name, dtype, axis=axis)
        self.axis = axis


def _tversky_parts(
    y_true: Any, y_pred: Any, alpha: float, beta: float, axis: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    y_true, y_pred = arrays(y_true, y_pred)
    axis = _as_axis(axis)
    both = (y_true * y_pred).sum(axis=axis, keepdims=True)
    missed = ((1 - y_pred) * y_true).sum(axis=axis, keepdims=True)
    wrong = (y_pred * (1 - y_true)).sum(axis=axis, keepdims=True)
    return y_true, both, both + missed * alpha + wrong * beta + settings.epsilon()


def _tversky_gradient(y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Any = None) -> np.ndarray:
    y_true, both, whole = _tversky_parts(y_true, y_pred, alpha, beta, axis)
    dwhole = y_true - alpha * y_true + beta * (1 - y_true)
    return -(y_true * whole - both * dwhole) / np.square(whole)


@with_gradient(_tversky_gradient, values=_SUMS)
def tversky(y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Any = None) -> Values:
    """`1 - both / (both + alpha * missed + beta * wrong)`, sums over `axis` or all axes (Salehi et al., 2017)."""
    _, both, whole = _tversky_parts(y_true, y_pred, alpha, beta, axis)
    return (1 - both / whole).squeeze(_as_axis(axis))


@saving.builtin("keras.losses")
class Tversky(_Overlap):
    """`1 - both / (both + alpha * missed + beta * wrong)` of two sets (Salehi et al., 2017).

    Args:
        alpha: How much what y_pred lacks of y_true counts.
        beta: How much what y_pred has beyond y_true counts.
        reduction, name, dtype: As in `Loss`.
        axis: The axis or axes of the sums; all if None, which gives one value for the whole batch.
    """

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "tversky",
        axis: Any = None,
        dtype: Any = None,
    ):
        super().__init__(tversky, reduction, name, dtype, alpha=alpha, beta=beta, axis=axis)
        self.alpha, self.beta, self.axis = alpha, beta, axis
