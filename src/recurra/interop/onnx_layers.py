"""Layers without states as ONNX operators: for each a function of the graph, the layer and its inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from recurra import activations, layers
from recurra.interop.onnx_graph import FIRST, LAST, Export, Value, folded, lost_mask, over_time, refusal
from recurra.layers import arithmetic
from recurra.layers._shapes import positions
from recurra.layers.base import Layer
from recurra.layers.indexing import GetItem
from recurra.ops.reference import SELU_ALPHA, SELU_SCALE

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


def _activation(export: Export, layer: Layer, function: Any, x: str) -> str:
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
        return export.add("Clip", [x, *(export.number(layer, end) for end in ends)])
    if name == "leaky_relu":
        return export.add("LeakyRelu", [x], alpha=0.2)
    if name == "gelu":
        root, one, half = (export.number(layer, number) for number in (2**-0.5, 1, 0.5))
        bell = export.add("Add", [export.add("Erf", [export.add("Mul", [x, root])]), one])
        return export.add("Mul", [export.add("Mul", [x, half]), bell])
    raise refusal(layer, "an activation that ONNX export knows", repr(name))


def _same(export: Export, layer: Layer, x: Value) -> str:
    return x.name


def _dense(export: Export, layer: Any, x: Value) -> str:
    y = export.add("MatMul", [x.name, export.constant(layer.kernel.value, f"{layer.name}_kernel")])
    if layer.bias is not None:
        y = export.add("Add", [y, export.constant(layer.bias.value, f"{layer.name}_bias")])
    return _activation(export, layer, layer.activation, y)


def _activation_layer(export: Export, layer: Any, x: Value) -> str:
    return _activation(export, layer, layer.activation, x.name)


def _relu(export: Export, layer: Any, x: Value) -> str:
    """Keras's three parts: what passes the threshold, at most max_value, less the slope times what is missing to it."""
    threshold = export.number(layer, layer.threshold)
    if layer.threshold:
        passes = export.add("Greater", [x.name, threshold])
        y = export.add("Where", [passes, x.name, export.number(layer, 0)])
    else:
        y = export.add("Relu", [x.name])
    if layer.max_value is not None:
        y = export.add("Min", [y, export.number(layer, layer.max_value)])
    if layer.negative_slope:
        missing = export.add("Relu", [export.add("Sub", [threshold, x.name])])
        y = export.add("Sub", [y, export.add("Mul", [missing, export.number(layer, layer.negative_slope)])])
    return y


def _leaky_relu(export: Export, layer: Any, x: Value) -> str:
    return export.add("LeakyRelu", [x.name], alpha=float(layer.negative_slope))


def _elu(export: Export, layer: Any, x: Value) -> str:
    return export.add("Elu", [x.name], alpha=float(layer.alpha))


def _prelu(export: Export, layer: Any, x: Value) -> str:
    return export.add("PRelu", [x.name, export.number(layer, layer.alpha.value)])


def _rescaling(export: Export, layer: Any, x: Value) -> str:
    y = export.add("Mul", [x.name, export.number(layer, layer.scale)])
    return export.add("Add", [y, export.number(layer, layer.offset)])


def _given_normalization(export: Export, layer: Any, x: Value) -> str:
    mean, deviation = (export.constant(value, dtype=layer.dtype) for value in (layer.mean, layer.deviation))
    if layer.invert:
        return export.add("Add", [mean, export.add("Mul", [x.name, deviation])])
    return export.add("Div", [export.add("Sub", [x.name, mean]), deviation])


def _softmax(export: Export, layer: Any, x: Value) -> str:
    if not isinstance(layer.axis, int) or x.has_mask:
        got = "a mask" if x.has_mask else f"axis={layer.axis}"
        raise refusal(layer, "one axis and no mask", got, "use the activation 'softmax'")
    return export.add("Softmax", [x.name], axis=layer.axis)


def _embedding(export: Export, layer: Any, x: Value) -> Value:
    index = export.cast(x.name, np.int64)
    y = export.add("Gather", [export.constant(layer.embeddings.value, f"{layer.name}_embeddings"), index], axis=0)
    result = Value(y, x.rank + 1, layer.dtype, over_time=x.rank > 1)
    if not layer.mask_zero:
        return result
    return _with_mask(result, export.add("Not", [export.add("Equal", [index, export.integers(0)])]), x.rank)


