"""ONNX out: a model as a graph that onnxruntime and other engines run.

Recurrent layers become ONNX's own RNN, LSTM and GRU nodes. ONNX knows lengths instead of masks: a masked model is
exported only where the caller promises that sequences are padded on the right. Operators: opset 17
(https://onnx.ai/onnx/operators).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from recurra import _tree, activations, layers
from recurra._checks import expected
from recurra._files import write_atomically
from recurra._version import __version__
from recurra.errors import extra_needed
from recurra.layers import dropout, normalization
from recurra.layers.base import Layer
from recurra.layers.symbolic import KerasTensor, Node
from recurra.models.functional import GraphModel
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
}
FIRST, LAST = -(2**63), 2**63 - 1  # ends of a Slice that reaches beyond every axis


def to_onnx(model: Any, *, right_padded: bool = False, streaming: bool = False) -> Any:
    """Returns the model, as it predicts, as an `onnx.ModelProto`.

    Batch and time stay dynamic where the model's inputs leave them open. Inputs and outputs have the names of the
    model's.

    Args:
        model: A built Sequential or functional model.
        right_padded: The promise that masked time steps lie at the end of each sequence. ONNX takes lengths: with
            other masks its results would be wrong, so without the promise a model with masks is refused.
        streaming: Give every recurrent layer its states as inputs (`NAME_h_in`, LSTM also `NAME_c_in`, (batch, units))
            and outputs (`NAME_h_out`, `NAME_c_out`), so that a long sequence can be fed piece by piece.

    Raises:
        MissingExtraError: If onnx is not installed.
        ValueError: If ONNX cannot say what a layer does: the message names the layer.
    """
    with extra_needed("ONNX export needs", "onnx", "interop"):
        import onnx
    if not isinstance(model, GraphModel):
        raise ValueError(expected("to_onnx", "a Sequential or functional model", type(model).__name__))
    export = _Export(right_padded, streaming)
    given = []
    for name, tensor in zip(model.input_names, model.inputs, strict=True):
        shape = [_dimension(name, axis, size) for axis, size in enumerate(tensor.shape)]
        export.inputs.append(export.describe(name, tensor.dtype, shape))
        export.names[name] += 1
        given.append(_Value(name))
    outputs = _run_graph(export, model, given)
    names = Counter(model.output_names)
    for position, (name, tensor, value) in enumerate(zip(model.output_names, model.outputs, outputs, strict=True)):
        label = name if names[name] == 1 and not export.names[name] else f"output_{position}"
        export.add("Identity", [value.name], output=label)
        shape = [_dimension(label, axis, size) for axis, size in enumerate(tensor.shape)]
        export.outputs.append(export.describe(label, tensor.dtype, shape))
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


@dataclass(frozen=True)
class _Value:
    """A tensor of the ONNX graph, and its mask: none, a bool tensor (N, T), or one that ONNX cannot follow."""

    name: str
    mask: str | None = None
    mask_is_lost: bool = False


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
        self.names: Counter[str] = Counter()

    def name(self, stem: str) -> str:
        self.names[stem] += 1
        return stem if self.names[stem] == 1 else f"{stem}_{self.names[stem] - 1}"

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
        results = _emit(export, node.layer, [values[id(tensor)] for tensor in _tree.flatten(node.inputs)], node, values)
        values.update((id(tensor), value) for tensor, value in zip(produced, results, strict=True))
    return [values[id(tensor)] for tensor in model.outputs]


def _emit(export: _Export, layer: Layer, given: list[_Value], node: Node | None, values: Any) -> list[_Value]:
    """Adds what a layer does, and returns its outputs."""
    if isinstance(layer, GraphModel):
        return _run_graph(export, layer, given)
    if isinstance(layer, (layers.RNN, layers.Bidirectional)):
        states = [value.name for value in given[1:]]
        if node is not None:
            extra = [leaf for leaf in _tree.flatten(node.kwargs.get("initial_state")) if isinstance(leaf, KerasTensor)]
            states += [values[id(tensor)].name for tensor in extra]
        emit_sequence = _bidirectional if isinstance(layer, layers.Bidirectional) else _recurrent_layer
        return emit_sequence(export, layer, given[0], states)
    emitter = EMITTERS.get(type(layer))
    if emitter is None:
        raise _refusal(layer, "a layer that ONNX export knows", "export the model without it")
    return [emitter(export, layer, *given)]


def _refusal(layer: Layer, what: str, hint: str) -> ValueError:
    return ValueError(expected(f"to_onnx: {type(layer).__name__} {layer.name!r}", what, "another", hint))


# Recurrent layers ---------------------------------------------------------------------------------------------------


def _lengths(export: _Export, layer: Layer, x: _Value) -> str:
    """Returns int32 (N,) lengths of right-padded sequences, "" where there is no mask."""
    if x.mask is None and not x.mask_is_lost:
        return ""
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
) -> tuple[str, list[str]]:
    """Adds one RNN, LSTM or GRU node over (T, N, D); returns its outputs (T, N, H) and the final states (N, H)."""
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
    return outputs, [export.add("Squeeze", [final, export.integers(0)]) for final in finals]


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
    lengths = _lengths(export, layer, x)
    cells = _cells(layer)
    if layer.stateful and not export.streaming:
        raise _refusal(layer, "layers without stateful", "pass streaming=True: states become inputs and outputs")
    if lengths and layer.zero_output_for_mask and not layer.return_sequences:
        raise _refusal(layer, "return_sequences=True with zero_output_for_mask", "set zero_output_for_mask to False")
    outputs = export.add("Transpose", [x.name], perm=[1, 0, 2])
    finals: list[str] = []
    for cell in cells:
        given, states = states[: cell.states], states[cell.states :]
        if lengths and given and not layer.return_sequences and cell is cells[-1]:
            raise _refusal(layer, "masks or initial states, not both", "return the sequences instead")
        outputs, last_states = _cell_over_time(export, layer, cell, outputs, lengths, given, layer.go_backwards)
        finals += last_states
    last = finals[-cells[-1].states]
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
    if export.streaming:
        if layer.go_backwards:
            raise _refusal(layer, "layers that go forwards, to stream", "export it without streaming")
        if not states:
            states = _state_inputs(export, layer)
    outputs, last, finals = _sequence(export, layer, x, states, keep_order=False)
    if export.streaming:
        for final, state, units in zip(finals, _state_names(layer), _state_sizes(layer), strict=True):
            label = f"{layer.name}_{state}_out"
            export.add("Identity", [final], output=label)
            export.state_outputs.append(export.describe(label, layer.dtype, ["batch", units]))
    result = _Value(outputs, None if layer.go_backwards else x.mask, layer.go_backwards and x.mask is not None)
    main = result if layer.return_sequences else _Value(last)
    return [main, *map(_Value, finals)] if layer.return_state else [main]


def _state_sizes(layer: Any) -> list[int]:
    return [int(size) for size in _tree.flatten(layer.cell.state_size)]


def _state_names(layer: Any) -> list[str]:
    cells = _cells(layer)
    if len(cells) == 1:
        return ["h", "c"][: cells[0].states]
    return [f"{name}{i}" for i, cell in enumerate(cells) for name in ("h", "c")[: cell.states]]


def _state_inputs(export: _Export, layer: Any) -> list[str]:
    names = [f"{layer.name}_{state}_in" for state in _state_names(layer)]
    for name, units in zip(names, _state_sizes(layer), strict=True):
        if export.names[name]:
            raise _refusal(layer, "one call of each recurrent layer, to stream", "it is shared")
        export.names[name] += 1
        export.inputs.append(export.describe(name, layer.dtype, ["batch", units]))
    return names


def _bidirectional(export: _Export, layer: Any, x: _Value, states: list[str]) -> list[_Value]:
    if export.streaming:
        raise _refusal(layer, "layers that go forwards, to stream", "export it without streaming")
    half = len(states) // 2
    parts = [
        _sequence(export, part, x, given, keep_order=True)
        for part, given in ((layer.forward_layer, states[:half]), (layer.backward_layer, states[half:]))
    ]
    forward, backward = (part[0] if layer.return_sequences else part[1] for part in parts)
    mask = x.mask if layer.return_sequences else None
    if layer.merge_mode is None:
        merged = [_Value(forward, mask), _Value(backward, mask)]
    elif layer.merge_mode == "concat":
        merged = [_Value(export.add("Concat", [forward, backward], axis=-1), mask)]
    else:
        name = export.add("Mul" if layer.merge_mode == "mul" else "Add", [forward, backward])
        if layer.merge_mode == "ave":
            name = export.add("Mul", [name, export.constant(np.array(0.5, layer.dtype))])
        merged = [_Value(name, mask)]
    return [*merged, *map(_Value, parts[0][2] + parts[1][2])] if layer.return_state else merged


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
    if name == "relu6":
        zero, six = (export.constant(np.array(number, layer.dtype)) for number in (0.0, 6.0))
        return export.add("Clip", [x, zero, six])
    if name == "leaky_relu":
        return export.add("LeakyRelu", [x], alpha=0.2)
    if name == "gelu":
        root, one, half = (export.constant(np.array(number, layer.dtype)) for number in (2**-0.5, 1.0, 0.5))
        bell = export.add("Add", [export.add("Erf", [export.add("Mul", [x, root])]), one])
        return export.add("Mul", [export.add("Mul", [x, half]), bell])
    raise _refusal(layer, "an activation that ONNX export knows", f"{name} is none")


def _same(export: _Export, layer: Layer, x: _Value) -> _Value:
    return x


def _dense(export: _Export, layer: Any, x: _Value) -> _Value:
    y = export.add("MatMul", [x.name, export.constant(layer.kernel.value, f"{layer.name}_kernel")])
    if layer.bias is not None:
        y = export.add("Add", [y, export.constant(layer.bias.value, f"{layer.name}_bias")])
    return _Value(_activation(export, layer, layer.activation, y), x.mask, x.mask_is_lost)


def _activation_layer(export: _Export, layer: Any, x: _Value) -> _Value:
    return _Value(_activation(export, layer, layer.activation, x.name), x.mask, x.mask_is_lost)


def _same_masks(y: str, x: _Value) -> _Value:
    return _Value(y, x.mask, x.mask_is_lost)


def _number(export: _Export, layer: Layer, value: Any) -> str:
    return export.constant(np.asarray(value, layer.dtype))


def _relu(export: _Export, layer: Any, x: _Value) -> _Value:
    if layer.threshold:
        raise _refusal(layer, "threshold=0", "export the model without it")
    y = export.add("LeakyRelu", [x.name], alpha=float(layer.negative_slope))
    if layer.max_value is not None:
        y = export.add("Min", [y, _number(export, layer, layer.max_value)])
    return _same_masks(y, x)


def _leaky_relu(export: _Export, layer: Any, x: _Value) -> _Value:
    return _same_masks(export.add("LeakyRelu", [x.name], alpha=float(layer.negative_slope)), x)


def _elu(export: _Export, layer: Any, x: _Value) -> _Value:
    return _same_masks(export.add("Elu", [x.name], alpha=float(layer.alpha)), x)


def _prelu(export: _Export, layer: Any, x: _Value) -> _Value:
    return _same_masks(export.add("PRelu", [x.name, _number(export, layer, layer.alpha.value)]), x)


def _rescaling(export: _Export, layer: Any, x: _Value) -> _Value:
    y = export.add("Mul", [x.name, _number(export, layer, layer.scale)])
    return _same_masks(export.add("Add", [y, _number(export, layer, layer.offset)]), x)


def _softmax(export: _Export, layer: Any, x: _Value) -> _Value:
    if not isinstance(layer.axis, int) or x.mask is not None:
        raise _refusal(layer, "one axis and no mask", "use the activation 'softmax'")
    return _Value(export.add("Softmax", [x.name], axis=layer.axis))


def _embedding(export: _Export, layer: Any, x: _Value) -> _Value:
    index = export.cast(x.name, np.int64)
    y = export.add("Gather", [export.constant(layer.embeddings.value, f"{layer.name}_embeddings"), index], axis=0)
    if not layer.mask_zero:
        return _Value(y)
    return _Value(y, export.add("Not", [export.add("Equal", [index, export.integers(0)])]))


def _masking(export: _Export, layer: Any, x: _Value) -> _Value:
    value = export.constant(np.array(layer.mask_value, layer.dtype))
    other = export.cast(export.add("Not", [export.add("Equal", [x.name, value])]), np.float32)
    counts = export.add("ReduceMax", [other], axes=[-1], keepdims=1)
    y = export.add("Mul", [x.name, export.cast(counts, layer.dtype)])
    mask = export.cast(export.add("Squeeze", [counts, export.integers(-1)]), np.bool_)
    return _Value(y, mask)


def _flatten(export: _Export, layer: Any, x: _Value) -> _Value:
    return _Value(export.add("Reshape", [x.name, export.integers(0, -1)]))


def _reshape(export: _Export, layer: Any, x: _Value) -> _Value:
    return _Value(export.add("Reshape", [x.name, export.integers(0, *layer.target_shape)]))


def _permute(export: _Export, layer: Any, x: _Value) -> _Value:
    return _Value(export.add("Transpose", [x.name], perm=[0, *layer.dims]))


def _repeat(export: _Export, layer: Any, x: _Value) -> _Value:
    row = export.add("Unsqueeze", [x.name, export.integers(1)])
    return _Value(export.add("Tile", [row, export.integers(1, layer.n, 1)]))


def _time_distributed(export: _Export, layer: Any, x: _Value) -> _Value:
    shape = export.add("Shape", [x.name])
    batch_and_time = export.add("Slice", [shape, export.integers(0), export.integers(2)])
    rest = export.add("Slice", [shape, export.integers(2), export.integers(LAST)])
    steps = export.add("Reshape", [x.name, export.add("Concat", [export.integers(-1), rest], axis=0)])
    (y,) = _emit(export, layer.layer, [_Value(steps)], None, {})
    inner = export.add("Slice", [export.add("Shape", [y.name]), export.integers(1), export.integers(LAST)])
    y_name = export.add("Reshape", [y.name, export.add("Concat", [batch_and_time, inner], axis=0)])
    return _Value(y_name, x.mask, x.mask_is_lost)


def _axes(axis: Any) -> list[int]:
    return list(axis) if isinstance(axis, (list, tuple)) else [axis]


def _unit_normalization(export: _Export, layer: Any, x: _Value) -> _Value:
    squares = export.add("ReduceSumSquare", [x.name], axes=_axes(layer.axis), keepdims=1)
    length = export.add("Sqrt", [export.add("Max", [squares, _number(export, layer, 1e-12)])])
    return _same_masks(export.add("Div", [x.name, length]), x)


def _rms_normalization(export: _Export, layer: Any, x: _Value) -> _Value:
    if _axes(layer.axis) != [-1]:
        raise _refusal(layer, "the last axis", "normalize the last axis")
    square = export.add("ReduceMean", [export.add("Mul", [x.name, x.name])], axes=[-1], keepdims=1)
    size = export.add("Sqrt", [export.add("Add", [square, _number(export, layer, layer.epsilon)])])
    scaled = export.add("Mul", [export.add("Div", [x.name, size]), _number(export, layer, layer.scale.value)])
    return _same_masks(scaled, x)


def _layer_normalization(export: _Export, layer: Any, x: _Value) -> _Value:
    axes = _axes(layer.axis)
    if len(axes) != 1:
        raise _refusal(layer, "one axis", "normalize the last axis")
    axis = axes[0]
    if axis != -1 and (layer.gamma is not None or layer.beta is not None):
        raise _refusal(layer, "the last axis", "normalize the last axis")
    mean = export.add("ReduceMean", [x.name], axes=[axis], keepdims=1)
    centred = export.add("Sub", [x.name, mean])
    variance = export.add("ReduceMean", [export.add("Mul", [centred, centred])], axes=[axis], keepdims=1)
    epsilon = export.constant(np.array(layer.epsilon, layer.dtype))
    y = export.add("Div", [centred, export.add("Sqrt", [export.add("Add", [variance, epsilon])])])
    if layer.gamma is not None:
        y = export.add("Mul", [y, export.constant(layer.gamma.value)])
    if layer.beta is not None:
        y = export.add("Add", [y, export.constant(layer.beta.value)])
    return _Value(y, x.mask, x.mask_is_lost)


def _batch_normalization(export: _Export, layer: Any, x: _Value) -> _Value:
    if layer.axis != -1:
        raise _refusal(layer, "axis=-1", "normalize the last axis")
    scale = 1 / np.sqrt(layer.moving_variance.value + layer.epsilon)
    if layer.gamma is not None:
        scale = scale * layer.gamma.value
    shift = -layer.moving_mean.value * scale
    if layer.beta is not None:
        shift = shift + layer.beta.value
    y = export.add("Mul", [x.name, export.constant(scale, dtype=layer.dtype)])
    return _Value(export.add("Add", [y, export.constant(shift, dtype=layer.dtype)]), x.mask, x.mask_is_lost)


def _merged(name: str, given: tuple[_Value, ...]) -> _Value:
    return _Value(name, None, any(value.mask is not None or value.mask_is_lost for value in given))


def _concatenate(export: _Export, layer: Any, *given: _Value) -> _Value:
    return _merged(export.add("Concat", [value.name for value in given], axis=layer.axis), given)


def _chain(operator: str) -> Callable[..., _Value]:
    def emit(export: _Export, layer: Any, *given: _Value) -> _Value:
        name = given[0].name
        for value in given[1:]:
            name = export.add(operator, [name, value.name])
        return _merged(name, given)

    return emit


def _average(export: _Export, layer: Any, *given: _Value) -> _Value:
    total = _chain("Add")(export, layer, *given)
    share = export.constant(np.array(1 / len(given), layer.dtype))
    return _merged(export.add("Mul", [total.name, share]), given)


def _channels_first(export: _Export, x: str) -> str:
    return export.add("Transpose", [x], perm=[0, 2, 1])


def _convolution(export: _Export, layer: Any, x: _Value) -> _Value:
    kernel = export.constant(np.transpose(layer.kernel.value, (2, 1, 0)), f"{layer.name}_kernel")
    before = (layer.kernel_size[0] - 1) * layer.dilation_rate[0] if layer.padding == "causal" else 0
    padding: dict[str, Any] = {"auto_pad": "SAME_UPPER"} if layer.padding == "same" else {"pads": [before, 0]}
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
    return _Value(_activation(export, layer, layer.activation, y), None, x.mask is not None)


def _pooling(operator: str) -> Callable[..., _Value]:
    def emit(export: _Export, layer: Any, x: _Value) -> _Value:
        padding = {"auto_pad": "SAME_UPPER" if layer.padding == "same" else "VALID"}
        first = _channels_first(export, x.name)
        y = export.add(operator, [first], kernel_shape=layer.pool_size, strides=layer.strides, **padding)
        return _Value(_channels_first(export, y), None, x.mask is not None)

    return emit


def _global_pooling(operator: str) -> Callable[..., _Value]:
    def emit(export: _Export, layer: Any, x: _Value) -> _Value:
        if operator == "ReduceMean" and x.mask_is_lost:
            raise _refusal(layer, "a mask straight from Masking or Embedding", "mask just before it")
        if operator == "ReduceMean" and x.mask is not None:
            return _Value(_masked_mean(export, layer, x.name, x.mask))
        return _Value(export.add(operator, [x.name], axes=[1], keepdims=int(layer.keepdims)))

    return emit


def _masked_mean(export: _Export, layer: Any, x: str, mask: str) -> str:
    keep = export.cast(export.add("Unsqueeze", [mask, export.integers(2)]), layer.dtype)
    time = export.integers(1)
    total = export.add("ReduceSum", [export.add("Mul", [x, keep]), time], keepdims=int(layer.keepdims))
    count = export.add("ReduceSum", [keep, time], keepdims=int(layer.keepdims))
    return export.add("Div", [total, export.add("Max", [count, _number(export, layer, 1)])])


def _cropping(export: _Export, layer: Any, x: _Value) -> _Value:
    start, end = layer.cropping
    numbers = (start, -end if end else LAST, 1)
    return _Value(export.add("Slice", [x.name, *(export.integers(number) for number in numbers)]))


def _zero_padding(export: _Export, layer: Any, x: _Value) -> _Value:
    before, after = layer.padding
    return _Value(export.add("Pad", [x.name, export.integers(0, before, 0, 0, after, 0)]))


def _up_sampling(export: _Export, layer: Any, x: _Value) -> _Value:
    copies = export.add("Unsqueeze", [x.name, export.integers(2)])
    copies = export.add("Tile", [copies, export.integers(1, 1, layer.size, 1)])
    shape = export.add("Shape", [x.name])
    features = export.add("Slice", [shape, export.integers(2), export.integers(3)])
    return _Value(export.add("Reshape", [copies, export.add("Concat", [export.integers(0, -1), features], axis=0)]))


EMITTERS: dict[type, Callable[..., _Value]] = {
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
    normalization.BatchNormalization: _batch_normalization,
    layers.Concatenate: _concatenate,
    layers.Add: _chain("Add"),
    layers.Subtract: _chain("Sub"),
    layers.Multiply: _chain("Mul"),
    layers.Maximum: _chain("Max"),
    layers.Minimum: _chain("Min"),
    layers.Average: _average,
    layers.Conv1D: _convolution,
    layers.MaxPooling1D: _pooling("MaxPool"),
    layers.AveragePooling1D: _pooling("AveragePool"),
    layers.GlobalMaxPooling1D: _global_pooling("ReduceMax"),
    layers.GlobalAveragePooling1D: _global_pooling("ReduceMean"),
    layers.Cropping1D: _cropping,
    layers.ZeroPadding1D: _zero_padding,
    layers.UpSampling1D: _up_sampling,
}
