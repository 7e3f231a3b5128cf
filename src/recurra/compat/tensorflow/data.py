"""`tf.data`: the chains that notebooks build to make windows and batches, as lazy Python iteration."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from recurra import _tree
from recurra.compat.tensorflow.tensors import as_array, convert_to_tensor
from recurra.random import draw_seed

__all__ = ["AUTOTUNE", "Dataset"]

AUTOTUNE = -1


class Dataset:
    """A stream of elements (arrays, or tuples and dicts of them) that can be read again and again.

    Args:
        read: Returns a fresh iterator over the elements.

    >>> numbers = Dataset.range(6).window(3, shift=1, drop_remainder=True).flat_map(lambda window: window.batch(3))
    >>> [row.tolist() for row in numbers]
    [[0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5]]
    """

    def __init__(self, read: Callable[[], Iterator[Any]]):
        self._read = read

    def __iter__(self) -> Iterator[Any]:
        return self._read()

    @classmethod
    def from_tensor_slices(cls, tensors: Any) -> Dataset:
        """The rows of an array, or of several arrays of equal length side by side."""
        arrays = _arrays(tensors)
        length = len(_tree.flatten(arrays)[0])

        def row(i: int) -> Any:
            return _tree.map_structure(lambda array: as_array(array[i]), arrays)

        return cls(lambda: map(row, range(length)))

    @classmethod
    def range(cls, *arguments: int) -> Dataset:
        """The numbers of Python's range, as int64."""
        return cls(lambda: (as_array(np.array(number, np.int64)) for number in range(*arguments)))

    def window(self, size: int, shift: int | None = None, stride: int = 1, drop_remainder: bool = False) -> Dataset:
        """Datasets of `size` elements, `stride` apart; each begins `shift` elements (`size` if None) after the last."""

        def read() -> Iterator[Dataset]:
            elements = list(self)
            for start in range(0, len(elements), shift or size):
                chosen = elements[start : start + size * stride : stride]
                if len(chosen) == size or not drop_remainder:
                    yield _of_list(chosen)

        return Dataset(read)

    def batch(self, batch_size: int, drop_remainder: bool = False, **ignored: Any) -> Dataset:
        """So many elements at a time, stacked along a new first axis."""

        def read() -> Iterator[Any]:
            elements = iter(self)
            while chunk := list(itertools.islice(elements, batch_size)):
                if len(chunk) == batch_size or not drop_remainder:
                    yield _stack(chunk)

        return Dataset(read)

    def map(self, map_func: Callable[..., Any], **ignored: Any) -> Dataset:
        """`map_func` of every element; a tuple's parts are its arguments."""
        return Dataset(lambda: (_apply(map_func, element) for element in self))

    def flat_map(self, map_func: Callable[..., Dataset]) -> Dataset:
        """The elements of the datasets that `map_func` makes, one after the other."""
        return Dataset(lambda: (inner for element in self for inner in _apply(map_func, element)))

    def filter(self, predicate: Callable[..., Any]) -> Dataset:
        """The elements for which `predicate` holds."""
        return Dataset(lambda: (element for element in self if _apply(predicate, element)))

    def shuffle(self, buffer_size: int, seed: int | None = None, **ignored: Any) -> Dataset:
        """The elements in an order drawn anew at every reading, each from the next `buffer_size`."""

        def read() -> Iterator[Any]:
            generator = np.random.default_rng(draw_seed() if seed is None else seed)
            elements = iter(self)
            buffer = list(itertools.islice(elements, buffer_size))
            while buffer:
                chosen = int(generator.integers(len(buffer)))
                buffer[chosen], buffer[-1] = buffer[-1], buffer[chosen]
                yield buffer.pop()
                buffer.extend(itertools.islice(elements, 1))

        return Dataset(read)

    def repeat(self, count: int | None = None) -> Dataset:
        """The elements `count` times over, or for ever."""
        rounds = itertools.count if count is None or count < 0 else lambda: range(count)
        return Dataset(lambda: (element for _ in rounds() for element in self))

    def take(self, count: int) -> Dataset:
        """The first `count` elements."""
        return Dataset(lambda: itertools.islice(iter(self), count))

    def skip(self, count: int) -> Dataset:
        """All but the first `count` elements."""
        return Dataset(lambda: itertools.islice(iter(self), count, None))

    def cache(self, filename: str = "") -> Dataset:
        """The same dataset: there is nothing to speed up."""
        return self

    def prefetch(self, buffer_size: int) -> Dataset:
        """The same dataset: there is nothing to speed up."""
        return self

    def as_numpy_iterator(self) -> Iterator[Any]:
        """The elements as plain NumPy arrays."""
        return (_tree.map_structure(np.asarray, element) for element in self)


def _arrays(tensors: Any) -> Any:
    # Tuples and dicts are structure; a list is data, as in TensorFlow.
    if isinstance(tensors, dict):
        return {key: _arrays(value) for key, value in tensors.items()}
    if isinstance(tensors, tuple):
        return tuple(_arrays(value) for value in tensors)
    return convert_to_tensor(tensors)


def _of_list(elements: list[Any]) -> Dataset:
    return Dataset(lambda: iter(elements))


def _apply(function: Callable[..., Any], element: Any) -> Any:
    return function(*element) if isinstance(element, tuple) else function(element)


def _stack(elements: Iterable[Any]) -> Any:
    """Returns elements of one structure as one element with a batch axis."""
    elements = list(elements)
    columns = zip(*map(_tree.flatten, elements), strict=True)
    return _tree.pack_as(elements[0], [as_array(np.stack(column)) for column in columns])
