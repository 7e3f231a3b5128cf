"""The list through which training calls all callbacks."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from recurra import _tree
from recurra._checks import expected
from recurra.callbacks.base import Callback
from recurra.callbacks.history import History
from recurra.callbacks.progress import ProgbarLogger

# Hooks that run at every batch, each with its older name if it has one.
BATCH_HOOKS = {
    "on_train_batch_begin": "on_batch_begin",
    "on_train_batch_end": "on_batch_end",
    "on_test_batch_begin": None,
    "on_test_batch_end": None,
    "on_predict_batch_begin": None,
    "on_predict_batch_end": None,
}


class CallbackList(Callback):
    """Calls all of its callbacks, in order. Hooks that none of them overrides cost nothing at a batch.

    Args:
        callbacks: Callbacks, or nested lists of them.
        add_history: Add a `History` unless there is one.
        add_progbar: Add the progress bar that `verbose` of `fit` asks for, unless there is one.
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
        self._history = next((c for c in self.callbacks if isinstance(c, History)), None)
        if add_history and self._history is None:
            self._history = History()
            self.callbacks.append(self._history)
        if add_progbar and not any(isinstance(c, ProgbarLogger) for c in self.callbacks):
            self.callbacks.append(ProgbarLogger())

    def append(self, callback: Callback) -> None:
        """Adds a callback at the end."""
        self.callbacks.append(callback)
        self._arrange()

    def _arrange(self) -> None:
        # A backup has to hold what the others have changed and remember, wherever it stands in the caller's list.
        last: list[Any] = [callback for callback in self.callbacks if getattr(callback, "_runs_last", False)]
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
