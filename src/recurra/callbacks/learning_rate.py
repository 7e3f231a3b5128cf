"""Callbacks that change the learning rate from epoch to epoch."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from recurra import saving
from recurra._arguments import unknown_arguments
from recurra._checks import expected, not_negative
from recurra.callbacks.base import Callback
from recurra.callbacks.monitor import MonitorCallback


class LearningRateScheduler(Callback):
    """Asks a function for the learning rate at the start of each epoch.

    Args:
        schedule: Called with the epoch, from 0, and the learning rate so far (or the epoch alone); returns the new one.
        verbose: 1 prints it.

    Raises:
        TypeError: If `schedule` is not a function.
    """

    def __init__(self, schedule: Callable[[int, float], float] | Callable[[int], float], verbose: int = 0):
        super().__init__()
        if not callable(schedule):
            raise TypeError(expected("LearningRateScheduler", "a function of the epoch", repr(schedule)))
        self.schedule: Callable[..., float] = schedule
        self.verbose = verbose

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        optimizer = self.model.optimizer
        takes_rate = _takes_two(self.schedule)
        rate = self.schedule(epoch, float(optimizer.learning_rate)) if takes_rate else self.schedule(epoch)
        if np.ndim(rate) or np.asarray(rate).dtype.kind not in "fiu":
            raise ValueError(expected("LearningRateScheduler", "the schedule to return a number", repr(rate)))
        optimizer.learning_rate = float(rate)
        if self.verbose:
            print(f"\nEpoch {epoch + 1}: LearningRateScheduler setting learning rate to {rate}.")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)


class ReduceLROnPlateau(MonitorCallback):
    """Multiplies the learning rate by a factor when a value has not become better for some epochs.

    Args:
        monitor: Its name in the logs.
        factor: Below 1.
        patience: Epochs without a better value.
        verbose: 1 prints what it does.
        mode: "min", "max", or "auto": by the metric's name.
        min_delta: Smallest change that counts.
        cooldown: Epochs after a change that do not count.
        min_lr: Smallest learning rate.

    Raises:
        TypeError: If `monitor` is not a name, or another option not a number.
        ValueError: If `factor` is 1 or more, or it, `patience`, `cooldown` or `min_lr` is negative.
    """

    _remembered = ("best", "wait", "cooldown_counter")

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(monitor, mode, min_delta=min_delta)
        who = type(self).__name__
        self.factor: float = not_negative(who, "factor", factor)
        if self.factor >= 1.0:
            hint = "ReduceLROnPlateau does not support a factor >= 1.0"
            raise ValueError(expected(who, "factor below 1", repr(factor), hint))
        if kwargs:
            raise ValueError(unknown_arguments("ReduceLROnPlateau", kwargs, saving.parameters(ReduceLROnPlateau)))
        self.patience: int = not_negative(who, "patience", patience)
        self.verbose = verbose
        self.cooldown: int = not_negative(who, "cooldown", cooldown)
        self.min_lr: float = not_negative(who, "min_lr", min_lr)
        self._reset()

    def _reset(self) -> None:
        self.best = None
        self.wait: int = 0
        self.cooldown_counter: int = 0

    def on_train_begin(self, logs: Any = None) -> None:
        self._reset()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs = {} if logs is None else logs
        logs["learning_rate"] = float(self.model.optimizer.learning_rate)
        value = self.get_monitor_value(logs)
        if value is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
        if self._is_improvement(value, self.best):
            self.best = value
            self.wait = 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience:
                self._reduce(epoch)

    def _reduce(self, epoch: int) -> None:
        old = float(self.model.optimizer.learning_rate)
        if old <= np.float32(self.min_lr):
            return
        new = max(old * self.factor, self.min_lr)
        self.model.optimizer.learning_rate = new
        if self.verbose:
            print(f"\nEpoch {epoch + 1}: ReduceLROnPlateau reducing learning rate to {new}.")
        self.cooldown_counter = self.cooldown
        self.wait = 0

    def in_cooldown(self) -> bool:
        """Returns whether the last change is too fresh to judge."""
        return self.cooldown_counter > 0


def _takes_two(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind(0, 0.0)
    except TypeError:
        return False
    except ValueError:  # a function that tells nothing about its arguments
        return True
    return True
