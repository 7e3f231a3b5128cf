"""The layer that is refused: a name that programs written for Keras ask for."""

from __future__ import annotations

from typing import Any

from recurra._checks import expected
from recurra.layers.base import Layer


class Lambda(Layer):
    """Is refused: a function is code, which no file can carry, and it has no gradient.

    Raises:
        NotImplementedError: Always, with the way out.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        hint = (
            "Rescaling(100.0) multiplies, Reshape or Input((None, 1)) gives an axis, x[:, -1] of a functional model "
            "picks; else write it as a Layer with forward(inputs) and, to be trained, backward(doutputs, cache)"
        )
        raise NotImplementedError(expected("recurra", "a layer that a file can name", "Lambda", hint))
