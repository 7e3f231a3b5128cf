"""Metrics made of the counts of the confusion matrix: true and false positives and negatives (tp, fp, tn, fn)."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from recurra import config as settings
from recurra import ops, saving
from recurra._arrays import Array, as_array, as_numbers, as_weights
from recurra._checks import expected, fraction, one_of, positive_int
from recurra.losses.functions import match_ranks
from recurra.metrics.base import Metric, told_to_fit, with_trailing_axes

CASES = ("true_positives", "false_positives", "true_negatives", "false_negatives")


def _matched(who: str, y_true: Any, y_pred: Any, class_id: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Returns both as arrays of one shape, of one class alone if it is given."""
    y_true, y_pred = match_ranks(*(np.asarray(as_numbers(y, f"the data of {who}")) for y in (y_true, y_pred)))
    if y_true.shape != y_pred.shape:
        _refuse_shapes(who, y_true, y_pred)
    if class_id is None:
        return y_true, y_pred
    if y_pred.ndim < 2:
        raise ValueError(expected(who, "y_pred of shape (N, classes) with class_id", y_pred.shape))
    classes = y_pred.shape[-1]
    if not -classes <= class_id < classes:
        raise ValueError(expected(who, f"class_id to be one of the {classes} classes of y_pred", class_id))
    return y_true[..., class_id], y_pred[..., class_id]


def _refuse_shapes(who: str, y_true: np.ndarray, y_pred: np.ndarray) -> NoReturn:
    hint = "utils.to_categorical makes one-hot labels" if y_true.ndim == y_pred.ndim - 1 else None
    raise ValueError(expected(who, f"y_true of shape {y_pred.shape}", y_true.shape, hint))


def _confusion(
    y_true: np.ndarray,
    y_pred: np.ndarray,
    thresholds: np.ndarray,
    sample_weight: Any,
    evenly: bool,
    dtype: str,
    by_label: bool = False,
) -> dict[str, np.ndarray]:
    """Returns the sums of each of the four cases, (thresholds,) or (thresholds, labels), by their names.

    Predictions are compared in `dtype`, in which 0.3 is not above 0.3 whatever they came in. Where the thresholds are
    evenly spaced in [0, 1], the pieces between them are numbered and predictions beyond it count as its ends, as in
    Keras.
    """
    y_pred, thresholds = y_pred.astype(dtype), thresholds.astype(dtype)
    weights: np.ndarray | None = None
    if sample_weight is not None:
        given = as_weights(sample_weight, np.float64)
        if given.ndim == y_pred.ndim + 1 and given.shape[-1] == 1:
            given = given[..., 0]
        with told_to_fit(given, y_pred.shape):
            weights = np.broadcast_to(with_trailing_axes(given, y_pred.ndim), y_pred.shape).ravel()
    labels = y_pred.shape[-1] if by_label else 1
    y_pred, positive = y_pred.reshape(-1, labels), y_true.astype(bool).reshape(-1, labels)
    # Each prediction is counted once, by how many thresholds are below it; sums over these counts say the rest.
    order = np.argsort(thresholds)
    if evenly:
        below = np.maximum(np.ceil(np.clip(y_pred, 0, 1) * (len(thresholds) - 1)), thresholds[0] < 0)
    elif len(thresholds) == 1:
        below = y_pred > thresholds
    else:
        below = np.searchsorted(thresholds[order], y_pred)
    below[np.isnan(y_pred)] = 0
    cells = below.astype(np.intp) * (2 * labels)
    cells += np.arange(0, 2 * labels, 2)
    cells += positive
    levels = len(thresholds) + 1
    sums = np.bincount(cells.ravel(), weights, levels * labels * 2).reshape(levels, labels, 2).astype(np.float64)
    left, chosen = sums[:-1].cumsum(axis=0), sums[:0:-1].cumsum(axis=0)[::-1]
    counts = np.empty((len(CASES), len(thresholds), labels))
    counts[:, order] = chosen[..., 1], chosen[..., 0], left[..., 0], left[..., 1]
    return dict(zip(CASES, counts if by_label else counts[..., 0], strict=True))


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole != 0)


def _levels(who: str, thresholds: Any) -> np.ndarray:
    """Returns thresholds, one or several, as float64 (n,); ValueError for those that are none, as in Keras."""
    levels = np.ravel(thresholds).tolist()
    if not all(isinstance(level, (int, float)) and 0 <= level <= 1 for level in levels):
        raise ValueError(expected(who, "thresholds between 0 and 1", repr(thresholds)))
    return np.array(levels, np.float64)


