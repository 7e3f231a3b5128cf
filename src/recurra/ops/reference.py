"""What every operation computes, in NumPy: the definition that the native kernels are tested against.

Letters: N batch, T timesteps, D features, H units, G gates. Arrays of one call have one dtype, float32 or float64.
Masks are bool (N, T), True where the step counts. Gate order: LSTM `i f g o`, GRU `z r h`.

The sequence operations take their matrix product and elementwise functions from a `Primitives` object, so that the
same equations also run over the native ones (for activations and dropout that the fused kernels do not know).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from recurra._checks import check_gradient

Array = np.ndarray
Activation = Any  # a name of ACTIVATIONS, or a function x -> y with an attribute gradient(dy, x, y) -> dx

SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805


# Elementwise functions, products, convolution, pooling


def exp(x: Array) -> Array:
    return np.exp(x)


def log(x: Array) -> Array:
    return np.log(x)


def tanh(x: Array) -> Array:
    return np.tanh(x)


def sigmoid(x: Array) -> Array:
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def erf(x: Array) -> Array:
    flat = [math.erf(value) for value in np.ravel(x)]
    return np.array(flat, x.dtype).reshape(x.shape)


def expm1(x: Array) -> Array:
    return np.expm1(x)


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
    """Returns a @ b + bias, with `a` (M, K) and `b` (K, N), or their transposes where asked.

    Args:
        out: (M, N), where the result goes; added to it with `accumulate`.
    """
    product = (a.T if transpose_a else a) @ (b.T if transpose_b else b)
    if bias is not None:
        product = product + bias
    if out is None:
        return product
    if accumulate:
        out += product
    else:
        out[...] = product
    return out


def batched_matmul(a: Array, b: Array, *, transpose_a: bool = False, transpose_b: bool = False) -> Array:
    """Returns a @ b (B, M, N) for each of B pairs: `a` (B, M, K), `b` (B, K, N), or their transposes where asked."""
    return (a.transpose(0, 2, 1) if transpose_a else a) @ (b.transpose(0, 2, 1) if transpose_b else b)


def _windows(x: Array, kernel: Array, stride: int, dilation: int) -> Array:
    """Returns the windows of x, in groups: (N, T', groups, size, D / groups)."""
    size, features, _ = kernel.shape
    span = dilation * (size - 1) + 1
    view = np.lib.stride_tricks.sliding_window_view(x, span, axis=1)[:, ::stride, :, ::dilation]
    return view.reshape(*view.shape[:2], -1, features, size).swapaxes(-1, -2)


def convolve(x: Array, kernel: Array, bias: Array | None = None, *, stride: int = 1, dilation: int = 1) -> Array:
    """Returns y[t] = sum over j of x[t * stride + j * dilation] @ kernel[j] + bias.

    Args:
        x: (N, T, D).
        kernel: (size, D / groups, F). With more than one group features and filters are cut into as many parts, and
            each part of the filters sees its part of the features.
        bias: (F,) or None.
        stride, dilation: Steps from window to window, and within a window.

    Returns:
        (N, T', F), of all whole windows.
    """
    windows = _windows(x, kernel, stride, dilation)
    kernels = kernel.reshape(*kernel.shape[:2], windows.shape[2], -1)
    y = np.einsum("ntgjd,jdgf->ntgf", windows, kernels).reshape(*windows.shape[:2], -1)
    return y if bias is None else y + bias


def convolve_gradient(dkernel: Array, dy: Array, x: Array, *, stride: int = 1, dilation: int = 1) -> None:
    """Adds to dkernel the gradient of the kernel of `convolve`: of x by the gradient dy (N, T', F) of its result."""
    windows = _windows(x, dkernel, stride, dilation)
    dgroups = dy.reshape(*dy.shape[:2], windows.shape[2], -1)
    dkernel += np.einsum("ntgjd,ntgf->jdgf", windows, dgroups).reshape(dkernel.shape)


def pool(x: Array, kind: str, *, size: int, stride: int, steps: int, before: int = 0) -> Array:
    """Returns one value of each feature for windows of time steps, (N, steps, D).

    Args:
        x: (N, T, D).
        kind: "mean", "first_max" or "shared_max": the last two differ in their gradients.
        size, stride: Steps of a window, and from one to the next.
        steps: How many windows.
        before: How many steps ahead of x the first begins; what is beyond x counts for none.
    """
    y = np.empty((len(x), steps, x.shape[2]), x.dtype)
    for t, window in _pools(x.shape[1], size, stride, steps, before):
        y[:, t] = x[:, window].mean(axis=1) if kind == "mean" else x[:, window].max(axis=1)
    return y


def pool_gradient(dy: Array, x: Array, y: Array, kind: str, *, size: int, stride: int, before: int = 0) -> Array:
    """Returns dx of `pool` from dy: of a maximum the first of the largest has it, or all of them alike."""
    dx = np.zeros(x.shape, x.dtype)
    for t, window in _pools(x.shape[1], size, stride, dy.shape[1], before):
        share = np.ones_like(x[:, window])
        if kind != "mean":
            share = (x[:, window] == y[:, t, None]).astype(x.dtype)
        if kind == "first_max":
            share *= share.cumsum(axis=1) == 1
        dx[:, window] += dy[:, t, None] * (share / share.sum(axis=1, keepdims=True))
    return dx


def _pools(timesteps: int, size: int, stride: int, steps: int, before: int) -> Iterator[tuple[int, slice]]:
    for t in range(steps):
        first = t * stride - before
        yield t, slice(max(first, 0), min(first + size, timesteps))


class Primitives(NamedTuple):
    """What the equations of this file are built on."""

    matmul: Callable[..., Array]
    exp: Callable[[Array], Array]
    log: Callable[[Array], Array]
    tanh: Callable[[Array], Array]
    sigmoid: Callable[[Array], Array]
    softplus: Callable[[Array], Array]
    expm1: Callable[[Array], Array]
    erf: Callable[[Array], Array]
    activation_forward: Callable[[str, Array], Array]
    activation_backward: Callable[[str, Array, Array, Array], Array]

    def activate(self, activation: Activation, x: Array) -> Array:
        if isinstance(activation, str):
            return self.activation_forward(activation, x)
        return np.asarray(activation(x), x.dtype)

    def activation_gradient(self, activation: Activation, dy: Array, x: Array, y: Array) -> Array:
        if isinstance(activation, str):
            return self.activation_backward(activation, dy, x, y)
        check_gradient(activation)
        return np.asarray(activation.gradient(dy, x, y), x.dtype)


# Activations: name -> (y of x, dx of dy, x, y). Definitions are Keras 3's.


def _softplus(x: Array) -> Array:
    return np.maximum(x, 0) + np.log1p(exp(-np.abs(x)))


def _between(x: Array, low: float, high: float) -> Array:
    return (x > low) & (x < high)


def _softmax(x: Array) -> Array:
    e = exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def _log_softmax(x: Array) -> Array:
    shifted = x - x.max(axis=-1, keepdims=True)
    return shifted - log(exp(shifted).sum(axis=-1, keepdims=True))


def _gelu_gradient(p: Primitives, dy: Array, x: Array) -> Array:
    cdf = 0.5 * (1 + p.erf(x * math.sqrt(0.5)))
    density = p.exp(-0.5 * x * x) * (1 / math.sqrt(2 * math.pi))
    return dy * (cdf + x * density)


def _mish_gradient(p: Primitives, dy: Array, x: Array) -> Array:
    t = p.tanh(p.softplus(x))
    return dy * (t + x * (1 - t * t) * p.sigmoid(x))


def _sparsemax(x: Array) -> Array:
    """Returns the point of the simplex that is nearest to x (Martins and Astudillo, 2016)."""
    descending = np.sort(x, axis=-1)[..., ::-1]
    sums = np.cumsum(descending, axis=-1)
    count = np.arange(1, x.shape[-1] + 1, dtype=x.dtype)
    support = (1 + count * descending > sums).sum(axis=-1, keepdims=True)
    threshold = (np.take_along_axis(sums, support - 1, axis=-1) - 1) / support.astype(x.dtype)
    return np.maximum(x - threshold, 0)


def _sparsemax_gradient(dy: Array, y: Array) -> Array:
    support = y > 0
    mean = (dy * support).sum(axis=-1, keepdims=True) / support.sum(axis=-1, keepdims=True).astype(dy.dtype)
    return np.where(support, dy - mean, 0)


def _glu(p: Primitives, x: Array) -> Array:
    value, gate = np.split(x, 2, axis=-1)
    return value * p.sigmoid(gate)


def _glu_gradient(p: Primitives, dy: Array, x: Array) -> Array:
    value, gate = np.split(x, 2, axis=-1)
    s = p.sigmoid(gate)
    return np.concatenate([dy * s, dy * value * s * (1 - s)], axis=-1)


def _silu_gradient(p: Primitives, dy: Array, x: Array) -> Array:
    s = p.sigmoid(x)
    return dy * (s + x * s * (1 - s))


def _hard_sigmoid(x: Array) -> Array:
    return np.clip(x / 6 + 0.5, 0, 1)


def _hard_silu_gradient(dy: Array, x: Array) -> Array:
    return dy * (_hard_sigmoid(x) + np.where(_between(x, -3, 3), x / 6, 0))


def _sparse_plus(x: Array) -> Array:
    return np.where(x <= -1, 0, np.where(x < 1, (x + 1) * (x + 1) / 4, x))


ACTIVATIONS: dict[
    str, tuple[Callable[[Primitives, Array], Array], Callable[[Primitives, Array, Array, Array], Array]]
] = {
    "linear": (lambda p, x: x.copy(), lambda p, dy, x, y: dy.copy()),
    "tanh": (lambda p, x: p.tanh(x), lambda p, dy, x, y: dy * (1 - y * y)),
    "sigmoid": (lambda p, x: p.sigmoid(x), lambda p, dy, x, y: dy * (y * (1 - y))),
    "hard_sigmoid": (lambda p, x: _hard_sigmoid(x), lambda p, dy, x, y: np.where(_between(y, 0, 1), dy / 6, 0)),
    "relu": (lambda p, x: np.maximum(x, 0), lambda p, dy, x, y: np.where(y > 0, dy, 0)),
    "relu6": (lambda p, x: np.clip(x, 0, 6), lambda p, dy, x, y: np.where(_between(x, 0, 6), dy, 0)),
    "leaky_relu": (lambda p, x: np.where(x > 0, x, 0.2 * x), lambda p, dy, x, y: np.where(x > 0, dy, 0.2 * dy)),
    "elu": (
        lambda p, x: np.where(x > 0, x, p.expm1(np.minimum(x, 0))),
        lambda p, dy, x, y: np.where(x > 0, dy, dy * (y + 1)),
    ),
    "selu": (
        lambda p, x: SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * p.expm1(np.minimum(x, 0))),
        lambda p, dy, x, y: np.where(x > 0, SELU_SCALE * dy, dy * (y + SELU_SCALE * SELU_ALPHA)),
    ),
    "celu": (
        lambda p, x: np.maximum(x, 0) + p.expm1(np.minimum(x, 0)),
        lambda p, dy, x, y: np.where(x > 0, dy, dy * (y + 1)),
    ),
    "softplus": (lambda p, x: p.softplus(x), lambda p, dy, x, y: dy * p.sigmoid(x)),
    "softsign": (lambda p, x: x / (1 + np.abs(x)), lambda p, dy, x, y: dy / ((1 + np.abs(x)) * (1 + np.abs(x)))),
    "silu": (lambda p, x: x * p.sigmoid(x), lambda p, dy, x, y: _silu_gradient(p, dy, x)),
    "hard_silu": (lambda p, x: x * _hard_sigmoid(x), lambda p, dy, x, y: _hard_silu_gradient(dy, x)),
    "gelu": (
        lambda p, x: 0.5 * x * (1 + p.erf(x * math.sqrt(0.5))),
        lambda p, dy, x, y: _gelu_gradient(p, dy, x),
    ),
    "mish": (lambda p, x: x * p.tanh(p.softplus(x)), lambda p, dy, x, y: _mish_gradient(p, dy, x)),
    "exponential": (lambda p, x: p.exp(x), lambda p, dy, x, y: dy * y),
    "log_sigmoid": (lambda p, x: -p.softplus(-x), lambda p, dy, x, y: dy * p.sigmoid(-x)),
    "hard_tanh": (lambda p, x: np.clip(x, -1, 1), lambda p, dy, x, y: np.where(_between(x, -1, 1), dy, 0)),
    "tanh_shrink": (lambda p, x: x - p.tanh(x), lambda p, dy, x, y: dy * (x - y) * (x - y)),
    "hard_shrink": (lambda p, x: np.where(np.abs(x) > 0.5, x, 0), lambda p, dy, x, y: np.where(np.abs(x) > 0.5, dy, 0)),
    "soft_shrink": (
        lambda p, x: np.where(x > 0.5, x - 0.5, np.where(x < -0.5, x + 0.5, 0)),
        lambda p, dy, x, y: np.where(np.abs(x) > 0.5, dy, 0),
    ),
    "squareplus": (
        lambda p, x: (x + np.sqrt(x * x + 4)) / 2,
        lambda p, dy, x, y: dy * (1 + x / np.sqrt(x * x + 4)) / 2,
    ),
    "sparse_plus": (
        lambda p, x: _sparse_plus(x),
        lambda p, dy, x, y: np.where(x <= -1, 0, np.where(x < 1, dy * (x + 1) / 2, dy)),
    ),
    "sparse_sigmoid": (
        lambda p, x: np.clip(0.5 * (x + 1), 0, 1),
        lambda p, dy, x, y: np.where(_between(x, -1, 1), 0.5 * dy, 0),
    ),
    "softmax": (
        lambda p, x: _softmax(x),
        lambda p, dy, x, y: y * (dy - (dy * y).sum(axis=-1, keepdims=True)),
    ),
    "log_softmax": (
        lambda p, x: _log_softmax(x),
        lambda p, dy, x, y: dy - exp(y) * dy.sum(axis=-1, keepdims=True),
    ),
    "sparsemax": (lambda p, x: _sparsemax(x), lambda p, dy, x, y: _sparsemax_gradient(dy, y)),
    "glu": (lambda p, x: _glu(p, x), lambda p, dy, x, y: _glu_gradient(p, dy, x)),
}


