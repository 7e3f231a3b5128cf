"""Metrics that are the best of one rate where another is at least a given value."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra import saving
from recurra._arrays import Array, as_array
from recurra._checks import fraction, positive_int
from recurra.metrics.confusion import Counting, confusion_counts, inner_thresholds, matched, ratio


class _AtConstraint(Counting):
    """Base of metrics that are the best of one rate where another is at least a given value."""

    def __init__(
        self, value: float, num_thresholds: int, class_id: int | None, name: str | None, dtype: Any, value_name: str
    ):
        super().__init__(dtype, name)
        who = type(self).__name__
        self.value = fraction(who, value_name, value)
        setattr(self, value_name, self.value)
        self.num_thresholds = positive_int(who, "num_thresholds", num_thresholds)
        self.class_id = class_id
        self._evenly = num_thresholds > 1
        self._levels = np.array([0, *inner_thresholds(num_thresholds), 1] if self._evenly else [0.5])
        self.thresholds = self._levels.tolist()
        self._make_counts(len(self._levels))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred = matched(type(self).__name__, y_true, y_pred, self.class_id)
        self._add_counts(confusion_counts(y_true, y_pred, self._levels, sample_weight, self._evenly, self.dtype))

    def _rates(self, tp: np.ndarray, fp: np.ndarray, tn: np.ndarray, fn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the rate that must reach `value`, and the one to be as large as can be."""
        raise NotImplementedError

    def result(self) -> Array:
        constrained, dependent = self._rates(*self._kept_values())
        return as_array(np.max(dependent, where=constrained >= self.value, initial=0.0))


@saving.builtin("keras.metrics")
class SensitivityAtSpecificity(_AtConstraint):
    """The largest `tp / (tp + fn)` at a threshold where `tn / (tn + fp)` is at least `specificity`.

    Args:
        specificity: Between 0 and 1.
        num_thresholds: Number of thresholds, evenly spaced in [0, 1].
        class_id: Only this class.
        name, dtype: As in `Metric`.

    Raises:
        TypeError, ValueError: If an option is not a number where one is due, or out of range.
    """

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(specificity, num_thresholds, class_id, name, dtype, "specificity")

    def _rates(self, tp: np.ndarray, fp: np.ndarray, tn: np.ndarray, fn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return ratio(tn, tn + fp), ratio(tp, tp + fn)


@saving.builtin("keras.metrics")
class SpecificityAtSensitivity(_AtConstraint):
    """The largest `tn / (tn + fp)` at a threshold where `tp / (tp + fn)` is at least `sensitivity`.

    Args:
        sensitivity: Between 0 and 1.
        num_thresholds: Number of thresholds, evenly spaced in [0, 1].
        class_id: Only this class.
        name, dtype: As in `Metric`.

    Raises:
        TypeError, ValueError: If an option is not a number where one is due, or out of range.
    """

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype, "sensitivity")

    def _rates(self, tp: np.ndarray, fp: np.ndarray, tn: np.ndarray, fn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return ratio(tp, tp + fn), ratio(tn, tn + fp)


@saving.builtin("keras.metrics")
class PrecisionAtRecall(_AtConstraint):
    """The largest precision at a threshold where recall is at least `recall`.

    Args:
        recall: Between 0 and 1.
        num_thresholds: Number of thresholds, evenly spaced in [0, 1].
        class_id: Only this class.
        name, dtype: As in `Metric`.

    Raises:
        TypeError, ValueError: If an option is not a number where one is due, or out of range.
    """

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(recall, num_thresholds, class_id, name, dtype, "recall")

    def _rates(self, tp: np.ndarray, fp: np.ndarray, tn: np.ndarray, fn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return ratio(tp, tp + fn), ratio(tp, tp + fp)


@saving.builtin("keras.metrics")
class RecallAtPrecision(_AtConstraint):
    """The largest recall at a threshold where precision is at least `precision`.

    Args:
        precision: Between 0 and 1.
        num_thresholds: Number of thresholds, evenly spaced in [0, 1].
        class_id: Only this class.
        name, dtype: As in `Metric`.

    Raises:
        TypeError, ValueError: If an option is not a number where one is due, or out of range.
    """

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(precision, num_thresholds, class_id, name, dtype, "precision")

    def _rates(self, tp: np.ndarray, fp: np.ndarray, tn: np.ndarray, fn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return ratio(tp, tp + fp), ratio(tp, tp + fn)
