"""The callback, and one made of functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from recurra._arguments import KnowsArguments, unknown_arguments
from recurra._checks import expected


class Callback(KnowsArguments):
    """Base class: override the hooks that you need.

    `logs` is a dictionary of losses and metrics; what a hook adds to that of an epoch goes into the history.
    """

    _remembered: tuple[str, ...] = ()  # attributes that a backup of the training keeps
    _runs_last = False

    def __init__(self) -> None:
        self.params: dict[str, Any] | Any = None  # a dictionary from the start of training on
        self._model: Any = None

    @property
    def model(self) -> Any:
        """The model being trained; `model.stop_training = True` ends training after this batch or epoch.

        `stop_evaluating` and `stop_predicting` end `evaluate` and `predict` after this batch.
        """
        return self.__dict__.get("_model")

    def set_model(self, model: Any) -> None:
        """Called first, with the model."""
        self._model = model

    def set_params(self, params: dict[str, Any]) -> None:
        """Called first, with verbose, epochs and steps."""
        self.params = params

    def on_train_begin(self, logs: Any = None) -> None:
        """Called at the start of `fit`."""

    def on_train_end(self, logs: Any = None) -> None:
        """Called at the end of `fit`, with the logs of the last epoch."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Called at the start of an epoch; the first is 0."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Called at the end of an epoch, after validation, with its losses and metrics."""

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Called before a training step; the first of each epoch is 0."""
        self.on_batch_begin(batch, logs=logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Called after a training step, with losses and metrics of the epoch so far."""
        self.on_batch_end(batch, logs=logs)

    def on_batch_begin(self, batch: int, logs: Any = None) -> None:
        """The older name of `on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        """The older name of `on_train_batch_end`."""

    def on_test_begin(self, logs: Any = None) -> None:
        """Called at the start of `evaluate`, and of each validation."""

    def on_test_end(self, logs: Any = None) -> None:
        """Called at its end, with losses and metrics."""

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Called before a batch of `evaluate` or of a validation."""

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """Called after it, with losses and metrics so far."""

    def on_predict_begin(self, logs: Any = None) -> None:
        """Called at the start of `predict`."""

    def on_predict_end(self, logs: Any = None) -> None:
        """Called at the end of `predict`."""

    def on_predict_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Called before a batch of `predict`."""

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        """Called after a batch of `predict`, with its outputs."""


class LambdaCallback(Callback):
    """Calls the functions given for its hooks.

    Args:
        on_epoch_begin, on_epoch_end: Called with epoch and logs.
        on_train_begin, on_train_end: Called with logs.
        on_train_batch_begin, on_train_batch_end: Called with batch and the keyword logs.
        **kwargs: Functions for other hooks, and attributes of any other name, as in Keras.

    Raises:
        TypeError: If what is given for a hook is no function.
        ValueError: If a name begins with `on_` and there is no such hook: it would never be called.
    """

    def __init__(
        self,
        on_epoch_begin: Callable[[int, dict[str, Any]], Any] | None = None,
        on_epoch_end: Callable[[int, dict[str, Any]], Any] | None = None,
        on_train_begin: Callable[[dict[str, Any]], Any] | None = None,
        on_train_end: Callable[[dict[str, Any]], Any] | None = None,
        on_train_batch_begin: Callable[..., Any] | None = None,
        on_train_batch_end: Callable[..., Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__()
        hooks = [name for name in vars(Callback) if name.startswith("on_")]
        unknown = [name for name in kwargs if name.startswith("on_") and name not in hooks]
        if unknown:
            raise ValueError(unknown_arguments("LambdaCallback", unknown, hooks))
        functions = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
            **kwargs,
        }
        functions = {name: function for name, function in functions.items() if function is not None}
        for name, function in functions.items():
            if name in hooks and not callable(function):
                raise TypeError(expected("LambdaCallback", f"{name} to be a function", repr(function)))
        self.__dict__.update(functions)
