"""`recurra backtest FILE`: what forecasts would have been worth in the past."""

from __future__ import annotations

from recurra.cli import console
from recurra.cli.options import (
    Budget,
    File,
    Fill,
    Freq,
    Horizon,
    Id,
    Json,
    ModelName,
    Season,
    Seed,
    Target,
    Time,
    Windows,
    seconds,
    source,
)


def backtest(
    file: File,
    horizon: Horizon = None,
    time: Time = None,
    target: Target = None,
    id: Id = None,
    freq: Freq = None,
    season: Season = None,
    fill: Fill = None,
    model: ModelName = "gru",
    windows: Windows = None,
    seed: Seed = 0,
    budget: Budget = None,
    json: Json = False,
) -> None:
    """Score a network and the baselines at cutoffs in the past.

    Example: recurra backtest sales.csv --horizon 12 --windows 3
    """
    from recurra.forecasting import Forecaster, read_panel

    forecaster = Forecaster(
        "gru" if model == "auto" else model,
        horizon=horizon,
        season_length=season,
        seed=seed,
        budget_s=seconds(budget),
    )
    with console.progress(f"testing on {file.name}") as progress:
        panel = read_panel(source(file), id_col=id, time_col=time, target_col=target, freq=freq, fill=fill)
        result = forecaster.backtest(panel, n_windows=windows, progress=progress)
    remarks = [*panel.remarks, *result.remarks]
    if json:
        content = {"winner": result.winner, "cutoffs": result.n_windows, "rows": result.rows, "remarks": remarks}
        console.document(content)
    else:
        console.scores(result, result.winner)
        print(f"{result.winner} won.")
    for text in remarks:
        console.remark(text)
