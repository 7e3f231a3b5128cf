"""Memory of kernels: arrays where vectors fit, weights end to end, and when those of dropped models are collected.

And what is known of classes and functions for as long as the program has them.

Importing it allocates once, for `_keep_freed`.
"""

from __future__ import annotations

import functools
import gc
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from weakref import ref

import numpy as np

_Found = TypeVar("_Found")

_LINE = 64  # bytes of a cache line
_HUGE_PAGE = 2 << 20  # bytes, of x86-64 and of most ARM64
_MOST_UNCOLLECTED = 256 << 20  # bytes

_uncollected_bytes = 0


def _keep_freed() -> None:
    """Has glibc keep memory that arrays of a step free for those of the next one, up to 64 MB in a process.

    It gives memory at the end of its heap back to Linux until it has once seen a large array freed. A model of two
    LSTM(64) and LayerNormalization between met 1,700 page faults at each step, and took twice as long.
    """
    np.empty(32 * 2**20 - 2**16, np.uint8)  # nearly the largest that its rule looks at; no page of it is touched


def note_allocated(size_bytes: int) -> None:
    """Is told of the memory that weights and what belongs to them take: has dropped models collected now and then.

    Layers and their symbolic tensors point at each other, so dropped models wait for Python's collector. It counts
    objects, not bytes: in a loop that made and trained models of 64 MB it came after 1.7 GB.
    """
    global _uncollected_bytes
    _uncollected_bytes += size_bytes
    if _uncollected_bytes > _MOST_UNCOLLECTED and gc.isenabled():
        _uncollected_bytes = size_bytes
        gc.collect()


def while_it_lives(find: Callable[[Any], _Found]) -> Callable[[Any], _Found]:
    """Decorator: what is found for an object is kept as long as the object, which a `functools.cache` never lets go."""
    known: dict[ref[Any], _Found] = {}  # a WeakKeyDictionary takes three times as long

    @functools.wraps(find)
    def look_up(thing: Any) -> _Found:
        found = known.get(ref(thing))
        if found is None:
            found = known[ref(thing, known.pop)] = find(thing)
        return found

    return look_up


def zeros(size: int, dtype: np.dtype) -> np.ndarray:
    """Returns an array (size,) of zeros that begins at a cache line.

    Arrays of 1 MB and more begin at a huge page: NumPy asks Linux for such pages from 4 MB on, and gets none for the
    ends of what is not aligned. The first training step of two GRUs of 300 units met 5,600 page faults without this
    and 130 with it, three microseconds each, and later steps took a twentieth longer.
    """
    size_bytes = size * dtype.itemsize
    note_allocated(size_bytes)
    if size_bytes < _HUGE_PAGE // 2:
        return _aligned(np.zeros(size_bytes + _LINE, np.uint8), size_bytes, _LINE).view(dtype)
    pages = math.ceil(size_bytes / _HUGE_PAGE) + 1  # the first ends where the array begins
    return _aligned(np.zeros(pages * _HUGE_PAGE, np.uint8), size_bytes, _HUGE_PAGE).view(dtype)


def _aligned(memory: np.ndarray, size_bytes: int, alignment: int) -> np.ndarray:
    start = -memory.ctypes.data % alignment
    return memory[start : start + size_bytes]


def views(flat: np.ndarray, shapes: Sequence[tuple[int, ...]]) -> list[np.ndarray]:
    """Returns views of these shapes that follow each other in a flat array."""
    found, start = [], 0
    for shape in shapes:
        stop = start + math.prod(shape)
        found.append(flat[start:stop].reshape(shape))
        start = stop
    return found


def end_to_end(arrays: Sequence[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Copies arrays of one dtype into a flat one; returns it, and its views in their place."""
    dtype = arrays[0].dtype if arrays else np.dtype(np.float32)
    flat = zeros(sum(array.size for array in arrays), dtype)
    laid = views(flat, [array.shape for array in arrays])
    for view, array in zip(laid, arrays, strict=True):
        view[...] = array
    return flat, laid


_keep_freed()
