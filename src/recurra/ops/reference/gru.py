"""GRU over a whole sequence."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra.ops.reference.activations import NUMPY
from recurra.ops.reference.primitives import Activation, Array, Primitives
from recurra.ops.reference.sequence import Cache, Loop, add_bias_gradient, product, product_backward, state_or_zeros


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
        zx = product(x[:, t], kernel, input_masks, p)
        zh = product(h, recurrent_kernel[:, gates], masks_zr, p)
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

    loop = Loop(x.shape[1], mask, go_backwards, zero_output_for_mask, return_sequences)
    y, (h,), steps = loop.forward(step, [state_or_zeros(h0, x, recurrent_kernel)])
    cache = Cache(x, kernel, recurrent_kernel, a, s, reset_after, input_masks, recurrent_masks, loop, steps, p)
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
        dreset_h = product_backward(dhu, reset_h, weights[:, candidate], drecurrent_h, None, p)
        dr = dzc * hu if reset_after else dreset_h * masked_h
        dmasked_h = dreset_h if reset_after else dreset_h * r
        dzr = p.activation_gradient(s, dr, zr, r)
        dzh = np.concatenate([dzz, dzr], axis=1)
        dzx = np.concatenate([dzh, dzc], axis=1)
        dx[:, t] = product_backward(dzx, cache.x[:, t], cache.kernel, dkernel, cache.input_masks, p)
        if dbias is not None and dbias.ndim == 2:
            dbias[0] += dzx.sum(axis=0)
            dbias[1] += np.concatenate([dzh, dhu], axis=1).sum(axis=0)
        else:
            add_bias_gradient(dbias, dzx)
        dh_prev = dnew_h * z + (dmasked_h if mask_h is None else dmasked_h * mask_h)
        return [dh_prev + product_backward(dzh, h, weights[:, gates], drecurrent_zr, masks_zr, p)]

    (dh0,) = cache.loop.backward(step, dy, [state_or_zeros(dh, cache.x, weights)], cache.steps)
    return dx if need_dx else None, dh0
