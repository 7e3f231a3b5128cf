"""`tf.data`: the chains that notebooks build to make windows and batches, as lazy Python iteration."""

from __future__ import annotations

import bisect
import contextvars
import functools
import itertools
import math
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra import _tree
from recurra._arrays import as_array
from recurra._checks import expected, positive_int
from recurra._missing import says_what_to_do
from recurra.compat.tensorflow import _elements
from recurra.compat.tensorflow._conversion import convert_to_tensor, taking_name
from recurra.compat.tensorflow._elements import TensorSpec
from recurra.random import draw_seed, seeded

__all__ = ["AUTOTUNE", "INFINITE_CARDINALITY", "UNKNOWN_CARDINALITY", "Dataset", "cardinality", "experimental"]

if not TYPE_CHECKING:  # type checkers would take every name for one that is there
    __getattr__ = says_what_to_do(__name__)

experimental = sys.modules[__name__]  # where AUTOTUNE stood before
AUTOTUNE = INFINITE_CARDINALITY = -1
UNKNOWN_CARDINALITY = -2
_OPEN = {math.inf: INFINITE_CARDINALITY, None: UNKNOWN_CARDINALITY}  # lengths that are no number
_looking: contextvars.ContextVar[bool] = contextvars.ContextVar("looking", default=False)  # at shapes: in order


class _SaysWhatToDo(type):
    def __getattr__(cls, name: str) -> Any:
        hint = "write a Python generator and pass the function that makes it to Dataset.from_generator"
        raise AttributeError(expected("Dataset", "a method that it has", repr(name), hint))


