"""Progress lines in Keras's form: a live bar on a terminal or in a notebook, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import Any

from recurra._checks import expected
from recurra.callbacks.base import Callback


class ProgbarLogger(Callback):
    """Prints the progress of `fit`, `evaluate` and `predict`; `params["verbose"]` is 1 (bar) or 2 (a line an epoch)."""

    bar_width = 20
    interval_s = 0.05  # between two drawings of the bar
    unit = "step"

    def __init__(self) -> None:
        super().__init__()
        self._in_fit = False
        self._started_s = self._drawn_s = 0.0
        self._seen = 0
        self._width = 0
        self._is_live = False

    def on_train_begin(self, logs: Any = None) -> None:
        self._in_fit = True

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if self._verbose and self._params["epochs"] > 1:
            self._write(f"Epoch {epoch + 1}/{self._params['epochs']}\n")
        self._start()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._advance(batch, logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._finish(logs)

    def on_test_begin(self, logs: Any = None) -> None:
        if not self._in_fit:
            self._start()

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        if not self._in_fit:
            self._advance(batch, logs)

    def on_test_end(self, logs: Any = None) -> None:
        if not self._in_fit:
            self._finish(logs)

    def on_predict_begin(self, logs: Any = None) -> None:
        self._start()

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        self._advance(batch, None)

    def on_predict_end(self, logs: Any = None) -> None:
        self._finish(None)

    @property
    def _params(self) -> dict[str, Any]:
        return self.params or {}

    @property
    def _verbose(self) -> int:
        return self._params.get("verbose", 1)

    def _start(self) -> None:
        self._started_s = time.perf_counter()
        self._drawn_s = 0.0
        self._seen = self._width = 0
        self._is_live = self._verbose == 1 and is_live()

    def _advance(self, batch: int, logs: Any) -> None:
        self._seen = batch + 1
        if not self._is_live:
            return
        now = time.perf_counter()
        if now - self._drawn_s >= self.interval_s:
            self._drawn_s = now
            self._draw(now, logs, finished=False)

    def _finish(self, logs: Any) -> None:
        now = time.perf_counter()
        if self._is_live:
            self._draw(now, logs, finished=True)
        elif self._verbose == 1:
            self._write(f"{self._count()} {'━' * self.bar_width} {self._timing(now, ' ')}{_values(logs)}\n")
        elif self._verbose == 2:
            self._write(f"{self._count()} - {self._timing(now, ' - ')}{_values(logs, 2)}\n")

    def _target(self) -> int | None:
        return self._params.get("steps") or None

    def _count(self) -> str:
        target = self._target() or self._seen
        return f"{self._seen:{len(str(target))}d}/{target}"

    def _step_s(self, now: float) -> float:
        return (now - self._started_s) / max(self._seen, 1)

    def _timing(self, now: float, between: str) -> str:
        return f"{now - self._started_s:.0f}s{between}{_duration(self._step_s(now))}/{self.unit}"

    def _draw(self, now: float, logs: Any, finished: bool) -> None:
        target = self._seen if finished else self._target()
        if target is None:
            bar, plain = f"{self._seen:7d}/Unknown", f"{self._seen:7d}/Unknown"
        else:
            done = self.bar_width * min(self._seen, target) // target
            bar = f"\x1b[1m{self._count()}\x1b[0m "
            bar += f"\x1b[32m{'━' * done}\x1b[0m\x1b[37m{'━' * (self.bar_width - done)}\x1b[0m"
            plain = f"{self._count()} {'━' * self.bar_width}"
        left_s = now - self._started_s if finished or target is None else self._step_s(now) * (target - self._seen)
        clock = f"{left_s:.0f}s" if finished or target is None else _clock(left_s)
        tail = f" {_duration(self._step_s(now))}/{self.unit}{_values(logs)}"
        width = len(plain) + len(clock) + len(tail) + 1
        padding = " " * max(self._width - width, 0)
        end = "\n" if finished else ""
        self._write(f"\r{bar} \x1b[1m{clock}\x1b[0m{tail}{padding}{end}")
        self._width = width

    @staticmethod
    def _write(text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()


class Progbar:
    """The progress bar of `fit` for a loop of one's own, such as over `train_on_batch`.

    Args:
        target: Steps to come; None if that is not known.
        width: Signs of the bar.
        verbose: 1 for a bar, 2 for a line at the end, 0 for nothing.
        interval: Seconds between two drawings of the bar.
        stateful_metrics: Names of values that are shown as they are; of others the mean over steps is shown.
        stateless_metrics: The other way round: names of those of which the mean is shown.
        unit_name: What a step is called.

    Raises:
        ValueError: If both kinds of names are given.

    >>> bar = Progbar(2, verbose=0)
    >>> for step in (1, 2):
    ...     bar.update(step, values=[("loss", 0.5)])
    """

    def __init__(
        self,
        target: int | None,
        width: int = 20,
        verbose: int = 1,
        interval: float = 0.05,
        stateful_metrics: Iterable[str] | None = None,
        stateless_metrics: Iterable[str] | None = None,
        unit_name: str = "step",
    ):
        if stateful_metrics is not None and stateless_metrics is not None:
            raise ValueError(expected("Progbar", "stateful_metrics or stateless_metrics", "both"))
        self.target = target
        self.stateful_metrics = None if stateful_metrics is None else set(stateful_metrics)
        self.stateless_metrics = None if stateless_metrics is None else set(stateless_metrics)
        self._seen = 0
        self._sums: dict[str, tuple[float, int]] = {}  # and the steps that are in them
        self._bar = ProgbarLogger()
        self._bar.bar_width, self._bar.interval_s, self._bar.unit = width, interval, unit_name
        self._bar.set_params({"steps": target, "verbose": verbose})
        self._bar._start()

    def update(
        self, current: int, values: Iterable[tuple[str, Any]] | None = None, finalize: bool | None = None
    ) -> None:
        """Shows that `current` steps are done.

        Args:
            current: The steps.
            values: Pairs of a name and what it is since the last update; the last of them are shown as they are.
            finalize: Whether these are the last; None: once `target` is reached.
        """
        is_last = (self.target is not None and current >= self.target) if finalize is None else finalize
        for name, value in values or ():
            total, steps = self._sums.get(name, (0.0, 0))
            more = max(current - self._seen, 1)
            is_mean = not is_last and self._is_stateless(name)
            self._sums[name] = (total + float(value) * more, steps + more) if is_mean else (float(value), 1)
        self._seen = current
        logs = {name: total / steps for name, (total, steps) in self._sums.items()}
        self._bar._advance(current - 1, logs)
        if is_last:
            self._bar._finish(logs)

    def _is_stateless(self, name: str) -> bool:
        if self.stateless_metrics is not None:
            return name in self.stateless_metrics
        return name not in (self.stateful_metrics or ())

    def add(self, n: int, values: Iterable[tuple[str, Any]] | None = None) -> None:
        """Shows that `n` steps more are done."""
        self.update(self._seen + n, values)


def is_live() -> bool:
    """Returns whether a line can be drawn over: on a terminal, and in a notebook."""
    return sys.stdout.isatty() or type(sys.stdout).__module__.startswith("ipykernel.")


def _clock(seconds: float) -> str:
    whole = int(seconds)
    if whole > 3600:
        return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"
    return f"{whole // 60}:{whole % 60:02d}" if whole > 60 else f"{whole}s"


def _duration(seconds: float) -> str:
    if seconds >= 1 or seconds == 0:
        return f"{seconds:.0f}s"
    return f"{seconds * 1e3:.0f}ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f}us"


def _values(logs: Any, verbose: int = 1) -> str:
    parts = []
    for name, value in (logs or {}).items():
        number = float(sum(value) / len(value)) if hasattr(value, "__len__") else float(value)
        size = number if verbose == 2 else abs(number)  # as in Keras, whose lines show all below 1e-3 by exponents
        parts.append(f" - {name}: {number:.4f}" if size > 1e-3 else f" - {name}: {number:.4e}")
    return "".join(parts)
