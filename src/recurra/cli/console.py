"""What the commands print: tables on stdout, remarks and progress on stderr. Only this file draws."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

MOST_ROWS = 60  # of a table on a terminal or in a pipe; --output and --json hold all


def remark(text: str) -> None:
    """Prints a line on stderr."""
    print(text, file=sys.stderr)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], highlight: int | None = None) -> None:
    """Prints a table on stdout: the first column to the left, numbers to the right.

    Args:
        title: Above the table.
        columns: Heads.
        rows: Cells.
        highlight: Index of a row to stand out.
    """
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    drawn = Table(title=escape(title), title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    for position, name in enumerate(columns):
        drawn.add_column(escape(name), justify="left" if position == 0 else "right", no_wrap=True)
    for position, row in enumerate(rows[:MOST_ROWS]):
        drawn.add_row(*map(escape, row), style="bold" if position == highlight else None)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    console.print(drawn)
    if len(rows) > MOST_ROWS:
        remark(f"{len(rows) - MOST_ROWS} more rows: --json and --output hold all of them")


def document(content: dict[str, Any]) -> None:
    """Prints one JSON document on stdout; numbers that are not finite become null."""
    print(json.dumps(_plain(content), indent=1, ensure_ascii=False))


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
    """Returns a number with about five significant digits."""
    if not np.isfinite(value):
        return "-"
    size = abs(value)
    if size >= 1e7 or 0 < size < 1e-4:
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
        yield lambda line: status.update(line)
