"""Whole-model `.h5` files of Keras 2 (and Keras 3's legacy form of them): read only, without the compile arguments.

/                      attribute model_config: JSON
/model_weights         attribute layer_names
/model_weights/<layer> attribute weight_names, in the order of `layer.get_weights()`
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from recurra._checks import expected
from recurra.errors import FileFormatError
from recurra.interop.hdf5_reader import Hdf5File, Node, open_hdf5
from recurra.interop.keras_file import LARGEST_CONFIG, assign_all, model_from_config
from recurra.variables import Variable

MASK_OPERATIONS = ("NotEqual", "Any")  # how Keras 3 writes masks into a legacy file
# Options of Keras 2 that say nothing about the numbers here.
DROPPED = ("batch_input_shape", "time_major", "ragged", "input_dim", "input_length", "implementation")


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
    for ends in ("input_layers", "output_layers"):
        if len(inner.get(ends) or ()) == 1:
            changed["config"][ends] = inner[ends][0]  # one tensor, not a list of one
    nodes = changed.get("inbound_nodes")
    if nodes and isinstance(nodes[0], list):
        changed["inbound_nodes"] = [_modern_node(node) for node in nodes]
    return changed


def _begins_with_input(config: dict[str, Any]) -> bool:
    entries = config.get("layers") or [{}]
    return entries[0].get("class_name") == "InputLayer"


def _first_shape(config: dict[str, Any]) -> Any:
    entries = config["config"].get("layers") or [{}]
    return entries[0].get("config", {}).get("batch_input_shape") or config["config"].get("build_input_shape")


def _modern_node(node: list[Any]) -> dict[str, Any]:
    """`[[name, node, tensor, kwargs], ...]` as Keras 3's args and kwargs."""

    def tensor(name: str, index: int, position: int) -> dict[str, Any]:
        return {"class_name": "__keras_tensor__", "config": {"keras_history": [name, index, position]}}

    if not isinstance(node[0], list):
        node = [node]
    tensors = [tensor(*entry[:3]) for entry in node]
    kwargs = {}
    for name, value in (node[0][3] if len(node[0]) > 3 else {}).items():
        is_state = name == "initial_state" and isinstance(value, list) and value
        kwargs[name] = [tensor(*entry[:3]) for entry in value] if is_state else value
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
        if not layer.weights:
            continue
        if layer.name not in known:
            raise FileFormatError(expected(file.name, f"weights of layer {layer.name!r}", "none"))
        names = _names(file.group(f"model_weights/{layer.name}"), "weight_names")
        if len(names) != len(layer.weights):
            what = f"{len(layer.weights)} weights of layer {layer.name!r}"
            raise FileFormatError(expected(file.name, what, len(names)))
        for variable, name in zip(layer.weights, names, strict=True):
            pairs.append((variable, file.dataset(f"model_weights/{layer.name}/{name}").read(variable.shape)))
    return pairs
