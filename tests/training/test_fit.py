"""fit, evaluate and predict: data in all their forms, batches, validation, progress lines, and what is refused."""

import re
import tracemalloc
import warnings

import numpy as np
import pytest
from doubles import OwnDense, assert_same

import recurra
from recurra import layers, optimizers
from recurra.training.batches import ArrayBatches, split_tail
from recurra.training.plan import plan_of


@pytest.fixture
def data(rng):
    x = rng.standard_normal((11, 4, 2)).astype("float32")
    return x, x.sum(axis=(1, 2))[:, None]


def make_model(seed=0, **options):
    recurra.utils.set_random_seed(seed)
    model = recurra.Sequential([recurra.Input((4, 2)), layers.GRU(5), layers.Dense(1)])
    model.compile(**({"optimizer": "adam", "loss": "mse"} | options))
    return model


@pytest.fixture
def growth_of_peak():
    """Returns the bytes of Python's memory that a call needs at most, and what it returns."""

    def measure(call):
        tracemalloc.start()
        try:
            result = call()
            return tracemalloc.get_traced_memory()[1], result
        finally:
            tracemalloc.stop()

    return measure


def weights_after(fit):
    model = make_model()
    fit(model)
    return np.concatenate([weight.ravel() for weight in model.get_weights()])


def test_arrays_generators_and_datasets_train_alike(data):
    x, y = data
    batches = [(x[i : i + 4], y[i : i + 4]) for i in (0, 4, 8)]

    class ByIndex(recurra.utils.PyDataset):
        def __len__(self):
            return 3

        def __getitem__(self, index):
            return batches[index]

    expected = weights_after(lambda m: m.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0))
    for source in (ByIndex(), iter(batches * 2)):
        steps = None if isinstance(source, ByIndex) else 3
        found = weights_after(
            lambda m, s=source, n=steps: m.fit(s, epochs=2, shuffle=False, verbose=0, steps_per_epoch=n)
        )
        np.testing.assert_array_equal(found, expected)


def test_shuffling_is_seeded_and_changes_the_run(data):
    first, again, plain = (
        weights_after(lambda m, s=shuffle: m.fit(*data, batch_size=4, epochs=2, shuffle=s, verbose=0))
        for shuffle in (True, True, False)
    )
    np.testing.assert_array_equal(first, again)
    assert np.any(first != plain)


def test_shuffling_keeps_rows_together_and_uses_each_once():
    x = np.arange(10)
    seen = [
        (a, b)
        for inputs, targets, _ in ArrayBatches([x], [x * 2], [None], 3, True)
        for a, b in zip(inputs[0], targets[0], strict=True)
    ]
    assert sorted(a for a, _ in seen) == list(range(10))
    assert all(b == 2 * a for a, b in seen)