def composed_forward(primitives: Primitives, name: str, x: Array) -> Array:
    """Returns the activation `name` of x, built on `primitives`."""
    return np.asarray(ACTIVATIONS[name][0](primitives, x), x.dtype)


def composed_backward(primitives: Primitives, name: str, dy: Array, x: Array, y: Array) -> Array:
    """Returns dx of the activation `name`, built on `primitives`."""
    return np.asarray(ACTIVATIONS[name][1](primitives, dy, x, y), x.dtype)


def activation_forward(name: str, x: Array) -> Array:
    """Returns y = activation(x); softmax, log_softmax, sparsemax and glu work on the last axis, others by element."""
    return composed_forward(NUMPY, name, x)


def activation_backward(name: str, dy: Array, x: Array, y: Array) -> Array:
    """Returns dx from dy, the input x and the output y of `activation_forward`."""
    return composed_backward(NUMPY, name, dy, x, y)


NUMPY = Primitives(matmul, exp, log, tanh, sigmoid, _softplus, expm1, erf, activation_forward, activation_backward)


# The parts that the three recurrent layers share


def _product(v: Array, weights: Array, masks: Array | None, p: Primitives) -> Array:
    """Returns v @ weights (N, G*H); with masks, gate g sees v * masks[g]."""
    if masks is None:
        return p.matmul(v, weights)
    blocks = np.split(weights, len(masks), axis=1)
    return np.concatenate([p.matmul(v * mask, block) for mask, block in zip(masks, blocks, strict=True)], axis=1)


