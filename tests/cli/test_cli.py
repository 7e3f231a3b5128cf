"""The command line: what it prints where, what it writes, and how it tells mistakes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import recurra
from recurra.cli.main import main

COMMANDS = ["forecast", "backtest", "show", "convert", "demo", "info"]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def sales(tmp_path):
    t = np.arange(60)
    months = np.datetime64("2019-01") + t
    rows = [f"{month},{10 + t_ % 12 + 0.1 * t_:.2f}" for month, t_ in zip(months, t, strict=True)]
    path = tmp_path / "sales.csv"
    path.write_text("month,sales\n" + "\n".join(rows) + "\n")
    return path


def test_the_table_goes_to_stdout_and_remarks_to_stderr(sales, tmp_path, capsys):
    output, plot, save = tmp_path / "f.csv", tmp_path / "f.png", tmp_path / "f.keras"
    arguments = ["forecast", str(sales), "--horizon", "6", "--model", "gru", "--seed", "3"]
    assert main([*arguments, "--output", str(output), "--plot", str(plot), "--save", str(save)]) == 0
    out, err = capsys.readouterr()
    for word in ("2024-01", "2024-06", "forecast", "80 % from", "Backtest", "seasonal_naive", "MASE"):
        assert word in out
    assert f"wrote {output}" in err
    assert output.read_text().startswith("month,y_hat,lo-80,hi-80,lo-95,hi-95\n2024-01,")
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert recurra.Forecaster.load(save).predict().height == 6


def test_json_is_one_document_and_the_same_as_from_python(sales, capsys):
    assert main(["forecast", str(sales), "--horizon", "6", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    result = recurra.forecast(sales, 6)
    assert document["model"] == result.model
    assert [row["y_hat"] for row in document["forecast"]] == result.columns["y_hat"].tolist()
    assert {row["model"] for row in document["backtest"]["rows"]} == {"gru", "naive", "seasonal_naive", "drift"}


def test_a_baseline_that_wins_is_said_plainly(sales, capsys):
    assert main(["forecast", str(sales), "--horizon", "6", "--model", "gru"]) == 0
    out, err = capsys.readouterr()
    winner = recurra.forecast(sales, 6, model="gru").backtest.winner
    assert f"{winner} won the backtest; the forecast is by gru." in out
    assert (winner == "gru") or f"{winner} was better in the backtest, but gru was asked for" in err


def test_backtest_prints_scores(sales, capsys):
    assert main(["backtest", str(sales), "--horizon", "6", "--windows", "2", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["cutoffs"] == 2
    assert len(document["rows"]) == 4


def test_info_names_the_target_and_the_threads(capsys):
    assert main(["info", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["recurra"] == recurra.__version__
    assert facts["native target"] == recurra.native_info()["target"]


def test_demo_trains_four_networks(capsys):
    assert main(["demo", "--epochs", "2", "--units", "4"]) == 0
    out = capsys.readouterr().out
    for name in ("SimpleRNN", "LSTM", "Bidirectional LSTM", "GRU"):
        assert name in out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example_and_is_in_the_docs(command, capsys):
    assert main([command, "--help"]) == 0
    out = capsys.readouterr().out
    assert f"Example: recurra {command}" in out
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    assert any(f"recurra {command}" in page.read_text("utf-8") for page in pages)


def test_help_lists_all_commands(capsys):
    assert main(["-h"]) == 0
    out = capsys.readouterr().out
    assert all(command in out for command in COMMANDS)


@pytest.mark.parametrize(
    "arguments, code, message",
    [
        (["forecast", "nothing.csv"], 1, "an existing file"),
        (["forecast", "{sales}", "--horizon", "0"], 1, "horizon to be a positive integer, got 0"),
        (["forecast", "{sales}", "--horizon", "50"], 1, "use a horizon of at most 26"),
        (["forecast", "{sales}", "--model", "magic"], 1, "model to be one of"),
        (["forecast", "{sales}", "--fill", "magic"], 1, "interpolate"),
        (["forecast", "{sales}", "--budget", "soon"], 1, "a time such as 60s"),
        (["forecast", "{sales}", "--plot", "picture.txt"], 1, "a file that ends in .png"),
        (["forecast", "{sales}", "--output", "/nonexistent/f.csv"], 1, "an existing directory"),
        (["forecast", "{sales}", "--save", "model.h5"], 1, "a file that ends in .keras"),
        (["forecast", "{sales}", "--bogus"], 2, "No such option"),
        (["forecast"], 2, "Missing argument"),
        (["nonsense"], 2, "No such command"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(sales, tmp_path, capsys, monkeypatch, arguments, code, message):
    monkeypatch.chdir(tmp_path)
    assert main([part.format(sales=sales) for part in arguments]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert message in err
    assert err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["sales.csv"]


def test_the_command_runs_as_a_process_without_a_traceback(sales):
    for arguments, code in ((["forecast", str(sales), "--model", "drift"], 0), (["forecast", "nothing.csv"], 1)):
        run = subprocess.run(
            [sys.executable, "-m", "recurra.cli.main", *arguments],
            capture_output=True,
            text=True,
            env=os.environ,
            check=False,
        )
        assert run.returncode == code, run.stderr
        assert "Traceback" not in run.stderr
