"""The machine's own sgemm, by NumPy's BLAS: what a training step is measured against."""

from collections.abc import Callable

import numpy as np

from libraries.flops import GATES


def start(threads: int) -> None:
    """Threads come from the environment and the cores that the process may use."""


def sgemm(layer: str, shape: list[int]) -> Callable[[], object]:
    """The recurrent products of all time steps as one: (N T, H) by (H, G H)."""
    n, t, _, h = shape
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=size).astype(np.float32) for size in ((n * t, h), (h, GATES[layer] * h)))
    out = np.empty((n * t, GATES[layer] * h), np.float32)
    return lambda: np.matmul(a, b, out=out)
