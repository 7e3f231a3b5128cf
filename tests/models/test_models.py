"""Sequential and functional models: graphs, names, configs, nested and shared layers, and their gradients."""

import json
import threading
import tracemalloc
import typing

import numpy as np
import pytest

import recurra
from recurra import layers
from recurra.models import graph_config
from recurra.models.graph import Graph


def two_inputs(dtype="float32"):
    sequence = recurra.Input((5, 2), name="sequence", dtype=dtype)
    static = recurra.Input((3,), name="static", dtype=dtype)
    encoded, h = layers.GRU(4, return_state=True, name="encoded", dtype=dtype)(sequence)
    context = layers.Dense(3, activation="tanh", name="context", dtype=dtype)(static)
    joined = layers.Concatenate(name="joined", dtype=dtype)([encoded, context, h])
    return recurra.Model([sequence, static], layers.Dense(2, name="answer", dtype=dtype)(joined))


@pytest.fixture
def assert_gradients_are_right(rng, slopes):
    def check(model, inputs):
        outputs, cache, _ = model._run_layer(inputs, None, False, {})
        cotangent = rng.standard_normal(outputs.shape)
        for variable in model.trainable_weights:
            variable.zero_grad()
        dinputs = model.backward_all(cotangent, cache)[0]
        loss = lambda: float((model._run_layer(inputs, None, False, {})[0] * cotangent).sum())  # noqa: E731
        for variable in model.trainable_weights:
            np.testing.assert_allclose(variable.grad, slopes(loss, variable.value), rtol=1e-5, atol=1e-7)
        for dx, x in zip(dinputs if isinstance(dinputs, list) else [dinputs], inputs, strict=True):
            np.testing.assert_allclose(dx, slopes(loss, x), rtol=1e-5, atol=1e-7)

    return check


def test_the_gradients_of_a_graph_with_two_inputs_are_right(rng, assert_gradients_are_right):
    model = two_inputs("float64")
    assert_gradients_are_right(model, [rng.standard_normal((2, 5, 2)), rng.standard_normal((2, 3))])


def test_the_gradients_of_a_shared_layer_add_up(rng, assert_gradients_are_right):
    a, b = recurra.Input((4, 2), dtype="float64"), recurra.Input((4, 2), dtype="float64")
    shared = layers.LSTM(3, dtype="float64")
    model = recurra.Model([a, b], layers.Add(dtype="float64")([shared(a), shared(b)]))
    assert_gradients_are_right(model, [rng.standard_normal((2, 4, 2)), rng.standard_normal((2, 4, 2))])
    assert len(model.weights) == 3


def test_gradients_flow_through_initial_states(rng, assert_gradients_are_right):
    past, future = recurra.Input((3, 2), dtype="float64"), recurra.Input((4, 1), dtype="float64")
    _, *states = layers.LSTM(3, return_state=True, dtype="float64")(past)
    decoded = layers.LSTM(3, return_sequences=True, dtype="float64")(future, initial_state=states)
    model = recurra.Model([past, future], decoded)
    assert_gradients_are_right(model, [rng.standard_normal((2, 3, 2)), rng.standard_normal((2, 4, 1))])


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


def test_a_shared_layer_comes_where_its_call_farthest_from_the_outputs_does():
    x = recurra.Input((2,), name="x")
    early, shared, late = (layers.Dense(2, name=name) for name in ("early", "shared", "late"))
    model = recurra.Model(x, [early(x), shared(x), late(shared(x))])
    assert [layer.name for layer in model.layers] == ["x", "shared", "early", "late"]


def branches_of_unequal_masks():
    a, b = recurra.Input((4, 3), name="a"), recurra.Input((4, 3), name="b")
    masked = layers.GRU(3, name="ga")(layers.Masking(name="mask")(layers.Dense(3, name="da")(a)))
    plain = layers.GRU(3, name="gb")(layers.Dense(3, name="dc")(layers.Dense(3, name="db")(b)))
    return recurra.Model([a, b], layers.Concatenate(name="end")([plain, masked]))


def joined_masks():
    ids, b = recurra.Input((4,), name="ids"), recurra.Input((4, 3), name="b")
    words = layers.Embedding(5, 3, mask_zero=True, name="words")(ids)
    both = layers.Concatenate(name="both")([layers.Dense(3, name="d")(b), words])
    return recurra.Model([b, ids], layers.GRU(2, name="end")(both))


def masks_that_nobody_is_given():
    a, b = recurra.Input((4, 3), name="a"), recurra.Input((4, 3), name="b")
    query = layers.Dense(3, name="db")(b)
    both = layers.Attention(name="attention")([query, layers.Masking(name="mask")(layers.Dense(3, name="da")(a))])
    return recurra.Model([a, b], layers.Flatten(name="end")(both))


def a_mask_of_a_sum_through_a_nested_model():
    a, b = recurra.Input((4, 3), name="a"), recurra.Input((4, 3), name="b")
    masked = [layers.Masking(name=f"mask_{x.name}")(layers.Dense(3, name=f"d{x.name}")(x)) for x in (a, b)]
    x = recurra.Input((4, 3))
    inner = recurra.Model(x, layers.GRU(3, name="inner_gru")(x), name="inner")
    plain = layers.GRU(3, name="gb")(layers.Dense(3, name="d3")(layers.Dense(3, name="d2")(b)))
    return recurra.Model([a, b], [inner(layers.Add(name="sum")(masked)), plain])


