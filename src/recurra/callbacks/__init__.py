"""Callbacks: what happens at the start and the end of training, of its epochs and of its batches."""

import importlib
from typing import TYPE_CHECKING, Any

from recurra._missing import says_what_to_do
from recurra.callbacks.base import Callback, LambdaCallback
from recurra.callbacks.callback_list import CallbackList
from recurra.callbacks.history import History

if TYPE_CHECKING:
    from recurra.callbacks.averages import SwapEMAWeights
    from recurra.callbacks.backup import BackupAndRestore
    from recurra.callbacks.checkpoint import ModelCheckpoint
    from recurra.callbacks.csv_logger import CSVLogger
    from recurra.callbacks.learning_rate import LearningRateScheduler, ReduceLROnPlateau
    from recurra.callbacks.monitor import EarlyStopping, MonitorCallback, TerminateOnNaN
    from recurra.callbacks.tensorboard import TensorBoard

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "MonitorCallback",
    "ReduceLROnPlateau",
    "SwapEMAWeights",
    "TensorBoard",
    "TerminateOnNaN",
]

# Loaded when they are first asked for: most trainings do without these, and what they need of the standard library.
_MODULES = {
    "BackupAndRestore": "backup",
    "CSVLogger": "csv_logger",
    "EarlyStopping": "monitor",
    "LearningRateScheduler": "learning_rate",
    "ModelCheckpoint": "checkpoint",
    "MonitorCallback": "monitor",
    "ReduceLROnPlateau": "learning_rate",
    "SwapEMAWeights": "averages",
    "TensorBoard": "tensorboard",
    "TerminateOnNaN": "monitor",
}


_tell = says_what_to_do(__name__)


def _load(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    return _tell(name)


if not TYPE_CHECKING:  # type checkers would take every name for one that is there
    __getattr__ = _load
