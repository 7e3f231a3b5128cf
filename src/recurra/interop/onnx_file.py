"""ONNX out: a model as a graph that onnxruntime and other engines run.

Recurrent layers become ONNX's own RNN, LSTM and GRU nodes. ONNX knows lengths instead of masks: a masked model is
exported only where the caller promises that sequences are padded on the right. Operators: opset 17
(https://onnx.ai/onnx/operators).
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np

from recurra import _tree, layers
from recurra._checks import expected
from recurra._files import check_ending, path_of, write_atomically
from recurra._version import __version__
from recurra.errors import extra_needed
from recurra.interop.onnx_attention import ATTENTIONS, attention
from recurra.interop.onnx_graph import LAST, Export, Value, over_time, refusal
from recurra.interop.onnx_layers import ALSO_BY_STEP, EMITTERS
from recurra.interop.onnx_recurrent import bidirectional, recurrent_layer
from recurra.layers.base import Layer
from recurra.layers.multi_head_attention import MASKS
from recurra.layers.symbolic import KerasTensor, Node
from recurra.models.functional import GraphModel
from recurra.models.stream import is_by_step, mixes_steps

OPSET = 17
IR_VERSION = 8


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
    export = Export(onnx, right_padded, streaming)
    input_names = [export.name(name) for name in model.input_names]
    labels = _output_labels(export, model._outputs.paths)
    given = []
    for name, tensor in zip(input_names, model.inputs, strict=True):
        shape = [_dimension(name, axis, size) for axis, size in enumerate(tensor.shape)]
        export.inputs.append(export.describe(name, tensor.dtype, shape))
        given.append(Value(name, len(shape), tensor.dtype, over_time=len(shape) > 2))
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
    """Writes `to_onnx(model, **options)` to a file, atomically.

    Raises:
        ValueError: If the file's name ends as those of other formats do, or `to_onnx` refuses the model.
    """
    path = path_of("saving", filepath)
    check_ending("save_onnx", path, ".onnx")
    write_atomically(path, to_onnx(model, **options).SerializeToString())


def _output_labels(export: Export, names: list[str]) -> list[str]:
    """Returns the names of the outputs: the model's where they tell one tensor from another."""
    counts = Counter(names)
    own = [name if counts[name] == 1 and export.is_free([name]) else None for name in names]
    export.taken.update(name for name in own if name is not None)
    return [name or export.name(f"output_{position}") for position, name in enumerate(own)]


def _dimension(name: str, axis: int, size: int | None) -> Any:
    if size is not None:
        return int(size)
    return "batch" if axis == 0 else f"{name}_timesteps" if axis == 1 else f"{name}_{axis}"


def _run_graph(export: Export, model: GraphModel, given: list[Value]) -> list[Value]:
    values = {id(tensor): value for tensor, value in zip(model.inputs, given, strict=True)}
    for node in model.graph.nodes:
        produced = _tree.flatten(node.outputs)
        if all(id(tensor) in values for tensor in produced):
            continue
        if any(mask is not None for mask in _tree.flatten(node.kwargs.get("mask"))):
            raise refusal(node.layer, "no mask= in its call", "one", "mask by Masking or Embedding(mask_zero=True)")
        results = _emit(export, node.layer, [values[id(tensor)] for tensor in _tree.flatten(node.inputs)], node, values)
        for tensor, value in zip(produced, results, strict=True):
            values[id(tensor)] = replace(value, rank=len(tensor.shape))
    return [values[id(tensor)] for tensor in model.outputs]


