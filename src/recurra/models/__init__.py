"""Models: Sequential, Model, and reading them from files."""

from __future__ import annotations

from typing import Any

from recurra.models.functional import Functional
from recurra.models.model import Model
from recurra.models.sequential import Sequential

__all__ = ["Functional", "Model", "Sequential", "clone_model", "load_model", "model_from_json", "save_model"]


def load_model(
    filepath: Any,
    custom_objects: dict[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
    allow_nonfinite: bool = False,
) -> Model:
    """Reads a `.keras` file, or a whole-model `.h5` file of Keras 2 (without its compile arguments).

    Args:
        filepath: The file.
        custom_objects: Classes and functions of your own that it may name.
        compile: Whether to restore the optimizer, the loss and the metrics.
        safe_mode: Must be True: a file never runs code.
        allow_nonfinite: Whether weights may hold NaN or infinity.

    Returns:
        The model, with its weights.

    Raises:
        FileFormatError: If the file is not sound.
    """
    from recurra.interop import keras_file

    return keras_file.load_model(filepath, custom_objects, compile, safe_mode, allow_nonfinite)


def save_model(model: Model, filepath: Any, overwrite: bool = True, **kwargs: Any) -> None:
    """Saves a model; see `Model.save`."""
    model.save(filepath, overwrite=overwrite, **kwargs)


def model_from_json(json_string: str, custom_objects: dict[str, Any] | None = None) -> Model:
    """Builds a model, with new weights, from `Model.to_json`."""
    import json

    from recurra import saving

    return saving.deserialize_keras_object(json.loads(json_string), custom_objects=custom_objects)


def clone_model(model: Model, input_tensors: Any = None, clone_function: Any = None) -> Model:
    """Returns a model of the same layers with new weights."""
    if input_tensors is not None or clone_function is not None:
        raise ValueError("clone_model expected the model alone, got input_tensors or clone_function: edit its config")
    return type(model).from_config(model.get_config())
