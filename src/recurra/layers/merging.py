"""Layers that join several inputs into one."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from recurra import config, ops, saving
from recurra._checks import expected
from recurra.layers._math import normalized, normalized_gradient, sum_to, zero_unless
from recurra.layers._shapes import Shape, common_size, is_shape, position
from recurra.layers.base import Layer


def _check_list(who: str, shapes: Any) -> None:
    if is_shape(shapes) or not isinstance(shapes, (list, tuple)) or not shapes:
        raise ValueError(expected(who, "a list of inputs", f"one of shape {shapes}"))
    if not all(map(is_shape, shapes)):
        raise ValueError(expected(who, "a list of inputs", f"lists in a list, of shapes {shapes}"))


def _check_masks(who: str, inputs: Any, masks: Any) -> None:
    if masks is None:
        return
    if not isinstance(masks, (list, tuple)) or not isinstance(inputs, (list, tuple)) or len(masks) != len(inputs):
        raise ValueError(expected(who, "a list of inputs and a list of as many masks", f"{type(masks).__name__}"))


def _expanded(shape: tuple[Any, ...], rank: int) -> tuple[Any, ...]:
    """Returns `shape` with axes of size 1 put in behind the batch, up to `rank`."""
    return (*shape[:1], *([1] * (rank - len(shape))), *shape[1:])


class _Merge(Layer):
    """Elementwise layers: inputs of fewer axes are stretched behind the batch, sizes of 1 are broadcast."""

    supports_masking = True
    takes_several = True

    def merge(self, inputs: list[np.ndarray], masks: list[Any]) -> tuple[np.ndarray, Any]:
        """Returns the inputs as one array, and what `gradients` needs.

        Args:
            inputs: All of one rank.
            masks: bool, broadcast to the input, True where it counts; or None.
        """
        raise NotImplementedError

    def gradients(self, dy: np.ndarray, cache: Any) -> list[np.ndarray]:
        """Returns the gradient of each input, in the shape of `dy`."""
        raise NotImplementedError

    def build(self, input_shape: Any) -> None:
        _check_list(type(self).__name__, input_shape)
        self.compute_output_shape(input_shape)

    def forward(self, inputs: list[np.ndarray], mask: Any = None) -> tuple[np.ndarray, Any]:
        _check_list(type(self).__name__, [x.shape for x in inputs])
        rank = max(x.ndim for x in inputs)
        stretched = [x.reshape(_expanded(x.shape, rank)) for x in inputs]
        masks = [None] * len(inputs) if mask is None else [_fitted(m, x) for m, x in zip(mask, stretched, strict=True)]
        y, cache = self.merge(stretched, masks)
        return y, ([x.shape for x in inputs], [x.shape for x in stretched], cache)

    def backward(self, doutputs: np.ndarray, cache: Any) -> list[np.ndarray]:
        shapes, stretched, own = cache
        grads = self.gradients(doutputs, own)
        return [sum_to(grad, wide).reshape(shape) for grad, wide, shape in zip(grads, stretched, shapes, strict=True)]

    def compute_output_shape(self, input_shape: Any) -> Any:
        _check_list(type(self).__name__, input_shape)
        rank = max(len(shape) for shape in input_shape)
        sizes = list(zip(*(_expanded(shape, rank) for shape in input_shape), strict=True))
        return tuple(common_size(type(self).__name__, axis, input_shape) for axis in sizes)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Returns which steps count in any of the inputs; None if one has no mask."""
        _check_masks(type(self).__name__, inputs, mask)
        if mask is None or any(one is None for one in mask):
            return None
        return reduce(np.logical_or, mask)


def _fitted(mask: Any, x: np.ndarray) -> np.ndarray | None:
    """Returns a mask of time steps in the rank of `x`."""
    return None if mask is None else np.reshape(mask, (*np.shape(mask), *([1] * (x.ndim - np.ndim(mask))))).astype(bool)


@saving.builtin("keras.layers")
class Add(_Merge):
    """The sum of the inputs.

    Raises:
        ValueError: If what is given is not a list, or the shapes do not fit each other.

    >>> recurra.layers.Add()([np.ones((1, 2), np.float32), np.ones((1, 2), np.float32)]).numpy()
    array([[2., 2.]], dtype=float32)
    """

    def merge(self, inputs: list[np.ndarray], masks: list[Any]) -> tuple[np.ndarray, int]:
        return reduce(np.add, inputs), len(inputs)

    def gradients(self, dy: np.ndarray, cache: int) -> list[np.ndarray]:
        return [dy] * cache