def _emit(export: Export, layer: Layer, given: list[Value], node: Node | None, values: Any) -> list[Value]:
    """Adds what a layer does, and returns its outputs."""
    if isinstance(layer, GraphModel):
        return _run_graph(export, layer, given)
    given = [_as_cast(export, layer, value) for value in given]
    options = {} if node is None else node.kwargs
    if type(layer) is layers.MultiHeadAttention:
        given += [_argument(export, layer, options[name], values) for name in ("value", "key") if name in options]
    if export.streaming:
        _check_streaming(layer, given)
    if isinstance(layer, (layers.RNN, layers.Bidirectional)):
        initial = _tree.flatten(options.get("initial_state"))
        states = given[1:] + [_argument(export, layer, leaf, values) for leaf in initial if leaf is not None]
        emit_sequence = bidirectional if isinstance(layer, layers.Bidirectional) else recurrent_layer
        return emit_sequence(export, layer, given[0], [state.name for state in states])
    if type(layer) in ATTENTIONS:
        by_name = {name: _tensor(export, options[name], values) for name in MASKS if name in options}
        wanted = [bool(options.get(name)) for name in ("use_causal_mask", "return_attention_scores")]
        return attention(export, layer, given, by_name, *wanted)
    emitter = _time_distributed if type(layer) is layers.TimeDistributed else EMITTERS.get(type(layer))
    if emitter is None:
        raise refusal(layer, "a layer that ONNX export knows", "one that it does not", "export the model without it")
    result = emitter(export, layer, *given)
    if isinstance(result, Value):
        return [result]
    # The rule of Layer.compute_mask; a layer with one of its own returns a Value where a mask comes out of it.
    hands_on = layer.supports_masking and type(layer).compute_mask is Layer.compute_mask
    masks = (given[0].mask, given[0].mask_is_lost) if hands_on else (None, False)
    return [Value(result, given[0].rank, given[0].dtype, *masks, over_time(given))]


def _as_cast(export: Export, layer: Layer, value: Value) -> Value:
    """Does what Layer._cast_inputs does; layers with a cast of their own see to it themselves."""
    kept = layer.keeps_integers and np.dtype(value.dtype).kind != "f"
    if value.dtype == layer.dtype or kept or type(layer)._cast_inputs is not Layer._cast_inputs:
        return value
    return replace(value, name=export.cast(value.name, layer.dtype), dtype=layer.dtype)


def _argument(export: Export, layer: Layer, argument: Any, values: Any) -> Value:
    """Returns what a call was given by name, in the layer's dtype."""
    return _as_cast(export, layer, _tensor(export, argument, values))


def _tensor(export: Export, tensor: Any, values: Any) -> Value:
    """Returns a tensor of the graph, or an array that is the same in every call."""
    if isinstance(tensor, KerasTensor):
        return values[id(tensor)]
    array = np.asarray(tensor)
    return Value(export.constant(array), array.ndim, array.dtype.name)


def _time_distributed(export: Export, layer: Any, x: Value) -> Value:
    shape = export.add("Shape", [x.name])
    batch_and_time = export.add("Slice", [shape, export.integers(0), export.integers(2)])
    rest = export.add("Slice", [shape, export.integers(2), export.integers(LAST)])
    steps = export.add("Reshape", [x.name, export.add("Concat", [export.integers(-1), rest], axis=0)])
    if x.has_mask and _needs_its_mask(layer.layer, x):
        raise refusal(layer, "no mask for the layer inside", "one", "mask after it")
    (y,) = _emit(export, layer.layer, [Value(steps, x.rank - 1, x.dtype)], None, {})
    inner = export.add("Slice", [export.add("Shape", [y.name]), export.integers(1), export.integers(LAST)])
    y_name = export.add("Reshape", [y.name, export.add("Concat", [batch_and_time, inner], axis=0)])
    return replace(x, name=y_name, dtype=y.dtype)


def _needs_its_mask(layer: Layer, x: Value) -> bool:
    """Whether the layer inside TimeDistributed is given a mask that changes its results."""
    if isinstance(layer, layers.RNN):  # no mask of time steps for it
        return x.mask_is_lost
    return "mask" in layer._forward_parameters and not isinstance(layer, layers.BatchNormalization)


def _check_streaming(layer: Layer, given: list[Value]) -> None:
    """Raises ValueError for a layer that would give other results for the pieces than for the whole sequence.

    The rule is `model.stream`'s, with the layers that only ONNX needs to know. What has no time axis, such as what
    comes after the last output, is the same in pieces.
    """
    hint = "export it without streaming"
    if isinstance(layer, (layers.RNN, layers.Bidirectional)):
        if not given[0].over_time:
            raise refusal(layer, "the time steps of the model's input, to stream", "others", hint)
        if isinstance(layer, layers.Bidirectional) or layer.go_backwards:
            raise refusal(layer, "layers that go forwards, to stream", "backwards", hint)
    elif over_time(given):
        if not all(value.over_time for value in given):
            raise refusal(layer, "inputs that all have the time axis, to stream", "some without", hint)
        rank = given[0].rank
        if not is_by_step(layer, rank) and (not isinstance(layer, ALSO_BY_STEP) or mixes_steps(layer, rank)):
            raise refusal(layer, "layers that need no more than one time step, to stream", "one that needs more", hint)
