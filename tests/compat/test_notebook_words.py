"""What notebooks written for TensorFlow use beside layers, each compared with TensorFlow's own answer."""

import json
import sys
import warnings
from collections import OrderedDict

import numpy as np
import pytest

import recurra
import recurra.compat.tensorflow as tf
import recurra.compat.tensorflow.keras.backend as K
from recurra.compat.tensorflow.keras.preprocessing import sequence, text

NAN, INF = float("nan"), float("inf")
LABELS, SHARES = tf.constant([0, 2]), tf.constant([[0.2, 0.3, 0.5], [0.1, 0.1, 0.8]])
SCORES = [[2.0, 1.0], [0.0, 3.0]]


@pytest.mark.parametrize(
    "given, wanted, dtype",
    [
        (lambda: tf.clip_by_value([1.0, 5.0, -2.0], 0.0, 3.0), [1, 3, 0], "float32"),
        (lambda: tf.pad([[1, 2]], [[0, 0], [1, 1]]), [[0, 1, 2, 0]], "int32"),
        (lambda: tf.pad([1, 2, 3], [[2, 0]], mode="REFLECT"), [3, 2, 1, 2, 3], "int32"),
        (lambda: tf.roll([1, 2, 3], 1, 0), [3, 1, 2], "int32"),
        (lambda: tf.repeat([1, 2], 2), [1, 1, 2, 2], "int32"),
        (lambda: tf.sort([3, 1, 2], direction="DESCENDING"), [3, 2, 1], "int32"),
        (lambda: tf.argsort([3, 1, 3, 2]), [1, 3, 0, 2], "int32"),
        (lambda: tf.argsort([3, 1, 3, 2], direction="DESCENDING"), [0, 2, 3, 1], "int32"),
        (lambda: tf.cumsum([1, 2, 3]), [1, 3, 6], "int32"),
        (lambda: tf.cumsum([1, 2, 3], exclusive=True), [0, 1, 3], "int32"),
        (lambda: tf.cumsum([[1.0, 2.0, INF]], 1, reverse=True, exclusive=True), [[INF, INF, 0]], "float32"),
        (lambda: tf.math.cumprod([[2, 3, 4]], axis=-1, exclusive=True), [[1, 2, 6]], "int32"),
        (lambda: tf.math.cumprod([2, 3, 4], reverse=True), [24, 12, 4], "int32"),
        (lambda: tf.eye(2, 1, batch_shape=[2]), [[[1], [0]], [[1], [0]]], "float32"),
        (lambda: tf.linspace([0.0, 5.0], [2.0, 5.0], 3, axis=0), [[0, 5], [1, 5], [2, 5]], "float32"),
        (lambda: tf.linspace([0.0, 5.0], [2.0, 5.0], 3, axis=-1), [[0, 1, 2], [5, 5, 5]], "float32"),
        (lambda: tf.gather_nd([[1, 2], [3, 4]], [[1], [0]], batch_dims=1), [2, 3], "int32"),
        (lambda: tf.math.top_k([1.0, 5.0], index_type=tf.int64).indices, [1], "int64"),
        (lambda: tf.linalg.diag([[1, 2]], k=1), [[[0, 1, 0], [0, 0, 2], [0, 0, 0]]], "int32"),
        (lambda: tf.linalg.diag([1.0], k=-1), [[0, 0], [1, 0]], "float32"),
        (lambda: tf.linalg.diag_part([[1, 2, 3], [4, 5, 6]], k=1), [2, 6], "int32"),
        (lambda: tf.transpose([[1, 2]], conjugate=True), [[1], [2]], "int32"),
        (lambda: tf.linalg.matrix_transpose([[1, 2]], conjugate=True), [[1], [2]], "int32"),
        (lambda: K.permute_dimensions(tf.constant([[1, 2]]), pattern=(1, 0)), [[1], [2]], "int32"),
        (lambda: tf.Variable([1, 2], shape=(2,)), [1, 2], "int32"),
        (lambda: tf.boolean_mask([[1, 2], [3, 4]], [False, True]), [[3, 4]], "int32"),
        (lambda: tf.boolean_mask([[1, 2], [3, 4]], [False, True], axis=1), [[2], [4]], "int32"),
        (lambda: tf.slice([[1, 2], [3, 4]], [0, 1], [-1, 1]), [[2], [4]], "int32"),
        (lambda: tf.reduce_any([[True, False]], axis=1), [True], "bool"),
        (lambda: tf.reduce_all([True, False]), False, "bool"),
        (lambda: tf.not_equal([1, 2], [1, 3]), [False, True], "bool"),
        (lambda: tf.logical_and([True, True], [False, True]), [False, True], "bool"),
        (lambda: tf.tensordot([[1.0, 2.0]], [[3.0], [4.0]], 1), [[11]], "float32"),
        (lambda: tf.norm([3.0, 4.0]), 5, "float32"),
        (lambda: tf.norm([[3.0, 4.0], [6.0, 8.0]], axis=1), [5, 10], "float32"),
        (lambda: tf.add_n([[1, 2], [3, 4]]), [4, 6], "int32"),
        (lambda: tf.where([True, False], 1, 2), [1, 2], "int32"),
        (lambda: tf.where([True, False], 1.0, 0), [1, 0], "float32"),
        (lambda: tf.math.mod(5, 3), 2, "int32"),
        (lambda: tf.dtypes.cast([1.5], tf.int32), [1], "int32"),
        (lambda: tf.math.is_nan([1.0, NAN, INF]), [False, True, False], "bool"),
        (lambda: tf.math.is_inf([1.0, NAN, -INF]), [False, False, True], "bool"),
        (lambda: tf.math.is_finite([1.0, NAN, INF]), [True, False, False], "bool"),
        (lambda: tf.math.divide_no_nan([[1.0, NAN]], [[0.0], [4.0]]), [[0, 0], [0.25, NAN]], "float32"),
        (lambda: tf.math.divide_no_nan(tf.constant([1.0, 2.0]), 2.0), [0.5, 1], "float32"),
        (lambda: tf.math.divide_no_nan(3.0, 0.0), 0, "float32"),
        (lambda: tf.math.divide_no_nan(np.array([3.0]), np.array([4.0])), [0.75], "float64"),
        (lambda: tf.math.rsqrt([4.0, 0.25]), [0.5, 2], "float32"),
        (lambda: tf.math.expm1(tf.math.log1p([0.0, 1.0])), [0, 1], "float32"),
        (lambda: tf.math.cumprod([[1, 2], [3, 4]], axis=1), [[1, 2], [3, 12]], "int32"),
        (lambda: tf.math.count_nonzero([[0, 1], [2, 3]]), 3, "int64"),
        (lambda: tf.math.count_nonzero([[0.0, 1.0], [2.0, 3.0]], axis=1, keepdims=True), [[1], [2]], "int64"),
        (lambda: tf.math.count_nonzero([True, False], dtype=tf.int32), 1, "int32"),
        (lambda: tf.reduce_logsumexp([[0.0, -INF], [-INF, -INF]], axis=1), [0, -INF], "float32"),
        (lambda: tf.math.reduce_logsumexp([[1000.0], [-INF]], axis=[0, 1], keepdims=True), [[1000]], "float32"),
        (lambda: tf.math.squared_difference([1, 2], [3, 1]), [4, 1], "int32"),
        (lambda: tf.math.truediv(1, 2), 0.5, "float64"),
        (lambda: tf.truediv(tf.constant([1.0]), 2.0), [0.5], "float32"),
        (lambda: tf.math.l2_normalize([[0.0, -4.0], [0.0, 0.0]], axis=1), [[0, -1], [0, 0]], "float32"),
        (lambda: tf.nn.l2_normalize([[2.0, 2.0], [2.0, 2.0]]), [[0.5, 0.5], [0.5, 0.5]], "float32"),
        (lambda: tf.math.top_k([1.0, 5.0, 3.0, 5.0], 2).values, [5, 5], "float32"),
        (lambda: tf.nn.top_k([[1, 5, 3], [9, 8, 9]], k=2).indices, [[1, 2], [0, 2]], "int32"),
        (lambda: tf.math.confusion_matrix([0, 1, 1], [0, 1, 0]), [[1, 0], [1, 1]], "int32"),
        (lambda: tf.math.confusion_matrix([0], [1], 3), [[0, 1, 0], [0, 0, 0], [0, 0, 0]], "int32"),
        (lambda: tf.math.confusion_matrix([0, 0], [1, 1], 2, [0.5, 2.0], tf.float32), [[0, 2.5], [0, 0]], "float32"),
        (lambda: tf.broadcast_to([[1], [2]], (2, 3)), [[1, 1, 1], [2, 2, 2]], "int32"),
        (lambda: tf.ensure_shape([[1.0, 2.0]], (None, 2)), [[1, 2]], "float32"),
        (lambda: tf.sequence_mask([1, 2]), [[True, False], [True, True]], "bool"),
        (lambda: tf.sequence_mask([[1], [5]], maxlen=2, dtype=tf.float32), [[[1, 0]], [[1, 1]]], "float32"),
        (lambda: tf.gather_nd([[1, 2], [3, 4]], [[0, 1], [1, 0]]), [2, 3], "int32"),
        (lambda: tf.gather_nd([[1, 2], [3, 4]], [[1], [0]]), [[3, 4], [1, 2]], "int32"),
        (lambda: tf.gather_nd([[1.0, 2.0], [3.0, 4.0]], [1, 1]), 4, "float32"),
        (lambda: tf.unique([4, 1, 4, 7]).y, [4, 1, 7], "int32"),
        (lambda: tf.unique([4, 1, 4, 7])[1], [0, 1, 0, 2], "int32"),
        (lambda: tf.map_fn(tf.reduce_sum, [[1.0, 2.0], [3.0, 4.0]], parallel_iterations=2), [3, 7], "float32"),
        (lambda: tf.map_fn(lambda pair: pair[0] + pair[1], (tf.range(2), tf.range(2))), [0, 2], "int32"),
        (lambda: tf.map_fn(lambda x: (x, 0.5), tf.range(2), fn_output_signature=tf.float32)[1], [0.5, 0.5], "float32"),
        (lambda: tf.searchsorted([1, 3, 5], [0, 3, 6]), [0, 1, 3], "int32"),
        (lambda: tf.searchsorted([[1, 3], [2, 4]], [[3], [5]], side="right", out_type=tf.int64), [[2], [2]], "int64"),
        (lambda: tf.constant([[1.0, 2.0]])[0, 1], 2, "float32"),
        (lambda: tf.keras.losses.mse([1.0, 2.0], [2.0, 2.0]), 0.5, "float32"),
        (lambda: tf.losses.MeanSquaredError()([1.0, 2.0], [2.0, 2.0]), 0.5, "float32"),
        (lambda: K.mean(tf.constant([True, False])), 0.5, "float32"),
        (lambda: K.std(tf.constant([[1.0, 3.0], [2.0, 2.0]]), axis=1), [1, 0], "float32"),
        (lambda: K.var(tf.constant([1.0, 3.0]), keepdims=True), [1], "float32"),
        (lambda: K.sqrt(tf.constant([4.0, -1.0])), [2, 0], "float32"),
        (lambda: K.clip(tf.constant([-1.0, 5.0]), 0.0, None), [0, 5], "float32"),
        (lambda: K.argmax(tf.constant([[1.0, 2.0], [4.0, 3.0]])), [1, 0], "int64"),
        (lambda: K.argmin(tf.constant([[1.0, 2.0], [4.0, 3.0]])), [0, 1], "int64"),
        (lambda: K.concatenate([tf.ones((1, 1)), tf.zeros((1, 1))]), [[1, 0]], "float32"),
        (lambda: K.expand_dims(tf.constant([1.0])), [[1]], "float32"),
        (lambda: K.flatten(tf.constant([[1.0], [2.0]])), [1, 2], "float32"),
        (lambda: K.one_hot(tf.constant([[0, 5]]), num_classes=2), [[[1, 0], [0, 0]]], "float32"),
        (lambda: K.switch(tf.constant(False), lambda: 1 / 0, lambda: tf.constant(2.0)), 2, "float32"),
        (lambda: K.switch(tf.constant([True, False]), [[1, 2], [5, 6]], [[3, 4], [7, 8]]), [[1, 4], [5, 8]], "int32"),
        (
            lambda: K.switch(tf.constant([[True], [False]]), [[[1, 2]], [[5, 6]]], tf.zeros((2, 1, 2), "int32")),
            [[[1, 2]], [[0, 0]]],
            "int32",
        ),
        (lambda: K.squeeze(tf.ones((2, 1)), axis=-1), [1, 1], "float32"),
        (lambda: K.stack([tf.constant([1, 2]), tf.constant([3, 4])], axis=-1), [[1, 3], [2, 4]], "int32"),
        (lambda: K.constant(3, shape=(2,)), [3, 3], "float32"),
        (lambda: K.relu(tf.constant([-1.0, 2.0, 8.0]), alpha=0.5, max_value=6.0), [-0.5, 2, 6], "float32"),
        (lambda: K.relu(tf.constant([-1.0, 2.0, 8.0]), threshold=3.0), [0, 0, 8], "float32"),
        (lambda: K.l2_normalize(tf.constant([[0.0, -4.0], [0.0, 0.0]]), axis=-1), [[0, -1], [0, 0]], "float32"),
        (lambda: K.dot(tf.ones((1, 2, 2)), tf.constant([[1.0], [2.0]])), [[[3], [3]]], "float32"),
        (lambda: K.permute_dimensions(tf.constant([[1, 2]]), (1, 0)), [[1], [2]], "int32"),
        (lambda: K.gather(tf.constant([[1, 2], [3, 4]]), [1]), [[3, 4]], "int32"),
        (lambda: K.tile(tf.constant([1, 2]), 2), [1, 2, 1, 2], "int32"),
        (lambda: K.repeat_elements(tf.constant([[1, 2]]), 2, axis=1), [[1, 1, 2, 2]], "int32"),
        (lambda: K.cumsum(tf.constant([[1, 2], [3, 4]]), axis=1), [[1, 3], [3, 7]], "int32"),
        (lambda: K.ones((2,), dtype="int32"), [1, 1], "int32"),
        (lambda: K.variable([1, 2]), [1, 2], "float32"),
        (lambda: tf.gather([[1, 2, 3], [4, 5, 6]], [[0, 2], [1, 1]], batch_dims=1), [[1, 3], [5, 5]], "int32"),
        (lambda: tf.gather([[1, 2, 3], [4, 5, 6]], [0, 2], axis=1, batch_dims=1), [1, 6], "int32"),
        (
            lambda: tf.gather(tf.reshape(tf.range(12), (2, 3, 2)), [0, 1], axis=2, batch_dims=1),
            [[0, 2, 4], [7, 9, 11]],
            "int32",
        ),
        (
            lambda: tf.gather(tf.reshape(tf.range(12), (2, 3, 2)), [[0, 1, 1], [1, 1, 0]], batch_dims=-1),
            [[[0, 1], [2, 3], [2, 3]], [[8, 9], [8, 9], [6, 7]]],
            "int32",
        ),
        (
            lambda: tf.math.in_top_k([0, 1, 7], [[0.5, 0.5, 0.5], [0.8, 0.2, 0.1], [0.8, 0.2, 0.1]], k=1),
            [True, False, False],
            "bool",
        ),
        (lambda: tf.nn.moments(tf.constant([[1.0, 2.0], [3.0, 5.0]]), axes=[0])[1], [1, 2.25], "float32"),
        (
            lambda: tf.nn.moments(tf.constant([[1.0, 2.0], [3.0, 5.0]]), axes=[0, 1], keepdims=True)[0],
            [[2.75]],
            "float32",
        ),
        (lambda: tf.nn.embedding_lookup([[1.0, 2.0], [3.0, 5.0]], [[1, 0]]), [[[3, 5], [1, 2]]], "float32"),
        (lambda: tf.linalg.band_part(tf.ones((2, 3)), 0, -1), [[1, 1, 1], [0, 1, 1]], "float32"),
        (
            lambda: tf.linalg.band_part([[1, 2, 3], [4, 5, 6], [7, 8, 9]], 1, 0),
            [[1, 0, 0], [4, 5, 0], [0, 8, 9]],
            "int32",
        ),
        (lambda: tf.linalg.diag([1, 2]), [[1, 0], [0, 2]], "int32"),
        (lambda: tf.linalg.diag_part([[1, 2], [3, 4]]), [1, 4], "int32"),
        (lambda: tf.linalg.trace([[1, 2], [3, 4]]), 5, "int32"),
        (lambda: tf.linalg.matvec([[1.0, 2.0], [3.0, 4.0]], [1.0, 1.0]), [3, 7], "float32"),
        (lambda: tf.linalg.matrix_transpose([[1, 2]]), [[1], [2]], "int32"),
        (lambda: tf.cond(tf.constant(True), lambda: tf.constant(1), lambda: 1 / 0), 1, "int32"),
        (
            lambda: tf.while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, x * 2), (tf.constant(0), tf.constant(1.0)))[
                1
            ],
            8,
            "float32",
        ),
        (
            lambda: tf.while_loop(lambda i: i < 30, lambda i: [i + 1], [tf.constant(0)], maximum_iterations=4)[0],
            4,
            "int32",
        ),
        (lambda: tf.tensor_scatter_nd_update([1, 2, 3], [[0], [2]], [9, 8]), [9, 2, 8], "int32"),
        (lambda: tf.scatter_nd([[0], [2], [0]], [9, 8, 1], [4]), [10, 0, 8, 0], "int32"),
        (lambda: tf.clip_by_norm([3.0, 4.0], 10.0), [3, 4], "float32"),
        (lambda: tf.clip_by_norm([[0.0, 4.0], [0.0, 0.0]], 1.0, axes=[1]), [[0, 1], [0, 0]], "float32"),
        (lambda: K.sum(K.round(K.log(K.exp(tf.constant([1.0, 2.0]))))), 3, "float32"),
    ],
)
def test_functions_of_tensors(given, wanted, dtype):
    found = given().numpy()
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    "found, wanted",
    [
        (lambda: K.sparse_categorical_crossentropy(LABELS, SHARES), [1.609438, 0.223144]),
        (lambda: K.sparse_categorical_crossentropy(LABELS, SHARES, from_logits=True), [1.239831, 0.689727]),
        (lambda: K.sparse_categorical_crossentropy(LABELS, SHARES, ignore_class=0), [0.0, 0.223144]),
        (lambda: K.categorical_crossentropy(tf.one_hot(LABELS, 3), 2 * SHARES), [1.609438, 0.223144]),
        (lambda: K.categorical_crossentropy(tf.one_hot(LABELS, 3), SHARES, True), [1.239831, 0.689727]),
        (lambda: K.binary_crossentropy(tf.constant([[1.0, 0.0]]), tf.constant([[0.2, 0.3]])), [[1.609437, 0.356675]]),
        (lambda: K.binary_crossentropy(tf.constant([[1.0, 0.0]]), tf.constant([[0.0, 1.0]])), [[15.424949, 15.333239]]),
        (lambda: K.binary_crossentropy(tf.constant([1.0]), tf.constant([2.0]), from_logits=True), [0.126928]),
        (lambda: tf.nn.softmax_cross_entropy_with_logits([[1.0, 0.0], [0.3, 0.7]], SCORES), [0.313262, 0.948587]),
        (lambda: tf.nn.softmax_cross_entropy_with_logits([[1.0, 0.0], [0.3, 0.7]], SCORES, 0), [0.765006, 0.08885]),
        (lambda: tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[1, 0], logits=SCORES), [1.313262, 3.048587]),
        (lambda: tf.nn.sigmoid_cross_entropy_with_logits(labels=[1.0, 0.0], logits=[-300.0, 3.0]), [300.0, 3.048587]),
        (lambda: tf.math.log_softmax(tf.constant([[1.0, 2.0]])), [[-1.313262, -0.313262]]),
        (lambda: tf.clip_by_norm([3.0, 4.0], 1.0), [0.6, 0.8]),
    ],
)
def test_crossentropies_and_logs_are_those_of_tensorflow(found, wanted):
    assert type(found()) is tf.Tensor and found().dtype == tf.float32
    np.testing.assert_allclose(found(), wanted, rtol=2e-5)


