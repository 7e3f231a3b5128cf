"""Configs of Keras 2 in the words of Keras 3: options, calls, and the masks that calls take by themselves there."""

from __future__ import annotations

from typing import Any

from recurra import layers
from recurra._checks import expected
from recurra.errors import FileFormatError
from recurra.layers.base import Layer

MASK_OPERATIONS = ("NotEqual", "Any")  # how Keras 3 writes masks into a legacy file
# Options of Keras 2 that say nothing about the numbers here.
DROPPED = (
    *("batch_input_shape", "time_major", "ragged", "input_length", "implementation"),
    *("query_shape", "key_shape", "value_shape", "softmax_robust_masking", "causal"),  # of attention
)
MODELS = ("Functional", "Model", "Sequential")
TENSOR_ARGUMENTS = ("initial_state", "mask", "value", "key", "query")
RECURRENT = ("Bidirectional", "GRU", "LSTM", "RNN", "SimpleRNN")


def refuse_hard_sigmoid(config: Any, file_name: str) -> None:
    """Raises FileFormatError for an activation that is another function in Keras 3: clip(x / 6 + 0.5, 0, 1)."""
    if isinstance(config, dict):
        for key, value in config.items():
            name = value.get("config") if isinstance(value, dict) else value
            if key.endswith("activation") and name == "hard_sigmoid":
                what = f"activations that Keras 2 and 3 compute alike in {file_name}"
                hint = 'pass custom_objects={"hard_sigmoid": function}; that of Keras 2 is clip(0.2 * x + 0.5, 0, 1)'
                raise FileFormatError(expected("load_model", what, f"{key}='hard_sigmoid'", hint))
    if isinstance(config, (dict, list)):
        for value in config.values() if isinstance(config, dict) else config:
            refuse_hard_sigmoid(value, file_name)


def modernized(config: Any) -> Any:
    """Returns a config of Keras 2 in the words of Keras 3; one in these words already stays as it is.

    Raises:
        FileFormatError: For an option that Keras 3 does not have.
    """
    if isinstance(config, list):
        return [modernized(item) for item in config]
    if not isinstance(config, dict):
        return config
    if config.get("class_name") == "Sequential" and isinstance(config.get("config"), list):  # of Keras 2.2.2 and before
        named = {"name": config["name"]} if "name" in config else {}
        config = {**config, "config": {**named, "layers": config["config"]}}
    changed = {key: modernized(value) for key, value in config.items()}
    inner = changed.get("config")
    if not isinstance(inner, dict) or not isinstance(changed.get("class_name"), str):
        return changed
    several = inner.get("layers")
    for entry in several if isinstance(several, list) else [inner.get("layer")]:
        if isinstance(entry, dict):  # a name alone could be that of an initializer: Identity
            entry.setdefault("module", "keras.layers")
    if changed["class_name"] in MASK_OPERATIONS:
        changed["module"] = "keras.src.ops"  # as in a `.keras` file, where a model leaves such nodes out
    if changed["class_name"] == "Model":
        changed["class_name"] = "Functional"
    for option in ("time_major", "causal"):
        if inner.get(option):
            raise FileFormatError(expected("loading", f"{option}=False", "True", "save the model without it"))
    axes = inner.get("axis")
    if changed["class_name"] == "BatchNormalization" and isinstance(axes, list) and len(axes) == 1:
        inner["axis"] = axes[0]
    if changed["class_name"] == "InputLayer" and "batch_input_shape" in inner:
        inner["batch_shape"] = inner["batch_input_shape"]
    changed["config"] = {key: value for key, value in inner.items() if key not in DROPPED}
    if changed["class_name"] == "Sequential" and not _begins_with_input(inner):
        shape = _first_shape(config)
        if shape is not None:
            changed["config"]["build_input_shape"] = shape
    if changed["class_name"] == "Functional":
        _modernize_graph(changed["config"])
    return changed


def _modernize_graph(config: dict[str, Any]) -> None:
    """Puts the nodes of a functional model into the words of Keras 3."""
    # The first call of a nested model counts as its second node if it begins with an input.
    first = {
        entry["name"]: 1
        for entry in config["layers"]
        if entry["class_name"] in MODELS and _begins_with_input(entry["config"])
    }
    lines = {entry["name"] for entry in config["layers"] if entry["class_name"] == "Sequential"}
    in_old_words = False
    for entry in config["layers"]:
        nodes = entry.get("inbound_nodes")
        if nodes and isinstance(nodes[0], list):
            in_old_words = True
            entry["inbound_nodes"] = [_modern_node(node, first, entry["class_name"] in RECURRENT) for node in nodes]
    for ends in ("input_layers", "output_layers"):
        tensors = config.get(ends) or []
        if in_old_words and tensors and isinstance(tensors, list) and isinstance(tensors[0], list):
            # Of a Functional the ends count from 1 in Keras 3 too.
            tensors = [[name, node - (name in lines and name in first), position] for name, node, position in tensors]
        config[ends] = tensors[0] if len(tensors) == 1 and isinstance(tensors, list) else tensors


