"""Streams give the bits of the whole sequence."""

import copy
import pickle

import numpy as np
import pytest

from recurra import Input, Sequential, layers

KINDS = {
    "simple_rnn": lambda **o: layers.SimpleRNN(5, **o),
    "lstm": lambda **o: layers.LSTM(33, **o),
    "gru": lambda **o: layers.GRU(16, **o),
    "gru_before": lambda **o: layers.GRU(7, reset_after=False, **o),
    "lstm_elu": lambda **o: layers.LSTM(6, activation="elu", **o),
}


def sequences(rows, timesteps=9, features=2):
    return np.random.default_rng(0).normal(size=(rows, timesteps, features)).astype("float32")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [1, 3, 40])
def test_a_stream_gives_the_bits_of_the_sequence(kind, rows):
    make = KINDS[kind]
    line = [make(return_sequences=True), layers.Dropout(0.5), layers.LayerNormalization(), make(return_sequences=True)]
    model = Sequential([Input((None, 4)), *line, layers.Dense(4, activation="tanh"), layers.Dense(3)])
    x = sequences(rows, timesteps=14, features=4)
    wanted = model.predict(x, batch_size=rows, verbose=0)
    stream = model.stream(rows)
    for t in range(x.shape[1]):
        np.testing.assert_array_equal(stream.step(x[:, t]), wanted[:, t])


def test_stacked_cells_are_stepped_one_by_one():
    cells = [layers.GRUCell(3), layers.LSTMCell(4), layers.SimpleRNNCell(2)]
    model = Sequential([Input((None, 2)), layers.RNN(cells, return_sequences=True), layers.Dense(1)])
    x = sequences(3)
    wanted = model.predict(x, verbose=0)
    stream = model.stream(3)
    assert [state.shape for state in stream.state] == [(3, 3), (3, 4), (3, 4), (3, 2)]
    for _ in range(2):
        for t in range(x.shape[1]):
            np.testing.assert_array_equal(stream.step(x[:, t]), wanted[:, t])
        stream.reset()


def test_normalizations_and_models_within_are_stepped_in_one_call():
    within = Sequential([layers.LSTM(5, return_sequences=True), layers.LayerNormalization(), layers.Softmax()])
    line = [layers.Normalization(mean=[1.0, -2.0], variance=[4.0, 0.5]), within, layers.GRU(3, return_sequences=True)]
    model = Sequential([Input((None, 2)), *line, layers.BatchNormalization(), layers.Rescaling(3.0)])
    x = sequences(2)
    whole, stream = model.predict(x, verbose=0), model.stream(2)
    for t in range(x.shape[1]):
        np.testing.assert_array_equal(stream.step(x[:, t]), whole[:, t])
    assert stream._only is not None


def test_one_sequence_needs_no_batch_axis():
    model = Sequential([Input((None, 1)), layers.LSTM(32), layers.Dense(1)])
    x = sequences(1, features=1)
    stream = model.stream()
    outputs = [stream.step(value) for value in x[0, :, 0]]
    assert outputs[0].shape == (1,)
    for t in range(9):
        np.testing.assert_array_equal(outputs[t], model.predict(x[:, : t + 1], verbose=0)[0])


def test_states_go_out_and_in_and_reset():
    model = Sequential([Input((None, 2)), layers.LSTM(4, return_sequences=True), layers.GRU(3)])
    x = sequences(3)
    stream, other = model.stream(3), model.stream(3)
    stream.step(x[:, 0])
    kept = stream.state
    assert [state.shape for state in kept] == [(3, 4), (3, 4), (3, 3)]
    after = stream.step(x[:, 1])
    other.state = kept
    np.testing.assert_array_equal(other.step(x[:, 1]), after)
    stream.reset([1])
    fresh = model.stream(3)
    mixed = stream.step(x[:, 2])
    np.testing.assert_array_equal(mixed[1], fresh.step(x[:, 2])[1])
    assert not np.array_equal(mixed[0], fresh.step(x[:, 2])[0])
    stream.reset()
    np.testing.assert_array_equal(stream.step(x[:, 0]), model.predict(x[:, :1], verbose=0))


