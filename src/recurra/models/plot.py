"""The graph of a model as a picture, drawn by Graphviz (https://graphviz.org)."""

from __future__ import annotations

import os
from typing import Any

from recurra import _tree
from recurra._checks import expected
from recurra._files import write_atomically
from recurra.layers.symbolic import node_of
from recurra.models.functional import GraphModel


def model_to_dot(model: Any, show_shapes: bool = False, *, show_layer_names: bool = True, rankdir: str = "TB") -> str:
    """Returns the model's graph in Graphviz's language.

    Args:
        model: A built Sequential or functional model.
        show_shapes: Write the output shapes.
        show_layer_names: Write the layers' names beside their classes.
        rankdir: "TB" from top to bottom, "LR" from left to right.

    Raises:
        ValueError: If the model is of another kind or not built.
    """
    if not isinstance(model, GraphModel):
        raise ValueError(expected("model_to_dot", "a Sequential or functional model", type(model).__name__))
    layers = model.graph.layers
    numbers = {id(layer): number for number, layer in enumerate(layers)}
    lines = ["digraph model {", f"  rankdir={rankdir}; node [shape=box, fontname=Helvetica];"]
    for number, layer in enumerate(layers):
        words = [f"{layer.name} ({type(layer).__name__})" if show_layer_names else type(layer).__name__]
        if show_shapes:
            shapes = [tensor.shape for node in layer._inbound_nodes[:1] for tensor in _tree.flatten(node.outputs)]
            words.append(", ".join(map(str, shapes)))
        label = "\\n".join(word.replace("\\", "\\\\").replace('"', '\\"') for word in words)
        lines.append(f'  n{number} [label="{label}"];')
    edges = {
        (numbers[id(node_of(tensor).layer)], numbers[id(node.layer)])
        for node in model.graph.nodes
        for tensor in node.parents()
    }
    lines += [f"  n{first} -> n{second};" for first, second in sorted(edges)]
    return "\n".join([*lines, "}", ""])


def plot_model(
    model: Any,
    to_file: str | os.PathLike[str] = "model.png",
    show_shapes: bool = False,
    *,
    show_layer_names: bool = True,
    rankdir: str = "TB",
) -> None:
    """Draws the model's graph to a .png, .svg or .pdf file, or writes it to a .dot file.

    Args:
        model, show_shapes, show_layer_names, rankdir: As in `model_to_dot`.
        to_file: The file.

    Raises:
        RuntimeError: If Graphviz is not installed; a .dot file does not need it.
    """
    import shutil
    import subprocess

    text = model_to_dot(model, show_shapes, show_layer_names=show_layer_names, rankdir=rankdir)
    kind = os.path.splitext(to_file)[1].removeprefix(".").lower()
    if kind not in ("png", "svg", "pdf", "dot"):
        raise ValueError(expected("plot_model", "a .png, .svg, .pdf or .dot file", repr(str(to_file))))
    if kind == "dot":
        write_atomically(to_file, text.encode())
        return
    program = shutil.which("dot")
    if program is None:
        hint = "install Graphviz from https://graphviz.org, or write a .dot file"
        raise RuntimeError(expected("plot_model", "Graphviz's program dot", "none on the path", hint))
    drawn = subprocess.run([program, f"-T{kind}"], input=text.encode(), capture_output=True, check=True)
    write_atomically(to_file, drawn.stdout)
