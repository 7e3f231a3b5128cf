"""Callbacks on a model that only pretends to train, and on real ones where files are written."""

from __future__ import annotations

import csv
import json
import math
import random as python_random
import re
import signal

import numpy as np
import pytest

from recurra import callbacks, layers, models, optimizers, random, utils
from recurra.callbacks import Callback, CallbackList
from recurra.compat.tensorflow.data import Dataset
from recurra.errors import FileFormatError
from recurra.optimizers import schedules
from recurra.training.batches import Epochs, IterableBatches
from recurra.variables import Variable


class Dummy:
    """A model whose weights are the number of its epoch."""

    def __init__(self, learning_rate=0.5, metrics=()):
        self.stop_training = False
        self.optimizer = optimizers.SGD(learning_rate)
        self.metrics = metrics
        self.weights = None
        self.saved = []

    def get_weights(self):
        return self.weights

    def set_weights(self, weights):
        self.weights = weights

    def save(self, filepath, overwrite):
        self.saved.append(filepath)

    save_weights = save


def run(callback, values, monitor="val_loss", model=None):
    """Plays epochs with the given values; returns the model and the number of epochs."""
    model = model or Dummy()
    listed = CallbackList([callback], model=model, epochs=len(values))
    listed.on_train_begin()
    for epoch, value in enumerate(values):
        model.weights = epoch
        listed.on_epoch_begin(epoch)
        listed.on_epoch_end(epoch, {monitor: value})
        if model.stop_training:
            break
    listed.on_train_end()
    return model, epoch + 1


class Recorder(Callback):
    def __init__(self):
        super().__init__()
        self.calls = []

    def on_epoch_end(self, epoch, logs=None):
        self.calls.append(("epoch", epoch, logs))

    def on_batch_end(self, batch, logs=None):
        self.calls.append(("batch", batch, logs))

    def on_test_batch_end(self, batch, logs=None):
        self.calls.append(("test", batch, logs))


# The list


def test_the_list_calls_in_order_with_model_and_parameters():
    first, second, model = Recorder(), Recorder(), Dummy()
    listed = CallbackList([first, [second]], model=model, epochs=3, steps=2, verbose=0)
    listed.on_train_batch_end(4, {"loss": np.float32(0.5)})
    listed.on_test_batch_end(1)
    listed.on_epoch_end(0)
    assert first.model is second.model is model
    assert first.params == {"epochs": 3, "steps": 2, "verbose": 0}
    assert first.calls == second.calls == [("batch", 4, {"loss": 0.5}), ("test", 1, {}), ("epoch", 0, {})]
    assert type(first.calls[0][2]["loss"]) is float


def test_hooks_of_a_batch_that_nobody_overrides_are_not_called():
    listed = CallbackList([Callback(), Recorder(), callbacks.LambdaCallback(on_train_batch_begin=print)])
    assert listed.wants("on_train_batch_end")
    assert listed.wants("on_train_batch_begin")
    assert listed.wants("on_test_batch_end")
    assert not listed.wants("on_test_batch_begin")
    assert not listed.wants("on_predict_batch_end")
    listed.append(callbacks.LambdaCallback(on_predict_batch_end=print))
    assert listed.wants("on_predict_batch_end")


def test_the_list_adds_a_history_once():
    mine, model = callbacks.History(), Dummy()
    assert [type(c) for c in CallbackList([mine], add_history=True).callbacks] == [callbacks.History]
    listed = CallbackList(add_history=True, model=model)
    assert listed.callbacks == [model.history]


def test_the_history_keeps_the_logs_of_each_epoch():
    history, _ = callbacks.History(), None
    run(history, [0.5, 0.25], "loss")
    assert (history.history, history.epoch) == ({"loss": [0.5, 0.25]}, [0, 1])
    run(history, [0.125], "loss")
    assert (history.history, history.epoch) == ({"loss": [0.5, 0.25, 0.125]}, [0])


def test_the_end_of_training_sees_the_logs_without_what_callbacks_add_for_the_history(rng):
    seen = []
    model = models.Sequential([layers.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    x = rng.standard_normal((4, 2))
    told = [callbacks.LearningRateScheduler(lambda epoch: 0.5), callbacks.LambdaCallback(on_train_end=seen.append)]
    history = model.fit(x, x[:, 0], verbose=0, callbacks=told).history
    assert seen == [{"loss": history["loss"][0]}]
    assert history["learning_rate"] == [0.5]


def test_a_lambda_callback_calls_its_functions():
    seen = []
    run(callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append((epoch, logs))), [1.0])
    assert seen == [(0, {"val_loss": 1.0})]


# Early stopping


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


def test_a_nan_counts_as_no_improvement():
    model, epochs = run(callbacks.EarlyStopping(patience=2, restore_best_weights=True), [math.nan, 1.0, 2.0, 3.0])
    assert (model.weights, epochs) == (1, 4)
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


# The learning rate


def test_a_scheduler_sets_the_learning_rate_and_logs_it(capsys):
    history, model = callbacks.History(), Dummy(0.5)
    run([callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2, verbose=1), history], [1.0, 1.0], model=model)
    assert history.history["learning_rate"] == [0.25, 0.125]
    assert "Epoch 2: LearningRateScheduler setting learning rate to 0.125." in capsys.readouterr().out


def test_a_scheduler_may_take_the_epoch_alone():
    model, _ = run(callbacks.LearningRateScheduler(lambda epoch: 1 / (2.0 + epoch)), [1.0])
    assert float(model.optimizer.learning_rate) == 0.5
    model, _ = run(callbacks.LearningRateScheduler(schedules.InverseTimeDecay(0.25, 1, 1.0)), [1.0, 1.0])
    assert float(model.optimizer.learning_rate) == 0.125


def test_a_scheduler_refuses_what_is_no_number_and_optimizers_with_schedules():
    with pytest.raises(ValueError, match="the schedule to return a number, got 'fast'"):
        run(callbacks.LearningRateScheduler(lambda epoch: "fast"), [1.0])
    model = Dummy(schedules.PolynomialDecay(0.1, 10))
    with pytest.raises(TypeError, match="This optimizer was created with a `LearningRateSchedule`"):
        run(callbacks.LearningRateScheduler(lambda epoch, rate: rate), [1.0], model=model)


