"""What is monitored and in which direction; when training ends early."""

import math

import numpy as np
import pytest
from played import Dummy, run

from recurra import callbacks
from recurra.callbacks import CallbackList


@pytest.mark.parametrize("patience", [0, 1, 2, 3])
def test_early_stopping_waits_for_its_patience(patience):
    stopper = callbacks.EarlyStopping("loss", patience=patience)
    run(stopper, [10.0, 9.0, 8.0, 9.0, 8.9, 8.8, 8.7], "loss")
    assert stopper.stopped_epoch == max(patience, 1) + 2


def test_early_stopping_restores_the_best_weights(capsys):
    stopper = callbacks.EarlyStopping(patience=2, restore_best_weights=True, verbose=1)
    model, epochs = run(stopper, [0.2, 0.15, 0.1, 0.11, 0.12, 0.05])
    assert (model.weights, epochs, stopper.best_epoch) == (2, 5, 2)
    assert capsys.readouterr().out.splitlines() == [
        "Epoch 5: early stopping",
        "Restoring model weights from the end of the best epoch: 3.",
    ]


def test_early_stopping_below_a_baseline_that_is_never_reached():
    stopper = callbacks.EarlyStopping(patience=5, baseline=0.5, restore_best_weights=True)
    model, epochs = run(stopper, [0.9, 0.8, 0.7, 0.71, 0.72, 0.73])
    assert (model.weights, epochs) == (2, 5)


def test_early_stopping_begins_anew_with_each_fit():
    stopper = callbacks.EarlyStopping(patience=1)
    assert run(stopper, [0.1, 0.2, 0.3])[1] == 2
    assert run(stopper, [9.0, 8.0, 7.0])[1] == 3


def test_early_stopping_may_start_late_and_ask_for_a_minimal_change():
    assert run(callbacks.EarlyStopping(start_from_epoch=3), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])[1] == 5
    assert run(callbacks.EarlyStopping(min_delta=0.5, patience=2), [3.0, 2.0, 1.9, 1.8, 1.0])[1] == 4
    rising = callbacks.EarlyStopping(min_delta=0.5, patience=2, mode="max")
    assert run(rising, [1.0, 2.0, 2.1, 2.2, 3.0])[1] == 4


def test_a_nan_counts_as_no_improvement():
    model, epochs = run(callbacks.EarlyStopping(patience=2, restore_best_weights=True), [math.nan, 1.0, 2.0, 3.0])
    assert (model.weights, epochs) == (1, 4)
    model, epochs = run(callbacks.EarlyStopping(patience=2, restore_best_weights=True), [math.nan] * 4)
    assert (model.weights, epochs) == (0, 2)  # where none is best, the first
    for patience in (0, 1):  # the first epoch never ends training
        assert run(callbacks.EarlyStopping(patience=patience), [math.nan, 1.0, 2.0, 3.0])[1] == 3


@pytest.mark.parametrize(
    ("monitor", "op"),
    [
        *((name, np.less) for name in ("loss", "val_mse", "hinge", "val_level_mae", "root_mean_squared_error")),
        *((name, np.greater) for name in ("acc", "val_accuracy", "f1_score", "auc", "r2_score", "cosine_similarity")),
    ],
)
def test_the_direction_follows_from_the_metric(monitor, op):
    stopper = callbacks.EarlyStopping(monitor)
    run(stopper, [1.0], monitor)
    assert stopper.monitor_op is op


def test_a_metric_under_another_name_is_known_by_its_class():
    class Accuracy:
        name = "share"

    stopper = callbacks.EarlyStopping("val_share")
    run(stopper, [1.0], "val_share", Dummy(metrics=[Accuracy()]))
    assert stopper.monitor_op is np.greater


def test_an_unknown_direction_must_be_given():
    with pytest.raises(ValueError, match="EarlyStopping expected a metric known to grow or to fall, got 'beauty'"):
        run(callbacks.EarlyStopping("beauty"), [1.0], "beauty")
    assert run(callbacks.EarlyStopping("beauty", mode="max"), [1.0, 0.5], "beauty")[1] == 2
    with pytest.warns(UserWarning, match="EarlyStopping mode 'up' is unknown"):
        callbacks.EarlyStopping(mode="up")
    with pytest.warns(UserWarning, match="conditioned on metric `val_loss` which is not available"):
        run(callbacks.EarlyStopping(), [1.0], "loss")


def test_training_ends_when_the_loss_is_nan(capsys):
    model = Dummy()
    listed = CallbackList([callbacks.TerminateOnNaN()], model=model)
    listed.on_train_batch_end(0, {"loss": 1.0})
    assert not model.stop_training
    listed.on_train_batch_end(1, {"loss": math.inf})
    assert model.stop_training
    assert capsys.readouterr().out == "Batch 1: Invalid loss, terminating training\n"
    with pytest.raises(RuntimeError, match="NaN or Inf loss encountered at batch 2"):
        callbacks.TerminateOnNaN(raise_error=True).on_batch_end(2, {"loss": math.nan})


@pytest.mark.parametrize("kind", [callbacks.EarlyStopping, callbacks.ReduceLROnPlateau])
def test_what_is_monitored_is_one_number(kind):
    callback = kind("f1_score", mode="max")
    callback.set_model(Dummy())
    callback.on_train_begin()
    callback.on_epoch_end(0, {"f1_score": np.array([0.5])})
    message = rf"{kind.__name__} expected one number for f1_score, got 3: .*F1Score\(average='macro'\)"
    with pytest.raises(ValueError, match=message):
        callback.on_epoch_end(1, {"f1_score": np.array([0.1, 0.2, 0.3])})
