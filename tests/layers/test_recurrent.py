"""Behaviour of the recurrent layers: states, masks, direction, dropout, cells; Keras's values are in conformance/."""

import ast
import inspect
import json
from typing import Any

import numpy as np
import pytest

import recurra
from recurra import _tree, layers

KINDS = [layers.SimpleRNN, layers.LSTM, layers.GRU]
CELLS = [layers.SimpleRNNCell, layers.LSTMCell, layers.GRUCell]


@pytest.fixture
def x(rng):
    return rng.standard_normal((3, 5, 2)).astype("float32")


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_of_the_sequence_is_the_output_and_the_state(kind, x):
    layer = kind(7, return_sequences=True, return_state=True)
    sequence, h, *_ = layer(x)
    assert sequence.shape == (3, 5, 7)
    np.testing.assert_array_equal(sequence[:, -1], h)


@pytest.mark.parametrize("kind", KINDS)
def test_step_by_step_equals_all_at_once(kind, x):
    layer = kind(7, return_sequences=True, return_state=True)
    whole, *final = layer(x)
    states = None
    for t in range(5):
        step, *states = layer(x[:, t : t + 1], initial_state=states)
        np.testing.assert_array_equal(step[:, 0], whole[:, t])
    for state, expected in zip(states, final, strict=True):
        np.testing.assert_array_equal(state, expected)


@pytest.mark.parametrize("cell, kind", list(zip(CELLS, KINDS, strict=True)))
def test_a_cell_is_one_step_of_its_layer(cell, kind, x):
    layer = kind(4)
    expected = layer(x[:, :1])
    alone = cell(4)
    alone.build((None, 2))
    alone.set_weights(layer.get_weights())
    output, states = alone(x[:, 0], alone.get_initial_state(3))
    np.testing.assert_array_equal(output, expected)
    assert len(states) == cell.n_states


@pytest.mark.parametrize("kind", KINDS)
def test_padding_changes_nothing(kind, x):
    layer = kind(7, return_sequences=True)
    padded = np.concatenate([x, np.full((3, 4, 2), 9, "float32")], axis=1)
    mask = np.arange(9) < 5
    answer = layer(padded, mask=np.broadcast_to(mask, (3, 9)))
    np.testing.assert_array_equal(answer[:, :5], layer(x))
    np.testing.assert_array_equal(answer[:, 5:], np.repeat(answer[:, 4:5], 4, axis=1))