def test_reduce_lr_on_plateau_follows_keras():
    values = [8.131, 7.491, 7.092, 7.188, 2.171, 1.976, 1.951, 1.251]
    history, callback = callbacks.History(), callbacks.ReduceLROnPlateau(factor=0.5, patience=1, min_delta=0.05)
    run([callback, history], values)
    assert history.history["learning_rate"] == [0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125]


def test_reduce_lr_on_plateau_cools_down_and_keeps_a_minimum(capsys):
    callback = callbacks.ReduceLROnPlateau(factor=0.5, patience=1, cooldown=2, verbose=1)
    assert float(run(callback, [1.0] * 5)[0].optimizer.learning_rate) == 0.125
    assert "\nEpoch 2: ReduceLROnPlateau reducing learning rate to 0.25.\n" in capsys.readouterr().out
    callback = callbacks.ReduceLROnPlateau(factor=0.1, patience=1, min_lr=0.25)
    assert float(run(callback, [1.0] * 5)[0].optimizer.learning_rate) == 0.25
    with pytest.raises(ValueError, match=r"does not support a factor >= 1\.0"):
        callbacks.ReduceLROnPlateau(factor=1.0)


# Broken losses


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


# Checkpoints


def test_a_checkpoint_is_saved_under_a_name_of_its_epoch(tmp_path):
    model, _ = run(callbacks.ModelCheckpoint(tmp_path / "{epoch:02d}-{val_loss:.1f}.keras"), [0.5, 0.75])
    assert model.saved == [str(tmp_path / "01-0.5.keras"), str(tmp_path / "02-0.8.keras")]


def test_only_the_best_is_saved(tmp_path, capsys):
    path = str(tmp_path / "new" / "{epoch}.weights.h5")
    checkpoint = callbacks.ModelCheckpoint(path, save_best_only=True, save_weights_only=True, verbose=1)
    model, _ = run(checkpoint, [0.5, 0.75, 0.25])
    assert model.saved == [path.format(epoch=1), path.format(epoch=3)]
    assert "Epoch 2: val_loss did not improve from 0.50000" in capsys.readouterr().out
    model, _ = run(callbacks.ModelCheckpoint("x.keras", save_best_only=True, initial_value_threshold=0.1), [0.5])
    assert model.saved == []
    with pytest.warns(UserWarning, match="Can save best model only with beauty available"):
        model, _ = run(callbacks.ModelCheckpoint("x.keras", monitor="beauty", save_best_only=True), [0.5])
    assert model.saved == ["x.keras"]


def test_checkpoints_count_batches_through_the_epochs():
    model = Dummy()
    listed = CallbackList([callbacks.ModelCheckpoint("{epoch}-{batch}.keras", save_freq=3)], model=model)
    for epoch in range(2):
        listed.on_epoch_begin(epoch)
        for batch in range(5):
            listed.on_train_batch_end(batch, {"loss": 1.0})
        listed.on_epoch_end(epoch, {"loss": 1.0})
    assert model.saved == ["1-3.keras", "2-1.keras", "2-4.keras"]


def test_checkpoints_refuse_other_endings_and_names():
    for ending in (".keras", ".h5", ".hdf5"):  # those of model.save
        model, _ = run(callbacks.ModelCheckpoint(f"best{ending}"), [0.5])
        assert model.saved == [f"best{ending}"]
    with pytest.raises(ValueError, match=r"end in .weights.h5, got 'best.hdf5': write 'best.weights.h5'"):
        callbacks.ModelCheckpoint("best.hdf5", save_weights_only=True)
    hint = "got 'best.weights.h5': save_weights_only=True saves weights; or write 'best.keras'"
    with pytest.raises(ValueError, match=f"ModelCheckpoint expected filepath to end in .keras, {hint}"):
        callbacks.ModelCheckpoint("best.weights.h5")  # which model.save refuses, at the end of an epoch
    with pytest.raises(ValueError, match=r"ModelCheckpoint expected filepath to end in .keras, got 'weights.bin'"):
        callbacks.ModelCheckpoint("weights.bin")
    with pytest.raises(ValueError, match=r"end in .weights.h5"):
        callbacks.ModelCheckpoint("weights.keras", save_weights_only=True)
    with pytest.raises(ValueError, match="Unrecognized save_freq"):
        callbacks.ModelCheckpoint("a.keras", save_freq="batch")
    for template in ("a{}.keras", "a{0}.keras", "a{.keras", "a{epoch:zz}.keras", "a{epoch[0]}.keras"):
        message = f"filepath to hold names, such as {{epoch:02d}} or {{val_loss:.2f}}, got {template!r}: "
        with pytest.raises(ValueError, match=re.escape(message)):
            callbacks.ModelCheckpoint(template)
    callbacks.ModelCheckpoint("{{a}}-{epoch:02d}-{batch}-{val_loss:.2f}-{f1[0]:.2f}-{loss.real!r}.keras")
    with pytest.raises(KeyError, match="names among epoch, val_loss"):
        run(callbacks.ModelCheckpoint("{beauty}.keras"), [1.0])


# CSV files


def read(path, separator=","):
    with open(path, newline="") as file:
        return list(csv.reader(file, delimiter=separator))


def test_a_csv_logger_writes_a_row_per_epoch_and_goes_on_where_asked(tmp_path):
    path = tmp_path / "log.tsv"
    run(callbacks.CSVLogger(path, separator="\t"), [0.5, 0.25], "loss")
    assert read(path, "\t") == [["epoch", "loss"], ["0", "0.5"], ["1", "0.25"]]
    run(callbacks.CSVLogger(path, separator="\t", append=True), [0.125], "loss")
    assert read(path, "\t")[-2:] == [["1", "0.25"], ["0", "0.125"]]
    run(callbacks.CSVLogger(path, separator="\t"), [math.nan], "loss")
    assert read(path, "\t") == [["epoch", "loss"], ["0", "nan"]]


