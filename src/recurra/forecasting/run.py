"""The whole way: read the data, compare the network with the baselines, forecast by the better one."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from recurra._arguments import knows_arguments
from recurra._checks import one_of
from recurra.forecasting.backtest import Backtest, backtest_models
from recurra.forecasting.baselines import BASELINES
from recurra.forecasting.forecaster import Forecaster, checked_budget
from recurra.forecasting.frame import read_panel, to_frame
from recurra.forecasting.network import KINDS, Progress
from recurra.forecasting.panel import Panel

MOST_ROWS = 10  # that `repr` shows


@dataclass(frozen=True)
class Forecast:
    """What `forecast` found.

    Attributes:
        frame: Long frame of times, y_hat, lo-80, hi-80, lo-95, hi-95 (and the id column if there is one), of the
            library that the data came in; Polars for a file.
        columns: The same as a dict of arrays and lists.
        backtest: Scores of the network and the baselines at past cutoffs.
        model: The model that made the forecast.
        forecaster: The fitted forecaster.
        panel: The data as read.
        horizon: Steps ahead.
        season_length: Steps of a season, 1 for none.
        remarks: What is worth knowing.
        elapsed_s: Seconds that it took.
    """

    frame: Any
    columns: dict[str, Any]
    backtest: Backtest
    model: str
    forecaster: Forecaster
    panel: Panel
    horizon: int
    season_length: int
    remarks: tuple[str, ...]
    elapsed_s: float

    def __repr__(self) -> str:
        """Returns what a notebook shows: what was forecast by what, the first rows of the frame, and the remarks."""
        count, series = len(self.columns["y_hat"]), self.panel.n_series
        about = f"n_series={series}, horizon={self.horizon}, season_length={self.season_length}"
        rows = f"the first {MOST_ROWS} of {count} rows of .frame" if count > MOST_ROWS else ".frame"
        told = [f"remark: {remark}" for remark in self.remarks]
        return "\n".join([f"Forecast(model={self.model!r}, {about}), {rows}:", repr(self.frame[:MOST_ROWS]), *told])


@knows_arguments
def forecast(
    data: Any,
    horizon: int | None = None,
    *,
    model: str = "auto",
    id_col: str | None = None,
    time_col: str | None = None,
    target_col: str | None = None,
    freq: str | None = None,
    fill: str | None = None,
    season_length: int | None = None,
    seed: int = 0,
    n_seeds: int = 3,
    n_windows: int | None = None,
    budget_s: float | None = None,
    progress: Progress | None = None,
) -> Forecast:
    """Forecasts the series of a file or a frame, and says by a backtest what the forecast is worth.

    A recurrent network and simple baselines forecast the end of the data from before it; what won is fitted to all of
    the data and used, unless `model` says otherwise.

    Args:
        data: A path to a CSV or Parquet file, or a pandas, Polars or Arrow frame.
        horizon: Steps ahead; if None one season (6 where there is none), or as many as the shortest series allows.
        model: "auto" (a GRU against the baselines, the better one is used), "gru", "lstm", "simple_rnn", "naive",
            "seasonal_naive", "drift" or "theta".
        id_col, time_col, target_col, freq, fill: As in `read_panel`.
        season_length: Steps of a season; if None that of the frequency, and a week of hours where it tells more.
        seed: Of the networks; the same seed gives the same forecast. Each network has the number after the last one's.
        n_seeds: Networks that are averaged.
        n_windows: Cutoffs of the backtest.
        budget_s: Seconds of training, at the most.
        progress: Called with a line now and then.

    Raises:
        DataError: If the data cannot be used.
        TypeError, ValueError: If an option is out of range.
    """
    started = time.monotonic()
    one_of("forecast", "model", model, ("auto", *KINDS, *BASELINES))
    budget_s = checked_budget("forecast", budget_s)
    options: dict[str, Any] = {
        "season_length": season_length,
        "seed": seed,
        "n_seeds": n_seeds,
        "budget_s": None if budget_s is None else budget_s / 2,
    }
    candidate = Forecaster("gru" if model == "auto" else model, horizon=horizon, **options)
    panel = read_panel(data, id_col=id_col, time_col=time_col, target_col=target_col, freq=freq, fill=fill)
    steps = candidate.resolve(panel)
    remarks = list(panel.remarks)
    if horizon is None and steps.horizon < steps.season_length:
        few = f"{panel.known_counts.min()} values are too few to forecast a season of {steps.season_length}"
        remarks.append(f"{few}: the horizon is {steps.horizon}")
    constant = [panel.ids[i] for i in range(panel.n_series) if panel.is_constant(i)]
    all_constant = len(constant) == panel.n_series
    if constant:
        more = f" and {len(constant) - 5} more" if len(constant) > 5 else ""
        remarks.append(f"constant, so forecast as they are: {', '.join(map(repr, constant[:5]))}{more}")
    if all_constant:
        candidate = candidate.by("naive")
    backtest = backtest_models(candidate.by(candidate.model), panel, n_windows, progress=progress)
    remarks += backtest.remarks
    chosen = backtest.winner if model == "auto" and not all_constant else candidate.model
    if chosen in BASELINES and candidate.model in KINDS:
        remarks.append(f"the baseline {chosen} was better than the network {candidate.model}: it is used")
    elif backtest.winner != chosen and not all_constant:
        remarks.append(f"{backtest.winner} was better in the backtest, but {chosen} was asked for")
    final = candidate.by(chosen)
    final.learn_from(panel, progress)
    columns = final.columns(final.predict_arrays())
    return Forecast(
        frame=to_frame(columns, panel),
        columns=columns,
        backtest=backtest,
        model=chosen,
        forecaster=final,
        panel=panel,
        horizon=steps.horizon,
        season_length=steps.season_length,
        remarks=tuple(remarks),
        elapsed_s=time.monotonic() - started,
    )
