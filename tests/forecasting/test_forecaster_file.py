"""A forecaster is saved whole, and a file that is none is refused."""

import io
import json
import random
import tracemalloc
import zipfile
from dataclasses import replace
from datetime import date, datetime

import numpy as np
import polars
import pytest
from samples import how_data_was_read_is_said, monthly, quick

import recurra
from recurra.errors import FileFormatError
from recurra.forecasting import Forecaster, Panel, forecaster
from recurra.forecasting.forecaster_file import ASSET
from recurra.forecasting.frequency import Frequency

pytestmark = how_data_was_read_is_said


def test_a_loaded_forecaster_chooses_anew_too(tmp_path):
    Forecaster("gru", n_seeds=1, budget_s=1e-9).fit(monthly()).save(tmp_path / "f.keras")
    again = Forecaster.load(tmp_path / "f.keras")
    assert again.horizon == 12
    assert again.fit(Panel.from_arrays([np.sin(np.arange(100.0))], Frequency("D"))).horizon == 7


def test_a_saved_forecaster_forecasts_the_same(tmp_path):
    fitted = quick().fit(monthly())
    fitted.save(tmp_path / "f.keras")
    again = Forecaster.load(tmp_path / "f.keras")
    for name, values in fitted.predict_arrays().items():
        np.testing.assert_array_equal(again.predict_arrays()[name], values)
    assert again.predict().equals(fitted.predict())
    recurra.models.load_model(tmp_path / "f.keras")


def test_quarters_are_quarters_in_a_saved_forecaster_too(tmp_path):
    rows = [f"{2000 + i // 4}Q{i % 4 + 1},{i % 4 + 0.1 * np.sin(i)}\n" for i in range(48)]
    (tmp_path / "q.csv").write_text("quarter,sales\n" + "".join(rows))
    fitted = Forecaster("gru", horizon=3, n_seeds=1, budget_s=1e-9).fit(tmp_path / "q.csv")
    fitted.save(tmp_path / "f.keras")
    for one in (fitted, Forecaster.load(tmp_path / "f.keras")):
        assert one.predict()["quarter"].to_list() == ["2012Q1", "2012Q2", "2012Q3"]


@pytest.mark.parametrize("ids", [[3, 4], [0.5, 2.0], [True, False], ["3", "4"], np.array([3, 4], object)])
def test_ids_keep_their_kind_when_saved(tmp_path, ids):
    frame = polars.DataFrame({"unique_id": np.repeat(ids, 40).tolist(), "y": np.sin(np.arange(80.0))})
    fitted = quick(budget_s=1e-9).fit(frame)
    fitted.save(tmp_path / "f.keras")
    again = Forecaster.load(tmp_path / "f.keras").predict()
    assert again["unique_id"].dtype == frame["unique_id"].dtype
    assert again.equals(fitted.predict())


@pytest.mark.parametrize("zone", [None, "Asia/Seoul"])
def test_times_of_frames_keep_their_kind_when_saved(tmp_path, zone):
    times = polars.datetime_range(datetime(2024, 1, 1), datetime(2024, 2, 9), "1d", time_zone=zone, eager=True)
    fitted = quick(budget_s=1e-9).fit(polars.DataFrame({"ds": times, "y": np.sin(np.arange(40.0))}))
    fitted.save(tmp_path / "f.keras")
    assert Forecaster.load(tmp_path / "f.keras").predict().equals(fitted.predict())
    assert fitted.predict()["ds"].dtype == polars.Datetime("us", zone)


@pytest.mark.parametrize("roll", ["backward", "forward"])
def test_days_of_months_that_vary_go_on_alike_when_saved(tmp_path, roll):
    ends = np.arange("2018-01", "2022-01", dtype="datetime64[M]").astype("datetime64[D]") - (roll == "backward")
    days = np.busday_offset(ends, 0, roll=roll).astype("datetime64[ms]")
    fitted = quick(budget_s=1e-9).fit(polars.DataFrame({"ds": days, "y": np.sin(np.arange(48.0))}), freq="MS")
    fitted.save(tmp_path / "f.keras")
    assert Forecaster.load(tmp_path / "f.keras").predict().equals(fitted.predict())
    assert fitted.predict()["ds"][0] == (datetime(2021, 12, 31) if roll == "backward" else datetime(2022, 1, 1))


