"""Helpers of Keras's `keras.utils`: seeds, one-hot labels, padded sequences, sliding windows, datasets by index."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra import random
from recurra._arguments import knows_arguments
from recurra._arrays import Array, as_array, as_numbers, check_unmasked
from recurra._checks import expected, one_of, positive_int
from recurra._missing import says_what_to_do
from recurra._names import clear_session
from recurra.callbacks.progress import Progbar
from recurra.models.plot import model_to_dot, plot_model
from recurra.random import set_random_seed
from recurra.saving import (
    CustomObjectScope,
    custom_object_scope,
    deserialize_keras_object,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
    serialize_keras_object,
)
from recurra.training.batches import pack_x_y_sample_weight, unpack_x_y_sample_weight

__all__ = [
    "CustomObjectScope",
    "Progbar",
    "PyDataset",
    "Sequence",
    "clear_session",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "model_to_dot",
    "normalize",
    "pack_x_y_sample_weight",
    "pad_sequences",
    "plot_model",
    "register_keras_serializable",
    "serialize_keras_object",
    "set_random_seed",
    "timeseries_dataset_from_array",
    "to_categorical",
    "unpack_x_y_sample_weight",
]


class PyDataset:
    """Base class of data given batch by batch: override `__len__` and `__getitem__`, which returns (x, y).

    In place of `__len__`, `num_batches` may say how many there are: None where they do not end.

    Args:
        workers, use_multiprocessing, max_queue_size: Accepted, change nothing.
    """

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10):
        self.workers = workers
        self.use_multiprocessing = use_multiprocessing
        self.max_queue_size = max_queue_size

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(expected(type(self).__name__, "a method __getitem__(index)", "none"))

    def __iter__(self) -> Iterator[Any]:
        count = self.num_batches
        return (self[index] for index in (itertools.count() if count is None else range(count)))

    @property
    def num_batches(self) -> int | None:
        """The number of batches; None of data without an end, which `steps_per_epoch` cuts into epochs."""
        if hasattr(self, "__len__"):
            return len(self)
        raise NotImplementedError(expected(type(self).__name__, "a method __len__() or a property num_batches", "none"))

    def on_epoch_begin(self) -> None:
        """Called at the start of each epoch."""

    def on_epoch_end(self) -> None:
        """Called at the end of each epoch."""


Sequence = PyDataset


@knows_arguments
def to_categorical(x: Any, num_classes: int | None = None) -> np.ndarray:
    """Returns whole numbers as rows with a one at their place.

    Args:
        x: Labels, any shape; a last axis of one is dropped.
        num_classes: Number of classes; the largest label plus one if None.

    Returns:
        float64 (..., num_classes).

    Raises:
        IndexError: If a label lies outside.
        TypeError, ValueError: For labels that are no numbers, none without num_classes, and a number of classes that is
            not positive.

    >>> to_categorical([0, 2])
    array([[1., 0., 0.],
           [0., 0., 1.]])
    """
    who = "to_categorical"
    check_unmasked(x, who)
    try:
        labels = np.asarray(x, "int64")
    except (TypeError, ValueError):
        as_numbers(x, who)
        raise ValueError(expected(who, "whole numbers", "NaN or infinity")) from None
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if not labels.size and num_classes is None:
        raise ValueError(expected(who, "labels, or num_classes", "neither"))
    classes = int(labels.max()) + 1 if num_classes is None else positive_int(who, "num_classes", num_classes)
    if labels.size and not (labels.min() >= 0 and labels.max() < classes):
        wrong = labels[(labels < 0) | (labels >= classes)].ravel()[0]
        raise IndexError(expected(who, f"labels from 0 to {classes - 1}", wrong))
    rows = np.zeros((*labels.shape, classes))
    np.put_along_axis(rows, labels[..., None], 1, axis=-1)
    return as_array(rows) if isinstance(x, Array) else rows


@knows_arguments
def normalize(x: Any, axis: int = -1, order: int = 2) -> np.ndarray:
    """Returns `x` divided by its norms of `order` along `axis`; zeros stay zeros. As in Keras, (N,) becomes (1, N).

    Of NumPy's own arrays it gives one, of others an array with `.numpy()`.
    """
    is_plain = type(x) is np.ndarray
    is_row = is_plain and x.ndim == 1
    x = np.asarray(as_numbers(x, "normalize"), np.float64)
    norms = np.atleast_1d(np.linalg.norm(x, order, axis, keepdims=True))
    normalized = x / np.where(norms == 0, 1, norms)
    normalized = normalized[None] if is_row else normalized
    return normalized if is_plain else as_array(normalized)


@knows_arguments
def pad_sequences(
    sequences: Any,
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> np.ndarray:
    """Returns sequences of different lengths as one array.

    Args:
        sequences: N sequences of numbers, or of vectors of one size.
        maxlen: Length of the result; that of the longest if None.
        dtype: Of the result.
        padding, truncating: "pre" or "post": at which end values are added or dropped.
        value: What is added.

    Returns:
        (N, maxlen, ...).

    Raises:
        ValueError: If something is no sequence or does not fit the dtype, or vectors differ in size.

    >>> pad_sequences([[1], [2, 3]])
    array([[0, 1],
           [2, 3]], dtype=int32)
    """
    one_of("pad_sequences", "padding", padding, ("pre", "post"))
    one_of("pad_sequences", "truncating", truncating, ("pre", "post"))
    if not hasattr(sequences, "__len__"):
        raise ValueError(expected("pad_sequences", "a list of sequences", type(sequences).__name__))
    if maxlen is not None and (not isinstance(maxlen, (int, np.integer)) or maxlen < 0):
        raise ValueError(expected("pad_sequences", "maxlen to be a whole number, not negative", repr(maxlen)))
    arrays = []
    for position, sequence in enumerate(sequences):
        if isinstance(sequence, str) or not hasattr(sequence, "__len__"):
            raise ValueError(expected("pad_sequences", "sequences", f"{sequence!r} at {position}"))
        if sequence.__class__ not in (list, np.ndarray):
            check_unmasked(sequence, "pad_sequences")
        try:
            arrays.append(np.asarray(sequence))
        except ValueError as error:
            what = "sequences of numbers, or of vectors of one size"
            raise ValueError(expected("pad_sequences", what, f"{sequence!r} at {position}")) from error
    maxlen = max((len(a) for a in arrays), default=0) if maxlen is None else int(maxlen)
    inner = next((a.shape[1:] for a in arrays if len(a)), ())
    result = np.full((len(arrays), maxlen, *inner), value, dtype=dtype)
    wrong = next((array.shape[1:] for array in arrays if array.shape[1:] != inner and len(array)), None)
    if wrong is not None:
        raise ValueError(expected("pad_sequences", f"vectors of shape {inner}", wrong))
    arrays = [a[-maxlen:] if truncating == "pre" and maxlen else a[:maxlen] for a in arrays]
    within = _are_within_limits(arrays, result.dtype)
    for row, kept in zip(result, arrays, strict=True):
        if not len(kept):
            continue
        try:
            if not within:
                _check_limits(kept, result.dtype)
            row[slice(maxlen - len(kept), None) if padding == "pre" else slice(len(kept))] = kept
        except (OverflowError, ValueError) as error:
            hint = "keras.preprocessing.text.Tokenizer makes numbers of words"
            if isinstance(error, OverflowError):
                hint = "give another dtype, such as 'int64'"
            raise ValueError(expected("pad_sequences", f"numbers for {result.dtype}", kept.tolist(), hint)) from error
    return result


def _are_within_limits(arrays: list[np.ndarray], dtype: np.dtype) -> bool:
    """Returns whether `_check_limits` raises for none of the arrays: one by one takes longer than all else."""
    for found in filter(lambda found: _may_exceed(found, dtype), {array.dtype for array in arrays}):
        try:
            _check_limits(np.concatenate([array.reshape(-1) for array in arrays if array.dtype == found]), dtype)
        except OverflowError:
            return False
    return True


def _may_exceed(found: np.dtype, dtype: np.dtype) -> bool:
    return dtype.kind in "iu" and found.kind in "iuf" and not np.can_cast(found, dtype)


def _check_limits(numbers: np.ndarray, dtype: np.dtype) -> None:
    """Raises OverflowError for numbers beyond those of a dtype of whole ones: NumPy would wrap them."""
    if not _may_exceed(numbers.dtype, dtype):
        return
    limits = np.iinfo(dtype)
    if numbers.size and not (numbers.min() >= limits.min and numbers.max() <= limits.max):
        raise OverflowError


class TimeseriesDataset:
    """Batches of sliding windows; see `timeseries_dataset_from_array`. The windows are gathered batch by batch."""

    def __init__(
        self,
        data: np.ndarray,
        targets: np.ndarray | None,
        starts: np.ndarray,
        sequence_length: int,
        sampling_rate: int,
        batch_size: int | None,
        shuffle: bool,
        seed: int | None,
    ):
        self._data, self._targets, self._starts = data, targets, starts
        self._offsets = np.arange(sequence_length) * sampling_rate
        self._batch_size = batch_size
        self._generator = np.random.default_rng(random.draw_seed() if seed is None else seed) if shuffle else None

    def __len__(self) -> int:
        return -(-len(self._starts) // (self._batch_size or 1))

    def __iter__(self) -> Iterator[Any]:
        order = np.arange(len(self._starts))
        if self._generator is not None:
            self._generator.shuffle(order)
        size = self._batch_size or 1
        for begin in range(0, len(order), size):
            rows = order[begin : begin + size]
            windows = self._data[self._starts[rows, None] + self._offsets]
            if self._batch_size is None:
                windows, rows = windows[0], rows[0]
            windows = as_array(windows)
            yield windows if self._targets is None else (windows, as_array(self._targets[self._starts[rows]]))

    def take(self, count: int) -> Iterator[Any]:
        """Returns the first `count` batches."""
        return itertools.islice(iter(self), count)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            hint = None
            if not name.startswith("_"):
                hint = "that of recurra.compat.tensorflow.keras.utils gives datasets with map, prefetch and the like"
            raise AttributeError(expected("a dataset of timeseries_dataset_from_array", "take", repr(name), hint))


@knows_arguments
def timeseries_dataset_from_array(
    data: Any,
    targets: Any,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
) -> TimeseriesDataset:
    """Returns an iterable over batches of sliding windows of a series (https://keras.io/api/data_loading/timeseries).

    Args:
        data: (T, ...) steps of a series.
        targets: `targets[i]` belongs to the window that starts at step i; None for windows alone.
        sequence_length: Steps of a window.
        sequence_stride: Steps between the starts of two windows.
        sampling_rate: Steps between two steps of a window.
        batch_size: Windows of a batch; None for single windows.
        shuffle: Whether windows come in random order.
        seed: Of that order.
        start_index, end_index: First step, and the step after the last, to be used.

    Raises:
        TypeError: If a count is no number.
        ValueError: If a count is not positive, the series is too short, or data or targets are no numbers.
    """
    who = "timeseries_dataset_from_array"
    for name, number in (
        ("sequence_length", sequence_length),
        ("sequence_stride", sequence_stride),
        ("sampling_rate", sampling_rate),
    ):
        positive_int(who, name, number)
    if batch_size is not None:
        positive_int(who, "batch_size", batch_size)
    data = as_numbers(data, f"{who} data")
    targets = None if targets is None else as_numbers(targets, f"{who} targets")
    first, last = start_index or 0, len(data) if end_index is None else end_index
    if not 0 <= first < last <= len(data):
        raise ValueError(expected(who, f"0 <= start_index < end_index <= {len(data)}", f"{first} and {last}"))
    count = last - first - (sequence_length - 1) * sampling_rate
    if targets is not None:
        count = min(count, len(targets) - first)
    if count <= 0:
        raise ValueError(expected(who, "a series at least as long as a window", f"{last - first} steps"))
    starts = np.arange(first, first + count, sequence_stride)
    return TimeseriesDataset(data, targets, starts, sequence_length, sampling_rate, batch_size, shuffle, seed)


if not TYPE_CHECKING:  # type checkers would take every name for one that is there
    __getattr__ = says_what_to_do(__name__)
