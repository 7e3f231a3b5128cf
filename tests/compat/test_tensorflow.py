"""`recurra.compat.tensorflow` gives what notebooks use of TensorFlow, with TensorFlow's dtypes and shapes."""

import copy
import pickle
from collections import Counter

import numpy as np
import pandas as pd
import pytest

import recurra
import recurra.compat.tensorflow as tf


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (1, tf.int32),
        (1.5, tf.float32),
        ([[1.0, 2.0]], tf.float32),
        ([1, 2], tf.int32),
        (True, tf.bool),
        (np.zeros(2), tf.float64),
        (np.zeros(2, np.int64), tf.int64),
        ([np.float64(1), 2.0], tf.float64),
        ([2.0, np.float64(1)], tf.float32),
        ([[np.float16(1)]], tf.float16),
        ([np.float32(1), np.float64(1)], tf.float32),
        ([np.float64(1), np.int64(2)], tf.float64),
        ([np.int64(1), 1.5], tf.float32),
        ([np.zeros(2), np.ones(2)], tf.float64),
        ([np.int64(1)], tf.int32),
        ([np.uint8(200), np.uint8(1)], tf.int32),
        ([np.arange(2), np.arange(2)], tf.int32),
        ([tf.argmax([1, 2]), tf.argmax([1, 2])], tf.int64),
    ],
)
def test_numbers_become_float32_and_int32_and_arrays_keep_their_dtype(value, dtype):
    assert tf.constant(value).dtype == tf.convert_to_tensor(value).dtype == dtype


def test_columns_of_pandas_keep_their_dtype():
    table = pd.DataFrame({"price": [1 / 3, 2 / 3], "day": np.array([2**40, 1]), "few": np.array([1, 2], "uint8")})
    for name, dtype in (("price", tf.float64), ("day", tf.int64), ("few", tf.uint8)):
        column = table[name]
        assert tf.constant(column).dtype == tf.convert_to_tensor(column).dtype == dtype
        assert tf.constant(column).numpy().tolist() == column.tolist()
        assert next(iter(tf.data.Dataset.from_tensor_slices(column))).dtype == dtype
    assert tf.constant(table["day"], dtype=tf.float32).dtype == tf.float32
    rows = next(iter(tf.data.Dataset.from_tensor_slices(dict(table))))
    assert {name: value.dtype for name, value in rows.items()} == {"price": "float64", "day": "int64", "few": "uint8"}


def test_tensors_are_arrays_with_numpy():
    tensor = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    assert isinstance(tensor, np.ndarray)
    assert type(tensor.numpy()) is np.ndarray
    assert (tensor + 1).numpy().tolist() == [[2.0, 3.0], [4.0, 5.0]]


def test_a_number_of_a_tensor_or_variable_may_be_a_key():
    letters = {0: "a", 1: "b"}
    assert letters[tf.random.categorical([[-99.0, 99.0]], 1)[0, 0].numpy()] == "b"
    assert letters[tf.argmax([1.0, 2.0]).numpy()] == "b"
    assert letters[tf.keras.optimizers.Adam().iterations.numpy()] == "a"
    assert type(tf.keras.optimizers.Adam(0.25).learning_rate.numpy()) is np.float32
    assert type(tf.constant([1, 2]).numpy()) is np.ndarray


def test_numbers_of_a_model_are_keys_as_they_come():
    letters = {0: "a", 1: "b"}
    classes = np.argmax(tf.constant([[1.0, 2.0], [4.0, 3.0], [0.0, 9.0]]), axis=-1)
    assert type(classes) is tf.Tensor
    assert [letters[number] for number in classes] == ["b", "a", "b"]
    assert [letters[number] for number in np.where(tf.constant([0.1, 0.9]) > 0.2)[0]] == ["b"]
    assert Counter(classes) == {0: 1, 1: 2}
    assert set(classes) == {0, 1}
    assert {tf.constant(0.5)} == {0.5}
    assert letters[pickle.loads(pickle.dumps(classes[0]))] == letters[copy.deepcopy(classes[0])] == "b"
    with pytest.raises(TypeError, match=r"unhashable type: 'Array', of shape \(3,\)"):
        hash(classes)
    with pytest.raises(TypeError, match="unhashable type: 'Variable'"):
        hash(tf.Variable(1))  # its number changes


