"""The operations of `ops.reference` by the native kernels: contiguity, output arrays, calls.

The fused sequence kernels know the activations `FUSED`. Whatever else is asked for runs the equations of
`ops.reference` over the native matrix product and elementwise functions, so that its bits depend neither on NumPy's
BLAS nor on its threads.
"""

from __future__ import annotations

import functools
import math
import numbers
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, ParamSpec, TypeVar

import numpy as np

from recurra import _native
from recurra._arrays import contiguous
from recurra._checks import expected
from recurra._cpus import cpu_quota
from recurra.ops import reference
from recurra.ops.reference import Activation, Array, Primitives

_P = ParamSpec("_P")
_R = TypeVar("_R")
# In the order of the enums Function and LossKind of native/kernels/kernels.h.
FUNCTIONS = {
    name: number
    for number, name in enumerate(
        [
            "linear",
            "tanh",
            "sigmoid",
            "hard_sigmoid",
            "relu",
            "elu",
            "selu",
            "softplus",
            "softsign",
            "silu",
            "exponential",
            "gelu",
            "log",
            "erf",
            "expm1",
        ]
    )
}
FUSED = ("linear", "tanh", "sigmoid", "hard_sigmoid", "relu", "elu", "selu")
ELEMENTWISE = frozenset(FUNCTIONS) - {"log", "erf", "expm1"}
_GRADIENT_FROM_OUTPUT = (*FUSED, "exponential")
POOLS = ("mean", "first_max", "shared_max")
_LOSSES = {
    name: number
    for number, name in enumerate(
        [
            "mean_squared_error",
            "mean_absolute_error",
            "huber",
            "pinball",
            "binary_crossentropy",
            "categorical_crossentropy",
            "sparse_categorical_crossentropy",
        ]
    )
}

MAX_AXES = 8  # of an array that native code takes (native/arrays.h)


def _map(name: str, x: Array, out: Array | None = None) -> Array:
    x = contiguous(x)
    if x.ndim > MAX_AXES:
        return _map(name, x.reshape(-1)).reshape(x.shape)
    if out is None:
        out = np.empty(x.shape, x.dtype)
    _native.map(FUNCTIONS[name], out, x)
    return out


def exp(x: Array) -> Array:
    """Returns e to the x, by element."""
    return _map("exponential", x)


def log(x: Array) -> Array:
    """Returns the natural logarithm of x, by element; denormals count as zero."""
    return _map("log", x)


def power(x: Array, exponent: float) -> Array:
    """Returns x to the exponent, by element, NaN for negative x and an exponent that is not whole.

    The bits of NumPy's power differ between processors.
    """
    if exponent == 0:
        return np.ones_like(x)
    wide = np.ascontiguousarray(x, np.float64)
    if exponent == int(exponent):
        size = exp(exponent * log(np.abs(wide)))
        return (np.copysign(size, wide) if exponent % 2 else size).astype(x.dtype).reshape(x.shape)
    return exp(exponent * log(wide)).astype(x.dtype).reshape(x.shape)


def tanh(x: Array) -> Array:
    """Returns the hyperbolic tangent of x, by element."""
    return _map("tanh", x)


def sigmoid(x: Array) -> Array:
    """Returns 1 / (1 + exp(-x)), by element."""
    return _map("sigmoid", x)


def matmul(
    a: Array,
    b: Array,
    *,
    bias: Array | None = None,
    transpose_a: bool = False,
    transpose_b: bool = False,
    out: Array | None = None,
    accumulate: bool = False,
) -> Array:
    """As `reference.matmul`; every element is one chain of FMAs over ascending k."""
    if transpose_a and transpose_b:
        b, transpose_b = contiguous(b.T), False
    a, b = contiguous(a), contiguous(b)
    if out is None:
        out, accumulate = np.empty((a.shape[transpose_a], b.shape[not transpose_b]), a.dtype), False
    if accumulate and bias is not None:
        out += bias
    _native.matmul(out, a, b, bias, transpose_a, transpose_b, accumulate)
    return out


