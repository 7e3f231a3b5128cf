"""Learning rates that change with the number of steps done."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra import config, saving
from recurra._arrays import as_array
from recurra._checks import expected, not_negative, number, positive
from recurra._missing import says_what_to_do

__all__ = [
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LearningRateSchedule",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "deserialize",
    "serialize",
]


class LearningRateSchedule(saving.Configurable):
    """Base class: `__call__(step)` returns the learning rate after `step` steps."""

    def __call__(self, step: Any) -> Any:
        raise NotImplementedError(expected(type(self).__name__, "a method __call__(step)", "none"))


class _OfFormula(LearningRateSchedule):
    """Base of recurra's own: a formula of one step, which a call with an array of steps maps over them."""

    def __call__(self, step: Any) -> Any:
        if not np.ndim(step):
            return as_array(np.asarray(self._rate(float(step)), config.floatx()))
        steps = np.asarray(step)
        rates = [self._rate(float(one)) for one in steps.flat]
        return as_array(np.array(rates, config.floatx()).reshape(steps.shape))

    def _rate(self, step: float) -> float:
        """Returns the learning rate after `step` steps."""
        raise NotImplementedError


@saving.builtin("keras.optimizers.schedules")
class ExponentialDecay(_OfFormula):
    """`initial_learning_rate * decay_rate ** (step / decay_steps)`.

    Args:
        initial_learning_rate: The rate at step 0.
        decay_steps: Steps per factor `decay_rate`.
        decay_rate: The factor.
        staircase: Decay once every `decay_steps` steps instead of at each.
        name: Name of the schedule.

    Raises:
        TypeError, ValueError: If an option is not a number where one is due, or out of range.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ):
        who = type(self).__name__
        self.initial_learning_rate: float = number(who, "initial_learning_rate", initial_learning_rate)
        self.decay_steps: int = positive(who, "decay_steps", decay_steps)
        self.decay_rate: float = not_negative(who, "decay_rate", decay_rate)
        self.staircase = staircase
        self.name = name

    def _rate(self, step: float) -> float:
        exponent = step / self.decay_steps
        return float(self.initial_learning_rate * self.decay_rate ** _stair(exponent, self.staircase))


@saving.builtin("keras.optimizers.schedules")
class PiecewiseConstantDecay(_OfFormula):
    """`values[i]` while `step <= boundaries[i]`, then the last value.

    Args:
        boundaries: Steps, ascending.
        values: Learning rates, one more than boundaries.
        name: Name of the schedule.

    Raises:
        TypeError: If one of them is not a number.
        ValueError: If the boundaries do not ascend, or there is not one value more than boundaries.
    """

    def __init__(self, boundaries: Sequence[float], values: Sequence[float], name: str = "PiecewiseConstant"):
        who = "PiecewiseConstantDecay"
        if np.ndim(boundaries) != 1 or np.ndim(values) != 1:
            got = f"{boundaries!r} and {values!r}"
            raise TypeError(expected(who, "lists of boundaries and of values, one more of these", got))
        if len(boundaries) != len(values) - 1:
            got = f"{len(boundaries)} boundaries and {len(values)} values"
            raise ValueError(expected(who, "one boundary less than values", got))
        self.boundaries = [number(who, "each of the boundaries", boundary) for boundary in boundaries]
        self.values = [number(who, "each of the values", value) for value in values]
        if self.boundaries != sorted(self.boundaries):
            raise ValueError(expected(who, "ascending boundaries", self.boundaries))
        self.name = name

    def _rate(self, step: float) -> float:
        passed = sum(step > boundary for boundary in self.boundaries)
        return float(self.values[passed])


@saving.builtin("keras.optimizers.schedules")
class PolynomialDecay(_OfFormula):
    """From the initial to the end rate along `(1 - step / decay_steps) ** power`, then the end rate.

    Args:
        initial_learning_rate: The rate at step 0.
        decay_steps: Steps of the decay.
        end_learning_rate: The rate at its end.
        power: 1 is a straight line.
        cycle: After its end, begin a decay over the next multiple of `decay_steps`.
        name: Name of the schedule.

    Raises:
        TypeError, ValueError: If an option is not a number where one is due, or out of range.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ):
        who = type(self).__name__
        self.initial_learning_rate: float = number(who, "initial_learning_rate", initial_learning_rate)
        self.decay_steps: int = positive(who, "decay_steps", decay_steps)
        self.end_learning_rate: float = number(who, "end_learning_rate", end_learning_rate)
        self.power: float = not_negative(who, "power", power)
        self.cycle = cycle
        self.name = name

    def _rate(self, step: float) -> float:
        done = step / self.decay_steps
        if self.cycle:
            done /= max(math.ceil(done), 1)
        span = self.initial_learning_rate - self.end_learning_rate
        return float(span * (1 - min(done, 1.0)) ** self.power + self.end_learning_rate)


