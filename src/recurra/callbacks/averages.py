"""Evaluating, and saving, the average of the weights instead of the weights."""

from __future__ import annotations

from typing import Any

from recurra._checks import expected
from recurra.callbacks.base import Callback
from recurra.errors import NotFittedError


class SwapEMAWeights(Callback):
    """Puts the optimizer's averages of the weights (`use_ema=True`) into the model while it is evaluated.

    Args:
        swap_on_epoch: Also from the end of an epoch to the start of the next, for callbacks that come after this one,
            such as `ModelCheckpoint`.
    """

    def __init__(self, swap_on_epoch: bool = False):
        super().__init__()
        self.swap_on_epoch = swap_on_epoch

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if self.swap_on_epoch:
            self._put(False)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.swap_on_epoch:
            self._put(True)

    def on_test_begin(self, logs: Any = None) -> None:
        self._put(True)

    def on_test_end(self, logs: Any = None) -> None:
        self._put(False)

    def on_predict_begin(self, logs: Any = None) -> None:
        self._put(True)

    def on_predict_end(self, logs: Any = None) -> None:
        self._put(False)

    def _put(self, averages: bool) -> None:
        optimizer = self.model.optimizer
        if not optimizer.use_ema:
            hint = "SwapEMAWeights must be used when `use_ema=True` is set on the optimizer"
            raise ValueError(expected("SwapEMAWeights", "an optimizer with averages", optimizer.name, hint))
        if optimizer.averages_swapped == averages:
            return
        if not optimizer.built:
            raise NotFittedError(expected("SwapEMAWeights", "a trained model", "one without averages"))
        optimizer.swap_averages()
