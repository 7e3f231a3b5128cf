"""What the commands print: tables on stdout, remarks and progress on stderr. Only this file draws."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from recurra.forecasting import Backtest

MOST_ROWS = 60  # of a table on a terminal or in a pipe; --output and --json hold all
PIPE_WIDTH = 160
LEAST_WIDTH = 8  # of a column that is cut


def remark(text: str) -> None:
    """Prints a line on stderr."""
    print(text, file=sys.stderr)


def table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    highlight: int | None = None,
    texts: int = 1,
    count: int | None = None,
) -> None:
    """Prints a table on stdout: the first column to the left, numbers to the right.

    Where a line is too narrow the first columns are cut, the widest one first. Numbers are always whole: a table of
    many of them is wider than the terminal.

    Args:
        title: Above the table.
        columns: Heads.
        rows: Cells.
        highlight: Index of a row to stand out.
        texts: How many of the first columns may be cut.
        count: How many rows there are, if `rows` are only the first `MOST_ROWS` of them.
    """
    from rich.box import SIMPLE_HEAD
    from rich.cells import cell_len
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    shown = rows[:MOST_ROWS]
    cells = zip(columns, *shown, strict=True)
    widths = [max(cell_len(line) for cell in column for line in cell.splitlines() or [""]) for column in cells]
    frame = 3 * len(columns) - 1  # the spaces between and around the columns
    room = Console().width if sys.stdout.isatty() else PIPE_WIDTH
    widths = _fitted(widths, texts, room - frame)
    drawn = Table(title=escape(title), title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    for position, (name, width) in enumerate(zip(columns, widths, strict=True)):
        side: Any = "left" if position == 0 else "right"
        drawn.add_column(escape(name), justify=side, no_wrap=True, width=width)
    for position, row in enumerate(shown):
        drawn.add_row(*map(escape, row), style="bold" if position == highlight else None)
    Console(highlight=False, width=max(room, sum(widths) + frame)).print(drawn)
    hidden = (count or len(rows)) - len(shown)
    if hidden:
        remark(f"{hidden} more rows: --json and --output hold all of them")


def scores(backtest: Backtest, chosen: str) -> None:
    """Prints the scores of a backtest, the model in use in bold."""
    steps = f"{backtest.horizon} step{'s' * (backtest.horizon > 1)} ahead"
    windows = f"{backtest.n_windows} cutoff{'s' * (backtest.n_windows > 1)}, {steps}"
    table(
        f"Backtest ({windows}; lower sMAPE and MASE are better, coverage should be 80 and 95 %)",
        ["model", "sMAPE %", "MASE", "in 80 %", "in 95 %"],
        [
            [
                row["model"],
                f"{row['sMAPE']:.2f}",
                number(row["MASE"]),
                f"{100 * row['coverage_80']:.0f} %",
                f"{100 * row['coverage_95']:.0f} %",
            ]
            for row in backtest.rows
        ],
        highlight=[row["model"] for row in backtest.rows].index(chosen),
    )


def _fitted(widths: list[int], texts: int, room: int) -> list[int]:
    """Returns the widths with the first `texts` of them made less until all fit, if they can without vanishing."""
    widths = list(widths)
    while sum(widths) > room and max(widths[:texts], default=0) > LEAST_WIDTH:
        widths[widths.index(max(widths[:texts]))] -= 1
    return widths


def document(content: dict[str, Any]) -> None:
    """Prints one JSON document on stdout; numbers that are not finite become null, dates and the like texts."""
    all_letters = (sys.stdout.encoding or "utf-8").lower().startswith("utf")
    print(json.dumps(_plain(content), indent=1, ensure_ascii=not all_letters, default=str))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def number(value: float) -> str:
    """Returns a number with about five significant digits, or all of those before the point."""
    if not np.isfinite(value):
        return "-"
    size = abs(value)
    if size >= 1e15 or 0 < size < 1e-4:
        return f"{value:.4g}"
    return f"{value:,.{max(0, min(4, 4 - int(np.floor(np.log10(size))) if size else 1))}f}"


@contextmanager
def progress(text: str) -> Iterator[Callable[[str], None]]:
    """Yields a function that shows what is being done: a live line on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda line: None
        return
    from rich.console import Console

    with Console(stderr=True).status(text) as status:
        yield status.update
