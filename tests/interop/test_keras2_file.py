"""`.h5` files of Keras 2, made here as it writes them; those of the real one are in test_peers."""

import json
import zipfile

import h5py
import numpy as np
import pytest

import recurra
from recurra import layers
from recurra.errors import FileFormatError


def write_weights(group, named):
    """Writes the weights of layers by their names, the trainable ones first."""
    group.attrs["layer_names"] = [name.encode() for name, _ in named]
    for name, layer in named:
        weights = [*layer.trainable_weights, *layer.non_trainable_weights]
        part = group.create_group(name)
        part.attrs["weight_names"] = [f"{name}/{position}:0".encode() for position in range(len(weights))]
        for position, variable in enumerate(weights):
            part[f"{name}/{position}:0"] = variable.value


def write_model(path, model, change=lambda config: config, version="2.9.0"):
    """Writes a whole model, after `change` was made to its config in Keras 3's words."""
    described = json.loads(model.to_json())
    with h5py.File(path, "w") as file:
        if version:
            file.attrs["keras_version"] = version
        file.attrs["model_config"] = json.dumps(change({key: described[key] for key in ("class_name", "config")}))
        write_weights(file.create_group("model_weights"), [(layer.name, layer) for layer in model.layers])
    return path


def make_model():
    norm = layers.BatchNormalization(name="norm")
    model = recurra.Sequential([recurra.Input((5, 3)), layers.LSTM(4, name="memory"), norm, layers.Dense(1)], name="m")
    norm.set_weights([np.arange(1, 5) + i for i in range(4)])
    return model


def entries(config):
    return {entry["class_name"]: entry["config"] for entry in config["config"]["layers"]}


def test_axes_in_lists_and_sequentials_that_are_lists_load(tmp_path):
    def change(config):
        entries(config)["BatchNormalization"]["axis"] = [1]
        line = config["config"]["layers"][1:]
        line[0]["config"]["batch_input_shape"] = [None, 5, 3]
        return {**config, "config": line}  # as in Keras 2.2.2

    model, x = make_model(), np.ones((2, 5, 3), "float32")
    again = recurra.models.load_model(write_model(tmp_path / "m.h5", model, change))
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


def test_a_config_that_is_no_dict_is_told_in_few_words(tmp_path):
    def change(config):
        entries(config)["LSTM"]["kernel_initializer"] = {"class_name": "Zeros", "config": ["x" * 9_000]}
        return config

    with pytest.raises(FileFormatError, match=r"a config of Zeros as a dict, got list$"):
        recurra.models.load_model(write_model(tmp_path / "m.h5", make_model(), change))


@pytest.mark.parametrize("given", ["hard_sigmoid", {"class_name": "function", "config": "hard_sigmoid"}])
@pytest.mark.parametrize("version", ["2.1.6", None])
def test_hard_sigmoid_is_another_function_in_keras_2(tmp_path, version, given):
    def change(config):
        entries(config)["LSTM"]["recurrent_activation"] = given
        return config

    path = write_model(tmp_path / "m.h5", make_model(), change, version)
    with pytest.raises(FileFormatError, match=r"got recurrent_activation='hard_sigmoid': pass custom_objects="):
        recurra.models.load_model(path)

    def old_one(x):
        return np.clip(0.2 * x + 0.5, 0, 1)

    model = recurra.models.load_model(path, custom_objects={"hard_sigmoid": old_one})
    assert model.layers[0].cell.recurrent_activation is old_one
    path = write_model(tmp_path / "legacy.h5", make_model(), change, "3.15.1")
    model = recurra.models.load_model(path)
    assert model.layers[0].cell.recurrent_activation is recurra.activations.hard_sigmoid