def _with_mask(x: Value, mask: str, rank: int) -> Value:
    """Returns x with a mask, which counts as lost unless it is one of time steps."""
    return replace(x, mask=mask) if rank == 2 else replace(x, mask_is_lost=True)


def _masking(export: Export, layer: Any, x: Value) -> Value:
    other = export.add("Not", [export.add("Equal", [x.name, export.number(layer, layer.mask_value)])])
    counts = export.add("ReduceMax", [export.cast(other, np.float32)], axes=[-1], keepdims=1)
    keep = export.cast(counts, np.bool_)
    y = replace(x, name=export.add("Where", [keep, x.name, export.number(layer, 0)]))
    return _with_mask(y, export.add("Squeeze", [keep, export.integers(-1)]), x.rank - 1)


def _flatten(export: Export, layer: Any, x: Value) -> str:
    return export.add("Reshape", [x.name, export.integers(0, -1)])


def _reshape(export: Export, layer: Any, x: Value) -> str:
    return export.add("Reshape", [x.name, export.integers(0, *layer.target_shape)])


def _permute(export: Export, layer: Any, x: Value) -> str:
    return export.add("Transpose", [x.name], perm=[0, *layer.dims])


def _repeat(export: Export, layer: Any, x: Value) -> str:
    row = export.add("Unsqueeze", [x.name, export.integers(1)])
    return export.add("Tile", [row, export.integers(1, layer.n, 1)])


def _axes(layer: Any, x: Value) -> list[int]:
    return list(positions(type(layer).__name__, layer.axis, x.rank))


def _spread(weight: np.ndarray, axes: list[int], rank: int) -> np.ndarray:
    """Returns a weight with a value for each entry along the axes, in a shape that broadcasts to an input of `rank`."""
    sizes = dict(zip(axes, weight.shape, strict=True))
    return weight.reshape([sizes.get(axis, 1) for axis in range(rank)])


def _unit_normalization(export: Export, layer: Any, x: Value) -> str:
    squares = export.add("ReduceSum", [export.add("Mul", [x.name, x.name]), export.integers(*_axes(layer, x))])
    scale = export.add("Reciprocal", [export.add("Sqrt", [squares])])
    return export.add("Mul", [x.name, export.add("Min", [scale, export.number(layer, 1e12)])])


def _mean_square(export: Export, x: str, axes: list[int]) -> str:
    return export.add("ReduceMean", [export.add("Mul", [x, x])], axes=axes, keepdims=1)


def _standardized(export: Export, layer: Any, x: str, axes: list[int]) -> str:
    """Returns x / sqrt(mean(x * x) + epsilon)."""
    sum_ = export.add("Add", [_mean_square(export, x, axes), export.number(layer, layer.epsilon)])
    return export.add("Div", [x, export.add("Sqrt", [sum_])])


def _rms_normalization(export: Export, layer: Any, x: Value) -> str:
    axes = _axes(layer, x)
    scale = _spread(layer.scale.value, axes, x.rank)
    return export.add("Mul", [_standardized(export, layer, x.name, axes), export.constant(scale)])


def _layer_normalization(export: Export, layer: Any, x: Value) -> str:
    axes = _axes(layer, x)
    centred = export.add("Sub", [x.name, export.add("ReduceMean", [x.name], axes=axes, keepdims=1)])
    y = _standardized(export, layer, centred, axes)
    for operator, weight in (("Mul", layer.gamma), ("Add", layer.beta)):
        if weight is not None:
            y = export.add(operator, [y, export.constant(_spread(weight.value, axes, x.rank))])
    return y


def _batch_normalization(export: Export, layer: Any, x: Value) -> str:
    scale = 1 / np.sqrt(layer.moving_variance.value + layer.epsilon)
    if layer.gamma is not None:
        scale = scale * layer.gamma.value
    shift = -layer.moving_mean.value * scale
    if layer.beta is not None:
        shift = shift + layer.beta.value
    scale, shift = (export.number(layer, _spread(row, _axes(layer, x), x.rank)) for row in (scale, shift))
    return export.add("Add", [export.add("Mul", [x.name, scale]), shift])


