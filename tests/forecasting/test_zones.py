"""Time zones come back, also where clocks are changed."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import recurra
from recurra.errors import DataError
from recurra.forecasting.zones import to_utc


@pytest.mark.parametrize("zone", ["Asia/Seoul", "UTC", "-03:00"])
@pytest.mark.parametrize("make", [lambda frame: frame, pl.from_pandas], ids=["pandas", "polars"])
def test_days_of_a_zone_end_with_the_year_9999(zone, make):
    frame = make(pd.DataFrame({"ds": pd.date_range("9999-12-15", periods=14, unit="s", tz=zone), "y": 1.0}))
    assert recurra.forecast(frame, 2, model="naive").columns["ds"][-1] == np.datetime64("9999-12-30")
    with pytest.raises(DataError, match=r"times with a zone expected the years 1 to 9999, got (9999-12-31|10000-01-)"):
        recurra.forecast(frame, 3, model="naive")


ZONES = ["Europe/Berlin", "Europe/London", "America/New_York", "Australia/Lord_Howe", "UTC"]


@pytest.mark.parametrize("make", [lambda frame: frame, pl.from_pandas], ids=["pandas", "polars"])
@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    "start, freq", [("2024-03-29", "h"), ("2024-03-09", "h"), ("2024-11-01", "h"), ("2024-03-01", "D")]
)
def test_time_zones_come_back(make, zone, start, freq):
    """Also where the clocks are changed only after the end of the data."""
    times = pd.date_range(start, periods=48, freq=freq, tz=zone)
    result = recurra.forecast(make(pd.DataFrame({"ds": times, "y": np.arange(48.0)})), 10, model="naive")
    wanted = pd.date_range(times[-1], periods=11, freq=freq)[1:]
    assert [pd.Timestamp(time).isoformat() for time in result.frame["ds"]] == [time.isoformat() for time in wanted]


@pytest.mark.parametrize("make", [lambda frame: frame, pl.from_pandas, pa.Table.from_pandas])
@pytest.mark.parametrize(
    "zone, start",
    [
        ("America/Sao_Paulo", "2018-10-10"),
        ("America/Sao_Paulo", "2018-09-23"),  # ends on the day before
        ("America/Sao_Paulo", "2018-01-20"),
        ("Africa/Cairo", "2024-04-10"),
        ("Asia/Beirut", "2024-03-01"),
        ("America/Havana", "2024-02-15"),
        ("America/Havana", "2024-10-15"),
        ("America/Havana", "2024-09-25"),
    ],
)
def test_days_go_on_where_clocks_change_at_midnight(make, zone, start):
    days = pd.date_range(start, periods=52)
    times = days.tz_localize(zone, nonexistent="shift_forward", ambiguous=np.ones(52, bool))
    frame = make(pd.DataFrame({"ds": times[:42], "y": np.arange(42.0)}))
    result = recurra.forecast(frame, 10, model="drift")
    assert result.panel.freq.name == "D"
    np.testing.assert_allclose(result.frame["y_hat"], np.arange(42.0, 52))
    back = result.frame["ds"].to_pylist() if make == pa.Table.from_pandas else result.frame["ds"]
    assert [pd.Timestamp(time).isoformat() for time in back] == [time.isoformat() for time in times[42:]]


@pytest.mark.parametrize("zone", ["+09:00", "UTC-03:30"])
def test_zones_that_are_an_offset_alone_come_back(zone):
    frame = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=40, tz=zone), "y": np.arange(40.0)})
    back = recurra.forecast(frame, 2, model="naive").frame
    assert back["ds"].dt.tz == frame["ds"].dt.tz
    assert back["ds"].iloc[0] == pd.Timestamp("2024-02-10", tz=zone)
    table = pa.Table.from_pandas(frame)
    of_table = recurra.forecast(table, 2, model="naive").frame
    assert of_table.schema.field("ds").type.tz == table.schema.field("ds").type.tz
    assert of_table["ds"][0].as_py() == pd.Timestamp("2024-02-10", tz=zone)


def test_texts_with_an_offset_keep_it():
    days = [f"{day}T00:00:00+05:30" for day in pd.date_range("2024-01-01", periods=40).strftime("%Y-%m-%d")]
    for make in (pd.DataFrame, pl.DataFrame):
        result = recurra.forecast(make({"ds": days, "y": np.arange(40.0)}), 1, model="naive")
        assert list(result.frame["ds"]) == ["2024-02-10 00:00:00+05:30"]


def test_a_zone_that_is_not_known_is_refused():
    with pytest.raises(DataError, match="a time zone that is known, got 'Mars/Olympus'"):
        to_utc(np.array(["2024-01-01"], "datetime64[s]"), "Mars/Olympus")


def test_times_of_a_zone_are_written_as_those_of_its_clocks(tmp_path):
    times = pd.date_range("2024-03-30", periods=48, freq="h", tz="Europe/Berlin")
    pl.from_pandas(pd.DataFrame({"ds": times, "y": np.arange(48.0)})).write_parquet(tmp_path / "data.parquet")
    forecaster = recurra.Forecaster("gru", horizon=2, n_seeds=1, budget_s=0.01).fit(tmp_path / "data.parquet")
    forecaster.save(tmp_path / "f.keras")
    for one in (forecaster, recurra.Forecaster.load(tmp_path / "f.keras")):
        assert one.predict()["ds"].to_list() == ["2024-04-01 01:00:00+02:00", "2024-04-01 02:00:00+02:00"]