@saving.builtin("keras.optimizers.schedules")
class InverseTimeDecay(_OfFormula):
    """`initial_learning_rate / (1 + decay_rate * step / decay_steps)`.

    Args:
        initial_learning_rate: The rate at step 0.
        decay_steps: Steps that count as one.
        decay_rate: How fast it falls.
        staircase: Decay once every `decay_steps` steps instead of at each.
        name: Name of the schedule.

    Raises:
        TypeError, ValueError: If an option is not a number where one is due, or out of range.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ):
        who = type(self).__name__
        self.initial_learning_rate: float = number(who, "initial_learning_rate", initial_learning_rate)
        self.decay_steps: int = positive(who, "decay_steps", decay_steps)
        self.decay_rate: float = number(who, "decay_rate", decay_rate)
        self.staircase = staircase
        self.name = name

    def _rate(self, step: float) -> float:
        time = _stair(step / self.decay_steps, self.staircase)
        return float(self.initial_learning_rate / (1 + self.decay_rate * time))


@saving.builtin("keras.optimizers.schedules")
class CosineDecay(_OfFormula):
    """Half a cosine wave down to `alpha` of the start, after a warm-up if one is given (Loshchilov and Hutter, 2016).

    Args:
        initial_learning_rate: The rate at step 0.
        decay_steps: Steps of the decay.
        alpha: The end rate, as a fraction of the rate that the decay starts from.
        name: Name of the schedule.
        warmup_target: Rate that a straight line first leads to; the decay starts from it.
        warmup_steps: Steps of that line.

    Raises:
        TypeError, ValueError: If an option is not a number where one is due, or out of range.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: int = 0,
    ):
        who = type(self).__name__
        self.initial_learning_rate: float = number(who, "initial_learning_rate", initial_learning_rate)
        self.decay_steps: int = positive(who, "decay_steps", decay_steps)
        self.alpha: float = number(who, "alpha", alpha)
        self.name = name
        self.warmup_target = None if warmup_target is None else number(who, "warmup_target", warmup_target)
        self.warmup_steps: float = not_negative(who, "warmup_steps", warmup_steps)

    def _rate(self, step: float) -> float:
        start = self.initial_learning_rate
        if self.warmup_target is not None:
            if step < self.warmup_steps:
                return float(start + (self.warmup_target - start) * step / self.warmup_steps)
            step, start = step - self.warmup_steps, self.warmup_target
        wave = (1 + math.cos(math.pi * min(step / self.decay_steps, 1.0))) / 2
        return float(start * ((1 - self.alpha) * wave + self.alpha))


@saving.builtin("keras.optimizers.schedules")
class CosineDecayRestarts(_OfFormula):
    """Cosine decays one after the other, each `t_mul` times as long as the last (Loshchilov and Hutter, 2016).

    Args:
        initial_learning_rate: The rate at step 0.
        first_decay_steps: Steps of the first decay.
        t_mul: Factor from one decay's length to the next, at least 1.
        m_mul: Factor from one decay's first rate to the next.
        alpha: The lowest rate, as a fraction of the first.
        name: Name of the schedule.

    Raises:
        TypeError, ValueError: If an option is not a number where one is due, or out of range.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: int,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ):
        who = type(self).__name__
        self.t_mul: float = number(who, "t_mul", t_mul)
        if self.t_mul < 1:
            raise ValueError(expected(who, "t_mul to be at least 1", repr(t_mul)))
        self.initial_learning_rate: float = number(who, "initial_learning_rate", initial_learning_rate)
        self.first_decay_steps: float = positive(who, "first_decay_steps", first_decay_steps)
        self.m_mul: float = number(who, "m_mul", m_mul)
        self.alpha: float = number(who, "alpha", alpha)
        self.name = name

    def _rate(self, step: float) -> float:
        restarts, rest = self._place(step)
        wave = self.m_mul**restarts * (1 + math.cos(math.pi * rest)) / 2
        return float(self.initial_learning_rate * ((1 - self.alpha) * wave + self.alpha))

    def _place(self, step: float) -> tuple[int, float]:
        """Returns how many decays are done, and how much of the current one, from 0 to 1."""
        length = float(self.first_decay_steps)
        if self.t_mul == 1:
            restarts, rest = divmod(step, length)
            return int(restarts), rest / length
        restarts = 0
        while step >= length:
            step, length, restarts = step - length, length * self.t_mul, restarts + 1
        return restarts, step / length


def serialize(learning_rate_schedule: LearningRateSchedule) -> dict[str, Any]:
    """Returns the schedule's class and configuration, ready for JSON."""
    return saving.serialize_keras_object(learning_rate_schedule)


def deserialize(config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> LearningRateSchedule:
    """Builds the schedule that `serialize` described."""
    return saving.deserialize_keras_object(config, custom_objects)


def _stair(time: float, staircase: bool) -> float:
    return math.floor(time) if staircase else time


if not TYPE_CHECKING:  # type checkers would take every name for one that is there
    __getattr__ = says_what_to_do(__name__)
