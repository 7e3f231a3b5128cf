"""Losses of probabilities of classes: crossentropies, and the Kullback-Leibler divergence."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from recurra import config as settings
from recurra import ops, saving
from recurra._arrays import as_integers
from recurra._checks import expected, number
from recurra.losses.base import SUM_OVER_BATCH_SIZE, LossFunctionWrapper, LossOverClasses
from recurra.losses.functions import (
    Sizes,
    Values,
    arrays,
    axis_last,
    cut_probability,
    float_arrays,
    is_one_for_each_row,
    with_gradient,
)


def _cut(x: np.ndarray) -> np.ndarray:
    """Returns x cut to [epsilon, 1], in its own dtype."""
    return np.clip(x, np.asarray(settings.epsilon(), x.dtype), np.asarray(1, x.dtype))


def _kl_gradient(y_true: Any, y_pred: Any) -> np.ndarray:
    y_true, y_pred = arrays(y_true, y_pred)
    inside = (y_pred >= settings.epsilon()) & (y_pred <= 1)
    return np.where(inside, -_cut(y_true) / _cut(y_pred), 0).astype(y_pred.dtype)


@with_gradient(_kl_gradient)
def kl_divergence(y_true: Any, y_pred: Any) -> Values:
    """`sum(y_true * log(y_true / y_pred))`, both cut to [epsilon, 1]."""
    y_true, y_pred = arrays(y_true, y_pred)
    y_true, y_pred = _cut(y_true), _cut(y_pred)
    return (y_true * ops.log(y_true / y_pred)).sum(axis=-1)


@saving.builtin("keras.losses")
class KLDivergence(LossFunctionWrapper):
    """`sum(y_true * log(y_true / y_pred))`: how far a distribution is from the true one.

    Args:
        reduction, name, dtype: As in `Loss`.

    Call:
        y_true: (N, ..., C), one-hot or shares.
        y_pred: (N, ..., C), probabilities of the C classes.
    """

    def __init__(
        self, reduction: str | None = SUM_OVER_BATCH_SIZE, name: str | None = "kl_divergence", dtype: Any = None
    ):
        super().__init__(kl_divergence, reduction, name, dtype)


def _are_classes(true: Sizes, pred: Sizes) -> bool:
    """Returns whether each row of predictions, of more than one class, has as many targets."""
    return true == pred and pred[-1] > 1


def _check_same_shape(who: str, y_true: np.ndarray, y_pred: np.ndarray) -> None:
    if y_pred.shape[-1] == 1:
        warnings.warn(
            f"{who} expected y_pred of shape (N, ..., classes) with more than one class, got {y_pred.shape}: "
            "it is zero whatever the model says. For two classes use binary_crossentropy.",
            SyntaxWarning,
            stacklevel=4,
        )
    if y_true.shape != y_pred.shape:
        are_labels = y_true.shape in (y_pred.shape[:-1], (*y_pred.shape[:-1], 1))
        hint = "labels that are whole numbers are for sparse_categorical_crossentropy" if are_labels else None
        raise ValueError(expected(who, f"y_true of shape {y_pred.shape}", y_true.shape, hint))


def _smoothed_classes(y_true: np.ndarray, label_smoothing: float) -> np.ndarray:
    return y_true * (1 - label_smoothing) + label_smoothing / y_true.shape[-1] if label_smoothing else y_true


def _categorical_gradient(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0
) -> np.ndarray:
    y_true, y_pred = arrays(y_true, y_pred)
    y_true = _smoothed_classes(y_true, label_smoothing)
    if from_logits:
        return ops.activation_forward("softmax", y_pred) * y_true.sum(axis=-1, keepdims=True) - y_true
    total = y_pred.sum(axis=-1, keepdims=True)
    share = y_pred / total
    cut, inside = cut_probability(share)
    dshare = np.where(inside, -y_true / cut, 0).astype(y_pred.dtype)
    return (dshare - (dshare * share).sum(axis=-1, keepdims=True)) / total


@with_gradient(_categorical_gradient, fused=_are_classes, checks_shapes=True)
def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Values:
    """`-sum(y_true * log(y_pred / sum(y_pred)))` over the classes, the shares cut to [epsilon, 1 - epsilon].

    For the options see `CategoricalCrossentropy`.
    """
    y_true, y_pred = axis_last(*float_arrays(y_true, y_pred), axis)
    _check_same_shape("categorical_crossentropy", y_true, y_pred)
    y_true = _smoothed_classes(y_true, label_smoothing)
    if from_logits:
        return -(y_true * ops.activation_forward("log_softmax", y_pred)).sum(axis=-1)
    share, _ = cut_probability(y_pred / y_pred.sum(axis=-1, keepdims=True))
    return -(y_true * ops.log(share)).sum(axis=-1)


@saving.builtin("keras.losses")
class CategoricalCrossentropy(LossOverClasses):
    """`-sum(y_true * log(y_pred))` over the classes, for one-hot labels.

    Args:
        from_logits: Whether y_pred are any numbers, and go through a softmax first.
        label_smoothing: 0.1 takes 0.1 from the label, and shares it out among all classes.
        axis: The axis of the classes.
        reduction, name, dtype: As in `Loss`.

    Call:
        y_true: (N, ..., C), one-hot or shares.
        y_pred: (N, ..., C), probabilities of the C classes.

    Raises:
        ValueError: For labels that are whole numbers: those are for `SparseCategoricalCrossentropy`.
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
    ):
        super().__init__(
            categorical_crossentropy,
            reduction,
            name,
            dtype,
            axis,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
        )


