"""`tf.keras.metrics`: recurra's, whose functions give tensors here."""

from typing import TYPE_CHECKING

from recurra import metrics
from recurra._missing import says_what_to_do
from recurra.compat.tensorflow._conversion import giving_tensors

if TYPE_CHECKING:  # these do not run code
    from recurra.compat.tensorflow.keras._short_names import *
    from recurra.metrics import *
else:
    globals().update(giving_tensors(metrics))
    __all__ = list(metrics.__all__)
    __getattr__ = says_what_to_do(__name__)
