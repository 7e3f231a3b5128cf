"""What a file that is being loaded may still ask for by numbers in its config: bytes of memory, and layers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

from recurra._checks import expected

MOST_LAYERS = 10_000  # of a model in a file
MOST_STATES = 2**30  # bytes that a stateful layer in a file may keep, once it is used


class _Room:
    """What is left.

    Attributes:
        weights_follow: Whether the weights of layers are read afterwards, so that nothing is drawn for them.
    """

    def __init__(self, size_bytes: int, weights_follow: bool):
        self.size_bytes = size_bytes
        self.layers = MOST_LAYERS
        self.weights_follow = weights_follow


_room: ContextVar[_Room | None] = ContextVar("room", default=None)  # None is no limit


@contextlib.contextmanager
def memory_of_at_most(size_bytes: int, weights_follow: bool = False) -> Iterator[None]:
    """Around the making of what a file describes.

    Args:
        size_bytes: The most that weights of layers and variables of metrics may take in all.
        weights_follow: Whether the file holds the weights of layers: new ones are zeros, without any drawing.

    Raises:
        ValueError: Inside the `with` block, when they would be larger than this, before they take any memory; or for
            more than `MOST_LAYERS` layers.
    """
    token = _room.set(_Room(size_bytes, weights_follow))
    try:
        yield
    finally:
        _room.reset(token)


def take(who: str, what: str, name: str, size_bytes: int) -> None:
    """Takes the memory of an array that is about to be made: `name`, which is one of `what`.

    Raises:
        ValueError: If a file asks for more than there is room for.
    """
    room = _room.get()
    if room is None:
        return
    if size_bytes > room.size_bytes:
        raise ValueError(expected(who, f"{what} of at most {room.size_bytes} bytes more", f"{name} of {size_bytes}"))
    room.size_bytes -= size_bytes


def take_layer(who: str) -> None:
    """Takes the place of a layer; ValueError if a file asks for too many."""
    room = _room.get()
    if room is not None:
        room.layers -= 1
        if room.layers < 0:
            raise ValueError(expected(who, f"at most {MOST_LAYERS} layers", "more"))


def check_states(who: str, size_bytes: int) -> None:
    """Raises ValueError if a file asks for a stateful layer that would keep too much."""
    if _room.get() is not None and size_bytes > MOST_STATES:
        raise ValueError(expected(who, f"states of at most {MOST_STATES} bytes", size_bytes))


def weights_follow() -> bool:
    """Returns whether the file that is being loaded holds the weights of the layers that are made."""
    room = _room.get()
    return room is not None and room.weights_follow
