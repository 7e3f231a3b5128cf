"""The backtest: what the forecasts would have been worth at cutoffs in the past, beside the baselines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from recurra._checks import expected, positive_int
from recurra.errors import DataError
from recurra.forecasting.accuracy import coverage, mase, mase_lag, mase_scale, smape
from recurra.forecasting.baselines import BASELINES
from recurra.forecasting.forecaster import Forecaster, fewest_values
from recurra.forecasting.network import Progress
from recurra.forecasting.panel import Panel
from recurra.forecasting.trained import NoLogarithm
from recurra.forecasting.transform import FEWEST_SEASONS

ORIGINS_OF_A_HORIZON = 3  # cutoffs within one, of themselves
MOST_WINDOWS = 13  # of themselves: over five horizons


@dataclass(frozen=True)
class Backtest:
    """Scores by model, best first, and the forecasts behind them.

    Attributes:
        rows: One dict for each model: model, sMAPE (percent, 0 to 200), MASE, coverage_80 and coverage_95 (shares);
            means over cutoffs and series. Steps whose actual value was filled count for none of them.
        winner: The model with the lowest MASE; with the lowest sMAPE where MASE is not defined; the
            simplest of several that are as good.
        n_windows: Number of cutoffs.
        step_size: Values between two of them.
        horizon: Steps ahead.
        last: For each model the forecast at the last cutoff, as of `Forecaster.predict_arrays`; NaN for series that end
            before it.
        last_known: How many values of each series lie before the last cutoff: int (n_series,).
        remarks: What is worth knowing.
    """

    rows: list[dict[str, Any]]
    winner: str
    n_windows: int
    step_size: int
    horizon: int
    last: dict[str, dict[str, np.ndarray]]
    last_known: np.ndarray
    remarks: tuple[str, ...]

    def __repr__(self) -> str:
        """Returns what a notebook shows: the scores, and the remarks."""
        about = f"winner={self.winner!r}, n_windows={self.n_windows}, step_size={self.step_size}"
        heads, *rows = (list(self.rows[0]), *(row.values() for row in self.rows))
        lines = ["".join(f"{head:>15}" for head in heads)]
        lines += [f"{model:>15}" + "".join(f"{score:>15.4g}" for score in scores) for model, *scores in rows]
        told = [f"remark: {remark}" for remark in self.remarks]
        return "\n".join([f"Backtest({about}, horizon={self.horizon}):", *lines, *told])


def choose_windows(
    known: int, horizon: int, n_windows: int | None, step_size: int | None, season_length: int = 1, span: int = 0
) -> tuple[int, int]:
    """Returns the number of cutoffs and the values between them, so that enough is left to learn from.

    At least one cutoff is always there. Of themselves there are more, at most `MOST_WINDOWS`, only while two thirds of
    the shortest series lie before the first, and as many seasons as tell of one if it has them: scores of models that
    know no season would be none of those that are fitted to the whole. They lie a third of the horizon apart: a few
    futures side by side choose a model by chance, those of many origins less so (Tashman, 2000).

    Args:
        known: Values of the shortest series that were observed.
        horizon: Steps ahead.
        n_windows, step_size: As given; cutoffs that were asked for by number alone lie a horizon apart.
        season_length: Steps of a season, 1 for none.
        span: Steps from the first value of the shortest series to the end, filled ones too, as seasons are found in
            them; `known` if that is more.

    Raises:
        DataError: If `n_windows` cutoffs leave less before the first than a forecaster needs.
    """
    usual = max(1, horizon // ORIGINS_OF_A_HORIZON) if n_windows is None else horizon
    step = usual if step_size is None else positive_int("backtest", "step_size", step_size)
    most = 1 + max(0, (known - horizon - fewest_values(horizon)) // step)
    if n_windows is None:
        held, beyond = known // 3, max(known, span) - FEWEST_SEASONS * season_length
        held = min(held, beyond) if beyond >= horizon else held
        return min(most, 1 + max(0, (held - horizon) // step), MOST_WINDOWS), step
    n_windows = positive_int("backtest", "n_windows", n_windows)
    if n_windows > most:
        what = f"at most {most} cutoff{'s' * (most > 1)} {step} apart for a horizon of {horizon} and {known} values"
        hint = "choose fewer (--windows, in Python n_windows) or a shorter horizon"
        raise DataError(expected("backtest", what, n_windows, hint))
    return n_windows, step


def backtest_models(
    forecaster: Forecaster,
    panel: Panel,
    n_windows: int | None = None,
    step_size: int | None = None,
    progress: Progress | None = None,
) -> Backtest:
    """Scores a forecaster and all baselines at the same cutoffs.

    Each of them is fitted once, to what lies before the first cutoff; later it sees the values up to each cutoff. A
    network that saw logarithms is fitted again where values below zero came.
    A cutoff is the same time for all series: cut at the ends of their own, one that goes on would tell the network what
    comes after the cutoff of another. Series that end before a cutoff are learned from, but have nothing to score.

    Args:
        forecaster: Not fitted yet; its horizon and season are used for all, and for MASE (see `mase_lag`).
        panel: The whole data.
        n_windows, step_size: See `choose_windows`.
        progress: Called with a line now and then.
    """
    horizon, season_length = forecaster.steps
    behind = panel.steps_behind()
    known_count, span = (int((counts + behind).min()) for counts in (panel.known_counts, panel.lengths))
    n_windows, step = choose_windows(known_count, horizon, n_windows, step_size, season_length, span)
    cut_back = [horizon + step * k for k in reversed(range(n_windows))]
    lengths = [panel.lengths - np.maximum(0, np.ceil(back - behind)).astype(np.int64) for back in cut_back]
    actuals = [_actual(panel, each, horizon) for each in lengths]
    if np.isnan(actuals).all():
        hint = "cut the empty rows at the end off, or choose more cutoffs"
        raise DataError(expected("backtest", "values to compare forecasts with", "filled ones alone", hint))
    models = [forecaster, *(forecaster.by(name) for name in BASELINES if name != forecaster.model)]
    past = panel.head(lengths[0])
    for each in models:
        each.learn_from(past, progress)
    lags = [mase_lag(past.known(i), season_length) for i in range(panel.n_series)]
    scores: dict[str, list[dict[str, np.ndarray]]] = {each.model: [] for each in models}
    last = {}
    for known, actual in zip(lengths, actuals, strict=True):  # one cut panel after the other, as they may be large
        past = panel.head(known)
        scale = np.array([mase_scale(past.known(i), lag) for i, lag in enumerate(lags)])
        for each in models:
            last[each.model] = _forecast(each, past, progress)
            scores[each.model].append(_scores(actual, scale, last[each.model]))
    going_on = (lengths[-1] < panel.lengths)[:, None]
    last = {
        model: {name: np.where(going_on, values, np.nan) for name, values in answer.items()}
        for model, answer in last.items()
    }
    rows: list[dict[str, Any]] = [
        {"model": model, **{name: _mean(np.concatenate([score[name] for score in own])) for name in own[0]}}
        for model, own in scores.items()
    ]
    measure = "MASE" if all(np.isfinite(row["MASE"]) for row in rows) else "sMAPE"
    simplest = {name: place for place, name in enumerate(BASELINES)}  # of models that are as good as each other
    rows.sort(key=lambda row: (row[measure], simplest.get(row["model"], len(simplest))))
    ended = int((lengths[0] == panel.lengths).sum())
    scored = f"the backtest scores {panel.n_series - ended} of {panel.n_series} series"
    remarks = (f"{scored}: the others end before its cutoffs",) if ended else ()
    return Backtest(rows, rows[0]["model"], n_windows, step, horizon, last, lengths[-1], remarks)


def _actual(panel: Panel, known: np.ndarray, horizon: int) -> np.ndarray:
    """Returns what follows the first `known` values of each series, NaN where nothing does or was filled: (n, H)."""
    steps = known[:, None] + np.arange(horizon)
    inside = steps < panel.lengths[:, None]
    places = panel.indptr[:-1, None] + np.where(inside, steps, 0)
    seen = inside if panel.observed is None else inside & panel.observed[places]
    return np.where(seen, panel.values[places], np.nan)


def _forecast(forecaster: Forecaster, past: Panel, progress: Progress | None) -> dict[str, np.ndarray]:
    """Returns the forecast from a past; where its first values below zero came since the fit, that is done again."""
    try:
        return forecaster.predict_arrays(past)
    except NoLogarithm:
        forecaster.learn_from(past, progress)
        return forecaster.predict_arrays(past)


def _scores(actual: np.ndarray, scale: np.ndarray, answer: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the measures of each series: float (n_series,)."""
    return {
        "sMAPE": smape(actual, answer["y_hat"]),
        "MASE": mase(actual, answer["y_hat"], scale),
        "coverage_80": coverage(actual, answer["lo-80"], answer["hi-80"]),
        "coverage_95": coverage(actual, answer["lo-95"], answer["hi-95"]),
    }


def _mean(values: np.ndarray) -> float:
    known = values[np.isfinite(values)]
    return float(np.mean(known)) if len(known) else float("nan")
