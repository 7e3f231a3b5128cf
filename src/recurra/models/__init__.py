"""Models: Sequential, Model, and reading them from files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recurra import layers, saving
from recurra._missing import says_what_to_do
from recurra.models.clone import clone_model
from recurra.models.functional import Functional
from recurra.models.lambda_layer import Lambda
from recurra.models.model import Model
from recurra.models.sequential import Sequential

layers.Lambda = Lambda  # type: ignore[misc]  # a layer to its users, above the layers as a model of them

__all__ = ["Functional", "Model", "Sequential", "clone_model", "load_model", "model_from_json", "save_model"]


def load_model(
    filepath: Any,
    custom_objects: dict[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
    allow_nonfinite: bool = False,
) -> Model:
    """Reads a `.keras` file, or a whole-model `.h5` file of Keras 2 (not compiled) or 3.

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
    """Saves a model into a file, over one that is there unless `overwrite` is False; see `Model.save`."""
    model.save(filepath, overwrite=overwrite, **kwargs)


def model_from_json(json_string: str, custom_objects: dict[str, Any] | None = None) -> Model:
    """Builds a model, with new weights, from `Model.to_json`; it is compiled as that one was."""
    import json

    config = json.loads(json_string)
    compile_config = config.get("compile_config")
    with saving.CustomObjectScope(custom_objects or {}), saving.closed_table():
        model = saving.deserialize_keras_object(config)
        if compile_config:
            model.compile_from_config(compile_config)
    return model


if not TYPE_CHECKING:  # type checkers would take every name for one that is there
    __getattr__ = says_what_to_do(__name__)
