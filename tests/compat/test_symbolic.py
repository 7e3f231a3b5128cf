"""TensorFlow's functions on symbolic tensors make layers, of themselves and in a Lambda."""

import sys

import numpy as np
import pytest

import recurra.compat.tensorflow as tf
from recurra.compat.tensorflow import keras

K = keras.backend
LAYERS = {
    "expand_dims": lambda x: tf.expand_dims(x, axis=-1),
    "expand_dims inside": lambda x: tf.expand_dims(x, 1),
    "K.expand_dims": lambda x: K.expand_dims(x),
    "squeeze": lambda x: tf.squeeze(x[:, :, :1], -1),
    "squeeze of all": lambda x: tf.squeeze(x[:, 1:2, :1]),
    "squeeze of several": lambda x: tf.squeeze(x[:, 1:2, :1], [1, 2]),
    "reshape": lambda x: tf.reshape(x, [-1, 2, 6]),
    "reverse": lambda x: tf.reverse(x, axis=[1]),
    "transpose": lambda x: tf.transpose(x, perm=[0, 2, 1]),
    "concat": lambda x: tf.concat([x, 2 * x], axis=-1),
    "cast": lambda x: tf.cast(x, tf.float32),
    "arithmetic": lambda x: tf.subtract(tf.multiply(2.0, x), tf.divide(tf.add(x, 1.0), -4.0)),
    "negative": lambda x: tf.negative(tf.identity(x)),
    "exp": lambda x: tf.exp(x),
    "activations": lambda x: tf.nn.relu(tf.math.tanh(x) + tf.sigmoid(x)),
    "softmax": lambda x: tf.nn.softmax(x),
    "softmax of steps": lambda x: tf.nn.softmax(logits=x, axis=1),
    "leaky_relu": lambda x: tf.nn.leaky_relu(x, alpha=0.3),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_function_of_symbolic_tensors_gives_what_it_does_to_arrays(name, rng):
    function, x = LAYERS[name], rng.standard_normal((2, 4, 3)).astype("float32")
    start = keras.Input((4, 3))
    for layer in (function, keras.layers.Lambda(function)):
        model = keras.Model(start, layer(start))
        np.testing.assert_allclose(model.predict(x, verbose=0), function(tf.constant(x)), rtol=1e-6)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: tf.expand_dims(x, 0), r"expand_dims expected an axis from 1 to 3, behind the batch, got 0"),
        (lambda x: tf.squeeze(x, 1), r"squeeze expected an axis of length 1 of \(None, 4, 3\), got 1"),
        (lambda x: tf.squeeze(keras.Input((None, 3)), 1), r"an axis of length 1 of \(None, None, 3\), got 1"),
        (lambda x: tf.reverse(x, [3]), r"reverse expected an axis from 1 to 2, behind the batch, got 3"),
        (lambda x: tf.reshape(x, (3, 4)), r"reshape expected a shape that keeps the batch, \(-1, ...\), got \(3, 4\)"),
        (lambda x: tf.transpose(x), r"transpose expected perm that keeps the batch, \[0, ...\], got None"),
        (lambda x: tf.cast(x, tf.int32), r"cast expected the dtype of a symbolic tensor, float32, got int32"),
    ],
)
def test_what_would_touch_the_batch_or_has_no_layer_is_told(function, message):
    with pytest.raises((TypeError, ValueError), match=message):
        function(keras.Input((4, 3)))


def test_a_list_of_data_is_not_walked_in_python():
    def calls_for(data):
        events = []
        sys.setprofile(lambda frame, event, argument: events.append(event))
        try:
            tf.cast(data, tf.float32)
        finally:
            sys.setprofile(None)
        return events.count("call")

    assert calls_for([[1.0] * 3] * 100) == calls_for([[1.0] * 3] * 2)


def test_the_network_of_a_course_on_time_series_trains():
    tf.random.set_seed(51)
    series = 40 + 10 * np.sin(np.arange(200) / 5, dtype="float32")
    windows = tf.data.Dataset.from_tensor_slices(series).window(21, shift=1, drop_remainder=True)
    windows = windows.flat_map(lambda window: window.batch(21)).map(lambda window: (window[:-1], window[-1]))
    model = keras.models.Sequential(
        [
            keras.layers.Lambda(lambda x: tf.expand_dims(x, axis=-1), input_shape=[None]),
            keras.layers.Bidirectional(keras.layers.LSTM(8, return_sequences=True)),
            keras.layers.Bidirectional(keras.layers.LSTM(8)),
            keras.layers.Dense(1),
            keras.layers.Lambda(lambda x: x * 100.0),
        ]
    )
    model.compile(loss="mse", optimizer=keras.optimizers.SGD(learning_rate=1e-5, momentum=0.9), metrics=["mae"])
    losses = model.fit(windows.batch(32), epochs=20, verbose=0).history["mae"]
    assert losses[-1] < losses[0] / 2
    assert model.predict(series[None, :20], verbose=0).shape == (1, 1)
