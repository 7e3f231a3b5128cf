"""Losses of numbers: means of errors, angles between vectors, quantiles."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from recurra import config as settings
from recurra import ops, saving
from recurra._checks import expected, fraction
from recurra.losses.base import SUM_OVER_BATCH_SIZE, LossFunctionWrapper
from recurra.losses.functions import (
    Values,
    are_matched,
    arrays,
    gradient_of_mean,
    is_one_for_each_row,
    with_gradient,
)


@with_gradient(gradient_of_mean(lambda t, p: 2 * (p - t)), fused=are_matched)
def mean_squared_error(y_true: Any, y_pred: Any) -> Values:
    """`mean((y_true - y_pred)**2)`."""
    y_true, y_pred = arrays(y_true, y_pred)
    return np.square(y_true - y_pred).mean(axis=-1)


@saving.builtin("keras.losses")
class MeanSquaredError(LossFunctionWrapper):
    """`mean((y_true - y_pred)**2)` over the last axis, then over the samples.

    Args:
        reduction, name, dtype: As in `Loss`.

    Call:
        y_true, y_pred: (N, ..., D), of one shape.
    """

    def __init__(
        self, reduction: str | None = SUM_OVER_BATCH_SIZE, name: str | None = "mean_squared_error", dtype: Any = None
    ):
        super().__init__(mean_squared_error, reduction, name, dtype)


@with_gradient(gradient_of_mean(lambda t, p: np.sign(p - t)), fused=are_matched)
def mean_absolute_error(y_true: Any, y_pred: Any) -> Values:
    """`mean(|y_true - y_pred|)`."""
    y_true, y_pred = arrays(y_true, y_pred)
    return np.abs(y_true - y_pred).mean(axis=-1)


@saving.builtin("keras.losses")
class MeanAbsoluteError(LossFunctionWrapper):
    """`mean(|y_true - y_pred|)` over the last axis, then over the samples.

    Args:
        reduction, name, dtype: As in `Loss`.

    Call:
        y_true, y_pred: (N, ..., D), of one shape.
    """

    def __init__(
        self, reduction: str | None = SUM_OVER_BATCH_SIZE, name: str | None = "mean_absolute_error", dtype: Any = None
    ):
        super().__init__(mean_absolute_error, reduction, name, dtype)


@with_gradient(gradient_of_mean(lambda t, p: 100 * np.sign(p - t) / np.maximum(np.abs(t), settings.epsilon())))
def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Values:
    """`100 * mean(|y_true - y_pred| / max(|y_true|, epsilon))`."""
    y_true, y_pred = arrays(y_true, y_pred)
    return 100 * np.abs((y_true - y_pred) / np.maximum(np.abs(y_true), settings.epsilon())).mean(axis=-1)


@saving.builtin("keras.losses")
class MeanAbsolutePercentageError(LossFunctionWrapper):
    """`100 * mean(|y_true - y_pred| / |y_true|)` over the last axis, then over the samples.

    Args:
        reduction, name, dtype: As in `Loss`.

    Call:
        y_true, y_pred: (N, ..., D), of one shape.
    """

    def __init__(
        self,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "mean_absolute_percentage_error",
        dtype: Any = None,
    ):
        super().__init__(mean_absolute_percentage_error, reduction, name, dtype)


def _log1p_clipped(x: np.ndarray) -> np.ndarray:
    return ops.log(np.maximum(x, settings.epsilon()) + 1)


@with_gradient(
    gradient_of_mean(
        lambda t, p: np.where(p > settings.epsilon(), 2 * (_log1p_clipped(p) - _log1p_clipped(t)) / (p + 1), 0)
    )
)
def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Values:
    """`mean((log(y_true + 1) - log(y_pred + 1))**2)`, both cut below at epsilon."""
    y_true, y_pred = arrays(y_true, y_pred)
    return np.square(_log1p_clipped(y_pred) - _log1p_clipped(y_true)).mean(axis=-1)


@saving.builtin("keras.losses")
class MeanSquaredLogarithmicError(LossFunctionWrapper):
    """`mean((log(y_true + 1) - log(y_pred + 1))**2)` over the last axis, then over the samples.

    Args:
        reduction, name, dtype: As in `Loss`.

    Call:
        y_true, y_pred: (N, ..., D), of one shape.
    """

    def __init__(
        self,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "mean_squared_logarithmic_error",
        dtype: Any = None,
    ):
        super().__init__(mean_squared_logarithmic_error, reduction, name, dtype)


@with_gradient(gradient_of_mean(lambda t, p, delta=1.0: np.clip(p - t, -delta, delta)), fused=are_matched)
def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Values:
    """`e**2 / 2` where |e| <= delta, else `delta * |e| - delta**2 / 2`; the mean of it (Huber, 1964)."""
    y_true, y_pred = arrays(y_true, y_pred)
    error = np.abs(y_pred - y_true)
    return np.where(error <= delta, 0.5 * np.square(error), delta * error - 0.5 * delta * delta).mean(axis=-1)


@saving.builtin("keras.losses")
class Huber(LossFunctionWrapper):
    """Squared for small errors, linear for large ones, which thus count less than in the squared error (Huber, 1964).

    Args:
        delta: The error from which on it is linear: `e**2 / 2` below, `delta * |e| - delta**2 / 2` above.
        reduction, name, dtype: As in `Loss`.

    Call:
        y_true, y_pred: (N, ..., D), of one shape.

    Raises:
        ValueError: If delta is not a number above zero.
    """

    _left_out = ("delta",)

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "huber_loss",
        dtype: Any = None,
    ):
        if not isinstance(delta, numbers.Real) or not delta > 0:
            raise ValueError(expected("Huber", "delta to be a number above zero", repr(delta)))
        super().__init__(huber, reduction, name, dtype, delta=delta)


@with_gradient(gradient_of_mean(lambda t, p: ops.tanh(p - t)))
def log_cosh(y_true: Any, y_pred: Any) -> Values:
    """`mean(log(cosh(y_pred - y_true)))`."""
    y_true, y_pred = arrays(y_true, y_pred)
    error = y_pred - y_true
    return (error + ops.activation_forward("softplus", -2 * error) - np.log(2).astype(error.dtype)).mean(axis=-1)


@saving.builtin("keras.losses")
class LogCosh(LossFunctionWrapper):
    """`mean(log(cosh(y_pred - y_true)))`: about squared for small errors, linear for large ones.

    Args:
        reduction, name, dtype: As in `Loss`.

    Call:
        y_true, y_pred: (N, ..., D), of one shape.
    """

    def __init__(self, reduction: str | None = SUM_OVER_BATCH_SIZE, name: str | None = "log_cosh", dtype: Any = None):
        super().__init__(log_cosh, reduction, name, dtype)


def _unit(x: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    norms = np.maximum(np.sqrt(np.square(x).sum(axis=axis, keepdims=True)), x.dtype.type(settings.epsilon()))
    return x / norms, norms


def _cosine_gradient(y_true: Any, y_pred: Any, axis: int = -1) -> np.ndarray:
    y_true, y_pred = arrays(y_true, y_pred)
    unit_true, _ = _unit(y_true, axis)
    unit_pred, norms = _unit(y_pred, axis)
    along = np.where(
        norms > norms.dtype.type(settings.epsilon()), (unit_true * unit_pred).sum(axis=axis, keepdims=True), 0
    )
    return -(unit_true - unit_pred * along) / norms


@with_gradient(_cosine_gradient)
def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Values:
    """Minus the cosine of the angle between the two, along `axis`."""
    y_true, y_pred = arrays(y_true, y_pred)
    return -(_unit(y_true, axis)[0] * _unit(y_pred, axis)[0]).sum(axis=axis)


@saving.builtin("keras.losses")
class CosineSimilarity(LossFunctionWrapper):
    """Minus the cosine of the angle between the two: -1 where they point the same way.

    Args:
        axis: The axis of the vectors.
        reduction, name, dtype: As in `Loss`.

    Call:
        y_true, y_pred: (N, ..., D), of one shape.
    """

    _left_out = ("axis",)

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "cosine_similarity",
        dtype: Any = None,
    ):
        super().__init__(cosine_similarity, reduction, name, dtype, axis=axis)
        self.axis = axis

    def reduced_axes(self, y_pred: np.ndarray) -> tuple[int, ...]:
        return (self.axis % y_pred.ndim,)


@with_gradient(gradient_of_mean(lambda t, p: 1 - t / (p + settings.epsilon())))
def poisson(y_true: Any, y_pred: Any) -> Values:
    """`mean(y_pred - y_true * log(y_pred + epsilon))`."""
    y_true, y_pred = arrays(y_true, y_pred)
    return (y_pred - y_true * ops.log(y_pred + settings.epsilon())).mean(axis=-1)


@saving.builtin("keras.losses")
class Poisson(LossFunctionWrapper):
    """`mean(y_pred - y_true * log(y_pred))`, for counts.

    Args:
        reduction, name, dtype: As in `Loss`.

    Call:
        y_true, y_pred: (N, ..., D), of one shape.
    """

    def __init__(self, reduction: str | None = SUM_OVER_BATCH_SIZE, name: str | None = "poisson", dtype: Any = None):
        super().__init__(poisson, reduction, name, dtype)


def _quantile_levels(y_pred: np.ndarray, quantiles: Any) -> np.ndarray:
    levels = np.asarray(quantiles, y_pred.dtype)
    if levels.ndim != 1 or y_pred.shape[-1] != len(levels):
        raise ValueError(expected("pinball", f"{levels.size} values on the last axis of y_pred", y_pred.shape))
    return levels


def _expanded(y_true: Any, y_pred: np.ndarray) -> np.ndarray:
    y_true = np.asarray(y_true, y_pred.dtype)
    return y_true[..., None] if y_true.ndim == y_pred.ndim - 1 else y_true


def _pinball_gradient(y_true: Any, y_pred: Any, quantiles: Any = (0.5,)) -> np.ndarray:
    y_pred = np.asarray(y_pred)
    levels = _quantile_levels(y_pred, quantiles)
    above = _expanded(y_true, y_pred) > y_pred
    return (np.where(above, -levels, 1 - levels) / len(levels)).astype(y_pred.dtype)


@with_gradient(_pinball_gradient, fused=is_one_for_each_row, checks_shapes=True)
def pinball(y_true: Any, y_pred: Any, quantiles: Any = (0.5,)) -> Values:
    """Mean over the quantiles q of `max(q * e, (q - 1) * e)`, e = y_true - y_pred (Koenker and Bassett, 1978).

    Args:
        y_true: (...,) or (..., 1).
        y_pred: (..., Q), one value for each quantile.
        quantiles: Q numbers between 0 and 1.

    Returns:
        Values of the shape of y_pred without its last axis, of its dtype.

    Raises:
        ValueError: If the shapes do not belong together, or there are not Q quantiles.
    """
    y_pred = np.asarray(y_pred)
    levels = _quantile_levels(y_pred, quantiles)
    error = _expanded(y_true, y_pred) - y_pred
    return np.maximum(levels * error, (levels - 1) * error).mean(axis=-1)


@saving.builtin("recurra.losses")
class Pinball(LossFunctionWrapper):
    """The quantile loss; see `pinball`.

    Args:
        quantiles: Numbers between 0 and 1, one for each value on the last axis of y_pred.
        reduction, name, dtype: As in `Loss`.

    Raises:
        ValueError: For anything else.
    """

    def __init__(
        self,
        quantiles: Any = (0.5,),
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "pinball",
        dtype: Any = None,
    ):
        levels = [fraction("Pinball", "each of the quantiles", q) for q in np.ravel(quantiles).tolist()]
        super().__init__(pinball, reduction, name, dtype, quantiles=levels)