def _product_backward(
    dz: Array, v: Array, weights: Array, dweights: Array | None, masks: Array | None, p: Primitives
) -> Array:
    """Returns dv from the gradient dz (N, G*H) of `_product`; adds to dweights."""
    if masks is None:
        if dweights is not None:
            dweights += p.matmul(v, dz, transpose_a=True)
        return p.matmul(dz, weights, transpose_b=True)
    units = weights.shape[1] // len(masks)
    dv = np.zeros_like(v)
    for gate, mask in enumerate(masks):
        block = slice(gate * units, (gate + 1) * units)
        if dweights is not None:
            dweights[:, block] += p.matmul(v * mask, dz[:, block], transpose_a=True)
        dv += p.matmul(dz[:, block], weights[:, block], transpose_b=True) * mask
    return dv


class _Loop(NamedTuple):
    """The loop over time of every recurrent layer: order of steps, masks, what is put out.

    At a masked step of a row the states stay; the output repeats the one before it (zero at the start), or is zero
    with zero_output_for_mask. Output of a step is the state h that it computed.
    """

    timesteps: int
    mask: Array | None
    go_backwards: bool
    zero_output_for_mask: bool
    return_sequences: bool

    def order(self) -> Sequence[int]:
        return range(self.timesteps)[::-1] if self.go_backwards else range(self.timesteps)

    def forward(
        self, step: Callable[..., tuple[list[Array], Any]], states: list[Array]
    ) -> tuple[Array, list[Array], list[Any]]:
        """Runs step(t, states) -> (new states, cache) over time. Returns y, the final states and the caches."""
        output = np.zeros_like(states[0])
        outputs, caches = [], []
        for t in self.order():
            new_states, cache = step(t, states)
            new_output = new_states[0]
            if self.mask is not None:
                keep = self.mask[:, t, None]
                new_output = np.where(keep, new_output, 0 if self.zero_output_for_mask else output)
                new_states = [np.where(keep, new, old) for new, old in zip(new_states, states, strict=True)]
            output, states = new_output, new_states
            outputs.append(output)
            caches.append(cache)
        if not self.return_sequences:
            return output, states, caches
        return np.stack(outputs, axis=1) if outputs else np.zeros_like(output)[:, None][:, :0], states, caches

    def backward(
        self, step: Callable[..., list[Array]], dy: Array | None, dstates: list[Array], caches: list[Any]
    ) -> list[Array]:
        """Runs step(t, dstates, cache) -> dstates before, from the last step computed to the first."""
        repeated = np.zeros_like(dstates[0])  # gradient of the output that later masked steps repeat
        for position, t in reversed(list(enumerate(self.order()))):
            doutput = repeated
            if dy is not None and self.return_sequences:
                doutput = doutput + dy[:, position]
            elif dy is not None and position == self.timesteps - 1:
                doutput = doutput + dy
            if self.mask is None:
                dstates = step(t, [dstates[0] + doutput, *dstates[1:]], caches[position])
                continue
            keep = self.mask[:, t, None]
            repeated = np.where(keep | self.zero_output_for_mask, 0, doutput)
            dnew = [dstates[0] + doutput, *dstates[1:]]
            dbefore = step(t, [np.where(keep, d, 0) for d in dnew], caches[position])
            dstates = [new + np.where(keep, 0, old) for new, old in zip(dbefore, dstates, strict=True)]
        return dstates


