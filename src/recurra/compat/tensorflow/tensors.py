"""Tensors that are NumPy arrays, and TensorFlow's functions on them."""

from __future__ import annotations

import builtins
import contextlib
import functools
import logging
import operator
from collections.abc import Callable, Iterable
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np

from recurra import activations
from recurra._arrays import Array as Tensor
from recurra._arrays import TensorShape, as_array
from recurra._checks import expected, one_of
from recurra.compat.tensorflow import _symbolic
from recurra.compat.tensorflow._conversion import (
    activation,
    as_tensorflow,
    convert_to_tensor,
    of_numpy,
    reduction,
    trained_as,
)
from recurra.compat.tensorflow._symbolic import on_symbolic

__all__ = [
    "Tensor", "TensorShape", "bool", "float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8",
    "newaxis",
    "abs", "add", "add_n", "argmax", "argmin", "argsort", "boolean_mask", "broadcast_to", "cast", "clip_by_norm",
    "clip_by_value", "concat", "cond", "constant", "convert_to_tensor", "cos", "cumsum", "device", "divide", "einsum",
    "ensure_shape", "equal", "executing_eagerly", "exp", "expand_dims", "eye", "fill", "floor", "function", "gather",
    "gather_nd", "get_logger", "greater", "greater_equal", "identity", "is_tensor", "less", "less_equal", "linspace",
    "logical_and", "logical_not", "logical_or", "matmul", "maximum", "meshgrid", "minimum", "multiply", "negative",
    "norm", "not_equal", "one_hot", "ones", "ones_like", "pad", "pow", "print", "range", "rank", "reduce_all",
    "reduce_any", "reduce_logsumexp", "reduce_max", "reduce_mean", "reduce_min", "reduce_prod", "reduce_sum",
    "repeat", "reshape", "reverse", "roll", "round", "scatter_nd", "searchsorted", "sequence_mask", "shape", "sigmoid",
    "sign", "sin", "size", "slice", "sort", "split", "sqrt", "square", "squeeze", "stack", "stop_gradient", "subtract",
    "tanh", "tensor_scatter_nd_update", "tensordot", "tile", "transpose", "truediv", "unique", "unstack", "where",
    "while_loop", "zeros", "zeros_like",
]  # fmt: skip

bool = np.dtype("bool")  # the dtypes carry TensorFlow's names, also where Python has one of its own
float16, float32, float64 = np.dtype("float16"), np.dtype("float32"), np.dtype("float64")
int8, int16, int32, int64 = np.dtype("int8"), np.dtype("int16"), np.dtype("int32"), np.dtype("int64")
uint8 = np.dtype("uint8")
newaxis = None


def constant(value: Any, dtype: Any = None, shape: Any = None) -> Tensor:
    """Returns `value` as an array, of `shape` if given: one number fills it."""
    array = convert_to_tensor(value, dtype)
    if shape is None:
        return array
    return as_array(np.full(shape, array) if array.size == 1 else array.reshape(shape))


@on_symbolic(_symbolic.cast)
def cast(x: Any, dtype: Any) -> Tensor:
    """Returns `x` in another dtype."""
    return as_array(convert_to_tensor(x).astype(dtype))


def zeros(shape: Any, dtype: Any = float32) -> Tensor:
    """Returns zeros."""
    return as_array(np.zeros(shape, _no_length("zeros", dtype)))


def ones(shape: Any, dtype: Any = float32) -> Tensor:
    """Returns ones."""
    return as_array(np.ones(shape, _no_length("ones", dtype)))


def _no_length(who: str, dtype: Any) -> Any:
    if isinstance(dtype, int):
        raise TypeError(expected(who, "a dtype after the shape", dtype, f"write tf.{who}((2, 3)) for two axes"))
    return dtype


def fill(dims: Any, value: Any) -> Tensor:
    """Returns an array of shape `dims` that holds `value` everywhere."""
    return constant(value, shape=dims)


def eye(num_rows: int, num_columns: int | None = None, batch_shape: Any = None, dtype: Any = float32) -> Tensor:
    """Returns the identity matrix, as often as `batch_shape` says."""
    matrix = np.eye(num_rows, num_columns, dtype=dtype)
    return as_array(matrix if batch_shape is None else np.tile(matrix, (*batch_shape, 1, 1)))


