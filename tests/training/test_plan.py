"""A model whose layers native code knows runs by a plan: the bits of the layers' own forward and backward."""

import copy
import os
import pickle
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from doubles import OwnDense, assert_same, held_by

import recurra
from recurra import Input, Sequential, layers, optimizers
from recurra.layers.recurrent import stateful_layers
from recurra.training.plan import plan_of


class OwnCell(layers.LSTMCell):
    """The same cell, which native code does not know."""


RECURRENT = {
    "simple_rnn": lambda **o: layers.SimpleRNN(5, **o),
    "simple_rnn_relu": lambda **o: layers.SimpleRNN(4, activation="relu", use_bias=False, **o),
    "lstm": lambda **o: layers.LSTM(17, **o),
    "lstm_hard": lambda **o: layers.LSTM(3, recurrent_activation="hard_sigmoid", **o),
    "gru": lambda **o: layers.GRU(16, **o),
    "gru_before": lambda **o: layers.GRU(7, reset_after=False, go_backwards=True, **o),
}


def adapted_normalization():
    layer = layers.Normalization()
    layer.adapt(np.random.default_rng(1).normal(3, 2, (20, 6, 2)))
    return layer


def functional_of(*line):
    """Returns a functional model, frozen but for its last layer, of (6, 4)."""
    x = y = Input((6, 4))
    for layer in line:
        y = layer(y)
    line[0].trainable = False
    return recurra.Model(x, y)


