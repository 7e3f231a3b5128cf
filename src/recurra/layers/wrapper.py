"""The base of layers around another layer."""

from __future__ import annotations

from typing import Any

from recurra import saving
from recurra._checks import expected, hint_for_class
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
            raise ValueError(expected(type(self).__name__, "a layer", repr(layer), hint_for_class(layer)))
        super().__init__(**kwargs)
        self.layer: Any = layer

    def build(self, input_shape: Any) -> None:
        if not self.layer.built:
            self.layer.build(input_shape)