def range(start: Any, limit: Any = None, delta: Any = 1, dtype: Any = None) -> Tensor:
    """Returns start, start + delta, ... below `limit`; with one argument, 0, 1, ... below it."""
    first, end = (0, start) if limit is None else (start, limit)
    numbers = np.arange(first, end, delta)
    return as_array(numbers.astype(dtype)) if dtype else as_tensorflow(numbers)


def linspace(start: Any, stop: Any, num: int, axis: int = 0) -> Tensor:
    """Returns `num` evenly spaced numbers, both ends included; between arrays along a new axis."""
    return as_array(np.linspace(start, stop, num, dtype=float32, axis=axis))


def one_hot(
    indices: Any, depth: int, on_value: Any = 1, off_value: Any = 0, axis: int = -1, dtype: Any = float32
) -> Tensor:
    """Returns (..., depth) with `on_value` at each index; an index outside [0, depth) gives `off_value` throughout."""
    hot = np.asarray(indices)[..., None] == np.arange(depth)
    return as_array(np.moveaxis(np.where(hot, on_value, off_value).astype(dtype), -1, axis))


@on_symbolic(_symbolic.reshape)
def reshape(tensor: Any, shape: Any) -> Tensor:
    """Returns the same values in another shape; one dimension may be -1."""
    return as_array(np.reshape(convert_to_tensor(tensor), tuple(np.atleast_1d(np.asarray(shape, int)).tolist())))


def where(condition: Any, x: Any = None, y: Any = None) -> Tensor:
    """Returns `x` where the condition holds, else `y`; of a condition alone, the places (n, axes) where it holds."""
    if x is None and y is None:
        return as_array(np.argwhere(np.asarray(condition)).astype(int64))
    if not isinstance(x, (np.ndarray, list, tuple)) and not isinstance(y, (np.ndarray, list, tuple)):
        x, y = convert_to_tensor([x, y])
    return as_array(_choose(np.asarray(condition), x, y))


def matmul(a: Any, b: Any, transpose_a: Any = False, transpose_b: Any = False) -> Tensor:
    """Returns the products of the matrices on the last two axes, each transposed first if so wished."""
    first, second = convert_to_tensor(a), convert_to_tensor(b)
    first = np.swapaxes(first, -1, -2) if transpose_a else first
    return as_array(np.matmul(first, np.swapaxes(second, -1, -2) if transpose_b else second))


@on_symbolic(_symbolic.transpose)
def transpose(a: Any, perm: Any = None, conjugate: Any = False) -> Tensor:
    """Returns `a` with its axes in the order `perm`, reversed if None; `conjugate` changes nothing for real numbers."""
    return as_array(np.transpose(convert_to_tensor(a), perm))


@on_symbolic(_symbolic.expand_dims)
def expand_dims(input: Any, axis: int) -> Tensor:
    """Returns `input` with an axis of length 1 more."""
    return as_array(np.expand_dims(convert_to_tensor(input), axis))


@on_symbolic(_symbolic.squeeze)
def squeeze(input: Any, axis: Any = None) -> Tensor:
    """Returns `input` without its axes of length 1, or without those named."""
    return as_array(np.squeeze(convert_to_tensor(input), tuple(axis) if isinstance(axis, list) else axis))


@on_symbolic(_symbolic.concat)
def concat(values: Iterable[Any], axis: int) -> Tensor:
    """Returns `values` joined along an axis that they have."""
    return as_array(np.concatenate([convert_to_tensor(value) for value in values], axis))


def stack(values: Iterable[Any], axis: int = 0) -> Tensor:
    """Returns `values` joined along a new axis."""
    return as_array(np.stack([convert_to_tensor(value) for value in values], axis))


def unstack(value: Any, num: int | None = None, axis: int = 0) -> list[Tensor]:
    """Returns the parts of `value` along an axis, which they lose; ValueError for another number of them than `num`."""
    parts = np.moveaxis(convert_to_tensor(value), axis, 0)
    if num is not None and num != len(parts):
        raise ValueError(expected("unstack", f"{num} parts", len(parts)))
    return [as_array(part) for part in parts]


