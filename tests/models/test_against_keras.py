"""Whole models against real Keras: masks, initial states, penalties, statistics, shapes, orders of layers, summaries.

Run where Keras is installed (`pip install '.[peers]'`); skipped elsewhere.
"""

import random

import numpy as np
import pytest
from beside_keras import D, T, assert_alike

import recurra


@pytest.fixture(scope="module")
def keras():
    return pytest.importorskip("keras", reason="Keras is not installed")


@pytest.fixture
def x(rng):
    return rng.standard_normal((8, T, D)).astype("f")


@pytest.fixture
def mask(rng):
    mask = rng.random((8, T)) > 0.4
    mask[:, 0] = True
    return mask


def masked(make):
    def build(library):
        x, mask = library.Input((T, D)), library.Input((T,), dtype="bool")
        return library.Model([x, mask], make(library.layers)(x, mask=mask))

    return build


@pytest.mark.parametrize(
    "make, units",
    [
        (lambda layers: layers.GRU(4), (4,)),
        (lambda layers: layers.LSTM(4, return_sequences=True), (T, 4)),
        (lambda layers: layers.Bidirectional(layers.SimpleRNN(3)), (6,)),
        (lambda layers: layers.BatchNormalization(), (T, D)),
    ],
)
def test_a_mask_that_a_layer_is_given_in_a_graph_counts(keras, x, mask, rng, make, units):
    assert_alike(keras, masked(make), [x, mask], rng.standard_normal((8, *units)).astype("f"), loss="mse")


def test_masks_of_several_inputs_and_of_nested_models_count(keras, x, mask):
    def attention(library):
        x, mask = library.Input((T, D)), library.Input((T,), dtype="bool")
        return library.Model([x, mask], library.layers.Attention()([x, x], mask=[None, mask]))

    def nested(library):
        inner = library.Sequential([library.Input((T, D)), library.layers.GRU(3)])
        x, mask = library.Input((T, D)), library.Input((T,), dtype="bool")
        return library.Model([x, mask], inner(x, mask=mask))

    assert_alike(keras, attention, [x, mask])
    assert_alike(keras, nested, [x, mask])


@pytest.mark.parametrize(
    "masked, options", [((1, 0, 0), {}), ((0, 1, 0), {}), ((0, 0, 1), {"use_causal_mask": True}), ((1, 1, 1), {})]
)
def test_masks_that_query_value_and_key_carry(keras, x, rng, masked, options):
    def build(library):
        tools = library.layers
        ends = [library.Input((T, D)) for _ in masked]
        given = [tools.Masking()(end) if mask else end for end, mask in zip(ends, masked, strict=True)]
        y = tools.MultiHeadAttention(2, 3)(*given, **options)
        return library.Model(ends, tools.GRU(2)(tools.Dense(2)(y)))

    arrays = [x.copy(), x[::-1].copy(), x + 1]
    for array, steps in zip(arrays, (3, 2, 4), strict=True):
        array[::2, steps:] = 0
    assert_alike(keras, build, arrays, rng.standard_normal((8, 2)).astype("f"), loss="mse")


@pytest.mark.parametrize("cell", ["SimpleRNN", "LSTM", "GRU"])
@pytest.mark.parametrize("sequences", [False, True])
def test_a_mask_on_the_way_and_initial_states(keras, x, mask, rng, cell, sequences):
    def build(library):
        make = getattr(library.layers, cell)
        start = library.Input((T, D))
        inputs = library.layers.Masking()(start)
        _, *states = make(4, return_state=True)(inputs)
        outputs = make(4, return_sequences=sequences)(inputs, initial_state=states)
        return library.Model(start, library.layers.Dense(2)(outputs))

    y = rng.standard_normal((8, T, 2) if sequences else (8, 2)).astype("f")
    assert_alike(keras, build, np.where(mask[..., None], x, 0), y, loss="mse")


