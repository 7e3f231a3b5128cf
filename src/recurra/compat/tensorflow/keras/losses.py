"""`tf.keras.losses`: recurra's, whose functions give tensors here."""

from recurra import losses
from recurra._missing import says_what_to_do
from recurra.compat.tensorflow.tensors import giving_tensors

globals().update(giving_tensors(losses))

__all__ = list(losses.__all__)

__getattr__ = says_what_to_do(__name__)