def split(value: Any, num_or_size_splits: Any, axis: int = 0) -> list[Tensor]:
    """Returns `value` cut along an axis, into so many equal parts or into parts of these sizes, one -1 for the rest.

    Raises:
        ValueError: If the parts are not the whole.
    """
    tensor = convert_to_tensor(value)
    if isinstance(num_or_size_splits, (int, np.integer)):
        return [as_array(part) for part in np.split(tensor, num_or_size_splits, axis)]
    sizes, whole = list(num_or_size_splits), tensor.shape[axis]
    if sizes.count(-1) == 1:
        sizes[sizes.index(-1)] = whole - sum(sizes) - 1
    if min(sizes, default=0) < 0 or sum(sizes) != whole:
        raise ValueError(expected("split", f"sizes that add up to {whole}", list(num_or_size_splits)))
    return [as_array(part) for part in np.split(tensor, np.cumsum(sizes)[:-1], axis)]


@on_symbolic(_symbolic.reverse)
def reverse(tensor: Any, axis: Any) -> Tensor:
    """Returns `tensor` with the order along the axes turned round."""
    return as_array(np.flip(convert_to_tensor(tensor), axis))


def tile(input: Any, multiples: Any) -> Tensor:
    """Returns `input` repeated so many times along each axis."""
    return as_array(np.tile(convert_to_tensor(input), tuple(multiples)))


def gather(params: Any, indices: Any, axis: Any = None, batch_dims: int = 0) -> Tensor:
    """Returns the entries of `params` at `indices` along an axis, each of the first `batch_dims` axes' rows for itself.

    The axis is the first, or that after the `batch_dims` if None.

    Raises:
        IndexError: For places that are not there, those below 0 too.
    """
    tensor, places = convert_to_tensor(params), np.asarray(indices)
    kept = batch_dims + places.ndim if batch_dims < 0 else batch_dims
    axis = kept if axis is None else axis % tensor.ndim
    if not kept:
        return as_array(np.take(tensor, _within("gather", places, tensor.shape[axis]), axis))
    pairs = zip(tensor, places, strict=True)
    return as_array(np.stack([gather(row, own, axis - 1, kept - 1) for row, own in pairs]))


def scatter_nd(indices: Any, updates: Any, shape: Any) -> Tensor:
    """Returns zeros of `shape` with `updates` added at places, which are the rows along the last axis of `indices`."""
    numbers = convert_to_tensor(updates)
    tensor = np.zeros(tuple(shape), numbers.dtype)
    np.add.at(tensor, _places("scatter_nd", indices, tensor), numbers)
    return as_array(tensor)


def tensor_scatter_nd_update(tensor: Any, indices: Any, updates: Any) -> Tensor:
    """Returns `tensor` with `updates` at places, which are the rows along the last axis of `indices`."""
    changed = np.array(convert_to_tensor(tensor))
    changed[_places("tensor_scatter_nd_update", indices, changed)] = convert_to_tensor(updates)
    return as_array(changed)


def cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """Returns what the one or the other function returns."""
    return true_fn() if pred else false_fn()


def while_loop(
    cond: Callable[..., Any],
    body: Callable[..., Any],
    loop_vars: Any,
    shape_invariants: Any = None,
    parallel_iterations: int = 10,
    back_prop: Any = True,
    swap_memory: Any = False,
    maximum_iterations: int | None = None,
) -> Any:
    """Returns `loop_vars` after `body(*loop_vars)` has made them anew as long as `cond(*loop_vars)` holds.

    Other arguments than `maximum_iterations` are accepted and change nothing.
    """
    done = 0
    while done != maximum_iterations and cond(*loop_vars):
        made = body(*loop_vars)
        loop_vars = type(loop_vars)(made if isinstance(made, (list, tuple)) else [made])
        done += 1
    return loop_vars


def gather_nd(params: Any, indices: Any, batch_dims: int = 0) -> Tensor:
    """Returns the entries of `params` at places, each of the first `batch_dims` axes' rows for itself.

    A place is a row along the last axis of `indices`; IndexError for one that is not there, those below 0 too.
    """
    tensor = convert_to_tensor(params)
    if not batch_dims:
        return as_array(tensor[_places("gather_nd", indices, tensor)])
    pairs = zip(tensor, np.asarray(indices), strict=True)
    return as_array(np.stack([gather_nd(row, own, batch_dims - 1) for row, own in pairs]))


def _places(who: str, indices: Any, tensor: np.ndarray) -> tuple[np.ndarray, ...]:
    """Returns places, which are the rows along the last axis of `indices`, as NumPy takes them."""
    rows = np.asarray(indices)
    return tuple(np.moveaxis(_within(who, rows, tensor.shape[: rows.shape[-1]]), -1, 0))


