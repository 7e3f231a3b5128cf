"""Frames of pandas, Polars and Arrow: what of them are columns."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from samples import days

import recurra
from recurra.errors import DataError
from recurra.forecasting.frame import read_panel


@pytest.mark.parametrize("data", [{"ds": [1, 2], "y": [1, 2]}, np.arange(9.0), None], ids=["dict", "array", "None"])
def test_what_is_no_frame_is_told_to_become_one(data):
    with pytest.raises(TypeError, match=rf"got {type(data).__name__}: make a frame of it, as with pandas.DataFrame"):
        read_panel(data)


def test_periods_of_pandas_in_parquet_and_arrow_are_no_numbers(tmp_path):
    for name, dates in (
        ("ds", pd.period_range("2010-01-01", periods=40, freq="W")),
        ("y", pd.period_range("2010", periods=40, freq="M")),
    ):
        frame = pd.DataFrame({name: dates, "value": np.arange(40.0)})
        frame.to_parquet(tmp_path / "d.parquet")
        for data in (tmp_path / "d.parquet", pa.Table.from_pandas(frame)):
            with pytest.raises(
                DataError, match=r"times, not periods of pandas.*: write it with \.dt\.to_timestamp\(\)"
            ):
                read_panel(data)


@pytest.mark.parametrize(
    "freq", ["M", "3M", "Q-DEC", "Q-MAR", "Q-JUN", "Q-NOV", "2Q-MAR", "Y-MAR", "W-SUN", "W-WED", "2W-SUN", "D", "h"]
)
@pytest.mark.parametrize("as_index", [True, False])
def test_periods_of_pandas_go_on_where_they_begin(freq, as_index):
    periods = pd.period_range("2001-01-01", periods=42, freq=freq, name="q")
    frame = pd.DataFrame({"q": periods[:40], "y": np.arange(40.0) % 7})
    frame = frame.set_index("q") if as_index else frame
    result = recurra.forecast(frame, 2, model="naive")
    assert result.frame["q"].tolist() == list(periods[40:].to_timestamp())
    assert result.frame["q"].dtype == "datetime64[us]"


def test_years_and_quarters_of_the_calendar_that_are_periods_of_pandas_are_written_as_such():
    for freq, times in (("Y-DEC", ["2041", "2042"]), ("Q-DEC", ["2011Q1", "2011Q2"]), ("M", ["2004-05", "2004-06"])):
        panel = read_panel(pd.DataFrame({"ds": pd.period_range("2001-01-01", periods=40, freq=freq), "y": 1.0}))
        assert panel.clock.write(panel.future_times(2)) == times


def test_lazy_frames_are_to_be_collected():
    with pytest.raises(TypeError, match=r"got LazyFrame: collect\(\) it first"):
        read_panel(pl.DataFrame({"ds": ["2024-01-01"], "y": [1.0]}).lazy())


def test_labels_of_pandas_rows_are_columns_where_they_say_something():
    by_day = pd.DataFrame({"y": np.arange(9.0)}, index=pd.date_range("2024-01-01", periods=9, name="day"))
    assert (read_panel(by_day).time_col, read_panel(by_day).freq.name) == ("day", "D")
    both = pd.MultiIndex.from_product([[3, 4], by_day.index], names=["unique_id", "ds"])
    panel = read_panel(pd.DataFrame({"y": np.arange(18.0)}, index=both))
    assert (panel.ids, panel.source.id_values) == (("3", "4"), (3, 4))
    numbered = pd.DataFrame({0: days(9), 1: pd.array([*range(8), None], dtype="Int64")})
    assert read_panel(numbered.iloc[:-1]).target_col == "1"
    assert read_panel(numbered, fill="zero").values[-1] == 0


def test_numbers_of_rows_that_pandas_wrote_are_no_column(tmp_path):
    frame = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=9), "sales": np.arange(9.0)})
    left = frame.iloc[[2, 0, 1, 3, 5, 4]]
    left.to_parquet(tmp_path / "d.parquet")
    assert "__index_level_0__" in pl.read_parquet(tmp_path / "d.parquet").columns
    for data in (tmp_path / "d.parquet", pl.read_parquet(tmp_path / "d.parquet"), pa.Table.from_pandas(left)):
        panel = read_panel(data)
        assert (panel.time_col, panel.target_col, panel.lengths[0]) == ("ds", "sales", 6)
    frame.set_index("ds").rename_axis(None).to_parquet(tmp_path / "d.parquet")
    assert read_panel(tmp_path / "d.parquet").time_col == "__index_level_0__"  # times say something


def test_labels_of_pandas_rows_may_be_columns_too():
    frame = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=9), "y": np.arange(9.0)})
    panel = read_panel(frame.set_index("ds", drop=False))
    assert (panel.time_col, panel.target_col, panel.freq.name) == ("ds", "y", "D")
    both = frame.assign(unique_id="a").set_index(["unique_id", "ds"], drop=False).drop(columns="unique_id")
    assert (read_panel(both).ids, read_panel(both).time_col) == (("a",), "ds")
    with pytest.raises(DataError, match="columns and index of different names, got 'ds' twice"):
        read_panel(frame.set_index(frame.ds.rename("ds") + pd.Timedelta("1D")))


def test_a_frame_without_columns_is_refused():
    with pytest.raises(DataError, match="the frame expected columns, got none"):
        read_panel(pd.DataFrame(index=range(5)))


def test_columns_of_one_name_are_refused():
    frame = pd.DataFrame([["2024-01-01", 1.0, 2.0]], columns=["ds", "y", "y"])
    with pytest.raises(DataError, match="columns of different names, got 'y' twice"):
        read_panel(frame)
