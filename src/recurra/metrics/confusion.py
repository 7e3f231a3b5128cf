"""Metrics made of the counts of the confusion matrix: true and false positives and negatives (tp, fp, tn, fn)."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from recurra import config as settings
from recurra import saving
from recurra._arrays import Array, as_array, as_numbers, as_weights
from recurra._checks import expected
from recurra.losses.functions import match_ranks
from recurra.metrics.base import Metric, told_to_fit, with_trailing_axes

CASES = ("true_positives", "false_positives", "true_negatives", "false_negatives")


def matched(who: str, y_true: Any, y_pred: Any, class_id: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Returns both as arrays of one shape, of one class alone if it is given.

    Raises:
        ValueError: If the shapes do not belong together, something is not a number, or there is no such class.
    """
    y_true, y_pred = match_ranks(*(np.asarray(as_numbers(y, f"the data of {who}")) for y in (y_true, y_pred)))
    if y_true.shape != y_pred.shape:
        refuse_shapes(who, y_true, y_pred)
    if class_id is None:
        return y_true, y_pred
    if y_pred.ndim < 2:
        raise ValueError(expected(who, "y_pred of shape (N, classes) with class_id", y_pred.shape))
    classes = y_pred.shape[-1]
    if not -classes <= class_id < classes:
        raise ValueError(expected(who, f"class_id to be one of the {classes} classes of y_pred", class_id))
    return y_true[..., class_id], y_pred[..., class_id]


def refuse_shapes(who: str, y_true: np.ndarray, y_pred: np.ndarray) -> NoReturn:
    """Raises ValueError for targets of another shape than the predictions."""
    hint = "utils.to_categorical makes one-hot labels" if y_true.ndim == y_pred.ndim - 1 else None
    raise ValueError(expected(who, f"y_true of shape {y_pred.shape}", y_true.shape, hint))


def confusion_counts(
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

    Args:
        y_true, y_pred: Of one shape; with `by_label` the last axis is that of the labels.
        thresholds: (thresholds,), in any order.
        sample_weight: What fits the first axes of y_pred; None for ones.
        evenly: Whether the thresholds are evenly spaced; see `are_evenly_spaced`.
        dtype: The metric's.
        by_label: Whether each label has sums of its own.
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


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Returns part / whole, by element; 0 where the whole is."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole != 0)


def checked_levels(who: str, thresholds: Any) -> np.ndarray:
    """Returns thresholds, one or several, as float64 (n,); ValueError for those that are none, as in Keras."""
    levels = np.ravel(thresholds).tolist()
    if not all(isinstance(level, (int, float)) and 0 <= level <= 1 for level in levels):
        raise ValueError(expected(who, "thresholds between 0 and 1", repr(thresholds)))
    return np.array(levels, np.float64)


def inner_thresholds(num_thresholds: int) -> np.ndarray:
    """Returns the thresholds within (0, 1) of so many evenly spaced in [0, 1]."""
    return np.arange(1, num_thresholds - 1) / max(num_thresholds - 1, 1)


def are_evenly_spaced(levels: Any) -> bool:
    """Returns whether thresholds, in their order, part [0, 1] into equal pieces."""
    return len(levels) > 2 and np.allclose(levels, np.linspace(0, 1, len(levels)), atol=settings.epsilon())


def _keep_top_k(y_pred: np.ndarray, k: int) -> np.ndarray:
    """Returns predictions with minus infinity in place of all but the k largest of each row."""
    first = np.argsort(-y_pred, axis=-1, kind="stable")[..., :k]  # of equal ones the first counts, as in Keras
    kept = np.full(y_pred.shape, -np.inf)
    np.put_along_axis(kept, first, np.take_along_axis(y_pred, first, axis=-1), axis=-1)
    return kept


class Counting(Metric):
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


class _Thresholded(Counting):
    """Base of metrics that count true and false positives and negatives at one or more thresholds."""

    top_k: int | None = None
    class_id: int | None = None

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None):
        super().__init__(dtype, name)
        self.thresholds = thresholds
        default = np.array([0.5 if self.top_k is None else -np.inf])
        self._levels = default if thresholds is None else checked_levels(type(self).__name__, thresholds)
        self._evenly = are_evenly_spaced(self._levels)
        self._make_counts(len(self._levels))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        who = type(self).__name__
        y_true, y_pred = matched(who, y_true, y_pred)
        if self.top_k is not None:
            y_pred = _keep_top_k(y_pred, self.top_k)
        y_true, y_pred = matched(who, y_true, y_pred, self.class_id)
        self._add_counts(confusion_counts(y_true, y_pred, self._levels, sample_weight, self._evenly, self.dtype))

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

    Raises:
        ValueError: If a threshold lies outside.
    """

    kept = ("true_positives",)


@saving.builtin("keras.metrics")
class FalsePositives(_OneCount):
    """Weighted number of false positives at each threshold.

    Args:
        thresholds: One or more between 0 and 1; 0.5 if None.
        name, dtype: As in `Metric`.

    Raises:
        ValueError: If a threshold lies outside.
    """

    kept = ("false_positives",)


@saving.builtin("keras.metrics")
class TrueNegatives(_OneCount):
    """Weighted number of true negatives at each threshold.

    Args:
        thresholds: One or more between 0 and 1; 0.5 if None.
        name, dtype: As in `Metric`.

    Raises:
        ValueError: If a threshold lies outside.
    """

    kept = ("true_negatives",)


@saving.builtin("keras.metrics")
class FalseNegatives(_OneCount):
    """Weighted number of false negatives at each threshold.

    Args:
        thresholds: One or more between 0 and 1; 0.5 if None.
        name, dtype: As in `Metric`.

    Raises:
        ValueError: If a threshold lies outside.
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
        return ratio(counts[0], counts[0] + counts[1])


@saving.builtin("keras.metrics")
class Precision(_ShareOfTrue):
    """`tp / (tp + fp)`, 0 where nothing was predicted positive.

    Args:
        thresholds: One or more between 0 and 1; 0.5 if None.
        top_k: Count only the k largest predictions of a row.
        class_id: Only this class.
        name, dtype: As in `Metric`.

    Raises:
        ValueError: If a threshold lies outside.
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

    Raises:
        ValueError: If a threshold lies outside.
    """

    kept = ("true_positives", "false_negatives")
