"""Callbacks that watch a loss or a metric: stop early, or stop at once when the loss is not a number."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from recurra._checks import expected, not_negative, number
from recurra._names import snake_case
from recurra.callbacks.base import Callback

# What a metric's name tells about which way is better; "error" and the like first: "auc_error" is an error.
_DOWN = ("loss", "error", "mse", "mae", "mape", "msle", "entropy", "hinge", "divergence", "kld", "poisson", "false_")
_UP = (
    "acc",
    "auc",
    "precision",
    "recall",
    "f1",
    "fbeta",
    "r2",
    "similarity",
    "iou",
    "true_",
    "sensitivity",
    "specificity",
)


class MonitorCallback(Callback):
    """Base class of callbacks that ask whether a value has become better.

    Args:
        monitor: Its name in the logs, such as "val_loss".
        mode: "min", "max", or "auto": by the metric's name.
        baseline: The value to beat at first; None: any is better.
        min_delta: Smallest change that counts.

    Raises:
        TypeError: If `monitor` is not a name, or another option not a number.
    """

    _remembered: tuple[str, ...] = ("best",)

    def __init__(
        self, monitor: str = "val_loss", mode: str = "auto", baseline: float | None = None, min_delta: float = 0
    ):
        super().__init__()
        who = type(self).__name__
        if not isinstance(monitor, str):
            raise TypeError(expected(who, "monitor to be the name of a loss or a metric", repr(monitor)))
        if mode not in ("auto", "min", "max"):
            warnings.warn(f"{who} mode '{mode}' is unknown, fallback to auto mode.", stacklevel=3)
            mode = "auto"
        self.monitor = monitor
        self.mode = mode
        self.best: Any = None if baseline is None else float(number(who, "baseline", baseline))
        self.min_delta = abs(number(who, "min_delta", min_delta))
        self.monitor_op: Callable[..., Any] | None = None

    def _set_monitor_op(self) -> None:
        upwards = self.mode == "max" or (self.mode == "auto" and self._metric_grows())
        self.monitor_op = np.greater if upwards else np.less

    def _metric_grows(self) -> bool:
        """Returns whether the monitored metric is better when greater, by its name or else its class's.

        Raises:
            ValueError: If neither tells.
        """
        name = self.monitor.removeprefix("val_")
        classes = [type(m).__name__ for m in getattr(self.model, "metrics", ()) if name.endswith(m.name)]
        for text in (name.lower(), *map(snake_case, classes)):
            if any(part in text for part in _DOWN):
                return False
            if any(part in text for part in _UP):
                return True
        what = "a metric known to grow or to fall"
        raise ValueError(expected(type(self).__name__, what, repr(self.monitor), "pass mode='max' or mode='min'"))

    def _is_improvement(self, value: Any, reference: float | None) -> bool:
        if self.monitor_op is None:
            self._set_monitor_op()
        if reference is None:
            return not np.isnan(value)
        change = -self.min_delta if self.monitor_op is np.greater else self.min_delta
        return bool(self.monitor_op(value + change, reference))  # type: ignore[misc]

    def get_monitor_value(self, logs: dict[str, Any] | None) -> Any:
        """Returns the monitored value; None, with a warning, if the logs lack it.

        Raises:
            ValueError: If it is more than one number.
        """
        logs = logs or {}
        value = logs.get(self.monitor)
        if value is None:
            warnings.warn(
                f"{type(self).__name__} conditioned on metric `{self.monitor}` which is not available. "
                f"Available metrics are: {','.join(logs)}",
                stacklevel=3,
            )
        elif np.size(value) != 1:
            who, hint = type(self).__name__, "a metric has one for all classes, such as F1Score(average='macro')"
            raise ValueError(expected(who, f"one number for {self.monitor}", f"{np.size(value)}", hint))
        return value


class EarlyStopping(MonitorCallback):
    """Stops training when a value has not become better for some epochs.

    Args:
        monitor: Its name in the logs.
        min_delta: Smallest change that counts.
        patience: Epochs without a better value.
        verbose: 1 prints what it does.
        mode: "min", "max", or "auto": by the metric's name.
        baseline: Value that must be beaten for the patience to begin anew.
        restore_best_weights: End with the weights of the best epoch.
        start_from_epoch: Epochs that do not count.

    Raises:
        TypeError: If `monitor` is not a name, or another option not a number.
        ValueError: If `patience` is negative.
    """

    _remembered = ("best", "best_epoch", "best_weights", "wait", "stopped_epoch")

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ):
        super().__init__(monitor, mode, min_delta=min_delta)
        who = type(self).__name__
        self.patience: int = not_negative(who, "patience", patience)
        self.verbose = verbose
        self.baseline = None if baseline is None else number(who, "baseline", baseline)
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch: int = number(who, "start_from_epoch", start_from_epoch)
        self._reset()

    def _reset(self) -> None:
        self.best = None
        self.best_epoch: int = 0
        self.best_weights: Any = None
        self.wait: int = 0
        self.stopped_epoch: int = 0

    def on_train_begin(self, logs: Any = None) -> None:
        self._reset()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.monitor_op is None:
            self._set_monitor_op()
        value = self.get_monitor_value(logs)
        if value is None or epoch < self.start_from_epoch:
            return
        self.wait += 1
        improved = self._is_improvement(value, self.best)
        if improved:
            self.best, self.best_epoch = value, epoch
            if self.baseline is None or self._is_improvement(value, self.baseline):
                self.wait = 0
        if self.restore_best_weights and (improved or self.best_weights is None):
            self.best_weights, self.best_epoch = self.model.get_weights(), epoch
        if not improved and self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Any = None) -> None:
        if self.stopped_epoch > 0 and self.verbose:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.best_weights is not None:
            if self.verbose:
                print(f"Restoring model weights from the end of the best epoch: {self.best_epoch + 1}.")
            self.model.set_weights(self.best_weights)


class TerminateOnNaN(Callback):
    """Stops training when the loss is NaN or infinite.

    Args:
        raise_error: Raise RuntimeError instead of ending `fit` in order.
    """

    def __init__(self, raise_error: bool = False):
        super().__init__()
        self.raise_error = raise_error

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is None or math.isfinite(loss):
            return
        if self.raise_error:
            raise RuntimeError(
                f"NaN or Inf loss encountered at batch {batch}. Loss value: {loss}. Terminating training immediately."
            )
        print(f"Batch {batch}: Invalid loss, terminating training")
        self.model.stop_training = True
