"""The record of a training run."""

from __future__ import annotations

from typing import Any

from recurra.callbacks.base import Callback


class History(Callback):
    """What `fit` returns: `history["loss"][i]` is the loss of epoch `epoch[i]`, and so on for every metric."""

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []

    def on_train_begin(self, logs: Any = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
        if self.model is not None and getattr(self.model, "history", None) is not self:
            self.model.history = self  # not at each epoch: whatever is set has native steps look for what changed
