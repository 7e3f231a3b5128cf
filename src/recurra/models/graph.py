"""The graph of a model: which layer reads which tensors, run forward in topological order and backward in reverse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from recurra import _changes, _tree
from recurra._checks import expected
from recurra._owners import is_own
from recurra.layers._shapes import is_shape
from recurra.layers.base import Layer, aligned_masks
from recurra.layers.symbolic import KerasTensor, Node, node_of
from recurra.models.mask_trace import MaskOperation, MaskTrace
from recurra.variables import Variable


class _Step(NamedTuple):
    """One node with its tensors as positions in the list of values."""

    node: Node
    layer: Layer
    inputs: Any
    kwargs: dict[str, Any]
    tensor_kwargs: dict[str, Any]
    mask: Any  # positions, if the call was given tensors for it
    argument_masks: dict[str, Any]  # positions of the tensors whose masks are arguments too, as value_mask
    training: bool | None
    outputs: list[int]
    cast: bool
    reads: list[int]
    is_foreign: bool  # whether a layer within it is not recurra's: what `backward` gives is looked at


class GraphCache(NamedTuple):
    """What `Graph.backward` needs, and what training asks for.

    Attributes:
        values: The array of each tensor.
        caches: The cache of each step.
        activity_loss: Sum of the activity penalties.
        masks: The masks of the graph's outputs, in order.
    """

    values: list[Any]
    caches: list[Any]
    activity_loss: float
    masks: list[Any]


class Graph:
    """Nodes from given inputs to given outputs.

    Args:
        inputs: Symbolic inputs, in order.
        outputs: Symbolic outputs, in order.

    Raises:
        ValueError: If an output depends on another input.
    """

    def __init__(self, inputs: list[KerasTensor], outputs: list[KerasTensor]):
        self.inputs = inputs
        self.outputs = outputs
        self.nodes: list[Node]
        self.layers: list[Layer]
        self.nodes, self.layers = _order(inputs, outputs)
        positions: dict[int, int] = {}
        for tensor in inputs:
            positions[id(tensor)] = len(positions)
        sources = set(positions)
        unsure: set[int] = set()  # tensors that may have another dtype than they say
        self._steps: list[_Step] = []
        for node in self.nodes:
            if all(id(tensor) in sources for tensor in _tree.flatten(node.outputs)):
                continue
            for tensor in _tree.flatten(node.outputs):
                positions.setdefault(id(tensor), len(positions))
            self._steps.append(_make_step(node, positions, unsure))
            if _may_differ(node, unsure):
                unsure.update(map(id, _tree.flatten(node.outputs)))
        self._count = len(positions)
        self._input_positions = [positions[id(tensor)] for tensor in inputs]
        self._output_positions = [positions[id(tensor)] for tensor in outputs]
        self._needs_gradient = self._find_needed()
        self._known_shapes: tuple[tuple[int, list[Any]], dict[int, Any]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_known_shapes": None}  # they go by ids, and a copy has tensors of its own

    def _find_needed(self) -> list[bool]:
        """Returns for each tensor whether any weight lies before it."""
        needed = [False] * self._count
        for step in self._steps:
            if step.layer.weights or any(needed[position] for position in step.reads):
                for position in step.outputs:
                    needed[position] = True
        return needed

    def shapes(self, input_shapes: list[Any]) -> dict[int, Any]:
        """Returns the shapes of all tensors, by id, for inputs of these shapes."""
        key = _changes.last, [tuple(shape) for shape in input_shapes]
        if self._known_shapes is not None and self._known_shapes[0] == key:
            return self._known_shapes[1]
        known = {id(t): shape for t, shape in zip(self.inputs, key[1], strict=True)}

        def reshaped(leaf: Any) -> Any:
            return KerasTensor(known[id(leaf)], leaf.dtype) if isinstance(leaf, KerasTensor) else leaf

        for node in self.nodes:
            if all(id(tensor) in known for tensor in _tree.flatten(node.outputs)):
                continue
            given = _tree.map_structure(lambda tensor: known[id(tensor)], node.inputs)
            tensors = {name: _tree.map_structure(reshaped, node.kwargs[name]) for name in node.tensor_kwargs}
            found = flat_shapes(node.layer._call_shape(given, node.kwargs | tensors))
            known.update((id(t), tuple(s)) for t, s in zip(_tree.flatten(node.outputs), found, strict=True))
        self._known_shapes = key, known  # a model within a model within a model is asked at every call of each
        return known

    def forward(
        self, inputs: list[np.ndarray], masks: list[Any], training: bool | None, keep_cache: bool
    ) -> tuple[list[np.ndarray], GraphCache]:
        """Runs all layers.

        Args:
            inputs: Arrays in the order of `self.inputs`.
            masks: Their masks, or None for each.
            training: Whether dropout drops and so on; None leaves that to the calls of the layers.
            keep_cache: Whether `backward` will follow.

        Returns:
            The outputs in order, and the cache.
        """
        values: list[Any] = [None] * self._count
        found_masks: list[Any] = [None] * self._count
        for position, value, mask in zip(self._input_positions, inputs, masks, strict=True):
            values[position], found_masks[position] = value, mask
        caches = []
        activity_loss = 0.0
        for step in self._steps:
            layer = step.layer
            given, mask = _look_up(step.inputs, values), _look_up(step.inputs, found_masks)
            if step.cast:
                given = layer._cast_inputs(given)
            kwargs = step.kwargs
            if step.tensor_kwargs:
                kwargs = kwargs | {name: _look_up(where, values) for name, where in step.tensor_kwargs.items()}
            if step.mask is not None:
                kwargs = kwargs | {"mask": _look_up(step.mask, values)}
            if step.argument_masks:
                kwargs = kwargs | {name: _look_up(where, found_masks) for name, where in step.argument_masks.items()}
            now = step.training if training is None else training  # Keras's order, if the model is told
            outputs, cache, mask = layer._run_call(given, mask, now, kwargs, keep_cache)
            activity_loss += getattr(cache, "activity_loss", 0.0)
            if len(step.outputs) == 1:
                values[step.outputs[0]] = outputs if isinstance(outputs, np.ndarray) else _tree.flatten(outputs)[0]
                found_masks[step.outputs[0]] = mask if isinstance(mask, np.ndarray) else _tree.flatten(mask)[0]
            else:
                leaves = _tree.flatten(outputs)
                for position, leaf, leaf_mask in zip(step.outputs, leaves, aligned_masks(mask, outputs), strict=True):
                    values[position], found_masks[position] = leaf, leaf_mask
            if layer.activity_regularizer is not None:
                activity_loss += sum(layer._activity_loss(values[position]) for position in step.outputs)
            caches.append(cache)
        outputs = [values[position] for position in self._output_positions]
        output_masks = [found_masks[position] for position in self._output_positions]
        return outputs, GraphCache(values, caches, activity_loss, output_masks)

    def backward(self, doutputs: list[Any], cache: GraphCache, need_dx: bool) -> list[Any]:
        """Adds the gradients of all weights to `variable.grad`.

        Args:
            doutputs: Gradients of the outputs in order, None where there is none.
            cache: From `forward`.
            need_dx: Whether the gradients of the inputs are wanted.

        Returns:
            The gradients of the inputs in order (None for whole numbers, and without `need_dx`).
        """
        grads: list[Any] = [None] * self._count
        for position, grad in zip(self._output_positions, doutputs, strict=True):
            _add(grads, position, grad)
        for step, step_cache in zip(reversed(self._steps), reversed(cache.caches), strict=True):
            layer = step.layer
            if layer.activity_regularizer is not None:
                for position in step.outputs:
                    _add(grads, position, layer._activity_gradient(cache.values[position]))
            given = [grads[position] for position in step.outputs]
            if all(grad is None for grad in given):
                continue
            wanted = need_dx or any(self._needs_gradient[position] for position in step.reads)
            if not wanted and not layer.weights:
                continue
            doutput = given[0] if len(given) == 1 else given
            dx, dkwargs = layer.backward_all(doutput, step_cache, need_dx=wanted)
            if wanted:
                if step.is_foreign:
                    self._check_gradients(step, dx, dkwargs, cache.values)
                _scatter(grads, step.inputs, dx, cache.values)
                for name, where in step.tensor_kwargs.items():
                    _scatter(grads, where, dkwargs.get(name) if step.is_foreign else dkwargs[name], cache.values)
        return [grads[position] for position in self._input_positions]

    def weights_behind(self, outputs: list[bool]) -> list[Variable]:
        """Returns the weights that have a gradient where these of the outputs have one, or activities a penalty."""
        wanted = [False] * self._count
        for position, has_gradient in zip(self._output_positions, outputs, strict=True):
            wanted[position] |= has_gradient
        found: list[Variable] = []
        for step in reversed(self._steps):
            behind = step.layer._weights_behind([wanted[position] for position in step.outputs])
            found += behind
            if behind or any(wanted[position] for position in step.outputs):
                for position in step.reads:
                    wanted[position] = True
        return found

    def _check_gradients(self, step: _Step, given: Any, dkwargs: dict[str, Any], values: list[Any]) -> None:
        """Raises ValueError unless `backward` of a layer gave a gradient for each input that has weights before it."""
        who = f"backward of layer {step.layer.name!r}"
        positions = _tree.flatten(step.inputs)
        grads = [None] * len(positions) if given is None else _tree.flatten(given)
        if len(grads) != len(positions):
            raise ValueError(expected(who, f"to return a gradient for each of its {len(positions)} inputs", len(grads)))
        for position, grad in zip(positions, grads, strict=True):
            if grad is None and self._needs_gradient[position]:
                hint = "the layers before it train by it; np.zeros_like of the input stops it there"
                raise ValueError(expected(who, "to return the gradient of the inputs", "None", hint))
            if grad is not None and np.shape(grad) != np.shape(values[position]):
                what = f"to return a gradient of the inputs' shape {np.shape(values[position])}"
                raise ValueError(expected(who, what, np.shape(grad)))
        for name, where in step.tensor_kwargs.items():
            if name not in dkwargs and any(self._needs_gradient[position] for position in _tree.flatten(where)):
                hint = "call the layer with all that it takes in one list"
                if name == "initial_state":
                    hint = "write backward_all(doutputs, cache, need_dx), returning dinputs, {'initial_state': dstates}"
                raise ValueError(expected(who, "no other tensors to be trained than its inputs", repr(name), hint))


def _runs_foreign_code(layer: Layer) -> bool:
    """Returns whether a layer, or one within it, runs code that is not recurra's."""
    return not all(is_own(part._class_forward()) and is_own(type(part).backward) for part in layer._flatten_layers())


