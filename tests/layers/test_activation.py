"""Layers that are activations, and activations that are layers."""

import numpy as np
import pytest

import recurra
from recurra import activations, layers


@pytest.mark.parametrize("make", [layers.LSTM, layers.SimpleRNN, layers.Dense, layers.TimeDistributed])
@pytest.mark.parametrize(
    "layer, function",
    [
        (layers.LeakyReLU(negative_slope=0.2), "leaky_relu"),
        (layers.ReLU(), "relu"),
        (layers.ELU(), "elu"),
        (layers.Softmax(), "softmax"),
        (layers.Activation("tanh"), "tanh"),
    ],
)
def test_a_layer_may_stand_for_an_activation(layer, function, make, rng):
    x, losses = rng.standard_normal((6, 4, 2)), []
    for activation in (layer, function):
        recurra.utils.set_random_seed(1)
        part = make(layers.Dense(3, activation)) if make is layers.TimeDistributed else make(3, activation=activation)
        model = recurra.Sequential([recurra.Input((4, 2)), part, layers.Flatten(), layers.Dense(1)])
        model.compile("sgd", loss="mse")
        losses.append(model.fit(x, x.sum(axis=(1, 2)), epochs=3, verbose=0).history["loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-6)


@pytest.mark.parametrize(
    "layer, wanted, slopes",
    [
        (layers.LeakyReLU(np.float64(0.5)), [-0.5, 2.0, 0.0], [0.5, 1.0, 0.5]),
        (layers.ELU(np.float64(0.5)), [0.5 * np.expm1(-1), 2.0, 0.0], [0.5 * np.exp(-1), 1.0, 0.5]),
        (layers.ReLU(max_value=1.5), [0.0, 1.5, 0.0], [0.0, 0.0, 0.0]),
        (layers.ReLU(), [0.0, 2.0, 0.0], [0.0, 1.0, 0.0]),
    ],
)
def test_slopes_below_zero_may_be_numbers_of_numpy(layer, wanted, slopes):
    x = np.array([[-1.0, 2.0, 0.0]], np.float32)
    y, cache = layer.forward(x)
    dx = layer.backward(np.ones_like(x), cache)
    np.testing.assert_allclose(y, [wanted], rtol=1e-6)
    np.testing.assert_allclose(dx, [slopes], rtol=1e-6)
    assert y.dtype == dx.dtype == np.float32


@pytest.mark.parametrize("part", [layers.LSTM(3, lambda x: x * x), layers.Dense(3, layers.PReLU())])
def test_activations_without_a_gradient_are_refused_in_training(part):
    model = recurra.Sequential([recurra.Input((4, 2)), part, layers.Flatten(), layers.Dense(1)])
    model.compile("sgd", loss="mse")
    with pytest.raises(ValueError, match=r"expected an activation with a gradient, got '<.*>': give the function an"):
        model.fit(np.ones((6, 4, 2)), np.ones(6), verbose=0)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_a_softmax_goes_over_several_axes_together(name, rng):
    function, x = getattr(activations, name), rng.standard_normal((2, 3, 4)).astype("float32")
    assert function(x, axis=(0, 1)).shape == x.shape
    np.testing.assert_array_equal(function(x, axis=(1, 2)), function(x.reshape(2, 12)).reshape(x.shape))
    np.testing.assert_array_equal(function(x, axis=(1, 0)).T, function(x.T, axis=[2, 1]))
    np.testing.assert_array_equal(activations.softmax(x, axis=(0, 2)), layers.Softmax(axis=(0, 2))(x))


@pytest.mark.parametrize("rows", [1, 3, 4])
def test_a_mask_of_time_steps_says_nothing_to_a_softmax_over_features(rows):
    model = recurra.Sequential([layers.Input((3, 3)), layers.Masking(), layers.Softmax()])
    x = np.random.default_rng(0).normal(size=(4, 3, 3)).astype(np.float32)
    x[:, 2] = 0  # (rows, 3) fits the features too where there are 1 or 3 rows
    np.testing.assert_array_equal(model.predict(x, batch_size=rows, verbose=0), layers.Softmax()(x))


@pytest.mark.parametrize(
    ("activate", "kind"),
    [
        (recurra.activations.relu, layers.Activation),
        (recurra.activations.glu, layers.Activation),
        (lambda x: recurra.activations.relu(x, 0.1, threshold=0.5), layers.ReLU),
        (lambda x: recurra.activations.leaky_relu(x, negative_slope=0.1), layers.LeakyReLU),
        (lambda x: recurra.activations.elu(x, alpha=0.5), layers.ELU),
        (lambda x: recurra.activations.softmax(x, axis=1), layers.Softmax),
    ],
)
def test_activations_of_symbolic_tensors_are_layers(activate, kind, rng):
    x = rng.normal(size=(2, 3, 4)).astype("float32")
    symbolic = recurra.Input((3, 4))
    y = activate(symbolic)
    model = recurra.Model(symbolic, y)
    assert type(model.layers[-1]) is kind
    np.testing.assert_array_equal(model.predict(x, verbose=0), activate(x))
    assert y.shape[1:] == activate(x).shape[1:]


def test_activations_of_symbolic_tensors_have_the_options_of_layers_alone():
    hint = r"got approximate=True: layers.Activation\('gelu'\) has none; else write a layer with forward and backward"
    with pytest.raises(ValueError, match=f"activations.gelu of a symbolic tensor expected no options, {hint}"):
        recurra.activations.gelu(recurra.Input((3,)), approximate=True)


def test_a_softmax_leaves_out_what_is_masked(rng, check_gradients):
    layer, x = layers.Softmax(dtype="float64"), rng.standard_normal((2, 3))
    keep = np.array([[True, True, False], [True, True, True]])
    y = layer(x, mask=keep)
    np.testing.assert_allclose(y[0, :2], np.exp(x[0, :2]) / np.exp(x[0, :2]).sum())
    assert y[0, 2] == 0
    np.testing.assert_array_equal(layer(x, mask=keep.astype("float32")), y)
    with pytest.raises(ValueError, match=r"Softmax expected a mask that fits \(2, 3\), got shape \(3, 2\)"):
        layer(x, mask=keep.T)
    check_gradients(layer, x, mask=keep)
