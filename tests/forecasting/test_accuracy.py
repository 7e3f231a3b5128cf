"""The measures, by M4's definitions written out once more."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.forecasting.accuracy import coverage, mase, mase_lag, mase_scale, smape

numbers = st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=4).map(np.array)


def test_smape_by_hand():
    assert smape(np.array([100.0, 0.0]), np.array([50.0, 0.0])) == pytest.approx(100 * (50 / 150))


def test_mase_by_hand():
    past = np.array([1.0, 2.0, 4.0, 3.0])
    assert mase(np.array([5.0]), np.array([3.0]), mase_scale(past, 1)) == pytest.approx(2 / (4 / 3))
    assert mase(np.array([5.0]), np.array([3.0]), mase_scale(past, 2)) == pytest.approx(2 / 2)


def test_mase_is_not_defined_for_a_constant_past():
    assert np.isnan(mase(np.array([1.0]), np.array([1.0]), mase_scale(np.ones(5), 1)))


def test_mase_is_not_defined_where_only_rounding_tells_the_seasons_apart():
    past = np.sin(2 * np.pi * np.arange(100) / 50)
    assert 0 < np.abs(past[50:] - past[:-50]).max() < 1e-14
    assert np.isnan(mase(np.array([1.0]), np.array([0.5]), mase_scale(past, 50)))
    assert mase(np.array([1e-320]), np.array([0.0]), mase_scale(np.array([0.0, 1e-320]), 1)) == pytest.approx(1)


def test_mase_does_not_rest_on_a_few_changes_over_a_season():
    walk = np.random.default_rng(0).standard_normal(24).cumsum()
    walk[12] = walk[0] + 1e-9  # the one change that 13 months know of: everything was 1e9 times it
    changes = np.abs(np.diff(walk))
    for count in (12, 13, 23):
        assert mase_scale(walk[:count], 12) == pytest.approx(changes[: count - 1].mean())
    assert mase_scale(walk, 12) == pytest.approx(np.abs(walk[12:] - walk[:12]).mean())
    walk[5] = np.nan
    assert mase_lag(walk, 12) == 1
    assert mase_scale(walk, 12) == pytest.approx(np.delete(changes, [4, 5]).mean())


@given(numbers, numbers)
def test_smape_lies_between_0_and_200(actual, forecast):
    assert 0 <= smape(actual, forecast) <= 200 + 1e-9


def test_coverage_counts_the_bounds_and_leaves_out_missing_values():
    actual = np.array([1.0, 2.0, np.nan, 9.0])
    assert coverage(actual, np.ones(4), np.full(4, 2.0)) == pytest.approx(2 / 3)


def test_missing_actual_values_are_left_out_of_every_measure():
    past, forecast = np.array([1.0, 2.0, 4.0]), np.array([1.0, 2.0, 3.0])
    some, none = np.array([2.0, np.nan, 3.0]), np.full(3, np.nan)
    assert smape(some, forecast) == pytest.approx(smape(some[::2], forecast[::2]))
    scale = mase_scale(past, 1)
    assert mase(some, forecast, scale) == pytest.approx(mase(some[::2], forecast[::2], scale))
    for value in (smape(none, forecast), mase(none, forecast, scale), coverage(none, forecast, forecast)):
        assert np.isnan(value)


def test_series_are_measured_as_each_alone():
    actual, forecast, low = np.random.default_rng(0).standard_normal((3, 5, 7))
    actual[1, 2], actual[3] = np.nan, np.nan
    scale = np.array([1.0, 2.0, np.nan, 1.0, 3.0])
    for measure, others in ((smape, [forecast]), (coverage, [low, forecast]), (mase, [forecast, scale])):
        alone = [measure(actual[i], *(other[i] for other in others)) for i in range(5)]
        np.testing.assert_array_equal(measure(actual, *others), alone)
