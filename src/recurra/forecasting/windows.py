"""Windows on many series at once: views on one flat array, never copies.

Letters: L lookback, H horizon, k windows. A window is named by `ends`, the flat position of the last value of its past.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


@dataclass(frozen=True)
class Windows:
    """Pasts of L values and the H values that follow each.

    Args:
        values: float (total,), the series one after the other.
        indptr: int64 (n_series + 1,); series i is `values[indptr[i]:indptr[i + 1]]`.
        lookback: L, length of a past.
        horizon: H, length of a future.

    >>> windows = Windows(np.arange(8.0), np.array([0, 8]), lookback=3, horizon=2)
    >>> windows.pasts(windows.ends(0)).tolist()
    [[0.0, 1.0, 2.0], [1.0, 2.0, 3.0], [2.0, 3.0, 4.0], [3.0, 4.0, 5.0]]
    >>> windows.futures(np.array([5])).tolist()
    [[6.0, 7.0]]
    """

    values: np.ndarray
    indptr: np.ndarray
    lookback: int
    horizon: int

    @property
    def past_view(self) -> np.ndarray:
        """All pasts as a read-only view (total - L + 1, L); row p ends at position p + L - 1."""
        return sliding_window_view(self.values, self.lookback)

    @property
    def future_view(self) -> np.ndarray:
        """All futures as a read-only view (total - H + 1, H); row p begins at position p."""
        return sliding_window_view(self.values, self.horizon)

    def ends(self, i: int) -> np.ndarray:
        """The windows whose past and future both lie within series i, in order: int64 (k,)."""
        return np.arange(self.indptr[i] + self.lookback - 1, self.indptr[i + 1] - self.horizon)

    def pasts(self, ends: np.ndarray) -> np.ndarray:
        """The pasts of these windows: a copy of shape (*ends.shape, L)."""
        return self.past_view[ends - (self.lookback - 1)]

    def futures(self, ends: np.ndarray) -> np.ndarray:
        """The futures of these windows: a copy of shape (*ends.shape, H)."""
        return self.future_view[ends + 1]
