"""Models as native plans: layers in one line, all known to native code, run without Python between them.

A plan gives the bits of the layers' own `forward` and `backward`, which stay the meaning of a model. What a plan does
not know (several inputs or outputs, layers of the user's) takes that way.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from recurra import _changes, config, ops
from recurra.layers.base import Layer
from recurra.layers.bidirectional import Bidirectional
from recurra.layers.embedding import Embedding
from recurra.layers.masking import Masking
from recurra.layers.recurrent import RNN

# What native code does instead.
_METHODS = ("forward", "backward", "_run_layer", "value_and_gradient", "step", "update")


class ModelPlan:
    """The native plan of a built model, if there is one, and as long as it holds.

    Args:
        model: A model with a `graph`.
        training: Whether dropout drops, and `backward` follows.
    """

    def __init__(self, model: Any, training: bool):
        self._model = model
        self._graph = model.graph
        self._seen = _changes.last
        self._epsilon = config.epsilon()
        self._owners = [part for layer in self._graph.layers for part in layer._flatten_layers()]
        self._changed = [part._changed for part in self._owners]
        self._shapes: dict[tuple[int, ...], list[tuple[int, ...]] | None] = {}  # of the result, then of what is drawn
        self._tensors = list(model.outputs)
        self._masking: Any = None  # the layer at the start whose mask reaches the output
        self.native: Any = self._make(training)
        self.rows = None if self.native is None else self.native.rows  # of each batch, if a stateful layer says so
        self._dtype = np.dtype(model.inputs[0].dtype)
        self.step: Any = None  # the `NativeStep` made of this plan

    def is_current(self) -> bool:
        """Returns whether model, layers and weights are those that the plan was made of."""
        now = _changes.last
        if now != self._seen:
            if not is_plain(self._model) or self._model.graph is not self._graph or config.epsilon() != self._epsilon:
                return False
            if [part._changed for part in self._owners] != self._changed:
                return False
            if self.native is not None and not self.native.is_current():
                return False
            self._seen = now
        return True

    def output_shape(self, x: np.ndarray) -> tuple[int, ...] | None:
        """Returns the shape of the result for this input, or None where the plan does not take it."""
        if x.dtype != self._dtype or not (x.flags.c_contiguous and x.flags.aligned and x.size):
            return None
        row = x.shape[1:]
        if row not in self._shapes:
            self._shapes[row] = self._shapes_of(row)
        shapes = self._shapes[row]
        if shapes is None or (self.rows is not None and len(x) != self.rows):
            return None
        return (len(x), *shapes[0])

    def drawn_shapes(self, x: np.ndarray) -> list[tuple[int, ...]]:
        """Returns the shapes of what dropout multiplies, for an input that the plan takes."""
        _, *shapes = self._shapes[x.shape[1:]]  # type: ignore[misc]
        return [(len(x), *shape) for shape in shapes]

    def mask_of(self, x: np.ndarray) -> np.ndarray | None:
        """Returns the mask of the result for an input, None if it has none."""
        return None if self._masking is None else self._masking.compute_mask(x)

    def forward(self, x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Returns the result, of `output_shape`, and keeps what `backward` needs."""
        self.native.draw(self.drawn_shapes(x))
        return self.native.forward(x, shape)

    def _shapes_of(self, row: tuple[int, ...]) -> list[tuple[int, ...]] | None:
        if len(row) >= ops.MAX_AXES or not _takes(self._model, row):
            return None
        shapes = dict(self._graph.shapes([(None, *row)]))
        for node in _nested(self._model):
            given = shapes[id(node.inputs)]
            if not _takes(node.layer, given[1:]):
                return None
            shapes |= node.layer.graph.shapes([given])
        return [shapes[id(tensor)][1:] for tensor in self._tensors]

    def _make(self, training: bool) -> ops.Plan | None:
        nodes, dtype = line_of(self._model), self._model.inputs[0].dtype
        if nodes and isinstance(nodes[0].layer, Embedding):
            dtype = nodes[0].layer.dtype
        if not nodes or dtype not in config.FLOAT_DTYPES:
            return None
        if len(set(map(id, nodes))) < len(nodes):  # of a model within this one that is called twice: whose shapes?
            return None
        plan = ops.Plan(dtype, gradients=training)
        for node in nodes:
            drawn = len(plan.draws)
            if not joins(node, plan, training):
                return None
            self._tensors += [node.inputs] * (len(plan.draws) - drawn)  # what is multiplied
        if plan.is_masked:
            self._masking = nodes[0].layer
            if any(isinstance(node.layer, (Embedding, Masking)) for node in nodes[1:]):  # of what only native code sees
                return None
        return plan


