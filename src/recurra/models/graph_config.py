"""Graphs of functional models as Keras's configs say them: layers, and the calls that join them."""

from __future__ import annotations

import re
from collections import Counter, defaultdict, deque
from typing import Any

import numpy as np

from recurra import _tree, saving
from recurra._checks import expected
from recurra.layers.arithmetic import OPERATIONS
from recurra.layers.base import Layer
from recurra.layers.merging import Concatenate
from recurra.layers.symbolic import KerasTensor, Node, node_of
from recurra.models.graph import Graph
from recurra.models.mask_trace import MaskTrace

_LAYERS_OF_OPERATIONS = ("Add", "GetItem", "Multiply", "Negative", "Subtract", "TrueDivide")
_KERAS_MASK_JOINS = r"concatenate(_\d+)?"  # names of Keras's own operations on masks
Nodes = dict[tuple[str, int], Node]  # by the layer's name and the number of its call


def write_graph(graph: Graph, inputs: Any, outputs: Any) -> dict[str, Any]:
    """Returns the entries "layers", "input_layers" and "output_layers" of a functional model's config.

    Args:
        graph: The model's graph.
        inputs, outputs: Its symbolic tensors, nested as they were given.
    """
    in_graph = {id(node) for node in graph.nodes}
    indices = {
        id(node): position
        for layer in graph.layers
        for position, node in enumerate(node for node in layer._inbound_nodes if id(node) in in_graph)
    }
    layers = []
    joins_masks = _joins_masks(graph)
    for layer in graph.layers:
        nodes = [node for node in layer._inbound_nodes if id(node) in in_graph and node.parents()]
        calls = [_write_node(node, indices) for node in nodes]
        entry = saving.serialize_keras_object(layer) | {"name": layer.name, "inbound_nodes": calls}
        if joins_masks and re.fullmatch(_KERAS_MASK_JOINS, layer.name):
            entry["config"].pop("name")  # Keras makes one that its own operations do not take
        layers.append(_as_operation(entry))
    ends = {"input_layers": inputs, "output_layers": outputs}
    return {"layers": layers} | {name: _write_ends(structure, indices) for name, structure in ends.items()}


def read_graph(config: dict[str, Any]) -> tuple[Any, Any, list[str]]:
    """Returns the symbolic inputs and outputs that a functional model's config describes, its layers called anew.

    Beside them come the names of its layers, in the order of the config.

    Raises:
        ValueError: If a call's inputs come from nowhere.
    """
    entries = [_as_layer(entry) for entry in config["layers"]]
    of_masks = {entry.get("name") for entry in entries if _is_operation(entry)}
    compared, of_layers = _compared(entries)
    calls: list[tuple[Layer, deque[dict[str, Any]]]] = []  # of each layer, that are not made yet
    for entry in entries:
        if entry.get("name") not in of_masks:  # how Keras computes masks: here they follow from the layers
            nodes = (_with_own_mask(node, of_masks, of_layers, compared) for node in entry["inbound_nodes"])
            calls.append((_layer_of(entry), deque(nodes)))
    made = _made_by(calls)
    waiting = [layer.name for layer, nodes in calls if nodes]
    if waiting:
        got = f"{waiting[0]!r} without its inputs{_operations(entries)}"
        raise ValueError(expected("Functional", "nodes whose inputs exist", got))
    inputs, outputs = (_read_ends(config[ends], made) for ends in ("input_layers", "output_layers"))
    return inputs, outputs, [layer.name for layer, _ in calls]


def _layer_of(entry: dict[str, Any]) -> Layer:
    """Returns the layer of an entry, under the name that calls know it by."""
    name = entry.get("name")
    described = {key: value for key, value in entry.items() if key not in ("name", "inbound_nodes")}
    described["config"] = _named(entry)
    layer = saving.deserialize_keras_object(built_by_calls(described) if entry["inbound_nodes"] else described)
    if name and layer.name != name:  # of a class that takes none
        for variable in layer.weights:
            variable.path = name + variable.path.removeprefix(layer.name)
        layer.name = name
    return layer


def _made_by(calls: list[tuple[Layer, deque[dict[str, Any]]]]) -> Nodes:
    """Makes the calls of layers, each once its inputs are there, and returns them; those that wait for ever stay."""
    made = {(layer.name, 0): layer._inbound_nodes[0] for layer, _ in calls if layer._inbound_nodes}
    counts: Counter[str] = Counter()
    followers: defaultdict[Any, list[tuple[Layer, deque[dict[str, Any]]]]] = defaultdict(list)  # by what they wait for
    ready = deque(calls)
    while ready:
        layer, nodes = ready.popleft()
        while nodes:
            try:
                args, kwargs = (_read_value(nodes[0][name], made) for name in ("args", "kwargs"))
            except KeyError as missing:  # the layer's next calls wait as well: their numbers are those of their order
                followers[missing.args[0]].append((layer, nodes))
                break
            nodes.popleft()
            layer(*args, **kwargs)
            call = layer.name, counts[layer.name]
            made[call] = layer._inbound_nodes[-1]
            counts[layer.name] += 1
            ready.extend(followers.pop(call, ()))
    return made


