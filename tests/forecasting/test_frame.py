"""Files and frames in and out: what is found by itself, and what is refused in one line."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import recurra
from recurra.errors import DataError
from recurra.forecasting.frame import filled, read_panel, to_frame

MONTHS = [f"2020-{m:02d}" for m in range(1, 13)]


def write(tmp_path, text, name="data.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


def csv(rows, header="month,sales", separator=","):
    return "\n".join([header, *(separator.join(map(str, row)) for row in rows)]) + "\n"


def test_the_columns_and_the_frequency_are_found(tmp_path):
    panel = read_panel(write(tmp_path, csv(zip(MONTHS, range(12), strict=True))))
    assert (panel.time_col, panel.target_col, panel.freq.name, panel.n_series) == ("month", "sales", "MS", 1)
    np.testing.assert_array_equal(panel.values, range(12))
    assert panel.write_times(panel.future_times(2)) == ["2021-01", "2021-02"]


@pytest.mark.parametrize(
    "times, next_time",
    [
        (["20240101", "20240102", "20240103"], "2024-01-04"),
        (["2024/1/1", "2024/1/2", "2024/1/3"], "2024-01-04"),
        (["1.2.2024", "2.2.2024", "3.2.2024"], "2024-02-04"),
        (["2024-01-01 00:00", "2024-01-01 01:00", "2024-01-01 02:00"], "2024-01-01 03:00:00"),
        (["2024-01-01T00:00:00Z", "2024-01-01T00:30:00Z", "2024-01-01T01:00:00Z"], "2024-01-01 01:30:00"),
        (["2024Q1", "2024Q2", "2024Q3"], "2024-10"),
        (["2024년 1월", "2024년 2월", "2024년 3월"], "2024-04"),
        (["1999", "2000", "2001"], "2002"),
        (["1-01", "1-02", "1-03"], "0001-04"),
    ],
)
def test_times_are_read_in_the_usual_ways(tmp_path, times, next_time):
    panel = read_panel(write(tmp_path, csv(zip(times, [1, 2, 3], strict=True), "날짜;값", ";")))
    assert panel.write_times(panel.future_times(1)) == [next_time]


@pytest.mark.parametrize(
    "separator, number, value",
    [(";", "1,5", 1.5), ("\t", "1.5", 1.5), (",", '"1,234.5"', 1234.5), (";", "1.234,5", 1234.5)],
)
def test_numbers_are_read_in_the_usual_ways(tmp_path, separator, number, value):
    text = csv([(m, number) for m in MONTHS], f"month{separator}sales", separator)
    assert read_panel(write(tmp_path, "\ufeff" + text)).values[0] == value


def test_series_keep_their_order_and_rows_are_sorted(tmp_path):
    rows = [("b", "2024-01-02", 2), ("b", "2024-01-01", 1), ("a", "2024-01-01", 3), ("a", "2024-01-02", 4)]
    panel = read_panel(write(tmp_path, csv(rows, "unique_id,ds,y")))
    assert panel.ids == ("b", "a")
    np.testing.assert_array_equal(panel.values, [1, 2, 3, 4])
    assert panel.remarks == ("series 'b' was not in order of time: sorted",)


def test_several_columns_name_a_series(tmp_path):
    rows = [(d, r, s, 1) for r in "AB" for s in "xy" for d in ("2024-01-01", "2024-01-02")]
    path = write(tmp_path, csv(rows, "date,region,state,trips"))
    assert read_panel(path, id_col="region,state").ids == ("A/x", "A/y", "B/x", "B/y")
    with pytest.raises(DataError, match="--id region,state"):
        read_panel(path)


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


def test_parquet_is_read(tmp_path):
    pl.DataFrame({"month": MONTHS, "sales": list(range(12))}).write_parquet(tmp_path / "data.parquet")
    assert read_panel(tmp_path / "data.parquet").lengths[0] == 12


@pytest.mark.parametrize(
    "how, expected",
    [("interpolate", [1, 2, 3, 4]), ("ffill", [1, 1, 3, 4]), ("zero", [1, 0, 3, 4]), ("mean", [1, 1, 3, 4])],
)
def test_gaps_are_filled_as_asked(tmp_path, how, expected):
    np.testing.assert_array_equal(filled(np.array([1, np.nan, 3, 4]), how), expected)
    path = write(tmp_path, csv([("2024-01-01", 1), ("2024-01-03", 3), ("2024-01-04", 4)]))
    np.testing.assert_array_equal(read_panel(path, fill=how).values, expected)


GOOD = [(m, i) for i, m in enumerate(MONTHS)]


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "expected rows of data, got an empty file"),
        ("month,sales\n", "below the header"),
        (csv([(m, "many") for m in MONTHS]), "'sales' expected numbers, got 'many' in row 2"),
        (csv([*GOOD[:5], ("soon", 5), *GOOD[6:]]), "'month' expected dates or times, got 'soon' in row 7"),
        (csv([*GOOD, ("2020-12", 1)]), r"each time once, got 2020-12 twice \(rows 13 and 14\)"),
        (csv([*GOOD[:4], *GOOD[6:]]), "a jump from 2020-04 to 2020-07.*--fill"),
        (csv([*GOOD[:4], ("2020-05", ""), *GOOD[5:]]), "a number in every row, got none in row 6"),
        (csv([*GOOD[:4], ("2020-05", "inf"), *GOOD[5:]]), "infinity in row 6"),
        (csv([(m, 1, 2) for m in MONTHS], "month,a,b"), "'a', 'b': choose the target with --target"),
        ("month,sales\n2020-01,1\n2020-02,1,7\n", "the same number of fields"),
        ("a\x00b", "a binary file"),
        (csv([("2020-01", 1)]), "at least 2 values"),
        (
            csv([("a", 1), ("b", 2)], "name,sales"),
            "a column of dates or times, got 'name', 'sales': name it with --time",
        ),
    ],
)
def test_bad_data_is_told_with_row_and_column(tmp_path, text, message):
    with pytest.raises(DataError, match=message) as caught:
        read_panel(write(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_other_bytes_than_text_are_refused(tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe")
    with pytest.raises(DataError, match="UTF-8"):
        read_panel(path)
    path.write_bytes("날짜,값\n".encode("cp949"))
    with pytest.raises(DataError, match="save it as UTF-8"):
        read_panel(path)
    (tmp_path / "data.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(DataError, match="Parquet"):
        read_panel(tmp_path / "data.parquet")


def test_a_directory_and_no_file_are_refused(tmp_path):
    with pytest.raises(DataError, match="a file, got the directory"):
        read_panel(tmp_path)
    with pytest.raises(DataError, match="an existing file"):
        read_panel(tmp_path / "nothing.csv")


def test_a_named_column_has_to_be_there(tmp_path):
    path = write(tmp_path, csv(GOOD))
    for option in ("time_col", "target_col", "id_col"):
        with pytest.raises(DataError, match=r"the .* column 'x', got 'month', 'sales'"):
            read_panel(path, **{option: "x"})


def test_columns_become_a_polars_frame_without_a_model():
    assert to_frame({"a": [1, 2]}).equals(pl.DataFrame({"a": [1, 2]}))
