"""Files and frames in and out: what is found by itself, and what is refused in one line."""

import io

import narwhals
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest

import recurra
from recurra.errors import DataError
from recurra.forecasting.frame import read_panel
from recurra.forecasting.panel import Panel, filled
from recurra.forecasting.zones import to_utc

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
    assert panel.clock.write(panel.future_times(2)) == ["2021-01", "2021-02"]


@pytest.mark.parametrize(
    "times, next_time",
    [
        (["20240101", "20240102", "20240103"], "2024-01-04"),
        (["2024/1/1", "2024/1/2", "2024/1/3"], "2024-01-04"),
        (["1.2.2024", "2.2.2024", "3.2.2024"], "2024-02-04"),
        (["2024-01-01 00:00", "2024-01-01 01:00", "2024-01-01 02:00"], "2024-01-01 03:00:00"),
        (["2024-01-01T00:00:00Z", "2024-01-01T00:30:00Z", "2024-01-01T01:00:00Z"], "2024-01-01 01:30:00+00:00"),
        (["2024Q1", "2024Q2", "2024Q3"], "2024Q4"),
        (["2024 Q1", "2024 Q2", "2024 Q3"], "2024-10"),
        (["2024년 1월", "2024년 2월", "2024년 3월"], "2024-04"),
        (["1999", "2000", "2001"], "2002"),
        (["1-01", "1-02", "1-03"], "1-04"),
        (["9-11", "9-12", "10-01"], "10-02"),
    ],
)
def test_times_are_read_in_the_usual_ways(tmp_path, times, next_time):
    panel = read_panel(write(tmp_path, csv(zip(times, [1, 2, 3], strict=True), "날짜;값", ";")))
    assert panel.clock.write(panel.future_times(1)) == [next_time]


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
    panel = read_panel(write(tmp_path, csv([*rows[:2], *rows[:1:-1]], "unique_id,ds,y")))
    assert panel.remarks == ("series 'b' and 1 more were not in order of time: sorted",)


@pytest.mark.parametrize("data", [{"ds": [1, 2], "y": [1, 2]}, np.arange(9.0), None], ids=["dict", "array", "None"])
def test_what_is_no_frame_is_told_to_become_one(data):
    with pytest.raises(TypeError, match=rf"got {type(data).__name__}: make a frame of it, as with pandas.DataFrame"):
        read_panel(data)


def test_several_columns_name_a_series(tmp_path):
    rows = [(d, r, s, 1) for r in "AB" for s in "xy" for d in ("2024-01-01", "2024-01-02")]
    path = write(tmp_path, csv(rows, "date,region,state,trips"))
    assert read_panel(path, id_col="region,state").ids == ("A/x", "A/y", "B/x", "B/y")
    with pytest.raises(DataError, match=r"--id region,state$"):
        read_panel(path)
    with pytest.raises(DataError, match=r"--id region,state$"):
        read_panel(path, id_col="region")


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


@pytest.mark.parametrize("how", ["interpolate", "ffill", "zero", "mean"])
def test_gaps_before_the_first_number_are_cut_off_not_invented(how):
    late = pd.DataFrame({"unique_id": "a", "ds": days(6), "y": [None, None, 5.0, 6.0, 7.0, 8.0]})
    panel = read_panel(pd.concat([late, late.assign(unique_id="b", y=1.0)]), fill=how)
    np.testing.assert_array_equal(panel.values, [5, 6, 7, 8, *[1] * 6])
    assert panel.clock.write(panel.series_times(0))[0] == days(6)[2]
    assert panel.remarks == ("2 steps before the first number of their series were left out",)
    assert panel.observed is None


def test_a_wrong_time_does_not_fill_the_memory(tmp_path):
    rows = [("2024-01-01 00:00:00", 1), ("2024-01-01 00:00:01", 2), ("9024-01-01 00:00:02", 3)]
    with pytest.raises(DataError, match=r"a jump from 2024-01-01 00:00:01 to 9024-01-01 00:00:02 \(row 4\): is the"):
        read_panel(write(tmp_path, csv(rows)), fill="zero")
    with pytest.raises(DataError, match="is the time right"):
        read_panel(pd.DataFrame({"ds": [1, 2, 2**62], "y": 1.0}), fill="zero")
    sparse = pd.DataFrame({"ds": ["2000-01-01", "2000-01-02", "2020-01-01"], "y": 1.0})
    assert read_panel(sparse, fill="zero").lengths[0] == 7306


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
        (csv([*GOOD[:4], ("2020-05", "-1e200"), *GOOD[5:]]), r"numbers below 1e\+100, .* got -1e\+200 in row 6"),
        (csv(zip(MONTHS, strict=True), "month"), "a column of numbers, got none beside it"),
        (csv([(m, 1, 2) for m in MONTHS], "month,a,b"), "'a', 'b': choose .* --target .in Python target_col"),
        ("month,sales\n2020-01,1\n2020-02,1,7\n", "the same number of fields"),
        ("a\x00b", "a binary file"),
        (csv([(m, 1, 2) for m in MONTHS], "month,y,y"), "columns of different names, got 'y' twice"),
        (csv([*GOOD[:2], *GOOD[3:5], *GOOD[6:]]), "from 2020-02 to 2020-04 and 1 more gap: "),
        (csv([("2020-01", 1)]), "at least 2 values"),
        (
            csv([("a", 1), ("b", 2)], "name,sales"),
            "a column of dates or times, got 'name', 'sales': name it with --time .in Python time_col",
        ),
    ],
)
def test_bad_data_is_told_with_row_and_column(tmp_path, text, message):
    with pytest.raises(DataError, match=message) as caught:
        read_panel(write(tmp_path, text))
    assert "\n" not in str(caught.value)


FILL = r"choose how to fill it with --fill interpolate\|ffill\|zero\|mean \(in Python fill\)$"