def test_causal_attention_of_keras_2_is_refused_by_name(tmp_path):
    end = recurra.Input((4, 2), name="end")
    model = recurra.Model(end, layers.Attention(name="look")([end, end]))

    def change(causal):
        def changed(config):
            entries(config)["Attention"]["causal"] = causal
            return config

        return changed

    x = np.ones((1, 4, 2), "float32")
    again = recurra.models.load_model(write_model(tmp_path / "m.h5", model, change(False)))
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    with pytest.raises(FileFormatError, match="loading expected causal=False, got True"):
        recurra.models.load_model(write_model(tmp_path / "m.h5", model, change(True)))


def make_translator(way=lambda rows: rows, says_mask=False):
    """Returns a model whose decoder begins with the encoder's states; `way` leads to it from its embedding."""
    ids, answers = recurra.Input((None,), dtype="int32"), recurra.Input((None,), dtype="int32")
    _, *states = layers.LSTM(4, return_state=True)(layers.Embedding(9, 3, mask_zero=True)(ids))
    mask = {"mask": answers} if says_mask else {}
    steps = layers.LSTM(4, return_sequences=True, name="first")(
        way(layers.Embedding(9, 3, mask_zero=True)(answers)), initial_state=states, **mask
    )
    return recurra.Model([ids, answers], layers.LSTM(4, name="second")(steps, initial_state=states, **mask))


TEXTS = [np.array([[1, 2, 3, 0, 0], [4, 5, 0, 0, 0]]), np.array([[3, 2, 0, 4, 0, 0], [4, 0, 0, 0, 0, 0]])]


@pytest.mark.parametrize(
    "way",
    [
        lambda rows: rows,
        lambda rows: layers.LSTM(3, return_sequences=True)(layers.Dense(3)(layers.Dropout(0.5)(rows))),
        lambda rows: layers.Bidirectional(layers.GRU(2, return_sequences=True))(rows),
    ],
)
def test_masks_count_beside_initial_states_in_keras_2(tmp_path, way):
    model, clear = make_translator(way), make_translator(way, says_mask=True)
    clear.set_weights(model.get_weights())
    answers = [one.predict(TEXTS, verbose=0) for one in (model, clear)]
    assert np.abs(answers[0] - answers[1]).max() > 1e-4
    again = recurra.models.load_model(write_model(tmp_path / "m.h5", model))
    np.testing.assert_array_equal(again.predict(TEXTS, verbose=0), answers[1])
    again.save(tmp_path / "m.keras")
    again = recurra.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(again.predict(TEXTS, verbose=0), answers[1])
    again = recurra.models.load_model(write_model(tmp_path / "of_keras_3.h5", model, version="3.15.1"))
    np.testing.assert_array_equal(again.predict(TEXTS, verbose=0), answers[0])


def test_a_mask_given_in_a_call_of_keras_2_is_a_tensor(tmp_path):
    model = make_translator(says_mask=True)

    def change(config):
        for entry in config["config"]["layers"]:
            for position, node in enumerate(entry["inbound_nodes"]):
                kwargs = {name: history(value) for name, value in node["kwargs"].items()}
                entry["inbound_nodes"][position] = [[*history(node["args"][0]), kwargs]]
        return config

    def history(value):
        return [history(one) for one in value] if isinstance(value, list) else value["config"]["keras_history"]

    again = recurra.models.load_model(write_model(tmp_path / "m.h5", model, change))
    np.testing.assert_array_equal(again.predict(TEXTS, verbose=0), model.predict(TEXTS, verbose=0))


def inner_decoder(rows):
    start, state = recurra.Input((None, 3)), recurra.Input((3,))
    decoder = recurra.Model(
        [start, state], layers.GRU(3, name="inner", return_sequences=True)(start, initial_state=state)
    )
    return decoder([rows, layers.Dense(3)(layers.GlobalMaxPooling1D()(rows))])


