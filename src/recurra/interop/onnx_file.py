"""ONNX out: a model as a graph that onnxruntime and other engines run.

Recurrent layers become ONNX's own RNN, LSTM and GRU nodes. ONNX knows lengths instead of masks: a masked model is
exported only where the caller promises that sequences are padded on the right. Operators: opset 17
(https://onnx.ai/onnx/operators).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import reduce
from itertools import chain, count
from typing import Any

import numpy as np

from recurra import _tree, activations, config, layers
from recurra._checks import expected
from recurra._files import write_atomically
from recurra._version import __version__
from recurra.errors import extra_needed
from recurra.layers import dropout, normalization
from recurra.layers._shapes import positions
from recurra.layers.base import Layer
from recurra.layers.indexing import GetItem
from recurra.layers.symbolic import KerasTensor, Node
from recurra.models.functional import GraphModel
from recurra.models.stream import is_by_step, mixes_steps
from recurra.ops.reference import SELU_ALPHA, SELU_SCALE

OPSET = 17
IR_VERSION = 8
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
ACTIVATIONS = {
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
    "relu": "Relu",
    "softplus": "Softplus",
    "softsign": "Softsign",
    "exponential": "Exp",
    "elu": "Elu",
    "celu": "Elu",  # recurra's celu has alpha 1, where the two are one
}
FIRST, LAST = -(2**63), 2**63 - 1  # ends of a Slice that reaches beyond every axis


def to_onnx(model: Any, *, right_padded: bool = False, streaming: bool = False) -> Any:
    """Returns the model, as it predicts, as an `onnx.ModelProto`.

    Batch and time stay dynamic where the model's inputs leave them open. Inputs and outputs have the names of the
    model's; outputs of one name, or of an input's, are `output_0`, `output_1`, ... by their place.

    Args:
        model: A built Sequential or functional model.
        right_padded: The promise that masked time steps lie at the end of each sequence. ONNX takes lengths: with
            other masks its results would be wrong, so without the promise a model with masks is refused.
        streaming: Give every recurrent layer its states as inputs (`NAME_h_in`, LSTM also `NAME_c_in`, (batch, units))
            and outputs (`NAME_h_out`, `NAME_c_out`), so that a long sequence can be fed piece by piece. Where such a
            name is taken already, NAME gets a number: `NAME_1_h_in`, `NAME_1_h_out`.

    Raises:
        MissingExtraError: If onnx is not installed.
        ValueError: If ONNX cannot say what a layer does: the message names the layer.
    """
    with extra_needed("ONNX export needs", "onnx", "interop"):
        import onnx
    if not isinstance(model, GraphModel):
        raise ValueError(expected("to_onnx", "a Sequential or functional model", type(model).__name__))
    export = _Export(right_padded, streaming)
    input_names = [export.name(name) for name in model.input_names]
    labels = _output_labels(export, model._outputs.paths)
    given = []
    for name, tensor in zip(input_names, model.inputs, strict=True):
        shape = [_dimension(name, axis, size) for axis, size in enumerate(tensor.shape)]
        export.inputs.append(export.describe(name, tensor.dtype, shape))
        given.append(_Value(name, len(shape), tensor.dtype, over_time=len(shape) > 2))
    outputs = _run_graph(export, model, given)
    for label, tensor, value in zip(labels, model.outputs, outputs, strict=True):
        export.add("Identity", [value.name], output=label)
        shape = [_dimension(label, axis, size) for axis, size in enumerate(tensor.shape)]
        export.outputs.append(export.describe(label, value.dtype, shape))
    graph = onnx.helper.make_graph(
        export.nodes, model.name, export.inputs, export.outputs + export.state_outputs, export.constants
    )
    made = onnx.helper.make_model(
        graph,
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="recurra",
        producer_version=__version__,
    )
    onnx.checker.check_model(made, full_check=True)
    return made


def save_onnx(model: Any, filepath: str | os.PathLike[str], **options: Any) -> None:
    """Writes `to_onnx(model, **options)` to a file, atomically."""
    write_atomically(filepath, to_onnx(model, **options).SerializeToString())


def _output_labels(export: _Export, names: list[str]) -> list[str]:
    """Returns the names of the outputs: the model's where they tell one tensor from another."""
    counts = Counter(names)
    own = [name if counts[name] == 1 and export.is_free([name]) else None for name in names]
    export.taken.update(name for name in own if name is not None)
    return [name or export.name(f"output_{position}") for position, name in enumerate(own)]


@dataclass(frozen=True)
class _Value:
    """A tensor of the ONNX graph.

    Attributes:
        name: Its name.
        rank: Its number of axes.
        dtype: Name of its dtype.
        mask: Its mask as the name of a bool tensor (N, T); None without one.
        mask_is_lost: Whether it has a mask that ONNX cannot follow.
        over_time: Whether axis 1 is the time of the model's inputs, which streaming cuts into pieces.
    """

    name: str
    rank: int
    dtype: str
    mask: str | None = None
    mask_is_lost: bool = False
    over_time: bool = False

    @property
    def has_mask(self) -> bool:
        return self.mask is not None or self.mask_is_lost