LINES = {
    **{name: lambda dense, make=make: [make(), dense(2)] for name, make in RECURRENT.items()},
    "stacked": lambda dense: [
        layers.GRU(6, return_sequences=True),
        layers.LSTM(5, return_sequences=True, go_backwards=True),
        layers.Dropout(0.0),
        layers.SimpleRNN(4),
        dense(2),
    ],
    "dropout": lambda dense: [
        layers.SpatialDropout1D(0.3),
        layers.GRU(6, return_sequences=True),
        layers.Dropout(0.4, noise_shape=(None, 1, None)),
        layers.LSTM(5, dropout=0.3),
        layers.GaussianDropout(0.2),
        dense(2),
        layers.Dropout(0.1),
    ],
    "dropout_of_inputs": lambda dense: [
        layers.SimpleRNN(4, dropout=0.3, return_sequences=True, seed=1),
        layers.GRU(5, dropout=0.2, reset_after=False),
        dense(2),
    ],
    "sequences": lambda dense: [
        layers.LSTM(6, return_sequences=True),
        layers.TimeDistributed(layers.Dense(5, activation="relu")),
        dense(4, activation="gelu"),
        dense(2),
    ],
    **{
        f"recurrent_dropout_{name}": lambda dense, make=make: [
            make(return_sequences=True, recurrent_dropout=0.3),
            make(dropout=0.2, recurrent_dropout=0.3),
            dense(2),
        ]
        for name, make in RECURRENT.items()
    },
    "dropout_both_ways": lambda dense: [
        layers.Bidirectional(layers.LSTM(5, return_sequences=True, dropout=0.2, recurrent_dropout=0.3)),
        layers.Bidirectional(layers.GRU(4, return_sequences=True, dropout=0.2), merge_mode="sum"),
        layers.Bidirectional(
            layers.SimpleRNN(3, recurrent_dropout=0.3, trainable=False),
            backward_layer=layers.LSTM(3, go_backwards=True, dropout=0.2, recurrent_dropout=0.2, use_bias=False),
            merge_mode="mul",
        ),
        dense(2),
    ],
    "activations": lambda dense: [
        layers.GRU(6),
        dense(5, activation="softplus"),
        dense(4, activation="softmax"),
        layers.Activation("elu"),
        dense(2, activation="tanh", use_bias=False),
    ],
    **{
        f"bidirectional_{mode}": lambda dense, mode=mode: [
            layers.Bidirectional(layers.LSTM(5, return_sequences=True), merge_mode=mode),
            layers.Bidirectional(layers.GRU(3), merge_mode=mode),
            dense(2),
        ]
        for mode in ("concat", "sum", "mul", "ave")
    },
    "bidirectional_mixed": lambda dense: [
        layers.Dense(3),
        layers.Bidirectional(layers.SimpleRNN(4), backward_layer=layers.LSTM(6, go_backwards=True)),
        dense(2),
    ],
    "normalized": lambda dense: [
        layers.LayerNormalization(),
        layers.LSTM(6, return_sequences=True),
        layers.LayerNormalization(scale=False),
        layers.GRU(5, return_sequences=True),
        layers.LayerNormalization(center=False, epsilon=1e-5, trainable=False),
        layers.LSTM(20),
        layers.LayerNormalization(gamma_constraint="max_norm"),
        dense(2),
    ],
    "batch_normalized": lambda dense: [
        layers.BatchNormalization(),
        layers.LSTM(6, return_sequences=True),
        layers.BatchNormalization(scale=False, momentum=0.5),
        layers.GRU(5, return_sequences=True),
        layers.BatchNormalization(center=False, epsilon=1e-5, trainable=False),
        layers.LSTM(20),
        layers.BatchNormalization(gamma_constraint="max_norm"),
        dense(2),
    ],
    "convolved": lambda dense: [
        layers.Conv1D(5, 3, activation="relu"),
        layers.MaxPooling1D(2),
        layers.GRU(4),
        dense(2),
    ],
    "convolved_causally": lambda dense: [
        layers.Conv1D(6, 2, padding="causal", dilation_rate=2, activation="gelu"),
        layers.Conv1D(4, 3, padding="same", groups=2, use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.AveragePooling1D(3, strides=2, padding="same"),
        layers.Conv1D(3, 1, activation="tanh"),
        layers.GlobalAveragePooling1D(),
        dense(2),
    ],
    "convolved_in_strides": lambda dense: [
        layers.Conv1D(4, 3, strides=2, padding="same", trainable=False),
        layers.Conv1D(4, 2, strides=2, activation="sigmoid", kernel_constraint="max_norm"),
        layers.GlobalMaxPooling1D(keepdims=True),
        layers.Flatten(),
        dense(2),
    ],
    "pooled": lambda dense: [
        layers.MaxPooling1D(3, strides=1, padding="same"),
        layers.LSTM(4, return_sequences=True),
        layers.GlobalMaxPooling1D(),
        dense(2),
    ],
    "repeated": lambda dense: [
        layers.GRU(5),
        layers.RepeatVector(7),
        layers.LSTM(4, return_sequences=True),
        layers.Flatten(),
        dense(2),
    ],
    "repeated_of_one_unit": lambda dense: [
        layers.SimpleRNN(1),
        layers.RepeatVector(20),
        layers.GRU(4),
        dense(2),
    ],
    "upsampled": lambda dense: [
        layers.Conv1D(3, 2, padding="same"),
        layers.MaxPooling1D(2),
        layers.UpSampling1D(9),
        layers.LSTM(1, return_sequences=True),
        layers.UpSampling1D(20),
        layers.GRU(4),
        dense(2),
    ],
    "rescaled": lambda dense: [
        layers.Rescaling(0.5, offset=[1.0, -2.0]),
        layers.LSTM(5, return_sequences=True),
        layers.Rescaling([0.1, 2, -3, 4, 0.25], 1),
        layers.Identity(),
        dense(2),
        layers.GRU(2),
        layers.Rescaling(7),
    ],
    "standardized": lambda dense: [
        layers.Normalization(mean=[0.1, -0.2], variance=[3.0, 1e-20]),
        layers.GRU(5, return_sequences=True),
        layers.Normalization(mean=0.5, variance=2.0),
        layers.Normalization(mean=0.5, variance=0.1, invert=True),
        layers.LSTM(4),
        dense(2),
    ],
    "adapted": lambda dense: [adapted_normalization(), layers.GRU(5), dense(2)],
    "softmax_by_themselves": lambda dense: [
        layers.LSTM(5, return_sequences=True),
        layers.Softmax(),
        layers.GRU(4),
        dense(2),
        layers.Activation("softmax"),
    ],
    "with_models_within": lambda dense: [
        Sequential([layers.Masking(-9), layers.GRU(5, return_sequences=True, dropout=0.3)]),
        Sequential([Sequential([layers.Dropout(0.2), layers.LSTM(4, return_sequences=True)]), layers.Dropout(0.4)]),
        functional_of(layers.GRU(3), layers.Dense(4, kernel_regularizer="l2")),
        dense(2),
    ],
    "reshaped": lambda dense: [
        layers.Reshape((3, 4)),
        layers.LSTM(4, return_sequences=True),
        layers.Flatten(),
        dense(2),
    ],
}
OPTIMIZERS = {
    "adam": lambda: optimizers.Adam(0.01),
    "adamw": lambda: optimizers.AdamW(0.01, amsgrad=True),
    "clipped": lambda: optimizers.Adam(0.01, global_clipnorm=0.1),
    "clipped_each": lambda: optimizers.SGD(0.1, momentum=0.9, clipnorm=0.1),
    "schedule": lambda: optimizers.RMSprop(optimizers.schedules.ExponentialDecay(0.01, 2, 0.5)),
    "ema": lambda: optimizers.Adam(0.01, use_ema=True, gradient_accumulation_steps=2),
}


@pytest.fixture
def data(rng):
    x = rng.standard_normal((11, 6, 2)).astype("float32")
    return x, rng.standard_normal((11, 2)).astype("float32")


def make_model(line, dense=layers.Dense, optimizer="adam", loss="mse", dtype=None, **options):
    recurra.utils.set_random_seed(0)
    model = Sequential([Input((6, 2), dtype=dtype), *line(dense)])
    model.compile(OPTIMIZERS[optimizer](), loss, **options)
    return model


def runs_by_plan(model, training=True):
    return plan_of(model, training) is not None


def everything(model, x, y, **fit):
    """Returns all that a short training gives: losses, predictions, weights, the optimizer's variables."""
    recurra.utils.set_random_seed(1)  # the order of the rows
    history = model.fit(x, y, **({"batch_size": 4, "epochs": 3, "verbose": 0} | fit)).history
    losses = [np.asarray(values) for values in history.values()]
    return [*losses, model.predict(x, verbose=0), *held_by(model)]


@pytest.mark.parametrize("line", LINES)
def test_a_plan_gives_the_bits_of_the_layers(line, data):
    x, y = data
    y = y if line != "sequences" else np.repeat(y[:, None], 6, axis=1)
    planned, general = make_model(LINES[line]), make_model(LINES[line], OwnDense)
    assert runs_by_plan(planned) and not runs_by_plan(general)
    assert_same(everything(planned, x, y), everything(general, x, y))


@pytest.mark.parametrize("batch", [1, 17, 50, 300], ids=["row", "halves", "pieces", "step by step"])
@pytest.mark.parametrize("layer", ["SimpleRNN", "LSTM", "GRU"])
def test_a_plan_that_starts_at_rest_gives_the_bits_of_zero_states(layer, batch, rng):
    # The general way takes the products with states of zeros and the gradient of those states, a plan neither.
    def line(dense):
        first = getattr(layers, layer)(16, return_sequences=True)
        return [first, getattr(layers, layer)(40), dense(2)]

    x, y = rng.standard_normal((batch, 6, 2)).astype("float32"), rng.standard_normal((batch, 2)).astype("float32")
    planned, general = make_model(line), make_model(line, OwnDense)
    fit = {"batch_size": batch, "epochs": 4}
    assert_same(everything(planned, x, y, **fit), everything(general, x, y, **fit))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("loss", ["mae", "huber", "log_cosh"])
def test_every_loss_and_optimizer_goes_with_a_plan(loss, optimizer, data):
    options = {"optimizer": optimizer, "loss": loss, "metrics": ["mae"]}
    fit = {"sample_weight": np.linspace(0, 1, 11), "validation_split": 0.2}
    runs = [make_model(LINES["gru"], dense, **options) for dense in (layers.Dense, OwnDense)]
    assert runs_by_plan(runs[0]) and not runs_by_plan(runs[1])
    assert_same(*(everything(model, *data, **fit) for model in runs))


def test_float64_runs_by_a_plan(data):
    recurra.config.set_floatx("float64")
    try:
        planned, general = (make_model(LINES["lstm"], dense, dtype="float64") for dense in (layers.Dense, OwnDense))
        assert runs_by_plan(planned)
        found = everything(planned, *data)
        assert_same(found, everything(general, *data))
        assert found[1].dtype == np.float64
    finally:
        recurra.config.set_floatx("float32")


def test_regularizers_and_constraints_go_with_a_plan(data):
    def line(dense):
        return [layers.LSTM(4, kernel_regularizer="l2"), dense(2, kernel_constraint="max_norm")]

    planned, general = make_model(line), make_model(line, OwnDense)
    assert runs_by_plan(planned)
    assert_same(everything(planned, *data), everything(general, *data))


@pytest.mark.parametrize(
    "line",
    [
        lambda dense: [layers.GRU(3), layers.GaussianNoise(0.1), dense(2)],
    ],
)
def test_other_noise_takes_the_general_way_in_training_alone(line):
    model = make_model(line)
    assert not runs_by_plan(model)
    assert runs_by_plan(model, training=False)


@pytest.mark.parametrize(
    "line",
    [
        lambda: [layers.GRU(3, activation="gelu")],
        lambda: [layers.GRU(3, activation=lambda x: x)],
        lambda: [layers.GRU(3, activity_regularizer="l2")],
        lambda: [layers.RNN(layers.StackedRNNCells([layers.GRUCell(3)]))],
        lambda: [layers.LayerNormalization(axis=1), layers.GRU(3)],
        lambda: [layers.LayerNormalization(axis=[1, 2]), layers.GRU(3)],
        lambda: [layers.BatchNormalization(axis=1), layers.GRU(3)],
        lambda: [layers.RNN(OwnCell(3))],
        lambda: [layers.Bidirectional(layers.RNN(OwnCell(3)), merge_mode="sum")],
        lambda: [layers.GRU(3, dtype="float64")],
    ],
)
def test_what_native_code_does_not_know_takes_the_general_way(line, data):
    model = Sequential([Input((6, 2)), *line()])
    assert not runs_by_plan(model, training=False)
    assert model.predict(data[0], verbose=0).shape == (11, 3)


@pytest.mark.parametrize("layer", [layers.LayerNormalization, layers.BatchNormalization])
def test_timesteps_are_not_taken_for_as_many_features(layer, rng):
    x = rng.standard_normal((5, 4, 4)).astype("float32")
    model = Sequential([Input((4, 4)), layer(axis=1)])
    np.testing.assert_array_equal(model.predict(x, verbose=0), np.asarray(model.layers[0](x)))
    assert not runs_by_plan(model, training=False)


def test_arrays_of_more_axes_than_native_code_takes_go_the_general_way():
    x = np.ones((3, *[1] * 9, 2), "float32")
    model = Sequential([Input(x.shape[1:]), layers.Activation("tanh"), layers.Dense(2)])
    model.compile("adam", "mse")
    np.testing.assert_allclose(model.predict(x, verbose=0), np.tanh(x) @ model.get_weights()[0], rtol=1e-5)
    before = model.get_weights()[0]
    model.train_on_batch(x, x)
    assert np.all(model.get_weights()[0] != before)


def test_a_refused_batch_moves_no_statistics(data):
    recurra.utils.set_random_seed(0)
    model = Sequential([Input((6, 2)), layers.BatchNormalization(), layers.GRU(3, activation="sigmoid")])
    model.compile("adam", "sparse_categorical_crossentropy")
    model.train_on_batch(data[0], np.zeros(11))
    assert runs_by_plan(model)
    before = model.get_weights()
    for rows in (11, 5):
        with pytest.raises(ValueError, match="labels from 0 to 2"):
            model.train_on_batch(data[0][:rows], np.full(rows, 3))
    assert_same(model.get_weights(), before)


def test_batch_statistics_of_masked_steps_take_the_general_way(data):
    x = data[0].copy()
    x[2:5, 3:] = 0
    line = [layers.Masking(), layers.BatchNormalization(momentum=0.5), layers.GRU(3), layers.Dense(2)]
    recurra.utils.set_random_seed(0)
    model = Sequential([Input((6, 2)), *line])
    model.compile("adam", "mse")
    assert not runs_by_plan(model) and runs_by_plan(model, training=False)
    model.train_on_batch(x, data[1])
    counted = x[(x != 0).any(axis=-1)]
    np.testing.assert_allclose(line[1].moving_mean, counted.mean(axis=0) / 2, rtol=1e-5, atol=1e-6)


MASKED = {
    **{name: lambda dense, make=make: [layers.Masking(), make(), dense(2)] for name, make in RECURRENT.items()},
    "stacked": lambda dense: [
        layers.Dense(3),
        layers.Masking(-1.0),
        layers.LSTM(6, return_sequences=True),
        layers.Dropout(0.2),
        layers.LayerNormalization(),
        layers.Dense(5, activation="tanh"),
        layers.Activation("relu"),
        layers.GRU(5, return_sequences=True, dropout=0.2),
        layers.LSTM(4, dropout=0.2, recurrent_dropout=0.2),
        dense(2),
    ],
    **{
        f"bidirectional_{mode}": lambda dense, mode=mode: [
            layers.Masking(),
            layers.Bidirectional(layers.LSTM(5, return_sequences=True), merge_mode=mode),
            layers.Bidirectional(layers.SimpleRNN(3), merge_mode=mode),
            dense(2),
        ]
        for mode in ("concat", "sum", "mul", "ave")
    },
    "time_distributed": lambda dense: [
        layers.Masking(),
        layers.TimeDistributed(layers.Dense(4)),
        layers.LSTM(3),
        dense(2),
    ],
}


@pytest.mark.parametrize("line", MASKED)
def test_masks_go_with_a_plan(line, data, rng):
    x, y = data
    x[rng.random((11, 6)) < 0.4] = 0
    x[1] = 0  # all of a row
    planned, general = make_model(MASKED[line]), make_model(MASKED[line], OwnDense)
    assert runs_by_plan(planned) and not runs_by_plan(general)
    assert_same(everything(planned, x, y), everything(general, x, y))


def tagger(start, dense=layers.Dense, loss="sparse_categorical_crossentropy"):
    recurra.utils.set_random_seed(0)
    both_ways = layers.Bidirectional(layers.LSTM(4, return_sequences=True))
    model = Sequential([*start(), both_ways, layers.Dropout(0.2), dense(3, activation="softmax")])
    model.compile("adam", loss, metrics=["accuracy"], weighted_metrics=["accuracy"])
    return model


@pytest.mark.parametrize("loss", ["sparse_categorical_crossentropy", lambda y, p: (p[..., 0] - y) ** 2])
@pytest.mark.parametrize("weights", [None, (11, 1), (11, 6)])
@pytest.mark.parametrize(
    "start",
    [
        lambda: [Input((6, 2)), layers.Masking()],
        lambda: [Input((6,)), layers.Embedding(5, 3, mask_zero=True)],
        lambda: [Input((6,), dtype="int32"), Sequential([layers.Embedding(5, 3, mask_zero=True)])],
    ],
)
def test_masks_of_outputs_go_with_a_plan(start, weights, loss, rng):
    if callable(loss):
        loss.gradient = lambda y, p: 2 * (p - y[..., None]) * np.eye(3, dtype="float32")[0]
    planned, general = tagger(start, loss=loss), tagger(start, OwnDense, loss)
    x = rng.integers(0, 5, (11, *planned.input_shape[1:]))
    x[rng.random((11, 6)) < 0.4] = 0
    x[1], y = 0, rng.integers(0, 3, (11, 6))
    weights = None if weights is None else rng.random(weights)
    assert all(runs_by_plan(planned, training) and not runs_by_plan(general, training) for training in (True, False))
    assert_same(*(everything(model, x, y, sample_weight=weights) for model in (planned, general)))
    assert_same(*(everything(model, x, y, validation_data=(x[:5], y[:5])) for model in (planned, general)))
    assert planned.evaluate(x, y, verbose=0) == general.evaluate(x, y, verbose=0)
    x[:] = 0  # not one timestep that counts
    assert planned.train_on_batch(x, y) == general.train_on_batch(x, y)


def test_a_model_within_another_passes_the_mask_of_its_output_on(rng):
    x = rng.integers(0, 3, (4, 6))
    inner = tagger(lambda: [Input((6,)), layers.Embedding(5, 3, mask_zero=True)])
    outer = layers.LSTM(2)
    model = Sequential([Input((6,)), inner, outer])
    assert runs_by_plan(inner, training=False)
    wanted = outer(inner.predict(x, verbose=0), mask=x != 0)
    np.testing.assert_array_equal(model.predict(x, verbose=0), wanted)
    assert not np.array_equal(wanted, outer(inner.predict(x, verbose=0)))


@pytest.mark.parametrize("behind", [[layers.GRU(3)], [layers.GRU(3, return_sequences=True)]])
def test_masks_of_what_is_masked_take_the_general_way(behind):
    line = [layers.Masking(), layers.Dense(3), layers.Masking()]
    assert not runs_by_plan(Sequential([Input((6, 2)), *line, *behind]))


EMBEDDED = {
    **{
        name: lambda dense, make=make, **o: [layers.Embedding(9, 5, **o), make(), dense(3, activation="softmax")]
        for name, make in RECURRENT.items()
    },
    "stacked": lambda dense, **o: [
        layers.Embedding(9, 5, embeddings_constraint="unit_norm", **o),
        layers.SpatialDropout1D(0.2),
        layers.Bidirectional(layers.LSTM(4, return_sequences=True)),
        layers.GRU(4),
        dense(3, activation="softmax"),
    ],
}


def make_embedded(line, dense=layers.Dense, optimizer=None, dtype=None, **options):
    recurra.utils.set_random_seed(0)
    model = Sequential([Input((7,), dtype=dtype), *line(dense, **options)])
    model.compile(optimizer or optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.fixture
def text(rng):
    return rng.integers(0, 9, (11, 7)), rng.integers(0, 3, 11)


def test_a_mask_that_is_made_behind_another_layer_is_heeded():
    x = np.array([[[0, 2], [1, 1], [3, 1]]], "float32")  # Dense makes 2, 2 and 4 of them
    found = []
    for dense in (layers.Dense, OwnDense):
        line = [layers.Dense(1, kernel_initializer="ones"), layers.Masking(2.0), dense(1, kernel_initializer="ones")]
        model = Sequential([Input((3, 2)), *line])
        model.compile("sgd", "mse")
        losses = [run(x, np.ones((1, 3, 1), "float32")) for run in (model.evaluate, model.train_on_batch)]
        found.append([np.array(losses), *model.get_weights()])
    np.testing.assert_allclose(found[0][0], [9, 9])  # (4 - 1)**2 of the one step that counts
    assert_same(*found)


def test_a_mask_of_ids_that_went_through_another_layer_is_heeded(rng):
    def start():
        return [Input((6,)), layers.Identity(), layers.Embedding(5, 3, mask_zero=True)]

    x, y = rng.integers(0, 3, (4, 6)), rng.integers(0, 3, (4, 6))
    assert_same(*(everything(tagger(start, dense), x, y) for dense in (layers.Dense, OwnDense)))


@pytest.mark.parametrize("mask_zero", [False, True])
@pytest.mark.parametrize("line", EMBEDDED)
def test_embeddings_go_with_a_plan(line, mask_zero, text):
    planned, general = (make_embedded(EMBEDDED[line], dense, mask_zero=mask_zero) for dense in (layers.Dense, OwnDense))
    assert runs_by_plan(planned) and not runs_by_plan(general)
    assert_same(everything(planned, *text), everything(general, *text))
    assert planned.evaluate(*text, verbose=0) == general.evaluate(*text, verbose=0)


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: optimizers.Adam(0.01, beta_2=0.0),
        lambda: optimizers.Adam(0.01, amsgrad=True, weight_decay=0.1),
        lambda: optimizers.Adam(0.01, clipvalue=1e-3),
        lambda: optimizers.Adam(0.01, global_clipnorm=1e-2),
        lambda: optimizers.Adam(0.01, clipnorm=1e-2),
        lambda: optimizers.RMSprop(0.01),
        lambda: optimizers.RMSprop(0.01, centered=True, momentum=0.9, weight_decay=0.1),
        lambda: optimizers.RMSprop(0.01, clipnorm=1e-2),
        lambda: optimizers.SGD(0.1, momentum=0.9),
        lambda: optimizers.Nadam(0.01),
        lambda: optimizers.Adamax(0.01),
        lambda: optimizers.Adamax(0.01, clipnorm=1e-2),
    ],
)
def test_every_optimizer_goes_with_an_embedding(optimizer, text):
    models = [make_embedded(EMBEDDED["lstm"], dense, optimizer()) for dense in (layers.Dense, OwnDense)]
    assert runs_by_plan(models[0])
    assert_same(*(everything(model, *text) for model in models))
    weights = {"sample_weight": np.linspace(0, 1, 11)}
    assert_same(*(everything(model, *text, **weights) for model in models))