def test_a_csv_logger_adds_columns_that_come_late(tmp_path):
    logger = callbacks.CSVLogger(tmp_path / "log.csv")
    logger.on_train_begin()
    logger.on_epoch_end(0, {"mae": 2.0, "loss": 1.0})
    logger.on_epoch_end(1, {"loss": 0.5, "mae": 1.0, "val_loss": np.array([1, 2])})
    logger.on_epoch_end(2, {"loss": 0.25, "mae": 0.5})
    assert read(tmp_path / "log.csv") == [
        ["epoch", "loss", "mae", "val_loss"],
        ["0", "1.0", "2.0", "NA"],
        ["1", "0.5", "1.0", '"[1, 2]"'],
        ["2", "0.25", "0.5", "NA"],
    ]


# Real models


def make_model(use_ema=False):
    model = models.Sequential(
        [
            layers.Input((4, 2)),
            layers.LSTM(3, dropout=0.3, recurrent_dropout=0.2, return_sequences=True),
            layers.GRU(3),
            layers.Dropout(0.2),
            layers.Dense(1),
        ]
    )
    model.compile(optimizers.Adam(0.05, use_ema=use_ema), "mse")
    return model


@pytest.fixture
def data(rng):
    return rng.normal(size=(10, 4, 2)).astype("float32"), rng.normal(size=(10, 1)).astype("float32")


class Interruption(Exception):
    pass


def interrupt(epoch, batch):
    """A callback that cuts training off within that epoch."""
    seen = []

    def stop(index, logs):
        if len(seen) == epoch + 1 and index == batch:
            raise Interruption

    return callbacks.LambdaCallback(on_epoch_begin=lambda index, logs: seen.append(index), on_train_batch_end=stop)


@pytest.mark.parametrize("batch", [0, 2])
def test_a_run_that_was_cut_off_ends_with_the_weights_of_one_that_was_not(data, tmp_path, batch):
    random.set_random_seed(3)
    unbroken = make_model()
    unbroken.fit(*data, batch_size=4, epochs=5, verbose=0)

    random.set_random_seed(3)
    model, backup = make_model(), callbacks.BackupAndRestore(tmp_path / "backup")
    with pytest.raises(Interruption):
        model.fit(*data, batch_size=4, epochs=5, verbose=0, callbacks=[backup, interrupt(2, batch)])
    random.set_random_seed(3)
    resumed, backup = make_model(), callbacks.BackupAndRestore(tmp_path / "backup")
    history = resumed.fit(*data, batch_size=4, epochs=5, verbose=0, callbacks=[backup])
    assert history.epoch == [2, 3, 4]
    for a, b in zip(unbroken.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not (tmp_path / "backup").exists()
    assert resumed.fit(*data, epochs=1, verbose=0).epoch == [0]


def test_a_resumed_run_knows_that_averages_stood_in_the_weights(data, tmp_path):
    def fit(*others):
        random.set_random_seed(3)
        model, listed = make_model(use_ema=True), [callbacks.SwapEMAWeights(swap_on_epoch=True), *others]
        model.fit(*data, batch_size=4, epochs=4, verbose=0, callbacks=listed)
        return model.get_weights()

    unbroken = fit()
    with pytest.raises(Interruption):
        fit(callbacks.BackupAndRestore(tmp_path / "backup"), interrupt(2, 0))
    for a, b in zip(unbroken, fit(callbacks.BackupAndRestore(tmp_path / "backup")), strict=True):
        np.testing.assert_array_equal(a, b)


class Walk(utils.PyDataset):
    """Batches in an order of their own at each epoch."""

    def __init__(self, x, y):
        super().__init__()
        self.x, self.y, self.order, self.rng = x, y, np.arange(5), np.random.default_rng(1)

    def __len__(self):
        return 5

    def __getitem__(self, index):
        rows = slice(2 * self.order[index], 2 * self.order[index] + 2)
        return self.x[rows], self.y[rows]

    def on_epoch_end(self):
        self.rng.shuffle(self.order)


def shuffled(x, y, seed):
    return Dataset.from_tensor_slices((x, y)).shuffle(10, seed=seed).batch(3)


SOURCES = {
    "arrays cut by steps": (lambda x, y: (x, y), {"batch_size": 2, "steps_per_epoch": 2}),
    "a seeded dataset": (lambda x, y: (shuffled(x, y, 5),), {}),
    "a seeded dataset that repeats": (lambda x, y: (shuffled(x, y, 5).repeat(),), {"steps_per_epoch": 3}),
    "a dataset cut by steps": (lambda x, y: (shuffled(x, y, None),), {"steps_per_epoch": 3}),
    "a dataset that repeats": (lambda x, y: (shuffled(x, y, None).repeat(),), {"steps_per_epoch": 3}),
    "a dataset": (lambda x, y: (shuffled(x, y, None),), {}),
    "a PyDataset": (lambda x, y: (Walk(x, y),), {}),
    "a PyDataset cut by steps": (lambda x, y: (Walk(x, y),), {"steps_per_epoch": 2}),
}


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@pytest.mark.parametrize("seeds", [(3, 3, 3), (3, 4, 5)])
@pytest.mark.parametrize("others_draw", [False, True])
def test_a_resumed_run_goes_on_where_the_data_stood(data, tmp_path, kind, seeds, others_draw):
    make, told = SOURCES[kind]

    def run(*chosen, seed):
        random.set_random_seed(3)
        model = make_model()
        random.set_random_seed(seed)
        validation = shuffled(*data, None) if others_draw else None  # it draws from the stream after each epoch
        if others_draw:
            chosen = [*chosen, callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: random.draw_seed())]
        model.fit(*make(*data), epochs=6, verbose=0, callbacks=chosen, validation_data=validation, **told)
        return model.get_weights()

    def backup():
        return callbacks.BackupAndRestore(tmp_path / "backup")

    unbroken = run(seed=3)
    for seed in seeds[:2]:  # cut off, gone on with, and cut off again
        with pytest.raises(Interruption):
            run(backup(), interrupt(2, 0), seed=seed)
    resumed = run(backup(), seed=seeds[2])
    for a, b in zip(unbroken, resumed, strict=True):
        np.testing.assert_array_equal(a, b)


