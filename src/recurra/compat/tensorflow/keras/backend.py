"""`tf.keras.backend`: what is left of it."""

from recurra.config import epsilon, floatx, set_epsilon, set_floatx
from recurra.layers.base import clear_session

__all__ = ["clear_session", "epsilon", "floatx", "set_epsilon", "set_floatx"]
