"""Native pooling against its definition."""

import numpy as np
import pytest

from recurra.ops import native, reference

KINDS = ["mean", "first_max", "shared_max"]
WINDOWS = [(2, 2, 0), (3, 1, 0), (3, 2, 1), (1, 3, 0), (5, 3, 2), (9, 1, 4)]


def arrays(steps, features, dtype, ties=False):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 9, features))
    return (x.round() if ties else x).astype(dtype), rng.standard_normal((3, steps, features)).astype(dtype)


def run(ops, kind, size, stride, before, x, dy):
    y = ops.pool(x, kind, size=size, stride=stride, steps=dy.shape[1], before=before)
    return y, ops.pool_gradient(dy, x, y, kind, size=size, stride=stride, before=before)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-6), (np.float64, 1e-14)])
@pytest.mark.parametrize("features", [1, 5, 70])
@pytest.mark.parametrize(("size", "stride", "before"), WINDOWS)
@pytest.mark.parametrize("kind", KINDS)
def test_pooling_is_its_definition(kind, size, stride, before, features, dtype, tolerance, ties):
    steps = (9 + before - 1) // stride + 1
    x, dy = arrays(steps, features, dtype, ties)
    for found, wanted in zip(
        *(run(ops, kind, size, stride, before, x, dy) for ops in (native, reference)), strict=True
    ):
        np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("kind", KINDS)
def test_nan_and_infinity_come_through(kind):
    x = np.array([[[1.0], [np.nan], [2.0], [np.inf], [-np.inf], [-np.inf]]], np.float32)
    y = native.pool(x, kind, size=2, stride=2, steps=3)
    np.testing.assert_array_equal(y, reference.pool(x, kind, size=2, stride=2, steps=3))
    turned = native.pool(x[:, ::-1], kind, size=2, stride=2, steps=3)
    np.testing.assert_array_equal(turned, y[:, ::-1])


@pytest.mark.parametrize("kind", KINDS)
def test_pooling_has_the_same_bits_for_any_number_of_threads(kind, same_bits):
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal((37, 600, 33)).astype("f"), rng.standard_normal((37, 200, 33)).astype("f")
    same_bits(lambda: run(native, kind, 5, 3, 1, x, dy))


def test_windows_beyond_the_input_are_refused():
    x = np.zeros((1, 4, 2), np.float32)
    for size, stride, steps, before in ((2, 2, 3, 0), (0, 1, 1, 0), (2, 0, 1, 0), (2, 1, 1, 2), (2, 1, 0, 0)):
        with pytest.raises(ValueError, match=r"windows must hold|sizes must be positive"):
            native.pool(x, "mean", size=size, stride=stride, steps=steps, before=before)
