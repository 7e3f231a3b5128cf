"""Keras's files, both ways."""

import contextlib
import io
import json
import tracemalloc
import zipfile
from pathlib import Path

import h5py
import held
import numpy as np
import pytest

import recurra
from recurra import layers
from recurra.errors import FileFormatError

INTEROP = Path(__file__).parents[3] / "shared" / "interop"
FOLDERS = [folder for folder in (Path(__file__).parent / "keras_files", INTEROP) if folder.is_dir()]
FILES = {
    entry["name"]: (folder, entry["inputs"])
    for folder in FOLDERS
    for entry in json.loads((folder / "index.json").read_text())["models"]
}


def make_model():
    inputs = recurra.Input((4, 2))
    both = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(inputs)
    steps = layers.TimeDistributed(layers.Dense(2))(both)
    model = recurra.Model(inputs, layers.Dense(1)(layers.RNN([layers.GRUCell(3), layers.LSTMCell(2)])(steps)))
    model.compile(optimizer=recurra.optimizers.Adam(0.01), loss="mse", metrics=["mae"])
    return model


@pytest.fixture
def data(rng):
    return rng.standard_normal((6, 4, 2)).astype("float32"), rng.standard_normal((6, 1)).astype("float32")


def test_a_loaded_model_goes_on_as_the_saved_one(tmp_path, data):
    model = make_model()
    model.fit(*data, epochs=3, verbose=0, shuffle=False)
    model.save(tmp_path / "m.keras")
    again = recurra.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(again.predict(data[0], verbose=0), model.predict(data[0], verbose=0))
    for trained in (model, again):
        trained.fit(*data, epochs=3, verbose=0, shuffle=False)
    for mine, its in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, its)


RANDOM = {
    "Dropout": lambda: layers.Dropout(0.5, seed=3),
    "SpatialDropout1D": lambda: layers.SpatialDropout1D(0.5),
    "GaussianDropout": lambda: layers.GaussianDropout(0.5),
    "GaussianNoise": lambda: layers.GaussianNoise(0.5),
    "LSTM": lambda: layers.LSTM(3, dropout=0.5, return_sequences=True),
    "two directions": lambda: layers.Bidirectional(layers.GRU(3, recurrent_dropout=0.5, return_sequences=True)),
    "cells": lambda: layers.RNN([layers.GRUCell(3, dropout=0.5), layers.LSTMCell(2)], return_sequences=True),
    "each step": lambda: layers.TimeDistributed(layers.Dropout(0.5)),
    "within a model": lambda: recurra.Sequential([recurra.Input((4, 2)), layers.Dense(2), layers.Dropout(0.5)]),
}


def with_random_layer(make):
    model = recurra.Sequential([recurra.Input((4, 2)), make(), layers.GRU(3), layers.Dense(1)])
    model.compile("adam", "mse")
    return model


def groups_of(path):
    with h5py.File(path) as file:
        found = []
        file.visit(found.append)
    return found


@pytest.mark.parametrize("ending", [".keras", ".weights.h5"])
@pytest.mark.parametrize("trained", [0, 2])
@pytest.mark.parametrize("kind", RANDOM)
def test_random_layers_go_on_where_they_stood(kind, trained, ending, tmp_path, data):
    path = tmp_path / f"m{ending}"
    model = with_random_layer(RANDOM[kind])
    for _ in range(trained):
        model.train_on_batch(*data)
    if ending == ".keras":
        model.save(path)
        again = recurra.models.load_model(path)
    else:
        model.save_weights(path)
        again = with_random_layer(RANDOM[kind])
        again.load_weights(path)
    losses = [[one.train_on_batch(*data) for _ in range(3)] for one in (model, again)]
    assert losses[0] == losses[1]
    for mine, its in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, its)


def test_random_layers_within_attention_go_on_where_they_stood(tmp_path, data):
    end = recurra.Input((4, 2))
    steps = layers.MultiHeadAttention(2, 3, dropout=0.5)(end, end)
    steps = layers.AdditiveAttention(dropout=0.5)([steps, layers.Attention(dropout=0.5)([end, steps])])
    model = recurra.Model(end, layers.Dense(1)(layers.GlobalAveragePooling1D()(steps)))
    model.compile("adam", "mse")
    model.train_on_batch(*data)
    model.save(tmp_path / "m.keras")
    again = recurra.models.load_model(tmp_path / "m.keras")
    assert again.train_on_batch(*data) == model.train_on_batch(*data)
    assert again.train_on_batch(*data) == model.train_on_batch(*data)


def test_states_of_random_numbers_lie_beside_the_weights(tmp_path):
    model = with_random_layer(RANDOM["Dropout"])
    model.layers[0].seed_generator.generator()
    model.save_weights(tmp_path / "m.weights.h5")
    with h5py.File(tmp_path / "m.weights.h5") as file:
        state = file["layers/dropout/seed_generator/vars/0"]
        assert state.dtype == "uint32" and state[...].tolist() == [3, 1]


@pytest.mark.parametrize("make", [lambda: layers.Dropout(0), lambda: layers.LSTM(2, return_sequences=True)])
def test_layers_that_draw_nothing_write_what_keras_writes(make, tmp_path):
    with_random_layer(make).save_weights(tmp_path / "m.weights.h5")
    names = groups_of(tmp_path / "m.weights.h5")
    assert names and not any("seed" in name for name in names)


