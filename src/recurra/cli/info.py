"""`recurra info`: versions, the native engine, and which extras are there."""

from __future__ import annotations

import importlib.util
import platform

import numpy as np

from recurra.cli import console
from recurra.cli.options import Json

EXTRAS = {
    "forecast": ("narwhals", "polars", "matplotlib", "typer"),
    "interop": ("onnx", "safetensors"),
    "tensorboard": ("tensorboardX",),
    "peers": ("keras", "tensorflow", "tf_keras", "torch"),
    "baselines": ("statsforecast",),
}


def info(json: Json = False) -> None:
    """Show versions, the CPU target in use, threads and extras.

    Example: recurra info --json
    """
    import recurra

    facts = {
        "recurra": recurra.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": platform.machine(),
        **{f"native {name}": value for name, value in recurra.native_info().items()},
    }
    for extra, modules in EXTRAS.items():
        missing = [name for name in modules if importlib.util.find_spec(name) is None]
        facts[f"extra {extra}"] = f"without {', '.join(missing)}" if missing else "installed"
    if json:
        console.document(facts)
        return
    rows = [[name, ", ".join(map(str, v)) if isinstance(v, (list, tuple)) else str(v)] for name, v in facts.items()]
    console.table("recurra", ["what", "value"], rows, texts=2)
