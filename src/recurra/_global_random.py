"""The states of Python's and NumPy's own random numbers."""

from __future__ import annotations

import random
from typing import Any

import numpy as np


def get_states() -> dict[str, Any]:
    """Returns both states: tuples, dicts and an array."""
    return {"python": random.getstate(), "numpy": np.random.get_state(legacy=False)}


def set_states(states: dict[str, Any]) -> None:
    """Goes to the states that `get_states` gave, or that JSON made of them."""
    _set(states, random, np.random)


def check_states(states: dict[str, Any]) -> None:
    """Raises what `set_states` would, and changes nothing."""
    _set(states, random.Random(), np.random.RandomState())


def _set(states: dict[str, Any], python: Any, numpy: Any) -> None:
    version, numbers, gauss = states["python"]
    python.setstate((version, tuple(numbers), gauss))
    numpy.set_state(states["numpy"])