def test_a_file_without_random_states_leaves_those_of_the_model(tmp_path):
    model = with_random_layer(RANDOM["Dropout"])
    model.save_weights(tmp_path / "m.weights.h5")
    with h5py.File(tmp_path / "m.weights.h5", "r+") as file:
        del file["layers/dropout/seed_generator"]
    model.layers[0].seed_generator.generator()
    model.load_weights(tmp_path / "m.weights.h5")
    assert model.layers[0].seed_generator.state.value.tolist() == [3, 1]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.array([1.5, np.nan]), "whole numbers in 'seed_generator_state', got float64"),
        (np.zeros(3, "uint32"), r"numbers of shape \(2,\)"),
        (np.array([-1, 0]), "whole numbers from 0 to 4294967295 in 'seed_generator_state', got -1"),
        (np.array([0, 2**32]), "whole numbers from 0 to 4294967295 in 'seed_generator_state', got 4294967296"),
    ],
)
def test_states_of_random_numbers_that_are_none_are_refused(given, message, tmp_path):
    model = with_random_layer(RANDOM["Dropout"])
    model.save(tmp_path / "m.keras")

    def change(file):
        del file["layers/dropout/seed_generator/vars/0"]
        file["layers/dropout/seed_generator/vars/0"] = given

    with pytest.raises(FileFormatError, match=message):
        recurra.models.load_model(rewritten(tmp_path / "m.keras", change))


def test_losses_and_metrics_made_of_functions_come_back(tmp_path, data):
    x, y = data
    model = recurra.Sequential([recurra.Input(x.shape[1:]), layers.GRU(3), layers.Dense(y.shape[-1])])
    loss = recurra.losses.LossFunctionWrapper(recurra.losses.log_cosh, reduction="sum", name="own")
    metrics = [recurra.metrics.MeanMetricWrapper(recurra.losses.mean_absolute_error, name="far")]
    model.compile("sgd", loss, metrics=metrics)
    model.save(tmp_path / "own.keras")
    loaded = recurra.models.load_model(tmp_path / "own.keras")
    assert loaded.loss.name == "own" and loaded.loss.reduction == "sum"
    found, wanted = (one.evaluate(x, y, verbose=0, return_dict=True) for one in (loaded, model))
    assert found == wanted and list(found) == ["far", "loss"]


def memory(units=3, features=2, ends=(1,), rate=0.0):
    ends = [layers.Dense(end, name=f"end{place}") for place, end in enumerate(ends)]
    middle = layers.Dropout(rate, name="noise")
    return recurra.Sequential([recurra.Input((5, features)), layers.LSTM(units, name="memory"), middle, *ends])


OTHERS = {  # what Keras 3.15 reads of `memory()`, by the layers' names
    "the same": ({}, {"memory", "end0"}, None),
    "another end": ({"ends": (3,)}, {"memory"}, "1 objects .*: 'end0'. Dense 'end0' expected kernel of"),
    "other features": ({"features": 4}, {"end0"}, "1 objects .*: 'lstm_cell'. LSTMCell 'lstm_cell' expected kernel"),
    "other units": ({"units": 2}, set(), "2 objects .*: 'lstm_cell', 'end0'. LSTMCell"),
    "another layer": ({"ends": (1, 2)}, {"memory", "end0"}, "1 objects .*: 'end1'. Dense 'end1' expected 2 weights"),
    "random states": ({"rate": 0.5}, {"memory", "end0"}, None),
}


@pytest.mark.parametrize("ending", [".keras", ".weights.h5"])
@pytest.mark.parametrize("name", OTHERS)
def test_weights_that_do_not_fit_are_left_out_if_that_is_asked_for(name, ending, tmp_path):
    options, read, warning = OTHERS[name]
    model, other = memory(), memory(**options)
    model.set_weights([np.full(weight.shape, 7.0) for weight in model.weights])
    before = [weight.numpy() for weight in other.weights]
    path = tmp_path / f"m{ending}"
    (model.save if ending == ".keras" else model.save_weights)(path)
    with pytest.warns(UserWarning, match=warning) if warning else contextlib.nullcontext():
        other.load_weights(path, skip_mismatch=True)
    for weight, own in zip(other.weights, before, strict=True):
        wanted = np.full(weight.shape, 7.0) if read & set(weight.path.split("/")) else own
        np.testing.assert_array_equal(weight.numpy(), wanted)
    if warning:
        told = r"expected numbers of shape .*: pass skip_mismatch=True to leave what does not fit|expected the group"
        with pytest.raises(FileFormatError, match=told):
            other.load_weights(path)


def test_what_is_not_sound_is_refused_where_weights_are_left_out_too(tmp_path):
    model, other = memory(), memory(ends=(3,))
    kernel = model.layers[0].cell.kernel
    kernel.assign(np.full(kernel.shape, np.nan))
    model.save_weights(tmp_path / "m.weights.h5")
    before = other.get_weights()
    with pytest.raises(FileFormatError, match="finite weights, got NaN"):  # and no warning of what is left out
        other.load_weights(tmp_path / "m.weights.h5", skip_mismatch=True)
    for weight, own in zip(other.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, own)