@pytest.mark.parametrize("input_dtype", [None, "int32", "int64", "float64"])
@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "float32", "float64"])
def test_ids_may_be_numbers_of_any_kind(input_dtype, dtype, text):
    x, y = text
    x = x.astype(dtype)
    if dtype.startswith("float"):
        x = x + np.float32(0.25)  # cut off
    models = [make_embedded(EMBEDDED["gru"], dense, dtype=input_dtype) for dense in (layers.Dense, OwnDense)]
    assert_same(*(everything(model, x, y) for model in models))


@pytest.mark.parametrize("wrong", [9, -1, np.nan, np.inf, 1e30])
def test_an_id_of_no_row_is_refused_and_changes_nothing(wrong, text):
    x, y = text
    model = make_embedded(EMBEDDED["gru"])
    before = everything(model, x, y)[-10:]
    x = x.astype("float32")
    x[3, 2] = wrong
    for call in (lambda: model.train_on_batch(x, y), lambda: model.predict(x, verbose=0), lambda: model.evaluate(x, y)):
        with pytest.raises(ValueError, match="expected whole numbers"):
            call()
    assert_same(held_by(model)[-10:], before)


def test_frozen_and_penalised_embeddings_go_with_a_plan(text):
    def line(dense):
        frozen = layers.Embedding(9, 5, trainable=False)
        return [frozen, layers.GRU(4), dense(3, activation="softmax", kernel_regularizer="l2")]

    models = [make_embedded(line, dense) for dense in (layers.Dense, OwnDense)]
    before = models[0].get_weights()[0]
    assert runs_by_plan(models[0])
    assert_same(*(everything(model, *text) for model in models))
    np.testing.assert_array_equal(models[0].get_weights()[0], before)


