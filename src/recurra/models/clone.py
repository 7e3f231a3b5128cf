"""A model of the same layers with new weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from recurra import _tree, saving
from recurra._checks import expected
from recurra._owners import is_own
from recurra.layers.base import Layer
from recurra.layers.input_layer import Input
from recurra.layers.symbolic import KerasTensor
from recurra.models.functional import Functional, GraphModel, takes_graph
from recurra.models.model import Model
from recurra.models.sequential import Sequential

_Model = TypeVar("_Model", bound=Model)


def clone_model(
    model: _Model,
    input_tensors: Any = None,
    clone_function: Any = None,
    call_function: Any = None,
    recursive: bool = False,
) -> _Model:
    """Returns a model of the same layers with new weights (https://keras.io/api/models/model/#clone_model).

    Args:
        model: A Sequential or Functional model.
        input_tensors: Symbolic tensors, from `Input`, that the clone begins with in place of new ones.
        clone_function: Takes each layer, but for inputs, and returns the one that stands for it in the clone.
        call_function: Called as call_function(layer, *args, **kwargs) in place of the layer, for Functional models.
        recursive: Clone the layers of models within the model one by one too.

    Raises:
        ValueError: For a model of another kind, or tensors that are not symbolic.
    """
    if not isinstance(model, Model):
        raise ValueError(expected("clone_model", "a model", repr(model)))
    if not isinstance(model, GraphModel) and (input_tensors is not None or clone_function or recursive):
        raise ValueError(expected("clone_model", "a Sequential or Functional model", repr(model)))
    if call_function is not None and not isinstance(model, Functional):
        raise ValueError(expected("clone_model", "a Functional model with call_function", repr(model)))
    make = clone_function or (lambda layer: type(layer).from_config(layer.get_config()))

    def clone(layer: Layer) -> Layer:
        if recursive and isinstance(layer, GraphModel):
            return clone_model(
                layer, None, clone_function, call_function if isinstance(layer, Functional) else None, True
            )
        return make(layer)

    plain = input_tensors is None and clone_function is None and call_function is None and not recursive
    if plain and _comes_from_config(model):
        copy: Any = type(model).from_config(model.get_config())
    elif isinstance(model, Sequential):
        starts = [] if input_tensors is None else [_tree.flatten(input_tensors)[0]]
        if not starts and model.built:
            starts = [Input(batch_shape=model.inputs[0].shape, dtype=model.inputs[0].dtype)]
        copy = Sequential([*starts, *map(clone, model.layers)], name=model.name, trainable=model.trainable)
    else:
        copy = _clone_graph(model, input_tensors, clone, call_function)  # type: ignore[arg-type]
    compile_config = model.get_compile_config()
    if compile_config is not None and clone_function is None:
        copy.compile_from_config(compile_config)
    return copy


def _comes_from_config(model: Model) -> bool:
    """Returns whether a model's class makes it of a config: not if its constructor makes the graph."""
    cls = type(model)
    if not isinstance(model, GraphModel) or not (is_own(cls.get_config) and is_own(cls.from_config)):
        return True
    if isinstance(model, Sequential):
        return cls.__init__ is Sequential.__init__ or {"layers", "trainable", "name"} <= set(saving.parameters(cls))
    return takes_graph(cls)


def _clone_graph(model: GraphModel, input_tensors: Any, clone: Callable[[Layer], Layer], call: Any) -> Model:
    starts = _tree.flatten(input_tensors) if input_tensors is not None else [None] * len(model.inputs)
    if len(starts) != len(model.inputs) or any(t is not None and not isinstance(t, KerasTensor) for t in starts):
        raise ValueError(expected("clone_model", f"{len(model.inputs)} symbolic input_tensors", repr(input_tensors)))
    copies: dict[int, Any] = {}

    def copied(value: Any) -> Any:
        return copies[id(value)] if isinstance(value, KerasTensor) else value

    for old, new in zip(model.inputs, starts, strict=True):
        copies[id(old)] = Input(batch_shape=old.shape, dtype=old.dtype, name=old.name) if new is None else new
    layers: dict[int, Layer] = {}
    for node in model.graph.nodes:
        if all(id(tensor) in copies for tensor in _tree.flatten(node.outputs)):
            continue
        layer = layers.get(id(node.layer)) or clone(node.layer)
        layers[id(node.layer)] = layer

        kwargs = {name: _tree.map_structure(copied, value) for name, value in node.kwargs.items()}
        inputs = _tree.map_structure(copied, node.inputs)
        outputs = call(layer, inputs, **kwargs) if call else layer(inputs, **kwargs)
        copies.update(zip(map(id, _tree.flatten(node.outputs)), _tree.flatten(outputs), strict=True))
    inputs, outputs = _tree.map_structure(copied, model._own_input), _tree.map_structure(copied, model._own_output)
    return Functional(inputs, outputs, name=model.name)
