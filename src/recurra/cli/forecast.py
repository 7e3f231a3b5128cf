"""`recurra forecast FILE`: the next values with intervals, beside a backtest."""

from __future__ import annotations

import io
import os
import sys
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from recurra._checks import expected
from recurra._files import write_atomically
from recurra.cli import console
from recurra.cli.options import (
    STREAM,
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
    check_not_over,
    seconds,
    source,
)

SAVE_HINT = "--model gru saves a network even if a baseline is better"


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
    output: Annotated[
        Path | None, typer.Option(help="Write the forecast: FILE.csv, .parquet, or - for stdout.")
    ] = None,
    save: Annotated[Path | None, typer.Option(help="Save the network: FILE.keras.")] = None,
    json: Json = False,
) -> None:
    """Forecast the next values of a file, beside a backtest.

    Example: recurra forecast sales.csv --horizon 12 --plot sales.png
    """
    if json and output == STREAM:
        raise ValueError(expected("--output -", "no --json", "both", "one of them can go to standard output"))
    table = None if output == STREAM else output
    _check_outputs(file, plot, table, save)
    import recurra
    from recurra.forecasting.baselines import BASELINES

    if save is not None and model in BASELINES:
        raise ValueError(expected("--save", "a network", f"--model {model}", SAVE_HINT))

    with console.progress(f"forecasting {file.name}") as progress:
        result = recurra.forecast(
            source(file),
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
    saved = save if result.model not in BASELINES else None
    try:
        if output == STREAM:
            sys.stdout.buffer.write(_encoded(result, STREAM))
        elif json:
            console.document(_document(result))
        else:
            _print(result)
    finally:  # a reader that went away costs no file
        _write_files(result, plot, table, saved)
    if save != saved:
        raise _nothing_to_save(result)


def _write_files(result: Any, plot: Path | None, table: Path | None, saved: Path | None) -> None:
    """Writes each file that is asked for, whatever becomes of the others: all the work is done by now.

    Raises:
        OSError: Of those that could not be written.
    """

    def draw(path: Path) -> None:
        from recurra.forecasting.plot import plot_forecast

        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", UserWarning)
            plot_forecast(result, path)
        remarks.extend(str(warning.message) for warning in warned)

    remarks: list[str] = list(result.remarks)
    written: list[Path] = []
    failures: list[OSError] = []
    for path, write in (
        (saved, lambda path: result.forecaster.save(path)),
        (table, lambda path: write_atomically(path, _encoded(result, path))),
        (plot, draw),
    ):
        if path is not None:
            try:
                write(path)
                written.append(path)
            except OSError as error:
                failures.append(error)
    for text in (*remarks, *(f"wrote {path}" for path in written)):
        console.remark(text)
    if failures:
        raise failures[0] if len(failures) == 1 else OSError("; ".join(map(str, failures)))


def _nothing_to_save(result: Any) -> ValueError:
    panel = result.panel
    if all(panel.is_constant(i) for i in range(panel.n_series)):
        return ValueError(expected("--save", "a network", "constant series, which need none", "leave --save out"))
    got = f"the baseline {result.model}, which won the backtest"
    return ValueError(expected("--save", "a network", got, SAVE_HINT))


def _check_outputs(file: Path, plot: Path | None, output: Path | None, save: Path | None) -> None:
    """Refuses endings, directories and the data itself before any work is done."""
    from recurra.forecasting.plot import ENDINGS

    for option, path, endings in (
        ("--plot", plot, ENDINGS),
        ("--output", output, (".csv", ".parquet")),
        ("--save", save, (".keras",)),
    ):
        if path is None:
            continue
        if path.suffix.lower() not in endings:
            raise ValueError(expected(option, f"a file that ends in {' or '.join(endings)}", repr(str(path))))
        directory = Path(os.path.realpath(path)).parent  # of what a link leads to
        if not directory.is_dir():
            raise ValueError(expected(option, "a file in an existing directory", repr(str(path))))
        if not os.access(directory, os.W_OK):
            raise ValueError(expected(option, "a file in a directory that can be written to", repr(str(path))))
        if path.is_dir():
            raise ValueError(expected(option, "a file to write", f"the directory {str(path)!r}"))
        check_not_over(option, path, file, "the data")


def _encoded(result: Any, path: Path) -> bytes:
    """Returns the forecast as a file: times (and ids that are durations) as text in CSV, as they are in Parquet."""
    from recurra.forecasting.frame import to_frame

    buffer = io.BytesIO()
    if path.suffix.lower() == ".parquet":
        times = result.panel.clock.as_in_frames(result.panel.future_times(result.horizon))
        columns = result.columns | {result.panel.time_col: times}
        to_frame(columns, result.panel).write_parquet(buffer)
    else:
        frame, id_col = result.frame, result.panel.id_col
        if any(isinstance(value, timedelta) for value in result.panel.source.id_values):
            frame = to_frame(result.columns | {id_col: list(map(str, result.columns[id_col]))}, result.panel)
        frame.write_csv(buffer)
    return buffer.getvalue()


def _print(result: Any) -> None:
    from recurra.forecasting.intervals import RESULTS

    panel, columns = result.panel, result.columns
    names = [name for name in columns if name not in RESULTS]
    rows = [
        [*(str(columns[name][i]) for name in names), *(console.number(columns[n][i]) for n in RESULTS)]
        for i in range(min(len(columns["y_hat"]), console.MOST_ROWS))
    ]
    series = f"{panel.n_series} series" if panel.n_series > 1 else f"{panel.lengths[0]} values"
    about = f"{panel.target_col}: {series}, {panel.freq}, season {result.season_length}, by {result.model}"
    heads = [*names, "forecast", "80 % from", "to", "95 % from", "to"]
    count = len(columns["y_hat"])
    console.table(f"Forecast ({about})", heads, rows, texts=len(names) - 1, count=count)  # ids may be cut, times not
    console.scores(result.backtest, result.model)
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
