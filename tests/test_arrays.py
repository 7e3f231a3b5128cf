"""Arrays that native code cannot read as they lie: whatever a caller brings gives what a plain copy of it gives."""

import operator

import numpy as np
import pytest

from recurra import Input, Model, Sequential, activations, layers, losses, metrics, optimizers, utils
from recurra.compat import tensorflow as tf
from recurra.forecasting.panel import Panel
from recurra.variables import Variable


def unaligned(array):
    memory = np.zeros(array.nbytes + 1, np.uint8)[1:]
    moved = memory.view(array.dtype).reshape(array.shape)
    moved[...] = array
    assert not moved.flags.aligned
    return moved


def big_endian(array):
    return array.astype(array.dtype.newbyteorder(">"))


def strided(array):
    return np.repeat(array, 2, axis=-1)[..., ::2]


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def test_columns_of_numbers_and_truth_values_of_a_frame_are_numbers(rng):
    pandas = pytest.importorskip("pandas")
    x = rng.standard_normal((6, 3)).astype("float32")
    x[:, 1] = x[:, 1] > 0
    frame = pandas.DataFrame(x, columns=list("abc")).astype({"b": bool})
    model = Sequential([layers.Input((3,)), layers.Dense(1)])
    np.testing.assert_array_equal(model.predict(frame, verbose=0), model.predict(x, verbose=0))
    with pytest.raises(ValueError, match="expected numbers, got text in column 'c'"):
        model.predict(frame.assign(c="text"), verbose=0)


LAYOUTS = (unaligned, big_endian, strided, np.asfortranarray, read_only)


def make(cell, dtype):
    utils.set_random_seed(3)
    model = Sequential([layers.Input((None, 3), dtype=dtype), cell(4, dtype=dtype), layers.Dense(2, dtype=dtype)])
    model.compile("adam", "mse")
    return model


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("cell", [layers.SimpleRNN, layers.LSTM, layers.GRU])
def test_models_take_arrays_of_any_layout(cell, dtype, layout, rng):
    x, y = rng.standard_normal((5, 7, 3)).astype(dtype), rng.standard_normal((5, 2)).astype(dtype)
    weight = np.linspace(0.5, 1, 5).astype(dtype)

    def results(layout):
        model = make(cell, dtype)
        given = layout(x), layout(y)
        found = [model(given[0]), model.predict(given[0], verbose=0), model.predict_on_batch(given[0])]
        found += [model.fit(*given, shuffle=False, verbose=0).history["loss"], model.train_on_batch(*given)]
        found += [model.train_on_batch(*given, sample_weight=layout(weight)), model.evaluate(*given, verbose=0)]
        states = [layout(np.ones((5, 4), dtype))] * model.layers[0].cell.n_states
        return [*found, model.layers[0](given[0], initial_state=states), *model.get_weights()]

    for found, wanted in zip(results(layout), results(np.array), strict=True):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_functions_losses_and_optimizers_take_arrays_of_any_layout(layout, rng):
    x, y = rng.random((3, 4), np.float32), rng.random((3, 4), np.float32)

    def results(layout):
        variable = Variable(np.ones((3, 4), np.float32))
        optimizers.Adam(clipnorm=1.0).apply([layout(x)], [variable])
        tanh, mish = activations.tanh, activations.mish
        values = [losses.MeanSquaredError()(layout(x), layout(y)), losses.KLDivergence()(layout(x), layout(y))]
        return [variable.numpy(), tanh(layout(x)), mish(layout(x)), activations.softmax(layout(x)), *values]

    for found, wanted in zip(results(layout), results(np.array), strict=True):
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (layers.Softmax(), (0, 5, 6)),
        (layers.Conv1D(4, 3, groups=2), (0, 3, 4)),
        (layers.GroupNormalization(2), (0, 5, 6)),
        (layers.Attention(), (0, 5, 6)),
        (layers.AdditiveAttention(), (0, 5, 6)),
        (layers.Dot(1), (0, 6, 6)),
        (layers.LSTM(3), (0, 3)),
        (layers.Dense(2, activation="softmax"), (0, 5, 2)),
    ],
)
def test_no_rows_give_no_rows(layer, shape):
    x = np.zeros((0, 5, 6), np.float32)
    pair = isinstance(layer, (layers.Attention, layers.AdditiveAttention, layers.Dot))
    assert layer([x, x] if pair else x).shape == shape


# Code written for tensors, which `+=` does not change, must not change arrays that are another's.


class Scaled(layers.Layer):
    def call(self, inputs):
        inputs *= 2.0
        inputs += np.float64(1)
        return inputs


class Residual(layers.Layer):
    def __init__(self):
        super().__init__()
        self.dropout = layers.Dropout(0.5)

    def call(self, inputs, training=False):
        left = self.dropout(inputs, training=training)
        left += 1
        return left + inputs


