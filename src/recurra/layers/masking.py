"""Masking: marks the time steps that only pad."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra import ops, saving
from recurra._arrays import as_numbers
from recurra._checks import expected
from recurra.layers._math import zero_unless
from recurra.layers.base import Layer


@saving.builtin("keras.layers")
class Masking(Layer):
    """Masks the steps whose features all equal a value, and zeroes them (https://keras.io/api/layers/core_layers/masking).

    Args:
        mask_value: The value that padding has: a number, or an array or list of one for each feature.

    Call:
        inputs: (N, T, D).

    Returns:
        (N, T, D), with the mask any(x != mask_value, axis=-1).

    Raises:
        ValueError: If `mask_value` is not made of numbers, or does not fit the features.

    >>> layer = recurra.layers.Masking()
    >>> layer.compute_mask(np.array([[[1.0], [0.0]]]))
    array([[ True, False]])
    """

    supports_masking = True
    stateless = True

    def __init__(self, mask_value: Any = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        array = as_numbers(mask_value, "Masking mask_value")
        self.mask_value = mask_value if array.ndim else array.item()

    def build(self, input_shape: Any) -> None:
        if np.ndim(self.mask_value):
            shape = np.shape(self.mask_value)
            try:
                np.broadcast_shapes(shape, [1 if size is None else size for size in input_shape])
            except ValueError:
                what = f"mask_value to be a number, or one for each feature of {tuple(input_shape)}"
                raise ValueError(expected("Masking", what, f"shape {shape}")) from None

    def forward(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        keep = self.compute_mask(inputs)[..., None]
        return zero_unless(keep, inputs), keep

    def backward(self, doutputs: np.ndarray, cache: np.ndarray) -> np.ndarray:
        return zero_unless(cache, doutputs)

    def join_plan(self, plan: ops.Plan, training: bool) -> bool:
        return not np.ndim(self.mask_value) and plan.add_masking(self.mask_value)

    def compute_mask(self, inputs: Any, mask: Any = None) -> np.ndarray:
        """Returns which steps have a feature that is not `mask_value`."""
        inputs = np.asanyarray(inputs)
        value = self.mask_value
        if np.ndim(value) and inputs.dtype.kind == "f":
            value = np.asarray(value, inputs.dtype)  # else float32 would be compared as float64
        return np.any(inputs != value, axis=-1)
