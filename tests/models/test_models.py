"""Sequential and functional models: graphs, names, configs, nested and shared layers, and their gradients."""

import json

import numpy as np
import pytest

import recurra
from recurra import layers


def two_inputs(dtype="float32"):
    sequence = recurra.Input((5, 2), name="sequence", dtype=dtype)
    static = recurra.Input((3,), name="static", dtype=dtype)
    encoded, h = layers.GRU(4, return_state=True, name="encoded", dtype=dtype)(sequence)
    context = layers.Dense(3, activation="tanh", name="context", dtype=dtype)(static)
    joined = layers.Concatenate(name="joined", dtype=dtype)([encoded, context, h])
    return recurra.Model([sequence, static], layers.Dense(2, name="answer", dtype=dtype)(joined))


def numeric_gradient(function, array, epsilon=1e-6):
    gradient = np.zeros_like(array)
    for index in np.ndindex(*array.shape):
        kept = array[index]
        array[index] = kept + epsilon
        above = function()
        array[index] = kept - epsilon
        below = function()
        array[index] = kept
        gradient[index] = (above - below) / (2 * epsilon)
    return gradient


def assert_gradients_are_right(model, inputs, rng):
    outputs, cache, _ = model.run(inputs, None, False, {})
    cotangent = rng.standard_normal(outputs.shape)
    for variable in model.trainable_weights:
        variable.zero_grad()
    dinputs = model.backward_all(cotangent, cache)[0]
    loss = lambda: float((model.run(inputs, None, False, {})[0] * cotangent).sum())  # noqa: E731
    for variable in model.trainable_weights:
        np.testing.assert_allclose(variable.grad, numeric_gradient(loss, variable.value), rtol=1e-5, atol=1e-7)
    for dx, x in zip(dinputs if isinstance(dinputs, list) else [dinputs], inputs, strict=True):
        np.testing.assert_allclose(dx, numeric_gradient(loss, x), rtol=1e-5, atol=1e-7)


def test_the_gradients_of_a_graph_with_two_inputs_are_right(rng):
    model = two_inputs("float64")
    assert_gradients_are_right(model, [rng.standard_normal((2, 5, 2)), rng.standard_normal((2, 3))], rng)


def test_the_gradients_of_a_shared_layer_add_up(rng):
    a, b = recurra.Input((4, 2), dtype="float64"), recurra.Input((4, 2), dtype="float64")
    shared = layers.LSTM(3, dtype="float64")
    model = recurra.Model([a, b], layers.Add(dtype="float64")([shared(a), shared(b)]))
    assert_gradients_are_right(model, [rng.standard_normal((2, 4, 2)), rng.standard_normal((2, 4, 2))], rng)
    assert len(model.weights) == 3


def test_gradients_flow_through_initial_states(rng):
    past, future = recurra.Input((3, 2), dtype="float64"), recurra.Input((4, 1), dtype="float64")
    _, *states = layers.LSTM(3, return_state=True, dtype="float64")(past)
    decoded = layers.LSTM(3, return_sequences=True, dtype="float64")(future, initial_state=states)
    model = recurra.Model([past, future], decoded)
    assert_gradients_are_right(model, [rng.standard_normal((2, 3, 2)), rng.standard_normal((2, 4, 1))], rng)


def test_a_nested_model_is_a_layer(rng):
    inner = recurra.Sequential([recurra.Input((4, 2)), layers.GRU(3)], name="inner")
    x = recurra.Input((4, 2))
    model = recurra.Model(x, layers.Dense(1)(inner(x)))
    data = rng.standard_normal((5, 4, 2)).astype("float32")
    model.compile(optimizer=recurra.optimizers.Adam(0.05), loss="mse")
    history = model.fit(data, data.sum(axis=(1, 2)), epochs=60, verbose=0).history["loss"]
    assert history[-1] < history[0] / 2
    assert [layer.name for layer in model.layers][1] == "inner"


def test_layers_come_in_keras_order():
    assert [layer.name for layer in two_inputs().layers] == [
        "sequence",
        "static",
        "encoded",
        "context",
        "joined",
        "answer",
    ]


def test_a_config_builds_the_same_model(rng):
    model = two_inputs()
    again = recurra.models.model_from_json(model.to_json())
    assert json.loads(again.to_json())["config"] == json.loads(model.to_json())["config"]
    again.set_weights(model.get_weights())
    data = {"sequence": rng.standard_normal((2, 5, 2)), "static": rng.standard_normal((2, 3))}
    np.testing.assert_array_equal(again.predict(data, verbose=0), model.predict(data, verbose=0))


def test_several_outputs_come_in_their_structure(rng):
    x = recurra.Input((4, 2))
    sequence = layers.GRU(3, return_sequences=True)(x)
    last = layers.LSTM(2)(sequence)
    data = rng.standard_normal((5, 4, 2)).astype("float32")
    as_list = recurra.Model(x, [sequence, last])
    as_dict = recurra.Model(x, {"all": sequence, "one": last})
    assert [y.shape for y in as_list.predict(data, verbose=0)] == [(5, 4, 3), (5, 2)]
    assert {k: y.shape for k, y in as_dict.predict(data, verbose=0).items()} == {"all": (5, 4, 3), "one": (5, 2)}


def test_sequential_is_built_by_the_first_data(rng):
    model = recurra.Sequential([layers.LSTM(3), layers.Dense(1)])
    assert not model.built
    assert model(rng.standard_normal((2, 5, 4)).astype("float32")).shape == (2, 1)
    assert model.built
    assert model.weights[0].path == "sequential/lstm/lstm_cell/kernel" or model.weights[0].path.endswith("/kernel")
    assert model.input_shape[1:] == (5, 4)


def test_layers_are_added_and_removed():
    model = recurra.Sequential([recurra.Input((4, 1)), layers.LSTM(3)])
    model.add(layers.Dense(2))
    assert model.output_shape == (None, 2)
    model.pop()
    assert model.output_shape == (None, 3)


def test_the_features_axis_of_one_is_added_for_the_caller(rng):
    model = recurra.Sequential([recurra.Input((4, 1)), layers.LSTM(3)])
    x = rng.standard_normal((2, 4)).astype("float32")
    np.testing.assert_array_equal(model.predict(x, verbose=0), model.predict(x[..., None], verbose=0))


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: recurra.Sequential(["lstm"]), "Sequential expected layers, got 'lstm'"),
        (lambda: recurra.Sequential([layers.Dense(1, name="a"), layers.Dense(1, name="a")]), "different names"),
        (lambda: two_inputs().get_layer("nothing"), "get_layer expected one of"),
        (lambda: two_inputs().predict(np.zeros((2, 5, 2))), "2 inputs, got 1"),
        (lambda: two_inputs().predict([np.zeros((2, 5, 3)), np.zeros((2, 3))]), r"shape \(None, 5, 2\)"),
        (lambda: recurra.Model(recurra.Input((2,)), layers.Dense(1)(recurra.Input((2,)))), "given inputs only"),
        (lambda: recurra.Sequential([layers.Dense(1)]).count_params(), "built"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(make, message):
    with pytest.raises(ValueError, match=message):
        make()
