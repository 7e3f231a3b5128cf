"""Whole-model `.h5` files of Keras 2 and Keras 3's legacy form of them, without the compile arguments.

/                      attribute model_config: JSON
/model_weights         attribute layer_names
/model_weights/<layer> attribute weight_names, the trainable ones first

The form of Keras 3 is what is written.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np

from recurra import saving
from recurra._checks import expected
from recurra.errors import FileFormatError
from recurra.interop.hdf5_reader import Hdf5File, Node, open_hdf5
from recurra.interop.keras_file import KERAS_VERSION, LARGEST_CONFIG, assign_all, check_built, model_from_config
from recurra.variables import Variable

MASK_OPERATIONS = ("NotEqual", "Any")  # how Keras 3 writes masks into a legacy file
# Options of Keras 2 that say nothing about the numbers here.
DROPPED = (
    *("batch_input_shape", "time_major", "ragged", "input_length", "implementation"),
    *("query_shape", "key_shape", "value_shape", "softmax_robust_masking"),  # of attention
)
MODELS = ("Functional", "Model", "Sequential")
TENSOR_ARGUMENTS = ("initial_state", "value", "key", "query")
RECURRENT = ("Bidirectional", "GRU", "LSTM", "RNN", "SimpleRNN")
MOST_NAMES = 2000  # in one attribute: an object's header has 64 kB for it, and a name takes 16 bytes


def load_model(path: Path, custom_objects: Any, allow_nonfinite: bool) -> Any:
    """See `recurra.models.load_model`."""
    file_bytes = path.stat().st_size
    with open(path, "rb") as opened, open_hdf5(opened, path.name) as file:
        text = "".join(file.root.text("model_config")[:1])
        if not text:
            hint = "build the model and call load_weights"
            raise FileFormatError(expected(path.name, "a whole model", "weights alone", hint))
        if len(text) > LARGEST_CONFIG + 8 * file_bytes:
            raise FileFormatError(expected(path.name, f"a config of at most {LARGEST_CONFIG} bytes", len(text)))
        model, _ = model_from_config(text, file_bytes, file_bytes, custom_objects, path, _modern)
        assign_all(_read_weights(file, model), path.name, allow_nonfinite)
    return model


def model_bytes(model: Any) -> bytes:
    """Returns what a file of the model holds.

    Raises:
        ValueError: If the model is not built, or has weights of its own, beside those of its layers.
    """
    import h5py

    check_built(model, "saving")
    if model._own_weights():
        got, hint = f"weights of {model.name!r} itself", "save it as .keras"
        raise ValueError(expected("a .h5 file", "a model whose weights are those of its layers", got, hint))
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs["keras_version"] = KERAS_VERSION
        file.attrs["model_config"] = json.dumps(saving.serialize_keras_object(model))
        group = file.create_group("model_weights")
        _write_names(group, "layer_names", [layer.name for layer in model.layers])
        for layer in model.layers:
            weights = _weights_of(layer)
            names = [f"{position}/{variable.path}" for position, variable in enumerate(weights)]  # paths occur twice
            inner = group.create_group(layer.name)
            _write_names(inner, "weight_names", names)
            for name, variable in zip(names, weights, strict=True):
                inner.create_dataset(name, data=variable.value)
    return buffer.getvalue()


def _write_names(group: Any, attribute: str, names: list[str]) -> None:
    if len(names) <= MOST_NAMES:
        group.attrs[attribute] = names
        return
    for position, start in enumerate(range(0, len(names), MOST_NAMES)):
        group.attrs[f"{attribute}{position}"] = names[start : start + MOST_NAMES]


def _weights_of(layer: Any) -> list[Variable]:
    return [*layer.trainable_weights, *layer.non_trainable_weights]


def _modern(config: Any) -> Any:
    """Returns a config of Keras 2 in the words of Keras 3."""
    if isinstance(config, list):
        return [_modern(item) for item in config]
    if not isinstance(config, dict):
        return config
    changed = {key: _modern(value) for key, value in config.items()}
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
    if inner.get("time_major"):
        raise FileFormatError(expected("loading", "time_major=False", "True", "save the model without it"))
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
    in_old_words = False
    for entry in config["layers"]:
        nodes = entry.get("inbound_nodes")
        if nodes and isinstance(nodes[0], list):
            in_old_words = True
            entry["inbound_nodes"] = [_modern_node(node, first, entry["class_name"] in RECURRENT) for node in nodes]
    for ends in ("input_layers", "output_layers"):
        tensors = config.get(ends) or []
        if in_old_words and tensors and isinstance(tensors, list) and isinstance(tensors[0], list):
            tensors = [[name, node - first.get(name, 0), position] for name, node, position in tensors]
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


def _names(group: Node, attribute: str) -> list[str]:
    """Returns a list of names; a long one is stored in pieces `attribute0`, `attribute1`, ..."""
    found, position = group.text(attribute), 0
    while piece := group.text(f"{attribute}{position}"):
        found, position = found + piece, position + 1
    return found


def _read_weights(file: Hdf5File, model: Any) -> list[tuple[Variable, np.ndarray]]:
    known = set(_names(file.group("model_weights"), "layer_names"))
    pairs: list[tuple[Variable, np.ndarray]] = []
    for layer in model.layers:
        weights = _weights_of(layer)
        if not weights:
            continue
        if layer.name not in known:
            raise FileFormatError(expected(file.name, f"weights of layer {layer.name!r}", "none"))
        names = _names(file.group(f"model_weights/{layer.name}"), "weight_names")
        if len(names) != len(weights):
            raise FileFormatError(expected(file.name, f"{len(weights)} weights of layer {layer.name!r}", len(names)))
        for variable, name in zip(weights, names, strict=True):
            pairs.append((variable, file.dataset(f"model_weights/{layer.name}/{name}").read(variable.shape)))
    return pairs
