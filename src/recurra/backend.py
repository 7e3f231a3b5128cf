"""`keras.backend`: what is left of it in Keras 3, as far as it means something here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recurra._missing import says_what_to_do
from recurra._names import clear_session
from recurra.config import backend, epsilon, floatx, image_data_format, set_epsilon, set_floatx
from recurra.layers.symbolic import KerasTensor

__all__ = [
    "backend",
    "clear_session",
    "epsilon",
    "floatx",
    "image_data_format",
    "is_float_dtype",
    "is_int_dtype",
    "is_keras_tensor",
    "set_epsilon",
    "set_floatx",
]


def is_float_dtype(dtype: Any) -> bool:
    """Returns whether it is a dtype of floating point numbers."""
    return np.dtype(dtype).kind == "f"


def is_int_dtype(dtype: Any) -> bool:
    """Returns whether it is a dtype of whole numbers."""
    return np.dtype(dtype).kind in "iu"


def is_keras_tensor(x: Any) -> bool:
    """Returns whether it is a symbolic tensor, as `Input` gives."""
    return isinstance(x, KerasTensor)


if not TYPE_CHECKING:  # type checkers would take every name for one that is there
    __getattr__ = says_what_to_do(__name__)