def test_constant_fills_or_reshapes():
    assert tf.constant(3, shape=(2, 2)).numpy().tolist() == [[3, 3], [3, 3]]
    assert tf.constant([1, 2, 3, 4], shape=(2, 2)).numpy().tolist() == [[1, 2], [3, 4]]
    assert tf.constant([1, 2], dtype=tf.float64).dtype == tf.float64


def test_range_counts_like_tensorflow():
    assert tf.range(3).numpy().tolist() == [0, 1, 2]
    assert tf.range(3).dtype == tf.int32
    assert tf.range(1, 2, 0.5).numpy().tolist() == [1.0, 1.5]
    assert tf.range(1, 2, 0.5).dtype == tf.float32


def test_shapes_change_and_values_stay():
    x = tf.range(6)
    assert tf.reshape(x, (3, -1)).numpy().tolist() == [[0, 1], [2, 3], [4, 5]]
    assert tf.reshape(x, [2, 3, 1]).shape == (2, 3, 1)
    assert tf.expand_dims(x, axis=-1).shape == (6, 1)
    assert tf.squeeze(tf.zeros((1, 2, 1))).shape == (2,)
    assert tf.squeeze(tf.zeros((1, 2, 1)), axis=[0]).shape == (2, 1)
    assert tf.transpose(tf.zeros((2, 3, 4)), perm=[1, 0, 2]).shape == (3, 2, 4)
    assert tf.shape(tf.zeros((2, 3))).numpy().tolist() == [2, 3]
    assert tf.rank(tf.zeros((2, 3))) == 2
    assert tf.size(tf.zeros((2, 3))) == 6


def test_arrays_are_joined_and_cut():
    a, b = tf.zeros((2, 3)), tf.ones((2, 3))
    assert tf.concat([a, b], axis=1).shape == (2, 6)
    assert tf.stack([a, b], axis=1).shape == (2, 2, 3)
    assert [part.numpy().tolist() for part in tf.unstack([[1, 2], [3, 4]], axis=1)] == [[1, 3], [2, 4]]
    assert [part.shape for part in tf.split(tf.range(5), [2, 3])] == [(2,), (3,)]
    assert [part.shape for part in tf.split(tf.range(6), 3)] == [(2,)] * 3
    assert tf.reverse(tf.range(3), axis=[0]).numpy().tolist() == [2, 1, 0]
    assert tf.tile([1, 2], [2]).numpy().tolist() == [1, 2, 1, 2]
    assert tf.gather([10, 20, 30], [2, 0]).numpy().tolist() == [30, 10]


def test_one_hot_leaves_a_foreign_index_cold():
    hot = tf.one_hot([0, 2, -1], depth=3)
    assert hot.dtype == tf.float32
    assert hot.numpy().tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 0]]
    assert tf.one_hot([0, 1], depth=3, axis=0).shape == (3, 2)
    assert tf.one_hot([1], 2, on_value=5.0, off_value=-1.0).numpy().tolist() == [[-1.0, 5.0]]


def test_argmax_is_along_the_first_axis_unless_told():
    x = [[1.0, 9.0], [5.0, 2.0]]
    assert tf.argmax(x).numpy().tolist() == [1, 0]
    assert tf.argmax(x, axis=-1).numpy().tolist() == [1, 0]
    assert tf.argmax(x).dtype == tf.int64
    assert tf.argmin(x, axis=1, output_type=tf.int32).dtype == tf.int32


