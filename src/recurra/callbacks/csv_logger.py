"""A table of the epochs in a CSV file."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import Any

import numpy as np

from recurra._checks import expected
from recurra._files import append, path_option, write_atomically
from recurra.callbacks.base import Callback


class CSVLogger(Callback):
    """Writes one row per epoch, so that the file is whole after each; values that an epoch lacks are "NA".

    Where `BackupAndRestore` goes on with a run, the rows of epochs that are done again make way for the new ones.

    Args:
        filename: The file.
        separator: Between the fields.
        append: Go on with a file that is there, instead of replacing it.

    Raises:
        TypeError: If `filename` is not a path, or `separator` not one character.
    """

    _remembered = ("_count",)

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False):
        super().__init__()
        if not isinstance(separator, str) or len(separator) != 1:
            raise TypeError(expected("CSVLogger", "separator to be one character", repr(separator)))
        self.filename = path_option("CSVLogger", "filename", filename)
        self.sep = separator
        self.append = append
        self.keys: list[str] = []
        self._found = 0  # rows below the header when the run began
        self._count: int | None = 0  # rows now; None from a backup that was written without this callback

    def on_train_begin(self, logs: Any = None) -> None:
        rows = self._rows() if self.append and os.path.exists(self.filename) else []
        self.keys = rows[0][1:] if rows else []
        self._found = self._count = max(0, len(rows) - 1)
        if not rows:
            write_atomically(self.filename, b"")
        elif not Path(self.filename).read_bytes().endswith((b"\n", b"\r")):  # as editors and spreadsheets may leave it
            append(self.filename, self._lines([[]]).encode())

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if self._count is None:
            self._count = self._found
        if self._found > self._count:  # a run that was cut off wrote them after its last backup
            write_atomically(self.filename, self._lines(self._rows()[: 1 + self._count]).encode())
            self._found = self._count

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs = logs or {}
        new = sorted(key for key in logs if key not in self.keys)
        if new or not os.path.getsize(self.filename):
            self.keys += new
            self._widen(len(new))
        row = [epoch, *(_text(logs.get(key, "NA")) for key in self.keys)]
        append(self.filename, self._lines([row]).encode())
        self._count = (self._count or 0) + 1

    def _widen(self, added: int) -> None:
        """Writes the header anew, and "NA" where earlier rows lack the columns added."""
        rows = [[*row, *["NA"] * added] for row in self._rows()[1:]]
        write_atomically(self.filename, self._lines([["epoch", *self.keys], *rows]).encode())

    def _rows(self) -> list[list[str]]:
        with open(self.filename, newline="", encoding="utf-8") as file:
            return list(csv.reader(file, delimiter=self.sep))

    def _lines(self, rows: list[list[Any]]) -> str:
        text = io.StringIO()
        csv.writer(text, delimiter=self.sep).writerows(rows)
        return text.getvalue()


def _text(value: Any) -> Any:
    if isinstance(value, str) or np.ndim(value) == 0:
        return value
    return f'"[{", ".join(map(str, value))}]"'
