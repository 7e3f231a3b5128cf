"""Times: what the fields of a column mean, signs and orders decided once for all."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from recurra._checks import expected
from recurra.errors import DataError
from recurra.forecasting.clock import PARTS_OF_DAYS
from recurra.forecasting.frequency import TIMES, is_regular
from recurra.forecasting.reading.columns import Column
from recurra.forecasting.reading.fields import SHAPE, USUAL
from recurra.forecasting.weeks import days_of_weeks
from recurra.forecasting.zones import at_one_time_of_day


@dataclass(frozen=True)
class Times:
    """A column of times.

    Attributes:
        values: datetime64[us] (n,), or int64 (n,) where times are counted.
        unit: How they are written, as of `write_times`; "" for counters.
        offset: What follows each of them, such as "+09:00".
        in_utc: Whether they were brought to UTC, because on the clocks of their zone they are not regular.
        remark: What is worth knowing about how they were read; may be empty.
    """

    values: np.ndarray
    unit: str
    offset: str = ""
    in_utc: bool = False
    remark: str = ""


_CLOCK = (
    r"(?:,?[T ]\s*(?:(?P<half_before>오전|오후)\s*)?(?P<hour>\d{1,2})"
    r"(?:시|(?::|시\s?)(?P<minute>\d\d)(?:분|:(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?)?)\s*(?P<half>[AP]M)?"
    r"\s*(?P<zone>Z|UTC|GMT|[+-](?P<zone_hours>\d\d):?(?P<zone_minutes>\d\d)?)?)?"
)
_WEEKDAYS = "mon|tue|wed|thu|fri|sat|sun"
_WEEKDAY = rf"(?:\s?\((?:[월화수목금토일]|{_WEEKDAYS})\)|\s(?:[월화수목금토일]요일|{_WEEKDAYS}))?"
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAME = (
    r"(?P<name>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
LARGEST_COUNTER = 2**62  # so that those of a forecast are whole numbers too
LARGEST_OFFSET = 15  # hours
FINER = 10**6  # stands for parts of seconds that are no whole microseconds
MOSTLY = 0.9  # of whole numbers: then they are meant as dates
_DAY = r"(?P<year>(?:19|20)\d\d)(?P<month>0[1-9]|1[0-2])(?P<day>0[1-9]|[12]\d|3[01])"


def _compiled(*forms: str) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(form, re.IGNORECASE | re.ASCII) for form in forms)


_COMPACT = _compiled(  # whole numbers that are times if all of a column are of one of these forms
    _DAY,
    r"(?P<year>(?:19|20)\d\d)(?P<month>0[1-9]|1[0-2])",
    _DAY + r"(?P<hour>[01]\d|2[0-4])(?:(?P<minute>[0-5]\d)(?P<second>[0-5]\d)?)?",
)
# Which digits there are says nothing of whether a text has one of these forms ...
_OF_ANY_DIGITS = _compiled(
    r"(?P<year>\d{4})(?P<sign>[-/.])\s?(?P<month>\d{1,2})(?:(?P=sign)\s?(?P<day>\d{1,2}))?\.?" + _WEEKDAY + _CLOCK,
    r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)[T ](?P<hour>\d\d)",
    r"(?P<year>\d{4})-?M(?P<month>\d{1,2})",
    rf"(?P<year>\d{{4}})\s{_NAME}",
    r"(?P<year>\d{1,3})-(?P<month>\d\d)" + _CLOCK,  # years that are counted
    r"(?P<year>\d{4})-?W(?P<week>\d\d)(?:-?(?P<weekday>\d))?",  # of ISO 8601
    r"(?P<first>\d{1,2})(?P<between>[-/.])\s?(?P<second_>\d{1,2})(?P=between)\s?(?P<year>\d{4})" + _CLOCK,
    r"(?P<year>\d{4})\s?[년年](?:\s*(?P<month>\d{1,2})\s?[월月](?:\s*(?P<day>\d{1,2})\s?[일日])?)?" + _WEEKDAY + _CLOCK,
    r"(?P<year>\d{4})\.\s?(?P<month>\d{1,2})\s?월" + _CLOCK,
    rf"(?:(?P<day>\d{{1,2}})[-\s])?{_NAME}[-\s](?P<year>\d{{4}})" + _CLOCK,
    rf"{_NAME}\s(?P<day>\d{{1,2}}),?\s(?P<year>\d{{4}})" + _CLOCK,
)
# ... and of these it does.
_OF_SOME_DIGITS = _COMPACT + _compiled(
    _DAY + _CLOCK,
    r"(?P<month>0?[1-9]|1[0-2])[-/.](?P<year>(?:19|20)\d\d)" + _CLOCK,
    r"(?P<year>\d{4})\s?[-/.]?\s?Q(?P<quarter>[1-4])" + _CLOCK,
    r"Q(?P<quarter>[1-4])\s?[-/.]?\s?(?P<year>\d{4})" + _CLOCK,
    r"(?P<year>\d{4})년\s*(?P<quarter>[1-4])(?:/4)?\s?분기" + _CLOCK,
    r"(?P<year>\d{4})[.\s]\s?(?P<quarter>[1-4])/4(?:\s?분기)?" + _CLOCK,
    r"(?P<year>\d{4})[-/.\s]\s?(?P<quarter>[1-4])(?:Q|\s?분기)" + _CLOCK,
    r"(?P<quarter>[1-4])Q\s?[-/.]?\s?(?P<year>\d{4})" + _CLOCK,
)
TWO_DIGIT_DAY = re.compile(r"\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")  # 240131, which is no counter
_SHORT_YEAR = re.compile(r"0{1,3}-00(?![-0])")  # the shape of 1-01 and 97-01
_LOST_ZERO = {"0000.00", "0000.0"}  # the shapes of 2023.01 and 2023.1
_SINCE = "times were read as {} since 1970, UTC"
_WEST = 1
_WHOLE = re.compile(r"[+-]?\d+(\.0+)?")
_SECONDS = re.compile(r"[1-3]\d{9}([.,]\d{1,6}0*)?")  # since 1970, with parts of them
_ISO_SHAPES = ("0000-00-00", *(f"0000-00-00{sign}00:00{rest}" for sign in " T" for rest in ("", ":00")))


class AmbiguousTimes(DataError):
    """Times such as 01/02/2024, where either order of day and month may be meant; or of which some have an offset."""


def parse_times(values: list[Any], of_first: np.ndarray | None = None, zone: str | None = None) -> Times | None:
    """Returns the times that fields hold; None if one of them holds no time.

    Whole numbers are read as 20240131, 202401 or 2024013123(59(59)), seconds (to nanoseconds) since 1970, years, or
    else as counters; numbers such as 1704067200.5 are seconds since 1970.

    Args:
        values: Texts, numbers, dates, or times with or without a zone: a column, or its different fields.
        of_first: Which of them, bool (n,) or places, are the times of one series, in which each stands once; all if
            None.
        zone: Time zone of the column, such as "Asia/Seoul".

    Raises:
        AmbiguousTimes: If days and months cannot be told apart, or some times have an offset and others none.
    """
    if hasattr(next(iter(values), None), "asfreq"):
        values = list(map(_unanchored, values))
    texts = [value.isoformat() if hasattr(value, "isoformat") else str(value).strip() for value in values]
    of_first = np.ones(len(texts), bool) if of_first is None else of_first
    if all(map(_WHOLE.fullmatch, texts)):
        texts = [text.partition(".")[0] for text in texts]
        compact = max(sum(map(bool, map(form.fullmatch, texts))) for form in _COMPACT)
        if compact < MOSTLY * len(texts):
            return _whole_numbers(texts, of_first)
        if compact < len(texts):  # such as 20241301 among dates
            return None
    elif all(map(_SECONDS.fullmatch, texts)):
        return _parts_of_seconds(texts)
    texts = [text if text.isascii() else text.translate(USUAL) for text in texts]
    shapes = Column.of([text.translate(SHAPE) for text in texts])
    if set(shapes.values) >= _LOST_ZERO and _have_lost_zeros(texts):
        whole = parse_times([text + "0" if len(text) == len("2023.1") else text for text in texts], of_first)
        return None if whole is None else replace(whole, remark="months such as 2023.1 were read as October: 2023.10")
    if zone is None and len(shapes.values) == 1 and shapes.values[0] in _ISO_SHAPES:
        with contextlib.suppress(ValueError):  # 24:00, or no time
            times = np.array(texts, TIMES)
            return Times(times, _unit_of_days(times))
    parts = _parts(texts, shapes)
    if parts is None or not _are_counted(parts, shapes) or _are_of_two_years(parts):
        return None
    try:
        times = _to_times(parts, _day_first(texts, parts, of_first))
    except AmbiguousTimes:
        raise
    except ValueError:
        return None
    if zone is None and not _any(parts["zone"]):
        return Times(times, "Q" if shapes.values == ["0000Q0"] else _unit(parts, times))
    return _with_offsets(texts, parts, times, zone)


def _with_offsets(texts: list[str], parts: dict[str, np.ndarray], times: np.ndarray, zone: str | None) -> Times:
    """Returns times after which offsets are written, or that are of a zone.

    Raises:
        AmbiguousTimes: If some have no offset.
    """
    if not (parts["zone"] >= 0).all():
        one, other = (texts[int(np.argmax((parts["zone"] >= 0) == there))] for there in (True, False))
        got, hint = f"{one!r} and {other!r}", "write one after each, such as +09:00 or Z"
        raise AmbiguousTimes(expected("times", "an offset after each or after none", got, hint))
    seconds = 3600 * _known(parts["zone_hours"]) + 60 * _known(parts["zone_minutes"])
    offsets = np.where(parts["zone"] == _WEST, -seconds, seconds).astype("timedelta64[s]")
    if zone is None and len(np.unique(offsets)) == 1:
        return Times(times, _unit_of_clock(times), offset=_offset_text(int(offsets[0].astype(np.int64))))
    # Days, weeks and months go by the clocks; hours go on while the clocks are changed.
    by_day = at_one_time_of_day(times, offsets, zone)
    if by_day is not None:
        return Times(by_day, _unit(parts, by_day), remark="" if zone else "times are those of clocks")
    remark = "" if zone else "times were brought to UTC"
    unit = _unit_of_clock(times)
    return Times(times - offsets, unit, offset="" if zone else "+00:00", in_utc=True, remark=remark)


def _unanchored(period: Any) -> Any:
    """Returns a period of pandas; its first day if it is a week, or of a year that does not begin in January."""
    of_calendar = getattr(period, "freqstr", "").partition("-")[2] in ("", "DEC")
    return period if of_calendar else period.asfreq("D", "start")


def _parts_of_seconds(texts: list[str]) -> Times:
    """Returns times since 1970, of numbers such as 1704067200.5."""
    moments = np.array([int(text[:10] + text[11:17].ljust(6, "0")) for text in texts]).astype(TIMES)
    return Times(moments, _unit_of_clock(moments), remark=_SINCE.format("seconds"))


def _whole_numbers(texts: list[str], of_first: np.ndarray) -> Times | None:
    """Returns times since 1970, years or counters; None for days such as 240131, and for what is too large."""
    if sum(map(bool, map(TWO_DIGIT_DAY.fullmatch, texts))) >= MOSTLY * len(texts):
        return None
    numbers = list(map(int, texts))
    if max(map(abs, numbers)) > LARGEST_COUNTER:
        return None
    counted = np.array(numbers, np.int64)
    lowest, highest = counted.min(), counted.max()
    for per_second, since in ((1, "seconds"), (10**3, "milliseconds"), (10**6, "microseconds"), (10**9, "nanoseconds")):
        # Whole minutes tell smaller numbers, those of the years from 1973 to 2001, from counters.
        least = 10**9 if (counted % (60 * per_second)).any() else 10**8
        finer = max(1, per_second // 10**6)  # than a microsecond
        if least * per_second <= lowest and highest < 4 * 10**9 * per_second and not (counted % finer).any():
            times = (counted // finer * max(1, 10**6 // per_second)).astype(TIMES)
            return Times(times, _unit_of_clock(times), remark=_SINCE.format(since))
    own = counted[of_first]
    if lowest > 1500 and highest < 2200 and len(own) > 1 and len(np.unique(own)) == len(own):
        return Times((counted - 1970).astype("datetime64[Y]").astype(TIMES), "Y")
    return Times(counted, "")


def _parts(texts: list[str], shapes: Column) -> dict[str, np.ndarray] | None:
    """Returns the numbers of all texts by their names in the forms, -1 where a text has none: int64 (n,).

    The parts that are no numbers are told as such: "name" is the month, "between" the code of the letter, "half" 1 for
    afternoons, "zone" 1 for those west of UTC; "fraction" is in microseconds, `FINER` where it is none of whole ones.

    Returns:
        None if a text has no form that is known.
    """
    forms = (*_OF_ANY_DIGITS, *_OF_SOME_DIGITS)
    parts = {name: np.full(len(texts), -1) for form in forms for name in form.groupindex}
    for place in range(len(shapes.values)):
        rows = np.flatnonzero(shapes.codes == place)
        own = [texts[row] for row in rows]
        match = next(filter(None, (form.fullmatch(own[0]) for form in forms)), None)
        if match is None or (match.re in _OF_SOME_DIGITS and not all(map(match.re.fullmatch, own))):
            return None
        digits: Any = np.array(own).view(np.uint32).reshape(len(own), -1) - ord("0")
        for name, text in match.groupdict().items():
            if text is None:
                continue
            if name == "fraction":
                own_digits = digits[:, slice(*match.span(name))].astype(np.int64)
                whole = own_digits[:, :6] @ 10 ** np.arange(5, -1, -1)[: own_digits.shape[1]]
                parts[name][rows] = np.where(own_digits[:, 6:].any(axis=1), FINER, whole)
            elif text.isdecimal():
                columns = digits[:, slice(*match.span(name))].astype(np.int64)
                parts[name][rows] = columns @ 10 ** np.arange(len(text))[::-1]
            else:
                parts[name][rows] = _meaning(name, text)
    return parts


def _have_lost_zeros(texts: list[str]) -> bool:
    """Returns whether months like 2023.01 have become numbers, as in spreadsheets, so that Octobers are 2023.1."""
    months = {text[4:] for text in texts if len(text) <= len("2023.01")}
    early = {f".{month:02d}" for month in range(1, 10)}
    return ".1" in months and bool(months & early) and months <= early | {".1", ".11", ".12"}


def _are_counted(parts: dict[str, np.ndarray], shapes: Column) -> bool:
    """Returns whether years of fewer than four digits, where there are any, are counted: from 1 to 9 on, unlike 97."""
    short = [shape for shape in shapes.values if _SHORT_YEAR.match(shape)]
    return not short or (any(shape[1] == "-" for shape in short) and bool((parts["year"] >= 1).all()))


def _are_of_two_years(parts: dict[str, np.ndarray]) -> bool:
    """Returns whether these are years that end in the next one, 2000/01, 2001/02, and no months."""
    by_month = (parts["sign"] >= 0).all() and not _any(parts["day"])
    return bool(by_month and len(parts["year"]) > 1 and (parts["month"] == (parts["year"] + 1) % 100).all())


def _meaning(name: str, text: str) -> int:
    if name == "name":
        return _MONTHS.index(text[:3].lower()) + 1
    if name in ("half", "half_before"):
        return text.upper() in ("PM", "오후")
    if name == "zone":
        return _WEST if text[0] == "-" else 0
    return ord(text)


def _known(part: np.ndarray, otherwise: int = 0) -> np.ndarray:
    return np.where(part < 0, otherwise, part)


def _any(part: np.ndarray) -> bool:
    return bool((part >= 0).any())


def _to_times(parts: dict[str, np.ndarray], day_first: bool) -> np.ndarray:
    """Returns datetime64[us] (n,).

    Raises:
        ValueError: For a date or time that is none, such as 2024-02-30; 24:00 is the end of a day.
    """
    month = np.where(parts["quarter"] > 0, 3 * parts["quarter"] - 2, np.maximum(parts["month"], parts["name"]))
    month, day = _known(month, 1), _known(parts["day"], 1)
    by_numbers = parts["between"] >= 0
    month = np.where(by_numbers, parts["second_" if day_first else "first"], month)
    day = np.where(by_numbers, parts["first" if day_first else "second_"], day)
    hour, minute, second, fraction = (_known(parts[name]) for name in ("hour", "minute", "second", "fraction"))
    half = np.maximum(parts["half"], parts["half_before"])
    hour = np.where(half < 0, hour, np.where((hour < 1) | (hour > 12), 99, hour % 12 + 12 * half))
    months_on = (np.clip(month, 1, 12) - 1).astype("timedelta64[M]")
    start = (parts["year"] - 1970).astype("datetime64[Y]").astype("datetime64[M]") + months_on
    days = ((start + np.timedelta64(1, "M")).astype("datetime64[D]") - start.astype("datetime64[D]")).astype(np.int64)
    right = (month >= 1) & (month <= 12) & (day >= 1) & (day <= days) & (minute < 60) & (second < 60)
    right &= (parts["zone_hours"] <= LARGEST_OFFSET) & (parts["zone_minutes"] < 60)
    right &= (fraction < FINER) & ((hour < 24) | (hour == 24) & (minute == 0) & (second == 0) & (fraction == 0))
    if not right.all():
        raise ValueError("no date or time")
    passed = 86400 * (day - 1) + 3600 * hour + 60 * minute + second
    times = start.astype(TIMES) + (10**6 * passed + fraction).astype("timedelta64[us]")
    of_weeks = np.flatnonzero(parts["week"] >= 0)
    weekday = _known(parts["weekday"], 1)
    times[of_weeks] = days_of_weeks(parts["year"][of_weeks], parts["week"][of_weeks], weekday[of_weeks])
    return times


def _day_first(texts: list[str], parts: dict[str, np.ndarray], of_first: np.ndarray) -> bool:
    """Returns whether 1/2/2024 is the first of February: always with points, else by what makes sense."""
    if not _any(parts["between"]):
        return False
    at = int((parts["between"] >= 0).argmax())
    if parts["between"][at] == ord("."):
        return True
    if parts["first"].max() > 12:
        return True
    if parts["second_"].max() > 12:
        return False
    month_first, day_first = _to_times(parts, False), _to_times(parts, True)
    if np.array_equal(month_first, day_first):  # such as 01/01/2024 alone
        return False
    fits = [is_regular(times[of_first]) for times in (month_first, day_first)]
    if fits[0] == fits[1]:
        got = f"{texts[at]!r}, which may be both"
        raise AmbiguousTimes(expected("times", "a known order of day and month", got, "write them like 2024-01-31"))
    return fits[1]


def _unit(parts: dict[str, np.ndarray], times: np.ndarray) -> str:
    if (parts["week"] >= 0).all():
        return "WD" if _any(parts["weekday"]) else "W"
    if not any(_any(parts[name]) for name in ("day", "between", "hour", "week")):
        return "M" if any(_any(parts[name]) for name in ("month", "name", "quarter")) else "Y"
    return _unit_of_days(times)


def _unit_of_days(times: np.ndarray) -> str:
    return "D" if bool((times == times.astype("datetime64[D]")).all()) else _unit_of_clock(times)


def _unit_of_clock(times: np.ndarray) -> str:
    return next(unit for unit in PARTS_OF_DAYS if bool((times == times.astype(f"datetime64[{unit}]")).all()))


def _offset_text(seconds: int) -> str:
    minutes = abs(seconds) // 60
    return f"{'-' if seconds < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}"


def are_times(values: list[Any]) -> bool:
    try:
        return parse_times(values) is not None
    except AmbiguousTimes:
        return True


def are_dates(values: list[Any]) -> bool:
    """Whether they are times of a calendar, of months or finer, which may be written as numbers."""
    try:
        times = parse_times(values) if values else None
    except AmbiguousTimes:
        return True
    return times is not None and times.unit not in ("", "Y")