def stateful_pair(**options):
    """Returns a model with stateful layers and its double that takes the general way."""
    models = []
    for dense in (layers.Dense, OwnDense):
        recurra.utils.set_random_seed(0)
        line = [
            layers.LSTM(4, return_sequences=True, stateful=True, **options),
            layers.Bidirectional(layers.GRU(3, return_sequences=True, stateful=True)),
            layers.SimpleRNN(3, stateful=True, **options),
        ]
        models.append(Sequential([Input(batch_shape=(4, 6, 2)), *line, dense(2)]))
        models[-1].compile(optimizers.Adam(0.01), "mse")
    return models


def states_of(model):
    """Returns copies of the states of all layers."""
    return [state.numpy() for layer in model.layers[:-1] for state in layer.states]


@pytest.mark.parametrize("options", [{}, {"dropout": 0.2, "recurrent_dropout": 0.2}])
def test_stateful_layers_go_with_a_plan(options, rng):
    x, y = rng.standard_normal((12, 6, 2)).astype("float32"), rng.standard_normal((12, 2)).astype("float32")
    fit = {"batch_size": 4, "shuffle": False, "verbose": 0}
    models = stateful_pair(**options)
    assert runs_by_plan(models[0]) and runs_by_plan(models[0], training=False)
    assert not any(runs_by_plan(models[1], training) for training in (True, False))
    found = []
    for model in models:
        losses = model.fit(x, y, epochs=3, **fit).history["loss"]
        kept = states_of(model)
        losses += [model.evaluate(x, y, batch_size=4, verbose=0), *model.fit(x, y, epochs=2, **fit).history["loss"]]
        model.reset_states()
        model.train_on_batch(x[:4], y[:4])
        after_reset = states_of(model)
        model.layers[0].states = [np.full((4, 4), 0.5), np.full((4, 4), -0.5)]
        model.train_on_batch(x[:4], y[:4])
        found.append([losses, *kept, *after_reset, *states_of(model), *model.get_weights()])
    assert_same(*found)
    fresh = stateful_pair(**options)[0]
    fresh.train_on_batch(x[:4], y[:4])
    before = states_of(fresh)
    fresh.train_on_batch(x[:4], y[:4])
    assert any(np.any(one != other) for one, other in zip(states_of(fresh), before, strict=True))