def test_the_optimizer_is_left_out_where_its_weights_are_of_other_shapes(tmp_path):
    model, other = memory(), memory(ends=(3,))
    for one, units in ((model, 1), (other, 3)):
        one.compile("adam", "mse")
        one.train_on_batch(np.ones((4, 5, 2)), np.ones((4, units)))
    model.train_on_batch(np.ones((4, 5, 2)), np.ones((4, 1)))
    model.save(tmp_path / "m.keras")
    with pytest.warns(UserWarning, match="2 objects could not be loaded from m.keras, .*: 'end0', 'adam'"):
        other.load_weights(tmp_path / "m.keras", skip_mismatch=True)
    assert int(other.optimizer.iterations) == 1
    again = memory()
    again.compile("adam", "mse")
    again.load_weights(tmp_path / "m.keras", skip_mismatch=True)
    assert int(again.optimizer.iterations) == 2


def test_a_small_model_takes_what_fits_of_a_large_one(tmp_path):
    large, small = memory(ends=(1200, 1200)), memory(ends=(1,))
    large.save(tmp_path / "m.keras")
    with pytest.warns(UserWarning, match="1 objects could not be loaded"):
        small.load_weights(tmp_path / "m.keras", skip_mismatch=True)
    np.testing.assert_array_equal(small.get_weights()[0], large.get_weights()[0])


def test_weights_alone_go_into_a_model_of_the_same_layers(tmp_path, data):
    model, other = make_model(), make_model()
    model.save_weights(tmp_path / "m.weights.h5")
    other.load_weights(tmp_path / "m.weights.h5")
    np.testing.assert_array_equal(other.predict(data[0], verbose=0), model.predict(data[0], verbose=0))


@pytest.mark.parametrize(
    "layer",
    [
        layers.LSTM(3, use_bias=False, unit_forget_bias=False),
        layers.GRU(3, reset_after=False, zero_output_for_mask=True),
        layers.SimpleRNN(3, activation=None, trainable=False),
        layers.Bidirectional(layers.GRU(3, use_bias=False), merge_mode="sum"),
    ],
)
def test_options_that_are_off_stay_off(layer, tmp_path, data):
    model = recurra.Sequential([recurra.Input((4, 2)), layer])
    model.save(tmp_path / "m.keras")
    again = recurra.models.load_model(tmp_path / "m.keras")
    assert again.get_config() == model.get_config()
    np.testing.assert_array_equal(again.predict(data[0], verbose=0), model.predict(data[0], verbose=0))


def test_loading_imports_no_h5py(tmp_path, run_python):
    make_model().save(tmp_path / "m.keras")
    program = "import sys, recurra; recurra.models.load_model(sys.argv[1]); assert 'h5py' not in sys.modules"
    run_python("-c", program, tmp_path / "m.keras")


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_keras_predicts_what_keras_predicts(name):
    folder, count = FILES[name]
    arrays = np.load(folder / f"{name}.npz")
    model = recurra.models.load_model(folder / f"{name}.keras")
    inputs = [arrays[f"input_{i}"] for i in range(count)]
    answer = model.predict_on_batch(inputs[0] if len(inputs) == 1 else inputs)
    np.testing.assert_allclose(answer, arrays["output_0"], rtol=1e-5, atol=1e-5)
    model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])
    model.load_weights(folder / f"{name}.weights.h5")
    for position, weight in enumerate(model.get_weights()):
        np.testing.assert_array_equal(weight, arrays[f"weight_{position}"])


@pytest.mark.parametrize("name", [name for name in FILES if name in ("trained", "trained_adam")])
def test_training_goes_on_from_a_file_of_keras(name):
    folder, _ = FILES[name]
    arrays = np.load(folder / f"{name}.npz")
    model = recurra.models.load_model(folder / f"{name}.keras")
    steps = [model.train_on_batch(arrays["input_0"], arrays["target_0"], return_dict=True) for _ in range(3)]
    losses = [step["loss"] for step in steps]
    np.testing.assert_allclose(losses, np.ravel(arrays["losses_after_loading"]), rtol=1e-4, atol=1e-4)
    for position, weight in enumerate(model.get_weights()):
        np.testing.assert_allclose(weight, arrays[f"weight_after_loading_{position}"], rtol=1e-4, atol=1e-4)


def test_missing_weights_leave_the_model_as_it_was(tmp_path):
    model = recurra.Sequential([recurra.Input((4, 1)), layers.LSTM(3), layers.Dense(1)])
    model.save_weights(tmp_path / "m.weights.h5")
    with h5py.File(tmp_path / "m.weights.h5", "r+") as file:
        file["layers/lstm/cell/vars/0"][...] = 7
        del file["layers/dense/vars/1"]
    before = model.get_weights()
    with pytest.raises(FileFormatError, match="expected 2 weights"):
        model.load_weights(tmp_path / "m.weights.h5")
    for mine, its in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, its)


def test_weights_that_are_not_finite_are_refused_unless_asked_for(tmp_path):
    recurra.Sequential([recurra.Input((2,)), layers.Dense(1, name="dense")]).save(tmp_path / "m.keras")
    path = rewritten(tmp_path / "m.keras", lambda file: file["layers/dense/vars/0"].__setitem__(..., np.nan))
    with pytest.raises(FileFormatError, match=r"NaN or infinity in '.*dense/kernel': pass allow_nonfinite=True"):
        recurra.models.load_model(path)
    kernel, bias = recurra.models.load_model(path, allow_nonfinite=True).get_weights()
    assert np.isnan(kernel).all() and bias == 0


