"""The area under a curve of two rates, point by point for each threshold."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra import config as settings
from recurra import ops, saving
from recurra._arrays import Array, as_array, as_numbers, as_weights
from recurra._checks import expected, one_of, positive_int
from recurra.metrics.base import with_trailing_axes
from recurra.metrics.confusion import (
    Counting,
    are_evenly_spaced,
    checked_levels,
    confusion_counts,
    inner_thresholds,
    matched,
    ratio,
)


@saving.builtin("keras.metrics")
class AUC(Counting):
    """Area under the ROC or precision-recall curve, by Riemann sums over thresholds (https://keras.io/api/metrics).

    Args:
        num_thresholds: Number of thresholds, evenly spaced in [0, 1].
        curve: "ROC", "PR" or "PRGAIN" (Flach and Kull, 2015).
        summation_method: "interpolation" (trapezoids; Davis and Goadrich, 2006, for PR), "minoring" or "majoring".
        name, dtype: As in `Metric`.
        thresholds: Inner thresholds in place of the evenly spaced ones.
        multi_label: Average the areas of the labels on the last axis.
        num_labels: Number of labels with `multi_label`; if None that of the first batch.
        label_weights: Weights of the labels in that average.
        from_logits: Whether y_pred goes through a sigmoid first.

    Call:
        y_true, y_pred: Of one shape, (N, labels) with `multi_label`.
        sample_weight: What fits their first axes.

    Raises:
        TypeError: If `num_thresholds` is not a number.
        ValueError: For options out of range and other shapes.
    """

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Any = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Any = None,
        from_logits: bool = False,
    ):
        super().__init__(dtype, name)
        self.curve = one_of("AUC", "curve", curve, ("ROC", "PR", "PRGAIN"))
        methods = ("interpolation", "minoring", "majoring")
        self.summation_method = one_of("AUC", "summation_method", summation_method, methods)
        if thresholds is None and positive_int("AUC", "num_thresholds", num_thresholds) == 1:
            raise ValueError(expected("AUC", "num_thresholds above 1", num_thresholds))
        inner = inner_thresholds(num_thresholds) if thresholds is None else np.sort(checked_levels("AUC", thresholds))
        self._evenly = thresholds is None or are_evenly_spaced([0, *inner, 1])
        self._levels = np.array([-settings.epsilon(), *inner, 1 + settings.epsilon()])
        self._own_thresholds = thresholds is not None
        self.thresholds: list[float] = self._levels.tolist()
        self.num_thresholds: int = len(self._levels)
        self.multi_label = bool(multi_label)
        self.num_labels = num_labels
        self.label_weights = label_weights
        self.from_logits = bool(from_logits)
        if not self.multi_label:
            self._make_counts(self.num_thresholds)
        elif num_labels:
            self._make_counts(self.num_thresholds, num_labels)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_pred = np.asarray(as_numbers(y_pred, "y_pred of AUC"))
        if self.multi_label:
            self._check_labels(y_pred.shape)
        if self.from_logits:
            y_pred = ops.sigmoid(y_pred)
        if self.label_weights is not None and not self.multi_label:
            given = np.ones(1) if sample_weight is None else as_weights(sample_weight, np.float64)
            sample_weight = with_trailing_axes(given, y_pred.ndim) * np.asarray(self.label_weights, np.float64)
        y_true, y_pred = matched("AUC", y_true, y_pred)
        counts = confusion_counts(
            y_true, y_pred, self._levels, sample_weight, self._evenly, self.dtype, by_label=self.multi_label
        )
        if not self._variables:
            self._make_counts(*counts["true_positives"].shape)
        self._add_counts(counts)

    def _check_labels(self, shape: tuple[int, ...]) -> None:
        if len(shape) != 2:
            raise ValueError(expected("AUC", "y_pred of shape (N, labels) with multi_label=True", shape))
        weights = self.label_weights
        if weights is not None and np.size(weights) != shape[1]:
            raise ValueError(expected("AUC", f"{shape[1]} label_weights", np.size(weights)))

    def result(self) -> Array:
        if not self._variables:
            return as_array(0.0)
        tp, fp, tn, fn = self._kept_values()
        areas = self._areas(tp, fp, tn, fn)
        if self.multi_label and self.label_weights is not None:
            return as_array(np.average(areas, weights=np.ravel(np.asarray(self.label_weights, np.float64))))
        return as_array(np.mean(areas))

    def _areas(self, tp: np.ndarray, fp: np.ndarray, tn: np.ndarray, fn: np.ndarray) -> np.ndarray:
        if self.curve == "PR" and self.summation_method == "interpolation":
            return self._interpolated_pr(tp, fp, fn)
        if self.curve == "ROC":
            x, y = ratio(fp, fp + tn), ratio(tp, tp + fn)
        elif self.curve == "PR":
            x, y = ratio(tp, tp + fn), ratio(tp, tp + fp)
        else:
            odds = ratio(tp + fn, tn + fp)
            x = np.where(tp == 0, 0, np.maximum(1 - odds * ratio(fn, tp), 0))
            y = np.where(tp == 0, 1, 1 - odds * ratio(fp, tp))
        heights = {
            "interpolation": (y[:-1] + y[1:]) / 2,
            "minoring": np.minimum(y[:-1], y[1:]),
            "majoring": np.maximum(y[:-1], y[1:]),
        }[self.summation_method]
        return ((x[:-1] - x[1:]) * heights).sum(axis=0)

    def _interpolated_pr(self, tp: np.ndarray, fp: np.ndarray, fn: np.ndarray) -> np.ndarray:
        chosen = tp + fp
        dtp = tp[:-1] - tp[1:]
        slope = ratio(dtp, np.maximum(chosen[:-1] - chosen[1:], 0))
        intercept = tp[1:] - slope * chosen[1:]
        both = (chosen[:-1] > 0) & (chosen[1:] > 0)
        growth = np.divide(chosen[:-1], chosen[1:], out=np.ones_like(dtp), where=both)
        steps = ratio(slope * (dtp + intercept * np.log(growth)), np.maximum(tp[1:] + fn[1:], 0))
        return steps.sum(axis=0)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["thresholds"]
        return config | ({"thresholds": self.thresholds[1:-1]} if self._own_thresholds else {})
