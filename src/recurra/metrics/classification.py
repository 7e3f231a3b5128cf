"""Metrics of classes that are means over samples: accuracies, hinges and crossentropies."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from recurra import losses, saving
from recurra._arrays import check_unmasked, giving_arrays
from recurra._checks import expected
from recurra.losses.functions import check_broadcast, match_ranks, of_numbers
from recurra.metrics.base import MeanMetricWrapper, weights_times


def _matched(y_true: Any, y_pred: Any) -> tuple[np.ndarray, np.ndarray]:
    """Returns both as arrays of equal ranks; ValueError if they do not broadcast."""
    true, pred = match_ranks(np.asarray(y_true), np.asarray(y_pred))
    check_broadcast(true.shape, pred.shape)
    return true, pred


@giving_arrays
def accuracy(y_true: Any, y_pred: Any) -> np.ndarray:
    """1 where the two are equal, else 0: float64, of their shape."""
    for given in (y_true, y_pred):
        check_unmasked(given, "accuracy")
    y_true, y_pred = _matched(y_true, y_pred)
    return (y_true == y_pred).astype(float)


@of_numbers
def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> np.ndarray:
    """1 where `y_pred > threshold` is y_true, else 0: float64, of their shape."""
    y_true, y_pred = _matched(y_true, y_pred)
    return (y_true == (y_pred > threshold)).astype(float)


@of_numbers
def categorical_accuracy(y_true: Any, y_pred: Any) -> np.ndarray:
    """1 where the largest of y_pred is that of y_true, (N, ..., classes) both, else 0: float64 (N, ...).

    Raises:
        ValueError: For labels that are whole numbers: `sparse_categorical_accuracy` takes these.
    """
    return (_one_hot_labels("categorical_accuracy", y_true, y_pred) == np.argmax(y_pred, axis=-1)).astype(float)


def _one_hot_labels(who: str, y_true: Any, y_pred: Any) -> np.ndarray:
    """Returns the labels of rows that have a number for each class; ValueError for labels that are whole numbers."""
    if np.ndim(y_true) != np.ndim(y_pred):
        hint = f"labels that are whole numbers are for sparse_{who}"
        raise ValueError(expected(who, f"y_true of shape {np.shape(y_pred)}", np.shape(y_true), hint))
    check_broadcast(np.shape(y_true), (*np.shape(y_pred)[:-1], *np.shape(y_true)[-1:]))
    return np.argmax(y_true, axis=-1)


def _whole_labels(who: str, y_true: Any, y_pred: Any) -> np.ndarray:
    """Returns labels that are whole numbers without a last axis of one; ValueError unless there is one for each row."""
    y_true = np.asarray(y_true)
    labels = y_true[..., 0] if y_true.ndim == np.ndim(y_pred) and y_true.shape[-1] == 1 else y_true
    if labels.size != math.prod(np.shape(y_pred)[:-1]):
        hint = f"one-hot labels are for {who.removeprefix('sparse_')}" if labels.shape == np.shape(y_pred) else None
        raise ValueError(expected(who, f"y_true of shape {np.shape(y_pred)[:-1]}", y_true.shape, hint))
    return labels


@of_numbers
def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> np.ndarray:
    """1 where the largest of y_pred (N, ..., classes) is at the label y_true (N, ...), else 0: float64 (N, ...).

    Raises:
        ValueError: If there is not one label for each row: `categorical_accuracy` takes one-hot ones.
    """
    labels = _whole_labels("sparse_categorical_accuracy", y_true, y_pred)
    return (labels == np.argmax(y_pred, axis=-1)).astype(float)


@of_numbers
def sparse_top_k_categorical_accuracy(
    y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False
) -> np.ndarray:
    """1 where the label y_true is among the k largest of y_pred, or its first k with `from_sorted_ids`: sorted labels.

    A label that is no class, or whose prediction is not finite, is never among them, as in TensorFlow.

    Args:
        y_true: Labels (N, ...).
        y_pred: (N, ..., classes).
        k: How many.
        from_sorted_ids: Whether y_pred has the labels themselves, the best first.

    Returns:
        float64 (N, ...).

    Raises:
        ValueError: If there is not one label for each row.
    """
    y_pred = np.asarray(y_pred)
    labels = _whole_labels("sparse_top_k_categorical_accuracy", y_true, y_pred)
    labels = np.where(np.isfinite(labels), labels, -1).astype(np.int64)
    if from_sorted_ids:
        return (y_pred[..., :k] == labels[..., None]).any(axis=-1).astype(float)
    known = (labels >= 0) & (labels < y_pred.shape[-1])
    at_label = np.take_along_axis(y_pred, np.where(known, labels, 0)[..., None], axis=-1)
    known &= np.isfinite(at_label[..., 0])
    return (known & ((y_pred > at_label).sum(axis=-1) < k)).astype(float)


@of_numbers
def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> np.ndarray:
    """1 where the class of y_true is among the k largest of y_pred, else 0.

    Args:
        y_true: One-hot classes (N, ..., classes).
        y_pred: (N, ..., classes).
        k: How many.

    Returns:
        float64 (N, ...).

    Raises:
        ValueError: For labels that are whole numbers: `sparse_top_k_categorical_accuracy` takes these.
    """
    return sparse_top_k_categorical_accuracy(_one_hot_labels("top_k_categorical_accuracy", y_true, y_pred), y_pred, k)


@saving.builtin("keras.metrics")
class Accuracy(MeanMetricWrapper):
    """How often y_pred equals y_true."""

    def __init__(self, name: str | None = "accuracy", dtype: Any = None):
        super().__init__(accuracy, name, dtype)


@saving.builtin("keras.metrics")
class BinaryAccuracy(MeanMetricWrapper):
    """How often `y_pred > threshold` is y_true; give 0 as the threshold where y_pred are logits."""

    def __init__(self, name: str | None = "binary_accuracy", dtype: Any = None, threshold: float = 0.5):
        super().__init__(binary_accuracy, name, dtype, threshold=threshold)


@saving.builtin("keras.metrics")
class CategoricalAccuracy(MeanMetricWrapper):
    """How often the largest of y_pred is that of y_true."""

    def __init__(self, name: str | None = "categorical_accuracy", dtype: Any = None):
        super().__init__(categorical_accuracy, name, dtype)


@saving.builtin("keras.metrics")
class SparseCategoricalAccuracy(MeanMetricWrapper):
    """How often the largest of y_pred is at the label y_true."""

    def __init__(self, name: str | None = "sparse_categorical_accuracy", dtype: Any = None):
        super().__init__(sparse_categorical_accuracy, name, dtype)


@saving.builtin("keras.metrics")
class TopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the class of y_true is among the k largest of y_pred."""

    def __init__(self, k: int = 5, name: str | None = "top_k_categorical_accuracy", dtype: Any = None):
        super().__init__(top_k_categorical_accuracy, name, dtype, k=k)
        self.k = k