def _inner(num_thresholds: int) -> np.ndarray:
    """Returns the thresholds within (0, 1) of so many evenly spaced in [0, 1]."""
    return np.arange(1, num_thresholds - 1) / max(num_thresholds - 1, 1)


def _are_evenly_spaced(levels: Any) -> bool:
    """Returns whether thresholds, in their order, part [0, 1] into equal pieces."""
    return len(levels) > 2 and np.allclose(levels, np.linspace(0, 1, len(levels)), atol=settings.epsilon())


def _keep_top_k(y_pred: np.ndarray, k: int) -> np.ndarray:
    first = np.argsort(-y_pred, axis=-1, kind="stable")[..., :k]  # of equal ones the first counts, as in Keras
    kept = np.full(y_pred.shape, -np.inf)
    np.put_along_axis(kept, first, np.take_along_axis(y_pred, first, axis=-1), axis=-1)
    return kept


class _Counting(Metric):
    """Base of metrics that keep counts as variables: by default the four of the confusion matrix."""

    kept: tuple[str, ...] = CASES

    def _make_counts(self, *shape: int) -> None:
        for name in self.kept:
            setattr(self, name, self.add_variable(shape, name=name))

    def _add_counts(self, counts: dict[str, np.ndarray]) -> None:
        for name in self.kept:
            getattr(self, name).value[...] += counts[name]

    def _kept_values(self) -> list[np.ndarray]:
        return [getattr(self, name).value for name in self.kept]


class _Thresholded(_Counting):
    """Base of metrics that count true and false positives and negatives at one or more thresholds."""

    top_k: int | None = None
    class_id: int | None = None

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None):
        super().__init__(dtype, name)
        self.thresholds = thresholds
        default = np.array([0.5 if self.top_k is None else -np.inf])
        self._levels = default if thresholds is None else _levels(type(self).__name__, thresholds)
        self._evenly = _are_evenly_spaced(self._levels)
        self._make_counts(len(self._levels))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        who = type(self).__name__
        y_true, y_pred = _matched(who, y_true, y_pred)
        if self.top_k is not None:
            y_pred = _keep_top_k(y_pred, self.top_k)
        y_true, y_pred = _matched(who, y_true, y_pred, self.class_id)
        self._add_counts(_confusion(y_true, y_pred, self._levels, sample_weight, self._evenly, self.dtype))

    def _of_counts(self, *counts: np.ndarray) -> np.ndarray:
        return counts[0]

    def result(self) -> Array:
        values = self._of_counts(*self._kept_values())
        return as_array(values[0] if len(self._levels) == 1 else values.copy())


class _OneCount(_Thresholded):
    """Base of the metrics that are a count themselves; Keras calls it the accumulator."""

    def _make_counts(self, *shape: int) -> None:
        self.accumulator = self.add_variable(shape, name="accumulator")
        setattr(self, self.kept[0], self.accumulator)


@saving.builtin("keras.metrics")
class TruePositives(_OneCount):
    """Weighted number of true positives at each threshold.

    Args:
        thresholds: One or more between 0 and 1; 0.5 if None.
        name, dtype: As in `Metric`.
    """

    kept = ("true_positives",)


@saving.builtin("keras.metrics")
class FalsePositives(_OneCount):
    """Weighted number of false positives at each threshold.

    Args:
        thresholds: One or more between 0 and 1; 0.5 if None.
        name, dtype: As in `Metric`.
    """

    kept = ("false_positives",)


@saving.builtin("keras.metrics")
class TrueNegatives(_OneCount):
    """Weighted number of true negatives at each threshold.

    Args:
        thresholds: One or more between 0 and 1; 0.5 if None.
        name, dtype: As in `Metric`.
    """

    kept = ("true_negatives",)


@saving.builtin("keras.metrics")
class FalseNegatives(_OneCount):
    """Weighted number of false negatives at each threshold.

    Args:
        thresholds: One or more between 0 and 1; 0.5 if None.
        name, dtype: As in `Metric`.
    """

    kept = ("false_negatives",)


class _ShareOfTrue(_Thresholded):
    """Base of precision and recall: true positives by themselves and other cases."""

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ):
        self.top_k, self.class_id = top_k, class_id
        super().__init__(thresholds, name, dtype)

    def _of_counts(self, *counts: np.ndarray) -> np.ndarray:
        return _ratio(counts[0], counts[0] + counts[1])


@saving.builtin("keras.metrics")
class Precision(_ShareOfTrue):
    """`tp / (tp + fp)`, 0 where nothing was predicted positive.

    Args:
        thresholds: One or more between 0 and 1; 0.5 if None.
        top_k: Count only the k largest predictions of a row.
        class_id: Only this class.
        name, dtype: As in `Metric`.
    """

    kept = ("true_positives", "false_positives")