def _joins_masks(graph: Graph) -> bool:
    """Returns whether a Concatenate gives a mask: for it Keras makes operations `concatenate`, `concatenate_1`, ..."""
    if not any(isinstance(layer, Concatenate) for layer in graph.layers):
        return False
    sources = {id(tensor) for tensor in graph.inputs}
    trace = MaskTrace(graph.inputs)
    joined = False
    for node in graph.nodes:
        if not all(id(tensor) in sources for tensor in _tree.flatten(node.outputs)):
            trace.follow(node)
            joined |= isinstance(node.layer, Concatenate) and trace.has_mask(node.outputs)
    return joined


def _named(entry: dict[str, Any]) -> dict[str, Any]:
    """Returns the config of a layer with the name that calls know it by, where it has none and its class takes one."""
    cls = saving.find_class(entry["class_name"], entry.get("registered_name"), entry.get("module"))
    takes_name = "name" in entry and "name" in saving.parameters(cls)
    return {"name": entry["name"]} | entry["config"] if takes_name else entry["config"]


def built_by_calls(entry: dict[str, Any]) -> dict[str, Any]:
    """Returns the entry of one of Keras's layers without the shape that it was built for: its first call tells that.

    So both cannot differ: a file whose weights are not those of its inputs' shapes does not fit.
    """
    is_keras_s = str(entry.get("module")).startswith("keras") and entry.get("registered_name") is None
    return {key: value for key, value in entry.items() if key != "build_config"} if is_keras_s else entry


def _history(tensor: KerasTensor, indices: dict[int, int]) -> list[Any]:
    """Returns the name of the layer that gives a tensor, the number of its call, and the tensor's place there."""
    source = node_of(tensor)
    return [source.layer.name, indices.get(id(source), 0), tensor._keras_history[2]]  # type: ignore[index]


def _write_node(node: Node, indices: dict[int, int]) -> dict[str, Any]:
    def write(leaf: Any) -> Any:
        if not isinstance(leaf, KerasTensor):
            return saving.serialize_keras_object(leaf) if isinstance(leaf, np.ndarray) else leaf
        config = {"shape": list(leaf.shape), "dtype": leaf.dtype, "keras_history": _history(leaf, indices)}
        return {"class_name": "__keras_tensor__", "config": config}

    args = [_tree.map_structure(write, node.inputs)]
    kwargs = {name: _tree.map_structure(write, value) for name, value in node.kwargs.items()}
    return {"args": args, "kwargs": kwargs}


def _as_operation(entry: dict[str, Any]) -> dict[str, Any]:
    """Returns the entry of a layer that is an operation in Keras as Keras has it: indices and numbers in each call."""
    if entry["module"] != OPERATIONS:
        return entry
    config = entry["config"]
    for node in entry["inbound_nodes"]:
        (tensors,) = node["args"]
        if "key" in config:
            node["args"] = [tensors, config["key"]]
        else:
            given = iter(tensors if isinstance(tensors, list) else [tensors])
            node["args"] = [next(given) if one is None else one for one in config["operands"]]
    return entry | {"config": {"name": config["name"]}}  # an operation has no more


def _as_layer(entry: dict[str, Any]) -> dict[str, Any]:
    """The other way round: each `x[key]` and `x + y` is an operation of its own, so there is one call.

    Raises:
        ValueError: If there are more, or they are called on something else than `_as_operation` writes.
    """
    if entry.get("module") != OPERATIONS or entry["class_name"] not in _LAYERS_OF_OPERATIONS:
        return entry
    calls = [node["args"] for node in entry["inbound_nodes"]]
    tensors = [one for args in calls for one in args if _is_tensor(one)]
    is_index = entry["class_name"] == "GetItem"
    if len(calls) != 1 or not tensors or (is_index and (len(calls[0]) != 2 or _sources(calls[0][1]))):
        what = "one call with a tensor and an index" if is_index else "one call with tensors and numbers"
        raise ValueError(expected(f"{entry['class_name']} {entry.get('name')!r}", what, f"{calls}"))
    own = {"key": calls[0][1]} if is_index else {"operands": [None if _is_tensor(one) else one for one in calls[0]]}
    dtype = tensors[0]["config"].get("dtype", "")
    if dtype.startswith("float"):  # an operation computes in that of its tensors
        own["dtype"] = dtype
    node = {"args": [tensors if len(tensors) > 1 else tensors[0]], "kwargs": {}}
    return entry | {"config": entry["config"] | own, "inbound_nodes": [node]}