def test_functions_of_keras_s_backend_that_give_no_tensors():
    assert K.int_shape(tf.ones((2, 3))) == K.int_shape(np.ones((2, 3))) == (2, 3)
    assert K.int_shape(tf.keras.Input((4, 1))) == (None, 4, 1)
    assert K.ndim(tf.keras.Input((4, 1))) == 3
    assert type(K.eval(K.variable([1]))) is type(K.cast_to_floatx([1, 2])) is np.ndarray
    assert K.cast_to_floatx(tf.constant([1, 2])).numpy().dtype == "float32"
    assert K.zeros((2,)).assign_add([1.0, 2.0]).numpy().tolist() == [1.0, 2.0]
    shape = tf.TensorShape([None, 2])
    assert (shape.as_list(), shape.rank, shape) == ([None, 2], 2, (None, 2))
    assert tf.ones((2, 3)).get_shape() == (2, 3)


def test_dropout_of_tf_nn_keeps_the_mean():
    tf.random.set_seed(1)
    dropped = tf.nn.dropout(tf.ones((100, 100)), rate=0.2)
    assert dropped.dtype == tf.float32 and set(np.unique(dropped)) == {0.0, 1.25}
    assert abs(dropped.numpy().mean() - 1) < 0.03
    columns = tf.nn.dropout(tf.ones((4, 50)), 0.5, noise_shape=[1, 50]).numpy()
    assert (columns == columns[0]).all() and 0 < columns[0].mean() < 2
    with pytest.raises(ValueError, match="dropout expected a rate of at least 0 and less than 1, got 1"):
        tf.nn.dropout(tf.ones(2), 1)


