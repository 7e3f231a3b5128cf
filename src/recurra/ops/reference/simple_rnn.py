"""SimpleRNN over a whole sequence."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra.ops.reference.activations import NUMPY
from recurra.ops.reference.primitives import Activation, Array, Primitives
from recurra.ops.reference.sequence import Cache, Loop, add_bias_gradient, product, product_backward, state_or_zeros


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
        z = product(x[:, t], kernel, input_masks, p) + product(h, recurrent_kernel, recurrent_masks, p)
        if bias is not None:
            z = z + bias
        new_h = p.activate(activation, z)
        return [new_h], (h, z, new_h)

    loop = Loop(x.shape[1], mask, go_backwards, zero_output_for_mask, return_sequences)
    y, (h,), steps = loop.forward(step, [state_or_zeros(h0, x, recurrent_kernel)])
    cache = Cache(x, kernel, recurrent_kernel, activation, None, True, input_masks, recurrent_masks, loop, steps, p)
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
        dx[:, t] = product_backward(dz, cache.x[:, t], cache.kernel, dkernel, cache.input_masks, p)
        add_bias_gradient(dbias, dz)
        return [product_backward(dz, h, cache.recurrent_kernel, drecurrent_kernel, cache.recurrent_masks, p)]

    (dh0,) = cache.loop.backward(step, dy, [state_or_zeros(dh, cache.x, cache.recurrent_kernel)], cache.steps)
    return dx if need_dx else None, dh0
