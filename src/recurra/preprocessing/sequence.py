"""`keras.preprocessing.sequence`: padding."""

from typing import TYPE_CHECKING

from recurra._missing import says_what_to_do
from recurra.utils import pad_sequences

__all__ = ["pad_sequences"]

if not TYPE_CHECKING:  # type checkers would take every name for one that is there
    __getattr__ = says_what_to_do(__name__)