CTC = np.array(  # the last class is the blank
    [
        [[0.1, 0.2, 0.7], [0.1, 0.8, 0.1], [0.1, 0.7, 0.2], [0.6, 0.2, 0.2], [0.2, 0.2, 0.6]],
        [[0.5, 0.2, 0.3], [0.4, 0.3, 0.3], [0.1, 0.1, 0.8], [0.1, 0.8, 0.1], [0.1, 0.8, 0.1]],
    ],
    "float32",
)


def test_what_ctc_models_give_is_decoded_as_by_tensorflow():
    (classes,), costs = K.ctc_decode(CTC, np.array([5, 3]), greedy=True)
    assert classes.dtype == tf.int64
    assert classes.numpy().tolist() == [[1, 0, -1, -1, -1], [0, -1, -1, -1, -1]]
    np.testing.assert_allclose(costs, [[1.958144], [1.832581]], rtol=1e-5)
    (classes,), costs = K.ctc_decode(CTC, np.array([1, 1]))
    assert classes[:, 0].numpy().tolist() == [-1, 0]
    np.testing.assert_allclose(costs, [[0.356675], [0.693147]], rtol=1e-5)
    found = K.ctc_batch_cost(np.array([[0, 1], [1, 0]]), CTC, np.array([[5], [3]]), np.array([[2], [1]]))
    np.testing.assert_allclose(found, [[3.094006], [1.65026]], rtol=1e-5)
    with pytest.raises(ValueError, match="ctc_decode expected greedy=True, got greedy=False: there is no beam search"):
        K.ctc_decode(CTC, [5, 3], greedy=False)