class _Export:
    """The ONNX graph so far."""

    def __init__(self, right_padded: bool, streaming: bool):
        self.right_padded = right_padded
        self.streaming = streaming
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []
        self.state_outputs: list[Any] = []
        self.streamed: set[int] = set()  # ids of the recurrent layers that have their states
        self.taken: set[str] = set()
        self._counts: Counter[str] = Counter()

    def is_free(self, names: Iterable[str]) -> bool:
        return self.taken.isdisjoint(names)

    def name(self, stem: str) -> str:
        """Returns a name that nothing has yet, and keeps it: the stem, or the stem with a number."""
        while True:
            number = self._counts[stem]
            self._counts[stem] += 1
            name = f"{stem}_{number}" if number else stem
            if name not in self.taken:
                self.taken.add(name)
                return name

    def add(self, operator: str, inputs: list[str], output: str | None = None, **attributes: Any) -> str:
        """Adds a node with one output and returns that output's name."""
        return self.add_several(operator, inputs, [output or self.name(operator.lower())], **attributes)[0]

    def add_several(self, operator: str, inputs: list[str], outputs: list[str], **attributes: Any) -> list[str]:
        import onnx

        self.nodes.append(onnx.helper.make_node(operator, inputs, outputs, **attributes))
        return outputs

    def constant(self, value: Any, stem: str = "constant", dtype: Any = None) -> str:
        import onnx

        name = self.name(stem)
        array = np.ascontiguousarray(value, dtype)
        self.constants.append(onnx.numpy_helper.from_array(array.reshape(np.shape(value)), name))
        return name

    def integers(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))

    def cast(self, name: str, dtype: Any) -> str:
        import onnx

        return self.add("Cast", [name], to=onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def describe(self, name: str, dtype: str, shape: list[Any]) -> Any:
        import onnx

        return onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)


def _dimension(name: str, axis: int, size: int | None) -> Any:
    if size is not None:
        return int(size)
    return "batch" if axis == 0 else f"{name}_timesteps" if axis == 1 else f"{name}_{axis}"


def _run_graph(export: _Export, model: GraphModel, given: list[_Value]) -> list[_Value]:
    values = {id(tensor): value for tensor, value in zip(model.inputs, given, strict=True)}
    for node in model.graph.nodes:
        produced = _tree.flatten(node.outputs)
        if all(id(tensor) in values for tensor in produced):
            continue
        if any(mask is not None for mask in _tree.flatten(node.kwargs.get("mask"))):
            raise _refusal(node.layer, "no mask= in its call", "mask by Masking or Embedding(mask_zero=True)")
        results = _emit(export, node.layer, [values[id(tensor)] for tensor in _tree.flatten(node.inputs)], node, values)
        for tensor, value in zip(produced, results, strict=True):
            values[id(tensor)] = replace(value, rank=len(tensor.shape))
    return [values[id(tensor)] for tensor in model.outputs]


def _emit(export: _Export, layer: Layer, given: list[_Value], node: Node | None, values: Any) -> list[_Value]:
    """Adds what a layer does, and returns its outputs."""
    if isinstance(layer, GraphModel):
        return _run_graph(export, layer, given)
    given = [_as_cast(export, layer, value) for value in given]
    if export.streaming:
        _check_streaming(layer, given)
    if isinstance(layer, (layers.RNN, layers.Bidirectional)):
        initial = None if node is None else node.kwargs.get("initial_state")
        states = given[1:] + [
            _state(export, layer, leaf, values) for leaf in _tree.flatten(initial) if leaf is not None
        ]
        emit_sequence = _bidirectional if isinstance(layer, layers.Bidirectional) else _recurrent_layer
        return emit_sequence(export, layer, given[0], [state.name for state in states])
    emitter = EMITTERS.get(type(layer))
    if emitter is None:
        raise _refusal(layer, "a layer that ONNX export knows", "export the model without it")
    result = emitter(export, layer, *given)
    if isinstance(result, _Value):
        return [result]
    # The rule of Layer.compute_mask; a layer with one of its own returns a _Value where a mask comes out of it.
    hands_on = layer.supports_masking and type(layer).compute_mask is Layer.compute_mask
    masks = (given[0].mask, given[0].mask_is_lost) if hands_on else (None, False)
    return [_Value(result, given[0].rank, given[0].dtype, *masks, _over_time(given))]


def _as_cast(export: _Export, layer: Layer, value: _Value) -> _Value:
    """Does what Layer.cast_inputs does; layers with a cast of their own see to it themselves."""
    kept = layer.keeps_integers and np.dtype(value.dtype).kind != "f"
    if value.dtype == layer.dtype or kept or type(layer).cast_inputs is not Layer.cast_inputs:
        return value
    return replace(value, name=export.cast(value.name, layer.dtype), dtype=layer.dtype)


def _state(export: _Export, layer: Layer, state: Any, values: Any) -> _Value:
    """Returns an initial state: a tensor of the graph, or an array that is the same in every call."""
    if isinstance(state, KerasTensor):
        return _as_cast(export, layer, values[id(state)])
    return _Value(export.constant(state, dtype=layer.dtype), np.ndim(state), layer.dtype)


