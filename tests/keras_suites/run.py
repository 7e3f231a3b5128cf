"""Runs one of Keras's own test files against recurra: `python run.py KERAS_SRC_FOLDER layers/rnn/lstm_test.py`.

Prints one line for each test: its name, a tab, and "passed", "failed" or "skipped".
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest
import stand_in


class Outcomes:
    """Collects what became of each test."""

    def __init__(self) -> None:
        self.of: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: Any) -> None:
        name = report.nodeid.partition("::")[2]
        if report.when == "call" or report.outcome != "passed":
            self.of[name] = report.outcome


def main(folder: str, file: str) -> None:
    stand_in.install(Path(folder))
    importlib.import_module("keras.src." + file.removesuffix(".py").replace("/", "."))
    outcomes = Outcomes()
    options = ["-q", "-W", "ignore", "-p", "no:cacheprovider", "-o", "addopts=", "--rootdir", folder]
    pytest.main([*options, "--import-mode=importlib", str(Path(folder) / file)], plugins=[outcomes])
    for name, outcome in sorted(outcomes.of.items()):
        print(f"OUTCOME\t{name}\t{outcome}")


if __name__ == "__main__":
    main(*sys.argv[1:])