@pytest.mark.parametrize(
    ("way", "name"),
    [
        (layers.Masking(), "first"),
        (lambda rows: layers.Concatenate()([rows, rows]), "first"),
        (inner_decoder, "inner"),
    ],
)
def test_other_masks_beside_initial_states_of_keras_2_are_refused(tmp_path, way, name):
    path = write_model(tmp_path / "m.h5", make_translator(way))
    with pytest.raises(FileFormatError, match=f"initial_state for '{name}' .* got another mask.* call load_weights"):
        recurra.models.load_model(path)


def test_initial_states_of_keras_2_without_masks_load_as_they_are(tmp_path):
    start, side = recurra.Input((None, 3)), recurra.Input((None, 3))
    _, state = layers.GRU(4, return_state=True)(layers.Masking()(side))
    line = recurra.Sequential([recurra.Input((None, 3)), layers.Conv1D(3, 1), layers.Dense(3)])
    steps = layers.Concatenate()([layers.Add()([start, line(start)]), start])
    model = recurra.Model([start, side], layers.GRU(4)(steps, initial_state=state))
    x = [np.ones((2, 5, 3), "float32"), np.ones((2, 4, 3), "float32")]
    again = recurra.models.load_model(write_model(tmp_path / "m.h5", model))
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


@pytest.mark.parametrize("ending", [".h5", ".hdf5", ".weights.h5"])
@pytest.mark.parametrize("prefix", ["", "other_"])
def test_load_weights_takes_weights_of_keras_2(tmp_path, ending, prefix):
    model, path, x = make_model(), tmp_path / f"w{ending}", np.ones((2, 5, 3), "float32")
    with h5py.File(path, "w") as file:
        write_weights(file, [(f"{prefix}{layer.name}", layer) for layer in model.layers])
    again = recurra.models.clone_model(model)
    again.load_weights(path)
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    other = recurra.Sequential([recurra.Input((5, 3)), layers.LSTM(4)])
    with pytest.raises(FileFormatError, match=f"weights of layer '{other.layers[0].name}', got none"):
        other.load_weights(path)


@pytest.mark.parametrize("prefix", ["", "other_"])
def test_layers_of_other_shapes_than_the_weights_of_keras_2_are_skipped(tmp_path, prefix):
    model, path, end = make_model(), tmp_path / "w.h5", recurra.Input((5, 3))
    with h5py.File(path, "w") as file:
        write_weights(file, [(f"{prefix}{layer.name}", layer) for layer in model.layers])
    norm, dense = layers.BatchNormalization(center=False, name="norm"), layers.Dense(2, name="wide")
    other = recurra.Sequential([end, layers.LSTM(4, name="memory"), norm, dense], name="other")
    before = [one.get_weights() for one in other.layers]
    message = (
        r"^A total of 2 objects could not be loaded from w\.h5, and stay as they are: 'norm', 'wide'\. "
        r"BatchNormalization 'norm' expected 3 weights, got 4\.$"
    )
    with pytest.warns(UserWarning, match=message) as told:
        other.load_weights(path, skip_mismatch=True)
    assert told[0].filename == __file__
    assert_same_weights(other.layers[0].get_weights(), model.layers[0].get_weights())
    for layer, weights in list(zip(other.layers, before, strict=True))[1:]:
        assert_same_weights(layer.get_weights(), weights)
    with pytest.raises(FileFormatError, match=r"expected 3 weights of layer 'norm', got 4: pass skip_mismatch=True"):
        other.load_weights(path)
    model.layers[0].cell.kernel.assign(np.full((3, 16), np.nan))
    with h5py.File(path, "w") as file:
        write_weights(file, [(layer.name, layer) for layer in model.layers])
    with pytest.raises(FileFormatError, match="NaN or infinity"), pytest.warns(UserWarning):
        other.load_weights(path, skip_mismatch=True)


def assert_same_weights(got, wanted):
    for one, other in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(one, other)


