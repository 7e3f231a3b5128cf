"""Layers that keep the largest or the mean of several time steps."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra import ops, saving
from recurra._checks import expected, one_of
from recurra.layers._math import same_padding, zero_unless
from recurra.layers._shapes import Shape, channels_last, check_rank, one_number
from recurra.layers.base import Layer


class _Pooling(Layer):
    """Windows of `pool_size` steps, `strides` apart."""

    kind: str
    stateless = True

    def __init__(
        self,
        pool_size: Any = 2,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(name=name, **kwargs)
        who = type(self).__name__
        self.pool_size = one_number(who, "pool_size", pool_size)
        self.strides = one_number(who, "strides", pool_size if strides is None else strides)
        self.padding = one_of(who, "padding", padding, ("valid", "same"))
        self.data_format = channels_last(who, data_format)

    def build(self, input_shape: Any) -> None:
        check_rank(type(self).__name__, input_shape, 3)
        self.compute_output_shape(input_shape)

    def _options(self, timesteps: int) -> dict[str, int]:
        (size,), (stride,) = self.pool_size, self.strides
        before = same_padding(timesteps, size, stride)[0] if self.padding == "same" else 0
        return {"size": size, "stride": stride, "before": before}

    def forward(self, inputs: np.ndarray) -> tuple[np.ndarray, Any]:
        steps = self._steps(inputs.shape[1])
        y = ops.pool(inputs, self.kind, steps=steps, **self._options(inputs.shape[1]))
        return y, (inputs, y)

    def backward(self, doutputs: np.ndarray, cache: Any) -> np.ndarray:
        x, y = cache
        return ops.pool_gradient(doutputs, x, y, self.kind, **self._options(x.shape[1]))

    def join_plan(self, plan: ops.Plan, training: bool) -> bool:
        return plan.add_pooling(self.kind, self.pool_size[0], self.strides[0], self.padding)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        batch, timesteps, features = input_shape
        return (batch, None if timesteps is None else self._steps(timesteps), features)

    def _steps(self, timesteps: int) -> int:
        (size,), (stride,) = self.pool_size, self.strides
        steps = -(-timesteps // stride) if self.padding == "same" else (timesteps - size) // stride + 1
        if steps < 1:
            raise ValueError(expected(type(self).__name__, f"at least {size} time steps", timesteps))
        return steps


@saving.builtin("keras.layers")
class MaxPooling1D(_Pooling):
    """The largest of each window of time steps (https://keras.io/api/layers/pooling_layers/max_pooling1d).

    Args:
        pool_size: Steps in a window.
        strides: Steps from one window to the next; pool_size if None.
        padding: "valid" (whole windows only) or "same" (ceil(T / strides) windows).
        data_format: "channels_last".

    Call:
        inputs: (N, T, D).

    Returns:
        (N, T', D).

    Raises:
        TypeError: If `pool_size` or `strides` is not a number.
        ValueError: If an option is unknown or out of range, or there is no whole window.

    >>> recurra.layers.MaxPooling1D(2)(np.ones((1, 6, 3), np.float32)).shape
    (1, 3, 3)
    """

    kind = "first_max"


@saving.builtin("keras.layers")
class AveragePooling1D(_Pooling):
    """The mean of each window of time steps; padding is not counted.

    Args:
        pool_size, strides, padding, data_format: As of `MaxPooling1D`.

    Raises:
        TypeError, ValueError: As of `MaxPooling1D`.
    """

    kind = "mean"


class _GlobalPooling(Layer):
    """All time steps as one window; with channels_first they are the last axis."""

    kind: str
    stateless = True

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        formats = (None, "channels_last", "channels_first")
        self.data_format = one_of(type(self).__name__, "data_format", data_format, formats) or "channels_last"
        self.keepdims = bool(keepdims)

    def build(self, input_shape: Any) -> None:
        check_rank(type(self).__name__, input_shape, 3)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        sizes = list(input_shape)
        sizes[self._time_axis : self._time_axis + 1] = [1] if self.keepdims else []
        return tuple(sizes)

    @property
    def _time_axis(self) -> int:
        return 2 if self.data_format == "channels_first" else 1

    def _exchange_axes(self, x: np.ndarray) -> np.ndarray:
        """Returns x with its time and features exchanged where the features come first: there, and back again."""
        return np.ascontiguousarray(np.swapaxes(x, 1, self._time_axis))

    def _check_steps(self, inputs: np.ndarray) -> None:
        if not inputs.shape[self._time_axis]:
            raise ValueError(expected(type(self).__name__, "at least 1 time step", 0))

    def _shaped(self, pooled: np.ndarray) -> np.ndarray:
        return self._exchange_axes(pooled) if self.keepdims else pooled[:, 0]

    def _with_time(self, doutputs: np.ndarray) -> np.ndarray:
        return self._exchange_axes(doutputs) if self.keepdims else doutputs[:, None, :]

    def forward(self, inputs: np.ndarray) -> tuple[np.ndarray, Any]:
        self._check_steps(inputs)
        x = self._exchange_axes(inputs)
        y = ops.pool(x, self.kind, size=x.shape[1], stride=1, steps=1)
        return self._shaped(y), (x, y)

    def backward(self, doutputs: np.ndarray, cache: Any) -> np.ndarray:
        x, y = cache
        dx = ops.pool_gradient(self._with_time(doutputs), x, y, self.kind, size=x.shape[1], stride=1)
        return self._exchange_axes(dx)

    def join_plan(self, plan: ops.Plan, training: bool) -> bool:
        return self._time_axis == 1 and plan.add_pooling(self.kind, 0, 1, "valid")


@saving.builtin("keras.layers")
class GlobalMaxPooling1D(_GlobalPooling):
    """The largest over all time steps; several equal ones share the gradient.

    Args:
        data_format: "channels_last" for (N, T, D) or "channels_first" for (N, D, T).
        keepdims: Whether to keep the time axis, with size 1.

    Raises:
        ValueError: If `data_format` is another, the input has not three axes, or there is no time step.
    """

    kind = "shared_max"


@saving.builtin("keras.layers")
class GlobalAveragePooling1D(_GlobalPooling):
    """The mean over all time steps, with a mask over those that count; zero where none does.

    Args:
        data_format: "channels_last" for (N, T, D) or "channels_first" for (N, D, T).
        keepdims: Whether to keep the time axis, with size 1.

    Call:
        inputs: (N, T, D).
        mask: bool (N, T) or None.

    Raises:
        ValueError: If `data_format` is another, the input has not three axes, or there is no time step.
    """

    kind = "mean"
    supports_masking = True

    def forward(self, inputs: np.ndarray, mask: Any = None) -> tuple[np.ndarray, Any]:
        if mask is None:
            return super().forward(inputs)
        if self._time_axis != 1:
            raise ValueError(expected(type(self).__name__, "no mask with data_format='channels_first'", "one"))
        self._check_steps(inputs)
        mask = np.asarray(mask, bool)
        if mask.ndim != 2:
            raise ValueError(expected(type(self).__name__, f"mask of shape {inputs.shape[:2]}", mask.shape))
        keep = mask[..., None]
        count = np.maximum(keep.sum(axis=1, keepdims=True, dtype=inputs.dtype), 1)
        total = zero_unless(keep, inputs).sum(axis=1, keepdims=True)
        return self._shaped(total / count), (keep / count, None)

    def backward(self, doutputs: np.ndarray, cache: Any) -> np.ndarray:
        weights, y = cache
        return self._with_time(doutputs) * weights if y is None else super().backward(doutputs, cache)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """Returns None: there is no time axis left."""
        return None