def _may_differ(node: Node, unsure: set[int]) -> bool:
    """Returns whether an output may be of another dtype than its symbolic tensor: users' layers may return integers."""
    if node.layer.keeps_integers and any(id(tensor) in unsure for tensor in node.parents()):
        return True
    return _runs_foreign_code(node.layer)


def _make_step(node: Node, positions: dict[int, int], unsure: set[int]) -> _Step:
    def place(leaf: Any) -> Any:
        return positions[id(leaf)] if isinstance(leaf, KerasTensor) else leaf

    inputs = _tree.map_structure(place, node.inputs)
    tensor_kwargs = {name: _tree.map_structure(place, node.kwargs[name]) for name in node.tensor_kwargs}
    kwargs = {name: value for name, value in node.kwargs.items() if name not in tensor_kwargs and name != "training"}
    tensors = [leaf for leaf in _tree.flatten(node.inputs) if isinstance(leaf, KerasTensor)]
    mask = tensor_kwargs.pop("mask", None)
    argument_masks = node.layer._named_masks(inputs, tensor_kwargs)
    takes = set(node.layer._forward_parameters) - node.kwargs.keys()
    return _Step(
        node=node,
        layer=node.layer,
        inputs=inputs,
        kwargs=kwargs,
        mask=mask,
        argument_masks={name: where for name, where in argument_masks.items() if name in takes},
        training=node.kwargs.get("training"),
        tensor_kwargs=tensor_kwargs,
        outputs=[positions[id(tensor)] for tensor in _tree.flatten(node.outputs)],
        cast=node.layer.checks_inputs or any(t.dtype != node.layer.dtype or id(t) in unsure for t in tensors),
        reads=[p for p in _tree.flatten([inputs, list(tensor_kwargs.values())]) if p is not None],
        is_foreign=_runs_foreign_code(node.layer),
    )