def test_a_stream_keeps_the_weights_that_it_was_made_with():
    model = Sequential([Input((None, 2)), layers.GRU(4), layers.Dense(1)])
    x = sequences(1)
    stream = model.stream(1)
    before = stream.step(x[:, 0])
    model.set_weights([2 * weight for weight in model.get_weights()])
    stream.reset()
    np.testing.assert_array_equal(stream.step(x[:, 0]), before)


@pytest.mark.parametrize("kind", [layers.SimpleRNN, layers.LSTM, layers.GRU])
def test_a_stream_of_a_stateful_model_has_states_of_its_own(kind, rng):
    model = Sequential([Input(batch_shape=(1, 4, 2)), kind(3, stateful=True), layers.Dense(1)])
    x = rng.standard_normal((1, 4, 2)).astype("float32")
    first = model.predict(x, verbose=0)
    before = [state.numpy() for state in model.layers[0].states]
    stream = model.stream()
    assert [state.any() for state in stream.state] == [False] * len(before)
    assert [stream.step(step) for step in x[0]][-1] == first[0]
    for own, stays in zip(model.layers[0].states, before, strict=True):
        np.testing.assert_array_equal(own, stays)


def test_float64_models_stream_too():
    model = Sequential(
        [Input((None, 2), dtype="float64"), layers.LSTM(5, dtype="float64"), layers.Dense(2, dtype="float64")]
    )
    x = sequences(2).astype("float64")
    stream = model.stream(2)
    for t in range(x.shape[1]):
        output = stream.step(x[:, t])
    assert output.dtype == stream.state[0].dtype == np.float64
    np.testing.assert_array_equal(output, model.predict(x, verbose=0))


@pytest.mark.parametrize(
    ("dtype", "line"),
    [
        ("float64", [layers.LSTM(5, return_sequences=True), layers.Dense(2)]),
        ("int32", [layers.LSTM(5, return_sequences=True), layers.Dense(2)]),
        ("bool", [layers.Identity(), layers.GRU(5, return_sequences=True)]),
        ("int32", [layers.TimeDistributed(layers.Dense(3)), layers.SimpleRNN(5, return_sequences=True)]),
        ("float32", [layers.GRU(5, return_sequences=True), layers.LSTM(4, return_sequences=True, dtype="float64")]),
        ("float64", [layers.LSTM(4, activation="elu", return_sequences=True), layers.Dense(2, dtype="float64")]),
    ],
)
def test_dtypes_may_differ_along_the_line(dtype, line):
    model = Sequential([Input((None, 2), dtype=dtype), *line])
    x = 3 * sequences(3)
    wanted = model.predict(x, verbose=0)
    stream = model.stream(3)
    for t in range(x.shape[1]):
        found = stream.step(x[:, t])
        assert found.dtype == wanted.dtype
        np.testing.assert_array_equal(found, wanted[:, t])


def test_layers_of_the_users_own_are_stepped_too():
    class Own(layers.LSTMCell):
        pass

    class Twice(layers.Dense):
        def forward(self, inputs):
            outputs, cache = super().forward(inputs)
            return 2 * outputs, cache

    model = Sequential([Input((None, 2)), layers.RNN(Own(4), return_sequences=True), layers.GRU(3), Twice(2)])
    x = sequences(3)
    stream = model.stream(3)
    for t in range(x.shape[1]):
        output = stream.step(x[:, t])
    assert [state.shape for state in stream.state] == [(3, 4), (3, 4), (3, 3)]
    np.testing.assert_array_equal(output, model.predict(x, verbose=0))


def test_streams_of_one_model_do_not_disturb_each_other():
    model = Sequential([Input((None, 2)), layers.LSTM(8), layers.Dense(2)])
    x = sequences(2)
    streams = [model.stream() for _ in range(2)]
    for t in range(x.shape[1]):
        outputs = [stream.step(x[i, t]) for i, stream in enumerate(streams)]
    np.testing.assert_array_equal(np.stack(outputs), model.predict(x, verbose=0))


def test_outputs_and_states_are_copies():
    stream = Sequential([Input((None, 2)), layers.GRU(3)]).stream(1)
    x = sequences(1)
    first, state = stream.step(x[:, 0]), stream.state[0]
    kept = first.copy()
    stream.step(x[:, 1])
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(state, kept)


