"""Recurrent layers as ONNX's RNN, LSTM and GRU nodes, with lengths for masks."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, count
from typing import Any

import numpy as np

from recurra import _tree, activations, layers
from recurra.interop.onnx_graph import FIRST, Export, Value, lost_mask, refusal
from recurra.layers.base import Layer
from recurra.layers.cells import in_gate_order

GATE_ORDER = {layers.SimpleRNNCell: (0,), layers.LSTMCell: (0, 3, 1, 2), layers.GRUCell: (0, 1, 2)}  # ONNX: i o f c
OPERATORS = {layers.SimpleRNNCell: "RNN", layers.LSTMCell: "LSTM", layers.GRUCell: "GRU"}
# Activations inside recurrent nodes, with ONNX's alpha and beta where it takes them.
GATE_ACTIVATIONS: dict[Any, tuple[str, float | None, float | None]] = {
    "tanh": ("Tanh", None, None),
    "sigmoid": ("Sigmoid", None, None),
    "relu": ("Relu", None, None),
    "linear": ("Affine", 1.0, 0.0),
    "hard_sigmoid": ("HardSigmoid", 1 / 6, 0.5),
    "elu": ("Elu", 1.0, None),
    "softsign": ("Softsign", None, None),
    "softplus": ("Softplus", None, None),
}


def _lengths(export: Export, layer: Layer, x: Value) -> str:
    """Returns int32 (N,) lengths of right-padded sequences, "" where there is no mask."""
    if not x.has_mask:
        return ""
    if export.streaming:  # the output before, which masked steps repeat, may lie in another piece
        raise refusal(layer, "no mask, to stream", "one", "feed each sequence up to its end")
    if x.mask_is_lost:
        raise lost_mask(layer)
    if not export.right_padded:
        hint = "pad on the right and pass right_padded=True to promise it"
        raise refusal(layer, "no mask, because ONNX takes lengths", "one", hint)
    ones = export.cast(str(x.mask), np.int32)
    return export.add("ReduceSum", [ones, export.integers(1)], keepdims=0)


def _cell_over_time(
    export: Export, layer: Layer, cell: Any, sequence: str, lengths: str, states: list[str], backwards: bool
) -> tuple[str, str, list[str]]:
    """Adds one RNN, LSTM or GRU node over (T, N, D).

    Returns:
        Its outputs (T, N, H), the last one (N, H) and the final states (N, H).
    """
    order = GATE_ORDER[type(cell)]
    kernel, recurrent = (in_gate_order(part.value, order).T[None] for part in (cell.kernel, cell.recurrent_kernel))
    width = cell.n_gates * cell.units
    biases = np.zeros((2, width), kernel.dtype)
    if cell.bias is not None:
        given = np.atleast_2d(cell.bias.value)
        biases[: len(given)] = given
    chosen = [getattr(cell, "recurrent_activation", None), cell.activation]
    if isinstance(cell, layers.LSTMCell):
        chosen.append(cell.activation)
    functions = [_gate_activation(layer, function) for function in chosen if function is not None]
    inputs = [
        sequence,
        export.constant(kernel, f"{layer.name}_W"),
        export.constant(recurrent, f"{layer.name}_R"),
        export.constant(in_gate_order(biases, order).reshape(1, -1), f"{layer.name}_B"),
        lengths,
        *(export.add("Unsqueeze", [state, export.integers(0)]) for state in states),
    ]
    attributes: dict[str, Any] = {
        "hidden_size": cell.units,
        "direction": "reverse" if backwards else "forward",
        "activations": [name for name, _, _ in functions],
    }
    for position, name in ((1, "activation_alpha"), (2, "activation_beta")):
        numbers = [function[position] for function in functions if function[position] is not None]
        if numbers:
            attributes[name] = numbers
    if isinstance(cell, layers.GRUCell):
        attributes["linear_before_reset"] = int(cell.reset_after)
    labels = [export.name(f"{layer.name}_{part}") for part in ("Y", "Y_h", "Y_c")[: 1 + cell.n_states]]
    y, *finals = export.add_several(OPERATORS[type(cell)], inputs, labels, **attributes)
    outputs = export.add("Squeeze", [y, export.integers(1)])
    finals = [export.add("Squeeze", [final, export.integers(0)]) for final in finals]
    last = finals[0]
    if lengths and states:  # of no steps the states are those before, the output is zero; ONNX leaves it open
        steps = export.add("Unsqueeze", [lengths, export.integers(1)])
        empty = export.add("Equal", [steps, export.constant(np.array(0, np.int32))])
        last = export.add("Where", [empty, export.number(layer, 0), last])
        finals = [export.add("Where", [empty, *pair]) for pair in zip(states, finals, strict=True)]
    return outputs, last, finals


def _cells(layer: Any) -> list[Any]:
    cells = layer.cell.cells if isinstance(layer.cell, layers.StackedRNNCells) else [layer.cell]
    for cell in cells:
        if type(cell) not in OPERATORS:
            raise refusal(layer, "cells SimpleRNNCell, LSTMCell or GRUCell", type(cell).__name__)
    return cells


def _gate_activation(layer: Layer, function: Any) -> tuple[str, float | None, float | None]:
    name = activations.name_of(function)
    if not isinstance(name, str) or name not in GATE_ACTIVATIONS:
        raise refusal(layer, f"one of the activations {', '.join(GATE_ACTIVATIONS)}", repr(name))
    return GATE_ACTIVATIONS[name]


def _sequence(export: Export, layer: Any, x: Value, states: list[str], keep_order: bool) -> tuple[str, str, list[str]]:
    """Returns outputs (N, T, H), the last output (N, H) and the final states of a layer.

    `keep_order` leaves the outputs of a layer that goes backwards at their time steps, as Bidirectional wants them.
    """
    if states and not export.streaming:
        x = replace(x, mask=None, mask_is_lost=False)  # as Layer._run_call has it
    lengths = _lengths(export, layer, x)
    cells = _cells(layer)
    if layer.stateful and not export.streaming:
        hint = "pass streaming=True: states become inputs and outputs"
        raise refusal(layer, "layers without stateful", "stateful=True", hint)
    if lengths and layer.zero_output_for_mask and not layer.return_sequences:
        hint = "set zero_output_for_mask to False"
        raise refusal(layer, "return_sequences=True with zero_output_for_mask", False, hint)
    outputs = export.add("Transpose", [x.name], perm=[1, 0, 2])
    last, finals = "", []
    for cell in cells:
        given, states = states[: cell.n_states], states[cell.n_states :]
        outputs, last, last_states = _cell_over_time(export, layer, cell, outputs, lengths, given, layer.go_backwards)
        finals += last_states
    if layer.go_backwards and not keep_order:
        outputs = export.add("Slice", [outputs, *(export.integers(number) for number in (-1, FIRST, 0, -1))])
    outputs = export.add("Transpose", [outputs], perm=[1, 0, 2])
    if lengths and not layer.zero_output_for_mask and not layer.go_backwards:
        # Keras repeats the last output at masked steps, ONNX gives zeros there.
        steps = export.add("Unsqueeze", [str(x.mask), export.integers(2)])
        repeated = export.add("Unsqueeze", [last, export.integers(1)])
        outputs = export.add("Where", [steps, outputs, repeated])
    return outputs, last, finals


def recurrent_layer(export: Export, layer: Any, x: Value, states: list[str]) -> list[Value]:
    """Adds an RNN layer and returns its outputs.

    Args:
        export: The graph.
        layer: The layer.
        x: Its sequence (N, T, D).
        states: Names of its initial states (N, H); none for zeros.
    """
    if not export.streaming:
        outputs, last, finals = _sequence(export, layer, x, states, keep_order=False)
    else:
        if states:
            raise refusal(layer, "no initial_state, to stream", "one", "leave it out: states become inputs")
        given, taken = _state_names(export, layer)
        for name, units in zip(given, _state_sizes(layer), strict=True):
            export.inputs.append(export.describe(name, layer.dtype, ["batch", units]))
        outputs, last, finals = _sequence(export, layer, x, given, keep_order=False)
        for name, final, units in zip(taken, finals, _state_sizes(layer), strict=True):
            export.add("Identity", [final], output=name)
            export.state_outputs.append(export.describe(name, layer.dtype, ["batch", units]))
    main = replace(_row(layer, outputs), mask=x.mask, over_time=True) if layer.return_sequences else _row(layer, last)
    return [main, *(_row(layer, final) for final in finals)] if layer.return_state else [main]


def _row(layer: Layer, name: str) -> Value:
    """Returns an output or a state without a time axis."""
    return Value(name, 2, layer.dtype)


def _state_sizes(layer: Any) -> list[int]:
    return [int(size) for size in _tree.flatten(layer.cell.state_size)]


def _state_names(export: Export, layer: Any) -> tuple[list[str], list[str]]:
    """Returns free names for the states that come in and those that go out."""
    if id(layer) in export.streamed:
        raise refusal(layer, "one call of each recurrent layer, to stream", "several", "give each its own layer")
    export.streamed.add(id(layer))
    cells = _cells(layer)
    states = [
        f"{state}{i}" if len(cells) > 1 else state
        for i, cell in enumerate(cells)
        for state in ("h", "c")[: cell.n_states]
    ]
    for stem in chain([layer.name], (f"{layer.name}_{number}" for number in count(1))):
        given, taken = ([f"{stem}_{state}_{way}" for state in states] for way in ("in", "out"))
        if export.is_free(given + taken):
            break
    export.taken.update(given + taken)
    return given, taken


def bidirectional(export: Export, layer: Any, x: Value, states: list[str]) -> list[Value]:
    """Adds a Bidirectional layer and returns its outputs; arguments as of `recurrent_layer`."""
    if layer.forward_layer.go_backwards and layer.return_sequences:
        raise refusal(layer, "a forward layer that goes forwards", "go_backwards=True", "exchange the two layers")
    half = len(states) // 2
    parts = [
        _sequence(export, part, x, given, keep_order=True)
        for part, given in ((layer.forward_layer, states[:half]), (layer.backward_layer, states[half:]))
    ]
    forward, backward = (part[0] if layer.return_sequences else part[1] for part in parts)
    if layer.merge_mode is None:
        names = [forward, backward]
    elif layer.merge_mode == "concat":
        names = [export.add("Concat", [forward, backward], axis=-1)]
    else:
        names = [export.add("Mul" if layer.merge_mode == "mul" else "Add", [forward, backward])]
        if layer.merge_mode == "ave":
            names = [export.add("Mul", [*names, export.number(layer, 0.5)])]
    mask = x.mask if layer.return_sequences else None
    merged = [replace(_row(layer, name), mask=mask) for name in names]
    finals = [_row(layer, final) for part in parts for final in part[2]]
    return merged + finals if layer.return_state else merged
