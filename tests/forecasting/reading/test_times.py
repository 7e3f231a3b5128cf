"""Times of a column: one order of day and month, one zone for all of it."""

import numpy as np
import pandas as pd
import pytest
from samples import YEARS, csv, write

from recurra.errors import DataError
from recurra.forecasting.clock import write_times
from recurra.forecasting.frame import read_panel
from recurra.forecasting.reading.times import AmbiguousTimes, parse_times


@pytest.mark.parametrize(
    "texts, times, unit",
    [
        (["201011", "201012", "201101"], ["2010-11", "2010-12", "2011-01"], "M"),
        (["Q1 2010", "Q2 2010"], ["2010-01", "2010-04"], "M"),
        (["2010년 1분기", "2010년 2분기"], ["2010-01", "2010-04"], "M"),
        (["Jan 2010", "February 2010"], ["2010-01", "2010-02"], "M"),
        (["30 Jan 2010", "31-Jan-2010"], ["2010-01-30", "2010-01-31"], "D"),
        (["2024. 1. 9.", "2024. 1. 10."], ["2024-01-09", "2024-01-10"], "D"),
        (["2024-1-9 0:00", "2024/1/9 13:05"], ["2024-01-09", "2024-01-09T13:05"], "s"),
        (["1/31/2024 12:00 AM", "1/31/2024 1:00 PM"], ["2024-01-31", "2024-01-31T13:00"], "s"),
        (["31/01/2024", "01/02/2024"], ["2024-01-31", "2024-02-01"], "D"),
        (["01/02/2024", "01/31/2024"], ["2024-01-02", "2024-01-31"], "D"),
        (["2024-01-31 00:00 UTC", "2024-02-01T00:00:00.000Z"], ["2024-01-31", "2024-02-01"], "s"),
        (["2024013123", "2024020100"], ["2024-01-31T23:00", "2024-02-01T00:00"], "s"),
        (["2024013123", "2024013124", "2024020101"], ["2024-01-31T23:00", "2024-02-01", "2024-02-01T01:00"], "s"),
        (["2024-01-31 23:00", "2024-01-31 24:00"], ["2024-01-31T23:00", "2024-02-01"], "s"),
        (["202401312359", "202402010000"], ["2024-01-31T23:59", "2024-02-01T00:00"], "s"),
        ([20240131235959, 20240201000000], ["2024-01-31T23:59:59", "2024-02-01T00:00"], "s"),
        (["1700000000", "1700003600"], ["2023-11-14T22:13:20", "2023-11-14T23:13:20"], "s"),
        (["1700000000000", "1700003600000"], ["2023-11-14T22:13:20", "2023-11-14T23:13:20"], "s"),
        ([1700000000000000, 1700003600000000], ["2023-11-14T22:13:20", "2023-11-14T23:13:20"], "s"),
        ([1700000000 * 10**9, 1700003600 * 10**9], ["2023-11-14T22:13:20", "2023-11-14T23:13:20"], "s"),
        ([946684800, 946688400], ["2000-01-01", "2000-01-01T01:00"], "s"),
        (["631152000000", "633830400000"], ["1990-01-01", "1990-02-01"], "s"),
        (["1704067200.5", "1704067200.750000"], ["2024-01-01T00:00:00.5", "2024-01-01T00:00:00.75"], "ms"),
        ([1704067200.0, 1704067200.000001], ["2024-01-01", "2024-01-01T00:00:00.000001"], "us"),
        (["2024.1/4", "2024.2/4"], ["2024-01", "2024-04"], "M"),
        (["2024 3/4분기", "2024 4/4 분기"], ["2024-07", "2024-10"], "M"),
        (["2024/Q1", "2024Q2"], ["2024-01", "2024-04"], "M"),
        (["Q1/2024", "2024.Q2", "3Q/2024", "2024/4Q"], ["2024-01", "2024-04", "2024-07", "2024-10"], "M"),
        (["1Q 2024", "2Q2024"], ["2024-01", "2024-04"], "M"),
        (["2024.3Q", "2024 4Q"], ["2024-07", "2024-10"], "M"),
        (["2024.1분기", "2024 2 분기"], ["2024-01", "2024-04"], "M"),
        (["2024-01-31(수)", "2024. 2. 1. (목)"], ["2024-01-31", "2024-02-01"], "D"),
        (["2024/01/31 (수) 9:00", "2024/01/31 (수) 10:00"], ["2024-01-31T09:00", "2024-01-31T10:00"], "s"),
        (["2024.01 월", "2024.02 월"], ["2024-01", "2024-02"], "M"),
        (["01/2024", "12/2024"], ["2024-01", "2024-12"], "M"),
        (["1/31/2024, 1:00:00\u202fPM", "1/31/2024, 2:00:00\u202fPM"], ["2024-01-31T13:00", "2024-01-31T14:00"], "s"),
        (["2024年1月31日", "2024年2月1日"], ["2024-01-31", "2024-02-01"], "D"),
        (["01.2024", "02.2024"], ["2024-01", "2024-02"], "M"),
        (["2024-01-31 오전 12:00", "2024-01-31 오후 1:00:30"], ["2024-01-31T00:00", "2024-01-31T13:00:30"], "s"),
        (["2024-W01", "2020W53"], ["2024-01-01", "2020-12-28"], "W"),
        (["2024-W01-1", "2026-W53-7", "2027W011"], ["2024-01-01", "2027-01-03", "2027-01-04"], "WD"),
        (["2024-W01", "2024-01-08"], ["2024-01-01", "2024-01-08"], "D"),
        (["2024년 1월 31일 0시", "2024년 1월 31일 13시"], ["2024-01-31T00:00", "2024-01-31T13:00"], "s"),
    ],
)
def test_times_are_read_in_many_forms(texts, times, unit):
    read = parse_times(texts)
    np.testing.assert_array_equal(read.values, np.array(times, "datetime64[us]"))
    assert read.unit == unit