class Drawing(Walk):
    """Draws its orders from recurra's stream."""

    def on_epoch_end(self):
        np.random.default_rng(random.draw_seed()).shuffle(self.order)


def parts_of_one(x, y):
    """One shuffled dataset, the head of a reading to train on and the tail of another one to validate on."""
    rows = Dataset.from_tensor_slices((x, y)).shuffle(len(x), seed=5)
    return rows.take(7).batch(3), rows.skip(7).batch(2)


def of_one_order(x, y):
    return Dataset.from_tensor_slices((x, y)).shuffle(len(x), reshuffle_each_iteration=False).batch(3)


VALIDATED = {
    "a seeded dataset": lambda x, y: ((x, y), shuffled(x, y, 5)),
    "a dataset of one order": lambda x, y: ((x, y), of_one_order(x, y)),
    "a PyDataset": lambda x, y: ((x, y), Walk(x, y)),
    "a PyDataset that draws": lambda x, y: ((x, y), Drawing(x, y)),
    "two PyDatasets that draw": lambda x, y: ((Drawing(x, y),), Drawing(x, y)),
    "parts of one dataset": lambda x, y: ((parts_of_one(x, y)[0],), parts_of_one(x, y)[1]),
}


@pytest.mark.parametrize("kind", VALIDATED)
@pytest.mark.parametrize("frequency", [1, 2, [1, 2, 5]])
@pytest.mark.parametrize("steps", [1, None])
def test_a_resumed_run_validates_on_what_the_unbroken_one_does(data, tmp_path, kind, frequency, steps):
    def run(*chosen):
        random.set_random_seed(3)
        model, (training, validation) = make_model(), VALIDATED[kind](*data)
        told = {"validation_data": validation, "validation_steps": steps, "validation_freq": frequency}
        history = model.fit(*training, batch_size=4, epochs=8, initial_epoch=1, verbose=0, callbacks=chosen, **told)
        return history.history["val_loss"], history.history["loss"], random.draw_seed()

    unbroken = run()
    with pytest.raises(Interruption):
        run(callbacks.BackupAndRestore(tmp_path), interrupt(3, 0))  # in epoch 4, of which the first is 1
    resumed = run(callbacks.BackupAndRestore(tmp_path))
    assert resumed[0] == unbroken[0][-len(resumed[0]) :] and resumed[1] == unbroken[1][-4:]
    assert resumed[2] == unbroken[2]