class _Cache(NamedTuple):
    """What a backward pass needs: the arguments of the forward one, and what each step kept."""

    x: Array
    kernel: Array
    recurrent_kernel: Array
    activation: Activation
    recurrent_activation: Activation
    reset_after: bool
    input_masks: Array | None
    recurrent_masks: Array | None
    loop: _Loop
    steps: list[Any]
    primitives: Primitives


def _state(state: Array | None, x: Array, recurrent_kernel: Array) -> Array:
    return np.zeros((x.shape[0], recurrent_kernel.shape[0]), x.dtype) if state is None else state


def _add_bias_gradient(dbias: Array | None, dz: Array) -> None:
    if dbias is not None:
        dbias += dz.sum(axis=0)


# SimpleRNN


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
    primitives: Primitives = NUMPY,
) -> tuple[Array, Array, Any]:
    """SimpleRNN over a whole sequence: h = activation(x @ kernel + h @ recurrent_kernel + bias).

    Args:
        x: (N, T, D).
        kernel: (D, H).
        recurrent_kernel: (H, H).
        bias: (H,) or None.
        h0: (N, H), or None for zeros.
        mask: bool (N, T) or None.
        training: Whether to keep what `simple_rnn_backward` needs.
        recurrent_masks, input_masks: Dropout factors (1, N, H) and (1, N, D), or None.

    Returns:
        y (N, T, H) or (N, H), the final h (N, H), and the cache (None unless training).
    """
    p = primitives

    def step(t: int, states: list[Array]) -> tuple[list[Array], Any]:
        (h,) = states
        z = _product(x[:, t], kernel, input_masks, p) + _product(h, recurrent_kernel, recurrent_masks, p)
        if bias is not None:
            z = z + bias
        new_h = p.activate(activation, z)
        return [new_h], (h, z, new_h)

    loop = _Loop(x.shape[1], mask, go_backwards, zero_output_for_mask, return_sequences)
    y, (h,), steps = loop.forward(step, [_state(h0, x, recurrent_kernel)])
    cache = _Cache(x, kernel, recurrent_kernel, activation, None, True, input_masks, recurrent_masks, loop, steps, p)
    return y, h, cache if training else None


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
    """Gradients of `simple_rnn_forward`.

    Args:
        dy: Gradient of y, of its shape, or None.
        dh: (N, H), gradient of the final state, or None.
        dkernel, drecurrent_kernel, dbias: Added to; None where not wanted.

    Returns:
        dx (N, T, D) (None unless need_dx) and dh0 (N, H).
    """
    p = cache.primitives
    dx = np.zeros_like(cache.x)

    def step(t: int, dstates: list[Array], kept: Any) -> list[Array]:
        (dnew_h,) = dstates
        h, z, new_h = kept
        dz = p.activation_gradient(cache.activation, dnew_h, z, new_h)
        dx[:, t] = _product_backward(dz, cache.x[:, t], cache.kernel, dkernel, cache.input_masks, p)
        _add_bias_gradient(dbias, dz)
        return [_product_backward(dz, h, cache.recurrent_kernel, drecurrent_kernel, cache.recurrent_masks, p)]

    (dh0,) = cache.loop.backward(step, dy, [_state(dh, cache.x, cache.recurrent_kernel)], cache.steps)
    return dx if need_dx else None, dh0


