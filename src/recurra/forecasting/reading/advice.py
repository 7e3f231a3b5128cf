"""What looks like a time and is none, or another than its column says, and what to do about it."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from recurra._checks import expected
from recurra.errors import DataError
from recurra.forecasting.panel import FILLS
from recurra.forecasting.reading.names import QUARTER_NAMES, TIME_NAMES, WEEK_NAMES, is_one_of
from recurra.forecasting.reading.times import TWO_DIGIT_DAY, are_times

NO_TIME_HINT = "delete rows that hold no time, such as totals and notes"
WIDE_HINT = "turn the columns of times into rows, as with pandas.melt"
NAMES_HINT = "add a line such as date,value"
HEADER_HINT = "delete lines above the names of the columns"
FILL_HINT = f"choose how to fill it with --fill {'|'.join(FILLS)} (in Python fill)"
WEEKS_HINT = "write weeks like 2024-W05 (of ISO 8601), or a day of each, such as 2024-01-29"
DAYS_HINT = "write dates like 2024-01-31"
QUARTERS_HINT = "write quarters like 2024Q1"
WEEKS = re.compile(r"(19|20)\d\d[-/.]?W?(0?[1-9]|[1-4]\d|5[0-3])", re.IGNORECASE)  # 202401 is no month there
TWO_DIGITS = re.compile(
    r"\s*(\d{1,2}([-/.\s])\s?\d{1,2}\2\s?\d\d|(\d{1,2}[-\s])?[A-Za-z]{3,9}[-\s]\d\d|\d\d[-/.]\d\d)\.?(\s.*)?"
)
FINER_THAN_MICROSECONDS = re.compile(r"\d[.,]\d{7}")
QUARTERS = re.compile(r"\bQ(uartal\s?)?[1-4]\b|\b[1-4]\.?\s?Q(uartal)?\b", re.IGNORECASE)
WORD_AND_YEAR = re.compile(r"\s*(\d{1,2}\.?\s)?[^\W\d]{3,}\.?\s\d{4}\s*")  # such as März 2024
_YEAR, _MONTH, _DAY = r"(19|20)\d\d", r"0[1-9]|1[0-2]", r"0[1-9]|[12]\d|3[01]"
_DAY_OF_YEAR = rf"{_YEAR}(00[1-9]|0[1-9]\d|[12]\d\d|3[0-5]\d|36[0-6])"
SHORTHAND = (  # names of columns, None for all; whether counters alone are meant; a form, what it is, what to do
    (WEEK_NAMES, False, rf"{WEEKS.pattern}|\d\d(0[1-9]|[1-4]\d|5[0-3])", "weeks", WEEKS_HINT),
    (QUARTER_NAMES, False, rf"{_YEAR}[-/.]?0?[1-4]|0?[1-4][-/.]{_YEAR}", "quarters", QUARTERS_HINT),
    (None, True, rf"({_DAY}|[1-9])({_MONTH}){_YEAR}|({_MONTH}|[1-9])({_DAY}){_YEAR}", "days", DAYS_HINT),
    (TIME_NAMES, True, _DAY_OF_YEAR, "days of years", DAYS_HINT),
    (TIME_NAMES, True, rf"({_MONTH}|[1-9]){_YEAR}", "months", "write months like 2024-01"),
    (TIME_NAMES, True, rf"{_YEAR}[1-4]", "quarters", QUARTERS_HINT),
)
RUN_TOGETHER = (  # in any column: a form, of how many years at least, the shortest step over New Year, what it is
    (rf"{_YEAR}(0[1-9]|[1-4]\d|5[0-3])", 1, 100 - 52, "weeks", WEEKS_HINT),
    (_DAY_OF_YEAR, 2, 1000 - 365, "days of years", DAYS_HINT),
    (rf"{_YEAR}[1-4]", 2, 10 - 3, "quarters", QUARTERS_HINT),
)


def refuse_shorthand(name: str, values: list[Any], counted: bool) -> None:
    """Refuses a column of times that were read as counters, or as others than its name says."""

    def all_are(form: str) -> bool:
        return all(re.fullmatch(form, _text(value), re.IGNORECASE) for value in values)

    for names, in_counters, form, kind, hint in SHORTHAND:
        if (counted or not in_counters) and (names is None or is_one_of(name, names)) and all_are(form):
            raise DataError(expected(f"time column {name!r}", "dates", f"{kind} such as {_text(values[0])}", hint))
    for form, least, over_new_year, kind, hint in RUN_TOGETHER:
        if not counted or not all_are(form):
            continue
        years = {_text(value)[:4] for value in values}
        step = np.gcd.reduce(np.diff(np.unique([int(_text(value)) for value in values])))
        if len(years) >= least and step < over_new_year:  # longer ones may well leave out what no year has
            hint = f"{hint}; count from 1 if they are none"
            raise DataError(expected(f"time column {name!r}", "dates", f"{kind} such as {_text(values[0])}", hint))


def _text(value: Any) -> str:
    return str(value).strip().removesuffix(".0")


def hint_for(values: list[Any], bad: str, of_weeks: bool) -> str:
    """Returns what to do about a column of times of which one is none that is known."""
    texts = list(map(_text, values))
    if TWO_DIGITS.fullmatch(bad) or (all(map(TWO_DIGIT_DAY.fullmatch, texts)) and not of_weeks):
        return "write years with four digits, such as 2024-01-31"
    if all(map(_are_two_years, texts)):
        return "write the year that each begins in, such as 2012"
    if re.fullmatch(r"[+-]?\d{19,}", bad):
        return "count from a smaller number"
    if all(map(_is_part_of_year, texts)):
        return "write months like 2000-04 and quarters like 2000Q2, not as parts of years"
    if WEEKS.fullmatch(bad):
        return WEEKS_HINT
    if QUARTERS.search(bad):
        return QUARTERS_HINT
    if WORD_AND_YEAR.fullmatch(bad):
        return f"write months as numbers, such as 2024-03, and {NO_TIME_HINT}"
    if not bad[:1].isdigit() and any(are_times([value]) for value in values[:2]):
        return NO_TIME_HINT
    times = "write times like 2024-01-31 or 2024-01-31 13:00"
    return f"{times}, in whole microseconds" if FINER_THAN_MICROSECONDS.search(bad) else times


def _is_part_of_year(text: str) -> bool:
    """Whether it is a month or a quarter as a number, such as 2000.25; 2000.05 would be none."""
    twelfths = 12 * float(text) if re.fullmatch(r"\d{4}(\.\d+)?", text) else 0.5
    return abs(twelfths - round(twelfths)) < 0.1


def _are_two_years(text: str) -> bool:
    """Whether it is a year that ends in the next one, such as 2012/13."""
    years = re.fullmatch(r"(\d{4})[-/](\d\d|\d{4})", text)
    return years is not None and str(int(years[1]) + 1).endswith(years[2])