def _labels(
    who: str, y_true: Any, y_pred: Any, ignore_class: int | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the labels, the predictions, and where a label counts; ValueError if the labels do not fit."""
    y_pred = np.asarray(y_pred)
    y_true = np.asarray(y_true)
    if y_true.ndim == y_pred.ndim and y_true.shape[-1] == 1:
        y_true = y_true[..., 0]
    if y_true.shape != y_pred.shape[:-1]:
        one_hot = "one-hot labels are for categorical_crossentropy, or give y.argmax(axis=-1)"
        hint = one_hot if y_true.shape == y_pred.shape else None
        raise ValueError(expected(who, f"y_true of shape {y_pred.shape[:-1]}", y_true.shape, hint))
    labels = as_integers(y_true, f"y_true of {who}")
    counts = np.ones(labels.shape, bool) if ignore_class is None else labels != ignore_class
    labels = np.where(counts, labels, 0)
    classes = y_pred.shape[-1]
    if labels.size and (labels.min() < 0 or labels.max() >= classes):
        wrong = y_true[(labels < 0) | (labels >= classes)][0]
        hint = "labels begin at 0, and the last layer has a unit for each"
        raise ValueError(expected(who, f"labels from 0 to {classes - 1}", wrong, hint))
    return labels, y_pred, counts


def _at_labels(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return np.take_along_axis(values, labels[..., None], axis=-1)[..., 0]


def _sparse_gradient(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None
) -> np.ndarray:
    labels, y_pred, counts = _labels("sparse_categorical_crossentropy", y_true, y_pred, ignore_class)
    if from_logits:
        gradient = ops.activation_forward("softmax", y_pred)
        less = y_pred.dtype.type(1)
    else:
        cut, inside = cut_probability(y_pred)
        gradient = inside * (1 / cut.sum(axis=-1, keepdims=True))
        less = _at_labels(inside, labels) / _at_labels(cut, labels)
    at_labels = _at_labels(gradient, labels) - less  # the other classes need no labels
    np.put_along_axis(gradient, labels[..., None], at_labels[..., None], axis=-1)
    gradient[~counts] = 0
    return gradient


@with_gradient(_sparse_gradient, fused=is_one_for_each_row, checks_shapes=True)
def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> Values:
    """The categorical crossentropy for labels that are whole numbers; zero where the label is `ignore_class`.

    For `from_logits` and `axis` see `SparseCategoricalCrossentropy`.
    """
    y_true, y_pred = axis_last(y_true, y_pred, axis)
    labels, y_pred, counts = _labels("sparse_categorical_crossentropy", y_true, y_pred, ignore_class)
    if from_logits:
        values = -_at_labels(ops.activation_forward("log_softmax", y_pred), labels)
    else:
        cut, _ = cut_probability(y_pred)
        values = ops.log(np.ascontiguousarray(cut.sum(axis=-1))) - ops.log(_at_labels(cut, labels))
        values = values.reshape(labels.shape)  # a single one has no axis; native code has made one
    return np.where(counts, values, 0).astype(y_pred.dtype)


@saving.builtin("keras.losses")
class SparseCategoricalCrossentropy(LossOverClasses):
    """`-log(y_pred[label])`, for labels that are whole numbers.

    Args:
        from_logits: Whether y_pred are any numbers, and go through a softmax first.
        ignore_class: A label whose samples do not count, or None.
        axis: The axis of the classes.
        reduction, name, dtype: As in `Loss`.

    Call:
        y_true: (N, ...) or (N, ..., 1), from 0 to C - 1.
        y_pred: (N, ..., C), probabilities of the C classes.

    Raises:
        ValueError: For labels outside, and for one-hot ones: those are for `CategoricalCrossentropy`.
    """

    _left_out = ("axis",)

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        axis: int = -1,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
    ):
        super().__init__(
            sparse_categorical_crossentropy,
            reduction,
            name,
            dtype,
            axis,
            from_logits=from_logits,
            ignore_class=ignore_class,
        )
        self.ignore_class = ignore_class

    def own_mask(self, y_true: Any, y_pred: Any) -> np.ndarray | None:
        if self.ignore_class is None:
            return None
        y_true = np.asarray(y_true)
        y_true = y_true[..., 0] if y_true.ndim == np.ndim(y_pred) else y_true
        return y_true != self.ignore_class


def _categorical_focal_parts(
    y_true: Any, y_pred: Any, from_logits: bool, label_smoothing: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    y_true, y_pred = float_arrays(y_true, y_pred)
    _check_same_shape("categorical_focal_crossentropy", y_true, y_pred)
    y_true = _smoothed_classes(y_true, label_smoothing)
    share = ops.activation_forward("softmax", y_pred) if from_logits else y_pred
    total = share.sum(axis=-1, keepdims=True)
    return y_true, share / total, total


def _categorical_focal_gradient(
    y_true: Any,
    y_pred: Any,
    alpha: Any = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
) -> np.ndarray:
    y_true, share, total = _categorical_focal_parts(y_true, y_pred, from_logits, label_smoothing)
    cut, inside = cut_probability(share)
    full = gamma * ops.power(1 - cut, gamma - 1) * ops.log(cut) - ops.power(1 - cut, gamma) / cut
    dshare = np.where(inside, np.asarray(alpha, cut.dtype) * y_true * full, 0).astype(cut.dtype)
    centred = dshare - (dshare * share).sum(axis=-1, keepdims=True)
    return share * centred if from_logits else centred / total


@with_gradient(_categorical_focal_gradient, checks_shapes=True)
def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: Any = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Values:
    """`-sum(alpha * (1 - p)**gamma * y_true * log(p))` over the classes (Lin et al., 2017).

    For the options see `CategoricalFocalCrossentropy`.
    """
    y_true, y_pred = axis_last(y_true, y_pred, axis)
    y_true, share, _ = _categorical_focal_parts(y_true, y_pred, from_logits, label_smoothing)
    cut, _ = cut_probability(share)
    return -(np.asarray(alpha, cut.dtype) * ops.power(1 - cut, gamma) * y_true * ops.log(cut)).sum(axis=-1)


@saving.builtin("keras.losses")
class CategoricalFocalCrossentropy(LossOverClasses):
    """`-sum(alpha * (1 - p)**gamma * y_true * log(p))` over the classes (Lin et al., 2017).

    Args:
        alpha: One factor, or one for each class.
        gamma: The larger, the less do samples count that are easily told.
        from_logits, label_smoothing, axis: As in `CategoricalCrossentropy`.
        reduction, name, dtype: As in `Loss`.
    """

    def __init__(
        self,
        alpha: Any = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "categorical_focal_crossentropy",
        dtype: Any = None,
    ):
        super().__init__(
            categorical_focal_crossentropy,
            reduction,
            name,
            dtype,
            axis,
            alpha=alpha,
            gamma=gamma,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
        )


def _generalized_gradient(y_true: Any, y_pred: Any, q: float = 0.5) -> np.ndarray:
    labels, y_pred, _ = _labels("categorical_generalized_cross_entropy", y_true, y_pred)
    right = labels[..., None] == np.arange(y_pred.shape[-1])
    return np.where(right, -ops.power(y_pred, q - 1), 0).astype(y_pred.dtype)


@with_gradient(_generalized_gradient, checks_shapes=True)
def categorical_generalized_cross_entropy(y_true: Any, y_pred: Any, q: float = 0.5) -> Values:
    """`(1 - p**q) / q`, p the prediction at the label: robust against wrong labels (Zhang and Sabuncu, 2018)."""
    labels, y_pred, _ = _labels("categorical_generalized_cross_entropy", y_true, y_pred)
    return (1 - ops.power(_at_labels(y_pred, labels), q)) / q


@saving.builtin("keras.losses")
class CategoricalGeneralizedCrossEntropy(LossFunctionWrapper):
    """`(1 - p**q) / q`, p the prediction at the label: robust against wrong labels (Zhang and Sabuncu, 2018).

    Args:
        q: Between 0, as the crossentropy, and 1, as the absolute error.
        reduction, name, dtype: As in `Loss`.

    Call:
        y_true, y_pred: As in `SparseCategoricalCrossentropy`.

    Raises:
        ValueError: For q outside.
    """

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "categorical_generalized_cross_entropy",
        dtype: Any = None,
    ):
        q = number("CategoricalGeneralizedCrossEntropy", "q", q)
        if not 0 < q < 1:
            raise ValueError(expected("CategoricalGeneralizedCrossEntropy", "q between 0 and 1", q))
        super().__init__(categorical_generalized_cross_entropy, reduction, name, dtype, q=q)
        self.q = q
