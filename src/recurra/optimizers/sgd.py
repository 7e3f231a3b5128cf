"""Gradient descent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from recurra import ops, saving
from recurra._checks import fraction
from recurra.optimizers.base import Optimizer
from recurra.optimizers.options import OptimizerOptions, Unpack


@saving.builtin("keras.optimizers")
class SGD(Optimizer):
    """Gradient descent, with momentum if asked.

        w -= lr * g
        m = momentum * m - lr * g;  w += m                          momentum > 0
        m = momentum * m - lr * g;  w += momentum * m - lr * g      nesterov

    Args:
        learning_rate: A number, a schedule, or a function without arguments.
        momentum: From 0 to 1.
        nesterov: Look ahead by the momentum.
        **options: Those of `Optimizer`.

    Raises:
        TypeError, ValueError: If an option is not a number where one is due, or out of range.
    """

    native_formula = "sgd"

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        **options: Unpack[OptimizerOptions],
    ):
        super().__init__(learning_rate, **options)
        self.momentum = fraction("SGD", "momentum", momentum)
        self.nesterov = nesterov

    def slot_groups(self) -> Iterable[tuple[str, ...]]:
        return [("momentum",)] if self.momentum else []

    def update(self, w: np.ndarray, g: np.ndarray, *slots: np.ndarray, learning_rate: float, step: int) -> None:
        ops.sgd_update(w, g, **self.formula_arguments(slots), learning_rate=learning_rate)

    def formula_arguments(self, slots: Sequence[np.ndarray]) -> dict[str, Any]:
        return {"m": slots[0] if slots else None, "momentum": self.momentum, "nesterov": bool(self.nesterov)}
