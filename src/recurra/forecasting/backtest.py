"""The backtest: what the forecasts would have been worth at cutoffs in the past, beside the baselines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra._checks import positive_int
from recurra.forecasting.accuracy import coverage, mase, smape
from recurra.forecasting.baselines import BASELINES
from recurra.forecasting.panel import Panel

if TYPE_CHECKING:
    from recurra.forecasting.forecaster import Forecaster

MOST_WINDOWS = 5


@dataclass(frozen=True)
class Backtest:
    """Scores by model, best first, and the forecasts behind them.

    Attributes:
        rows: One dict for each model: model, sMAPE (percent, 0 to 200), MASE, coverage_80 and coverage_95 (shares);
            means over cutoffs and series.
        winner: The model with the lowest MASE; with the lowest sMAPE where MASE is not defined.
        n_windows: Number of cutoffs.
        step_size: Values between two of them.
        horizon: Steps ahead.
        last: For each model the forecast at the last cutoff, as of `Forecaster.predict_arrays`.
    """

    rows: list[dict[str, Any]]
    winner: str
    n_windows: int
    step_size: int
    horizon: int
    last: dict[str, dict[str, np.ndarray]]

    @property
    def table(self) -> list[dict[str, Any]]:
        """The rows."""
        return self.rows


def choose_windows(shortest: int, horizon: int, n_windows: int | None, step_size: int | None) -> tuple[int, int]:
    """Returns the number of cutoffs and the values between them, so that enough is left to learn from.

    At least one cutoff is always there; more only while two thirds of the shortest series lie before the first.
    """
    step = horizon if step_size is None else positive_int("backtest", "step_size", step_size)
    if n_windows is not None:
        n_windows = positive_int("backtest", "n_windows", n_windows)
    most = 1 + max(0, (shortest // 3 - horizon) // step)
    from recurra.forecasting.forecaster import fewest_values

    while most > 1 and shortest - horizon - (most - 1) * step < fewest_values(horizon):
        most -= 1
    return min(most, n_windows or MOST_WINDOWS), step


def backtest_models(
    forecasters: list[Forecaster],
    panel: Panel,
    n_windows: int | None = None,
    step_size: int | None = None,
    progress: Any = None,
) -> Backtest:
    """Scores forecasters and all baselines at the same cutoffs.

    Each forecaster is fitted once, to what lies before the first cutoff; later it sees the values up to each cutoff.

    Args:
        forecasters: Not fitted yet; the first one's horizon and season are used for all, and for MASE.
        panel: The whole data.
        n_windows, step_size: See `choose_windows`.
        progress: Called with a line now and then.
    """
    from recurra.forecasting.forecaster import Forecaster

    horizon, season_length = forecasters[0].horizon or 1, forecasters[0].season_length or 1
    n_windows, step = choose_windows(int(panel.lengths.min()), horizon, n_windows, step_size)
    cut_back = [horizon + step * k for k in reversed(range(n_windows))]
    known = [panel.head(panel.lengths - back) for back in cut_back]
    baselines = [Forecaster(name, horizon=horizon, season_length=season_length) for name in BASELINES]
    rows, last = [], {}
    for forecaster in [*forecasters, *(b for b in baselines if b.model not in [f.model for f in forecasters])]:
        forecaster.learn_from(known[0], progress)
        scores = []
        for past, back in zip(known, cut_back, strict=True):
            answer = forecaster.predict_arrays(past)
            scores += [
                _scores(panel, i, int(past.lengths[i]), back, horizon, season_length, answer)
                for i in range(panel.n_series)
            ]
        last[forecaster.model] = answer
        means = {name: _mean([score[name] for score in scores]) for name in scores[0]}
        rows.append({"model": forecaster.model, **means})
    measure = "MASE" if all(np.isfinite(row["MASE"]) for row in rows) else "sMAPE"
    rows.sort(key=lambda row: row[measure])
    return Backtest(rows, rows[0]["model"], n_windows, step, horizon, last)


def _scores(
    panel: Panel, i: int, cutoff: int, back: int, horizon: int, season_length: int, answer: dict[str, np.ndarray]
) -> dict[str, float]:
    series = panel.series(i)
    past, actual = series[:cutoff], series[cutoff : cutoff + horizon]
    return {
        "sMAPE": smape(actual, answer["y_hat"][i]),
        "MASE": mase(actual, answer["y_hat"][i], past, season_length),
        "coverage_80": coverage(actual, answer["lo-80"][i], answer["hi-80"][i]),
        "coverage_95": coverage(actual, answer["lo-95"][i], answer["hi-95"][i]),
    }


def _mean(values: list[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")