@pytest.mark.parametrize("day_first", [True, False])
def test_the_order_of_day_and_month_is_the_one_that_gives_regular_times(day_first):
    months = pd.date_range("2015-01-01", periods=30, freq="MS")
    read = parse_times(list(months.strftime("%d/%m/%Y" if day_first else "%m/%d/%Y")))
    np.testing.assert_array_equal(read.values, months.to_numpy().astype("datetime64[s]"))


@pytest.mark.parametrize("other", ["2024-02-30", "2024-01-31 24:30", "2024-13-01"])
def test_a_date_that_is_none_beside_an_order_that_may_be_both_is_no_time(other):
    assert parse_times(["01/02/2024", "02/02/2024", other]) is None


def test_parts_of_one_shape_are_read_from_each_text():
    times = pd.date_range("1999-12-30 22:58", periods=2000, freq="7h13min")
    wanted = times.to_numpy().astype("datetime64[s]")
    for form in ("%d.%m.%Y %H:%M", "%m/%d/%Y %I:%M %p", "%d %b %Y %H:%M:%S", "%Y. %m. %d. %H:%M", "%Y%m%d%H%M"):
        np.testing.assert_array_equal(parse_times(list(times.strftime(form))).values, wanted)
    written = times.strftime("%Y년 %m월 %d일 %p %I:%M").str.replace("AM", "오전").str.replace("PM", "오후")
    np.testing.assert_array_equal(parse_times(list(written)).values, wanted)


def test_wide_digits_are_digits():
    assert parse_times(["２０２４－０１－０１", "2024-01-02"]).values.astype("datetime64[s]").astype(str).tolist() == [
        "2024-01-01T00:00:00",
        "2024-01-02T00:00:00",
    ]
    assert parse_times(["1402-٠١-01"]) is None  # those of other scripts are mostly of other calendars


@pytest.mark.parametrize(
    "bad", ["2024.1/5", "13/2024", "01/1850", "2024Q5", "5Q2024", "20241301", "2024-01-01 00:00:00.0000001"]
)
def test_of_texts_of_one_shape_some_may_be_no_times(bad):
    good = {"2024.1/5": "2024.1/4", "2024Q5": "2024Q1", "5Q2024": "1Q2024", "20241301": "20240101"}.get(bad, "01/2024")
    good = "2024-01-01 00:00:00.0000000" if len(bad) > 20 else good
    assert parse_times([good] * 9 + [bad]) is None


def test_days_that_are_the_same_in_both_orders_are_read():
    years = parse_times([f"01/01/{year}" for year in range(2000, 2020)])
    assert years.values.astype("datetime64[D]").astype(str).tolist() == [f"{year}-01-01" for year in range(2000, 2020)]


def test_an_order_of_day_and_month_that_may_be_both_is_refused():
    with pytest.raises(AmbiguousTimes, match="'01/01/2015', which may be both: write them like 2024-01-31"):
        parse_times([f"01/{month:02d}/2015" for month in range(1, 13)])


@pytest.mark.parametrize("text", ["2024-W00", "2021-W53", "2024-W05-0", "2024-W05-8", "2024-W05 10:00"])
def test_what_is_no_week_is_no_time(text):
    assert parse_times(["2024-W05"]) is not None
    assert parse_times(["2024-W05", text]) is None


