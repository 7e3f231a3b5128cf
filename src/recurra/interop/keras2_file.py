"""`.h5` files of Keras 2 and Keras 3's legacy form of them.

/                      attributes model_config and, of a compiled model, training_config: JSON
/model_weights         attribute layer_names
/model_weights/<layer> attribute weight_names, the trainable ones first
/optimizer_weights     attribute weight_names

The form of Keras 3 is what is written. What `compile` was told is read of that form alone: Keras 2 has other words.
A file of weights alone has at its root what a whole model has in model_weights.
"""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from recurra import losses, saving
from recurra._checks import expected
from recurra._signals import HeldSignals
from recurra.errors import FileFormatError
from recurra.interop.hdf5_reader import Hdf5File, Node, open_hdf5
from recurra.interop.keras2_config import give_masks, modernized, refuse_hard_sigmoid
from recurra.interop.keras_file import KERAS_VERSION, LARGEST_CONFIG, compile_model, model_from_config, read_json
from recurra.interop.keras_weights import (
    SKIP,
    UNSOUND,
    assign_all,
    check_built,
    check_steps,
    difference_of,
    tell_skipped,
    told,
)
from recurra.layers.base import Layer
from recurra.variables import Variable

MODULES = {"loss": "keras.losses", "metrics": "keras.metrics", "weighted_metrics": "keras.metrics"}
# Of a function the file has the name alone: one of the caller's looks like one of recurra's that is misspelled.
_OWN_FUNCTIONS = "load_model(path, compile=False) leaves it out; pass functions of your own in custom_objects"
MOST_NAMES = 2000  # in one attribute: an object's header has 64 kB for it, and a name takes 16 bytes


def load_model(path: Path, custom_objects: Any, compile: bool, allow_nonfinite: bool) -> Any:
    """See `recurra.models.load_model`."""
    file_bytes = path.stat().st_size
    with open(path, "rb") as opened, open_hdf5(opened, path.name) as file:
        text = "".join(file.root.text("model_config")[:1])
        if not text:
            hint = "build the model and call load_weights, or recurra convert with --into"
            raise FileFormatError(expected(path.name, "a whole model", "weights alone", hint))
        if len(text) > LARGEST_CONFIG + 8 * file_bytes:
            raise FileFormatError(expected(path.name, f"a config of at most {LARGEST_CONFIG} bytes", len(text)))
        is_keras2 = not "".join(file.root.text("keras_version")[:1]).startswith("3")

        def translate(config: Any) -> Any:
            if is_keras2 and saving.get_registered_object("hard_sigmoid", custom_objects) is None:
                refuse_hard_sigmoid(config, path.name)
            modern = modernized(config)
            if is_keras2:
                give_masks(modern, is_masked=False)
            return modern

        model, _ = model_from_config(text, file_bytes, file_bytes, custom_objects, path, translate)
        pairs = _read_weights(file, model, "model_weights/")
        compiled = "".join(file.root.text("training_config")[:1])
        if compile and compiled and not is_keras2:
            with saving.CustomObjectScope(custom_objects):
                config = _compile_config(compiled, path)
            compile_model(model, config, file_bytes, custom_objects, path, "training_config", _OWN_FUNCTIONS)
            pairs += _read_optimizer(file, model.optimizer)
        assign_all(pairs, path.name, allow_nonfinite)
    return model


def _compile_config(text: str, path: Path) -> dict[str, Any]:
    """Returns what `compile` was told as `.keras` files say it: classes with the modules that they are in."""
    try:
        told_here = read_json(text, LARGEST_CONFIG)
        found = {name: _placed(told_here.get(name), module) for name, module in MODULES.items()}
        return found | {
            "optimizer": _placed(told_here["optimizer_config"], "keras.optimizers"),
            "loss_weights": told_here.get("loss_weights"),
        }
    except UNSOUND as error:
        hint = "load_model(path, compile=False) leaves it out"
        what = f"a sound training_config in {path.name}"
        raise FileFormatError(expected("load_model", what, told(error), hint)) from error


def _map_objects(change: Callable[[Any], Any], config: Any) -> Any:
    """Returns what `change` makes of the names and configs of objects that are nested in lists and dicts."""
    if isinstance(config, (list, tuple)):
        return [_map_objects(change, item) for item in config]
    if isinstance(config, dict) and "class_name" not in config:
        return {key: _map_objects(change, value) for key, value in config.items()}
    return change(config) if isinstance(config, (str, dict)) else config


def _placed(config: Any, module: str) -> Any:
    """Returns a config of objects, nested in any way, each with its module where that is not said.

    The name of a function of the caller's becomes a config too: as a name it would be looked up once the model trains.
    """

    def place(one: Any) -> Any:
        if isinstance(one, dict):
            return {"module": module, "registered_name": one["class_name"]} | one
        return one if saving.get_registered_object(one) is None else {"class_name": "function", "config": one}

    return _map_objects(place, config)


def _read_optimizer(file: Hdf5File, optimizer: Any) -> list[tuple[Variable, np.ndarray]]:
    """Returns the variables of a model's optimizer with what the file has for them; it warns if that is another's."""
    group = file.root.find("optimizer_weights")
    if group is None or optimizer is None:
        return []
    paths = [f"optimizer_weights/{name}" for name in _names(group, "weight_names")]
    difference = difference_of(file, paths, optimizer.variables)
    if difference is not None:
        warnings.warn(f"{file.name}: the optimizer's state is not restored: {difference}", stacklevel=5)
        return []
    pairs = [(one, file.dataset(path).read(one.shape)) for one, path in zip(optimizer.variables, paths, strict=True)]
    check_steps(pairs, file.name)
    return pairs


