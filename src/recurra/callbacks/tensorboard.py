"""Logs for TensorBoard, in the messages of tensorboardX."""

from __future__ import annotations

import os
import socket
import struct
import time
from typing import Any

import numpy as np

from recurra._checks import check_frequency, not_negative
from recurra._files import append, path_option
from recurra.callbacks.base import Callback
from recurra.errors import extra_needed

_ABOVE_0 = np.cumprod([1e-12, *[1.1] * 773])
_LIMITS = np.concatenate([-_ABOVE_0[::-1], [0], _ABOVE_0])  # of a histogram's bars, as TensorFlow has them


class TensorBoard(Callback):
    """Logs losses, metrics, the learning rate and histograms of the weights, as Keras names them.

    `log_dir/train` gets "epoch_loss" and the like, `log_dir/validation` the same of the validation data; look at them
    with `tensorboard --logdir logs`. Needs `pip install "recurra[tensorboard]"`.

    Of a metric with a number for each class the mean is logged. A run that is killed leaves all that it has logged.

    Args:
        log_dir: Directory of the logs.
        histogram_freq: Every how many epochs to log histograms of the weights; 0: never.
        write_graph, write_images, profile_batch, embeddings_freq, embeddings_metadata: Accepted, change nothing.
        write_steps_per_second: Whether to log how many steps were made each second.
        update_freq: "epoch", "batch", or a number of batches: when to log "batch_loss" and the like too.

    Raises:
        MissingExtraError: If tensorboardX is not installed.
        OSError: In training, if a log cannot be written, as on a full disk.
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
            import tensorboardX  # noqa: F401
        self.log_dir = path_option("TensorBoard", "log_dir", log_dir)
        histogram_freq = 0 if histogram_freq is None else histogram_freq
        self.histogram_freq = not_negative("TensorBoard", "histogram_freq", histogram_freq)
        self.write_steps_per_second = write_steps_per_second
        self.update_freq = 1 if update_freq == "batch" else update_freq
        check_frequency("TensorBoard", "update_freq", self.update_freq, "Invalid value for argument `update_freq`")
        self._logs: dict[str, _Log] = {}
        self._step = 0
        self._epoch_started = (0.0, 0)

    def _log(self, run: str) -> _Log:
        if run not in self._logs:
            self._logs[run] = _Log(os.path.join(self.log_dir, run))
        return self._logs[run]

    def on_train_begin(self, logs: Any = None) -> None:
        self._step = 0
        self._logs.clear()  # of a run that was cut off

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch_started = (time.perf_counter(), self._step)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._step += 1
        if self.update_freq != "epoch" and self._step % int(self.update_freq) == 0:
            for name, value in (logs or {}).items():
                self._log("train").scalar(f"batch_{name}", value, self._step)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        for name, value in (logs or {}).items():
            run, tag = ("validation", name[4:]) if name.startswith("val_") else ("train", name)
            self._log(run).scalar(f"epoch_{tag}", value, epoch)
        train = self._log("train")
        if "learning_rate" not in (logs or {}):
            train.scalar("epoch_learning_rate", float(self.model.optimizer.learning_rate), epoch)
        if self.write_steps_per_second:
            started, step = self._epoch_started
            train.scalar("epoch_steps_per_second", (self._step - step) / (time.perf_counter() - started), epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            for variable in self.model.weights:
                train.histogram(f"{variable.path}/histogram", variable.value, epoch)

    def on_test_end(self, logs: Any = None) -> None:
        for name, value in (logs or {}).items():
            self._log("validation").scalar(f"evaluation_{name}_vs_iterations", value, self._step)

    def on_train_end(self, logs: Any = None) -> None:
        self._logs.clear()


class _Log:
    """A file of events, each written at once.

    tensorboardX's own writer keeps them back for two minutes, and on a full disk its thread dies unseen: `fit` then
    waits for ever for room in its queue.

    Args:
        directory: Where a new file is made.
    """

    def __init__(self, directory: str):
        os.makedirs(directory, exist_ok=True)
        name = f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{time.time_ns()}"
        self._path = os.path.join(directory, name)
        self._write(file_version="brain.Event:2")

    def scalar(self, tag: str, value: Any, step: int) -> None:
        from tensorboardX.summary import scalar

        self._write(step=step, summary=scalar(tag, float(np.mean(value))))

    def histogram(self, tag: str, values: np.ndarray, step: int) -> None:
        from tensorboardX.summary import histogram

        self._write(step=step, summary=histogram(tag, values, _LIMITS))

    def _write(self, **event: Any) -> None:
        """Adds a record: the length and its checksum, the event and its checksum."""
        from tensorboardX.proto.event_pb2 import Event
        from tensorboardX.record_writer import masked_crc32c

        data = Event(wall_time=time.time(), **event).SerializeToString()
        length = struct.pack("<Q", len(data))
        checksums = (struct.pack("<I", masked_crc32c(part)) for part in (length, data))
        append(self._path, b"".join((length, next(checksums), data, next(checksums))))