def _over_time(given: Iterable[_Value]) -> bool:
    return any(value.over_time for value in given)


def _refusal(layer: Layer, what: str, hint: str) -> ValueError:
    return ValueError(expected(f"to_onnx: {type(layer).__name__} {layer.name!r}", what, "another", hint))


# Streaming ----------------------------------------------------------------------------------------------------------


def _check_streaming(layer: Layer, given: list[_Value]) -> None:
    """Raises ValueError for a layer that would give other results for the pieces than for the whole sequence.

    The rule is `model.stream`'s, with the layers that only ONNX needs to know. What has no time axis, such as what
    comes after the last output, is the same in pieces.
    """
    hint = "export it without streaming"
    if isinstance(layer, (layers.RNN, layers.Bidirectional)):
        if not given[0].over_time:
            raise _refusal(layer, "the time steps of the model's input, to stream", hint)
        if isinstance(layer, layers.Bidirectional) or layer.go_backwards:
            raise _refusal(layer, "layers that go forwards, to stream", hint)
    elif _over_time(given):
        if not all(value.over_time for value in given):
            raise _refusal(layer, "inputs that all have the time axis, to stream", hint)
        rank = given[0].rank
        if not is_by_step(layer, rank) and (not isinstance(layer, ALSO_BY_STEP) or mixes_steps(layer, rank)):
            raise _refusal(layer, "layers that need no more than one time step, to stream", hint)


# Recurrent layers ---------------------------------------------------------------------------------------------------


def _lengths(export: _Export, layer: Layer, x: _Value) -> str:
    """Returns int32 (N,) lengths of right-padded sequences, "" where there is no mask."""
    if not x.has_mask:
        return ""
    if export.streaming:  # the output before, which masked steps repeat, may lie in another piece
        raise _refusal(layer, "no mask, to stream", "feed each sequence up to its end")
    if x.mask_is_lost:
        raise _refusal(layer, "a mask straight from Masking or Embedding", "mask just before it")
    if not export.right_padded:
        raise _refusal(
            layer, "no mask, because ONNX takes lengths", "pad on the right and pass right_padded=True to promise it"
        )
    ones = export.cast(str(x.mask), np.int32)
    return export.add("ReduceSum", [ones, export.integers(1)], keepdims=0)


def _by_gate(weights: np.ndarray, cell: Any) -> np.ndarray:
    """Returns (..., G * H) weights with the gates in ONNX's order."""
    blocks = np.split(weights, cell.gates, axis=-1)
    return np.concatenate([blocks[gate] for gate in GATE_ORDER[type(cell)]], axis=-1)


def _cell_over_time(
    export: _Export, layer: Layer, cell: Any, sequence: str, lengths: str, states: list[str], backwards: bool
) -> tuple[str, str, list[str]]:
    """Adds one RNN, LSTM or GRU node over (T, N, D).

    Returns:
        Its outputs (T, N, H), the last one (N, H) and the final states (N, H).
    """
    kernel, recurrent = (_by_gate(weights.value, cell).T[None] for weights in (cell.kernel, cell.recurrent_kernel))
    width = cell.gates * cell.units
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
        export.constant(_by_gate(biases, cell).reshape(1, -1), f"{layer.name}_B"),
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
    labels = [export.name(f"{layer.name}_{part}") for part in ("Y", "Y_h", "Y_c")[: 1 + cell.states]]
    y, *finals = export.add_several(OPERATORS[type(cell)], inputs, labels, **attributes)
    outputs = export.add("Squeeze", [y, export.integers(1)])
    finals = [export.add("Squeeze", [final, export.integers(0)]) for final in finals]
    last = finals[0]
    if lengths and states:  # of no steps the states are those before, the output is zero; ONNX leaves it open
        steps = export.add("Unsqueeze", [lengths, export.integers(1)])
        empty = export.add("Equal", [steps, export.constant(np.array(0, np.int32))])
        last = export.add("Where", [empty, _number(export, layer, 0), last])
        finals = [export.add("Where", [empty, *pair]) for pair in zip(states, finals, strict=True)]
    return outputs, last, finals


def _cells(layer: Any) -> list[Any]:
    cells = layer.cell.cells if isinstance(layer.cell, layers.StackedRNNCells) else [layer.cell]
    for cell in cells:
        if type(cell) not in OPERATORS:
            raise _refusal(layer, "cells SimpleRNNCell, LSTMCell or GRUCell", f"{type(cell).__name__} has no ONNX node")
    return cells


def _gate_activation(layer: Layer, function: Any) -> tuple[str, float | None, float | None]:
    name = activations.name_of(function)
    if not isinstance(name, str) or name not in GATE_ACTIVATIONS:
        raise _refusal(layer, f"one of the activations {', '.join(GATE_ACTIVATIONS)}", "train it with one of these")
    return GATE_ACTIVATIONS[name]


