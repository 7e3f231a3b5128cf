"""What every library is given."""

import numpy as np


def batch(shape: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Returns x (N, T, D) and y (N, 1) for a shape N, T, D, H."""
    n, t, d, _ = shape
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, t, d)).astype(np.float32), rng.normal(size=(n, 1)).astype(np.float32)
