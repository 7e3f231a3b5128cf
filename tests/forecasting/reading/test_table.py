"""The columns of a table: what is found by itself, and what is to be chosen."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from samples import GOOD, MONTHS, csv, days, with_columns, write

from recurra.errors import DataError
from recurra.forecasting.frame import read_panel


def test_the_columns_and_the_frequency_are_found(tmp_path):
    panel = read_panel(write(tmp_path, csv(zip(MONTHS, range(12), strict=True))))
    assert (panel.time_col, panel.target_col, panel.freq.name, panel.n_series) == ("month", "sales", "MS", 1)
    np.testing.assert_array_equal(panel.values, range(12))
    assert panel.clock.write(panel.future_times(2)) == ["2021-01", "2021-02"]


def test_several_columns_name_a_series(tmp_path):
    rows = [(d, r, s, 1) for r in "AB" for s in "xy" for d in ("2024-01-01", "2024-01-02")]
    path = write(tmp_path, csv(rows, "date,region,state,trips"))
    assert read_panel(path, id_col="region,state").ids == ("A/x", "A/y", "B/x", "B/y")
    with pytest.raises(DataError, match=r"--id region,state$"):
        read_panel(path)
    with pytest.raises(DataError, match=r"--id region,state$"):
        read_panel(path, id_col="region")


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


def test_a_named_column_has_to_be_there(tmp_path):
    path = write(tmp_path, csv(GOOD))
    for option in ("time_col", "target_col", "id_col"):
        with pytest.raises(DataError, match=r"the .* column 'x', got 'month', 'sales'"):
            read_panel(path, **{option: "x"})


def test_a_target_that_is_called_like_a_time_is_none(tmp_path):
    panel = read_panel(
        write(tmp_path, csv([(202001 + i, 5 + i % 3) for i in range(9)], "when,time")), target_col="time"
    )
    assert (panel.time_col, panel.target_col) == ("when", "time")


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


@pytest.mark.parametrize("name", ["2024", "100", "2024-01"])
def test_a_column_of_values_may_be_called_like_a_number_or_a_date(tmp_path, name):
    for header in (f"date,{name}", f",{name}"):
        panel = read_panel(write(tmp_path, csv(zip(days(9), range(9), strict=True), header)), target_col=name)
        assert (panel.target_col, panel.lengths[0], panel.freq.name) == (name, 9, "D")


def test_rows_without_any_date_that_may_be_names_are_told_as_such(tmp_path):
    with pytest.raises(DataError, match=r"name it with --time .*, or add a line such as date,value if the file has no"):
        read_panel(write(tmp_path, "2024,Mon,100\n2025,Tue,101\n2026,Wed,102\n"))


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


def test_names_of_times_in_other_languages_are_known(tmp_path):
    for name in ("Datum", "fecha"):
        panel = read_panel(write(tmp_path, csv([(2000 + i, 100 + i) for i in range(9)], f"{name},n")))
        assert (panel.time_col, panel.target_col, panel.freq.name) == (name, "n", "YS")


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