def batched_matmul(a: Array, b: Array, *, transpose_a: bool = False, transpose_b: bool = False) -> Array:
    """As `reference.batched_matmul`, each product as of `matmul`."""
    if transpose_a and not transpose_b and a.shape[2] >= 4 * b.shape[2] > 0:
        # The same bits in less time: packing suits the right side, so that is to be the large one.
        return contiguous(batched_matmul(b, a, transpose_a=True).transpose(0, 2, 1))
    a, b = contiguous(a), contiguous(b)
    out = np.empty((len(a), a.shape[1 + transpose_a], b.shape[1 + (not transpose_b)]), a.dtype)
    _native.batched_matmul(out, a, b, transpose_a, transpose_b)
    return out


def convolve(x: Array, kernel: Array, bias: Array | None = None, *, stride: int = 1, dilation: int = 1) -> Array:
    """As `reference.convolve`; windows are read where they lie."""
    steps = (x.shape[1] - dilation * (len(kernel) - 1) - 1) // stride + 1
    y = np.empty((len(x), steps, kernel.shape[2]), x.dtype)
    _native.convolve(y, contiguous(x), contiguous(kernel), bias, stride, dilation)
    return y


def convolve_gradient(dkernel: Array, dy: Array, x: Array, *, stride: int = 1, dilation: int = 1) -> None:
    """As `reference.convolve_gradient`; dkernel contiguous."""
    _native.convolve_gradient(dkernel, contiguous(dy), contiguous(x), stride, dilation)


def pool(x: Array, kind: str, *, size: int, stride: int, steps: int, before: int = 0) -> Array:
    """As `reference.pool`."""
    y = np.empty((len(x), steps, x.shape[2]), x.dtype)
    _native.pool(POOLS.index(kind), y, contiguous(x), size, stride, before)
    return y


def pool_gradient(dy: Array, x: Array, y: Array, kind: str, *, size: int, stride: int, before: int = 0) -> Array:
    """As `reference.pool_gradient`."""
    dx = np.empty(x.shape, x.dtype)
    _native.pool_gradient(POOLS.index(kind), dx, contiguous(dy), contiguous(x), contiguous(y), size, stride, before)
    return dx


def activation_forward(name: str, x: Array) -> Array:
    """As `reference.activation_forward`."""
    if name in ELEMENTWISE:
        return _map(name, x)
    if name in ("softmax", "log_softmax"):
        return softmax(x, logarithm=name == "log_softmax")
    return reference.composed_forward(_PRIMITIVES, name, x)


def activation_backward(name: str, dy: Array, x: Array, y: Array) -> Array:
    """As `reference.activation_backward`."""
    if name in ELEMENTWISE:
        if dy.ndim > MAX_AXES:
            return activation_backward(name, dy.reshape(-1), x.reshape(-1), y.reshape(-1)).reshape(dy.shape)
        dx = np.empty(dy.shape, dy.dtype)
        arrays = (contiguous(array) for array in (dy, x, y))
        _native.map_gradient(FUNCTIONS[name], dx, *arrays)
        return dx
    if name in ("softmax", "log_softmax"):
        return softmax_gradient(dy, y, logarithm=name == "log_softmax")
    return reference.composed_backward(_PRIMITIVES, name, dy, x, y)


def softmax(x: Array, *, logarithm: bool = False, in_place: bool = False) -> Array:
    """Returns the softmax along the last axis, or its logarithm; `in_place` where x may be overwritten."""
    x = contiguous(x)
    y = x if in_place else np.empty(x.shape, x.dtype)
    _native.softmax(_rows(y), _rows(x), logarithm)
    return y


def softmax_gradient(dy: Array, y: Array, *, logarithm: bool = False, in_place: bool = False) -> Array:
    """Returns dx from dy and the output y of `softmax`; `in_place` where dy may be overwritten."""
    dy = contiguous(dy)
    dx = dy if in_place else np.empty(dy.shape, dy.dtype)
    _native.softmax_gradient(_rows(dx), _rows(dy), _rows(y), logarithm)
    return dx


def _rows(x: Array) -> Array:
    return contiguous(x).reshape(math.prod(x.shape[:-1]), x.shape[-1])


