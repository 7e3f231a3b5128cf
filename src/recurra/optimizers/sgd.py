"""Gradient descent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from recurra import saving
from recurra._checks import fraction
from recurra.optimizers.base import Optimizer


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
    """

    def __init__(self, learning_rate: Any = 0.01, momentum: float = 0.0, nesterov: bool = False, **options: Any):
        super().__init__(learning_rate, **options)
        self.momentum = fraction("SGD", "momentum", momentum)
        self.nesterov = nesterov

    def slot_groups(self) -> Iterable[tuple[str, ...]]:
        return [("momentum",)] if self.momentum else []

    def update(self, w: np.ndarray, g: np.ndarray, *slots: np.ndarray, learning_rate: float, step: int) -> None:
        move = g * learning_rate
        for m in slots:
            m *= self.momentum
            m -= move
            if self.nesterov:
                move -= m * self.momentum
            else:
                move = -m
        w -= move
