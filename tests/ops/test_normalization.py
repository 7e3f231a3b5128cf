"""The native normalizations against their definitions."""

import numpy as np
import pytest

from recurra.ops import native, reference

SHAPES = [(1, 1), (3, 5), (7, 16), (2, 3, 33), (4, 100), (300, 64)]


def arrays(shape, dtype, scaled=True, moved=True):
    rng = np.random.default_rng(0)
    x, dy = (rng.normal(1, 2, size=shape).astype(dtype) for _ in range(2))
    gamma, beta = (rng.normal(size=shape[-1:]).astype(dtype) if wanted else None for wanted in (scaled, moved))
    return x, dy, gamma, beta


def run(ops, x, dy, gamma, beta):
    """Returns y, dx, dgamma and dbeta, the last two added to ones."""
    y, cache = ops.normalize_rows(x, gamma, beta, 1e-3)
    sums = [None if value is None else np.ones_like(value) for value in (gamma, beta)]
    dx = ops.normalize_rows_gradient(dy, cache, gamma, *sums)
    return [value for value in (y, dx, *sums) if value is not None]


@pytest.mark.parametrize("scaled, moved", [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize("dtype, tolerance", [(np.float32, 2e-5), (np.float64, 1e-13)])
@pytest.mark.parametrize("shape", SHAPES)
def test_normalization_is_its_definition(shape, dtype, tolerance, scaled, moved):
    given = arrays(shape, dtype, scaled, moved)
    for found, wanted in zip(run(native, *given), run(reference, *given), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance * max(1, np.abs(wanted).max()))


def run_columns(ops, x, dy, gamma, beta, moments=None):
    """Returns y, the moments, dx, dgamma and dbeta, the last two added to ones."""
    y, used, cache = ops.normalize_columns(x, gamma, beta, 1e-3, moments)
    sums = [None if value is None else np.ones_like(value) for value in (gamma, beta)]
    dx = ops.normalize_columns_gradient(dy, cache, gamma, *sums)
    return [value for value in (y, *used, dx, *sums) if value is not None]


@pytest.mark.parametrize("of_batch", [True, False])
@pytest.mark.parametrize("scaled, moved", [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize("dtype, tolerance", [(np.float32, 3e-5), (np.float64, 1e-13)])
@pytest.mark.parametrize("shape", SHAPES)
def test_normalization_of_columns_is_its_definition(shape, dtype, tolerance, scaled, moved, of_batch):
    given = arrays(shape, dtype, scaled, moved)
    moments = None if of_batch else (np.full(shape[-1:], 0.3, dtype), np.full(shape[-1:], 0.7, dtype))
    for found, wanted in zip(
        run_columns(native, *given, moments), run_columns(reference, *given, moments), strict=True
    ):
        np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance * max(1, np.abs(wanted).max()))


def test_nothing_is_kept_without_a_cache():
    x, _, gamma, beta = arrays((3, 5), np.float32)
    y, cache = native.normalize_rows(x, gamma, beta, 1e-3, keep_cache=False)
    assert cache is None
    np.testing.assert_array_equal(y, native.normalize_rows(x, gamma, beta, 1e-3)[0])
    y, _, cache = native.normalize_columns(x, gamma, beta, 1e-3, keep_cache=False)
    assert cache is None
    np.testing.assert_array_equal(y, native.normalize_columns(x, gamma, beta, 1e-3)[0])


@pytest.mark.parametrize("ops_of", ["rows", "columns"])
def test_gradients_are_differences_of_the_result(ops_of):
    x, dy, gamma, beta = arrays((3, 5), np.float64)
    normalize = getattr(native, f"normalize_{ops_of}")
    *_, dx, dgamma, dbeta = (run if ops_of == "rows" else run_columns)(native, x, dy, gamma, beta)
    for array, gradient in ((x, dx), (gamma, dgamma - 1), (beta, dbeta - 1)):
        for i in range(array.size):
            sides = []
            for h in (1e-6, -2e-6):
                array.flat[i] += h
                sides.append((normalize(x, gamma, beta, 1e-3)[0] * dy).sum())
            array.flat[i] += 1e-6
            assert gradient.flat[i] == pytest.approx((sides[0] - sides[1]) / 2e-6, rel=1e-5, abs=1e-6)


def test_normalization_has_the_same_bits_for_any_number_of_threads(same_bits):
    given = arrays((20_000, 37), np.float32)
    same_bits(lambda: run(native, *given) + run_columns(native, *given))
