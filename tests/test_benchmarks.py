"""The guides on performance have a place for the figures of every benchmark, and report.py fills it."""

import re
from pathlib import Path

import numpy as np
import pytest

import forecasts
import harness
import report
from libraries.models import MODELS

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
    assert questions
    assert sorted(set(questions)) == sorted(file.stem for file in files if "harness.main(" in file.read_text("utf-8"))


def tables(language):
    """Returns the tables of figures of a guide, as lines, by question and target."""
    text = report.GUIDES[language].read_text(encoding="utf-8")
    return {found.group(2, 3): re.findall(r"^\|.*\|$", found[0], re.MULTILINE) for found in report.BLOCK.finditer(text)}


def test_the_korean_guide_has_the_tables_of_the_english_one():
    english, korean = tables("en"), tables("ko")
    assert english and english.keys() == korean.keys()
    for question, lines in english.items():
        rows = [line[2:-2].split(" | ") for line in lines if "---" not in line]
        table = report.harness.Table(rows[0], rows[1:])
        expected = [line for line in report.markdown(table, "ko").splitlines() if "---" not in line]
        assert [line for line in korean[question] if "---" not in line] == expected


def test_the_models_of_the_benchmark_have_korean_names():
    names = [report.KOREAN.get(name, name) for name in MODELS]
    assert {word for name in names for word in re.findall(r"\b[a-z]+\b", name)} == {"causal", "softmax"}


QUANTITY = re.compile(r"((?:[\d.]+, )*[\d.]+) ?(MB|ms|µs|s|초)")
UNITS = {"MB": 1e6, "ms": 1e-3, "µs": 1e-6, "s": 1, "초": 1}


def quantities(cell):
    """Returns each number of a cell in seconds or bytes, and how far from it what is rounded to it may lie."""
    listed = [(text, UNITS[unit]) for numbers, unit in QUANTITY.findall(cell) for text in numbers.split(", ")]
    return [(float(text) * unit, 0.501 * unit / 10 ** len(text.partition(".")[2])) for text, unit in listed]


def measured(question, target=None):
    """Returns the rows of a table of the English guide as dicts of the first quantity in each cell."""
    head, _, *rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in tables("en")[question, target]]
    columns = [name if name not in head[:place] else f"{name}, {place}" for place, name in enumerate(head)]
    return [
        {name: (quantities(cell) or [[cell]])[0][0] for name, cell in zip(columns, row, strict=True)} for row in rows
    ]


def only(rows, wanted):
    """Returns the one row that has these cells."""
    (row,) = [row for row in rows if wanted.items() <= row.items()]
    return row


@pytest.mark.parametrize("readme", ["README.md", "README.ko.md"])
def test_the_readmes_give_the_figures_of_the_guide(readme):
    shown = (report.ROOT / readme).read_text(encoding="utf-8").partition("|---|---|\n")[2].partition("\n\n")[0]
    startup = {row["library"]: row for row in measured("startup")}
    jobs = {row["layer"]: row for row in measured("textbook_job", "avx512")}
    step = only(measured("train_step", "avx512"), {"layer": "LSTM", "N, T, D, H": "32, 128, 64, 256"})
    peers = [column for column in step if column.startswith("best peer")]
    predict = only(measured("predict", "avx512"), {"layer": "LSTM", "N, T, D, H": "1, 24, 1, 64", "threads": "1"})
    stream = only(measured("stream", "avx512"), {"layer": "LSTM", "units": "32", "streams": "1"})
    figures = [
        [startup[name]["process that imports it"] for name in ("recurra", "numpy")],
        [startup[name]["installed"] for name in ("recurra", "recurra[forecast]")],
        [jobs[layer][name] for name in ("recurra", "keras-jax") for layer in ("SimpleRNN", "LSTM", "GRU")],
        [step[name] for name in ("recurra, 2 thr.", "recurra, 1 thr.", *reversed(peers))],
        [predict[name] for name in ("recurra", "onnxruntime")],
        [stream[name] for name in ("recurra", "onnxruntime")],
    ]
    for line, found in zip(shown.splitlines(), figures, strict=True):
        for (figure, most), value in zip(quantities(line.split("|")[2]), found, strict=True):
            assert abs(figure - value) <= most, line


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


def test_a_time_that_is_rounded_up_to_the_next_unit_has_that_unit():
    assert [harness.figure(seconds) for seconds in (9.994e-4, 9.997e-4, 0.9997, 5e-7)] == [
        "999 µs",
        "1.00 ms",
        "1.00 s",
        "0.500 µs",
    ]