# LSTM


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
    primitives: Primitives = NUMPY,
) -> tuple[Array, Array, Array, Any]:
    """LSTM over a whole sequence.

        i, f, g, o = split(x @ kernel + h @ recurrent_kernel + bias, 4)
        c = s(f) * c + s(i) * a(g)
        h = s(o) * a(c)                         a activation, s recurrent_activation

    Args:
        x: (N, T, D).
        kernel: (D, 4H).
        recurrent_kernel: (H, 4H).
        bias: (4H,) or None.
        h0, c0: (N, H), or None for zeros.
        mask: bool (N, T) or None.
        training: Whether to keep what `lstm_backward` needs.
        recurrent_masks, input_masks: Dropout factors (4, N, H) and (4, N, D), or None.

    Returns:
        y (N, T, H) or (N, H), the final h and c (N, H), and the cache (None unless training).
    """
    p = primitives
    a, s = activation, recurrent_activation

    def step(t: int, states: list[Array]) -> tuple[list[Array], Any]:
        h, c = states
        z = _product(x[:, t], kernel, input_masks, p) + _product(h, recurrent_kernel, recurrent_masks, p)
        if bias is not None:
            z = z + bias
        zi, zf, zg, zo = (np.ascontiguousarray(block) for block in np.split(z, 4, axis=1))
        i, f, g, o = p.activate(s, zi), p.activate(s, zf), p.activate(a, zg), p.activate(s, zo)
        new_c = f * c + i * g
        ac = p.activate(a, new_c)
        new_h = o * ac
        return [new_h, new_c], (h, c, (zi, zf, zg, zo), (i, f, g, o), new_c, ac)

    loop = _Loop(x.shape[1], mask, go_backwards, zero_output_for_mask, return_sequences)
    y, (h, c), steps = loop.forward(step, [_state(h0, x, recurrent_kernel), _state(c0, x, recurrent_kernel)])
    cache = _Cache(x, kernel, recurrent_kernel, a, s, True, input_masks, recurrent_masks, loop, steps, p)
    return y, h, c, cache if training else None


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
    """Gradients of `lstm_forward`.

    Args:
        dy: Gradient of y, of its shape, or None.
        dh, dc: (N, H), gradients of the final states, or None.
        dkernel, drecurrent_kernel, dbias: Added to; None where not wanted.

    Returns:
        dx (N, T, D) (None unless need_dx), dh0 and dc0 (N, H).
    """
    p, a, s = cache.primitives, cache.activation, cache.recurrent_activation
    dx = np.zeros_like(cache.x)

    def step(t: int, dstates: list[Array], kept: Any) -> list[Array]:
        dnew_h, dnew_c = dstates
        h, c, (zi, zf, zg, zo), (i, f, g, o), new_c, ac = kept
        dnew_c = dnew_c + p.activation_gradient(a, dnew_h * o, new_c, ac)
        dzi = p.activation_gradient(s, dnew_c * g, zi, i)
        dzf = p.activation_gradient(s, dnew_c * c, zf, f)
        dzg = p.activation_gradient(a, dnew_c * i, zg, g)
        dzo = p.activation_gradient(s, dnew_h * ac, zo, o)
        dz = np.concatenate([dzi, dzf, dzg, dzo], axis=1)
        dx[:, t] = _product_backward(dz, cache.x[:, t], cache.kernel, dkernel, cache.input_masks, p)
        _add_bias_gradient(dbias, dz)
        dh_prev = _product_backward(dz, h, cache.recurrent_kernel, drecurrent_kernel, cache.recurrent_masks, p)
        return [dh_prev, dnew_c * f]

    states = [_state(dh, cache.x, cache.recurrent_kernel), _state(dc, cache.x, cache.recurrent_kernel)]
    dh0, dc0 = cache.loop.backward(step, dy, states, cache.steps)
    return dx if need_dx else None, dh0, dc0


