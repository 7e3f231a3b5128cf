"""Frames in and out: ids and times come back in their own kind."""

import narwhals
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from samples import MONTHS, csv, days, write

import recurra
from recurra.errors import DataError
from recurra.forecasting.frame import read_panel


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table])
def test_frames_come_back_in_their_own_kind(make):
    times = pd.date_range("2020-01-01", periods=40, freq="MS")
    frame = make({"ds": times.to_numpy() if make is pa.table else times, "y": np.arange(40.0)})
    result = recurra.forecast(frame, 3, model="drift")
    assert type(result.frame) is type(frame)
    back = result.frame.to_pandas() if make is not pd.DataFrame else result.frame
    assert list(back.columns) == ["ds", "y_hat", "lo-80", "hi-80", "lo-95", "hi-95"]
    np.testing.assert_allclose(back["y_hat"], [40, 41, 42])
    assert str(pd.to_datetime(back["ds"].iloc[0]).date()) == "2023-05-01"


def test_a_batch_of_arrow_is_a_table_of_arrow():
    columns = {"ds": pd.date_range("2020-01-01", periods=40, freq="MS").to_numpy(), "y": np.arange(40.0)}
    result = recurra.forecast(pa.RecordBatch.from_pydict(columns), 3, model="drift")
    assert result.frame.equals(recurra.forecast(pa.table(columns), 3, model="drift").frame)


NAMES, DATES = ["a"] * 40, pd.date_range("2024-01-01", periods=40)

SEOUL = DATES.tz_localize("Asia/Seoul")


@pytest.mark.parametrize(
    "data",
    [
        pl.DataFrame({"unique_id": pl.Series([3] * 40, dtype=pl.Int32), "ds": list(DATES.date)}),
        pl.DataFrame({"unique_id": pl.Series(NAMES, dtype=pl.Categorical), "ds": DATES.astype("datetime64[ns]")}),
        pl.DataFrame({"unique_id": pl.Series(NAMES, dtype=pl.Enum(["b", "a"])), "ds": SEOUL}),
        pl.DataFrame({"unique_id": NAMES, "ds": pl.Series(range(40), dtype=pl.UInt16)}),
        pl.DataFrame({"unique_id": NAMES, "ds": pl.Series(range(1960, 2000), dtype=pl.Int32)}),
        pd.DataFrame({"unique_id": pd.Categorical(NAMES), "ds": DATES.astype("datetime64[ns]")}),
        pd.DataFrame({"unique_id": np.full(40, 3, "i4"), "ds": SEOUL.astype("datetime64[s, Asia/Seoul]")}),
        pa.table({"unique_id": pa.array(NAMES).dictionary_encode(), "ds": pa.array(DATES.date)}),
    ],
)
def test_ids_and_times_keep_their_dtypes(data):
    schema = narwhals.from_native(data).schema
    full = narwhals.from_native(data).with_columns(y=narwhals.lit(1.0)).to_native()
    result = narwhals.from_native(recurra.forecast(full, 2, model="naive").frame)
    assert [result.schema[name] for name in schema] == list(schema.values())


@pytest.mark.parametrize("make", [pl.DataFrame, pd.DataFrame])
def test_times_that_their_dtype_cannot_hold_are_wider(make):
    counters = make({"ds": np.arange(216, 256).astype("u1"), "y": np.arange(40.0)})
    assert list(recurra.forecast(counters, 2, model="naive").frame["ds"]) == [256, 257]
    years = pd.date_range("2222-12-31", periods=40, freq="YE").astype("datetime64[ns]")
    late = make({"ds": years, "y": np.arange(40.0)})
    assert str(list(recurra.forecast(late, 2, model="naive").frame["ds"])[-1])[:10] == "2263-12-31"


@pytest.mark.parametrize("option", ["id_col", "time_col", "target_col"])
def test_names_of_columns_are_texts(option):
    frame = pl.DataFrame({"a": ["x"], "ds": ["2024-01-01"], "y": [1.0]})
    with pytest.raises(TypeError, match=rf"read_panel expected {option} to be the name of a column, a text, got \['a'"):
        read_panel(frame, **{option: ["a", "ds"]})