@pytest.mark.parametrize("cut", [1, 3])
@pytest.mark.parametrize("stop", [False, True])
def test_a_fit_that_was_complete_leaves_the_data_to_the_next_as_it_did(data, tmp_path, cut, stop):
    def run(folder, *others):
        random.set_random_seed(3)
        model, dataset, history = make_model(), shuffled(*data, 5), []
        for part in range(2):
            early = callbacks.EarlyStopping("loss", min_delta=10)  # after its second epoch
            backup = callbacks.BackupAndRestore(tmp_path / folder / str(part), delete_checkpoint=False)
            chosen = [backup, *others, *([early] if stop and part == 0 else [])]
            history += model.fit(dataset, epochs=3, verbose=0, callbacks=chosen).history.get("loss", [])
        return model.get_weights(), history

    unbroken, history = run("a")
    assert len(history) == (5 if stop else 6)
    begun = []

    def interrupted(epoch, logs):
        begun.append(epoch)
        if len(begun) == len(history) - 3 + cut:
            raise Interruption

    with pytest.raises(Interruption):
        run("b", callbacks.LambdaCallback(on_epoch_begin=interrupted))
    resumed, rest = run("b")
    assert rest == history[-(4 - cut) :]
    for a, b in zip(unbroken, resumed, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_resumed_run_goes_on_with_numpys_and_pythons_own_random_numbers(data, tmp_path):
    class Noisy(Walk):
        def __getitem__(self, index):
            x, y = super().__getitem__(index)
            return x + np.random.normal(0, 0.1, x.shape), y * python_random.gauss(1, 0.1)

    def run(*chosen):
        utils.set_random_seed(3)
        model = make_model()
        history = model.fit(Noisy(*data), epochs=5, verbose=0, callbacks=chosen).history
        return history["loss"], np.random.random(), np.random.normal(), python_random.gauss(0, 1)

    unbroken = run()
    with pytest.raises(Interruption):
        run(callbacks.BackupAndRestore(tmp_path), interrupt(2, 1))
    losses, *drawn = run(callbacks.BackupAndRestore(tmp_path))
    assert (losses, drawn) == (unbroken[0][2:], list(unbroken[1:]))


def test_epochs_know_no_more_draws_than_it_takes_to_draw_them_again(data):
    class Drawing:
        """Batches that each draw."""

        def __iter__(self):
            return ((None, random.draw_seed()) for _ in range(50))

    epochs = Epochs(IterableBatches(Drawing(), tuple), 10)
    list(epochs())
    list(epochs())
    assert [taken for taken, _ in epochs.draws] == [0]
    random.draw_seed()  # by something else
    third = [seed for _, seed in epochs()]
    assert [taken for taken, _ in epochs.draws] == [0, 20]
    again = Epochs(IterableBatches(Drawing(), tuple), 10)
    again.pass_over(2, random.get_stream_state(), epochs.draws)
    assert [taken for taken, _ in again.draws] == [0]
    random.set_stream_state(epochs.draws[1][1])
    assert [seed for _, seed in again()] == third


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_a_backup_of_an_earlier_version_is_gone_on_with(data, tmp_path):
    """Without draws the data are read over as if nothing else had drawn from the stream."""
    told = {"batch_size": 2, "steps_per_epoch": 2, "epochs": 6, "verbose": 0}
    random.set_random_seed(3)
    unbroken = make_model()
    unbroken.fit(*data, **told)
    random.set_random_seed(3)
    with pytest.raises(Interruption):
        make_model().fit(*data, callbacks=[callbacks.BackupAndRestore(tmp_path), interrupt(3, 0)], **told)
    changed_backup(tmp_path / "backup.npz", {"draws": None, "global_states": None})
    resumed = make_model()
    resumed.fit(*data, callbacks=[callbacks.BackupAndRestore(tmp_path)], **told)
    for a, b in zip(unbroken.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_data_that_fail_when_they_are_read_over_leave_the_random_stream_alone():
    class Broken:
        def __iter__(self):
            raise OSError("gone")

    before = random.get_stream_state()
    with pytest.raises(OSError, match="gone"):
        Epochs(IterableBatches(Broken(), tuple), None).pass_over(1, np.random.default_rng(7).bit_generator.state, [])
    assert random.get_stream_state() == before


def forgetful(tmp_path, place):
    """Callbacks that remember something, and a backup at any place among them; the learning rate falls twice."""
    chosen = [
        callbacks.ReduceLROnPlateau(patience=2, factor=0.5, cooldown=1),
        callbacks.EarlyStopping(patience=4, restore_best_weights=True),
        callbacks.ModelCheckpoint(tmp_path / "best.weights.h5", save_best_only=True, save_weights_only=True),
    ]
    chosen.insert(place, callbacks.BackupAndRestore(tmp_path / "backup"))
    return chosen


@pytest.mark.parametrize("place", [0, 2, 3])
@pytest.mark.parametrize("epoch", [4, 7, 8])
def test_a_resumed_run_goes_on_with_what_its_callbacks_remembered(data, tmp_path, place, epoch):
    told = {"batch_size": 4, "epochs": 40, "verbose": 0, "validation_data": (data[0][5:], data[1][5:])}
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    random.set_random_seed(3)
    unbroken, chosen = make_model(), forgetful(tmp_path / "a", place)
    history = unbroken.fit(*data, callbacks=chosen, **told)
    assert len(set(history.history["learning_rate"])) > 1
    assert 8 < len(history.epoch) < 40  # stopped early, after every interruption

    random.set_random_seed(3)
    with pytest.raises(Interruption):
        make_model().fit(*data, callbacks=[*forgetful(tmp_path / "b", place), interrupt(epoch, 1)], **told)
    random.set_random_seed(3)
    resumed = make_model()
    resumed_history = resumed.fit(*data, callbacks=forgetful(tmp_path / "b", place), **told)
    assert resumed_history.epoch == history.epoch[epoch:]
    assert resumed_history.history["learning_rate"] == history.history["learning_rate"][epoch:]
    best = [make_model(), make_model()]
    best[0].load_weights(tmp_path / "a" / "best.weights.h5")
    best[1].load_weights(tmp_path / "b" / "best.weights.h5")
    for one, other in ((unbroken, resumed), best):
        for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_resumed_run_takes_callbacks_that_the_backup_does_not_know(data, tmp_path):
    told = {"batch_size": 4, "epochs": 6, "verbose": 0}
    with pytest.raises(Interruption):
        make_model().fit(*data, callbacks=[callbacks.BackupAndRestore(tmp_path / "b"), interrupt(3, 1)], **told)
    new = callbacks.EarlyStopping("loss"), callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras", save_freq=4)
    resumed = make_model().fit(*data, callbacks=[*new, callbacks.BackupAndRestore(tmp_path / "b")], **told)
    assert resumed.epoch == [3, 4, 5]
    assert new[0].best == min(resumed.history["loss"])
    assert sorted(file.name for file in tmp_path.glob("*.keras")) == ["5.keras", "6.keras"]


def test_a_resumed_run_goes_on_with_the_states_of_both_directions(data, tmp_path):
    def stateful():
        gru = layers.GRU(3, stateful=True, dropout=0.2)
        model = models.Sequential([layers.Input(batch_shape=(5, 4, 2)), layers.Bidirectional(gru), layers.Dense(1)])
        model.compile("adam", "mse")
        return model

    told = {"batch_size": 5, "epochs": 4, "shuffle": False, "verbose": 0}
    x, y = data[0][:10], data[1][:10]
    random.set_random_seed(3)
    unbroken = stateful()
    unbroken.fit(x, y, **told)
    random.set_random_seed(3)
    with pytest.raises(Interruption):
        stateful().fit(x, y, callbacks=[callbacks.BackupAndRestore(tmp_path), interrupt(2, 1)], **told)
    resumed = stateful()
    resumed.fit(x, y, callbacks=[callbacks.BackupAndRestore(tmp_path)], **told)
    for a, b in zip(unbroken.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(unbroken.layers[0].states, resumed.layers[0].states, strict=True):
        np.testing.assert_array_equal(a, b)


class CutOff(callbacks.BackupAndRestore):
    """Cut off at the end of epoch 2, before the backup."""

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 2:
            raise Interruption
        super().on_epoch_end(epoch, logs)


@pytest.mark.parametrize("before", [0, 1])
def test_the_log_of_a_resumed_run_has_each_epoch_once(data, tmp_path, before):
    log, told = tmp_path / "log.csv", {"epochs": 5, "verbose": 0}
    if before:
        make_model().fit(*data, epochs=1, verbose=0, callbacks=[callbacks.CSVLogger(log)])
    with pytest.raises(Interruption):
        make_model().fit(*data, callbacks=[callbacks.CSVLogger(log, append=True), CutOff(tmp_path / "backup")], **told)
    first = log.read_text().splitlines()
    chosen = [callbacks.CSVLogger(log, append=True), callbacks.BackupAndRestore(tmp_path / "backup")]
    history = make_model().fit(*data, callbacks=chosen, **told)
    rows = list(csv.reader(log.read_text().splitlines()))
    assert [row[0] for row in rows] == ["epoch", *["0"] * before, "0", "1", "2", "3", "4"]
    assert log.read_text().splitlines()[: len(first) - 1] == first[:-1]
    assert [float(row[1]) for row in rows[-3:]] == history.history["loss"]


def test_a_log_goes_on_beside_a_backup_that_knew_none(data, tmp_path):
    with pytest.raises(Interruption):
        make_model().fit(*data, epochs=5, verbose=0, callbacks=[CutOff(tmp_path / "backup")])
    log = tmp_path / "log.csv"
    log.write_text("epoch,loss\n0,0.5\n1,0.25\n")
    chosen = [callbacks.CSVLogger(log, append=True), callbacks.BackupAndRestore(tmp_path / "backup")]
    make_model().fit(*data, epochs=5, verbose=0, callbacks=chosen)
    assert [row[0] for row in csv.reader(log.read_text().splitlines())] == ["epoch", "0", "1", "2", "3", "4"]


def test_a_backup_takes_what_a_killed_one_left_with_it(data, tmp_path):
    folder = tmp_path / "backup"
    folder.mkdir()
    (folder / ".recurra-0123456789abcdef.tmp").write_bytes(b"half")
    begun = []
    look = callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: begun.append(list(folder.iterdir())))
    make_model().fit(*data, epochs=1, verbose=0, callbacks=[callbacks.BackupAndRestore(folder), look])
    assert begun == [[]]
    assert not folder.exists()


def test_a_folder_that_cannot_be_deleted_stays(data, tmp_path):
    """A mount point, say, or a link."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    model = make_model()
    assert model.fit(*data, epochs=2, verbose=0, callbacks=[callbacks.BackupAndRestore(tmp_path / "link")]).epoch
    (tmp_path / "real" / "other").touch()
    assert model.fit(*data, epochs=2, verbose=0, callbacks=[callbacks.BackupAndRestore(tmp_path / "real")]).epoch
    assert [file.name for file in (tmp_path / "link").iterdir()] == ["other"]


@pytest.mark.parametrize("save_freq", ["epoch", 1, 2, 7])
def test_a_run_that_had_stopped_before_it_was_cut_off_stays_stopped(data, tmp_path, save_freq):
    def chosen():
        backup = callbacks.BackupAndRestore(tmp_path / "backup", save_freq, delete_checkpoint=False)
        return [backup, callbacks.EarlyStopping("loss", patience=0, min_delta=10, restore_best_weights=True)]

    def deep_model():  # of more than ten weights
        line = [layers.Dense(3, activation="tanh") for _ in range(6)]
        model = models.Sequential([layers.Input((4, 2)), layers.GRU(3), *line, layers.Dense(1)])
        model.compile("adam", "mse")
        return model

    model = deep_model()
    assert model.fit(*data, epochs=5, verbose=0, callbacks=chosen()).epoch == [0, 1]
    again = deep_model()
    assert again.fit(*data, epochs=5, verbose=0, callbacks=chosen()).epoch == []
    for a, b in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_run_that_ran_out_of_time_goes_on_at_the_next_call(data, tmp_path):
    class Budget(Callback):
        def on_train_begin(self, logs=None):
            self.left = 2

        def on_epoch_end(self, epoch, logs=None):
            self.left -= 1
            if not self.left:
                self.model.stop_training = True

    def fit(*others):
        utils.set_random_seed(0)
        model = make_model()
        called = [*others, callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)]
        return model, model.fit(*data, epochs=6, verbose=0, callbacks=called).epoch

    early = callbacks.EarlyStopping("loss", patience=10)
    runs = [fit(Budget(), early) for _ in range(3)]
    assert [epochs for _, epochs in runs] == [[0, 1], [2, 3], [4, 5]]
    utils.set_random_seed(0)
    whole = make_model()
    whole.fit(*data, epochs=6, verbose=0)
    for a, b in zip(runs[-1][0].get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", ["a seeded dataset", "a PyDataset"])
def test_an_epoch_that_was_stopped_between_two_batches_is_done_again(data, tmp_path, kind):
    class Stop(Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.epoch = epoch

        def on_train_batch_end(self, batch, logs=None):
            if (self.epoch, batch) == (2, 1):
                self.model.stop_training = True

    def fit(*others):
        utils.set_random_seed(0)
        model = make_model()
        return model, model.fit(*SOURCES[kind][0](*data), epochs=4, verbose=0, callbacks=[*others]).epoch

    whole, _ = fit()
    early = callbacks.EarlyStopping("loss", min_delta=10, patience=1, start_from_epoch=1)  # stops then too
    stopped, first = fit(Stop(), early, callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False))
    resumed, rest = fit(callbacks.BackupAndRestore(tmp_path))
    assert (first, rest) == ([0, 1, 2], [2, 3])
    assert int(stopped.optimizer.iterations) < int(resumed.optimizer.iterations)
    for a, b in zip(resumed.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_backup_within_the_first_epoch_knows_which_that_is(data, tmp_path):
    told = {"batch_size": 2, "verbose": 0}
    backup = callbacks.BackupAndRestore(tmp_path, save_freq=2)
    with pytest.raises(Interruption):
        make_model().fit(*data, epochs=8, initial_epoch=5, callbacks=[backup, interrupt(0, 3)], **told)
    again = callbacks.BackupAndRestore(tmp_path, save_freq=2)
    assert make_model().fit(*data, epochs=8, initial_epoch=5, callbacks=[again], **told).epoch == [5, 6, 7]
    with pytest.raises(Interruption):
        make_model().fit(*data, epochs=3, callbacks=[again, interrupt(0, 3)], **told)
    assert make_model().fit(*data, epochs=3, callbacks=[again], **told).epoch == [0, 1, 2]


def test_a_list_of_callbacks_that_knows_no_epochs_keeps_backups_too(data, tmp_path):
    def fit():
        model = make_model()
        early = callbacks.EarlyStopping("loss", min_delta=10)
        chosen = [early, callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)]
        listed = CallbackList(chosen, add_history=True, model=model)
        return model.fit(*data, epochs=5, verbose=0, callbacks=listed).epoch

    assert [fit(), fit()] == [[0, 1], []]


def test_a_backup_may_be_kept_and_made_within_an_epoch(data, tmp_path):
    model = make_model()
    backup = callbacks.BackupAndRestore(tmp_path, save_freq=2, delete_checkpoint=False)
    model.fit(*data, batch_size=4, epochs=1, verbose=0, callbacks=[backup])
    again = make_model()
    again.fit(*data, epochs=0, verbose=0, callbacks=[callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)])
    assert int(again.optimizer.iterations) == 2


def test_a_backup_of_another_model_or_a_broken_one_is_refused(data, tmp_path):
    backup = callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
    make_model().fit(*data, epochs=1, verbose=0, callbacks=[backup])
    other = models.Sequential([layers.Input((4, 2)), layers.LSTM(5), layers.Dense(1)])
    other.compile("adam", "mse")
    with pytest.raises(FileFormatError, match="a backup of this model"):
        other.fit(*data, epochs=1, verbose=0, callbacks=[backup])
    whole = (tmp_path / "backup.npz").read_bytes()
    middle = whole.index(b"NUMPY", len(whole) // 2) + 60  # in a member, not between two of them
    version = whole.index(b"PK\x01\x02") + 6  # that a reader needs, in the list of members
    newer = whole[:version] + b"\xff" + whole[version + 1 :]
    for damaged in (b"0", b"", whole[:middle], whole[:middle] + b"?" * 9 + whole[middle + 9 :], newer):
        (tmp_path / "backup.npz").write_bytes(damaged)
        with pytest.raises(FileFormatError, match=r"a whole backup.*delete it to begin anew"):
            make_model().fit(*data, epochs=1, verbose=0, callbacks=[backup])
    (tmp_path / "backup.npz").write_bytes(whole)
    with np.load(tmp_path / "backup.npz") as file:
        members = {name: file[name] for name in file.files}
    del members["weight_0"]
    np.savez(tmp_path / "backup.npz", **members)
    with pytest.raises(FileFormatError, match="a whole backup"):
        make_model().fit(*data, epochs=1, verbose=0, callbacks=[backup])
    np.savez(tmp_path / "backup.npz", other=np.ones(3))
    with pytest.raises(FileFormatError, match="a whole backup"):
        make_model().fit(*data, epochs=1, verbose=0, callbacks=[backup])


def changed_backup(path, meta=None, **arrays):
    """Writes a backup anew with other numbers in it, and with another meta: None takes a key of it out."""
    with np.load(path) as file:
        members = {name: file[name] for name in file.files} | arrays
    told = json.loads(str(members["meta"])) | (meta or {})
    members["meta"] = np.array(json.dumps({key: value for key, value in told.items() if value is not None}))
    np.savez(path, **members)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"meta": {"averages_swapped": None}}, "KeyError: 'averages_swapped'"),
        ({"meta": {"seeds": None}}, "KeyError"),
        ({"meta": {"seeds": [["a", 1]] * 3}}, "ValueError"),
        ({"meta": {"stream": None}}, "KeyError"),
        ({"meta": {"stream": {"bit_generator": "PCG64"}}}, "KeyError"),
        ({"meta": {"stream_at_start": [1]}}, "TypeError"),
        ({"meta": {"draws": [[1, "x"]]}}, "TypeError"),
        ({"meta": {"global_states": {"python": [3, [1], 0]}}}, "ValueError"),
        ({"meta": {"global_states": {"python": python_random.getstate(), "numpy": 3}}}, "TypeError"),
        ({"meta": {"epoch": "2"}}, "TypeError: epoch '2'"),
        ({"meta": {"stopped": None}}, "KeyError"),
        ({"weight_1": np.full((3, 9), "a")}, "an array of dtype <U1"),
        ({"state_0_0": np.ones((5, 4))}, "a backup of this model"),
        ({"memory/EarlyStopping_0/wait": np.ones(2)}, "ValueError"),
    ],
)
def test_a_backup_is_checked_whole_before_anything_changes(data, tmp_path, change, words):
    def make():
        random.set_random_seed(3)
        gru = layers.GRU(3, stateful=True, dropout=0.2)
        model = models.Sequential([layers.Input(batch_shape=(5, 4, 2)), gru, layers.Dropout(0.1), layers.Dense(1)])
        model.compile("adam", "mse")
        return model

    def chosen():
        stop = callbacks.EarlyStopping("loss", patience=9, restore_best_weights=True)
        return [stop, callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)]

    make().fit(*data, batch_size=5, epochs=2, verbose=0, callbacks=chosen())
    changed_backup(tmp_path / "backup.npz", **change)
    model = make()
    stop, backup = chosen()
    variables = [*model.weights, *(seed.state for seed in model._seeds())]
    before = [variable.numpy() for variable in variables]
    stream = random.get_stream_state()
    with pytest.raises(FileFormatError, match=words):
        model.fit(*data, batch_size=5, epochs=4, verbose=0, callbacks=[stop, backup])
    for variable, value in zip(variables, before, strict=True):
        np.testing.assert_array_equal(variable.value, value)
    assert int(model.optimizer.iterations) == 0 and not np.any(model.layers[0].states[0])
    assert stop.wait == 0 and stop.best_weights is None and random.get_stream_state() == stream


def test_ctrl_c_while_a_backup_is_restored_comes_after_it(data, tmp_path, monkeypatch):
    backup = callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
    saved = make_model()
    saved.fit(*data, epochs=2, verbose=0, callbacks=[backup])
    model, calls = make_model(), []
    assign = Variable.assign

    def interrupted(self, value):
        calls.append(value)
        if len(calls) == 1:
            signal.raise_signal(signal.SIGINT)
        return assign(self, value)

    monkeypatch.setattr(Variable, "assign", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit(*data, epochs=4, verbose=0, callbacks=[backup])
    assert model.optimizer.iterations == saved.optimizer.iterations > 0
    for a, b in zip(model.get_weights(), saved.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_backups_need_a_directory_and_a_frequency():
    with pytest.raises(ValueError, match="Empty `backup_dir` argument passed"):
        callbacks.BackupAndRestore("")
    with pytest.raises(ValueError, match="Invalid value for argument `save_freq`"):
        callbacks.BackupAndRestore("x", save_freq=0.15)


@pytest.mark.parametrize("swap_on_epoch", [False, True])
def test_averages_are_evaluated_and_the_weights_go_on(data, swap_on_epoch):
    random.set_random_seed(4)
    plain = make_model(use_ema=True)
    plain.fit(*data, epochs=3, verbose=0)
    random.set_random_seed(4)
    model = make_model(use_ema=True)
    swap = callbacks.SwapEMAWeights(swap_on_epoch)
    history = model.fit(*data, epochs=3, verbose=0, validation_data=data, callbacks=[swap])
    for a, b in zip(plain.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert history.history["val_loss"][-1] == pytest.approx(model.evaluate(*data, verbose=0))


def test_swapping_needs_an_optimizer_with_averages(data):
    with pytest.raises(ValueError, match="SwapEMAWeights must be used when `use_ema=True`"):
        make_model().fit(*data, verbose=0, validation_data=data, callbacks=[callbacks.SwapEMAWeights()])


@pytest.mark.parametrize("wrong", [callbacks.EarlyStopping, "early_stopping", 5])
def test_what_is_no_callback_is_refused(data, wrong):
    with pytest.raises(TypeError, match=r"CallbackList expected callbacks, got .*EarlyStopping\(\)"):
        make_model().fit(*data, verbose=0, callbacks=[wrong])


def test_a_callback_list_has_to_know_the_model_and_to_keep_the_history(data):
    model = make_model()
    before = model.get_weights()
    stop = callbacks.EarlyStopping("loss", patience=0, min_delta=10)
    for told in ({}, {"add_history": True}, {"model": model}, {"add_history": True, "model": make_model()}):
        with pytest.raises(ValueError, match=r"fit expected a CallbackList with this model and a History.*add_history"):
            model.fit(*data, epochs=3, verbose=0, callbacks=callbacks.CallbackList([stop], **told))
    np.testing.assert_array_equal(before[0], model.get_weights()[0])
    whole = callbacks.CallbackList([stop], add_history=True, model=model)
    assert model.fit(*data, epochs=3, verbose=0, callbacks=whole).epoch == [0, 1]


def test_a_checkpoint_that_tells_says_where_before_and_after(data, tmp_path, capsys):
    path = tmp_path / "{epoch}.weights.h5"
    checkpoint = callbacks.ModelCheckpoint(path, verbose=1, save_weights_only=True)
    make_model().fit(*data, epochs=1, verbose=0, callbacks=[checkpoint])
    name = str(path).format(epoch=1)
    assert capsys.readouterr().out == f"\nEpoch 1: saving model to {name}\n\nEpoch 1: finished saving model to {name}\n"


def test_early_stopping_and_checkpoints_on_a_real_run(data, tmp_path):
    model, path = make_model(), tmp_path / "best.keras"
    chosen = [
        callbacks.EarlyStopping(patience=2, restore_best_weights=True),
        callbacks.ModelCheckpoint(path, save_best_only=True),
        callbacks.CSVLogger(tmp_path / "log.csv"),
    ]
    history = model.fit(*data, epochs=8, verbose=0, validation_data=data, callbacks=chosen)
    loaded = models.load_model(path)
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert len(read(tmp_path / "log.csv")) == len(history.epoch) + 1


@pytest.mark.parametrize("other", [{"batch": 8}, {"stateful": False}])
def test_a_backup_of_other_states_is_refused_before_anything_changes(other, tmp_path):
    def make(batch=4, stateful=True):
        utils.set_random_seed(0)
        line = [layers.LSTM(3, stateful=stateful), layers.Dense(1)]
        model = models.Sequential([layers.Input(batch_shape=(batch, 5, 2)), *line])
        model.compile("adam", "mse")
        return model

    def fit(model):
        x, y = np.ones((8, 5, 2), "float32"), np.ones((8, 1), "float32")
        batch = model.inputs[0].shape[0]
        backup = callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
        model.fit(x, y, batch_size=batch, epochs=2, shuffle=False, verbose=0, callbacks=[backup])

    fit(make())
    model = make(**other)
    before = model.get_weights()
    with pytest.raises(FileFormatError, match="a backup of this model"):
        fit(model)
    for one, own in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, own)


def test_a_resumed_run_warns_of_its_own_epochs_alone(tmp_path):
    def fit(*others):
        utils.set_random_seed(0)
        model = models.Sequential([layers.Input((3,)), layers.Dense(1)])
        model.compile("sgd", "mse")
        told = {"steps_per_epoch": 3, "batch_size": 4, "epochs": 3, "verbose": 0}  # 4, 4, 4; 4; 4, 4, 4
        model.fit(np.ones((16, 3)), np.ones((16, 1)), callbacks=[callbacks.BackupAndRestore(tmp_path), *others], **told)

    class Stopped(Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise KeyboardInterrupt

    with pytest.warns(UserWarning, match="ran out of data after 1 of 3 steps"), pytest.raises(KeyboardInterrupt):
        fit(Stopped())
    fit()  # pytest makes errors of warnings


@pytest.mark.parametrize("kind", [callbacks.EarlyStopping, callbacks.ReduceLROnPlateau])
def test_what_is_monitored_is_one_number(kind):
    callback = kind("f1_score", mode="max")
    callback.set_model(Dummy())
    callback.on_train_begin()
    callback.on_epoch_end(0, {"f1_score": np.array([0.5])})
    message = rf"{kind.__name__} expected one number for f1_score, got 3: .*F1Score\(average='macro'\)"
    with pytest.raises(ValueError, match=message):
        callback.on_epoch_end(1, {"f1_score": np.array([0.1, 0.2, 0.3])})


def test_lines_show_negative_numbers_as_keras_s_do(capsys):
    values = [("loss", -0.16128), ("mae", 0.5), ("tiny", 0.0005), ("nan", math.nan)]
    for verbose in (1, 2):
        utils.Progbar(1, verbose=verbose).update(1, values)
    bar, line = capsys.readouterr().out.splitlines()
    assert bar.endswith(" - loss: -0.1613 - mae: 0.5000 - tiny: 5.0000e-04 - nan: nan")
    assert line.endswith(" - loss: -1.6128e-01 - mae: 0.5000 - tiny: 5.0000e-04 - nan: nan")