class Dataset(metaclass=_SaysWhatToDo):
    """A stream of elements (arrays, or tuples and dicts of them) that can be read again and again.

    Args:
        read: Returns a fresh iterator over the elements.
        spec: Returns the `element_spec`; None: that of the first element.

    >>> numbers = Dataset.range(6).window(3, shift=1, drop_remainder=True).flat_map(lambda window: window.batch(3))
    >>> [row.tolist() for row in numbers]
    [[0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5]]
    """

    _length: Any = None  # of elements: math.inf without end, None where only reading tells it

    def __init__(self, read: Callable[[], Iterator[Any]], spec: Callable[[], Any] | None = None):
        self._read, self._spec = read, spec

    @property
    def element_spec(self) -> Any:
        """A `TensorSpec` of each part of an element; the first is read where only that tells it, None if there is none.

        Axes of batches have the length None. A window is a dataset, and stands for itself.
        """
        return _tree.map_structure(_spec_of, self._first()) if self._spec is None else self._spec()

    def _first(self) -> Any:
        """Returns the first element, None if there is none; what later readings give stays as it is."""
        before = _looking.set(True)
        try:
            with seeded(0):
                return next(iter(self), None)
        finally:
            _looking.reset(before)

    def _same_spec(self) -> Any:
        return self.element_spec

    def __repr__(self) -> str:
        return f"<Dataset element_spec={self.element_spec}>"

    def __iter__(self) -> Iterator[Any]:
        return self._read()

    def __getattr__(self, name: str) -> Any:
        if hasattr(type(self), name):  # what it has raised AttributeError, of a function of the user's: that says more
            return object.__getattribute__(self, name)
        return getattr(Dataset, name)  # which says what to do

    @classmethod
    def from_tensor_slices(cls, tensors: Any) -> Dataset:
        """The rows of an array, or of several arrays of equal length side by side.

        Raises:
            ValueError: If their lengths differ, or one is a single number.
        """
        arrays = _elements.as_tensors(tensors)
        shapes = [array.shape for array in _tree.flatten(arrays)]
        if not all(shapes) or len({shape[0] for shape in shapes}) != 1:
            got = "shapes " + ", ".join(map(str, shapes))
            raise ValueError(expected("from_tensor_slices", "arrays of one length", got))
        length = shapes[0][0]

        leaves = [np.asarray(array) for array in _tree.flatten(arrays)]

        def row(i: int) -> Any:
            return _tree.pack_as(arrays, [as_array(leaf[i]) for leaf in leaves])

        return _of_length(length, lambda: map(row, range(length)))

    @classmethod
    def range(cls, *arguments: int, output_type: Any = np.int64) -> Dataset:
        """The numbers of Python's range, in a dtype."""
        numbers = range(*arguments)
        return _of_length(len(numbers), lambda: (as_array(np.array(number, output_type)) for number in numbers))

    @staticmethod
    def zip(*args: Any, datasets: Any = None) -> Dataset:
        """Tuples of one element of each dataset, as long as all of them have one.

        Args:
            args: The datasets, or one tuple, list or dict of them, also nested, whose form the elements take.
            datasets: The same under its name.

        Raises:
            TypeError: If something else is among them.
        """
        given = args if datasets is None else (*args, datasets)
        structure = given[0] if len(given) == 1 else given
        structure = tuple(structure) if isinstance(structure, list) else structure
        parts = _tree.flatten(structure)
        wrong = [type(part).__name__ for part in parts if not hasattr(part, "__iter__")]
        if wrong or not parts:
            raise TypeError(expected("zip", "datasets", wrong[0] if wrong else "none"))
        lengths = [_length(part) for part in parts]
        length = None if None in lengths else min(lengths)

        def spec() -> Any:
            specs = [part.element_spec if isinstance(part, Dataset) else None for part in parts]
            return _tree.pack_as(structure, specs)

        return _of_length(length, lambda: (_tree.pack_as(structure, list(row)) for row in zip(*parts)), spec)  # noqa: B905

    @classmethod
    def from_tensors(cls, tensors: Any) -> Dataset:
        """One element: the array, or the arrays side by side."""
        arrays = _elements.as_tensors(tensors)
        return _of_length(1, lambda: iter([arrays]))

    @classmethod
    def from_generator(
        cls,
        generator: Callable[..., Iterable[Any]],
        output_types: Any = None,
        output_shapes: Any = None,
        args: tuple[Any, ...] | None = None,
        output_signature: Any = None,
    ) -> Dataset:
        """What a function that makes a generator yields, called anew at every reading.

        Args:
            generator: The function.
            output_types: Dtypes of an element's parts; as the values are if None.
            output_shapes, output_signature: For `element_spec`; of a signature the dtypes are taken too.
            args: Arguments of the function.

        Raises:
            TypeError: If `generator` is not a function.
        """
        if not callable(generator):
            hint = "pass the function that makes the generator, without calling it"
            raise TypeError(expected("from_generator", "a function", type(generator).__name__, hint))
        dtypes = output_types if output_signature is None else output_signature
        spec = None if dtypes is None else functools.partial(_elements.specs, dtypes, output_shapes)
        return Dataset(lambda: (_elements.typed(value, dtypes) for value in generator(*(args or ()))), spec)

    def enumerate(self, start: int = 0) -> Dataset:
        """Tuples of a number, from `start` on, and an element."""
        return _of_length(
            _length(self),
            lambda: ((as_array(np.array(i, np.int64)), element) for i, element in enumerate(self, start)),
            lambda: (TensorSpec((), np.int64), self.element_spec),
        )

    def reduce(self, initial_state: Any, reduce_func: Callable[[Any, Any], Any]) -> Any:
        """Returns the state after `reduce_func(state, element)` of every element."""
        return functools.reduce(lambda *given: _made(reduce_func(*given)), self, _elements.as_tensors(initial_state))

    def shard(self, num_shards: int, index: int) -> Dataset:
        """Every `num_shards`th element, from `index` on; ValueError unless it is one of the first `num_shards`."""
        length, num_shards = _length(self), _count("shard", "num_shards", num_shards)
        if not 0 <= index < num_shards:
            raise ValueError(expected("shard", f"index to be from 0 to {num_shards - 1}", index))
        rest = length if length in _OPEN else len(range(index, length, num_shards))
        return _of_length(rest, lambda: itertools.islice(iter(self), index, None, num_shards), self._same_spec)

    def cardinality(self) -> Any:
        """Returns the number of elements, -1 if there is no end, or -2 where only reading tells it."""
        length = _length(self)
        return as_array(np.array(_OPEN.get(length, length), np.int64))

    def concatenate(self, dataset: Dataset) -> Dataset:
        """The elements of this dataset, then those of the other.

        Raises:
            TypeError: If those of the other have other parts.
        """
        own, others = self.element_spec, getattr(dataset, "element_spec", None)
        if None not in (own, others) and _tree.paths(own) != _tree.paths(others):
            raise TypeError(expected("concatenate", f"elements like {own}", others))
        lengths = _length(self), _length(dataset)
        length = None if None in lengths else sum(lengths)
        return _of_length(length, lambda: itertools.chain(self, dataset), self._spec or self._same_spec)

    def unbatch(self) -> Dataset:
        """The rows of the elements, one by one."""
        return Dataset(
            lambda: (row for element in self for row in Dataset.from_tensor_slices(element)),
            lambda: _elements.with_shapes(lambda shape: shape[1:], self.element_spec),
        )

    def window(self, size: int, shift: int | None = None, stride: int = 1, drop_remainder: bool = False) -> Dataset:
        """Datasets of `size` elements, `stride` apart; each begins `shift` elements (`size` if None) after the last.

        Of tuples and dicts, tuples and dicts of datasets.
        """
        size = _count("window", "size", size)
        shift = size if shift is None else _count("window", "shift", shift)
        stride = _count("window", "stride", stride)

        def read() -> Iterator[Any]:
            elements, span = iter(self), (size - 1) * stride + 1
            held = list(itertools.islice(elements, span))
            while held:
                chosen = held[::stride]
                if len(chosen) == size or not drop_remainder:
                    columns = zip(*map(_tree.flatten, chosen), strict=True)
                    windows = [self._column(column, part) for part, column in enumerate(columns)]
                    yield _tree.pack_as(chosen[0], windows)
                deque(itertools.islice(elements, max(shift - len(held), 0)), maxlen=0)  # those between two windows
                held = held[shift:]
                held += itertools.islice(elements, span - len(held))

        length = _length(self)
        if length not in _OPEN:
            starts = length - (size - 1) * stride if drop_remainder else length
            length = -(-max(starts, 0) // shift)
        return _of_length(length, read)

    def _column(self, values: tuple[Any, ...], part: int) -> Dataset:
        return _of_length(len(values), lambda: iter(values), lambda: _tree.flatten(self.element_spec)[part])

    def batch(self, batch_size: int, drop_remainder: bool = False, **ignored: Any) -> Dataset:
        """So many elements at a time, stacked along a new first axis."""
        batch_size = _count("batch", "batch_size", batch_size)
        size = batch_size if drop_remainder else None

        def spec() -> Any:
            return _elements.with_shapes(lambda shape: (size, *shape), self.element_spec)

        return self._in_batches(batch_size, drop_remainder, _elements.stacked, spec)

    def padded_batch(
        self,
        batch_size: int,
        padded_shapes: Any = None,
        padding_values: Any = None,
        drop_remainder: bool = False,
        name: str | None = None,
    ) -> Dataset:
        """So many elements at a time, stacked after padding at the end of each axis.

        Args:
            batch_size: Elements of a batch.
            padded_shapes: The lengths of the axes, of each part of an element; None or -1, also for the whole, is that
                of the longest in the batch.
            padding_values: What is added, of each part or of all; 0 if None.
            drop_remainder: Leave a smaller last batch out.
            name: Accepted, changes nothing.
        """
        batch_size = _count("padded_batch", "batch_size", batch_size)
        size = batch_size if drop_remainder else None

        def stack(elements: list[Any]) -> Any:
            return _elements.stacked_padded(elements, _elements.beside(elements[0], padded_shapes), padding_values)

        def spec() -> Any:
            return _elements.padded_spec(size, self.element_spec, padded_shapes)

        return self._in_batches(batch_size, drop_remainder, stack, spec)

    def bucket_by_sequence_length(
        self,
        element_length_func: Callable[..., Any],
        bucket_boundaries: Any,
        bucket_batch_sizes: Any,
        padded_shapes: Any = None,
        padding_values: Any = None,
        pad_to_bucket_boundary: bool = False,
        no_padding: bool = False,
        drop_remainder: bool = False,
        name: str | None = None,
    ) -> Dataset:
        """Batches of elements of like length, padded as by `padded_batch`.

        Args:
            element_length_func: Returns the length of an element.
            bucket_boundaries: The lengths, in rising order, at which another bucket begins.
            bucket_batch_sizes: The size of the batches of each bucket, one more than there are boundaries.
            padded_shapes, padding_values: As of `padded_batch`.
            pad_to_bucket_boundary: Pad to the greatest length of the bucket instead of that in the batch.
            no_padding: Stack the elements as they are.
            drop_remainder: Leave the smaller last batches out.
            name: Accepted, changes nothing.

        Raises:
            ValueError: For another number of sizes; in reading, if the last bucket, which has no end, is to be padded
                to it.
        """
        who = "bucket_by_sequence_length"
        ends, sizes = list(bucket_boundaries), list(bucket_batch_sizes)
        if len(sizes) != len(ends) + 1:
            raise ValueError(expected(who, f"{len(ends) + 1} bucket_batch_sizes, one more than boundaries", len(sizes)))

        def stack(bucket: int, elements: list[Any]) -> Any:
            if no_padding:
                return _elements.stacked(elements)
            shapes = _elements.beside(elements[0], padded_shapes)
            if pad_to_bucket_boundary:
                if bucket == len(ends):
                    hint = "add a boundary above all lengths"
                    raise ValueError(expected(who, f"elements shorter than {ends[-1]}", "a longer one", hint))
                if padded_shapes is None:
                    shapes = [leaf.shape for leaf in _tree.flatten(self.element_spec)]
                shapes = [[ends[bucket] - 1 if n in (None, -1) else n for n in shape] for shape in shapes]
            return _elements.stacked_padded(elements, shapes, padding_values)

        def read() -> Iterator[Any]:
            buckets: dict[int, list[Any]] = {}
            for element in self:
                bucket = bisect.bisect_right(ends, int(_apply(element_length_func, element)))
                held = buckets.setdefault(bucket, [])
                held.append(element)
                if len(held) == sizes[bucket]:
                    yield stack(bucket, buckets.pop(bucket))
            for bucket, held in sorted(buckets.items() if not drop_remainder else ()):
                yield stack(bucket, held)

        return Dataset(read, lambda: _elements.padded_spec(None, self.element_spec, padded_shapes))

    def _in_batches(self, size: int, drop_remainder: bool, stack: Callable[[list[Any]], Any], spec: Any) -> Dataset:
        def read() -> Iterator[Any]:
            elements = iter(self)
            while chunk := list(itertools.islice(elements, size)):
                if len(chunk) == size or not drop_remainder:
                    yield stack(chunk)

        length = _length(self)
        if length not in _OPEN:
            length = length // size if drop_remainder else -(-length // size)
        return _of_length(length, read, spec)

    def apply(self, transformation_func: Callable[[Dataset], Dataset]) -> Dataset:
        """What a function makes of the dataset."""
        return transformation_func(self)

    def map(self, map_func: Callable[..., Any], **ignored: Any) -> Dataset:
        """`map_func` of every element; a tuple's parts are its arguments."""

        def spec() -> Any:
            open_axes = _elements.open_axes(self.element_spec)
            of_first = _tree.map_structure(_spec_of, mapped._first())
            return _elements.with_shapes(
                lambda shape: (None,) * min(open_axes, len(shape)) + shape[open_axes:], of_first
            )

        mapped = _of_length(_length(self), lambda: (_made(_apply(map_func, element)) for element in self), spec)
        return mapped

    def flat_map(self, map_func: Callable[..., Dataset]) -> Dataset:
        """The elements of the datasets that `map_func` makes, one after the other."""
        return Dataset(
            lambda: (inner for element in self for inner in _apply(map_func, element)),
            lambda: None if (first := self._first()) is None else _apply(map_func, first).element_spec,
        )

    def filter(self, predicate: Callable[..., Any]) -> Dataset:
        """The elements for which `predicate` holds."""
        return Dataset(lambda: (element for element in self if _apply(predicate, element)), self._same_spec)

    def shuffle(
        self,
        buffer_size: int,
        seed: int | None = None,
        reshuffle_each_iteration: bool | None = None,
        name: str | None = None,
    ) -> Dataset:
        """The elements in an order drawn anew at every reading, each from the next `buffer_size`.

        Args:
            buffer_size: Elements to draw from.
            seed: Of the orders; recurra's random stream if None.
            reshuffle_each_iteration: False: the order of the first reading at every one.
            name: Accepted, changes nothing.
        """
        buffer_size = _count("shuffle", "buffer_size", buffer_size)
        orders = itertools.count()
        first: Any = None

        def read() -> Iterator[Any]:
            nonlocal first
            if _looking.get():
                yield from self
                return
            if reshuffle_each_iteration is False:
                first = (draw_seed() if seed is None else seed) if first is None else first
                generator = np.random.default_rng(first)
            else:
                generator = np.random.default_rng(draw_seed() if seed is None else [seed, next(orders)])
            elements = iter(self)
            buffer = list(itertools.islice(elements, buffer_size))
            while buffer:
                chosen = int(generator.integers(len(buffer)))
                buffer[chosen], buffer[-1] = buffer[-1], buffer[chosen]
                yield buffer.pop()
                buffer.extend(itertools.islice(elements, 1))

        return _of_length(_length(self), read, self._same_spec)

    def repeat(self, count: int | None = None) -> Dataset:
        """The elements `count` times over, or for ever."""
        length, count = _length(self), -1 if count is None else count
        endless = count < 0
        if endless and length == 0:
            return self

        def read() -> Iterator[Any]:
            return (element for _ in (itertools.count() if endless else range(count)) for element in self)

        return _of_length(math.inf if endless else length and count and length * count, read, self._same_spec)

    def take(self, count: int) -> Dataset:
        """The first `count` elements."""
        length = _length(self)
        if count < 0:  # all, as in TensorFlow
            return self
        most = None if length is None else min(length, count)
        return _of_length(most, lambda: itertools.islice(iter(self), count), self._same_spec)

    def skip(self, count: int) -> Dataset:
        """All but the first `count` elements."""
        length = _length(self)
        if count < 0:  # all, as in TensorFlow
            return _of_length(0, lambda: iter(()), self._same_spec)
        rest = None if length is None else max(length - count, 0)
        return _of_length(rest, lambda: itertools.islice(iter(self), count, None), self._same_spec)

    def cache(self, filename: str = "") -> Dataset:
        """The same dataset: there is nothing to speed up."""
        return self

    def prefetch(self, buffer_size: int) -> Dataset:
        """The same dataset: there is nothing to speed up."""
        return self

    def as_numpy_iterator(self) -> Iterator[Any]:
        """The elements as plain NumPy arrays that cannot be written to, and numbers of NumPy."""

        def plain(leaf: Any) -> Any:
            array = np.asarray(leaf).view()
            array.flags.writeable = False  # it may show what later readings give again
            return array[()]

        return (_tree.map_structure(plain, element) for element in self)


for _name, _method in list(vars(Dataset).items()):
    if not _name.startswith("_"):
        setattr(Dataset, _name, taking_name(_method))


def cardinality(dataset: Dataset) -> Any:
    """Returns the number of elements, -1 if there is no end, or -2 where only reading tells it."""
    return dataset.cardinality()


def _spec_of(leaf: Any) -> Any:
    if leaf is None or isinstance(leaf, Dataset):
        return leaf
    return TensorSpec.from_tensor(leaf)


def map_fn(
    fn: Callable[[Any], Any],
    elems: Any,
    dtype: Any = None,
    parallel_iterations: int | None = None,
    back_prop: Any = True,
    swap_memory: Any = False,
    infer_shape: Any = True,
    name: str | None = None,
    fn_output_signature: Any = None,
) -> Any:
    """Returns `fn` of each row of `elems`, an array or several in a tuple or dict, stacked along the first axis.

    The dtypes are those of what `fn` returns: the other arguments are accepted and change nothing.
    """
    return _elements.stacked(_elements.as_tensors(fn(row)) for row in Dataset.from_tensor_slices(elems))


def _made(value: Any) -> Any:
    """Returns what a function of elements gave as tensors: here a list is a tuple, as in TensorFlow."""

    def convert(part: Any) -> Any:
        return part if part is None or isinstance(part, Dataset) else convert_to_tensor(part)

    return _elements.as_tensors(tuple(value) if isinstance(value, list) else value, convert)


class _Sized(Dataset):
    """A dataset that knows its length before it is read; others have no `len()`, as `fit` wants to know it."""

    def __len__(self) -> int:
        return self._length

    def __bool__(self) -> bool:
        return True


def _of_length(length: Any, read: Callable[[], Iterator[Any]], spec: Callable[[], Any] | None = None) -> Dataset:
    dataset = Dataset(read, spec) if length in _OPEN else _Sized(read, spec)
    dataset._length = length
    return dataset


def of_batches(source: Any, in_order: Any, batched: bool) -> Dataset:
    """Returns an iterable of known length, of batches or single elements, as a dataset; `in_order` does not shuffle."""

    def spec() -> Any:
        of_first = _tree.map_structure(_spec_of, next(iter(in_order)))
        return _elements.with_shapes(lambda shape: (None, *shape[1:]), of_first) if batched else of_first

    return _of_length(len(source), lambda: iter(in_order if _looking.get() else source), spec)


def _length(dataset: Any) -> Any:
    if isinstance(dataset, Dataset):
        return dataset._length
    return len(dataset) if hasattr(dataset, "__len__") else None


def _count(who: str, name: str, value: Any) -> int:
    """Returns a positive whole number, which may be a tensor."""
    return positive_int(who, name, value.item() if isinstance(value, np.ndarray) and not value.ndim else value)


def _apply(function: Callable[..., Any], element: Any) -> Any:
    return function(*element) if isinstance(element, tuple) else function(element)