@pytest.mark.parametrize(("layer", "wanted"), [(Scaled, 3), (Residual, 3)])
def test_a_layer_that_adds_in_place_changes_neither_the_data_nor_other_branches(layer, wanted):
    x = np.ones((3, 2), np.float32)
    inputs = Input((2,))
    doubled = layers.Rescaling(1.0)(inputs)
    models = [Sequential([Input((2,)), layer()]), Model(inputs, [doubled, layer()(doubled)])]
    for model in models:
        for outputs in (model.predict(x, verbose=0), model.predict_on_batch(x), model(x)):
            *others, last = outputs if isinstance(outputs, (list, tuple)) else [outputs]
            assert last.dtype == np.float32
            np.testing.assert_array_equal(last, np.full((3, 2), wanted))
            for other in others:
                np.testing.assert_array_equal(other, np.ones((3, 2)))
    np.testing.assert_array_equal(layer()(x), np.full((3, 2), wanted))
    np.testing.assert_array_equal(x, np.ones((3, 2)))


def error_in_place(y_true, y_pred):
    y_true -= 1
    y_pred -= y_true
    return (y_pred * y_pred).mean(axis=-1)


def derivative_in_place(y_true, y_pred):
    y_true -= 1
    y_pred -= y_true
    y_pred *= 2 / y_pred.shape[-1]
    return y_pred


error_in_place.gradient = derivative_in_place


class ErrorInPlace(losses.Loss):
    def call(self, y_true, y_pred):
        return error_in_place(y_true, y_pred)

    def gradient(self, y_true, y_pred):
        return derivative_in_place(y_true, y_pred)


class Counting(metrics.Mean):
    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true *= 0
        y_pred *= 0
        super().update_state(1.0)


@pytest.mark.parametrize("loss", [error_in_place, ErrorInPlace()])
def test_losses_and_metrics_that_subtract_in_place_change_neither_targets_nor_predictions(loss, rng):
    x, y = rng.standard_normal((6, 2)).astype("float32"), rng.standard_normal((6, 3)).astype("float32")
    told = []
    for given, targets, counted in ((loss, y.copy(), [error_in_place, Counting()]), ("mse", y - 1, [])):
        model = Sequential([Input((2,)), layers.Dense(3, kernel_initializer="ones")])
        model.compile("sgd", given, metrics=counted)
        before = targets.copy()
        history = model.fit(x, targets, batch_size=3, epochs=3, shuffle=False, verbose=0).history["loss"]
        evaluated = model.evaluate(x, targets, verbose=0, return_dict=True)["loss"]
        np.testing.assert_array_equal(targets, before)
        told.append([*history, evaluated])
    np.testing.assert_allclose(told[0], told[1], rtol=1e-5)


@pytest.mark.parametrize("layer", [layers.Identity(), layers.Cropping1D(0), layers.TimeDistributed(layers.Identity())])
@pytest.mark.parametrize("batch_size", [2, 4])
def test_predictions_have_memory_of_their_own(layer, batch_size):
    x = np.ones((4, 3, 2), np.float32)
    model = Sequential([Input((3, 2)), layer])
    for predicted in (model.predict(x, batch_size=batch_size, verbose=0), model.predict_on_batch(x)):
        predicted += 1
    np.testing.assert_array_equal(x, np.ones((4, 3, 2)))


IN_PLACE = {
    operator.iadd: 5,
    operator.isub: 1,
    operator.imul: 6,
    operator.itruediv: 1.5,
    operator.ifloordiv: 1,
    operator.imod: 1,
    operator.ipow: 9,
}


@pytest.mark.parametrize(("operate", "wanted"), IN_PLACE.items())
@pytest.mark.parametrize("other", [2, np.float64(2), np.full(2, 2.0)])
def test_operators_in_place_make_new_arrays_of_the_same_dtype(operate, wanted, other):
    x = np.full((2, 2), 3, np.float32)
    eager = layers.Identity()(x)
    changed = operate(eager, other)
    assert changed.dtype == np.float32
    assert changed.tolist() == [[wanted] * 2] * 2
    assert x.tolist() == eager.tolist() == [[3, 3], [3, 3]]


def test_rows_of_a_result_may_be_changed():
    eager = layers.Rescaling(1.0)(np.ones((2, 2), np.float32))
    eager[0] += 1
    assert eager.tolist() == [[2, 2], [1, 1]]


def test_results_are_printed_with_the_digits_of_their_dtype():
    x = np.array([[0.3, 0.1], [1e-5, 2]], np.float32)
    eager = layers.Identity()(x)
    for print_one in (str, repr, "{}".format):
        assert print_one(eager) == print_one(x)
    assert str(eager[0, 0]) == str(x[0, 0])


def test_what_operators_and_indices_make_of_a_variable_are_tensors():
    kernel = Variable(np.array([[1, 2], [3, 4]], np.float32))
    made = [kernel * 2, 2 * kernel, -kernel, kernel @ kernel, kernel[:, 0], kernel[0, 0], np.exp(kernel), kernel == 1]
    made += [*np.divmod(kernel, 2), *kernel]
    assert all(isinstance(one.numpy(), (np.ndarray, np.generic)) for one in made)
    column = kernel[:, 0]
    column += 1  # another array: the weight stays
    assert kernel.numpy().tolist() == [[1, 2], [3, 4]]
    out = np.empty((2, 2), np.float32)
    assert np.add(kernel, 1, out=out) is out