def test_reductions_keep_the_dtype():
    x = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    assert tf.reduce_mean(x).numpy() == 2.5
    assert tf.reduce_sum(x, axis=0).numpy().tolist() == [4.0, 6.0]
    assert tf.reduce_max(x, axis=[0, 1], keepdims=True).shape == (1, 1)
    assert tf.reduce_mean([1, 2]).numpy() == 1  # whole numbers in, a whole number out
    assert tf.math.reduce_std(x).dtype == tf.float32


def test_elementwise_functions_stay_in_float32():
    for function in (tf.exp, tf.tanh, tf.sigmoid, tf.math.log, tf.square, tf.nn.relu, tf.nn.softmax):
        assert function(tf.constant([0.5, 1.0])).dtype == tf.float32
        assert function([0.5, 1.0]).dtype == tf.float32
    np.testing.assert_allclose(tf.sigmoid(0.0), 0.5)
    np.testing.assert_allclose(tf.nn.softmax([[0.0, 0.0]]), [[0.5, 0.5]])
    np.testing.assert_allclose(tf.nn.softmax([1000.0, 0.0]), [1.0, 0.0])
    assert tf.add(tf.constant([1.0]), 1).dtype == tf.float32
    assert tf.matmul(tf.ones((2, 3)), tf.ones((3, 4))).shape == (2, 4)
    assert tf.where([True, False], [1.0, 2.0], [3.0, 4.0]).numpy().tolist() == [1.0, 4.0]


def test_the_same_seed_gives_the_same_numbers():
    def draw():
        tf.random.set_seed(5)
        layer = tf.keras.layers.Dense(2)
        return tf.random.normal((2, 3)), tf.random.uniform([4], 0, 10, tf.int32), layer(np.ones((1, 2)))

    first, second = draw(), draw()
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    assert first[0].dtype == tf.float32
    assert first[1].dtype == tf.int32


SEEDED = {
    "uniform": lambda seed: tf.random.uniform([3], seed=seed),
    "normal": lambda seed: tf.random.normal([3], seed=seed),
    "K.random_normal": lambda seed: tf.keras.backend.random_normal([3], seed=seed),
    "K.random_uniform": lambda seed: tf.keras.backend.random_uniform([3], seed=seed),
    "truncated_normal": lambda seed: tf.random.truncated_normal([3], seed=seed),
    "categorical": lambda seed: tf.random.categorical([[0.0, 0.0]], 60, seed=seed),
    "shuffle": lambda seed: tf.random.shuffle(tf.range(60), seed=seed),
    "dropout": lambda seed: tf.nn.dropout(tf.ones(60), 0.5, seed=seed),
}


@pytest.mark.parametrize("start", [tf.random.set_seed, tf.keras.utils.set_random_seed])
@pytest.mark.parametrize("name", SEEDED)
def test_a_seed_gives_other_numbers_at_each_call_and_the_same_after_set_seed(name, start):
    def draw():
        return [SEEDED[name](3).tolist(), SEEDED[name](7).tolist(), SEEDED[name](3).tolist()]

    start(1)
    first = draw()
    assert first[0] != first[2] and first[0] != first[1]
    with recurra.random.seeded(2):
        draw()  # a stream of its own
    fourth = SEEDED[name](3).tolist()
    start(1)
    assert [*draw(), SEEDED[name](3).tolist()] == [*first, fourth]


def test_initializers_without_a_seed_draw_anew():
    for make in (tf.random_normal_initializer, tf.random_uniform_initializer):
        free, seeded = make(), make(seed=3)
        tf.random.set_seed(1)
        first = free(shape=[3]).tolist()
        assert free(shape=[3]).tolist() != first
        tf.random.set_seed(1)
        assert free(shape=[3]).tolist() == first
        assert seeded(shape=[3]).tolist() == seeded(shape=[3]).tolist()


