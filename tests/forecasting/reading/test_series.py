"""Series of a table are made regular, or it is told where they are not."""

import numpy as np
import pandas as pd
import pytest
from samples import csv, days, with_columns, write

from recurra.errors import DataError
from recurra.forecasting.frame import read_panel
from recurra.forecasting.panel import filled


def test_series_keep_their_order_and_rows_are_sorted(tmp_path):
    rows = [("b", "2024-01-02", 2), ("b", "2024-01-01", 1), ("a", "2024-01-01", 3), ("a", "2024-01-02", 4)]
    panel = read_panel(write(tmp_path, csv(rows, "unique_id,ds,y")))
    assert panel.ids == ("b", "a")
    np.testing.assert_array_equal(panel.values, [1, 2, 3, 4])
    assert panel.remarks == ("series 'b' was not in order of time: sorted",)
    panel = read_panel(write(tmp_path, csv([*rows[:2], *rows[:1:-1]], "unique_id,ds,y")))
    assert panel.remarks == ("series 'b' and 1 more were not in order of time: sorted",)


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


def test_hours_that_clocks_show_twice_are_told_to_have_offsets(tmp_path):
    hours = pd.date_range("2024-10-26", periods=60, freq="h", tz="Europe/Berlin").strftime("%Y-%m-%d %H:%M")
    with pytest.raises(DataError, match=r"got 2024-10-27 02:00 twice .*write times with their offset"):
        read_panel(write(tmp_path, csv([(hour, 1) for hour in hours], "time,load")))


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


def test_series_of_one_value_are_counted():
    short = [pd.DataFrame({"unique_id": f"n{i}", "ds": days(1), "y": 1.0}) for i in range(3)]
    long = pd.DataFrame({"unique_id": "old", "ds": days(30), "y": 1.0})
    with pytest.raises(
        DataError, match=r"'n0' \(and 2 more of 4 series\) expected at least 2 values, got 1: leave them"
    ):
        read_panel(pd.concat([long, *short]))
    with pytest.raises(DataError, match="series 'n0' expected at least 2 values, got 1: leave it out"):
        read_panel(pd.concat([short[0], long]))
