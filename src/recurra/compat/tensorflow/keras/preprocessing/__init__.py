"""`tf.keras.preprocessing`: sequences and sliding windows."""

from recurra.compat.tensorflow.keras.preprocessing import sequence
from recurra.utils import timeseries_dataset_from_array

__all__ = ["sequence", "timeseries_dataset_from_array"]