def test_shapes_and_counts_that_do_not_fit_are_errors():
    with pytest.raises(ValueError, match=r"a shape that fits \(1, 2\), got \(None, 3\)"):
        tf.ensure_shape([[1.0, 2.0]], (None, 3))
    with pytest.raises(ValueError, match="top_k expected k of at most 2, the length of the last axis, got 3"):
        tf.math.top_k([1, 2], 3)
    with pytest.raises(TypeError, match=r"ones expected a dtype after the shape, got 3: write tf\.ones\(\(2, 3\)\)"):
        tf.ones(2, 3)
    with pytest.raises(ValueError, match=r"unique expected a vector, got shape \(1, 2\): reshape it"):
        tf.unique([[1, 2]])
    with pytest.raises(ValueError, match=r"band_part expected matrices, got shape \(\)"):
        tf.linalg.band_part(1.0, 0, 0)
    with pytest.raises(TypeError, match=r"diag_part expected k to be the number of one diagonal, got \(0, 1\)"):
        tf.linalg.diag_part([[1]], k=(0, 1))
    with pytest.raises(ValueError, match=r"Variable expected the shape \(1,\) of its value, got \(None,\): .*keeps"):
        tf.Variable([1.0], shape=[None])


@pytest.mark.parametrize(
    "take, message",
    [
        (lambda: tf.gather([1, 2, 3], [0, -1]), "gather expected indices from 0 to below 3, got -1"),
        (lambda: tf.gather([[1, 2, 3]], [3], axis=1), "gather expected indices from 0 to below 3, got 3"),
        (lambda: tf.nn.embedding_lookup([[1.0], [2.0]], -2), "gather expected indices from 0 to below 2, got -2"),
        (lambda: tf.gather_nd([[1, 2]], [[0, -1]]), r"gather_nd expected indices from 0 to below \(1, 2\), got -1"),
        (lambda: tf.scatter_nd([[-1]], [1], [2]), r"scatter_nd expected indices from 0 to below \(2,\), got -1"),
        (lambda: tf.tensor_scatter_nd_update([1], [[-1]], [2]), "tensor_scatter_nd_update expected .*, got -1"),
    ],
)
def test_places_are_not_counted_from_the_end(take, message):
    with pytest.raises(IndexError, match=message):
        take()


@pytest.mark.filterwarnings("error")
def test_nothing_is_told_of_infinite_numbers_and_nan():
    given = [tf.math.log([0.0]), tf.math.rsqrt([0.0]), tf.divide([1.0], [0.0]), tf.sqrt([-1.0]), tf.exp([1000.0])]
    np.testing.assert_array_equal(tf.concat(given, 0), [-INF, INF, INF, NAN, INF])


def test_functions_take_a_name():
    x = tf.constant([[1.0, 2.0], [3.0, 4.0]], name="n")
    for function, *arguments in (
        (tf.reshape, x, [4]), (tf.cast, x, tf.int32), (tf.concat, [x, x], 0), (tf.reduce_mean, x), (tf.square, x),
        (tf.nn.softmax, x), (tf.nn.relu, x), (tf.nn.moments, x, [0]), (tf.math.top_k, x), (tf.math.cumprod, x),
        (tf.linalg.trace, x), (tf.random.normal, [1]), (tf.random.shuffle, x), (tf.map_fn, tf.square, x),
        (tf.dtypes.cast, x, tf.int32), (tf.cond, True, lambda: 1, lambda: 2), (tf.ones, [2]), (tf.one_hot, [1], 2),
    ):  # fmt: skip
        tf.random.set_seed(1)
        wanted = function(*arguments)
        tf.random.set_seed(1)
        np.testing.assert_array_equal(function(*arguments, name="n"), wanted)
    assert tf.reshape.__name__ == "reshape" and tf.reshape.__doc__.startswith("Returns the same values")
    with pytest.raises(TypeError, match=r"reshape\(\) got an unexpected keyword argument 'nam'"):
        tf.reshape(x, [4], nam="n")


def test_losses_have_the_names_of_their_reductions():
    names = tf.keras.losses.Reduction
    for reduction, wanted in (
        (names.NONE, [1, 4]),
        (names.SUM, 5),
        (names.SUM_OVER_BATCH_SIZE, 2.5),
        (names.AUTO, 2.5),
    ):
        loss = tf.losses.MeanSquaredError(reduction=reduction)
        np.testing.assert_array_equal(loss([[1.0], [2.0]], [[0.0], [0.0]]), wanted)
    from recurra.compat.tensorflow.keras.losses import Reduction

    assert Reduction is names


@pytest.mark.parametrize("module", [tf.keras.metrics, tf.keras.losses, tf.metrics])
def test_functions_of_losses_have_their_short_names(module):
    for short, long in (
        ("mae", "mean_absolute_error"),
        ("mse", "mean_squared_error"),
        ("mape", "mean_absolute_percentage_error"),
        ("msle", "mean_squared_logarithmic_error"),
        ("kld", "kl_divergence"),
    ):
        assert getattr(module, short) is getattr(module, short.upper()) is getattr(module, long)
    assert module.logcosh is module.log_cosh
    assert module.kullback_leibler_divergence is module.kl_divergence
    assert module.MAE([1.0, 2.0], [2.0, 4.0]).numpy() == 1.5


def test_the_version_is_that_of_the_tensorflow_that_is_followed():
    assert tf.__version__ == tf.version.VERSION >= "2.0"
    assert [2, 16] <= [int(part) for part in tf.__version__.split(".")] < [3]  # 2.16 is the first with Keras 3


def test_initializers_beside_keras_start_layers():
    layer = tf.keras.layers.Dense(
        2,
        kernel_initializer=tf.random_uniform_initializer(0.5, 0.75),
        bias_initializer=tf.constant_initializer(3.0),
    )
    layer.build((None, 4))
    kernel, bias = layer.get_weights()
    assert 0.5 <= kernel.min() < kernel.max() <= 0.75
    assert bias.tolist() == [3.0, 3.0]
    assert tf.zeros_initializer()((2,)).tolist() == [0.0, 0.0]
    assert tf.ones_initializer()((2,), tf.float64).dtype == tf.float64
    assert 0 < tf.Variable(tf.random_normal_initializer(stddev=0.1)((50,))).numpy().std() < 0.2


def test_one_entry_of_a_tensor_is_a_tensor():
    model = tf.keras.Sequential([tf.keras.Input((4, 1)), tf.keras.layers.LSTM(3), tf.keras.layers.Dense(1)])
    outputs = model(tf.ones((2, 4, 1)))
    assert outputs[0, 0].numpy() == outputs.numpy()[0, 0]
    assert [row.numpy().shape for row in outputs] == [(1,), (1,)]
    assert [number.numpy().tolist() for number in tf.range(2)] == [0, 1]
    assert round(tf.constant([2.25])[0], 1) == 2.2