# GRU


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
    primitives: Primitives = NUMPY,
) -> tuple[Array, Array, Any]:
    """GRU over a whole sequence.

        z = s(x @ kernel_z + bias_z + h @ recurrent_kernel_z + recurrent_bias_z); r likewise
        hh = a(x @ kernel_h + bias_h + r * (h @ recurrent_kernel_h + recurrent_bias_h))      reset_after
        hh = a(x @ kernel_h + bias_h + (r * h) @ recurrent_kernel_h)                         not reset_after
        h = z * h + (1 - z) * hh                a activation, s recurrent_activation

    Args:
        x: (N, T, D).
        kernel: (D, 3H).
        recurrent_kernel: (H, 3H).
        bias: (2, 3H) with reset_after (the input's, then the recurrent one), else (3H,); or None.
        h0: (N, H), or None for zeros.
        mask: bool (N, T) or None.
        training: Whether to keep what `gru_backward` needs.
        recurrent_masks, input_masks: Dropout factors (3, N, H) and (3, N, D), or None.

    Returns:
        y (N, T, H) or (N, H), the final h (N, H), and the cache (None unless training).
    """
    p = primitives
    a, s = activation, recurrent_activation
    units = recurrent_kernel.shape[0]
    gates = slice(0, 2 * units)
    candidate = slice(2 * units, 3 * units)
    input_bias, recurrent_bias = (None, None) if bias is None else (bias, None) if bias.ndim == 1 else bias
    masks_zr, mask_h = (None, None) if recurrent_masks is None else (recurrent_masks[:2], recurrent_masks[2])

    def step(t: int, states: list[Array]) -> tuple[list[Array], Any]:
        (h,) = states
        zx = _product(x[:, t], kernel, input_masks, p)
        zh = _product(h, recurrent_kernel[:, gates], masks_zr, p)
        if input_bias is not None:
            zx = zx + input_bias
        if recurrent_bias is not None:
            zh = zh + recurrent_bias[gates]
        zz, zr = (np.ascontiguousarray(block) for block in np.split(zx[:, gates] + zh, 2, axis=1))
        z, r = p.activate(s, zz), p.activate(s, zr)
        masked_h = h if mask_h is None else h * mask_h
        reset_h = masked_h if reset_after else r * masked_h
        hu = p.matmul(reset_h, recurrent_kernel[:, candidate])
        if recurrent_bias is not None:
            hu = hu + recurrent_bias[candidate]
        zc = zx[:, candidate] + (r * hu if reset_after else hu)
        hh = p.activate(a, zc)
        new_h = z * h + (1 - z) * hh
        return [new_h], (h, masked_h, reset_h, hu, (zz, zr, zc), (z, r, hh))

    loop = _Loop(x.shape[1], mask, go_backwards, zero_output_for_mask, return_sequences)
    y, (h,), steps = loop.forward(step, [_state(h0, x, recurrent_kernel)])
    cache = _Cache(x, kernel, recurrent_kernel, a, s, reset_after, input_masks, recurrent_masks, loop, steps, p)
    return y, h, cache if training else None


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
    """Gradients of `gru_forward`.

    Args:
        dy: Gradient of y, of its shape, or None.
        dh: (N, H), gradient of the final state, or None.
        dkernel, drecurrent_kernel, dbias: Added to; None where not wanted.

    Returns:
        dx (N, T, D) (None unless need_dx) and dh0 (N, H).
    """
    p, a, s, reset_after = cache.primitives, cache.activation, cache.recurrent_activation, cache.reset_after
    weights = cache.recurrent_kernel
    units = weights.shape[0]
    gates = slice(0, 2 * units)
    candidate = slice(2 * units, 3 * units)
    masks = cache.recurrent_masks
    masks_zr, mask_h = (None, None) if masks is None else (masks[:2], masks[2])
    drecurrent_zr = None if drecurrent_kernel is None else drecurrent_kernel[:, gates]
    drecurrent_h = None if drecurrent_kernel is None else drecurrent_kernel[:, candidate]
    dx = np.zeros_like(cache.x)

    def step(t: int, dstates: list[Array], kept: Any) -> list[Array]:
        (dnew_h,) = dstates
        h, masked_h, reset_h, hu, (zz, zr, zc), (z, r, hh) = kept
        dzz = p.activation_gradient(s, dnew_h * (h - hh), zz, z)
        dzc = p.activation_gradient(a, dnew_h * (1 - z), zc, hh)
        dhu = dzc * r if reset_after else dzc
        dreset_h = _product_backward(dhu, reset_h, weights[:, candidate], drecurrent_h, None, p)
        dr = dzc * hu if reset_after else dreset_h * masked_h
        dmasked_h = dreset_h if reset_after else dreset_h * r
        dzr = p.activation_gradient(s, dr, zr, r)
        dzh = np.concatenate([dzz, dzr], axis=1)
        dzx = np.concatenate([dzh, dzc], axis=1)
        dx[:, t] = _product_backward(dzx, cache.x[:, t], cache.kernel, dkernel, cache.input_masks, p)
        if dbias is not None and dbias.ndim == 2:
            dbias[0] += dzx.sum(axis=0)
            dbias[1] += np.concatenate([dzh, dhu], axis=1).sum(axis=0)
        else:
            _add_bias_gradient(dbias, dzx)
        dh_prev = dnew_h * z + (dmasked_h if mask_h is None else dmasked_h * mask_h)
        return [dh_prev + _product_backward(dzh, h, weights[:, gates], drecurrent_zr, masks_zr, p)]

    (dh0,) = cache.loop.backward(step, dy, [_state(dh, cache.x, weights)], cache.steps)
    return dx if need_dx else None, dh0


