"""The engine's own exp, log, tanh and sigmoid: how far they are from the exact values."""

import numpy as np
import pytest

from recurra import activations
from recurra.ops import native, reference

EXACT = {
    "exp": np.exp,
    "log": np.log,
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
}
RANGES = {"exp": (-87, 88), "log": (1e-30, 1e30), "tanh": (-12, 12), "sigmoid": (-80, 80)}
FLOAT32_ULPS = {"exp": 2, "log": 2, "tanh": 2.5, "sigmoid": 2.5}  # JAX's tanh: 4.5; sigmoid of PyTorch and JAX: 2.4


def ulps(actual, exact):
    """Returns distances in units of the last place of the exact value."""
    return np.abs(actual.astype(np.longdouble) - exact) / np.spacing(np.abs(exact.astype(actual.dtype)))


def points(name, dtype, rng):
    low, high = RANGES[name]
    if name == "log":
        return np.exp(rng.uniform(np.log(low), np.log(high), 200_000)).astype(dtype)
    tiny = np.exp(rng.uniform(-85, 0, 10_000)) * rng.choice([-1, 1], 10_000)  # down to the smallest normal float32
    return np.concatenate([rng.uniform(low, high, 150_000), rng.uniform(-1, 1, 50_000), tiny]).astype(dtype)


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("dtype, most", [(np.float32, FLOAT32_ULPS), (np.float64, dict.fromkeys(EXACT, 4))])
def test_functions_are_within_so_many_ulp(name, dtype, most, rng):
    x = points(name, dtype, rng)
    exact = EXACT[name](x.astype(np.longdouble))
    assert ulps(getattr(native, name)(x), exact).max() <= most[name]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extremes_are_those_of_the_functions(dtype):
    x = np.array([-np.inf, -1e4, 0, 1e4, np.inf, np.nan], dtype)
    np.testing.assert_array_equal(native.exp(x), np.array([0, 0, 1, np.inf, np.inf, np.nan], dtype))
    np.testing.assert_array_equal(native.tanh(x), np.array([-1, -1, 0, 1, 1, np.nan], dtype))
    np.testing.assert_array_equal(native.sigmoid(x), np.array([0, 0, 0.5, 1, 1, np.nan], dtype))


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 2e-7), (np.float64, 1e-14)])
@pytest.mark.parametrize("exponent", [0, 1, 2, -3, 0.5, -0.7])
def test_powers_are_those_of_numpy(exponent, dtype, tolerance, rng):
    x = np.append(rng.uniform(-4, 4, (3, 40)), [0, np.inf, np.nan]).astype(dtype)
    with np.errstate(invalid="ignore", divide="ignore"):
        np.testing.assert_allclose(native.power(x, exponent), x**exponent, rtol=tolerance, strict=True)
    assert native.power(dtype(2), exponent) == pytest.approx(2**exponent)


@pytest.mark.parametrize("name", sorted(reference.ACTIVATIONS))
@pytest.mark.parametrize("size", [1, 7, 16, 33])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 2e-6), (np.float64, 1e-14)])
def test_every_activation_is_its_definition(name, size, dtype, tolerance, rng):
    x = rng.uniform(-4, 4, (3, 2 * size)).astype(dtype)
    y, wanted = native.activation_forward(name, x), reference.activation_forward(name, x)
    np.testing.assert_allclose(y, wanted, rtol=10 * tolerance, atol=tolerance)
    dy = rng.standard_normal(y.shape).astype(dtype)
    found, wanted = native.activation_backward(name, dy, x, y), reference.activation_backward(name, dy, x, y)
    np.testing.assert_allclose(found, wanted, rtol=10 * tolerance, atol=10 * tolerance)


@pytest.mark.parametrize("name", sorted(reference.ACTIVATIONS))
def test_arrays_may_have_as_many_axes_as_numpy_takes(name, rng):
    x = rng.uniform(-4, 4, (3, 2, *[1] * 7, 6)).astype(np.float32)
    rows = x.reshape(6, 6)
    y, flat = native.activation_forward(name, x), native.activation_forward(name, rows)
    np.testing.assert_array_equal(y, flat.reshape(y.shape))
    dx, dflat = native.activation_backward(name, y, x, y), native.activation_backward(name, flat, rows, flat)
    np.testing.assert_array_equal(dx, dflat.reshape(x.shape))
    assert native.sum_of_squares(x) == native.sum_of_squares(rows)


def test_a_threshold_needs_both_of_its_numbers():
    assert activations.threshold([1, 2, 3], 2, -1).tolist() == [-1, -1, 3]
    assert activations.threshold(np.array([0.5, 2]), 1, default_value=0).dtype == np.float64
    with pytest.raises(ValueError, match="expected an activation or its name, got 'threshold'"):
        activations.get("threshold")
