"""Names of columns: which stand for times and values, and how they are shown in errors."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Sequence
from typing import Any

from recurra.forecasting.reading.times import AmbiguousTimes, are_times, parse_times

WEEK_NAMES = ("week", "yearweek", "year_week", "epiweek", "주", "주차")
QUARTER_NAMES = ("quarter", "yearquarter", "year_quarter", "quartal", "분기")
YEAR_NAMES = ("year", "년", "년도", "연도")
WHOLE_TIMES = (  # of columns that are the time, whichever others there are
    "ds", "date", "datetime", "date_time", "timestamp", "time", "datum", "fecha",
    "날짜", "일자", "일시", "시각", "시점", "시간", "기준일", "거래일",
)  # fmt: skip
TIME_NAMES = (  # the likeliest first, and longer parts of times before shorter ones
    *WHOLE_TIMES, *YEAR_NAMES, *QUARTER_NAMES, "month", "월", "연월", "년월", *WEEK_NAMES, "day", "period", "기간",
)  # fmt: skip
TIME_ENDINGS = ("_date", " date", "날짜", "일자", "일시", "연월", "년월", "연도", "년도")
PARTS_OF_TIMES = {  # the longest first, and what each looks like in one column with longer ones
    **dict.fromkeys(YEAR_NAMES, "2024"),
    **dict.fromkeys(("quarter", "quartal", "분기"), "2024Q1"),
    **dict.fromkeys(("month", "월"), "2024-01"),
    **dict.fromkeys(("week", "주", "주차"), "2024-W05"),
    **dict.fromkeys(("day", "일"), "2024-01-31"),
    **dict.fromkeys(("hour", "minute", "time", "시", "분", "시간", "시각"), "2024-01-31 13:00"),
}
PART_ENDINGS = ("_hour", " hour", "_minute", " minute", "시간", "시각")
TARGET_NAMES = ("y", "target", "value", "values", "값", "목표")
MOST_LISTED, MOST_LETTERS = 20, 40  # names of columns in an error, and letters of each
PARTS_OF_YEARS_AND_DAYS = re.compile(  # as names of columns
    r"\s*(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?\s*|\s*(\d\d?[월시]|Q[1-4]|[1-4]Q|[1-4]분기)\s*",
    re.IGNORECASE,
)


def listed(names: Iterable[str]) -> str:
    """Returns names for an error message, of long lists the first ones."""
    shown = [repr(name[:MOST_LETTERS]) for name in names]
    more = [f"{len(shown) - MOST_LISTED} more"] if len(shown) > MOST_LISTED else []
    return ", ".join(shown[:MOST_LISTED] + more)


def are_mostly_dates(names: list[str]) -> bool:
    """Whether names of columns are those of times, as in tables with a column for each month."""
    if sum(map(bool, map(PARTS_OF_YEARS_AND_DAYS.fullmatch, names))) > max(2, len(names) / 2):
        return True
    dates = [name for name in names if are_times([name])]
    if 2 * len(dates) <= len(names):
        return False
    with contextlib.suppress(AmbiguousTimes):
        times = parse_times(dates)
        return times is None or times.unit != ""  # None where each is one, as school years may be
    return True


def plain(name: str) -> str:
    """Returns the name of a column without what does not count in it."""
    return name.strip().lower()


def by_name(name: str) -> int:
    """Returns the place of a column among those that are called like times, the likeliest first."""
    return TIME_NAMES.index(plain(name))


def is_part_of_time(name: str, values: Sequence[Any] = ()) -> bool:
    """Whether a column has the name of a part of a time, such as year.

    With its values also if the name ends in one, such as pickup_hour, and they may be hours: no lengths of time.
    """
    if plain(name) in PARTS_OF_TIMES:
        return True
    short = len(values) > 0 and all(re.match(r"\s*\d\d?(?![\d.,])", str(value)) for value in values)
    return short and _part_of_time(name) in PARTS_OF_TIMES


def _part_of_time(name: str) -> str:
    """Returns the part of a time that ends the name of a column; the whole name where none does."""
    own = plain(name)
    return next((ending.strip("_ ") for ending in PART_ENDINGS if own.endswith(ending)), own)


def in_one_column(parts: list[str]) -> str:
    """Returns what parts of times, such as a month and a year, look like in one column."""
    known = list(PARTS_OF_TIMES)
    return PARTS_OF_TIMES[max(filter(PARTS_OF_TIMES.get, map(_part_of_time, parts)), key=known.index)]


def is_one_of(name: str, names: tuple[str, ...]) -> bool:
    """Whether a column has one of these names; those of times may be the ends of longer ones."""
    own = plain(name)
    return own in names or (names is TIME_NAMES and own.endswith(TIME_ENDINGS))
