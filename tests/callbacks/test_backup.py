"""A run that was cut off goes on as if it had not been: weights, data, random numbers, callbacks and logs."""

import csv
import json
import random as python_random
import signal
import tracemalloc

import numpy as np
import pytest
from played import make_model

from recurra import callbacks, layers, models, random, utils
from recurra.callbacks import Callback, CallbackList
from recurra.compat import tensorflow as tf
from recurra.compat.tensorflow.data import Dataset
from recurra.errors import FileFormatError
from recurra.training.batches import Epochs, IterableBatches
from recurra.variables import Variable


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


def test_a_resumed_run_goes_on_with_how_often_seeds_were_used(data, tmp_path):
    class Drawing(layers.Layer):
        def forward(self, inputs, training=False):
            return inputs + (tf.random.normal(inputs.shape, seed=3).numpy() if training else 0), None

        def backward(self, doutputs, cache, need_dx=True):
            return doutputs

    def run(*chosen):
        utils.set_random_seed(3)
        model = models.Sequential([layers.Input(data[0].shape[1:]), Drawing(), layers.LSTM(3), layers.Dense(1)])
        model.compile("adam", "mse")
        return model.fit(*data, batch_size=4, epochs=5, verbose=0, callbacks=chosen).history["loss"]

    unbroken = run()
    with pytest.raises(Interruption):
        run(callbacks.BackupAndRestore(tmp_path), interrupt(2, 1))
    assert run(callbacks.BackupAndRestore(tmp_path)) == unbroken[2:]


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


def test_data_that_fail_when_they_are_read_over_leave_the_random_stream_alone():
    class Broken:
        def __iter__(self):
            raise OSError("gone")

    before = random.get_stream_state()
    other = {**before, **np.random.default_rng(7).bit_generator.state}
    with pytest.raises(OSError, match="gone"):
        Epochs(IterableBatches(Broken(), tuple), None).pass_over(1, other, [])
    assert random.get_stream_state() == before


def forgetful(tmp_path, place):
    """Callbacks that remember something, and a backup at any place among them; the learning rate falls twice."""
    best = {"save_best_only": True, "save_weights_only": True, "initial_value_threshold": 99}  # no float, but no count
    chosen = [
        callbacks.ReduceLROnPlateau(patience=2, factor=0.5, cooldown=1),
        callbacks.EarlyStopping(patience=4, restore_best_weights=True),
        callbacks.ModelCheckpoint(tmp_path / "best.weights.h5", **best),
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


def test_a_backup_that_unpacks_to_any_size_is_refused_before_it_takes_memory(data, tmp_path):
    backup = callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
    make_model().fit(*data, epochs=1, verbose=0, callbacks=[backup])
    with np.load(tmp_path / "backup.npz") as file:
        members = {name: file[name] for name in file.files} | {"weight_0": np.zeros(2**24)}
    np.savez_compressed(tmp_path / "backup.npz", **members)
    tracemalloc.start()
    with pytest.raises(FileFormatError, match="packed members"):
        make_model().fit(*data, epochs=1, verbose=0, callbacks=[backup])
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 2**24


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
        ({"meta": {"epoch": -1}}, "ValueError: epoch -1"),
        ({"memory/EarlyStopping_0/wait": np.ones(2)}, "ValueError"),
        ({"memory/EarlyStopping_0/wait": np.array(0.5)}, "TypeError"),
        ({"memory/EarlyStopping_0/best_weights/0": np.ones(2)}, "ValueError"),
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