def _within(who: str, places: np.ndarray, lengths: Any) -> np.ndarray:
    """Returns `places`; IndexError unless they are in axes of these lengths: NumPy counts from the end below 0.

    Layers get whole numbers in their own dtype, so that places may be floats, of whole numbers.
    """
    wrong = places[(places < 0) | (places >= np.array(lengths))]
    if wrong.size:
        raise IndexError(expected(who, f"indices from 0 to below {lengths}", wrong[0]))
    if places.dtype.kind != "f":
        return places
    broken = places[places != np.floor(places)]
    if broken.size:
        raise IndexError(expected(who, "whole numbers as indices", broken[0]))
    return places.astype(np.int64)


def broadcast_to(input: Any, shape: Any) -> Tensor:
    """Returns `input` repeated along axes of length 1, and along new ones before them, up to `shape`."""
    return as_array(np.array(np.broadcast_to(convert_to_tensor(input), tuple(shape))))


def ensure_shape(x: Any, shape: Any) -> Tensor:
    """Returns `x` if it has the shape, where None is any length.

    Raises:
        ValueError: If it has another.
    """
    tensor = convert_to_tensor(x)
    tensor.set_shape(shape)
    return tensor


def sequence_mask(lengths: Any, maxlen: Any = None, dtype: Any = bool) -> Tensor:
    """Returns (..., maxlen), true at the first steps up to each length; `maxlen` is the largest of them if None."""
    steps = np.asarray(lengths)[..., None]
    return as_array((np.arange(steps.max() if maxlen is None else maxlen) < steps).astype(dtype))


def searchsorted(sorted_sequence: Any, values: Any, side: Any = "left", out_type: Any = int32) -> Tensor:
    """Returns how many entries of each ordered row lie before each value in the same row; ties count if "right"."""
    ordered, wanted = convert_to_tensor(sorted_sequence), convert_to_tensor(values)
    rows = ordered.reshape(-1, ordered.shape[-1])
    pairs = zip(rows, wanted.reshape(len(rows), -1), strict=True)
    places = [np.searchsorted(row, numbers, side) for row, numbers in pairs]
    return as_array(np.reshape(places, wanted.shape).astype(out_type))


class Unique(NamedTuple):
    """What `unique` returns."""

    y: Tensor
    idx: Tensor


def unique(x: Any, out_idx: Any = int32) -> Unique:
    """Returns the different values of a vector in the order in which they come, and which of them each entry is.

    Raises:
        ValueError: If `x` is no vector.
    """
    values = convert_to_tensor(x)
    if values.ndim != 1:
        raise ValueError(expected("unique", "a vector", f"shape {values.shape}", "reshape it to (-1,)"))
    _, first, inverse = np.unique(values, return_index=True, return_inverse=True)
    order = np.argsort(first)
    return Unique(as_array(values[first[order]]), as_array(np.argsort(order)[inverse].astype(out_idx)))


def argmax(input: Any, axis: int = 0, output_type: Any = int64) -> Tensor:
    """Returns where the largest value along an axis is."""
    return as_array(np.argmax(convert_to_tensor(input), axis).astype(output_type))


def argmin(input: Any, axis: int = 0, output_type: Any = int64) -> Tensor:
    """Returns where the smallest value along an axis is."""
    return as_array(np.argmin(convert_to_tensor(input), axis).astype(output_type))


def shape(input: Any) -> Tensor:
    """Returns the shape as an int32 array."""
    return as_array(np.array(np.shape(input), int32))


def size(input: Any) -> Tensor:
    """Returns the number of values."""
    return as_array(np.array(np.size(input), int32))


def rank(input: Any) -> Tensor:
    """Returns the number of axes."""
    return as_array(np.array(np.ndim(input), int32))


def boolean_mask(tensor: Any, mask: Any, axis: int | None = None) -> Tensor:
    """Returns the entries of `tensor` where `mask` holds, along its first axes or from `axis` on."""
    places: tuple[Any, ...] = (*(builtins.slice(None),) * (axis or 0), np.asarray(mask, "bool"))
    return as_array(convert_to_tensor(tensor)[places])


def clip_by_value(t: Any, clip_value_min: Any, clip_value_max: Any) -> Tensor:
    """Returns `t` with what lies below or above the bounds put onto them."""
    tensor = convert_to_tensor(t)
    return as_array(np.clip(tensor, clip_value_min, clip_value_max).astype(tensor.dtype))


