"""The fused losses against their definition."""

import numpy as np
import pytest

import recurra
from recurra import losses
from recurra.ops import native, reference

NAMES = ["mean_squared_error", "mean_absolute_error", "huber"]


def pair(shape, dtype=np.float32):
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape).astype(dtype) for _ in range(2)]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype, rtol", [(np.float32, 1e-6), (np.float64, 1e-12)])
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (17,), (33, 7, 2), (70_001, 1)])
def test_fused_losses_are_their_definition(name, dtype, rtol, shape):
    y_true, y_pred = pair(shape, dtype)
    y_pred.flat[0] = y_true.flat[0]
    value, gradient = native.error_loss(name, y_true, y_pred, delta=0.7)
    wanted, wanted_gradient = reference.error_loss(name, y_true, y_pred, delta=0.7)
    assert value == pytest.approx(wanted, rel=1e-12)
    np.testing.assert_allclose(gradient, wanted_gradient, rtol=rtol)
    assert native.error_loss(name, y_true, y_pred, delta=0.7, gradient=False) == (value, None)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_of_fused_losses_are_differences_of_the_loss(name):
    y_true, y_pred = pair((4, 3), np.float64)
    _, gradient = reference.error_loss(name, y_true, y_pred, delta=0.7)
    for i in range(y_pred.size):
        moved = [y_pred.copy(), y_pred.copy()]
        for array, h in zip(moved, (1e-6, -1e-6), strict=True):
            array.flat[i] += h
        up, down = (reference.error_loss(name, y_true, array, delta=0.7)[0] for array in moved)
        assert gradient.flat[i] == pytest.approx((up - down) / 2e-6, abs=1e-7)


@pytest.mark.parametrize("name", NAMES)
def test_fused_losses_tell_of_nan(name):
    y_true, y_pred = pair((4, 3))
    y_pred[1, 2] = np.nan
    value, gradient = native.error_loss(name, y_true, y_pred)
    assert np.isnan(value)
    assert np.isnan(gradient[1, 2]) and np.isnan(gradient).sum() == 1


@pytest.mark.parametrize("name", NAMES)
def test_fused_losses_have_the_same_bits_for_any_number_of_threads(name):
    y_true, y_pred = pair((300_000,))
    before = recurra.get_num_threads()
    found = []
    try:
        for threads in (1, 2, 3, 8):
            recurra.set_num_threads(threads)
            found.append(native.error_loss(name, y_true, y_pred))
    finally:
        recurra.set_num_threads(before)
    for value, gradient in found[1:]:
        assert value == found[0][0]
        np.testing.assert_array_equal(gradient, found[0][1])


@pytest.mark.parametrize("loss", [losses.MeanSquaredError, losses.MeanAbsoluteError, losses.Huber])
def test_a_loss_is_the_same_with_weights_of_one(loss):
    """Weights take the way through the values of the samples."""
    y_true, y_pred = pair((6, 4))
    fused, fused_gradient = loss().value_and_gradient(y_true, y_pred)
    value, gradient = loss().value_and_gradient(y_true, y_pred, np.ones(6))
    assert fused == pytest.approx(value, rel=1e-6)
    np.testing.assert_allclose(fused_gradient, gradient, rtol=1e-6)
    assert loss()(y_true, y_pred) == fused
