"""Activations: name -> (y of x, dx of dy, x, y). Definitions are Keras 3's."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from recurra.ops.reference.primitives import Array, Primitives, erf, exp, expm1, log, matmul, sigmoid, tanh

SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805


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