def test_weights_of_more_layers_than_the_model_has_are_refused(tmp_path):
    model = make_model()
    with h5py.File(tmp_path / "w.h5", "w") as file:
        write_weights(file, [*((layer.name, layer) for layer in model.layers), ("more", model.layers[-1])])
    with pytest.raises(FileFormatError, match="expected weights of 3 layers, got also those of 'more': pass skip"):
        model.load_weights(tmp_path / "w.h5")
    again = recurra.models.clone_model(model)
    again.load_weights(tmp_path / "w.h5", skip_mismatch=True)
    assert_same_weights(again.get_weights(), model.get_weights())


def test_load_weights_takes_them_out_of_a_whole_model(tmp_path):
    model, x = make_model(), np.ones((2, 5, 3), "float32")
    again = recurra.models.clone_model(model)
    again.load_weights(write_model(tmp_path / "m.h5", model))
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


def test_load_model_says_how_to_load_weights_alone(tmp_path):
    with h5py.File(tmp_path / "w.h5", "w") as file:
        write_weights(file, [])
    with pytest.raises(FileFormatError, match="got weights alone: build the model and call load_weights"):
        recurra.models.load_model(tmp_path / "w.h5")


@pytest.mark.parametrize("version", ["2.15.0", "3.0.0", 2, None])
def test_a_refused_archive_of_keras_2_is_told_by_its_version(tmp_path, version):
    make_model().save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as mine, zipfile.ZipFile(tmp_path / "its.keras", "w") as its:
        config = json.loads(mine.read("config.json"))
        entries(config)["InputLayer"]["batch_input_shape"] = entries(config)["InputLayer"].pop("batch_shape")
        its.writestr("config.json", json.dumps(config))
        its.writestr("metadata.json", json.dumps({"keras_version": version} if version else []))
        its.writestr("model.weights.h5", mine.read("model.weights.h5"))
    message = r"its\.keras expected a file of Keras 3, got one of Keras 2\.15\.0: save the model there as \.h5"
    with pytest.raises(FileFormatError, match=message if version == "2.15.0" else "Input expected a shape"):
        recurra.models.load_model(tmp_path / "its.keras")


def compiled_model():
    model = make_model()
    optimizer = recurra.optimizers.Adam(recurra.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9))
    model.compile(optimizer, recurra.losses.Huber(), metrics=["mae", recurra.metrics.RootMeanSquaredError("root")])
    return model


def test_a_compiled_model_goes_on_training_from_its_legacy_file(rng, tmp_path):
    x, y = rng.normal(size=(8, 5, 3)).astype("float32"), rng.normal(size=8).astype("float32")
    model = compiled_model()
    model.fit(x, y, epochs=2, verbose=0)
    with pytest.warns(UserWarning, match=r"m\.h5 is in a legacy format: write 'm\.keras'"):
        model.save(tmp_path / "m.h5")
    again = recurra.models.load_model(tmp_path / "m.h5")
    assert again.evaluate(x, y, verbose=0, return_dict=True) == model.evaluate(x, y, verbose=0, return_dict=True)
    histories = [one.fit(x, y, epochs=3, shuffle=False, verbose=0).history for one in (model, again)]
    assert histories[0] == histories[1]
    with h5py.File(tmp_path / "m.h5") as file:  # as Keras reads it
        config = json.loads(file.attrs["training_config"])
        assert config["optimizer_config"]["class_name"] == "Adam" and config["metrics"][0] == "mae"


@pytest.mark.filterwarnings("ignore:m.h5 is in a legacy format")
def test_a_legacy_file_need_not_tell_what_compile_was_told(tmp_path):
    model = compiled_model()
    model.save(tmp_path / "m.h5")
    assert recurra.models.load_model(tmp_path / "m.h5", compile=False).optimizer is None
    model.save(tmp_path / "m.h5", include_optimizer=False)
    assert recurra.models.load_model(tmp_path / "m.h5").optimizer is None
    model.compile(None, "mse")  # Keras reads no file that tells of no optimizer
    model.save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5") as file:
        assert "training_config" not in file.attrs