# Merging layers -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Part:
    """An input of an elementwise merging layer, of the rank of the result, and its mask: bool, broadcast to it."""

    name: str
    mask: str | None


Merge = Callable[[Export, Layer, list[_Part]], str]


def _elementwise(merge: Merge, reads_masks: bool = False) -> Callable[..., Value]:
    """Returns the emitter of a merging layer; `merge` computes as its namesake in layers/merging.py."""

    def emit(export: Export, layer: Any, *given: Value) -> Value:
        rank = max(value.rank for value in given)
        if reads_masks and any(value.mask_is_lost for value in given):
            raise lost_mask(layer)
        if reads_masks and any(value.mask is not None and value.rank < rank for value in given):
            raise refusal(layer, "masked inputs of as many axes as the others", "fewer", "Reshape them before the mask")
        parts = [_part(export, value, rank, reads_masks) for value in given]
        masks: list[str | None] = [value.mask for value in given]
        is_lost = all(value.has_mask for value in given) and any(value.mask_is_lost for value in given)
        mask = None if is_lost else _any_of(export, masks)
        return Value(merge(export, layer, parts), rank, layer.dtype, mask, is_lost, over_time(given))

    return emit


def _part(export: Export, value: Value, rank: int, reads_mask: bool) -> _Part:
    """Puts axes of size 1 behind the batch, where ONNX would put them before it, and behind the mask's."""
    name, mask = value.name, value.mask
    if value.rank < rank:
        name = export.add("Unsqueeze", [name, export.integers(*range(1, 1 + rank - value.rank))])
    if mask is not None and reads_mask and rank > 2:
        mask = export.add("Unsqueeze", [mask, export.integers(*range(2, rank))])
    return _Part(name, mask if reads_mask else None)


def _any_of(export: Export, masks: list[str | None]) -> str | None:
    """Returns where any of the masks is True; None if one is absent."""
    given = [mask for mask in masks if mask is not None]
    return folded(export, "Or", given) if len(given) == len(masks) else None


def _fold(operator: str) -> Merge:
    return lambda export, layer, parts: folded(export, operator, [part.name for part in parts])


def _mean(export: Export, layer: Layer, parts: list[_Part]) -> str:
    return export.add("Mul", [_fold("Add")(export, layer, parts), export.number(layer, 1 / len(parts))])


def _product(export: Export, layer: Layer, parts: list[_Part]) -> str:
    one = export.number(layer, 1)
    factors = [part.name if part.mask is None else export.add("Where", [part.mask, part.name, one]) for part in parts]
    shown = _any_of(export, [part.mask for part in parts])
    return folded(export, "Mul", factors + ([] if shown is None else [export.cast(shown, layer.dtype)]))


def _extreme(operator: str, wins: str) -> Merge:
    def merge(export: Export, layer: Layer, parts: list[_Part]) -> str:
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


def _concatenate(export: Export, layer: Any, *given: Value) -> Value:
    rank = given[0].rank
    if len({value.dtype for value in given}) > 1:
        given = tuple(replace(value, name=export.cast(value.name, layer.dtype), dtype=layer.dtype) for value in given)
    y = export.add("Concat", [value.name for value in given], axis=layer.axis)
    features = rank == 3 and _axes(layer, given[0]) == [2] and not any(value.mask_is_lost for value in given)
    # Along the features a step counts that counts in any input, and in one without a mask all do.
    mask = _any_of(export, [value.mask for value in given]) if features else None
    is_lost = not features and any(value.has_mask for value in given)
    return Value(y, rank, given[0].dtype, mask, is_lost, over_time(given))


# As Keras's files name them: x + y beside the layer Add.
ARITHMETIC = {
    arithmetic.Add: "Add",
    arithmetic.Subtract: "Sub",
    arithmetic.Multiply: "Mul",
    arithmetic.TrueDivide: "Div",
    arithmetic.Negative: "Neg",
}


def _arithmetic(export: Export, layer: arithmetic.Arithmetic, *given: Value) -> Value:
    tensors = iter(given)
    names = [next(tensors).name if one is None else export.number(layer, one) for one in layer.operands]
    y = export.add(ARITHMETIC[type(layer)], names)
    return Value(y, max(value.rank for value in given), layer.dtype, over_time=over_time(given))


