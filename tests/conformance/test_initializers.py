"""Initializers follow Keras's rules: exact values, distributions, orthogonality, and what layers start with."""

import math

import numpy as np
import pytest
from vectors import array_of, cases_of, make

import recurra

TRUNCATED = 0.87962566103423978  # standard deviation of a standard normal cut at 2
SAMPLES = 20_000


def assert_follows(draw, rule):
    """Asserts that draws come from a distribution: bounds, mean and standard deviation of many samples."""
    values = np.concatenate([draw(seed).ravel() for seed in range(math.ceil(SAMPLES / draw(0).size))]).astype(float)
    if rule["distribution"] == "uniform":
        low, high = rule["low"], rule["high"]
        mean, stddev = (low + high) / 2, (high - low) / math.sqrt(12)
    else:
        cut = rule["distribution"] == "truncated_normal"
        mean, stddev = rule["mean"], rule["stddev"] * (TRUNCATED if cut else 1)
        reach = 2 * rule["stddev"] if cut else 6 * rule["stddev"]
        low, high = mean - reach, mean + reach
        if not cut:
            assert np.abs(values - mean).max() > 3 * stddev
    slack = 1e-6 * (high - low)
    assert values.min() >= low - slack
    assert values.max() <= high + slack
    assert abs(values.mean() - mean) < 5 * stddev / math.sqrt(len(values))
    assert abs(values.std() / stddev - 1) < 5 / math.sqrt(len(values))


def assert_orthogonal(weight, gain):
    flat = np.asarray(weight, float).reshape(-1, weight.shape[-1])
    small = flat @ flat.T if flat.shape[0] < flat.shape[1] else flat.T @ flat
    np.testing.assert_allclose(small, gain**2 * np.eye(len(small)), atol=1e-5 * gain**2)


@pytest.mark.parametrize("case", cases_of("initializers"))
def test_an_initializer_follows_keras_s_rule(case):
    if case["kind"] == "layer":
        layer = make(case["layer"])
        layer.build(tuple(case["input_shape"]))
        weights = {variable.name: variable for variable in layer.weights}
        np.testing.assert_array_equal(weights["bias"].numpy(), array_of(case, "bias"))
        assert_orthogonal(weights["recurrent_kernel"].numpy(), 1.0)
        if "kernel" in case:
            shape = weights["kernel"].shape
            assert {name: list(variable.shape) for name, variable in weights.items()} == case["shapes"]
            assert type(layer.kernel_initializer) is recurra.initializers.GlorotUniform
            assert_follows(lambda seed: recurra.initializers.GlorotUniform(seed)(shape), case["kernel"])
        return
    spec, shape = case["initializer"], tuple(case["shape"])
    if case["kind"] == "exact":
        value = make(spec)(shape)
        assert value.dtype == array_of(case, "value").dtype
        np.testing.assert_array_equal(value, array_of(case, "value"))
        return
    again = [make({"class": spec["class"], "kwargs": spec["kwargs"] | {"seed": 3}})(shape) for _ in range(2)]
    np.testing.assert_array_equal(*again)
    if case["kind"] == "orthogonal":
        assert_orthogonal(make(spec)(shape), spec["kwargs"].get("gain", 1.0))
    else:
        assert_follows(
            lambda seed: make({"class": spec["class"], "kwargs": spec["kwargs"] | {"seed": seed}})(shape), case
        )