def test_set_shape_checks():
    tensor = tf.ones((2, 3))
    tensor.set_shape([None, 3])
    with pytest.raises(ValueError, match=r"set_shape expected a shape that fits \(2, 3\), got \(2, 4\)"):
        tensor.set_shape((2, 4))
    with pytest.raises(ValueError, match="set_shape"):
        tensor.set_shape([None])


def test_random_numbers_have_their_shapes_and_chances():
    tf.random.set_seed(4)
    logits = np.log([[0.7, 0.1, 0.2], [0.0001, 0.9998, 0.0001]])
    drawn = tf.random.categorical(logits, 5000)
    assert drawn.dtype == tf.int64
    np.testing.assert_allclose(np.bincount(drawn[0]) / 5000, [0.7, 0.1, 0.2], atol=0.03)
    assert (drawn[1] == 1).mean() > 0.99
    assert sorted(tf.random.shuffle(tf.range(5)).tolist()) == [0, 1, 2, 3, 4]
    assert abs(tf.random.truncated_normal((1000,), stddev=2.0)).max() <= 4


def test_a_variable_takes_values_and_gives_tensors():
    start = np.array([1.0, 2.0], "float32")
    variable = tf.Variable(start)
    before = variable.numpy()
    doubled = variable * 2
    assert variable.assign_add([1.0, 1.0]) is variable
    variable.assign_sub([0.5, 0.0])
    assert variable.numpy().tolist() == [1.5, 3.0]
    assert before.tolist() == start.tolist() == [1.0, 2.0]
    assert type(doubled) is tf.Tensor
    assert doubled.numpy().tolist() == [2.0, 4.0]
    assert tf.Variable(3).assign(4).numpy() == 4
    assert tf.Variable([1, 2], dtype=tf.float32).dtype == tf.float32
    with pytest.raises(ValueError, match=r"assign expected a value of shape \(2,\), got \(3,\)"):
        variable.assign([1.0, 2.0, 3.0])


def test_a_function_of_a_loss_trains_as_its_name_does():
    x, y = np.ones((6, 4, 1), "float32"), np.arange(6, dtype="float32")
    weights = []
    for loss in ("mse", tf.keras.losses.mean_squared_error, tf.losses.MSE, tf.keras.metrics.mse):
        tf.random.set_seed(1)
        model = tf.keras.Sequential([tf.keras.Input((4, 1)), tf.keras.layers.LSTM(3), tf.keras.layers.Dense(1)])
        model.compile("adam", loss, metrics=[tf.keras.metrics.mean_absolute_error])
        history = model.fit(x, y, epochs=2, verbose=0).history
        assert list(history) == ["loss", "mean_absolute_error"]
        weights.append(model.get_weights())
    for other in weights[1:]:
        for a, b in zip(weights[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "activation, name", [(tf.exp, "exponential"), (tf.identity, "linear"), (K.relu, "relu"), (K.softmax, "softmax")]
)
def test_functions_beside_tf_nn_train_as_activations(activation, name):
    assert tf.keras.layers.Dense(2, activation=activation).activation is recurra.activations.get(name)


ACTIVATIONS = "elu gelu leaky_relu log_softmax relu relu6 selu sigmoid silu softmax softplus softsign tanh"


@pytest.mark.parametrize("name", ACTIVATIONS.split())
def test_an_activation_of_tf_nn_trains_and_is_saved_as_the_name_does(name, tmp_path):
    x, y = np.linspace(-1, 1, 24, dtype="float32").reshape(6, 4, 1), np.ones((6, 2), "float32")
    trained = []
    for activation in (name, getattr(tf.nn, name)):
        tf.random.set_seed(1)
        layers = [
            tf.keras.Input((4, 1)),
            tf.keras.layers.SimpleRNN(3, activation),
            tf.keras.layers.Dense(2, activation),
        ]
        model = tf.keras.Sequential(layers)
        model.compile("sgd", "mse")
        model.fit(x, y, epochs=2, verbose=0)
        trained.append(model)
    for a, b in zip(trained[0].get_weights(), trained[1].get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert trained[1].layers[-1].get_config()["activation"] == name
    trained[1].save(tmp_path / "model.keras")
    loaded = tf.keras.models.load_model(tmp_path / "model.keras")
    assert loaded.layers[-1].activation is recurra.activations.get(name)
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), trained[0].predict(x, verbose=0))


def test_activations_of_tf_nn_keep_the_dtype_and_take_their_options():
    for name in ACTIVATIONS.split():
        function, x = getattr(tf.nn, name), np.array([0.5, -0.5])
        wanted = recurra.activations.get(name)(x)
        for dtype in ("float16", "float32", "float64"):
            y = function(tf.constant(x, dtype))
            assert (type(y), y.dtype) == (tf.Tensor, dtype)
            np.testing.assert_allclose(y, wanted, rtol=2e-3 if dtype == "float16" else 1e-6)
        np.testing.assert_array_equal(function([0.5, -0.5]), function(tf.constant([0.5, -0.5])))
    assert tf.nn.tanh is tf.tanh is tf.math.tanh
    assert tf.nn.swish is tf.nn.silu
    np.testing.assert_allclose(tf.nn.leaky_relu([-4.0, 2.0], alpha=0.1), [-0.4, 2.0])
    np.testing.assert_allclose(tf.nn.gelu([-4.0], approximate=True), [-7.0214e-05], rtol=5e-3)
    np.testing.assert_allclose(tf.nn.log_softmax([[1.0, 1.0], [1.0, 1.0]], axis=0), np.full((2, 2), -0.6931472))


