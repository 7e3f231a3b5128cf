"""What the three recurrent layers share: products with dropout, the loop over time, what a backward pass needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from recurra.ops.reference.primitives import Activation, Array, Primitives


def product(v: Array, weights: Array, masks: Array | None, p: Primitives) -> Array:
    """Returns v @ weights (N, G*H); with masks, gate g sees v * masks[g]."""
    if masks is None:
        return p.matmul(v, weights)
    blocks = np.split(weights, len(masks), axis=1)
    return np.concatenate([p.matmul(v * mask, block) for mask, block in zip(masks, blocks, strict=True)], axis=1)


def product_backward(
    dz: Array, v: Array, weights: Array, dweights: Array | None, masks: Array | None, p: Primitives
) -> Array:
    """Returns dv from the gradient dz (N, G*H) of `product`; adds to dweights."""
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


class Loop(NamedTuple):
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


class Cache(NamedTuple):
    """What a backward pass needs: the arguments of the forward one, and what each step kept."""

    x: Array
    kernel: Array
    recurrent_kernel: Array
    activation: Activation
    recurrent_activation: Activation
    reset_after: bool
    input_masks: Array | None
    recurrent_masks: Array | None
    loop: Loop
    steps: list[Any]
    primitives: Primitives


def state_or_zeros(state: Array | None, x: Array, recurrent_kernel: Array) -> Array:
    """Returns a state, or its gradient, zeros (N, H) where it is not given."""
    return np.zeros((x.shape[0], recurrent_kernel.shape[0]), x.dtype) if state is None else state


def add_bias_gradient(dbias: Array | None, dz: Array) -> None:
    """Adds to dbias, where there is one, the sum over the batch of dz (N, G*H)."""
    if dbias is not None:
        dbias += dz.sum(axis=0)
