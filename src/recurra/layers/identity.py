"""Layers that give their input back."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra import ops, regularizers, saving
from recurra.layers.base import Layer


@saving.builtin("keras.layers")
class Identity(Layer):
    """Returns its input."""

    supports_masking = True
    stateless = True
    keeps_integers = True
    takes_several = True

    def forward(self, inputs: Any) -> tuple[Any, None]:
        return inputs, None

    def backward(self, doutputs: Any, cache: None) -> Any:
        return doutputs

    def join_plan(self, plan: ops.Plan, training: bool) -> bool:
        return True


@saving.builtin("keras.layers")
class ActivityRegularization(Layer):
    """Returns its input, and adds a penalty on it to the loss.

    Args:
        l1, l2: Factors of the sums of |x| and of x * x, by the number of rows.

    Raises:
        ValueError: If a factor is negative or not a number.
    """

    supports_masking = True
    stateless = True

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any):
        super().__init__(activity_regularizer=regularizers.L1L2(l1, l2), **kwargs)
        self.l1, self.l2 = l1, l2

    def forward(self, inputs: np.ndarray) -> tuple[np.ndarray, None]:
        return inputs, None

    def backward(self, doutputs: np.ndarray, cache: None) -> np.ndarray:
        return doutputs

    def _config_names(self) -> list[str]:
        return ["l1", "l2"]
