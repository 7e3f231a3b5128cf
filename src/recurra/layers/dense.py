"""Dense: a matrix product on the last axis."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from recurra import activations, constraints, initializers, ops, regularizers, saving
from recurra._arguments import open_arguments
from recurra._checks import expected, positive_int
from recurra.layers._shapes import check_features, known_features
from recurra.layers.base import Layer


@saving.builtin("keras.layers")
class Dense(Layer):
    """y = activation(x @ kernel + bias) on the last axis (https://keras.io/api/layers/core_layers/dense).

    Args:
        units: Size of the last axis of the output.
        activation: Name or function; None is linear.
        use_bias: Whether there is a bias.
        kernel_initializer, bias_initializer: First values of the weights.
        kernel_regularizer, bias_regularizer: Penalties on the weights.
        activity_regularizer: Penalty on the output.
        kernel_constraint, bias_constraint: Applied to the weights after each update.

    Call:
        inputs: (N, ..., D).

    Returns:
        (N, ..., units).

    Raises:
        TypeError: If `units` is not a number.
        ValueError: If `units` is not positive, or the number of features is another than before.

    >>> recurra.layers.Dense(3)(np.ones((2, 5), np.float32)).shape
    (2, 3)
    """

    supports_masking = True
    _absent_options = {"quantization_config": None}

    def __init__(
        self,
        units: int,
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
        self.units = positive_int("Dense", "units", units)
        self.activation = activations.get(activation)
        if self.units == 1 and self.activation is activations.softmax:
            warnings.warn(
                "Dense expected more than one unit for a softmax, got 1: its output is always 1. Use a sigmoid.",
                stacklevel=2,
            )
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)

    def build(self, input_shape: Any) -> None:
        if len(input_shape) < 2:
            raise ValueError(expected("Dense", "input of shape (batch, ..., features)", input_shape))
        self.kernel = self._add_configured_weight("kernel", (known_features("Dense", input_shape), self.units))
        self.bias: Any = self._add_configured_weight("bias", (self.units,)) if self.use_bias else None

    def forward(self, inputs: np.ndarray) -> tuple[np.ndarray, Any]:
        check_features("Dense", inputs.shape, self.kernel.shape[0])
        rows = np.ascontiguousarray(inputs).reshape(math.prod(inputs.shape[:-1]), inputs.shape[-1])
        bias = None if self.bias is None else self.bias.value
        outputs, cache = ops.dense_forward(rows, self.kernel.value, bias, activations.name_of(self.activation))
        return outputs.reshape(*inputs.shape[:-1], outputs.shape[-1]), cache

    @open_arguments
    def backward(self, doutputs: np.ndarray, cache: Any, need_dx: bool = True) -> Any:
        drows = np.ascontiguousarray(doutputs).reshape(-1, doutputs.shape[-1])
        dbias = None if self.bias is None else self.bias.grad
        dx = ops.dense_backward(drows, cache, self.kernel.grad, dbias, need_dx=need_dx)
        return None if dx is None else dx.reshape(*doutputs.shape[:-1], dx.shape[-1])

    def join_plan(self, plan: ops.Plan, training: bool) -> bool:
        has_features = self.kernel.shape[0] > 0  # which native code wants
        return has_features and plan.add_dense((self.kernel, self.bias), activations.name_of(self.activation))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape[:-1], self.units)