def model_bytes(model: Any, include_optimizer: bool = True) -> bytes:
    """Returns what a file of the model holds; without the optimizer also nothing of `compile`, as in Keras.

    Raises:
        ValueError: If the model is not built, or has weights of its own, beside those of its layers.
    """
    import h5py

    check_built(model, "saving")
    if model._own_weights():
        got, hint = f"weights of {model.name!r} itself", "save it as .keras"
        raise ValueError(expected("a .h5 file", "a model whose weights are those of its layers", got, hint))
    buffer = io.BytesIO()
    with HeldSignals(), h5py.File(buffer, "w") as file:
        file.attrs["keras_version"] = KERAS_VERSION
        file.attrs["model_config"] = json.dumps(saving.serialize_keras_object(model))
        group = file.create_group("model_weights")
        _write_names(group, "layer_names", [layer.name for layer in model.layers])
        for layer in model.layers:
            weights = _weights_of(layer)
            _write_variables(group.create_group(layer.name), weights)
        config = model.get_compile_config() if include_optimizer and model.optimizer is not None else None
        if config is not None:
            config["optimizer_config"] = config.pop("optimizer")
            for name in MODULES:
                config[name] = _by_names(config.get(name), losses.ALIASES if name == "loss" else {})
            file.attrs["training_config"] = json.dumps(config)
            if model.optimizer.built:
                _write_variables(file.create_group("optimizer_weights"), model.optimizer.variables)
    return buffer.getvalue()


def _by_names(config: Any, aliases: dict[str, str]) -> Any:
    """Returns a config of losses or metrics with functions as names alone, in full: Keras reads no others here."""

    def by_name(one: Any) -> Any:
        if isinstance(one, str):
            return aliases.get(one.lower(), one)
        return one["registered_name"] if one["class_name"] == "function" else one

    return _map_objects(by_name, config)


def _write_variables(group: Any, variables: list[Variable]) -> None:
    names = [f"{position}/{variable.path}" for position, variable in enumerate(variables)]  # paths occur twice
    _write_names(group, "weight_names", names)
    for name, variable in zip(names, variables, strict=True):
        group.create_dataset(name, data=variable.value)


def _write_names(group: Any, attribute: str, names: list[str]) -> None:
    if len(names) <= MOST_NAMES:
        group.attrs[attribute] = names
        return
    for position, start in enumerate(range(0, len(names), MOST_NAMES)):
        group.attrs[f"{attribute}{position}"] = names[start : start + MOST_NAMES]


def _weights_of(layer: Any) -> list[Variable]:
    return [*layer.trainable_weights, *layer.non_trainable_weights]


def holds_weights(file: Hdf5File) -> bool:
    """Returns whether a file is one of these: its ending may be that of Keras 3's weights."""
    return bool(_names(file.root, "layer_names")) or file.root.find("model_weights") is not None


def load_weights(model: Any, file: Hdf5File, allow_nonfinite: bool, skip_mismatch: bool) -> None:
    """See `keras_file.load_weights`."""
    place = "" if file.root.find("model_weights") is None else "model_weights/"
    skipped: list[tuple[Layer, str]] = []
    pairs = _read_weights(file, model, place, skipped if skip_mismatch else None, SKIP)
    tell_skipped(skipped, file.name)
    assign_all(pairs, file.name, allow_nonfinite)


def _names(group: Node, attribute: str) -> list[str]:
    """Returns a list of names; a long one is stored in pieces `attribute0`, `attribute1`, ..."""
    found, position = group.text(attribute), 0
    while piece := group.text(f"{attribute}{position}"):
        found, position = found + piece, position + 1
    return found


def _read_weights(
    file: Hdf5File,
    model: Any,
    place: str,
    skipped: list[tuple[Layer, str]] | None = None,
    hint: str | None = None,
) -> list[tuple[Variable, np.ndarray]]:
    """Returns the variables with their arrays: of the layers by name, or in order, as in Keras, if names differ.

    Args:
        file: The file.
        model: The model.
        place: Of the groups of the layers: "model_weights/" or "".
        skipped: Gets the layers whose weights differ in number or shape; None if that is an error.
        hint: What to do then.
    """
    parent = file.group(place[:-1]) if place else file.root
    names = {name: _names(file.group(f"{place}{name}"), "weight_names") for name in _names(parent, "layer_names")}
    wanted = {layer.name: layer for layer in model.layers if _weights_of(layer)}
    filled = [name for name in names if names[name]]
    if not wanted.keys() <= names.keys() and len(filled) == len(wanted):
        places = dict(zip(wanted, filled, strict=True))
    else:
        places = {name: name for name in wanted}
    pairs: list[tuple[Variable, np.ndarray]] = []
    for name, layer in wanted.items():
        found, weights = names.get(places[name]), _weights_of(layer)
        paths = [f"{place}{places[name]}/{path}" for path in found or ()]
        difference = None if skipped is None else difference_of(file, paths, weights)
        if skipped is not None and difference is not None:
            skipped.append((layer, difference))
            continue
        if found is None:
            raise FileFormatError(expected(file.name, f"weights of layer {name!r}", "none", hint))
        if len(paths) != len(weights):
            raise FileFormatError(expected(file.name, f"{len(weights)} weights of layer {name!r}", len(paths), hint))
        for variable, path in zip(weights, paths, strict=True):
            pairs.append((variable, file.dataset(path).read(variable.shape, hint)))
    for name in filled if skipped is None else ():
        if name not in places.values():
            what, got = f"weights of {len(wanted)} layers", f"also those of {name!r}"
            raise FileFormatError(expected(file.name, what, got, hint))
    return pairs