@pytest.mark.parametrize("kind", KINDS)
def test_go_backwards_is_the_layer_on_the_reversed_sequence(kind, x):
    forward, backward = kind(5, return_sequences=True), kind(5, return_sequences=True, go_backwards=True)
    expected = forward(x[:, ::-1])
    backward.build(x.shape)
    backward.set_weights(forward.get_weights())
    np.testing.assert_array_equal(backward(x), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_a_stateful_layer_goes_on_where_it_stopped(kind, x):
    plain = kind(4)
    whole = plain(x)
    layer = kind(4, stateful=True)
    layer.build((3, None, 2))
    layer.set_weights(plain.get_weights())
    layer(x[:, :2])
    np.testing.assert_array_equal(layer(x[:, 2:]), whole)
    layer.reset_state()
    np.testing.assert_array_equal(layer(x), whole)


def test_states_take_no_memory_before_they_are_asked_for():
    layer = layers.LSTM(3, stateful=True)
    layer.build((10**13, 4, 2))  # as a file may say: no machine has so much memory
    with pytest.raises(MemoryError):
        _ = layer.states


def test_a_stateful_layer_needs_a_fixed_batch(x):
    with pytest.raises(ValueError, match="fixed batch size"):
        recurra.Sequential([recurra.Input((5, 2)), layers.LSTM(3, stateful=True)])
    layer = layers.LSTM(3, stateful=True)
    layer(x)
    with pytest.raises(ValueError, match="batches of 3 rows"):
        layer(x[:2])


def test_a_stack_of_cells_is_a_stack_of_layers(x):
    stack = layers.RNN([layers.LSTMCell(4), layers.GRUCell(3)], return_sequences=True)
    answer = stack(x)
    first, second = layers.LSTM(4, return_sequences=True), layers.GRU(3, return_sequences=True)
    first.build((None, None, 2))
    second.build((None, None, 4))
    first.set_weights(stack.get_weights()[:3])
    second.set_weights(stack.get_weights()[3:])
    np.testing.assert_array_equal(answer, second(first(x)))


def test_a_stack_of_cells_may_hold_a_stack(x):
    cells = [layers.LSTMCell(4), layers.GRUCell(3), layers.SimpleRNNCell(2)]
    model = recurra.Sequential([recurra.Input((5, 2)), layers.RNN(cells)])
    model.compile("sgd", "mse")
    wanted = model.predict(x, verbose=0)
    nested = recurra.Sequential([recurra.Input((5, 2)), layers.RNN([layers.StackedRNNCells(cells[:2]), cells[2]])])
    nested.compile("sgd", "mse")
    np.testing.assert_array_equal(nested.predict(x, verbose=0), wanted)
    before = model.get_weights()
    nested.fit(x, np.ones((3, 2)), verbose=0)
    assert all((a != b).any() for a, b in zip(before, nested.get_weights(), strict=True))


def test_a_stack_of_cells_that_goes_backwards_is_one_over_the_reversed_sequence(x):
    mask = np.array([[1, 1, 1, 0, 0], [0, 1, 1, 0, 1], [0, 0, 0, 0, 0]], bool)
    cells = [layers.LSTMCell(4), layers.GRUCell(3), layers.SimpleRNNCell(2)]
    forwards = layers.RNN(cells, return_sequences=True, return_state=True)
    backwards = layers.RNN(cells, return_sequences=True, return_state=True, go_backwards=True)
    wanted = _tree.flatten(forwards(x[:, ::-1], mask=mask[:, ::-1]))
    for array, other in zip(_tree.flatten(backwards(x, mask=mask)), wanted, strict=True):
        np.testing.assert_array_equal(array, other)


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("zero_output_for_mask", [False, True])
def test_the_gradients_of_stacked_cells_under_a_mask_are_right(zero_output_for_mask, sequences, rng, check_gradients):
    cells = [layers.LSTMCell(3, dtype="float64"), layers.GRUCell(2, dtype="float64")]
    options = {"return_state": True, "return_sequences": sequences, "zero_output_for_mask": zero_output_for_mask}
    layer = layers.RNN(cells, dtype="float64", **options)
    layer.build((None, 4, 2))
    mask = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [0, 1, 0, 1], [0, 0, 0, 0]], bool)
    check_gradients(layer, rng.standard_normal((4, 4, 2)), mask=mask)


@pytest.mark.parametrize(
    "options", [{"dropout": 0.4}, {"recurrent_dropout": 0.4}, {"dropout": 0.4, "recurrent_dropout": 0.4}]
)
@pytest.mark.parametrize("kind", [layers.SimpleRNN, layers.GRU, layers.LSTM])
def test_the_gradients_of_dropout_are_right(kind, options, rng, check_gradients):
    x, layer = rng.standard_normal((3, 4, 2)), kind(3, dtype="float64", **options)
    layer.build(x.shape)
    masks = layer.cell.draw_masks(3, 2, "float64")
    assert (masks.inputs is not None, masks.recurrent is not None) == (
        "dropout" in options,
        len(options) == 2 or "recurrent_dropout" in options,
    )
    layer.cell.draw_masks = lambda batch, features, dtype: masks
    assert np.any(layer(x, training=True) != layer(x))
    check_gradients(layer, x, training=True)


class WiderThanItsState(layers.Layer):
    """A cell that gives its state twice."""

    state_size, output_size = 2, 4

    def call(self, inputs, states):
        new = states[0] + inputs
        return np.concatenate([new, new], axis=-1), [new]


def test_a_cell_over_another_takes_outputs_of_the_size_that_it_gives(x):
    cells = layers.StackedRNNCells([WiderThanItsState(), layers.GRUCell(3)])
    assert layers.RNN(cells)(x).shape == (len(x), 3) and cells.cells[1].kernel.shape == (4, 9)
    assert cells.compute_output_shape((5, 2)) == (5, 3) and cells.state_size == [2, 3]


def test_a_stack_of_cells_takes_one_step_from_zeros_by_itself(x):
    stack = layers.StackedRNNCells([layers.GRUCell(3, dropout=0.5), layers.LSTMCell(2)])
    output, states = stack(x[:, 0])
    np.testing.assert_array_equal(output, layers.RNN(stack)(x[:, :1]))
    assert [np.shape(state) for state in _tree.flatten(states)] == [(len(x), 3), (len(x), 2), (len(x), 2)]
    assert np.any(stack(x[:, 0], training=True)[0] != output)


