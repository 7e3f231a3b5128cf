"""Lambda's way out, layers around layers, merging and means under masks, shapes of own layers, symbolic arithmetic."""

import inspect
import tracemalloc

import numpy as np
import pytest

import recurra
from recurra import _tree, activations, layers, ops
from recurra.layers.dropout import dropout_factors


def test_a_function_makes_the_weights_of_attention():
    def halves(shape, dtype=None):
        return np.full(shape, 0.5, dtype)

    layer = layers.MultiHeadAttention(2, 2, kernel_initializer=halves)
    layer(np.ones((1, 3, 4)), np.ones((1, 3, 4)))
    kernels = [weight for weight in layer.get_weights() if weight.ndim == 3]
    assert all((kernel == 0.5).all() for kernel in kernels) and len(kernels) == 4


def test_factors_of_dropout_take_no_more_memory_than_they_are():
    generator = np.random.default_rng(0)
    tracemalloc.start()
    factors = dropout_factors(generator, (1000, 1000), 0.25, np.float32)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 1.25 * factors.nbytes
    drawn = np.random.default_rng(0).random((1000, 1000))  # in parts or at once: the same numbers
    np.testing.assert_array_equal(factors, np.where(drawn >= 0.25, np.float32(1) / np.float32(0.75), 0))


def test_attention_keeps_three_arrays_of_the_size_of_its_scores_and_makes_one_more_backwards(rng):
    layer = layers.MultiHeadAttention(1, 2, dropout=0.5)
    x = rng.standard_normal((1, 500, 2)).astype("float32")
    layer(x, x)
    tracemalloc.start()
    y, cache = layer.forward(x, value=x, training=True)
    layer.backward_all(y, cache)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 4.5 * 500 * 500 * 4


def test_lambda_says_the_way_out():
    with pytest.raises(NotImplementedError, match=r"Lambda: .*; else write it as a Layer with forward\(inputs\)"):
        layers.Lambda(lambda x: 2 * x)


def test_a_masked_step_counts_as_nothing_in_multiply_maximum_and_minimum():
    a, b = np.array([[[2.0], [3.0], [4.0]]], "float32"), np.array([[[5.0], [6.0], [-7.0]]], "float32")
    masks = [np.array([[True, False, False]]), np.array([[True, True, False]])]
    for layer, wanted in (
        (layers.Multiply(), [10, 6, 0]),
        (layers.Maximum(), [5, 6, 4]),
        (layers.Minimum(), [2, 6, 4]),
    ):
        y, cache = layer.forward([a, b], mask=masks)
        assert y.ravel().tolist() == wanted
        da, db = layer.backward(np.ones_like(y), cache)
        assert da.ravel()[1] == 0 and db.ravel()[1] == 1


class Halves(layers.Layer):
    def call(self, inputs):
        return {"even": inputs[:, ::2], "mean": inputs.mean(axis=1)}


def test_the_shape_of_a_layer_of_one_s_own_is_found():
    found = Halves().compute_output_shape((None, 6, None))
    assert found == {"even": (None, 3, None), "mean": (None, None)}
    model = recurra.Model(start := recurra.Input((6, 2)), layers.Dense(1)(Halves()(start)["mean"]))
    assert model.predict(np.ones((3, 6, 2)), verbose=0).shape == (3, 1)


def test_a_layer_that_only_changes_call_is_not_trained_by_its_base_s_backward():
    class Doubled(layers.Dense):
        def call(self, inputs):
            return 2 * super().call(inputs)

    model = recurra.Sequential([recurra.Input((2,)), Doubled(1)])
    x = np.ones((4, 2), "float32")
    np.testing.assert_allclose(model.predict(x, verbose=0), 2 * x @ model.get_weights()[0], rtol=1e-6)
    model.compile(loss="mse")
    with pytest.raises(NotImplementedError, match="Doubled expected a method backward"):
        model.fit(x, x[:, :1], verbose=0)


def test_symbolic_arithmetic_is_made_of_layers():
    a, b = recurra.Input((3,)), recurra.Input((3,))
    model = recurra.Model([a, b], 2 * (a + b) - a * b / 4 - 1)
    again = recurra.models.model_from_json(model.to_json())
    x, y = np.arange(3.0)[None], np.full((1, 3), 2.0)
    for one in (model, again):
        np.testing.assert_allclose(one.predict([x, y], verbose=0), 2 * (x + y) - x * y / 4 - 1, rtol=1e-6)
    with pytest.raises(TypeError, match="a number to divide by"):
        a / b


