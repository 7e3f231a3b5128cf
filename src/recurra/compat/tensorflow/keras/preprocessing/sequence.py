"""`tf.keras.preprocessing.sequence`: padding."""

from recurra.utils import pad_sequences

__all__ = ["pad_sequences"]