def plan_of(model: Any, training: bool) -> ModelPlan | None:
    """Returns the model's plan, made at the first call and again after changes, or None where there is none."""
    plans = model.__dict__.get("_plans") or model.__dict__.setdefault("_plans", _Plans())
    name = "training" if training else "inference"
    plan = getattr(plans, name)
    if plan is None or not plan.is_current():
        if not is_plain(model):
            return None
        plan = ModelPlan(model, training)
        setattr(plans, name, plan)
    return plan if plan.native is not None else None


def forget_plans(model: Any) -> None:
    """Frees what the model's plans hold."""
    model.__dict__.pop("_plans", None)


class _Plans(threading.local):
    """The plans of a model: each thread has its own, because a plan for training holds activations."""

    training: ModelPlan | None = None
    inference: ModelPlan | None = None

    def __reduce__(self) -> Any:
        return _Plans, ()  # a copy of the model makes its own


def line_of(model: Any) -> list[Any] | None:
    """Returns a model's nodes from its input to its output, or None where they do not form one line.

    In place of a model within it stand the nodes of that one.
    """
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        return None
    line = []
    tensor = model.inputs[0]
    for node in model.graph.nodes:
        if not node.parents():
            continue
        if node.kwargs or node.inputs is not tensor:
            return None
        within = line_of(node.layer) if _calls_model(node) else [node]
        if within is None:
            return None
        line += within
        tensor = node.outputs
    return line if tensor is model.outputs[0] else None


def _nested(model: Any) -> Iterator[Any]:
    """Yields the nodes of models within a line, each before those within it."""
    for node in model.graph.nodes:
        if node.parents() and _calls_model(node):
            yield node
            yield from _nested(node.layer)


def _takes(model: Any, row: tuple[int | None, ...]) -> bool:
    """Returns whether a row of this shape has the shape of the model's input."""
    known = model.inputs[0].shape[1:]
    return len(row) == len(known) and all(own in (None, size) for size, own in zip(row, known, strict=True))


def _calls_model(node: Any) -> bool:
    """Returns whether a node calls a model that does no more than its layers do: it cuts no numbers off."""
    model = node.layer
    if not (hasattr(model, "graph") and is_plain(model) and model.activity_regularizer is None):
        return False
    given, taken = node.inputs.dtype, model.inputs[0].dtype
    return given == taken or (taken in config.FLOAT_DTYPES and given not in config.FLOAT_DTYPES)


def joins(node: Any, plan: ops.Plan, training: bool) -> bool:
    """Adds a node's layer to a plan if it is recurra's own through and through; returns whether it was added."""
    layer, plan.x_shape = node.layer, node.inputs.shape
    plain = all(
        is_plain(part) and part.dtype == plan.dtype.name and part.activity_regularizer is None
        for part in layer._flatten_layers()
    )
    takes_mask = isinstance(layer, (RNN, Bidirectional)) or (
        layer.supports_masking and type(layer).compute_mask is Layer.compute_mask
    )
    return plain and (takes_mask or not plan.is_masked) and layer.join_plan(plan, training)


def is_plain(part: Any) -> bool:
    """Returns whether a layer, a loss or an optimizer is one of recurra's own, with the methods of its class."""
    return type(part).__module__.startswith("recurra.") and vars(part).keys().isdisjoint(_METHODS)
