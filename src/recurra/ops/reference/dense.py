"""Dense: a matrix product, then an activation."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra.ops.reference.activations import NUMPY
from recurra.ops.reference.primitives import Activation, Array, Primitives


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
