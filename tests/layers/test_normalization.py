"""Normalization by the statistics of a batch: masks, no features, each step of a sequence."""

import numpy as np
import pytest

from recurra import layers


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


@pytest.mark.parametrize(("shape", "axis"), [((3, 0), -1), ((3, 0, 2), 1)])
def test_a_batch_without_features_is_normalized_to_one(shape, axis):
    layer = layers.BatchNormalization(axis)
    assert layer(np.ones(shape, "float32"), training=True).shape == shape
    outputs, cache = layer.forward(np.ones(shape, "float32"), training=True)
    assert layer.backward(outputs, cache).shape == shape
    assert [weight.shape for weight in layer.weights] == [(0,)] * 4


def test_statistics_within_time_distributed_are_those_of_each_step(rng):
    x = rng.standard_normal((6, 3, 2)).astype("float32")
    layer, alone = layers.TimeDistributed(layers.BatchNormalization()), layers.BatchNormalization()
    y = layer(x, training=True)
    steps = [alone(np.ascontiguousarray(x[:, t]), training=True) for t in range(3)]
    np.testing.assert_array_equal(y, np.stack(steps, axis=1))
    for own, wanted in zip(layer.get_weights(), alone.get_weights(), strict=True):
        np.testing.assert_array_equal(own, wanted)