@pytest.mark.parametrize(
    ("compute", "wanted"),
    [
        (lambda x: np.float32(2) * x, [6]),
        (lambda x: np.float64(1) - x, [-2]),
        (lambda x: np.int64(1) + x, [4]),
        (lambda x: x - np.uint8(2), [1]),
    ],
)
def test_numbers_of_numpy_may_stand_on_both_sides_of_a_symbolic_tensor(compute, wanted):
    x = recurra.Input((1,))
    assert recurra.Model(x, compute(x))(np.full((1, 1), 3.0)).tolist() == [wanted]


@pytest.mark.parametrize(
    ("compute", "error", "message"),
    [
        (lambda x: x - "a", TypeError, "the graph expected symbolic tensors and numbers, got 'a'"),
        (lambda x: x / "a", TypeError, "the graph expected symbolic tensors and numbers, got 'a'"),
        (lambda x: None * x, TypeError, "the graph expected symbolic tensors and numbers, got None"),
        (lambda x: np.ones(2) * x, TypeError, r"symbolic tensors and numbers, got array\(\[1., 1.\]\)"),
        (lambda x: x / 0, ValueError, "the graph expected a number other than 0 to divide by, got 0"),
        (lambda x: x / np.float32(0), ValueError, "a number other than 0 to divide by, got np.float32"),
        (np.exp, TypeError, "NumPy expected an array, got the symbolic tensor"),
    ],
)
def test_what_is_no_arithmetic_of_symbolic_tensors_is_refused(compute, error, message):
    with pytest.raises(error, match=message):
        compute(recurra.Input((1,)))


def test_sequential_takes_lists_and_dicts():
    model = recurra.Sequential([layers.Add(), layers.Dense(2)])
    assert model([np.ones((3, 4)), np.ones((3, 4))]).shape == (3, 2)
    assert set(recurra.Sequential([Halves()])(np.ones((3, 4, 2)))) == {"even", "mean"}


def test_the_loss_crossentropy_follows_the_shapes():
    x, labels = np.ones((4, 2)), np.array([0, 1, 2, 1])
    model = recurra.Sequential([recurra.Input((2,)), layers.Dense(3, activation="softmax")])
    model.compile(loss="crossentropy")
    by_label = model.evaluate(x, labels, verbose=0)
    model.compile(loss="crossentropy")
    assert model.evaluate(x, np.eye(3)[labels], verbose=0) == pytest.approx(by_label)


def test_statistics_within_time_distributed_are_those_of_each_step(rng):
    x = rng.standard_normal((6, 3, 2)).astype("float32")
    layer, alone = layers.TimeDistributed(layers.BatchNormalization()), layers.BatchNormalization()
    y = layer(x, training=True)
    steps = [alone(np.ascontiguousarray(x[:, t]), training=True) for t in range(3)]
    np.testing.assert_array_equal(y, np.stack(steps, axis=1))
    for own, wanted in zip(layer.get_weights(), alone.get_weights(), strict=True):
        np.testing.assert_array_equal(own, wanted)


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: layers.TimeDistributed(layers.GRU(2)), (4, 5, 3)),
        (lambda: layers.TimeDistributed(recurra.Sequential([recurra.Input((5, 3)), layers.GRU(2)])), (4, 5, 3)),
        (lambda: layers.Bidirectional(layers.GRU(2)), (5, 3)),
    ],
)
def test_a_layer_within_another_keeps_nothing_for_a_backward_pass_that_does_not_come(make, shape, monkeypatch):
    kept, forward = [], ops.gru_forward

    def spy(*args, **options):
        kept.append(options["training"])
        return forward(*args, **options)

    monkeypatch.setattr(ops, "gru_forward", spy)
    x, layer = np.ones((2, *shape), "float32"), make()
    recurra.Sequential([recurra.Input(shape), layer]).predict(x, verbose=0)
    layer(x, training=True)
    assert kept and not any(kept)


