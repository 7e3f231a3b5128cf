"""F-scores: precision and recall in one number, for each class."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra import config as settings
from recurra import saving
from recurra._arrays import Array, as_array, as_numbers, as_weights
from recurra._checks import expected, one_of
from recurra.metrics.confusion import Counting, refuse_shapes


@saving.builtin("keras.metrics")
class FBetaScore(Counting):
    """`(1 + beta**2) * precision * recall / (beta**2 * precision + recall)`, for each class.

    Args:
        average: "micro", "macro", "weighted", or None for one result each class.
        beta: How much more recall counts than precision.
        threshold: A class counts above it; None: the row's largest counts.
        name, dtype: As in `Metric`.

    Call:
        y_true, y_pred: (N, classes), 0 or 1, and a number for each class.
        sample_weight: (N,).

    Raises:
        ValueError: For options out of range and other shapes.
    """

    kept = ("true_positives", "false_positives", "false_negatives", "intermediate_weights")

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: Any = None,
    ):
        super().__init__(dtype, name)
        self.average = one_of(type(self).__name__, "average", average, (None, "micro", "macro", "weighted"))
        if not isinstance(beta, float) or beta <= 0:
            raise ValueError(expected(type(self).__name__, "beta to be a positive float", repr(beta)))
        if threshold is not None and not (isinstance(threshold, float) and 0 < threshold <= 1):
            raise ValueError(expected(type(self).__name__, "threshold to be a float in (0, 1]", repr(threshold)))
        self.beta, self.threshold = beta, threshold

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred = (as_numbers(y, f"the data of {type(self).__name__}") for y in (y_true, y_pred))
        y_true, y_pred = np.asarray(y_true, np.float64), np.asarray(y_pred, self.dtype)
        if y_pred.ndim != 2:
            raise ValueError(expected(type(self).__name__, "y_pred of shape (N, classes)", y_pred.shape))
        if y_true.shape != y_pred.shape:
            refuse_shapes(type(self).__name__, y_true, y_pred)
        y_true, y_pred = (np.ascontiguousarray(y.T) for y in (y_true, y_pred))  # sums go along the rows
        if self.threshold is None:
            chosen = (y_pred >= y_pred.max(axis=0)) & (np.abs(y_pred) > 1e-9)
        else:
            chosen = y_pred > self.threshold
        cases = [chosen * y_true, chosen * (1 - y_true), ~chosen * y_true, y_true]
        if sample_weight is not None:
            weights = as_weights(sample_weight, np.float64)
            if weights.size != y_true.shape[1]:
                raise ValueError(expected(type(self).__name__, "one sample_weight for each row", weights.shape))
            cases = [case * weights.reshape(-1) for case in cases]
        axis = None if self.average == "micro" else 1
        if not self._variables:  # the number of classes is known now
            self._make_counts(*([] if axis is None else y_pred.shape[:1]))
        self._add_counts({name: case.sum(axis=axis) for name, case in zip(self.kept, cases, strict=True)})

    def result(self) -> Array:
        if not self._variables:
            return as_array(0.0)
        tp, fp, fn, support = self._kept_values()
        precision = tp / (tp + fp + settings.epsilon())
        recall = tp / (tp + fn + settings.epsilon())
        beta2 = self.beta**2
        score = (1 + beta2) * precision * recall / (beta2 * precision + recall + settings.epsilon())
        if self.average == "macro":
            return as_array(score.mean())
        if self.average == "weighted":
            return as_array((score * support / (support.sum() + settings.epsilon())).sum())
        return as_array(score)


@saving.builtin("keras.metrics")
class F1Score(FBetaScore):
    """The harmonic mean of precision and recall, for each class.

    Args:
        average: "micro", "macro", "weighted", or None for one result each class.
        threshold: A class counts above it; None: the row's largest counts.
        name, dtype: As in `Metric`.

    Raises:
        ValueError: For options out of range.
    """

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = "f1_score",
        dtype: Any = None,
    ):
        super().__init__(average, 1.0, threshold, name, dtype)