def _look_up(where: Any, values: list[Any]) -> Any:
    if isinstance(where, int):
        return values[where]
    return _tree.map_structure(lambda position: None if position is None else values[position], where)


def _scatter(grads: list[Any], where: Any, given: Any, values: list[Any]) -> None:
    """Adds gradients to those of the tensors at these positions, in the dtypes that these have."""
    positions = _tree.flatten(where)
    leaves = [None] * len(positions) if given is None else _tree.flatten(given)
    for position, grad in zip(positions, leaves, strict=True):
        if grad is not None and values[position].dtype.kind == "f" and grad.dtype is not values[position].dtype:
            grad = np.asarray(grad, values[position].dtype)
        _add(grads, position, grad)


def _add(grads: list[Any], position: int, grad: Any) -> None:
    if grad is not None:
        grads[position] = grad if grads[position] is None else grads[position] + grad


def flat_shapes(shapes: Any) -> list[Any]:
    """Returns the shapes in a shape, or in a list or dict of them, in order."""
    if is_shape(shapes):
        return [shapes]
    items = [shapes[key] for key in sorted(shapes)] if isinstance(shapes, dict) else shapes
    return [shape for item in items for shape in flat_shapes(item)]


class _Visits(NamedTuple):
    """What lies between the outputs of a graph and its inputs.

    Attributes:
        finished: Calls and operations on masks, each after all that it reads.
        parents: What each of them reads, by its id.
        met: For the id of each layer and operation, how many were met before it.
    """

    finished: list[Node | MaskOperation]
    parents: dict[int, list[Node | MaskOperation]]
    met: dict[int, int]