@pytest.mark.parametrize(
    "options, twice",
    [
        ({"id_col": "store", "target_col": "store"}, "store"),
        ({"time_col": "month", "target_col": "month"}, "month"),
        ({"id_col": "store", "time_col": "store"}, "store"),
        ({"id_col": "store,store"}, "store"),
    ],
)
def test_a_column_has_one_meaning(tmp_path, options, twice):
    path = write(tmp_path, csv([(m, "a", 1) for m in MONTHS], "month,store,sales"))
    message = f"ids, times and values, got '{twice}' twice: name another with --id, .* .in Python id_col, .* target_col"
    with pytest.raises(DataError, match=message):
        read_panel(path, **options)
    with pytest.raises(DataError, match="the id column ''"):
        read_panel(path, id_col="")


def test_columns_of_pandas_that_are_numbered_are_so_in_the_forecast():
    frame = pd.DataFrame({0: "a", 1: pd.date_range("2024-01-01", periods=40), 2: np.arange(40.0)})
    made = recurra.forecast(frame, 3, model="drift", id_col="0", time_col="1", target_col="2").frame
    assert list(made.columns) == [0, 1, "y_hat", "lo-80", "hi-80", "lo-95", "hi-95"]
    assert made[1].dtype == frame[1].dtype


@pytest.mark.parametrize("make", [pl.DataFrame, pd.DataFrame, pa.table])
def test_ids_of_bytes_are_texts_in_files_and_bytes_in_frames(make, tmp_path):
    ids = ["서울".encode(), b"\xff"]
    columns = {"unique_id": [name for name in ids for _ in range(40)], "ds": days(40) * 2, "y": np.arange(80.0)}
    result = recurra.forecast(make(columns), 1, model="naive")
    assert result.panel.ids == ("서울", "\\xff")
    assert narwhals.from_native(result.frame)["unique_id"].to_list() == ids
    pl.DataFrame(columns).write_parquet(tmp_path / "d.parquet")
    written = recurra.forecast(tmp_path / "d.parquet", 1, model="naive").frame.write_csv()
    assert [line.partition(",")[0] for line in written.splitlines()] == ["unique_id", "서울", "\\xff"]


@pytest.mark.parametrize(
    "options, message",
    [
        ({"target_col": "z"}, "target_col 'y', as it was read, got 'z': give it to read_panel"),
        ({"time_col": "when"}, "time_col 'ds', as it was read, got 'when'"),
        ({"id_col": "shop"}, "no id_col, as it was read without, got 'shop'"),
        ({"freq": "h"}, "freq 'D', as it was read, got 'h'"),
        ({"fill": "zero"}, "no fill, as it was read without, got 'zero'"),
    ],
)
def test_a_panel_is_not_read_in_another_way(options, message):
    panel = read_panel(pd.DataFrame({"ds": days(30), "y": 1.0}))
    with pytest.raises(DataError, match=f"a panel expected {message}"):
        recurra.forecast(panel, 2, model="naive", **options)
    assert read_panel(panel, target_col="y", time_col="ds", freq="1D") is panel
    quarters = read_panel(pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=9, freq="15min"), "y": 1.0}))
    with pytest.raises(DataError, match="a panel expected freq '15min', as it was read, got 'D'"):
        read_panel(quarters, freq="D")


def test_a_panel_is_not_read_by_the_options_of_fit():
    forecaster = recurra.Forecaster("naive", horizon=2)
    forecaster.fit(pd.DataFrame({"ds": days(30), "y": 1.0}), fill="ffill")
    other = read_panel(pd.DataFrame({"when": days(40), "z": 1.0}))
    assert forecaster.predict(other)["when"].astype(str).tolist() == ["2024-02-10", "2024-02-11"]
    assert forecaster.backtest(other, n_windows=1).n_windows == 1
