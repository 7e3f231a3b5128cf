"""Options that several commands share, declared once."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from recurra._checks import expected

STREAM = Path("-")


def _as_typed(text: str | None) -> str | None:
    """Returns text whose letters Python could not tell, as in the C locale, as the UTF-8 that it is."""
    try:
        (text or "").encode()
    except UnicodeEncodeError:
        return os.fsencode(text or "").decode(errors="replace")
    return text


File = Annotated[
    Path, typer.Argument(help="A CSV or Parquet file: a column of times, a column of values; - for standard input.")
]
Horizon = Annotated[
    int | None,
    typer.Option(
        help="Steps ahead; if left out one season (6 where there is none), or as many as the shortest series allows."
    ),
]
Time = Annotated[str | None, typer.Option("--time", callback=_as_typed, help="Column of the times.")]
Target = Annotated[str | None, typer.Option("--target", callback=_as_typed, help="Column of the values.")]
Id = Annotated[
    str | None, typer.Option("--id", callback=_as_typed, help="Column that names the series, or several: A,B.")
]
Freq = Annotated[str | None, typer.Option(help="Step of the times, such as MS, D, h or 15min; inferred if left out.")]
Season = Annotated[int | None, typer.Option(help="Steps of a season, 1 for none; by the frequency if left out.")]
Fill = Annotated[
    str | None, typer.Option(help="How gaps and missing values are filled: interpolate, ffill, zero or mean.")
]
ModelName = Annotated[
    str, typer.Option("--model", help="auto, gru, lstm, simple_rnn, naive, seasonal_naive, drift or theta.")
]
Seed = Annotated[int, typer.Option(help="The same seed gives the same forecast.")]
Windows = Annotated[int | None, typer.Option("--windows", help="Cutoffs of the backtest.")]
Budget = Annotated[str | None, typer.Option(help="Time for training at the most, such as 60s or 5min.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def source(file: Path) -> Any:
    """Returns what to read: the file, or standard input for "-".

    Raises:
        ValueError: If standard input is closed.
    """
    if file != STREAM:
        return file
    if sys.stdin is None:
        raise ValueError(expected("-", "data on standard input", "none: it is closed"))
    return sys.stdin.buffer


def check_not_over(who: str, target: Path, source: Path, what: str) -> None:
    """Raises ValueError where a file to write is the one that is read, `what` it is called."""
    if target.exists() and source.exists() and target.samefile(source):
        hint = "it would be overwritten, choose another name"
        raise ValueError(expected(who, f"another file than {what}", repr(str(target)), hint))


def seconds(budget: str | None) -> float | None:
    """Returns the seconds of "60s", "5min", "1h" or "60".

    Raises:
        ValueError: For anything else.
    """
    if budget is None:
        return None
    units = {"min": 60, "h": 3600, "s": 1}
    text = budget.strip().lower()
    unit = next((unit for unit in units if text.endswith(unit)), "")
    try:
        value = float(text.removesuffix(unit)) * units.get(unit, 1)
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
        raise ValueError(expected("--budget", "a time such as 60s or 5min", repr(budget)))
    return value