def test_a_refused_batch_leaves_the_states_of_a_plan(rng):
    x, y = rng.standard_normal((4, 6, 2)).astype("float32"), np.zeros((4, 2), "float32")
    model = stateful_pair()[0]
    model.train_on_batch(x, y)
    before = states_of(model)
    for wrong_x, wrong_y in ((x[:3], y[:3]), (x, np.zeros((4, 3, 5), "float32"))):
        with pytest.raises(ValueError, match="expected"):
            model.train_on_batch(wrong_x, wrong_y)
    assert_same(states_of(model), before)


@pytest.mark.parametrize("steps", [1, 2, 6])
@pytest.mark.parametrize("kind", [layers.SimpleRNN, layers.LSTM, layers.GRU])
def test_predictions_go_on_from_the_states_of_those_layers_that_keep_them(kind, steps, rng):
    def make(dense):
        recurra.utils.set_random_seed(0)
        line = [
            layers.Masking(),
            kind(5, return_sequences=True),  # it begins at zeros, between two that do not
            layers.Bidirectional(kind(4, return_sequences=True, stateful=True)),
            kind(40, return_sequences=True),
            kind(3, stateful=True, go_backwards=True),
        ]
        return Sequential(
            [Input(batch_shape=(3, None, 2)), kind(4, return_sequences=True, stateful=True), *line, dense(2)]
        )

    models = make(layers.Dense), make(OwnDense)
    assert runs_by_plan(models[0], training=False) and not runs_by_plan(models[1], training=False)
    x = rng.standard_normal((4, 3, steps, 2)).astype("float32")
    x[:, 0, 0] = 0
    found = []
    for model in models:
        seen = [model.predict(x[0], verbose=0), model.predict_on_batch(x[1]), model(x[2])]
        model.layers[0].states = [np.full((3, 4), 0.5)] * len(model.layers[0].states)
        seen += [model.predict(np.concatenate(x), batch_size=3, verbose=0), *states_of_all(model)]
        model.reset_states()
        found.append([*seen, model.predict(x[0], verbose=0)])
    assert_same(*found)
    np.testing.assert_array_equal(found[0][0], found[0][-1])
    assert np.any(found[0][0] != models[0].predict(x[0], verbose=0))


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer that interrupts")
def test_an_interrupt_of_a_native_prediction_leaves_the_states_before_it(rng):
    def interrupt(*_):
        raise KeyboardInterrupt

    model = Sequential([Input(batch_shape=(32, 2000, 8)), layers.LSTM(128, stateful=True)])
    x = rng.standard_normal((32, 2000, 8)).astype("float32")  # some 50 ms
    model.predict(x, verbose=0)
    states = states_of_all(model)
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.005)
        with pytest.raises(KeyboardInterrupt):
            model.predict(x, verbose=0)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert_same(states_of_all(model), states)


