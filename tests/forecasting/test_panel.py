"""Panels of arrays, and what a panel remembers of its gaps."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from samples import days

from recurra.forecasting.frame import read_panel
from recurra.forecasting.panel import Panel


def test_what_was_filled_is_remembered_and_filled_anew_before_a_cutoff():
    values = [0.0, 1, 2, None, None, 5, None, 7, 8]
    panel = read_panel(pd.DataFrame({"ds": days(9), "y": values}), fill="interpolate")
    np.testing.assert_array_equal(panel.values, np.arange(9))
    np.testing.assert_array_equal(panel.observed, [value is not None for value in values])
    assert panel.remarks == ("3 of 9 values were missing: filled by interpolate",)
    np.testing.assert_array_equal(panel.head(np.array([5])).values, [0, 1, 2, 2, 2])
    np.testing.assert_array_equal(panel.head(np.array([7])).values, [0, 1, 2, 3, 4, 5, 5])
    assert read_panel(pd.DataFrame({"ds": days(9), "y": np.arange(9.0)}), fill="zero").observed is None


def test_a_panel_of_arrays_wants_finite_numbers():
    with pytest.raises(ValueError, match=r"series 1 expected an array .* got NaN or infinity in it"):
        Panel.from_arrays([np.arange(9.0), np.array([1.0, np.nan])])
    with pytest.raises(ValueError, match=r"series 0 expected an array .* got shape \(3, 2\)"):
        Panel.from_arrays([np.zeros((3, 2))])
    with pytest.raises(ValueError, match=r"Panel\.from_arrays expected at least one series, got none"):
        Panel.from_arrays([])


@pytest.mark.parametrize("ids, got", [(["a"], "1"), ([], "0"), (["a", "a"], "'a' twice"), ([1, 2], "1 of type int")])
def test_a_panel_of_arrays_wants_an_id_for_each(ids, got):
    message = f"Panel.from_arrays expected ids to be a different text for each of 2 series, got {got}$"
    with pytest.raises(ValueError, match=message):
        Panel.from_arrays([np.arange(9.0)] * 2, ids=ids)
    assert Panel.from_arrays([np.arange(9.0)] * 2, ids=np.array(["a", "b"])).ids == ("a", "b")


def test_what_is_known_is_counted_for_each_series():
    panel = Panel.from_arrays([np.arange(3.0), np.arange(4.0)])
    assert panel.known_counts.tolist() == [3, 4]
    observed = np.array([True, False, True, True, False, False, True])
    assert replace(panel, observed=observed, fill="ffill").known_counts.tolist() == [2, 2]
