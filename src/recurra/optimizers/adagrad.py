"""Adagrad, Adadelta, RMSprop and Ftrl: steps in proportion to the size of past gradients."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from recurra import ops, saving
from recurra._checks import expected, fraction, not_negative, not_positive
from recurra.optimizers.base import Optimizer
from recurra.optimizers.options import OptimizerOptions, Unpack


@saving.builtin("keras.optimizers")
class Adagrad(Optimizer):
    """Adagrad (Duchi, Hazan and Singer, 2011).

        a += g²
        w -= lr * g / sqrt(a + epsilon)

    Args:
        learning_rate: A number, a schedule, or a function without arguments.
        initial_accumulator_value: What `a` starts with.
        epsilon: Keeps the division safe.
        **options: Those of `Optimizer`.

    Raises:
        TypeError, ValueError: If an option is not a number where one is due, or out of range.
    """

    slots = (("accumulator",),)

    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        **options: Unpack[OptimizerOptions],
    ):
        super().__init__(learning_rate, **options)
        self.initial_accumulator_value = not_negative("Adagrad", "initial_accumulator_value", initial_accumulator_value)
        self.epsilon = not_negative("Adagrad", "epsilon", epsilon)

    def slot_start(self, name: str) -> float:
        return self.initial_accumulator_value if name == "accumulator" else 0.0

    def update(self, w: np.ndarray, g: np.ndarray, *slots: np.ndarray, learning_rate: float, step: int) -> None:
        (a,) = slots
        a += g * g
        w -= learning_rate * g / np.sqrt(a + self.epsilon)


@saving.builtin("keras.optimizers")
class Adadelta(Optimizer):
    """Adadelta (Zeiler, 2012).

        a = rho * a + (1 - rho) * g²
        u = sqrt(d + epsilon) / sqrt(a + epsilon) * g
        d = rho * d + (1 - rho) * u²
        w -= lr * u

    Args:
        learning_rate: A number, a schedule, or a function without arguments; the paper's is 1.
        rho: Decay of the averages.
        epsilon: Keeps the division safe.
        **options: Those of `Optimizer`.

    Raises:
        TypeError, ValueError: If an option is not a number where one is due, or out of range.
    """

    slots = (("accumulated_grad", "accumulated_delta_var"),)

    def __init__(
        self, learning_rate: Any = 0.001, rho: float = 0.95, epsilon: float = 1e-7, **options: Unpack[OptimizerOptions]
    ):
        super().__init__(learning_rate, **options)
        self.rho = fraction("Adadelta", "rho", rho)
        self.epsilon = not_negative("Adadelta", "epsilon", epsilon)

    def update(self, w: np.ndarray, g: np.ndarray, *slots: np.ndarray, learning_rate: float, step: int) -> None:
        a, d = slots
        a *= self.rho
        a += (1 - self.rho) * (g * g)
        u = np.sqrt(d + self.epsilon) * g / np.sqrt(a + self.epsilon)
        d *= self.rho
        d += (1 - self.rho) * (u * u)
        w -= learning_rate * u


@saving.builtin("keras.optimizers")
class RMSprop(Optimizer):
    """RMSprop (Hinton, 2012).

        v = rho * v + (1 - rho) * g²
        a = rho * a + (1 - rho) * g                   centered; else a = 0
        i = lr * g / sqrt(v - a² + epsilon)
        w -= i;  or  m = momentum * m + i;  w -= m    momentum > 0

    Args:
        learning_rate: A number, a schedule, or a function without arguments.
        rho: Decay of the averages.
        momentum: From 0 to 1.
        epsilon: Keeps the division safe.
        centered: Divide by the spread of the gradients instead of their size.
        **options: Those of `Optimizer`.

    Raises:
        TypeError, ValueError: If an option is not a number where one is due, or out of range.
    """

    squares_slot = ("velocity", "rho")
    native_formula = "rmsprop"

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **options: Unpack[OptimizerOptions],
    ):
        super().__init__(learning_rate, **options)
        self.rho = fraction("RMSprop", "rho", rho)
        self.momentum = fraction("RMSprop", "momentum", momentum)
        self.epsilon = not_negative("RMSprop", "epsilon", epsilon)
        self.centered = centered

    def slot_groups(self) -> Iterable[tuple[str, ...]]:
        used = {"velocity": True, "momentum": self.momentum > 0, "average_gradient": self.centered}
        return [(name,) for name, is_used in used.items() if is_used]

    def update(self, w: np.ndarray, g: np.ndarray, *slots: np.ndarray, learning_rate: float, step: int) -> None:
        ops.rmsprop_update(w, g, **self.formula_arguments(slots), learning_rate=learning_rate)

    def formula_arguments(self, slots: Sequence[np.ndarray]) -> dict[str, Any]:
        v, *others = slots
        average = others.pop() if self.centered else None
        m = others.pop() if self.momentum > 0 else None
        options = {"rho": self.rho, "momentum": self.momentum, "epsilon": self.epsilon}
        return {"v": v, "m": m, "average": average, **options}


@saving.builtin("keras.optimizers")
class Ftrl(Optimizer):
    """Follow the regularized leader (McMahan et al., 2013), with p = -learning_rate_power.

        n' = n + g²
        z += g + 2 * shrinkage * w - (n'^p - n^p) / lr * w
        w = (clip(z, -l1, l1) - z) / (n'^p / lr + 2 * l2 + beta / lr)

    Args:
        learning_rate: A number, a schedule, or a function without arguments.
        learning_rate_power: At most 0.
        initial_accumulator_value: What `n` starts with.
        l1_regularization_strength: `l1`.
        l2_regularization_strength: `l2`.
        l2_shrinkage_regularization_strength: `shrinkage`.
        beta: As in the paper.
        **options: Those of `Optimizer`.

    Raises:
        TypeError, ValueError: If an option is not a number where one is due, or out of range.
    """

    slots = (("accumulator", "linear"),)

    def __init__(
        self,
        learning_rate: Any = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        **options: Unpack[OptimizerOptions],
    ):
        super().__init__(learning_rate, **options)
        self.learning_rate_power = not_positive("Ftrl", "learning_rate_power", learning_rate_power)
        self.initial_accumulator_value = not_negative("Ftrl", "initial_accumulator_value", initial_accumulator_value)
        self.l1_regularization_strength = not_negative("Ftrl", "l1_regularization_strength", l1_regularization_strength)
        self.l2_regularization_strength = not_negative("Ftrl", "l2_regularization_strength", l2_regularization_strength)
        self.l2_shrinkage_regularization_strength = not_negative(
            "Ftrl", "l2_shrinkage_regularization_strength", l2_shrinkage_regularization_strength
        )
        self.beta = not_negative("Ftrl", "beta", beta)

    def slot_start(self, name: str) -> float:
        return self.initial_accumulator_value if name == "accumulator" else 0.0

    def update(self, w: np.ndarray, g: np.ndarray, *slots: np.ndarray, learning_rate: float, step: int) -> None:
        if not learning_rate:
            hint = "it divides by it; a schedule that warms up begins above 0"
            raise ValueError(expected("Ftrl", "a learning rate other than 0", learning_rate, hint))
        n, z = slots
        l1 = self.l1_regularization_strength
        l2 = self.l2_regularization_strength + self.beta / (2 * learning_rate)
        before = self._power(n)
        n += g * g
        after = self._power(n)
        z += g + 2 * self.l2_shrinkage_regularization_strength * w - (after - before) / learning_rate * w
        w[...] = (np.clip(z, -l1, l1) - z) / (after / learning_rate + 2 * l2)

    def _power(self, n: np.ndarray) -> np.ndarray:
        return np.sqrt(n) if self.learning_rate_power == -0.5 else ops.power(n, -self.learning_rate_power)
