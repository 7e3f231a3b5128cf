"""Adafactor: the size of past gradients in a row and a column per matrix."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra import ops, saving
from recurra._checks import not_negative, not_positive, positive
from recurra.optimizers.base import Optimizer
from recurra.optimizers.options import OptimizerOptions, Unpack
from recurra.variables import Variable


@saving.builtin("keras.optimizers")
class Adafactor(Optimizer):
    """Adafactor (Shazeer and Stern, 2018), in Keras's form.

        s = g² + epsilon_1;  beta = 1 - t^beta_2_decay
        r = beta * r + (1 - beta) * mean of s over columns;  c likewise over rows
        v = r / mean(r) * c                                  of a vector: beta * v + (1 - beta) * s
        u = g / sqrt(v)
        w -= max(epsilon_2, rms(w)) * min(lr, 1 / sqrt(t)) * u / max(1, rms(u) / clip_threshold)

    Args:
        learning_rate: A number, a schedule, or a function without arguments.
        beta_2_decay: Below 0: how fast the averages grow slow.
        epsilon_1: Keeps the division safe.
        epsilon_2: Smallest scale of a weight.
        clip_threshold: Largest root mean square of `u`.
        relative_step: There for Keras's configs: the rate is at most 1 / sqrt(t) either way.
        **options: Those of `Optimizer`.

    Raises:
        TypeError, ValueError: If an option is not a number where one is due, or out of range.
    """

    slots = (("row", "column", "velocity"),)
    elementwise = False

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
        **options: Unpack[OptimizerOptions],
    ):
        super().__init__(learning_rate, **options)
        self.beta_2_decay = not_positive("Adafactor", "beta_2_decay", beta_2_decay)
        self.epsilon_1 = not_negative("Adafactor", "epsilon_1", epsilon_1)
        self.epsilon_2 = not_negative("Adafactor", "epsilon_2", epsilon_2)
        self.clip_threshold = positive("Adafactor", "clip_threshold", clip_threshold)
        self.relative_step = relative_step

    def _new_slot_variable(self, variable: Variable, name: str) -> Variable:
        if name not in ("row", "column"):
            return super()._new_slot_variable(variable, name)
        if variable.ndim < 2:  # not factored; Keras keeps a placeholder all the same
            return self._new_variable(np.int32(0), variable.name)
        shape = variable.shape[:-1] if name == "row" else (*variable.shape[:-2], variable.shape[-1])
        return self._new_variable(np.zeros(shape, variable.dtype), variable.name)

    def update(self, w: np.ndarray, g: np.ndarray, *slots: np.ndarray, learning_rate: float, step: int) -> None:
        r, c, v = slots
        time = w.dtype.type(step)
        beta = 1 - ops.power(time, self.beta_2_decay)
        squares = g * g + self.epsilon_1
        if w.ndim >= 2:
            r[...] = beta * r + (1 - beta) * _mean(squares, -1)
            c[...] = beta * c + (1 - beta) * _mean(squares, -2)
            v[...] = (r / _mean(r, -1)[..., None])[..., None] * c[..., None, :]
        else:
            v[...] = beta * v + (1 - beta) * squares
        u = g / np.sqrt(v)
        scale = max(self.epsilon_2, _rms(w)) * min(learning_rate, 1 / np.sqrt(time))
        w -= float(scale) * (u / max(1.0, _rms(u) / self.clip_threshold))


def _mean(x: np.ndarray, axis: int) -> np.ndarray:
    return x.mean(axis, dtype=np.float64).astype(x.dtype)


def _rms(x: np.ndarray) -> float:
    return (ops.sum_of_squares(x) / x.size) ** 0.5
