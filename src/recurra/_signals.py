"""Signals that wait while something is done that has to be whole."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import signal
import threading
from typing import Any

# `_signal` is what `signal` wraps: the wrappers' search for enum members took a quarter of a small training step.

# What programs stop and time work with: Ctrl-C, a scheduler's notice, a timer.
_WAITING = [int(getattr(signal, name)) for name in ("SIGINT", "SIGTERM", "SIGALRM") if hasattr(signal, name)]


class HeldSignals:
    """From its making to the end of its `with` block, Python's handlers of signals wait; then they are called.

    So Ctrl-C comes before or after what the block does; a second one comes at once, should the block hang. Handlers run
    in the main thread alone: in other threads there is nothing to hold. For short work only.
    """

    def __init__(self) -> None:
        self._handlers: list[tuple[int, Any]] = []
        self._pending: list[tuple[int, Any]] = []
        if threading.get_ident() != threading.main_thread().ident:
            return
        try:
            for number in _WAITING:
                handler = _signal.getsignal(number)
                if callable(handler):
                    self._handlers.append((number, handler))
                    _signal.signal(number, self._wait)
        except BaseException:  # of a handler that was not held yet
            self._restore()
            raise

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        handlers = dict(self._handlers)
        try:
            self._restore()
        finally:
            self._call(handlers)

    def _wait(self, number: int, frame: Any) -> None:
        if any(number == before for before, _ in self._pending):
            dict(self._handlers)[number](number, frame)
        self._pending.append((number, frame))

    def _call(self, handlers: dict[int, Any]) -> None:
        """Calls the handlers of the signals that came, in their order, whether or not one raises."""
        try:
            while self._pending:
                number, frame = self._pending.pop(0)
                handlers[number](number, frame)
        finally:
            if self._pending:  # a handler has raised
                self._call(handlers)

    def _restore(self) -> None:
        try:
            while self._handlers:
                _signal.signal(*self._handlers[-1])
                self._handlers.pop()
        finally:
            if self._handlers:  # a handler that is there again has raised
                self._restore()
