"""Layers that only move, repeat or cut entries."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from recurra import ops, saving
from recurra._checks import expected, positive_int
from recurra.layers._math import sum_in_order
from recurra.layers._shapes import Shape, channels_last, check_rank, pair, size_of
from recurra.layers.base import Layer


@saving.builtin("keras.layers")
class Flatten(Layer):
    """All axes behind the batch as one.

    Args:
        data_format: "channels_last".

    Raises:
        ValueError: If `data_format` is another.

    >>> recurra.layers.Flatten()(np.ones((2, 3, 4), np.float32)).shape
    (2, 12)
    """

    keeps_integers = True

    def __init__(self, data_format: str | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.data_format = channels_last("Flatten", data_format)

    def forward(self, inputs: np.ndarray) -> tuple[np.ndarray, tuple[int, ...]]:
        return inputs.reshape(len(inputs), math.prod(inputs.shape[1:])), inputs.shape

    def backward(self, doutputs: np.ndarray, cache: tuple[int, ...]) -> np.ndarray:
        return doutputs.reshape(cache)

    def join_plan(self, plan: ops.Plan, training: bool) -> bool:
        return True  # the entries stay in their order

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], size_of(input_shape[1:]))


@saving.builtin("keras.layers")
class Reshape(Layer):
    """The entries of each row in another shape (https://keras.io/api/layers/reshaping_layers/reshape).

    Args:
        target_shape: Shape without the batch; -1 for one size that follows from the others.

    Raises:
        ValueError: If the number of entries does not fit.
        TypeError: If `target_shape` is no shape.

    >>> recurra.layers.Reshape((-1, 2))(np.ones((1, 3, 4), np.float32)).shape
    (1, 6, 2)
    """

    keeps_integers = True
    stateless = True

    def __init__(self, target_shape: Any, **kwargs: Any):
        super().__init__(**kwargs)
        sizes = tuple(target_shape) if hasattr(target_shape, "__iter__") else (target_shape,)
        if not all(isinstance(size, (int, np.integer)) for size in sizes):
            error = ValueError if hasattr(target_shape, "__iter__") else TypeError
            raise error(expected("Reshape", "target_shape of whole numbers", repr(target_shape)))
        if sum(size == -1 for size in sizes) > 1 or any(size < -1 for size in sizes):
            raise ValueError(expected("Reshape", "sizes of which at most one is -1", sizes))
        self.target_shape = sizes

    def build(self, input_shape: Any) -> None:
        self.compute_output_shape(input_shape)

    def forward(self, inputs: np.ndarray) -> tuple[np.ndarray, tuple[int, ...]]:
        return inputs.reshape(self.compute_output_shape(inputs.shape)), inputs.shape

    def backward(self, doutputs: np.ndarray, cache: tuple[int, ...]) -> np.ndarray:
        return doutputs.reshape(cache)

    def join_plan(self, plan: ops.Plan, training: bool) -> bool:
        return True  # the entries stay in their order

    def compute_output_shape(self, input_shape: Any) -> Any:
        size = size_of(input_shape[1:])
        known = math.prod(item for item in self.target_shape if item != -1)
        if size is None:
            return (input_shape[0], *(None if item == -1 else item for item in self.target_shape))
        if -1 not in self.target_shape:
            rest = None
            fits = size == known
        else:
            fits = known > 0 and size % known == 0
            rest = size // known if fits else None
        if not fits:
            raise ValueError(
                expected("Reshape", f"rows that fill shape {self.target_shape}", f"shape {input_shape[1:]}")
            )
        return (input_shape[0], *(rest if item == -1 else item for item in self.target_shape))


@saving.builtin("keras.layers")
class Permute(Layer):
    """The axes in another order (https://keras.io/api/layers/reshaping_layers/permute).

    Args:
        dims: For each axis of the output the number of the input's; the first behind the batch is 1.

    Raises:
        ValueError: If dims does not name each axis once.
        TypeError: If dims is neither a tuple nor a list.

    >>> recurra.layers.Permute((2, 1))(np.ones((1, 3, 4), np.float32)).shape
    (1, 4, 3)
    """

    keeps_integers = True

    def __init__(self, dims: Any, **kwargs: Any):
        super().__init__(**kwargs)
        if not isinstance(dims, (list, tuple)):
            raise TypeError(expected("Permute", "dims to be a tuple", repr(dims)))
        self.dims = tuple(dims)
        if any(axis not in self.dims for axis in range(1, len(self.dims) + 1)):
            raise ValueError(expected("Permute", "dims to be the numbers 1, 2, ... in some order", self.dims))

    def build(self, input_shape: Any) -> None:
        if len(input_shape) != len(self.dims) + 1:
            raise ValueError(expected("Permute", f"input with {len(self.dims) + 1} axes", input_shape))

    def forward(self, inputs: np.ndarray) -> tuple[np.ndarray, None]:
        return np.ascontiguousarray(inputs.transpose(0, *self.dims)), None

    def backward(self, doutputs: np.ndarray, cache: None) -> np.ndarray:
        return np.ascontiguousarray(doutputs.transpose(np.argsort((0, *self.dims))))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], *(input_shape[axis] for axis in self.dims))


@saving.builtin("keras.layers")
class RepeatVector(Layer):
    """Each row n times over: (N, D) to (N, n, D).

    Args:
        n: Number of time steps.

    Raises:
        TypeError: If `n` is not a number.
        ValueError: If `n` is not positive, or the input has not two axes.

    >>> recurra.layers.RepeatVector(3)(np.ones((2, 4), np.float32)).shape
    (2, 3, 4)
    """

    keeps_integers = True

    def __init__(self, n: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.n = positive_int("RepeatVector", "n", n)

    def build(self, input_shape: Any) -> None:
        check_rank("RepeatVector", input_shape, 2, "(batch, features)")

    def forward(self, inputs: np.ndarray) -> tuple[np.ndarray, None]:
        return np.repeat(inputs[:, None, :], self.n, axis=1), None

    def backward(self, doutputs: np.ndarray, cache: None) -> np.ndarray:
        return sum_in_order(doutputs, axis=1)

    def join_plan(self, plan: ops.Plan, training: bool) -> bool:
        return plan.add_repeat(self.n)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], self.n, input_shape[1])


class _TimeLayer(Layer):
    """Layers on (N, T, D) that change T only."""

    keeps_integers = True

    def timesteps(self, timesteps: int) -> int:
        """Returns the number of time steps of the output."""
        raise NotImplementedError

    def build(self, input_shape: Any) -> None:
        check_rank(type(self).__name__, input_shape, 3)
        self.compute_output_shape(input_shape)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        batch, timesteps, features = input_shape
        return (batch, None if timesteps is None else self.timesteps(timesteps), features)


@saving.builtin("keras.layers")
class UpSampling1D(_TimeLayer):
    """Each time step `size` times over.

    Args:
        size: How often.

    Raises:
        TypeError: If `size` is not a number.
        ValueError: If `size` is not positive.
    """

    def __init__(self, size: int = 2, **kwargs: Any):
        super().__init__(**kwargs)
        self.size = positive_int("UpSampling1D", "size", size)

    def timesteps(self, timesteps: int) -> int:
        return timesteps * self.size

    def forward(self, inputs: np.ndarray) -> tuple[np.ndarray, None]:
        return np.repeat(inputs, self.size, axis=1), None

    def backward(self, doutputs: np.ndarray, cache: None) -> np.ndarray:
        batch, timesteps, features = doutputs.shape
        return sum_in_order(doutputs.reshape(batch, timesteps // self.size, self.size, features), axis=2)

    def join_plan(self, plan: ops.Plan, training: bool) -> bool:
        return plan.add_repeat(self.size, steps=True)


@saving.builtin("keras.layers")
class ZeroPadding1D(_TimeLayer):
    """Zeros before the first time step and after the last.

    Args:
        padding: How many on both sides, or (before, after).
        data_format: "channels_last".

    Raises:
        ValueError: If one is negative.
    """

    def __init__(self, padding: Any = 1, data_format: str | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.padding = pair("ZeroPadding1D", "padding", padding)
        self.data_format = channels_last("ZeroPadding1D", data_format)

    def timesteps(self, timesteps: int) -> int:
        return timesteps + sum(self.padding)

    def forward(self, inputs: np.ndarray) -> tuple[np.ndarray, None]:
        return np.pad(inputs, ((0, 0), self.padding, (0, 0))), None

    def backward(self, doutputs: np.ndarray, cache: None) -> np.ndarray:
        before, after = self.padding
        return np.ascontiguousarray(doutputs[:, before : doutputs.shape[1] - after])


@saving.builtin("keras.layers")
class Cropping1D(_TimeLayer):
    """The time steps without some at both ends.

    Args:
        cropping: How many to cut on both sides, or (before, after).

    Raises:
        ValueError: If one is negative, or nothing would be left.
    """

    def __init__(self, cropping: Any = (1, 1), **kwargs: Any):
        super().__init__(**kwargs)
        self.cropping = pair("Cropping1D", "cropping", cropping)

    def timesteps(self, timesteps: int) -> int:
        if timesteps <= sum(self.cropping):
            raise ValueError(expected("Cropping1D", f"more than {sum(self.cropping)} time steps", timesteps))
        return timesteps - sum(self.cropping)

    def forward(self, inputs: np.ndarray) -> tuple[np.ndarray, None]:
        before = self.cropping[0]
        return np.ascontiguousarray(inputs[:, before : before + self.timesteps(inputs.shape[1])]), None

    def backward(self, doutputs: np.ndarray, cache: None) -> np.ndarray:
        return np.pad(doutputs, ((0, 0), self.cropping, (0, 0)))
