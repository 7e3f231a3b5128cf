"""Callbacks: what happens at the start and the end of training, of its epochs and of its batches."""

from recurra.training.callbacks.averages import SwapEMAWeights
from recurra.training.callbacks.backup import BackupAndRestore
from recurra.training.callbacks.base import Callback, CallbackList, LambdaCallback
from recurra.training.callbacks.checkpoint import ModelCheckpoint
from recurra.training.callbacks.csv_logger import CSVLogger
from recurra.training.callbacks.learning_rate import LearningRateScheduler, ReduceLROnPlateau
from recurra.training.callbacks.monitor import EarlyStopping, MonitorCallback, TerminateOnNaN
from recurra.training.callbacks.tensorboard import TensorBoard
from recurra.training.history import History

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
