"""Batches: arrays cut into rows, and generators and datasets, in one form.

A batch is three lists of arrays: inputs, targets and sample weights, each in the order of the model; a target or a
weight that is not there is None.
"""

from __future__ import annotations

import math
import numbers
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import numpy as np

from recurra import _tree, random
from recurra._checks import expected, one_of, positive_int

Batch = tuple[list[Any], list[Any], list[Any]]
State = dict[str, Any]  # of recurra's random stream
Draws = list[tuple[int, State]]  # batches that were asked for before a draw, and the state then


@dataclass
class RunPosition:
    """Where a run of `fit` stands.

    Attributes:
        epoch: The first of the run, or of the rest of one that was cut off.
        stream_at_start: Of recurra's random stream when the run began.
        draws: What the data had drawn from it after the last whole epoch.
        global_states: To go on with, of Python's and NumPy's random numbers; None: as they are.
        ended: Whether there is no rest.
        broken_off: Whether `stop_training` ended the last epoch at a batch, be it the last.
    """

    epoch: int
    stream_at_start: State
    draws: Draws
    global_states: dict[str, Any] | None = None
    ended: bool = False
    broken_off: bool = False


_RAN_OUT = "Your input ran out of data"


class NestedInputs(list[Any]):
    """Arrays in a row, as batches have them, and how `forward` of a model takes them.

    Args:
        arrays: The arrays.
        structure: Anything that is nested as `forward` takes them.
    """

    def __init__(self, arrays: list[Any], structure: Any):
        super().__init__(arrays)
        self.structure = structure

    def nested(self) -> Any:
        """Returns the arrays as `forward` takes them."""
        return _tree.pack_as(self.structure, self)

    def like(self, arrays: list[Any]) -> NestedInputs:
        """Returns other arrays of the same structure."""
        return NestedInputs(arrays, self.structure)


class UncastInputs(list[Any]):
    """Arrays of which each batch is cast by itself: whole numbers take a fraction of the room of floats.

    Args:
        arrays: The arrays.
        dtypes: Of the model's inputs.
    """

    def __init__(self, arrays: list[Any], dtypes: list[str]):
        super().__init__(arrays)
        self.dtypes = dtypes

    def cast(self) -> list[np.ndarray]:
        """Returns the arrays as the model takes them."""
        return [np.ascontiguousarray(array, dtype) for array, dtype in zip(self, self.dtypes, strict=True)]

    def like(self, arrays: list[Any]) -> UncastInputs:
        """Returns other arrays of the same inputs."""
        return UncastInputs(arrays, self.dtypes)


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """Returns a batch as iterables give it to `fit`: x, (x, y) or (x, y, sample_weight); a list or tuple x as (x,)."""
    if y is None:
        return (x,) if isinstance(x, (list, tuple)) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)


def unpack_x_y_sample_weight(data: Any, who: str = "unpack_x_y_sample_weight") -> tuple[Any, Any, Any]:
    """Returns (x, y, sample_weight) of a batch as `pack_x_y_sample_weight` gives it, None for what is not there.

    Args:
        data: A list does for a tuple.
        who: For the error.

    Raises:
        ValueError: For more than three parts, or none.
    """
    parts = tuple(data) if isinstance(data, (list, tuple)) else (data,)
    if not 1 <= len(parts) <= 3:
        what = "batches x, (x,), (x, y) or (x, y, sample_weight)"
        raise ValueError(expected(who, what, f"one of {len(parts)} parts"))
    x, y, sample_weight = (*parts, None, None)[:3]
    return x, y, sample_weight


def rows_of(batch: Batch, who: str) -> int:
    """Returns the number of rows of inputs, targets and weights.

    Raises:
        ValueError: If there are none, or the arrays differ in their number.
    """
    counts = {len(a) for part in batch for a in part if a is not None}
    if len(counts) > 1:
        sizes = [" and ".join(str(len(a)) for a in part if a is not None) for part in batch]
        got = ", ".join(f"{n} rows of {name}" for n, name in zip(sizes, ("x", "y", "sample_weight"), strict=True) if n)
        raise ValueError(expected(who, "the same number of rows everywhere", got))
    if counts <= {0}:
        raise ValueError(expected(who, "at least one row of data", "none"))
    return counts.pop()


