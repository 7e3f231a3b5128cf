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
from recurra.interop.keras_file import assign_all, model_from_config, open_hdf5, read_dataset
from recurra.variables import Variable

LARGEST_CONFIG = 2**26
MASK_OPERATIONS = ("NotEqual", "Any")  # how Keras 3 writes masks into a legacy file
# Options of Keras 2 that say nothing about the numbers here.
DROPPED = ("batch_input_shape", "time_major", "ragged", "input_dim", "input_length", "implementation")


def load_model(path: Path, custom_objects: Any, allow_nonfinite: bool) -> Any:
    """See `recurra.models.load_model`."""
    with open_hdf5(path.read_bytes(), path.name, "a sound .h5 model") as file:
        text = file.attrs.get("model_config")
        if text is None:
            hint = "build the model and call load_weights"
            raise FileFormatError(expected(path.name, "a whole model", "weights alone", hint))
        text = text.decode() if isinstance(text, bytes) else str(text)
        if len(text) > LARGEST_CONFIG:
            raise FileFormatError(expected(path.name, f"a config of at most {LARGEST_CONFIG} bytes", len(text)))
        model, _ = model_from_config(text, path.stat().st_size, custom_objects, path, _modern)
        pairs = _read_weights(file, model, path.name)
    assign_all(pairs, path.name, allow_nonfinite)
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


def _names(group: Any, attribute: str) -> list[str]:
    """Returns a list of names; a long one is stored in pieces `attribute0`, `attribute1`, ..."""
    found = group.attrs.get(attribute)
    if found is None:
        found, position = [], 0
        while f"{attribute}{position}" in group.attrs:
            found += list(group.attrs[f"{attribute}{position}"])
            position += 1
    return [name.decode() if isinstance(name, bytes) else str(name) for name in found]


def _read_weights(file: Any, model: Any, file_name: str) -> list[tuple[Variable, np.ndarray]]:
    groups = file["model_weights"]
    pairs: list[tuple[Variable, np.ndarray]] = []
    for layer in model.layers:
        if not layer.weights:
            continue
        if layer.name not in _names(groups, "layer_names"):
            raise FileFormatError(expected(file_name, f"weights of layer {layer.name!r}", "none"))
        group = groups[layer.name]
        names = _names(group, "weight_names")
        if len(names) != len(layer.weights):
            what = f"{len(layer.weights)} weights of layer {layer.name!r}"
            raise FileFormatError(expected(file_name, what, len(names)))
        for variable, name in zip(layer.weights, names, strict=True):
            pairs.append(
                (variable, read_dataset(file, f"model_weights/{layer.name}/{name}", variable.shape, file_name))
            )
    return pairs