@pytest.mark.parametrize(
    "missing, hint",
    [
        (lambda: tf.GradientTape, "train with model.fit"),
        (lambda: tf.unravel_index, "use numpy.unravel_index"),
        (lambda: tf.ragged, "pad_sequences"),
        (lambda: tf.scan, "coming-from-keras.md"),
        (lambda: tf.nn.dynamic_rnn, "coming-from-keras.md"),
        (lambda: tf.random.Generator, "coming-from-keras.md"),
        (lambda: tf.math.bincount, "numpy.bincount"),
        (lambda: tf.keras.datasets, "load the data with Keras"),
        (lambda: tf.keras.utils.get_file, "coming-from-keras.md"),
        (lambda: tf.data.experimental.make_csv_dataset, "coming-from-keras.md"),
        (lambda: tf.keras.layers.wrappers, "import the layers from keras.layers"),
        (lambda: tf.keras.layers.embeddings, "import the layers from keras.layers"),
        (lambda: tf.keras.layers.merge, "concatenate and the others, with capitals too, from keras.layers"),
        (lambda: tf.keras.wrappers, "write the loop over parameters yourself"),
        (lambda: tf.keras.utils.generic_utils, "import what keras.utils has from there"),
        (lambda: tf.keras.objectives, "use keras.losses"),
        (lambda: tf.keras.layers.TFSMLayer, "it runs another library: make the same layers here"),
        (lambda: tf.data.Dataset.range(3).interleave, "Dataset.from_generator"),
        (lambda: tf.keras.layers.TextVectorization, "keras.preprocessing.text.Tokenizer"),
        (lambda: tf.keras.layers.ConvLSTM2D, "coming-from-keras.md"),
        (lambda: tf.keras.layers.experimental, "use the layers beside it"),
        (lambda: tf.keras.optimizers.experimental, "the optimizers beside it"),
        (lambda: tf.keras.optimizers.legacy, "learning_rate for lr"),
        (lambda: tf.keras.losses.legacy, "coming-from-keras.md"),
        (lambda: tf.errors, "such as ValueError"),
        (lambda: tf.compat.v1.Session, "the level of the logs alone: write it with tf.keras"),
        (lambda: recurra.utils.split_dataset, "use slices"),
        (lambda: recurra.utils.disable_interactive_logging, "verbose=0"),
        (lambda: recurra.config.disable_interactive_logging, "verbose=0"),
        (lambda: recurra.config.dtype_policy, "coming-from-keras.md"),
        (lambda: recurra.random.normal, "use numpy.random.normal"),
        (lambda: recurra.random.categorical, "coming-from-keras.md"),
        (lambda: tf.keras.callbacks.RemoteMonitor, "coming-from-keras.md"),
        (lambda: recurra.ops.mean, "use numpy.mean"),
        (lambda: recurra.datasets, "load the data with Keras"),
    ],
)
def test_what_is_not_there_says_what_to_do(missing, hint):
    with pytest.raises(AttributeError, match=rf"expected a .* that it has, got .*{hint}"):
        missing()
    assert not hasattr(tf, "GradientTape")


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: tf.keras.optimizers.Adam(lr=0.1),
            "Adam expected known .*'lr': write learning_rate for lr",
        ),
        (
            lambda: tf.keras.layers.LSTM(3, batch_input_shape=(1, 4, 1)),
            r"'batch_input_shape': .*Input\(batch_shape",
        ),
        (lambda: tf.keras.layers.GRU(3, inner_activation="tanh"), "write recurrent_activation for inner_activation"),
        (lambda: tf.keras.callbacks.ReduceLROnPlateau(epsilon=0.1), "got 'epsilon': write min_delta for epsilon"),
        (lambda: tf.keras.layers.GRU(3, wide=2), "GRU expected known arguments, got 'wide'$"),
    ],
)
def test_arguments_of_older_versions_say_what_to_write(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_imports_from_keras_2_s_modules_of_layers_say_where_the_layers_are():
    for module in ("recurra.layers", "recurra.compat.tensorflow.keras.layers"):
        for line in ("recurrent import LSTM", "wrappers import TimeDistributed", "convolutional import Conv1D"):
            with pytest.raises(ImportError, match=r"import the layers from keras\.layers"):
                exec(f"from {module}.{line}", {})


def test_no_module_is_there_twice_under_keras_s_names():
    from recurra.compat.tensorflow.keras.layers.normalization import BatchNormalization
    from recurra.compat.tensorflow.keras.optimizers.schedules import ExponentialDecay

    assert BatchNormalization is recurra.layers.BatchNormalization
    assert ExponentialDecay is recurra.optimizers.schedules.ExponentialDecay


def test_version_1_s_module_can_be_imported_and_says_what_to_do():
    import recurra.compat.tensorflow.compat.v1 as v1

    with pytest.raises(AttributeError, match=r"'placeholder': of version 1 .* alone: write it with tf\.keras"):
        v1.placeholder(tf.float32)


def test_lines_about_devices_and_logs_do_nothing(capsys):
    assert tf.config.list_physical_devices("GPU") == []
    assert len(tf.config.list_physical_devices()) == 1
    for device in tf.config.experimental.list_physical_devices("CPU"):
        tf.config.experimental.set_memory_growth(device, True)
    tf.config.set_visible_devices([], "GPU")
    tf.config.experimental.enable_op_determinism()
    tf.config.run_functions_eagerly(True)
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.optimizer.set_jit(True)
    tf.autograph.set_verbosity(0)
    tf.compat.v1.logging.set_verbosity(tf.compat.v1.logging.ERROR)
    tf.get_logger().setLevel("ERROR")
    with tf.device("/CPU:0"):
        tf.print("one", 2)
        tf.print("three", output_stream=sys.stderr, summarize=-1, end="")
    assert tuple(capsys.readouterr()) == ("one 2\n", "three")


def values(dataset):
    return [recurra._tree.map_structure(lambda leaf: np.asarray(leaf).tolist(), element) for element in dataset]


def test_datasets_of_generators_and_single_elements():
    Dataset, spec = tf.data.Dataset, tf.TensorSpec

    def pairs():
        yield [1.0, 2.0], 3
        yield [4.0, 5.0], 6

    signature = (spec((2,), tf.float32), spec((), tf.int32))
    dataset = Dataset.from_generator(pairs, output_signature=signature)
    assert values(dataset) == values(dataset) == [([1.0, 2.0], 3), ([4.0, 5.0], 6)]
    assert [leaf.dtype.name for leaf in next(iter(dataset))] == ["float32", "int32"]
    assert values(Dataset.from_generator(lambda: iter([1, 2]), output_types=tf.float32)) == [1.0, 2.0]
    assert values(Dataset.from_tensors([1, 2])) == [[1, 2]]
    assert values(Dataset.range(3).enumerate(5)) == [(5, 0), (6, 1), (7, 2)]
    assert values(Dataset.range(7).shard(3, 1)) == [1, 4]
    assert len(Dataset.range(7).shard(3, 1)) == 2
    assert int(Dataset.range(5).reduce(np.int64(0), lambda total, element: total + element)) == 10
    with pytest.raises(TypeError, match=r"from_generator expected a function, got generator: .*without calling it"):
        Dataset.from_generator(pairs())


def test_a_shuffled_dataset_comes_in_another_order_at_each_epoch_unless_told():
    numbers = tf.data.Dataset.range(50)
    seeded, same = numbers.shuffle(50, seed=1), numbers.shuffle(50, seed=1, reshuffle_each_iteration=False)
    first, second = values(seeded), values(seeded)
    assert first != second
    assert sorted(first) == sorted(second) == list(range(50))
    again = numbers.shuffle(50, seed=1)
    assert [values(again), values(again)] == [first, second]
    assert values(same) == values(same)
    kept = numbers.shuffle(50, reshuffle_each_iteration=False)
    assert values(kept) == values(kept)


def test_sliding_windows_are_a_dataset():
    dataset = tf.keras.utils.timeseries_dataset_from_array(np.arange(9.0), None, 3, batch_size=4)
    split = dataset.map(lambda windows: (windows[:, :-1], windows[:, -1])).prefetch(1)
    assert len(split) == 2
    x, y = next(iter(split))
    assert x.tolist() == [[0, 1], [1, 2], [2, 3], [3, 4]]
    assert y.tolist() == [2, 3, 4, 5]
    assert tf.keras.preprocessing.timeseries_dataset_from_array is tf.keras.utils.timeseries_dataset_from_array


def test_time_series_generators_give_keras_s_windows():
    from recurra.compat.tensorflow.keras.preprocessing.sequence import TimeseriesGenerator

    generator = TimeseriesGenerator(np.arange(20.0).reshape(10, 2), np.arange(10.0), 4, 2, batch_size=4, reverse=True)
    assert len(generator) == 2
    x, y = generator[1]
    assert x.tolist() == [[[12, 13], [8, 9]], [[14, 15], [10, 11]]]
    assert y.tolist() == [8, 9]
    assert len(TimeseriesGenerator(np.arange(10), np.arange(10), 3, stride=2, batch_size=2)) == 2
    model = tf.keras.Sequential([tf.keras.Input((2, 2)), tf.keras.layers.GRU(3), tf.keras.layers.Dense(1)])
    model.compile("adam", "mse")
    assert len(model.fit(generator, epochs=2, verbose=0).epoch) == 2
    shuffled = TimeseriesGenerator(np.arange(50), np.arange(50), 3, shuffle=True, batch_size=8)
    x, y = shuffled[0]
    assert (x[:, -1] + 1 == y).all()
    with pytest.raises(ValueError, match="data and targets of the same length, got 5 and 4"):
        TimeseriesGenerator(np.arange(5), np.arange(4), 2)
    with pytest.raises(ValueError, match="steps for a window and its target, got 5 for a length of 5"):
        TimeseriesGenerator(np.arange(5), np.arange(5), 5)


def test_a_tokenizer_numbers_words_as_keras_s():
    from recurra.compat.tensorflow.keras.preprocessing.text import Tokenizer

    texts = ["The cat sat on the mat.", "The dog ate my homework!", "Did the cat?"]
    tokenizer = Tokenizer(num_words=6, oov_token="<OOV>")
    tokenizer.fit_on_texts(texts)
    assert list(tokenizer.word_index)[:6] == ["<OOV>", "the", "cat", "sat", "on", "mat"]
    assert tokenizer.texts_to_sequences([*texts, "a cow"]) == [
        [2, 3, 4, 5, 2, 1],
        [2, 1, 1, 1, 1],
        [1, 2, 3],
        [1, 1],
    ]
    assert tokenizer.sequences_to_texts([[2, 3, 99]]) == ["the cat <OOV>"]
    assert tokenizer.texts_to_matrix(["the cat the cow"], mode="count").tolist() == [[0, 1, 2, 1, 0, 0]]
    assert tokenizer.texts_to_matrix(["the cat the cow"], mode="freq").tolist() == [[0, 0.25, 0.5, 0.25, 0, 0]]
    assert tokenizer.texts_to_matrix(["the cat the cow", ""]).tolist() == [[0, 1, 1, 1, 0, 0], [0] * 6]
    unseen, the, cat = np.log(1 + 3), (1 + np.log(2)) * np.log(1 + 3 / 4), np.log(1 + 3 / 3)
    found = tokenizer.texts_to_matrix(["the cat the cow"], mode="tfidf")
    np.testing.assert_allclose(found, [[0, unseen, the, cat, 0, 0]], rtol=1e-12)
    with pytest.raises(ValueError, match="mode to be one of 'binary', 'count', 'freq', 'tfidf', got 'sum'"):
        tokenizer.texts_to_matrix(texts, mode="sum")
    with pytest.raises(ValueError, match="num_words, or fit_on_texts before it"):
        Tokenizer().sequences_to_matrix([[1]])
    plain = Tokenizer(char_level=True)
    plain.fit_on_texts(["aba"])
    assert plain.texts_to_sequences(["abc"]) == [[1, 2]]
    assert (plain.word_counts["a"], plain.document_count, plain.index_word) == (2, 1, {1: "a", 2: "b"})
    with pytest.raises(ValueError, match="a list of texts, got one text"):
        tokenizer.texts_to_sequences("aba")


def test_a_tokenizer_of_characters_takes_one_string_and_the_numbers_of_a_model():
    text = "hello İ"
    tokenizer = tf.keras.preprocessing.text.Tokenizer(char_level=True)
    tokenizer.fit_on_texts(text)
    assert tokenizer.document_count == len(text)
    assert list(tokenizer.word_index) == ["l", "h", "e", "o", " ", "i", "\u0307"]  # a small İ is two characters
    assert tokenizer.texts_to_sequences("hel") == [[2], [3], [1]]
    assert tokenizer.texts_to_sequences(["hel"]) == [[2, 3, 1]]
    assert tokenizer.texts_to_matrix("lo").shape == (2, 8)
    numbers = tf.argmax(tf.one_hot([[1, 2, 0, 0, 3]], 8), -1) + 1
    assert tokenizer.sequences_to_texts(numbers) == ["h e l l o"]
    with pytest.raises(ValueError, match="fit_on_texts expected a list of texts, got one text: put it into a list"):
        tf.keras.preprocessing.text.Tokenizer().fit_on_texts(text)


def test_a_tokenizer_has_keras_2_s_words():
    from recurra.compat.tensorflow.keras.preprocessing.text import Tokenizer

    with pytest.warns(UserWarning, match="write num_words for nb_words"):
        tokenizer = Tokenizer(nb_words=3, document_count=2)
    assert (tokenizer.num_words, tokenizer.document_count) == (3, 2)
    tokenizer.fit_on_texts(["a cat", "a dog"])
    assert (tokenizer.document_count, dict(tokenizer.index_docs)) == (4, {1: 2, 2: 1, 3: 1})
    sequences = tokenizer.texts_to_sequences_generator(iter(["a cat", "dog a"]))
    assert next(sequences) == [1, 2]
    assert list(tokenizer.sequences_to_texts_generator(sequences)) == ["a"]
    counted = Tokenizer(num_words=3)
    counted.fit_on_sequences([[1, 2, 2], [2]])
    assert (counted.document_count, dict(counted.index_docs)) == (2, {1: 1, 2: 2})
    np.testing.assert_allclose(counted.sequences_to_matrix([[2]], "tfidf"), [[0, 0, np.log(1 + 2 / 3)]])
    for wrong in (["12"], [[1.7]]):
        with pytest.raises(TypeError, match="integer"):
            counted.sequences_to_matrix(wrong)
    counts = counted.sequences_to_matrix([[1, 2, 2, 7], [], [2]], "count")  # 7 is none of the three
    np.testing.assert_array_equal(counts, [[0, 1, 2], [0, 0, 0], [0, 0, 1]])
    listed = Tokenizer(filters=[".", "a"])
    listed.fit_on_texts(["b.cab"])
    assert list(listed.word_index) == ["b", "c"]


def test_a_tokenizer_is_written_as_json_and_read_back():
    from recurra.compat.tensorflow.keras.preprocessing.text import Tokenizer, tokenizer_from_json

    tokenizer = Tokenizer(num_words=3, oov_token="?")
    tokenizer.fit_on_texts(["a cat", "b the the", "the CAT, z"])
    assert type(tokenizer.word_counts) is OrderedDict
    assert list(tokenizer.word_counts.items()) == [("a", 1), ("cat", 2), ("b", 1), ("the", 3), ("z", 1)]
    config = json.loads(tokenizer.to_json(indent=1))["config"]
    assert json.loads(config["index_docs"]) == {"2": 2, "3": 2, "4": 1, "5": 1, "6": 1}  # of the cat: 3
    read = tokenizer_from_json(tokenizer.to_json())
    assert json.loads(read.to_json()) == json.loads(tokenizer.to_json())
    assert list(read.word_counts) == list(tokenizer.word_counts)
    for mode in ("count", "tfidf"):
        wanted = tokenizer.texts_to_matrix(["the cat the cow"], mode)
        np.testing.assert_array_equal(read.texts_to_matrix(["the cat the cow"], mode), wanted)
    assert read.sequences_to_texts([[2, 3]]) == ["the ?"]


def test_words_are_hashed_to_numbers():
    from recurra.compat.tensorflow.keras.preprocessing import text

    assert text.hashing_trick("The cat, the mat.", 50, "md5") == [43, 32, 43, 29]  # Keras's numbers
    assert text.hashing_trick("a b", 10, hash_function="md5", analyzer=list) == [2, 1, 5]
    assert text.hashing_trick("A b", 10, lambda word: {"A": 9, "b": 8}[word], lower=False) == [1, 9]
    numbers = text.one_hot("to be or not to be", 8)
    assert numbers == text.hashing_trick("to be or not to be", 8)
    assert numbers[:2] == numbers[-2:] and set(numbers) <= set(range(1, 8))


def test_metrics_of_keras_2_s_functions_count_and_variables_are_read_and_set(rng):
    def rmse(y_true, y_pred):
        return K.sqrt(K.mean(K.square(y_pred - y_true)))

    def hits(y_true, y_pred):
        return K.mean(K.equal(K.round(y_true), K.round(y_pred)))

    x, y = rng.standard_normal((8, 4, 2)).astype("float32"), rng.standard_normal((8, 1)).astype("float32")
    model = tf.keras.Sequential([tf.keras.Input((4, 2)), tf.keras.layers.LSTM(3), tf.keras.layers.Dense(1)])
    model.build(tf.TensorShape([None, 4, 2]))
    model.compile("adam", loss="mse", metrics=[rmse, hits])
    logs = model.evaluate(x, y, verbose=0, return_dict=True)
    np.testing.assert_allclose(logs["rmse"], np.sqrt(logs["loss"]), rtol=1e-6)
    assert logs["hits"] == np.mean(np.round(y) == np.round(model.predict(x, verbose=0)))
    K.set_value(model.optimizer.learning_rate, 0.25)
    assert K.get_value(model.optimizer.learning_rate) == 0.25 == float(model.optimizer.learning_rate)
    assert K.get_value(3) == 3
    with pytest.raises(AttributeError, match=r"use numpy\.mean"):
        recurra.backend.mean(x)


def test_parts_of_tensors_are_the_whole():
    parts = tf.split(tf.range(6), [2, -1, 1])
    assert [part.tolist() for part in parts] == [[0, 1], [2, 3, 4], [5]]
    for sizes in ([2, 2], [2, -1, -1], [-2, 8], []):
        with pytest.raises(ValueError, match="split expected sizes that add up to 6"):
            tf.split(tf.range(6), sizes)
    with pytest.raises(ValueError, match="unstack expected 5 parts, got 6"):
        tf.unstack(tf.range(6), num=5)
    assert tf.norm(tf.ones((2, 2)), axis=[0, 1]) == 2


def test_there_is_no_gpu():
    assert not tf.test.is_gpu_available() and not tf.test.gpu_device_name() and not tf.test.is_built_with_cuda()


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda: tf.data.Dataset.range(4).shard(2, 5), "shard expected index to be from 0 to 1, got 5"),
        (lambda: text.hashing_trick("a b", 1), "n to be at least 2, got 1"),
        (
            lambda: sequence.TimeseriesGenerator(np.ones(10), np.ones(10), 3, end_index=20),
            "end_index below 10, got 20",
        ),
    ],
)
def test_numbers_out_of_range_are_refused(mistake, message):
    with pytest.raises(ValueError, match=message):
        mistake()


