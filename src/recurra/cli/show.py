"""`recurra show`: what a model file holds, without running anything of it."""

from __future__ import annotations

import io
import json as json_library
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from recurra._checks import expected
from recurra.cli import console
from recurra.cli.options import Json

ModelFile = Annotated[
    Path, typer.Argument(metavar="{file}", help="A .keras, .h5, .weights.h5, .onnx or .safetensors file.")
]


def show(file: ModelFile, json: Json = False) -> None:
    """Show what a model file holds: layers, sizes, inputs and outputs, where it came from.

    Example: recurra show model.keras
    """
    facts, arrays = _read(file)
    facts = {"file": file.name, "bytes": file.stat().st_size, **facts}
    if arrays:
        facts["weights"] = sum(int(np.prod(shape)) for name, shape, _ in arrays if not name.startswith("optimizer/"))
    if json:
        rows = [{"name": name, "shape": list(shape), "dtype": dtype} for name, shape, dtype in arrays]
        console.document(facts | ({"arrays": rows} if arrays else {}))
        return
    text = facts.pop("summary", None)
    console.table("File", ["what", "value"], [[name, str(value)] for name, value in facts.items()])
    if text:
        print(text)
    elif arrays:
        console.table("Arrays", ["name", "shape", "dtype"], [[name, str(shape), kind] for name, shape, kind in arrays])


def _read(path: Path) -> tuple[dict[str, Any], list[tuple[str, tuple[int, ...], str]]]:
    """Returns facts about a file, and name, shape and dtype of the arrays in it where there is no model around them."""
    name = path.name
    if name.endswith(".weights.h5"):
        return {"format": "Keras weights"}, _hdf5_arrays(path)
    if name.endswith((".keras", ".h5", ".hdf5")):
        return _model_facts(path), []
    if name.endswith(".onnx"):
        return _onnx_facts(path), []
    if name.endswith(".safetensors"):
        from recurra.interop.safetensors_file import read_safetensors

        arrays = read_safetensors(path)
        return {"format": "safetensors"}, [(key, array.shape, str(array.dtype)) for key, array in arrays.items()]
    raise ValueError(
        expected("recurra show", "a .keras, .h5, .weights.h5, .onnx or .safetensors file", repr(str(path)))
    )


def _model_facts(path: Path) -> dict[str, Any]:
    from recurra import models
    from recurra.interop.keras_file import read_archive

    model: Any = models.load_model(path, compile=False, allow_nonfinite=True)
    facts: dict[str, Any] = {"format": "Keras model" if path.suffix == ".keras" else "Keras model, HDF5"}
    if path.suffix == ".keras":
        members = read_archive(path)
        metadata, config = (json_library.loads(members[name]) for name in ("metadata.json", "config.json"))
        facts["written for"] = f"Keras {metadata.get('keras_version')}, {metadata.get('date_saved')}"
        facts["compiled with"] = _compiled(config.get("compile_config") or {})
    facts["inputs"] = ", ".join(
        f"{n} {t.shape} {t.dtype}" for n, t in zip(model.input_names, model.inputs, strict=True)
    )
    facts["outputs"] = ", ".join(f"{n} {t.shape}" for n, t in zip(model.output_names, model.outputs, strict=True))
    if not all(np.isfinite(weight).all() for weight in model.get_weights()):
        facts["note"] = "some weights are NaN or infinite"
    lines = io.StringIO()
    model.summary(print_fn=lambda line: lines.write(f"{line}\n"))
    facts["summary"] = lines.getvalue().rstrip()
    return facts


def _compiled(config: dict[str, Any]) -> str:
    optimizer = config.get("optimizer")
    named = optimizer.get("class_name") if isinstance(optimizer, dict) else optimizer
    loss = config.get("loss")
    named_loss = loss.get("config", {}).get("name") if isinstance(loss, dict) else loss
    return f"{named}, {named_loss}" if named else "nothing"


def _hdf5_arrays(path: Path) -> list[tuple[str, tuple[int, ...], str]]:
    import h5py

    from recurra.interop.keras_file import open_hdf5

    found: list[tuple[str, tuple[int, ...], str]] = []

    def visit(name: str, item: Any) -> None:  # h5py follows hard links alone here
        if isinstance(item, h5py.Dataset):
            found.append((name, item.shape, str(item.dtype)))

    with open_hdf5(path.read_bytes(), path.name, "a sound HDF5 file") as file:
        file.visititems(visit)
    return found


def _onnx_facts(path: Path) -> dict[str, Any]:
    from recurra.errors import FileFormatError, extra_needed
    from recurra.interop.keras_file import one_line

    data = path.read_bytes()
    with extra_needed("ONNX files need", "onnx", "interop"):
        import onnx
    try:
        model = onnx.load_model_from_string(data)
        onnx.checker.check_model(model)
    except Exception as error:
        raise FileFormatError(expected(path.name, "a sound ONNX model", one_line(error))) from error
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