def states_of_all(model):
    return [state.numpy() for layer in stateful_layers(model) for state in layer.states]


@pytest.mark.parametrize("verbose", [0, 1])
def test_stateful_models_predict_batches_of_their_rows_only(verbose):
    model = Sequential([Input(batch_shape=(40, 1, 2)), layers.GRU(3, stateful=True)])
    x = np.ones((80, 1, 2), "float32")
    for rows in (40, 80):
        with pytest.raises(ValueError, match=r"GRU expected batches of 40 rows \(stateful\), got 32: give batch_size"):
            model.predict(x[:rows], verbose=verbose)
    first, second = np.split(model.predict(x, batch_size=40, verbose=verbose), 2)
    assert np.all(first == first[0]) and np.all(second == second[0]) and np.all(first != second)


def test_threads_that_predict_at_once_see_states_of_before_or_after_a_call():
    """All features go on alike, so that half a step would show as different numbers in a row."""
    model = Sequential([Input(batch_shape=(2, 400, 8)), layers.SimpleRNN(96, "linear", stateful=True)])
    model.set_weights([np.full((8, 96), 1.0), np.eye(96), np.zeros(96)])
    x = np.full((2, 400, 8), 2.0**-6, "float32")
    assert runs_by_plan(model, training=False)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: model.predict_on_batch(x), range(60)))
    ends = [np.unique(result) for result in (*results, model.layers[0].states[0])]
    assert all(end.size == 1 and end % 50 == 0 for end in ends)  # each call adds 400 times 8 times 1/64
    assert 1 <= max(ends) / 50 <= 60


def test_a_layer_that_is_stateful_no_more_begins_at_zeros_again(rng):
    model = Sequential([Input(batch_shape=(2, 3, 4)), layers.GRU(5, stateful=True), layers.Dense(2)])
    x = rng.standard_normal((2, 3, 4)).astype("float32")
    first, second = (model.predict(x, verbose=0) for _ in range(2))
    model.layers[0].stateful = False
    assert runs_by_plan(model, training=False)
    np.testing.assert_array_equal(model.predict(x, verbose=0), first)
    assert np.all(second != first)


def test_a_stateful_layer_that_is_called_twice_takes_the_general_way(rng):
    def make(dense):
        recurra.utils.set_random_seed(0)
        again = layers.LSTM(4, return_sequences=True, stateful=True)
        x = Input(batch_shape=(2, 3, 4))
        return recurra.Model(x, dense(2)(again(again(x))))

    planned, general = make(layers.Dense), make(OwnDense)
    x = rng.standard_normal((2, 3, 4)).astype("float32")
    assert_same(
        *([*(model.predict(x, verbose=0) for _ in range(2)), *states_of_all(model)] for model in (planned, general))
    )


def test_states_are_set_to_what_fits():
    model = stateful_pair()[0]
    layer = model.layers[0]
    with pytest.raises(ValueError, match=r"LSTM expected 2 initial states, of sizes 4, 4, got 1"):
        layer.states = [np.zeros((4, 4))]
    with pytest.raises(ValueError, match=r"LSTM expected initial states of shape \(4, 4\), got \(3, 4\)"):
        layer.states = [np.zeros((3, 4)), np.zeros((3, 4))]
    layer.states = [np.ones((4, 4)), np.ones((4, 4))]
    layer.states[0].assign(np.full((4, 4), 2))
    assert [state.dtype for state in layer.states] == ["float32"] * 2
    assert [np.unique(state) for state in layer.states] == [2, 1]
    assert not any(state is weight for state in layer.states for weight in layer.weights)
    layer.states = None
    assert [np.unique(state) for state in layer.states] == [0, 0]
    with pytest.raises(ValueError, match="LSTM expected a stateful layer that is built"):
        layers.LSTM(3, stateful=True).states = [np.zeros((4, 3))] * 2


def test_a_plan_sees_that_a_normalization_adapts_and_another_epsilon(data, monkeypatch):
    x, y = data
    models = [make_model(LINES["adapted"], dense) for dense in (layers.Dense, OwnDense)]
    for model in models:
        everything(model, x, y)
        model.layers[0].adapt(x)
    assert runs_by_plan(models[0])
    assert_same(*(everything(model, x, y) for model in models))
    monkeypatch.setattr(recurra.config, "_epsilon", 1e-7)  # put back at the end
    recurra.config.set_epsilon(9.0)
    assert_same(*(everything(model, x, y) for model in models))


