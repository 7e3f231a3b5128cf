"""`tf.keras.utils`: recurra's, whose sliding windows are a `tf.data.Dataset` here."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from recurra import utils
from recurra._missing import says_what_to_do
from recurra.compat.tensorflow.data import of_batches

if TYPE_CHECKING:  # these do not run code
    from recurra.utils import *
else:
    globals().update({name: getattr(utils, name) for name in utils.__all__})
    __all__ = list(utils.__all__)
    __getattr__ = says_what_to_do(__name__)


def timeseries_dataset_from_array(*args: Any, **kwargs: Any) -> Any:  # type: ignore[no-redef]
    """Returns a dataset of batches of sliding windows; arguments as of `recurra.utils`' function of this name."""
    windows = copy.deepcopy(utils.timeseries_dataset_from_array(*args, **kwargs))  # the data too, as in TensorFlow
    in_order = copy.copy(windows)
    in_order._generator = None
    return of_batches(windows, in_order, batched=windows._batch_size is not None)
