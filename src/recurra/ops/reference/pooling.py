"""One value of each feature for windows of time steps."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from recurra.ops.reference.primitives import Array


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