@pytest.mark.parametrize(
    "layer",
    [
        layers.Normalization(axis=None, mean=0.5, variance=2.0),
        layers.Normalization(axis=1, mean=np.arange(6.0), variance=np.ones(6)),
        layers.Rescaling(np.ones((6, 1))),
        layers.Softmax(axis=1),
        layers.Softmax(axis=(1, 2)),
    ],
)
def test_what_goes_along_other_axes_than_the_features_takes_the_general_way(layer, data):
    models = [make_model(lambda dense: [layer, layers.GRU(3), dense(2)], dense) for dense in (layers.Dense, OwnDense)]
    assert not runs_by_plan(models[0])
    assert_same(*(everything(model, *data) for model in models))


def test_a_model_that_is_called_twice_within_another_takes_the_general_way(data):
    def line(dense):
        halved = Sequential(
            [
                Input((None, 2)),
                layers.MaxPooling1D(2, padding="same"),
                layers.Dropout(0.5),
                layers.LSTM(2, return_sequences=True),
            ]
        )
        x = Input((6, 2))
        return [recurra.Model(x, halved(halved(x))), layers.GRU(3), dense(2)]

    models = [make_model(line, dense) for dense in (layers.Dense, OwnDense)]
    assert not runs_by_plan(models[0])
    assert_same(*(everything(model, *data) for model in models))


def test_a_plan_sees_what_changes_in_a_model_within(data):
    models = [make_model(LINES["with_models_within"], dense) for dense in (layers.Dense, OwnDense)]
    for model in models:
        everything(model, *data)
        model.layers[1].layers[0].layers[0].rate = 0.7
        model.layers[0].layers[1].cell.recurrent_kernel.assign(np.eye(5, 15))
    assert runs_by_plan(models[0])
    assert_same(*(everything(model, *data) for model in models))
    models[0].layers[1].add(layers.ActivityRegularization(0.1))
    assert not runs_by_plan(models[0])


@pytest.mark.parametrize("dtype", ["int32", "float64"])
def test_a_model_within_that_casts_its_input_takes_the_general_way(dtype, data):
    def line(dense):
        x = Input((6, 2), dtype=dtype)
        return [recurra.Model(x, layers.Rescaling(2.0, dtype="float32")(x)), layers.GRU(3), dense(2)]

    models = [make_model(line, dense) for dense in (layers.Dense, OwnDense)]
    assert not runs_by_plan(models[0])
    assert_same(*(everything(model, *data) for model in models))


def test_a_softmax_after_a_mask_takes_the_general_way():
    line = [Input((6, 2)), layers.Masking(), layers.GRU(3, return_sequences=True)]
    assert runs_by_plan(Sequential([*line, layers.Dense(2)]), training=False)
    assert not runs_by_plan(Sequential([*line, layers.Softmax()]), training=False)


def test_several_outputs_and_branches_take_the_general_way():
    start = Input((6, 2))
    hidden = layers.GRU(3)(start)
    one, other = layers.Dense(1)(hidden), layers.Dense(2)(hidden)
    assert not runs_by_plan(recurra.Model(start, [one, other]))
    assert not runs_by_plan(recurra.Model(start, layers.Concatenate()([one, other])))
    assert runs_by_plan(recurra.Model(start, one))


def test_a_plan_sees_what_changes(data):
    """Each change is made to a model with a plan, and to its double without one."""
    x, y = data
    planned, general = make_model(LINES["lstm"]), make_model(LINES["lstm"], OwnDense)

    def check():
        assert runs_by_plan(planned) and not runs_by_plan(general)
        assert_same(everything(planned, x, y), everything(general, x, y))

    def both(change):
        change(planned)
        change(general)
        check()

    check()
    both(lambda m: m.set_weights([0.5 * weight for weight in m.get_weights()]))
    both(lambda m: setattr(m.optimizer, "learning_rate", 0.1))
    both(lambda m: setattr(m.layers[0], "go_backwards", True))
    both(lambda m: setattr(m.layers[1], "activation", recurra.activations.get("tanh")))

    def freeze(model):
        model.layers[0].trainable = False
        model.compile("adam", "mse")

    frozen = planned.layers[0].get_weights()
    both(freeze)
    assert_same(planned.layers[0].get_weights(), frozen)
    both(lambda m: (setattr(m.layers[0], "trainable", True), m.compile("sgd", "mae")))


def test_the_next_step_sees_what_changed_since_the_last(data):
    """Between steps with the same arrays, where nothing is looked at as long as nothing was set."""
    x, y = data
    planned, general = make_model(LINES["lstm"]), make_model(LINES["lstm"], OwnDense)
    before, after = [], []

    class Doubled(recurra.losses.MeanSquaredError):
        def call(self, y_true, y_pred):
            return 2 * super().call(y_true, y_pred)

        def gradient(self, y_true, y_pred):
            return 2 * super().gradient(y_true, y_pred)

    def replace_array(model):
        variable = model.layers[0].weights[1]
        variable.value = 0.5 * variable.value

    def double_forward(model):
        layer = model.layers[1]

        def doubled(*given, **named):
            y, cache = type(layer).forward(layer, *given, **named)
            return 2 * y, cache

        layer.forward = doubled

    for change in (
        lambda m: None,
        replace_array,
        lambda m: setattr(m.optimizer, "clipnorm", 1e-3),
        lambda m: setattr(m.layers[0], "go_backwards", True),
        lambda m: m.compile("adam", Doubled()),
        double_forward,
    ):
        for model, losses in ((planned, before), (general, after)):
            model.train_on_batch(x, y)
            change(model)
            losses.append(model.train_on_batch(x, y))
        assert_same(planned.get_weights(), general.get_weights())
    assert before == after


def test_layers_shared_with_another_model_keep_training_here(data):
    x, y = data
    results = []
    for dense in (layers.Dense, OwnDense):
        first = make_model(LINES["lstm"], dense)
        first.fit(x, y, verbose=0)
        second = Sequential([Input((6, 2)), *first.layers])
        second.compile("adam", "mse")
        second.fit(x, y, verbose=0)
        results.append([*everything(first, x, y), *second.get_weights(), second.predict(x, verbose=0)])
    assert_same(*results)