@saving.builtin("keras.metrics")
class Recall(_ShareOfTrue):
    """`tp / (tp + fn)`, 0 where nothing is positive.

    Args:
        thresholds: One or more between 0 and 1; 0.5 if None.
        top_k: Count only the k largest predictions of a row.
        class_id: Only this class.
        name, dtype: As in `Metric`.
    """

    kept = ("true_positives", "false_negatives")


@saving.builtin("keras.metrics")
class AUC(_Counting):
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
        inner = _inner(num_thresholds) if thresholds is None else np.sort(_levels("AUC", thresholds))
        self._evenly = thresholds is None or _are_evenly_spaced([0, *inner, 1])
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
        y_true, y_pred = _matched("AUC", y_true, y_pred)
        counts = _confusion(y_true, y_pred, self._levels, sample_weight, self._evenly, self.dtype, self.multi_label)
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
            x, y = _ratio(fp, fp + tn), _ratio(tp, tp + fn)
        elif self.curve == "PR":
            x, y = _ratio(tp, tp + fn), _ratio(tp, tp + fp)
        else:
            odds = _ratio(tp + fn, tn + fp)
            x = np.where(tp == 0, 0, np.maximum(1 - odds * _ratio(fn, tp), 0))
            y = np.where(tp == 0, 1, 1 - odds * _ratio(fp, tp))
        heights = {
            "interpolation": (y[:-1] + y[1:]) / 2,
            "minoring": np.minimum(y[:-1], y[1:]),
            "majoring": np.maximum(y[:-1], y[1:]),
        }[self.summation_method]
        return ((x[:-1] - x[1:]) * heights).sum(axis=0)

    def _interpolated_pr(self, tp: np.ndarray, fp: np.ndarray, fn: np.ndarray) -> np.ndarray:
        chosen = tp + fp
        dtp = tp[:-1] - tp[1:]
        slope = _ratio(dtp, np.maximum(chosen[:-1] - chosen[1:], 0))
        intercept = tp[1:] - slope * chosen[1:]
        both = (chosen[:-1] > 0) & (chosen[1:] > 0)
        growth = np.divide(chosen[:-1], chosen[1:], out=np.ones_like(dtp), where=both)
        steps = _ratio(slope * (dtp + intercept * np.log(growth)), np.maximum(tp[1:] + fn[1:], 0))
        return steps.sum(axis=0)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["thresholds"]
        return config | ({"thresholds": self.thresholds[1:-1]} if self._own_thresholds else {})


class _AtConstraint(_Counting):
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
        self._levels = np.array([0, *_inner(num_thresholds), 1] if self._evenly else [0.5])
        self.thresholds = self._levels.tolist()
        self._make_counts(len(self._levels))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred = _matched(type(self).__name__, y_true, y_pred, self.class_id)
        self._add_counts(_confusion(y_true, y_pred, self._levels, sample_weight, self._evenly, self.dtype))

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
        return _ratio(tn, tn + fp), _ratio(tp, tp + fn)


@saving.builtin("keras.metrics")
class SpecificityAtSensitivity(_AtConstraint):
    """The largest `tn / (tn + fp)` at a threshold where `tp / (tp + fn)` is at least `sensitivity`.

    Args:
        sensitivity: Between 0 and 1.
        num_thresholds: Number of thresholds, evenly spaced in [0, 1].
        class_id: Only this class.
        name, dtype: As in `Metric`.
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
        return _ratio(tp, tp + fn), _ratio(tn, tn + fp)


@saving.builtin("keras.metrics")
class PrecisionAtRecall(_AtConstraint):
    """The largest precision at a threshold where recall is at least `recall`.

    Args:
        recall: Between 0 and 1.
        num_thresholds: Number of thresholds, evenly spaced in [0, 1].
        class_id: Only this class.
        name, dtype: As in `Metric`.
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
        return _ratio(tp, tp + fn), _ratio(tp, tp + fp)


@saving.builtin("keras.metrics")
class RecallAtPrecision(_AtConstraint):
    """The largest recall at a threshold where precision is at least `precision`.

    Args:
        precision: Between 0 and 1.
        num_thresholds: Number of thresholds, evenly spaced in [0, 1].
        class_id: Only this class.
        name, dtype: As in `Metric`.
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
        return _ratio(tp, tp + fp), _ratio(tp, tp + fn)


@saving.builtin("keras.metrics")
class FBetaScore(_Counting):
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
            _refuse_shapes(type(self).__name__, y_true, y_pred)
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
    """

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = "f1_score",
        dtype: Any = None,
    ):
        super().__init__(average, 1.0, threshold, name, dtype)
