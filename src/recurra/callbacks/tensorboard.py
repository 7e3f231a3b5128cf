"""Logs for TensorBoard, written by tensorboardX."""

from __future__ import annotations

import os
import time
from typing import Any

import numpy as np

from recurra._checks import check_frequency, not_negative
from recurra._files import path_option
from recurra.callbacks.base import Callback
from recurra.errors import extra_needed


class TensorBoard(Callback):
    """Logs losses, metrics, the learning rate and histograms of the weights, as Keras names them.

    `log_dir/train` gets "epoch_loss" and the like, `log_dir/validation` the same of the validation data; look at them
    with `tensorboard --logdir logs`. Needs `pip install "recurra[tensorboard]"`.

    Of a metric with a number for each class the mean is logged.

    Args:
        log_dir: Directory of the logs.
        histogram_freq: Every how many epochs to log histograms of the weights; 0: never.
        write_graph, write_images, profile_batch, embeddings_freq, embeddings_metadata: Accepted, change nothing.
        write_steps_per_second: Whether to log how many steps were made each second.
        update_freq: "epoch", "batch", or a number of batches: when to log "batch_loss" and the like too.

    Raises:
        MissingExtraError: If tensorboardX is not installed.
        TypeError: If `log_dir` is not a path, or `histogram_freq` not a number.
        ValueError: If `histogram_freq` is negative, or `update_freq` none of the above.
    """

    _remembered = ("_step",)

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: str | int = "epoch",
        profile_batch: Any = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: Any = None,
    ):
        super().__init__()
        with extra_needed("TensorBoard needs", "tensorboardX", "tensorboard"):
            from tensorboardX import SummaryWriter
        self.log_dir = path_option("TensorBoard", "log_dir", log_dir)
        histogram_freq = 0 if histogram_freq is None else histogram_freq
        self.histogram_freq = not_negative("TensorBoard", "histogram_freq", histogram_freq)
        self.write_steps_per_second = write_steps_per_second
        self.update_freq = 1 if update_freq == "batch" else update_freq
        check_frequency("TensorBoard", "update_freq", self.update_freq, "Invalid value for argument `update_freq`")
        self._writer_class = SummaryWriter
        self._writers: dict[str, Any] = {}
        self._step = 0
        self._epoch_started = (0.0, 0)

    def _writer(self, run: str) -> Any:
        if run not in self._writers:
            self._writers[run] = self._writer_class(os.path.join(self.log_dir, run))
        return self._writers[run]

    def on_train_begin(self, logs: Any = None) -> None:
        self._step = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch_started = (time.perf_counter(), self._step)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._step += 1
        if self.update_freq != "epoch" and self._step % int(self.update_freq) == 0:
            for name, value in (logs or {}).items():
                self._writer("train").add_scalar(f"batch_{name}", float(np.mean(value)), self._step)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        for name, value in (logs or {}).items():
            run, tag = ("validation", name[4:]) if name.startswith("val_") else ("train", name)
            self._writer(run).add_scalar(f"epoch_{tag}", float(np.mean(value)), epoch)
        train = self._writer("train")
        if "learning_rate" not in (logs or {}):
            train.add_scalar("epoch_learning_rate", float(self.model.optimizer.learning_rate), epoch)
        if self.write_steps_per_second:
            started, step = self._epoch_started
            train.add_scalar("epoch_steps_per_second", (self._step - step) / (time.perf_counter() - started), epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            for variable in self.model.weights:
                train.add_histogram(f"{variable.path}/histogram", variable.value, epoch)

    def on_test_end(self, logs: Any = None) -> None:
        for name, value in (logs or {}).items():
            self._writer("validation").add_scalar(f"evaluation_{name}_vs_iterations", float(np.mean(value)), self._step)

    def on_train_end(self, logs: Any = None) -> None:
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()
