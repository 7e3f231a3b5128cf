"""Intersection over union of predicted and true classes (Jaccard, 1912)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from recurra import config, saving
from recurra._arrays import Array, as_array, as_numbers
from recurra._checks import expected, positive_int
from recurra.metrics.base import Metric, told_to_fit


@saving.builtin("keras.metrics")
class IoU(Metric):
    """`tp / (tp + fp + fn)`, the mean over those target classes that occur.

    Args:
        num_classes: Number of classes; labels outside 0 to num_classes - 1 do not count.
        target_class_ids: The classes that are averaged.
        name, dtype: As in `Metric`.
        ignore_class: Samples with this true label do not count.
        sparse_y_true, sparse_y_pred: Whether these are labels; otherwise the largest along `axis` is the label.
        axis: Of the classes.
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int] | np.ndarray,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ):
        super().__init__(dtype or "int64", name)
        self.num_classes = positive_int(type(self).__name__, "num_classes", num_classes)
        if np.ndim(target_class_ids) != 1:
            what = "target_class_ids to be a list of classes"
            raise TypeError(
                expected(type(self).__name__, what, repr(target_class_ids), f"write [{target_class_ids!r}]")
            )
        self.target_class_ids = list(target_class_ids)
        if not self.target_class_ids or max(self.target_class_ids) >= num_classes:
            what = f"target_class_ids below {num_classes}, one at least"
            raise ValueError(expected(type(self).__name__, what, target_class_ids))
        self.ignore_class = ignore_class
        self.sparse_y_true, self.sparse_y_pred = sparse_y_true, sparse_y_pred
        self.axis = axis
        self.total_cm = self.add_variable((num_classes, num_classes), name="total_confusion_matrix")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        true = self._labels(y_true, self.sparse_y_true)
        predicted = self._labels(y_pred, self.sparse_y_pred)
        if true.shape != predicted.shape:
            what = f"as many labels in y_true as in y_pred, {predicted.size}"
            hint = (
                "sparse_y_true and sparse_y_pred say whether they are labels, or values along the axis of the classes"
            )
            raise ValueError(expected(type(self).__name__, what, true.size, hint))
        given = np.asarray(as_numbers(1 if sample_weight is None else sample_weight, "sample_weight"))
        if given.dtype.kind == "f" and self.dtype.startswith("int"):
            warnings.warn(
                f"{type(self).__name__} got a weight of type float and counts in int: its fraction is lost by casting. "
                "Give whole numbers or dtype='float32'.",
                stacklevel=2,
            )
        with told_to_fit(given, true.shape):
            weights = np.broadcast_to(given.astype(self.dtype).ravel(), true.shape)
        counts = (true >= 0) & (true < self.num_classes) & (predicted >= 0) & (predicted < self.num_classes)
        if self.ignore_class is not None:
            counts &= true != self.ignore_class
        np.add.at(self.total_cm.value, (true[counts], predicted[counts]), weights[counts])

    def _labels(self, values: Any, sparse: bool) -> np.ndarray:
        values = np.asarray(as_numbers(values, f"the data of {type(self).__name__}"))
        return (values if sparse else values.argmax(axis=self.axis)).astype(np.int64).ravel()

    def result(self) -> Array:
        matrix = self.total_cm.value
        right = np.diag(matrix)[self.target_class_ids]
        union = (matrix.sum(axis=0) + matrix.sum(axis=1))[self.target_class_ids] - right
        occurs = union > 1e-9
        shares = np.divide(right, union + config.epsilon(), out=np.zeros_like(right), where=occurs)
        return as_array(shares.sum() / (occurs.sum() + config.epsilon()))


@saving.builtin("keras.metrics")
class MeanIoU(IoU):
    """`tp / (tp + fp + fn)`, the mean over all classes that occur.

    Args:
        num_classes: Number of classes; labels outside 0 to num_classes - 1 do not count.
        name, dtype: As in `Metric`.
        ignore_class: Samples with this true label do not count.
        sparse_y_true, sparse_y_pred: Whether these are labels; otherwise the largest along `axis` is the label.
        axis: Of the classes.
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ):
        classes = range(positive_int(type(self).__name__, "num_classes", num_classes))
        super().__init__(num_classes, classes, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)


@saving.builtin("keras.metrics")
class BinaryIoU(IoU):
    """`tp / (tp + fp + fn)` of the classes 0 and 1, the mean over those target classes that occur.

    Args:
        target_class_ids: The classes that are averaged.
        threshold: From it on y_pred is of class 1.
        name, dtype: As in `Metric`.
    """

    def __init__(
        self,
        target_class_ids: Sequence[int] | np.ndarray = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = threshold

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_pred = np.asarray(as_numbers(y_pred, "y_pred of BinaryIoU"))
        super().update_state(y_true, y_pred >= self.threshold, sample_weight)

    def get_config(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("name", "dtype", "target_class_ids", "threshold")}


@saving.builtin("keras.metrics")
class OneHotIoU(IoU):
    """`IoU` for one-hot y_true, and y_pred of one value each class.

    Args:
        num_classes: Number of classes.
        target_class_ids: The classes that are averaged.
        name, dtype: As in `Metric`.
        ignore_class: Samples with this true label do not count.
        sparse_y_pred: Whether y_pred are labels after all.
        axis: Of the classes.
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int] | np.ndarray,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ):
        super().__init__(num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis)


@saving.builtin("keras.metrics")
class OneHotMeanIoU(MeanIoU):
    """`MeanIoU` for one-hot y_true, and y_pred of one value each class.

    Args:
        num_classes: Number of classes.
        name, dtype: As in `Metric`.
        ignore_class: Samples with this true label do not count.
        sparse_y_pred: Whether y_pred are labels after all.
        axis: Of the classes.
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ):
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)