@pytest.mark.parametrize("units", [10**6, 10**12])
def test_a_config_cannot_ask_for_memory_that_its_weights_do_not_fill(units, tmp_path):
    path = tmp_path / "m.keras"
    recurra.Sequential([recurra.Input((4, 1)), layers.LSTM(2)]).save(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["config.json"] = members["config.json"].replace(b'"units": 2', f'"units": {units}'.encode())
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    tracemalloc.start()
    with pytest.raises(FileFormatError, match="weights of at most"):
        recurra.models.load_model(path)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 2**22


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.h5", bytes(2**26))
    with pytest.raises(FileFormatError, match=r"model\.weights\.h5 of at most"):
        recurra.models.load_model(path)


def rewritten(path, change):
    """Returns a copy of a .keras file whose weights went through `change(h5py.File)`."""

    def changed(data):
        buffer = io.BytesIO(data)
        with h5py.File(buffer, "r+") as file:
            change(file)
        return buffer.getvalue()

    return with_member(path, "model.weights.h5", changed)


def with_member(path, member, changed):
    """Returns a copy of a .keras file, one of whose members is `changed(it)`."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members[member] = changed(members[member])
    target = path.with_name("changed.keras")
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return target


@pytest.mark.parametrize(
    "replacement, message",
    [
        (h5py.SoftLink("/layers/dense/vars/1"), "no links, got a soft link"),
        (h5py.ExternalLink("/etc/passwd", "/x"), "no links, got an external link"),
        (np.zeros((7, 1), "float32"), "of shape"),
        (np.zeros((2, 1), "S3"), "numbers"),
    ],
)
def test_a_weight_that_is_not_what_the_model_has_is_refused(replacement, message, tmp_path):
    recurra.Sequential([recurra.Input((2,)), layers.Dense(1)]).save(tmp_path / "m.keras")

    def change(file):
        del file["layers/dense/vars/0"]
        file["layers/dense/vars/0"] = replacement

    with pytest.raises(FileFormatError, match=message):
        recurra.models.load_model(rewritten(tmp_path / "m.keras", change))


def test_a_failed_save_leaves_the_old_file_whole(tmp_path, monkeypatch):
    model = make_model()
    path = tmp_path / "m.keras"
    model.save(path)
    before = path.read_bytes()

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        model.save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [FileNotFoundError, ValueError, recurra.FileFormatError])
@pytest.mark.parametrize("name", ["absent.keras", "absent.weights.h5"])
def test_a_file_that_is_not_there_is_known_by_each_of_keras_s_errors(name, error):
    with pytest.raises(error, match=f"^loading expected an existing file, got '{name}'$"):
        make_model().load_weights(name)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda model: model.save("/nonexistent/model"), "ends in '.keras', got .*: write '/nonexistent/model.keras'$"),
        (lambda model: model.save("m.weights.h5"), "ends in '.keras', got 'm.weights.h5': write 'm.keras'"),
        (lambda model: model.save_weights("m.h5"), "ends in '.weights.h5', got 'm.h5': write 'm.weights.h5'"),
        (lambda model: recurra.models.load_model("/nonexistent/model.keras"), "an existing file"),
        (lambda model: model.load_weights("/nonexistent/model.bin"), "ends in .weights.h5"),
        (lambda model: recurra.models.load_model("m.keras", safe_mode=False), "never runs code"),
    ],
)
def test_a_wrong_path_is_told_in_one_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call(make_model())


def test_a_legacy_file_tells_layers_from_initializers_of_the_same_name(tmp_path):
    """Keras's `.h5` has no module with a layer, and there are two called Identity."""
    entries = [
        {"class_name": "InputLayer", "config": {"batch_shape": [None, 3, 2], "dtype": "float32", "name": "x"}},
        {"class_name": "Identity", "config": {"name": "same", "trainable": True, "dtype": "float32"}},
        {
            "class_name": "TimeDistributed",
            "config": {"name": "each", "layer": {"class_name": "Identity", "config": {"name": "inner"}}},
        },
    ]
    config = {"class_name": "Sequential", "config": {"name": "m", "layers": entries}}
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.create_group("model_weights").attrs["layer_names"] = []
    model = recurra.models.load_model(tmp_path / "m.h5")
    x = np.arange(6, dtype="float32").reshape(1, 3, 2)
    np.testing.assert_array_equal(model.predict(x, verbose=0), x)


def test_a_directory_is_not_written_over(tmp_path):
    (tmp_path / "m.keras").mkdir()
    with pytest.raises(IsADirectoryError, match=r"saving expected the path of a file, got the directory .*m\.keras"):
        recurra.Sequential([recurra.Input((2,)), layers.Dense(1)]).save(tmp_path / "m.keras")
    assert [path.name for path in tmp_path.iterdir()] == ["m.keras"]


def test_options_of_keras_that_change_nothing_are_taken(tmp_path):
    model = recurra.Sequential([recurra.Input((2,)), layers.Dense(1)])
    model.save(tmp_path / "m.keras", save_format="keras", zipped=True, include_optimizer=True)
    recurra.models.save_model(model, tmp_path / "m.keras", save_format="keras_v3")
    with pytest.raises(ValueError, match=r"saving expected zipped=True, got False: a .keras file is one archive"):
        model.save(tmp_path / "other.keras", zipped=False)
    assert [path.name for path in tmp_path.iterdir()] == ["m.keras"]


def test_the_state_of_the_optimizer_may_be_left_out(tmp_path, data):
    model = make_model()
    model.fit(*data, verbose=0)
    model.save(tmp_path / "m.keras", include_optimizer=False)
    again = recurra.models.load_model(tmp_path / "m.keras")
    assert again.evaluate(*data, verbose=0) == model.evaluate(*data, verbose=0)
    assert model.optimizer.iterations == 1 and again.optimizer.iterations == 0


def test_a_legacy_file_holds_the_model_with_its_weights(tmp_path, data):
    model = make_model()
    model.fit(*data, verbose=0)
    with pytest.warns(UserWarning, match="m.h5 is in a legacy format: write 'm.keras'") as caught:
        model.save(tmp_path / "m.h5")
    assert caught[0].filename == __file__
    again = recurra.models.load_model(tmp_path / "m.h5")
    np.testing.assert_array_equal(again.predict(data[0], verbose=0), model.predict(data[0], verbose=0))
    assert again.compiled
    with pytest.raises(ValueError, match="saving expected a new filepath"):
        model.save(tmp_path / "m.h5", overwrite=False)


@pytest.mark.filterwarnings("ignore:.*legacy format")
def test_a_legacy_file_holds_many_layers_and_weights_of_one_name(tmp_path, monkeypatch):
    class Twice(layers.Layer):
        def build(self, input_shape):
            self.pair = [self.add_weight((2,), "uniform"), self.add_weight((2,), "uniform")]

        def call(self, inputs):
            return inputs * self.pair[0].value + self.pair[1].value

    monkeypatch.setattr("recurra.interop.keras2_file.MOST_NAMES", 3)
    model = recurra.Sequential([recurra.Input((2,)), *(Twice() for _ in range(8))])
    model.save(tmp_path / "m.h5")
    again = recurra.models.load_model(tmp_path / "m.h5", custom_objects={"Twice": Twice})
    np.testing.assert_array_equal(again.predict(np.ones((1, 2)), verbose=0), model.predict(np.ones((1, 2)), verbose=0))


def test_a_legacy_file_has_no_place_for_weights_of_the_model_itself(tmp_path):
    model = make_model()
    model.add_weight((1,), name="own")
    with pytest.raises(ValueError, match=r"a .h5 file expected a model whose weights are those of its layers, got"):
        model.save(tmp_path / "m.h5")
    assert not any(tmp_path.iterdir())


def test_layers_in_lists_and_dicts_lie_where_keras_puts_them_and_come_as_it_counts_them(tmp_path):
    folder = FOLDERS[0]
    arrays = np.load(folder / "held.npz")
    classes = held.holding(recurra)
    model = recurra.models.load_model(folder / "held.keras", custom_objects=classes)
    np.testing.assert_allclose(model(arrays["input_0"]), arrays["output_0"], rtol=1e-5, atol=1e-6)
    for kind, found in (("weight", model.get_weights()), ("optimizer", model.optimizer.variables)):
        expected = [arrays[name] for name in arrays if name.startswith(kind)]
        assert len(found) == len(expected)
        for mine, its in zip(found, expected, strict=True):
            np.testing.assert_array_equal(mine, its)
    model.save(tmp_path / "held.keras")
    groups = [groups_of_weights(path) for path in (tmp_path / "held.keras", folder / "held.keras")]
    assert groups[0] == groups[1]
    again = recurra.models.load_model(tmp_path / "held.keras", custom_objects=classes)
    np.testing.assert_array_equal(again(arrays["input_0"]), model(arrays["input_0"]))


def groups_of_weights(path):
    """Returns the places and shapes of what a `.keras` file holds beside the optimizer's state."""
    found = []
    with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
        file.visititems(lambda name, item: found.append((name, item.shape)) if isinstance(item, h5py.Dataset) else None)
    return [entry for entry in found if not entry[0].startswith("optimizer")]


def test_weights_for_a_layer_that_has_none_are_refused(tmp_path):
    class Late(layers.Layer):
        def __init__(self):
            super().__init__()
            self.inner = layers.Dense(2)

        def call(self, inputs):
            return self.inner(inputs)

        def compute_output_shape(self, input_shape):
            return (*input_shape[:-1], 2)

    path = tmp_path / "late.weights.h5"
    built, bare = (recurra.Sequential([recurra.Input((3,)), Late()]) for _ in range(2))
    built(np.ones((1, 3)))
    built.save_weights(path)
    what = "expected 0 weights in 'layers/late/inner/vars', got 2: a layer that is not built has none yet"
    with pytest.raises(FileFormatError, match=what):
        bare.load_weights(path)
    with pytest.warns(UserWarning, match="expected 0 weights, got 2"):
        bare.load_weights(path, skip_mismatch=True)
    bare(np.ones((1, 3)))
    bare.load_weights(path)
    np.testing.assert_array_equal(bare.get_weights()[0], built.get_weights()[0])


def test_a_layer_shared_between_models_lies_in_a_file_once_as_keras_writes_it(tmp_path):
    arrays = np.load(FOLDERS[0] / "sharing.npz")
    model, again = held.sharing(recurra), held.sharing(recurra)
    model.load_weights(FOLDERS[0] / "sharing.weights.h5")
    np.testing.assert_allclose(model(arrays["input_0"]), arrays["output_0"], rtol=1e-5, atol=1e-6)
    model.save_weights(tmp_path / "sharing.weights.h5")
    again.load_weights(tmp_path / "sharing.weights.h5")
    np.testing.assert_array_equal(again(arrays["input_0"]), model(arrays["input_0"]))


def test_calls_of_an_inner_model_that_are_outputs_count_as_in_keras(tmp_path):
    arrays = np.load(FOLDERS[0] / "twins.npz")
    inputs, outputs = ([arrays[name] for name in arrays if name.startswith(kind)] for kind in ("input", "output"))
    model = recurra.models.load_model(FOLDERS[0] / "twins.keras")
    model.save(tmp_path / "twins.keras")
    again = recurra.models.load_model(tmp_path / "twins.keras")
    for one in (model, again):
        for mine, its in zip(one.predict(inputs, verbose=0), outputs, strict=True):
            np.testing.assert_allclose(mine, its, rtol=1e-5, atol=1e-6)
    configs = []
    for path in (FOLDERS[0] / "twins.keras", tmp_path / "twins.keras"):
        with zipfile.ZipFile(path) as archive:
            configs.append(json.loads(archive.read("config.json"))["config"])
    assert configs[0]["output_layers"] == [["inner", 2, 0], ["dense", 0, 0], ["inner", 1, 0]]
    for part in ("input_layers", "output_layers"):
        assert configs[1][part] == configs[0][part]


def test_calls_of_lines_that_are_outputs_count_from_0():
    line, end = recurra.Sequential([recurra.Input((3,)), layers.Dense(2)], name="line"), recurra.Input((3,))
    assert recurra.Model(end, line(end)).get_config()["output_layers"] == ["line", 0, 0]


def shared_with_a_wrapper():
    shared, inputs = layers.Dense(3, name="shared"), recurra.Input((4, 3))
    return recurra.Model(inputs, layers.TimeDistributed(shared, name="each")(shared(inputs)), name="m")


def inner_at_two_levels():
    inner = recurra.Sequential([recurra.Input((4, 3)), layers.Dense(3)], name="shared")
    return recurra.Sequential([recurra.Sequential([inner, layers.Dense(3)], name="each"), inner], name="m")


@pytest.mark.parametrize("make", [shared_with_a_wrapper, inner_at_two_levels])
def test_a_model_that_would_come_back_with_a_layer_twice_is_not_saved(make, tmp_path):
    model = make()
    what = "^saving expected each layer within one model or wrapper, got 'shared' in '(m|each)' and '(m|each)': save_w"
    with pytest.raises(ValueError, match=what):
        model.save(tmp_path / "m.keras")
    assert list(tmp_path.iterdir()) == []
    model.save_weights(tmp_path / "m.weights.h5")
    again = make()
    again.load_weights(tmp_path / "m.weights.h5")
    for mine, its in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, its)


