"""`tf.keras.preprocessing.sequence`: padding, and the older form of sliding windows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recurra import random
from recurra._checks import expected, positive_int
from recurra._missing import says_what_to_do
from recurra.utils import PyDataset, pad_sequences

__all__ = ["TimeseriesGenerator", "pad_sequences"]


class TimeseriesGenerator(PyDataset):
    """Batches of windows of a series, each with the target at the step after it.

    Args:
        data: The series, (steps, ...).
        targets: As many.
        length: Steps before the target that a window spans.
        sampling_rate: Of these, every so manieth.
        stride: Steps between the windows.
        start_index, end_index: The steps of `data` to use, the last one included.
        shuffle: Draw the windows of a batch at random.
        reverse: The latest step first.
        batch_size: Windows of a batch.

    Raises:
        TypeError, ValueError: If data and targets differ in length, a count is no positive number, or no window fits.
    """

    def __init__(
        self,
        data: Any,
        targets: Any,
        length: int,
        sampling_rate: int = 1,
        stride: int = 1,
        start_index: int = 0,
        end_index: int | None = None,
        shuffle: bool = False,
        reverse: bool = False,
        batch_size: int = 128,
    ):
        super().__init__()
        self.data, self.targets = np.asarray(data), np.asarray(targets)
        if len(self.data) != len(self.targets):
            got = f"{len(self.data)} and {len(self.targets)}"
            raise ValueError(expected("TimeseriesGenerator", "data and targets of the same length", got))
        self.length = positive_int("TimeseriesGenerator", "length", length)
        self.sampling_rate = positive_int("TimeseriesGenerator", "sampling_rate", sampling_rate)
        self.stride = positive_int("TimeseriesGenerator", "stride", stride)
        self.start_index = start_index + length  # the first target's, as Keras names it
        self.end_index = len(self.data) - 1 if end_index is None else end_index
        self.shuffle = shuffle
        self.reverse = reverse
        self.batch_size = positive_int("TimeseriesGenerator", "batch_size", batch_size)
        if self.end_index >= len(self.data):
            raise ValueError(expected("TimeseriesGenerator", f"end_index below {len(self.data)}", end_index))
        if self.start_index > self.end_index:
            got = f"{self.end_index - start_index + 1} for a length of {length}"
            raise ValueError(expected("TimeseriesGenerator", "steps for a window and its target", got))

    def __len__(self) -> int:
        per_batch = self.batch_size * self.stride
        return (self.end_index - self.start_index + per_batch) // per_batch

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        if self.shuffle:
            generator = np.random.default_rng(random.draw_seed())
            rows = generator.integers(self.start_index, self.end_index + 1, self.batch_size)
        else:
            first = self.start_index + self.batch_size * self.stride * index
            rows = np.arange(first, min(first + self.batch_size * self.stride, self.end_index + 1), self.stride)
        windows = np.array([self.data[row - self.length : row : self.sampling_rate] for row in rows])
        return windows[:, ::-1] if self.reverse else windows, self.targets[rows]


if not TYPE_CHECKING:  # type checkers would take every name for one that is there
    __getattr__ = says_what_to_do(__name__)
