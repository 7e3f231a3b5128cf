"""`keras.preprocessing.sequence`: padding."""

from recurra._missing import says_what_to_do
from recurra.utils import pad_sequences

__all__ = ["pad_sequences"]

__getattr__ = says_what_to_do("recurra.preprocessing.sequence")
