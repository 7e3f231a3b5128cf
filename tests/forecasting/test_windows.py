"""Windows are views and stay within a series."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recurra.forecasting.windows import Windows


def test_windows_are_views_of_the_series():
    values = np.arange(20.0)
    windows = Windows(values, np.array([0, 20]), 5, 3)
    assert np.shares_memory(windows.past_view, values)
    assert np.shares_memory(windows.future_view, values)


@given(st.lists(st.integers(1, 20), min_size=1, max_size=4), st.integers(1, 5), st.integers(1, 4))
def test_no_window_reaches_into_another_series(lengths, lookback, horizon):
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    owner = np.repeat(np.arange(len(lengths)), lengths).astype(float)
    windows = Windows(owner, indptr, lookback, horizon)
    if len(owner) < max(lookback, horizon):
        return
    ends = np.concatenate([windows.ends(i) for i in range(len(lengths))])
    assert len(ends) == sum(max(0, n - lookback - horizon + 1) for n in lengths)
    if len(ends):
        together = np.concatenate([windows.pasts(ends), windows.futures(ends)], axis=1)
        assert (together == together[:, :1]).all()
