"""Names that objects get by themselves."""

from __future__ import annotations

import re
import threading
from collections import Counter


class _Names(threading.local):
    """How often automatic names are taken, and the layers being built, outermost first: of each thread, as in Keras."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.scope: list[str] = []

    def __reduce__(self) -> str:
        """The one of this module: it comes along where a class of a notebook's is pickled with all its globals."""
        return "naming"


naming = _Names()


def snake_case(class_name: str) -> str:
    """Returns "simple_rnn_cell" for "SimpleRNNCell" and "lambda" for "<lambda>", by Keras's rule."""
    spaced = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", class_name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", spaced).lower()


def auto_name(class_name: str) -> str:
    """Returns the snake case of a class name, with _1, _2, ... from the second use on."""
    snake = snake_case(class_name)
    count = naming.counts[snake]
    naming.counts[snake] += 1
    return snake if count == 0 else f"{snake}_{count}"


def clear_session(free_memory: bool = True) -> None:
    """Starts automatic names anew, in this thread; models free their memory by themselves, whatever `free_memory`."""
    naming.counts.clear()
