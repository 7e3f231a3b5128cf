"""Normalization by the data's own mean and variance; tests/interop/test_peer_models.py compares Keras's numbers."""

import tracemalloc

import numpy as np
import pytest

import recurra
from recurra import layers


def series(rng, *shape):
    return rng.normal(3, 2, shape)


@pytest.mark.parametrize(("axis", "others"), [(-1, (0, 1)), (1, (0, 2)), ((1, -1), (0,)), (None, (0, 1, 2))])
@pytest.mark.parametrize("batches", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_learns_the_mean_and_variance_of_the_data(axis, others, batches, dtype, rng):
    x = series(rng, 7, 5, 3)
    layer = layers.Normalization(axis=axis, dtype=dtype)
    layer.adapt([x[:2], (x[2:3], "targets"), x[3:]] if batches else x)
    wanted = (x - x.mean(axis=others, keepdims=True)) / x.std(axis=others, keepdims=True)
    np.testing.assert_allclose(layer(x), wanted, rtol=1e-5 if dtype == "float32" else 1e-12, atol=1e-6)
    back = layers.Normalization(axis=axis, dtype=dtype, invert=True)
    back.adapt(x)
    np.testing.assert_allclose(back(wanted), x, rtol=1e-5, atol=1e-6)


def test_its_mean_is_exact_where_the_data_are_far_from_zero():
    layer = layers.Normalization(dtype="float64")
    layer.adapt(np.array([[1e9], [1e9 + 1], [1e9 + 2]], np.float64)[np.newaxis])
    assert layer.mean.item() == 1e9 + 1 and layer.variance.item() == pytest.approx(2 / 3, rel=1e-12)


def test_adapt_looks_at_large_data_in_parts(rng):
    data = series(rng, 100_000, 7).astype("float32")
    layer = layers.Normalization()
    layer.build(data.shape)
    tracemalloc.start()
    layer.adapt(data)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < data.nbytes / 2
    mean, variance, _ = layer.get_weights()
    np.testing.assert_allclose(mean, data.mean(axis=0, dtype=float), rtol=1e-7)
    np.testing.assert_allclose(variance, data.var(axis=0, dtype=float), rtol=1e-7)


def test_adapt_takes_numbers_one_by_one_and_keeps_the_batch_axis_whole(rng):
    layer = layers.Normalization(axis=None)
    layer.adapt(np.float32(i) for i in range(4))
    assert (layer.mean.item(), layer.variance.item()) == (1.5, 1.25)
    x = series(rng, 30_000, 3)
    of_rows = layers.Normalization(axis=0)
    of_rows.adapt(x)
    np.testing.assert_allclose(of_rows.mean.reshape(-1), x.mean(axis=1), rtol=1e-6)


def test_adapt_tells_the_shape_of_what_was_given(rng):
    layer = layers.Normalization()
    layer.adapt(np.ones((70_000, 2)))
    assert layer.get_build_config()["input_shape"] == (70_000, 2)
    with pytest.raises(ValueError, match=r"got \(70000, 3\)"):
        layer.adapt(np.ones((70_000, 3)))


def test_to_adapt_again_forgets_what_was_before(rng):
    layer = layers.Normalization()
    layer.adapt(series(rng, 9, 2) * 100)
    layer.adapt(np.array([[0.0, 2.0], [2.0, 6.0]]))
    assert layer.mean.tolist() == [[1, 4]] and layer.variance.tolist() == [[1, 4]]


def test_given_numbers_are_taken_and_before_data_nothing_changes():
    x = np.array([[[1.0, 8.0]]], np.float32)
    given = layers.Normalization(mean=[0.0, 2.0], variance=[4.0, 9.0])
    assert given(x).tolist() == [[[0.5, 2.0]]] and given.weights == []
    assert layers.Normalization()(x).tolist() == x.tolist()
    assert layers.Normalization(mean=3.0, variance=0.0)(x + 2)[0, 0, 0] == 0


def test_training_leaves_it_alone_and_files_keep_it(tmp_path, rng):
    x, y = series(rng, 12, 5, 3), rng.standard_normal((12, 1))
    layer = layers.Normalization()
    layer.adapt(x)
    model = recurra.Sequential([recurra.Input((5, 3)), layer, layers.GRU(4), layers.Dense(1)])
    model.compile("adam", "mse")
    before = [weight.numpy().copy() for weight in layer.weights]
    loss = model.fit(x, y, epochs=3, verbose=0).history["loss"]
    assert loss[-1] < loss[0] and layer.trainable_weights == []
    for weight, value in zip(layer.weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)
    model.save(tmp_path / "model.keras")
    again = recurra.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


@pytest.mark.parametrize("invert", [False, True])
def test_gradients(invert, rng):
    layer = layers.Normalization(mean=1.0, variance=16.0, invert=invert)
    y, cache = layer.forward(layer._cast_inputs(layer(rng.standard_normal((2, 3)))))
    np.testing.assert_array_equal(layer.backward(np.ones_like(y), cache), np.full((2, 3), 4.0 if invert else 0.25))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.Normalization(mean=1.0), "mean and variance, or neither"),
        (lambda: layers.Normalization(mean=[1.0, 2.0], variance=1.0), "of one shape"),
        (lambda: layers.Normalization(mean=[[1.0]], variance=[[1.0]]), "at most 1 axes"),
        (lambda: layers.Normalization().build((None, None)), "known sizes along axis"),
        (lambda: layers.Normalization(axis=2).build((None, 3)), "axis to be among the 2 axes"),
        (lambda: layers.Normalization().adapt([]), "at least one row"),
        (lambda: layers.Normalization().adapt(np.zeros((0, 3))), "at least one row"),
        (lambda: layers.Normalization().adapt([np.ones((2, 3)), np.ones((2, 4))]), r"data of sizes \(3,\) along"),
        (lambda: layers.Normalization().adapt([["a"]]), "numbers"),
        (lambda: layers.Normalization(mean=1.0, variance=1.0).adapt(np.ones((2, 3))), "without mean and variance"),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_data_that_are_refused_change_nothing():
    layer = layers.Normalization()
    layer.adapt(np.array([[1.0], [3.0]]))
    with pytest.raises(ValueError, match="data of sizes"):
        layer.adapt([np.zeros((2, 1)), np.zeros((2, 2))])
    assert layer.mean.item() == 2


def test_given_numbers_are_in_the_config_of_a_layer_that_is_not_built():
    x = np.array([[3.0, 8.0]], np.float32)
    model = recurra.Sequential([layers.Normalization(mean=1.0, variance=4.0)])
    config = model.layers[0].get_config()
    assert (config["axis"], config["invert"], config["mean"], config["variance"]) == ((-1,), False, 1.0, 4.0)
    for copy in (recurra.models.clone_model(model), recurra.Sequential.from_config(model.get_config())):
        assert copy(x).tolist() == [[1.0, 3.5]]