# Layers over time ---------------------------------------------------------------------------------------------------


def _channels_first(export: Export, x: str) -> str:
    return export.add("Transpose", [x], perm=[0, 2, 1])


def _convolution(export: Export, layer: Any, x: Value) -> str:
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
    def emit(export: Export, layer: Any, x: Value) -> str:
        (size,), (stride,) = layer.pool_size, layer.strides
        if size == 1:  # each window is its step
            return export.add("Slice", [x.name, *(export.integers(number) for number in (0, LAST, 1, stride))])
        if layer.padding == "same" and stride > size:  # onnxruntime: padding values must be non-negative
            hint = "pad with ZeroPadding1D, or have strides of at most pool_size"
            raise refusal(layer, "strides of at most pool_size with padding='same'", f"{stride} and {size}", hint)
        padding = {"auto_pad": "SAME_UPPER" if layer.padding == "same" else "VALID"}
        first = _channels_first(export, x.name)
        y = export.add(operator, [first], kernel_shape=layer.pool_size, strides=layer.strides, **padding)
        return _channels_first(export, y)

    return emit


def _global_pooling(operator: str) -> Callable[..., str]:
    def emit(export: Export, layer: Any, x: Value) -> str:
        if operator == "ReduceMean" and x.mask_is_lost:
            raise lost_mask(layer)
        if operator == "ReduceMean" and x.mask is not None:
            return _masked_mean(export, layer, x.name, x.mask)
        time = 2 if layer.data_format == "channels_first" else 1
        return export.add(operator, [x.name], axes=[time], keepdims=int(layer.keepdims))

    return emit


def _masked_mean(export: Export, layer: Any, x: str, mask: str) -> str:
    keep = export.cast(export.add("Unsqueeze", [mask, export.integers(2)]), layer.dtype)
    time = export.integers(1)
    total = export.add("ReduceSum", [export.add("Mul", [x, keep]), time], keepdims=int(layer.keepdims))
    count = export.add("ReduceSum", [keep, time], keepdims=int(layer.keepdims))
    return export.add("Div", [total, export.add("Max", [count, export.number(layer, 1)])])


def _cropping(export: Export, layer: Any, x: Value) -> str:
    start, end = layer.cropping
    numbers = (start, -end if end else LAST, 1)
    return export.add("Slice", [x.name, *(export.integers(number) for number in numbers)])


def _get_item(export: Export, layer: GetItem, x: Value) -> Value:
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
    return Value(y, len(kept), x.dtype)


def _zero_padding(export: Export, layer: Any, x: Value) -> str:
    before, after = layer.padding
    return export.add("Pad", [x.name, export.integers(0, before, 0, 0, after, 0)])


def _up_sampling(export: Export, layer: Any, x: Value) -> str:
    copies = export.add("Unsqueeze", [x.name, export.integers(2)])
    copies = export.add("Tile", [copies, export.integers(1, 1, layer.size, 1)])
    shape = export.add("Shape", [x.name])
    features = export.add("Slice", [shape, export.integers(2), export.integers(3)])
    return export.add("Reshape", [copies, export.add("Concat", [export.integers(0, -1), features], axis=0)])


# What has several inputs, whole numbers as input or a mask as output, which `model.stream` knows nothing of.
ALSO_BY_STEP = (
    arithmetic.Arithmetic,
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
EMITTERS: dict[type, Callable[..., Value | str]] = {
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
    layers.GaussianDropout: _same,
    layers.GaussianNoise: _same,
    layers.Identity: _same,
    layers.ActivityRegularization: _same,
    layers.Embedding: _embedding,
    layers.Masking: _masking,
    layers.Flatten: _flatten,
    layers.Reshape: _reshape,
    layers.Permute: _permute,
    layers.RepeatVector: _repeat,
    layers.LayerNormalization: _layer_normalization,
    layers.RMSNormalization: _rms_normalization,
    layers.UnitNormalization: _unit_normalization,
    layers.Normalization: _given_normalization,
    layers.BatchNormalization: _batch_normalization,
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
    **dict.fromkeys(ARITHMETIC, _arithmetic),
    layers.ZeroPadding1D: _zero_padding,
    layers.UpSampling1D: _up_sampling,
}