def test_initializers_beside_keras_are_those_of_keras_in_files(tmp_path):
    layer = tf.keras.layers.Dense(
        2,
        kernel_initializer=tf.random_normal_initializer(stddev=0.5),
        bias_initializer=tf.constant_initializer([1, 2]),
    )
    config = layer.get_config()
    model = tf.keras.Sequential([tf.keras.Input((3,)), layer])
    model.save(tmp_path / "model.keras")
    loaded = tf.keras.models.load_model(tmp_path / "model.keras").layers[0]
    assert loaded.bias.numpy().tolist() == [1.0, 2.0]
    for name, cls in (("kernel_initializer", "RandomNormal"), ("bias_initializer", "Constant")):
        assert (config[name]["module"], config[name]["class_name"]) == ("keras.initializers", cls)
        assert type(getattr(loaded, name)) is getattr(recurra.initializers, cls)


def test_a_list_of_constants_takes_the_shape():
    constants = tf.constant_initializer([0, 1, 2, 3, 4, 5, 6, 7])
    assert constants(shape=[2, 4]).numpy().tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert constants((2, 4)).dtype == tf.int32 and constants((8,), tf.float32).dtype == tf.float32
    assert tf.constant_initializer(2)((2, 1)).numpy().tolist() == [[2.0], [2.0]]
    with pytest.raises(ValueError, match=r"cannot reshape array of size 8 into shape \(3,4\)"):
        constants(shape=[3, 4])


def test_function_is_a_decorator_that_changes_nothing():
    @tf.function
    def double(x):
        return 2 * x

    @tf.function(jit_compile=True)
    def triple(x):
        return 3 * x

    assert (double(2), triple(2)) == (4, 6)
    for function in (double, triple):
        with pytest.raises(
            NotImplementedError, match="a call: there is no graph, got get_concrete_function: call the f"
        ):
            function.get_concrete_function(tf.TensorSpec([None]))


def test_notebooks_import_from_the_submodules():
    from recurra.compat.tensorflow import keras
    from recurra.compat.tensorflow.keras import Sequential
    from recurra.compat.tensorflow.keras.callbacks import EarlyStopping
    from recurra.compat.tensorflow.keras.layers import LSTM, Dense
    from recurra.compat.tensorflow.keras.models import load_model
    from recurra.compat.tensorflow.keras.optimizers import Adam
    from recurra.compat.tensorflow.keras.preprocessing.sequence import pad_sequences
    from recurra.compat.tensorflow.keras.utils import to_categorical

    assert keras.layers.LSTM is LSTM is recurra.layers.LSTM
    assert Dense is recurra.layers.Dense
    assert Sequential is recurra.Sequential
    assert load_model is recurra.models.load_model
    assert EarlyStopping is recurra.callbacks.EarlyStopping
    assert Adam is recurra.optimizers.Adam
    assert pad_sequences is recurra.utils.pad_sequences
    assert to_categorical is recurra.utils.to_categorical


def test_schedules_imported_from_their_module_are_those_that_optimizers_know():
    from recurra.compat.tensorflow.keras.optimizers.schedules import ExponentialDecay

    assert ExponentialDecay.__module__ == "recurra.optimizers.schedules"
    assert float(recurra.optimizers.Adam(ExponentialDecay(0.5, 10, 0.9)).learning_rate) == 0.5


def test_clear_session_starts_the_names_anew():
    tf.keras.backend.clear_session()
    assert tf.keras.layers.LSTM(1).name == "lstm"
    assert tf.keras.layers.LSTM(1).name == "lstm_1"
    tf.keras.backend.clear_session()
    assert tf.keras.layers.LSTM(1).name == "lstm"


