"""Functional models: graphs of layers with any number of inputs and outputs."""

from __future__ import annotations

import inspect
import math
from collections import Counter
from typing import Any

import numpy as np

from recurra import _tree, saving
from recurra._arrays import Array, as_numbers, plain_numbers_as_array
from recurra._checks import expected
from recurra.layers._shapes import is_shape, size_of
from recurra.layers.base import Layer
from recurra.layers.symbolic import KerasTensor, Node, node_of
from recurra.models.graph import Graph, GraphCache, flat_shapes
from recurra.models.model import Model
from recurra.models.stream import Stream
from recurra.training.outputs import Outputs
from recurra.training.plan import ModelPlan, plan_of
from recurra.variables import Variable


class _NotBuiltError(ValueError, AttributeError):
    """What a model has only once it is built: `hasattr` says no, a call that needs it gets a clear error."""


class GraphModel(Model):
    """A model that runs a `Graph`: what Functional and a built Sequential share."""

    _ends: tuple[list[KerasTensor], list[KerasTensor]] | None = None  # of the graph, once the model is built
    _graph: Graph | None = None  # between them, once it is asked for: a line that grows needs none at each layer
    _input_structure: Any = None
    _output_structure: Any = None
    _result_structure: Any = None  # that of the outputs; of a list of one, the one, as in Keras
    _fixed_axes = slice(None)  # of the inputs without the batch: those whose sizes data must have

    def _set_graph(self, inputs: Any, outputs: Any) -> None:
        tensors, results = _tree.flatten(inputs), _tree.flatten(outputs)
        for ends, name in ((tensors, "inputs"), (results, "outputs")):
            if not ends:
                raise ValueError(expected("Model", f"{name}, one at least", "none"))
        for tensor in [*tensors, *results]:
            if not isinstance(tensor, KerasTensor):
                got = f"an array of shape {tensor.shape}" if isinstance(tensor, np.ndarray) else repr(tensor)
                raise ValueError(expected("Model", "symbolic tensors from Input and layers", got))
        self._ends, self._graph = (tensors, results), None
        self._input_structure, self._output_structure = inputs, outputs
        self._result_structure = _only(outputs)
        self._outputs = Outputs(self._result_structure, [node_of(tensor).layer.name for tensor in self._ends[1]])

    def _own_graph(self, inputs: Any, outputs: Any) -> None:
        """Sets the graph and makes its layers the model's own; ValueError if two have one name: files go by names."""
        self._set_graph(inputs, outputs)
        counts = Counter(layer.name for layer in self.graph.layers)
        twice = [name for name, count in counts.items() if count > 1]
        if twice:
            raise ValueError(expected(f"model {self.name!r}", "layers with different names", f"{twice[0]!r} twice"))
        self._graph_layers = self.graph.layers  # as an attribute they are known as the model's own

    def _graph_config(self) -> dict[str, Any]:
        """Returns the config of a functional model with this graph."""
        from recurra.models.graph_config import write_graph

        graph = write_graph(self.graph, self._input_structure, self._output_structure)
        return {"name": self.name, "trainable": self.trainable, **graph}

    @property
    def graph(self) -> Graph:
        """The built graph.

        Raises:
            ValueError: If the model has not been built yet.
        """
        if self._graph is None:
            self._graph = Graph(*self._built_ends())
        return self._graph

    def _built_ends(self) -> tuple[list[KerasTensor], list[KerasTensor]]:
        if self._ends is None:
            hint = "add an Input or call it on data"
            raise _NotBuiltError(expected(f"model {self.name!r}", "to be built", "no input shape yet", hint))
        return self._ends

    @property
    def inputs(self) -> list[KerasTensor]:
        """The symbolic inputs in order."""
        return self.graph.inputs

    @property
    def outputs(self) -> list[KerasTensor]:
        """The symbolic outputs in order."""
        return self.graph.outputs

    @property
    def input(self) -> Any:
        return self._own_input

    @property
    def output(self) -> Any:
        return self._own_output

    @property
    def _own_input(self) -> Any:
        self._built_ends()
        return self._input_structure

    @property
    def _own_output(self) -> Any:
        self._built_ends()
        return self._output_structure

    @property
    def input_shape(self) -> Any:
        """The shape of the input, or a list of the shapes of all."""
        return _only([tensor.shape for tensor in self.inputs])

    @property
    def _nested_input_shape(self) -> Any:
        """The shape of the input, or shapes nested as the inputs are."""
        return _only(_tree.map_structure(lambda tensor: tensor.shape, self._own_input))

    @property
    def output_shape(self) -> Any:
        """The shape of the output, or a list of the shapes of all."""
        return _only([tensor.shape for tensor in self.outputs])

    @property
    def input_names(self) -> list[str]:
        return [node_of(tensor).layer.name for tensor in self.inputs]

    @property
    def output_names(self) -> list[str]:
        return [node_of(tensor).layer.name for tensor in self.outputs]

    def standardize_inputs(self, inputs: Any, largest: float = math.inf) -> list[np.ndarray]:
        """Returns one array for each input, in order, cast to the input's dtype.

        An axis of size 1 at the end is added or removed where that gives the input's rank, as in Keras.

        Args:
            inputs: An array, a list of arrays, a dict by input name, or what is nested as the model's inputs are.
            largest: Whole numbers of this many bytes or more stay in their dtype.

        Raises:
            ValueError: If an array is missing or has another shape. As in Keras the number of rows is free, and in a
                Sequential all but the number of features.
        """
        tensors = self.inputs
        if isinstance(inputs, np.ndarray) and len(tensors) == 1:
            return [self._fit_input(inputs, tensors[0], largest)]
        leaves = self._leaves(inputs)
        return [self._fit_input(leaf, tensor, largest) for leaf, tensor in zip(leaves, tensors, strict=True)]

    def _leaves(self, inputs: Any) -> list[Any]:
        """Returns what is given for each of the model's inputs, or for their masks, in order."""
        count = len(self.inputs)
        inputs = plain_numbers_as_array(inputs)
        if isinstance(inputs, dict):
            names = sorted(self._input_structure) if isinstance(self._input_structure, dict) else self.input_names
            if any(name not in inputs for name in names):
                raise ValueError(expected(f"model {self.name!r}", f"inputs {names}", f"{list(inputs)}"))
            leaves = _tree.flatten([plain_numbers_as_array(inputs[name]) for name in names])
        elif count == 1 and not _is_list_of_one(inputs):
            leaves = [inputs]
        else:
            leaves = _tree.flatten(inputs)
        if len(leaves) != count:
            hint = "give the inputs in a list" if count > 1 else None
            raise ValueError(expected(f"model {self.name!r}", f"{count} inputs {self.input_names}", len(leaves), hint))
        return leaves

    def _fit_input(self, value: Any, tensor: KerasTensor, largest: float) -> np.ndarray:
        array = value
        if type(value) not in (np.ndarray, Array) or value.dtype.kind not in "fiub":  # the name costs time
            array = as_numbers(value, f"input {node_of(tensor).layer.name!r}")
        rank = len(tensor.shape)
        if array.ndim == rank - 1 and tensor.shape[-1] == 1:
            array = array[..., None]
        elif array.ndim == rank + 1 and array.shape[-1] == 1:
            array = array[..., 0]
        if array.shape[1:] != tensor.shape[1:]:
            self._check_shape(array.shape, tensor, self._fixed_axes)
        if array.nbytes >= largest and array.dtype.kind != "f" and array.dtype != tensor.dtype:
            return array
        return np.ascontiguousarray(array, tensor.dtype)

    def _check_shape(self, shape: Any, tensor: KerasTensor, axes: slice) -> None:
        """Raises ValueError for a shape that differs from an input's in its rank or in one of these axes."""
        known = tensor.shape[1:]
        if len(shape) != len(tensor.shape) or not _agree(shape[1:][axes], known[axes]):
            who = f"input {node_of(tensor).layer.name!r} of model {self.name!r}"
            hint = None
            if size_of(known) == size_of(shape[1:]) is not None:
                hint = f"x.reshape{(-1, *known)} has it"
            elif len(shape) == len(known) and _agree(shape[axes], known[axes]):
                hint = "one row needs a batch axis: x[None]"
            raise ValueError(expected(who, f"shape {tensor.shape}", tuple(shape), hint))

    def _call_symbolic(self, inputs: Any, kwargs: dict[str, Any]) -> Any:
        self._build_for(_tree.map_structure(lambda tensor: tuple(tensor.shape), inputs))
        for given, tensor in zip(self._leaves(inputs), self.inputs, strict=True):
            self._check_shape(given.shape, tensor, slice(None))
        return super()._call_symbolic(inputs, kwargs)

    def stream(self, n: int | None = None) -> Stream:
        """Returns a `Stream`: the model fed one time step after the other.

        Args:
            n: Number of sequences that are stepped together; None for one, without a batch axis.

        >>> model = recurra.Sequential([recurra.Input((None, 1)), recurra.layers.LSTM(8), recurra.layers.Dense(1)])
        >>> stream = model.stream()
        >>> outputs = [stream.step(value) for value in (0.1, 0.2, 0.3)]
        >>> sequence = np.array([[[0.1], [0.2], [0.3]]], np.float32)
        >>> bool(outputs[-1] == model.predict(sequence, verbose=0)[0])
        True
        """
        return Stream(self, n)

    def _cast_inputs(self, inputs: Any) -> Any:
        self.build_for(inputs)
        return self.standardize_inputs(inputs)

    def _run_layer(
        self, inputs: Any, mask: Any = None, training: bool | None = False, kwargs: Any = None, keep_cache: bool = True
    ) -> tuple[Any, Any, Any]:
        if type(self).forward is not GraphModel.forward:  # of a class of the user's, with `call` or `forward`
            return super()._run_layer(inputs, mask, training, kwargs, keep_cache)
        return self._run_graph(inputs, mask, training, keep_cache)

    def _run_graph(self, inputs: Any, mask: Any, training: bool | None, keep_cache: bool) -> tuple[Any, Any, Any]:
        """Runs the graph on arrays as `standardize_inputs` gives them; see `Layer._run_layer`."""
        leaves = inputs if isinstance(inputs, list) else _tree.flatten(inputs)
        if not keep_cache and not training and mask is None:
            inferred = self._infer(leaves)
            if inferred is not None:
                outputs, plan = inferred
                found = plan.mask_of(leaves[0])
                return outputs, None, None if found is None else _tree.pack_as(self._result_structure, [found])
        masks = [None] * len(leaves) if mask is None else self._leaves(mask)
        outputs, cache = self.graph.forward(leaves, masks, training, keep_cache)
        return _tree.pack_as(self._result_structure, outputs), cache, _tree.pack_as(self._result_structure, cache.masks)

    def _infer(self, leaves: list[Any], batch_size: float = math.inf) -> tuple[Any, ModelPlan] | None:
        plan = plan_of(self, training=False)
        shape = plan.output_shape(leaves[0]) if plan is not None else None
        if plan is None or shape is None or (plan.rows is not None and plan.rows > batch_size):
            return None
        x = plan.native.read(leaves[0])
        if x is None:
            return None
        y = plan.native.infer(x, shape)
        outputs = y if isinstance(self._result_structure, KerasTensor) else _tree.pack_as(self._result_structure, [y])
        return outputs, plan

    def forward(
        self, inputs: Any, training: bool = False, mask: Any = None, keep_cache: bool = True
    ) -> tuple[Any, GraphCache]:
        outputs, cache, _ = self._run_graph(inputs, mask, training, keep_cache)
        return outputs, cache

    def backward(self, doutputs: Any, cache: Any, need_dx: bool = True) -> Any:
        grads = self.graph.backward(_tree.flatten(doutputs), cache, need_dx)
        return _tree.pack_as(self._input_structure, grads)

    def _weights_behind(self, outputs: list[bool]) -> list[Variable]:
        if type(self).forward is not GraphModel.forward:  # of a class of the user's: it may run other layers
            return super()._weights_behind(outputs)
        return self.graph.weights_behind(outputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        known = self.graph.shapes(flat_shapes(input_shape))
        return _tree.map_structure(lambda tensor: known[id(tensor)], self._result_structure)


def _only(structure: Any) -> Any:
    """Returns what a list, a tuple or a dict of one holds; other structures, and shapes, as they are."""
    if is_shape(structure):
        return structure
    if isinstance(structure, dict) and len(structure) == 1:
        one = next(iter(structure.values()))
        return one if is_shape(one) else structure
    return structure[0] if isinstance(structure, (list, tuple)) and len(structure) == 1 else structure


def _agree(given: Any, known: Any) -> bool:
    """Returns whether these sizes of axes are the same, as far as they are known."""
    return all(size is None or own is None or size == own for size, own in zip(given, known, strict=False))


def _is_list_of_one(inputs: Any) -> bool:
    return isinstance(inputs, (list, tuple)) and len(inputs) == 1 and not isinstance(inputs[0], (list, tuple))


@saving.builtin("keras.src.models.functional")
class Functional(GraphModel):
    """What `Model(inputs, outputs)` makes; see `Model`."""

    checks_inputs = True
    _first_call = 1  # its number in the ends of a graph, as Keras counts

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None, **kwargs: Any):
        super().__init__(name=name, **kwargs)
        self._own_graph(inputs, outputs)
        self.built = True

    @property
    def layers(self) -> list[Any]:
        return list(self.graph.layers)

    def _masked_arguments(self, node: Node) -> list[Any]:
        takes_masks = "mask" in self._forward_parameters and not node.tensor_kwargs
        return _tree.flatten(node.inputs) if takes_masks else []  # of several tensors too: Keras converts them later

    def _order_layers(self, names: list[str]) -> None:
        """Puts the layers into the order of a config, in which its file has the weights.

        Operations between layers that Keras's config may have count there, and `Graph` does not know them.
        """
        places = {name: place for place, name in enumerate(names)}
        self.graph.layers.sort(key=lambda layer: places[layer.name])
        # By this order too: it is that of `weights`, and so of the files that number them.
        self._known_sublayers.sort(key=lambda layer: places.get(layer.name, len(places)))

    def get_build_config(self) -> dict[str, Any] | None:
        return {"input_shape": None}

    def _config_names(self) -> list[str]:
        return [name for name in super()._config_names() if name not in ("inputs", "outputs")]

    def get_config(self) -> dict[str, Any]:
        """Returns the graph of layers; the constructor's arguments where a class has a constructor of its own."""
        return self._graph_config() if takes_graph(type(self)) else Layer.get_config(self)


def takes_graph(cls: type) -> bool:
    """Returns whether the constructor of a class takes the inputs and outputs of a graph."""
    parameters = list(inspect.signature(cls.__init__).parameters.values())  # type: ignore[misc]
    kinds = {parameter.kind for parameter in parameters}
    if {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD} <= kinds:
        return True
    return [parameter.name for parameter in parameters[1:4]] == ["inputs", "outputs", "name"]


def functional_from_config(cls: type, config: dict[str, Any]) -> Any:
    """Returns the model of a functional model's config, an instance of a class that `takes_graph`."""
    from recurra.models.graph_config import read_graph

    inputs, outputs, names = read_graph(config)
    model = cls(inputs, outputs, name=config.get("name"), trainable=config.get("trainable", True))
    model._order_layers(names)
    return model