_PRIMITIVES = Primitives(
    matmul=matmul,
    exp=exp,
    log=log,
    tanh=tanh,
    sigmoid=sigmoid,
    softplus=lambda x: _map("softplus", x),
    expm1=lambda x: _map("expm1", x),
    erf=lambda x: _map("erf", x),
    activation_forward=activation_forward,
    activation_backward=activation_backward,
)


class _Sequence(NamedTuple):
    """Cache of a fused forward run.

    `arrays` are those that the backward kernels take: (gates,) hs, (cs,) x, kernel, recurrent_kernel, mask, dropout.
    """

    arrays: tuple[Any, ...]
    options: tuple[Any, ...]
    inputs: _Inputs

    def gradient_arrays(self, dkernel: Array | None, need_dx: bool) -> tuple[Array | None, Array | None]:
        """Returns what the backward kernels write and add to: dx and dkernel as `_Inputs` widened them."""
        x, kernel = self.inputs.x, self.inputs.kernel
        wide = dkernel if dkernel is None or self.inputs.masks is None else np.zeros(kernel.shape, kernel.dtype)
        return np.empty(x.shape, x.dtype) if need_dx else None, wide


class _Inputs(NamedTuple):
    """Inputs and their kernel as the kernels take them, which know one input for all gates.

    With dropout factors of its own for each gate, the gates' inputs lie side by side, (N, T, G*D), and their kernels in
    the diagonal of one of zeros, (G*D, G*H).
    """

    x: Array
    kernel: Array
    masks: Array | None

    @classmethod
    def of(cls, x: Array, kernel: Array, masks: Array | None) -> _Inputs:
        if masks is None:
            return cls(contiguous(x), kernel, None)
        gates, (features, width) = len(masks), kernel.shape
        wide = np.zeros((gates, features, gates, width // gates), kernel.dtype)
        for gate, own in enumerate(np.split(kernel, gates, axis=1)):
            wide[gate, :, gate] = own
        thinned = np.concatenate([x * mask[:, None] for mask in masks], axis=2)
        return cls(contiguous(thinned, x.dtype), wide.reshape(gates * features, width), masks)

    def narrow(self, dx: Array | None, wide: Array | None, dkernel: Array | None) -> Array | None:
        """Returns dx of the input itself; adds to dkernel what was added to the wide one."""
        if self.masks is None:
            return dx
        gates, (rows, width) = len(self.masks), self.kernel.shape
        if wide is not None and dkernel is not None:
            blocks = wide.reshape(gates, rows // gates, gates, width // gates)
            dkernel += np.concatenate([blocks[gate, :, gate] for gate in range(gates)], axis=1)
        if dx is None:
            return None
        parts = np.split(dx, gates, axis=2)
        return sum(part * mask[:, None] for part, mask in zip(parts, self.masks, strict=True))


def _or_by_definition(forward: Callable[_P, _R]) -> Callable[_P, _R]:
    """Has the definition of the same name run where native code does not know an activation."""
    definition = getattr(reference, forward.__name__)

    @functools.wraps(forward)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        for name in ("activation", "recurrent_activation"):
            if kwargs.get(name, "tanh") not in FUSED:
                return definition(*args, **kwargs, primitives=_PRIMITIVES)
        return forward(*args, **kwargs)

    return run


def _ready(array: Array | None, dtype: np.dtype) -> Array | None:
    return None if array is None else contiguous(array, dtype)


def _output(x: Array, units: int, return_sequences: bool) -> Array:
    batch, timesteps, _ = x.shape
    return np.empty((batch, timesteps, units) if return_sequences else (batch, units), x.dtype)


def _gradient_of_state(dstate: Array | None, x_shape: tuple[int, int, int], kernel: Array) -> Array:
    if dstate is None:
        return np.zeros((x_shape[0], kernel.shape[0]), kernel.dtype)
    return np.array(dstate, kernel.dtype, order="C")


def _sequence_backward(
    run: Callable[..., None],
    dy: Array | None,
    dstates: Sequence[Array | None],
    cache: _Sequence,
    dkernel: Array | None,
    drecurrent_kernel: Array | None,
    dbias: Array | None,
    need_dx: bool,
) -> tuple[Any, ...]:
    """Runs a backward kernel on the cache of a fused forward run; returns dx and the gradients of the states."""
    *_, recurrent_kernel, _mask, _dropout = cache.arrays
    dx, wide = cache.gradient_arrays(dkernel, need_dx)
    grads = [_gradient_of_state(dstate, cache.inputs.x.shape, recurrent_kernel) for dstate in dstates]
    dy = _ready(dy, recurrent_kernel.dtype)
    run(dx, *grads, wide, drecurrent_kernel, dbias, dy, *cache.arrays, *cache.options)
    return cache.inputs.narrow(dx, wide, dkernel), *grads


@_or_by_definition
def simple_rnn_forward(
    x: Array,
    kernel: Array,
    recurrent_kernel: Array,
    bias: Array | None,
    h0: Array | None,
    mask: Array | None,
    *,
    activation: Activation = "tanh",
    go_backwards: bool = False,
    zero_output_for_mask: bool = False,
    return_sequences: bool = True,
    training: bool = False,
    recurrent_masks: Array | None = None,
    input_masks: Array | None = None,
) -> tuple[Array, Array, Any]:
    """As `reference.simple_rnn_forward`."""
    inputs, mask = _Inputs.of(x, kernel, input_masks), _ready(mask, np.dtype(bool))
    x, kernel, _ = inputs
    dropout = _ready(recurrent_masks, x.dtype)
    (batch, timesteps, _), units, dtype = x.shape, recurrent_kernel.shape[0], x.dtype
    y = _output(x, units, return_sequences)
    h = np.empty((batch, units), dtype)
    hs = np.empty((timesteps + 1, batch, units), dtype) if training else None
    options = (FUNCTIONS[activation], go_backwards, zero_output_for_mask, return_sequences)
    _native.simple_rnn_forward(y, h, hs, x, kernel, recurrent_kernel, bias, _ready(h0, dtype), mask, dropout, *options)
    if hs is None:
        return y, h, None
    return y, h, _Sequence((hs, x, kernel, recurrent_kernel, mask, dropout), options, inputs)


def simple_rnn_backward(
    dy: Array | None,
    dh: Array | None,
    cache: Any,
    dkernel: Array | None,
    drecurrent_kernel: Array | None,
    dbias: Array | None,
    *,
    need_dx: bool = True,
) -> tuple[Array | None, Array]:
    """As `reference.simple_rnn_backward`."""
    if not isinstance(cache, _Sequence):
        return reference.simple_rnn_backward(dy, dh, cache, dkernel, drecurrent_kernel, dbias, need_dx=need_dx)
    return _sequence_backward(_native.simple_rnn_backward, dy, (dh,), cache, dkernel, drecurrent_kernel, dbias, need_dx)


@_or_by_definition
def lstm_forward(
    x: Array,
    kernel: Array,
    recurrent_kernel: Array,
    bias: Array | None,
    h0: Array | None,
    c0: Array | None,
    mask: Array | None,
    *,
    activation: Activation = "tanh",
    recurrent_activation: Activation = "sigmoid",
    go_backwards: bool = False,
    zero_output_for_mask: bool = False,
    return_sequences: bool = True,
    training: bool = False,
    recurrent_masks: Array | None = None,
    input_masks: Array | None = None,
) -> tuple[Array, Array, Array, Any]:
    """As `reference.lstm_forward`."""
    inputs, mask = _Inputs.of(x, kernel, input_masks), _ready(mask, np.dtype(bool))
    x, kernel, _ = inputs
    dropout = _ready(recurrent_masks, x.dtype)
    (batch, timesteps, _), units, dtype = x.shape, recurrent_kernel.shape[0], x.dtype
    y = _output(x, units, return_sequences)
    h, c = np.empty((batch, units), dtype), np.empty((batch, units), dtype)
    gates = hs = cs = None
    if training:
        gates = np.empty((timesteps, batch, 4 * units), dtype)
        hs, cs = np.empty((timesteps + 1, batch, units), dtype), np.empty((timesteps + 1, batch, units), dtype)
    options = (
        FUNCTIONS[activation],
        FUNCTIONS[recurrent_activation],
        go_backwards,
        zero_output_for_mask,
        return_sequences,
    )
    h0, c0 = _ready(h0, dtype), _ready(c0, dtype)
    _native.lstm_forward(y, h, c, gates, hs, cs, x, kernel, recurrent_kernel, bias, h0, c0, mask, dropout, *options)
    if not training:
        return y, h, c, None
    return y, h, c, _Sequence((gates, hs, cs, x, kernel, recurrent_kernel, mask, dropout), options, inputs)


def lstm_backward(
    dy: Array | None,
    dh: Array | None,
    dc: Array | None,
    cache: Any,
    dkernel: Array | None,
    drecurrent_kernel: Array | None,
    dbias: Array | None,
    *,
    need_dx: bool = True,
) -> tuple[Array | None, Array, Array]:
    """As `reference.lstm_backward`."""
    if not isinstance(cache, _Sequence):
        return reference.lstm_backward(dy, dh, dc, cache, dkernel, drecurrent_kernel, dbias, need_dx=need_dx)
    return _sequence_backward(_native.lstm_backward, dy, (dh, dc), cache, dkernel, drecurrent_kernel, dbias, need_dx)


@_or_by_definition
def gru_forward(
    x: Array,
    kernel: Array,
    recurrent_kernel: Array,
    bias: Array | None,
    h0: Array | None,
    mask: Array | None,
    *,
    reset_after: bool = True,
    activation: Activation = "tanh",
    recurrent_activation: Activation = "sigmoid",
    go_backwards: bool = False,
    zero_output_for_mask: bool = False,
    return_sequences: bool = True,
    training: bool = False,
    recurrent_masks: Array | None = None,
    input_masks: Array | None = None,
) -> tuple[Array, Array, Any]:
    """As `reference.gru_forward`."""
    inputs, mask = _Inputs.of(x, kernel, input_masks), _ready(mask, np.dtype(bool))
    x, kernel, _ = inputs
    dropout = _ready(recurrent_masks, x.dtype)
    (batch, timesteps, _), units, dtype = x.shape, recurrent_kernel.shape[0], x.dtype
    y = _output(x, units, return_sequences)
    h = np.empty((batch, units), dtype)
    gates = hs = None
    if training:
        gates = np.empty((timesteps, batch, 4 * units), dtype)
        hs = np.empty((timesteps + 1, batch, units), dtype)
    options = (
        reset_after,
        FUNCTIONS[activation],
        FUNCTIONS[recurrent_activation],
        go_backwards,
        zero_output_for_mask,
        return_sequences,
    )
    _native.gru_forward(y, h, gates, hs, x, kernel, recurrent_kernel, bias, _ready(h0, dtype), mask, dropout, *options)
    if not training:
        return y, h, None
    return y, h, _Sequence((gates, hs, x, kernel, recurrent_kernel, mask, dropout), options, inputs)


def gru_backward(
    dy: Array | None,
    dh: Array | None,
    cache: Any,
    dkernel: Array | None,
    drecurrent_kernel: Array | None,
    dbias: Array | None,
    *,
    need_dx: bool = True,
) -> tuple[Array | None, Array]:
    """As `reference.gru_backward`."""
    if not isinstance(cache, _Sequence):
        return reference.gru_backward(dy, dh, cache, dkernel, drecurrent_kernel, dbias, need_dx=need_dx)
    return _sequence_backward(_native.gru_backward, dy, (dh,), cache, dkernel, drecurrent_kernel, dbias, need_dx)


def dense_forward(x: Array, kernel: Array, bias: Array | None, activation: Activation = "linear") -> tuple[Array, Any]:
    """As `reference.dense_forward`."""
    x = contiguous(x)
    if not isinstance(activation, str) or activation not in _GRADIENT_FROM_OUTPUT:
        return reference.dense_forward(x, kernel, bias, activation, primitives=_PRIMITIVES)
    y = matmul(x, kernel, bias=bias)
    if activation != "linear":
        _map(activation, y, y)
    return y, (x, kernel, activation, y, y, _PRIMITIVES)


dense_backward = reference.dense_backward  # by the primitives in the cache


def adam_update(
    w: Array,
    g: Array,
    m: Array,
    v: Array,
    *,
    learning_rate: float,
    step: int,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    vhat: Array | None = None,
) -> None:
    """As `reference.adam_update`."""
    update_of("adam", w=w, g=g, m=m, v=v, vhat=vhat, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon)(learning_rate, step)


def rmsprop_update(
    w: Array,
    g: Array,
    v: Array,
    *,
    learning_rate: float,
    rho: float,
    momentum: float,
    epsilon: float,
    m: Array | None = None,
    average: Array | None = None,
) -> None:
    """As `reference.rmsprop_update`."""
    options = {"rho": rho, "momentum": momentum, "epsilon": epsilon}
    update_of("rmsprop", w=w, g=g, v=v, m=m, average=average, **options)(learning_rate, 1)


def sgd_update(
    w: Array, g: Array, *, learning_rate: float, momentum: float, nesterov: bool, m: Array | None = None
) -> None:
    """As `reference.sgd_update`."""
    update_of("sgd", w=w, g=g, m=m, momentum=momentum, nesterov=nesterov)(learning_rate, 1)


def update_of(formula: str, **arguments: Any) -> Any:
    """Returns an optimizer's formula over arrays of its own, called with (learning_rate, step) and for `Plan.trainer`.

    Args:
        formula: "adam", "rmsprop" or "sgd".
        **arguments: Those of the function of that name with `_update` behind it, besides learning rate and step.
    """
    makers: dict[str, Callable[..., Any]] = {"adam": _native.adam, "rmsprop": _native.rmsprop, "sgd": _native.sgd}
    return makers[formula](**arguments)


def normalize_rows(
    x: Array, gamma: Array | None, beta: Array | None, epsilon: float, *, keep_cache: bool = True
) -> tuple[Array, Any]:
    """As `reference.normalize_rows`; no cache without `keep_cache`."""
    x = contiguous(x)
    y = np.empty(x.shape, x.dtype)
    cache = (np.empty(x.shape, x.dtype), np.empty(x.shape[:-1], x.dtype)) if keep_cache else None
    standardized, inverse = (None, None) if cache is None else (_rows(cache[0]), cache[1].reshape(-1))
    _native.normalize(_rows(y), standardized, inverse, _rows(x), gamma, beta, epsilon)
    return y, cache


def normalize_rows_gradient(
    dy: Array, cache: Any, gamma: Array | None, dgamma: Array | None, dbeta: Array | None
) -> Array:
    """As `reference.normalize_rows_gradient`; dgamma and dbeta contiguous."""
    standardized, inverse = cache
    dy = contiguous(dy)
    dx = np.empty(dy.shape, dy.dtype)
    _native.normalize_gradient(_rows(dx), dgamma, dbeta, _rows(dy), _rows(standardized), inverse.reshape(-1), gamma)
    return dx


def normalize_columns(
    x: Array,
    gamma: Array | None,
    beta: Array | None,
    epsilon: float,
    moments: tuple[Array, Array] | None = None,
    *,
    keep_cache: bool = True,
) -> tuple[Array, tuple[Array, Array], Any]:
    """As `reference.normalize_columns`; no cache without `keep_cache`."""
    x = contiguous(x)
    y = np.empty(x.shape, x.dtype)
    mean, variance = moments or (np.empty(x.shape[-1:], x.dtype), np.empty(x.shape[-1:], x.dtype))
    standardized, inverse = (np.empty_like(x), np.empty(x.shape[-1:], x.dtype)) if keep_cache else (None, None)
    kept = None if standardized is None else _rows(standardized)
    of_batch = moments is None
    _native.normalize_columns(_rows(y), kept, inverse, mean, variance, _rows(x), gamma, beta, epsilon, of_batch)
    return y, (mean, variance), (standardized, inverse, of_batch) if keep_cache else None


def normalize_columns_gradient(
    dy: Array, cache: Any, gamma: Array | None, dgamma: Array | None, dbeta: Array | None
) -> Array:
    """As `reference.normalize_columns_gradient`; dgamma and dbeta contiguous."""
    standardized, inverse, of_batch = cache
    dy = contiguous(dy)
    dx = np.empty(dy.shape, dy.dtype)
    kept = _rows(standardized)
    _native.normalize_columns_gradient(_rows(dx), dgamma, dbeta, _rows(dy), kept, inverse, gamma, of_batch)
    return dx


def sum_of_squares(x: Array) -> float:
    """As `reference.sum_of_squares`, in an order that depends on the size alone."""
    return _native.sum_of_squares(contiguous(x).reshape(-1))


def orthonormalize(rows: Array) -> Array:
    """As `reference.orthonormalize`, by block Gram-Schmidt; in place.

    Raises:
        LinAlgError: If a row is exactly a combination of others, which random ones are not.
    """
    if not _native.orthonormalize(rows):
        raise np.linalg.LinAlgError("linearly dependent rows")
    return rows


def loss_of(
    dtype: np.dtype,
    name: str,
    *,
    delta: float = 1.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    epsilon: float = 1e-7,
    quantiles: Sequence[float] | None = None,
) -> Any:
    """Returns a loss for `mean_loss` and `Plan.trainer`.

    Args:
        dtype: float32 or float64, of predictions, targets and gradients.
        name: Of a function in losses/: "mean_squared_error", "mean_absolute_error", "huber", "pinball",
            "binary_crossentropy", "categorical_crossentropy" or "sparse_categorical_crossentropy".
        delta, from_logits, label_smoothing, quantiles: Options of that function.
        epsilon: What crossentropies cut probabilities to.
    """
    maker = _native.LossFloat32 if dtype == np.float32 else _native.LossFloat64
    levels = None if quantiles is None else np.asarray(quantiles, dtype)
    return maker(_LOSSES[name], delta, bool(from_logits), label_smoothing, epsilon, levels)


def mean_loss(
    name: str,
    y_true: Array,
    y_pred: Array,
    *,
    weights: Array | None = None,
    total: float = 0.0,
    gradient: bool = True,
    **options: Any,
) -> tuple[float, Array | None]:
    """Returns the mean of a loss's values, and its gradient in y_pred if wanted; see `loss_of`.

    The values are added in float64, in an order that depends on the shape alone. Axes but the last do not matter:
    targets are one for each prediction, or for each row of them where there are labels or quantiles; so are weights.

    Args:
        name, **options: As of `loss_of`.
        y_true, y_pred: Targets and predictions.
        weights: Of rows; None for ones.
        total: What the weighted sum is divided by; 0 for the number of rows.
        gradient: Whether it is wanted.

    Raises:
        ValueError: For targets of another number, and for labels that are not whole or not those of a class.
    """
    dtype = y_pred.dtype
    dy = np.empty(y_pred.shape, dtype) if gradient else None
    to = None if dy is None else dy.reshape(-1)
    target = contiguous(y_true, dtype).reshape(-1)
    weights = None if weights is None else contiguous(weights, dtype).reshape(-1)
    return _native.mean_loss(loss_of(dtype, name, **options), to, _rows(y_pred), target, weights, total), dy


def add_rows(out: Array, rows: Array, index: Array) -> None:
    """As `reference.add_rows`; out contiguous."""
    _native.add_rows(out, contiguous(rows, out.dtype), contiguous(index, np.int64))


def native_info() -> dict[str, Any]:
    """Returns what computes: target, supported targets, threads, float32 lanes, whether FMA is hardware, compiler."""
    return _native.info()


def set_num_threads(n: int) -> None:
    """Sets how many threads a kernel may use, from 1 to 256; results never depend on it."""
    if isinstance(n, bool) or not isinstance(n, numbers.Integral) or not 1 <= n <= 256:
        raise ValueError(expected("set_num_threads", "a number from 1 to 256", repr(n)))
    _native.set_num_threads(n)


def get_num_threads() -> int:
    """Returns how many threads a kernel may use: at first as many as CPUs, or as the control group's whole ones."""
    return _native.get_num_threads()


def _heed_quota() -> None:
    # Threads beyond a container's share use it up early in each period of 0.1 s; all of them then wait for the next.
    if os.environ.get("RECURRA_NUM_THREADS"):
        return
    quota = cpu_quota()
    if quota < get_num_threads():
        set_num_threads(max(1, int(quota)))


_heed_quota()
