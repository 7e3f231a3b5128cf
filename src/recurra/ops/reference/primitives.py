"""Elementwise functions and matrix products: what the equations are built on."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from recurra._checks import check_gradient

Array = np.ndarray
Activation = Any  # a name of ACTIVATIONS, or a function x -> y with an attribute gradient(dy, x, y) -> dx


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