@pytest.mark.parametrize(
    "cells",
    [
        lambda: [layers.GRUCell(3, dropout=0.5), layers.LSTMCell(2)],
        lambda: [layers.GRUCell(3), layers.LSTMCell(2, recurrent_dropout=0.5)],
    ],
)
def test_each_cell_of_a_stack_drops(cells, x):
    layer = layers.RNN(cells())
    assert np.any(layer(x, training=True) != layer(x))


def test_a_stack_tells_of_other_features_than_it_was_built_for(x):
    layer = layers.RNN([layers.LSTMCell(4), layers.GRUCell(2)])
    layer(x)
    with pytest.raises(ValueError, match=r"LSTMCell expected input with 2 features, got \(3, 5, 4\)"):
        layer(np.ones((3, 5, 4), np.float32))


def test_a_stack_with_a_backward_of_its_own_is_asked_at_each_step(x):
    class StopsGradients(layers.StackedRNNCells):
        def backward(self, doutput, cache):
            dx, dstates = super().backward(doutput, cache)
            return 0 * dx, dstates

    layer = layers.RNN(StopsGradients([layers.GRUCell(3)]))
    layer.build(x.shape)
    y, cache = layer.forward(x)
    assert not np.any(layer.backward(np.ones_like(y), cache))


OF_TWO_DTYPES = {
    "layer": lambda cell, **options: layers.RNN(cell(3), dtype="float64", **options),
    "cell": lambda cell, **options: layers.RNN(cell(3, dtype="float64"), **options),
    "stack": lambda cell, **options: layers.RNN([cell(3, dtype="float64"), cell(3)], **options),
    "both": lambda cell, **options: layers.Bidirectional(layers.RNN(cell(3, dtype="float64"), **options)),
    "pair": lambda cell, **options: layers.Bidirectional(layers.RNN(cell(3), **options), dtype="float64"),
}


@pytest.mark.parametrize("kind", OF_TWO_DTYPES)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("options", [{}, {"return_state": True, "return_sequences": True}, {"stateful": True}])
def test_a_cell_computes_in_its_dtype_and_the_layer_answers_in_its_own(cell, kind, options, x):
    inputs = recurra.Input(batch_shape=(3, 5, 2))
    layer = OF_TWO_DTYPES[kind](cell, **options)
    steps = layers.TimeDistributed(layers.Dense(2))(inputs)  # which learns by what comes back through the cell
    model = recurra.Model(inputs, layer(steps))
    config = json.loads(json.dumps(model.get_config()).replace("float64", "float32"))
    plain = recurra.Model.from_config(config)
    plain.set_weights(model.get_weights())
    for _ in range(2):  # stateful layers go on
        outputs, wanted = (one.predict(x, batch_size=3, verbose=0) for one in (model, plain))
        for mine, its in zip(_tree.flatten(outputs), _tree.flatten(wanted), strict=True):
            assert mine.dtype == layer.dtype
            np.testing.assert_allclose(mine, its, rtol=1e-4, atol=1e-6)
    for one in (model, plain):
        one.compile(recurra.optimizers.SGD(0.5), "mse")
        one.train_on_batch(x, _tree.map_structure(np.ones_like, wanted))
    for mine, its in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(mine, its, rtol=1e-4, atol=1e-5)


def test_a_cell_of_another_dtype_takes_one_timestep_after_the_other(x):
    for kind in ("layer", "cell"):
        layer = OF_TWO_DTYPES[kind](layers.GRUCell, return_sequences=True)
        model = recurra.Sequential([recurra.Input((None, 2)), layer, layers.Dense(1)])
        stream = model.stream()
        steps = [stream.step(values) for values in x[0]]
        np.testing.assert_allclose(steps, model.predict(x[:1], verbose=0)[0], rtol=1e-6)