def test_penalties_within_bidirectional_and_statistics_of_each_step(keras, x, rng):
    def penalised(library):
        layer = library.layers.GRU(3, activity_regularizer="l2", return_sequences=True)
        return library.Sequential([library.Input((T, D)), library.layers.Bidirectional(layer)])

    def by_step(library):
        layer = library.layers.TimeDistributed(library.layers.BatchNormalization())
        return library.Sequential([library.Input((T, D)), layer])

    assert_alike(keras, penalised, x, rng.standard_normal((8, T, 6)).astype("f"), loss="mse")
    assert_alike(keras, by_step, x, rng.standard_normal((8, T, D)).astype("f"), loss="mse")


@pytest.mark.parametrize(
    "make",
    [
        lambda layers: layers.GRU(3, activity_regularizer="l2"),
        lambda layers: layers.Bidirectional(layers.LSTM(3, activity_regularizer="l2"), activity_regularizer="l1"),
        lambda layers: layers.RNN([layers.GRUCell(3), layers.LSTMCell(2)], activity_regularizer="l2"),
    ],
)
def test_losses_of_a_model_after_a_call_are_the_penalties_within(keras, x, make):
    results, first = [], None
    for library in (keras, recurra):
        model = library.Sequential([library.Input((T, D)), make(library.layers)])
        first = first or model.get_weights()
        model.set_weights(first)
        model.layers[0](x)  # one call after the other: only the last one counts
        model(x)
        results.append(sum(map(float, model.losses)))
    np.testing.assert_allclose(results[1], results[0], rtol=1e-5)


@pytest.mark.parametrize("kind", ["functional", "sequential"])
@pytest.mark.parametrize("shape", [(2, 5, 1), (2, 4, 1), (2, 5), (2, 4), (2, 5, 1, 1), (2,)])
def test_what_fits_the_shape_of_an_input(keras, kind, shape):
    x = np.arange(np.prod(shape)).reshape(shape)
    found = []
    for library in (keras, recurra):
        start = library.Input((5, 1))
        layer = library.layers.SimpleRNN(2, kernel_initializer="ones", recurrent_initializer="ones")
        graph = kind == "functional"
        model = library.Model(start, layer(start)) if graph else library.Sequential([start, layer])
        try:
            found.append(np.asarray(model(x)))
        except ValueError:
            found.append(np.array(np.nan))  # refused
    np.testing.assert_allclose(found[1], found[0], rtol=1e-5)


@pytest.mark.parametrize("writes", ["keras", "recurra"])
def test_weights_of_a_file_find_their_layers_where_masks_change_their_order(keras, x, tmp_path, writes):
    writer, reader = (keras, recurra) if writes == "keras" else (recurra, keras)
    a, b = writer.Input((T, D)), writer.Input((T, D))
    masked = writer.layers.Masking()(writer.layers.Dense(D)(a))
    plain = writer.layers.Dense(D)(writer.layers.Dense(D)(b))
    parts = [writer.layers.GRU(2)(plain), writer.layers.GRU(2)(masked)]
    model = writer.Model([a, b], writer.layers.Concatenate()(parts))
    model.save(tmp_path / "model.keras")
    found = reader.models.load_model(tmp_path / "model.keras")
    inputs = [x, x[::-1].copy()]
    wanted = model.predict(inputs, verbose=0)
    np.testing.assert_allclose(found.predict(inputs, verbose=0), wanted, rtol=1e-4, atol=1e-6)