@saving.builtin("keras.metrics")
class SparseTopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the label y_true is among the k largest of y_pred, or its first k with `from_sorted_ids`."""

    def __init__(
        self,
        k: int = 5,
        name: str | None = "sparse_top_k_categorical_accuracy",
        dtype: Any = None,
        from_sorted_ids: bool = False,
    ):
        own = {"from_sorted_ids": True} if from_sorted_ids else {}  # Keras's config forgets it
        super().__init__(sparse_top_k_categorical_accuracy, name, dtype, k=k, **own)
        self.k, self.from_sorted_ids = k, from_sorted_ids


@saving.builtin("keras.metrics")
class Hinge(MeanMetricWrapper):
    """See `losses.hinge`."""

    def __init__(self, name: str | None = "hinge", dtype: Any = None):
        super().__init__(losses.hinge, name, dtype)


@saving.builtin("keras.metrics")
class SquaredHinge(MeanMetricWrapper):
    """See `losses.squared_hinge`."""

    def __init__(self, name: str | None = "squared_hinge", dtype: Any = None):
        super().__init__(losses.squared_hinge, name, dtype)


@saving.builtin("keras.metrics")
class CategoricalHinge(MeanMetricWrapper):
    """See `losses.categorical_hinge`."""

    def __init__(self, name: str | None = "categorical_hinge", dtype: Any = None):
        super().__init__(losses.categorical_hinge, name, dtype)


@saving.builtin("keras.metrics")
class KLDivergence(MeanMetricWrapper):
    """See `losses.kl_divergence`."""

    def __init__(self, name: str | None = "kl_divergence", dtype: Any = None):
        super().__init__(losses.kl_divergence, name, dtype)


@saving.builtin("keras.metrics")
class Poisson(MeanMetricWrapper):
    """See `losses.poisson`."""

    def __init__(self, name: str | None = "poisson", dtype: Any = None):
        super().__init__(losses.poisson, name, dtype)


@saving.builtin("keras.metrics")
class BinaryCrossentropy(MeanMetricWrapper):
    """See `losses.binary_crossentropy`.

    Args:
        name, dtype: As in `Metric`.
        from_logits, label_smoothing: As in `losses.BinaryCrossentropy`.
    """

    def __init__(
        self,
        name: str | None = "binary_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
    ):
        super().__init__(
            losses.binary_crossentropy, name, dtype, from_logits=from_logits, label_smoothing=label_smoothing
        )


@saving.builtin("keras.metrics")
class CategoricalCrossentropy(MeanMetricWrapper):
    """See `losses.categorical_crossentropy`.

    Args:
        name, dtype: As in `Metric`.
        from_logits, label_smoothing: As in `losses.CategoricalCrossentropy`.
        axis: Of the classes.
    """

    def __init__(
        self,
        name: str | None = "categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
    ):
        options: dict[str, Any] = {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
        super().__init__(losses.categorical_crossentropy, name, dtype, **options)


@saving.builtin("keras.metrics")
class SparseCategoricalCrossentropy(MeanMetricWrapper):
    """See `losses.sparse_categorical_crossentropy`; samples of the class `ignore_class` are zero.

    As in Keras, they leave the denominator only where sample weights are given.

    Args:
        name, dtype: As in `Metric`.
        from_logits, ignore_class: As in `losses.SparseCategoricalCrossentropy`.
        axis: Of the classes.
    """

    def __init__(
        self,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ):
        options = {"from_logits": from_logits, "ignore_class": ignore_class, "axis": axis}
        super().__init__(losses.sparse_categorical_crossentropy, name, dtype, **options)
        self._ignore_class, self._axis = ignore_class, axis

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        weighted = sample_weight is not None or getattr(y_pred, "_keras_mask", None) is not None
        if self._ignore_class is not None and weighted:
            classes_last = np.moveaxis(np.asarray(y_pred), self._axis, -1)
            labels = _whole_labels("sparse_categorical_crossentropy", y_true, classes_last)
            sample_weight = weights_times(sample_weight, labels != self._ignore_class)
        super().update_state(y_true, y_pred, sample_weight)
