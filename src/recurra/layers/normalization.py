"""Layers that bring their input to mean 0 and variance 1, or to length 1."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra import config, constraints, initializers, regularizers, saving
from recurra._checks import expected, fraction
from recurra.layers._arrays import sum_to
from recurra.layers._shapes import positions
from recurra.layers.base import Layer
from recurra.layers.merging import normalized, normalized_gradient
from recurra.variables import Variable


def standardized(x: np.ndarray, axes: tuple[int, ...], epsilon: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns (x - mean) / sqrt(variance + epsilon) over `axes`, and 1 / sqrt(variance + epsilon)."""
    centred = x - x.mean(axis=axes, keepdims=True)
    inverse = 1 / np.sqrt(np.square(centred).mean(axis=axes, keepdims=True) + x.dtype.type(epsilon))
    return centred * inverse, inverse


def standardized_gradient(dy: np.ndarray, y: np.ndarray, inverse: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Returns dx of `standardized`."""
    mean = dy.mean(axis=axes, keepdims=True)
    slope = (dy * y).mean(axis=axes, keepdims=True)
    return inverse * (dy - mean - y * slope)


class _Affine(Layer):
    """Normalizations with a learned factor gamma and offset beta."""

    supports_masking = True
    _lists_axes = False  # whether a built layer's config has a list of one axis, as Keras writes it

    def __init__(
        self,
        axis: Any = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.axis = list(axis) if isinstance(axis, (list, tuple)) else axis
        self.epsilon = float(epsilon)
        self.center = bool(center)
        self.scale = bool(scale)
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)

    def build(self, input_shape: Any) -> None:
        axes = positions(type(self).__name__, self.axis, len(input_shape))
        shape = tuple(input_shape[axis] for axis in axes)
        if None in shape:
            raise ValueError(expected(type(self).__name__, f"known sizes along axis {self.axis}", input_shape))
        self._axes, self._sizes = axes, shape
        if self._lists_axes and not isinstance(self.axis, list):
            self.axis = [self.axis]
        self.gamma = self._weight("gamma", shape) if self.scale else None
        self.beta = self._weight("beta", shape) if self.center else None

    def _weight(self, name: str, shape: tuple[int, ...]) -> Variable:
        return self.add_weight(
            shape,
            getattr(self, f"{name}_initializer"),
            name=name,
            regularizer=getattr(self, f"{name}_regularizer"),
            constraint=getattr(self, f"{name}_constraint"),
        )

    def _spread(self, value: np.ndarray, ndim: int) -> np.ndarray:
        """Returns a value for each entry along the axes in a shape that broadcasts to the input's."""
        shape = [1] * ndim
        for axis, size in zip(self._axes, self._sizes, strict=True):
            shape[axis] = size
        return value.reshape(shape)

    def _check(self, inputs: np.ndarray) -> None:
        if max(self._axes) >= inputs.ndim or tuple(inputs.shape[axis] for axis in self._axes) != self._sizes:
            what = f"sizes {self._sizes} along the axes {self._axes}"
            raise ValueError(expected(type(self).__name__, what, f"input of shape {inputs.shape}"))

    def _scaled(self, y: np.ndarray) -> np.ndarray:
        """Returns gamma * y + beta."""
        if self.gamma is not None:
            y = y * self._spread(self.gamma.value, y.ndim)
        return y if self.beta is None else y + self._spread(self.beta.value, y.ndim)

    def _scaled_gradient(self, dy: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Returns the gradient of what `_scaled` took; adds those of gamma and beta."""
        if self.beta is not None and self.beta.grad is not None:
            spread = self._spread(self.beta.grad, dy.ndim)
            spread += sum_to(dy, spread.shape)
        if self.gamma is None:
            return dy
        if self.gamma.grad is not None:
            spread = self._spread(self.gamma.grad, dy.ndim)
            spread += sum_to(dy * y, spread.shape)
        return dy * self._spread(self.gamma.value, dy.ndim)


@saving.builtin("keras.layers")
class LayerNormalization(_Affine):
    """y = (x - mean) / sqrt(variance + epsilon) * gamma + beta, over `axis` of each row (Ba et al., 2016;
    https://keras.io/api/layers/normalization_layers/layer_normalization).

    Args:
        axis: The axis, or several taken together.
        epsilon: Added to the variance.
        center: Whether there is a beta.
        scale: Whether there is a gamma.
        beta_initializer, gamma_initializer: First values of the weights.
        beta_regularizer, gamma_regularizer: Penalties on the weights.
        beta_constraint, gamma_constraint: Applied to the weights after each update.

    Raises:
        ValueError: If the size along the axis is unknown.

    >>> recurra.layers.LayerNormalization(epsilon=0.0)(np.array([[1.0, 3.0]])).numpy()
    array([[-1.,  1.]], dtype=float32)
    """

    _lists_axes = True

    def __init__(self, *args: Any, **kwargs: Any):
        if kwargs.pop("rms_scaling", False):
            raise ValueError(expected("LayerNormalization", "no rms_scaling", "True", "use RMSNormalization"))
        super().__init__(*args, **kwargs)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"rms_scaling": False}

    def forward(self, inputs: np.ndarray) -> tuple[np.ndarray, Any]:
        self._check(inputs)
        y, inverse = standardized(inputs, self._axes, self.epsilon)
        return self._scaled(y), (y, inverse)

    def backward(self, doutputs: np.ndarray, cache: Any) -> np.ndarray:
        y, inverse = cache
        return standardized_gradient(self._scaled_gradient(doutputs, y), y, inverse, self._axes)


@saving.builtin("keras.layers")
class GroupNormalization(_Affine):
    """`LayerNormalization` within groups of features, over all time steps of a row (Wu and He, 2018).

    Args:
        groups: Number of groups; -1 for one feature each.
        axis: The axis of the features.
        epsilon, center, scale, **kwargs: As of `LayerNormalization`.

    Raises:
        ValueError: If the features cannot be divided into so many groups.
    """

    def __init__(self, groups: int = 32, axis: int = -1, epsilon: float = 1e-3, **kwargs: Any):
        super().__init__(axis, epsilon, **kwargs)
        self.groups = groups

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        (size,) = self._sizes
        if self.groups == -1:
            self.groups = size
        if self.groups < 1 or size % self.groups:
            raise ValueError(expected("GroupNormalization", f"groups to divide the {size} features", self.groups))

    def forward(self, inputs: np.ndarray) -> tuple[np.ndarray, Any]:
        self._check(inputs)
        (axis,) = self._axes
        grouped = inputs.reshape(*inputs.shape[:axis], self.groups, -1, *inputs.shape[axis + 1 :])
        axes = tuple(other for other in range(1, grouped.ndim) if other != axis)
        y, inverse = standardized(grouped, axes, self.epsilon)
        return self._scaled(y.reshape(inputs.shape)), (y, inverse, axes)

    def backward(self, doutputs: np.ndarray, cache: Any) -> np.ndarray:
        y, inverse, axes = cache
        dy = self._scaled_gradient(doutputs, y.reshape(doutputs.shape))
        return standardized_gradient(dy.reshape(y.shape), y, inverse, axes).reshape(doutputs.shape)


_RENORM = {"renorm": False, "renorm_clipping": None, "renorm_momentum": 0.99}


@saving.builtin("keras.layers")
class BatchNormalization(_Affine):
    """y = (x - mean) / sqrt(variance + epsilon) * gamma + beta, for each feature over the batch (Ioffe, Szegedy, 2015;
    https://keras.io/api/layers/normalization_layers/batch_normalization).

    Training takes mean and variance of the batch and moves the stored ones towards them; prediction takes the stored
    ones, and so does training while `trainable` is False.

    Args:
        axis: The axis of the features.
        momentum: How much of the stored mean and variance a training step keeps.
        epsilon, center, scale, **kwargs: As of `LayerNormalization`.
        moving_mean_initializer, moving_variance_initializer: First values of the stored ones.
        synchronized: Accepted, changes nothing.

    Call:
        inputs: (N, ..., D).
        training: Whether to take the batch's.
        mask: bool (N, ...): entries that count for mean and variance.

    Raises:
        ValueError: If the size along the axis is unknown.
    """

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        *,  # batch renormalization's options follow in Keras
        synchronized: bool = False,
        **kwargs: Any,
    ):
        options = {name: kwargs.pop(name, off) for name, off in _RENORM.items()}
        if options["renorm"]:
            raise ValueError(
                expected("BatchNormalization", "renorm=False", "True", "batch renormalization is not here")
            )
        super().__init__(
            axis,
            epsilon,
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            beta_constraint,
            gamma_constraint,
            **kwargs,
        )
        self.momentum = fraction("BatchNormalization", "momentum", momentum)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.synchronized = bool(synchronized)

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        shape = self._sizes
        self.moving_mean = self.add_weight(shape, self.moving_mean_initializer, name="moving_mean", trainable=False)
        self.moving_variance = self.add_weight(
            shape, self.moving_variance_initializer, name="moving_variance", trainable=False
        )

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | _RENORM

    def forward(self, inputs: np.ndarray, training: bool = False, mask: Any = None) -> tuple[np.ndarray, Any]:
        self._check(inputs)
        if training and self.trainable:
            weights, total = self._weights(inputs, mask)
            axes = tuple(axis for axis in range(inputs.ndim) if axis != self._axes[0])
            mean = (inputs * weights).sum(axis=axes, keepdims=True) / total
            variance = (np.square(inputs - mean) * weights).sum(axis=axes, keepdims=True) / total
            self._move(self.moving_mean, mean)
            self._move(self.moving_variance, variance)
            batch = (axes, weights, total)
        else:
            mean = self._spread(self.moving_mean.value, inputs.ndim)
            variance = self._spread(self.moving_variance.value, inputs.ndim)
            batch = None
        inverse = 1 / np.sqrt(variance + inputs.dtype.type(self.epsilon))
        y = (inputs - mean) * inverse
        return self._scaled(y), (y, inverse, batch)

    def _weights(self, inputs: np.ndarray, mask: Any) -> tuple[np.ndarray, Any]:
        """Returns 1 for each entry that counts, else 0, and how many count for each feature."""
        if mask is None:
            return np.ones([1] * inputs.ndim, inputs.dtype), inputs.dtype.type(inputs.size // self._sizes[0])
        mask = np.asarray(mask)
        if mask.ndim != inputs.ndim - 1:
            raise ValueError(expected("BatchNormalization", f"a mask of {inputs.ndim - 1} axes", f"shape {mask.shape}"))
        weights = mask.astype(inputs.dtype)[..., None]
        return weights, inputs.dtype.type(weights.sum() + config.epsilon())

    def _move(self, stored: Variable, batch: np.ndarray) -> None:
        stored.assign(stored.value * self.momentum + batch.reshape(stored.shape) * (1 - self.momentum))

    def backward(self, doutputs: np.ndarray, cache: Any) -> np.ndarray:
        y, inverse, batch = cache
        dy = self._scaled_gradient(doutputs, y)
        if batch is None:
            return dy * inverse
        axes, weights, total = batch
        # The last term of dmean is not quite 0 under a mask: `total` holds a small constant beside the count.
        dmean = -dy.sum(axis=axes, keepdims=True) * inverse
        dvariance = -0.5 * np.square(inverse) * (dy * y).sum(axis=axes, keepdims=True)
        dmean -= 2 * dvariance * (y * weights).sum(axis=axes, keepdims=True) / (inverse * total)
        return dy * inverse + weights / total * (dmean + 2 * dvariance * y / inverse)


@saving.builtin("keras.layers")
class RMSNormalization(Layer):
    """y = x / sqrt(mean(x * x) + epsilon) * scale, over `axis` of each row (Zhang and Sennrich, 2019).

    Args:
        axis: The axis, or several taken together.
        epsilon: Added to the mean square.
    """

    def __init__(self, axis: Any = -1, epsilon: float = 1e-6, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = list(axis) if isinstance(axis, (list, tuple)) else axis
        self.epsilon = float(epsilon)

    def build(self, input_shape: Any) -> None:
        axes = positions("RMSNormalization", self.axis, len(input_shape))
        self.axis = self.axis if isinstance(self.axis, list) else [self.axis]
        sizes = tuple(input_shape[axis] for axis in axes)
        if None in sizes:
            raise ValueError(expected("RMSNormalization", f"known sizes along axis {self.axis}", input_shape))
        self.scale = self.add_weight(sizes, "ones", name="scale")

    def forward(self, inputs: np.ndarray) -> tuple[np.ndarray, Any]:
        axes = positions("RMSNormalization", self.axis, inputs.ndim)
        square = np.square(inputs).mean(axis=axes, keepdims=True)
        inverse = 1 / np.sqrt(square + inputs.dtype.type(self.epsilon))
        y = inputs * inverse
        scale = self.scale.value.reshape([size if axis in axes else 1 for axis, size in enumerate(inputs.shape)])
        return y * scale, (y, inverse, scale, axes)

    def backward(self, doutputs: np.ndarray, cache: Any) -> np.ndarray:
        y, inverse, scale, axes = cache
        if self.scale.grad is not None:
            self.scale.grad[...] += sum_to(doutputs * y, scale.shape).reshape(self.scale.shape)
        dy = doutputs * scale
        return inverse * (dy - y * (dy * y).mean(axis=axes, keepdims=True))


@saving.builtin("keras.layers")
class UnitNormalization(Layer):
    """Scales to length 1 along `axis`.

    Args:
        axis: The axis, or several taken together.
    """

    supports_masking = True
    stateless = True

    def __init__(self, axis: Any = -1, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = list(axis) if isinstance(axis, (list, tuple)) else axis

    def forward(self, inputs: np.ndarray) -> tuple[np.ndarray, Any]:
        axes = positions("UnitNormalization", self.axis, inputs.ndim)
        y, scale = normalized(inputs, axes, 1e-12)
        return y, (y, scale, axes)

    def backward(self, doutputs: np.ndarray, cache: Any) -> np.ndarray:
        y, scale, axes = cache
        return normalized_gradient(doutputs, y, scale, axes)