def test_a_cell_of_ones_own_runs_and_trains(rng):
    class Decay(layers.Layer):
        """h = rate * h + x, with a learned rate."""

        state_size = 2
        output_size = 2

        def build(self, input_shape):
            self.rate = self.add_weight((2,), "ones", name="rate")

        def forward(self, inputs, states):
            h = self.rate.value * states[0] + inputs
            return (h, [h]), states[0]

        def backward(self, doutputs, cache):
            dh = doutputs[0] + doutputs[1][0]
            self.rate.grad[...] += (dh * cache).sum(axis=0)
            return dh, [dh * self.rate.value]

    x = rng.standard_normal((4, 6, 2)).astype("float32")
    model = recurra.Sequential([recurra.Input((6, 2)), layers.RNN(Decay())])
    np.testing.assert_allclose(model.predict(x, verbose=0), x.sum(axis=1), rtol=1e-5)
    target = np.zeros((4, 2), "float32")
    for t in range(6):
        target = 0.5 * target + x[:, t]
    model.compile(optimizer=recurra.optimizers.Adam(0.05), loss="mse")
    model.fit(x, target, epochs=200, verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], [0.5, 0.5], atol=0.02)


@recurra.saving.register_keras_serializable("tests_of_cells")  # Bidirectional copies its layer by its config
class FromOnes(layers.LSTMCell):
    """An LSTM cell whose first states are h = 1, c = 2."""

    def get_initial_state(self, batch_size=None):
        return [np.full((batch_size, self.units), value, "float32") for value in (1, 2)]


class Halving(layers.SimpleRNNCell):
    """A cell with a `call` of its own: the state becomes half of itself plus the input."""

    def call(self, inputs, states):
        (h,) = states
        new = h / 2 + inputs.sum(axis=-1, keepdims=True)
        return new, [new]


def wrapped(cell, wrap):
    if wrap == "Bidirectional":
        return layers.Bidirectional(layers.RNN(cell))
    return layers.RNN([cell] if wrap == "stacked" else cell)


@pytest.mark.parametrize("wrap", ["alone", "stacked", "Bidirectional"])
def test_a_cell_says_what_it_starts_from(wrap, x):
    layer = wrapped(FromOnes(4), wrap)
    result = layer(x).numpy()
    plain = layers.Bidirectional(layers.LSTM(4)) if wrap == "Bidirectional" else layers.LSTM(4)
    plain.build(x.shape)
    plain.set_weights(layer.get_weights())
    states = [np.full((3, 4), value, "float32") for value in (1, 2)] * (2 if wrap == "Bidirectional" else 1)
    np.testing.assert_array_equal(result, plain(x, initial_state=states))
    assert np.all(result != plain(x).numpy())
    model = recurra.Sequential([recurra.Input((5, 2)), layer])
    np.testing.assert_array_equal(model.predict(x, verbose=0), result)
    with pytest.raises(ValueError, match="stream"):
        model.stream()


def test_the_states_of_a_stateful_layer_become_zeros_however_it_started(x):
    layer = layers.RNN(FromOnes(4), stateful=True)
    first = layer(x).numpy()
    layer.reset_state()
    zeros = [np.zeros((3, 4), "float32")] * 2
    again = layer(x).numpy()
    assert np.all(first != again)
    np.testing.assert_array_equal(layers.RNN(layer.cell)(x, initial_state=zeros), again)


def test_a_layer_says_what_it_starts_from(x):
    class FromTwos(layers.GRU):
        def get_initial_state(self, batch_size):
            return [np.full((batch_size, self.cell.units), 2, "float32")]

    layer = FromTwos(3)
    result = layer(x).numpy()
    np.testing.assert_array_equal(result, layer(x, initial_state=[np.full((3, 3), 2, "float32")]))
    assert np.all(result != layer(x, initial_state=[np.zeros((3, 3), "float32")]).numpy())