# Dense, optimizers, normalization, sums, rows


def dense_forward(
    x: Array, kernel: Array, bias: Array | None, activation: Activation = "linear", *, primitives: Primitives = NUMPY
) -> tuple[Array, Any]:
    """Returns y = activation(x @ kernel + bias) and the cache for backward; x (M, K), kernel (K, N), bias (N,)."""
    z = primitives.matmul(x, kernel, bias=bias)
    y = z if activation == "linear" else primitives.activate(activation, z)
    return y, (x, kernel, activation, z, y, primitives)


def dense_backward(
    dy: Array, cache: Any, dkernel: Array | None, dbias: Array | None, *, need_dx: bool = True
) -> Array | None:
    """Returns dx (M, K) (None unless need_dx); adds to dkernel (K, N) and dbias (N,)."""
    x, kernel, activation, z, y, p = cache
    dz = dy if activation == "linear" else p.activation_gradient(activation, dy, z, y)
    if dkernel is not None:
        p.matmul(x, dz, transpose_a=True, out=dkernel, accumulate=True)
    if dbias is not None:
        ones = np.ones((1, len(dz)), dz.dtype)
        p.matmul(ones, dz, out=dbias.reshape(1, -1), accumulate=True)
    return p.matmul(dz, kernel, transpose_b=True) if need_dx else None


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
    """Step 1, 2, 3, ... of Adam (Kingma and Ba, 2015) on flat arrays, in place; with `vhat`, of AMSGrad."""
    rest_1, rest_2 = (1 - float(np.float32(beta)) ** step for beta in (beta_1, beta_2))  # rounded as in Keras
    alpha = learning_rate * np.sqrt(rest_2) / rest_1
    m += (g - m) * (1 - beta_1)
    v += (g * g - v) * (1 - beta_2)
    if vhat is not None:
        np.maximum(vhat, v, out=vhat)
    w -= alpha * m / (np.sqrt(v if vhat is None else vhat) + epsilon)


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
    """RMSprop (Hinton, 2012) on flat arrays, in place; with `m` of momentum, centered with an `average`."""
    v *= rho
    v += (1 - rho) * (g * g)
    spread = v
    if average is not None:
        average *= rho
        average += (1 - rho) * g
        spread = v - average * average
    move = learning_rate * g / np.sqrt(spread + epsilon)
    if m is not None:
        m *= momentum
        m += move
        move = m
    w -= move


