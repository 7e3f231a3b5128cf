"""Settings that hold for the whole process: the default float type and the small constant that keeps divisions safe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recurra import _changes
from recurra._checks import not_negative, one_of
from recurra._missing import says_what_to_do

__all__ = ["backend", "epsilon", "floatx", "image_data_format", "set_epsilon", "set_floatx"]

FLOAT_DTYPES = ("float32", "float64")  # of weights and activations
_floatx = "float32"
_epsilon = 1e-7


def floatx() -> str:
    """Returns the default dtype of weights and activations, "float32" unless changed."""
    return _floatx


def set_floatx(value: str) -> None:
    """Sets the default dtype: "float32" or "float64"."""
    global _floatx
    _floatx = one_of("set_floatx", "value", value, FLOAT_DTYPES)


def epsilon() -> float:
    """Returns the small constant of losses, metrics and layers, 1e-7 unless changed."""
    return _epsilon


def set_epsilon(value: float) -> None:
    """Sets the small constant of losses, metrics and layers."""
    global _epsilon
    _epsilon = float(not_negative("set_epsilon", "value", value))
    _changes.stamp()  # native steps hold it


def backend() -> str:
    """Returns "recurra"."""
    return "recurra"


def image_data_format() -> str:
    """Returns "channels_last"."""
    return "channels_last"


if not TYPE_CHECKING:  # type checkers would take every name for one that is there
    __getattr__ = says_what_to_do(__name__)