def _sequence(
    export: _Export, layer: Any, x: _Value, states: list[str], keep_order: bool
) -> tuple[str, str, list[str]]:
    """Returns outputs (N, T, H), the last output (N, H) and the final states of a layer.

    `keep_order` leaves the outputs of a layer that goes backwards at their time steps, as Bidirectional wants them.
    """
    if states and not export.streaming:
        x = replace(x, mask=None, mask_is_lost=False)  # as Layer.run_call has it
    lengths = _lengths(export, layer, x)
    cells = _cells(layer)
    if layer.stateful and not export.streaming:
        raise _refusal(layer, "layers without stateful", "pass streaming=True: states become inputs and outputs")
    if lengths and layer.zero_output_for_mask and not layer.return_sequences:
        raise _refusal(layer, "return_sequences=True with zero_output_for_mask", "set zero_output_for_mask to False")
    outputs = export.add("Transpose", [x.name], perm=[1, 0, 2])
    last, finals = "", []
    for cell in cells:
        given, states = states[: cell.states], states[cell.states :]
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


def _recurrent_layer(export: _Export, layer: Any, x: _Value, states: list[str]) -> list[_Value]:
    if not export.streaming:
        outputs, last, finals = _sequence(export, layer, x, states, keep_order=False)
    else:
        if states:
            raise _refusal(layer, "no initial_state, to stream", "states become inputs")
        given, taken = _state_names(export, layer)
        for name, units in zip(given, _state_sizes(layer), strict=True):
            export.inputs.append(export.describe(name, layer.dtype, ["batch", units]))
        outputs, last, finals = _sequence(export, layer, x, given, keep_order=False)
        for name, final, units in zip(taken, finals, _state_sizes(layer), strict=True):
            export.add("Identity", [final], output=name)
            export.state_outputs.append(export.describe(name, layer.dtype, ["batch", units]))
    main = replace(_row(layer, outputs), mask=x.mask, over_time=True) if layer.return_sequences else _row(layer, last)
    return [main, *(_row(layer, final) for final in finals)] if layer.return_state else [main]


def _row(layer: Layer, name: str) -> _Value:
    """Returns an output or a state without a time axis."""
    return _Value(name, 2, layer.dtype)


def _state_sizes(layer: Any) -> list[int]:
    return [int(size) for size in _tree.flatten(layer.cell.state_size)]


def _state_names(export: _Export, layer: Any) -> tuple[list[str], list[str]]:
    """Returns free names for the states that come in and those that go out."""
    if id(layer) in export.streamed:
        raise _refusal(layer, "one call of each recurrent layer, to stream", "it is shared")
    export.streamed.add(id(layer))
    cells = _cells(layer)
    states = [
        f"{state}{i}" if len(cells) > 1 else state
        for i, cell in enumerate(cells)
        for state in ("h", "c")[: cell.states]
    ]
    for stem in chain([layer.name], (f"{layer.name}_{number}" for number in count(1))):
        given, taken = ([f"{stem}_{state}_{way}" for state in states] for way in ("in", "out"))
        if export.is_free(given + taken):
            break
    export.taken.update(given + taken)
    return given, taken


def _bidirectional(export: _Export, layer: Any, x: _Value, states: list[str]) -> list[_Value]:
    if layer.forward_layer.go_backwards and layer.return_sequences:
        raise _refusal(layer, "a forward layer that goes forwards", "exchange the two layers")
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
            names = [export.add("Mul", [*names, _number(export, layer, 0.5)])]
    mask = x.mask if layer.return_sequences else None
    merged = [replace(_row(layer, name), mask=mask) for name in names]
    finals = [_row(layer, final) for part in parts for final in part[2]]
    return merged + finals if layer.return_state else merged


# Other layers -------------------------------------------------------------------------------------------------------


def _activation(export: _Export, layer: Layer, function: Any, x: str) -> str:
    name = activations.name_of(function)
    if name == "linear":
        return x
    if name in ACTIVATIONS:
        return export.add(ACTIVATIONS[name], [x])
    if name in ("softmax", "log_softmax"):
        return export.add("Softmax" if name == "softmax" else "LogSoftmax", [x], axis=-1)
    if name == "hard_sigmoid":
        return export.add("HardSigmoid", [x], alpha=1 / 6, beta=0.5)
    if name == "selu":
        return export.add("Selu", [x], alpha=SELU_ALPHA, gamma=SELU_SCALE)
    if name == "silu":
        return export.add("Mul", [x, export.add("Sigmoid", [x])])
    if name == "hard_silu":
        return export.add("Mul", [x, export.add("HardSigmoid", [x], alpha=1 / 6, beta=0.5)])
    if name == "mish":
        return export.add("Mul", [x, export.add("Tanh", [export.add("Softplus", [x])])])
    if name == "log_sigmoid":
        return export.add("Neg", [export.add("Softplus", [export.add("Neg", [x])])])
    if name in ("relu6", "hard_tanh"):
        ends = (0, 6) if name == "relu6" else (-1, 1)
        return export.add("Clip", [x, *(_number(export, layer, end) for end in ends)])
    if name == "leaky_relu":
        return export.add("LeakyRelu", [x], alpha=0.2)
    if name == "gelu":
        root, one, half = (_number(export, layer, number) for number in (2**-0.5, 1, 0.5))
        bell = export.add("Add", [export.add("Erf", [export.add("Mul", [x, root])]), one])
        return export.add("Mul", [export.add("Mul", [x, half]), bell])
    raise _refusal(layer, "an activation that ONNX export knows", f"{name} is none")


