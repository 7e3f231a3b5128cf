"""The command line: what it prints where, what it writes, and how it tells mistakes."""

import json
import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars
import pytest
import typer
from matplotlib import font_manager

import recurra
from recurra.cli import console
from recurra.cli.main import main
from recurra.forecasting.baselines import BASELINES

OPTIONS = ["--output", "--plot", "--save"]
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


@pytest.mark.parametrize("full", [{"f.keras"}, {"f.csv"}, {"f.png"}, {"f.keras", "f.csv", "f.png"}])
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_what_a_full_disk_does_not_take_costs_nothing_else(sales, tmp_path, monkeypatch, capsys, full, form):
    def replace(source, target, replace=os.replace):
        if os.path.basename(target) in full:
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", replace)
    paths = {option: tmp_path / f"f.{ending}" for option, ending in zip(OPTIONS, ("csv", "png", "keras"), strict=True)}
    wanted = [part for option, path in paths.items() for part in (option, str(path))]
    assert main(["forecast", str(sales), "--horizon", "2", "--model", "gru", "--budget", "5", *form, *wanted]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["horizon"] == 2 if form else "gru won" in out
    for path in paths.values():
        assert path.exists() == (path.name not in full)
        assert (f"wrote {path}" in err) == (path.name not in full)
    assert err.splitlines()[-1].startswith("recurra: [Errno 28] No space left on device: ")
    assert all(f"No space left on device: '{tmp_path / name}'" in err.splitlines()[-1] for name in full)
    assert "Traceback" not in err and not list(tmp_path.glob(".recurra-*"))


@pytest.mark.skipif(os.name != "posix", reason="a pipe without a reader is no error elsewhere")
def test_a_reader_that_went_away_costs_no_file(sales, tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "recurra", "forecast", str(sales), "--model", "naive"]
    try:
        run = subprocess.run(
            [*command, "--output", str(tmp_path / "f.csv")], stdout=writing, stderr=writing, check=False
        )
    finally:
        os.close(writing)
    assert run.returncode == 1
    assert (tmp_path / "f.csv").read_text().startswith("month,")


@pytest.fixture
def walk(tmp_path):
    """Values that no network forecasts better than the last one."""
    values = np.random.default_rng(5).standard_normal(60).cumsum()
    path = tmp_path / "walk.csv"
    path.write_text("time,value\n" + "".join(f"{i},{value}\n" for i, value in enumerate(values)))
    return path


def test_a_baseline_that_wins_is_written_though_there_is_no_network_to_save(walk, tmp_path, capsys):
    output, save = tmp_path / "f.csv", tmp_path / "f.keras"
    assert main(["forecast", str(walk), "--horizon", "4", "--output", str(output), "--save", str(save)]) == 1
    out, err = capsys.readouterr()
    assert "Backtest" in out
    assert output.read_text().count("\n") == 5
    assert not save.exists()
    assert f"wrote {output}" in err
    assert f"wrote {save}" not in err
    assert err.splitlines()[-1].startswith("recurra: --save expected a network, got the baseline ")
    assert err.splitlines()[-1].endswith("won the backtest: --model gru saves a network even if a baseline is better")


def test_constant_series_have_no_network_to_save(tmp_path, capsys):
    (tmp_path / "c.csv").write_text("step,value\n" + "".join(f"{i},7\n" for i in range(40)))
    arguments = ["forecast", str(tmp_path / "c.csv"), "--model", "gru", "--save", str(tmp_path / "c.keras")]
    assert main(arguments) == 1
    assert "got constant series, which need none: leave --save out" in capsys.readouterr().err


def test_parquet_holds_times_and_whole_numbers(sales, walk, tmp_path, capsys):
    output = tmp_path / "f.parquet"
    assert main(["forecast", str(sales), "--horizon", "2", "--model", "naive", "--output", str(output)]) == 0
    assert polars.read_parquet(output)["month"].to_list() == [datetime(2024, 1, 1), datetime(2024, 2, 1)]
    assert main(["forecast", str(walk), "--horizon", "2", "--model", "naive", "--output", str(output)]) == 0
    assert polars.read_parquet(output)["time"].to_list() == [60, 61]
    years = tmp_path / "years.csv"
    years.write_text("year,value\n" + "".join(f"{year},{year % 7}\n" for year in range(1980, 2020)))
    assert main(["forecast", str(years), "--horizon", "2", "--model", "naive", "--output", str(output)]) == 0
    assert polars.read_parquet(output)["year"].to_list() == [2020, 2021]


def test_offsets_and_zones_are_kept_in_every_file(tmp_path, capsys):
    days = [datetime(2024, 1, 1) + timedelta(days=i) for i in range(40)]
    frame = polars.DataFrame({"day": days, "value": range(40)})
    zoned = frame.with_columns(polars.col("day").dt.replace_time_zone("Asia/Seoul"))
    zoned.write_parquet(tmp_path / "zone.parquet")
    texts = [f"{day.isoformat()}+09:00" for day in days]
    frame.with_columns(day=polars.Series(texts)).write_csv(tmp_path / "offset.csv")
    for data, in_parquet in (("zone.parquet", days[-1].replace(tzinfo=ZoneInfo("Asia/Seoul"))), ("offset.csv", None)):
        csv, parquet = tmp_path / "f.csv", tmp_path / "f.parquet"
        for output in (csv, parquet):
            arguments = ["--horizon", "1", "--model", "naive", "--output", str(output)]
            assert main(["forecast", str(tmp_path / data), *arguments]) == 0
        assert csv.read_text().splitlines()[1].startswith("2024-02-10 00:00:00+09:00,")
        written = polars.read_parquet(parquet)["day"].to_list()
        assert written == [in_parquet + timedelta(days=1) if in_parquet else "2024-02-10 00:00:00+09:00"]


@pytest.mark.parametrize("name", ["sales.csv", "./sales.csv", "link.csv", "hard.csv"])
def test_the_data_is_never_written_over(sales, tmp_path, monkeypatch, capsys, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link.csv").symlink_to(sales)
    os.link(sales, tmp_path / "hard.csv")
    before = sales.read_bytes()
    assert main(["forecast", "sales.csv", "--model", "naive", "--output", name]) == 1
    assert "--output expected another file than the data" in capsys.readouterr().err
    assert sales.read_bytes() == before


@pytest.mark.parametrize("option, ending", [("--output", "csv"), ("--plot", "png"), ("--save", "keras")])
def test_a_directory_is_not_written_over(sales, tmp_path, monkeypatch, capsys, option, ending):
    monkeypatch.setattr(recurra, "forecast", None)  # refused before any work
    (tmp_path / f"d.{ending}").mkdir()
    assert main(["forecast", str(sales), option, str(tmp_path / f"d.{ending}")]) == 1
    assert f"{option} expected a file to write, got the directory" in capsys.readouterr().err


@pytest.mark.parametrize("option, ending", [("--output", "csv"), ("--plot", "png"), ("--save", "keras")])
def test_a_directory_that_is_read_only_is_told_before_any_work(sales, tmp_path, monkeypatch, capsys, option, ending):
    monkeypatch.setattr(recurra, "forecast", None)
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK or Path(path) != tmp_path)  # root may write
    assert main(["forecast", str(sales), option, str(tmp_path / f"f.{ending}")]) == 1
    assert f"{option} expected a file in a directory that can be written to" in capsys.readouterr().err


@pytest.mark.parametrize("option, ending", [("--output", "csv"), ("--plot", "png"), ("--save", "keras")])
def test_a_link_into_a_directory_that_is_not_there_is_told_before_any_work(
    sales, tmp_path, monkeypatch, capsys, option, ending
):
    monkeypatch.setattr(recurra, "forecast", None)
    (tmp_path / f"link.{ending}").symlink_to(tmp_path / "nothing" / f"f.{ending}")
    assert main(["forecast", str(sales), option, str(tmp_path / f"link.{ending}")]) == 1
    assert f"{option} expected a file in an existing directory" in capsys.readouterr().err


@pytest.mark.parametrize("width", [40, 80, 160])
def test_tables_never_cut_a_number(width, monkeypatch, capsys):
    monkeypatch.setattr(console, "PIPE_WIDTH", width)
    rows = [
        ["서울 " * 20, "2024-01-01 00:00:00", *["1,234,567.8"] * 5],
        ["b", "2024-01-02 00:00:00", *["-0.12345"] * 5],
    ]
    console.table("Title", ["id", "ds", "forecast", "80 % from", "to", "95 % from", "to"], rows)
    out = capsys.readouterr().out
    assert out.count("1,234,567.8") == out.count("-0.12345") == 5
    assert out.count("2024-01-0") == out.count("00:00:00") == 2
    assert "서울" in out
    assert "…" in out


@pytest.mark.parametrize(
    "value, text",
    [
        (51_754_321.4, "51,754,321"),
        (-(10.0**15 - 1), "-999,999,999,999,999"),
        (1e15, "1e+15"),
        (1234.567, "1,234.6"),
        (0, "0.0"),
        (0.00001234, "1.234e-05"),
        (float("nan"), "-"),
    ],
)
def test_tables_show_all_digits_before_the_point(value, text):
    assert console.number(value) == text


def test_a_table_that_fits_is_not_cut(monkeypatch, capsys):
    monkeypatch.setattr(console, "PIPE_WIDTH", 80)
    console.table("Title", ["id", "value"], [["x" * 50, "1.5"]])
    out = capsys.readouterr().out
    assert "x" * 50 in out
    console.table("Title", ["id", "value"], [["x" * 90, "1.5"]])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_help_comes_as_it_is_where_nothing_was_said(capsys):
    assert main([]) == 2
    err = capsys.readouterr().err
    assert main(["-h"]) == 0
    assert err.strip() == capsys.readouterr().out.strip()
    assert err.count("\n") > 5


@pytest.mark.parametrize("stop", [KeyboardInterrupt, typer.Abort])
def test_ctrl_c_is_told_and_leaves_nothing(sales, tmp_path, monkeypatch, capsys, stop):
    def interrupted(*args, **options):
        raise stop

    monkeypatch.setattr(recurra, "forecast", interrupted)
    assert main(["forecast", str(sales), "--output", str(tmp_path / "f.csv")]) == 130
    out, err = capsys.readouterr()
    assert (out, err.strip()) == ("", "stopped")
    assert list(tmp_path.iterdir()) == [sales]


def test_a_picture_without_its_letters_is_told_in_one_line(tmp_path, capsys, monkeypatch):
    fonts = [font for font in font_manager.fontManager.ttflist if font.name.startswith("DejaVu")]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", fonts)
    (tmp_path / "d.csv").write_text(
        "연도,매출\n" + "".join(f"{year},{year % 7}\n" for year in range(1980, 2020)), "utf-8"
    )
    arguments = ["--horizon", "2", "--model", "seasonal_naive", "--plot", str(tmp_path / "p.png")]
    assert main(["forecast", str(tmp_path / "d.csv"), *arguments]) == 0
    assert "p.png shows boxes for '매출': no font has these letters, install one, such as" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["forecast", "backtest"])
