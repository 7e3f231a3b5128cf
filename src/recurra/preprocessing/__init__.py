"""What Keras 3 has of `keras.preprocessing` for sequences; the same functions are in `recurra.utils`."""

from typing import TYPE_CHECKING

from recurra._missing import says_what_to_do
from recurra.preprocessing import sequence
from recurra.utils import timeseries_dataset_from_array

__all__ = ["sequence", "timeseries_dataset_from_array"]

if not TYPE_CHECKING:  # type checkers would take every name for one that is there
    __getattr__ = says_what_to_do(__name__)
