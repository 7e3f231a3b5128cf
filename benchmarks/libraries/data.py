"""What every library is given."""

from typing import Any

import numpy as np


def batch(shape: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Returns x (N, T, D) and y (N, 1) for a shape N, T, D, H."""
    n, t, d, _ = shape
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, t, d)).astype(np.float32), rng.normal(size=(n, 1)).astype(np.float32)


def dropout_line(layers: Any, layer: str, units: int, dropout: str) -> list[Any]:
    """Returns recurrent layers with dropout and Dense(1), of `keras.layers` or `recurra.layers`: both have one API."""
    recurrent = getattr(layers, layer)
    if dropout == "between layers":
        return [recurrent(units, return_sequences=True), layers.Dropout(0.2), recurrent(units), layers.Dense(1)]
    return [recurrent(units, recurrent_dropout=0.2), layers.Dense(1)]
