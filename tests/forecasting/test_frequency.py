"""Frequencies: inferred from times, and continued."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.errors import DataError
from recurra.forecasting.frequency import (
    SEASONS,
    Frequency,
    infer_frequency,
    is_regular,
    parse_frequency,
    shared_frequency,
)

STARTS = {
    "MS": "2019-01-01",
    "ME": "2019-01-31",
    "QS": "2019-01-01",
    "QE": "2019-03-31",
    "YS": "2019-01-01",
    "YE": "2019-12-31",
    "W": "2019-01-06",
    "D": "2019-01-01",
    "B": "2019-01-01",
    "h": "2019-01-01",
    "min": "2019-01-01",
    "s": "2019-01-01",
}


@given(st.sampled_from(sorted(STARTS)), st.integers(1, 4), st.integers(7, 40))
def test_what_a_frequency_continues_is_inferred_as_that_frequency(name, step, count):
    step = 1 if name == "B" else step
    frequency = Frequency(name, step)
    start = np.datetime64(STARTS[name], "s")
    times = np.concatenate([[start], frequency.future(start, count)])
    found = infer_frequency(times, "it")
    np.testing.assert_array_equal(frequency.positions(times), np.arange(count + 1))
    np.testing.assert_array_equal(found.future(times[-1], 5), frequency.future(times[-1], 5))


def test_counters_have_steps_and_no_season():
    found = infer_frequency(np.array([3, 5, 7, 11]), "it")
    assert (found, found.season_length) == (Frequency("step", 2), 1)
    np.testing.assert_array_equal(found.future(np.int64(11), 2), [13, 15])


def test_ends_of_months_stay_ends_of_months():
    times = np.array(["2024-01-31", "2024-02-29", "2024-03-31"], "datetime64[s]")
    ahead = infer_frequency(times, "it").future(times[-1], 2).astype("datetime64[D]").astype(str)
    assert ahead.tolist() == ["2024-04-30", "2024-05-31"]


@pytest.mark.parametrize(
    "text, season",
    [("MS", 12), ("QS", 4), ("D", 7), ("h", 24), ("15min", 96), ("min", 60), ("2h", 12), ("W", 52), ("YS", 1)],
)
def test_the_season_is_that_of_the_step(text, season):
    assert parse_frequency(text).season_length == season


@pytest.mark.parametrize(
    "text, seasons",
    [("h", (24, 168)), ("15min", (96, 672)), ("2h", (12, 84)), ("min", (60, 1440)), ("D", (7,)), ("36h", (1,))],
)
def test_a_longer_season_is_several_of_the_usual_one(text, seasons):
    assert parse_frequency(text).seasons == seasons


def test_times_without_a_step_are_refused():
    times = np.array(["2024-01-01T00:00:00", "2024-01-01T00:07:00", "2024-01-01T01:00:03"], "datetime64[s]")
    with pytest.raises(DataError, match="regular step"):
        infer_frequency(times, "it")


def test_an_unknown_name_is_refused():
    with pytest.raises(ValueError, match="freq expected one of"):
        parse_frequency("fortnight")
    assert set(SEASONS) > {"MS", "D"}


def test_business_days_keep_their_time_of_day():
    times = np.array([f"2024-01-0{day}T16:00:00" for day in (2, 3, 4, 5, 8, 9)], "datetime64[s]")
    frequency = infer_frequency(times, "x")
    assert frequency.name == "B"
    assert frequency.future(times[3], 1).astype("datetime64[s]").astype(str).tolist() == ["2024-01-08T16:00:00"]


def test_a_weekend_is_not_on_the_axis_of_business_days():
    times = np.array(["2024-01-05", "2024-01-06", "2024-01-08"], "datetime64[s]")
    np.testing.assert_array_equal(parse_frequency("B").positions(times) % 1, [0, 0.5, 0])


@pytest.mark.parametrize("name", ["0D", 5, ""])
def test_no_step_is_no_frequency(name):
    with pytest.raises(ValueError, match="freq expected one of"):
        parse_frequency(name)


@pytest.mark.parametrize("text, words", [("s", "secondly"), ("15min", "15-minute"), ("2W", "2-week")])
def test_a_frequency_is_told_in_words(text, words):
    assert str(parse_frequency(text)) == words


@pytest.mark.parametrize(
    "text, frequency, season",
    [
        ("24h", Frequency("D"), 7),
        ("60min", Frequency("h"), 24),
        ("3600s", Frequency("h"), 24),
        ("7D", Frequency("W"), 52),
        ("14D", Frequency("W", 2), 26),
        ("12MS", Frequency("YS"), 1),
        ("3ME", Frequency("QE"), 4),
        ("36h", Frequency("h", 36), 1),
    ],
)
def test_a_frequency_is_one_of_the_largest_unit(text, frequency, season):
    assert (parse_frequency(text), parse_frequency(text).season_length) == (frequency, season)


@pytest.mark.parametrize(
    "text, frequency",
    [("W-MON", Frequency("W")), ("2W-SUN", Frequency("W", 2)), ("QE-DEC", Frequency("QE"))],
)
def test_names_of_pandas_with_a_day_or_a_month_are_known(text, frequency):
    assert parse_frequency(text) == frequency
    with pytest.raises(ValueError, match="freq expected one of"):
        parse_frequency("D-MON")


def moved(steps, unit):
    return np.datetime64("2024-01-01", "us") + np.array(steps).astype(f"timedelta64[{unit}]")


@pytest.mark.parametrize(
    "steps, unit, wanted",
    [
        ([7 * week + day for week in range(4) for day in (0, 2, 4)], "D", "D"),  # Mondays, Wednesdays, Fridays
        ([0, 2, 3, 5, 7, 9, 10], "D", "D"),
        ([0, 30, 45, 75, 105, 120, 150], "m", "15min"),
        ([0, 2, 4, 5, 7], "M", "MS"),
    ],
)
def test_times_with_gaps_are_of_the_finer_step_that_fits(steps, unit, wanted):
    times = moved(steps, unit) if unit != "M" else (np.datetime64("2024-01") + np.array(steps)).astype("datetime64[us]")
    assert infer_frequency(times, "it") == parse_frequency(wanted)
    assert infer_frequency(np.array([0, 2, 3, 5, 7, 9, 10]), "it") == Frequency("step")


@pytest.mark.parametrize(
    "steps, unit, named",
    [
        ([0, 9, 19, 28, 37], "D", "D"),
        ([0, 7, 14, 29, 36], "m", "min"),
        ([0, 2221, 4442, 7003, 9001], "s", None),
        ([*range(0, 720, 24), 708, 720], "h", "12h"),  # a wrong time?
        ([0, 14, 28, 49], "m", None),  # 7 minutes are no part of an hour
    ],
)
def test_a_step_that_few_times_tell_of_is_to_be_named(steps, unit, named):
    hint = rf"name the step with --freq {named} \(in Python freq\), or " if named else ""
    message = rf"it' expected times with a regular step, got a step from .*: {hint}resample it first$"
    with pytest.raises(DataError, match=message):
        infer_frequency(moved(steps, unit), "it")


def test_ends_of_quarters_on_business_days_are_quarters_by_name():
    times = np.array(["2023-12-29", "2024-03-29", "2024-06-28", "2024-09-30"], "datetime64[us]")
    with pytest.raises(DataError, match=r"name the step with --freq QS \(in Python freq\), or resample"):
        infer_frequency(times, "it")


@pytest.mark.parametrize("turned", [False, True])
def test_the_step_of_a_panel_is_that_of_any_series_that_fits_all(turned):
    sparse, dense = moved([0, 9, 19, 28, 37], "D"), moved(range(20), "D")
    series = [dense, sparse] if turned else [sparse, dense]
    indptr = np.array([0, len(series[0]), 25])
    assert shared_frequency(np.concatenate(series), indptr, ["a", "b"]) == Frequency("D")
    weeks = [moved([0, 7, 14], "D"), sparse]
    with pytest.raises(DataError, match="series 'b' expected times with a regular step"):
        shared_frequency(np.concatenate(weeks), np.array([0, 3, 8]), ["a", "b"])


def test_one_wrong_time_among_regular_ones_is_told_and_makes_no_finer_step():
    times = moved([24 * i for i in range(40)], "h")
    times[20] += np.timedelta64(12, "h")
    with pytest.raises(DataError, match=r"a step from 2024-01-20 to 2024-01-21T12:00:00"):
        infer_frequency(times, "it")
    counters = np.arange(0, 400, 10)
    counters[20] += 5
    assert infer_frequency(counters, "it") == Frequency("step", 10)


@pytest.mark.parametrize(
    "text, name",
    [
        ("1d", "D"),
        ("1mo", "MS"),
        ("3mo", "QS"),
        ("1q", "QS"),
        ("1w", "W"),
        ("1y", "YS"),
        ("AS", "YS"),
        ("AS-JAN", "YS"),
    ],
)
def test_names_of_polars_and_of_older_pandas_are_known(text, name):
    assert parse_frequency(text) == Frequency(name)


def test_a_step_of_minutes_or_months_is_asked_for():
    with pytest.raises(ValueError, match="got '15m': write min for minutes and MS for months"):
        parse_frequency("15m")


@pytest.mark.parametrize(
    ("text", "meant"), [("hourly", "h"), ("15 minutes", "15min"), ("15Min", "15min"), ("3months", "3MS")]
)
def test_a_step_in_words_is_told_by_its_name(text, meant):
    with pytest.raises(ValueError, match=f"got '{text}': write {meant}$"):
        parse_frequency(text)


def test_of_steps_that_do_not_fit_each_other_the_first_is_taken():
    hours = np.datetime64("2024-01-01", "us") + np.r_[0:8:2, 0:12:3] * np.timedelta64(1, "h")
    assert shared_frequency(hours, np.array([0, 4, 8]), ["a", "b"]) == Frequency("h", 2)


def test_times_without_a_step_are_not_regular():
    days = np.datetime64("2024-01-01", "us") + np.array([0, 1, 5, 6, 13, 14, 20]) * np.timedelta64(1, "D")
    assert is_regular(days[:2]) and is_regular(days[1::-1])
    assert not is_regular(days + np.arange(7) * np.timedelta64(7, "us"))
    assert not is_regular(days[[0, 0, 1]]) and not is_regular(days[:1])