def _number(export: _Export, layer: Layer, value: Any) -> str:
    return export.constant(np.asarray(value, layer.dtype))


def _same(export: _Export, layer: Layer, x: _Value) -> str:
    return x.name


def _dense(export: _Export, layer: Any, x: _Value) -> str:
    y = export.add("MatMul", [x.name, export.constant(layer.kernel.value, f"{layer.name}_kernel")])
    if layer.bias is not None:
        y = export.add("Add", [y, export.constant(layer.bias.value, f"{layer.name}_bias")])
    return _activation(export, layer, layer.activation, y)


def _activation_layer(export: _Export, layer: Any, x: _Value) -> str:
    return _activation(export, layer, layer.activation, x.name)


def _relu(export: _Export, layer: Any, x: _Value) -> str:
    """Keras's three parts: what passes the threshold, at most max_value, less the slope times what is missing to it."""
    threshold = _number(export, layer, layer.threshold)
    if layer.threshold:
        passes = export.add("Greater", [x.name, threshold])
        y = export.add("Where", [passes, x.name, _number(export, layer, 0)])
    else:
        y = export.add("Relu", [x.name])
    if layer.max_value is not None:
        y = export.add("Min", [y, _number(export, layer, layer.max_value)])
    if layer.negative_slope:
        missing = export.add("Relu", [export.add("Sub", [threshold, x.name])])
        y = export.add("Sub", [y, export.add("Mul", [missing, _number(export, layer, layer.negative_slope)])])
    return y


def _leaky_relu(export: _Export, layer: Any, x: _Value) -> str:
    return export.add("LeakyRelu", [x.name], alpha=float(layer.negative_slope))


def _elu(export: _Export, layer: Any, x: _Value) -> str:
    return export.add("Elu", [x.name], alpha=float(layer.alpha))


def _prelu(export: _Export, layer: Any, x: _Value) -> str:
    return export.add("PRelu", [x.name, _number(export, layer, layer.alpha.value)])


def _rescaling(export: _Export, layer: Any, x: _Value) -> str:
    y = export.add("Mul", [x.name, _number(export, layer, layer.scale)])
    return export.add("Add", [y, _number(export, layer, layer.offset)])


def _given_normalization(export: _Export, layer: Any, x: _Value) -> str:
    deviation = np.maximum(np.sqrt(layer.variance), config.epsilon())
    mean, deviation = (export.constant(value, dtype=layer.dtype) for value in (layer.mean, deviation))
    if layer.invert:
        return export.add("Add", [mean, export.add("Mul", [x.name, deviation])])
    return export.add("Div", [export.add("Sub", [x.name, mean]), deviation])


def _softmax(export: _Export, layer: Any, x: _Value) -> str:
    if not isinstance(layer.axis, int) or x.has_mask:
        raise _refusal(layer, "one axis and no mask", "use the activation 'softmax'")
    return export.add("Softmax", [x.name], axis=layer.axis)


def _embedding(export: _Export, layer: Any, x: _Value) -> _Value:
    index = export.cast(x.name, np.int64)
    y = export.add("Gather", [export.constant(layer.embeddings.value, f"{layer.name}_embeddings"), index], axis=0)
    result = _Value(y, x.rank + 1, layer.dtype, over_time=x.rank > 1)
    if not layer.mask_zero:
        return result
    return _with_mask(result, export.add("Not", [export.add("Equal", [index, export.integers(0)])]), x.rank)


def _with_mask(x: _Value, mask: str, rank: int) -> _Value:
    """Returns x with a mask, which counts as lost unless it is one of time steps."""
    return replace(x, mask=mask) if rank == 2 else replace(x, mask_is_lost=True)


def _masking(export: _Export, layer: Any, x: _Value) -> _Value:
    other = export.add("Not", [export.add("Equal", [x.name, _number(export, layer, layer.mask_value)])])
    counts = export.add("ReduceMax", [export.cast(other, np.float32)], axes=[-1], keepdims=1)
    keep = export.cast(counts, np.bool_)
    y = replace(x, name=export.add("Where", [keep, x.name, _number(export, layer, 0)]))
    return _with_mask(y, export.add("Squeeze", [keep, export.integers(-1)]), x.rank - 1)


def _flatten(export: _Export, layer: Any, x: _Value) -> str:
    return export.add("Reshape", [x.name, export.integers(0, -1)])


def _reshape(export: _Export, layer: Any, x: _Value) -> str:
    return export.add("Reshape", [x.name, export.integers(0, *layer.target_shape)])


def _permute(export: _Export, layer: Any, x: _Value) -> str:
    return export.add("Transpose", [x.name], perm=[0, *layer.dims])


def _repeat(export: _Export, layer: Any, x: _Value) -> str:
    row = export.add("Unsqueeze", [x.name, export.integers(1)])
    return export.add("Tile", [row, export.integers(1, layer.n, 1)])