def test_shuffled_batches_stay_whole_and_the_short_one_comes_last():
    batches = ArrayBatches([np.arange(11)], [None], [None], 3, "batch")
    epochs = [[inputs[0].tolist() for inputs, *_ in batches] for _ in range(10)]
    whole = [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert all(sorted(epoch[:-1]) == whole and epoch[-1] == [9, 10] for epoch in epochs)
    assert any(epoch[:-1] != whole for epoch in epochs)


def test_the_split_takes_the_last_rows():
    (x, y, _), (x_tail, y_tail, _) = split_tail(([np.arange(10)], [None], []), 0.25)
    assert x[0].tolist() == list(range(7))
    assert x_tail[0].tolist() == [7, 8, 9]
    assert y == y_tail == [None]


def test_validation_by_split_is_validation_on_those_rows(data):
    x, y = data
    one = make_model().fit(x, y, validation_split=0.2, shuffle=False, verbose=0).history
    other = make_model().fit(x[:8], y[:8], validation_data=(x[8:], y[8:]), shuffle=False, verbose=0).history
    assert one == other
    assert list(one) == ["loss", "val_loss"]


@pytest.mark.parametrize("way", ["native", "general"])
def test_the_loss_of_an_epoch_is_that_of_its_rows(way):
    dense = layers.Dense if way == "native" else OwnDense
    model = recurra.Sequential([recurra.Input((1,)), dense(1, kernel_initializer="ones")])
    model.compile(recurra.optimizers.SGD(0.0), "mse")
    x, y = np.array([[0], [0], [0], [0], [3]], "float32"), np.zeros((5, 1), "float32")
    assert model.fit(x, y, batch_size=4, shuffle=False, verbose=0).history["loss"] == [9 / 5]
    assert model.evaluate(x, y, batch_size=4, verbose=0) == 9 / 5


@pytest.mark.parametrize("weights", [[[1.0], [2.0], [0.5]], [[1.0, 2.0], [2.0, 0.0], [0.5, 3.0]]])
def test_metrics_weigh_what_the_mask_leaves(weights):
    model = recurra.Sequential([recurra.Input((2, 1)), layers.Masking(), layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", "mse", weighted_metrics=["mae"])
    x = np.array([[1, 2], [3, 0], [0, 4]], "float32")[..., None]
    weights = np.array(weights)
    found = model.evaluate(x, np.zeros_like(x), sample_weight=weights, verbose=0, return_dict=True)["mae"]
    assert found == pytest.approx(np.average(x[..., 0], weights=(x[..., 0] > 0) * weights))


def test_zero_weights_leave_samples_out(data):
    x, y = data
    weight = np.r_[np.ones(6), np.zeros(5)]
    wild = np.where(weight[:, None] > 0, y, 1e6)
    fit = {"epochs": 2, "batch_size": 11, "shuffle": False, "verbose": 0}
    np.testing.assert_array_equal(
        weights_after(lambda m: m.fit(x, wild, sample_weight=weight, **fit)),
        weights_after(lambda m: m.fit(x, y, sample_weight=weight, **fit)),
    )


def test_class_weights_are_sample_weights_by_class(rng):
    x = rng.standard_normal((12, 4, 2)).astype("float32")
    labels = rng.integers(0, 3, 12)

    def run(**options):
        recurra.utils.set_random_seed(0)
        model = recurra.Sequential([recurra.Input((4, 2)), layers.GRU(4), layers.Dense(3, activation="softmax")])
        model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        return model.fit(x, labels, verbose=0, shuffle=False, **options).history

    assert run(class_weight={0: 2.0, 2: 0.5}) == run(sample_weight=np.array([2.0, 1.0, 0.5])[labels])
    weighed, plain = (run(class_weight=weights, validation_split=0.25) for weights in ({0: 0.0, 1: 0.0, 2: 0.0}, None))
    assert weighed["loss"] == [0.0] != plain["loss"]
    assert weighed["val_loss"][0] > 0.5  # the weights do not reach what is held back


def test_callbacks_see_epochs_and_can_stop(data):
    seen = []

    class Stop(recurra.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append((epoch, sorted(logs)))
            self.model.stop_training = epoch == 1

    history = make_model().fit(*data, epochs=5, verbose=0, callbacks=[Stop()])
    assert history.epoch == [0, 1]
    assert seen == [(0, ["loss"]), (1, ["loss"])]


def test_an_interrupt_leaves_a_model_that_still_works(data):
    class Interrupt(recurra.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            raise KeyboardInterrupt

    model = make_model()
    with pytest.raises(KeyboardInterrupt):
        model.fit(*data, batch_size=4, verbose=0, callbacks=[Interrupt()])
    assert np.isfinite(model.fit(*data, verbose=0).history["loss"]).all()


def test_plain_progress_lines_are_keras_s(data, capsys):
    model = make_model(metrics=["mae"])
    model.fit(*data, epochs=2, batch_size=4, verbose=2)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Epoch 1/2"
    assert re.fullmatch(r"3/3 - 0s - \d+(us|ms)/step - loss: \d+\.\d{4} - mae: \d+\.\d{4}", lines[1])
    model.fit(*data, epochs=1, batch_size=4)
    assert re.fullmatch(r"3/3 ━{20} 0s \d+(us|ms)/step - loss: \d.* - mae: \d.*\n", capsys.readouterr().out)
    model.predict(data[0])
    assert re.fullmatch(r"1/1 ━{20} 0s \d+(us|ms)/step\n", capsys.readouterr().out)
    model.fit(*data, verbose=0)
    assert capsys.readouterr().out == ""


def test_a_terminal_shows_a_live_bar(data, capsys, monkeypatch):
    monkeypatch.setattr("recurra.callbacks.progress.is_live", lambda: True)
    make_model().fit(*data, batch_size=1, verbose=1)
    out = capsys.readouterr().out
    assert out.startswith("\r\x1b[1m")
    assert "\x1b[32m" + "━" * 20 in out
    assert out.endswith("\n")


def test_predict_evaluate_and_single_batches_agree(data):
    model = make_model(metrics=["mae"])
    model.fit(*data, verbose=0)
    whole = model.predict(data[0], batch_size=3, verbose=0)
    np.testing.assert_array_equal(whole, model.predict_on_batch(data[0]))
    np.testing.assert_array_equal(whole, model(data[0]))
    loss, mae = model.evaluate(*data, verbose=0, batch_size=11)
    assert mae == pytest.approx(np.abs(whole - data[1]).mean(), rel=1e-5)
    assert model.test_on_batch(*data) == pytest.approx([loss, mae])
    assert model.evaluate(*data, verbose=0, return_dict=True).keys() == {"loss", "mae"}


@pytest.mark.parametrize("method", ["predict", "predict_on_batch"])
def test_predictions_are_no_views_of_the_data(method, data):
    x = data[0]
    model = recurra.Sequential([recurra.Input((4, 2)), layers.Identity()])
    y = getattr(model, method)(x)
    np.testing.assert_array_equal(y, x)
    assert not np.may_share_memory(y, x)


@pytest.mark.parametrize("method", ["predict", "predict_on_batch"])
def test_outputs_that_are_one_tensor_share_no_memory(method, data):
    x = recurra.Input((4, 2))
    states = layers.LSTM(3, return_sequences=True)(x)
    found = getattr(recurra.Model(x, {"a": states, "b": states}), method)(data[0])
    np.testing.assert_array_equal(found["a"], found["b"])
    found["a"][...] = 9
    assert (found["b"] != 9).all()


def test_two_outputs_have_their_own_losses(rng):
    x = recurra.Input((4, 2))
    shared = layers.GRU(4)(x)
    model = recurra.Model(x, {"a": layers.Dense(1)(shared), "b": layers.Dense(2)(shared)})
    model.compile(loss={"a": "mse", "b": "mae"}, loss_weights={"a": 1.0, "b": 0.5}, metrics={"a": ["mae"]})
    inputs = rng.standard_normal((8, 4, 2)).astype("float32")
    targets = {"a": np.ones((8, 1)), "b": np.zeros((8, 2))}
    history = model.fit(inputs, targets, verbose=0).history
    assert list(history) == ["a_loss", "a_mae", "b_loss", "loss"]
    assert history["loss"][0] == pytest.approx(history["a_loss"][0] + 0.5 * history["b_loss"][0], rel=1e-5)


def test_frozen_layers_stay_as_they_are(data):
    recurra.utils.set_random_seed(0)
    model = recurra.Sequential([recurra.Input((4, 2)), layers.GRU(5), layers.Dense(1)])
    model.layers[0].trainable = False
    model.compile(loss="mse")
    before = model.get_weights()
    model.fit(*data, verbose=0)
    after = model.get_weights()
    assert_same(after[:3], before[:3])
    assert np.any(before[3] != after[3])


def test_layers_of_one_model_train_on_in_another(data):
    x, y = data
    first = make_model()
    first.fit(x, y, verbose=0)
    second = recurra.Sequential([recurra.Input((4, 2)), *first.layers])
    second.compile(loss="mse")
    second.fit(x, y, verbose=0)
    np.testing.assert_array_equal(first.predict(x, verbose=0), second.predict(x, verbose=0))
    loss = first.evaluate(x, y, verbose=0)
    first.fit(x, y, epochs=20, verbose=0)
    assert first.evaluate(x, y, verbose=0) < loss


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda m, x, y: m.fit(x, y[:3], verbose=0), r"rows everywhere, got \d+ rows of x, 3 rows of y$"),
        (lambda m, x, y: m.train_on_batch(x, y[:3]), "the same number of rows"),
        (lambda m, x, y: m.test_on_batch(x, y[:3]), "the same number of rows"),
        (lambda m, x, y: m.fit(iter([(x, y[:3])]), verbose=0), "the same number of rows"),
        (lambda m, x, y: m.train_on_batch(x[:0], y[:0]), "at least one row"),
        (lambda m, x, y: m.fit(x[:0], y[:0], verbose=0), "at least one row"),
        (lambda m, x, y: m.fit(np.zeros((6, 4, 3)), np.zeros(6), verbose=0), r"shape \(None, 4, 2\), got \(6, 4, 3\)"),
        (lambda m, x, y: m.fit(np.array([["a"]] * 6), np.zeros(6), verbose=0), "numbers, got an array of dtype"),
        (lambda m, x, y: m.fit(x.astype(object), y, verbose=0), r"dtype object: .*\.astype\('float32'\)"),
        (lambda m, x, y: m.fit(x, ["a"] * 6, verbose=0), "fit y expected numbers, got .* <U1: turn text into numbers"),
        (lambda m, x, y: m.fit("data.csv", y, verbose=0), "expected numbers, got an array of dtype <U8: turn text"),
        (lambda m, x, y: m.fit("data.csv", verbose=0), "expected numbers, got an array of dtype <U8: turn text"),
        (lambda m, x, y: m.fit([[1, 2], [3]], y, verbose=0), "lists of one length, got lists of several: pad sequ"),
        (lambda m, x, y: m.fit(x, [[1.0], [2.0, 3.0]], verbose=0), "lists of one length, got lists of several"),
        (lambda m, x, y: m.fit([(x, y)], verbose=0), "lists of one length, got lists of several: .* a generator"),
        (lambda m, x, y: m.fit(x, 1.0, verbose=0), "fit y expected an entry for each sample, got a single number"),
        (lambda m, x, y: m.fit(x, y, sample_weight=2.0, verbose=0), "fit sample_weight expected an entry for each"),
        (lambda m, x, y: m.fit(x, verbose=0), r"targets for the output 'dense\w*', which has a loss, got none: pass y"),
        (lambda m, x, y: m.evaluate(x, verbose=0), "has a loss, got none: pass y, or batches"),
        (lambda m, x, y: m.train_on_batch(x), "has a loss, got none: pass y, or batches"),
        (lambda m, x, y: m.fit(x, np.hstack([y, y]), verbose=0), r"that fit its shape \(11, 1\), got \(11, 2\)"),
        (lambda m, x, y: m.fit(x, y > 0, class_weight=[1, 2], verbose=0), r"a dict of whole numbers .*, got \[1, 2\]"),
        (lambda m, x, y: m.fit(x, y > 0, class_weight={"a": 2}, verbose=0), "a dict of whole numbers and weights"),
        (lambda m, x, y: m.fit(x, y, verbose="yes"), "verbose expected 'auto', 0, 1 or 2, got 'yes'"),
        (lambda m, x, y: m.predict(x, batch_size=0, verbose=0), "batch_size to be a positive integer, got 0"),
        (lambda m, x, y: m.predict(None, verbose=0), "predict expected x, the inputs, got none"),
        (lambda m, x, y: m.fit(x, y, validation_split=1.0, verbose=0), "validation_split between 0 and 1"),
        (lambda m, x, y: m.fit(x[:1], y[:1], validation_split=0.3, verbose=0), "enough rows to split"),
        (lambda m, x, y: m.fit(x, y, class_weight={0: 1}, sample_weight=np.ones(11), verbose=0), "both"),
        (lambda m, x, y: m.fit(verbose=0), "x, the inputs"),
        (lambda m, x, y: m.fit(x, y, batch_size=0, verbose=0), "batch_size to be a positive integer"),
        (lambda m, x, y: m.fit(x, y, steps_per_epoch=-1, verbose=0), "steps_per_epoch to be a positive integer"),
        (lambda m, x, y: m.fit(x, y, validation_freq=0, verbose=0), "validation_freq to be a positive integer"),
        (lambda m, x, y: m.evaluate(x, y, steps=-1, verbose=0), "steps to be a positive integer"),
        (lambda m, x, y: m.fit(iter([(x, y, None, y)]), verbose=0), "batches .* got one of 4 parts"),
        (lambda m, x, y: m.fit(iter([(x, y)]), validation_split=0.5, verbose=0), "arrays with validation_split"),
        (lambda m, x, y: m.compile(loss="msee"), "losses.get expected .*: did you mean 'mse' or 'msle'"),
        (lambda m, x, y: m.compile(loss="mse", metrics=["acuracy"]), "metrics.get .*did you mean 'accuracy'"),
        (lambda m, x, y: m.compile(optimizer="adaam"), "optimizers.get expected"),
        (lambda m, x, y: recurra.Sequential([recurra.Input((4, 2)), layers.GRU(2)]).fit(x, y), "call compile"),
        (lambda m, x, y: recurra.Sequential([recurra.Input((4, 2)), layers.GRU(2)]).evaluate(x, y), "call compile"),
    ],
)
def test_a_mistake_is_told_before_any_step(data, call, message):
    model = make_model()
    before = model.get_weights()
    with pytest.raises(ValueError, match=message):
        call(model, *data)
    assert_same(model.get_weights(), before)


@pytest.mark.parametrize("told", [{"epochs": 2.0}, {"epochs": "2"}, {"initial_epoch": None}, {"validation_freq": "2"}])
def test_numbers_of_epochs_are_whole_numbers(data, told):
    with pytest.raises(TypeError, match=rf"fit expected {next(iter(told))} to be a "):
        make_model().fit(*data, verbose=0, validation_data=data, **told)
    history = make_model().fit(*data, epochs=np.int64(3), validation_data=data, validation_freq=np.int64(2), verbose=0)
    assert (history.epoch, len(history.history["val_loss"])) == ([0, 1, 2], 1)


def test_a_dataset_by_index_is_told_of_each_epoch(data):
    x, y = data
    seen = []

    class Told(recurra.utils.PyDataset):
        def __len__(self):
            return 4

        def __getitem__(self, index):
            seen.append(index)
            return x[index : index + 2], y[index : index + 2]

        def on_epoch_begin(self):
            seen.append("begin")

        def on_epoch_end(self):
            seen.append("end")

    def seen_in(run):
        seen.clear()
        run(make_model(), {"shuffle": False, "verbose": 0})
        return list(seen)

    once = ["begin", 0, 1, 2, 3, "end"]
    assert seen_in(lambda m, told: m.fit(Told(), epochs=2, **told)) == once * 2
    assert seen_in(lambda m, told: m.fit(x, y, validation_data=Told(), **told)) == once
    assert seen_in(lambda m, _: m.evaluate(Told(), verbose=0)) == once
    assert seen_in(lambda m, _: m.predict(Told(), verbose=0)) == once
    parts = seen_in(lambda m, told: m.fit(Told(), epochs=3, steps_per_epoch=2, **told))
    assert parts == ["begin", 0, 1, "end", "begin", 2, 3, "end", "begin", 0, 1, "end"]  # as Keras 3.15 does it


def test_a_generator_that_ends_begins_again_with_its_first_two_batches(data):
    x, y = data

    def batches(count):
        return ((x + 0.1 * i, y) for i in range(count))

    def losses(source, epochs):
        return make_model().fit(source, epochs=epochs, verbose=0).history["loss"]

    class ByEpoch:
        def __init__(self):
            self.epochs = iter([range(3), range(2), range(2)])

        def __iter__(self):
            return iter([(x + 0.1 * i, y) for i in next(self.epochs)])

    with pytest.warns(UserWarning, match="ran out of data after 2 of 3 steps: a generator gives its batches once"):
        ended = losses(batches(3), 3)
    assert ended == losses(ByEpoch(), 3)
    history = make_model().fit(x, y, validation_data=batches(2), epochs=3, verbose=0).history
    assert all(loss > 0 for loss in history["val_loss"])


@pytest.mark.parametrize(
    ("make", "steps", "counts", "warned"),
    [
        ("generator", None, [8, 2, 2], 2),
        ("generator", 4, [4, 4, 0, 2, 2], 3),
        ("generator", 5, [5, 3, 2, 2], 3),
        ("iterable", None, [8, 8, 8], 0),
        ("iterable", 4, [4, 4, 0, 4, 4, 0], 2),
        ("sized", 4, [4, 4, 4, 4], 0),
        ("sized", 5, [5, 3, 5, 3], 2),
    ],
)
def test_data_that_run_out_train_what_keras_trains(data, make, steps, counts, warned):
    x, y = data
    batches = [(x, y)] * 8

    class Unsized:
        def __iter__(self):
            return iter(batches)

    class Sized(Unsized):
        def __len__(self):
            return 8

    class Count(recurra.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            seen.append(0)

        def on_train_batch_end(self, batch, logs=None):
            seen[-1] += 1

    seen = []
    source = {"generator": iter(batches), "iterable": Unsized(), "sized": Sized()}[make]
    options = {"epochs": len(counts), "steps_per_epoch": steps, "callbacks": [Count()]}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        make_model().fit(source, verbose=0, **options)
    assert seen == counts  # those of Keras 3.15
    assert sum("ran out of data" in str(one.message) for one in caught) == warned


def test_a_generator_to_validate_on_that_ends_is_told(data):
    x, y = data
    with pytest.warns(UserWarning, match="ran out of data after 2 of 5 steps"):
        make_model().fit(x, y, validation_data=((x, y) for _ in range(5)), epochs=2, verbose=0)


@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
@pytest.mark.parametrize("empty", [iter([]), (item for item in ())], ids=["iterator", "generator"])
def test_no_batches_are_refused(method, empty):
    with pytest.raises(ValueError, match=f"{method} expected an iterable of at least one batch"):
        getattr(make_model(), method)(empty, verbose=0)


def test_no_steps_are_all_steps(data):
    x, y = data
    one, other = (
        make_model().fit(x, y, validation_data=(x, y), verbose=0, steps_per_epoch=n, validation_steps=n).history
        for n in (0, None)
    )
    assert one == other
    assert make_model().evaluate(x, y, steps=0, verbose=0) == make_model().evaluate(x, y, verbose=0)


def test_evaluate_lists_metrics_as_they_were_compiled(data):
    x, y = data
    model = make_model(metrics=["mse", "mae"])
    loss, mse, mae = model.evaluate(x, y, verbose=0)
    assert (loss, mse) == pytest.approx((mse, loss)) and mae != pytest.approx(mse)
    assert model.metrics_names == ["loss", "mse", "mae"]
    assert list(model.evaluate(x, y, verbose=0, return_dict=True)) == ["loss", "mae", "mse"]
    twice = make_model(metrics=["mae", "mae"], weighted_metrics=["mae"])
    assert sorted(twice.fit(x, y, verbose=0).history) == ["loss", "mae", "mae_1", "weighted_mae"]


@pytest.mark.parametrize("layer", [layers.BatchNormalization(), layers.GRU(2, stateful=True, return_sequences=True)])
def test_a_batch_that_is_refused_changes_nothing(layer, rng):
    model = recurra.Sequential([recurra.Input((4, 2), batch_size=3), layer, layers.Dropout(0.5), layers.Dense(2)])
    model.compile("sgd", "mse")
    x = rng.standard_normal((3, 4, 2)).astype("float32")
    model.fit(x, np.zeros((3, 4, 2)), batch_size=3, verbose=0)
    before, states = [v.numpy() for v in model.variables], [s.numpy() for s in getattr(layer, "states", None) or ()]
    with pytest.raises(ValueError, match=r"loss of output 'dense.*' expected targets that fit its shape .*3, 4, 2"):
        model.fit(x, np.zeros((3, 4, 3)), batch_size=3, verbose=0)
    for old, variable in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(variable.numpy(), old)
    assert_same(getattr(layer, "states", None) or (), states)


@pytest.mark.parametrize("layer", [layers.Dropout(0.5), layers.GRU(2, stateful=True, return_sequences=True)])
def test_a_refused_batch_changes_nothing_of_a_layer_that_came_after_a_step(layer):
    def now():
        return [array.numpy().tolist() for array in (*model.variables, *(getattr(layer, "states", None) or ()))]

    x, y = np.ones((4, 3, 2), "float32"), np.zeros((4, 3, 2))
    model = recurra.Sequential([recurra.Input((3, 2), batch_size=4), layers.Dense(2)])
    model.compile("sgd", "mse")
    model.train_on_batch(x, y)
    layer.trainable = False  # the weights that train stay the same
    model.add(layer)
    before = now()
    with pytest.raises(ValueError, match="expected targets that fit its shape"):
        model.train_on_batch(x, np.zeros((4, 3, 3)))
    assert now() == before


@pytest.mark.parametrize("layer", [layers.BatchNormalization(), layers.GRU(2, stateful=True, return_sequences=True)])
def test_an_interrupt_within_a_step_leaves_statistics_and_states_before_it(layer, rng):
    class Interrupted(layers.Layer):
        now = False

        def forward(self, inputs):
            return inputs, None

        def backward(self, doutputs, cache):
            if self.now:
                raise KeyboardInterrupt
            return doutputs

    last = Interrupted()
    model = recurra.Sequential([recurra.Input((4, 2), batch_size=3), layers.Dense(2), layer, last])
    model.compile("sgd", "mse")
    x = rng.standard_normal((3, 4, 2)).astype("float32")
    model.train_on_batch(x, x)
    before, states = [v.numpy() for v in model.variables], [s.numpy() for s in getattr(layer, "states", None) or ()]
    last.now = True
    with pytest.raises(KeyboardInterrupt):
        model.train_on_batch(x, x)
    for old, variable in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(variable.numpy(), old)
    assert_same(getattr(layer, "states", None) or (), states)


@pytest.mark.parametrize("method", ["predict", "evaluate", "predict_on_batch"])
def test_an_interrupt_while_a_stateful_model_predicts_leaves_all_states_before_it(method, rng):
    def activation(x):
        if interrupts:
            raise interrupts.pop()
        return np.tanh(x)

    interrupts = []
    line = [layers.LSTM(3, stateful=True, return_sequences=True), layers.GRU(2, activation=activation, stateful=True)]
    model = recurra.Sequential([recurra.Input((4, 2), batch_size=3), *line])
    model.compile("sgd", "mse")
    x = rng.standard_normal((3, 4, 2)).astype("float32")
    model.predict(x, verbose=0)
    before = [[state.numpy() for state in layer.states] for layer in line]
    interrupts.append(KeyboardInterrupt())
    arguments = {"evaluate": {"y": np.zeros((3, 2)), "verbose": 0}, "predict": {"verbose": 0}}
    with pytest.raises(KeyboardInterrupt):
        getattr(model, method)(x, **arguments.get(method, {}))
    for layer, states in zip(line, before, strict=True):
        assert_same(layer.states, states)


def test_the_outputs_of_a_row_may_have_one_target():
    x, y = np.ones((6, 3), "float32"), np.arange(6, dtype="float32")[:, None]
    histories = []
    for targets in (y, np.repeat(y, 2, axis=1)):
        model = recurra.Sequential([recurra.Input((3,)), layers.Dense(2, kernel_initializer="ones")])
        model.compile("sgd", "mse")
        histories.append(model.fit(x, targets, epochs=3, shuffle=False, verbose=0).history["loss"])
    np.testing.assert_allclose(histories[0], histories[1], rtol=1e-6)


@pytest.mark.parametrize("method", ["fit", "evaluate"])
def test_sequences_without_time_steps_are_told(method):
    model = recurra.Sequential([recurra.Input((None, 2)), layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"loss of output 'dense.*' expected at least one value, got \(4, 0, 1\)"):
        getattr(model, method)(np.zeros((4, 0, 2)), np.zeros((4, 0, 1)), verbose=0)


@pytest.mark.parametrize("epochs", [{"epochs": 0}, {"epochs": 2, "initial_epoch": 2}])
def test_no_epochs_leave_the_weights_as_they_are_though_they_are_averaged(data, epochs):
    model = make_model()
    model.compile(recurra.optimizers.SGD(use_ema=True), "mse")
    before = model.get_weights()
    model.fit(*data, verbose=0, **epochs)
    assert_same(model.get_weights(), before)


def test_compile_is_all_or_nothing(data):
    model = make_model()
    with pytest.raises(ValueError, match=r"losses\.get expected"):
        model.compile("sgd", "msee")
    assert model.loss == "mse" and model.fit(*data, verbose=0).history["loss"]


def test_an_optimizer_goes_on_with_fewer_weights(data):
    optimizer = recurra.optimizers.Adam(0.01)
    model = make_model(optimizer=optimizer)
    model.fit(*data, verbose=0)
    frozen = model.layers[0].get_weights()
    model.layers[0].trainable = False
    model.compile(optimizer, "mse")
    last = model.layers[1].get_weights()[0]
    model.fit(*data, verbose=0)
    assert_same(model.layers[0].get_weights(), frozen)
    assert np.any(model.layers[1].get_weights()[0] != last)
    with pytest.raises(ValueError, match="the variables it was built with"):
        make_model(optimizer=optimizer).fit(*data, verbose=0)


@pytest.mark.parametrize("method", ["fit", "train_on_batch"])
def test_a_layer_that_is_frozen_after_training_stays_as_it_is_though_the_optimizer_remembers_it(data, method):
    model = make_model(optimizer=recurra.optimizers.SGD(0.1, momentum=0.9, weight_decay=0.1))
    model.fit(*data, verbose=0)
    model.layers[0].trainable = False
    frozen, last = model.layers[0].get_weights(), model.layers[1].get_weights()[0]
    getattr(model, method)(*data)
    assert_same(model.layers[0].get_weights(), frozen)
    assert np.any(model.layers[1].get_weights()[0] != last)


def test_an_evaluation_asks_for_the_penalties_of_the_weights_once():
    class Counting(recurra.regularizers.L2):
        calls = 0

        def __call__(self, x):
            self.calls += 1
            return super().__call__(x)

    counting = Counting(0.5)
    model = recurra.Sequential([recurra.Input((2,)), layers.Dense(1, kernel_regularizer=counting)])
    model.compile(loss="mse")
    x, y = np.zeros((12, 2), np.float32), np.zeros((12, 1), np.float32)
    for kernel in (np.ones((2, 1)), np.full((2, 1), 2.0)):
        model.layers[0].kernel.assign(kernel)
        counting.calls = 0
        assert model.evaluate(x, y, batch_size=4, verbose=0) == 0.5 * (kernel**2).sum()
        assert counting.calls == 1
        assert model.test_on_batch(x, y) == 0.5 * (kernel**2).sum()
    model.layers[0].kernel.regularizer = None
    assert model.test_on_batch(x, y) == model.evaluate(x, y, verbose=0) == 0
    model.layers[0].kernel.regularizer = counting
    model.layers[0].trainable = False
    assert model.test_on_batch(x, y) == 0


def test_a_model_without_a_loss_needs_a_penalty(data):
    model = recurra.Sequential([recurra.Input((4, 2)), layers.GRU(2)])
    model.compile("sgd")
    with pytest.raises(ValueError, match="fit expected a loss to train with, got none"):
        model.fit(*data, verbose=0)
    model = recurra.Sequential([recurra.Input((4, 2)), layers.GRU(2, kernel_regularizer="l2")])
    model.compile("sgd")
    with pytest.warns(UserWarning, match="Gradients do not exist for variables .*/recurrent_kernel"):
        assert model.fit(*data, verbose=0).history["loss"][0] > 0


@pytest.mark.parametrize("losses", [{"a": "mse"}, {"a": "mse", "b": None}])
@pytest.mark.parametrize("optimizer", [optimizers.AdamW(0.1, weight_decay=0.5), optimizers.SGD(0.1, global_clipnorm=1)])
def test_weights_that_no_loss_depends_on_stay_as_they_are(losses, optimizer, parts):
    x, a, *_ = parts
    start = recurra.Input((3,))
    shared = layers.Dense(2, name="shared")(start)
    inner = recurra.Sequential([recurra.Input((2,)), layers.Dense(2)], name="inner")
    heads = {
        "a": layers.Dense(1, name="a")(shared),
        "b": layers.Dense(2, name="b", kernel_constraint=recurra.constraints.MaxNorm(0.01))(inner(shared)),
    }
    model = recurra.Model(start, heads)
    model.compile(optimizers.get(optimizers.serialize(optimizer)), losses)
    before = {layer.name: layer.get_weights() for layer in model.layers}
    with pytest.warns(UserWarning, match=r"\['inner/\w+/kernel', 'inner/\w+/bias', 'b/kernel', 'b/bias'\]"):
        model.fit(x, {"a": a}, verbose=0)
    after = {layer.name: layer.get_weights() for layer in model.layers}
    moved = [name for name, was in before.items() if was and not np.array_equal(was[0], after[name][0])]
    assert moved == ["shared", "a"]


@pytest.mark.parametrize(
    "options, used, moved",
    [
        ({"merge_mode": None}, 0, "forward"),
        ({"merge_mode": None}, 1, "backward"),
        ({"return_state": True}, 0, "both"),
        ({"return_state": True}, 1, "forward"),
        ({"return_state": True}, 2, "backward"),
        ({"merge_mode": None, "return_state": True}, 2, "forward"),
        ({"merge_mode": None, "activity_regularizer": "l2"}, 0, "both"),
        ({"merge_mode": None, "inner_regularizer": "l2"}, 0, "both"),
    ],
)
def test_a_direction_whose_outputs_no_loss_depends_on_stays_as_it_is(options, used, moved, data):
    """As in Keras with TensorFlow and torch; JAX has gradients of zeros there, by which weights decay."""
    merge_mode, penalty = options.get("merge_mode", "concat"), options.get("activity_regularizer")
    returns, inner_penalty = options.get("return_state", False), options.get("inner_regularizer")
    inner = layers.GRU(2, return_state=returns, activity_regularizer=inner_penalty)
    both = layers.Bidirectional(inner, merge_mode=merge_mode, activity_regularizer=penalty)
    start = recurra.Input((4, 2))
    model = recurra.Model(start, layers.Dense(1)(both(start)[used]))
    model.compile(optimizers.AdamW(0.1, weight_decay=0.5), "mse")
    parts = {"forward": both.forward_layer, "backward": both.backward_layer}
    before = {name: part.get_weights() for name, part in parts.items()}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        model.train_on_batch(data[0], np.ones((len(data[0]), 1)))
    changed = {
        name: [not np.array_equal(*pair) for pair in zip(before[name], part.get_weights(), strict=True)]
        for name, part in parts.items()
    }
    wanted = ("forward", "backward") if moved == "both" else (moved,)
    assert changed == {name: [name in wanted] * 3 for name in parts}
    still = [variable.path for name, part in parts.items() if name not in wanted for variable in part.weights]
    message = f"Gradients do not exist for variables {still} when minimizing the loss."
    assert [str(warning.message) for warning in told] == ([message] if still else [])


def test_a_penalty_alone_is_a_gradient(rng):
    start = recurra.Input((3,))
    free = layers.Dense(1, kernel_regularizer="l2", name="free")
    model = recurra.Model(start, {"fitted": layers.Dense(1, name="fitted")(start), "free": free(start)})
    model.compile("sgd", {"fitted": "mse"})
    kernel = free.kernel.numpy()
    with pytest.warns(UserWarning, match=r"Gradients do not exist for variables \['free/bias'\]"):
        model.train_on_batch(rng.random((4, 3)), {"fitted": np.ones((4, 1))})
    np.testing.assert_allclose(free.kernel, kernel - 0.01 * 2 * 0.01 * kernel, rtol=1e-6)


def test_weights_of_a_graph_whose_class_runs_other_layers_have_a_gradient(rng):
    class Other(recurra.Model):
        def __init__(self, inputs, outputs):
            super().__init__(inputs, outputs)
            self.own = layers.Dense(1)
            self.own.build((None, 3))

        def forward(self, inputs, training=False, mask=None, keep_cache=True):
            return self.own.forward(inputs[0])

        def backward(self, doutputs, cache, need_dx=True):
            return [self.own.backward(doutputs, cache, need_dx)]

    start = recurra.Input((3,))
    model = Other(start, layers.Dense(1)(start))
    model.compile("sgd", "mse")
    before = model.own.get_weights()
    model.fit(rng.standard_normal((8, 3)), np.ones((8, 1)), verbose=0)
    assert all((was != now).any() for was, now in zip(before, model.own.get_weights(), strict=True))


def test_weights_before_activities_with_a_penalty_have_a_gradient(parts):
    x, a, *_ = parts
    start = recurra.Input((3,))
    last = layers.Dense(2, activity_regularizer="l2")(layers.Dense(2)(start))
    model = recurra.Model(start, [layers.Dense(1)(start), last])
    model.compile("sgd", ["mse", None])
    before = model.get_weights()
    model.fit(x, [a, None], verbose=0)
    assert all((was != now).any() for was, now in zip(before, model.get_weights(), strict=True))


def make_nested(nest, **options):
    start = recurra.Input((3,))
    model = recurra.Model(start, nest(*(layers.Dense(n, name="abc"[n - 1])(start) for n in (1, 2, 3))))
    model.compile(**({"loss": "mse"} | options))
    return model


@pytest.fixture
def parts(rng):
    return [rng.standard_normal((8, n)).astype("f") for n in (3, 1, 2, 3)]


def test_logs_name_outputs_by_the_way_to_them(parts):
    x, a, b, c = parts
    in_list = make_nested(lambda a, b, c: [[a, b], c], metrics=[["mae", None], ["mse"]])
    history = in_list.fit(x, [[a, b], c], verbose=0).history
    assert list(history) == ["0/a_loss", "0/b_loss", "a_mae", "c_loss", "c_mse", "loss"]
    in_dict = make_nested(lambda a, b, c: {"p": [a, b], "o": c}, loss={"p": ["mse", "mae"], "o": "mse"})
    assert in_dict.output_names == ["c", "a", "b"]
    in_dict.evaluate(x, {"p": [a, b], "o": c}, verbose=0)
    assert in_dict.metrics_names == ["loss", "p/a_loss", "p/b_loss", "o_loss"]
    unsorted = make_nested(lambda a, b, c: {"z": a, "y": b, "x": c})
    unsorted.evaluate(x, [c, b, a], verbose=0)
    assert unsorted.metrics_names == ["loss", "z_loss", "y_loss", "x_loss"]
    keyed = make_nested(lambda a, b, c: [{"x": a, "y": b}, c])
    keyed.evaluate(x, [{"x": a, "y": b}, c], verbose=0)
    assert keyed.metrics_names == ["loss", "0/x_loss", "0/y_loss", "c_loss"]


def test_what_is_nested_in_another_way_than_the_outputs_is_refused(parts):
    x, a, b, c = parts
    nest = lambda a, b, c: {"p": [a, b], "q": c}  # noqa: E731
    refused = [
        ({}, {"p": [a], "q": c}, {}, "targets for the outputs {'p': ['a', 'b'], 'q': 'c'}"),
        ({}, {"p": [a, b], "r": c}, {}, "targets for the outputs"),
        ({}, {"p": [a, b]}, {}, "targets for the output 'c', which has a loss, got none"),
        ({"loss": {"p": "mse"}}, {"p": [a, b]}, {}, "losses for the outputs"),
        ({"metrics": ["mae", "mse"]}, nest(a, b, c), {}, "metrics for the outputs"),
        ({"loss_weights": [1.0, 2.0]}, nest(a, b, c), {}, "loss_weights for the outputs"),
        ({}, nest(a, b, c), {"sample_weight": {"r": np.ones(8)}}, "sample_weight for the outputs"),
        ({}, nest(a, [b, b], c), {}, "one array for an output, got a list of 2"),
    ]
    for options, y, weights, words in refused:
        with pytest.raises(ValueError, match=re.escape(words)):
            make_nested(nest, **options).fit(x, y, verbose=0, **weights)


def test_targets_and_weights_for_one_output_may_stand_in_a_list_of_one(data):
    x, y = data
    weight = np.linspace(0, 1, 11)
    one, other = (
        make_model(loss_weights=factor).fit(x, targets, sample_weight=weights, verbose=0).history
        for factor, targets, weights in ((2.0, y, weight), ([2.0], [y], [weight]))
    )
    assert one == other


def test_prediction_from_batches_does_not_look_at_targets(data):
    x, _ = data
    model = make_model(loss=None)
    np.testing.assert_array_equal(
        model.predict([(x, ["no", "numbers"])].__iter__(), verbose=0), model.predict(x, verbose=0)
    )


def test_penalties_of_cells_are_refused_in_training(data):
    x, y = data
    stack = layers.StackedRNNCells([layers.GRUCell(3), layers.LSTMCell(1, activity_regularizer="l2", name="penalised")])
    for cell in (stack, layers.GRUCell(1, activity_regularizer="l2", name="penalised")):
        model = recurra.Sequential([recurra.Input((4, 2)), layers.RNN(cell, name="over_time")])
        assert model.predict(x, verbose=0).shape == (11, 1)
        model.compile(loss="mse")
        for run in (model.fit, model.evaluate, model.train_on_batch):
            with pytest.raises(
                ValueError, match="activity_regularizer in RNN, got 'penalised': give it to the layer 'over"
            ):
                run(x, y)


def test_losses_and_metrics_of_a_batch_by_hand_are_those_of_test_on_batch(parts):
    x, a, b, _ = parts
    weight = np.linspace(0, 1, 8)
    dense = lambda a, b, c: [a, {"b": b}]  # noqa: E731
    model = make_nested(dense, loss=["mse", {"b": "mae"}], metrics=[["mae"], {"b": []}], weighted_metrics=[["mae"], []])
    model.layers[-1].kernel.regularizer = recurra.regularizers.L2(0.1)
    assert model.get_metrics_result() == {"loss": 0.0}
    y, told = [a, {"b": b}], model.test_on_batch(x, [a, {"b": b}], weight, return_dict=True)
    assert model.get_metrics_result() == told
    loss = model.compute_loss(x, y, model(x), weight)
    assert loss.dtype == "float32" and loss.shape == ()
    np.testing.assert_allclose(loss, told["loss"], rtol=1e-6)
    model.reset_metrics()
    again = model.compute_metrics(x, y, model(x), weight)
    np.testing.assert_allclose([again["a_mae"], again["a_weighted_mae"]], [told["a_mae"], told["a_weighted_mae"]])
    assert again["loss"] == 0.0


def test_a_mask_counts_in_a_loss_by_hand(rng):
    x = np.where(rng.random((6, 4, 1)) > 0.4, rng.standard_normal((6, 4, 2)), 0).astype("f")
    model = recurra.Sequential([recurra.Input((4, 2)), layers.Masking(), layers.GRU(3, return_sequences=True)])
    model.compile(loss="mse", metrics=["mae"])
    y = rng.standard_normal((6, 4, 3))
    told = model.evaluate(x, y, verbose=0, return_dict=True)
    model.reset_metrics()
    np.testing.assert_allclose(model.compute_loss(x, y, model(x)), told["loss"], rtol=1e-6)
    np.testing.assert_allclose(model.compute_metrics(x, y, model(x))["mae"], told["mae"], rtol=1e-6)


def test_what_compile_was_told_stands_on_the_model(data):
    model = make_model()
    assert (model.run_eagerly, model.steps_per_execution, model.jit_compile) == (False, 1, False)
    model.compile(loss="mse", run_eagerly=True, steps_per_execution=4, jit_compile=True)
    assert (model.run_eagerly, model.steps_per_execution, model.jit_compile) == (True, 4, False)
    assert model.get_compile_config()["steps_per_execution"] == 4


@pytest.mark.parametrize("base", [recurra.Model, recurra.Sequential])
@pytest.mark.parametrize("name", ["train_step", "test_step", "compute_loss", "compute_metrics", "predict_step"])
def test_steps_of_a_class_of_one_s_own_are_refused(data, base, name):
    x, _ = data
    own = type("Own", (base,), {name: lambda self, *args, **kwargs: 1 / 0})
    model = own([recurra.Input((4, 2)), layers.GRU(1)]) if base is recurra.Sequential else own()
    with pytest.raises(NotImplementedError, match=f"a model without its own steps, got {name}"):
        model.predict(x) if name == "predict_step" else model.compile(loss="mse")
    if name == "predict_step":
        model.compile(loss="mse")
    elif base is recurra.Sequential:
        assert model.predict(x, verbose=0).shape == (11, 1)


def test_call_of_a_class_of_one_s_own_counts_in_prediction(rng):
    x = rng.standard_normal((70, 3)).astype("f")

    class Twice(recurra.Sequential):
        def call(self, inputs):
            return 2 * super().call(inputs)

    class Sum(recurra.Model):
        def __init__(self):
            super().__init__()
            self.first, self.second = layers.Dense(2), layers.Dense(2)

        def call(self, inputs):
            return self.first(inputs["p"]) + self.second(inputs["q"][0])

    one = Twice([recurra.Input((3,)), layers.Dense(2)])
    both, given = Sum(), {"p": x, "q": [2 * x]}
    expected = [2 * one.layers[0](x), both.first(x) + both.second(2 * x)]
    for model, inputs, wanted in zip((one, both), (x, given), expected, strict=True):
        for found in (model(inputs), model.predict(inputs, verbose=0), model.predict_on_batch(inputs)):
            np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    one.compile(loss="mse")
    with pytest.raises(NotImplementedError, match="a method backward"):
        one.fit(x, x[:, :2], verbose=0)


def test_inputs_within_a_dict_are_found_by_their_keys(rng):
    p, q, y = (rng.standard_normal((9, n)).astype("f") for n in (3, 2, 1))
    first, second = recurra.Input((3,)), recurra.Input((2,))
    outputs = layers.Dense(1)(layers.Concatenate()([first, second]))
    model = recurra.Model({"of": [first, {"it": second}]}, outputs)
    model.compile(loss="mse")
    nested = {"of": [p, {"it": q}]}
    assert model.evaluate(nested, y, verbose=0) == model.evaluate([p, q], y, verbose=0)
    np.testing.assert_array_equal(model.predict(nested, verbose=0), model([p, q]))
    with pytest.raises(ValueError, match=r"expected 2 inputs \[.*\], got 1"):
        model.predict({"of": [p]}, verbose=0)


@pytest.mark.parametrize("rows, steps, size", [(10, 3, 4), (70, 2, 35), (70, None, 32)])
def test_a_number_of_steps_cuts_arrays_into_that_many_batches(rows, steps, size, rng):
    x = rng.standard_normal((rows, 4, 2)).astype("f")
    y = x.sum(axis=(1, 2))[:, None]
    fit = {"shuffle": False, "verbose": 0, "epochs": 2}
    one = make_model().fit(x, y, steps_per_epoch=steps, validation_data=(x, y), validation_steps=steps, **fit)
    other = make_model().fit(x, y, batch_size=size, validation_data=(x, y), **fit)
    assert one.history == other.history
    batches = []
    seen = recurra.callbacks.LambdaCallback(on_predict_batch_end=lambda step, logs: batches.append(step))
    assert make_model().predict(x, steps=steps, verbose=0, callbacks=[seen]).shape == (rows, 1)
    assert len(batches) == (steps or 3)


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
def test_metrics_are_named_as_keras_names_them_and_need_a_target(parts):
    x, a, b, _ = parts
    pair = lambda a, b, c: [a, b]  # noqa: E731
    own = make_nested(pair, loss=["mse", None], metrics=[[recurra.losses.MeanAbsoluteError()], ["mae"]])
    assert list(own.fit(x, [a, b], verbose=0).history) == ["a_mean_absolute_error", "b_mae", "loss"]
    fewer = make_nested(pair, loss=["mse", None], metrics=[["mae"], ["accuracy"]])
    assert list(fewer.fit(x, [a], verbose=0).history) == ["a_mae", "loss"]
    none = make_nested(pair, metrics=[], weighted_metrics=[])
    assert list(none.fit(x, [a, b], verbose=0).history) == ["a_loss", "b_loss", "loss"]
    nameless = make_nested(pair, loss=["mse", None], metrics=[[lambda true, given: abs(true - given)], []])
    assert list(nameless.fit(x, [a, b], verbose=0).history) == ["a_lambda", "loss"]


def test_targets_that_are_not_there_or_too_wide_are_told_by_the_output(data):
    x, y = data
    with pytest.raises(ValueError, match=r"fit expected targets for the output 'dense.*', which has a loss, got none"):
        make_model().fit(x)
    with pytest.raises(ValueError, match=r"expected targets that fit its shape \(11, 1\), got \(11, 2\)"):
        make_model().fit(x, np.concatenate([y, y], axis=1), verbose=0)
    assert make_model().predict(iter([(x,)]), verbose=0).shape == (11, 1)


@pytest.mark.parametrize("metrics", [{"anything": ["mae"]}, {"b": "mae"}, [["mae"]], {"b": {"c": ["mae"]}}])
def test_metrics_of_one_output_are_its_own_under_any_key(data, metrics):
    wanted = make_model(metrics=["mae"]).fit(*data, verbose=0).history
    assert make_model(metrics=metrics).fit(*data, verbose=0).history == wanted
    both = make_model(metrics={"x": "mae", "b": "mse"}).fit(*data, verbose=0).history
    assert set(both) == {"loss", "mae", "mse"}


class Batches(recurra.metrics.Metric):
    """Counts batches; `give` makes the result of the count."""

    def __init__(self, give):
        super().__init__(name="batches")
        self.give = give
        self.count = self.add_weight(name="count")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.count.assign_add(1.0)

    def result(self):
        return self.give(self.count)


@pytest.mark.parametrize(
    "give, wanted",
    [
        (lambda count: count, {"batches": 2.0}),
        (lambda count: count + 0, {"batches": 2.0}),
        (lambda count: {"single": count, "pairs": count / 2}, {"single": 2.0, "pairs": 1.0}),
    ],
)
def test_metrics_of_one_s_own_may_give_variables_arrays_and_dicts(data, give, wanted, capsys):
    model = make_model(metrics=[Batches(give)])
    history = model.fit(*data, batch_size=8, verbose=2).history
    assert {name: history[name] for name in wanted} == {name: [value] for name, value in wanted.items()}
    assert all(type(history[name][0]) is float for name in wanted)
    line = capsys.readouterr().out
    assert all(f"{name}: {value:.4f}" in line for name, value in wanted.items())
    assert set(model.evaluate(*data, verbose=0, return_dict=True)) == {"loss", *wanted}


@pytest.mark.parametrize(
    "last, made",
    [
        (lambda: layers.Dense(2, activation="softmax"), "softmax"),
        (lambda: layers.TimeDistributed(layers.Dense(2)), None),
        (lambda: layers.Softmax(), "softmax"),
        (lambda: layers.Activation("sigmoid"), "sigmoid"),
        (lambda: layers.LSTM(2, activation="sigmoid", return_sequences=True), None),
        (lambda: layers.Dense(2), None),
    ],
)
@pytest.mark.parametrize("from_logits", [True, False])
def test_losses_of_logits_warn_of_probabilities(last, made, from_logits, recwarn):
    model = recurra.Sequential([recurra.Input((4, 2)), layers.GRU(2, return_sequences=True), last()])
    model.compile("sgd", loss=recurra.losses.SparseCategoricalCrossentropy(from_logits=from_logits))
    for _ in range(2):
        model.fit(np.ones((3, 4, 2)), np.zeros((3, 4)), verbose=0)
    assert all(warning.filename == __file__ for warning in recwarn)
    told = [str(warning.message) for warning in recwarn]
    assert len(told) == (made is not None and from_logits)
    if told:
        assert f"expected logits (from_logits=True), got what the {made} of" in told[0]


def test_metrics_begin_anew_in_each_model_that_compile_gives_them_to(data):
    x, y = data

    class StartsHigh(recurra.metrics.Metric):
        def __init__(self):
            super().__init__(name="count")
            self.count = self.add_weight(name="count", initializer="ones")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.count.assign_add(1.0)

        def result(self):
            return self.count

    shared = [recurra.metrics.MeanAbsoluteError(), StartsHigh()]
    make_model(metrics=shared).evaluate(x, 100 * y, verbose=0)
    fresh = make_model(metrics=["mae"]).evaluate(x, y, verbose=0)
    assert make_model(metrics=shared).evaluate(x, y, verbose=0) == [*fresh, 1.0]
    model = make_model(metrics=shared)
    model.evaluate(x, 100 * y, verbose=0)
    model.compile("adam", "mse", metrics=shared)
    assert model.evaluate(x, y, verbose=0) == [*fresh, 1.0]


def test_callbacks_can_stop_evaluate_and_predict(data):
    x, y = data

    class Stop(recurra.callbacks.Callback):
        def on_test_batch_end(self, batch, logs=None):
            self.model.stop_evaluating = batch == 1

        def on_predict_batch_end(self, batch, logs=None):
            self.model.stop_predicting = batch == 1

    model = make_model()
    run = {"batch_size": 3, "verbose": 0, "callbacks": [Stop()]}
    for _ in range(2):  # what stopped one run does not stop the next
        assert model.evaluate(x, y, **run) == model.evaluate(x[:6], y[:6], batch_size=3, verbose=0)
        np.testing.assert_array_equal(model.predict(x, **run), model.predict(x[:6], batch_size=3))
    history = model.fit(x, y, validation_data=(x, y), **run).history
    assert history["val_loss"] == [model.evaluate(x[:6], y[:6], batch_size=3, verbose=0)]


@pytest.mark.parametrize("train", ["fit", "train_on_batch"])
def test_an_optimizer_may_be_exchanged_between_two_runs(data, train):
    model = make_model()
    options = {"verbose": 0} if train == "fit" else {}
    getattr(model, train)(*data, **options)
    before = model.get_weights()
    model.optimizer = recurra.optimizers.SGD(0.0)
    getattr(model, train)(*data, **options)
    assert int(model.optimizer.iterations) == 1
    assert_same(model.get_weights(), before)
    model.optimizer = recurra.optimizers.SGD(0.1)
    getattr(model, train)(*data, **options)
    assert not np.array_equal(model.get_weights()[0], before[0])
    model.optimizer = None
    with pytest.raises(ValueError, match="training expected an optimizer, got none"):
        getattr(model, train)(*data, **options)


def test_a_dataset_by_index_may_say_its_number_of_batches_or_that_it_has_no_end(data):
    x, y = data
    asked = []

    class Counted(recurra.utils.PyDataset):
        num_batches = 3

        def __getitem__(self, index):
            asked.append(index)
            return x[index % 3 * 4 :][:4], y[index % 3 * 4 :][:4]

    class Endless(Counted):
        num_batches = None

    wanted = weights_after(lambda m: m.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0))
    found = weights_after(lambda m: m.fit(Counted(), epochs=2, shuffle=False, verbose=0))
    np.testing.assert_array_equal(found, wanted)
    endless = weights_after(lambda m: m.fit(Endless(), epochs=2, steps_per_epoch=3, verbose=0))
    np.testing.assert_array_equal(endless, wanted)
    assert asked[-6:] == [0, 1, 2, 3, 4, 5]
    assert make_model().predict(Counted(), verbose=0).shape == (11, 1)
    assert len(list(Counted())) == 3
    asked.clear()
    make_model().fit(Counted(), epochs=4, shuffle=True, verbose=0)
    assert sorted(asked[-3:]) == [0, 1, 2] and len({tuple(asked[-3 * n :][:3]) for n in range(1, 5)}) > 1

    class Sized(recurra.utils.PyDataset):
        def __len__(self):
            return 2

    assert Sized().num_batches == 2
    with pytest.raises(NotImplementedError, match=r"PyDataset expected a method __len__\(\) or a property num_batches"):
        make_model().fit(recurra.utils.PyDataset(), verbose=0)


def test_what_one_metric_gives_stands_together_in_a_history(data):
    both = Batches(lambda count: {"zz": count, "aa": count})
    model = make_model(metrics=[both, "mae"])
    told = ["aa", "zz", "loss", "mae"]
    history = model.fit(*data, validation_data=data, verbose=0).history
    assert list(history) == [*told, "val_aa", "val_loss", "val_mae", "val_zz"]
    assert list(model.evaluate(*data, verbose=0, return_dict=True)) == told


@pytest.mark.parametrize("of", ["line", "two outputs"])
@pytest.mark.parametrize("who", ["callback", "generator"])
def test_another_model_with_the_same_layers_may_be_stepped_within_fit(who, of, data):
    """Its step lays the shared weights into memory of its own; training once went on with gradients of nothing."""
    x, y = data

    def losses_of(disturbed):
        recurra.utils.set_random_seed(1)
        inputs = recurra.Input((4, 2))
        hidden = layers.LSTM(4)(inputs)
        out = layers.Dense(1)(hidden)
        model = recurra.Model(inputs, out if of == "line" else [out, layers.Dense(1)(hidden)])
        other = recurra.Model(inputs, layers.Dense(2)(hidden))
        model.compile(recurra.optimizers.SGD(0.1), "mse")
        other.compile(recurra.optimizers.SGD(0.0), "mse")  # changes nothing
        targets = y if of == "line" else [y, y]

        class Disturbing(recurra.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                other.train_on_batch(x, y.repeat(2, axis=1))

        def batches():
            while True:
                if disturbed:
                    other.train_on_batch(x, y.repeat(2, axis=1))
                yield x, tuple(targets) if of != "line" else targets

        if who == "generator":
            return model.fit(batches(), epochs=5, steps_per_epoch=2, verbose=0).history["loss"]
        called = [Disturbing()] if disturbed else []
        return model.fit(x, targets, epochs=5, batch_size=4, shuffle=False, verbose=0, callbacks=called).history["loss"]

    assert losses_of(True) == losses_of(False)


class AtBatch(recurra.callbacks.Callback):
    """Does something to the model after one batch of the first epoch."""

    def __init__(self, batch, action):
        super().__init__()
        self.batch, self.action, self.epoch = batch, action, 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if self.epoch == 0 and batch == self.batch:
            self.action(self.model)


def set_regularizer(regularizer):
    return lambda model: setattr(model.layers[1].kernel, "regularizer", regularizer)


@pytest.mark.parametrize("before", [None, recurra.regularizers.L2(0.5)])
def test_a_regularizer_may_come_and_go_between_two_steps(before, data):
    after = recurra.regularizers.L2(0.5) if before is None else None
    first, rest = (data[0][:8], data[1][:8]), (data[0][8:], data[1][8:])
    models = [make_model(), make_model()]
    for model in models:
        set_regularizer(before)(model)
    options = {"batch_size": 4, "shuffle": False, "verbose": 0}
    models[0].fit(*first, **options)
    set_regularizer(after)(models[0])
    models[0].fit(*rest, **options)
    models[1].fit(*data, **options, callbacks=[AtBatch(1, set_regularizer(after))])
    assert_same(models[0].get_weights(), models[1].get_weights())


def test_a_layer_that_a_callback_sets_free_needs_an_optimizer_that_knows_it(data):
    model = make_model()
    model.layers[0].trainable = False
    free = AtBatch(0, lambda model: setattr(model.layers[0], "trainable", True))
    with pytest.raises(ValueError, match=r"the variables it was built with, got 'sequential.*/gru.*compile the model"):
        model.fit(*data, batch_size=4, verbose=0, callbacks=[free])


def test_compile_within_fit_is_told_at_the_next_step(data):
    model = make_model()
    again = AtBatch(1, lambda model: model.compile("sgd", "mae"))
    with pytest.raises(ValueError, match=r"fit expected a model that stays compiled as it was, got compile\(\) during"):
        model.fit(*data, batch_size=4, verbose=0, callbacks=[again])
    model.fit(*data, verbose=0)
    model.fit(*data, verbose=0, callbacks=[AtBatch(0, lambda model: model.compile("sgd", "mse"))])  # no step after it
    model.fit(*data, verbose=0)


def test_a_dataset_without_an_end_may_have_a_length_and_one_with_a_length_may_not_know_it(data):
    x, y = data
    asked = []

    class Endless(recurra.utils.PyDataset):
        num_batches = None

        def __len__(self):
            return 2

        def __getitem__(self, index):
            asked.append(index)
            return x[:4], y[:4]

    make_model().fit(Endless(), epochs=2, steps_per_epoch=2, verbose=0)
    assert asked == [0, 1, 2, 3]

    class Rows:
        """As torch's DataLoader over an IterableDataset."""

        def __iter__(self):
            return iter([(x[:4], y[:4]), (x[4:], y[4:])])

        def __len__(self):
            raise TypeError("object of type 'Rows' has no len()")

    wanted = weights_after(lambda m: [m.train_on_batch(x[:4], y[:4]), m.train_on_batch(x[4:], y[4:])])
    np.testing.assert_array_equal(weights_after(lambda m: m.fit(Rows(), verbose=0)), wanted)
    assert make_model().predict(Rows(), verbose=0).shape == (11, 1)


def test_memory_is_an_array_and_a_sparse_matrix_has_to_become_one(data):
    x, y = data
    wanted = weights_after(lambda m: m.fit(x, y, verbose=0))
    np.testing.assert_array_equal(weights_after(lambda m: m.fit(memoryview(x), memoryview(y), verbose=0)), wanted)

    class Sparse:  # as those of SciPy: it can be gone through, and NumPy makes one object of it
        def __iter__(self):
            return iter(x)

        def toarray(self):
            return x

    for method, arguments in (("fit", (Sparse(), y)), ("fit", (x, Sparse())), ("predict", (Sparse(),))):
        with pytest.raises(ValueError, match=r"expected numbers, got Sparse: make an array of it with \.toarray\(\)"):
            getattr(make_model(), method)(*arguments, verbose=0)


@pytest.mark.parametrize("split", [0.0, 0.5])
@pytest.mark.parametrize("dtype", ["uint8", "bool", "int64"])
def test_large_arrays_of_whole_numbers_are_cast_batch_by_batch(dtype, split, growth_of_peak, tmp_path, rng):
    rows = rng.integers(0, 2, (2**16, 16 * 8 // np.dtype(dtype).itemsize)).astype(dtype)
    np.save(tmp_path / "x.npy", rows)
    x, y = np.load(tmp_path / "x.npy", mmap_mode="r"), rng.standard_normal((2**16, 1)).astype("float32")
    options = {"batch_size": 2**12, "verbose": 0, "validation_split": split}

    def fitted(x):
        recurra.utils.set_random_seed(0)
        model = recurra.Sequential([recurra.Input((rows.shape[1],)), layers.Dense(1)])
        model.compile("sgd", "mse")
        history = model.fit(x, y, **options).history
        return history, model.evaluate(x, y, batch_size=2**12, verbose=0), model.get_weights()[0].tolist()

    peak, found = growth_of_peak(lambda: fitted(x))
    assert found == fitted(rows.astype("float32"))
    assert peak < rows.size * 4 / 2


def test_large_arrays_of_whole_numbers_are_refused_before_the_first_batch(rng):
    class Never(recurra.callbacks.Callback):
        def on_train_begin(self, logs=None):
            raise AssertionError

    model = make_model()
    with pytest.raises(ValueError, match=r"expected shape \(None, 4, 2\), got \(200000, 4, 3\)"):
        model.fit(np.zeros((200_000, 4, 3), "uint8"), np.zeros((200_000, 1)), verbose=0, callbacks=[Never()])
    model = recurra.Sequential([recurra.Input((None,)), layers.Embedding(7, 2), layers.GRU(3), layers.Dense(1)])
    model.compile("sgd", "mse")
    ids = np.zeros((2**18, 4), "uint8")
    ids[1] = 9
    with pytest.raises(ValueError, match="Embedding expected whole numbers from 0 to 6, got 9"):
        model.fit(ids, np.zeros((2**18, 1)), shuffle=False, verbose=0)


@pytest.mark.parametrize("batch_size", [8, 5])
@pytest.mark.parametrize("form", ["binary", "labels", "labels with an axis", "one-hot"])
def test_class_weights_of_time_steps_are_those_of_each_step(form, batch_size, rng):
    x, labels = rng.standard_normal((16, 8, 2)).astype("float32"), rng.integers(0, 2, (16, 8))
    y = {"labels": labels, "one-hot": np.eye(2)[labels]}.get(form, labels[..., None])
    loss = {"binary": "binary_crossentropy", "one-hot": "categorical_crossentropy"}.get(
        form, "sparse_categorical_crossentropy"
    )

    def fitted(**options):
        recurra.utils.set_random_seed(0)
        last = layers.Dense(1, "sigmoid") if form == "binary" else layers.Dense(2, "softmax")
        model = recurra.Sequential([recurra.Input((8, 2)), layers.GRU(3, return_sequences=True), last])
        model.compile("sgd", loss)
        return model.fit(x, y, batch_size=batch_size, verbose=0, **options).history["loss"]

    by_class = fitted(class_weight={0: 1.0, 1: 10.0})
    assert by_class == fitted(sample_weight=np.where(labels == 1, 10.0, 1.0))
    assert by_class != fitted(sample_weight=np.where(labels[:, 0] == 1, 10.0, 1.0)[:, None])


@pytest.mark.parametrize("batch_size", [8, 5])
def test_class_weights_need_a_class_for_each_value_of_the_loss(batch_size):
    class Own(recurra.Model):  # which does not say what comes out of it
        def build(self, input_shape):
            self.last = layers.Dense(2, "softmax")
            self.last.build(input_shape)

        def forward(self, inputs):
            return self.last.forward(inputs)

        def backward(self, doutputs, cache):
            return self.last.backward(doutputs, cache)

    line = recurra.Sequential([layers.GRU(3, return_sequences=True), layers.Dense(1, "sigmoid")])
    line.compile("sgd", "binary_crossentropy")
    own = Own()
    own.compile("sgd", "sparse_categorical_crossentropy")
    x, labels = np.ones((16, 8, 2), "float32"), np.ones((16, 8), int)
    message = "one-hot targets with class_weight, or those of shape (16, 8, 1), got (16, 8): y[..., None] has a class"
    options = {"batch_size": batch_size, "class_weight": {1: 2.0}, "verbose": 0}
    for model in (line, own):
        with pytest.raises(ValueError, match=re.escape(f"fit expected {message} for each time step")):
            model.fit(x, labels, **options)
        loss = model.evaluate(x, labels[..., None], verbose=0)
        assert model.fit(x, labels[..., None], **options).history["loss"][0] > 1.5 * loss


@pytest.mark.parametrize("is_line", [True, False])
@pytest.mark.parametrize("dtype", ["uint8", "int64"])
def test_predict_casts_large_arrays_of_whole_numbers_batch_by_batch(is_line, dtype, growth_of_peak, rng):
    rows = rng.integers(0, 9, (2**15, 32, 8 // np.dtype(dtype).itemsize)).astype(dtype)
    x = recurra.Input(rows.shape[1:])
    y = layers.Dense(1)(layers.GRU(2, activation="tanh" if is_line else np.tanh)(x))
    model = recurra.Model(x, y)
    assert (plan_of(model, training=False) is not None) == is_line
    peak, found = growth_of_peak(lambda: model.predict(rows, batch_size=2**9, verbose=0))
    np.testing.assert_array_equal(found, model.predict(rows.astype("float32"), batch_size=2**9, verbose=0))
    assert peak < rows.size * 4 / 2


def test_a_verbosity_of_none_is_silence(capsys):
    x, y = np.ones((8, 2), np.float32), np.ones((8, 1), np.float32)
    model = recurra.Sequential([recurra.Input((2,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    assert len(model.fit(x, y, epochs=2, verbose=None).history["loss"]) == 2
    assert model.evaluate(x, y, verbose=None) > 0 and model.predict(x, verbose=None).shape == (8, 1)
    assert capsys.readouterr().out == ""


def test_a_model_without_an_input_is_built_by_the_first_batch_of_data_that_come_by_index(data):
    x, y = data

    class ByIndex(recurra.utils.PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            rows = slice(6 * index, 6 * index + 6)
            return x[rows], y[rows]

    def trained(*first):
        recurra.utils.set_random_seed(0)
        model = recurra.Sequential([*first, layers.GRU(5), layers.Dense(1)])
        model.compile("sgd", "mse")
        model.fit(ByIndex(), shuffle=False, verbose=0)
        return model.get_weights()

    assert_same(trained(), trained(recurra.Input((4, 2))))


def test_targets_beside_data_that_hold_them_are_refused(data):
    with pytest.raises(
        ValueError, match="fit expected targets inside the iterable x, got y or sample_weight beside it"
    ):
        make_model().fit(iter([data]), data[1], verbose=0)


def test_a_loss_of_values_trains_by_their_mean(data):
    losses = [recurra.losses.MeanSquaredError(), recurra.losses.MeanSquaredError(reduction="none")]
    whole, each = (make_model(loss=loss) for loss in losses)
    histories = [model.fit(*data, epochs=2, shuffle=False, verbose=0).history["loss"] for model in (whole, each)]
    np.testing.assert_allclose(histories[0], histories[1], rtol=1e-5)
    for one, other in zip(whole.get_weights(), each.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_evaluate_and_predict_take_a_list_of_callbacks_that_is_made(data):
    model, calls = make_model(), []
    recorder = recurra.callbacks.LambdaCallback()
    recorder.on_test_begin = recorder.on_predict_end = lambda logs=None: calls.append(logs)
    listed = recurra.callbacks.CallbackList([recorder], model=model)
    model.evaluate(*data, verbose=0, callbacks=listed)
    model.predict(data[0], verbose=0, callbacks=listed)
    assert len(calls) == 2


def test_a_model_has_its_metric_objects_once_data_have_come(data):
    own = recurra.metrics.RootMeanSquaredError(name="root")
    model = make_model(metrics=["mae", own])
    history = model.fit(*data, verbose=0).history
    assert [metric.name for metric in model.metrics][-2:] == ["mean_absolute_error", "root"] and model.metrics[
        -1
    ] is own
    assert float(own.result()) == history["root"][-1]
