"""Adam and its kin: averages of the gradient and of its size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from recurra import ops, saving
from recurra._checks import expected, fraction, not_negative
from recurra.optimizers.arithmetic import cast, power, whole_power
from recurra.optimizers.base import Optimizer
from recurra.optimizers.options import OptimizerOptions, OptionsButDecay, Unpack


class _Moments(Optimizer):
    """What the optimizers of this file share: two decay rates, and epsilon against a division by zero."""

    slots = (("momentum", "velocity"),)
    squares_slot: tuple[str, str] | None = ("velocity", "beta_2")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **options: Unpack[OptimizerOptions],
    ):
        super().__init__(learning_rate, **options)
        self.beta_1 = fraction(type(self).__name__, "beta_1", beta_1)
        self.beta_2 = fraction(type(self).__name__, "beta_2", beta_2)
        self.epsilon = not_negative(type(self).__name__, "epsilon", epsilon)


@saving.builtin("keras.optimizers")
class Adam(_Moments):
    """Adam (Kingma and Ba, 2015).

        m += (g - m) * (1 - beta_1)
        v += (g² - v) * (1 - beta_2)
        w -= lr * sqrt(1 - beta_2^t) / (1 - beta_1^t) * m / (sqrt(v) + epsilon)

    Args:
        learning_rate: A number, a schedule, or a function without arguments.
        beta_1: Decay of the average gradient.
        beta_2: Decay of the average squared gradient.
        epsilon: Keeps the division safe.
        amsgrad: Divide by the largest v so far (Reddi, Kale and Kumar, 2018).
        **options: Those of `Optimizer`.

    Raises:
        TypeError, ValueError: If an option is not a number where one is due, or out of range.
    """

    native_formula = "adam"

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **options: Unpack[OptimizerOptions],
    ):
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **options)
        self.amsgrad = amsgrad

    def slot_groups(self) -> Iterable[tuple[str, ...]]:
        return [*self.slots, ("velocity_hat",)] if self.amsgrad else self.slots

    def update(self, w: np.ndarray, g: np.ndarray, *slots: np.ndarray, learning_rate: float, step: int) -> None:
        ops.adam_update(w, g, **self.formula_arguments(slots), learning_rate=learning_rate, step=step)

    def formula_arguments(self, slots: Sequence[np.ndarray]) -> dict[str, Any]:
        m, v, *others = slots
        vhat = others[0] if others else None
        return {"m": m, "v": v, "vhat": vhat, "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}


@saving.builtin("keras.optimizers")
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019).

    Args:
        learning_rate: A number, a schedule, or a function without arguments.
        weight_decay: `w -= w * weight_decay * lr` before each update.
        beta_1: Decay of the average gradient.
        beta_2: Decay of the average squared gradient.
        epsilon: Keeps the division safe.
        amsgrad: Divide by the largest v so far.
        **options: Those of `Optimizer`.

    Raises:
        TypeError, ValueError: If an option is not a number where one is due, or out of range, or without weight decay.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **options: Unpack[OptionsButDecay],
    ):
        if weight_decay is None:
            raise ValueError(expected("AdamW", "weight_decay to be a number", None, "use Adam to do without"))
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay=weight_decay, **options)


@saving.builtin("keras.optimizers")
class Adamax(_Moments):
    """Adam by the largest gradient (Kingma and Ba, 2015, section 7).

        m += (g - m) * (1 - beta_1)
        u = max(beta_2 * u, |g|)
        w -= lr * m / ((1 - beta_1^t) * (u + epsilon))

    Args:
        learning_rate: A number, a schedule, or a function without arguments.
        beta_1: Decay of the average gradient.
        beta_2: Decay of the largest gradient.
        epsilon: Keeps the division safe.
        **options: Those of `Optimizer`.

    Raises:
        TypeError, ValueError: If an option is not a number where one is due, or out of range.
    """

    slots = (("momentum", "norm"),)
    squares_slot = None

    def update(self, w: np.ndarray, g: np.ndarray, *slots: np.ndarray, learning_rate: float, step: int) -> None:
        m, u = slots
        m += (g - m) * (1 - self.beta_1)
        np.maximum(self.beta_2 * u, np.abs(g), out=u)
        w -= learning_rate * m / ((1 - power(self.beta_1, step, w.dtype)) * (u + self.epsilon))


@saving.builtin("keras.optimizers")
class Nadam(_Moments):
    """Adam with Nesterov momentum (Dozat, 2016).

        u_t = beta_1 * (1 - 0.96^t / 2);  P = u_1 * ... * u_t
        m, v as in Adam
        mh = u_(t+1) * m / (1 - P * u_(t+1)) + (1 - u_t) * g / (1 - P)
        w -= lr * mh / (sqrt(v / (1 - beta_2^t)) + epsilon)

    Args:
        learning_rate: A number, a schedule, or a function without arguments.
        beta_1: Decay of the average gradient.
        beta_2: Decay of the average squared gradient.
        epsilon: Keeps the division safe.
        **options: Those of `Optimizer`.

    Raises:
        TypeError, ValueError: If an option is not a number where one is due, or out of range.
    """

    def build(self, variables: Any) -> None:
        if not self.built:
            super().build(variables)
            dtype = variables[0].dtype if len(variables) else np.float32
            self._u_product = self._new_variable(np.ones((), dtype), "variable")
            self._slot_variables.append(self._u_product)

    def before_update(self, step: int) -> None:
        dtype = self._u_product.value.dtype
        self._u_product.value[...] *= self.beta_1
        self._u_product.value[...] *= 1 - dtype.type(whole_power(0.96, step)) * dtype.type(0.5)

    def update(self, w: np.ndarray, g: np.ndarray, *slots: np.ndarray, learning_rate: float, step: int) -> None:
        m, v = slots
        beta_1, beta_2 = cast(self.beta_1, w.dtype), cast(self.beta_2, w.dtype)
        m += (g - m) * (1 - beta_1)
        v += (g * g - v) * (1 - beta_2)
        u, u_next = (beta_1 * (1 - power(0.96, t, w.dtype) / 2) for t in (step, step + 1))
        product = w.dtype.type(self._u_product.value)
        m_hat = u_next * m / (1 - product * u_next) + (1 - u) * g / (1 - product)
        w -= m_hat * learning_rate / (np.sqrt(v / (1 - power(self.beta_2, step, w.dtype))) + self.epsilon)


@saving.builtin("keras.optimizers")
class Lamb(_Moments):
    """Adam with steps in proportion to each weight's norm (You et al., 2020).

        m, v as in Adam
        r = m / (1 - beta_1^t) / (sqrt(v / (1 - beta_2^t)) + epsilon)
        w -= lr * r * ||w|| / ||r||         ratio 1 if a norm is 0

    Args:
        learning_rate: A number, a schedule, or a function without arguments.
        beta_1: Decay of the average gradient.
        beta_2: Decay of the average squared gradient.
        epsilon: Keeps the division safe.
        **options: Those of `Optimizer`.

    Raises:
        TypeError, ValueError: If an option is not a number where one is due, or out of range.
    """

    elementwise = False

    def update(self, w: np.ndarray, g: np.ndarray, *slots: np.ndarray, learning_rate: float, step: int) -> None:
        m, v = slots
        m += (g - m) * (1 - self.beta_1)
        v += (g * g - v) * (1 - self.beta_2)
        m_hat = m / (1 - power(self.beta_1, step, w.dtype))
        r = m_hat / (np.sqrt(v / (1 - power(self.beta_2, step, w.dtype))) + self.epsilon)
        w_norm, r_norm = (np.sqrt(w.dtype.type(ops.sum_of_squares(x))) for x in (w, r))
        ratio = w_norm / r_norm if w_norm > 0 and r_norm > 0 else 1
        w -= ratio * learning_rate * r


@saving.builtin("keras.optimizers")
class Lion(Optimizer):
    """Steps of one size by the sign of an average (Chen et al., 2023).

        w -= lr * sign(beta_1 * m + (1 - beta_1) * g)
        m = beta_2 * m + (1 - beta_2) * g

    Args:
        learning_rate: A number, a schedule, or a function without arguments.
        beta_1: Share of the average in a step, above 0.
        beta_2: Decay of the average gradient.
        **options: Those of `Optimizer`.

    Raises:
        TypeError, ValueError: If an option is not a number where one is due, or out of range.
    """

    slots = (("momentum",),)

    def __init__(
        self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.99, **options: Unpack[OptimizerOptions]
    ):
        super().__init__(learning_rate, **options)
        self.beta_1 = fraction("Lion", "beta_1", beta_1)
        self.beta_2 = fraction("Lion", "beta_2", beta_2)
        if not self.beta_1:
            raise ValueError(expected("Lion", "beta_1 above 0", beta_1, "at 0 only the gradient's sign is left"))

    def update(self, w: np.ndarray, g: np.ndarray, *slots: np.ndarray, learning_rate: float, step: int) -> None:
        (m,) = slots
        beta_1, beta_2 = cast(self.beta_1, w.dtype), cast(self.beta_2, w.dtype)
        w -= learning_rate * np.sign(m * beta_1 + g * (1 - beta_1))
        m *= beta_2
        m += g * (1 - beta_2)