def test_attention_to_the_data_multiplies_nothing_for_a_gradient_that_nobody_reads(monkeypatch, rng):
    products, backward = [], ops.dense_backward

    def spy(*args, need_dx=True):
        products.append(need_dx)
        return backward(*args, need_dx=need_dx)

    x = rng.standard_normal((2, 4, 6)).astype("float32")
    layer = layers.MultiHeadAttention(2, 3)
    layer.build(x.shape, value_shape=x.shape)
    y, cache = layer.forward(x, value=x)
    monkeypatch.setattr(ops, "dense_backward", spy)
    gradients = []
    for need_dx in (True, False):
        dx, others = layer.backward_all(np.ones_like(y), cache, need_dx=need_dx)
        gradients.append([variable.grad.copy() for variable in layer.trainable_variables])
        for variable in layer.trainable_variables:
            variable.zero_grad()
    assert products == [True] * 4 + [True, False, False, False]  # what goes into the heads' results is needed
    assert dx is None and not others
    for one, other in zip(*gradients, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("dtype", ["float16", "uint64", "longdouble"])
def test_ids_may_be_numbers_of_any_kind(dtype):
    assert layers.Embedding(5, 2)(np.array([[4, 0]], dtype)).shape == (1, 2, 2)


@pytest.mark.parametrize("shape", [(0,), (4, 0)])
def test_dense_on_no_features_is_its_bias(shape):
    model = recurra.Sequential([recurra.Input(shape), layers.Dense(2, "tanh", bias_initializer="ones")])
    x = np.zeros((3, *shape), "float32")
    wanted = np.full((*x.shape[:-1], 2), np.tanh(1), "float32")
    np.testing.assert_allclose(model.layers[0](x), wanted, rtol=1e-6)
    np.testing.assert_allclose(model.predict(x, verbose=0), wanted, rtol=1e-6)
    model.compile("sgd", "mse")
    model.fit(x, np.zeros_like(wanted), verbose=0)
    assert (model.get_weights()[1] < 1).all()


def test_penalties_of_a_layer_that_is_called_within_another_are_its_losses():
    class Around(layers.Wrapper):
        def call(self, inputs):
            return self.layer(inputs)

    layer = Around(layers.Dense(2, kernel_initializer="ones", activity_regularizer="l2"))
    for factor in (1, 2):
        layer(factor * np.ones((1, 3), "f"))
        np.testing.assert_allclose(layer.losses, [0.01 * 2 * (3 * factor) ** 2])


OVER_TIME = [
    *(layers.GlobalMaxPooling1D(), layers.GlobalAveragePooling1D(), layers.SimpleRNN(2), layers.LSTM(2)),
    *(layers.GRU(2, activation="gelu", return_sequences=True), layers.RNN([layers.GRUCell(4), layers.LSTMCell(5)])),
    layers.Bidirectional(layers.LSTM(2)),
]


@pytest.mark.parametrize("layer", OVER_TIME, ids=lambda layer: type(layer).__name__)
def test_no_time_steps_are_told(layer):
    x = np.zeros((3, 0, 2), np.float32)
    with pytest.raises(ValueError, match="expected at least 1 time step, got 0"):
        layer(x)
    model = recurra.Sequential([recurra.Input((None, 2)), layer, layers.Dense(1)])
    model.compile("sgd", "mse")
    for run in (lambda: model.fit(x, np.zeros((3, 1)), verbose=0), lambda: model.predict(x, verbose=0)):
        with pytest.raises(ValueError, match="expected at least 1 time step, got 0"):
            run()


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


@pytest.mark.parametrize(
    "axis, mean, variance",  # those of Keras 3.15 on JAX
    [(0, [1.5, 8.5], [1.25, 2.9167]), (1, [3.5, 5.5, 10.5], [9.25, 9.25, 0.25]), (2, [5.2, 6.2], [13.76, 13.76])],
)
def test_a_batch_normalization_counts_what_is_not_masked_for_each_of_its_features(axis, mean, variance, rng):
    x, mask = np.arange(12.0).reshape(2, 3, 2), np.array([[True, True, False], [True, True, True]])
    layer = layers.BatchNormalization(axis=axis, momentum=0.0, dtype="float64")
    layer(x, training=True, mask=mask)
    np.testing.assert_allclose(layer.moving_mean.numpy(), mean, atol=1e-6)
    np.testing.assert_allclose(layer.moving_variance.numpy(), variance, atol=5e-5)
    dy = rng.standard_normal(x.shape)
    dx = layer.backward(dy, layer.forward(x, training=True, mask=mask)[1])
    for place in np.ndindex(x.shape):
        above, below = x.copy(), x.copy()
        above[place] += 1e-6
        below[place] -= 1e-6
        change = layer.forward(above, training=True, mask=mask)[0] - layer.forward(below, training=True, mask=mask)[0]
        assert dx[place] == pytest.approx((change * dy).sum() / 2e-6, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_means_leave_out_what_is_masked_whatever_it_is(odd):
    x, mask = np.array([[[1.0], [odd]], [[3.0], [8.0]]], "float32"), np.array([[True, False], [True, True]])
    np.testing.assert_array_equal(layers.GlobalAveragePooling1D()(x, mask=mask), [[1.0], [5.5]])
    layer = layers.BatchNormalization(momentum=0.0)
    y = layer(x, training=True, mask=mask)
    assert layer.moving_mean.numpy().tolist() == pytest.approx([4.0])
    np.testing.assert_array_equal(np.isfinite(y[..., 0]), mask)  # the masked entry alone is NaN or infinity


def test_a_mask_value_of_numpy_is_compared_in_the_type_of_the_input():
    x = np.array([[[0.1], [0.2], [0.1]]], "float32")
    layer = layers.Masking(np.float64(0.1))
    assert layer.compute_mask(x).tolist() == [[False, True, False]]
    assert type(layer.get_config()["mask_value"]) is float
    model = recurra.Sequential([recurra.Input((3, 1)), layer, layers.LSTM(2)])
    np.testing.assert_array_equal(model.predict(x, verbose=0), model.layers[-1](layer(x), mask=layer.compute_mask(x)))


@pytest.mark.parametrize("value", [[0.1, 0.2], (0.1, 0.2), np.array([0.1, 0.2])], ids=["list", "tuple", "array"])
def test_padding_may_have_a_value_for_each_feature(value, tmp_path):
    x = np.array([[[0.1, 0.2], [0.2, 0.1], [0.1, 0.2]]], "float32")
    layer = layers.Masking(value)
    assert layer.compute_mask(x).tolist() == [[False, True, False]]
    model = recurra.Sequential([recurra.Input((3, 2)), layer, layers.LSTM(2), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(x, np.ones((1, 1)), verbose=0)
    y = model.predict(x, verbose=0)
    np.testing.assert_array_equal(y, model.predict(x[:, 1:2], verbose=0))
    model.save(tmp_path / "m.keras")
    again = recurra.models.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(again.predict(x, verbose=0), y)
    written = {"class_name": "__numpy__", "config": {"value": [0.1, 0.2], "dtype": "float64"}}  # by Keras 3.15 too
    assert layer.get_config()["mask_value"] == (written if isinstance(value, np.ndarray) else value)


def test_python_s_own_types_are_the_dtypes_that_keras_takes_them_for():
    assert layers.LSTM(2, dtype=float).dtype == recurra.losses.MeanSquaredError(dtype=float).dtype == "float32"
    assert (
        recurra.metrics.MeanSquaredError(dtype=float).dtype == recurra.Variable([1.0], dtype=float).dtype == "float32"
    )
    assert recurra.initializers.Zeros()((2,), dtype=float).dtype == "float32"
    assert layers.Dense(1).add_weight((2,), "zeros", dtype=float).dtype == "float32"
    found = [recurra.Input((3,), dtype=dtype).dtype for dtype in (float, int, bool, np.float64)]
    assert found == ["float32", "int32", "bool", "float64"]


ATTENTIONS = {
    "dot": lambda q, v: layers.Attention(use_scale=True)([q, v], return_attention_scores=True),
    "additive": lambda q, v: layers.AdditiveAttention()([q, v], return_attention_scores=True),
    "heads": lambda q, v: layers.MultiHeadAttention(2, 3)(q, v, return_attention_scores=True),
}


@pytest.mark.parametrize("name", ATTENTIONS)
@pytest.mark.parametrize("outputs", ["both", "scores"])
def test_scores_of_attention_are_outputs_of_models_and_train(name, outputs, rng, tmp_path):
    query, value = (recurra.Input((None, 3), dtype="float64") for _ in range(2))
    with_dtype = recurra.config.floatx()
    recurra.config.set_floatx("float64")
    try:
        y, scores = ATTENTIONS[name](query, value)
    finally:
        recurra.config.set_floatx(with_dtype)
    model = recurra.Model([query, value], [y, scores] if outputs == "both" else scores)
    model.set_weights([rng.standard_normal(weight.shape) for weight in model.get_weights()])
    x = [rng.standard_normal((5, 4, 3)), rng.standard_normal((5, 6, 3))]
    found = _tree.flatten(model.predict(x, verbose=0))
    assert found[-1].shape == ((5, 2, 4, 6) if name == "heads" else (5, 4, 6))
    assert scores.shape == ((None, 2, None, None) if name == "heads" else (None, None, None))
    np.testing.assert_allclose(found[-1].sum(axis=-1), 1)
    targets = [rng.standard_normal(array.shape) for array in found]
    model.compile(recurra.optimizers.SGD(1e-6), "mse")
    before = model.get_weights()
    loss = model.evaluate(x, targets, verbose=0, return_dict=True)["loss"]
    model.train_on_batch(x, targets)
    slopes = [(old - new) / 1e-6 for old, new in zip(before, model.get_weights(), strict=True)]
    after = model.evaluate(x, targets, verbose=0, return_dict=True)["loss"]
    assert loss - after == pytest.approx(1e-6 * sum(float(np.square(slope).sum()) for slope in slopes), rel=1e-3)
    model.save(tmp_path / "m.keras")
    again = recurra.models.load_model(tmp_path / "m.keras")
    for one, other in zip(*(_tree.flatten(each.predict(x, verbose=0)) for each in (again, model)), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("shape", "axis"), [((3, 0), -1), ((3, 0, 2), 1)])
def test_a_batch_without_features_is_normalized_to_one(shape, axis):
    layer = layers.BatchNormalization(axis)
    assert layer(np.ones(shape, "float32"), training=True).shape == shape
    outputs, cache = layer.forward(np.ones(shape, "float32"), training=True)
    assert layer.backward(outputs, cache).shape == shape
    assert [weight.shape for weight in layer.weights] == [(0,)] * 4


@pytest.mark.parametrize("kind", [layers.Attention, layers.AdditiveAttention])
def test_the_gradients_of_attention_leave_out_what_is_masked(kind, rng, check_gradients):
    layer = kind(dtype="float64")
    query, value = rng.standard_normal((2, 3, 2)), rng.standard_normal((2, 4, 2))
    layer.build([query.shape, value.shape])
    masks = [np.array([[1, 1, 0], [0, 1, 1]], bool), np.array([[1, 1, 1, 0], [1, 0, 1, 1]], bool)]
    check_gradients(layer, query, value, mask=masks)
    _, weights = layer([query, value], mask=masks, return_attention_scores=True)
    assert not np.any(np.moveaxis(weights.numpy(), 1, 2)[~masks[1]])


@pytest.mark.parametrize("score_mode", ["dot", "concat"])
def test_the_gradients_of_both_factors_of_attention_are_right(score_mode, rng, check_gradients):
    layer = layers.Attention(use_scale=True, score_mode=score_mode, dtype="float64")
    query, value = rng.standard_normal((2, 3, 2)), rng.standard_normal((2, 4, 2))
    layer.build([query.shape, value.shape])
    layer.set_weights([np.asarray(factor) for factor in (0.7, 1.3)[: len(layer.weights)]])
    check_gradients(layer, query, value)


def test_what_a_query_may_not_see_has_no_weight_beside_dropout(rng):
    layer, x = layers.MultiHeadAttention(2, 3, dropout=0.3), rng.standard_normal((2, 4, 5)).astype("float32")
    seen = np.tril(np.ones((4, 4), bool), -1)  # the first query sees nothing
    y, weights = layer(x, x, attention_mask=seen[None], training=True, return_attention_scores=True)
    assert not np.any(weights.numpy()[..., ~seen])
    np.testing.assert_array_equal(y[:, 0], np.zeros((2, 5)))  # the bias
    np.testing.assert_array_equal(layer(x, x, attention_mask=seen[None])[:, 0], np.zeros((2, 5)))
    assert 0 < np.mean(weights.numpy()[..., seen] == 0) < 1


def test_the_noise_of_gaussian_dropout_has_its_variance():
    factors = layers.GaussianDropout(0.2)(np.ones((400, 500), "float32"), training=True).numpy()
    assert factors.mean() == pytest.approx(1, abs=0.01) and factors.var() == pytest.approx(0.2 / 0.8, rel=0.02)


def test_spatial_dropout_drops_features_of_each_row_at_all_steps():
    factors = layers.SpatialDropout1D(0.5)(np.ones((50, 3, 4), "float32"), training=True).numpy()
    np.testing.assert_array_equal(factors, np.repeat(factors[:, :1], 3, axis=1))
    assert len(np.unique(factors[:, 0], axis=0)) > 4  # of 16 kinds of rows


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_a_softmax_goes_over_several_axes_together(name, rng):
    function, x = getattr(activations, name), rng.standard_normal((2, 3, 4)).astype("float32")
    assert function(x, axis=(0, 1)).shape == x.shape
    np.testing.assert_array_equal(function(x, axis=(1, 2)), function(x.reshape(2, 12)).reshape(x.shape))
    np.testing.assert_array_equal(function(x, axis=(1, 0)).T, function(x.T, axis=[2, 1]))
    np.testing.assert_array_equal(activations.softmax(x, axis=(0, 2)), layers.Softmax(axis=(0, 2))(x))


def test_a_mask_of_a_mean_over_time_has_no_axis_of_features():
    x, mask = np.ones((3, 5, 2), "float32"), np.ones((3, 5, 1), bool)
    with pytest.raises(ValueError, match=r"GlobalAveragePooling1D expected mask of shape \(3, 5\), got \(3, 5, 1\)"):
        layers.GlobalAveragePooling1D()(x, mask=mask)


def test_a_mask_is_refused_by_layers_that_have_no_use_for_it(rng):
    x, mask = rng.standard_normal((2, 3, 4)).astype("float32"), np.ones((2, 3), bool)
    for layer in (layers.Flatten(), layers.Dense(2), layers.Conv1D(2, 2), layers.Dropout(0.1)):
        with pytest.raises(TypeError, match=f"a call of {type(layer).__name__} expected known arguments, got 'mask'"):
            layer(x, mask=mask)
        with pytest.raises(TypeError, match="got 'mask'"):
            layer(recurra.Input((3, 4)), mask=recurra.Input((3,), dtype="bool"))


def test_only_a_tensor_of_input_stands_behind_an_input_layer():
    with pytest.raises(ValueError, match=r"Input expected input_tensor to be a tensor of Input, got '\?'"):
        layers.InputLayer(input_tensor="?")


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("kind", [layers.GlobalAveragePooling1D, layers.GlobalMaxPooling1D])
def test_global_poolings_take_channels_first(kind, keepdims, rng, check_gradients):
    x = rng.standard_normal((2, 3, 5))
    first = kind(data_format="channels_first", keepdims=keepdims, dtype="float64")
    last = kind(keepdims=keepdims, dtype="float64")(np.swapaxes(x, 1, 2))
    np.testing.assert_array_equal(first(x), np.swapaxes(last, 1, 2) if keepdims else last)
    assert first(recurra.Input((3, None))).shape == ((None, 3, 1) if keepdims else (None, 3))
    check_gradients(first, x)
    assert kind.from_config(first.get_config()).data_format == "channels_first"
    with pytest.raises(ValueError, match="expected at least 1 time step, got 0"):
        first(x[:, :, :0])


def test_a_mask_is_of_time_steps_that_come_first():
    layer = layers.GlobalAveragePooling1D("channels_first")
    with pytest.raises(ValueError, match="expected no mask with data_format='channels_first', got one"):
        layer(np.ones((2, 3, 4), np.float32), mask=np.ones((2, 3), bool))


def test_what_keras_makes_inside_takes_names_here_too():
    recurra.utils.clear_session()
    start = recurra.Input((4, 3))
    heads = layers.MultiHeadAttention(1, 2)(start, start)
    heads = layers.Softmax()(layers.Dropout(0.1)(heads))
    line = recurra.Sequential([recurra.Input((4, 3)), layers.LSTM(2)])
    model = recurra.Model(start, heads)
    assert [layer.name for layer in model.layers[-2:]] == ["dropout_1", "softmax_1"]
    assert (line.name, model.name) == ("sequential", "functional_1")


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


@pytest.mark.parametrize(
    ("layer", "names"),
    [
        (layers.ELU, ["inputs"]),
        (layers.Softmax, ["inputs", "mask"]),
        (layers.LSTM, ["sequences", "initial_state", "mask", "training"]),
        (layers.Bidirectional, ["sequences", "initial_state", "mask", "training"]),
    ],
)
def test_the_signature_of_call_is_that_of_what_it_takes_and_gives(layer, names):
    signature = inspect.signature(layer.call)
    assert [*signature.parameters] == ["self", *names] and "tuple" not in signature.return_annotation


def test_functions_that_merge_say_what_they_take():
    x, y = np.ones((2, 3), np.float32), np.full((2, 3), 2, np.float32)
    assert [*inspect.signature(layers.concatenate).parameters] == ["inputs", "axis", "kwargs"]
    assert [*inspect.signature(layers.dot).parameters] == ["inputs", "axes", "normalize", "kwargs"]
    assert [*inspect.signature(layers.maximum).parameters] == ["inputs", "kwargs"]
    assert layers.add.__doc__.startswith("The sum of the inputs.\n\n    Args:")
    assert layers.concatenate([x, y], 0).shape == (4, 3) and layers.dot([x, y]).numpy().tolist() == [[6], [6]]
    assert layers.subtract([recurra.Input((3,)), recurra.Input((3,))], name="less").name == "less"


def test_a_layer_is_serialized_under_keras_s_argument():
    layer = layers.Dense(3)
    assert layers.deserialize(layers.serialize(layer=layer)).get_config() == layer.get_config()
    assert recurra.losses.deserialize(name="mse") is recurra.losses.mean_squared_error


def test_a_step_of_three_inputs_is_the_extreme_of_those_that_are_not_masked():
    values = np.array([[9, 9, 9, 9], [8, 8, 2, 8], [1, 1, 5, 1]], "float32")[:, None, :, None]
    masks = list(np.array([[0, 1, 0, 0], [0, 0, 1, 0], [1, 1, 1, 0]], bool)[:, None])
    y, cache = layers.Maximum().forward(list(values), mask=masks)
    assert y.ravel().tolist() == [1, 9, 5, 9]
    lowest, _ = layers.Minimum().forward(list(-values), mask=masks)
    assert lowest.ravel().tolist() == [-1, -9, -5, -9]
    gradients = np.stack(layers.Maximum().backward(np.ones_like(y), cache))
    assert gradients[..., 0].argmax(axis=0).tolist() == [[2, 0, 2, 0]] and gradients.sum() == 4


GRADIENTS = {
    "add": (layers.Add, {}, [(2, 3)] * 3),
    "subtract": (layers.Subtract, {}, [(2, 3)] * 2),
    "multiply": (layers.Multiply, {}, [(2, 3)] * 3),
    "multiply by one feature": (layers.Multiply, {}, [(2, 4, 3), (2, 4, 1)]),
    "average": (layers.Average, {}, [(2, 3)] * 3),
    "maximum": (layers.Maximum, {}, [(2, 3)] * 3),
    "minimum": (layers.Minimum, {}, [(2, 3)] * 3),
    "concatenate": (layers.Concatenate, {"axis": 1}, [(2, 1, 3), (2, 2, 3)]),
    "dot": (layers.Dot, {"axes": (2, 1)}, [(2, 3, 4), (2, 4, 5)]),
    "dot of units": (layers.Dot, {"axes": 1, "normalize": True}, [(2, 4)] * 2),
    "reshape": (layers.Reshape, {"target_shape": (3, -1)}, [(2, 4, 3)]),
    "permute": (layers.Permute, {"dims": (3, 1, 2)}, [(2, 3, 4, 5)]),
    "flatten": (layers.Flatten, {}, [(2, 3, 4)]),
    "repeat": (layers.RepeatVector, {"n": 3}, [(2, 4)]),
    "upsampling": (layers.UpSampling1D, {"size": 3}, [(2, 3, 4)]),
    "padding": (layers.ZeroPadding1D, {"padding": (1, 2)}, [(2, 3, 4)]),
    "cropping": (layers.Cropping1D, {"cropping": (1, 2)}, [(2, 5, 4)]),
    "identity": (layers.Identity, {}, [(2, 3)]),
    "prelu": (layers.PReLU, {"shared_axes": [1]}, [(2, 3, 4)]),
    "softmax": (layers.Softmax, {"axis": 1}, [(2, 3, 4)]),
    "layer norm": (layers.LayerNormalization, {}, [(2, 3, 4)]),
    "layer norm of two axes": (layers.LayerNormalization, {"axis": [1, 2]}, [(2, 3, 4)]),
    "layer norm without scale": (layers.LayerNormalization, {"axis": 1, "scale": False}, [(2, 3, 4)]),
    "layer norm without center": (layers.LayerNormalization, {"axis": 1, "center": False}, [(2, 3, 4)]),
    "group norm": (layers.GroupNormalization, {"groups": 2}, [(2, 3, 4)]),
    "group norm of each feature": (layers.GroupNormalization, {"groups": -1, "axis": 1}, [(2, 3, 4)]),
    "rms norm": (layers.RMSNormalization, {}, [(2, 3, 4)]),
    "rms norm of two axes": (layers.RMSNormalization, {"axis": [1, 2]}, [(2, 3, 4)]),
    "unit norm": (layers.UnitNormalization, {"axis": 1}, [(2, 3, 4)]),
    "batch norm by its averages": (layers.BatchNormalization, {"axis": 1}, [(2, 3, 4)]),
}


def built(layer, rng, *inputs):
    """The layer with weights that differ from each other and from those it starts with."""
    layer(list(inputs) if len(inputs) > 1 else inputs[0])
    layer.set_weights([rng.uniform(0.5, 2, weight.shape) for weight in layer.weights])
    return layer


@pytest.mark.parametrize("name", GRADIENTS)
def test_the_gradients_of_small_layers_are_slopes(name, rng, check_gradients):
    make, options, shapes = GRADIENTS[name]
    inputs = [rng.standard_normal(shape) for shape in shapes]
    check_gradients(built(make(**options, dtype="float64"), rng, *inputs), *inputs)


@pytest.mark.parametrize("axis", [1, -1])
@pytest.mark.parametrize("masked", [False, True])
def test_the_gradients_of_statistics_of_a_batch_are_slopes(axis, masked, rng, check_gradients):
    x, mask = rng.standard_normal((3, 4, 2)), rng.random((3, 4)) < 0.7 if masked else None
    check_gradients(built(layers.BatchNormalization(axis, dtype="float64"), rng, x), x, training=True, mask=mask)


def test_the_gradients_of_statistics_of_each_step_are_slopes(rng, check_gradients):
    x, inner = rng.standard_normal((4, 3, 2)), layers.BatchNormalization(dtype="float64")
    check_gradients(built(layers.TimeDistributed(inner, dtype="float64"), rng, x), x, training=True)


@pytest.mark.parametrize("use_bias", [True, False])
def test_the_gradients_of_multi_head_attention_are_slopes(use_bias, rng, check_gradients):
    query, value, key = (rng.standard_normal((2, size, 3)) for size in (4, 5, 5))
    layer = layers.MultiHeadAttention(2, 2, value_dim=3, use_bias=use_bias, dtype="float64")
    layer(query, value, key)
    layer.set_weights([rng.standard_normal(weight.shape) for weight in layer.weights])
    check_gradients(layer, query, value=value, key=key)


def test_a_rate_of_one_drops_everything():
    assert not np.any(layers.Dropout(1.0)(np.ones((2, 3), "float32"), training=True))


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


X = np.ones((2, 4, 6), "float32")


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (
            lambda: layers.Conv1D(2, 2, strides=2, dilation_rate=2),
            "Conv1D expected strides or dilation_rate of 1, got 2",
        ),
        (lambda: layers.Conv1D(3, 2, groups=2), "filters to be a multiple of groups=2, got 3"),
        (lambda: layers.Conv1D(4, 2, groups=4)(X), "features to be a multiple of groups=4, got 6"),
        (lambda: layers.Dense(2)(X[0, 0]), r"Dense expected input of shape \(batch, ..., features\), got \(6,\)"),
        (lambda: layers.Dot(1)([X, X[:, :3]]), r"Dot expected equal sizes along axes 1, got shapes"),
        (lambda: layers.Dot(1)([X, X, X]), r"Dot expected two inputs of shape \(batch, ...\), got"),
        (lambda: layers.Subtract()([X, X, X]), "Subtract expected two inputs, got 3"),
        (lambda: layers.Add()([[X, X]]), "Add expected a list of inputs, got lists in a list"),
        (lambda: layers.Add()([[recurra.Input((3,))]]), "Add expected a list of inputs, got lists in a list"),
        (lambda: layers.Concatenate()([X, [X]]), "Concatenate expected a list of inputs, got lists in a list"),
        (
            lambda: layers.Add()([X, X], mask=np.ones((2, 4), bool)),
            "Add expected a list of inputs and a list of as many",
        ),
        (lambda: layers.Permute((2, 1))(X[0]), r"Permute expected input with 3 axes, got \(4, 6\)"),
        (lambda: layers.Reshape((5, -1))(X), "Reshape expected"),
        (lambda: layers.Cropping1D(2)(X), "Cropping1D expected more than 4 time steps, got 4"),
        (lambda: layers.MaxPooling1D(5)(X), "MaxPooling1D expected at least 5 time steps, got 4"),
        (lambda: layers.GroupNormalization(4)(X), "GroupNormalization expected groups to divide the 6 features, got 4"),
        (lambda: layers.PReLU()(recurra.Input((None, 3))), "PReLU expected known sizes along axes that are not shared"),
        (lambda: layers.Dropout(0.5, noise_shape=(2, 1))(X, training=True), "Dropout expected noise_shape of 3 axes"),
        (lambda: layers.GaussianDropout(1.0), "GaussianDropout expected rate to be below 1, got 1"),
        (
            lambda: layers.TimeDistributed(layers.Dense(1))(X, mask=np.ones((2, 3))),
            r"a mask of shape \(2, 4, ...\), got \(2, 3",
        ),
        (lambda: layers.BatchNormalization()(X, training=True, mask=np.ones(2)), r"a mask of 2 axes, got shape \(2,\)"),
        (lambda: layers.Attention()([X]), r"Attention expected a list of inputs, \[query, value\] or"),
        (lambda: layers.Attention()([X, X, X[..., :3]]), "Attention expected keys with 6 features, got 3"),
        (lambda: recurra.Input((3,), batch_shape=(2, 3)), "Input expected either shape or batch_shape, got both"),
        (lambda: recurra.Input((3,), sparse=True), "Input expected dense data, got sparse, ragged or optional=True"),
        (lambda: iter(recurra.Input((3,))), "a loop expected an array, got the symbolic tensor"),
    ],
)
def test_what_does_not_fit_a_layer_is_refused(mistake, message):
    with pytest.raises((TypeError, ValueError), match=message):
        mistake()


def test_the_mask_of_a_sequence_that_looks_at_itself_leaves_out_its_keys(rng):
    layer, x = layers.MultiHeadAttention(2, 2), rng.standard_normal((2, 4, 3)).astype("float32")
    seen = np.array([[1, 1, 1, 0], [1, 1, 0, 0]], bool)
    found = layer(x, x, mask=seen)
    np.testing.assert_array_equal(found, layer(x, x, query_mask=seen, value_mask=seen))
    changed = np.where(seen[..., None], x, 9)
    np.testing.assert_array_equal(layer(changed, changed, mask=seen)[seen], found.numpy()[seen])


def test_attention_that_was_built_still_looks_at_its_inputs():
    layer, x = layers.Attention(), np.ones((2, 4, 6), "float32")
    layer([x, x])
    with pytest.raises(ValueError, match="Attention expected keys with 6 features, got 3"):
        layer([x, x, x[..., :3]])


def test_attention_is_built_by_the_shapes_of_a_file():
    layer = layers.MultiHeadAttention(2, 2)
    layer(np.ones((1, 4, 3)), np.ones((1, 5, 6)))
    again = layers.MultiHeadAttention.from_config(layer.get_config())
    again.build_from_config(layer.get_build_config())
    assert [weight.shape for weight in again.weights] == [weight.shape for weight in layer.weights]