def test_data_may_come_from_standard_input(sales, monkeypatch, capsys, command):
    arguments = ["--horizon", "3", "--model", "naive", "--windows", "1"]
    printed = []
    for file in (str(sales), "-"):
        monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(sales.read_bytes())))
        assert main([command, file, *arguments]) == 0
        printed.append(re.sub(r"\(\d.*s\)", "", capsys.readouterr().out))
    assert printed[0] == printed[1]
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO()))
    assert main([command, "-", *arguments]) == 1
    assert capsys.readouterr().err == "recurra: the file expected rows of data, got an empty file\n"


def test_the_forecast_alone_may_go_to_standard_output(sales, tmp_path, capsysbinary):
    arguments = ["forecast", str(sales), "--horizon", "3", "--model", "naive", "--output"]
    assert main([*arguments, str(tmp_path / "f.csv")]) == 0
    capsysbinary.readouterr()
    assert main([*arguments, "-"]) == 0
    out, err = capsysbinary.readouterr()
    assert out == (tmp_path / "f.csv").read_bytes()
    assert b"wrote" not in err
    assert main([*arguments, "-", "--json"]) == 1
    assert b"--output - expected no --json" in capsysbinary.readouterr().err


def test_of_many_rows_the_first_are_written_out_and_the_others_counted(tmp_path, capsys, monkeypatch):
    rows = "".join(f"s{series},{time},{time % 7}\n" for series in range(70) for time in range(40))
    (tmp_path / "d.csv").write_text(f"unique_id,step,value\n{rows}")
    written = []
    number = console.number
    monkeypatch.setattr(console, "number", lambda value: written.append(value) or number(value))
    arguments = ["--horizon", "2", "--model", "naive", "--windows", "1"]
    assert main(["forecast", str(tmp_path / "d.csv"), *arguments]) == 0
    out, err = capsys.readouterr()
    assert "s29" in out
    assert "s30" not in out
    assert "80 more rows: --json and --output hold all of them" in err
    assert len(written) == 60 * 5 + len(BASELINES)  # and the MASE of each baseline


