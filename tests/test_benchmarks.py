"""The guides on performance have a place for the figures of every benchmark, and report.py fills it."""

import re
from pathlib import Path

import numpy as np
import pytest

import forecasts
import report

FIGURES = re.compile(r"<!-- figures: (\w+)(?: \w+)? -->")
RESULT = {
    "machine": {"cpu": "a CPU", "cores": 2, "target": "avx2", "python": "3.12.0", "system": "Linux"},
    "versions": {"recurra": "0.1.0"},
    "quick": False,
    "records": [{"target": "avx2", "threads": 1, "SimpleRNN": "0a", "LSTM": "1b", "GRU": "2c"}],
}


@pytest.mark.parametrize("language", report.GUIDES)
def test_a_guide_has_a_place_for_the_figures_of_every_benchmark(language):
    questions = FIGURES.findall(report.GUIDES[language].read_text(encoding="utf-8"))
    files = Path(report.__file__).parent.glob("*.py")
    assert sorted(set(questions)) == sorted(file.stem for file in files if "harness.main(" in file.read_text("utf-8"))


def test_figures_replace_those_of_the_run_before_and_nothing_else():
    kept = "<!-- figures: stream -->\nkept\n<!-- end of figures -->\n"
    text = f"before\n<!-- figures: bits -->\nold\n<!-- end of figures -->\n{kept}"
    once = report.with_figures(text, {"bits": RESULT}, "ko")
    assert once == (
        "before\n<!-- figures: bits -->\n\n"
        "| 타깃 | 스레드 | SimpleRNN | LSTM | GRU |\n|---|---|---|---|---|\n| avx2 | 1 | 0a | 1b | 2c |\n\n"
        f"a CPU, 2 cores, target avx2, recurra 0.1.0, Python 3.12.0.\n\n<!-- end of figures -->\n{kept}"
    )
    assert report.with_figures(once, {"bits": RESULT}, "ko") == once


def test_figures_of_another_target_stay():
    text = "".join(f"<!-- figures: bits {target} -->\nold\n<!-- end of figures -->\n" for target in ("neon", "avx2"))
    neon, avx2 = report.with_figures(text, {"bits": RESULT}, "en").split("<!-- end of figures -->\n")[:2]
    assert neon == "<!-- figures: bits neon -->\nold\n"
    assert "| avx2 | 1 | 0a | 1b | 2c |" in avx2


def test_forecasts_are_scored_as_the_competitions_do(tmp_path, capsys, monkeypatch):
    (tmp_path / "m3").mkdir()
    trend = [float(value) for value in range(10, 36)]
    for part, first, last in (("train", 0, 20), ("test", 20, 26)):
        rows = [f"{name},{step},{trend[step]}" for name in ("a", "b") for step in range(first, last)]
        (tmp_path / "m3" / f"yearly-{part}.csv").write_text("\n".join(["unique_id,ds,y", *rows, ""]))
    monkeypatch.setattr("sys.argv", ["forecasts.py", str(tmp_path), "--models", "naive,drift"])
    forecasts.main()
    assert re.findall(r"M3 yearly, 2 series|(?:naive|drift) +[\d.]+", capsys.readouterr().out) == [
        "M3 yearly, 2 series",
        "naive                    1.00",
        "drift                    0.00",
    ]


def test_naive2_takes_the_season_out_and_puts_it_back():
    figure = np.array([0.5, 1.0, 1.5, 1.0])
    past = 100 * np.tile(figure, 6)[:-1]
    np.testing.assert_allclose(forecasts.naive2(past, 5, 4), 100 * figure[[3, 0, 1, 2, 3]])
    np.testing.assert_array_equal(forecasts.naive2(np.arange(8.0), 3, 4), [7.0, 7.0, 7.0])