def _time_distributed(export: _Export, layer: Any, x: _Value) -> _Value:
    shape = export.add("Shape", [x.name])
    batch_and_time = export.add("Slice", [shape, export.integers(0), export.integers(2)])
    rest = export.add("Slice", [shape, export.integers(2), export.integers(LAST)])
    steps = export.add("Reshape", [x.name, export.add("Concat", [export.integers(-1), rest], axis=0)])
    if x.has_mask and _needs_its_mask(layer.layer, x):
        raise _refusal(layer, "no mask for the layer inside", "mask after it")
    (y,) = _emit(export, layer.layer, [_Value(steps, x.rank - 1, x.dtype)], None, {})
    inner = export.add("Slice", [export.add("Shape", [y.name]), export.integers(1), export.integers(LAST)])
    y_name = export.add("Reshape", [y.name, export.add("Concat", [batch_and_time, inner], axis=0)])
    return replace(x, name=y_name, dtype=y.dtype)


def _needs_its_mask(layer: Layer, x: _Value) -> bool:
    """Whether the layer inside TimeDistributed is given a mask that changes its results."""
    if isinstance(layer, layers.RNN):  # no mask of time steps for it
        return x.mask_is_lost
    return "mask" in layer._forward_parameters and not isinstance(layer, normalization.BatchNormalization)


def _axes(layer: Any, x: _Value) -> list[int]:
    return list(positions(type(layer).__name__, layer.axis, x.rank))


def _spread(weight: np.ndarray, axes: list[int], rank: int) -> np.ndarray:
    """Returns a weight with a value for each entry along the axes, in a shape that broadcasts to an input of `rank`."""
    sizes = dict(zip(axes, weight.shape, strict=True))
    return weight.reshape([sizes.get(axis, 1) for axis in range(rank)])


def _unit_normalization(export: _Export, layer: Any, x: _Value) -> str:
    squares = export.add("ReduceSum", [export.add("Mul", [x.name, x.name]), export.integers(*_axes(layer, x))])
    scale = export.add("Reciprocal", [export.add("Sqrt", [squares])])
    return export.add("Mul", [x.name, export.add("Min", [scale, _number(export, layer, 1e12)])])


def _mean_square(export: _Export, x: str, axes: list[int]) -> str:
    return export.add("ReduceMean", [export.add("Mul", [x, x])], axes=axes, keepdims=1)


def _standardized(export: _Export, layer: Any, x: str, axes: list[int]) -> str:
    """Returns x / sqrt(mean(x * x) + epsilon)."""
    sum_ = export.add("Add", [_mean_square(export, x, axes), _number(export, layer, layer.epsilon)])
    return export.add("Div", [x, export.add("Sqrt", [sum_])])


def _rms_normalization(export: _Export, layer: Any, x: _Value) -> str:
    axes = _axes(layer, x)
    scale = _spread(layer.scale.value, axes, x.rank)
    return export.add("Mul", [_standardized(export, layer, x.name, axes), export.constant(scale)])


def _layer_normalization(export: _Export, layer: Any, x: _Value) -> str:
    axes = _axes(layer, x)
    centred = export.add("Sub", [x.name, export.add("ReduceMean", [x.name], axes=axes, keepdims=1)])
    y = _standardized(export, layer, centred, axes)
    for operator, weight in (("Mul", layer.gamma), ("Add", layer.beta)):
        if weight is not None:
            y = export.add(operator, [y, export.constant(_spread(weight.value, axes, x.rank))])
    return y


def _batch_normalization(export: _Export, layer: Any, x: _Value) -> str:
    scale = 1 / np.sqrt(layer.moving_variance.value + layer.epsilon)
    if layer.gamma is not None:
        scale = scale * layer.gamma.value
    shift = -layer.moving_mean.value * scale
    if layer.beta is not None:
        shift = shift + layer.beta.value
    scale, shift = (_number(export, layer, _spread(row, _axes(layer, x), x.rank)) for row in (scale, shift))
    return export.add("Add", [export.add("Mul", [x.name, scale]), shift])


# Merging layers -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Part:
    """An input of an elementwise merging layer, of the rank of the result, and its mask: bool, broadcast to it."""

    name: str
    mask: str | None


Merge = Callable[[_Export, Layer, list[_Part]], str]


def _elementwise(merge: Merge, reads_masks: bool = False) -> Callable[..., _Value]:
    """Returns the emitter of a merging layer; `merge` computes as its namesake in layers/merging.py."""

    def emit(export: _Export, layer: Any, *given: _Value) -> _Value:
        rank = max(value.rank for value in given)
        if reads_masks and any(value.mask_is_lost for value in given):
            raise _refusal(layer, "a mask straight from Masking or Embedding", "mask just before it")
        if reads_masks and any(value.mask is not None and value.rank < rank for value in given):
            raise _refusal(layer, "masked inputs of as many axes as the others", "Reshape them before the mask")
        parts = [_part(export, value, rank, reads_masks) for value in given]
        masks: list[str | None] = [value.mask for value in given]
        is_lost = all(value.has_mask for value in given) and any(value.mask_is_lost for value in given)
        mask = None if is_lost else _any_of(export, masks)
        return _Value(merge(export, layer, parts), rank, layer.dtype, mask, is_lost, _over_time(given))

    return emit


