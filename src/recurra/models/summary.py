"""The table of a model's layers, in the very form of Keras's `model.summary()`."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from recurra import _tree
from recurra._checks import expected
from recurra.layers._shapes import is_shape
from recurra.layers.symbolic import node_of
from recurra.models.functional import GraphModel
from recurra.models.model import Model
from recurra.models.sequential import Sequential

_UNITS = ("B", "KB", "MB", "GB", "TB", "PB")


def print_summary(
    model: Any,
    line_length: int | None = None,
    positions: Sequence[float] | None = None,
    print_fn: Callable[..., Any] | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Sequence[str] | None = None,
) -> None:
    """Prints the summary of a model; arguments as in `Model.summary`.

    Raises:
        ValueError: If the width is too small for the columns, or a name of `layer_range` fits no layer.
    """
    import rich.console

    if print_fn is None:
        console = rich.console.Console(highlight=False)
        _render(console, model, line_length, positions, expand_nested, show_trainable, layer_range)
        return
    console = rich.console.Console(highlight=False, force_terminal=False, color_system=None)
    with console.capture() as capture:
        _render(console, model, line_length, positions, expand_nested, show_trainable, layer_range)
    print_fn(capture.get())


def _render(
    console: Any,
    model: Any,
    line_length: int | None,
    positions: Sequence[float] | None,
    expand_nested: bool,
    show_trainable: bool,
    layer_range: Sequence[str] | None,
) -> None:
    import rich.table
    from rich.markup import escape

    in_line = _is_line_shaped(model)
    width = 88 if in_line else 108
    columns = [("Layer (type)", "left"), ("Output Shape", "left"), ("Param #", "right")]
    if not in_line:
        columns.append(("Connected to", "left"))
    ends = list(positions or ([0.45, 0.80, 1.0] if in_line else [0.3, 0.56, 0.74, 1.0]))
    if show_trainable:
        width += 12
        ends = [end * 0.9 for end in ends] + [1.0]
        columns.append(("Trainable", "center"))
    line_length = line_length or min(width, shutil.get_terminal_size().columns - 4)
    stops = [int(end * line_length) for end in ends]
    widths = np.diff([0, *stops])
    if min(widths) < 4:
        raise ValueError(expected("summary", "a wider line", f"line_length={line_length}"))
    table = rich.table.Table(
        *(
            rich.table.Column(name, justify=justify, width=int(column))  # type: ignore[arg-type]
            for (name, justify), column in zip(columns, widths[: len(columns)], strict=True)  # more do no harm in Keras
        ),
        width=line_length,
        show_lines=True,
    )
    shown = _in_range(model.layers, layer_range)
    for layer in shown:
        for row in _rows(model, layer, in_line, expand_nested, show_trainable, 0):
            table.add_row(*(escape(cell) for cell in row))
    console.print(f'[bold]Model: "{escape(model.name)}"[/bold]')
    console.print(table)
    for name, variables in _totals(model):
        count = sum(variable.value.size for variable in variables)
        size = _readable_size(sum(variable.value.nbytes for variable in variables))
        console.print(f"[bold] {name} params: [/bold]{count:,} ({size})")


def _totals(model: Any) -> list[tuple[str, list[Any]]]:
    trainable, frozen = model.trainable_weights, model.non_trainable_weights
    optimizer = getattr(model, "optimizer", None)
    state = list(optimizer.variables) if optimizer is not None and optimizer.built else None
    rows = [
        ("Total", [*trainable, *frozen, *(state or [])]),
        ("Trainable", trainable),
        ("Non-trainable", frozen),
    ]
    return rows if state is None else [*rows, ("Optimizer", state)]


def _readable_size(size: float) -> str:
    """Returns a number of bytes with its unit, in steps of 1024 and with two decimals."""
    for unit in _UNITS:
        if size / 1024 < 1 or unit == _UNITS[-1]:
            break
        size /= 1024
    return f"{size:.2f} {unit}"


def _is_line_shaped(model: Any) -> bool:
    """Returns whether every layer reads one tensor, that of the layer before; outputs may lie on the way."""
    if not isinstance(model, GraphModel) or isinstance(model, Sequential):
        return True
    graph = model.graph
    if len(graph.inputs) > 1:
        return False
    inner = [node for node in graph.nodes if node.parents()]
    read = [id(node_of(parent)) for node in inner for parent in node.parents()]
    return len(set(read)) == len(read) == len(inner) and len({id(n.layer) for n in inner}) == len(inner)


def _in_range(layers: list[Any], layer_range: Sequence[str] | None) -> list[Any]:
    if layer_range is None:
        return layers
    if len(layer_range) != 2:
        raise ValueError(expected("summary", "layer_range of two names", layer_range))
    first = [i for i, layer in enumerate(layers) if re.match(layer_range[0], layer.name)]
    last = [i for i, layer in enumerate(layers) if re.match(layer_range[1], layer.name)]
    if not first or not last:
        raise ValueError(expected("summary", f"layer_range among {[layer.name for layer in layers]}", layer_range))
    low, high = min(*first, *last), max(*first, *last)
    return layers[low : high + 1]


def _rows(
    model: Any, layer: Any, in_line: bool, expand_nested: bool, show_trainable: bool, level: int
) -> list[list[str]]:
    prefix = f"{'   ' * level}└ " if level else ""
    params = f"{layer.count_params():,}" if layer.built else "0 (unbuilt)"
    row = [f"{prefix}{layer.name} ({type(layer).__name__})", _output_shape(layer), params]
    if not in_line:
        row.append(_connections(model, layer))
    if show_trainable:
        row.append(("Y" if layer.trainable else "N") if layer.weights else "-")
    rows = [row]
    if expand_nested and isinstance(layer, Model):
        for inner in layer.layers:
            rows += _rows(model, inner, in_line, expand_nested, show_trainable, level + 1)
    return rows


def _output_shape(layer: Any) -> str:
    if layer._inbound_nodes:
        shapes = [tensor.shape for tensor in _tree.flatten(layer._inbound_nodes[-1].outputs)]
    elif layer._build_shape is not None:
        try:
            found = layer.compute_output_shape(layer._build_shape)
        except NotImplementedError:  # it takes more than the inputs, and nobody knows what
            return "?"
        shapes = [found] if is_shape(found) else list(found)
    else:
        return "?"
    texts = [f"({', '.join(map(str, shape))})" for shape in shapes]
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


def _connections(model: Any, layer: Any) -> str:
    in_graph = {id(node) for node in model.graph.nodes}
    parts = []
    for node in layer._inbound_nodes:
        if id(node) not in in_graph:
            continue
        for tensor in node.parents():
            source, call, output = tensor._keras_history
            parts.append(f"{source.name}[{call}][{output}]")
    return ", ".join(parts) or "-"
