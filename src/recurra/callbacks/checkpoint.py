"""Saving the model while it trains."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np

from recurra._checks import check_frequency, expected, number
from recurra._files import is_legacy, path_option, with_ending
from recurra.callbacks.monitor import MonitorCallback


class ModelCheckpoint(MonitorCallback):
    """Saves the model, or its weights, at the end of each epoch or every so many batches.

    Args:
        filepath: Ends in ".keras", ".h5" or ".hdf5" (".weights.h5" with `save_weights_only`); may hold `{epoch:02d}`,
            `{batch}`, `{val_loss:.2f}` and so on.
        monitor: Name of the value that `save_best_only` looks at.
        verbose: 1 prints what it does.
        save_best_only: Save only when that value has become better.
        save_weights_only: Save by `model.save_weights` instead of `model.save`.
        mode: "min", "max", or "auto": by the metric's name.
        save_freq: "epoch", or a number of batches.
        initial_value_threshold: The value to beat at first.

    Raises:
        TypeError: If `filepath` is not a path, `monitor` not a name, or `initial_value_threshold` not a number.
        ValueError: If `filepath` has another ending, or `save_freq` is neither "epoch" nor a number of batches.
    """

    _remembered = ("best", "_batches")

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ):
        if initial_value_threshold is not None:
            initial_value_threshold = number("ModelCheckpoint", "initial_value_threshold", initial_value_threshold)
        super().__init__(monitor, mode, baseline=initial_value_threshold)
        self.filepath = path_option("ModelCheckpoint", "filepath", filepath)
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.save_freq = save_freq
        self._epoch = 0
        self._batches = 0
        check_frequency("ModelCheckpoint", "save_freq", save_freq, "Unrecognized save_freq")
        ending = ".weights.h5" if save_weights_only else ".keras"
        if not (self.filepath.endswith(ending) or (is_legacy(self.filepath) and not save_weights_only)):
            what, hint = f"filepath to end in {ending}", with_ending(self.filepath, ending)
            if self.filepath.endswith(".weights.h5"):
                hint = f"save_weights_only=True saves weights; or {hint}"
            raise ValueError(expected("ModelCheckpoint", what, repr(self.filepath), hint))
        self._try_filepath()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.save_freq != "epoch":
            self._batches += 1
            if self._batches >= int(self.save_freq):
                self._batches = 0
                self._save(self._epoch, {"batch": batch + 1, **(logs or {})})

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.save_freq == "epoch":
            self._save(epoch, logs or {})

    def _save(self, epoch: int, logs: dict[str, Any]) -> None:
        filepath = self._filled_filepath(epoch, logs)
        if self.save_best_only:
            if not self._is_best(epoch, logs, filepath):
                return
        elif self.verbose:
            print(f"\nEpoch {epoch + 1}: saving model to {filepath}")
        os.makedirs(os.path.dirname(filepath) or ".", exist_ok=True)
        if self.save_weights_only:
            self.model.save_weights(filepath, overwrite=True)
        else:
            self.model.save(filepath, overwrite=True)
        if self.verbose:
            print(f"\nEpoch {epoch + 1}: finished saving model to {filepath}")

    def _try_filepath(self) -> None:
        """Raises ValueError if no epoch and no logs could fill the filepath."""
        try:
            self.filepath.format_map(_AnyLogs(epoch=1))
        except (ValueError, TypeError, AttributeError) as error:
            what = "filepath to hold names, such as {epoch:02d} or {val_loss:.2f}"
            hint = f"{error}; braces of the name itself are written {{{{ and }}}}"
            raise ValueError(expected("ModelCheckpoint", what, repr(self.filepath), hint)) from error

    def _filled_filepath(self, epoch: int, logs: dict[str, Any]) -> str:
        try:
            return self.filepath.format(**{"epoch": epoch + 1, **logs})
        except KeyError as error:
            names = ", ".join(["epoch", *logs])
            raise KeyError(
                expected("ModelCheckpoint", f"filepath to hold names among {names}", repr(self.filepath))
            ) from error

    def _is_best(self, epoch: int, logs: dict[str, Any], filepath: str) -> bool:
        value = logs.get(self.monitor)
        if value is None or np.ndim(value):
            what = f"a scalar {self.monitor}" if value is not None else self.monitor
            warnings.warn(f"Can save best model only with {what} available.", stacklevel=2)
            return True  # as in Keras: rather one file too many than none
        better = self._is_improvement(value, self.best)
        best = "None" if self.best is None else f"{self.best:.5f}"
        if self.verbose and better:
            print(
                f"\nEpoch {epoch + 1}: {self.monitor} improved from {best} to {value:.5f}, saving model to {filepath}"
            )
        elif self.verbose:
            print(f"\nEpoch {epoch + 1}: {self.monitor} did not improve from {best}")
        if better:
            self.best = value
        return better


class _AnyLogs(dict[str, Any]):
    """Logs of which nothing is known but what is given: any other name has a value, of any form."""

    def __missing__(self, name: str) -> Any:
        return _AnyLog()


class _AnyLog:
    def __format__(self, form: str) -> str:
        return ""

    def __getitem__(self, key: Any) -> Any:
        return self

    def __getattr__(self, name: str) -> Any:
        return self
