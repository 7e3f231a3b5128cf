"""The TensorBoard callback: what is in the files that it writes."""

from collections import Counter

import numpy as np
import pytest

from recurra import Input, Sequential, callbacks, layers

pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")


def logged(folder):
    """Returns the tag and the step of all that a run has logged."""
    from tensorboardX.proto import event_pb2

    (file,) = folder.glob("events*")
    data, found = file.read_bytes(), []
    while data:  # a record: its length in 8 bytes, 4 of a checksum, the event, 4 of a checksum
        size = int.from_bytes(data[:8], "little")
        event = event_pb2.Event.FromString(data[12 : 12 + size])
        found += [(value.tag, event.step) for value in event.summary.value]
        data = data[16 + size :]
    return found


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
