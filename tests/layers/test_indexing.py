"""Indices into symbolic tensors: shapes and values as NumPy's, gradients, files as Keras writes them."""

import json

import numpy as np
import pytest

import recurra
from recurra import layers

KEYS = [
    np.index_exp[:, -1, :],
    np.index_exp[:, 0],
    np.index_exp[:, 1:4:2],
    np.index_exp[:, ::-1, 1:],
    np.index_exp[:, -3:],
    np.index_exp[..., 0],
    np.index_exp[..., 1:],
    np.index_exp[:, :, None],
    np.index_exp[:, None, ..., 2],
    np.index_exp[:, 1, None, 2:],
    np.index_exp[:, np.int64(2), -1],
]


def indexed(*keys, timesteps=5):
    """Returns a model of a GRU's sequence, and one of what the keys take from it."""
    recurra.utils.set_random_seed(0)
    start = recurra.Input((timesteps, 2))
    h = layers.GRU(3, return_sequences=True)(start)
    return recurra.Model(start, h), recurra.Model(start, [h[key] for key in keys])


@pytest.mark.parametrize("key", KEYS, ids=str)
@pytest.mark.parametrize("timesteps", [5, None])
def test_it_takes_what_numpy_takes(key, timesteps, rng):
    sequences, model = indexed(key, timesteps=timesteps)
    x = rng.standard_normal((4, 5, 2)).astype("float32")
    wanted = sequences.predict(x, verbose=0)[key]
    found = model.predict(x, verbose=0)
    np.testing.assert_array_equal(found, wanted)
    shape = model.output_shape
    assert all(known in (None, size) for known, size in zip(shape, found.shape, strict=True))
    if timesteps:
        assert shape == (None, *found.shape[1:])


def test_the_last_of_all_steps_trains_as_return_sequences_false(rng):
    x, y = rng.standard_normal((8, 5, 2)).astype("float32"), rng.standard_normal((8, 1)).astype("float32")
    results = []
    for by_index in (True, False):
        recurra.utils.set_random_seed(1)
        start = recurra.Input((5, 2))
        h = layers.LSTM(4, return_sequences=by_index)(start)
        model = recurra.Model(start, layers.Dense(1)(h[:, -1, :] if by_index else h))
        model.compile("sgd", "mse")
        model.fit(x, y, epochs=3, verbose=0)
        results.append(model.get_weights())
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)


def test_gradients_go_where_the_entries_came_from(rng):
    start = recurra.Input((5, 2), dtype="float64")
    model = recurra.Model(start, start[:, 1::2, None, 1])
    x, dy = rng.standard_normal((3, 5, 2)), rng.standard_normal((3, 2, 1))
    outputs, cache, _ = model._run_layer(x, None, False, {})
    np.testing.assert_array_equal(outputs, x[:, 1::2, None, 1])
    dx = model.backward_all(dy, cache)[0]
    wanted = np.zeros_like(x)
    wanted[:, 1::2, None, 1] = dy
    np.testing.assert_array_equal(dx, wanted)


def test_whole_numbers_stay_whole_numbers():
    start = recurra.Input((4,), dtype="int32")
    assert start[:, 1:].dtype == "int32"
    model = recurra.Model(start, layers.Embedding(9, 2)(start[:, 1:]))
    assert model.predict(np.arange(8).reshape(2, 4), verbose=0).shape == (2, 3, 2)


def test_it_is_written_as_keras_writes_it_and_read_back(tmp_path, rng):
    recurra.utils.clear_session()
    _, model = indexed(*KEYS)
    entry = json.loads(model.to_json())["config"]["layers"][2]
    whole = {"class_name": "__slice__", "config": {"start": None, "stop": None, "step": None}}
    assert (entry["module"], entry["class_name"], entry["registered_name"]) == ("keras.src.ops.numpy", *["GetItem"] * 2)
    assert entry["config"] == {"name": "get_item"} and "build_config" not in entry
    assert entry["inbound_nodes"][0]["args"][1] == [whole, -1, whole] and entry["inbound_nodes"][0]["kwargs"] == {}
    model.save(tmp_path / "model.keras")
    again = recurra.models.load_model(tmp_path / "model.keras")
    x = rng.standard_normal((4, 5, 2)).astype("float32")
    for made in (again, recurra.models.clone_model(model)):
        made.set_weights(model.get_weights())
        for one, other in zip(made.predict(x, verbose=0), model.predict(x, verbose=0), strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_mask_ends_at_an_index():
    start = recurra.Input((4, 1))
    masked = layers.Masking()(start)
    model = recurra.Model(start, layers.SimpleRNN(2)(masked[:, ::1]))
    plain = recurra.Model(start, layers.SimpleRNN(2)(start))
    plain.set_weights(model.get_weights())
    x = np.array([[[1.0], [0.0], [2.0], [0.0]]], np.float32)
    np.testing.assert_array_equal(model.predict(x, verbose=0), plain.predict(x, verbose=0))


@pytest.mark.parametrize(
    ("key", "error", "message"),
    [
        (np.index_exp[0], ValueError, "keeps the batch"),
        (np.index_exp[:2], ValueError, "keeps the batch"),
        (np.index_exp[None], ValueError, "keeps the batch"),
        (np.index_exp[:, 5], ValueError, r"an index into shape \(None, 5, 3\), got 5"),
        (np.index_exp[:, :, :, 0], ValueError, "at most 3 axes"),
        (np.index_exp[..., ...], ValueError, "one ellipsis"),
        (np.index_exp[:, np.array([0, 1])], TypeError, "whole numbers and slices"),
        (np.index_exp[:, True], TypeError, "whole numbers and slices"),
        (np.index_exp[:, 1.0], TypeError, "whole numbers and slices"),
        (np.index_exp[:, 0.0:2.0], TypeError, "whole numbers and slices"),
        (np.index_exp[:, ::0], ValueError, "zero"),
    ],
    ids=str,
)
def test_other_indices_are_refused(key, error, message):
    h = layers.GRU(3, return_sequences=True)(recurra.Input((5, 2)))
    with pytest.raises(error, match=message):
        h[key]


def test_a_shorter_sequence_than_the_index_is_refused():
    start = recurra.Input((None, 2))
    model = recurra.Model(start, start[:, 3])
    with pytest.raises(ValueError, match=r"an index into shape \(1, 2, 2\), got 3"):
        model.predict(np.zeros((1, 2, 2)), verbose=0)


@pytest.mark.parametrize(
    "change", [lambda args: args.append(0), lambda args: args.pop(), lambda args: args.__setitem__(1, [args[0]])]
)
def test_a_file_with_another_call_is_refused(change):
    _, model = indexed(KEYS[0])
    config = model.get_config()
    change(config["layers"][2]["inbound_nodes"][0]["args"])
    with pytest.raises(ValueError, match="one call with a tensor and an index"):
        recurra.Model.from_config(config)