def clip_by_norm(t: Any, clip_norm: Any, axes: Any = None) -> Tensor:
    """Returns `t` made shorter where its length along axes, or as a whole, is more than `clip_norm`."""
    tensor = convert_to_tensor(t)
    lengths = sqrt(reduce_sum(tensor * tensor, axes, True))
    return as_array((tensor * clip_norm / np.maximum(lengths, clip_norm)).astype(tensor.dtype))


def pad(tensor: Any, paddings: Any, mode: str = "CONSTANT", constant_values: Any = 0) -> Tensor:
    """Returns `tensor` with so many entries added before and after it along each axis."""
    tensor, widths = convert_to_tensor(tensor), np.asarray(paddings)
    if mode.upper() == "CONSTANT":
        return as_array(np.pad(tensor, widths, constant_values=constant_values))
    return as_array(np.pad(tensor, widths, one_of("pad", "mode", mode.lower(), ("reflect", "symmetric"))))


def roll(input: Any, shift: Any, axis: Any) -> Tensor:
    """Returns `input` with its entries moved along the axes; what falls off at the end comes first."""
    return as_array(np.roll(convert_to_tensor(input), shift, axis))


def sort(values: Any, axis: int = -1, direction: str = "ASCENDING") -> Tensor:
    """Returns the values in order along an axis."""
    ordered = np.sort(convert_to_tensor(values), axis)
    return as_array(np.flip(ordered, axis) if _descends(direction) else ordered)


def argsort(values: Any, axis: int = -1, direction: str = "ASCENDING") -> Tensor:
    """Returns where the values in order are found along an axis; equal ones keep their order."""
    tensor = convert_to_tensor(values)
    if _descends(direction):
        last = np.flip(np.argsort(np.flip(tensor, axis), axis, kind="stable"), axis)
        return as_array((tensor.shape[axis] - 1 - last).astype(int32))
    return as_array(np.argsort(tensor, axis, kind="stable").astype(int32))


def _descends(direction: str) -> Any:
    return one_of("sort", "direction", direction, ("ASCENDING", "DESCENDING")) == "DESCENDING"


def cumsum(x: Any, axis: int = 0, exclusive: Any = False, reverse: Any = False) -> Tensor:
    """Returns the sums of the values up to each along an axis, without it if `exclusive`, from the end if `reverse`."""
    return cumulated(np.cumsum, 0, x, axis, exclusive, reverse)


def cumulated(function: Any, start: int, x: Any, axis: int, exclusive: Any, reverse: Any) -> Tensor:
    """Returns what `numpy.cumsum` or `numpy.cumprod` gives under TensorFlow's arguments; `start` is that of nothing."""
    tensor = np.moveaxis(convert_to_tensor(x), axis, 0)
    tensor = tensor[::-1] if reverse else tensor
    values = function(tensor, 0, tensor.dtype)
    if exclusive:
        values = np.concatenate([np.full_like(values[:1], start), values[:-1]])
    return as_array(np.moveaxis(values[::-1] if reverse else values, 0, axis))


def repeat(input: Any, repeats: Any, axis: int | None = None) -> Tensor:
    """Returns `input` with each entry repeated so many times, flattened if no axis is given."""
    return as_array(np.repeat(convert_to_tensor(input), repeats, axis))


def add_n(inputs: Iterable[Any]) -> Tensor:
    """Returns the sum of several tensors."""
    return functools.reduce(add, map(convert_to_tensor, inputs))


def einsum(equation: str, *inputs: Any) -> Tensor:
    """Returns the sums of products that Einstein's notation names, as `numpy.einsum`."""
    return as_array(np.einsum(equation, *map(convert_to_tensor, inputs)))


def tensordot(a: Any, b: Any, axes: Any) -> Tensor:
    """Returns the sums of products over pairs of axes, as `numpy.tensordot`."""
    return as_array(np.tensordot(convert_to_tensor(a), convert_to_tensor(b), axes))


def meshgrid(*args: Any, indexing: Any = "xy") -> list[Tensor]:
    """Returns the coordinates of a grid, one tensor for each axis."""
    return [as_array(grid) for grid in np.meshgrid(*map(convert_to_tensor, args), indexing=indexing)]


