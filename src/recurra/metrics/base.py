"""The metric object: a state that batches are added to, and a result at any time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from recurra import saving
from recurra._checks import expected
from recurra._names import snake_case
from recurra.layers.base import auto_name, standardize_dtype
from recurra.losses.functions import match_ranks
from recurra.variables import Variable


class Metric(saving.Configurable):
    """Base class of metrics (https://keras.io/api/metrics). Sums are kept in float64.

    A subclass makes its state with `add_variable`, and gives `update_state` and `result`.

    Args:
        dtype: Of the values that batches are turned into; "float32" or "float64".
        name: Name in the history.
    """

    def __init__(self, dtype: Any = None, name: str | None = None):
        self.name = name or auto_name(type(self).__name__)
        self.dtype = standardize_dtype(dtype, type(self).__name__)
        self._variables: list[Variable] = []

    def add_variable(self, shape: Any = (), initializer: Any = "zeros", name: str | None = None) -> Variable:
        """Makes a sum that starts at zero and returns it."""
        if initializer not in ("zeros", None):
            raise ValueError(expected(type(self).__name__, "initializer 'zeros'", repr(initializer)))
        name = name or "variable"
        variable = Variable(np.zeros(shape), name=name, path=f"{self.name}/{name}", trainable=False)
        self._variables.append(variable)
        return variable

    add_weight = add_variable

    @property
    def variables(self) -> list[Variable]:
        """The metric's state."""
        return list(self._variables)

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Adds a batch."""
        raise NotImplementedError

    def result(self) -> Any:
        """Returns the metric of all batches since the last reset."""
        raise NotImplementedError

    def reset_state(self) -> None:
        """Forgets all batches."""
        for variable in self._variables:
            variable.value[...] = 0

    def stateless_reset_state(self) -> list[np.ndarray]:
        """Returns a state of zeros."""
        return [np.zeros_like(variable.value) for variable in self._variables]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Adds a batch and returns the result so far."""
        self.update_state(*args, **kwargs)
        return self.result()

    def get_config(self) -> dict[str, Any]:
        names = [name for name in saving.parameters(type(self)) if name not in ("name", "dtype")]
        own = {name: saving.serialize_keras_object(getattr(self, name)) for name in names}
        return {"name": self.name, "dtype": self.dtype} | own

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def weighted(values: np.ndarray, sample_weight: Any) -> tuple[np.ndarray, np.ndarray]:
    """Returns values and weights of one shape; values are averaged over axes that the weights do not have."""
    if sample_weight is None:
        return values, np.ones(values.shape)
    weights = np.asarray(sample_weight, np.float64)
    values, weights = match_ranks(values, weights)
    if weights.ndim < values.ndim:
        values = values.mean(axis=tuple(range(weights.ndim, values.ndim)))
    try:
        return values, np.broadcast_to(weights, np.broadcast_shapes(values.shape, weights.shape))
    except ValueError:
        raise ValueError(expected("a metric", f"weights that fit {values.shape}", weights.shape)) from None


@saving.builtin("keras.metrics")
class Mean(Metric):
    """The weighted mean of values: `sum(w * v) / sum(w)`."""

    def __init__(self, name: str | None = "mean", dtype: Any = None):
        super().__init__(dtype, name)
        self.total = self.add_variable(name="total")
        self.count = self.add_variable(name="count")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        values, weights = weighted(np.asarray(values, np.float64), sample_weight)
        self.total.value += (values * weights).sum()
        self.count.value += weights.sum()

    def result(self) -> float:
        return float(self.total.value / self.count.value) if self.count.value else 0.0


@saving.builtin("keras.metrics")
class Sum(Metric):
    """The weighted sum of values."""

    def __init__(self, name: str | None = "sum", dtype: Any = None):
        super().__init__(dtype, name)
        self.total = self.add_variable(name="total")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        values = np.asarray(values, np.float64)
        if sample_weight is not None:
            values, weights = match_ranks(values, np.asarray(sample_weight, np.float64))
            values = values * weights.reshape(*weights.shape, *([1] * (values.ndim - weights.ndim)))
        self.total.value += values.sum()

    def result(self) -> float:
        return float(self.total.value)


@saving.builtin("keras.metrics")
class MeanMetricWrapper(Mean):
    """The weighted mean of a function of (y_true, y_pred).

    Args:
        fn: Gives values per sample.
        name, dtype: As in `Metric`.
        **kwargs: Passed on to the function.
    """

    def __init__(self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **kwargs: Any):
        super().__init__(name or snake_case(getattr(fn, "__name__", "mean_metric_wrapper")), dtype)
        self.fn = fn
        self._fn_kwargs = kwargs

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        mask = getattr(y_pred, "_keras_mask", None)
        if mask is not None:
            marks = np.asarray(mask, np.float64)
            if sample_weight is None:
                sample_weight = marks
            else:
                marks, weights = match_ranks(marks, np.asarray(sample_weight, np.float64))
                sample_weight = marks * weights
        super().update_state(self.fn(y_true, y_pred, **self._fn_kwargs), sample_weight)

    def get_config(self) -> dict[str, Any]:
        base = {"name": self.name, "dtype": self.dtype}
        own = {"fn": saving.serialize_keras_object(self.fn)} if type(self) is MeanMetricWrapper else {}
        return base | own | saving.serialize_keras_object(self._fn_kwargs)