def sgd_update(
    w: Array, g: Array, *, learning_rate: float, momentum: float, nesterov: bool, m: Array | None = None
) -> None:
    """Gradient descent on flat arrays, in place; with `m` of momentum (Sutskever et al., 2013)."""
    move = -learning_rate * g
    if m is not None:
        m *= momentum
        m += move
        move = move + momentum * m if nesterov else m
    w += move


def normalize_rows(x: Array, gamma: Array | None, beta: Array | None, epsilon: float) -> tuple[Array, Any]:
    """Returns (x - mean) / sqrt(variance + epsilon) * gamma + beta over the last axis, and a cache (Ba et al., 2016).

    Args:
        x: (..., D).
        gamma, beta: (D,) or None.
        epsilon: Added to the variance.
    """
    centred = x - x.mean(axis=-1, keepdims=True)
    inverse = 1 / np.sqrt(np.square(centred).mean(axis=-1, keepdims=True) + x.dtype.type(epsilon))
    standardized = centred * inverse
    y = standardized if gamma is None else standardized * gamma
    return (y if beta is None else y + beta), (standardized, inverse[..., 0])


def normalize_rows_gradient(
    dy: Array, cache: Any, gamma: Array | None, dgamma: Array | None, dbeta: Array | None
) -> Array:
    """Returns dx of `normalize_rows` from dy; adds to dgamma and dbeta (D,), where they are given."""
    standardized, inverse = cache
    axes = tuple(range(dy.ndim - 1))
    if dbeta is not None:
        dbeta += dy.sum(axis=axes)
    if dgamma is not None:
        dgamma += (dy * standardized).sum(axis=axes)
    d = dy if gamma is None else dy * gamma
    slope = (d * standardized).mean(axis=-1, keepdims=True)
    return inverse[..., None] * (d - d.mean(axis=-1, keepdims=True) - standardized * slope)


def normalize_columns(
    x: Array, gamma: Array | None, beta: Array | None, epsilon: float, moments: tuple[Array, Array] | None = None
) -> tuple[Array, tuple[Array, Array], Any]:
    """Returns (x - mean) / sqrt(variance + epsilon) * gamma + beta, the moments, and a cache (Ioffe and Szegedy, 2015).

    Args:
        x: (..., D).
        gamma, beta: (D,) or None.
        epsilon: Added to the variance.
        moments: Mean and variance (D,); None for those of x over all axes but the last.
    """
    axes = tuple(range(x.ndim - 1))
    mean, variance = moments or (x.mean(axis=axes), x.var(axis=axes))
    inverse = 1 / np.sqrt(variance + x.dtype.type(epsilon))
    standardized = (x - mean) * inverse
    y = standardized if gamma is None else standardized * gamma
    return (y if beta is None else y + beta), (mean, variance), (standardized, inverse, moments is None)


def normalize_columns_gradient(
    dy: Array, cache: Any, gamma: Array | None, dgamma: Array | None, dbeta: Array | None
) -> Array:
    """Returns dx of `normalize_columns` from dy; adds to dgamma and dbeta (D,), where they are given."""
    standardized, inverse, of_batch = cache
    axes = tuple(range(dy.ndim - 1))
    if dbeta is not None:
        dbeta += dy.sum(axis=axes)
    if dgamma is not None:
        dgamma += (dy * standardized).sum(axis=axes)
    d = dy
    if of_batch:
        d = dy - dy.mean(axis=axes) - standardized * (dy * standardized).mean(axis=axes)
    return d * inverse * (1 if gamma is None else gamma)


def sum_of_squares(x: Array) -> float:
    """Returns the sum of x * x over all elements, added in float64."""
    return float(np.square(x, dtype=np.float64).sum())


def orthonormalize(rows: Array) -> Array:
    """Returns Q of the QR factorisation of rows.T whose R has a positive diagonal, as rows (count, size), float64."""
    q, r = np.linalg.qr(rows.T)
    return np.ascontiguousarray((q * np.where(r.diagonal() < 0, -1.0, 1.0)).T)


def add_rows(out: Array, rows: Array, index: Array) -> None:
    """Adds out[index[i]] += rows[i], one after the other: out (R, D), rows (count, D), index int64."""
    np.add.at(out, index, rows)