def test_a_variable_is_rounded_and_true_as_its_value_is():
    rate, row = Variable(np.float32(0.12345)), Variable(np.array([0.16, 1.24], np.float32))
    assert round(rate, 2) == 0.12 and round(rate) == 0
    assert round(row, 1).numpy().tolist() == np.array([0.2, 1.2], np.float32).tolist()
    assert round(row).numpy().tolist() == [0, 1]
    assert rate and not Variable(np.float32(0)) and not Variable(np.zeros(1))
    with pytest.raises(ValueError, match="ambiguous"):
        bool(row)


@pytest.mark.parametrize("name", ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul"])
def test_an_operator_in_place_makes_a_tensor_and_leaves_the_variable(name):
    kernel = Variable(np.array([[1, 2], [3, 4]], np.float32))
    made = getattr(operator, f"i{name}")(kernel, np.full((2, 2), 2, np.float32))
    wanted = getattr(operator, name)(np.array([[1, 2], [3, 4]], np.float32), np.full((2, 2), 2, np.float32))
    np.testing.assert_array_equal(made.numpy(), wanted, strict=True)
    assert kernel.numpy().tolist() == [[1, 2], [3, 4]]


def test_numpy_does_not_write_into_a_variable():
    kernel = Variable(np.ones(2, np.float32), name="kernel")
    message = r"np.add expected an array for out, got variable 'kernel': write variable.assign\(np.add\(...\)\)"
    with pytest.raises(TypeError, match=message):
        np.add(kernel, 1, out=kernel)
    assert kernel.numpy().tolist() == [1, 1]


MASKED = np.ma.masked_equal(np.array([[1.0], [-999.0]]), -999)
FULL = np.ones((2, 1))


@pytest.mark.parametrize(
    "use",
    {
        "x": lambda model: model.fit(MASKED, FULL, verbose=0),
        "y": lambda model: model.fit(FULL, MASKED, verbose=0),
        "weights": lambda model: model.fit(FULL, FULL, sample_weight=MASKED[:, 0], verbose=0),
        "batches": lambda model: model.fit(iter([(MASKED, FULL)]), verbose=0),
        "predict": lambda model: model.predict(MASKED, verbose=0),
        "call": lambda model: model.layers[0](MASKED),
        "set_weights": lambda model: model.set_weights([MASKED[1:], [0.0]]),
        "true": lambda _: losses.MeanSquaredError()(MASKED, FULL),
        "pred": lambda _: losses.MeanSquaredError()(FULL, MASKED),
        "loss's weights": lambda _: losses.MeanSquaredError()(FULL, FULL, sample_weight=MASKED[:, 0]),
        "metric's weights": lambda _: metrics.MeanSquaredError()(FULL, FULL, sample_weight=MASKED[:, 0]),
        "recall's weights": lambda _: metrics.Recall()(FULL, FULL, sample_weight=MASKED[:, 0]),
        "assign": lambda model: model.layers[0].bias.assign(MASKED[1]),
        "assign_add": lambda model: model.layers[0].kernel.assign_add(MASKED[1:]),
        "constant": lambda _: tf.constant(MASKED),
        "panel": lambda _: Panel.from_arrays([MASKED[:, 0]]),
        "metric": lambda _: metrics.MeanAbsoluteError()(MASKED, FULL),
        "r2": lambda _: metrics.R2Score()(FULL, MASKED),
        "auc": lambda _: metrics.AUC()(FULL, MASKED),
        "precision": lambda _: metrics.Precision()(MASKED, FULL),
        "iou": lambda _: metrics.BinaryIoU()(FULL, MASKED),
        "adapt": lambda _: layers.Normalization().adapt(MASKED),
        "accuracy": lambda _: metrics.Accuracy()(MASKED, FULL),
        "time distributed": lambda _: layers.TimeDistributed(layers.Dense(1))(MASKED[:, None]),
        "to_categorical": lambda _: utils.to_categorical(MASKED, 2),
        "normalize": lambda _: utils.normalize(MASKED),
        "pad_sequences": lambda _: utils.pad_sequences(MASKED.T),
    }.items(),
    ids=lambda item: item[0],
)
def test_masked_numbers_are_refused(use):
    """The data of a sensor with gaps would count its fill values, -999 and the like."""
    model = Sequential([Input((1,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match=r"a masked array, 1 of \d masked: x\.filled\(0\.0\) gives .* sample_weight="):
        use[1](model)


def test_masked_arrays_without_a_mask_are_arrays():
    model = Sequential([Input((1,)), layers.Dense(1)])
    x = np.ma.masked_equal(FULL, 7)
    np.testing.assert_array_equal(model.predict(x, verbose=0), model.predict(FULL, verbose=0))


def test_numbers_that_numpy_does_not_know_are_told(rng):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    model = Sequential([Input((3,)), layers.Dense(1)])
    with pytest.raises(ValueError, match=r"got an array of dtype bfloat16: .* as with \.astype\('float32'\)"):
        model.predict(rng.standard_normal((2, 3)).astype(ml_dtypes.bfloat16), verbose=0)
