"""The graph of a model as a picture, drawn by Graphviz (https://graphviz.org)."""

from __future__ import annotations

import os
from typing import Any

from recurra import _tree
from recurra._checks import expected
from recurra._files import write_atomically
from recurra.layers.symbolic import node_of
from recurra.models.functional import GraphModel


def model_to_dot(
    model: Any,
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = True,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
    *,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    splines: str = "ortho",
) -> str:
    """Returns the model's graph in Graphviz's language.

    Args:
        model: A built Sequential or functional model.
        show_shapes, show_dtype: Write the output shapes, the layers' dtypes.
        show_layer_names: Write the layers' names beside their classes.
        rankdir: "TB" from top to bottom, "LR" from left to right.
        expand_nested: False: a model within the model is one box.
        dpi: Dots per inch of a .png.
        show_layer_activations, show_trainable: Write the layers' activations, whether they are trained.
        splines: How Graphviz draws lines, such as "ortho" or "curved".

    Raises:
        ValueError: If the model is of another kind or not built, or `expand_nested` is True.
    """
    if not isinstance(model, GraphModel):
        raise ValueError(expected("model_to_dot", "a Sequential or functional model", type(model).__name__))
    if expand_nested:
        hint = "draw the inner one by itself, as plot_model(model.get_layer(name))"
        raise ValueError(expected("model_to_dot", "expand_nested=False: a model within is one box", True, hint))
    layers = model.graph.layers
    numbers = {id(layer): number for number, layer in enumerate(layers)}
    lines = [
        "digraph model {",
        f"  rankdir={_quoted(rankdir)}; dpi={dpi}; splines={_quoted(splines)}; node [shape=box, fontname=Helvetica];",
    ]
    for number, layer in enumerate(layers):
        words = [f"{layer.name} ({type(layer).__name__})" if show_layer_names else type(layer).__name__]
        activation = getattr(layer, "activation", None)
        if show_layer_activations and activation is not None:
            words.append(f"activation: {getattr(activation, '__name__', type(activation).__name__)}")
        if show_shapes:
            shapes = [tensor.shape for node in layer._inbound_nodes[:1] for tensor in _tree.flatten(node.outputs)]
            words.append(", ".join(map(str, shapes)))
        if show_dtype:
            words.append(layer.dtype)
        if show_trainable:
            words.append("trained" if layer.trainable else "not trained")
        lines.append(f"  n{number} [label={_quoted(*words)}];")
    edges = {
        (numbers[id(node_of(tensor).layer)], numbers[id(node.layer)])
        for node in model.graph.nodes
        for tensor in node.parents()
    }
    lines += [f"  n{first} -> n{second};" for first, second in sorted(edges)]
    return "\n".join([*lines, "}", ""])


def _quoted(*lines: str) -> str:
    text = "\\n".join(line.replace("\\", "\\\\").replace('"', '\\"') for line in lines)
    return f'"{text}"'


def plot_model(
    model: Any,
    to_file: str | os.PathLike[str] = "model.png",
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = False,
    *args: Any,
    **kwargs: Any,
) -> None:
    """Draws the model's graph to a .png, .svg or .pdf file, or writes it to a .dot file.

    Args:
        model: A built Sequential or functional model.
        to_file: The file.
        show_shapes, show_dtype, show_layer_names, *args, **kwargs: As in `model_to_dot`.

    Raises:
        RuntimeError: If Graphviz is not installed; a .dot file does not need it.
        ValueError: As in `model_to_dot`, and for a file of another kind.
    """
    import shutil
    import subprocess

    text = model_to_dot(model, show_shapes, show_dtype, show_layer_names, *args, **kwargs)
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
