"""Masking: marks the time steps that only pad."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra import ops, saving
from recurra.layers._math import zero_unless
from recurra.layers.base import Layer


@saving.builtin("keras.layers")
class Masking(Layer):
    """Masks the steps whose features all equal a value, and zeroes them (https://keras.io/api/layers/core_layers/masking).

    Args:
        mask_value: The value that padding has.

    Call:
        inputs: (N, T, D).

    Returns:
        (N, T, D), with the mask any(x != mask_value, axis=-1).

    >>> layer = recurra.layers.Masking()
    >>> layer.compute_mask(np.array([[[1.0], [0.0]]]))
    array([[ True, False]])
    """

    supports_masking = True
    stateless = True

    def __init__(self, mask_value: float = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        # NumPy's own numbers would have float32 compared as float64.
        self.mask_value = mask_value.item() if isinstance(mask_value, np.generic) else mask_value

    def forward(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        keep = self.compute_mask(inputs)[..., None]
        return zero_unless(keep, inputs), keep

    def backward(self, doutputs: np.ndarray, cache: np.ndarray) -> np.ndarray:
        return zero_unless(cache, doutputs)

    def join_plan(self, plan: ops.Plan, training: bool) -> bool:
        return plan.add_masking(self.mask_value)

    def compute_mask(self, inputs: Any, mask: Any = None) -> np.ndarray:
        """Returns which steps have a feature that is not `mask_value`."""
        return np.any(np.asanyarray(inputs) != self.mask_value, axis=-1)