def random_step(library, draw, one, other):
    """Returns what a layer makes of one or two tensors of (N, T, D), in that shape."""
    layers = library.layers
    start = library.Input((T, D))
    steps = {
        "masking": lambda: layers.Masking()(one),
        "dense": lambda: layers.Dense(D)(one),
        "masking of dense": lambda: layers.Masking()(layers.Dense(D)(one)),
        "gru": lambda: layers.GRU(D, return_sequences=True)(one),
        "gru told to train": lambda: layers.GRU(D, return_sequences=True)(one, training=True),
        "both ways": lambda: layers.Bidirectional(layers.GRU(D, return_sequences=True), merge_mode="sum")(one),
        "add": lambda: layers.Add()([one, other]) if one is not other else one,
        "join": lambda: layers.Dense(D)(layers.Concatenate()([one, other])),
        "attention": lambda: layers.Attention()([one, other]),
        "heads": lambda: layers.MultiHeadAttention(1, 2)(one, other),
        "statistics": lambda: layers.BatchNormalization()(one),
        "nested": lambda: library.Model(start, layers.GRU(D, return_sequences=True)(start))(one),
    }
    return steps[draw.choice(sorted(steps))]()


def random_graph(library, seed):
    """Returns a model of one to three inputs and three to twelve steps, half of which make, join or read masks."""
    draw = random.Random(seed)
    shapes = [(T,) if draw.random() < 0.3 else (T, D) for _ in range(draw.randint(1, 3))]
    inputs = [library.Input(shape, name=f"input{number}") for number, shape in enumerate(shapes)]
    embed = library.layers.Embedding
    tensors = [embed(7, D, mask_zero=True)(one) if one.ndim == 2 else one for one in inputs]
    for _ in range(draw.randint(3, 12)):
        tensors.append(random_step(library, draw, draw.choice(tensors), draw.choice(tensors)))
    return library.Model(inputs, library.layers.GRU(2)(tensors[-1]))


@pytest.mark.filterwarnings("ignore:.*does not support masking")
@pytest.mark.parametrize("seed", range(40))
def test_layers_of_graphs_with_masks_have_keras_s_order(keras, seed):
    kinds = []
    for library in (keras, recurra):
        model = random_graph(library, seed)
        kinds.append([(type(layer).__name__, [weight.shape for weight in layer.weights]) for layer in model.layers])
    assert kinds[1] == kinds[0]


@pytest.mark.parametrize(
    "make",
    [
        lambda layers: layers.LeakyReLU(negative_slope=0.1),
        lambda layers: layers.ReLU(max_value=0.5, negative_slope=0.05),
        lambda layers: layers.ELU(alpha=0.7),
    ],
)
def test_layers_as_activations(keras, x, make):
    def build(library):
        layers = library.layers
        parts = [layers.GRU(4, activation=make(layers), return_sequences=True), layers.Dense(3, make(layers))]
        return library.Sequential([library.Input((T, D)), *parts, layers.LSTM(2, make(layers))])

    assert_alike(keras, build, x, x[:, 0, :2], loss="mse")


def summaries(library):
    """Returns the lines that describe models which share layers, nest others, and give what lies on the way."""
    layers = library.layers
    a, b = library.Input((T, D), name="a"), library.Input((T, D), name="b")
    encoder, head = layers.LSTM(3, name="encoder"), layers.Dense(1, name="head")
    both = library.Model([a, b], layers.Concatenate(name="both")([encoder(a), encoder(b)]), name="pair")
    second = library.Model(b, head(encoder(b)), name="second")
    x = library.Input((T, D), name="x")
    nested = library.Model(x, layers.Concatenate(name="joined")([both([x, x]), second(x)]), name="nested")
    line = library.Sequential([library.Input((T, D), name="y"), layers.GRU(2, name="gru"), layers.Dense(1, name="out")])
    parts = library.Model(line.inputs, [line.layers[0].output, line.layers[1].output], name="parts")
    lines = []
    for model, options in ((both, {}), (second, {}), (nested, {"expand_nested": True}), (parts, {})):
        model.summary(print_fn=lambda text, **_: lines.append(text), **options)
    return [line.rstrip() for text in lines for line in text.splitlines()]


def test_summaries_of_models_that_share_layers(keras):
    assert summaries(recurra) == summaries(keras)
