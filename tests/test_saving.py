"""What files may name, and for whom."""

import copy
import gc
import pickle
import threading
import weakref

import numpy as np
import pytest

import recurra
from recurra import layers, losses, metrics, saving
from recurra._names import naming


@pytest.mark.parametrize(
    "get, given, meant",
    [
        (recurra.initializers.get, "glorot_unifrom", "glorot_uniform"),
        (recurra.activations.get, "rleu", "relu"),
        (recurra.regularizers.get, "l1l3", "l1l2"),
        (recurra.constraints.get, "maxnorm", "MaxNorm"),
    ],
)
def test_a_misspelt_name_gets_the_one_that_was_meant(get, given, meant):
    with pytest.raises(ValueError, match=f"got '{given}': did you mean .*'{meant}'"):
        get(given)


def test_custom_objects_belong_to_their_thread():
    """As in Keras; two threads that load with custom_objects once took each other's away."""
    errors, start = [], threading.Barrier(4)

    def load(number):
        cls = type(f"Custom{number}", (layers.Layer,), {})
        config = {"module": "own", "class_name": cls.__name__, "config": {"name": "x"}, "registered_name": None}
        start.wait()
        try:
            for _ in range(300):
                assert isinstance(saving.deserialize_keras_object(config, {cls.__name__: cls}), cls)
                assert saving.get_registered_object(f"Custom{(number + 1) % 4}") is None
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=load, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors


def test_configs_are_read_with_the_classes_that_stand_for_their_names():
    class Twice(recurra.layers.Layer):
        def call(self, x):
            return 2 * x

    class Other(Twice):
        pass

    for model in (
        recurra.Sequential([recurra.Input((3,)), Twice(name="own")]),
        recurra.Model(x := recurra.Input((3,)), Twice(name="own")(x)),
        recurra.layers.TimeDistributed(Twice(name="own")),
    ):
        again = type(model).from_config(model.get_config(), custom_objects={"Twice": Other})
        assert type(getattr(again, "layer", None) or again.get_layer("own")) is Other


def test_scopes_lie_in_one_another():
    with saving.CustomObjectScope({"a": int, "b": int}) as outer:
        with saving.CustomObjectScope({"a": str}), outer:
            assert saving.get_registered_object("a") is int
        assert saving.get_registered_object("a") is int
        seen = []
        thread = threading.Thread(target=lambda: seen.append(saving.get_registered_object("a")))
        thread.start()
        thread.join()
        assert seen == [None]
    assert saving.get_registered_object("a") is None


@pytest.mark.parametrize("function", [losses.mean_squared_error, metrics.binary_accuracy, metrics.pearson_correlation])
def test_functions_of_losses_and_metrics_survive(function, tmp_path):
    assert saving.deserialize_keras_object(saving.serialize_keras_object(function)) is function
    model = recurra.Sequential([recurra.Input((2,)), layers.Dense(3)])
    metric = metrics.MeanMetricWrapper(function, name="own")
    model.compile(loss=losses.huber, metrics=[metric, metrics.mean_absolute_error])
    x, y = [[0.5, 1.0], [2.0, 3.0]], [[0.0, 1.0, 1.0], [0.4, 0.0, 1.0]]
    wanted = model.evaluate(x, y, verbose=0)
    model.save(tmp_path / "m.keras")
    assert recurra.models.load_model(tmp_path / "m.keras").evaluate(x, y, verbose=0) == wanted


def test_activations_are_names_in_configs():
    assert saving.serialize_keras_object(recurra.activations.relu) == "relu"
    assert layers.Dense(2, activation="swish").get_config()["activation"] == "silu"


@pytest.mark.parametrize(
    "module, name, kind",
    [
        (recurra.initializers, "glorot_uniform", recurra.initializers.GlorotUniform),
        (recurra.regularizers, "l2", recurra.regularizers.L2),
        (recurra.constraints, "non_neg", recurra.constraints.NonNeg),
        (recurra.metrics, "mean_squared_error", metrics.MeanSquaredError),
        (recurra.losses, "MeanSquaredError", losses.MeanSquaredError),
    ],
)
def test_every_deserialize_takes_names(module, name, kind):
    assert type(module.deserialize(name)) is kind
    assert module.deserialize("own", {"own": kind}).get_config() == module.deserialize(name).get_config()
    with pytest.raises(ValueError, match=r"expected .* or its name, got 'nope'"):
        module.deserialize("nope")


@pytest.mark.parametrize(
    "module, name, kind",
    [
        (recurra.initializers, "glorot_uniform", recurra.initializers.GlorotUniform),
        (recurra.regularizers, "l2", recurra.regularizers.L2),
        (recurra.constraints, "max_norm", recurra.constraints.MaxNorm),
        (recurra.metrics, "MeanSquaredError", metrics.MeanSquaredError),  # a loss has this name too
        (recurra.metrics, "mse", metrics.MeanSquaredError),
        (recurra.metrics, "auc", metrics.AUC),
        (recurra.losses, "MeanSquaredError", losses.MeanSquaredError),
    ],
)
def test_a_config_without_a_module_is_of_the_module_that_is_asked(module, name, kind):
    config = {"class_name": name, "config": {}}
    assert type(module.get(config)) is type(module.deserialize(config)) is kind
    assert type(module.get({"class_name": name})) is kind

    class Own(kind):
        pass

    assert type(module.deserialize(config, {name: Own})) is Own
    assert type(module.get({"class_name": kind.__name__, "config": kind().get_config()})) is kind