def norm(tensor: Any, ord: Any = "euclidean", axis: Any = None, keepdims: Any = False) -> Tensor:
    """Returns the length of the vectors along an axis, or of all values as one vector; `ord` as in NumPy."""
    values = np.asarray(convert_to_tensor(tensor))
    values = values.ravel() if axis is None and not keepdims else values
    axis = tuple(axis) if isinstance(axis, list) else axis
    return as_array(np.linalg.norm(values, None if ord == "euclidean" else ord, axis, keepdims))


def reduce_logsumexp(input_tensor: Any, axis: Any = None, keepdims: Any = False) -> Tensor:
    """Returns log(sum(exp(x))) along an axis, several or all, also where exp(x) is too large a number."""
    tensor = convert_to_tensor(input_tensor)
    largest = reduce_max(tensor, axis, True)
    top = np.where(np.isfinite(largest), largest, tensor.dtype.type(0))
    with np.errstate(divide="ignore"):
        logs = np.log(reduce_sum(np.exp(tensor - top), axis, True)) + top
    return as_array(logs) if keepdims else squeeze(logs, axis)


def is_tensor(x: Any) -> Any:
    """Returns whether `x` is a tensor; a plain NumPy array is not."""
    return isinstance(x, Tensor)


def device(device_name: Any) -> Any:
    """Returns a context that changes nothing: everything runs on the CPU."""
    return contextlib.nullcontext()


def print(*inputs: Any, output_stream: Any = None, summarize: Any = 3, **options: Any) -> None:
    """Prints the values; `summarize` changes nothing."""
    builtins.print(*inputs, file=output_stream, **options)


def slice(input_: Any, begin: Any, size: Any) -> Tensor:
    """Returns so many entries of `input_` along each axis from `begin` on; a size of -1 is all that are left."""
    ends = [None if count == -1 else first + count for first, count in zip(begin, size, strict=True)]
    return convert_to_tensor(input_)[tuple(map(builtins.slice, begin, ends))]


def get_logger() -> logging.Logger:
    """Returns a logger, so that its level can be set: nothing is logged."""
    return logging.getLogger("recurra")


def function(func: Callable[..., Any] | None = None, **options: Any) -> Callable[..., Any]:
    """Decorator that changes nothing: there is no graph to compile."""
    if func is None:
        return function
    if isinstance(func, FunctionType):
        func.get_concrete_function = _no_graph  # type: ignore[attr-defined]
    return func


def _no_graph(*arguments: Any, **options: Any) -> None:
    hint = "call the function itself; a model is exported by model.export('model.onnx', format='onnx')"
    raise NotImplementedError(expected("tf.function", "a call: there is no graph", "get_concrete_function", hint))


def executing_eagerly() -> Any:
    """Returns True."""
    return True


_choose = of_numpy(np.where)
zeros_like, ones_like = of_numpy(np.zeros_like), of_numpy(np.ones_like)
abs, square, sqrt, sign = (of_numpy(f) for f in (np.abs, np.square, np.sqrt, np.sign))
exp = on_symbolic(activations.exponential)(trained_as("exponential")(of_numpy(np.exp)))
sin, cos, round = (of_numpy(f) for f in (np.sin, np.cos, np.round))
add, subtract = on_symbolic(operator.add)(of_numpy(np.add)), on_symbolic(operator.sub)(of_numpy(np.subtract))
multiply = on_symbolic(operator.mul)(of_numpy(np.multiply))
divide, pow = on_symbolic(operator.truediv)(of_numpy(np.true_divide)), of_numpy(np.power)
truediv = divide
maximum, minimum = (of_numpy(f) for f in (np.maximum, np.minimum))
negative = on_symbolic(operator.neg)(of_numpy(np.negative))
floor, stop_gradient = of_numpy(np.floor), of_numpy(np.array)
identity = on_symbolic(activations.linear)(trained_as("linear")(of_numpy(np.array)))
equal, less, greater = (of_numpy(f) for f in (np.equal, np.less, np.greater))
not_equal, less_equal, greater_equal = (of_numpy(f) for f in (np.not_equal, np.less_equal, np.greater_equal))
logical_and, logical_or, logical_not = (of_numpy(f) for f in (np.logical_and, np.logical_or, np.logical_not))
sigmoid, tanh = activation("sigmoid"), activation("tanh")
reduce_mean, reduce_sum, reduce_prod = (reduction(f) for f in (np.mean, np.sum, np.prod))
reduce_max, reduce_min = (reduction(f) for f in (np.max, np.min))
reduce_all, reduce_any = (reduction(f) for f in (np.all, np.any))
