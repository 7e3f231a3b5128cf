"""Conv1D: a matrix product over each window of time steps."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra import activations, constraints, initializers, ops, regularizers, saving
from recurra._arguments import open_arguments
from recurra._checks import check_gradient, expected, one_of, positive_int
from recurra.layers._math import same_padding
from recurra.layers._shapes import channels_last, check_features, check_rank, known_features, one_number
from recurra.layers.base import Layer


@saving.builtin("keras.layers")
class Conv1D(Layer):
    """y[t] = activation(sum over j of x[t * strides + j * dilation_rate] @ kernel[j] + bias)
    (https://keras.io/api/layers/convolution_layers/convolution1d).

    Args:
        filters: Size of the last axis of the output.
        kernel_size: Steps in a window.
        strides: Steps from one window to the next.
        padding: "valid", "same" (ceil(T / strides) windows) or "causal" (no window sees later steps).
        data_format: "channels_last".
        dilation_rate: Distance of the steps within a window.
        groups: Parts of the features that are convolved apart.
        activation: Name or function; None is linear.
        use_bias: Whether there is a bias.
        kernel_initializer, bias_initializer: First values of the weights.
        kernel_regularizer, bias_regularizer: Penalties on the weights.
        activity_regularizer: Penalty on the output.
        kernel_constraint, bias_constraint: Applied to the weights after each update.

    Call:
        inputs: (N, T, D).

    Returns:
        (N, T', filters).

    Raises:
        TypeError: If a size is not a number.
        ValueError: If an option is unknown or out of range, they do not fit together, or there is no whole window.

    >>> recurra.layers.Conv1D(4, 3, padding="causal")(np.ones((1, 6, 2), np.float32)).shape
    (1, 6, 4)
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ):
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.filters = positive_int("Conv1D", "filters", filters)
        self.kernel_size = one_number("Conv1D", "kernel_size", kernel_size)
        self.strides = one_number("Conv1D", "strides", strides)
        self.padding = one_of("Conv1D", "padding", str(padding).lower(), ("valid", "same", "causal"))
        self.data_format = channels_last("Conv1D", data_format)
        self.dilation_rate = one_number("Conv1D", "dilation_rate", dilation_rate)
        self.groups = positive_int("Conv1D", "groups", groups)
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        if self.strides[0] > 1 and self.dilation_rate[0] > 1:
            raise ValueError(expected("Conv1D", "strides or dilation_rate of 1", f"{strides} and {dilation_rate}"))
        if self.filters % self.groups:
            raise ValueError(expected("Conv1D", f"filters to be a multiple of groups={groups}", filters))

    @property
    def _span(self) -> int:
        """Steps from the first to the last of a window."""
        return self.dilation_rate[0] * (self.kernel_size[0] - 1) + 1

    def build(self, input_shape: Any) -> None:
        check_rank("Conv1D", input_shape, 3)
        features = known_features("Conv1D", input_shape)
        if features % self.groups:
            raise ValueError(expected("Conv1D", f"features to be a multiple of groups={self.groups}", features))
        self.compute_output_shape(input_shape)
        self._features = features
        shape = (self.kernel_size[0], features // self.groups, self.filters)
        self.kernel = self._add_configured_weight("kernel", shape)
        self.bias: Any = self._add_configured_weight("bias", (self.filters,)) if self.use_bias else None

    def forward(self, inputs: np.ndarray) -> tuple[np.ndarray, Any]:
        check_rank("Conv1D", inputs.shape, 3)
        check_features("Conv1D", inputs.shape, self._features)
        timesteps = inputs.shape[1]
        before, after = self._pads(timesteps)
        padded = _padded(inputs, timesteps + before + after, before)
        bias = None if self.bias is None else self.bias.value
        stride, dilation = self.strides[0], self.dilation_rate[0]
        z = ops.convolve(padded, self.kernel.value, bias, stride=stride, dilation=dilation)
        y = z if self.activation is activations.get(None) else np.asarray(self.activation(z), z.dtype)
        return y, (padded, z, y, timesteps, before)

    @open_arguments
    def backward(self, doutputs: np.ndarray, cache: Any, need_dx: bool = True) -> Any:
        padded, z, y, timesteps, before = cache
        check_gradient(self.activation, f"layer {self.name!r}")
        dz = np.asarray(self.activation.gradient(np.ascontiguousarray(doutputs), z, y), z.dtype)
        stride, dilation = self.strides[0], self.dilation_rate[0]
        if self.bias is not None and self.bias.grad is not None:
            ones = np.ones((1, dz.shape[0] * dz.shape[1]), dz.dtype)
            ops.matmul(ones, dz.reshape(-1, self.filters), out=self.bias.grad.reshape(1, -1), accumulate=True)
        if self.kernel.grad is not None:
            ops.convolve_gradient(self.kernel.grad, dz, padded, stride=stride, dilation=dilation)
        if not need_dx:
            return None
        # Each input was seen by the windows that end after it: a convolution with the kernel turned round.
        spread = _padded(dz, timesteps + self._span - 1, self._span - 1 - before, stride)
        return ops.convolve(spread, self._turned_kernel(), dilation=dilation)

    def join_plan(self, plan: ops.Plan, training: bool) -> bool:
        options: dict[str, Any] = {
            "stride": self.strides[0],
            "dilation": self.dilation_rate[0],
            "padding": self.padding,
        }
        activation = activations.name_of(self.activation)
        return plan.add_convolution((self.kernel, self.bias), self._features, activation, **options)

    def _turned_kernel(self) -> np.ndarray:
        """Returns the kernel from last step to first, filters in the place of features: (size, F / groups, D)."""
        size, features, filters = self.kernel.shape
        turned = self.kernel.value[::-1].reshape(size, features, self.groups, filters // self.groups)
        return np.ascontiguousarray(turned.transpose(0, 3, 2, 1)).reshape(size, -1, self._features)

    def _pads(self, timesteps: int) -> tuple[int, int]:
        if self.padding == "same":
            return same_padding(timesteps, self._span, self.strides[0])
        return (self._span - 1, 0) if self.padding == "causal" else (0, 0)

    def compute_output_shape(self, input_shape: Any) -> Any:
        batch, timesteps, _ = input_shape
        if timesteps is None:
            return (batch, None, self.filters)
        steps = (timesteps + sum(self._pads(timesteps)) - self._span) // self.strides[0] + 1
        if steps < 1:
            raise ValueError(expected("Conv1D", f"at least {self._span} time steps", timesteps))
        return (batch, steps, self.filters)


def _padded(x: np.ndarray, timesteps: int, before: int, stride: int = 1) -> np.ndarray:
    """Returns x (N, T, D) in (N, timesteps, D): its steps `stride` apart, so many zeros before, and zeros around."""
    if x.shape[1] == timesteps:
        return x
    padded = np.zeros((len(x), timesteps, x.shape[2]), x.dtype)
    padded[:, before : before + (x.shape[1] - 1) * stride + 1 : stride] = x
    return padded
