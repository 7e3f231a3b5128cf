"""The TensorBoard callback: what is in the files that it writes."""

import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from recurra import Input, Sequential, callbacks, layers

pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")


def events(folder):
    """Returns the events in the only file of a folder."""
    from tensorboardX.proto import event_pb2

    (file,) = folder.glob("events*")
    data, found = file.read_bytes(), []
    while data:  # a record: its length in 8 bytes, 4 of a checksum, the event, 4 of a checksum
        size = int.from_bytes(data[:8], "little")
        found.append(event_pb2.Event.FromString(data[12 : 12 + size]))
        data = data[16 + size :]
    return found


def logged(folder):
    """Returns the tag and the step of all that a run has logged."""
    return [(value.tag, event.step) for event in events(folder) for value in event.summary.value]


def tags(folder):
    """Returns the tags of a run, with the number of times that each was logged."""
    return Counter(tag for tag, _ in logged(folder))


def test_logs_hold_losses_rates_and_histograms(tmp_path):
    model = Sequential([Input((4, 1)), layers.GRU(2, name="gru"), layers.Dense(1, name="head")])
    model.compile("adam", "mse", metrics=["mae"])
    x, y = np.ones((8, 4, 1), "float32"), np.ones((8, 1), "float32")
    log = callbacks.TensorBoard(tmp_path, histogram_freq=2, update_freq=1, write_steps_per_second=True)
    model.fit(x, y, batch_size=4, epochs=3, validation_data=(x, y), callbacks=[log], verbose=0)
    train = tags(tmp_path / "train")
    assert train["epoch_loss"] == train["epoch_mae"] == train["epoch_learning_rate"] == 3
    assert train["epoch_steps_per_second"] == 3
    assert train["batch_loss"] == 6
    assert train[f"{model.weights[-2].path}/histogram"] == 2
    validation = tags(tmp_path / "validation")
    assert validation["epoch_loss"] == 3
    assert validation["evaluation_loss_vs_iterations"] == 3


def test_a_resumed_run_goes_on_with_the_number_of_the_batch(tmp_path):
    class CutOff(callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    def run(folder, *more):
        model = Sequential([Input((2,)), layers.Dense(1)])
        model.compile("sgd", "mse")
        log = callbacks.TensorBoard(tmp_path / folder, update_freq=1)
        chosen = [log, callbacks.BackupAndRestore(tmp_path / "backup"), *more]
        model.fit(np.ones((8, 2)), np.ones((8, 1)), batch_size=4, epochs=3, callbacks=chosen, verbose=0)

    with pytest.raises(KeyboardInterrupt):
        run("first", CutOff())
    run("second")
    assert [step for tag, step in logged(tmp_path / "second" / "train") if tag == "batch_loss"] == [5, 6]


def test_how_often_it_logs_is_checked(tmp_path):
    with pytest.raises(ValueError, match="update_freq to be 'epoch' or a number of batches, got 0"):
        callbacks.TensorBoard(tmp_path, update_freq=0)
    with pytest.raises(TypeError, match="TensorBoard expected histogram_freq to be a number, not negative, got 'x'"):
        callbacks.TensorBoard(tmp_path, histogram_freq="x")
    callbacks.TensorBoard(tmp_path, update_freq="batch", histogram_freq=None)


def test_a_metric_with_a_number_for_each_class_is_logged_as_its_mean(tmp_path):
    model = Sequential([Input((3,)), layers.Dense(2, "softmax")])
    model.compile("sgd", "mse", metrics=["f1_score"])
    log = callbacks.TensorBoard(tmp_path, update_freq=1)
    model.fit(np.eye(3), np.eye(3)[:, :2], epochs=2, callbacks=[log], verbose=0)
    assert tags(tmp_path / "train")["epoch_f1_score"] == 2


def test_files_are_those_that_tensorboardx_writes(tmp_path):
    from tensorboardX import SummaryWriter
    from tensorboardX.record_writer import RecordWriter

    model = Sequential([Input((3,)), layers.Dense(40)])
    model.compile("sgd", "mse")
    model.fit(np.eye(3), np.ones((3, 40)), callbacks=[callbacks.TensorBoard(tmp_path, histogram_freq=1)], verbose=0)
    found = events(tmp_path / "train")
    with SummaryWriter(str(tmp_path / "x")) as peer:
        peer.add_scalar("epoch_loss", model.history.history["loss"][0], 0)
        peer.add_scalar("epoch_learning_rate", 0.01, 0)
        for variable in model.weights:
            peer.add_histogram(f"{variable.path}/histogram", variable.value, 0)
    wanted = events(tmp_path / "x")
    for event in (*found, *wanted):
        event.wall_time = 0.0
    assert found == wanted
    (file,) = (tmp_path / "train").glob("events*")
    peer = RecordWriter(str(tmp_path / "peer"))
    for event in events(tmp_path / "train"):
        peer.write(event.SerializeToString())
    peer.close()
    assert (tmp_path / "peer").read_bytes() == file.read_bytes()  # with its checksums


def test_each_epoch_is_in_the_file_when_it_has_ended_and_each_fit_has_a_file(tmp_path):
    model = Sequential([Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    log, seen = callbacks.TensorBoard(tmp_path, update_freq=1), []
    look = callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(tags(tmp_path / "train")))
    told = {"batch_size": 2, "epochs": 3, "verbose": 0, "callbacks": [log, look]}
    model.fit(np.eye(3), np.ones((3, 1)), **told)
    assert [(counts["epoch_loss"], counts["batch_loss"]) for counts in seen] == [(1, 2), (2, 4), (3, 6)]
    model.fit(np.eye(3), np.ones((3, 1)), **told | {"callbacks": [log]})  # in the same second
    assert len(list((tmp_path / "train").iterdir())) == 2


FULL = """
import resource, sys
import numpy as np
from recurra import Input, Sequential, callbacks, layers

model = Sequential([Input((3,)), layers.Dense(40)])
model.compile("sgd", "mse")
resource.setrlimit(resource.RLIMIT_FSIZE, (8000, 8000))  # what is longer cannot be written, as on a full disk
log = callbacks.TensorBoard(sys.argv[1], histogram_freq=1, update_freq=1)
model.fit(np.ones((30, 3)), np.ones((30, 40)), batch_size=1, epochs=100, callbacks=[log], verbose=0)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such limits")
def test_logs_that_cannot_be_written_end_the_training(tmp_path):
    ran = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 1
    assert ran.stderr.splitlines()[-1].startswith(
        f"OSError: [Errno 27] File too large: '{tmp_path / 'train' / 'events'}"
    )
    assert tags(tmp_path / "train")["batch_loss"] > 20  # and no half of a record