def scores_beside_a_masked_output():
    a, b = recurra.Input((4, 3), name="a"), recurra.Input((4, 3), name="b")
    given = [layers.Masking(name="mask")(b), layers.Dense(3, name="da")(a)]
    looked, _ = layers.Attention(name="scored")(given, return_attention_scores=True)
    both = layers.Concatenate(name="both")([looked, layers.Attention(name="plain")(given)])
    return recurra.Model([a, b], layers.GRU(2, name="end")(both))


@pytest.mark.filterwarnings("ignore:.*does not support masking")
@pytest.mark.parametrize(
    "build, names",  # as of Keras 3.15
    [
        (branches_of_unequal_masks, "a b da db dc mask gb ga end"),
        (joined_masks, "ids b words d both end"),
        (masks_that_nobody_is_given, "a b da db mask attention end"),
        (a_mask_of_a_sum_through_a_nested_model, "a b da db mask_a mask_b d2 sum d3 inner gb"),
        (scores_beside_a_masked_output, "b a mask da scored plain both end"),
    ],
)
def test_operations_that_compute_masks_count_in_keras_order(build, names):
    assert " ".join(layer.name for layer in build().layers) == names


def test_masks_of_a_graph_take_no_memory_whatever_the_shapes():
    """They may come from a file."""
    tracemalloc.start()
    try:
        steps = recurra.Input((100_000, 30_000))
        kept = layers.Concatenate(axis=1)([layers.Masking()(steps), layers.ZeroPadding1D(1)(steps)])
        again = layers.Masking()(layers.RepeatVector(10**9)(layers.GlobalAveragePooling1D()(kept)))
        ids = recurra.Input((10**9,))
        words = layers.Embedding(2, 3, mask_zero=True)(ids)
        ends = [layers.GlobalAveragePooling1D()(x) for x in (again, layers.Add()([words, words]))]
        recurra.Model([steps, ids], ends)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < 2**22


class EveryOther(layers.Layer):
    """Every other step and its mask, by ways that an array without rows does not go."""

    def call(self, inputs):
        return inputs[:, ::2]

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[1] // 2, *input_shape[2:])

    def compute_mask(self, inputs, mask=None):
        return None if mask is None else np.reshape(mask, (len(inputs), -1, 2)).min(axis=-1)


def test_masks_of_layers_of_ones_own_are_traced_with_a_row():
    x = recurra.Input((4, 3))
    own = EveryOther()(layers.Masking()(x))
    plain = layers.Masking()(layers.Cropping1D(2)(layers.ZeroPadding1D(1)(x)))
    model = recurra.Model(x, layers.GRU(2)(layers.Add()([own, plain])))
    assert [type(layer).__name__ for layer in model.layers[-2:]] == ["Add", "GRU"]


def test_a_config_builds_the_same_model(rng):
    model = two_inputs()
    again = recurra.models.model_from_json(model.to_json())
    assert json.loads(again.to_json())["config"] == json.loads(model.to_json())["config"]
    again.set_weights(model.get_weights())
    data = {"sequence": rng.standard_normal((2, 5, 2)), "static": rng.standard_normal((2, 3))}
    np.testing.assert_array_equal(again.predict(data, verbose=0), model.predict(data, verbose=0))


def test_json_says_how_a_model_is_compiled(rng):
    def weighed(y_true, y_pred):
        return np.mean(np.square(y_true - y_pred), axis=-1)

    model = recurra.Sequential([recurra.Input((5, 2)), layers.GRU(3), layers.Dense(1)])
    assert json.loads(model.to_json())["compile_config"] == {}  # as of Keras 3.15
    assert not recurra.models.model_from_json(model.to_json()).compiled
    model.compile(recurra.optimizers.Adam(0.02, clipnorm=1.0), "mae", metrics=["mse", weighed])
    with pytest.raises(ValueError, match="a known function, got 'weighed': pass it in custom_objects"):
        recurra.models.model_from_json(model.to_json())
    again = recurra.models.model_from_json(model.to_json(indent=2), {"weighed": weighed})
    assert again.get_compile_config() == model.get_compile_config()
    again.set_weights(model.get_weights())
    x = rng.standard_normal((8, 5, 2))
    histories = [one.fit(x, x[:, 0, :1], epochs=2, shuffle=False, verbose=0).history for one in (model, again)]
    assert histories[0] == histories[1]


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


def test_a_layer_of_a_line_is_called_once_however_many_are_added_and_removed_after_it(monkeypatch):
    graphs = []
    monkeypatch.setattr("recurra.models.functional.Graph", lambda *ends: graphs.append(Graph(*ends)) or graphs[-1])

    class Counting(layers.Layer):
        runs = 0

        def forward(self, inputs):
            self.runs += 1
            return inputs, None

    first = Counting()
    model = recurra.Sequential([recurra.Input((3,)), first])
    runs = first.runs  # on zeros, which tell the shape of its output
    for _ in range(5):
        model.add(layers.Dense(3))
    model.pop()
    model.add(layers.Dense(2), rebuild=False)
    model.build()
    assert first.runs == runs > 0 and not graphs
    assert [len(layer._inbound_nodes) for layer in model.layers] == [1] * 6
    assert model(np.ones((1, 3), np.float32)).shape == (1, 2) and graphs == [model.graph]


def test_a_model_within_a_line_that_has_grown_is_called_again():
    inner = recurra.Sequential([recurra.Input((3,)), layers.Dense(4)])
    model = recurra.Sequential([recurra.Input((3,)), inner])
    inner.add(layers.Dense(5))
    model.add(layers.Dense(2))
    assert model.layers[1].kernel.shape == (5, 2)
    assert model.predict(np.ones((1, 3), np.float32), verbose=0).shape == (1, 2)


