"""LSTM over a whole sequence."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra.ops.reference.activations import NUMPY
from recurra.ops.reference.primitives import Activation, Array, Primitives
from recurra.ops.reference.sequence import Cache, Loop, add_bias_gradient, product, product_backward, state_or_zeros


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
        z = product(x[:, t], kernel, input_masks, p) + product(h, recurrent_kernel, recurrent_masks, p)
        if bias is not None:
            z = z + bias
        zi, zf, zg, zo = (np.ascontiguousarray(block) for block in np.split(z, 4, axis=1))
        i, f, g, o = p.activate(s, zi), p.activate(s, zf), p.activate(a, zg), p.activate(s, zo)
        new_c = f * c + i * g
        ac = p.activate(a, new_c)
        new_h = o * ac
        return [new_h, new_c], (h, c, (zi, zf, zg, zo), (i, f, g, o), new_c, ac)

    loop = Loop(x.shape[1], mask, go_backwards, zero_output_for_mask, return_sequences)
    states = [state_or_zeros(state, x, recurrent_kernel) for state in (h0, c0)]
    y, (h, c), steps = loop.forward(step, states)
    cache = Cache(x, kernel, recurrent_kernel, a, s, True, input_masks, recurrent_masks, loop, steps, p)
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
        dx[:, t] = product_backward(dz, cache.x[:, t], cache.kernel, dkernel, cache.input_masks, p)
        add_bias_gradient(dbias, dz)
        dh_prev = product_backward(dz, h, cache.recurrent_kernel, drecurrent_kernel, cache.recurrent_masks, p)
        return [dh_prev, dnew_c * f]

    dstates = [state_or_zeros(dstate, cache.x, cache.recurrent_kernel) for dstate in (dh, dc)]
    dh0, dc0 = cache.loop.backward(step, dy, dstates, cache.steps)
    return dx if need_dx else None, dh0, dc0
