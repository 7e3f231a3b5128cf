"""Layers that bring their input to mean 0 and variance 1, or to length 1."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from recurra import config, constraints, initializers, ops, regularizers, saving
from recurra._arrays import axes_last
from recurra._checks import expected, fraction, not_negative, positive_int, whole_number
from recurra.layers._math import normalized, normalized_gradient, sum_to, zero_unless
from recurra.layers._shapes import positions
from recurra.layers.base import Layer


def _standardized(x: np.ndarray, axes: tuple[int, ...], epsilon: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns (x - mean) / sqrt(variance + epsilon) over `axes`, and 1 / sqrt(variance + epsilon)."""
    centred = x - x.mean(axis=axes, keepdims=True)
    inverse = 1 / np.sqrt(np.square(centred).mean(axis=axes, keepdims=True) + x.dtype.type(epsilon))
    return centred * inverse, inverse


def _standardized_gradient(dy: np.ndarray, y: np.ndarray, inverse: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """Returns dx of `_standardized`."""
    mean = dy.mean(axis=axes, keepdims=True)
    slope = (dy * y).mean(axis=axes, keepdims=True)
    return inverse * (dy - mean - y * slope)


def _listed(axis: Any) -> Any:
    """Returns several axes as a list, one as it is."""
    return list(axis) if isinstance(axis, (list, tuple)) else axis


def axes_and_sizes(who: str, axis: Any, shape: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Returns one axis or several as `positions` does, and their sizes; ValueError if one is unknown."""
    axes = positions(who, axis, len(shape))
    sizes = tuple(shape[position] for position in axes)
    if None in sizes:
        raise ValueError(expected(who, f"known sizes along axis {axis}", shape))
    return axes, sizes


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
        self.axis = _listed(axis)
        self.epsilon = float(not_negative(type(self).__name__, "epsilon", epsilon))
        self.center = bool(center)
        self.scale = bool(scale)
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)

    def build(self, input_shape: Any) -> None:
        self._axes, self._sizes = axes_and_sizes(type(self).__name__, self.axis, input_shape)
        if self._lists_axes and not isinstance(self.axis, list):
            self.axis = [self.axis]
        self.gamma: Any = self._add_configured_weight("gamma", self._sizes) if self.scale else None
        self.beta: Any = self._add_configured_weight("beta", self._sizes) if self.center else None

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

    def _values(self) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Returns gamma and beta, as the native operations take them."""
        gamma, beta = (None if v is None else v.value for v in (self.gamma, self.beta))
        return gamma, beta

    def _gradient_arrays(self) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]:
        """Returns gamma, and what the gradients of gamma and beta are added to, as they take them."""
        dgamma, dbeta = (None if v is None else v.grad for v in (self.gamma, self.beta))
        return self._values()[0], dgamma, dbeta

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
        TypeError: If `epsilon` is not a number.
        ValueError: If `epsilon` is negative, or the size along the axis is unknown.

    >>> recurra.layers.LayerNormalization(epsilon=0.0)(np.array([[1.0, 3.0]])).numpy()
    array([[-1.,  1.]], dtype=float32)
    """

    _absent_options = {"rms_scaling": False}
    _lists_axes = True

    def forward(self, inputs: np.ndarray, keep_cache: bool = True) -> tuple[np.ndarray, Any]:
        self._check(inputs)
        if self._axes == (inputs.ndim - 1,) and inputs.size:
            return ops.normalize_rows(inputs, *self._values(), self.epsilon, keep_cache=keep_cache)
        y, inverse = _standardized(inputs, self._axes, self.epsilon)
        return self._scaled(y), (y, inverse)

    def backward(self, doutputs: np.ndarray, cache: Any) -> np.ndarray:
        y, inverse = cache
        if inverse.ndim < y.ndim:  # of the last axis alone
            return ops.normalize_rows_gradient(doutputs, cache, *self._gradient_arrays())
        return _standardized_gradient(self._scaled_gradient(doutputs, y), y, inverse, self._axes)

    def join_plan(self, plan: ops.Plan, training: bool) -> bool:
        return plan.add_normalization((self.gamma, self.beta), self._axes, self.epsilon)


@saving.builtin("keras.layers")
class GroupNormalization(_Affine):
    """`LayerNormalization` within groups of features, over all time steps of a row (Wu and He, 2018).

    Args:
        groups: Number of groups; -1 for one feature each.
        axis: The axis of the features.
        epsilon, center, scale, ...: As of `LayerNormalization`.

    Raises:
        TypeError, ValueError: If `groups` or `axis` is no whole number, or the features cannot be divided into so many.
    """

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
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
        super().__init__(
            whole_number("GroupNormalization", "axis", axis),
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
        self.groups = groups if groups == -1 else positive_int("GroupNormalization", "groups", groups)

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        (size,) = self._sizes
        if self.groups == -1:
            self.groups = size
        if size % self.groups:
            raise ValueError(expected("GroupNormalization", f"groups to divide the {size} features", self.groups))

    def forward(self, inputs: np.ndarray) -> tuple[np.ndarray, Any]:
        self._check(inputs)
        (axis,), (size,) = self._axes, self._sizes
        grouped = inputs.reshape(*inputs.shape[:axis], self.groups, size // self.groups, *inputs.shape[axis + 1 :])
        axes = tuple(other for other in range(1, grouped.ndim) if other != axis)
        flat, back = axes_last(grouped, axes)
        y, cache = ops.normalize_rows(flat, None, None, self.epsilon)
        y = back(y).reshape(inputs.shape)
        return self._scaled(y), (y, cache, grouped.shape, axes)

    def backward(self, doutputs: np.ndarray, cache: Any) -> np.ndarray:
        y, of_rows, shape, axes = cache
        flat, back = axes_last(self._scaled_gradient(doutputs, y).reshape(shape), axes)
        return back(ops.normalize_rows_gradient(flat, of_rows, None, None, None)).reshape(doutputs.shape)


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
        beta_initializer, gamma_initializer, and those of regularizers and constraints: As of `LayerNormalization`.
        moving_mean_initializer, moving_variance_initializer: First values of the stored ones.
        synchronized, renorm_momentum: Accepted, change nothing.

    Call:
        inputs: (N, ..., D).
        training: Whether to take the batch's.
        mask: bool (N, ...): entries that count for mean and variance.

    Raises:
        TypeError: If `axis`, `momentum` or `epsilon` is not a number.
        ValueError: If `axis` is not a whole number, an option is out of range, or the size along the axis is unknown.
    """

    _absent_options = {"renorm": False, "renorm_clipping": None}

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
        renorm_momentum: float = 0.99,
        **kwargs: Any,
    ):
        super().__init__(
            whole_number("BatchNormalization", "axis", axis),
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
        self.renorm_momentum = renorm_momentum

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        shape = self._sizes
        self.moving_mean = self.add_weight(shape, self.moving_mean_initializer, name="moving_mean", trainable=False)
        self.moving_variance = self.add_weight(
            shape, self.moving_variance_initializer, name="moving_variance", trainable=False
        )

    def forward(
        self, inputs: np.ndarray, training: bool = False, mask: Any = None, keep_cache: bool = True
    ) -> tuple[np.ndarray, Any]:
        self._check(inputs)
        of_batch = training and self.trainable
        if self._axes == (inputs.ndim - 1,) and inputs.size and not (of_batch and mask is not None):
            stored = None if of_batch else (self.moving_mean.value, self.moving_variance.value)
            y, moments, cache = ops.normalize_columns(
                inputs, *self._values(), self.epsilon, stored, keep_cache=keep_cache
            )
            if of_batch:
                self._move(*moments)
            return y, cache
        if of_batch:
            axes = tuple(axis for axis in range(inputs.ndim) if axis != self._axes[0])
            keep, total = self._counted(inputs, mask, axes)
            mean = _where(keep, inputs).sum(axis=axes, keepdims=True) / total
            variance = np.square(_where(keep, inputs - mean)).sum(axis=axes, keepdims=True) / total
            self._move(mean, variance)
            batch = (axes, keep, total)
        else:
            mean = self._spread(self.moving_mean.value, inputs.ndim)
            variance = self._spread(self.moving_variance.value, inputs.ndim)
            batch = None
        inverse = 1 / np.sqrt(variance + inputs.dtype.type(self.epsilon))
        y = (inputs - mean) * inverse
        return self._scaled(y), (y, inverse, batch)

    def _counted(self, inputs: np.ndarray, mask: Any, axes: tuple[int, ...]) -> tuple[np.ndarray | None, Any]:
        """Returns which entries count, None for all, and how many of those that are summed over `axes`."""
        if mask is None:
            return None, inputs.dtype.type(math.prod(np.delete(inputs.shape, self._axes[0])))
        mask = np.asarray(mask)
        if mask.ndim != inputs.ndim - 1:
            raise ValueError(expected("BatchNormalization", f"a mask of {inputs.ndim - 1} axes", f"shape {mask.shape}"))
        keep = np.broadcast_to(mask.astype(bool)[..., None], inputs.shape)
        return keep, keep.sum(axis=axes, keepdims=True, dtype=inputs.dtype) + inputs.dtype.type(config.epsilon())

    def _move(self, mean: np.ndarray, variance: np.ndarray) -> None:
        for stored, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            stored.assign(stored.value * self.momentum + batch.reshape(stored.shape) * (1 - self.momentum))

    def backward(self, doutputs: np.ndarray, cache: Any) -> np.ndarray:
        y, inverse, batch = cache
        if inverse.ndim < y.ndim:  # of the last axis, without a mask
            return ops.normalize_columns_gradient(doutputs, cache, *self._gradient_arrays())
        dy = self._scaled_gradient(doutputs, y)
        if batch is None:
            return dy * inverse
        axes, keep, total = batch
        # The last term of dmean is not quite 0 under a mask: `total` holds a small constant beside the count.
        dmean = -dy.sum(axis=axes, keepdims=True) * inverse
        dvariance = -0.5 * np.square(inverse) * (dy * y).sum(axis=axes, keepdims=True)
        dmean -= 2 * dvariance * _where(keep, y).sum(axis=axes, keepdims=True) / (inverse * total)
        return dy * inverse + _where(keep, 1 / total * (dmean + 2 * dvariance * y / inverse))

    def join_plan(self, plan: ops.Plan, training: bool) -> bool:
        variables = (self.gamma, self.beta, self.moving_mean, self.moving_variance)
        of_batch = training and self.trainable
        return plan.add_batch_normalization(variables, self._axes, self.epsilon, self.momentum, of_batch)


def _where(keep: np.ndarray | None, x: np.ndarray) -> np.ndarray:
    """Returns x with zeros where an entry does not count."""
    return x if keep is None else zero_unless(keep, x)


@saving.builtin("keras.layers")
class RMSNormalization(Layer):
    """y = x / sqrt(mean(x * x) + epsilon) * scale, over `axis` of each row (Zhang and Sennrich, 2019).

    Args:
        axis: The axis, or several taken together.
        epsilon: Added to the mean square.

    Raises:
        TypeError: If `epsilon` is not a number.
        ValueError: If `epsilon` is negative, or the size along the axis is unknown.
    """

    _keras_input_name = "x"

    def __init__(self, axis: Any = -1, epsilon: float = 1e-6, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = _listed(axis)
        self.epsilon = float(not_negative(type(self).__name__, "epsilon", epsilon))

    def build(self, input_shape: Any) -> None:
        _, sizes = axes_and_sizes("RMSNormalization", self.axis, input_shape)
        self.axis = self.axis if isinstance(self.axis, list) else [self.axis]
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
        self.axis = _listed(axis)

    def forward(self, inputs: np.ndarray) -> tuple[np.ndarray, Any]:
        axes = positions("UnitNormalization", self.axis, inputs.ndim)
        y, scale = normalized(inputs, axes, 1e-12)
        return y, (y, scale, axes)

    def backward(self, doutputs: np.ndarray, cache: Any) -> np.ndarray:
        y, scale, axes = cache
        return normalized_gradient(doutputs, y, scale, axes)