def _part(export: _Export, value: _Value, rank: int, reads_mask: bool) -> _Part:
    """Puts axes of size 1 behind the batch, where ONNX would put them before it, and behind the mask's."""
    name, mask = value.name, value.mask
    if value.rank < rank:
        name = export.add("Unsqueeze", [name, export.integers(*range(1, 1 + rank - value.rank))])
    if mask is not None and reads_mask and rank > 2:
        mask = export.add("Unsqueeze", [mask, export.integers(*range(2, rank))])
    return _Part(name, mask if reads_mask else None)


def _any_of(export: _Export, masks: list[str | None]) -> str | None:
    """Returns where any of the masks is True; None if one is absent."""
    given = [mask for mask in masks if mask is not None]
    return _folded(export, "Or", given) if len(given) == len(masks) else None


def _folded(export: _Export, operator: str, names: list[str]) -> str:
    return reduce(lambda result, name: export.add(operator, [result, name]), names)


def _fold(operator: str) -> Merge:
    return lambda export, layer, parts: _folded(export, operator, [part.name for part in parts])


def _mean(export: _Export, layer: Layer, parts: list[_Part]) -> str:
    return export.add("Mul", [_fold("Add")(export, layer, parts), _number(export, layer, 1 / len(parts))])


def _product(export: _Export, layer: Layer, parts: list[_Part]) -> str:
    one = _number(export, layer, 1)
    factors = [part.name if part.mask is None else export.add("Where", [part.mask, part.name, one]) for part in parts]
    shown = _any_of(export, [part.mask for part in parts])
    return _folded(export, "Mul", factors + ([] if shown is None else [export.cast(shown, layer.dtype)]))


def _extreme(operator: str, wins: str) -> Merge:
    def merge(export: _Export, layer: Layer, parts: list[_Part]) -> str:
        if all(part.mask is None for part in parts):
            return _fold(operator)(export, layer, parts)
        y, kept = parts[0].name, parts[0].mask
        for part in parts[1:]:
            taken = export.add("Or", [export.add(wins, [part.name, y]), export.add("IsNaN", [part.name])])
            if part.mask is not None:
                taken = export.add("And", [taken, part.mask])
            if kept is not None:
                alone = export.add("Not", [kept])
                alone = alone if part.mask is None else export.add("And", [alone, part.mask])
                taken = export.add("Or", [taken, alone])
            y, kept = export.add("Where", [taken, part.name, y]), _any_of(export, [kept, part.mask])
        return y

    return merge


def _concatenate(export: _Export, layer: Any, *given: _Value) -> _Value:
    rank = given[0].rank
    if len({value.dtype for value in given}) > 1:
        given = tuple(replace(value, name=export.cast(value.name, layer.dtype), dtype=layer.dtype) for value in given)
    y = export.add("Concat", [value.name for value in given], axis=layer.axis)
    features = rank == 3 and _axes(layer, given[0]) == [2] and not any(value.mask_is_lost for value in given)
    # Along the features a step counts that counts in any input, and in one without a mask all do.
    mask = _any_of(export, [value.mask for value in given]) if features else None
    is_lost = not features and any(value.has_mask for value in given)
    return _Value(y, rank, given[0].dtype, mask, is_lost, _over_time(given))


# Layers over time ---------------------------------------------------------------------------------------------------


def _channels_first(export: _Export, x: str) -> str:
    return export.add("Transpose", [x], perm=[0, 2, 1])


def _convolution(export: _Export, layer: Any, x: _Value) -> str:
    kernel = export.constant(np.transpose(layer.kernel.value, (2, 1, 0)), f"{layer.name}_kernel")
    padding: dict[str, Any]
    if layer.padding == "same" and layer.strides[0] > 1:
        padding = {"auto_pad": "SAME_UPPER"}  # depends on the number of time steps
    else:  # constant, and onnxruntime refuses auto_pad with dilations
        padding = {"pads": layer._pads(1)}
    y = export.add(
        "Conv",
        [_channels_first(export, x.name), kernel],
        strides=layer.strides,
        dilations=layer.dilation_rate,
        group=layer.groups,
        **padding,
    )
    y = _channels_first(export, y)
    if layer.bias is not None:
        y = export.add("Add", [y, export.constant(layer.bias.value)])
    return _activation(export, layer, layer.activation, y)


def _pooling(operator: str) -> Callable[..., str]:
    def emit(export: _Export, layer: Any, x: _Value) -> str:
        padding = {"auto_pad": "SAME_UPPER" if layer.padding == "same" else "VALID"}
        first = _channels_first(export, x.name)
        y = export.add(operator, [first], kernel_shape=layer.pool_size, strides=layer.strides, **padding)
        return _channels_first(export, y)

    return emit


def _global_pooling(operator: str) -> Callable[..., str]:
    def emit(export: _Export, layer: Any, x: _Value) -> str:
        if operator == "ReduceMean" and x.mask_is_lost:
            raise _refusal(layer, "a mask straight from Masking or Embedding", "mask just before it")
        if operator == "ReduceMean" and x.mask is not None:
            return _masked_mean(export, layer, x.name, x.mask)
        return export.add(operator, [x.name], axes=[1], keepdims=int(layer.keepdims))

    return emit


