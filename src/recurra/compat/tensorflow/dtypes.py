"""`tf.dtypes`: the dtypes, and `cast`."""

from typing import TYPE_CHECKING

from recurra._missing import says_what_to_do
from recurra.compat.tensorflow.tensors import (
    bool,
    cast,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
)

__all__ = ["bool", "cast", "float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8"]

if not TYPE_CHECKING:  # type checkers would take every name for one that is there
    __getattr__ = says_what_to_do(__name__)