def test_whole_numbers_beyond_int32_are_int64_and_never_wrap():
    assert tf.constant(2**40).dtype == tf.convert_to_tensor([3_000_000_000]).dtype == tf.int64
    assert tf.constant([3_000_000_000]).numpy().tolist() == [3_000_000_000]
    assert tf.constant([2**31 - 1, -(2**31)]).dtype == tf.int32
    assert tf.range(2**33, 2**33 + 2).numpy().tolist() == [2**33, 2**33 + 1]
    for value, dtype in ((2**70, None), (2**63, None), (300, tf.uint8), (-1, tf.uint8), (2**40, tf.int32)):
        with pytest.raises(ValueError, match="convert_to_tensor expected"):
            tf.constant(value, dtype)
    with pytest.raises(TypeError, match=r"whole numbers for int32, got 1\.7"):
        tf.constant(1.7, dtype=tf.int32)


def test_none_is_no_tensor():
    for make in (tf.constant, tf.convert_to_tensor, lambda given: tf.cast(given, "float32")):
        with pytest.raises(ValueError, match="convert_to_tensor expected numbers, got None"):
            make(None)


def test_math_has_all_of_its_names():
    names = {}
    exec("from recurra.compat.tensorflow.math import *", names)
    assert set(tf.math.__all__) <= set(names)
    assert float(tf.math.sqrt(4.0)) == 2.0
    sums = tf.math.cumsum([[1, 2], [3, 4]])
    assert sums.dtype == tf.int32 and sums.numpy().tolist() == [[1, 2], [4, 6]]


def test_shapes_are_those_of_tensorflow():
    assert tf.sigmoid(0.0).shape == ()
    assert tf.where([[True, False], [True, True]]).numpy().tolist() == [[0, 0], [1, 0], [1, 1]]
    assert tf.where([True, False], [1, 2], [3, 4]).numpy().tolist() == [1, 4]
    assert tf.matmul([[1.0, 2.0]], [[3.0, 4.0]], transpose_b=True).numpy().tolist() == [[11.0]]
    assert tf.matmul([[1.0], [2.0]], [[3.0], [4.0]], transpose_a=True).numpy().tolist() == [[11.0]]
    assert tf.reshape(tf.range(4), -1).shape == (4,)
    assert tf.reshape(tf.range(4), tf.constant([2, 2])).shape == (2, 2)


def test_windows_of_utils_can_be_taken_and_are_tensors():
    dataset = recurra.utils.timeseries_dataset_from_array(np.arange(9), np.arange(9), 3, batch_size=2)
    ((x, y),) = dataset.take(1)
    assert x.numpy().tolist() == [[0, 1, 2], [1, 2, 3]] and y.numpy().tolist() == [0, 1]


W = tf.constant([[3.0, -4.0]])