def _masked_mean(export: _Export, layer: Any, x: str, mask: str) -> str:
    keep = export.cast(export.add("Unsqueeze", [mask, export.integers(2)]), layer.dtype)
    time = export.integers(1)
    total = export.add("ReduceSum", [export.add("Mul", [x, keep]), time], keepdims=int(layer.keepdims))
    count = export.add("ReduceSum", [keep, time], keepdims=int(layer.keepdims))
    return export.add("Div", [total, export.add("Max", [count, _number(export, layer, 1)])])


def _cropping(export: _Export, layer: Any, x: _Value) -> str:
    start, end = layer.cropping
    numbers = (start, -end if end else LAST, 1)
    return export.add("Slice", [x.name, *(export.integers(number) for number in numbers)])


def _get_item(export: _Export, layer: GetItem, x: _Value) -> _Value:
    """Slices first, which leave all axes, then whole numbers, from the last axis on, then new axes."""
    key = layer.of_all_axes(x.rank)
    y = x.name
    for axis, part in enumerate(part for part in key if part is not None):
        if isinstance(part, slice) and part != slice(None):
            step = 1 if part.step is None else part.step
            first, last = (FIRST, LAST) if step > 0 else (LAST, FIRST)
            start = first if part.start is None else part.start
            stop = last if part.stop is None else part.stop
            y = export.add("Slice", [y, *(export.integers(number) for number in (start, stop, axis, step))])
    for axis, part in reversed(list(enumerate(part for part in key if part is not None))):
        if not isinstance(part, slice):
            y = export.add("Gather", [y, export.constant(part, dtype=np.int64)], axis=axis)
    kept = [part for part in key if not isinstance(part, int)]
    new = [axis for axis, part in enumerate(kept) if part is None]
    if new:
        y = export.add("Unsqueeze", [y, export.integers(*new)])
    return _Value(y, len(kept), x.dtype)


def _zero_padding(export: _Export, layer: Any, x: _Value) -> str:
    before, after = layer.padding
    return export.add("Pad", [x.name, export.integers(0, before, 0, 0, after, 0)])


def _up_sampling(export: _Export, layer: Any, x: _Value) -> str:
    copies = export.add("Unsqueeze", [x.name, export.integers(2)])
    copies = export.add("Tile", [copies, export.integers(1, 1, layer.size, 1)])
    shape = export.add("Shape", [x.name])
    features = export.add("Slice", [shape, export.integers(2), export.integers(3)])
    return export.add("Reshape", [copies, export.add("Concat", [export.integers(0, -1), features], axis=0)])


# What has several inputs, whole numbers as input or a mask as output, which `model.stream` knows nothing of.
ALSO_BY_STEP = (
    layers.Add,
    layers.Average,
    layers.Concatenate,
    layers.Embedding,
    layers.Masking,
    layers.Maximum,
    layers.Minimum,
    layers.Multiply,
    layers.Subtract,
)
EMITTERS: dict[type, Callable[..., _Value | str]] = {
    layers.Dense: _dense,
    layers.Activation: _activation_layer,
    layers.ReLU: _relu,
    layers.LeakyReLU: _leaky_relu,
    layers.ELU: _elu,
    layers.PReLU: _prelu,
    layers.Rescaling: _rescaling,
    layers.Softmax: _softmax,
    layers.Dropout: _same,
    layers.SpatialDropout1D: _same,
    dropout.GaussianDropout: _same,
    layers.GaussianNoise: _same,
    layers.Identity: _same,
    layers.ActivityRegularization: _same,
    layers.Embedding: _embedding,
    layers.Masking: _masking,
    layers.Flatten: _flatten,
    layers.Reshape: _reshape,
    layers.Permute: _permute,
    layers.RepeatVector: _repeat,
    layers.TimeDistributed: _time_distributed,
    layers.LayerNormalization: _layer_normalization,
    layers.RMSNormalization: _rms_normalization,
    layers.UnitNormalization: _unit_normalization,
    layers.Normalization: _given_normalization,
    normalization.BatchNormalization: _batch_normalization,
    layers.Concatenate: _concatenate,
    layers.Add: _elementwise(_fold("Add")),
    layers.Subtract: _elementwise(_fold("Sub")),
    layers.Average: _elementwise(_mean),
    layers.Multiply: _elementwise(_product, reads_masks=True),
    layers.Maximum: _elementwise(_extreme("Max", "Greater"), reads_masks=True),
    layers.Minimum: _elementwise(_extreme("Min", "Less"), reads_masks=True),
    layers.Conv1D: _convolution,
    layers.MaxPooling1D: _pooling("MaxPool"),
    layers.AveragePooling1D: _pooling("AveragePool"),
    layers.GlobalMaxPooling1D: _global_pooling("ReduceMax"),
    layers.GlobalAveragePooling1D: _global_pooling("ReduceMean"),
    layers.Cropping1D: _cropping,
    GetItem: _get_item,
    layers.ZeroPadding1D: _zero_padding,
    layers.UpSampling1D: _up_sampling,
}