def _is_tensor(value: Any) -> bool:
    return isinstance(value, dict) and value.get("class_name") == "__keras_tensor__"


def _is_operation(entry: dict[str, Any]) -> bool:
    """Returns whether an entry is one of Keras's operations that are no layers here."""
    return (entry.get("module") or "").startswith("keras.src.ops") and entry["class_name"] not in _LAYERS_OF_OPERATIONS


def _write_ends(structure: Any, indices: dict[int, int]) -> Any:
    if isinstance(structure, KerasTensor):
        name, call, tensor = _history(structure, indices)
        return [name, call + _first_call(node_of(structure).layer), tensor]
    if isinstance(structure, dict):
        return {key: _write_ends(structure[key], indices) for key in sorted(structure)}
    return [_write_ends(one, indices) for one in structure]


def _first_call(layer: Layer) -> int:
    """Returns the number of a layer's first call in the ends of a graph: Keras counts those of a Functional from 1."""
    return getattr(layer, "_first_call", 0)


def _read_tensor(history: list[Any], made: Nodes) -> KerasTensor:
    name, node, tensor = history
    return _tree.flatten(made[name, node].outputs)[tensor]


def _read_value(value: Any, made: Nodes) -> Any:
    if isinstance(value, dict):
        if _is_tensor(value):
            return _read_tensor(value["config"]["keras_history"], made)
        if value.get("class_name") == "__numpy__":
            return saving.deserialize_keras_object(value)
        if value.get("class_name") == "__tuple__":
            return tuple(_read_value(item, made) for item in value["items"])
        return {key: _read_value(item, made) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_read_value(item, made) for item in value]
    return value


def _sources(value: Any) -> set[Any]:
    """Returns the names of the layers and operations that serialized tensors come from."""
    if _is_tensor(value):
        return {value["config"]["keras_history"][0]}
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return {name for item in inner for name in _sources(item)}


def _compared(entries: list[dict[str, Any]]) -> tuple[dict[str, Any], set[str]]:
    """Returns what the operations NotEqual(tensor, 0) compare, by their names, and those that layers make for masks.

    A layer's compares what Masking or an Embedding with mask_zero reads.
    """
    masking = [e for e in entries if e.get("class_name") == "Masking" or e.get("config", {}).get("mask_zero")]
    read = {name for entry in masking for node in entry["inbound_nodes"] for name in _sources(node["args"])}
    compared, of_layers = {}, set()
    for entry in entries:
        if entry.get("class_name") == "NotEqual":
            node = entry["inbound_nodes"][0]  # an operation is called once
            if _is_tensor(node["args"][0]) and node["args"][1:] == [0]:
                compared[entry["name"]] = node["args"][0]
            if _sources(node["args"]) <= read:
                of_layers.add(entry["name"])
        elif _is_operation(entry):
            of_layers.add(entry["name"])
    return compared, of_layers


def _with_own_mask(
    node: dict[str, Any], of_masks: set[Any], of_layers: set[str], compared: dict[str, Any]
) -> dict[str, Any]:
    """Returns a call without a mask that follows from the layers, and with one of the caller's own as a tensor.

    Of the caller's own those are known that compare a tensor with zero: what is not zero counts.

    Raises:
        ValueError: For others.
    """
    kwargs = {name: value for name, value in node["kwargs"].items() if value is not None}
    computed = _sources(kwargs.get("mask")) & of_masks
    if computed:
        mask = kwargs.pop("mask")
        if not computed <= of_layers or _sources(kwargs):  # beside other tensors Keras gives no mask by itself
            (name, *others) = computed
            if others or not _is_tensor(mask) or name not in compared:
                what, hint = "masks that come from Masking or Embedding", "give the mask as an input of the model"
                raise ValueError(expected("Functional", what, f"the operations {sorted(computed)}", hint))
            kwargs["mask"] = compared[name]
    return node | {"kwargs": kwargs}


def _operations(entries: list[dict[str, Any]]) -> str:
    """Returns which of Keras's operations a config names: recurra knows layers."""
    names = sorted({entry["class_name"] for entry in entries if _is_operation(entry)})
    return f"; it names Keras's operations {', '.join(names)}, which are no layers" if names else ""


def _is_history(ends: Any) -> bool:
    return isinstance(ends, list) and len(ends) == 3 and isinstance(ends[0], str)


def _read_ends(ends: Any, made: Nodes) -> Any:
    if isinstance(ends, dict):
        return {key: _read_ends(inner, made) for key, inner in ends.items()}
    if _is_history(ends):
        name, call, tensor = ends
        return _read_tensor([name, call - _first_call(made[name, 0].layer), tensor], made)
    return [_read_ends(inner, made) for inner in ends]
