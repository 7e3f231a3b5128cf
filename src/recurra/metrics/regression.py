"""Metrics of numbers: means of errors, and R2."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra import losses, saving
from recurra._checks import expected, one_of
from recurra.losses.functions import arrays
from recurra.metrics.base import Mean, MeanMetricWrapper, Metric


@saving.builtin("keras.metrics")
class MeanSquaredError(MeanMetricWrapper):
    """See `losses.mean_squared_error`."""

    def __init__(self, name: str = "mean_squared_error", dtype: Any = None):
        super().__init__(losses.mean_squared_error, name, dtype)


@saving.builtin("keras.metrics")
class MeanAbsoluteError(MeanMetricWrapper):
    """See `losses.mean_absolute_error`."""

    def __init__(self, name: str = "mean_absolute_error", dtype: Any = None):
        super().__init__(losses.mean_absolute_error, name, dtype)


@saving.builtin("keras.metrics")
class MeanAbsolutePercentageError(MeanMetricWrapper):
    """See `losses.mean_absolute_percentage_error`."""

    def __init__(self, name: str = "mean_absolute_percentage_error", dtype: Any = None):
        super().__init__(losses.mean_absolute_percentage_error, name, dtype)


@saving.builtin("keras.metrics")
class MeanSquaredLogarithmicError(MeanMetricWrapper):
    """See `losses.mean_squared_logarithmic_error`."""

    def __init__(self, name: str = "mean_squared_logarithmic_error", dtype: Any = None):
        super().__init__(losses.mean_squared_logarithmic_error, name, dtype)


@saving.builtin("keras.metrics")
class LogCoshError(MeanMetricWrapper):
    """See `losses.log_cosh`."""

    def __init__(self, name: str = "logcosh", dtype: Any = None):
        super().__init__(losses.log_cosh, name, dtype)


def _cosine(y_true: Any, y_pred: Any, axis: int = -1) -> np.ndarray:
    return -losses.cosine_similarity(y_true, y_pred, axis=axis)


@saving.builtin("keras.metrics")
class CosineSimilarity(MeanMetricWrapper):
    """The cosine of the angle between y_true and y_pred: plus the sign that the loss does not have."""

    def __init__(self, name: str = "cosine_similarity", dtype: Any = None, axis: int = -1):
        super().__init__(_cosine, name, dtype, axis=axis)


@saving.builtin("keras.metrics")
class RootMeanSquaredError(Mean):
    """The root of the mean of squares over all batches."""

    def __init__(self, name: str = "root_mean_squared_error", dtype: Any = None):
        super().__init__(name, dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        y_true, y_pred = arrays(y_true, y_pred)
        super().update_state(np.square(y_true - y_pred), sample_weight)

    def result(self) -> float:
        return float(np.sqrt(super().result()))


AGGREGATIONS = (None, "uniform_average", "variance_weighted_average")


@saving.builtin("keras.metrics")
class R2Score(Metric):
    """`1 - sum(squared errors) / sum(squared deviations from the mean)` for each output (coefficient of determination).

    Args:
        class_aggregation: "uniform_average", "variance_weighted_average", or None for one result each output.
        num_regressors: Number of independent regressors, for the adjusted score; 0 for the plain one.
        name, dtype: As in `Metric`.
    """

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str = "r2_score",
        dtype: Any = None,
    ):
        super().__init__(dtype, name)
        self.class_aggregation = one_of("R2Score", "class_aggregation", class_aggregation, AGGREGATIONS)
        if num_regressors < 0:
            raise ValueError(expected("R2Score", "num_regressors of at least 0", num_regressors))
        self.num_regressors = num_regressors
        self._sums: np.ndarray | None = None
        self._count = 0.0

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred = (np.asarray(a, np.float64) for a in arrays(y_true, y_pred))
        if y_true.ndim != 2 or y_true.shape != y_pred.shape:
            raise ValueError(expected("R2Score", f"y_true of shape {y_pred.shape} with two axes", y_true.shape))
        weights = np.ones((len(y_true), 1)) if sample_weight is None else np.asarray(sample_weight, np.float64)
        weights = weights[:, None] if weights.ndim == 1 else weights
        parts = [y_true * weights, y_true**2 * weights, (y_true - y_pred) ** 2 * weights]
        sums = np.stack([part.sum(axis=0) for part in parts])
        self._sums = sums if self._sums is None else self._sums + sums
        self._count += float(weights.sum())

    def result(self) -> Any:
        if self._sums is None:
            return 0.0
        total, squares, residual = self._sums
        deviation = squares - total * total / self._count
        raw = 1 - np.divide(residual, deviation, out=np.ones_like(residual), where=deviation != 0)
        if self.class_aggregation is None:
            return raw
        shares = deviation / deviation.sum() if self.class_aggregation == "variance_weighted_average" else None
        score = np.average(raw, weights=shares)
        if self.num_regressors:
            score = 1 - (1 - score) * (self._count - 1) / (self._count - self.num_regressors - 1)
        return float(score)

    def reset_state(self) -> None:
        self._sums, self._count = None, 0.0
