"""Layers that apply a function to each element, and Softmax."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra import activations, constraints, initializers, ops, regularizers, saving
from recurra._checks import check_gradient, expected, not_negative
from recurra.layers._math import select, softmax, softmax_gradient, sum_to, zero_unless
from recurra.layers._shapes import position, positions
from recurra.layers.base import Layer


class _ActivationLayer(Layer):
    """Base of those without weights: one may also stand for an activation, as in `Dense(8, activation=LeakyReLU())`."""

    supports_masking = True
    stateless = True

    def gradient(self, dy: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Returns the gradient of the inputs x, as `gradient` of an activation function does."""
        return self.backward(dy, self.forward(x)[1])


@saving.builtin("keras.layers")
class Activation(_ActivationLayer):
    """Applies an activation function (https://keras.io/api/layers/core_layers/activation).

    Args:
        activation: Name or function.

    Raises:
        ValueError: For an activation that is unknown.

    >>> recurra.layers.Activation("relu")(np.array([[-1.0, 2.0]])).numpy()
    array([[0., 2.]], dtype=float32)
    """

    def __init__(self, activation: Any, **kwargs: Any):
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def forward(self, inputs: np.ndarray) -> tuple[np.ndarray, Any]:
        y = np.asarray(self.activation(inputs), inputs.dtype)
        return y, (inputs, y)

    def backward(self, doutputs: np.ndarray, cache: Any) -> np.ndarray:
        check_gradient(self.activation, f"layer {self.name!r}")
        inputs, y = cache
        dx = self.activation.gradient(np.ascontiguousarray(doutputs), np.ascontiguousarray(inputs), y)
        return np.asarray(dx, inputs.dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        size = input_shape[-1]
        halved = self.activation is activations.glu and size is not None
        return (*input_shape[:-1], size // 2) if halved else input_shape

    def join_plan(self, plan: ops.Plan, training: bool) -> bool:
        return plan.add_activation(activations.name_of(self.activation))


@saving.builtin("keras.layers")
class ReLU(_ActivationLayer):
    """y = x from `threshold` to `max_value`, max_value above, negative_slope * (x - threshold) below.

    Args:
        max_value: Largest output; None for no limit.
        negative_slope: Slope below the threshold.
        threshold: Where x begins to pass.

    Raises:
        ValueError: If one of them is negative, or a slope or threshold None.
        TypeError: If one is anything else that is no number.
    """

    def __init__(
        self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.max_value = None if max_value is None else not_negative("ReLU", "max_value", max_value)
        self.negative_slope = not_negative("ReLU", "negative_slope", negative_slope)
        self.threshold = not_negative("ReLU", "threshold", threshold)

    def forward(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        y = np.asarray(activations.relu(inputs, self.negative_slope, self.max_value, self.threshold))
        return y, inputs

    def backward(self, doutputs: np.ndarray, cache: np.ndarray) -> np.ndarray:
        passes = cache > self.threshold
        if self.max_value is not None:
            passes &= cache <= self.max_value
        dx = zero_unless(passes, doutputs)
        return dx + zero_unless(cache < self.threshold, self.negative_slope * doutputs) if self.negative_slope else dx

    def join_plan(self, plan: ops.Plan, training: bool) -> bool:
        plain = not self.negative_slope and self.max_value is None and not self.threshold
        return plain and plan.add_activation("relu")


@saving.builtin("keras.layers")
class LeakyReLU(_ActivationLayer):
    """y = x above 0, negative_slope * x below.

    Args:
        negative_slope: Slope below 0.

    Raises:
        ValueError: If it is negative or None.
        TypeError: If it is anything else that is no number.
    """

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any):
        negative_slope = kwargs.pop("alpha", negative_slope)
        super().__init__(**kwargs)
        self.negative_slope = not_negative("LeakyReLU", "negative_slope", negative_slope)

    def forward(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return select(inputs > 0, inputs, self.negative_slope * inputs), inputs

    def backward(self, doutputs: np.ndarray, cache: np.ndarray) -> np.ndarray:
        return select(cache > 0, doutputs, self.negative_slope * doutputs)


@saving.builtin("keras.layers")
class ELU(_ActivationLayer):
    """y = x above 0, alpha * (exp(x) - 1) below (Clevert et al., 2016).

    Args:
        alpha: Minus the limit for small x.
    """

    def __init__(self, alpha: float = 1.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.alpha = alpha

    def forward(self, inputs: np.ndarray) -> tuple[np.ndarray, Any]:
        below = ops.activation_forward("elu", np.ascontiguousarray(inputs))
        y = select(inputs > 0, inputs, self.alpha * below)
        return y, (inputs, y)

    def backward(self, doutputs: np.ndarray, cache: Any) -> np.ndarray:
        inputs, y = cache
        return select(inputs > 0, doutputs, doutputs * (y + self.alpha))


@saving.builtin("keras.layers")
class PReLU(Layer):
    """y = x above 0, alpha * x below, with a learned alpha for each input of a row (He et al., 2015).

    Args:
        alpha_initializer: First values of alpha.
        alpha_regularizer: Penalty on alpha.
        alpha_constraint: Applied to alpha after each update.
        shared_axes: Axes along which one alpha serves all, such as [1] for time.

    Raises:
        ValueError: If an initializer, a regularizer or a constraint is unknown.
    """

    supports_masking = True

    def __init__(
        self,
        alpha_initializer: Any = "zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: Any = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        if shared_axes is not None and not isinstance(shared_axes, (list, tuple)):
            shared_axes = [shared_axes]
        self.shared_axes = None if shared_axes is None else list(shared_axes)

    def build(self, input_shape: Any) -> None:
        shared = {position("PReLU", axis, len(input_shape)) for axis in self.shared_axes or []}
        shape = tuple(1 if axis in shared else input_shape[axis] for axis in range(1, len(input_shape)))
        if None in shape:
            raise ValueError(expected("PReLU", "known sizes along axes that are not shared", input_shape))
        self.alpha = self._add_configured_weight("alpha", shape)

    def forward(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return select(inputs > 0, inputs, self.alpha.value * inputs), inputs

    def backward(self, doutputs: np.ndarray, cache: np.ndarray) -> np.ndarray:
        above = cache > 0
        if self.alpha.grad is not None:
            self.alpha.grad[...] += sum_to(zero_unless(~above, doutputs * cache), self.alpha.shape)
        return select(above, doutputs, self.alpha.value * doutputs)


@saving.builtin("keras.layers")
class Softmax(_ActivationLayer):
    """Positive numbers that sum to one along an axis.

    Args:
        axis: The axis, or several taken together.

    Call:
        inputs: (N, ...).
        mask: Which inputs count, broadcast to them; the others get zero. A mask of time steps (N, T) is handed on only.

    Raises:
        ValueError: If the mask does not fit.
    """

    def __init__(self, axis: Any = -1, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = axis

    def forward(self, inputs: np.ndarray, mask: Any = None) -> tuple[np.ndarray, Any]:
        axes = positions("Softmax", self.axis, inputs.ndim)
        keep = None if mask is None else self._keep(np.asarray(mask), inputs.shape, axes)
        if keep is None:
            y = softmax(inputs, axes)
        else:
            y = softmax(np.where(keep, inputs, inputs.dtype.type(-1e9)), axes) * keep
        return y, (y, axes)

    def _keep(self, mask: np.ndarray, shape: tuple[int, ...], axes: tuple[int, ...]) -> np.ndarray | None:
        """Returns which inputs count; None for a mask of time steps, which says nothing about the axes."""
        if mask.shape == shape[: mask.ndim] and mask.ndim <= min(axes):  # though it may fit the last axes by chance
            return None
        pairs = zip(reversed(mask.shape), reversed(shape), strict=False)
        if mask.ndim <= len(shape) and all(size in (1, wanted) for size, wanted in pairs):
            return mask if mask.dtype == bool else mask > 0.5
        raise ValueError(expected("Softmax", f"a mask that fits {shape}", f"shape {mask.shape}"))

    def backward(self, doutputs: np.ndarray, cache: Any) -> np.ndarray:
        y, axes = cache
        return softmax_gradient(doutputs, y, axes)

    def join_plan(self, plan: ops.Plan, training: bool) -> bool:
        return self.axis == -1 and not plan.is_masked and plan.add_activation("softmax")


@saving.builtin("keras.layers")
class Rescaling(Layer):
    """y = scale * x + offset.

    Args:
        scale: Factor, one or one for each feature.
        offset: Added to the product.
    """

    supports_masking = True

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.scale = scale
        self.offset = offset

    def forward(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        scale = np.asarray(self.scale, self.dtype)
        return inputs * scale + np.asarray(self.offset, self.dtype), scale

    def backward(self, doutputs: np.ndarray, cache: np.ndarray) -> np.ndarray:
        return doutputs * cache

    def join_plan(self, plan: ops.Plan, training: bool) -> bool:
        return plan.add_rescaling(self.scale, self.offset)
