"""What looks like a time and is none is told with what to do about it."""

import numpy as np
import pandas as pd
import pytest
from samples import GOOD, MONTHS, YEARS, csv, days, write

from recurra.errors import DataError
from recurra.forecasting.frame import read_panel

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
            csv([[m, *range(24)] for m in MONTHS], "날짜," + ",".join(f"{h}시" for h in range(1, 25))),
            "turn the columns of times into rows, as with pandas.melt",
        ),
        (
            csv([(m, 1, 2) for m in MONTHS], "month,Seoul,Busan"),
            "or, if each is a series, turn the columns into rows, as with pandas.melt$",
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


def test_days_of_excel_that_became_numbers_are_said(tmp_path):
    panel = read_panel(write(tmp_path, csv([(45292 + i, i) for i in range(9)], "date,value")))
    assert panel.remarks == (
        "date: 45292 was read as a counter: if it is a day of Excel, format the column as dates first",
    )


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


def test_years_of_two_digits_in_frames_of_floats_are_told():
    with pytest.raises(DataError, match=r"got '230101\.0' in row 0: write years with four digits"):
        read_panel(pd.DataFrame({"ds": [230101.0 + i for i in range(20)], "y": 1.0}))


@pytest.mark.parametrize("form", ["{}/{:02d}", "{}-{:02d}", "{}/{}"])
@pytest.mark.parametrize("first, count", [(2000, 12), (2000, 16), (2012, 10), (1995, 9)])
def test_years_that_end_in_the_next_one_are_no_months(tmp_path, form, first, count):
    years = [form.format(y, y + 1 if form == "{}/{}" else (y + 1) % 100) for y in range(first, first + count)]
    with pytest.raises(DataError, match="write the year that each begins in, such as 2012"):
        read_panel(write(tmp_path, csv([(year, 1) for year in years], "year,value")))


@pytest.mark.parametrize("names", [("대여일자", "대여시간"), ("pickup_date", "pickup_hour"), ("day", "start minute")])
def test_a_column_of_hours_is_known_by_the_end_of_its_name(tmp_path, names):
    rows = [(f"2024-01-{day:02d}", hour, 7000 + 24 * day + hour) for day in range(1, 10) for hour in range(24)]
    with pytest.raises(DataError, match=f"if '{names[1]}' is a part of the time, write both into one column, such as"):
        read_panel(write(tmp_path, csv(rows, ",".join(names) + ",trips")), target_col="trips")  # was: --id pickup_hour


def test_a_column_of_lengths_of_time_is_no_part_of_it(tmp_path):
    rows = [(f"2024-01-{day:02d}", name, 7.1 + day / 8 + i, day) for day in range(1, 20) for i, name in enumerate("ab")]
    with pytest.raises(DataError, match=r"name them, in Python by id_col: --id station$"):
        read_panel(write(tmp_path, csv(rows, "일자,station,일조시간,y")))