@pytest.mark.filterwarnings("ignore:m.h5 is in a legacy format")
def test_functions_are_told_by_the_names_that_keras_reads(tmp_path):
    def off(y_true, y_pred):
        return np.abs(y_true - y_pred).mean(-1)

    model = make_model()
    model.compile("sgd", ["MSE"], metrics=["mae", recurra.metrics.mean_squared_error, off])
    model.save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5") as file:
        config = json.loads(file.attrs["training_config"])
    assert config["loss"] == ["mean_squared_error"]  # Keras knows mse of its metrics alone
    assert config["metrics"] == ["mae", "mean_squared_error", "off"]
    again = recurra.models.load_model(tmp_path / "m.h5", {"off": off})
    data = np.ones((2, 5, 3)), np.ones(2)
    ours, theirs = (one.evaluate(*data, verbose=0, return_dict=True) for one in (again, model))
    assert ours == theirs and "off" in ours


def told(path, training, version="3.15.1"):
    """Writes a whole model with a training_config in Keras's words, which leave modules out."""
    write_model(path, make_model(), version=version)
    with h5py.File(path, "a") as file:
        file.attrs["training_config"] = json.dumps(training) if isinstance(training, dict) else training
    return path


ADAM = {"class_name": "Adam", "config": {"learning_rate": 0.25}}
HUBER = {"class_name": "Huber", "config": {"delta": 2.0}}


def test_losses_and_metrics_of_keras_s_legacy_files_are_told_apart_by_their_place(tmp_path):
    mean = {"class_name": "MeanSquaredError", "config": {"name": "square"}}
    training = {"optimizer_config": ADAM, "loss": mean, "metrics": [mean, "mae"], "loss_weights": None}
    model = recurra.models.load_model(told(tmp_path / "m.h5", training))
    assert isinstance(model.loss, recurra.losses.MeanSquaredError)
    assert float(model.optimizer.learning_rate) == 0.25
    assert list(model.evaluate(np.ones((2, 5, 3)), np.ones(2), verbose=0, return_dict=True)) == [
        "loss",
        "mae",
        "square",
    ]
    old = recurra.models.load_model(told(tmp_path / "old.h5", training, "2.9.0"))
    assert old.optimizer is None


@pytest.mark.parametrize(
    "training", ["{", {"loss": "mse"}, {"optimizer_config": ADAM, "loss": "mean"}, {"optimizer_config": HUBER}]
)
def test_a_training_config_that_is_not_sound_is_refused_and_can_be_left_out(training, tmp_path):
    path = told(tmp_path / "m.h5", training)
    with pytest.raises(FileFormatError, match=r"a sound training_config in m\.h5, got .*compile=False"):
        recurra.models.load_model(path)
    assert recurra.models.load_model(path, compile=False).built


def test_a_function_of_the_callers_that_a_legacy_file_only_names_is_asked_for(tmp_path):
    path = told(tmp_path / "m.h5", {"optimizer_config": ADAM, "loss": "off"})
    with pytest.raises(FileFormatError, match=r"got 'off': .*; pass functions of your own in custom_objects"):
        recurra.models.load_model(path)
    assert recurra.models.load_model(path, {"off": recurra.losses.mean_squared_error}).loss


@pytest.mark.filterwarnings("ignore:m.h5 is in a legacy format")
def test_the_state_of_another_optimizer_is_left_in_a_legacy_file(rng, tmp_path):
    model = compiled_model()
    model.fit(rng.normal(size=(8, 5, 3)), rng.normal(size=8), verbose=0)
    model.save(tmp_path / "m.h5")
    with h5py.File(tmp_path / "m.h5", "a") as file:
        names = file["optimizer_weights"].attrs["weight_names"]
        file["optimizer_weights"].attrs["weight_names"] = names[:-1]
    with pytest.warns(UserWarning, match="the optimizer's state is not restored"):
        again = recurra.models.load_model(tmp_path / "m.h5")
    assert int(again.optimizer.iterations) == 0
