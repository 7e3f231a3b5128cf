"""`.safetensors` files of weights, both ways: a header of names and shapes, then plain numbers; no code can be in them.

https://github.com/huggingface/safetensors
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from recurra._checks import expected, one_of
from recurra._files import check_ending, path_of, write_atomically
from recurra.errors import FileFormatError, MissingFileError, extra_needed
from recurra.interop import torch_weights
from recurra.interop.keras_weights import assign_all
from recurra.variables import Variable

FLOATS = ("BF16", "F16", "F32", "F64")
INTEGERS = ("I32", "I64")


def save_safetensors(model: Any, filepath: str | os.PathLike[str], names: str = "keras") -> None:
    """Writes the weights of a built model to a `.safetensors` file, atomically.

    Args:
        model: The model.
        filepath: The file.
        names: "keras": the names of layers and weight within the model, such as "lstm/lstm_cell/kernel", in Keras's
            shapes. "torch": as of `to_torch`.

    Raises:
        ValueError: If the file's name ends as those of other kinds do.
    """
    path = path_of("saving", filepath)
    check_ending("save_safetensors", path, ".safetensors")
    one_of("save_safetensors", "names", names, ("keras", "torch"))
    state = torch_weights.to_torch(model) if names == "torch" else keras_names(model)
    data = _library().numpy.save(
        state, metadata={"format": "pt" if names == "torch" else "keras", "made_by": "recurra"}
    )
    write_atomically(path, data)


def load_safetensors(model: Any, filepath: str | os.PathLike[str], *, allow_nonfinite: bool = False) -> None:
    """Sets the weights of a built model from a `.safetensors` file, all or none.

    The names say which kind of file it is: all of them are those of the model's layers and weights, or it is a
    `state_dict` of torch. The file has lost the order of torch's modules: where their names are not those of the
    layers, each layer takes the one module that has its shapes. Numbers of 16 bits (float16, bfloat16) are widened.

    Args:
        model: A built model.
        filepath: The file.
        allow_nonfinite: Whether weights may hold NaN or infinity.

    Raises:
        FileFormatError: If the file is not sound or does not fit the model.
    """
    path = path_of("loading", filepath)
    with open_safetensors(path) as file:
        found = describe(file)
        keras_form = any("/" in name for name in found)
        counts: set[str] = set()  # such as that of Normalization
        if keras_form:
            wanted = _named_variables(model)
            _check_names(found, wanted, path.name)
            counts.update(name for name, variable in wanted.items() if variable.value.dtype.kind == "i")
        for name, (_, dtype) in found.items():
            if dtype not in FLOATS and not (name in counts and dtype in INTEGERS):
                raise FileFormatError(expected(path.name, f"floating point numbers in {name!r}", dtype))
        # torch has two biases where Keras has one.
        size, largest = sum(math.prod(shape) for shape, _ in found.values()), 2 * model.count_params()
        if size > largest:
            raise FileFormatError(expected(path.name, f"at most {largest} weights for the model", size))
        rough = {name: shape for name, (shape, dtype) in found.items() if dtype == "BF16"}
        widened = _bfloat16(path, rough) if rough else {}
        state = {name: widened[name] if name in widened else file.get_tensor(name) for name in found}
    if keras_form:
        assign_all([(variable, state[name]) for name, variable in wanted.items()], path.name, allow_nonfinite)
    else:
        torch_weights.assign_state(model, state, path.name, in_order=False, allow_nonfinite=allow_nonfinite)


def _bfloat16(path: Path, shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Returns arrays of bfloat16, which NumPy has not, as float32; the library has checked the file's header."""
    arrays = {}
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        for name, shape in shapes.items():
            start, end = header[name]["data_offsets"]
            file.seek(8 + length + start)
            upper_halves = np.frombuffer(file.read(end - start), "<u2")
            arrays[name] = (upper_halves.astype(np.uint32) << 16).view(np.float32).reshape(shape)
    return arrays


def _check_names(found: dict[str, Any], wanted: dict[str, Variable], file_name: str) -> None:
    """Raises FileFormatError if the names and shapes of a file are not those of the model."""
    odd = [*sorted(wanted.keys() - found.keys()), *sorted(found.keys() - wanted.keys())]
    if odd:
        which = "missing" if odd[0] in wanted else "not in the model"
        hint = None
        if sorted(map(_without_numbers, found)) == sorted(map(_without_numbers, wanted)):
            hint = "only the numbers of automatic names differ; name the layers, or call utils.clear_session() first"
        raise FileFormatError(expected(file_name, f"{len(wanted)} weights of the model", f"{odd[0]!r} {which}", hint))
    for name, variable in wanted.items():
        if found[name][0] != variable.shape:
            raise FileFormatError(expected(file_name, f"{name!r} of shape {variable.shape}", found[name][0]))


def _without_numbers(name: str) -> str:
    return re.sub(r"_\d+(?=/)", "", name)


@contextlib.contextmanager
def open_safetensors(path: Path) -> Iterator[Any]:
    """Opens a file to read in it, with the library's `safe_open`.

    Raises:
        FileFormatError: At the start or within the `with` block, if the file is not sound.
    """
    library = _library()
    if not path.is_file():
        raise MissingFileError(expected("loading", "an existing file", repr(str(path))))
    try:
        with library.safe_open(path, framework="np") as file:
            yield file
    except library.SafetensorError as error:
        raise FileFormatError(expected(path.name, "a sound .safetensors file", str(error))) from error


def describe(file: Any) -> dict[str, tuple[tuple[int, ...], str]]:
    """Returns shape and dtype, as the format calls it, of each array of an open file."""
    parts = {name: file.get_slice(name) for name in list(file.keys())}
    return {name: (tuple(part.get_shape()), part.get_dtype()) for name, part in parts.items()}


def keras_names(model: Any) -> dict[str, np.ndarray]:
    """Returns the weights by the names of layers and weight within the model.

    Raises:
        ValueError: If two weights have the same name.
    """
    return {name: variable.value for name, variable in _named_variables(model).items()}


def _named_variables(model: Any) -> dict[str, Variable]:
    # Not variable.path: that begins with the name of the model if its weights were made by building it.
    names: dict[int, str] = {}

    def walk(layer: Any, prefix: str) -> None:
        for variable in layer._own_weights():
            names.setdefault(id(variable), f"{prefix}{variable.name}")
        for inner in layer._sublayers():
            walk(inner, f"{prefix}{inner.name}/")

    walk(model, "")
    named = {names.get(id(variable), variable.path): variable for variable in model.weights}
    if len(named) != len(model.weights):
        raise ValueError(expected("safetensors", "weights with different names", "two alike", "name the layers"))
    return named


def _library() -> ModuleType:
    with extra_needed("safetensors files need", "safetensors", "interop"):
        import safetensors.numpy
    return safetensors
