"""`tf.keras.metrics`: recurra's, whose functions give tensors here."""

from recurra import metrics
from recurra._missing import says_what_to_do
from recurra.compat.tensorflow.tensors import giving_tensors

globals().update(giving_tensors(metrics))

__all__ = list(metrics.__all__)

__getattr__ = says_what_to_do(__name__)
