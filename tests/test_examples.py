"""The examples run and say what they should."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
SCRIPTS = sorted(EXAMPLES.glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_the_example_runs(script, tmp_path):
    command = [sys.executable, "-W", "error", str(script)]
    finished = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_the_example_is_short(script):
    assert len(script.read_text(encoding="utf-8").splitlines()) <= 80


def test_the_teaching_notebook_trains_four_models(tmp_path):
    command = [sys.executable, str(EXAMPLES / "teaching_notebook.py")]
    output = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    counts = [line.split(" parameters")[0].split()[-1] for line in output.splitlines() if "parameters" in line]
    assert counts == ["271,201", "1,083,901", "2,887,801", "814,801"]
    assert output.count("outputs (3, 5, 2)") == 2
    assert output.count("outputs (3, 2)") == 2
