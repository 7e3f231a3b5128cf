"""Arrays that native code cannot read as they lie: whatever a caller brings gives what a plain copy of it gives."""

import numpy as np
import pytest

from recurra import Sequential, activations, layers, losses, optimizers, utils
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
    with pytest.raises(ValueError, match="expected numbers, got an array of dtype object"):
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
        states = [layout(np.ones((5, 4), dtype))] * model.layers[0].cell.states
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
