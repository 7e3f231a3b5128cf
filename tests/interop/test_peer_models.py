"""Many models against real Keras: each opens the other's files, predicts the same and trains on to the same weights.

Run where Keras is installed (`pip install '.[peers]'`); skipped elsewhere.
"""

import numpy as np
import pytest

import recurra

KINDS = ("SimpleRNN", "LSTM", "GRU")
RECURRENT = {
    "plain": lambda tools, kind: [getattr(tools, kind)(4)],
    "options": lambda tools, kind: [
        getattr(tools, kind)(4, use_bias=False, go_backwards=True, activation="softsign", kernel_regularizer="l2")
    ],
    "two directions": lambda tools, kind: [
        tools.Bidirectional(getattr(tools, kind)(3, return_sequences=True), merge_mode="sum"),
        tools.Bidirectional(getattr(tools, kind)(3), backward_layer=getattr(tools, kind)(3, go_backwards=True)),
    ],
    "stacked cells": lambda tools, kind: [
        tools.Bidirectional(tools.RNN([getattr(tools, f"{kind}Cell")(4), tools.LSTMCell(3)]))
    ],
    "frozen": lambda tools, kind: [
        getattr(tools, kind)(3, return_sequences=True, trainable=False),
        getattr(tools, kind)(3),
    ],
}
OTHERS = {
    "GRU of Keras 1": lambda tools: tools.GRU(3, reset_after=False, return_sequences=True),
    "batch normalization": lambda tools: tools.BatchNormalization(),
    "frozen batch normalization": lambda tools: tools.BatchNormalization(trainable=False),
    "layer normalization": lambda tools: tools.LayerNormalization(),
    "RMS normalization": lambda tools: tools.RMSNormalization(),
    "unit normalization": lambda tools: tools.UnitNormalization(),
    "normalization": lambda tools: adapted(tools.Normalization()),
    "normalization of time steps and features": lambda tools: adapted(tools.Normalization(axis=(1, 2))),
    "normalization that was given": lambda tools: tools.Normalization(mean=[0.1, 0.2, 0.3], variance=[1.0, 2.0, 3.0]),
    "PReLU": lambda tools: tools.PReLU(),
    "LeakyReLU": lambda tools: tools.LeakyReLU(negative_slope=0.1),
    "convolution": lambda tools: tools.Conv1D(4, 3, padding="causal", activation="relu"),
    "max pooling": lambda tools: tools.MaxPooling1D(2),
    "average pooling": lambda tools: tools.AveragePooling1D(3, strides=2, padding="same"),
    "upsampling": lambda tools: tools.UpSampling1D(2),
    "padding": lambda tools: tools.ZeroPadding1D((1, 2)),
    "cropping": lambda tools: tools.Cropping1D((1, 1)),
    "permutation": lambda tools: tools.Permute((2, 1)),
    "reshape": lambda tools: tools.Reshape((3, 6)),
    "spatial dropout": lambda tools: tools.SpatialDropout1D(0.0),
    "masking": lambda tools: tools.Masking(),
    "time distributed": lambda tools: tools.TimeDistributed(tools.Dense(3, activation="gelu")),
    "rescaling": lambda tools: tools.Rescaling(0.5, offset=1.0),
}


def adapted(layer):
    layer.adapt(np.arange(36, dtype="float32").reshape(2, 6, 3) / 10)
    return layer


OPTIMIZERS = ("SGD", "RMSprop", "Adam", "AdamW", "Adagrad", "Adadelta", "Adamax", "Nadam", "Ftrl", "Lion", "Lamb")
SETTINGS = {
    "averages": lambda library: {"learning_rate": 0.02, "use_ema": True, "ema_overwrite_frequency": 2},
    "accumulation": lambda library: {
        "learning_rate": library.optimizers.schedules.ExponentialDecay(0.05, 3, 0.5),
        "gradient_accumulation_steps": 2,
        "clipnorm": 1.0,
        "weight_decay": 0.01,
    },
}


def nested(library):
    tools = library.layers
    part = library.Sequential(
        [library.Input((6, 3)), tools.LSTM(3, return_sequences=True), tools.Dense(2)], name="part"
    )
    start = library.Input((6, 3))
    shared = library.Model(start, tools.GRU(2)(part(start)), name="shared")
    ends = [library.Input((6, 3), name="left"), library.Input((6, 3), name="right")]
    both = [shared(end) for end in ends]
    joined = tools.Concatenate()([*both, tools.Multiply()(both)])
    return library.Model(ends, [tools.Dense(1, name="a")(tools.Subtract()(both)), tools.Dense(2, name="b")(joined)])


def states(library):
    tools = library.layers
    start = library.Input((6, 3))
    y, h, c = tools.LSTM(4, return_sequences=True, return_state=True)(start)
    z = tools.LSTM(4, return_sequences=True)(y, initial_state=[h, c])
    both = tools.Bidirectional(tools.GRU(2, return_state=True))(z)
    return library.Model(start, tools.Dense(1)(tools.Concatenate()([tools.GRU(4)(z, initial_state=h), *both])))


