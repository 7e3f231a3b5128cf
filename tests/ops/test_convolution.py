"""The native convolution against its definition."""

import numpy as np
import pytest

from recurra.ops import native, reference

# (N, T, D), filters, size, stride, dilation, groups
SHAPES = {
    "one": ((1, 1, 1), 1, 1, 1, 1, 1),
    "plain": ((3, 30, 6), 16, 3, 1, 1, 1),
    "ragged": ((2, 31, 5), 7, 4, 1, 1, 1),
    "strides": ((3, 30, 4), 34, 5, 2, 1, 1),
    "dilation": ((3, 30, 34), 8, 7, 1, 3, 1),
    "groups": ((2, 20, 12), 18, 3, 1, 1, 3),
    "groups_and_strides": ((2, 20, 6), 4, 2, 3, 1, 2),
    "many_sequences": ((70, 9, 3), 40, 2, 1, 2, 1),
    "long": ((2, 700, 2), 20, 3, 1, 1, 1),
}
each_shape = pytest.mark.parametrize("shape", SHAPES)


def arrays(shape, dtype):
    rng = np.random.default_rng(0)
    (N, T, D), filters, size, stride, dilation, groups = SHAPES[shape]
    steps = (T - dilation * (size - 1) - 1) // stride + 1
    sizes = (N, T, D), (size, D // groups, filters), (filters,), (N, steps, filters)
    return [rng.normal(size=s).astype(dtype) for s in sizes], {"stride": stride, "dilation": dilation}


@each_shape
@pytest.mark.parametrize("dtype, rtol", [(np.float32, 1e-5), (np.float64, 1e-13)])
def test_a_convolution_is_its_definition(shape, dtype, rtol):
    (x, kernel, bias, _), options = arrays(shape, dtype)
    for own in (bias, None):
        y = native.convolve(x, kernel, own, **options)
        wanted = reference.convolve(x, kernel, own, **options)
        np.testing.assert_allclose(y, wanted, rtol=rtol, atol=rtol * np.abs(wanted).max())


@each_shape
@pytest.mark.parametrize("dtype, rtol", [(np.float32, 1e-5), (np.float64, 1e-13)])
def test_the_gradient_of_a_kernel_is_its_definition_and_is_added(shape, dtype, rtol):
    (x, kernel, _, dy), options = arrays(shape, dtype)
    found, wanted = kernel.copy(), kernel.copy()
    native.convolve_gradient(found, dy, x, **options)
    reference.convolve_gradient(wanted, dy, x, **options)
    np.testing.assert_allclose(found, wanted, rtol=rtol, atol=rtol * np.abs(wanted).max())


@each_shape
def test_the_gradient_of_a_kernel_is_that_of_the_sum(shape):
    """A convolution is linear in its kernel."""
    (x, kernel, _, dy), options = arrays(shape, np.float64)
    gradient = np.zeros_like(kernel)
    reference.convolve_gradient(gradient, dy, x, **options)
    assert (gradient * kernel).sum() == pytest.approx((reference.convolve(x, kernel, **options) * dy).sum())


@each_shape
def test_convolutions_have_the_same_bits_for_any_number_of_threads(shape, same_bits):
    (x, kernel, bias, dy), options = arrays(shape, np.float32)
    x, dy = np.repeat(x, 20, axis=0), np.repeat(dy, 20, axis=0)

    def both():
        dkernel = np.zeros_like(kernel)
        native.convolve_gradient(dkernel, dy, x, **options)
        return native.convolve(x, kernel, bias, **options), dkernel

    same_bits(both)
