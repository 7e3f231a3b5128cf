"""Indices into symbolic tensors, as in `h[:, -1, :]`."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra import ops, saving
from recurra._checks import expected
from recurra.layers.arithmetic import OPERATIONS
from recurra.layers.base import Layer

_HINT = "write x[:, ...] with whole numbers, slices, None and one ellipsis"


@saving.builtin(OPERATIONS)
class GetItem(Layer):
    """`x[key]`: what indexing a symbolic tensor makes, an operation of Keras's and a layer here.

    Args:
        key: Whole numbers, slices, None and an ellipsis, as NumPy takes them; the batch stays as it is.

    Raises:
        TypeError: If the key holds anything else, an array for instance.
        ValueError: If the key has more parts than the tensor has axes, or cuts the batch.
    """

    keeps_integers = True
    stateless = True

    def __init__(self, key: Any, **kwargs: Any):
        super().__init__(**kwargs)
        parts = list(key) if isinstance(key, (list, tuple)) else [key]
        for place, part in enumerate(parts):
            if isinstance(part, slice):
                parts[place] = slice(*(_whole(number, part) for number in (part.start, part.stop, part.step)))
            elif part is not Ellipsis:
                parts[place] = _whole(part, part)
        if parts.count(Ellipsis) > 1:
            raise ValueError(expected("the graph", "an index with one ellipsis", repr(key), _HINT))
        self.key = parts

    def get_config(self) -> dict[str, Any]:
        return {"key": saving.serialize_keras_object(self.key), "name": self.name, "dtype": self.dtype}

    def build(self, input_shape: Any) -> None:
        self.compute_output_shape(input_shape)

    def compute_output_shape(self, input_shape: Any) -> Any:
        key = self.of_all_axes(len(input_shape))
        if not key or key[0] != slice(None):
            raise ValueError(expected("the graph", "an index that keeps the batch", repr(tuple(self.key)), _HINT))
        sizes = iter(input_shape)
        found = [1 if part is None else _size_of(part, next(sizes), input_shape) for part in key]
        return tuple(size for size in found if size != ())

    def of_all_axes(self, rank: int) -> list[Any]:
        """Returns the key with a part for each axis, and None where there will be new ones."""
        named = sum(part is not None and part is not Ellipsis for part in self.key)
        if named > rank:
            raise ValueError(expected("the graph", f"an index of at most {rank} axes", repr(tuple(self.key))))
        place = self.key.index(Ellipsis) if Ellipsis in self.key else len(self.key)
        return [*self.key[:place], *[slice(None)] * (rank - named), *self.key[place + 1 :]]

    def join_plan(self, plan: ops.Plan, training: bool) -> bool:
        return all(part is None or part is Ellipsis or part == slice(None) for part in self.key)  # no entry moves

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        return None  # as in Keras: which time steps are left is not followed

    def forward(self, inputs: np.ndarray) -> tuple[np.ndarray, tuple[int, ...]]:
        self.compute_output_shape(inputs.shape)
        return np.ascontiguousarray(inputs[tuple(self.key)]), inputs.shape

    def backward(self, doutputs: np.ndarray, cache: tuple[int, ...]) -> np.ndarray:
        dx = np.zeros(cache, doutputs.dtype)
        dx[tuple(self.key)] = doutputs
        return dx


def _whole(number: Any, part: Any) -> int | None:
    """Returns a whole number as an int, None as it is."""
    if number is not None and (isinstance(number, bool) or not isinstance(number, (int, np.integer))):
        raise TypeError(expected("the graph", "an index of whole numbers and slices", repr(part), _HINT))
    return None if number is None else int(number)


def _size_of(part: Any, size: int | None, shape: Any) -> Any:
    """Returns what an index leaves of an axis: a size, None where it is not known, () where the axis goes."""
    if isinstance(part, slice):
        return size if part == slice(None) or size is None else len(range(*part.indices(size)))
    if size is not None and not -size <= part < size:
        raise ValueError(expected("the graph", f"an index into shape {shape}", part))
    return ()