def test_added_layers_are_run(data):
    model = Sequential([Input((6, 2)), layers.GRU(3)])
    hidden = model.predict(data[0], verbose=0)
    model.add(layers.Dense(2, use_bias=False))
    assert runs_by_plan(model, training=False)
    np.testing.assert_array_equal(model.predict(data[0], verbose=0), recurra.ops.matmul(hidden, model.weights[3].value))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_train_on_by_themselves(copied, data):
    model = make_model(LINES["lstm"])
    model.fit(*data, verbose=0)
    before = model.get_weights()
    double = copied(model)
    found = everything(double, *data)
    assert_same(model.get_weights(), before)
    other = make_model(LINES["lstm"])
    other.fit(*data, verbose=0)
    assert_same(found, everything(other, *data))


def test_timesteps_may_differ_from_call_to_call(rng):
    model = Sequential([Input((None, 2)), layers.LSTM(4, return_sequences=True), layers.Dense(1)])
    general = Sequential([Input((None, 2)), *model.layers[:1], OwnDense(1)])
    general.set_weights(model.get_weights())
    assert runs_by_plan(model, training=False)
    for timesteps in (1, 7, 3):
        x = rng.standard_normal((5, timesteps, 2)).astype("float32")
        np.testing.assert_array_equal(model.predict(x, verbose=0), general.predict(x, verbose=0))


@pytest.mark.parametrize("shape", [(11, 0, 2), (11, 7, 2)])
def test_an_input_that_does_not_fit_is_told_as_ever(shape):
    model = make_model(LINES["reshaped"])
    assert runs_by_plan(model)
    with pytest.raises(ValueError, match="expected"):
        model.predict(np.zeros(shape, "float32"), verbose=0)


def test_predictions_do_not_depend_on_how_rows_are_cut(rng):
    model = Sequential([Input((24, 1)), layers.LSTM(64), layers.Dense(1)])
    x = rng.standard_normal((2100, 24, 1)).astype("float32")  # more than one native call
    whole = model.predict(x, verbose=0)
    np.testing.assert_array_equal(
        whole, model.predict(x, batch_size=64, verbose=0, callbacks=[recurra.callbacks.Callback()])
    )
    for row in (0, 1000, 2099):
        np.testing.assert_array_equal(whole[row], model.predict(x[row : row + 1], verbose=0)[0])


def test_threads_may_predict_and_train_at_once(data):
    x, y = data
    model = make_model(LINES["stacked"])
    long = np.repeat(x, 40, axis=0)
    wanted = {len(a): model.predict(a, verbose=0) for a in (x, long, x[:1])}
    wrong = []

    def predict(a):
        for _ in range(60):
            found = model.predict(a, verbose=0)
            if not np.array_equal(found, wanted[len(a)]):
                wrong.append(len(a))

    threads = [threading.Thread(target=predict, args=(a,)) for a in (x, long, x[:1], long)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong

    trainers = [
        threading.Thread(target=model.fit, args=(a[:n], b[:n]), kwargs={"verbose": 0, "epochs": 5})
        for n in (3, 11)
        for a, b in [(x, y)]
    ]
    for thread in trainers:
        thread.start()
    for thread in trainers:
        thread.join()
    assert np.isfinite(model.predict(x, verbose=0)).all()


def test_the_optimizer_is_built_before_another_thread_may_think_so(data):
    """A second thread that trains goes by the arenas; it once found an optimizer without its slots."""
    model = make_model(LINES["stacked"])
    build, arenas = model.optimizer.build, []

    def watched(variables):
        arenas.append(list(model._trainable_state.arenas))
        build(variables)

    model.optimizer.build = watched
    model.fit(*data, verbose=0)
    assert arenas[0] == []


def test_many_predictions_leave_nothing_behind(growth, data):
    model = make_model(LINES["lstm"])
    assert growth(lambda: model.predict(data[0][:1], verbose=0)) < 2000


MEMORY = """
import numpy as np
from recurra import Input, Sequential, layers

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

units, rows, timesteps = 64, 64, 600
x, y = np.zeros((rows, timesteps, 1), "float32"), np.zeros((rows, 1), "float32")
line = [layers.LSTM(units, return_sequences=True), layers.LSTM(units), layers.Dense(1)]
model = Sequential([Input((timesteps, 1)), *line])
model.compile("adam", "mse")
model.train_on_batch(x[:2, :2].repeat(timesteps // 2, axis=1), y[:2])
start = resident()
for _ in range(3):
    model.train_on_batch(x, y)
    model.predict(x, verbose=0)
gates, states = 4, 2
needed = 4 * rows * timesteps * units * (2 * (gates + states) + 1)  # two layers, the sequence between them
print((resident() - start) / needed)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="reads the memory in use from Linux's /proc")
def test_training_keeps_little_more_than_the_activations(run_python):
    assert 0.9 < float(run_python("-c", MEMORY).stdout) < 1.3


def test_factors_that_do_not_fit_are_refused():
    plan = recurra.ops.Plan("float32", gradients=True)
    plan.add_factors(lambda shape, dtype: np.ones(shape, dtype))
    plan.draw([(2, 3)])
    with pytest.raises(ValueError, match="size of the layer's input"):
        plan.forward(np.ones((2, 4), np.float32), (2, 4))


def test_large_layers_predict_many_rows_at_once():
    # Each call packs the weights and fetches them at every time step.
    model = Sequential([Input((2, 3)), layers.LSTM(4)])
    plan = plan_of(model, training=False).native
    native, seen = plan._native, []

    class Costly:
        def flops(self, x_size):
            return 1e12

        def infer(self, y, x):
            seen.append(len(x))
            native.infer(y, x)

    x = np.random.default_rng(0).standard_normal((300, 2, 3)).astype(np.float32)
    plan._native = Costly()
    y = model.predict(x, verbose=0)
    plan._native = native
    assert seen == [128, 128, 44]
    assert_same(y, model.predict(x, verbose=0))
