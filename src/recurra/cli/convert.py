"""`recurra convert`: a model or its weights from one file format to another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from recurra._checks import expected
from recurra._files import write_atomically
from recurra.cli import console
from recurra.cli.options import check_not_over

READ = (".keras", ".h5", ".hdf5", ".weights.h5", ".safetensors")
WRITTEN = (".keras", ".weights.h5", ".safetensors", ".onnx")
Source = Annotated[Path, typer.Argument(metavar="from", help=f"A file: {', '.join(READ)}.")]
Target = Annotated[Path, typer.Argument(metavar="to", help=f"The file to write: {', '.join(WRITTEN)}.")]
Into = Annotated[
    Path | None, typer.Option("--into", help="For weights alone: the .keras model that they are weights of.")
]
Names = Annotated[str, typer.Option(help="Of weights in a .safetensors file: keras or torch.")]
RightPadded = Annotated[bool, typer.Option("--right-padded", help="ONNX: masked steps are always at the end.")]
Streaming = Annotated[bool, typer.Option("--streaming", help="ONNX: states are inputs and outputs.")]


def convert(
    source: Source,
    target: Target,
    into: Into = None,
    names: Names = "keras",
    right_padded: RightPadded = False,
    streaming: Streaming = False,
) -> None:
    """Convert a model or its weights to another file format.

    Example: recurra convert model.keras model.onnx
    """
    from recurra import interop
    from recurra.forecasting.forecaster_file import asset_of
    from recurra.interop.keras_file import model_bytes

    ending = _ending(target, WRITTEN)
    check_not_over("recurra convert", target, source, "the one to convert")
    for option, given, needed in (
        ("--names", names != "keras", ".safetensors"),
        ("--right-padded", right_padded, ".onnx"),
        ("--streaming", streaming, ".onnx"),
    ):
        if given and ending != needed:
            raise ValueError(expected(option, f"a {needed} file to write", repr(str(target)), "leave it out"))
    model = _read(source, into, compile=ending in (".keras", ".weights.h5"))  # others hold nothing of it
    if ending == ".keras":
        write_atomically(target, model_bytes(model, asset_of(into or source)))
    elif ending == ".weights.h5":
        model.save_weights(target)
    elif ending == ".onnx":
        interop.save_onnx(model, target, right_padded=right_padded, streaming=streaming)
    else:
        interop.save_safetensors(model, target, names)
    console.remark(f"wrote {target}")


def _ending(path: Path, endings: tuple[str, ...]) -> str:
    for ending in sorted(endings, key=len, reverse=True):
        if path.name.endswith(ending):
            return ending
    raise ValueError(expected("recurra convert", f"a file that ends in {', '.join(endings)}", repr(str(path))))


def _read(source: Path, into: Path | None, compile: bool) -> Any:
    from recurra import interop, models

    ending = _ending(source, READ)
    if ending == ".keras" and into is not None:
        raise ValueError(expected("--into", "weights alone to convert", f"the model {source}", "leave it out"))
    if ending in (".keras", ".h5", ".hdf5") and into is None:
        return models.load_model(source, compile=compile)
    if into is None:
        hint = "say with --into MODEL.keras what they are weights of"
        raise ValueError(expected("recurra convert", "a model", f"the weights {source}", hint))
    model = models.load_model(into, compile=compile)
    if ending == ".safetensors":
        interop.load_safetensors(model, source)
    else:
        model.load_weights(source)
    return model
