"""Dropout and noise: how much is dropped, what it takes."""

import tracemalloc

import numpy as np
import pytest

from recurra import layers
from recurra.layers.dropout import dropout_factors


def test_factors_of_dropout_take_no_more_memory_than_they_are():
    generator = np.random.default_rng(0)
    tracemalloc.start()
    factors = dropout_factors(generator, (1000, 1000), 0.25, np.float32)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 1.25 * factors.nbytes
    drawn = np.random.default_rng(0).random((1000, 1000))  # in parts or at once: the same numbers
    np.testing.assert_array_equal(factors, np.where(drawn >= 0.25, np.float32(1) / np.float32(0.75), 0))


def test_the_noise_of_gaussian_dropout_has_its_variance():
    factors = layers.GaussianDropout(0.2)(np.ones((400, 500), "float32"), training=True).numpy()
    assert factors.mean() == pytest.approx(1, abs=0.01) and factors.var() == pytest.approx(0.2 / 0.8, rel=0.02)


def test_spatial_dropout_drops_features_of_each_row_at_all_steps():
    factors = layers.SpatialDropout1D(0.5)(np.ones((50, 3, 4), "float32"), training=True).numpy()
    np.testing.assert_array_equal(factors, np.repeat(factors[:, :1], 3, axis=1))
    assert len(np.unique(factors[:, 0], axis=0)) > 4  # of 16 kinds of rows


def test_a_rate_of_one_drops_everything():
    assert not np.any(layers.Dropout(1.0)(np.ones((2, 3), "float32"), training=True))