@pytest.mark.parametrize(
    ("compute", "wanted"),
    [
        (lambda: tf.keras.activations.relu(tf.constant([-10.0, 5.0])), [0, 5]),
        (lambda: tf.keras.activations.relu([-10.0, 5.0], max_value=1), [0, 1]),
        (lambda: tf.keras.activations.linear(np.float32([1, 2])), [1, 2]),
        (lambda: tf.keras.activations.threshold(tf.constant([-10.0, 5.0]), 1, 2), [2, 5]),
        (lambda: tf.keras.optimizers.schedules.CosineDecay(0.5, 10)(5), 0.25),
        (lambda: tf.keras.optimizers.schedules.PiecewiseConstantDecay([1], [0.5, 0.25])([1, 2]), [0.5, 0.25]),
        (lambda: tf.keras.initializers.Zeros()(shape=(1, 2)), [[0, 0]]),
        (lambda: tf.keras.initializers.Identity()(shape=(1, 2)), [[1, 0]]),
        (lambda: tf.keras.regularizers.L2(0.5)(W), 12.5),
        (lambda: tf.keras.regularizers.L1(0.5)(W), 3.5),
        (lambda: tf.keras.constraints.NonNeg()(W), [[3, 0]]),
        (lambda: tf.keras.utils.normalize(tf.constant([[0.0, 2.0]])), [[0, 1]]),
        (lambda: tf.keras.utils.to_categorical(tf.constant([1]), 2), [[0, 1]]),
        (lambda: recurra.losses.mean_squared_error(np.ones((1, 2)), np.zeros((1, 2))), [1]),
        (lambda: recurra.losses.mean_squared_error([1.0, 2.0], [1.0, 4.0]), 2),
        (lambda: recurra.metrics.binary_accuracy(np.ones((1, 2)), np.float32([[0.2, 0.7]])), [[0, 1]]),
        (lambda: recurra.metrics.accuracy([1, 2], [1, 3]), [1, 0]),
        (lambda: recurra.metrics.pearson_correlation([1.0, 3.0], [2.0, 6.0]), 1),
        (lambda: tf.keras.metrics.mse([1.0, 2.0], [1.0, 4.0]), 2),
    ],
)
def test_what_keras_computes_at_once_has_numpy(compute, wanted):
    assert compute().numpy().tolist() == wanted


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rates_and_penalties_are_of_the_float_dtype_and_training_takes_them_unrounded(dtype):
    rate = recurra.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)(3)
    assert rate.dtype == "float32" and float(rate) == np.float32(0.1 * 0.5**0.3)
    w = np.array([[0.1, 0.2]], dtype)
    layer = recurra.layers.Dense(2, kernel_regularizer=recurra.regularizers.L2(0.3), dtype=dtype)
    layer.build((None, 1))
    layer.kernel.assign(w)
    assert layer.kernel_regularizer(w).dtype == dtype
    assert layer.losses == [float(0.3 * np.square(w).sum())]


def test_layers_and_weights_hold_arrays_of_numpy_s_own():
    x = np.float32([[-1, 2]])
    for layer in (recurra.layers.ReLU(max_value=1), recurra.layers.Activation("relu"), recurra.layers.Softmax()):
        assert type(layer.forward(x)[0]) is np.ndarray
    lstm = recurra.layers.LSTM(2)
    lstm.build((None, 3, 2))
    assert [type(variable.value) for variable in lstm.weights] == [np.ndarray] * 3


CUTS = {
    "convert": tf.convert_to_tensor,
    "reshape": lambda x: tf.reshape(x, (3, 2)),
    "transpose": tf.transpose,
    "expand": lambda x: tf.expand_dims(x, 0),
    "squeeze": tf.squeeze,
    "split": lambda x: tf.split(x, 2)[0],
    "slice": lambda x: tf.slice(x, [0, 0], [1, 2]),
    "constant": tf.constant,
}


@pytest.mark.parametrize("cut", CUTS)
def test_tensors_follow_neither_an_array_nor_a_variable(cut):
    array = np.arange(6.0).reshape(2, 3)
    weight = recurra.Variable(array)
    variable = tf.Variable(array)
    tensors = [CUTS[cut](source) for source in (array, weight, variable)]
    before = tensors[0].tolist()
    array += 9
    weight.assign(array)
    variable.assign(array)
    assert [tensor.tolist() for tensor in tensors] == [before] * 3


def test_what_is_read_from_a_variable_stays_and_numpy_is_a_copy():
    variable = tf.Variable([1.0, 2.0])
    read = [variable.read_value(), variable.value(), variable[...], variable[:2], variable.numpy()]
    variable.assign([5.0, 6.0])
    assert [one.tolist() for one in read] == [[1.0, 2.0]] * 5
    tensor = tf.constant([1.0, 2.0])
    tensor.numpy()[...] = 0
    assert tensor.numpy().tolist() == [1.0, 2.0]


def test_windows_of_utils_do_not_follow_the_array():
    series = np.arange(6.0)
    windows = tf.keras.utils.timeseries_dataset_from_array(series, series, 3, batch_size=4)
    series[...] = 0
    ((x, y),) = windows
    assert (x[-1].tolist(), y.tolist()) == ([3.0, 4.0, 5.0], [0.0, 1.0, 2.0, 3.0])