@pytest.mark.parametrize("text", ["24-01-31", "today", "2024-02-30", "2024-01-01 24:00:00.5", "13:00", "now"])
@pytest.mark.parametrize("other", ["2024-01-31 24:30", "2024-01-31 25:00", "2024.1-4", "2024-1/4", "1.2345"])
def test_what_is_no_time_is_none(text, other):
    assert parse_times([text]) is None
    assert parse_times([other]) is None


@pytest.mark.parametrize(
    "texts, step, written",
    [
        (["2024-01-01 00:00:00.0", "2024-01-01 00:00:00.1"], 10**5, "2024-01-01 00:00:00.100"),
        (["2024-01-01T23:59:59.9995Z", "2024-01-02T00:00:00.0000Z"], 500, "2024-01-02 00:00:00.000000"),
        (["01.02.2024 10:00:00,000001", "01.02.2024 10:00:00,000002"], 1, "2024-02-01 10:00:00.000002"),
        (["2024-01-01 00:00:00.250000000", "2024-01-01 00:00:00.500000000"], 250_000, "2024-01-01 00:00:00.500"),
        ([1_700_000_000_000, 1_700_000_000_020], 20_000, "2023-11-14 22:13:20.020"),
        ([1_700_000_000_000_000, 1_700_000_000_000_040], 40, "2023-11-14 22:13:20.000040"),
        ([1_700_000_000_000_000_000, 1_700_000_000_000_003_000], 3, "2023-11-14 22:13:20.000003"),
        ([1_700_000_000_000, 1_700_000_001_000], 10**6, "2023-11-14 22:13:21"),
    ],
)
def test_parts_of_seconds_are_read_to_the_microsecond_and_written_no_finer_than_they_are(texts, step, written):
    read = parse_times(texts)
    assert np.diff(read.values).astype(np.int64).tolist() == [step]
    assert write_times(read.values, read.unit)[1] == written


def test_whole_numbers_are_years_only_where_each_stands_once_in_a_series():
    assert parse_times([2001, 2002, 2003]).unit == "Y"
    assert parse_times([2001, 2001, 2002]).unit == ""
    two_series = parse_times([2001, 2002, 2001, 2002], np.array([True, True, False, False]))
    assert two_series.unit == "Y"
    assert two_series.values.astype("datetime64[Y]").astype(str).tolist() == ["2001", "2002", "2001", "2002"]


def test_smaller_numbers_than_those_of_2001_are_seconds_only_in_whole_minutes():
    assert parse_times([946684801, 946684802]).unit == ""
    assert parse_times([60, 120, 180]).unit == ""
    assert parse_times([999999999, 1000000000]).unit == ""


def test_an_offset_is_kept_and_times_stay_those_of_the_clock():
    read = parse_times(["2024-01-01T00:00:00+09:00", "2024-01-02T00:00:00+09:00"])
    assert read.values.astype("datetime64[D]").astype(str).tolist() == ["2024-01-01", "2024-01-02"]
    assert (read.offset, read.unit, read.in_utc) == ("+09:00", "s", False)


def test_days_go_by_the_clock_and_hours_by_utc_where_clocks_are_changed():
    days = pd.date_range("2024-03-30", periods=3, tz="Europe/Berlin")
    hours = pd.date_range("2024-03-31", periods=4, freq="h", tz="Europe/Berlin")
    by_day, by_hour = (parse_times(list(times), zone="Europe/Berlin") for times in (days, hours))
    assert by_day.values.astype("datetime64[s]").astype(str).tolist() == [
        f"{day}T00:00:00" for day in ("2024-03-30", "2024-03-31", "2024-04-01")
    ]
    assert by_hour.in_utc and np.all(np.diff(by_hour.values) == np.timedelta64(3600, "s"))


@pytest.mark.parametrize("midnight", ["01:00:00-02:00", "23:00:00-03:00"])
@pytest.mark.parametrize("zone", ["America/Sao_Paulo", None])
def test_a_midnight_that_the_clocks_leave_out_is_a_day(zone, midnight):
    # In Sao Paulo the fourth of November 2018 began at one. Some libraries write that moment, some the one before.
    day = "2018-11-03" if midnight.startswith("23") else "2018-11-04"
    texts = ["2018-11-02 00:00:00-03:00", "2018-11-03 00:00:00-03:00", f"{day} {midnight}", "2018-11-05 00:00:00-02:00"]
    read = parse_times(texts, zone=zone)
    assert read.values.astype("datetime64[D]").astype(str).tolist() == [f"2018-11-0{day}" for day in (2, 3, 4, 5)]
    assert (read.unit, read.in_utc) == ("D", False)
    if zone:  # else nothing tells the last time from another hour
        np.testing.assert_array_equal(parse_times(texts[:3], zone=zone).values, read.values[:3])