def test_steps_leave_nothing_behind(growth):
    stream = Sequential([Input((None, 2)), layers.LSTM(8), layers.Dense(1)]).stream()
    x = np.ones(2, "float32")
    assert growth(lambda: stream.step(x)) < 1000


@pytest.mark.parametrize(
    "layer",
    [
        layers.Normalization(mean=[1.0, 2.0], variance=[3.0, 4.0]),
        layers.Rescaling(0.5, offset=-1.0),
        layers.LeakyReLU(),
        layers.PReLU(alpha_initializer="ones", shared_axes=[1]),
        layers.Softmax(),
        layers.UnitNormalization(),
        layers.RMSNormalization(),
        layers.Identity(),
    ],
    ids=lambda layer: layer.name,
)
def test_layers_that_take_each_step_by_itself_are_stepped(layer):
    model = Sequential([Input((None, 2)), layer, layers.GRU(3)])
    x = sequences(2)
    stream = model.stream(2)
    for t in range(x.shape[1]):
        output = stream.step(x[:, t])
    np.testing.assert_array_equal(output, model.predict(x, verbose=0))


@pytest.mark.parametrize(
    "layer",
    [
        layers.Bidirectional(layers.GRU(2)),
        layers.GRU(2, go_backwards=True),
        layers.Conv1D(2, 3),
        layers.Flatten(),
        layers.Softmax(axis=1),
        layers.LayerNormalization(axis=1),
        layers.Normalization(axis=(1, 2)),
        layers.PReLU(),
    ],
    ids=lambda layer: layer.name,
)
def test_layers_that_need_the_whole_sequence_are_refused(layer):
    model = Sequential([Input((5, 2)), layer])
    with pytest.raises(ValueError, match="stream expected"):
        model.stream()


def test_wrong_shapes_are_refused():
    stream = Sequential([Input((None, 2)), layers.GRU(4)]).stream(3)
    for x in (np.ones((3, 5)), np.ones(2), np.ones((1, 2)), np.ones((3, 1)), 1.0):
        with pytest.raises(ValueError, match=r"stream.step expected x of shape \(3, 2\)"):
            stream.step(x)
    for x in (None, np.full((3, 2), "a")):
        with pytest.raises(ValueError, match=r"stream.step expected"):
            stream.step(x)
    assert not np.any(stream.state)
    with pytest.raises(ValueError, match="states of shapes"):
        stream.state = [np.zeros((2, 4))]


def test_states_are_taken_all_or_none():
    stream = Sequential([Input((None, 2)), layers.LSTM(2)]).stream()
    stream.step([1.0, 2.0])
    before = stream.state
    with pytest.raises(ValueError, match="stream expected numbers, got an array of dtype <U1"):
        stream.state = [np.zeros((1, 2)), [["a", "b"]]]
    np.testing.assert_array_equal(stream.state, before)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_stream_is_not_copied(duplicate):
    model = Sequential([Input((None, 2)), layers.LSTM(3)])
    with pytest.raises(TypeError, match=r"Stream expected .* call model\.stream\(\) and set its state"):
        duplicate(model.stream())


def test_a_step_that_is_interrupted_leaves_all_states_before_it():
    def activation(x):
        if interrupts:
            raise interrupts.pop()
        return np.tanh(x)

    interrupts = []
    line = [layers.LSTM(3, return_sequences=True), layers.GRU(2, activation=activation, return_sequences=True)]
    model = Sequential([Input((None, 2)), *line])
    x = sequences(1)
    stream, whole = model.stream(), model.stream()
    for t in range(4):
        wanted = whole.step(x[0, t])
        if t == 2:
            interrupts.append(KeyboardInterrupt())
            with pytest.raises(KeyboardInterrupt):
                stream.step(x[0, t])
        np.testing.assert_array_equal(stream.step(x[0, t]), wanted)


def test_a_masked_number_is_refused():
    stream = Sequential([Input((None, 1)), layers.GRU(2)]).stream()
    with pytest.raises(ValueError, match=r"stream\.step expected numbers that are all there, got a masked array"):
        stream.step(np.ma.masked_array([1.0], mask=[True]))
