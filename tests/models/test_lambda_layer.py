"""Lambda: a function of symbolic tensors becomes layers, which train, and which files hold in its place."""

import copy
import pickle

import numpy as np
import pytest
from doubles import assert_same, held_by

import recurra
from recurra import Input, Sequential, layers
from recurra.training.plan import plan_of


def course_model(first, last):
    """Returns the network of a well-known course on time series: windows without features in, large numbers out."""
    recurra.utils.set_random_seed(0)
    line = [layers.LSTM(4, return_sequences=True), layers.Bidirectional(layers.LSTM(3)), layers.Dense(1)]
    model = Sequential([first, *line, last])
    model.compile(recurra.optimizers.SGD(1e-4, momentum=0.9), recurra.losses.Huber())
    return model


def with_lambdas():
    first = layers.Lambda(lambda x: x[..., None], input_shape=[None])
    return course_model(first, layers.Lambda(lambda x: x * 100.0))


@pytest.fixture
def windows(rng):
    return rng.standard_normal((12, 5)).astype("float32"), 100 * rng.standard_normal((12, 1)).astype("float32")


def test_a_lambda_trains_as_the_layers_that_it_stands_for(windows):
    by_function = with_lambdas()
    by_layer = course_model(layers.Reshape((-1, 1), input_shape=[None]), layers.Rescaling(100.0))
    assert plan_of(by_function, training=True) is not None
    found = []
    for model in (by_function, by_layer):
        recurra.utils.set_random_seed(1)
        losses = model.fit(*windows, batch_size=4, epochs=3, verbose=0).history["loss"]
        found.append([losses, model.predict(windows[0], verbose=0), *held_by(model)])
    assert_same(*found)


def test_files_hold_the_layers_and_no_code(tmp_path, windows):
    model = with_lambdas()
    model.fit(*windows, verbose=0)
    wanted = model.predict(windows[0], verbose=0)
    model.save(tmp_path / "course.keras")
    assert "Lambda" not in model.to_json()
    read = recurra.models.load_model(tmp_path / "course.keras")
    cloned = recurra.models.clone_model(model)
    cloned.set_weights(model.get_weights())
    for other in (read, cloned, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(other.predict(windows[0], verbose=0), wanted)
    for each in (read, model):
        each.fit(*windows, shuffle=False, verbose=0)
    np.testing.assert_array_equal(read.predict(windows[0], verbose=0), model.predict(windows[0], verbose=0))


def test_several_tensors_arguments_and_masks_go_through(tmp_path, rng):
    def make(scaled, joined):
        recurra.utils.set_random_seed(0)
        start = Input((4, 2))
        sequences = layers.GRU(3, return_sequences=True)(layers.Masking()(start))
        last = layers.GRU(3)(scaled(sequences))
        return recurra.Model(start, joined([last, sequences]))

    def scaled(x, factor, shift=1):
        return factor * x - shift

    def joined(given):
        return given[0] + given[1][:, 0]

    x = rng.standard_normal((5, 4, 2)).astype("float32")
    x[0, 2:] = 0
    by_function = make(layers.Lambda(scaled, arguments={"factor": 3.0}), layers.Lambda(joined))
    wanted = make(lambda x: scaled(x, 3.0), joined).predict(x, verbose=0)
    np.testing.assert_array_equal(by_function.predict(x, verbose=0), wanted)
    by_function.save(tmp_path / "model.keras")
    read = recurra.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(read.predict(x, verbose=0), wanted)


def test_weights_and_seeds_of_layers_within_train_and_stand_in_files(tmp_path, rng):
    recurra.utils.set_random_seed(0)
    halves = layers.Lambda(lambda x: layers.Dropout(0.5)(layers.Dense(3)(x)) / 2)
    behind = Sequential([layers.Dense(2)])  # a second model in the file, whose Lambda is one too
    model = Sequential([Input((4, 2)), halves, behind, layers.LSTM(2)])
    model.compile("adam", "mse")
    x, y = rng.standard_normal((5, 4, 2)), rng.standard_normal((5, 2))
    before = model.get_weights()
    model.fit(x, y, verbose=0)
    assert len(before) == 7 and not any(map(np.array_equal, before, model.get_weights()))
    model.save(tmp_path / "model.keras")
    read = recurra.models.load_model(tmp_path / "model.keras")
    for each in (read, model):
        each.fit(x, y, shuffle=False, verbose=0)
    assert_same(held_by(read), held_by(model))


def test_a_lambda_is_called_on_arrays_and_at_each_time_step(rng):
    x = rng.standard_normal((2, 3, 4)).astype("float32")
    np.testing.assert_array_equal(layers.Lambda(lambda x: -x[:, ::2])(x), -x[:, ::2])
    first = layers.TimeDistributed(layers.Lambda(lambda x: x[:, :1]))
    np.testing.assert_array_equal(first(x), x[:, :, :1])
    assert layers.Lambda(lambda x: x / 3, dtype="float64")(np.ones(2)[None]).dtype == np.float64
    one, two = layers.Lambda(lambda x: [x, recurra.activations.tanh(x)])(x)
    np.testing.assert_array_equal(one, x)
    np.testing.assert_allclose(two, np.tanh(x), rtol=1e-6)


@pytest.mark.parametrize(
    ("function", "got"),
    [
        (lambda x: np.abs(x), r"NumPy expected an array, got the symbolic tensor"),
        (lambda x: x**2, r"the graph expected \+, -, \*, / by a number, and indices"),
        (lambda x, y: x, r"missing 1 required positional argument: 'y'"),
        (lambda x: x.sum(axis=1), r"'KerasTensor' object has no attribute 'sum'"),
        (lambda x: 3, r"Model expected symbolic tensors from Input and layers, got 3"),
        (lambda x: x[0], r"an index that keeps the batch"),
        (lambda x: layers.ReLU(name="q")(layers.Dense(2, name="q")(x)), r"layers with different names, got 'q' twice"),
        (lambda x: b"\xff".decode(), r"'utf-8' codec can't decode"),
    ],
)
def test_other_functions_are_told_what_becomes_a_lambda(function, got):
    message = rf"layer '.*' expected a function of .* got one that failed \(.*{got}"
    with pytest.raises((TypeError, ValueError), match=message):
        layers.Lambda(function)(np.ones((2, 3)))


def test_what_is_no_function_a_mask_and_a_config_before_it_is_built_are_refused():
    with pytest.raises(TypeError, match="Lambda expected a function, got 3"):
        layers.Lambda(3)
    with pytest.raises(ValueError, match=r"Lambda expected no mask, got .*: the layers that it makes hand masks on"):
        layers.Lambda(lambda x: x, mask=np.ones(2))
    with pytest.raises(ValueError, match="expected to be built"):
        layers.Lambda(lambda x: x).get_config()
