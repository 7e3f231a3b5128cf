"""The callback, and the list through which training calls all of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from recurra import _tree
from recurra._checks import expected
from recurra._missing import unknown_arguments

# Hooks that run at every batch, each with its older name if it has one.
BATCH_HOOKS = {
    "on_train_batch_begin": "on_batch_begin",
    "on_train_batch_end": "on_batch_end",
    "on_test_batch_begin": None,
    "on_test_batch_end": None,
    "on_predict_batch_begin": None,
    "on_predict_batch_end": None,
}


class Callback:
    """Base class: override the hooks that you need.

    `logs` is a dictionary of losses and metrics; what a hook adds to that of an epoch goes into the history.
    """

    _remembered: tuple[str, ...] = ()  # attributes that a backup of the training keeps
    _runs_last = False
    _others: list[Callback]  # of one that runs last: those that remember something

    def __init__(self) -> None:
        self.params: dict[str, Any] | Any = None  # a dictionary from the start of training on
        self._model: Any = None

    @property
    def model(self) -> Any:
        """The model being trained; `model.stop_training = True` ends training after this batch or epoch."""
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


class CallbackList(Callback):
    """Calls all of its callbacks, in order. Hooks that none of them overrides cost nothing at a batch.

    Args:
        callbacks: Callbacks, or nested lists of them.
        add_history: Add a `History` unless there is one.
        add_progbar: Add a `ProgbarLogger` unless there is one.
        model: Passed to `set_model` of each.
        **params: Passed to `set_params` of each.

    Raises:
        TypeError: If one is not a callback.
    """

    def __init__(
        self,
        callbacks: Any = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        **params: Any,
    ):
        super().__init__()
        self.callbacks: list[Callback] = [c for c in _tree.flatten(callbacks) if c is not None]
        for callback in self.callbacks:
            if inspect.isclass(callback) or not hasattr(callback, "set_model"):
                hint = "pass an object, such as EarlyStopping()"
                raise TypeError(expected("CallbackList", "callbacks", repr(callback), hint))
        self._add_defaults(add_history, add_progbar)
        self._arrange()
        self.set_model(model)
        self.set_params(params)

    def _add_defaults(self, add_history: bool, add_progbar: bool) -> None:
        from recurra.training.history import History

        self._history = next((c for c in self.callbacks if isinstance(c, History)), None)
        if add_history and self._history is None:
            self._history = History()
            self.callbacks.append(self._history)
        if add_progbar:
            from recurra.training.progress import ProgbarLogger

            if not any(isinstance(c, ProgbarLogger) for c in self.callbacks):
                self.callbacks.append(ProgbarLogger())

    def append(self, callback: Callback) -> None:
        """Adds a callback at the end."""
        self.callbacks.append(callback)
        self._arrange()

    def _arrange(self) -> None:
        # A backup has to hold what the others have changed and remember, wherever it stands in the caller's list.
        last = [callback for callback in self.callbacks if getattr(callback, "_runs_last", False)]
        self.callbacks = [callback for callback in self.callbacks if callback not in last] + last
        for callback in last:
            callback._others = [other for other in self.callbacks if getattr(other, "_remembered", ())]
        self._hooks: dict[str, list[Callable[..., None]]] = {
            name: [getattr(c, name) for c in self.callbacks if _overrides(c, name) or _overrides(c, older)]
            for name, older in BATCH_HOOKS.items()
        }

    def wants(self, hook: str) -> bool:
        """Returns whether any callback overrides that hook of a batch, such as "on_train_batch_end"."""
        return bool(self._hooks[hook])

    def set_model(self, model: Any) -> None:
        if model is None:
            return
        super().set_model(model)
        if self._history is not None:
            model.history = self._history
        for callback in self.callbacks:
            callback.set_model(model)

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params
        if params:
            for callback in self.callbacks:
                callback.set_params(params)

    def on_train_begin(self, logs: Any = None) -> None:
        self._call("on_train_begin", logs)

    def on_train_end(self, logs: Any = None) -> None:
        self._call("on_train_end", logs)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._call("on_epoch_begin", epoch, logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._call("on_epoch_end", epoch, logs)

    def on_test_begin(self, logs: Any = None) -> None:
        self._call("on_test_begin", logs)

    def on_test_end(self, logs: Any = None) -> None:
        self._call("on_test_end", logs)

    def on_predict_begin(self, logs: Any = None) -> None:
        self._call("on_predict_begin", logs)

    def on_predict_end(self, logs: Any = None) -> None:
        self._call("on_predict_end", logs)

    def _call(self, hook: str, *arguments: Any) -> None:
        *others, logs = arguments
        logs = {} if logs is None else logs  # one for all: what one adds the next ones see
        for callback in self.callbacks:
            getattr(callback, hook)(*others, logs)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._call_batch("on_train_batch_begin", batch, logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._call_batch("on_train_batch_end", batch, logs)

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._call_batch("on_test_batch_begin", batch, logs)

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        self._call_batch("on_test_batch_end", batch, logs)

    def on_predict_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._call_batch("on_predict_batch_begin", batch, logs)

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        self._call_batch("on_predict_batch_end", batch, logs)

    def _call_batch(self, hook: str, batch: int, logs: Any) -> None:
        hooks = self._hooks[hook]
        if hooks:
            logs = {name: _plain(value) for name, value in (logs or {}).items()}
            for function in hooks:
                function(batch, logs=logs)

    def on_batch_begin(self, batch: int, logs: Any = None) -> None:
        for callback in self.callbacks:
            callback.on_batch_begin(batch, logs=logs or {})

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        for callback in self.callbacks:
            callback.on_batch_end(batch, logs=logs or {})


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


def _overrides(callback: Any, hook: str | None) -> bool:
    """Returns whether a subclass or an attribute of the object itself takes the place of the base class's hook."""
    if hook is None:
        return False
    method = getattr(callback, hook)
    return getattr(method, "__func__", method) is not getattr(Callback, hook)


def _plain(value: Any) -> Any:
    return (
        float(value) if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0) else value
    )
