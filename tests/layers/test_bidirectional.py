"""Bidirectional against the two layers that it is made of."""

import numpy as np
import pytest

import recurra
from recurra import _tree, layers


@pytest.fixture
def x(rng):
    return rng.standard_normal((3, 5, 2)).astype("float32")


def pair_of(bidirectional, x, kind, **options):
    forward = kind(4, return_sequences=True, **options)
    backward = kind(4, return_sequences=True, go_backwards=True, **options)
    weights = bidirectional.get_weights()
    for layer, own in ((forward, weights[: len(weights) // 2]), (backward, weights[len(weights) // 2 :])):
        layer.build(x.shape)
        layer.set_weights(own)
    return forward(x).numpy(), backward(x).numpy()[:, ::-1]


@pytest.mark.parametrize(
    "merge_mode, merge",
    [
        ("concat", lambda f, b: np.concatenate([f, b], axis=-1)),
        ("sum", lambda f, b: f + b),
        ("mul", lambda f, b: f * b),
        ("ave", lambda f, b: (f + b) / 2),
    ],
)
def test_the_outputs_are_merged_in_time_order(merge_mode, merge, x):
    layer = layers.Bidirectional(layers.GRU(4, return_sequences=True), merge_mode=merge_mode)
    answer = layer(x)
    np.testing.assert_array_equal(answer, merge(*pair_of(layer, x, layers.GRU)))


def test_without_a_merge_both_outputs_are_given(x):
    layer = layers.Bidirectional(layers.LSTM(4, return_sequences=True), merge_mode=None)
    forward, backward = layer(x)
    expected = pair_of(layer, x, layers.LSTM)
    np.testing.assert_array_equal(forward, expected[0])
    np.testing.assert_array_equal(backward, expected[1])


def test_states_follow_the_output(x):
    layer = layers.Bidirectional(layers.LSTM(4, return_state=True))
    merged, *states = layer(x)
    assert merged.shape == (3, 8)
    assert [state.shape for state in states] == [(3, 4)] * 4
    np.testing.assert_array_equal(merged, np.concatenate([states[0], states[2]], axis=-1))


@pytest.mark.parametrize("merge_mode", ["concat", None])
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("backward", [layers.LSTM, layers.GRU])
def test_the_two_layers_may_differ_in_units_and_states(backward, sequences, merge_mode, rng, check_gradients):
    options = {"return_sequences": sequences, "return_state": True, "dtype": "float64"}
    other = backward(5, go_backwards=True, **options)
    layer = layers.Bidirectional(layers.LSTM(3, **options), merge_mode=merge_mode, backward_layer=other)
    x, before = rng.standard_normal((2, 4, 2)), (2, 4) if sequences else (2,)
    shapes = [(*before, 8)] if merge_mode else [(*before, 3), (*before, 5)]
    shapes += [(2, 3)] * 2 + [(2, 5)] * len(other.state_size)
    assert [y.shape for y in layer(x)] == [*layer.compute_output_shape(x.shape)] == shapes
    assert [y.shape for y in layer(layers.Input((4, 2), dtype="float64"))] == [(None, *shape[1:]) for shape in shapes]
    assert len(layer.compute_mask(x, np.ones((2, 4), bool))) == len(shapes)
    check_gradients(layer, x)


def test_both_outputs_have_shapes_of_their_own(x):
    layer = layers.Bidirectional(layers.LSTM(3), merge_mode=None, backward_layer=layers.GRU(5, go_backwards=True))
    assert [y.shape for y in layer(layers.Input((5, 2)))] == [(None, 3), (None, 5)]
    assert layer.compute_output_shape(x.shape) == tuple(y.shape for y in layer(x)) == ((3, 3), (3, 5))


@pytest.mark.parametrize("merge_mode", ["concat", "sum", "mul", "ave", None])
def test_padded_steps_of_sequences_are_zero(merge_mode, x):
    layer = layers.Bidirectional(layers.GRU(4, return_sequences=True), merge_mode=merge_mode)
    x[1, 3:] = x[2, 2:] = 0
    start = recurra.Input((5, 2))
    model = recurra.Model(start, layer(layers.Masking()(start)))
    padded = ~x.any(axis=-1)
    assert padded.sum() == 5
    for outputs in (layer(x, mask=~padded), model.predict(x, verbose=0)):
        for y in outputs if merge_mode is None else [outputs]:
            assert not np.any(np.asarray(y)[padded])
            assert np.all(np.asarray(y)[~padded])


def test_the_weights_are_named_as_in_keras(x):
    layer = layers.Bidirectional(layers.LSTM(4, name="lstm"), name="both")
    layer(x)
    assert [variable.path for variable in layer.weights] == [
        f"both/{side}_lstm/lstm_cell/{name}"
        for side in ("forward", "backward")
        for name in ("kernel", "recurrent_kernel", "bias")
    ]


def test_a_config_builds_the_same_layer(x):
    layer = layers.Bidirectional(layers.GRU(4, return_sequences=True, name="gru"), merge_mode="sum")
    again = layers.Bidirectional.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    layer(x), again.build(x.shape)
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(x), layer(x))


def test_two_sides_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="different go_backwards"):
        layers.Bidirectional(layers.LSTM(3), backward_layer=layers.LSTM(3))
    with pytest.raises(ValueError, match="same return_sequences"):
        layers.Bidirectional(layers.LSTM(3), backward_layer=layers.LSTM(3, go_backwards=True, return_sequences=True))
    with pytest.raises(ValueError, match="merge_mode to be one of"):
        layers.Bidirectional(layers.LSTM(3), merge_mode="max")


def test_it_learns_from_both_ends(rng):
    x = rng.standard_normal((64, 6, 1)).astype("float32")
    y = x[:, 0] - x[:, -1]
    recurra.utils.set_random_seed(0)
    model = recurra.Sequential([recurra.Input((6, 1)), layers.Bidirectional(layers.LSTM(8)), layers.Dense(1)])
    model.compile(optimizer=recurra.optimizers.Adam(0.03), loss="mse")
    history = model.fit(x, y, epochs=40, verbose=0).history["loss"]
    assert history[-1] < history[0] / 10


def test_penalties_of_the_inner_outputs_count(rng):
    x, y = rng.standard_normal((4, 5, 2)), rng.standard_normal((4, 5, 6))
    layer = layers.Bidirectional(layers.GRU(3, return_sequences=True, activity_regularizer="l2", dtype="float64"))
    model = recurra.Sequential([recurra.Input((5, 2), dtype="float64"), layer])
    model.compile("sgd", "mse")
    outputs = model.predict(x, verbose=0)
    penalty = 0.01 * (outputs**2).sum() / len(x)
    assert model.evaluate(x, y, verbose=0) == pytest.approx(((outputs - y) ** 2).mean() + penalty)
    _, cache, _ = model._run_layer([x], None, True, {})
    for variable in model.trainable_weights:
        variable.zero_grad()
    model.backward_all(np.zeros_like(outputs), cache)
    weight = model.trainable_weights[0]
    step = np.zeros(weight.shape)
    step[0, 0] = 1e-6
    weight.assign(weight.value + step)
    change = 0.01 * (model.predict(x, verbose=0) ** 2).sum() / len(x) - penalty
    assert weight.grad[0, 0] == pytest.approx(change / 1e-6, rel=1e-4)


def test_states_of_stacked_cells_come_cell_by_cell_as_of_one_direction(x):
    stack = layers.RNN([layers.GRUCell(2), layers.LSTMCell(3)], return_state=True)
    layer = layers.Bidirectional(stack)
    _, *states = layer(x)
    alone = layer.forward_layer(x)[1:]
    assert _tree.map_structure(np.shape, states) == _tree.map_structure(np.shape, [*alone, *alone])
    again = layer(x, initial_state=states)
    np.testing.assert_array_equal(again[1][0], layer.forward_layer(x, initial_state=states[:2])[1][0])


class DoubledWithForward(layers.LSTM):
    def call(self, sequences, mask=None, training=False):
        return 2 * super().call(sequences, mask=mask, training=training)

    def forward(self, sequences, initial_state=None, mask=None, training=False, keep_cache=True):
        return super().forward(sequences, initial_state, mask, training, keep_cache)


class Doubled(layers.LSTM):
    def call(self, sequences, mask=None):
        return 2 * super().call(sequences, mask=mask)


@pytest.mark.parametrize("kind", [Doubled, DoubledWithForward])
def test_a_layer_with_a_call_of_its_own_computes_the_same_inside(kind, x):
    layer = layers.Bidirectional(kind(4))
    mask = np.array([[True] * 5, [True] * 3 + [False] * 2, [True] * 5])
    y = layer(x, mask=mask)
    np.testing.assert_array_equal(y[:, :4], layer.forward_layer(x, mask=mask))
    np.testing.assert_array_equal(y[:, 4:], layer.backward_layer(x, mask=mask))
