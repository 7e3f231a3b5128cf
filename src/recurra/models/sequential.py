"""Sequential: a line of layers."""

from __future__ import annotations

from typing import Any

from recurra import saving
from recurra._arguments import open_arguments
from recurra._checks import expected, hint_for_class
from recurra._names import auto_name
from recurra.layers._shapes import INPUT_SHAPE, is_shape, map_shapes, standardize_shape
from recurra.layers.base import Layer
from recurra.layers.embedding import Embedding
from recurra.layers.input_layer import InputLayer
from recurra.layers.symbolic import KerasTensor
from recurra.models.functional import GraphModel
from recurra.models.graph_config import built_by_calls


@saving.builtin("keras")
class Sequential(GraphModel):
    """A line of layers, each with one input and, but for the last, one output (https://keras.io/api/models/sequential).

    Args:
        layers: The layers; the first may be an `Input`. Without one the model is built from the first data.
        trainable: Whether training changes the weights.
        name: Name of the model.

    Raises:
        ValueError: If something is no layer, or two layers have the same name.

    >>> model = recurra.Sequential([recurra.Input((4, 1)), recurra.layers.LSTM(8), recurra.layers.Dense(1)])
    >>> model.count_params()
    329
    """

    _fixed_axes = slice(-1, None)  # it takes sequences of any length, as in Keras

    def __init__(self, layers: Any = None, trainable: bool = True, name: str | None = None, **kwargs: Any):
        if isinstance(layers, (Layer, KerasTensor)):
            raise TypeError(expected("Sequential", "a list of layers", repr(layers), "write Sequential([...])"))
        super().__init__(trainable=trainable, name=name, **kwargs)
        self._line: list[Layer] = []
        self._append(*(layers or []))
        self._rebuild()

    def add(self, layer: Any, rebuild: bool = True) -> None:
        """Adds a layer at the end."""
        self._append(layer)
        if rebuild:
            self._rebuild()

    def pop(self, rebuild: bool = True) -> Any:
        """Removes the last layer and returns it; IndexError if there is none."""
        line = list(self._line)
        if not line:
            raise IndexError(expected(f"model {self.name!r}", "a layer to remove", "none"))
        layer = line.pop()
        self._line = line
        self._forget_graph()
        if rebuild:
            self._rebuild()
        return layer

    def _append(self, *layers: Any) -> None:
        line = list(self._line)
        names = {layer.name for layer in line}
        for layer in layers:
            if isinstance(layer, KerasTensor) and layer._keras_history is not None:
                layer = layer._keras_history[0]
            if not isinstance(layer, Layer):
                got = repr(layer) if isinstance(layer, (type, str)) else f"an object of type {type(layer).__name__}"
                raise ValueError(expected("Sequential", "layers", got, hint_for_class(layer)))
            who = f"model {self.name!r}"
            if isinstance(layer, InputLayer) and line:
                raise ValueError(expected(who, "Input as its first entry only", "one after a layer"))
            shape = layer._input_shape_argument
            if not line and shape is not None and not isinstance(layer, InputLayer):
                line.append(InputLayer(batch_shape=shape))
                names.add(line[0].name)
            if layer.name in names:
                hint = "give one of them another name="
                if any(layer is other for other in line):
                    hint = "recurra.Model(x, y) takes a layer in two places, as in y = layer(layer(x))"
                raise ValueError(expected(who, "layers with different names", f"{layer.name!r} twice", hint))
            line.append(layer)
            names.add(layer.name)
        self._line = line
        self._forget_graph()

    def _forget_graph(self) -> None:
        self._ends = self._graph = None
        self.built = False

    def _rebuild(self) -> None:
        if len(self._line) > 1 and isinstance(self._line[0], InputLayer):
            self.build(self._line[0].batch_shape)
        elif len(self._line) > 1 and isinstance(self._line[0], GraphModel) and self._line[0].built:
            self.build(self._line[0]._nested_input_shape)

    @property
    def layers(self) -> list[Any]:
        return [layer for layer in self._line if not isinstance(layer, InputLayer)]

    def compute_output_shape(self, input_shape: Any) -> Any:
        if self._ends is None:
            for layer in self.layers:
                input_shape = layer.compute_output_shape(input_shape)
            return input_shape
        return super().compute_output_shape(input_shape)

    @property
    def input(self) -> Any:
        """The symbolic input of its first call, as of a layer; without one where its own layers begin."""
        return self._inbound_nodes[0].inputs if self._inbound_nodes else self._own_input

    @property
    def output(self) -> Any:
        """The symbolic output of its first call; without one that of its last layer."""
        return self._inbound_nodes[0].outputs if self._inbound_nodes else self._own_output

    def build(self, input_shape: Any = None) -> None:
        if not self.layers:
            raise ValueError(expected(f"model {self.name!r}", "at least one layer", "none"))
        if not isinstance(self._line[0], InputLayer):
            if input_shape is None:
                raise ValueError(expected("build", INPUT_SHAPE, None))
            if not is_shape(input_shape):
                self._set_graph(*self._from(map_shapes(_input_of, input_shape)))
                return
            self._line = [InputLayer(batch_shape=input_shape), *self._line]
        elif input_shape is not None and self._line[0].batch_shape != tuple(input_shape):
            raise ValueError(
                expected(f"model {self.name!r}", f"its input shape {self._line[0].batch_shape}", f"{input_shape}")
            )
        self._set_graph(*self._from(self._line[0].output))
        first: Any = self
        while isinstance(first, Sequential):
            first = first.layers[0]
        if isinstance(first, Embedding):
            self._fixed_axes = slice(0)  # the last axis is time there
        auto_name("Functional")  # Keras makes one inside, which takes a name: those of later models follow it

    def _from(self, start: Any) -> tuple[Any, Any]:
        """Returns symbolic inputs, and what the layers make of them."""
        tensor = start
        for layer in self.layers:
            if isinstance(tensor, tuple):
                what, got = f"one output before {layer.name!r}", f"{len(tensor)}"
                raise ValueError(expected(f"model {self.name!r}", what, got, "use Model"))
            tensor = _output_of(layer, tensor)
        return start, list(tensor) if isinstance(tensor, tuple) else tensor

    def get_build_config(self) -> dict[str, Any] | None:
        return {"input_shape": self._nested_input_shape} if self._ends else None

    def get_config(self) -> dict[str, Any]:
        config = Layer.get_config(self) | {"layers": [saving.serialize_keras_object(layer) for layer in self._line]}
        if self._ends and is_shape(self.input_shape):
            config["build_input_shape"] = list(self.input_shape)
        return config

    def _config_names(self) -> list[str]:
        return []

    @classmethod
    @open_arguments
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
        shape, entries = config.get("build_input_shape"), config["layers"]
        if all(isinstance(entry, dict) for entry in entries) and (
            shape is not None or any(entry["class_name"] == "InputLayer" for entry in entries[:1])
        ):
            entries = [built_by_calls(entry) for entry in entries]
        layers = [saving.deserialize_keras_object(entry, custom_objects) for entry in entries]
        model = cls(layers, trainable=config.get("trainable", True), name=config.get("name"))
        if not model.built and shape is not None and model.layers:
            model.build(standardize_shape(shape))
        return model


def _output_of(layer: Layer, tensor: Any) -> Any:
    """Returns what a layer gave for this very tensor, so that `add` calls the new layer alone; else calls it."""
    may_have_grown = any(isinstance(part, Sequential) for part in layer._flatten_layers())
    for node in layer._inbound_nodes:
        is_its_own = node.inputs is tensor and not node.kwargs and isinstance(node.outputs, KerasTensor)
        if is_its_own and (not may_have_grown or node.outputs.shape == layer.compute_output_shape(tensor.shape)):
            return node.outputs
    return layer(tensor)


def _input_of(shape: Any) -> KerasTensor:
    return InputLayer(batch_shape=shape).output