@pytest.mark.parametrize(
    "text, message",
    [
        (csv([*GOOD, ("합계", 66)]), "got '합계' in row 14: delete rows that hold no time, such as totals and notes$"),
        (csv([("(unit)", "kg"), *GOOD]), r"got '\(unit\)' in row 2: delete rows that hold no time"),
        (csv([*GOOD, ("", 66)]), "a time in every row, got none in row 14: delete rows that hold no time"),
        (csv([(f"FY2020 P{m:02d}", m) for m in range(1, 13)]), "P01' in row 2: write times like .* 2024-01-31 13:00$"),
        (csv([(f"2024-01-31 13:00:00.{m:07d}", m) for m in range(1, 13)]), "2024-01-31 13:00, in whole microseconds$"),
        (
            csv([*GOOD[:4], ("2020-05", "#DIV/0!"), *GOOD[5:]]),
            f"row 6: write a number there, or leave it empty and {FILL}",
        ),
        (csv([(month, f"{i}개") for month, i in GOOD]), "got '0개' in row 2: write numbers without units, or choose"),
        (csv([*GOOD[:4], ("2020-05", "inf"), *GOOD[5:]]), f"write another number there, or leave it empty and {FILL}"),
        (
            csv([*GOOD[:9], *[(m, "") for m in MONTHS[9:]]]),
            f"row 11 .* delete the rows after the last number, or {FILL}",
        ),
        (
            csv([(f"2024-01-{day:02d}", day) for day in range(1, 9)] + [(f"2024-{m:02d}-01", m) for m in range(2, 9)]),
            f"and 6 more gaps: resample it to one step first, or {FILL}",
        ),
        (
            csv([(shop, month, 2) for shop in (3, 4) for month in MONTHS], "shop,month,sales"),
            r"--target \(in Python target_col\), name several series with --id \(in Python id_col\)$",
        ),
        (
            csv([*GOOD[:4], ('5" pipe', 4)]),
            r"got (a quote that stands alone|'5\" pipe') in row 6: ",
        ),  # Polars 1 reads it
        (csv([*GOOD, ("2021-01", '"12')]), "got a quote that stands alone in row 14: close it"),
        (csv([(m, "") for m in MONTHS]), r"missing values alone in column 'sales': choose another with --target \("),
        (
            csv([(m, m) for m in ("2000", "2000.25", "2000.5", "2000.75")]),
            "write months like 2000-04 and quarters like",
        ),
        (csv([(f"2000.{m:03.0f}", 1) for m in (0, 83.3, 166.7, 250)]), "write months like 2000-04 and"),
        (
            csv([("Januar 2024", 1), ("Februar 2024", 2), ("März 2024", 3)]),
            "write months as numbers, such as 2024-03, and",
        ),
        (
            csv([("avril 2024", 1), ("mai 2024", 2), ("1. juin 2024", 3)]),
            "write months as numbers, such as 2024-03, and",
        ),
        (
            csv([*[(f"April {y}", y) for y in range(2000, 2009)], ("Summe 2008", 5)]),
            "got 'Summe 2008' .* delete rows that",
        ),
        (
            csv([[y, *range(12)] for y in range(2000, 2020)], "year,Jan,Feb,Mar,Apr,May,Jun,Jul,Aug,Sep,Oct,Nov,Dec"),
            "turn the columns of times into rows, as with pandas.melt",
        ),
        (
            csv([[y, *range(12)] for y in range(2000, 2020)], "연도," + ",".join(f"{m}월" for m in range(1, 13))),
            "turn the columns of times into rows, as with pandas.melt",
        ),
        (
            csv([["a", *range(12)]], ",".join(["region", *MONTHS])),
            "turn the columns of times into rows, as with pandas.m",
        ),
        (csv([[m, 1, 2, 3] for m in range(1, 13)], "month,2021,2022,2023"), "'2021', '2022', '2023': turn the columns"),
        (csv([["a", 1, 2, 3]], "region,2009/10,2010/11,2011/12"), "'2011/12': turn the columns of times into rows"),
        (csv([("month", "sales", "note"), *[(*g, "x") for g in GOOD]], "Sales 2020,,"), "delete lines above the names"),
    ],
)
def test_what_to_do_about_bad_data_is_told(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read_panel(write(tmp_path, text))


def test_octobers_that_lost_their_zero_are_octobers(tmp_path):
    months = [f"{2022 + i // 12}.{i % 12 + 1:02d}" for i in range(24)]
    numbers = [month.replace(".10", ".1") for month in months]
    panel = read_panel(write(tmp_path, csv(zip(numbers, range(24), strict=True), "연월,매출")))
    assert panel.clock.write(panel.times) == [month.replace(".", "-") for month in months]
    assert panel.remarks == ("연월: months such as 2023.1 were read as October: 2023.10",)
    frame = pd.DataFrame({"month": list(map(float, numbers)), "y": 1.0})
    np.testing.assert_array_equal(read_panel(frame).times, panel.times)
    whole = [f"2022.{month}" for month in range(1, 13)]
    assert read_panel(write(tmp_path, csv(zip(whole, range(12), strict=True), "연월,매출"))).remarks == ()


def test_a_series_of_missing_values_alone_is_told():
    frame = pd.DataFrame({"unique_id": ["a"] * 4 + ["b"] * 4, "ds": [*days(3), "2024-02-01"] * 2})
    with pytest.raises(DataError, match=r"series 'b' expected numbers, got missing .* 'y': leave its rows out"):
        read_panel(frame.assign(y=[1.0, 2, 3, 4] + [np.nan] * 4), fill="zero")


def test_numbers_that_are_dates_are_found_beside_texts_and_by_endings_of_names(tmp_path):
    days = ["20240102", "20240103", "20240104", "20240108", "20240109", "20240110", "20240111"]  # after a holiday
    rows = [(day, "KS", 100 + i) for i, day in enumerate(days)]
    for name in ("기준일자", "Order date", "trade_date"):
        panel = read_panel(write(tmp_path, csv(rows, f"{name},code,close")), fill="ffill")
        assert (panel.time_col, panel.target_col, panel.freq.name) == (name, "close", "B")
    regions = [(f"2024{m:02d}", region, m) for region in "AB" for m in range(1, 13)]
    with pytest.raises(DataError, match=r"column '기준년월' expected each time once, got 202401 twice .* --id region$"):
        read_panel(write(tmp_path, csv(regions, "기준년월,region,sales")))
    years = read_panel(write(tmp_path, csv([(year, 5 * year) for year in range(2000, 2010)], "년,sales")))
    assert (years.time_col, years.target_col, years.freq.name) == ("년", "sales", "YS")
    both = [("2024-03-01", month, i) for i, month in enumerate(MONTHS)]
    assert read_panel(write(tmp_path, csv(both, "created_date,date,sales"))).time_col == "date"
    panel = read_panel(write(tmp_path, csv([(f"2024{m:02d}", "KS", m) for m in range(1, 13)], "when,code,close")))
    assert (panel.time_col, panel.target_col, panel.freq.name) == ("when", "close", "MS")


def test_columns_that_count_rows_are_no_targets(tmp_path):
    for header, first in (("", 0), ("No.", 1)):
        rows = [(first + i, month, 5.0 * i) for i, month in enumerate(MONTHS)]
        panel = read_panel(write(tmp_path, csv(rows, f"{header},month,sales")))
        assert panel.target_col == "sales" and panel.values.tolist() == [row[2] for row in rows]
    with pytest.raises(DataError, match="one column of numbers, got 'a', 'b': choose"):  # elsewhere they may be
        read_panel(write(tmp_path, csv([(month, 5, i) for i, month in enumerate(MONTHS)], "month,a,b")))


def test_spaces_around_names_of_columns_do_not_count(tmp_path):
    panel = read_panel(write(tmp_path, csv(GOOD, "month , sales ")), target_col="sales")
    assert (panel.time_col, panel.target_col) == ("month", "sales")
    with pytest.raises(DataError, match="columns of different names, got 'y' twice"):
        read_panel(write(tmp_path, csv([(m, 1, 2) for m in MONTHS], "month,y, y")))
    blank = read_panel(write(tmp_path, csv([(m, 1, "", "") for m in MONTHS], "month,y,, ")))
    assert blank.target_col == "y"


def test_files_elsewhere_are_to_be_downloaded():
    with pytest.raises(DataError, match=r"^reading expected an existing file, got 'https://.*': download it first"):
        read_panel("https://example.com/sales.csv")


@pytest.mark.parametrize(
    "start, kind",
    [
        (b"PK\x03\x04", "an Excel or zip file"),
        (b"\xd0\xcf\x11\xe0", "an Excel file"),
        (b"\x1f\x8b\x08", "a gzip file"),
        (b'\xef\xbb\xbf[{"month": 1}]', "JSON"),
        (b'{"month": [1]}', "JSON"),
        (b"\n<!DOCTYPE html>", "a page of HTML or XML"),
        (b"<table><tr>", "a page of HTML or XML"),
    ],
)
def test_files_of_other_programs_are_told_as_such(tmp_path, start, kind):
    (tmp_path / "data.csv").write_bytes(start + bytes(range(256)))
    with pytest.raises(DataError, match=f"a CSV or Parquet file, got {kind}: save the table as CSV"):
        read_panel(tmp_path / "data.csv")


@pytest.mark.parametrize("above", ["# made by a tool\n", "Sales of 2020\n\n", "sep=,\n\n \nTitle\n"])
def test_lines_above_the_names_of_columns_are_told_with_the_row(tmp_path, above):
    row = above.count("\n") + 1
    with pytest.raises(
        DataError, match=f"fields in each row, got 2 in row {row} and 1 in the header: delete lines above"
    ):
        read_panel(write(tmp_path, above + csv(GOOD)))


def test_empty_lines_above_the_header_count_as_rows(tmp_path):
    with pytest.raises(DataError, match="got 'many' in row 6"):
        read_panel(write(tmp_path, "\n \n" + csv([*GOOD[:2], ("2020-03", "many"), *GOOD[3:]])))


def test_the_first_column_of_a_file_of_tabs_may_have_no_name(tmp_path):
    panel = read_panel(write(tmp_path, csv(GOOD, "\tsales", "\t")))
    assert (panel.target_col, panel.freq.name) == ("sales", "MS")


def test_lines_may_end_as_on_old_macs(tmp_path):
    np.testing.assert_array_equal(read_panel(write(tmp_path, csv(GOOD).replace("\n", "\r"))).values, range(12))


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


@pytest.mark.parametrize("form", ["{}{:02d}", "{}-{:02d}", "{}W{}"])
@pytest.mark.parametrize("count", [12, 40])
def test_weeks_of_years_are_neither_months_nor_counters(tmp_path, form, count):
    rows = [(form.format(2024, week), week) for week in range(1, count + 1)]
    with pytest.raises(DataError, match=r"write weeks like 2024-W05 \(of ISO 8601\), or a day of each, such as"):
        read_panel(write(tmp_path, csv(rows, "week,value")))


@pytest.mark.parametrize("name", ["yearweek", "year_week", "주차", "Week"])
@pytest.mark.parametrize("order", [1, -1])
def test_weeks_are_times_whatever_they_are_called_and_in_any_order(tmp_path, name, order):
    rows = [(202300 + week, week) for week in range(1, 50)][::order]
    with pytest.raises(
        DataError, match=rf"^time column '{name}' expected dates, got weeks such as 2023\d\d: write weeks"
    ):
        read_panel(write(tmp_path, csv(rows, f"{name},sales")))


YEARS = range(2010, 2018)


@pytest.mark.parametrize(
    "name, times, message",
    [
        ("when", pd.date_range("2024-01-01", periods=40).strftime("%d%m%Y"), "days such as 01012024: write dates like"),
        ("date", pd.date_range("2024-01-01", periods=40).strftime("%m%d%Y"), "days such as 01012024: write dates like"),
        ("date", [int(day) for day in pd.date_range("2024-01-01", periods=40).strftime("%d%m%Y")], "days such as 1012"),
        ("order_date", range(2024001, 2024041), "days of years such as 2024001: write dates like 2024-01-31"),
        ("week", range(2401, 2441), "weeks such as 2401: write weeks like 2024-W05"),
        ("주", range(2001, 2041), "weeks such as 2001: write weeks like 2024-W05"),
        (
            "month",
            [f"{m:02d}{y}" for y in YEARS for m in range(1, 13)],
            "months such as 012010: write months like",
        ),
        ("date", [int(f"{m}{y}") for y in YEARS for m in range(1, 13)], "months such as 12010: write months like 2024"),
        ("date", [f"{y}{q}" for y in YEARS for q in range(1, 5)], "quarters such as 20101: write quarters like 2024Q1"),
        ("quarter", [f"{y}0{q}" for y in YEARS for q in range(1, 5)], "quarters such as 201001: write quarters like"),
        (
            "분기",
            [f"{y}.{q}" for y in YEARS for q in range(1, 5)],
            "quarters such as 2010.1: write quarters like",
        ),
        ("Quartal", [f"{q}/{y}" for y in YEARS for q in range(1, 5)], "quarters such as 1/2010: write quarters like"),
    ],
)
@pytest.mark.parametrize("fill", [None, "interpolate"])
def test_numbers_that_are_times_in_shorthand_are_no_counters(tmp_path, name, times, message, fill):
    path = write(tmp_path, csv([(time, i % 5) for i, time in enumerate(times)], f"{name},sales"))
    for data in (path, pd.DataFrame({name: list(times), "sales": 1.0})):
        with pytest.raises(DataError, match=f"^time column '{name}' expected dates, got {message}"):
            read_panel(data, time_col=name, fill=fill)


WEEKS = [f"{year}{week:02d}" for year in (2019, 2020, 2021) for week in range(1, 54 if year == 2020 else 53)]


@pytest.mark.parametrize(
    "times, what",
    [
        (WEEKS, "weeks such as 201901: write weeks like 2024-W05 (of ISO 8601), or a day of each, such as 2024-01-29"),
        (WEEKS[52:105], "weeks such as 202001: write weeks like 2024-W05"),
        (WEEKS[10:30], "weeks such as 201911: write weeks like 2024-W05"),
        (WEEKS[::-2], "weeks such as 202152: write weeks like 2024-W05"),
        ([f"{y}{q}" for y in YEARS for q in range(1, 5)], "quarters such as 20101: write quarters like 2024Q1"),
        ([f"{y}{q}" for y in YEARS for q in (1, 3)], "quarters such as 20101: write quarters like 2024Q1"),
        (pd.date_range("2023-12-01", periods=60).strftime("%Y%j"), "days of years such as 2023335: write dates like"),
    ],
)
@pytest.mark.parametrize("name", ["epi", "date", "count"])
def test_weeks_quarters_and_days_of_years_in_shorthand_are_no_counters_in_any_column(tmp_path, name, times, what):
    path = write(tmp_path, csv([(time, i % 5) for i, time in enumerate(times)], f"{name},sales"))
    for data in (path, pd.DataFrame({name: list(map(float, times)), "sales": 1.0})):
        with pytest.raises(DataError) as caught:
            read_panel(data, time_col=name, fill="interpolate")
        assert str(caught.value).startswith(f"time column '{name}' expected dates, got {what}")
    if name == "count":
        assert str(caught.value).endswith("; count from 1 if they are none")


def test_epidemiological_weeks_are_found_by_the_name_of_their_column(tmp_path):
    with pytest.raises(DataError, match="time column 'epiweek' expected dates, got weeks such as 201901: write weeks"):
        read_panel(write(tmp_path, csv([(week, 5) for week in WEEKS], "epiweek,value")))


@pytest.mark.parametrize(
    "name, times",
    [
        ("time", range(2024300, 2024400)),
        ("week", range(1, 60)),
        ("week", range(2440, 2470)),
        ("quarter", range(20101, 20120)),
        ("date", range(42000, 42040)),  # days of Excel, which are remarked on
        ("counter", range(2024001, 2024041)),
        ("when", range(20101, 20105)),
        ("when", range(202001, 202061)),
        ("when", range(202050, 202062)),
        ("when", range(200013, 202013, 100)),
        ("when", range(200001, 200701, 50)),
        ("when", range(2001001, 2031001, 1000)),
        ("when", range(20101, 20301, 10)),
    ],
)
def test_counters_that_look_like_no_shorthand_stay_counters(tmp_path, name, times):
    panel = read_panel(write(tmp_path, csv([(time, 1) for time in times], f"{name},sales")), time_col=name)
    np.testing.assert_array_equal(panel.times, times)


def test_quarters_in_their_column_may_be_months(tmp_path):
    months = [f"{year}-{month:02d}" for year in YEARS for month in (1, 4, 7, 10)]
    panel = read_panel(write(tmp_path, csv([(month, 1) for month in months], "quarter,sales")))
    assert panel.clock.write(panel.future_times(1)) == ["2018-01"]


@pytest.mark.parametrize("header", ["week,value", "when,value"])
@pytest.mark.parametrize(
    "form, step, name", [("%G-W%V", 7, "W"), ("%GW%V", 7, "W"), ("%G-W%V-%u", 1, "D"), ("%G-W%V-%u", 14, "W")]
)
def test_weeks_of_iso_8601_come_back_as_such(tmp_path, header, form, step, name):
    days = pd.date_range("2020-12-14", periods=20, freq=f"{step}D")  # 2020 has 53 weeks
    panel = read_panel(write(tmp_path, csv([(day.strftime(form), i) for i, day in enumerate(days[:12])], header)))
    np.testing.assert_array_equal(panel.times, days[:12].to_numpy().astype("datetime64[s]"))
    assert panel.freq.name == name
    assert panel.clock.write(panel.future_times(8)) == list(days[12:].strftime(form.replace("%GW", "%G-W")))


def test_weeks_that_a_year_lacks_are_no_times(tmp_path):
    weeks = [*(f"2021-W{week}" for week in range(50, 54)), "2022-W01"]
    with pytest.raises(DataError, match=r"got '2021-W53' in row 5: write weeks like 2024-W05"):
        read_panel(write(tmp_path, csv([(week, 1) for week in weeks], "week,value")))


@pytest.mark.parametrize(
    "times, freq, wanted",
    [
        (["2024-01", "2024-02", "2024-03"], "D", "2024-03-02"),
        (["2024-W01", "2024-W02", "2024-W03"], "D", "2024-01-16"),
        (["2024-01-01", "2024-01-02", "2024-01-03"], "h", "2024-01-03 01:00:00"),
        (["2001", "2002", "2003"], "MS", "2003-02-01"),
        (["2024Q1", "2024Q2", "2024Q3"], "MS", "2024-08-01"),
        (["2024-01-01", "2024-01-04", "2024-01-07"], "36h", "2024-01-08 12:00:00"),
        (["2024-01-01 00:00:00", "2024-01-01 00:00:03", "2024-01-01 00:00:06"], "1500ms", "2024-01-01 00:00:07.500"),
    ],
)
def test_steps_that_are_finer_than_the_times_as_written_are_told_apart(tmp_path, times, freq, wanted):
    data = write(tmp_path, csv(zip(times, [1, 2, 3], strict=True), "date,value"))
    panel = read_panel(data, freq=freq, fill="interpolate")
    assert panel.clock.write(panel.future_times(1)) == [wanted]


def test_days_of_excel_that_became_numbers_are_said(tmp_path):
    panel = read_panel(write(tmp_path, csv([(45292 + i, i) for i in range(9)], "date,value")))
    assert panel.remarks == (
        "date: 45292 was read as a counter: if it is a day of Excel, format the column as dates first",
    )


def test_errors_list_a_few_of_many_columns(tmp_path):
    names = [f"{i}{'x' * 99}" for i in range(99)]
    with pytest.raises(DataError, match=r"'19x{38}', 79 more: choose the target") as caught:
        read_panel(write(tmp_path, csv([(day, *range(99)) for day in days(3)], ",".join(["ds", *names]))))
    assert len(str(caught.value)) < 1200


@pytest.mark.parametrize("form, unit", [("%Y%m", "M"), ("%Y%m%d", "D"), ("%Y%m%d12", "s")])
@pytest.mark.parametrize("header", ["yyyymm,sales", "sales,yyyymm"])
def test_numbers_that_are_dates_are_found_whatever_their_column_is_called(tmp_path, form, unit, header):
    months = pd.date_range("2020-01-01", periods=20, freq="MS").strftime(form)
    rows = [(month, 5 + i % 3)[:: 1 if header.startswith("y") else -1] for i, month in enumerate(months)]
    panel = read_panel(write(tmp_path, csv(rows, header)))
    assert (panel.time_col, panel.target_col, panel.freq.name, panel.clock.unit) == ("yyyymm", "sales", "MS", unit)


@pytest.mark.parametrize("codes", [[202001, 202003, 202001, 202002], [5, 7, 6, 8], [1700000000.5, 1700000060.5, 3, 4]])
def test_numbers_that_are_no_dates_one_after_the_other_are_none(tmp_path, codes):
    panel = read_panel(write(tmp_path, csv([(code, 1) for code in codes], "code,sales")), target_col="sales")
    assert panel.remarks == ("no column of times: rows are counted",)


@pytest.mark.parametrize("option", ["id_col", "time_col", "target_col"])
def test_names_of_columns_are_texts(option):
    frame = pl.DataFrame({"a": ["x"], "ds": ["2024-01-01"], "y": [1.0]})
    with pytest.raises(TypeError, match=rf"read_panel expected {option} to be the name of a column, a text, got \['a'"):
        read_panel(frame, **{option: ["a", "ds"]})


def test_lazy_frames_are_to_be_collected():
    with pytest.raises(TypeError, match=r"got LazyFrame: collect\(\) it first"):
        read_panel(pl.DataFrame({"ds": ["2024-01-01"], "y": [1.0]}).lazy())


def test_hours_that_clocks_show_twice_are_told_to_have_offsets(tmp_path):
    hours = pd.date_range("2024-10-26", periods=60, freq="h", tz="Europe/Berlin").strftime("%Y-%m-%d %H:%M")
    with pytest.raises(DataError, match=r"got 2024-10-27 02:00 twice .*write times with their offset"):
        read_panel(write(tmp_path, csv([(hour, 1) for hour in hours], "time,load")))


def test_other_bytes_than_text_are_refused(tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe")
    with pytest.raises(DataError, match="UTF-8"):
        read_panel(path)
    for text, encoding in (("Jahr;Umsätze\n2020;1\n2021;2\n", "latin-1"), ("日付,値\n2020,1\n2021,2\n", "shift_jis")):
        path.write_bytes(text.encode(encoding))
        with pytest.raises(DataError, match="save it as UTF-8"):
            read_panel(path)
    for header, encoding in (("日期,北京,销售", "gbk"), ("日期,銷售", "big5"), ("วันที่,ยอดขาย", "cp874")):
        path.write_bytes(csv([(m, 1, 2)[: header.count(",") + 1] for m in MONTHS], header).encode(encoding))
        with pytest.raises(DataError, match="save it as UTF-8"):
            read_panel(path)
    (tmp_path / "data.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(DataError, match="Parquet"):
        read_panel(tmp_path / "data.parquet")


@pytest.mark.parametrize("encoding", ["cp949", "utf-16", "utf-16-be", "utf-8-sig"])
def test_files_of_korean_spreadsheets_are_read(tmp_path, encoding):
    text = csv(zip(["지점"] * 12, MONTHS, range(12), strict=True), "지점,년월,매출(원)")
    text = "\ufeff" + text if encoding == "utf-16-be" else text
    panel = read_panel(write(tmp_path, text, encoding=encoding), id_col="지점")
    assert (panel.ids, panel.time_col, panel.target_col) == (("지점",), "년월", "매출(원)")
    np.testing.assert_array_equal(panel.values, range(12))
    said = ("the file is not UTF-8: it was read as Korean (cp949)",)
    assert panel.remarks == (said if encoding == "cp949" else ())


def test_a_directory_and_no_file_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"^reading expected a file, got the directory"):
        read_panel(tmp_path)
    with pytest.raises(DataError, match="an existing file"):
        read_panel(tmp_path / "nothing.csv")


def test_a_named_column_has_to_be_there(tmp_path):
    path = write(tmp_path, csv(GOOD))
    for option in ("time_col", "target_col", "id_col"):
        with pytest.raises(DataError, match=r"the .* column 'x', got 'month', 'sales'"):
            read_panel(path, **{option: "x"})


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


def test_a_target_that_is_called_like_a_time_is_none(tmp_path):
    panel = read_panel(
        write(tmp_path, csv([(202001 + i, 5 + i % 3) for i in range(9)], "when,time")), target_col="time"
    )
    assert (panel.time_col, panel.target_col) == ("when", "time")


def days(count, start="2024-01-01"):
    return list(pd.date_range(start, periods=count).strftime("%Y-%m-%d"))


def test_several_rows_in_one_step_are_refused_whatever_the_order_of_the_series():
    office = pd.DataFrame({"unique_id": "office", "ds": pd.bdate_range("2024-01-01", periods=50), "y": 1.0})
    shop = pd.DataFrame({"unique_id": "shop", "ds": pd.date_range("2024-01-01", periods=51), "y": np.arange(51.0)})
    for frames in ([office, shop], [shop, office]):
        with pytest.raises(DataError, match="series 'office' expected daily rows without gaps"):
            read_panel(pd.concat(frames))
        panel = read_panel(pd.concat(frames), fill="ffill")
        np.testing.assert_array_equal(panel.series(panel.ids.index("shop")), np.arange(51))
    with pytest.raises(DataError, match=r"one for each step, got 2024-01-01 and 2024-01-02 \(row 1\) in one step"):
        read_panel(shop.drop(columns="unique_id"), freq="MS")
    with pytest.raises(DataError, match=r"business-daily times, got 2024-01-06 \(row 5\)"):
        read_panel(shop.drop(columns="unique_id"), freq="B")


@pytest.mark.parametrize("step", ["M", "Q", "Y"])
@pytest.mark.parametrize("given", [None, "MS", "ME"])
def test_starts_and_ends_of_months_in_one_panel_are_refused(step, given):
    starts, ends = (pd.date_range("2016-01-01", periods=12, freq=f"{step}{side}") for side in "SE")
    frames = [pd.DataFrame({"unique_id": name, "ds": ds, "y": 1.0}) for name, ds in (("a", starts), ("b", ends))]
    for order in (frames, frames[::-1]):
        with pytest.raises(DataError, match=r"got 2016-01-01 in 'a' and 2016-\d\d-31 in 'b': write both"):
            read_panel(pd.concat(order), freq=given)


@pytest.mark.parametrize("given", ["MS", "ME", "M"])
def test_the_day_of_the_month_is_that_of_the_data_whatever_the_step_is_called(given):
    for side, wanted in (("S", ["2024-05-01", "2024-06-01"]), ("E", ["2024-05-31", "2024-06-30"])):
        ends_in_april = pd.date_range("2024-01-01", periods=4, freq=f"M{side}")
        panel = read_panel(pd.DataFrame({"ds": ends_in_april, "y": 1.0}), freq=given)
        assert panel.clock.write(panel.future_times(2)) == wanted


@pytest.mark.parametrize(
    "days_of_months, wanted",
    [
        (["04-28", "05-31", "06-30", "07-31", "08-31", "09-29"], ["10-31", "11-30"]),  # the last business days
        (["04-03", "05-01", "06-01", "07-03", "08-01", "09-04"], ["10-01", "11-01"]),  # the first ones
        (["04-14", "05-15", "06-15", "07-14", "08-15", "09-15"], ["10-15", "11-15"]),
        (["01-30", "02-28", "03-30"], ["04-30", "05-30"]),
        (["12-30", "01-30", "02-28"], ["03-30", "04-30"]),
    ],
)
def test_where_days_of_months_vary_forecasts_are_on_one_of_them(days_of_months, wanted):
    years = ["2022" if day.startswith("12") else "2023" for day in days_of_months]
    times = [f"{year}-{day}" for year, day in zip(years, days_of_months, strict=True)]
    panel = read_panel(pd.DataFrame({"ds": times, "y": 1.0}), freq="MS")
    assert panel.clock.write(panel.future_times(2)) == [f"2023-{day}" for day in wanted]
    assert panel.clock.write(panel.times) == times
    filled_up = read_panel(pd.DataFrame({"ds": [times[0], *times[2:]], "y": 1.0}), freq="MS", fill="ffill")
    assert filled_up.lengths[0] == len(times)


@pytest.mark.parametrize("given, wanted", [("ME", "2023-07-31"), ("MS", "2023-07-20")])
def test_the_name_of_the_step_says_where_days_that_vary_lie_if_they_do_not(given, wanted):
    times = ["2023-04-20", "2023-05-20", "2023-06-28"]
    panel = read_panel(pd.DataFrame({"ds": times, "y": 1.0}), freq=given)
    assert panel.clock.write(panel.future_times(1)) == [wanted]


def test_what_was_filled_is_remembered_and_filled_anew_before_a_cutoff():
    values = [0.0, 1, 2, None, None, 5, None, 7, 8]
    panel = read_panel(pd.DataFrame({"ds": days(9), "y": values}), fill="interpolate")
    np.testing.assert_array_equal(panel.values, np.arange(9))
    np.testing.assert_array_equal(panel.observed, [value is not None for value in values])
    assert panel.remarks == ("3 of 9 values were missing: filled by interpolate",)
    np.testing.assert_array_equal(panel.head(np.array([5])).values, [0, 1, 2, 2, 2])
    np.testing.assert_array_equal(panel.head(np.array([7])).values, [0, 1, 2, 3, 4, 5, 5])
    assert read_panel(pd.DataFrame({"ds": days(9), "y": np.arange(9.0)}), fill="zero").observed is None


@pytest.mark.parametrize(
    "freq, times, message",
    [
        ("MS", range(9), "^freq 'MS' expected dates or times, got counters"),
        ("step", days(9), "^freq 'step' expected counters, got times in 'ds'"),
    ],
)
def test_a_frequency_that_the_times_cannot_have_is_refused(freq, times, message):
    with pytest.raises(DataError, match=message):
        read_panel(pd.DataFrame({"ds": times, "y": np.arange(9.0)}), freq=freq)


def test_ids_that_are_the_same_when_joined_are_refused(tmp_path):
    rows = [(r, s, d, 1) for r, s in (("a/b", "c"), ("a", "b/c")) for d in days(3)]
    with pytest.raises(
        DataError, match="columns 'r', 's' expected ids that differ when they are joined by /, got 'a/b/c'"
    ):
        read_panel(write(tmp_path, csv(rows, "r,s,date,value")), id_col="r,s")


@pytest.mark.parametrize(
    "header, time",
    [("order_date,value", "order_date"), ("거래일,매출", "거래일"), ("n,when", "when"), ("year,month,date,y", "date")],
)
def test_the_column_of_dates_is_found_by_its_content(tmp_path, header, time):
    columns = {"n": range(9), "year": [2024] * 9, "month": [1] * 9, "value": range(9), "매출": range(9), "y": range(9)}
    rows = zip(*(columns.get(name, days(9)) for name in header.split(",")), strict=True)
    assert read_panel(write(tmp_path, csv(rows, header))).time_col == time


def test_empty_rows_are_left_out_and_rows_keep_their_numbers(tmp_path):
    lines = csv(zip(days(9), range(9), strict=True)).splitlines()
    text = "\n".join([*lines[:4], "", *lines[4:], ",", ""]) + "\n"
    np.testing.assert_array_equal(read_panel(write(tmp_path, text)).values, np.arange(9))
    with pytest.raises(DataError, match="'x' in row 9"):
        read_panel(write(tmp_path, text.replace("2024-01-07,6", "2024-01-07,x")))
    assert read_panel(write(tmp_path, "v\n1\n2\n3\n\n")).lengths[0] == 3
    with pytest.raises(DataError, match="a number in every row, got none in row 3"):
        read_panel(write(tmp_path, "v\n1\n\n3\n"))


@pytest.mark.parametrize(
    "text",
    [
        "1\n2\n3\n",
        *(
            f"{first}\n{second}\n"
            for first, second in (
                ("2024-01-01,3", "2024-01-02,4"),
                ("2024-01-01,Mon,100", "2024-01-02,Tue,101"),
                ("A,2024-01-01,100", "A,2024-01-02,101"),
                ("A,20240101,100", "A,20240102,101"),
                ("2024-01-01,", "2024-01-02,101"),
                ("2024-01-01,NA", "2024-01-02,101"),
                ("2024-01-01,closed", "2024-01-02,101"),
                ("2024-01-01,100원", "2024-01-02,101원"),
                ("01/02/2024;100,5", "02/02/2024;101,5"),
                ("202401,Jan,", "202402,Feb,5"),
            )
        ),
    ],
)
def test_a_file_without_names_is_refused(tmp_path, text):
    with pytest.raises(DataError, match=r"names of columns in the first line, got '.*': add a line such as date,value"):
        read_panel(write(tmp_path, text))


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_line_that_names_the_separator_is_no_header(tmp_path, ending):
    text = f"sep=;{ending}" + csv(zip(days(9), range(9), strict=True), "date;value", ";")
    np.testing.assert_array_equal(read_panel(write(tmp_path, text)).values, np.arange(9))
    with pytest.raises(DataError, match="'x' in row 5"):
        read_panel(write(tmp_path, text.replace("03;2", "03;x")))
    with pytest.raises(DataError, match="below the header"):
        read_panel(write(tmp_path, f"sep=;{ending}"))


@pytest.mark.parametrize("name", ["2024", "100", "2024-01"])
def test_a_column_of_values_may_be_called_like_a_number_or_a_date(tmp_path, name):
    for header in (f"date,{name}", f",{name}"):
        panel = read_panel(write(tmp_path, csv(zip(days(9), range(9), strict=True), header)), target_col=name)
        assert (panel.target_col, panel.lengths[0], panel.freq.name) == (name, 9, "D")


def test_rows_without_any_date_that_may_be_names_are_told_as_such(tmp_path):
    with pytest.raises(DataError, match=r"name it with --time .*, or add a line such as date,value if the file has no"):
        read_panel(write(tmp_path, "2024,Mon,100\n2025,Tue,101\n2026,Wed,102\n"))


@pytest.mark.parametrize(
    "header, row, target, value",
    [
        ("date;price, EUR", "{};100,5", "price, EUR", 100.5),
        ("날짜;매출(원, 부가세 별도, 반품 제외)", "{};100", "매출(원, 부가세 별도, 반품 제외)", 100),
        ("date;n;sales, net", "{};Mo;1,234,567", "sales, net", 1234567),
        ("date\tsales, USD, net", "{}\t100.5", "sales, USD, net", 100.5),
        ("date\tsales, USD", "{}\t1,234", "sales, USD", 1234),
        ("date,\tsales", "{},\t100", "sales", 100),
        ("date,a|b|c", "{},100", "a|b|c", 100),
        ("date|a;b;c", "{}|100", "a;b;c", 100),
        ('"date ; of ; sale";sales, net', '{};"1,5"', "sales, net", 1.5),
    ],
)
def test_the_separator_is_what_parts_rows_as_it_parts_the_header(tmp_path, header, row, target, value):
    panel = read_panel(write(tmp_path, "\n".join([header, *(row.format(day) for day in days(30))]) + "\n"))
    assert (panel.target_col, panel.values[0], panel.lengths[0]) == (target, value, 30)


def test_the_separator_is_found_though_some_rows_end_early(tmp_path):
    rows = [f"{day};{i},5" for i, day in enumerate(days(9))]
    panel = read_panel(
        write(tmp_path, "\n".join(["date;price, EUR, net", *rows[:4], days(5)[4], *rows[5:]])), fill="zero"
    )
    np.testing.assert_array_equal(panel.values, [0.5, 1.5, 2.5, 3.5, 0, 5.5, 6.5, 7.5, 8.5])


def test_separators_inside_quotes_do_not_count(tmp_path):
    panel = read_panel(write(tmp_path, csv(zip(days(9), range(9), strict=True), 'date;"value (a, b, c)"', ";")))
    assert panel.target_col == "value (a, b, c)"


def test_a_comma_in_a_file_of_semicolons_is_decimal_and_said_so(tmp_path):
    panel = read_panel(write(tmp_path, csv([(d, "10,000") for d in days(3)], "date;value", ";")))
    np.testing.assert_array_equal(panel.values, 10)
    assert panel.remarks == ("value: '10,000' was read as 10, as ; separates the fields",)


def test_a_point_in_a_file_of_semicolons_that_could_be_of_thousands_is_said(tmp_path):
    panel = read_panel(write(tmp_path, csv([(d, "10.123") for d in days(3)], "date;value", ";")))
    np.testing.assert_array_equal(panel.values, 10.123)
    assert panel.remarks == ("value: '10.123' was read as 10.123: the point could be of thousands too",)
    for text, separator in (("0.123", ";"), ("10.12", ";"), ("10.123", "\t")):
        path = write(tmp_path, csv([(d, text) for d in days(3)], f"date{separator}value", separator))
        assert read_panel(path).remarks == ()


def test_labels_of_pandas_rows_are_columns_where_they_say_something():
    by_day = pd.DataFrame({"y": np.arange(9.0)}, index=pd.date_range("2024-01-01", periods=9, name="day"))
    assert (read_panel(by_day).time_col, read_panel(by_day).freq.name) == ("day", "D")
    both = pd.MultiIndex.from_product([[3, 4], by_day.index], names=["unique_id", "ds"])
    panel = read_panel(pd.DataFrame({"y": np.arange(18.0)}, index=both))
    assert (panel.ids, panel.id_values) == (("3", "4"), (3, 4))
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


def test_columns_of_pandas_that_are_numbered_are_so_in_the_forecast():
    frame = pd.DataFrame({0: "a", 1: pd.date_range("2024-01-01", periods=40), 2: np.arange(40.0)})
    made = recurra.forecast(frame, 3, model="drift", id_col="0", time_col="1", target_col="2").frame
    assert list(made.columns) == [0, 1, "y_hat", "lo-80", "hi-80", "lo-95", "hi-95"]
    assert made[1].dtype == frame[1].dtype


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


@pytest.mark.parametrize("zone", ["Asia/Seoul", "UTC", "-03:00"])
@pytest.mark.parametrize("make", [lambda frame: frame, pl.from_pandas], ids=["pandas", "polars"])
def test_days_of_a_zone_end_with_the_year_9999(zone, make):
    frame = make(pd.DataFrame({"ds": pd.date_range("9999-12-15", periods=14, unit="s", tz=zone), "y": 1.0}))
    assert recurra.forecast(frame, 2, model="naive").columns["ds"][-1] == np.datetime64("9999-12-30")
    with pytest.raises(DataError, match=r"times with a zone expected the years 1 to 9999, got (9999-12-31|10000-01-)"):
        recurra.forecast(frame, 3, model="naive")


def test_rows_are_counted_within_each_series():
    panel = read_panel(pd.DataFrame({"unique_id": ["a", "b", "a", "b"], "y": [1.0, 2, 3, 4]}))
    np.testing.assert_array_equal(panel.times, [0, 1, 0, 1])


def test_a_column_of_numbers_that_tells_the_series_apart_is_named():
    frame = pd.DataFrame({"store": [1] * 9 + [2] * 9, "ds": days(9) * 2, "y": np.arange(18.0)})
    with pytest.raises(DataError, match=r"twice .*: if there are several series, .* id_col: --id store"):
        read_panel(frame)


@pytest.mark.parametrize("name", ["time", "hour", "시각"])
def test_a_time_of_day_beside_dates_is_a_part_of_the_time(tmp_path, name):
    rows = [("2024-01-01", f"{hour:02d}:00", hour) for hour in range(9)]
    message = f"if '{name}' is a part of the time, write both into one column, such as 2024-01-31 13:00$"
    with pytest.raises(DataError, match=message):
        read_panel(write(tmp_path, csv(rows, f"date,{name},value")))


@pytest.mark.parametrize(
    "whole, part, example", [("month", "day", "2024-01-31"), ("year", "분기", "2024Q1"), ("year", "week", "2024-W05")]
)
def test_parts_of_times_are_told_with_what_both_look_like(tmp_path, whole, part, example):
    first = "2024-01" if whole == "month" else 2024
    rows = csv([(first, i, i) for i in range(1, 5)], f"{whole},{part},value")
    with pytest.raises(DataError, match=f"if '{part}' is a part of the time, write both .* such as {example}$"):
        read_panel(write(tmp_path, rows), time_col=whole)


@pytest.mark.parametrize(
    "names, example",
    [
        ("연도,월,매출", "2024-01"),
        ("month,year,sales", "2024-01"),
        ("week,Year,sales", "2024-W05"),
        ("year,month,day,sales", "2024-01-31"),
        ("일,월,년,매출", "2024-01-31"),
    ],
)
@pytest.mark.parametrize("rows", [12, 36])  # of one year, months alone would be counters
def test_years_and_their_parts_in_columns_of_their_own_are_to_be_joined(tmp_path, names, example, rows):
    parts = names.split(",")[:-1]
    place = {"year": 0, "연도": 0, "년": 0, "day": 2, "일": 2}
    times = [(2019 + i // 12, i % 12 + 1, i % 28 + 1) for i in range(rows)]
    data = csv([(*(time[place.get(part.lower(), 1)] for part in parts), 5) for time in times], names)
    listed = ", ".join(map(repr, parts))
    with pytest.raises(
        DataError, match=f"one column of times, got {listed}: write them into one .* such as {example}$"
    ):
        read_panel(write(tmp_path, data))


def test_no_part_of_a_time_is_taken_for_the_name_of_a_series(tmp_path):
    rows = [(month, 2019 + year, 5) for year in range(3) for month in range(1, 13)]
    message = r"got 1 twice .*: if 'year' is a part of the time, write both into one column, such as 2024-01$"
    with pytest.raises(DataError, match=message):
        read_panel(write(tmp_path, csv(rows, "month,year,sales")), time_col="month", target_col="sales")
    rows = [(2024, month, day, 5) for month in range(1, 4) for day in range(1, 9)]
    with pytest.raises(DataError, match=r"if 'month', 'day' are parts of the time, write all into one .* 2024-01-31$"):
        read_panel(write(tmp_path, csv(rows, "year,month,day,sales")), time_col="year", target_col="sales")
    rows = [("2024-01-01", shop, hour, 5) for shop in "ab" for hour in range(9)]
    with pytest.raises(
        DataError, match=r"series 'a' .* twice .*: if 'hour' is a part of the time, write both into one"
    ):
        read_panel(write(tmp_path, csv(rows, "date,shop,hour,sales")), id_col="shop", target_col="sales")


MANY = pd.date_range("2024-01-01", periods=48, freq="h")
COLUMNS_OF_DATES = {
    "hourly": MANY.strftime("%Y-%m-%d %H:00"),
    "daily": days(48),
    "later": days(48, "2024-01-09"),
    "day_of_hour": MANY.strftime("%Y-%m-%d"),
    "week": pd.to_datetime(days(48)).strftime("%G-W%V"),
    "month": pd.to_datetime(days(48)).month,
    "ended": [*days(47), ""],
}


def with_columns(header, *columns):
    return csv(zip(*(COLUMNS_OF_DATES[column] for column in columns), range(48), strict=True), f"{header},cases")


@pytest.mark.parametrize(
    "header, columns",
    [
        ("onset_date,report_date", ("daily", "later")),
        ("start,end", ("daily", "later")),
        ("utc_time,local_time", ("hourly", "hourly")),
        ("start,end", ("day_of_hour", "day_of_hour")),
    ],
)
def test_of_several_columns_of_dates_one_is_to_be_chosen(tmp_path, header, columns):
    path = write(tmp_path, with_columns(header, *columns))
    one, other = header.split(",")
    message = (
        rf"one column of dates or times, got '{one}', '{other}': choose the time with --time \(in Python time_col\)"
    )
    with pytest.raises(DataError, match=message):
        read_panel(path, target_col="cases")
    if columns[0] != "day_of_hour":
        assert read_panel(path, time_col=other).time_col == other


def test_of_several_columns_of_numbers_that_are_dates_one_is_to_be_chosen(tmp_path):
    rows = [(f"2024{month:02d}", f"2024{month:02d}28", 5) for month in range(1, 13)]
    with pytest.raises(DataError, match="one column of dates or times, got 'from', 'to': choose the time with --time"):
        read_panel(write(tmp_path, csv(rows, "from,to,price")))


@pytest.mark.parametrize(
    "header, columns, time",
    [
        ("year_week,date", ("week", "daily"), "date"),
        ("month,date", ("month", "daily"), "date"),
        ("report_date,ds", ("later", "daily"), "ds"),
        ("date,ds", ("later", "daily"), "ds"),
        ("updated,날짜", ("later", "daily"), "날짜"),
        ("end,month", ("later", "daily"), "month"),
    ],
)
def test_a_usual_name_says_which_column_of_dates_is_the_time(tmp_path, header, columns, time):
    panel = read_panel(write(tmp_path, with_columns(header, *columns)), target_col="cases")
    assert (panel.time_col, panel.freq.name, panel.remarks) == (time, "D", ())


@pytest.mark.parametrize(
    "header, columns, time",
    [
        ("date,timestamp", ("day_of_hour", "hourly"), "timestamp"),
        ("week,start", ("week", "daily"), "start"),
        ("end,start", ("ended", "daily"), "start"),
    ],
)
def test_a_column_where_times_stand_twice_or_are_missing_is_not_the_time(tmp_path, header, columns, time):
    panel = read_panel(write(tmp_path, with_columns(header, *columns)))
    other = next(name for name in header.split(",") if name != time)
    said = f"times are those of '{time}', where each stands once, not of '{other}': --time (in Python time_col) names"
    assert (panel.time_col, panel.remarks) == (time, (f"{said} another",))


def test_times_beside_dates_are_no_names_of_series(tmp_path):
    path = write(tmp_path, with_columns("date,utc_time", "day_of_hour", "hourly"))
    with pytest.raises(DataError, match=r"twice .*: if the times are those of 'utc_time', choose it with --time \(in"):
        read_panel(path)
    for shops in ("ab", (1, 2)):
        rows = [
            (day, f"2024-02-{i + 9 * n:02d}", shop, i)
            for n, shop in enumerate(shops)
            for i, day in enumerate(days(9), 1)
        ]
        with pytest.raises(DataError, match=r"if there are several series, .*: --id shop$"):
            read_panel(write(tmp_path, csv(rows, "date,written,shop,sales")), target_col="sales")
    rows = [(day, volume, 5) for volume, day in enumerate(days(9) * 2)]
    with pytest.raises(DataError, match=r"twice \(rows 2 and 11\): drop or add up one$"):
        read_panel(write(tmp_path, csv(rows, "date,volume,price")), target_col="price")


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


def test_decimals_in_parquet_that_polars_does_not_know_are_refused(tmp_path):
    decimals = pa.array(range(9)).cast(pa.decimal256(50, 2))
    pa.parquet.write_table(pa.table({"ds": days(9), "y": decimals}), tmp_path / "d.parquet")
    with pytest.raises(DataError, match=r"expected decimals of at most 38 digits, got a column of 50: write them as"):
        read_panel(tmp_path / "d.parquet")


def test_zones_in_parquet_that_polars_does_not_know_are_refused(tmp_path):
    for zone, name in (("+09:00", "seoul"), ("+05:30", "delhi")):
        times = pd.date_range("2024-01-01", periods=9, tz=zone)
        pd.DataFrame({"ds": times, "y": np.arange(9.0)}).to_parquet(tmp_path / f"{name}.parquet")
    panel = read_panel(tmp_path / "seoul.parquet")
    assert panel.clock.write(panel.future_times(1)) == ["2024-01-10 00:00:00+09:00"]
    with pytest.raises(DataError, match=r"delhi\.parquet expected zones that have a name, such as Asia/Kolkata"):
        read_panel(tmp_path / "delhi.parquet")


def test_zones_that_polars_does_not_know_print_nothing_of_its_own(tmp_path, capfd):
    frame = pa.table({"ds": pa.array(range(9), pa.timestamp("us", tz="-03:30")), "y": np.arange(9.0)})
    pa.parquet.write_table(frame, tmp_path / "d.parquet")
    with pytest.raises(DataError, match=r"or whole hours, got -03:30$"):
        read_panel(tmp_path / "d.parquet")
    assert capfd.readouterr() == ("", "")


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


@pytest.mark.parametrize("write", [pl.DataFrame.write_csv, pl.DataFrame.write_parquet])
def test_open_files_are_read(write):
    buffer = io.BytesIO()
    write(pl.DataFrame({"ds": days(9), "y": np.arange(9.0)}), buffer)
    buffer.seek(0)
    assert read_panel(buffer).lengths.tolist() == [9]
    with pytest.raises(DataError, match="the file expected rows of data, got an empty file"):
        read_panel(io.BytesIO())
    with pytest.raises(TypeError, match="a file opened in binary mode, got one that gives str"):
        read_panel(io.StringIO("ds,y"))


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


def test_a_comma_that_could_be_decimal_is_said(tmp_path):
    panel = read_panel(write(tmp_path, csv([(d, "110,000") for d in days(3)], "date\tvalue", "\t")))
    assert panel.remarks == ("value: '110,000' was read as 110000: the comma could be a decimal sign too",)


def test_spaces_of_numbers_are_shown_as_spaces(tmp_path):
    rows = csv(zip(days(3), ["1\u202f000,50\u00a0€"] * 3, strict=True), "month;sales", ";")
    assert read_panel(write(tmp_path, rows)).remarks == ("sales: '1 000,50 €' was read as 1000.5",)


def test_what_is_no_number_is_refused_before_commas_are_remarked_on(tmp_path):
    rows = zip(days(3), ['"1,000 pieces"', '"2,000"', '"3,000"'], strict=True)
    with pytest.raises(DataError, match="'sales' expected numbers, got '1,000 pieces' in row 2"):
        read_panel(write(tmp_path, csv(rows)), target_col="sales")


def test_how_money_was_read_is_said_and_what_is_no_number_is_shown_as_it_stands(tmp_path):
    panel = read_panel(write(tmp_path, csv(zip(days(3), ['"$1,234.50"', "$2", "($3)"], strict=True))))
    np.testing.assert_array_equal(panel.values, [1234.5, 2, -3])
    assert panel.remarks == ("sales: '($3)' was read as -3",)
    with pytest.raises(DataError, match=r"'sales' expected numbers, got '\$ many' in row 3"):
        read_panel(write(tmp_path, csv(zip(days(3), ["$1", "$ many", "$3"], strict=True))), target_col="sales")
    with pytest.raises(DataError, match="one column of numbers, got 'sales', 'share': choose the target with --target"):
        read_panel(write(tmp_path, csv([(day, "$1", "5%") for day in days(3)], "month,sales,share")))


@pytest.mark.parametrize("text", ["24-01-31", "31/01/24", "31.1.24 13:00", "Jan-24", "31-Jan-24"])
def test_years_of_two_digits_are_refused_with_what_to_do(text):
    with pytest.raises(DataError, match=f"got '{text}' in row 1: write years with four digits, such as 2024-01-31"):
        read_panel(pd.DataFrame({"ds": ["2024-01-30", text], "y": [1.0, 2]}))


@pytest.mark.parametrize(
    "texts",
    [
        [f"{97 + i // 12}-{i % 12 + 1:02d}" for i in range(36)],
        [f"{i // 12:02d}-{i % 12 + 1:02d}" for i in range(36)],
        [f"{20 + i // 12}.{i % 12 + 1:02d}" for i in range(36)],
        [f"2301{i + 1:02d}" for i in range(31)],
        [f"1901{i + 1:02d}" for i in range(31)],  # of which some would be months of 1901
    ],
)
@pytest.mark.parametrize("fill", [None, "interpolate"])
def test_years_of_two_digits_are_neither_counted_nor_counters(tmp_path, texts, fill):
    rows = csv([(text, 1) for text in texts], "date,value")
    with pytest.raises(DataError, match=r"'date' expected dates or times, got .*: write years with four digits"):
        read_panel(write(tmp_path, rows), fill=fill)


@pytest.mark.parametrize("header", ["Tag;Umsatz", "Tag;Filiale;Umsatz", "Datum;Umsatz"])
def test_times_that_are_none_are_told_whatever_their_column_is_called(tmp_path, header):
    shop = ["Nord"] * header.count("Filiale")
    rows = [(f"{day:02d}.02.24", *shop, "5,5") for day in range(1, 10)]
    with pytest.raises(DataError, match=r"'(Tag|Datum)' .* got '01\.02\.24' in row 2: write years with four digits"):
        read_panel(write(tmp_path, csv(rows, header, ";")))
    rows = [*((day, *shop, 5) for day in days(9)), ("Summe", *shop, 45)]
    with pytest.raises(DataError, match=r"'(Tag|Datum)' .* got 'Summe' in row 11: delete rows that hold no time"):
        read_panel(write(tmp_path, csv(rows, header, ";")))


def test_names_of_times_in_other_languages_are_known(tmp_path):
    for name in ("Datum", "fecha"):
        panel = read_panel(write(tmp_path, csv([(2000 + i, 100 + i) for i in range(9)], f"{name},n")))
        assert (panel.time_col, panel.target_col, panel.freq.name) == (name, "n", "YS")


def test_quarters_are_read_with_any_sign_or_told_how_to_write(tmp_path):
    quarters = [(quarter, year) for year in range(2010, 2020) for quarter in range(1, 5)]
    for form in ("Q{}/{}", "q{} / {}", "Q{}.{}", "{}Q/{}", "{1}/{0}Q", "{1}.Q{0}", "Q{}{}"):
        panel = read_panel(write(tmp_path, csv([(form.format(*quarter), 5) for quarter in quarters], "Zeitraum,n")))
        assert panel.clock.write(panel.times)[:2] == ["2010-01", "2010-04"]
        assert (panel.time_col, panel.freq.name) == ("Zeitraum", "QS")
    for form in ("{}. Quartal {}", "Quartal {} {}", "Q{} FY{}"):
        rows = csv([(form.format(*quarter), 5) for quarter in quarters], "Zeitraum,n")
        with pytest.raises(DataError, match=r"'Zeitraum' expected dates or times, got .*: write quarters like 2024Q1$"):
            read_panel(write(tmp_path, rows))


def test_seconds_since_1970_may_have_parts(tmp_path):
    seconds = [1704067200 + i / 2 for i in range(40)]
    path = write(tmp_path, csv([(f"{second:.3f}", 5) for second in seconds], "timestamp,n"))
    for data in (path, pd.DataFrame({"timestamp": seconds, "n": 1.0})):
        panel = read_panel(data)
        assert panel.clock.write(panel.times)[:2] == ["2024-01-01 00:00:00.000", "2024-01-01 00:00:00.500"]
        assert panel.remarks == ("timestamp: times were read as seconds since 1970, UTC",)
    finer = pd.DataFrame({"timestamp": [f"{second:.6f}1" for second in seconds], "n": 1.0})
    with pytest.raises(DataError, match=r"got '1704067200\.0000001' in row 0: .*, in whole microseconds$"):
        read_panel(finer)


def test_years_of_two_digits_in_frames_of_floats_are_told():
    with pytest.raises(DataError, match=r"got '230101\.0' in row 0: write years with four digits"):
        read_panel(pd.DataFrame({"ds": [230101.0 + i for i in range(20)], "y": 1.0}))


def test_counters_that_a_forecast_could_not_go_on_from_are_refused():
    for first in (2**62 - 20, 2**63 - 40, -(2**63)):
        with pytest.raises(DataError, match=r"dates or times, got '-?\d{19}' in row \d+: count from a smaller number"):
            read_panel(pd.DataFrame({"ds": [first + i for i in range(40)], "y": 1.0}))
    panel = read_panel(pd.DataFrame({"ds": [2**62 - 39 + i for i in range(40)], "y": 1.0}))
    assert panel.future_times(20)[0, -1] == 2**62 + 20


def test_counters_of_six_digits_are_counters():
    panel = read_panel(pd.DataFrame({"ds": [110101 + i for i in range(40)], "y": 1.0}))
    assert (panel.freq.name, panel.times[0]) == ("step", 110101)


@pytest.mark.parametrize("form", ["{}/{:02d}", "{}-{:02d}", "{}/{}"])
@pytest.mark.parametrize("first, count", [(2000, 12), (2000, 16), (2012, 10), (1995, 9)])
def test_years_that_end_in_the_next_one_are_no_months(tmp_path, form, first, count):
    years = [form.format(y, y + 1 if form == "{}/{}" else (y + 1) % 100) for y in range(first, first + count)]
    with pytest.raises(DataError, match="write the year that each begins in, such as 2012"):
        read_panel(write(tmp_path, csv([(year, 1) for year in years], "year,value")))


def test_names_such_as_na_are_names_of_series():
    frame = pd.DataFrame({"region": ["NA"] * 3 + ["EU"] * 3, "ds": days(3) * 2, "y": np.arange(6.0)})
    assert read_panel(frame, id_col="region").ids == ("NA", "EU")
    with pytest.raises(DataError, match="a name in every row, got none in row 0"):
        read_panel(frame.assign(region=["", *frame.region[1:]]), id_col="region")


def test_columns_of_lists_are_no_names():
    lists = pl.DataFrame({"ds": days(3) * 2, "y": np.arange(6.0), "l": [[1], [2]] * 3})
    with pytest.raises(DataError, match=r"2024-01-01 twice \(rows 0 and 3\): drop or add up one"):
        read_panel(lists)
    with pytest.raises(DataError, match=r"column 'l' expected names or numbers, got \[1\] in row 0"):
        read_panel(lists, id_col="l")


def test_a_comma_in_the_name_of_a_column_does_not_part_it():
    frame = pd.DataFrame({"shop, town": ["a"] * 3 + ["b"] * 3, "ds": days(3) * 2, "y": np.arange(6.0)})
    panel = read_panel(frame, id_col="shop, town")
    assert (panel.ids, panel.id_col) == (("a", "b"), "shop, town")


def test_columns_of_one_name_are_refused():
    frame = pd.DataFrame([["2024-01-01", 1.0, 2.0]], columns=["ds", "y", "y"])
    with pytest.raises(DataError, match="columns of different names, got 'y' twice"):
        read_panel(frame)


def test_a_panel_of_arrays_wants_finite_numbers():
    with pytest.raises(ValueError, match=r"series 1 expected an array .* got NaN or infinity in it"):
        Panel.from_arrays([np.arange(9.0), np.array([1.0, np.nan])])
    with pytest.raises(ValueError, match=r"series 0 expected an array .* got shape \(3, 2\)"):
        Panel.from_arrays([np.zeros((3, 2))])
    with pytest.raises(ValueError, match=r"Panel\.from_arrays expected at least one series, got none"):
        Panel.from_arrays([])


@pytest.mark.parametrize("ids, got", [(["a"], "1"), ([], "0"), (["a", "a"], "'a' twice"), ([1, 2], "1 of type int")])
def test_a_panel_of_arrays_wants_an_id_for_each(ids, got):
    message = f"Panel.from_arrays expected ids to be a different text for each of 2 series, got {got}$"
    with pytest.raises(ValueError, match=message):
        Panel.from_arrays([np.arange(9.0)] * 2, ids=ids)
    assert Panel.from_arrays([np.arange(9.0)] * 2, ids=np.array(["a", "b"])).ids == ("a", "b")


def sales(counts, start="2024-01-01", every=2):
    """Series of days of which every second has a row."""
    parts = [pd.DataFrame({"unique_id": k, "ds": days(n, start)[::every], "y": 3.0}) for k, n in counts.items()]
    return pd.concat(parts)


def test_zeros_go_on_to_the_latest_time_of_all_series():
    panel = read_panel(sales({"a": 13, "b": 8, "c": 12}), freq="D", fill="zero")
    assert panel.lengths.tolist() == [13, 13, 13]
    np.testing.assert_array_equal(panel.series(1), [3, 0, 3, 0, 3, 0, 3, 0, 0, 0, 0, 0, 0])
    assert {panel.clock.write(panel.future_times(1)[i])[0] for i in range(3)} == {"2024-01-14"}
    filled_in = "14 of 31 values were missing: filled by zero"
    assert panel.remarks == (filled_in, "zeros were added up to 2024-01-13 in 2 series that end before it: 8 values")
    assert panel.observed is None
    assert read_panel(sales({"a": 13, "b": 8}), freq="D", fill="ffill").lengths.tolist() == [13, 7]


def test_zeros_do_not_go_on_where_series_have_no_time_in_common():
    frame = sales({"a": 13, "b": 8}, every=1)
    assert read_panel(frame.drop(columns="ds"), fill="zero").lengths.tolist() == [13, 8]
    counted = frame.assign(ds=[*range(13), *range(8)])
    assert read_panel(counted, fill="zero").lengths.tolist() == [13, 8]
    assert read_panel(counted.assign(ds=[*range(13), *range(2, 10)]), fill="zero").lengths.tolist() == [13, 11]


def test_zeros_go_on_by_whole_steps_alone():
    weeks = {
        k: pd.date_range(start, periods=n, freq="7D")
        for k, start, n in (("a", "2024-01-01", 6), ("b", "2024-01-04", 3))
    }
    frame = pd.concat([pd.DataFrame({"unique_id": k, "ds": times, "y": 1.0}) for k, times in weeks.items()])
    panel = read_panel(frame, fill="zero")
    assert panel.clock.write(panel.times[panel.indptr[1:] - 1]) == ["2024-02-05", "2024-02-01"]


def test_zeros_up_to_a_wrong_time_do_not_fill_the_memory():
    late = pd.DataFrame({"unique_id": "late", "ds": ["9024-01-01 00:00:00", "9024-01-01 00:00:01"], "y": 1.0})
    early = late.assign(unique_id="early", ds=["2024-01-01 00:00:00", "2024-01-01 00:00:01"])
    message = r"fill 'zero' .* after 2024-01-01 00:00:01 in 'early', up to 9024-01-01 00:00:01 in 'late': is the time"
    with pytest.raises(DataError, match=message):
        read_panel(pd.concat([early, late]), fill="zero")


def test_finer_steps_are_never_filled_silently():
    times = [7 * week + day for week in range(8) for day in (0, 2, 4)]
    frame = pd.DataFrame({"ds": np.array(days(60))[times], "y": 1.0})
    with pytest.raises(DataError, match=r"daily rows without gaps, got a jump .* and 22 more gaps: .* with --fill"):
        read_panel(frame)
    assert read_panel(frame, fill="zero").lengths.tolist() == [54]


@pytest.mark.parametrize(
    "code, written", [(-999.9, "-999.9"), (-99.99, "-99.99"), (-9999, "-9999"), (-99999.9, "-99999.9")]
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_codes_of_missing_values_are_told_and_left(code, written, dtype):
    values = (15 + 10 * np.sin(np.arange(40.0))).astype(dtype)
    values[[7, 20]] = code
    panel = read_panel(pd.DataFrame({"ds": days(40), "T": values}))
    what = f"T: {written} in 2 rows looks like a code for a missing value: if it is one, leave those fields empty"
    assert panel.remarks == (what,)
    assert panel.values[7] == dtype(code)


@pytest.mark.parametrize(
    "lowest, others",
    [(-99, np.arange(-98.0, 60)), (-999, np.arange(-900.0, 500, 10)), (-9, np.arange(5.0)), (-998.9, np.arange(5.0))],
)
def test_values_that_are_no_codes_are_not_remarked_on(lowest, others):
    values = [*others, lowest]
    assert read_panel(pd.DataFrame({"ds": days(len(values)), "T": values})).remarks == ()
    assert read_panel(pd.DataFrame({"ds": days(9), "T": [-99.0] * 9})).remarks == ()


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


def test_series_of_one_value_are_counted():
    short = [pd.DataFrame({"unique_id": f"n{i}", "ds": days(1), "y": 1.0}) for i in range(3)]
    long = pd.DataFrame({"unique_id": "old", "ds": days(30), "y": 1.0})
    with pytest.raises(
        DataError, match=r"'n0' \(and 2 more of 4 series\) expected at least 2 values, got 1: leave them"
    ):
        read_panel(pd.concat([long, *short]))
    with pytest.raises(DataError, match="series 'n0' expected at least 2 values, got 1: leave it out"):
        read_panel(pd.concat([short[0], long]))


@pytest.mark.parametrize("name", ["PM10(㎍/㎥)", "temp(℃)"])
def test_korean_bytes_of_units_alone_are_read(tmp_path, name):
    text = csv(zip(MONTHS, range(12), strict=True), f"date,{name}")
    panel = read_panel(write(tmp_path, text, encoding="cp949"))
    assert (panel.target_col, panel.remarks) == (name, ("the file is not UTF-8: it was read as Korean (cp949)",))
    with pytest.raises(DataError, match="expected text in UTF-8, got other bytes"):
        read_panel(write(tmp_path, text.replace(name, "½"), encoding="cp949"))


@pytest.mark.parametrize("names", [("대여일자", "대여시간"), ("pickup_date", "pickup_hour"), ("day", "start minute")])
def test_a_column_of_hours_is_known_by_the_end_of_its_name(tmp_path, names):
    rows = [(f"2024-01-{day:02d}", hour, 7000 + 24 * day + hour) for day in range(1, 10) for hour in range(24)]
    with pytest.raises(DataError, match=f"if '{names[1]}' is a part of the time, write both into one column, such as"):
        read_panel(write(tmp_path, csv(rows, ",".join(names) + ",trips")), target_col="trips")  # was: --id pickup_hour


def test_a_column_of_lengths_of_time_is_no_part_of_it(tmp_path):
    rows = [(f"2024-01-{day:02d}", name, 7.1 + day / 8 + i, day) for day in range(1, 20) for i, name in enumerate("ab")]
    with pytest.raises(DataError, match=r"name them, in Python by id_col: --id station$"):
        read_panel(write(tmp_path, csv(rows, "일자,station,일조시간,y")))