def test_shapes_of_tensors_are_lists_on_demand():
    x = tf.ones((2, 3, 4))
    assert x.shape == (2, 3, 4) and isinstance(x.shape, tuple) and repr(x.shape) == "(2, 3, 4)"
    assert x.shape.as_list() == x.get_shape().as_list() == [2, 3, 4]
    assert (x.shape[1:].as_list(), x.shape[-1], x.shape.rank) == ([3, 4], 4, 3)
    assert tf.Variable([1.0, 2.0]).shape.as_list() == [2]
    assert tf.data.Dataset.from_tensors(x).batch(2).element_spec.shape.as_list() == [None, 2, 3, 4]
    assert (x.shape + [5], [5] + x.shape, x.shape[:-1] + [5]) == ((2, 3, 4, 5), (5, 2, 3, 4), (2, 3, 5))
    assert (x.shape + x.shape[:1]).as_list() == ((2,) + x.shape[1:] + (2,)).as_list() == [2, 3, 4, 2]
    with pytest.raises(TypeError, match="unsupported operand"):
        x.shape + 1
    assert repr(tf.TensorSpec.from_tensor(x, "x")) == "TensorSpec(shape=(2, 3, 4), dtype=tf.float32, name='x')"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # NumPy 2.5 advises reshape, here as for any array
        x.shape = (6, 4)
    assert x[0].shape.as_list() == [4]

    class Flat(tf.keras.layers.Layer):
        def call(self, inputs):
            rows, *sizes = inputs.shape.as_list()
            return np.reshape(inputs, (rows, np.prod(sizes)))

    inputs = tf.keras.Input((3, 4))
    assert tf.keras.Model(inputs, Flat()(inputs)).predict(np.ones((2, 3, 4)), verbose=0).shape == (2, 12)


