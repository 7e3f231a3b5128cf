"""`.safetensors` files of weights, both ways: a header of names and shapes, then plain numbers; no code can be in them.

https://github.com/huggingface/safetensors
"""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from recurra._checks import expected, one_of
from recurra._files import write_atomically
from recurra.errors import FileFormatError, extra_needed
from recurra.interop import torch_weights
from recurra.interop.keras_file import assign_all, one_line


def save_safetensors(model: Any, filepath: str | os.PathLike[str], names: str = "keras") -> None:
    """Writes the weights of a built model to a `.safetensors` file, atomically.

    Args:
        model: The model.
        filepath: The file.
        names: "keras": the weights' paths, such as "lstm/lstm_cell/kernel", in Keras's shapes. "torch": as of
            `to_torch`.
    """
    one_of("save_safetensors", "names", names, ("keras", "torch"))
    state = torch_weights.to_torch(model) if names == "torch" else keras_names(model)
    data = _library().save(state, metadata={"format": "pt" if names == "torch" else "keras", "made_by": "recurra"})
    write_atomically(filepath, data)


def load_safetensors(model: Any, filepath: str | os.PathLike[str], *, allow_nonfinite: bool = False) -> None:
    """Sets the weights of a built model from a `.safetensors` file, all or none.

    The names say which kind of file it is: all of them are the model's own weight paths, or it is read as `from_torch`
    reads a `state_dict`.

    Raises:
        FileFormatError: If the file is not sound or does not fit the model.
    """
    path = Path(filepath)
    state = read_safetensors(path)
    wanted = keras_names(model)
    if not any("/" in name for name in state):
        torch_weights.from_torch(model, state, allow_nonfinite=allow_nonfinite)
        return
    if set(state) != set(wanted):
        odd = sorted(set(state) ^ set(wanted))[0]
        which = "missing" if odd in wanted else "not in the model"
        raise FileFormatError(expected(path.name, f"{len(wanted)} weights of the model", f"{odd!r} {which}"))
    for name, value in wanted.items():
        if state[name].shape != value.shape:
            raise FileFormatError(expected(path.name, f"{name!r} of shape {value.shape}", state[name].shape))
    assign_all([(variable, state[variable.path]) for variable in model.weights], path.name, allow_nonfinite)


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """Returns the arrays of a file by name.

    Raises:
        FileFormatError: If the file is not sound.
    """
    library = _library()
    if not path.is_file():
        raise FileFormatError(expected("loading", "an existing file", repr(str(path))))
    try:
        return library.load(path.read_bytes())
    except Exception as error:  # the library's own error class, and KeyError for a dtype that NumPy lacks
        raise FileFormatError(expected(path.name, "a sound .safetensors file", one_line(error))) from error


def keras_names(model: Any) -> dict[str, np.ndarray]:
    """Returns the weights by path.

    Raises:
        ValueError: If two weights have the same path.
    """
    named = {variable.path: variable.value for variable in model.weights}
    if len(named) != len(model.weights):
        raise ValueError(expected("safetensors", "weights with different paths", "two alike", "name the layers"))
    return named


def _library() -> ModuleType:
    with extra_needed("safetensors files need", "safetensors", "interop"):
        import safetensors.numpy
    return safetensors.numpy