@saving.builtin("keras.layers")
class Subtract(_Merge):
    """The first of two inputs minus the second.

    Raises:
        ValueError: If what is given is not a list of two, or the shapes do not fit each other.
    """

    def build(self, input_shape: Any) -> None:
        _check_list("Subtract", input_shape)
        if len(input_shape) != 2:
            raise ValueError(expected("Subtract", "two inputs", len(input_shape)))
        super().build(input_shape)

    def merge(self, inputs: list[np.ndarray], masks: list[Any]) -> tuple[np.ndarray, None]:
        return inputs[0] - inputs[1], None

    def gradients(self, dy: np.ndarray, cache: None) -> list[np.ndarray]:
        return [dy, -dy]


@saving.builtin("keras.layers")
class Multiply(_Merge):
    """The product of the inputs; a masked step of an input counts as 1, one that is masked in all gives 0.

    Raises:
        ValueError: If what is given is not a list, or the shapes do not fit each other.
    """

    def merge(self, inputs: list[np.ndarray], masks: list[Any]) -> tuple[np.ndarray, Any]:
        one = inputs[0].dtype.type(1)
        factors = [x if keep is None else np.where(keep, x, one) for x, keep in zip(inputs, masks, strict=True)]
        shown = None if any(keep is None for keep in masks) else reduce(np.logical_or, masks)
        y = reduce(np.multiply, factors)
        return y if shown is None else y * shown, (factors, masks, shown)

    def gradients(self, dy: np.ndarray, cache: Any) -> list[np.ndarray]:
        factors, masks, shown = cache
        dy = dy if shown is None else dy * shown
        grads = [reduce(np.multiply, [*factors[:i], *factors[i + 1 :]], dy) for i in range(len(factors))]
        return [grad if keep is None else grad * keep for grad, keep in zip(grads, masks, strict=True)]


@saving.builtin("keras.layers")
class Average(_Merge):
    """The mean of the inputs.

    Raises:
        ValueError: If what is given is not a list, or the shapes do not fit each other.
    """

    def merge(self, inputs: list[np.ndarray], masks: list[Any]) -> tuple[np.ndarray, int]:
        return reduce(np.add, inputs) / len(inputs), len(inputs)

    def gradients(self, dy: np.ndarray, cache: int) -> list[np.ndarray]:
        return [dy / cache] * cache


class _Extreme(_Merge):
    """Maximum and minimum: one input after the other, each element from the input that wins, the first on a tie.

    A masked step of an input loses against any other. Once an input without a mask was met, what came before counts as
    unmasked too, as in Keras.
    """

    wins: Any  # (x, y) -> where `x` is taken in place of `y`

    def merge(self, inputs: list[np.ndarray], masks: list[Any]) -> tuple[np.ndarray, Any]:
        y, kept = inputs[0], masks[0]
        winner: Any = np.zeros([1] * y.ndim, int)
        for i, (x, keep) in enumerate(zip(inputs[1:], masks[1:], strict=True), start=1):
            taken = self.wins(x, y) | np.isnan(x)
            if keep is not None:
                taken = taken & keep
            if kept is not None:
                taken = taken | (~kept if keep is None else ~kept & keep)
            y, winner = np.where(taken, x, y), np.where(taken, i, winner)
            kept = None if kept is None or keep is None else kept | keep
        return y, (winner, len(inputs))

    def gradients(self, dy: np.ndarray, cache: Any) -> list[np.ndarray]:
        winner, count = cache
        return [zero_unless(winner == i, dy) for i in range(count)]


@saving.builtin("keras.layers")
class Maximum(_Extreme):
    """The largest of the inputs, by element.

    Raises:
        ValueError: If what is given is not a list, or the shapes do not fit each other.
    """

    wins = staticmethod(np.greater)


@saving.builtin("keras.layers")
class Minimum(_Extreme):
    """The smallest of the inputs, by element.

    Raises:
        ValueError: If what is given is not a list, or the shapes do not fit each other.
    """

    wins = staticmethod(np.less)


