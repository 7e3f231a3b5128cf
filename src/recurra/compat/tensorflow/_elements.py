"""Elements of datasets, which are tensors or tuples and dicts of them: their specs, and batches made of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from recurra import _tree
from recurra._arrays import TensorShape, as_array
from recurra._checks import expected
from recurra.compat.tensorflow._conversion import convert_to_tensor


class TensorSpec:
    """The shape and dtype of a tensor, such as `from_generator` is told; None is any length, or any shape."""

    def __init__(self, shape: Any, dtype: Any = np.float32, name: str | None = None):
        self.shape = None if shape is None else TensorShape(shape)
        self.dtype, self.name = np.dtype(dtype), name

    @classmethod
    def from_tensor(cls, tensor: Any, name: str | None = None) -> TensorSpec:
        """Returns that of a tensor."""
        tensor = convert_to_tensor(tensor)
        return cls(tensor.shape, tensor.dtype, name)

    def __repr__(self) -> str:
        shape = "<unknown>" if self.shape is None else self.shape
        return f"TensorSpec(shape={shape}, dtype=tf.{self.dtype.name}, name={self.name!r})"


def specs(dtypes: Any, shapes: Any) -> Any:
    """Returns what `from_generator` is told of an element as specs; `dtypes` may be specs already."""
    if isinstance(dtypes, dict):
        return {key: specs(dtype, shapes and shapes[key]) for key, dtype in dtypes.items()}
    if isinstance(dtypes, (tuple, list)):
        return tuple(map(specs, dtypes, shapes or [None] * len(dtypes)))
    return dtypes if isinstance(dtypes, TensorSpec) else TensorSpec(shapes, dtypes)


def with_shapes(change: Callable[[tuple[Any, ...]], tuple[Any, ...]], spec: Any) -> Any:
    """Returns a spec with its known shapes changed."""

    def changed(leaf: Any) -> Any:
        known = isinstance(leaf, TensorSpec) and leaf.shape is not None
        return TensorSpec(change(leaf.shape), leaf.dtype) if known else leaf

    return _tree.map_structure(changed, spec)


def open_axes(spec: Any) -> int:
    """Returns how many of the first axes have no length in all parts of an element."""
    shapes = [leaf.shape or () for leaf in _tree.flatten(spec) if isinstance(leaf, TensorSpec)]
    return min((len(list(itertools.takewhile(lambda n: n is None, shape))) for shape in shapes), default=0)


def padded_spec(size: int | None, spec: Any, shapes: Any) -> Any:
    """Returns the spec of batches of padded elements."""

    def padded(leaf: Any, shape: Any) -> Any:
        if not isinstance(leaf, TensorSpec) or leaf.shape is None:
            return leaf
        lengths = leaf.shape if shape is None else [None if n == -1 else n for n in shape]
        return TensorSpec((size, *lengths), leaf.dtype)

    return _tree.pack_as(spec, list(map(padded, _tree.flatten(spec), beside(spec, shapes))))


def as_tensors(tensors: Any, convert: Callable[[Any], Any] = convert_to_tensor) -> Any:
    """Returns what a structure holds as tensors: tuples and dicts are structure, a list is data, as in TensorFlow."""
    if isinstance(tensors, dict):
        return {key: as_tensors(value, convert) for key, value in tensors.items()}
    if isinstance(tensors, tuple):
        parts = [as_tensors(value, convert) for value in tensors]
        return type(tensors)(*parts) if hasattr(tensors, "_fields") else tuple(parts)
    return convert(tensors)


def typed(value: Any, dtypes: Any) -> Any:
    """Returns what a generator gave as tensors of the dtypes, which may be None."""
    if isinstance(dtypes, dict):
        return {key: typed(value[key], dtype) for key, dtype in dtypes.items()}
    if isinstance(dtypes, (tuple, list)):
        return tuple(typed(part, dtype) for part, dtype in zip(value, dtypes, strict=True))
    if dtypes is None:
        return as_tensors(value)
    return convert_to_tensor(value, dtypes.dtype if isinstance(dtypes, TensorSpec) else dtypes)


def stacked(elements: Iterable[Any]) -> Any:
    """Returns elements of one structure as one element with a batch axis."""
    elements = list(elements)
    columns = zip(*map(_tree.flatten, elements), strict=True)
    return _tree.pack_as(elements[0], [as_array(np.stack(list(map(np.asarray, column)))) for column in columns])


def stacked_padded(elements: list[Any], shapes: list[Any], values: Any) -> Any:
    """Returns elements of one structure as one element with a batch axis, each part padded to its shape."""
    columns = zip(*map(_tree.flatten, elements), strict=True)
    is_structure = values is None or isinstance(values, (dict, tuple))
    fills = beside(elements[0], values) if is_structure else [values] * len(shapes)
    padded = [_padded(*options) for options in zip(columns, shapes, fills, strict=True)]
    return _tree.pack_as(elements[0], padded)


def beside(element: Any, given: Any) -> list[Any]:
    """Returns what is given for each part of an element; None is None for all of them."""
    if given is None:
        return [None] * len(_tree.flatten(element))
    if isinstance(element, dict):
        return [own for key in sorted(element) for own in beside(element[key], given[key])]
    if isinstance(element, tuple):
        return [own for part, of_part in zip(element, given, strict=True) for own in beside(part, of_part)]
    return [given]


def _padded(arrays: Iterable[Any], shape: Any, value: Any) -> Any:
    arrays = [np.asarray(array) for array in arrays]
    longest = tuple(np.max([array.shape for array in arrays], axis=0).astype(int).tolist())
    wanted = (None,) * len(longest) if shape is None else tuple(shape)
    fits = len(wanted) == len(longest) and all(n in (None, -1) or n >= m for n, m in zip(wanted, longest, strict=True))
    if not fits:
        raise ValueError(expected("padding", f"parts that fit into {wanted}", longest, "give other padded_shapes"))
    lengths = [m if n in (None, -1) else n for n, m in zip(wanted, longest, strict=True)]
    batch = np.full((len(arrays), *lengths), 0 if value is None else value, arrays[0].dtype)
    for row, array in enumerate(arrays):
        place: tuple[Any, ...] = (row, *map(slice, array.shape))
        batch[place] = array
    return as_array(batch)
