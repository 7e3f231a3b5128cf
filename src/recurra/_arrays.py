"""Arrays of numbers from what callers have: lists, frames, tensors of other libraries."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra._checks import expected

HINTS = {
    "O": "give all columns one dtype first, as with .astype('float32')",
    "S": "turn text into numbers first",
    "U": "turn text into numbers first",
    "M": "turn times into numbers first",
}


def as_numbers(value: Any, who: str) -> np.ndarray:
    """Returns `value` as an array.

    Raises:
        ValueError: If it does not hold numbers, or lists of several lengths.
    """
    try:
        array = value if isinstance(value, np.ndarray) else np.asarray(from_torch_tensor(value))
    except ValueError as error:
        hint = "pad sequences with utils.pad_sequences; batches come from a generator"
        raise ValueError(expected(who, "an array, or lists of one length", "lists of several", hint)) from error
    if array.dtype.kind not in "fiub":
        got = f"an array of dtype {array.dtype}"
        raise ValueError(expected(who, "numbers", got, HINTS.get(array.dtype.kind)))
    return array


def from_torch_tensor(value: Any) -> Any:
    """Returns a tensor of torch as one that NumPy takes: off its device, without gradient; other values as they are."""
    if not hasattr(value, "detach"):
        return value
    value = value.detach().cpu()
    return value.float() if str(value.dtype) == "torch.bfloat16" else value  # NumPy has no such numbers