@saving.builtin("keras.layers")
class Concatenate(Layer):
    """The inputs end to end along an axis (https://keras.io/api/layers/merging_layers/concatenate).

    Args:
        axis: The axis.

    Call:
        inputs: A list of arrays that differ in size along `axis` only.

    Raises:
        ValueError: If they differ in anything else.

    >>> recurra.layers.Concatenate()([np.ones((2, 3), np.float32), np.ones((2, 4), np.float32)]).shape
    (2, 7)
    """

    supports_masking = True
    takes_several = True
    keeps_integers = True

    def __init__(self, axis: int = -1, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = axis

    def build(self, input_shape: Any) -> None:
        self.compute_output_shape(input_shape)

    def forward(self, inputs: list[np.ndarray]) -> tuple[np.ndarray, list[int]]:
        self.compute_output_shape([x.shape for x in inputs])
        if len({x.dtype for x in inputs}) > 1:
            inputs = [x.astype(self.dtype) for x in inputs]
        return np.concatenate(inputs, axis=self.axis), [x.shape[self.axis] for x in inputs]

    def backward(self, doutputs: np.ndarray, cache: list[int]) -> list[np.ndarray]:
        parts = np.split(doutputs, np.cumsum(cache)[:-1], axis=self.axis)
        return [np.ascontiguousarray(part) for part in parts]

    def compute_output_shape(self, input_shape: Any) -> Any:
        _check_list("Concatenate", input_shape)
        rank = len(input_shape[0])
        axis = position("Concatenate", self.axis, rank)
        rests = [(*shape[:axis], *shape[axis + 1 :]) for shape in input_shape]
        if any(len(shape) != rank for shape in input_shape) or not all(_agree(rest, rests[0]) for rest in rests):
            raise ValueError(expected("Concatenate", f"inputs that differ along axis {self.axis} only", input_shape))
        sizes = [shape[axis] for shape in input_shape]
        total = None if None in sizes else sum(sizes)
        known = [
            next((size for size in axis_sizes if size is not None), None) for axis_sizes in zip(*rests, strict=True)
        ]
        return (*known[:axis], total, *known[axis:])

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Returns the masks joined along the axis, then any() over the last one; an absent mask counts as True."""
        _check_masks("Concatenate", inputs, mask)
        if mask is None or all(one is None for one in mask):
            return None
        masks = []
        for x, one in zip(inputs, mask, strict=True):
            keep = np.ones_like(x, bool) if one is None else np.asanyarray(one)
            stretched = keep.ndim < x.ndim
            masks.append(np.logical_or(np.expand_dims(keep, -1), np.zeros_like(x, bool)) if stretched else keep)
        return np.any(np.concatenate(masks, axis=self.axis), axis=-1)


def _agree(a: Shape, b: Shape) -> bool:
    return all(None in (m, n) or m == n for m, n in zip(a, b, strict=True))


@saving.builtin("keras.layers")
class Dot(Layer):
    """The products of two inputs along an axis of each, row by row (https://keras.io/api/layers/merging_layers/dot).

    Args:
        axes: The axis to sum over, or one for each input.
        normalize: Whether to scale both to length one along it first: the result is the cosine.

    Call:
        inputs: Two arrays, (N, ...) each.

    Returns:
        (N, the other axes of the first, the other axes of the second); (N, 1) if there are none.

    Raises:
        TypeError: If `axes` is not one or two whole numbers.
        ValueError: If the sizes along the axes differ.

    >>> recurra.layers.Dot(axes=1)([np.ones((2, 3), np.float32), np.ones((2, 3), np.float32)]).shape
    (2, 1)
    """

    supports_masking = True
    takes_several = True

    def __init__(self, axes: Any, normalize: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        pair = isinstance(axes, (list, tuple)) and len(axes) == 2 and all(isinstance(axis, int) for axis in axes)
        if not pair and not isinstance(axes, int):
            raise TypeError(expected("Dot", "axes to be one or two whole numbers", repr(axes)))
        self.axes = axes
        self.normalize = bool(normalize)

    def build(self, input_shape: Any) -> None:
        self.compute_output_shape(input_shape)

    def forward(self, inputs: list[np.ndarray]) -> tuple[np.ndarray, Any]:
        axes = self._axes([x.shape for x in inputs])
        shape = self.compute_output_shape([x.shape for x in inputs])
        pairs = [self._scaled(x, axis) for x, axis in zip(inputs, axes, strict=True)]
        a, b = (_axis_last(y, axis) for (y, _), axis in zip(pairs, axes, strict=True))
        y = ops.batched_matmul(a, b, transpose_b=True).reshape(shape)
        return y, (a, b, axes, inputs, pairs)

    def _scaled(self, x: np.ndarray, axis: int) -> tuple[np.ndarray, Any]:
        return normalized(x, (axis,), config.epsilon()) if self.normalize else (x, None)

    def backward(self, doutputs: np.ndarray, cache: Any) -> list[np.ndarray]:
        a, b, axes, inputs, pairs = cache
        dy = doutputs.reshape(len(a), a.shape[1], b.shape[1])
        flat = [ops.batched_matmul(dy, b), ops.batched_matmul(dy, a, transpose_a=True)]
        grads = []
        for dx, axis, x, (y, scale) in zip(flat, axes, inputs, pairs, strict=True):
            dx = _axis_back(dx, x.shape, axis)
            grads.append(normalized_gradient(dx, y, scale, (axis,)) if self.normalize else dx)
        return grads

    def _axes(self, shapes: Any) -> tuple[int, int]:
        _check_list("Dot", shapes)
        if len(shapes) != 2 or any(len(shape) < 2 for shape in shapes):
            raise ValueError(expected("Dot", "two inputs of shape (batch, ...)", f"{shapes}"))
        given = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        first, second = (position("Dot", axis, len(shape)) for axis, shape in zip(given, shapes, strict=True))
        if not _agree((shapes[0][first],), (shapes[1][second],)):
            raise ValueError(expected("Dot", f"equal sizes along axes {self.axes}", f"shapes {shapes}"))
        return first, second

    def compute_output_shape(self, input_shape: Any) -> Any:
        first, second = self._axes(input_shape)
        a, b = input_shape
        shape = (*a[:first], *a[first + 1 :], *b[1:second], *b[second + 1 :])
        return shape if len(shape) > 1 else (*shape, 1)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """Returns None: no time axis is sure to be left."""
        return None


def _function_of(cls: type[Layer]) -> Callable[..., Any]:
    """Returns `layer(inputs, **options)`, Keras's lower-case form of a merging layer."""

    def merge(inputs: Any, **kwargs: Any) -> Any:
        return cls(**kwargs)(inputs)

    merge.__name__ = merge.__qualname__ = cls.__name__.lower()
    words = (cls.__doc__ or "").partition("\n")[0]  # there are none with python -OO
    merge.__doc__ = f"""{words}

    Args:
        inputs: A list of arrays or of symbolic tensors.
        **kwargs: Options of every layer, such as name.

    Returns:
        What `layers.{cls.__name__}(**kwargs)(inputs)` does.

    Raises:
        ValueError: As the layer.
    """
    return merge


add, subtract, multiply = map(_function_of, (Add, Subtract, Multiply))
average, maximum, minimum = map(_function_of, (Average, Maximum, Minimum))


def concatenate(inputs: Any, axis: int = -1, **kwargs: Any) -> Any:
    """The inputs end to end along an axis.

    Args:
        inputs: A list of arrays, or of symbolic tensors, that differ in size along `axis` only.
        axis: The axis.
        **kwargs: Options of every layer, such as name.

    Returns:
        What `layers.Concatenate(axis, **kwargs)(inputs)` does.

    Raises:
        ValueError: As the layer.
    """
    return Concatenate(axis, **kwargs)(inputs)


def dot(inputs: Any, axes: Any = -1, normalize: bool = False, **kwargs: Any) -> Any:
    """The products of two inputs along an axis of each, row by row.

    Args:
        inputs: Two arrays or symbolic tensors, (N, ...) each.
        axes: The axis to sum over, or one for each input.
        normalize: Whether to scale both to length one along it first: the result is the cosine.
        **kwargs: Options of every layer, such as name.

    Returns:
        What `layers.Dot(axes, normalize, **kwargs)(inputs)` does.

    Raises:
        TypeError, ValueError: As the layer.
    """
    return Dot(axes, normalize, **kwargs)(inputs)


def _axis_last(x: np.ndarray, axis: int) -> np.ndarray:
    rest = (*x.shape[1:axis], *x.shape[axis + 1 :])
    return np.ascontiguousarray(np.moveaxis(x, axis, -1)).reshape(len(x), math.prod(rest), x.shape[axis])


def _axis_back(flat: np.ndarray, shape: tuple[int, ...], axis: int) -> np.ndarray:
    rest = (*shape[:axis], *shape[axis + 1 :])
    return np.ascontiguousarray(np.moveaxis(flat.reshape(*rest, shape[axis]), -1, axis))