def _begins_with_input(config: dict[str, Any]) -> bool:
    entries = config.get("layers") or [{}]
    return entries[0].get("class_name") == "InputLayer"


def _first_shape(config: dict[str, Any]) -> Any:
    entries = config["config"].get("layers") or [{}]
    return entries[0].get("config", {}).get("batch_input_shape") or config["config"].get("build_input_shape")


def _modern_node(node: list[Any], first: dict[str, int], is_recurrent: bool) -> dict[str, Any]:
    """`[[name, node, tensor, kwargs], ...]` as Keras 3's args and kwargs."""

    def tensor(name: str, index: int, position: int) -> dict[str, Any]:
        history = [name, index - first.get(name, 0), position]
        return {"class_name": "__keras_tensor__", "config": {"keras_history": history}}

    if not isinstance(node[0], list):
        node = [node]
    tensors = [tensor(*entry[:3]) for entry in node]
    kwargs = {}
    for name, value in (node[0][3] if len(node[0]) > 3 else {}).items():
        kwargs[name] = value
        if name in TENSOR_ARGUMENTS and isinstance(value, list) and value:
            several = isinstance(value[0], list)
            kwargs[name] = [tensor(*entry[:3]) for entry in value] if several else tensor(*value[:3])
    if is_recurrent and len(tensors) > 1:  # the states follow the sequence
        tensors, kwargs["initial_state"] = tensors[:1], tensors[1:]
    return {"args": [tensors[0] if len(tensors) == 1 else tensors], "kwargs": kwargs}


def give_masks(model: Any, is_masked: bool) -> None:
    """Says in the calls with initial_state that the input's mask counts: so it does in Keras 2, in Keras 3 only then.

    The mask of an Embedding is told by the tensor that it reads: what is not zero counts.

    Args:
        model: The config of a model in the words of Keras 3, which is changed.
        is_masked: Whether a mask may come in with its inputs.

    Raises:
        FileFormatError: If the mask comes from elsewhere.
    """
    entries = model["config"].get("layers", ())
    if model["class_name"] != "Functional":
        for entry in entries:
            if entry["class_name"] in MODELS:
                give_masks(entry, is_masked or _makes_masks(model))
        return
    named = {entry["name"]: entry for entry in entries}
    found: dict[tuple[Any, ...], Any] = {}  # by the tensor's place

    def mask_of(tensor: Any) -> Any:
        """Returns the tensor whose zeros are masked, True if there is a mask without one, None if there is none."""
        name, call, position = place = tuple(tensor["config"]["keras_history"])
        if place not in found:
            found[place] = None  # for calls in a circle
            found[place] = _mask_made(named[name], call, position, is_masked, mask_of)
        return found[place]

    for entry in entries:
        for node in entry["inbound_nodes"]:
            kwargs = node["kwargs"]
            if entry["class_name"] in RECURRENT and kwargs.get("initial_state") and not kwargs.get("mask"):
                kwargs["mask"] = mask_of(node["args"][0])
                if kwargs["mask"] is True:
                    what = f"initial_state for {entry['name']!r} beside an input without a mask, or with an Embedding's"
                    hint = "build the model, give the call this mask as mask=, and call load_weights on the file"
                    raise FileFormatError(expected("load_model", what, "another mask, which counts in Keras 2", hint))
        if entry["class_name"] in MODELS:
            given = [tensor for node in entry["inbound_nodes"] for tensor in _inputs_of(node)]
            give_masks(entry, any(mask_of(tensor) is not None for tensor in given))


def _mask_made(entry: Any, call: int, position: int, is_masked: bool, mask_of: Any) -> Any:
    """Returns what `mask_of` does for an output of a layer's call."""
    kind, config = entry["class_name"], entry["config"]
    if kind == "InputLayer":
        return is_masked or None
    node = entry["inbound_nodes"][call]
    if kind == "Embedding":
        return node["args"][0] if config.get("mask_zero") else None
    if kind == "Masking" or (kind in MODELS and _makes_masks(entry)):
        return True
    masks = [mask_of(tensor) for tensor in _inputs_of(node)]
    if kind in RECURRENT:
        inner = config["layer"]["config"] if kind == "Bidirectional" else config
        return masks[0] if inner.get("return_sequences") and position == 0 else None
    cls = getattr(layers, kind, None)
    if cls is not None and cls.compute_mask is Layer.compute_mask and len(masks) == 1:
        return masks[0] if cls.supports_masking else None
    return None if all(mask is None for mask in masks) else True


def _inputs_of(node: dict[str, Any]) -> list[Any]:
    (given,) = node["args"]
    return given if isinstance(given, list) else [given]


def _makes_masks(entry: dict[str, Any]) -> bool:
    """Returns whether a layer, or one within a model, makes masks."""
    config = entry["config"]
    makes_one = entry["class_name"] == "Masking" or (entry["class_name"] == "Embedding" and config.get("mask_zero"))
    return bool(makes_one) or any(map(_makes_masks, config.get("layers", ())))