def test_ids_that_are_dates_are_texts_when_saved(tmp_path):
    days = [date(2024, 1, 1)] * 40 + [date(2024, 1, 2)] * 40
    quick(budget_s=1e-9).fit(polars.DataFrame({"unique_id": days, "y": np.sin(np.arange(80.0))})).save(
        tmp_path / "f.keras"
    )
    assert Forecaster.load(tmp_path / "f.keras").predict()["unique_id"][0] == "2024-01-01"


def with_settings(path, target, **changes):
    """Copies a saved forecaster with other settings; None takes one out."""
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w") as copy:
        for name in source.namelist():
            data = source.read(name)
            if name == ASSET:
                state = json.loads(data) | changes
                kept = {key: value for key, value in state.items() if changes.get(key, "") is not None}
                data = json.dumps(kept).encode()
            copy.writestr(name, data)


def test_a_file_that_is_no_path_is_told_in_the_sentence_of_models():
    fitted = quick(budget_s=1e-9).fit(monthly())
    with pytest.raises(TypeError, match=r"Forecaster\.save expected the path of a file, got BytesIO: a file in memory"):
        fitted.save(io.BytesIO())
    with pytest.raises(TypeError, match=r"Forecaster\.load expected the path of a file, got NoneType: "):
        Forecaster.load(None)


@pytest.mark.parametrize("name", ["given", "least", "zone", "filled", "id_values", "as_text", "counted", "freq_named"])
def test_a_forecaster_without_one_of_its_settings_is_refused(tmp_path, name):
    quick(budget_s=1e-9).fit(monthly()).save(tmp_path / "f.keras")
    with_settings(tmp_path / "f.keras", tmp_path / "less.keras", **{name: None})
    with pytest.raises(FileFormatError, match=rf"a saved Forecaster, got none \(KeyError: '{name}'\)"):
        Forecaster.load(tmp_path / "less.keras")


@pytest.mark.parametrize("given", [0, {"horizon": "4"}, {"season_length": -1}])
def test_a_forecaster_that_was_given_no_counts_is_refused(tmp_path, given):
    quick(budget_s=1e-9).fit(monthly()).save(tmp_path / "f.keras")
    with_settings(tmp_path / "f.keras", tmp_path / "wrong.keras", given=given)
    with pytest.raises(FileFormatError, match=r"a saved Forecaster, got none \((TypeError|ValueError): "):
        Forecaster.load(tmp_path / "wrong.keras")


@pytest.mark.parametrize("number", [0, 2, "1"])
def test_a_forecaster_of_another_format_is_refused(tmp_path, number):
    quick(budget_s=1e-9).fit(monthly()).save(tmp_path / "f.keras")
    with_settings(tmp_path / "f.keras", tmp_path / "new.keras", format=number)
    with pytest.raises(FileFormatError, match=f"a Forecaster of format 1, got {number}: update recurra"):
        Forecaster.load(tmp_path / "new.keras")


def test_a_model_file_without_a_forecaster_is_refused(tmp_path):
    recurra.Sequential([recurra.Input((4, 1)), recurra.layers.GRU(2)]).save(tmp_path / "m.keras")
    with pytest.raises(FileFormatError, match=r"a saved Forecaster, got a model without a forecaster$"):
        Forecaster.load(tmp_path / "m.keras")
    with pytest.raises(ValueError, match="a network"):
        Forecaster("naive", horizon=2).fit(monthly()).save(tmp_path / "f.keras")