def attention(library):
    tools = library.layers
    start = library.Input((6, 3))
    q = tools.LSTM(4, return_sequences=True)(start)
    attended = tools.Add()([tools.MultiHeadAttention(2, 3)(q, q), tools.Attention(use_scale=True)([q, q])])
    return library.Model(start, tools.Dense(1)(tools.GlobalAveragePooling1D()(attended)))


def indices(library):
    tools = library.layers
    start = library.Input((6, 3))
    h = tools.GRU(4, return_sequences=True)(start)
    joined = tools.Concatenate()([h[:, -1, :], tools.LSTM(2)(h[:, ::2]), tools.Flatten()(h[:, 1:3, None, ..., 0])])
    return library.Model(start, tools.Dense(1)(joined))


def arithmetic(library):
    tools = library.layers
    start = library.Input((6, 3))
    masked = tools.Masking()(start)
    a = tools.GRU(3, return_sequences=True)(masked)
    b = 1 - (masked + a * 2.0) / (a * a + 3)  # no mask comes out of it
    c = tools.Concatenate()([tools.LSTM(2)(b - masked), tools.GRU(2)(masked), (-b)[:, 0]])
    return library.Model(start, tools.Dense(1)(c))


def embedding(library):
    tools = library.layers
    line = [
        tools.Embedding(9, 4, mask_zero=True),
        tools.Bidirectional(tools.LSTM(3)),
        tools.Dense(2, activation="softmax"),
    ]
    return library.Sequential([library.Input((6,)), *line])


def line_of(library, *layers):
    return library.Sequential([library.Input((6, 3)), *layers, library.layers.Dense(1)])


MODELS = {
    **{
        f"{kind} {name}": lambda library, kind=kind, make=make: line_of(library, *make(library.layers, kind))
        for kind in KINDS
        for name, make in RECURRENT.items()
    },
    **{
        name: lambda library, make=make: line_of(library, make(library.layers), library.layers.GRU(3))
        for name, make in OTHERS.items()
    },
    "nested": nested,
    "states": states,
    "attention": attention,
    "indices": indices,
    "arithmetic": arithmetic,
    "embedding": embedding,
}


def outputs_of(model, x):
    found = model.predict_on_batch(x)
    return [np.asarray(y) for y in (found if isinstance(found, list) else [found])]


def assert_alike(mine, its, x, y):
    """Compares predictions, then the weights after three more steps of training."""
    for one, other in zip(outputs_of(mine, x), outputs_of(its, x), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
    its.run_eagerly = True
    for model in (mine, its):
        for _ in range(3):
            model.train_on_batch(x, y)
    for one, other in zip(mine.get_weights(), its.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def data_for(model):
    rng = np.random.default_rng(1)
    shapes = [tensor.shape[1:] for tensor in model.inputs]
    x = [rng.standard_normal((8, *shape)) if len(shape) > 1 else rng.integers(0, 9, (8, *shape)) for shape in shapes]
    y = [rng.random((8, *tensor.shape[1:])) for tensor in model.outputs]
    return [arrays[0] if len(arrays) == 1 else arrays for arrays in (x, y)]


def check(make, optimizer, tmp_path):
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    its = make(keras)
    x, y = data_for(its)
    its.compile(optimizer(keras), loss="mse" if len(its.outputs) == 1 else ["mse", "mae"], run_eagerly=True)
    for _ in range(2):
        its.train_on_batch(x, y)
    its.save(tmp_path / "its.keras")
    mine = recurra.models.load_model(tmp_path / "its.keras")
    assert_alike(mine, its, x, y)
    mine.save(tmp_path / "mine.keras")
    assert_alike(mine, keras.models.load_model(tmp_path / "mine.keras"), x, y)
    mine.save_weights(tmp_path / "mine.weights.h5")
    its.load_weights(tmp_path / "mine.weights.h5")


@pytest.mark.parametrize("name", MODELS)
def test_models_go_both_ways_and_train_on(name, tmp_path):
    check(MODELS[name], lambda library: library.optimizers.Adam(0.01), tmp_path)


# Keras does not open its own legacy files with operations of tensors in them.
@pytest.mark.parametrize("name", [name for name in MODELS if name not in ("indices", "arithmetic")])
def test_legacy_files_are_opened_by_both(name, tmp_path):
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    mine = MODELS[name](recurra)
    x, _ = data_for(mine)
    with pytest.warns(UserWarning, match="mine.h5 is in a legacy format"):
        mine.save(tmp_path / "mine.h5")
    for library in (keras, recurra):
        again = library.models.load_model(tmp_path / "mine.h5")
        for one, other in zip(outputs_of(mine, x), outputs_of(again, x), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_go_both_ways_and_train_on(name, setting, tmp_path):
    def optimizer(library):
        return getattr(library.optimizers, name)(**SETTINGS[setting](library))

    check(lambda library: line_of(library, library.layers.LSTM(3)), optimizer, tmp_path)