def test_confusion_matrices_cut_off_what_follows_the_point_and_take_columns():
    found = tf.math.confusion_matrix([0, 1, 1], np.array([[0.4], [1.2], [0.9]], "float32"))
    assert found.numpy().tolist() == [[1, 0], [1, 1]]


@pytest.mark.parametrize(
    ("labels", "predictions", "message"),
    [
        ([0, 1], [[0.2, 0.8], [0.9, 0.1]], r"one shape, got \(2,\) and \(2, 2\): tf.argmax"),
        ([0, -1], [1, 1], "classes from 0 to below 3, got -1"),
        ([0, 1], [3, 1], "classes from 0 to below 3, got 3"),
    ],
)
def test_confusion_matrices_of_what_are_no_classes_are_refused(labels, predictions, message):
    with pytest.raises(ValueError, match=message):
        tf.math.confusion_matrix(labels, predictions, num_classes=3)


def test_nested_structures_are_flattened_and_packed():
    nested = {"b": [1, (2, 3)], "a": 4}
    flat = tf.nest.flatten(nested)
    assert flat == [4, 1, 2, 3]
    assert tf.nest.pack_sequence_as(nested, flat) == nested
    assert tf.nest.map_structure(lambda x, y: x + y, nested, nested) == {"b": [2, (4, 6)], "a": 8}
    assert tf.nest.is_nested(nested) and not tf.nest.is_nested(tf.ones(3))
    with pytest.raises(ValueError, match="pack_sequence_as expected 4 things"):
        tf.nest.pack_sequence_as(nested, [1])
    with pytest.raises(ValueError, match="nested in one way"):
        tf.nest.map_structure(max, [1, 2], [1])
    tf.nest.assert_same_structure(nested, {"a": 0, "b": [0, (0, 0)]})
    tf.nest.assert_same_structure([1, 2], (3, 4), check_types=False)
    tf.nest.assert_same_structure({"a": 1}, OrderedDict(a=2))
    with pytest.raises(TypeError, match="a list and a tuple"):
        tf.nest.assert_same_structure([1, 2], (3, 4))
    for other in ([1], [1, [2]], [], 1, {0: 1, 1: 2, 2: 3}):
        with pytest.raises(ValueError, match="nested in one way"):
            tf.nest.assert_same_structure([1, 2], other)
    with pytest.raises(ValueError, match="at least one structure"):
        tf.nest.map_structure(max)


def test_an_embedding_of_ones_own_looks_rows_up():
    class Rows(tf.keras.layers.Layer):
        def build(self, input_shape):
            self.rows = self.add_weight(shape=(10, 3), initializer="random_normal", name="rows")

        def call(self, inputs):
            return tf.nn.embedding_lookup(self.rows, inputs) + tf.gather(self.rows, tf.cast(inputs, tf.int32))

    words = np.array([[1, 9, 0], [4, 4, 2]], "int32")
    layer = Rows()
    np.testing.assert_array_equal(layer(words), 2 * layer.rows.numpy()[words])
    inputs = tf.keras.Input((None,), dtype="int32")
    model = tf.keras.Model(inputs, tf.keras.layers.LSTM(2)(layer(inputs)))
    assert model.predict(words, verbose=0).shape == (2, 2)
    with pytest.raises(IndexError, match=r"gather expected whole numbers as indices, got 0\.5"):
        tf.gather(tf.ones(3), np.array([0.5], "float32"))
    for place in (3.0, np.inf):
        with pytest.raises(IndexError, match=f"gather expected indices from 0 to below 3, got {place}"):
            tf.gather(tf.ones(3), np.array([place], "float32"))


def test_checkpoints_of_every_so_many_epochs_say_what_to_write():
    with pytest.raises(TypeError, match="got 'period': write save_freq"):
        tf.keras.callbacks.ModelCheckpoint("m.keras", period=10)