def test_a_cell_with_a_call_of_its_own_runs_it(x):
    sums = x.sum(axis=-1)
    wanted = sum(sums[:, t] / 2 ** (4 - t) for t in range(5))
    for layer in (layers.RNN(Halving(1)), layers.RNN([Halving(1)])):
        np.testing.assert_allclose(layer(x).numpy()[:, 0], wanted, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_dropout_acts_in_training_alone_and_repeats_with_its_seed(kind, x):
    made = [kind(6, dropout=0.5, recurrent_dropout=0.3, seed=4) for _ in range(2)]
    made[0](x)
    made[1].build(x.shape)
    made[1].set_weights(made[0].get_weights())
    np.testing.assert_array_equal(made[0](x), made[1](x))
    first, second = made[0](x, training=True), made[1](x, training=True)
    np.testing.assert_array_equal(first, second)
    assert np.any(first != made[0](x))
    assert np.any(first != made[0](x, training=True))


@pytest.mark.parametrize("kind", KINDS)
def test_a_config_builds_the_same_layer(kind):
    layer = kind(
        3, activation="relu", use_bias=False, return_sequences=True, kernel_regularizer="l2", dropout=0.2, name="mine"
    )
    config = layer.get_config()
    again = kind.from_config(config)
    assert again.get_config() == config
    assert (again.name, again.units, again.return_sequences, again.dropout) == ("mine", 3, True, 0.2)


@pytest.mark.parametrize("kind", KINDS)
def test_editors_and_help_see_the_options_that_the_layer_takes(kind):
    (cls,) = ast.parse(inspect.getsource(kind)).body
    (declared,) = [node for node in ast.walk(cls) if getattr(node, "name", "") == "__init__"]
    scope = {"Any": Any}
    exec(ast.unparse(declared), scope)
    for_editors, taken = ([*inspect.signature(f).parameters.values()] for f in (scope["__init__"], kind))
    assert [(p.name, p.kind, p.default) for p in for_editors[1:]] == [(p.name, p.kind, p.default) for p in taken]
    assert all(p.name in kind.__doc__ for p in taken)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: layers.LSTM(-3), "LSTM expected units to be a positive integer, got -3"),
        (lambda: layers.GRU(3, dropout=1.7), "GRU expected dropout to be a number between 0 and 1, got 1.7"),
        (lambda: layers.LSTM(3, return_sequence=True), r"got 'return_sequence': did you mean 'return_sequences'\?"),
        (lambda: layers.LSTM(3)(np.zeros((6, 4))), r"got \(6, 4\): add a feature axis with x\[..., None\]"),
        (
            lambda: recurra.Sequential([layers.Input((5, 1)), layers.LSTM(4), layers.LSTM(3)]),
            r"got \(None, 4\): .* or give a recurrent layer before it return_sequences=True$",
        ),
        (
            lambda: recurra.Sequential([layers.Input((8, 5, 1)), layers.LSTM(4)]),
            r"got \(None, 8, 5, 1\): the shape of an Input leaves out the batch axis, and that in front of an Emb",
        ),
        (lambda: layers.Bidirectional(layers.Dense(3)), "Bidirectional expected a recurrent layer, got <Dense"),
        (lambda: layers.RNN(3), "RNN expected a cell"),
        (lambda: layers.LSTM(3, activaton="relu"), r"got 'activaton': did you mean 'activation'\?"),
        (lambda: layers.GRU(3, reset_afer=False), r"got 'reset_afer': did you mean 'reset_after'\?"),
        (
            lambda: layers.LSTM(3)(np.zeros((1, 2, 4)), initial_state=[np.zeros((1, 3))]),
            "LSTM expected 2 initial states, of sizes 3, 3, got 1",
        ),
        (lambda: layers.LSTM(3)(np.zeros((1, 2, 4)), mask=np.ones((1, 3))), r"LSTM expected mask of shape \(1, 2\)"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("kind", KINDS)
def test_an_option_is_fixed_once_the_layer_is_made(kind):
    layer = kind(3, dropout=0.1)
    config = layer.get_config()
    for name in [*inspect.signature(kind.cell_class).parameters][:-1]:
        assert name in dir(layer)
        with pytest.raises(AttributeError, match=f"{kind.__name__} expected {name} when it is made, got 1 for a layer"):
            setattr(layer, name, 1)
    assert (layer.get_config(), layer.dropout, layer.units) == (config, 0.1, 3)


def test_an_argument_is_not_taken_twice():
    with pytest.raises(TypeError, match=r"LSTM.__init__.. got multiple values for argument 'units'"):
        layers.LSTM(3, units=5)
    with pytest.raises(TypeError, match=r"LSTM.__call__.. got multiple values for argument 'initial_state'"):
        layers.LSTM(3)(np.zeros((1, 2, 3)), None, initial_state=None)


def test_state_sizes_come_in_a_list():
    assert layers.GRU(3).state_size == [3]
    assert layers.LSTM(2).state_size == layers.RNN(layers.LSTMCell(2)).state_size == [2, 2]
    assert layers.RNN([layers.GRUCell(2), layers.LSTMCell(3)]).state_size == [2, [3, 3]]


@pytest.mark.parametrize("cell", [make(3) for make in CELLS])
@pytest.mark.parametrize("more", [-1, 1])
def test_a_cell_refuses_another_number_of_states_than_its_own(cell, more, x):
    states = [np.zeros((3, 3), "float32")] * (cell.n_states + more)
    with pytest.raises(ValueError, match=f"{cell.n_states} states of size 3, got {len(states)}: pass on"):
        cell(x[:, 0], states)


@pytest.mark.parametrize("start", [recurra.Input, lambda shape: np.ones((2, *shape), "float32")])
@pytest.mark.parametrize(
    ("make_cell", "sizes", "got"),
    [
        (lambda: layers.LSTMCell(3), [3], "2 states of size 3, got 1: pass on"),
        (lambda: layers.GRUCell(3), [5], r"1 states of size 3, got those of shapes \[\(.*, 5\)\]"),
        (lambda: layers.StackedRNNCells([layers.GRUCell(3), layers.GRUCell(2)]), [3], "size 3, 2, got 1"),
        (lambda: layers.StackedRNNCells([layers.GRUCell(3), layers.GRUCell(2)]), [3, 2, 2], "size 3, 2, got 3"),
        (lambda: layers.StackedRNNCells([layers.GRUCell(3), layers.GRUCell(2)]), [2, 3], "got those of shapes"),
    ],
)
def test_cells_refuse_states_of_others_when_they_are_called_and_in_a_graph(start, make_cell, sizes, got):
    with pytest.raises(ValueError, match=got):
        make_cell()(start((4,)), [start((size,)) for size in sizes])


@pytest.mark.parametrize("cell", [layers.SimpleRNNCell, layers.GRUCell, layers.LSTMCell])
def test_a_loop_over_a_cell_in_a_functional_model_is_the_layer(cell, rng):
    x, y = rng.normal(size=(6, 3, 2)).astype("float32"), rng.normal(size=(6, 4)).astype("float32")
    inputs = recurra.Input((3, 2))
    one = cell(4)
    zeros = [recurra.Input((4,)) for _ in range(one.n_states)]
    states = list(zeros)
    for step in range(3):
        outputs, states = one(inputs[:, step, :], states)
    looped = recurra.Model([inputs, *zeros], [outputs, *states])
    layer = recurra.Sequential([recurra.Input((3, 2)), layers.RNN(cell(4))])
    looped.set_weights(layer.get_weights())
    data = [x, *(np.zeros((6, 4), "float32") for _ in zeros)]
    np.testing.assert_allclose(looped.predict(data, verbose=0)[0], layer.predict(x, verbose=0), rtol=1e-5, atol=1e-6)
    for model, given in ((recurra.Model([inputs, *zeros], outputs), data), (layer, x)):
        model.compile(recurra.optimizers.SGD(0.5), "mse")
        model.fit(given, y, batch_size=6, epochs=3, shuffle=False, verbose=0)
    for ours, theirs in zip(looped.get_weights(), layer.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_a_stack_of_cells_gives_states_as_it_gets_them_and_passes_their_gradients(rng):
    inputs, start = recurra.Input((2,)), recurra.Input((3,))
    before = layers.Dense(3)
    stack = layers.StackedRNNCells([layers.GRUCell(3), layers.LSTMCell(3)])
    _, (h, (h2, c2)) = stack(inputs, [before(start), [start, start]])
    assert h.shape == h2.shape == c2.shape == (None, 3)
    model = recurra.Model([inputs, start], layers.Dense(1)(layers.Concatenate()([h, c2])))
    x, s = rng.normal(size=(8, 2)), rng.normal(size=(8, 3))
    model.compile(recurra.optimizers.SGD(0.1), "mse")
    kernel = before.get_weights()[0]
    losses = model.fit([x, s], np.ones(8), epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0] and np.abs(before.get_weights()[0] - kernel).max() > 1e-4


def test_a_state_given_to_a_cell_outside_a_list_comes_back_so():
    state = np.zeros((2, 3), "float32")
    cell = layers.GRUCell(3)
    for given, kind in ((state, np.ndarray), ([state], list)):
        output, new = cell(np.ones((2, 4), "float32"), given)
        assert isinstance(new, kind)
        np.testing.assert_array_equal(np.reshape(new, (2, 3)), output)
    _, (first, second) = layers.StackedRNNCells([cell, layers.GRUCell(5)])(np.ones((2, 4)), [state, [np.zeros((2, 5))]])
    assert first.shape == (2, 3) and isinstance(second, list)