def test_inputs_and_layers_without_weights_may_be_shared_and_a_class_may_share_what_it_makes(tmp_path):
    class Twice(recurra.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            dense = layers.Dense(3)
            self.first, self.second = layers.TimeDistributed(dense), recurra.Sequential([dense])

        def call(self, inputs):
            return self.first(inputs) + self.second(inputs)

    inputs, tanh = recurra.Input((4, 3)), layers.Activation("tanh")
    inner = recurra.Model(inputs, tanh(layers.LSTM(3, return_sequences=True)(inputs)))
    twice = Twice()
    model = recurra.Model(inputs, twice(tanh(inner(inputs))))
    x = np.ones((2, 4, 3), "float32")
    for saved in (model, twice):
        saved.save(tmp_path / "m.keras")
        again = recurra.models.load_model(tmp_path / "m.keras", custom_objects={"Twice": Twice})
        np.testing.assert_array_equal(again(x), saved(x))
        assert again.count_params() == saved.count_params()


@pytest.mark.parametrize("steps", [np.int64(-1), np.uint64(2**63 + 5), np.int64(2**63 - 1)])
def test_a_number_of_steps_that_no_optimizer_has_taken_is_refused(steps, tmp_path, data):
    model = make_model()
    model.train_on_batch(*data)
    model.save(tmp_path / "m.keras")

    def change(file):
        del file["optimizer/vars/0"]
        file["optimizer/vars/0"] = steps

    what = f"expected whole numbers from 0 to {2**53} in 'adam/iteration', got {steps}$"
    with pytest.raises(FileFormatError, match=what):
        recurra.models.load_model(rewritten(tmp_path / "m.keras", change))


def changed_config(path, change):
    """Returns a copy of a .keras file whose config went through `change`."""

    def changed(data):
        config = json.loads(data)
        change(config["config"])
        return json.dumps(config).encode()

    return with_member(path, "config.json", changed)


@pytest.mark.parametrize("line", [True, False])
def test_inputs_of_other_features_than_the_weights_have_are_refused(line, tmp_path):
    inputs, memory, last = recurra.Input((5, 3)), layers.LSTM(2, name="memory"), layers.Dense(1)
    model = recurra.Sequential([inputs, memory, last]) if line else recurra.Model(inputs, last(memory(inputs)))
    model.save(tmp_path / "m.keras")

    def widen(config):
        config.pop("build_input_shape", None)
        config["layers"][0]["config"]["batch_shape"] = [None, 5, 7]

    with pytest.raises(FileFormatError, match=r"numbers of shape \(7, 8\) at 'layers/lstm/cell/vars/0', got \(3, 8\)$"):
        recurra.models.load_model(changed_config(tmp_path / "m.keras", widen))


def test_a_file_cannot_ask_for_states_that_fill_the_memory(tmp_path):
    model = recurra.Sequential([recurra.Input(batch_shape=(2, 4, 3)), layers.LSTM(2, stateful=True, name="memory")])
    model.save(tmp_path / "m.keras")

    def enlarge(config):
        config["build_input_shape"] = config["layers"][0]["config"]["batch_shape"] = [10**12, 4, 3]

    what = "layer 'memory' expected states of at most 1073741824 bytes, got 16000000000000"
    with pytest.raises(FileFormatError, match=what):
        recurra.models.load_model(changed_config(tmp_path / "m.keras", enlarge))


@recurra.saving.register_keras_serializable("tests")
class Centered(layers.Layer):
    """Keeps means that are no weights."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.mean = np.zeros(2, "float32")

    def build(self, input_shape):
        self.factor = self.add_weight((2,), "ones", name="factor")

    def call(self, inputs):
        return (inputs - self.mean) * self.factor.value

    def save_own_variables(self, store):
        super().save_own_variables(store)
        store["mean"] = self.mean

    def load_own_variables(self, store):
        if store["mean"].shape != (2,):
            raise ValueError("two means")
        self.mean = store.pop("mean")
        super().load_own_variables(store)


def centered(mean, factor=2.0):
    layer = Centered(name="centered")
    part = recurra.Sequential([recurra.Input((4, 2)), layer], name="part")
    layer.mean, _ = np.array(mean), layer.set_weights([[factor, factor]])
    return recurra.Sequential([part, layers.GRU(2)]), layer


def test_layers_of_ones_own_store_what_they_say(tmp_path, data):
    (model, layer), x = centered([3.0, 5.0]), data[0]
    model.save(tmp_path / "m.keras")
    model.save_weights(tmp_path / "m.weights.h5")
    with h5py.File(tmp_path / "m.weights.h5") as file:  # as Keras has it
        np.testing.assert_array_equal(file["layers/sequential/layers/centered/vars/mean"], layer.mean)
        assert set(file["layers/sequential/layers/centered/vars"]) == {"0", "mean"}
    again, (other, its) = recurra.models.load_model(tmp_path / "m.keras"), centered([0.0, 0.0], 1.0)
    other.load_weights(tmp_path / "m.weights.h5")
    for loaded in (again, other):
        np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    its.mean += 1  # its own, and writable
    layer.mean = np.zeros(2**18)  # far more than the weights
    model.save(tmp_path / "m.keras")
    with pytest.raises(FileFormatError, match=r"what Centered\.load_own_variables takes, got two means"):
        recurra.models.load_model(tmp_path / "m.keras")
    with pytest.warns(UserWarning, match="'centered'. Centered 'centered' expected what .*, got two means"):
        other.load_weights(tmp_path / "m.keras", skip_mismatch=True)
    np.testing.assert_array_equal(its.mean, [4.0, 6.0])


class Counting(recurra.optimizers.SGD):
    """Keeps a number for each call."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seen = []

    def save_own_variables(self, store):
        super().save_own_variables(store)
        store["seen"] = np.array(self.seen)

    def load_own_variables(self, store):
        if store["seen"].ndim != 1:
            raise ValueError("a table")
        self.seen = store.pop("seen").tolist()
        super().load_own_variables(store)


def test_optimizers_of_ones_own_store_what_they_say(tmp_path):
    def compiled(seen):
        model = recurra.Sequential([recurra.Input((3,)), layers.Dense(1)])
        model.compile(Counting(momentum=0.9), "mse")
        model.train_on_batch(np.ones((4, 3)), np.ones((4, 1)))
        model.optimizer.seen = seen
        return model

    model, other = compiled([1.0] * 2**18), compiled([7.0])  # far more than the weights
    model.train_on_batch(np.ones((4, 3)), np.ones((4, 1)))
    model.save(tmp_path / "m.keras")
    model.save_weights(tmp_path / "m.weights.h5")
    again = recurra.models.load_model(tmp_path / "m.keras", custom_objects={"Counting": Counting})
    other.load_weights(tmp_path / "m.weights.h5")
    for loaded in (again, other):
        assert loaded.optimizer.seen == model.optimizer.seen and int(loaded.optimizer.iterations) == 2
        for one, its in zip(loaded.optimizer.variables, model.optimizer.variables, strict=True):
            np.testing.assert_array_equal(one, its)
    model.optimizer.seen = [[1.0]]
    model.save_weights(tmp_path / "m.weights.h5")
    with pytest.raises(FileFormatError, match=r"Counting\.load_own_variables takes, got a table: pass skip_mismatch"):
        other.load_weights(tmp_path / "m.weights.h5")
    assert len(other.optimizer.seen) == 2**18


class Pair(recurra.Model):
    def __init__(self):
        super().__init__()
        self.last, self.first, self.idle = layers.Dense(4), layers.Dense(2), layers.Dropout(0.1)

    def call(self, inputs):
        return self.first(self.idle(self.last(inputs)))


def test_a_model_of_ones_own_takes_the_weights_of_a_sequential_of_its_layers(tmp_path):
    path = tmp_path / "line.weights.h5"
    line, own = recurra.Sequential([recurra.Input((3,)), layers.Dense(4), layers.Dense(2)]), Pair()
    own(np.ones((1, 3)))
    line.save_weights(path)
    own.load_weights(path)
    for one, its in zip(own.get_weights(), line.get_weights(), strict=True):
        np.testing.assert_array_equal(one, its)
    own.save_weights(path)  # at the places of its attributes
    with h5py.File(path) as file:
        assert {"first", "last"} <= set(file)
    with pytest.raises(FileFormatError, match="expected the group 'layers/dense/vars', got none"):
        line.load_weights(path)  # nor does Keras


class Unnamed(layers.Layer):
    """Takes no name, as in Keras's guide of saving."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def build(self, input_shape):
        self.shift = self.add_weight((1,), name="shift")

    def call(self, inputs):
        return inputs * self.factor + self.shift.value

    def get_config(self):
        return {"factor": self.factor}


def test_layers_that_take_no_name_come_back_under_theirs(tmp_path):
    inputs = recurra.Input((3,))
    twice, thrice = Unnamed(2.0), Unnamed(3.0)
    hidden = layers.Dense(2)(inputs)
    model = recurra.Model(inputs, [thrice(hidden), twice(twice(hidden))])
    model.save(tmp_path / "m.keras")
    custom, x = {"Unnamed": Unnamed}, np.ones((2, 3), np.float32)
    copies = [
        recurra.models.load_model(tmp_path / "m.keras", custom_objects=custom),
        recurra.Model.from_config(model.get_config(), custom_objects=custom),
        recurra.models.clone_model(model),
    ]
    for copy in copies:
        assert [layer.name for layer in copy.layers] == [layer.name for layer in model.layers]
        assert [variable.path for variable in copy.weights] == [variable.path for variable in model.weights]
        copy.set_weights(model.get_weights())
        for one, its in zip(copy(x), model(x), strict=True):
            np.testing.assert_array_equal(one, its)


def test_what_layers_of_ones_own_store_is_looked_at_before_anything_changes(tmp_path):
    model, layer = centered([np.nan, 1.0])
    model.save_weights(tmp_path / "m.weights.h5")
    other, its = centered([0.0, 0.0], 7.0)
    with pytest.raises(FileFormatError, match=r"finite weights, got NaN or infinity in '.*/centered/vars/mean'"):
        other.load_weights(tmp_path / "m.weights.h5")
    assert its.mean.tolist() == [0.0, 0.0]
    other.load_weights(tmp_path / "m.weights.h5", allow_nonfinite=True)
    assert np.isnan(its.mean[0])
    layer.mean = np.ones(2)
    model.layers[-1].set_weights([np.full_like(array, np.inf) for array in model.layers[-1].get_weights()])
    model.save_weights(tmp_path / "m.weights.h5")
    its.mean = np.zeros(2)
    with pytest.raises(FileFormatError, match="finite weights"):
        other.load_weights(tmp_path / "m.weights.h5")
    assert its.mean.tolist() == [0.0, 0.0]


def test_where_one_layer_refuses_what_it_stored_the_others_stay_as_they_were(tmp_path):
    def two(*means):
        made = [Centered(name=name) for name in ("first", "second")]
        for layer, mean in zip(made, means, strict=True):
            layer.mean = np.array(mean)
        return recurra.Sequential([recurra.Input((4, 2)), *made])

    model, other = two([1.0, 2.0], [1.0, 2.0]), two([3.0, 4.0], [5.0, 6.0])
    model.layers[1].mean = np.ones(3)
    model.save_weights(tmp_path / "m.weights.h5")
    with pytest.raises(FileFormatError, match="got two means"):
        other.load_weights(tmp_path / "m.weights.h5")
    assert [layer.mean.tolist() for layer in other.layers] == [[3.0, 4.0], [5.0, 6.0]]


def test_a_file_may_not_fill_the_memory_by_naming_one_array_often(tmp_path):
    model, layer = centered([0.0, 0.0])
    layer.mean = np.zeros(2**16)
    model.save_weights(tmp_path / "m.weights.h5")
    with h5py.File(tmp_path / "m.weights.h5", "a") as file:
        group = file["layers/sequential/layers/centered/vars"]
        for i in range(100):
            group[f"again_{i}"] = group["mean"]
    with pytest.raises(FileFormatError, match="overlap"):
        model.load_weights(tmp_path / "m.weights.h5")


@pytest.mark.parametrize(
    ("mean", "message"),
    [
        (np.array(["text"]), "arrays of numbers of at most 64 bits, got <U4 in 'mean'"),
        (np.array([True]), "got bool in 'mean': True and False may be stored as int8"),
        ({"a/b": 1}, "names without '/', got 'a/b'"),
    ],
)
def test_what_a_file_cannot_hold_is_refused_when_it_is_stored(tmp_path, monkeypatch, mean, message):
    model, _ = centered([0.0, 0.0])
    stored = mean if isinstance(mean, dict) else {"mean": mean}
    monkeypatch.setattr(Centered, "save_own_variables", lambda self, store: store.update(stored))
    with pytest.raises(ValueError, match=f"save_own_variables expected .*{message}"):
        model.save_weights(tmp_path / "m.weights.h5")
    assert not list(tmp_path.iterdir())


def test_layers_with_files_of_their_own_are_refused(tmp_path, monkeypatch):
    model, _ = centered([0.0, 0.0])
    model.save(tmp_path / "m.keras")
    monkeypatch.setattr(Centered, "save_assets", lambda self, path: None, raising=False)
    with pytest.raises(ValueError, match=r"layers without save_assets\(\), got Centered 'centered': keep arrays"):
        model.save(tmp_path / "other.keras")
    model.save_weights(tmp_path / "m.weights.h5")  # which hold none in Keras either
    monkeypatch.setattr(Centered, "load_assets", lambda self, path: None, raising=False)
    with pytest.raises(ValueError, match=r"layers without load_assets\(\), got Centered 'centered'"):
        recurra.models.load_model(tmp_path / "m.keras")
