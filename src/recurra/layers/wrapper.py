"""Layers around another layer, or around nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra import regularizers, saving
from recurra._checks import expected
from recurra.layers.base import Layer


@saving.builtin("keras.layers")
class Wrapper(Layer):
    """Base of layers that hold another one as `layer` (https://keras.io/api/layers/base_layer).

    Args:
        layer: The layer inside.

    Raises:
        ValueError: If `layer` is not a layer.
    """

    def __init__(self, layer: Any, **kwargs: Any):
        if not isinstance(layer, Layer):
            raise ValueError(expected(type(self).__name__, "a layer", repr(layer)))
        super().__init__(**kwargs)
        self.layer = layer

    def build(self, input_shape: Any) -> None:
        if not self.layer.built:
            self.layer.build(input_shape)


@saving.builtin("keras.layers")
class Identity(Layer):
    """Returns its input."""

    supports_masking = True
    stateless = True
    keeps_integers = True

    def forward(self, inputs: Any) -> tuple[Any, None]:
        return inputs, None

    def backward(self, doutputs: Any, cache: None) -> Any:
        return doutputs


@saving.builtin("keras.layers")
class ActivityRegularization(Layer):
    """Returns its input, and adds a penalty on it to the loss.

    Args:
        l1, l2: Factors of the sums of |x| and of x * x, by the number of rows.

    Raises:
        ValueError: If a factor is negative or not a number.
    """

    supports_masking = True
    stateless = True

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any):
        super().__init__(activity_regularizer=regularizers.L1L2(l1, l2), **kwargs)
        self.l1, self.l2 = l1, l2

    def forward(self, inputs: np.ndarray) -> tuple[np.ndarray, None]:
        return inputs, None

    def backward(self, doutputs: np.ndarray, cache: None) -> np.ndarray:
        return doutputs

    def _config_names(self) -> list[str]:
        return ["l1", "l2"]


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