def test_steps_of_24_hours_are_no_days_of_clocks():
    steps = pd.date_range("2024-03-28", periods=8, freq="24h", tz="Europe/Berlin")
    for zone in ("Europe/Berlin", None):
        assert parse_times(list(steps), zone=zone).in_utc


@pytest.mark.parametrize("offset", ["Z", "+09:00"])
def test_offsets_after_some_times_alone_are_refused(offset):
    texts = [f"2024-01-01T00:00{offset}", "2024-01-01T01:00", f"2024-01-01T02:00{offset}"]
    for order in (texts, texts[::-1]):
        got = r"got .*T0\d:00(Z|\+09:00)' and '.*: write one after each, such as \+09:00 or Z"
        with pytest.raises(AmbiguousTimes, match=rf"an offset after each or after none, {got}"):
            parse_times(order)


@pytest.mark.parametrize("offset", ["+99:00", "-16:00", "+09:60"])
def test_offsets_that_no_clock_has_are_no_times(offset):
    assert parse_times([f"2024-01-01T00:00{offset}"]) is None


def test_utc_is_an_offset_too():
    assert parse_times(["2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z"]).offset == "+00:00"


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


def test_counters_that_a_forecast_could_not_go_on_from_are_refused():
    for first in (2**62 - 20, 2**63 - 40, -(2**63)):
        with pytest.raises(DataError, match=r"dates or times, got '-?\d{19}' in row \d+: count from a smaller number"):
            read_panel(pd.DataFrame({"ds": [first + i for i in range(40)], "y": 1.0}))
    panel = read_panel(pd.DataFrame({"ds": [2**62 - 39 + i for i in range(40)], "y": 1.0}))
    assert panel.future_times(20)[0, -1] == 2**62 + 20


def test_counters_of_six_digits_are_counters():
    panel = read_panel(pd.DataFrame({"ds": [110101 + i for i in range(40)], "y": 1.0}))
    assert (panel.freq.name, panel.times[0]) == ("step", 110101)


@pytest.mark.parametrize(
    "texts, times, unit",
    [
        (["2020M01", "2020M12"], ["2020-01", "2020-12"], "M"),
        (["2020-M01", "2020m2"], ["2020-01", "2020-02"], "M"),
        (["2020 Jan", "2020 Feb"], ["2020-01", "2020-02"], "M"),
        (["2023 년", "2024 년"], ["2023", "2024"], "Y"),
        (["2024 년 1 월", "2024 년 12 월"], ["2024-01", "2024-12"], "M"),
        (["2024 년 1 월 5 일", "2024 년 1 월 8 일"], ["2024-01-05", "2024-01-08"], "D"),
        (["2024년 1/4분기", "2024년 2/4분기"], ["2024-01", "2024-04"], "M"),
        (["2024년 1월 5일 15시 00분", "2024년 1월 5일 15시 30분"], ["2024-01-05T15:00", "2024-01-05T15:30"], "s"),
        (["2024년 1월 5일 금요일", "2024년 1월 8일 월요일"], ["2024-01-05", "2024-01-08"], "D"),
        (["2023-12-01 Fri", "2023-12-04 (Mon)"], ["2023-12-01", "2023-12-04"], "D"),
        (["2024-03-01 00", "2024-03-01 01"], ["2024-03-01", "2024-03-01T01:00"], "s"),
        (["2024-03-01T00", "2024-03-01T23"], ["2024-03-01", "2024-03-01T23:00"], "s"),
    ],
)
def test_times_of_statistics_offices_are_read(texts, times, unit):
    read = parse_times(texts)
    assert read.unit == unit
    np.testing.assert_array_equal(read.values, np.array(times, "M8[us]"))


@pytest.mark.parametrize(
    "value",
    [
        *("2020M13", "2024-01 05", "2024-03-01 25", "2024년 5/4분기", "2024년 1월 5일 15시 99분"),
        *("Maybe 2023", "Marching 2023", "Januar 2023"),  # which begin like months
        *(2**62 + 1, -(2**63)),  # counters without followers
    ],
)
def test_what_is_none_of_these_is_no_time(value):
    assert parse_times([value]) is None
