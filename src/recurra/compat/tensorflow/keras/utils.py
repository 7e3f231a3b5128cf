"""`tf.keras.utils`: recurra's, whose sliding windows are a `tf.data.Dataset` here."""

from __future__ import annotations

from typing import Any

from recurra import utils
from recurra._missing import says_what_to_do
from recurra.compat.tensorflow.data import of_batches

globals().update({name: getattr(utils, name) for name in utils.__all__})

__all__ = list(utils.__all__)


def timeseries_dataset_from_array(*args: Any, **kwargs: Any) -> Any:
    """Returns a dataset of batches of sliding windows; arguments as of `recurra.utils`' function of this name."""
    return of_batches(utils.timeseries_dataset_from_array(*args, **kwargs))


__getattr__ = says_what_to_do("recurra.compat.tensorflow.keras.utils")