def _order(inputs: list[KerasTensor], outputs: list[KerasTensor]) -> tuple[list[Node], list[Layer]]:
    """Returns the nodes, inputs first, and the layers in Keras's order: by depth, then as they were met.

    The order of layers is that of their weights in a file, so the operations that compute masks count, as in Keras.
    """
    finished, parents, met = _visited(inputs, outputs)
    depths: dict[int, int] = {}
    operation_depths: dict[int, int] = {}
    for node in reversed(finished):
        operation = id(_operation_of(node))
        depth = max(depths.get(id(node), 0), operation_depths.get(operation, 0))
        depths[id(node)] = operation_depths[operation] = depth
        for parent in parents[id(node)]:
            depths[id(parent)] = max(depth + 1, depths.get(id(parent), 0))
    for tensor in inputs:
        node = node_of(tensor)
        if id(node) not in parents:
            met[id(node.layer)] = -1
            operation_depths[id(node.layer)] = depths[id(node)] = 0
            finished.append(node)
    nodes = [node for node in finished if isinstance(node, Node)]
    layers = {id(node.layer): node.layer for node in nodes}
    return (
        sorted(nodes, key=lambda node: -depths[id(node)]),
        sorted(layers.values(), key=lambda layer: (-operation_depths[id(layer)], met[id(layer)])),
    )


def _visited(inputs: list[KerasTensor], outputs: list[KerasTensor]) -> _Visits:
    """Goes from the outputs to the inputs, depth first as Keras does; ValueError if there is another input."""
    sources = {id(tensor) for tensor in inputs}
    trace = MaskTrace(inputs)
    met: dict[int, int] = {}
    finished: list[Node | MaskOperation] = []
    parents: dict[int, list[Node | MaskOperation]] = {}

    def visit(made: KerasTensor | MaskOperation) -> Iterator[KerasTensor | MaskOperation]:
        """Yields what is to be visited before it goes on."""
        node = _made_by(made)
        if id(node) in parents:
            return
        read = parents[id(node)] = []
        met.setdefault(id(_operation_of(node)), len(met))
        if isinstance(node, MaskOperation):
            for one in node.reads:
                yield one
                read.append(_made_by(one))
        elif id(made) not in sources:
            for one in node.parents():
                yield one
                read.append(_made_by(one))
            if not read:
                what = "outputs that depend on the given inputs only"
                raise ValueError(expected("Model", what, f"an output that needs {node.layer.name!r}"))
            for operation in trace.read_by(node):
                yield operation
                read.append(_made_by(operation))
            trace.follow(node)
        finished.append(node)

    for tensor in outputs:
        open_visits = [visit(tensor)]  # a list where Python's own stack is too short for a long line of layers
        while open_visits:
            first = next(open_visits[-1], None)
            if first is None:
                open_visits.pop()
            else:
                open_visits.append(visit(first))
    return _Visits(finished, parents, met)


def _made_by(made: KerasTensor | MaskOperation) -> Node | MaskOperation:
    return node_of(made) if isinstance(made, KerasTensor) else made


def _operation_of(node: Node | MaskOperation) -> Layer | MaskOperation:
    return node.layer if isinstance(node, Node) else node