def test_the_features_axis_of_one_is_added_for_the_caller(rng):
    model = recurra.Sequential([recurra.Input((4, 1)), layers.LSTM(3)])
    x = rng.standard_normal((2, 4)).astype("float32")
    np.testing.assert_array_equal(model.predict(x, verbose=0), model.predict(x[..., None], verbose=0))


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: recurra.Sequential(["lstm"]), "Sequential expected layers, got 'lstm'"),
        (lambda: recurra.Sequential([np.zeros((99, 9))]), "Sequential expected layers, got an object of type ndarray"),
        (
            lambda: recurra.Sequential([recurra.Input((5, 3)), layers.LSTM(2)]).predict(np.zeros((5, 3))),
            r"shape \(None, 5, 3\), got \(5, 3\): one row needs a batch axis: x\[None\]",
        ),
        (lambda: recurra.Sequential([layers.Dense(1, name="a"), layers.Dense(1, name="a")]), "different names"),
        (lambda: two_inputs().get_layer("nothing"), "get_layer expected one of"),
        (lambda: two_inputs().predict(np.zeros((2, 5, 2))), r"2 inputs \['sequence', 'static'\], got 1"),
        (lambda: two_inputs().predict([np.zeros((2, 5, 3)), np.zeros((2, 3))]), r"shape \(None, 5, 2\)"),
        (lambda: recurra.Model(recurra.Input((2,)), layers.Dense(1)(recurra.Input((2,)))), "given inputs only"),
        (lambda: recurra.Sequential([layers.Dense(1)]).count_params(), "built"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_sequential_that_begins_with_a_built_model_is_built_at_once():
    inner = recurra.Sequential([recurra.Input((5, 3)), layers.LSTM(4)])
    outer = recurra.Sequential([inner, layers.Dense(2)])
    assert outer.output_shape == (None, 2)
    assert outer.count_params() == inner.count_params() + 10
    assert [layer.name for layer in outer.layers] == [inner.name, outer.layers[1].name]


def test_layers_come_in_a_list():
    with pytest.raises(TypeError, match=r"a list of layers, got <Dense .*: write Sequential\(\[...\]\)"):
        recurra.Sequential(layers.Dense(1))


MASKED = {
    "GRU": lambda: layers.GRU(4),
    "LSTM": lambda: layers.LSTM(4, return_sequences=True),
    "Bidirectional": lambda: layers.Bidirectional(layers.SimpleRNN(3)),
    "pooling": lambda: layers.GlobalAveragePooling1D(),
    "nested": lambda: recurra.Sequential([recurra.Input((5, 2)), layers.GRU(3)]),
}


@pytest.mark.parametrize("kind", MASKED)
def test_a_mask_given_in_a_graph_counts_and_is_kept_in_files(kind, rng, tmp_path):
    x, mask = rng.standard_normal((6, 5, 2)).astype("float32"), rng.random((6, 5)) > 0.4
    mask[:, 0] = True
    ends = recurra.Input((5, 2), name="x"), recurra.Input((5,), dtype="bool", name="mask")
    layer = MASKED[kind]()
    model = recurra.Model(ends, layer(ends[0], mask=ends[1]))
    wanted = layer(x, mask=mask).numpy()
    assert np.any(wanted != layer(x).numpy())
    np.testing.assert_array_equal(model.predict([x, mask], verbose=0), wanted)
    model.save(tmp_path / "m.keras")
    np.testing.assert_array_equal(recurra.models.load_model(tmp_path / "m.keras").predict([x, mask], verbose=0), wanted)


def test_a_constant_mask_and_training_in_a_call_count(rng):
    x = rng.standard_normal((6, 5, 2)).astype("float32")
    end = recurra.Input((5, 2))
    model = recurra.Model(end, layers.GRU(4)(end, mask=np.zeros((6, 5), bool)))
    assert not model.predict(x, verbose=0).any()
    copy = recurra.Model.from_config(model.get_config())
    assert not copy.predict(x, verbose=0).any()
    dropping = recurra.Model(end, layers.Dropout(0.5)(end, training=True))
    assert (dropping(x).numpy() == 0).any()
    assert (dropping.predict(x, verbose=0) != 0).all(), "Keras lets predict and fit overrule the call"


def test_gradients_of_a_masked_call(rng):
    ends = recurra.Input((5, 2), dtype="float64"), recurra.Input((5,), dtype="bool")
    model = recurra.Model(ends, layers.GRU(3, dtype="float64")(ends[0], mask=ends[1]))
    mask = rng.random((4, 5)) > 0.4
    outputs, cache, _ = model._run_layer([rng.standard_normal((4, 5, 2)), mask], None, False, {})
    dx, dmask = model.backward_all(np.ones_like(outputs), cache)[0]
    assert dmask is None and not dx[~mask].any() and dx[mask].any()


@pytest.mark.parametrize("count", [2, 3])
def test_masks_of_value_and_key_count_in_a_graph_as_in_a_call(count, rng):
    arrays = [rng.standard_normal((3, timesteps, 4)) for timesteps in (5, 6, 6)[:count]]
    for number, array in enumerate(arrays):
        array[:, 4 - number :] = 0
    masking, heads = layers.Masking(dtype="float64"), layers.MultiHeadAttention(2, 3, dtype="float64")
    ends = [recurra.Input(array.shape[1:], dtype="float64") for array in arrays]
    query, *rest = ends
    model = recurra.Model(ends, heads(query, *map(masking, rest)))
    np.testing.assert_array_equal(model(arrays), heads(arrays[0], *map(masking, arrays[1:])))


@pytest.mark.parametrize("name", ["query_mask", "value_mask", "key_mask", "attention_mask"])
def test_gradients_beside_a_mask_that_is_given_by_name(name, rng):
    end, mask = recurra.Input((5, 4), dtype="float64"), recurra.Input((5,))
    steps = layers.Dense(4, dtype="float64")(end)
    y = layers.MultiHeadAttention(1, 2, dtype="float64")(steps, end, **{name: mask})
    model = recurra.Model([end, mask], y)
    seen = np.tile([1, 0, 1, 1, 0], (5, 1))  # as many rows as steps: each a mask of either kind
    inputs = [rng.standard_normal((5, 5, 4)), seen]
    outputs, cache, _ = model._run_layer(inputs, None, False, {})
    dx, dmask = model.backward_all(np.ones_like(outputs), cache)[0]
    assert dmask is None and np.isfinite(dx).all() and dx.any()


def test_the_inputs_mask_does_not_count_beside_initial_states(rng):
    """Keras hands masks on by itself only where the inputs are the only tensors of a call."""
    x = rng.standard_normal((3, 5, 2)).astype("float32")
    x[:, 3:] = 0
    end, layer, state = recurra.Input((5, 2)), layers.GRU(4, return_sequences=True), np.ones((3, 4), "float32")
    masked = layers.Masking()(end)
    model = recurra.Model(end, layer(masked, initial_state=[layers.GRU(4)(masked)]))
    first = layers.Masking()(x)
    eager = layer(first, initial_state=[state])
    np.testing.assert_array_equal(eager, layer(x, initial_state=[state]))
    assert eager._keras_mask.tolist() == [[True] * 3 + [False] * 2] * 3
    assert np.any(model.predict(x, verbose=0)[:, 3:] != model.predict(x, verbose=0)[:, 2:3])


def test_models_within_models_are_built_without_asking_each_one_twice():
    """Twice at each of 25 levels would be 33 million times."""
    end = recurra.Input((2,))
    model = recurra.Model(end, layers.Dense(2)(end))
    for _ in range(25):
        end = recurra.Input((2,))
        model = recurra.Model(end, layers.Add()([model(end), model(end)]))
    assert recurra.Model.from_config(model.get_config()).output_shape == (None, 2)


def test_files_that_compute_by_operations_are_refused_by_name():
    end = recurra.Input((5, 2))
    config = recurra.Model(end, layers.GRU(2)(end)).get_config()
    gru = next(entry for entry in config["layers"] if entry["class_name"] == "GRU")
    source = json.loads(json.dumps(gru["inbound_nodes"]))
    operation = {"module": "keras.src.ops.numpy", "class_name": "Tanh", "name": "tanh", "config": {}}
    config["layers"].append(operation | {"inbound_nodes": source})
    gru["inbound_nodes"][0]["args"][0]["config"]["keras_history"] = ["tanh", 0, 0]
    with pytest.raises(ValueError, match="it names Keras's operations Tanh, which are no layers"):
        recurra.Model.from_config(config)


def test_masks_that_keras_s_files_compare_with_zero_are_the_caller_s_own(rng):
    ids = recurra.Input((5,), name="ids")
    config = recurra.Model(ids, layers.GRU(2)(layers.Embedding(9, 4)(ids))).get_config()
    start, embedding, gru = config["layers"]
    operation = {"module": "keras.src.ops.numpy", "class_name": "NotEqual", "name": "own_mask", "config": {}}
    (compared,) = embedding["inbound_nodes"][0]["args"]
    mask = {"class_name": "__keras_tensor__", "config": {"keras_history": ["own_mask", 0, 0]}}
    gru["inbound_nodes"][0]["kwargs"]["mask"] = mask
    config["layers"] = [start, embedding, operation | {"inbound_nodes": [{"args": [compared, 0], "kwargs": {}}]}, gru]
    model = recurra.Model.from_config(json.loads(json.dumps(config)))
    x = rng.integers(0, 3, (4, 5))
    vectors, cell = model.layers[1](x), model.layers[2]
    np.testing.assert_array_equal(model.predict(x, verbose=0), cell(vectors, mask=x != 0))
    config["layers"][2]["inbound_nodes"][0]["args"][1] = 1
    with pytest.raises(ValueError, match=r"masks that come from Masking or Embedding, got the operations"):
        recurra.Model.from_config(config)


def test_beside_an_initial_state_a_mask_in_keras_s_files_is_the_caller_s_own(rng):
    ids = recurra.Input((5,), name="ids")
    vectors = layers.Embedding(9, 4, mask_zero=True, name="embedding")(ids)
    _, state = layers.GRU(2, return_state=True, name="first")(vectors)
    model = recurra.Model(ids, layers.GRU(2, name="second")(vectors, initial_state=state, mask=ids))
    config = json.loads(json.dumps(model.get_config()))
    second = next(entry for entry in config["layers"] if entry["name"] == "second")
    compared = second["inbound_nodes"][0]["kwargs"]["mask"]
    operation = {"module": "keras.src.ops.numpy", "class_name": "NotEqual", "name": "not_equal", "config": {}}
    config["layers"].append(operation | {"inbound_nodes": [{"args": [compared, 0], "kwargs": {}}]})
    mask = {"class_name": "__keras_tensor__", "config": {"keras_history": ["not_equal", 0, 0]}}
    second["inbound_nodes"][0]["kwargs"]["mask"] = mask
    again = recurra.Model.from_config(config)
    again.set_weights(model.get_weights())
    x = rng.integers(0, 3, (4, 5))
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


def test_a_layer_of_the_user_s_has_no_module_in_a_graph_of_keras():
    class Twice(layers.Layer):
        def call(self, inputs):
            return 2 * inputs

    end = recurra.Input((5, 2))
    config = recurra.Model(end, layers.GRU(2)(Twice()(end))).get_config()
    next(entry for entry in config["layers"] if entry["class_name"] == "Twice")["module"] = None
    again = recurra.Model.from_config(config, custom_objects={"Twice": Twice})
    assert type(again.layers[1]) is Twice


def test_layers_that_join_masks_leave_their_names_in_files_to_keras():
    """Keras's own operations on masks would take the same: two of one name are refused."""
    ids, values = recurra.Input((4,)), recurra.Input((4, 2))
    for masked in (True, False):
        first = layers.Concatenate(name="concatenate_3")([layers.Embedding(7, 2, mask_zero=masked)(ids), values])
        both = layers.Concatenate(name="both")([first, values])
        model = recurra.Model([ids, values], layers.GRU(2, name="concatenate")(both))
        config = json.loads(json.dumps(model.get_config()))
        entries = {entry["name"]: entry for entry in config["layers"]}
        assert ("name" in entries["concatenate_3"]["config"]) is not masked
        assert entries["both"]["config"]["name"] == "both"
        again = recurra.Model.from_config(config)
        assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
        assert again.get_config() == model.get_config()


STATEFUL = {
    "alone": lambda: [layers.LSTM(2, stateful=True)],
    "both directions": lambda: [layers.Dense(3), layers.Bidirectional(layers.GRU(1, stateful=True))],
    "within": lambda: [recurra.Sequential([layers.LSTM(2, stateful=True)]), layers.Dense(2)],
}


@pytest.mark.parametrize("kind", STATEFUL)
def test_stateful_layers_of_a_line_without_input_take_the_batch_of_the_data(kind, rng):
    x, y = rng.standard_normal((8, 5, 3)), np.ones((8, 2))
    for validation in ({}, {"validation_split": 0.5}):
        model = recurra.Sequential(STATEFUL[kind]())
        model.compile("sgd", "mse")
        model.fit(x, y, batch_size=4, verbose=0, **validation)
        assert model.input_shape == (4, 5, 3)
        assert model.predict(x, batch_size=4, verbose=0).shape == (8, 2)
    model = recurra.Sequential(STATEFUL[kind]())
    assert model(x).shape == (8, 2) and model.input_shape == (8, 5, 3)
    model = recurra.Sequential(STATEFUL[kind]())
    assert model.predict(x, batch_size=2, verbose=0).shape == (8, 2) and model.input_shape == (2, 5, 3)


@pytest.mark.parametrize(
    "last",
    [
        lambda: layers.LSTM(2, return_sequences=True, return_state=True),
        lambda: layers.Bidirectional(layers.GRU(2), merge_mode=None),
    ],
)
@pytest.mark.parametrize("start", [[recurra.Input((5, 3))], []])
def test_the_last_layer_of_a_line_may_have_several_outputs(last, start, rng, tmp_path):
    x = rng.standard_normal((4, 5, 3)).astype("float32")
    model = recurra.Sequential([*start, last()])
    answer = model.predict(x, verbose=0)
    assert isinstance(answer, list)
    for mine, its in zip(answer, model.layers[-1](x), strict=True):
        np.testing.assert_array_equal(mine, its)
    assert model.output_shape == [(None, *one.shape[1:]) for one in answer]
    model.compile("sgd", ["mse"] * len(answer))
    model.train_on_batch(x, [np.ones_like(one) for one in answer])
    model.save(tmp_path / "m.keras")
    again = recurra.models.load_model(tmp_path / "m.keras")
    for mine, its in zip(again.predict(x, verbose=0), model.predict(x, verbose=0), strict=True):
        np.testing.assert_array_equal(mine, its)
    with pytest.raises(ValueError, match=r"one output before 'dense.*', got \d: use Model"):
        model.add(layers.Dense(2))


def test_a_line_that_was_called_has_the_ends_of_its_first_call(rng):
    x = rng.standard_normal((4, 5, 3)).astype("float32")
    for start in ([recurra.Input((None, 3))], []):
        line, end = recurra.Sequential([*start, layers.GRU(2)]), recurra.Input((5, 3))
        model = recurra.Model(end, layers.Dense(1)(line(end)))
        assert line.input is end
        part = recurra.Model(model.input, model.layers[1].output)
        np.testing.assert_array_equal(part.predict(x, verbose=0), line.predict(x, verbose=0))
        inner = recurra.Model(line.inputs, line.layers[0].output)  # its own go from its own inputs
        np.testing.assert_array_equal(inner.predict(x, verbose=0), line.predict(x, verbose=0))
        whole = recurra.Sequential([line, layers.Dense(1)])
        assert whole.input is not end and whole.input_shape == line.input_shape


def test_a_layer_is_asked_for_by_name_or_by_index():
    model = two_inputs()
    with pytest.raises(ValueError, match="a name or an index, got both"):
        model.get_layer("answer", 1)


def test_weights_are_set_all_or_none():
    model = two_inputs()
    before = model.get_weights()
    for bad in (np.full(before[-1].shape, "a"), np.full(before[-1].shape, None), np.zeros(before[-1].shape, complex)):
        with pytest.raises(ValueError, match="numbers, got an array of dtype"):
            model.set_weights([2 * weight for weight in before[:-1]] + [bad])
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(new, old)


@pytest.mark.parametrize("wrap", [lambda t: [t], lambda t: (t,), lambda t: t], ids=["list", "tuple", "tensor"])
def test_one_output_is_an_array_however_it_was_given(wrap):
    end = recurra.Input((3,))
    model = recurra.Model(wrap(end), wrap(layers.Dense(2)(end)))
    assert isinstance(model.predict(np.zeros((4, 3)), verbose=0), np.ndarray)
    assert (model.input_shape, model.output_shape) == ((None, 3), (None, 2))
    outer = recurra.Model(end, layers.Dense(1)(model(end)))
    assert recurra.Model.from_config(outer.get_config()).output_shape == (None, 1)


def test_nested_outputs_come_back_nested():
    end = recurra.Input((3,))
    one, other = layers.Dense(2)(end), layers.Dense(1)(end)
    for outputs in ({"both": [one, other]}, [one, [other]]):
        model = recurra.Model(end, outputs)
        copy = recurra.Model.from_config(model.get_config())
        assert copy.output_shape == model.output_shape
        assert type(copy.predict(np.zeros((4, 3)), verbose=0)) is type(outputs)


def averages(shape=(5, 1), name="averages"):
    x = recurra.Input(shape, name=f"{name}_input")
    return recurra.Model(x, layers.GlobalAveragePooling1D()(x), name=name)


@pytest.mark.parametrize(
    "use",
    [
        lambda model, x: model(x),
        lambda model, x: model.predict(x, verbose=0),
        lambda model, x: model.train_on_batch(x, np.zeros((2, 1))),
        lambda model, x: recurra.Sequential([recurra.Input((None, 1)), model])(x),
        lambda model, x: recurra.Sequential([recurra.Input((None, 1)), model]).predict(x, verbose=0),
    ],
)
def test_a_functional_model_takes_sequences_of_the_length_of_its_input(use):
    model = averages()
    model.compile("sgd", "mse")
    use(model, np.ones((2, 5, 1)))
    with pytest.raises(ValueError, match=r"'averages_input' of .* shape \(None, 5, 1\), got \(2, 4, 1\)"):
        use(model, np.ones((2, 4, 1)))


@pytest.mark.parametrize("start", [[], [recurra.Input((7,))]])
def test_a_sequential_model_takes_texts_of_any_length(start):
    inner = recurra.Sequential([layers.Embedding(20, 4, mask_zero=True), layers.LSTM(3)])
    for line in ([layers.Embedding(20, 4), layers.LSTM(3)], [inner]):
        model = recurra.Sequential([*start, *line, layers.Dense(1)])
        model.compile("adam", "mse")
        batches = ((np.ones((4, length), "int32"), np.ones(4)) for length in (7, 9, 5))
        assert np.isfinite(model.fit(batches, verbose=0).history["loss"]).all()
        assert model.predict(np.ones((2, 12)), verbose=0).shape == (2, 1)
    flat = recurra.Sequential([*start, layers.Embedding(20, 4), layers.Flatten(), layers.Dense(1)])
    flat(np.ones((2, 7)))
    with pytest.raises(ValueError, match="Dense expected input with 28 features"):
        flat(np.ones((2, 9)))


def test_a_sequential_model_takes_sequences_of_any_length():
    model = recurra.Sequential([recurra.Input((5, 1)), layers.GlobalAveragePooling1D()])
    np.testing.assert_array_equal(model.predict(np.full((2, 3, 1), 4.0), verbose=0), [[4.0], [4.0]])


@pytest.mark.parametrize("make", [averages, lambda: recurra.Sequential([recurra.Input((5, 1)), layers.GRU(2)])])
@pytest.mark.parametrize("shape", [(7, 1), (5, 2), (5,)])
def test_a_model_within_a_model_is_built_of_tensors_that_fit(make, shape):
    with pytest.raises(ValueError, match=r"shape \(None, 5, 1\), got \(None, "):
        make()(recurra.Input(shape))


def test_dicts_may_hold_more_than_the_inputs():
    model = averages(name="x")
    x = np.ones((2, 5, 1), "float32")
    np.testing.assert_array_equal(model({"x_input": x, "other": x[:1]}), [[1.0], [1.0]])


def test_time_distributed_takes_a_model_at_once(rng):
    x = rng.standard_normal((2, 3, 5, 1)).astype("float32")
    np.testing.assert_allclose(layers.TimeDistributed(averages())(x), x.mean(axis=2), rtol=1e-5)


class Forecast(recurra.Model):
    """A functional model that its constructor builds."""

    def __init__(self, units, **kwargs):
        x = recurra.Input((4, 1))
        super().__init__(inputs=x, outputs=layers.Dense(units)(layers.GRU(3)(x)), **kwargs)
        self.units = units

    def doubled(self, x):
        return 2 * self.predict(x, verbose=0)


def test_a_subclass_passes_inputs_and_outputs_on(rng):
    model = Forecast(2, name="forecast")
    assert (model.name, model.input_shape, model.output_shape) == ("forecast", (None, 4, 1), (None, 2))
    assert isinstance(model, recurra.Model) and len(model.weights) == 5
    x = rng.standard_normal((6, 4, 1)).astype("float32")
    np.testing.assert_array_equal(model.doubled(x), 2 * model.predict(x, verbose=0))
    model.compile("adam", "mse")
    assert len(model.fit(x, x[:, :2, 0], epochs=2, verbose=0).history["loss"]) == 2
    assert model.get_config()["units"] == 2
    assert Forecast.from_config(model.get_config()).output_shape == (None, 2)


@pytest.mark.parametrize("by_name", [True, False])
def test_a_subclass_is_called_with_inputs_and_outputs(by_name, tmp_path, rng):
    @recurra.saving.register_keras_serializable(f"tests_{by_name}")
    class Own(recurra.Model):
        pass

    x = recurra.Input((4, 1))
    y = layers.GRU(3)(x)
    model = Own(inputs=x, outputs=y, name="own") if by_name else Own(x, y, name="own")
    assert type(model) is Own and model.name == "own"
    rows = rng.standard_normal((6, 4, 1)).astype("float32")
    np.testing.assert_array_equal(model.predict(rows, verbose=0), recurra.Model(x, y).predict(rows, verbose=0))
    model.save(tmp_path / "own.keras")
    again = recurra.models.load_model(tmp_path / "own.keras")
    assert type(again) is Own
    np.testing.assert_array_equal(again.predict(rows, verbose=0), model.predict(rows, verbose=0))


def test_a_subclass_with_a_call_of_its_own_can_be_a_graph():
    class Doubled(recurra.Model):
        def call(self, inputs):
            return 2 * super().call(inputs)

    x = recurra.Input((2,))
    model = Doubled(x, layers.Dense(1, kernel_initializer="ones")(x))
    np.testing.assert_array_equal(model.predict(np.ones((1, 2)), verbose=0), [[4.0]])


class Sums(recurra.Model):
    """Takes an array, a list or a dict of them, and tells what it was given."""

    def forward(self, inputs):
        factors = {"dict": 1, "list": 10, "ndarray": 100, "Array": 100}
        return factors[type(inputs).__name__] * sum(recurra._tree.flatten(inputs)), None


def test_a_model_of_ones_own_gets_each_input_nested_as_it_was_given():
    model, one = Sums(), np.ones((3, 2), "float32")
    given = {"dict": {"a": one, "b": one}, "list": [one, one], "array": one}
    wanted = {"dict": 2.0, "list": 20.0, "array": 100.0}
    for kind in ("dict", "list", "array", "dict"):
        assert model.predict(given[kind], verbose=0, batch_size=2)[0, 0] == wanted[kind]
        for other in given:
            assert model(given[other]).numpy()[0, 0] == wanted[other]


def test_threads_predict_from_inputs_of_different_nesting():
    model, one = Sums(), np.ones((64, 2), "float32")
    model.predict(one, verbose=0)
    found = {"dict": set(), "list": set()}

    def predict(kind, inputs):
        for _ in range(20):
            found[kind].update(np.unique(model.predict(inputs, batch_size=2, verbose=0)).tolist())

    jobs = [("dict", {"a": one, "b": one}), ("list", [one, one])]
    threads = [threading.Thread(target=predict, args=job) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {"dict": {2.0}, "list": {20.0}}


def test_a_model_of_ones_own_is_validated_on_inputs_as_they_are_nested():
    class Slope(Sums):
        def build(self, input_shape):
            self.slope = self.add_weight(shape=(), name="slope")

        def forward(self, inputs):
            total = super().forward(inputs)[0]
            return self.slope.value * total, total

        def backward(self, doutputs, total):
            self.slope.grad[...] += (doutputs * total).sum()
            return None

    model = Slope()
    model.compile("sgd", "mse")
    x = {"a": np.ones((4, 1), "float32"), "b": np.zeros((4, 1), "float32")}
    model.fit(x, np.ones((4, 1)), validation_split=0.5, verbose=0)
    np.testing.assert_allclose(model.predict(x, verbose=0), np.full((4, 1), model.slope.value), rtol=1e-6)


def test_shapes_of_several_inputs_and_outputs_come_in_a_list():
    a, b = recurra.Input((3,), name="a"), recurra.Input((2,), name="b")
    joined = layers.Concatenate()([a, b])
    outputs = {"y": [layers.Dense(4)(joined), layers.Dense(5)(joined)], "x": layers.Dense(6)(joined)}
    model = recurra.Model({"b": b, "a": a}, outputs)
    assert model.input_shape == [(None, 3), (None, 2)]
    assert model.output_shape == [(None, 6), (None, 4), (None, 5)]  # as Keras 3.15
    assert recurra.Model([a], layers.Dense(1)(a)).input_shape == (None, 3)
    line = recurra.Sequential([model, layers.Identity()])
    assert line.compute_output_shape({"a": (None, 3), "b": (None, 2)})["x"] == (None, 6)


def test_layers_keep_the_order_of_a_config():
    model = two_inputs()
    config = model.get_config()
    config["layers"] = [config["layers"][n] for n in (1, 0, 3, 2, 4, 5)]
    again = recurra.Model.from_config(config)
    names = ["static", "sequence", "context", "encoded", "joined", "answer"]
    assert [layer.name for layer in again.layers] == names != [layer.name for layer in model.layers]
    assert [weight.shape for weight in again.weights[:2]] == [(3, 3), (3,)]
    assert again.get_config()["layers"] == config["layers"]


def test_the_calls_of_a_shared_layer_keep_their_order_in_a_config(rng, tmp_path):
    start = recurra.Input((4, 3))
    shared = layers.Dense(3, name="shared")
    late = shared(layers.LSTM(3, return_sequences=True, name="before")(start))
    early = shared(start)  # its inputs are there before those of the first call, and Keras lists it before the LSTM
    end = layers.GRU(2, name="second")(layers.GRU(3, return_sequences=True, name="first")(early))
    model = recurra.Model(start, [end, late])
    names = [layer.name for layer in model.layers]
    assert names.index("shared") < names.index("before")
    model.save(tmp_path / "model.keras")
    clone = recurra.models.clone_model(model)
    clone.set_weights(model.get_weights())
    x = rng.standard_normal((2, 4, 3)).astype("float32")
    for again in (recurra.models.load_model(tmp_path / "model.keras"), clone):
        for got, expected in zip(again.predict(x, verbose=0), model.predict(x, verbose=0), strict=True):
            np.testing.assert_array_equal(got, expected)


def test_layers_in_a_config_may_have_any_order_and_are_looked_at_once_or_twice(monkeypatch):
    tensor = start = recurra.Input((3,))
    for _ in range(100):
        tensor = layers.Dropout(0.1)(tensor)
    config = recurra.Model(start, tensor).get_config()
    config["layers"].reverse()
    read, looks = graph_config._read_tensor, []
    monkeypatch.setattr(graph_config, "_read_tensor", lambda *args: looks.append(args) or read(*args))
    assert len(recurra.Model.from_config(config).layers) == 101
    assert len(looks) <= 202  # a hundred layers and both ends; 5,052 if all that wait are looked at for each


def test_a_class_of_the_user_s_own_has_the_summary_of_a_line():
    class Own(recurra.Sequential):
        pass

    texts = []
    for cls in (recurra.Sequential, Own):
        model = cls([layers.Add(name="sum"), layers.Dense(2, name="end")], name="line")
        model.build([(None, 3), (None, 3)])
        model.summary(print_fn=texts.append)
    assert texts[0] == texts[1] and "Connected to" not in texts[0]


def test_a_summary_takes_more_positions_than_it_has_columns():
    texts = []
    model = recurra.Sequential([recurra.Input((3,)), layers.Dense(2, name="end")], name="line")
    for positions in ([0.3, 0.6, 0.7], [0.3, 0.6, 0.7, 1.0]):
        model.summary(positions=positions, print_fn=texts.append)
    assert texts[0] == texts[1] and "end (Dense)" in texts[0]


def test_a_model_may_be_as_long_as_a_file_may_ask_for(tmp_path):
    line = [layers.Dense(3), *(layers.Activation("relu", name=f"a{i}") for i in range(3000)), layers.Dense(1)]
    model = recurra.Sequential([recurra.Input((3,)), *line])
    model.save(tmp_path / "m.keras")
    again = recurra.models.load_model(tmp_path / "m.keras")
    assert [layer.name for layer in again.layers] == [layer.name for layer in line]
    x = np.ones((2, 3), "float32")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


@pytest.mark.parametrize("timesteps", [None, 5])
@pytest.mark.parametrize("both", [False, True])
def test_masks_of_open_and_of_known_timesteps_are_joined(tmp_path, timesteps, both):
    open_one, known = recurra.Input((timesteps, 3)), recurra.Input((5, 3))
    joined = layers.Concatenate()([layers.Masking()(open_one), layers.Masking()(known) if both else known])
    memory = layers.LSTM(2, kernel_initializer="ones", recurrent_initializer="ones")
    model = recurra.Model([open_one, known], memory(joined))
    x = np.ones((1, 5, 3), "float32")
    np.testing.assert_allclose(model.predict([x, x], verbose=0), [[0.9995722, 0.9995722]], rtol=1e-6)  # as Keras
    model.save(tmp_path / "m.keras")
    again = recurra.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(again.predict([x, 0 * x]), model.predict([x, 0 * x]))


def test_masks_of_timesteps_that_were_joined_are_as_open_as_these():
    first, second, third = recurra.Input((None, 3)), recurra.Input((5, 3)), recurra.Input((None, 3))
    longer = layers.Concatenate(axis=1)([layers.Masking()(first), second])
    memory = layers.LSTM(2, kernel_initializer="ones", recurrent_initializer="ones")
    model = recurra.Model([first, second, third], memory(layers.Concatenate()([longer, third])))
    assert model.output_shape == (None, 2)
    x = np.ones((1, 10, 3), "float32")
    again = recurra.Model(third, memory(layers.Concatenate()([third, third])))
    np.testing.assert_array_equal(model.predict([x[:, :5], x[:, :5], x]), again.predict(x))


def test_dir_lists_what_is_there_alone():
    model = recurra.Sequential([recurra.Input((3, 1)), layers.LSTM(2)])
    model.compile("adam", "mse")
    lstm = model.layers[0]
    for thing in (model, model.optimizer, lstm):
        assert not [name for name in dir(thing) if not hasattr(thing, name)]
    assert {"fit", "predict", "compile"} <= set(dir(model)) and "learning_rate" in dir(model.optimizer)
    assert {"kernel", "recurrent_kernel", "bias", "return_sequences"} <= set(dir(lstm))
    assert "kernel" not in dir(layers.LSTM(2))


def test_a_recurrent_layer_is_listed_before_it_has_a_cell():
    assert "units" in dir(layers.LSTM.__new__(layers.LSTM))


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "Adagrad", "Adafactor"])
def test_type_hints_of_optimizers_are_found(name):
    assert typing.get_type_hints(getattr(recurra.optimizers, name).__init__)["options"]


def test_type_hints_of_streams_are_found():
    assert typing.get_type_hints(recurra.Sequential.stream)["return"] is recurra.models.stream.Stream
