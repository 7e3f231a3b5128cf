"""Hinge losses: zero where a prediction is on the right side by a margin."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra import saving
from recurra.losses.base import SUM_OVER_BATCH_SIZE, LossFunctionWrapper
from recurra.losses.functions import Values, arrays, gradient_of_mean, with_gradient


def _sign_labels(y_true: np.ndarray) -> np.ndarray:
    """Returns labels 0 and 1 as -1 and 1, others as they are."""
    binary = np.isin(y_true, (0, 1)).all()
    return 2 * y_true - 1 if binary else y_true


def _hinge_gradient(t: np.ndarray, p: np.ndarray) -> np.ndarray:
    t = _sign_labels(t)
    return np.where(1 - t * p > 0, -t, 0).astype(p.dtype)


@with_gradient(gradient_of_mean(_hinge_gradient))
def hinge(y_true: Any, y_pred: Any) -> Values:
    """`mean(max(1 - y_true * y_pred, 0))`; labels 0 and 1 become -1 and 1."""
    y_true, y_pred = arrays(y_true, y_pred)
    return np.maximum(1 - _sign_labels(y_true) * y_pred, 0).mean(axis=-1)


@saving.builtin("keras.losses")
class Hinge(LossFunctionWrapper):
    """`mean(max(1 - y_true * y_pred, 0))`; labels are -1 and 1, or 0 and 1.

    Args:
        reduction, name, dtype: As in `Loss`.

    Call:
        y_true, y_pred: (N, ..., D), of one shape.
    """

    def __init__(self, reduction: str | None = SUM_OVER_BATCH_SIZE, name: str | None = "hinge", dtype: Any = None):
        super().__init__(hinge, reduction, name, dtype)


@with_gradient(gradient_of_mean(lambda t, p: -2 * _sign_labels(t) * np.maximum(1 - _sign_labels(t) * p, 0)))
def squared_hinge(y_true: Any, y_pred: Any) -> Values:
    """`mean(max(1 - y_true * y_pred, 0)**2)`; labels 0 and 1 become -1 and 1."""
    y_true, y_pred = arrays(y_true, y_pred)
    return np.square(np.maximum(1 - _sign_labels(y_true) * y_pred, 0)).mean(axis=-1)


@saving.builtin("keras.losses")
class SquaredHinge(LossFunctionWrapper):
    """`mean(max(1 - y_true * y_pred, 0)**2)`; labels are -1 and 1, or 0 and 1.

    Args:
        reduction, name, dtype: As in `Loss`.

    Call:
        y_true, y_pred: (N, ..., D), of one shape.
    """

    def __init__(
        self, reduction: str | None = SUM_OVER_BATCH_SIZE, name: str | None = "squared_hinge", dtype: Any = None
    ):
        super().__init__(squared_hinge, reduction, name, dtype)


def _categorical_hinge_gradient(y_true: Any, y_pred: Any) -> np.ndarray:
    y_true, y_pred = arrays(y_true, y_pred)
    others = (1 - y_true) * y_pred
    largest = others == others.max(axis=-1, keepdims=True)
    full = (1 - y_true) * largest / largest.sum(axis=-1, keepdims=True) - y_true
    return np.where(categorical_hinge(y_true, y_pred)[..., None] > 0, full, 0).astype(y_pred.dtype)


@with_gradient(_categorical_hinge_gradient)
def categorical_hinge(y_true: Any, y_pred: Any) -> Values:
    """`max(max((1 - y_true) * y_pred) - sum(y_true * y_pred) + 1, 0)`."""
    y_true, y_pred = arrays(y_true, y_pred)
    right = (y_true * y_pred).sum(axis=-1)
    wrong = ((1 - y_true) * y_pred).max(axis=-1)
    return np.maximum(wrong - right + 1, 0)


@saving.builtin("keras.losses")
class CategoricalHinge(LossFunctionWrapper):
    """`max(max((1 - y_true) * y_pred) - sum(y_true * y_pred) + 1, 0)`.

    Args:
        reduction, name, dtype: As in `Loss`.

    Call:
        y_true: (N, ..., C), one-hot or shares.
        y_pred: (N, ..., C), numbers for the C classes.
    """

    def __init__(
        self, reduction: str | None = SUM_OVER_BATCH_SIZE, name: str | None = "categorical_hinge", dtype: Any = None
    ):
        super().__init__(categorical_hinge, reduction, name, dtype)
