"""Crossentropies of labels 0 and 1."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra import ops, saving
from recurra._checks import expected
from recurra.losses.base import SUM_OVER_BATCH_SIZE, LossOverClasses
from recurra.losses.functions import (
    Values,
    are_matched,
    arrays,
    axis_last,
    cut_probability,
    gradient_of_mean,
    with_gradient,
)


def _smoothed_binary(y_true: np.ndarray, label_smoothing: float) -> np.ndarray:
    return y_true * (1 - label_smoothing) + 0.5 * label_smoothing if label_smoothing else y_true


def _binary_values(t: np.ndarray, p: np.ndarray, from_logits: bool) -> np.ndarray:
    if from_logits:
        return np.maximum(p, 0) - p * t + ops.activation_forward("softplus", -np.abs(p))
    cut, _ = cut_probability(p)
    return -(t * ops.log(cut) + (1 - t) * ops.log(1 - cut))


def _binary_derivative(t: np.ndarray, p: np.ndarray, from_logits: bool) -> np.ndarray:
    if from_logits:
        return ops.sigmoid(p) - t
    cut, inside = cut_probability(p)
    return np.where(inside, (1 - t) / (1 - cut) - t / cut, 0).astype(p.dtype)


@with_gradient(
    gradient_of_mean(
        lambda t, p, from_logits=False, label_smoothing=0.0: _binary_derivative(
            _smoothed_binary(t, label_smoothing), p, from_logits
        )
    ),
    fused=are_matched,
)
def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Values:
    """`-mean(y_true * log(y_pred) + (1 - y_true) * log(1 - y_pred))`; y_pred is cut to [epsilon, 1 - epsilon].

    For `from_logits`, `label_smoothing` and `axis` see the loss `BinaryCrossentropy`.
    """
    y_true, y_pred = axis_last(*arrays(y_true, y_pred), axis)
    if y_true.ndim == y_pred.ndim and y_true.shape != y_pred.shape:
        raise ValueError(expected("binary_crossentropy", f"y_true of shape {y_pred.shape}", y_true.shape))
    return _binary_values(_smoothed_binary(y_true, label_smoothing), y_pred, from_logits).mean(axis=-1)


@saving.builtin("keras.losses")
class BinaryCrossentropy(LossOverClasses):
    """`-mean(y_true * log(y_pred) + (1 - y_true) * log(1 - y_pred))`, for labels 0 and 1.

    Args:
        from_logits: Whether y_pred are any numbers, and go through a sigmoid first.
        label_smoothing: 0.1 makes 0.05 of the label 0 and 0.95 of 1.
        axis: The axis over which the first mean is.
        reduction, name, dtype: As in `Loss`.

    Call:
        y_true: (N, ..., D), 0 or 1, or a number between.
        y_pred: (N, ..., D), probabilities of 1.
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
    ):
        super().__init__(
            binary_crossentropy,
            reduction,
            name,
            dtype,
            axis,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
        )


def _focal_parts(
    y_true: np.ndarray, y_pred: np.ndarray, from_logits: bool, label_smoothing: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    t = _smoothed_binary(y_true, label_smoothing)
    p = ops.sigmoid(y_pred) if from_logits else y_pred
    return t, p, t * p + (1 - t) * (1 - p)


def _focal_gradient(
    t: np.ndarray,
    p: np.ndarray,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
) -> np.ndarray:
    t, p, right = _focal_parts(t, p, from_logits, label_smoothing)
    factor = ops.power(1 - right, gamma)
    dfactor = -gamma * ops.power(1 - right, gamma - 1) * (2 * t - 1)
    dp = dfactor * _binary_values(t, p, False) + factor * _binary_derivative(t, p, False)
    if apply_class_balancing:
        dp = dp * (t * alpha + (1 - t) * (1 - alpha))
    return dp * p * (1 - p) if from_logits else dp


@with_gradient(gradient_of_mean(_focal_gradient))
def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Values:
    """`(1 - p_t)**gamma` times the binary crossentropy (Lin et al., 2017); options as in `BinaryFocalCrossentropy`."""
    y_true, y_pred = axis_last(*arrays(y_true, y_pred), axis)
    t, p, right = _focal_parts(y_true, y_pred, from_logits, label_smoothing)
    values = ops.power(1 - right, gamma) * _binary_values(t, p, False)
    if apply_class_balancing:
        values = values * (t * alpha + (1 - t) * (1 - alpha))
    return values.mean(axis=-1)


@saving.builtin("keras.losses")
class BinaryFocalCrossentropy(LossOverClasses):
    """The binary crossentropy times `(1 - p)**gamma`, p the prediction of the right label (Lin et al., 2017).

    Args:
        apply_class_balancing: Weigh the label 1 by alpha, and 0 by 1 - alpha.
        alpha, gamma: As above.
        from_logits, label_smoothing, axis: As in `BinaryCrossentropy`.
        reduction, name, dtype: As in `Loss`.
    """

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "binary_focal_crossentropy",
        dtype: Any = None,
    ):
        super().__init__(
            binary_focal_crossentropy,
            reduction,
            name,
            dtype,
            axis,
            apply_class_balancing=apply_class_balancing,
            alpha=alpha,
            gamma=gamma,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
        )
