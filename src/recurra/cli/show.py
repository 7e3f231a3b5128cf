"""`recurra show`: what a model file holds, without running anything of it."""

from __future__ import annotations

import io
import math
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from recurra._checks import expected
from recurra.cli import console
from recurra.cli.options import Json
from recurra.errors import FileFormatError, extra_needed

Arrays = list[tuple[str, tuple[int, ...], str]]  # name, shape and dtype
DTYPES = {"F16": "float16", "F32": "float32", "F64": "float64"}  # as safetensors calls them
LARGEST_ONNX = 2**31  # bytes: what the format allows

ModelFile = Annotated[
    Path, typer.Argument(metavar="file", help="A .keras, .h5, .weights.h5, .onnx or .safetensors file.")
]


def show(file: ModelFile, json: Json = False) -> None:
    """Show what a model file holds, without running any of it.

    Example: recurra show model.keras
    """
    facts, arrays = _read(file)
    facts = {"file": file.name, "bytes": file.stat().st_size, **facts}
    if arrays:
        facts["weights"] = sum(math.prod(shape) for name, shape, _ in arrays if not name.startswith("optimizer/"))
    if json:
        rows = [{"name": name, "shape": list(shape), "dtype": dtype} for name, shape, dtype in arrays]
        console.document(facts | ({"arrays": rows} if arrays else {}))
        return
    text = facts.pop("summary", None)
    about = [[name, _printable(value)] for name, value in facts.items()]
    console.table("File", ["what", "value"], about, texts=2)
    if text:
        print(_printable(text))
    elif arrays:
        lines = [[_printable(name), str(shape), kind] for name, shape, kind in arrays]
        console.table("Arrays", ["name", "shape", "dtype"], lines)


def _printable(value: Any) -> str:
    """Returns text without what could steer a terminal: it comes from a file."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in str(value))


def _read(path: Path) -> tuple[dict[str, Any], Arrays]:
    """Returns facts about a file, and the arrays in it where there is no model around them."""
    name = path.name
    if not name.endswith((".keras", ".h5", ".hdf5", ".onnx", ".safetensors")):
        what = "a .keras, .h5, .weights.h5, .onnx or .safetensors file"
        raise ValueError(expected("recurra show", what, repr(str(path))))
    if not path.is_file():
        raise FileFormatError(expected("recurra show", "an existing file", repr(str(path))))
    if name.endswith(".weights.h5"):
        return {"format": "Keras weights"}, _hdf5_arrays(path)
    if name.endswith(".safetensors"):
        return _safetensors(path)
    return (_onnx_facts if name.endswith(".onnx") else _model_facts)(path), []


def _model_facts(path: Path) -> dict[str, Any]:
    from recurra import models

    model: Any = models.load_model(path, compile=False, allow_nonfinite=True)
    facts = _archive_facts(path) if path.suffix == ".keras" else _hdf5_facts(path)
    inputs = zip(model.input_names, model.inputs, strict=True)
    facts["inputs"] = ", ".join(f"{name} {tensor.shape} {tensor.dtype}" for name, tensor in inputs)
    outputs = zip(model._outputs.paths, model.outputs, strict=True)
    facts["outputs"] = ", ".join(f"{name} {tensor.shape}" for name, tensor in outputs)
    if not all(np.isfinite(weight).all() for weight in model.get_weights()):
        facts["note"] = "some weights are NaN or infinite"
    lines = io.StringIO()
    model.summary(print_fn=lambda line: lines.write(f"{line}\n"))
    facts["summary"] = lines.getvalue().rstrip()
    return facts


def _archive_facts(path: Path) -> dict[str, Any]:
    from recurra.interop.keras_file import archive_documents

    metadata, config = archive_documents(path)
    written = f"Keras {metadata.get('keras_version')}, {metadata.get('date_saved')}"
    return {"format": "Keras model", "written for": written, "compiled with": _compiled(config.get("compile_config"))}


def _hdf5_facts(path: Path) -> dict[str, Any]:
    from recurra.interop.hdf5_reader import open_hdf5

    with open(path, "rb") as opened, open_hdf5(opened, path.name) as file:
        version = "".join(file.root.text("keras_version")) or "of an unknown version"
    return {"format": "Keras model, HDF5", "written for": f"Keras {version}"}


def _compiled(config: Any) -> str:
    """Returns what a model is compiled with, in words; a file may hold anything there."""
    config = config if isinstance(config, dict) else {}
    named = [_name(config.get(part)) for part in ("optimizer", "loss")]
    return ", ".join(name for name in named if name) or "nothing"


def _name(part: Any) -> str:
    if not isinstance(part, dict):
        return "" if part is None else str(part)[:80]
    inner = part.get("config")
    return str(
        inner.get("name") if isinstance(inner, dict) and "loss" in str(part.get("module")) else part.get("class_name")
    )


def _hdf5_arrays(path: Path) -> Arrays:
    from recurra.interop.hdf5_reader import open_hdf5

    with open(path, "rb") as opened, open_hdf5(opened, path.name) as file:
        return [(name, dataset.shape, dataset.dtype.name) for name, dataset in file.datasets()]


def _safetensors(path: Path) -> tuple[dict[str, Any], Arrays]:
    from recurra.interop.safetensors_file import describe, open_safetensors

    with open_safetensors(path) as file:
        made_by = (file.metadata() or {}).get("made_by", "an unknown program")
        arrays = [(name, shape, DTYPES.get(dtype, dtype)) for name, (shape, dtype) in describe(file).items()]
    return {"format": "safetensors", "written by": made_by}, arrays


def _onnx_facts(path: Path) -> dict[str, Any]:
    if path.stat().st_size > LARGEST_ONNX:
        raise FileFormatError(expected(path.name, f"at most {LARGEST_ONNX} bytes", path.stat().st_size))
    data = path.read_bytes()
    with extra_needed("ONNX files need", "onnx", "interop"):
        import onnx
    try:
        model = onnx.load_model_from_string(data)
        onnx.checker.check_model(model)
    except Exception as error:
        raise FileFormatError(expected(path.name, "a sound ONNX model", str(error))) from error
    counts = Counter(node.op_type for node in model.graph.node)
    return {
        "format": f"ONNX, opset {model.opset_import[0].version}",
        "written by": f"{model.producer_name} {model.producer_version}".strip(),
        "inputs": ", ".join(map(_onnx_tensor, model.graph.input)),
        "outputs": ", ".join(map(_onnx_tensor, model.graph.output)),
        "nodes": ", ".join(f"{count} {name}" for name, count in counts.most_common()),
    }


def _onnx_tensor(info: Any) -> str:
    sizes = [d.dim_param or str(d.dim_value) for d in info.type.tensor_type.shape.dim]
    return f"{info.name} ({', '.join(sizes)})"
