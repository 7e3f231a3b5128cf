"""The metric object: a state that batches are added to, and a result at any time."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from recurra import _file_limits, _tree, config, initializers, saving
from recurra._arguments import open_arguments
from recurra._arrays import Array, arrays_for, as_array, as_numbers, as_weights, plain_dtype
from recurra._checks import expected
from recurra._names import auto_name
from recurra.losses.functions import match_ranks
from recurra.variables import Variable, holding


class Metric(saving.Configurable):
    """Base class of metrics (https://keras.io/api/metrics). Sums are kept in float64.

    A subclass makes its state with `add_variable`, and gives `update_state` and `result`.

    Args:
        dtype: Kept for the config: sums are float64 whatever it says.
        name: Name in the history.
    """

    _called_with_data = True

    def __init__(self, dtype: Any = None, name: str | None = None):
        self.name: str = name or auto_name(type(self).__name__)
        self._dtype = np.dtype(plain_dtype(dtype) or config.floatx()).name
        self._variables: list[Variable] = []

    @property
    def dtype(self) -> str:
        """The name of the dtype that was asked for."""
        return self._dtype

    def add_variable(
        self, shape: Any = (), initializer: Any = "zeros", dtype: Any = None, name: str | None = None
    ) -> Variable:
        """Makes a part of the state and returns it; resets set it to zero. `dtype` is float64 whatever it says."""
        name = name or "variable"
        count = math.prod(map(int, np.atleast_1d(() if shape is None else shape)))
        _file_limits.take_memory(f"metric {self.name!r}", "variables", name, 8 * count)
        start = np.array(initializers.get(initializer or "zeros")(shape), np.float64)
        variable = holding(start, name=name, path=f"{self.name}/{name}", trainable=False)
        self._variables.append(variable)
        return variable

    add_weight = add_variable

    @property
    def variables(self) -> list[Variable]:
        """The metric's state: its variables, and those that are, or are of metrics, among its attributes."""
        held = [*self._variables]
        for leaf in _tree.flatten(list(vars(self).values())):
            held += leaf.variables if isinstance(leaf, Metric) else [leaf] if isinstance(leaf, Variable) else []
        return list({id(variable): variable for variable in held}.values())

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Adds a batch."""
        what = "a method update_state(y_true, y_pred, sample_weight)"
        raise NotImplementedError(expected(type(self).__name__, what, "none"))

    def result(self) -> Any:
        """Returns the metric of all batches since the last reset: of recurra's own, an array, mostly without axes.

        One of a subclass may be a number, an array, a variable, or a dict of these under the names that logs get.
        """
        raise NotImplementedError(expected(type(self).__name__, "a method result()", "none"))

    def reset_state(self) -> None:
        """Forgets all batches."""
        for variable in self.variables:
            variable.value[...] = 0

    def stateless_update_state(self, metric_variables: list[Any], *args: Any, **kwargs: Any) -> list[np.ndarray]:
        """Returns the state after a batch, from the state before it; the metric's own stays as it is."""
        with self._state(metric_variables):
            self.update_state(*args, **kwargs)
            return [variable.numpy() for variable in self.variables]

    def stateless_result(self, metric_variables: list[Any]) -> Any:
        """Returns the metric of a state; the metric's own stays as it is."""
        with self._state(metric_variables):
            return self.result()

    def stateless_reset_state(self) -> list[np.ndarray]:
        """Returns the state after a reset; the metric's own stays as it is."""
        with self._state([variable.value for variable in self.variables]):
            self.reset_state()
            return [variable.numpy() for variable in self.variables]

    @contextlib.contextmanager
    def _state(self, metric_variables: list[Any]) -> Iterator[None]:
        own = [variable.numpy() for variable in self.variables]
        if len(own) != len(metric_variables):
            raise ValueError(expected(type(self).__name__, f"{len(own)} metric_variables", len(metric_variables)))
        try:
            for variable, value in zip(self.variables, metric_variables, strict=True):
                variable.assign(value)
            yield
        finally:
            made = [np.zeros(variable.shape) for variable in self.variables[len(own) :]]  # by a first batch
            for variable, value in zip(self.variables, [*own, *made], strict=True):
                variable.assign(value)

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


def _as_floats(who: str, values: Any) -> np.ndarray:
    return np.asarray(as_numbers(values, f"the values of {who}"), np.float64)


def weighted(values: np.ndarray, sample_weight: Any) -> tuple[np.ndarray, np.ndarray]:
    """Returns for each sample the mean of its weighted values, and the mean of its weights, as Keras takes them.

    Batches of shorter and longer sequences count by their samples; else that is the mean of all values.

    Args:
        values: float64 (N, ...).
        sample_weight: None, or what fits the first axes of the values.
    """
    weights = None if sample_weight is None else as_weights(sample_weight, np.float64)
    if weights is not None:
        values, weights = match_ranks(values, weights)
        if weights.ndim < values.ndim:
            values = values.mean(axis=tuple(range(weights.ndim, values.ndim)))
        with told_to_fit(weights, values.shape):
            weights = np.broadcast_to(weights, np.broadcast_shapes(values.shape, weights.shape))
        values, weights = values * weights, _by_sample(weights)
    values = _by_sample(values)
    return values, np.ones(values.shape) if weights is None else weights


@contextlib.contextmanager
def told_to_fit(weights: np.ndarray, shape: tuple[int, ...]) -> Iterator[None]:
    """Within the `with` block weights are brought to values of a shape: NumPy's error, if they do not fit, is told."""
    try:
        yield
    except ValueError:
        raise ValueError(expected("a metric", f"weights that fit {shape}", weights.shape)) from None


def _by_sample(values: np.ndarray) -> np.ndarray:
    """Returns the means over all axes but the first."""
    return values.mean(axis=tuple(range(1, values.ndim))) if values.ndim > 1 else values


def weights_times(sample_weight: Any, counts: Any) -> np.ndarray:
    """Returns float64 weights that are zero where a value does not count.

    Args:
        sample_weight: Weights, or None for ones.
        counts: bool, which values count.
    """
    marks = np.asarray(counts, np.float64)
    if sample_weight is None:
        return marks
    marks, weights = match_ranks(marks, as_weights(sample_weight, np.float64))
    with told_to_fit(weights, marks.shape):
        return marks * weights


def with_trailing_axes(array: np.ndarray, ndim: int) -> np.ndarray:
    """Returns an array with axes of one behind its own where it has less than `ndim`."""
    return array.reshape(array.shape + (1,) * (ndim - array.ndim))


@saving.builtin("keras.metrics")
class Mean(Metric):
    """The weighted mean of values: `sum(w * v) / sum(w)`."""

    def __init__(self, name: str | None = "mean", dtype: Any = None):
        super().__init__(dtype, name)
        self.total: Variable = self.add_variable(name="total")
        self.count: Variable = self.add_variable(name="count")

    @open_arguments
    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        values, weights = weighted(_as_floats("Mean", values), sample_weight)
        self.total.value[...] += values.sum()
        self.count.value[...] += weights.sum()

    def result(self) -> Array:
        return as_array(self.total.value / self.count.value if self.count.value else 0.0)


@saving.builtin("keras.metrics")
class Sum(Metric):
    """The weighted sum of values."""

    def __init__(self, name: str | None = "sum", dtype: Any = None):
        super().__init__(dtype, name)
        self.total: Variable = self.add_variable(name="total")

    @open_arguments
    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        values = _as_floats("Sum", values)
        if sample_weight is not None:
            values, weights = match_ranks(values, as_weights(sample_weight, np.float64))
            with told_to_fit(weights, values.shape):
                values = values * with_trailing_axes(weights, values.ndim)
        self.total.value[...] += values.sum()

    def result(self) -> Array:
        return as_array(self.total.value.copy())


@saving.builtin("keras.metrics")
class MeanMetricWrapper(Mean):
    """The weighted mean of a function of (y_true, y_pred).

    Args:
        fn: Gives values per sample.
        name, dtype: As in `Metric`.
        **kwargs: Passed on to the function.
    """

    def __init__(self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **kwargs: Any):
        super().__init__(name, dtype)
        self.fn = fn
        self._fn_kwargs = kwargs

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        mask = getattr(y_pred, "_keras_mask", None)
        if mask is not None:
            sample_weight = weights_times(sample_weight, mask)
        super().update_state(self.fn(*arrays_for(self.fn, y_true, y_pred), **self._fn_kwargs), sample_weight)

    def get_config(self) -> dict[str, Any]:
        base = {"name": self.name, "dtype": self.dtype}
        own = {"fn": saving.serialize_keras_object(self.fn)} if type(self) is MeanMetricWrapper else {}
        return base | own | saving.serialize_keras_object(self._fn_kwargs)