def test_json_is_one_document_and_the_same_as_from_python(sales, capsys):
    assert main(["forecast", str(sales), "--horizon", "6", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    result = recurra.forecast(sales, 6)
    assert document["model"] == result.model
    assert [row["y_hat"] for row in document["forecast"]] == result.columns["y_hat"].tolist()
    models = {row["model"] for row in document["backtest"]["rows"]}
    assert models == {"gru", "naive", "seasonal_naive", "drift", "theta"}


def test_ids_that_are_dates_are_texts_in_json(tmp_path, capsys):
    ids = [date(2024, 1, 1)] * 40 + [date(2024, 1, 2)] * 40
    polars.DataFrame({"unique_id": ids, "y": np.sin(np.arange(80.0))}).write_parquet(tmp_path / "d.parquet")
    assert main(["forecast", str(tmp_path / "d.parquet"), "--horizon", "1", "--model", "naive", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [row["unique_id"] for row in document["forecast"]] == ["2024-01-01", "2024-01-02"]


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
    assert len(document["rows"]) == 5


@pytest.mark.parametrize("command", ["forecast", "backtest"])
def test_training_shows_how_far_it_is(sales, monkeypatch, command):
    shown = []

    @contextmanager
    def progress(text):
        shown.append(text)
        yield shown.append

    monkeypatch.setattr(console, "progress", progress)
    assert main([command, str(sales), "--horizon", "6", "--windows", "1", "--model", "gru"]) == 0
    assert shown[0].endswith("sales.csv")
    assert re.fullmatch(r"gru, seed 0: epoch 10, loss on held-back windows \d\.\d{4}", shown[1])


@pytest.mark.parametrize("is_terminal", [True, False])
def test_progress_is_a_live_line_on_a_terminal_and_nothing_elsewhere(is_terminal, monkeypatch):
    stream = StringIO()
    stream.isatty = lambda: is_terminal
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    with console.progress("reading sales.csv") as show:
        time.sleep(0.2)  # it is drawn 12.5 times a second
        show("seed 0: epoch 10")
        time.sleep(0.2)
    shown = [line for line in ("reading sales.csv", "seed 0: epoch 10") if line in stream.getvalue()]
    assert len(shown) == (2 if is_terminal else 0)
    assert bool(stream.getvalue()) == is_terminal


def test_backtest_tells_how_the_data_was_read(tmp_path, capsys):
    path = tmp_path / "d.csv"
    path.write_text("year\tvalue\n" + "".join(f"{year}\t{year % 7 + 1},500\n" for year in range(1980, 2020)))
    remark = "value: '7,500' was read as 7500: the comma could be a decimal sign too"
    assert main(["backtest", str(path), "--horizon", "2", "--model", "naive"]) == 0
    assert remark in capsys.readouterr().err
    assert main(["backtest", str(path), "--horizon", "2", "--model", "naive", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["remarks"] == [remark]


def test_one_step_and_one_cutoff_are_told_as_one(sales, capsys):
    assert main(["backtest", str(sales), "--horizon", "1", "--windows", "1", "--model", "naive"]) == 0
    assert "Backtest (1 cutoff, 1 step ahead;" in capsys.readouterr().out


def test_info_names_the_target_and_the_threads(capsys):
    assert main(["info", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["recurra"] == recurra.__version__
    assert facts["native target"] == recurra.native_info()["target"]
    assert {"extra forecast", "extra interop", "extra tensorboard"} <= set(facts)


def test_the_version_is_one_line(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"recurra {recurra.__version__}\n"


def test_demo_trains_four_networks(capsys):
    assert main(["demo", "--epochs", "2", "--units", "4"]) == 0
    out = capsys.readouterr().out
    for name in ("SimpleRNN", "LSTM", "Bidirectional LSTM", "GRU"):
        assert name in out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example_and_is_in_the_docs_with_its_options(command, capsys):
    assert main([command, "--help"]) == 0
    out = capsys.readouterr().out
    assert f"Example: recurra {command}" in out
    options = set(re.findall(r"^  (--[a-z-]+)", out, re.MULTILINE)) - {"--help"}
    assert options
    for pages in ((ROOT / "docs").glob("*.md"), (ROOT / "docs" / "ko").glob("*.md")):
        text = "".join(page.read_text("utf-8") for page in pages)
        assert f"recurra {command}" in text
        assert not {option for option in options if not re.search(rf"{option}\b", text)}


def test_help_lists_all_commands(capsys):
    assert main(["-h"]) == 0
    out = capsys.readouterr().out
    assert re.findall(r"^  ([a-z]+) ", out.partition("Commands:")[2], re.MULTILINE) == COMMANDS
    assert "..." not in out.partition("Commands:")[2]  # no summary is cut


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
        (["forecast", "{sales}", "--output", "nowhere/f.csv"], 1, "an existing directory"),
        (["forecast", "{sales}", "--save", "model.h5"], 1, "a file that ends in .keras"),
        (["forecast", "{sales}", "--save", "m.keras", "--model", "naive"], 1, "--save expected a network, got --model"),
        (["forecast", "{sales}", "--seed", "4294967295"], 1, "seed to be a whole number from 0 to 4294967293"),
        (["forecast", "{sales}", "--horizon", "6", "--windows", "8"], 1, "at most 6 cutoffs 6 apart"),
        (["forecast", "{sales}", "--season", "60"], 1, "a season of 60 expected longer series"),
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


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp949"])
def test_letters_that_the_terminal_lacks_cost_nothing_else(tmp_path, encoding):
    data = tmp_path / "d.csv"
    data.write_text("날짜,매출\n" + "".join(f"{year},{year % 7}\n" for year in range(1980, 2020)), "utf-8")
    command = [sys.executable, "-m", "recurra", "forecast", str(data), "--horizon", "1", "--model", "naive"]
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    table, document = (
        subprocess.run([*command, *more], capture_output=True, env=environment, check=True).stdout.decode(encoding)
        for more in ([], ["--json"])
    )
    assert ("매출" if encoding == "cp949" else "??") + ": 40 values, yearly" in table
    assert json.loads(document)["target"] == "매출"


def test_the_command_runs_as_a_process_without_a_traceback(sales):
    for arguments, code in ((["forecast", str(sales), "--model", "drift"], 0), (["forecast", "nothing.csv"], 1)):
        run = subprocess.run(
            [sys.executable, "-m", "recurra", *arguments],
            capture_output=True,
            text=True,
            env=os.environ,
            check=False,
        )
        assert run.returncode == code, run.stderr
        assert "Traceback" not in run.stderr


@pytest.mark.skipif(os.name != "posix", reason="a pipe without a reader is no error elsewhere")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [["info"], ["info", "--json"]])
def test_a_reader_that_went_away_is_no_defect(arguments, unbuffered):
    reading, writing = os.pipe()
    os.close(reading)
    command, environment = [sys.executable, "-m", "recurra", *arguments], os.environ | {"PYTHONUNBUFFERED": unbuffered}
    try:
        run = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, env=environment, check=False)
    finally:
        os.close(writing)
    assert (run.returncode, run.stderr) == (1, "")


@pytest.mark.skipif(os.name != "posix", reason="streams are closed by a shell")
def test_closed_streams_are_no_defects(sales, tmp_path):
    def shell(arguments, redirections):
        line = f'exec "$0" -m recurra forecast {arguments} --model naive {redirections}'
        return subprocess.run(["sh", "-c", line, sys.executable], capture_output=True, text=True, check=False)

    run = shell(f"'{sales}' --output '{tmp_path}/f.csv'", ">&- 2>&-")
    assert run.returncode == 0
    assert (tmp_path / "f.csv").read_text().startswith("month,")
    run = shell("-", "<&-")
    assert (run.returncode, run.stderr) == (1, "recurra: - expected data on standard input, got none: it is closed\n")


def test_ids_that_are_durations_are_texts_in_csv(tmp_path, capsysbinary):
    ids = [timedelta(days=1)] * 40 + [timedelta(hours=2)] * 40
    polars.DataFrame({"unique_id": ids, "y": np.sin(np.arange(80.0))}).write_parquet(tmp_path / "d.parquet")
    command = ["forecast", str(tmp_path / "d.parquet"), "--horizon", "1", "--model", "naive", "--output"]
    assert main([*command, "-"]) == 0  # was a traceback
    assert polars.read_csv(capsysbinary.readouterr().out)["unique_id"].to_list() == ["1 day, 0:00:00", "2:00:00"]
    assert main([*command, str(tmp_path / "f.parquet")]) == 0
    assert polars.read_parquet(tmp_path / "f.parquet")["unique_id"].to_list() == [timedelta(1), timedelta(hours=2)]


@pytest.mark.skipif(os.name != "posix", reason="arguments are bytes on POSIX alone")
def test_columns_are_found_where_the_locale_knows_no_letters(tmp_path):
    rows = "".join(f"{year},{year % 7},1\n" for year in range(1980, 2020))
    (tmp_path / "d.csv").write_text(f"날짜,매출,단가\n{rows}", "utf-8")
    command = [sys.executable, "-m", "recurra", "forecast", str(tmp_path / "d.csv"), "--model", "naive", "--json"]
    options = ["--time", "날짜", "--target", "매출"]
    environment = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    arguments = [part.encode() for part in [*command, *options]]
    run = subprocess.run(arguments, capture_output=True, env=environment, check=False)
    assert run.returncode == 0, run.stderr.decode()
    assert json.loads(run.stdout)["target"] == "매출"
