"""Random numbers: one process-wide stream that hands out seeds, and a generator per consumer.

Everything random in recurra (initial weights, dropout, shuffling) draws a seed from the stream that `set_random_seed`
starts, at a time that depends on the program alone. So the same seed gives the same bits, whatever the threads do.
The numbers are NumPy's PCG64 (O'Neill, 2014).
"""

from __future__ import annotations

import numbers
import random as _python_random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra import saving
from recurra._checks import expected, seed_number
from recurra._missing import says_what_to_do
from recurra.variables import Variable

__all__ = [
    "SeedGenerator",
    "draw_seed",
    "generator_of",
    "get_stream_state",
    "seeded",
    "set_random_seed",
    "set_stream_state",
]


class _Stream(np.random.Generator):
    """A generator that counts how often `generator_of` was asked for each seed."""

    def __init__(self, seed: int | None = None):
        super().__init__(np.random.PCG64(seed))
        self.uses: Counter[int] = Counter()


_stream = _Stream()
_within: ContextVar[_Stream | None] = ContextVar("within", default=None)  # of `seeded`, in its thread alone


def set_random_seed(seed: int) -> None:
    """Seeds Python's, NumPy's and recurra's random numbers.

    Args:
        seed: A whole number from 0 to 2**32 - 1.

    Raises:
        ValueError: For anything else.
    """
    global _stream
    if isinstance(seed, bool) or not isinstance(seed, numbers.Integral) or not 0 <= seed < 2**32:
        raise ValueError(expected("set_random_seed", "seed to be a whole number from 0 to 2**32 - 1", repr(seed)))
    seed = int(seed)
    _python_random.seed(seed)
    np.random.seed(seed)
    if _within.get() is None:
        _stream = _Stream(seed)
    else:
        _within.set(_Stream(seed))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Within it recurra draws what it draws after `set_random_seed(seed)`; afterwards the stream goes on from before.

    Python's and NumPy's random numbers are left alone, and so are other threads.
    """
    token = _within.set(_Stream(seed))
    try:
        yield
    finally:
        _within.reset(token)


def _current() -> _Stream:
    """Returns the process-wide stream, or that of `seeded`."""
    return _within.get() or _stream


def draw_seed() -> int:
    """Returns the next seed of the stream."""
    return int(_current().integers(2**31 - 1))


def generator_of(seed: int | None) -> np.random.Generator:
    """Returns the next generator of a seed: another at each call since `set_random_seed`; None draws a seed."""
    if seed is None:
        return np.random.default_rng(draw_seed())
    uses = _current().uses
    uses[seed] += 1
    return np.random.default_rng([seed, uses[seed] - 1])


def get_stream_state() -> dict[str, Any]:
    """Returns the state of the stream and how often each seed was used, ready for JSON."""
    stream = _current()
    return {**stream.bit_generator.state, "uses": [[int(seed), count] for seed, count in stream.uses.items()]}


def set_stream_state(state: dict[str, Any]) -> None:
    """Goes to the state that `get_stream_state` gave."""
    stream = _current()
    stream.bit_generator.state = state
    stream.uses = Counter(dict(state["uses"]))


@saving.builtin("keras.random")
class SeedGenerator:
    """A stream of random generators: each call of `generator` gives the next one.

    `state` is a variable of two numbers, as in Keras: the seed, and how many generators were handed out. It is all that
    the next numbers depend on, so training that resumes with the state of before draws the same ones.

    Args:
        seed: A whole number; None draws one from the process-wide stream.
        name: Ignored, there for Keras's configs.

    Raises:
        ValueError: If the seed is anything else.
    """

    def __init__(self, seed: int | None = None, name: str | None = None):
        self.seed = draw_seed() if seed is None else seed_number("SeedGenerator", seed)
        self.name = name
        self.state = Variable(np.array([self.seed % 2**32, 0], np.uint32), name="seed_generator_state", trainable=False)

    def generator(self) -> np.random.Generator:
        """Returns a fresh generator, another one at each call."""
        self.state.value[1] += 1
        return np.random.default_rng(self.state.numpy())

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SeedGenerator:
        return cls(**config)


if not TYPE_CHECKING:  # type checkers would take every name for one that is there
    __getattr__ = says_what_to_do(__name__)