class ArrayBatches:
    """Rows of arrays, batch after batch; the last one of an epoch may be smaller.

    Args:
        inputs: Arrays of N rows.
        targets, weights: Arrays of N rows, or None for each.
        batch_size: Rows of a batch; None for as many as make `steps` batches of all rows, or 32.
        shuffle: Draw a new order for each epoch from recurra's random stream; "batch": of the batches alone.
        steps: Batches of an epoch, where `batch_size` is None.
        who: For errors.

    Raises:
        TypeError, ValueError: If there are no rows, the arrays differ in their number, or an option is out of range.
    """

    by_index = True
    is_read_once = False

    def __init__(
        self,
        inputs: list[Any],
        targets: list[Any],
        weights: list[Any],
        batch_size: int | None = None,
        shuffle: bool | str = False,
        steps: int | None = None,
        who: str = "fit",
    ):
        self.arrays = (inputs, targets, weights)
        self.rows = rows_of(self.arrays, who)
        if batch_size is None:
            batch_size = math.ceil(self.rows / steps) if steps else 32
        self.batch_size = positive_int(who, "batch_size", batch_size)
        if isinstance(shuffle, str):
            one_of(who, "shuffle", shuffle, ("batch", True, False))
        self.shuffle = shuffle

    @property
    def steps(self) -> int:
        """Number of batches of an epoch."""
        return math.ceil(self.rows / self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        order = self._order()
        uncast = isinstance(self.arrays[0], UncastInputs)
        for start in range(0, self.rows, self.batch_size):
            stop = min(start + self.batch_size, self.rows)
            rows: Any = slice(start, stop) if order is None else order[start:stop]
            part = _some_rows(self.arrays, rows)
            yield (part[0].cast(), *part[1:]) if uncast else part  # type: ignore[attr-defined]

    def _order(self) -> np.ndarray | None:
        if not self.shuffle:
            return None
        generator = np.random.default_rng(random.draw_seed())
        if self.shuffle == "batch":
            starts = np.arange(self.steps) * self.batch_size
            generator.shuffle(starts[: self.rows // self.batch_size])
            return np.concatenate([np.arange(s, min(s + self.batch_size, self.rows)) for s in starts.tolist()])
        return generator.permutation(self.rows)


def _some_rows(batch: Batch, rows: slice | np.ndarray) -> Batch:
    """Returns some rows of all arrays; the inputs stay nested as they are."""
    inputs, targets, weights = ([_rows(a, rows) for a in arrays] for arrays in batch)
    if type(batch[0]) is not list:
        inputs = batch[0].like(inputs)  # type: ignore[attr-defined]
    return inputs, targets, weights


def _rows(array: Any, rows: slice | np.ndarray) -> Any:
    if array is None or isinstance(rows, slice):
        return None if array is None else array[rows]
    return array.take(rows, axis=0)  # three times faster than array[rows] for small batches


class IterableBatches:
    """Batches that a generator, a dataset or a PyDataset gives: x, (x, y) or (x, y, sample_weight).

    Args:
        source: The iterable; an object with `__getitem__` and `__len__` or `num_batches` is gone through by index at
            each epoch. Of a generator, which can be gone through once, the first two batches come again at each epoch,
            as in Keras.
        convert: Turns one of its items into a `Batch`.
        shuffle: Draw a new order of the indices for each epoch, where there are indices.
        who: For errors.
    """

    def __init__(self, source: Any, convert: Callable[[Any], Batch], shuffle: bool | str = False, who: str = "fit"):
        self.source = source
        self.convert = convert
        self.shuffle = shuffle
        self.who = who
        self.first_run = self.last_run = 0  # how many batches there were when it was gone through to its end
        self.by_index = hasattr(source, "__getitem__") and not isinstance(source, list) and self.steps is not None
        self.is_read_once = isinstance(source, Iterator)
        self._first = list(islice(source, 2)) if self.is_read_once else []

    @property
    def steps(self) -> int | None:
        """Number of batches of an epoch, or None if it is not known before its end."""
        if hasattr(self.source, "num_batches"):
            return self.source.num_batches
        try:
            return len(self.source)
        except TypeError:  # torch's DataLoader has a `__len__` even where it does not know
            return None

    def __iter__(self) -> Iterator[Batch]:
        count = 0
        for item in self._items():
            count += 1
            yield self.convert(item)
        if count == 0:
            raise ValueError(expected(self.who, "an iterable of at least one batch", "an empty one"))
        self.first_run, self.last_run = self.first_run or count, count

    def _items(self) -> Iterable[Any]:
        if not self.by_index:
            return chain(self._first, self.source)
        order: Any = range(self.steps)  # type: ignore[arg-type]
        if self.shuffle:
            order = np.random.default_rng(random.draw_seed()).permutation(len(order))
        return (self.source[int(i)] for i in order)


class Epochs:
    """The batches of one epoch after the other: each call gives those of the next.

    With `steps`, an epoch takes that many batches and the next one goes on where it stopped. Where the data end first,
    the epoch ends with a warning and the next one starts anew, as in Keras: of a generator, which is gone through once,
    only the first two batches are left then. A PyDataset is told of each epoch's begin and end.

    Args:
        batches: An `ArrayBatches` or `IterableBatches`.
        steps: Batches of an epoch, or None for all.
    """

    def __init__(self, batches: Any, steps: int | None):
        self._batches = batches
        self._steps = steps
        self._stream: Iterator[Batch] | None = None
        self._taken = 0  # batches asked for since the first epoch
        self._draws: Draws = []
        self._drawn_to: State | None = None  # where the last draw left the stream
        self._draws_then: dict[int, State] = {}  # of the run that is gone over
        source = getattr(batches, "source", None)
        self._begin, self._end = (getattr(source, hook, lambda: None) for hook in ("on_epoch_begin", "on_epoch_end"))

    def __call__(self) -> Iterator[Batch]:
        self._begin()
        yield from self._batches if self._steps is None else self._some_steps(self._steps)
        self._end()
        if self._steps is None and self._batches.is_read_once and self._batches.last_run < self._batches.first_run:
            when = f"{self._batches.last_run} of {self._batches.first_run} steps"
            _warn_of_the_end(f"{when}: a generator gives its batches once", stacklevel=3)

    @property
    def draws(self) -> Draws:
        """Where the data drew from recurra's random stream, in the pass that the next epoch goes on with.

        Draws that follow one another, nothing else between them, count as the first one.
        """
        return list(self._draws)

    def pass_over(
        self,
        count: int,
        stream_state: State,
        draws: Draws,
        validation: Callable[[int], Epochs | None] = lambda done: None,
    ) -> None:
        """Goes to where the data stand after `count` epochs, and so do those of their validations.

        Args:
            count: Number of epochs.
            stream_state: Of recurra's random stream before the first of them.
            draws: After the last of them, as the run knew them that went through these epochs: what callbacks drew from
                the stream then is not drawn now.
            validation: Returns the batches to validate on after one of them, None for no validation.
        """
        self._draws_then = dict(draws)
        now = random.get_stream_state()
        random.set_stream_state(stream_state)
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message=_RAN_OUT)  # of epochs that have warned before
                for done in range(count):
                    self._skip()
                    if (validated := validation(done)) is not None:
                        validated._skip()
        finally:  # whatever the data raise
            self._draws_then = {}
            random.set_stream_state(now)

    def _skip(self) -> None:
        """Goes over the next epoch; a generator, which is read once, stays where it is."""
        if self._batches.is_read_once:
            return
        if self._steps is None and self._batches.by_index:  # an index gives the same in each epoch
            self._begin()
            if self._batches.shuffle:
                random.draw_seed()  # as the order did
            self._end()
        else:
            deque(self(), maxlen=0)

    def _some_steps(self, steps: int) -> Iterator[Batch]:
        for done in range(steps):
            batch = self._next()
            if batch is None and done == 0 and self._batches.steps is not None:
                self._stream = None  # it ended with the epoch before
                batch = self._next()
            if batch is None:
                self._stream = None
                _warn_of_the_end(f"{done} of {steps} steps", stacklevel=4)
                return
            yield batch

    def _next(self) -> Batch | None:
        """Returns the next batch of the pass, or of a new one; None at its end. Notes what it drew from the stream."""
        if self._stream is None:
            self._stream, self._draws, self._drawn_to = iter(self._batches), [], None
        if self._taken in self._draws_then:
            random.set_stream_state(self._draws_then[self._taken])
        before = random.get_stream_state()
        batch = next(self._stream, None)
        after = random.get_stream_state()
        if after != before:
            if before != self._drawn_to:
                self._draws.append((self._taken, before))
            self._drawn_to = after
        self._taken += 1
        return batch


def _warn_of_the_end(when: str, stacklevel: int) -> None:
    warnings.warn(
        f"{_RAN_OUT} after {when}; interrupting this epoch. "
        "Make sure that it can give at least `steps_per_epoch * epochs` batches.",
        stacklevel=stacklevel,
    )


def split_tail(batch: Batch, fraction: float) -> tuple[Batch, Batch]:
    """Returns arrays without and of their last rows: `n - floor(n * (1 - fraction))` of n.

    Raises:
        ValueError: If one of the two parts would be empty.
    """
    if not isinstance(fraction, numbers.Real) or not 0 < fraction < 1:
        raise ValueError(expected("fit", "validation_split between 0 and 1", repr(fraction)))
    rows = rows_of(batch, "fit")
    cut = math.floor(rows * (1 - fraction))
    if cut == 0 or cut == rows:
        raise ValueError(expected("fit", "enough rows to split", f"{rows} rows and validation_split={fraction}"))
    return _some_rows(batch, slice(cut)), _some_rows(batch, slice(cut, None))


def is_iterable_data(x: Any) -> bool:
    """Returns whether `x` gives batches by itself, so that it holds the targets too."""
    if isinstance(x, (np.ndarray, list, tuple, dict, str, bytes, memoryview)) or x is None:
        return False
    if hasattr(x, "__array__") or hasattr(x, "toarray"):  # a sparse matrix, which is no array yet
        return False
    return hasattr(x, "__iter__") or (hasattr(x, "__getitem__") and hasattr(x, "__len__"))
