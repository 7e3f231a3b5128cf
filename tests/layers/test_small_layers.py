"""Small layers: gradients of each, layers around layers, means under masks, shapes of own layers."""

import inspect

import numpy as np
import pytest

import recurra
from recurra import layers, ops


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


def test_a_layer_is_serialized_under_keras_s_argument():
    layer = layers.Dense(3)
    assert layers.deserialize(layers.serialize(layer=layer)).get_config() == layer.get_config()
    assert recurra.losses.deserialize(name="mse") is recurra.losses.mean_squared_error


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
