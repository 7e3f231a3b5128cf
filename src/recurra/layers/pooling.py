"""Layers that keep the largest or the mean of several time steps."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra import saving
from recurra._checks import expected, one_of
from recurra.layers._arrays import add_windows, kept, same_padding, windows
from recurra.layers._shapes import Shape, channels_last, check_rank, one_number
from recurra.layers.base import Layer


class _Pooling(Layer):
    """Windows of `pool_size` steps, `strides` apart."""

    fill = 0.0
    stateless = True

    def __init__(
        self,
        pool_size: Any = 2,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        who = type(self).__name__
        self.pool_size = one_number(who, "pool_size", pool_size)
        self.strides = one_number(who, "strides", pool_size if strides is None else strides)
        self.padding = one_of(who, "padding", padding, ("valid", "same"))
        self.data_format = channels_last(who, data_format)

    def build(self, input_shape: Any) -> None:
        check_rank(type(self).__name__, input_shape, 3)
        self.compute_output_shape(input_shape)

    def _windows(self, inputs: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
        (size,), (stride,) = self.pool_size, self.strides
        pads = same_padding(inputs.shape[1], size, stride) if self.padding == "same" else (0, 0)
        padded = np.pad(inputs, ((0, 0), pads, (0, 0)), constant_values=self.fill)
        return windows(padded, size, stride), pads

    def _back(self, dwindows: np.ndarray, shape: tuple[int, ...], pads: tuple[int, int]) -> np.ndarray:
        batch, timesteps, features = shape
        dx = np.zeros((batch, timesteps + sum(pads), features), dwindows.dtype)
        add_windows(dx, dwindows, self.strides[0])
        return np.ascontiguousarray(dx[:, pads[0] : pads[0] + timesteps])

    def compute_output_shape(self, input_shape: Any) -> Shape:
        batch, timesteps, features = input_shape
        (size,), (stride,) = self.pool_size, self.strides
        if timesteps is None:
            return (batch, None, features)
        steps = -(-timesteps // stride) if self.padding == "same" else (timesteps - size) // stride + 1
        if steps < 1:
            raise ValueError(expected(type(self).__name__, f"at least {size} time steps", timesteps))
        return (batch, steps, features)


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
        ValueError: If there is no whole window.

    >>> recurra.layers.MaxPooling1D(2)(np.ones((1, 6, 3), np.float32)).shape
    (1, 3, 3)
    """

    fill = -np.inf

    def forward(self, inputs: np.ndarray) -> tuple[np.ndarray, Any]:
        view, pads = self._windows(inputs)
        y = view[:, :, 0].copy()
        for j in range(1, view.shape[2]):  # several times as fast as NumPy along the axis
            np.maximum(y, view[:, :, j], out=y)
        return y, (view, y, inputs.shape, pads)

    def backward(self, doutputs: np.ndarray, cache: Any) -> np.ndarray:
        view, y, shape, pads = cache
        left = np.ascontiguousarray(doutputs)  # for the first of the largest alone
        dwindows = np.empty(view.shape, doutputs.dtype)
        for j in range(view.shape[2]):
            smaller = view[:, :, j] < y
            dwindows[:, :, j] = kept(~smaller, left)
            left = kept(smaller, left)
        return self._back(dwindows, shape, pads)


@saving.builtin("keras.layers")
class AveragePooling1D(_Pooling):
    """The mean of each window of time steps; padding is not counted.

    Args:
        pool_size, strides, padding, data_format: As of `MaxPooling1D`.
    """

    def forward(self, inputs: np.ndarray) -> tuple[np.ndarray, Any]:
        view, pads = self._windows(inputs)
        real, _ = self._windows(np.ones((1, inputs.shape[1], 1), inputs.dtype))
        count = real.sum(axis=2)
        return view.sum(axis=2) / count, (count, inputs.shape, pads)

    def backward(self, doutputs: np.ndarray, cache: Any) -> np.ndarray:
        count, shape, pads = cache
        each = (doutputs / count)[:, :, None, :]
        return self._back(np.repeat(each, self.pool_size[0], axis=2), shape, pads)


class _GlobalPooling(Layer):
    """All time steps as one window."""

    stateless = True

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.data_format = channels_last(type(self).__name__, data_format)
        self.keepdims = bool(keepdims)

    def build(self, input_shape: Any) -> None:
        check_rank(type(self).__name__, input_shape, 3)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        batch, _, features = input_shape
        return (batch, 1, features) if self.keepdims else (batch, features)

    def _check_steps(self, inputs: np.ndarray) -> None:
        if not inputs.shape[1]:
            raise ValueError(expected(type(self).__name__, "at least 1 time step", 0))

    def _shaped(self, pooled: np.ndarray) -> np.ndarray:
        return pooled if self.keepdims else pooled[:, 0]

    def _with_time(self, doutputs: np.ndarray) -> np.ndarray:
        return doutputs if self.keepdims else doutputs[:, None, :]


@saving.builtin("keras.layers")
class GlobalMaxPooling1D(_GlobalPooling):
    """The largest over all time steps; several equal ones share the gradient.

    Args:
        data_format: "channels_last".
        keepdims: Whether to keep the time axis, with size 1.
    """

    def forward(self, inputs: np.ndarray) -> tuple[np.ndarray, Any]:
        self._check_steps(inputs)
        y = inputs.max(axis=1, keepdims=True)
        return self._shaped(y), inputs == y

    def backward(self, doutputs: np.ndarray, cache: np.ndarray) -> np.ndarray:
        share = cache / cache.sum(axis=1, keepdims=True)
        return self._with_time(doutputs) * share.astype(doutputs.dtype)


@saving.builtin("keras.layers")
class GlobalAveragePooling1D(_GlobalPooling):
    """The mean over all time steps, with a mask over those that count; zero where none does.

    Args:
        data_format: "channels_last".
        keepdims: Whether to keep the time axis, with size 1.

    Call:
        inputs: (N, T, D).
        mask: bool (N, T) or None.
    """

    supports_masking = True

    def forward(self, inputs: np.ndarray, mask: Any = None) -> tuple[np.ndarray, Any]:
        self._check_steps(inputs)
        if mask is None:
            weights = np.full((1, inputs.shape[1], 1), 1 / inputs.shape[1], inputs.dtype)
            return self._shaped(inputs.sum(axis=1, keepdims=True) / inputs.shape[1]), (weights, inputs.shape)
        keep = np.asarray(mask).astype(inputs.dtype)[..., None]
        count = np.maximum(keep.sum(axis=1, keepdims=True), 1)
        return self._shaped((inputs * keep).sum(axis=1, keepdims=True) / count), (keep / count, inputs.shape)

    def backward(self, doutputs: np.ndarray, cache: Any) -> np.ndarray:
        weights, shape = cache
        return np.broadcast_to(self._with_time(doutputs) * weights, shape)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """Returns None: there is no time axis left."""
        return None
