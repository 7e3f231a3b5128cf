"""`tf.keras.preprocessing`: sequences, text and sliding windows."""

from typing import TYPE_CHECKING

from recurra._missing import says_what_to_do
from recurra.compat.tensorflow.keras.preprocessing import sequence, text
from recurra.compat.tensorflow.keras.utils import timeseries_dataset_from_array

__all__ = ["sequence", "text", "timeseries_dataset_from_array"]

if not TYPE_CHECKING:  # type checkers would take every name for one that is there
    __getattr__ = says_what_to_do(__name__)
