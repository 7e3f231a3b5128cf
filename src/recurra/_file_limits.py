"""What a file that is being loaded may still ask for by numbers in its config: bytes of memory, layers, and sizes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

from recurra._checks import expected

MOST_LAYERS = 10_000  # of a model in a file
MOST_STATES = 2**30  # bytes that a stateful layer in a file may keep, once it is used
# Of options by which an object takes memory on its own.
LARGEST_SIZES = {"num_thresholds": 10_000, "num_classes": 4_096, "num_labels": 1_000}


class _Limits:
    """What is left.

    Attributes:
        weights_follow: Whether the weights of layers are read afterwards, so that nothing is drawn for them.
    """

    def __init__(self, size_bytes: int, weights_follow: bool):
        self.size_bytes = size_bytes
        self.layers = MOST_LAYERS
        self.weights_follow = weights_follow


_limits: ContextVar[_Limits | None] = ContextVar("limits", default=None)  # None is no limit


@contextlib.contextmanager
def limited_to(size_bytes: int, weights_follow: bool = False) -> Iterator[None]:
    """Around the making of what a file describes.

    Args:
        size_bytes: The most that weights of layers and variables of metrics may take in all.
        weights_follow: Whether the file holds the weights of layers: new ones are zeros, without any drawing.

    Raises:
        ValueError: Inside the `with` block, when they would be larger than this, before they take any memory; or for
            more than `MOST_LAYERS` layers.
    """
    token = _limits.set(_Limits(size_bytes, weights_follow))
    try:
        yield
    finally:
        _limits.reset(token)


def take_memory(who: str, what: str, name: str, size_bytes: int) -> None:
    """Takes the memory of an array that is about to be made: `name`, which is one of `what`.

    Raises:
        ValueError: If a file asks for more than there is room for.
    """
    limits = _limits.get()
    if limits is None:
        return
    if size_bytes > limits.size_bytes:
        raise ValueError(expected(who, f"{what} of at most {limits.size_bytes} bytes more", f"{name} of {size_bytes}"))
    limits.size_bytes -= size_bytes


def take_layer(who: str) -> None:
    """Takes the place of a layer; ValueError if a file asks for too many."""
    limits = _limits.get()
    if limits is not None:
        limits.layers -= 1
        if limits.layers < 0:
            raise ValueError(expected(who, f"at most {MOST_LAYERS} layers", "more"))


def check_states(who: str, size_bytes: int) -> None:
    """Raises ValueError if a file asks for a stateful layer that would keep too much."""
    if _limits.get() is not None and size_bytes > MOST_STATES:
        raise ValueError(expected(who, f"states of at most {MOST_STATES} bytes", size_bytes))


def check_sizes(class_name: str, options: dict[str, Any]) -> None:
    """Raises ValueError if the options of an object in a file ask for too much."""
    for name, largest in LARGEST_SIZES.items():
        if options.get(name) is not None and not options[name] <= largest:
            raise ValueError(expected(class_name, f"{name} of at most {largest} in a file", options[name]))


def weights_follow() -> bool:
    """Returns whether the file that is being loaded holds the weights of the layers that are made."""
    limits = _limits.get()
    return limits is not None and limits.weights_follow