def padded(part, size):
    """Returns a list in JSON of so many bytes, numbers of chance between parts: it does not pack to nothing."""
    chance = random.Random(0)
    between = [part + b'"%04x",' % chance.randrange(2**16) for _ in range(size // (len(part) + 7))]
    return b"[" + b"".join(between) + b"0]"


@pytest.mark.parametrize(
    "text, kind, words",
    [
        (b"[" * 200_000, zipfile.ZIP_STORED, "RecursionError"),
        (padded(b"[],[0]," * 8, 2**21), zipfile.ZIP_DEFLATED, "JSON expected at most"),
        (padded(b" " * 200, 2**23), zipfile.ZIP_DEFLATED, "of at most"),
    ],
    ids=["deep", "values", "large"],
)
def test_settings_that_ask_for_far_more_memory_than_they_fill_are_refused(tmp_path, text, kind, words):
    good, bad = tmp_path / "good.keras", tmp_path / "bad.keras"
    quick(budget_s=1e-9).fit(monthly()).save(good)
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(bad, "w", kind) as target:
        for name in source.namelist():
            target.writestr(name, text if name == ASSET else source.read(name))
    tracemalloc.start()
    try:
        with pytest.raises(FileFormatError, match=rf"bad\.keras expected.*{words}"):
            Forecaster.load(bad)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < 2**24


def test_loading_runs_no_network_and_takes_only_the_layers_that_forecasters_have(tmp_path, monkeypatch):
    fitted = quick(budget_s=1e-9, lookback=8).fit(monthly())
    fitted.save(tmp_path / "good.keras")
    past = recurra.Input((8, 1))
    repeated = recurra.layers.RepeatVector(60_000_000)(recurra.layers.Flatten()(past))  # 1.9 GB, if it were run
    model = recurra.Model(past, recurra.layers.Dense(30)(recurra.layers.GlobalMaxPooling1D()(repeated)))
    fitted._trained = replace(fitted._trained, model=model)
    fitted.save(tmp_path / "bad.keras")

    def run(*args, **kwargs):
        raise AssertionError("a network was run")

    monkeypatch.setattr(forecaster.Forecaster, "predict_arrays", run)
    monkeypatch.setattr(recurra.Model, "predict", run)
    Forecaster.load(tmp_path / "good.keras")
    with pytest.raises(FileFormatError, match=r"bad\.keras expected a saved Forecaster.*with the layer Flatten"):
        Forecaster.load(tmp_path / "bad.keras")


@pytest.mark.parametrize(
    "path, value",
    [
        ("options.horizon", 10**9),
        ("options.horizon", "6"),
        ("options.model", "naive"),
        ("settings.lookback", 3),
        ("settings.lookback", 24.0),
        ("settings.horizon", 6.0),
        ("settings.quantiles", [0.5]),
        ("transforms", []),
        ("transforms.0.scale", "a"),
        ("transforms.0.scale", "1"),
        ("transforms.0.scale", 0.0),
        ("transforms.0.seasonal", [float("nan")]),
        ("transforms.0", {"log": True, "seasonal": [], "scale": 1.0, "smallest": -1.0}),
        ("widening", [[1.0], [2.0], [3.0]]),
        ("widening", [[1.0], [2.0]]),
        ("least", None),
        ("freq.name", "fortnight"),
        ("freq.step", 0),
        ("freq.day", 32),
        ("ids", []),
        ("ids", ["a", "b"]),
        ("series", [[1.0] * 96, [2.0] * 96]),
        ("id_values", [7]),
        ("columns", ["a"]),
        ("columns.0", 5),
        ("columns.0", False),
        ("zone", ["", 5, False]),
        ("series.0", [1.0]),
        ("series.0", [None] * 96),
        ("first_times.0", 10**30),
        ("first_times.0", None),
        ("counters", True),
        ("fill", "spline"),
        ("filled", [96]),
        ("filled", ["0"]),
        ("filled", list(range(96))),
        ("format", 99),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, path, value):
    good, bad = tmp_path / "good.keras", tmp_path / "bad.keras"
    quick().fit(monthly()).save(good)
    with zipfile.ZipFile(good) as source, zipfile.ZipFile(bad, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name == ASSET:
                state = json.loads(data)
                *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
                place = state
                for part in way:
                    place = place[part]
                place[last] = value
                data = json.dumps(state).encode()
            target.writestr(name, data)
    with pytest.raises(FileFormatError, match=r"bad\.keras expected a"):
        Forecaster.load(bad)
