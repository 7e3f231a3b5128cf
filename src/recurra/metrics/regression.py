"""Metrics of numbers: means of errors, and R2."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from recurra import config, losses, saving
from recurra._arrays import Array, as_array, as_weights
from recurra._checks import expected, one_of, whole_number
from recurra.losses.functions import arrays, of_numbers
from recurra.metrics.base import Mean, MeanMetricWrapper, Metric, told_to_fit
from recurra.variables import Variable


@saving.builtin("keras.metrics")
class MeanSquaredError(MeanMetricWrapper):
    """See `losses.mean_squared_error`."""

    def __init__(self, name: str | None = "mean_squared_error", dtype: Any = None):
        super().__init__(losses.mean_squared_error, name, dtype)


@saving.builtin("keras.metrics")
class MeanAbsoluteError(MeanMetricWrapper):
    """See `losses.mean_absolute_error`."""

    def __init__(self, name: str | None = "mean_absolute_error", dtype: Any = None):
        super().__init__(losses.mean_absolute_error, name, dtype)


@saving.builtin("keras.metrics")
class MeanAbsolutePercentageError(MeanMetricWrapper):
    """See `losses.mean_absolute_percentage_error`."""

    def __init__(self, name: str | None = "mean_absolute_percentage_error", dtype: Any = None):
        super().__init__(losses.mean_absolute_percentage_error, name, dtype)


@saving.builtin("keras.metrics")
class MeanSquaredLogarithmicError(MeanMetricWrapper):
    """See `losses.mean_squared_logarithmic_error`."""

    def __init__(self, name: str | None = "mean_squared_logarithmic_error", dtype: Any = None):
        super().__init__(losses.mean_squared_logarithmic_error, name, dtype)


@saving.builtin("keras.metrics")
class LogCoshError(MeanMetricWrapper):
    """See `losses.log_cosh`."""

    def __init__(self, name: str | None = "logcosh", dtype: Any = None):
        super().__init__(losses.log_cosh, name, dtype)


def _cosine(y_true: Any, y_pred: Any, axis: int = -1) -> np.ndarray:
    return -losses.cosine_similarity(y_true, y_pred, axis=axis)


@saving.builtin("keras.metrics")
class CosineSimilarity(MeanMetricWrapper):
    """The cosine of the angle between y_true and y_pred: plus the sign that the loss does not have.

    Args:
        name, dtype: As in `Metric`.
        axis: The axis of the vectors.
    """

    def __init__(self, name: str | None = "cosine_similarity", dtype: Any = None, axis: int = -1):
        super().__init__(_cosine, name, dtype, **({} if axis == -1 else {"axis": axis}))  # Keras's config has no axis


@saving.builtin("keras.metrics")
class RootMeanSquaredError(Mean):
    """The root of the mean of squares over all batches."""

    def __init__(self, name: str | None = "root_mean_squared_error", dtype: Any = None):
        super().__init__(name, dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred = arrays(y_true, y_pred)
        super().update_state(np.square(y_true - y_pred), sample_weight)

    def result(self) -> Array:
        return as_array(np.sqrt(super().result()))


AGGREGATIONS = (None, "uniform_average", "variance_weighted_average")


@saving.builtin("keras.metrics")
class R2Score(Metric):
    """`1 - sum(squared errors) / sum(squared deviations from the mean)` for each output (coefficient of determination).

    Args:
        class_aggregation: "uniform_average", "variance_weighted_average", or None for one result each output.
        num_regressors: Number of independent regressors, for the adjusted score; 0 for the plain one.
        name, dtype: As in `Metric`.
    """

    squared_sum: Variable  # these and `count` are made when the number of outputs is known
    sum: Variable
    total_mse: Variable

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = "r2_score",
        dtype: Any = None,
    ):
        super().__init__(dtype, name)
        self.class_aggregation = one_of("R2Score", "class_aggregation", class_aggregation, AGGREGATIONS)
        self.num_regressors = whole_number("R2Score", "num_regressors", num_regressors)
        if self.num_regressors < 0:
            raise ValueError(expected("R2Score", "num_regressors of at least 0", num_regressors))
        self.num_samples = self.add_variable(name="num_samples")
        self.count: Variable | None = None

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred = (np.asarray(a, np.float64) for a in arrays(y_true, y_pred))
        if y_true.ndim != 2 or y_true.shape != y_pred.shape:
            what = "y_true and y_pred of one shape (N, outputs)"
            raise ValueError(expected("R2Score", what, f"{y_true.shape} and {y_pred.shape}"))
        weights = as_weights(1.0 if sample_weight is None else sample_weight, np.float64)
        with told_to_fit(weights, y_true.shape):
            weights = np.broadcast_to(weights[:, None] if weights.ndim == 1 else weights, y_true.shape)
        if self.count is None:
            names = ("squared_sum", "sum", "residual", "count")
            shape = y_true.shape[1:]
            self.squared_sum, self.sum, self.total_mse, self.count = (self.add_variable(shape, name=n) for n in names)
        self.squared_sum.value[...] += (y_true**2 * weights).sum(axis=0)
        self.sum.value[...] += (y_true * weights).sum(axis=0)
        self.total_mse.value[...] += ((y_true - y_pred) ** 2 * weights).sum(axis=0)
        self.count.value[...] += weights.sum(axis=0)
        self.num_samples.value[...] += y_true.size

    def result(self) -> Array:
        if self.count is None or not self.num_samples.value:
            return as_array(0.0)
        samples, residual = int(self.num_samples), self.total_mse.value
        deviation = self.squared_sum.value - self.sum.value**2 / self.count.value
        raw = 1 - np.divide(residual, deviation, out=np.ones_like(residual), where=deviation != 0)
        score = raw
        if self.class_aggregation is not None:
            shares = deviation / deviation.sum() if self.class_aggregation == "variance_weighted_average" else None
            score = np.average(raw, weights=shares)
        left = samples - self.num_regressors - 1
        if self.num_regressors and left > 0:
            score = 1 - (1 - score) * (samples - 1) / left
        elif self.num_regressors:
            warnings.warn(
                f"R2Score expected more than {self.num_regressors + 1} values for num_regressors="
                f"{self.num_regressors}, got {samples}: this is the plain score",
                stacklevel=2,
            )
        return as_array(score)


@of_numbers
def pearson_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> np.ndarray:
    """Covariance over the product of the standard deviations, along `axis` (Pearson, 1895).

    y_true and y_pred have one shape, or ValueError; the values that without `axis`, and the dtype of y_pred.
    """
    y_true, y_pred = arrays(y_true, y_pred)
    y_true, y_pred = (a - a.mean(axis=axis, keepdims=True) for a in (y_true, y_pred))
    y_true, y_pred = (a / a.std(axis=axis, keepdims=True) for a in (y_true, y_pred))
    return (y_true * y_pred).mean(axis=axis)


@of_numbers
def concordance_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> np.ndarray:
    """`2 * cov / (var_true + var_pred + (mean_true - mean_pred)**2)`, along `axis` (Lin, 1989).

    y_true and y_pred have one shape, or ValueError; the values that without `axis`, and the dtype of y_pred.
    """
    y_true, y_pred = arrays(y_true, y_pred)
    mean_true, mean_pred = (a.mean(axis=axis, keepdims=True) for a in (y_true, y_pred))
    covariance = ((y_true - mean_pred) * (y_pred - mean_pred)).mean(axis=axis)  # as Keras: any constant cancels out
    spread = y_true.var(axis=axis) + y_pred.var(axis=axis) + np.square(mean_true - mean_pred).squeeze(axis)
    return 2 * covariance / (spread + config.epsilon())


@saving.builtin("keras.metrics")
class PearsonCorrelation(MeanMetricWrapper):
    """See `pearson_correlation`."""

    def __init__(self, name: str | None = "pearson_correlation", dtype: Any = None, axis: int = -1):
        super().__init__(pearson_correlation, name, dtype, axis=axis)
        self.axis = axis


@saving.builtin("keras.metrics")
class ConcordanceCorrelation(MeanMetricWrapper):
    """See `concordance_correlation`."""

    def __init__(self, name: str | None = "concordance_correlation", dtype: Any = None, axis: int = -1):
        super().__init__(concordance_correlation, name, dtype, axis=axis)
        self.axis = axis