def test_keras_s_own_modules_tell_losses_from_metrics_of_one_name():
    for module, package in (("keras.src.losses.losses", losses), ("keras.src.metrics.regression_metrics", metrics)):
        config = {"class_name": "MeanSquaredError", "module": module, "registered_name": None, "config": {}}
        assert type(saving.deserialize_keras_object(config)) is package.MeanSquaredError


def test_a_config_may_be_the_name_of_a_function():
    assert losses.get({"class_name": "mean_squared_error", "config": {}}) is losses.mean_squared_error
    with pytest.raises(TypeError, match="a known class, got 'nope'"):
        losses.get({"class_name": "nope", "config": {}})


def test_an_optimizer_is_made_of_a_config():
    message = "optimizers.deserialize expected a config, as serialize makes it, got 'adam': optimizers.get takes names"
    with pytest.raises(TypeError, match=message):
        recurra.optimizers.deserialize("adam")


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"a": 1},
        {"class_name": "DTypePolicy", "config": {"name": "relu"}},
        {"class_name": "__tuple__", "items": [1]},
    ],
)
@pytest.mark.parametrize(
    ("module", "what"),
    [
        ("activations", "an activation"),
        ("constraints", "a constraint"),
        ("initializers", "an initializer"),
        ("losses", "a loss"),
        ("metrics", "a metric"),
        ("regularizers", "a regularizer"),
    ],
)
def test_a_config_of_another_kind_of_thing_is_refused(module, what, config):
    with pytest.raises(ValueError, match=rf"{module}\.get expected {what} or its name, got {{"):
        getattr(recurra, module).get(config)


def test_layers_refuse_configs_of_other_things():
    for options in ({"activation": {}}, {"kernel_constraint": {}}, {"recurrent_regularizer": {}}):
        with pytest.raises(ValueError, match=r"or its name, got \{\}"):
            recurra.layers.LSTM(2, **options)


def test_weights_are_saved_and_loaded_by_functions_too(tmp_path):
    model = recurra.Sequential([recurra.Input((3,)), layers.Dense(2), layers.Dense(1)])
    recurra.saving.save_weights(model, tmp_path / "m.weights.h5")
    again = recurra.models.clone_model(model)
    recurra.saving.load_weights(again, tmp_path / "m.weights.h5")
    for one, other in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ValueError, match="pass overwrite=True"):
        recurra.saving.save_weights(model, tmp_path / "m.weights.h5", overwrite=False)
    with pytest.raises(ValueError, match="max_shard_size=None"):
        recurra.saving.save_weights(model, tmp_path / "m.weights.h5", max_shard_size=1)
    other = recurra.Sequential([recurra.Input((3,)), layers.Dense(2), layers.Dense(4)])
    with pytest.warns(UserWarning, match="A total of 1 objects could not be loaded"):
        recurra.saving.load_weights(other, tmp_path / "m.weights.h5", skip_mismatch=True)


def test_what_layers_are_named_by_is_not_pickled_with_a_class_of_a_notebook():
    """Picklers of classes by their code, as cloudpickle, take the globals of `build` along."""
    assert pickle.loads(pickle.dumps(naming)) is naming
    assert copy.deepcopy(naming) is naming


@pytest.mark.parametrize("method", ["call", "forward"])
def test_classes_of_the_program_are_let_go(method, tmp_path):
    def use():
        def run(self, inputs):
            return inputs if method == "call" else (inputs, None)

        cls = type("Mine", (layers.Layer,), {method: run})
        model = recurra.Sequential([layers.Input((3,)), cls(), layers.Dense(1)])
        model.predict(np.ones((2, 3)), verbose=0)
        model.save(tmp_path / "m.keras")
        recurra.models.clone_model(model)
        return weakref.ref(cls)

    made = [use() for _ in range(3)]
    gc.collect()
    assert [one() for one in made] == [None] * 3


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.int64(3), 3),
        ({"rate": np.float32(0.5)}, {"rate": 0.5}),
        (np.arange(3), np.arange(3)),
        (np.array(["a", "b"]), ["a", "b"]),
        (recurra.activations.relu, "relu"),
        (layers.Dense(2), layers.Dense),
    ],
    ids=["number", "number in a dict", "array", "words", "function", "layer"],
)
def test_the_config_of_a_class_of_the_program_may_hold_what_json_cannot(value, expected, tmp_path):
    class Holder(layers.Layer):
        def __init__(self, held, **options):
            super().__init__(**options)
            self.held = held

        def forward(self, inputs):
            return inputs, None

        def get_config(self):
            return {"held": self.held, "name": self.name}

    recurra.Sequential([recurra.Input((3,)), Holder(value)]).save(tmp_path / "model.keras")
    held = recurra.models.load_model(tmp_path / "model.keras", {"Holder": Holder}).layers[-1].held
    if isinstance(expected, type):
        assert type(held) is expected
    else:
        np.testing.assert_equal(held, expected)
