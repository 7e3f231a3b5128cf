"""`recurra forecast FILE`: the next values with intervals, beside a backtest."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Annotated, Any

import typer

from recurra._checks import expected
from recurra._files import write_atomically
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
)

INTERVALS = ("lo-80", "hi-80", "lo-95", "hi-95")


def forecast(
    file: File,
    horizon: Horizon = None,
    time: Time = None,
    target: Target = None,
    id: Id = None,
    freq: Freq = None,
    season: Season = None,
    fill: Fill = None,
    model: ModelName = "auto",
    windows: Windows = None,
    seed: Seed = 0,
    budget: Budget = None,
    plot: Annotated[Path | None, typer.Option(help="Draw a picture: FILE.png, .svg or .pdf.")] = None,
    output: Annotated[Path | None, typer.Option(help="Write the forecast: FILE.csv or .parquet.")] = None,
    save: Annotated[Path | None, typer.Option(help="Save the network: FILE.keras.")] = None,
    json: Json = False,
) -> None:
    """Forecast the next values of a file, with intervals and a backtest.

    Example: recurra forecast sales.csv --horizon 12 --plot sales.png
    """
    _check_outputs(plot, output, save)
    import recurra

    with console.progress(f"forecasting {file.name}") as progress:
        result = recurra.forecast(
            file,
            horizon,
            model=model,
            id_col=id,
            time_col=time,
            target_col=target,
            freq=freq,
            fill=fill,
            season_length=season,
            seed=seed,
            n_windows=windows,
            budget_s=seconds(budget),
            progress=progress,
        )
    if save is not None:
        result.forecaster.save(save)
    if output is not None:
        write_atomically(output, _encoded(result.frame, output))
    if plot is not None:
        from recurra.forecasting.plot import plot_forecast

        plot_forecast(result, plot)
    if json:
        console.document(_document(result))
    else:
        _print(result)
    for text in result.remarks:
        console.remark(text)
    for path in filter(None, (plot, output, save)):
        console.remark(f"wrote {path}")


def _check_outputs(plot: Path | None, output: Path | None, save: Path | None) -> None:
    """Refuses endings and directories before any work is done."""
    for option, path, endings in (
        ("--plot", plot, (".png", ".svg", ".pdf")),
        ("--output", output, (".csv", ".parquet")),
        ("--save", save, (".keras",)),
    ):
        if path is None:
            continue
        if path.suffix.lower() not in endings:
            raise ValueError(expected(option, f"a file that ends in {' or '.join(endings)}", repr(str(path))))
        if not path.parent.is_dir():
            raise ValueError(expected(option, "a file in an existing directory", repr(str(path))))


def _encoded(frame: Any, path: Path) -> bytes:
    buffer = io.BytesIO()
    if path.suffix.lower() == ".parquet":
        frame.write_parquet(buffer)
    else:
        frame.write_csv(buffer)
    return buffer.getvalue()


def print_backtest(result: Any, rows: list[dict[str, Any]], chosen: str | None) -> None:
    """Prints the scores of a backtest, the model in use in bold."""
    windows = f"{result.n_windows} cutoff{'s' * (result.n_windows > 1)}, {result.horizon} steps ahead"
    console.table(
        f"Backtest ({windows}; lower sMAPE and MASE are better, coverage should be 80 and 95 %)",
        ["model", "sMAPE %", "MASE", "in 80 %", "in 95 %"],
        [
            [
                row["model"],
                f"{row['sMAPE']:.2f}",
                console.number(row["MASE"]),
                f"{100 * row['coverage_80']:.0f} %",
                f"{100 * row['coverage_95']:.0f} %",
            ]
            for row in rows
        ],
        highlight=next((i for i, row in enumerate(rows) if row["model"] == chosen), None),
    )


def _print(result: Any) -> None:
    panel, columns = result.panel, result.columns
    names = [name for name in columns if name not in ("y_hat", *INTERVALS)]
    rows = [
        [*(str(columns[name][i]) for name in names), *(console.number(columns[n][i]) for n in ("y_hat", *INTERVALS))]
        for i in range(len(columns["y_hat"]))
    ]
    series = f"{panel.n_series} series" if panel.n_series > 1 else f"{panel.lengths[0]} values"
    about = f"{panel.target_col}: {series}, {panel.freq}, season {result.season_length}, by {result.model}"
    heads = [*names, "forecast", "80 % from", "to", "95 % from", "to"]
    console.table(f"Forecast ({about})", heads, rows)
    print_backtest(result.backtest, result.backtest.rows, result.model)
    winner = result.backtest.winner
    print(f"{winner} won the backtest; the forecast is by {result.model}. ({result.elapsed_s:.1f} s)")


def _document(result: Any) -> dict[str, Any]:
    panel = result.panel
    return {
        "model": result.model,
        "winner": result.backtest.winner,
        "horizon": result.horizon,
        "season_length": result.season_length,
        "frequency": str(panel.freq),
        "target": panel.target_col,
        "series": list(panel.ids),
        "forecast": [dict(zip(result.columns, row, strict=True)) for row in zip(*result.columns.values(), strict=True)],
        "backtest": {"cutoffs": result.backtest.n_windows, "rows": result.backtest.rows},
        "remarks": list(result.remarks),
        "elapsed_s": round(result.elapsed_s, 3),
    }
