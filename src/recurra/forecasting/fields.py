"""What the fields of a column mean: numbers and times. Signs and orders are decided once for a whole column."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from recurra._checks import expected
from recurra.errors import DataError
from recurra.forecasting.frequency import is_regular
from recurra.forecasting.zones import at_one_time_of_day

MISSING = {"", "na", "n/a", "#n/a", "<na>", "nan", "nat", "null", "none", "-", "?"}


def is_missing(value: Any) -> bool:
    """Returns whether a field holds nothing: None, NaN, pandas's NA and NaT, or a text that says so."""
    return value.strip().lower() in MISSING if isinstance(value, str) else is_empty(value)


def is_empty(value: Any) -> bool:
    """Returns whether a field holds nothing at all: texts such as "NA" are something."""
    if isinstance(value, str):
        return not value.strip()
    if isinstance(value, float):
        return bool(np.isnan(value))
    return value is None or type(value).__name__ in ("NAType", "NaTType")


# Numbers ------------------------------------------------------------------------------------------------------------

_POINT = re.compile(r"[+-]?(\d{1,3}(,\d{3})+(\.\d*)?|\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?inf(inity)?", re.IGNORECASE)
_SPACES = re.compile(r"(?<=\d)[ \u00a0\u202f](?=\d{3}(\D|$))")  # between thousands
_SWAPPED = str.maketrans(",.", ".,")


def decimal_sign(values: list[Any], otherwise: str = ".", who: str = "a column") -> str:
    """Returns the decimal sign of a column of texts, "." or ",".

    Args:
        values: The column; fields that are no texts say nothing.
        otherwise: The sign where a comma could be either, as in "1,234".
        who: What the column is called in errors.

    Raises:
        DataError: If some fields are written with the one and some with the other.

    >>> decimal_sign(["1.234", "1.234,5"]), decimal_sign(["1,234", "1,234,567"]), decimal_sign(["0,125"])
    (',', '.', ',')
    """
    texts = [value for value in values if isinstance(value, str) and ("," in value or "." in value)]
    if not any("," in text or text.count(".") > 1 for text in texts):
        return "."
    certain: dict[str, str] = {}
    doubtful: dict[str, str] = {}
    for text in texts:
        text = _SPACES.sub("", text.strip())
        with_point, with_comma = _POINT.fullmatch(text), _POINT.fullmatch(text.translate(_SWAPPED))
        if with_point and with_comma and not re.match(r"[+-]?0[.,]", text):
            doubtful.setdefault("," if "," in text else ".", text)
        elif with_point and with_comma:  # no thousands begin with a zero
            certain.setdefault("," if "," in text else ".", text)
        elif with_point or with_comma:
            certain.setdefault("." if with_point else ",", text)
    if len(certain or doubtful) == 2:
        one, other = (certain or doubtful).values()
        raise DataError(expected(who, "one decimal sign", f"{one!r} and {other!r}", "use one of them"))
    if certain:
        return next(iter(certain))
    return otherwise if doubtful.get(",") else "."


def number(value: Any, sign: str) -> float | None:
    """Returns the number that a field holds, None if it is none: 1234.5, 1,234.5 or, with "," as the sign, 1.234,5."""
    if not isinstance(value, str):
        try:
            return float(value)
        except (TypeError, ValueError):
            return None
    text = _SPACES.sub("", value.strip())
    text = text.translate(_SWAPPED) if sign == "," else text
    return float(text.replace(",", "")) if _POINT.fullmatch(text) else None


# Times --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Times:
    """A column of times.

    Attributes:
        values: datetime64[s] (n,), or int64 (n,) where times are counted.
        unit: How they are written: "Y", "M", "D", "s", or "" for counters.
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
    r"(?:[T ]\s*(?:(?P<half_before>오전|오후)\s*)?(?P<hour>\d{1,2})"
    r"(?:시|:(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,]0+)?)?)\s*(?P<half>[AP]M)?"
    r"\s*(?P<zone>Z|UTC|GMT|[+-]\d\d:?(?:\d\d)?)?)?"
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAME = r"(?P<name>(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*)\.?"
_DAY = r"(?P<year>(?:19|20)\d\d)(?P<month>0[1-9]|1[0-2])(?P<day>0[1-9]|[12]\d|3[01])"
_COMPACT = (  # whole numbers that are times if all of a column are of one of these forms
    re.compile(_DAY),
    re.compile(r"(?P<year>(?:19|20)\d\d)(?P<month>0[1-9]|1[0-2])"),
    re.compile(_DAY + r"(?P<hour>[01]\d|2[0-4])(?:(?P<minute>[0-5]\d)(?P<second>[0-5]\d)?)?"),
)
_FORMS = tuple(
    re.compile(form + _CLOCK, re.IGNORECASE)
    for form in (
        r"(?P<year>\d{4})(?P<sign>[-/.])\s?(?P<month>\d{1,2})(?:(?P=sign)\s?(?P<day>\d{1,2}))?\.?",
        r"(?P<year>\d{1,3})-(?P<month>\d\d)",  # years that are counted
        _DAY,
        r"(?P<first>\d{1,2})(?P<between>[-/.])\s?(?P<second_>\d{1,2})(?P=between)\s?(?P<year>\d{4})",
        r"(?P<month>0?[1-9]|1[0-2])[-/.](?P<year>(?:19|20)\d\d)",
        r"(?P<year>\d{4})년(?:\s*(?P<month>\d{1,2})월(?:\s*(?P<day>\d{1,2})일)?)?",
        r"(?P<year>\d{4})\.\s?(?P<month>\d{1,2})\s?월",
        r"(?P<year>\d{4})[-/\s]?Q(?P<quarter>[1-4])",
        r"Q(?P<quarter>[1-4])[-\s]?(?P<year>\d{4})",
        r"(?P<year>\d{4})년\s*(?P<quarter>[1-4])분기",
        r"(?P<year>\d{4})[.\s]\s?(?P<quarter>[1-4])/4(?:\s?분기)?",
        rf"(?:(?P<day>\d{{1,2}})[-\s])?{_NAME}[-\s](?P<year>\d{{4}})",
        rf"{_NAME}\s(?P<day>\d{{1,2}}),?\s(?P<year>\d{{4}})",
    )
)


class AmbiguousTimes(DataError):
    """Times such as 01/02/2024, where neither order of day and month is the only one that fits."""


def parse_times(values: list[Any], of_first: np.ndarray | None = None, zone: str | None = None) -> Times | None:
    """Returns a column of times; None if one of its fields is no time.

    Whole numbers are read as 20240131, 202401 or 2024013123(59(59)), seconds (to nanoseconds) since 1970, years, or
    else as counters.

    Args:
        values: Texts, numbers, dates, or times with or without a zone.
        of_first: bool (n,): the rows of one series, in which each time stands once; all if None.
        zone: Time zone of the column, such as "Asia/Seoul".

    Raises:
        AmbiguousTimes: If days and months cannot be told apart.
    """
    texts = [value.isoformat() if hasattr(value, "isoformat") else str(value).strip() for value in values]
    of_first = np.ones(len(texts), bool) if of_first is None else of_first
    if all(re.fullmatch(r"[+-]?\d+(\.0+)?", text) for text in texts):
        texts = [text.partition(".")[0] for text in texts]
        if not any(all(form.fullmatch(text) for text in texts) for form in _COMPACT):
            return _whole_numbers(list(map(int, texts)), of_first)
    matches = _matches(texts)
    if matches is None:
        return None
    by_numbers = [match for match in matches if match.get("between")]
    days_first = _day_first(by_numbers, matches, of_first) if by_numbers else False
    try:
        times = _to_times(matches, days_first)
    except ValueError:
        return None
    if zone is None and not any(match.get("zone") for match in matches):
        return Times(times, _unit(matches, times))
    offsets = np.array([_offset_seconds(match.get("zone")) for match in matches]).astype("timedelta64[s]")
    if zone is None and len(np.unique(offsets)) == 1:
        return Times(times, "s", offset=_offset_text(int(offsets[0].astype(np.int64))))
    # Days, weeks and months go by the clocks; hours go on while the clocks are changed.
    by_day = at_one_time_of_day(times, offsets, zone)
    if by_day is not None:
        return Times(by_day, _unit(matches, by_day), remark="" if zone else "times are those of clocks")
    remark = "" if zone else "times were brought to UTC"
    return Times(times - offsets, "s", offset="" if zone else "+00:00", in_utc=True, remark=remark)


def _whole_numbers(numbers: list[int], of_first: np.ndarray) -> Times | None:
    """Returns seconds since 1970, years or counters; None for numbers that are too large for any of them."""
    if max(map(abs, numbers)) >= 2**63:
        return None
    counted = np.array(numbers, np.int64)
    lowest, highest = counted.min(), counted.max()
    for per_second, since in ((1, "seconds"), (10**3, "milliseconds"), (10**6, "microseconds"), (10**9, "nanoseconds")):
        if 10**9 * per_second <= lowest and highest < 4 * 10**9 * per_second and not (counted % per_second).any():
            times = (counted // per_second).astype("datetime64[s]")
            return Times(times, "s", remark=f"times were read as {since} since 1970, UTC")
    own = counted[of_first]
    if lowest > 1500 and highest < 2200 and len(own) > 1 and len(np.unique(own)) == len(own):
        return Times((counted - 1970).astype("datetime64[Y]").astype("datetime64[s]"), "Y")
    return Times(counted, "")


def _matches(texts: list[str]) -> list[dict[str, Any]] | None:
    """Returns the parts of each text; None if one has no form that is known."""
    found = []
    likely = _FORMS[0]
    for text in texts:
        match = likely.fullmatch(text)
        if match is None:
            match = next(filter(None, (form.fullmatch(text) for form in (*_FORMS, *_COMPACT))), None)
            if match is None:
                return None
            likely = match.re
        found.append(match.groupdict())
    return found


def _to_times(matches: list[dict[str, Any]], day_first: bool) -> np.ndarray:
    """Raises ValueError for a date or time that is none, such as 2024-02-30; 24:00 is the end of a day."""
    times = np.array([_iso(match, day_first) for match in matches], "datetime64[s]")
    return times + np.array([match.get("hour") == "24" for match in matches]).astype("timedelta64[D]")


def _iso(match: dict[str, Any], day_first: bool) -> str:
    get = match.get
    month, day = get("month") or 1, get("day") or 1
    if get("between"):
        first, second = match["first"], match["second_"]
        month, day = (second, first) if day_first else (first, second)
    elif get("name"):
        month = _MONTHS.index(match["name"][:3].lower()) + 1
    elif get("quarter"):
        month = 3 * int(match["quarter"]) - 2
    hour = int(get("hour") or 0)
    half = get("half") or get("half_before")
    if half:
        if not 1 <= hour <= 12:
            raise ValueError(hour)
        hour = hour % 12 + 12 * (half.upper() in ("PM", "오후"))
    clock = f"{hour:02d}:{get('minute') or '00'}:{get('second') or '00'}"
    clock = "00:00:00" if clock == "24:00:00" else clock
    return f"{int(match['year']):04d}-{int(month):02d}-{int(day):02d}T{clock}"


def _day_first(by_numbers: list[dict[str, Any]], matches: list[dict[str, Any]], of_first: np.ndarray) -> bool:
    """Returns whether 1/2/2024 is the first of February: always with points, else by what makes sense."""
    if by_numbers[0]["between"] == ".":
        return True
    if any(int(match["first"]) > 12 for match in by_numbers):
        return True
    if any(int(match["second_"]) > 12 for match in by_numbers):
        return False
    month_first, day_first = _to_times(matches, False), _to_times(matches, True)
    if np.array_equal(month_first, day_first):  # such as 01/01/2024 alone
        return False
    fits = [is_regular(times[of_first]) for times in (month_first, day_first)]
    if fits[0] == fits[1]:
        one = f"{by_numbers[0]['first']}/{by_numbers[0]['second_']}/{by_numbers[0]['year']}"
        hint = "write them like 2024-01-31"
        raise AmbiguousTimes(expected("times", "a known order of day and month", f"{one!r}, which may be both", hint))
    return fits[1]


def _unit(matches: list[dict[str, Any]], times: np.ndarray) -> str:
    if all(not match.get("day") and not match.get("between") and not match.get("hour") for match in matches):
        return "M" if any(match.get("month") or match.get("name") or match.get("quarter") for match in matches) else "Y"
    return "D" if bool((times == times.astype("datetime64[D]")).all()) else "s"


def _offset_seconds(zone: str | None) -> int:
    if not zone or zone[0] not in "+-":
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    seconds = int(digits[:2]) * 3600 + int(digits[2:]) * 60
    return -seconds if zone[0] == "-" else seconds


def _offset_text(seconds: int) -> str:
    minutes = abs(seconds) // 60
    return f"{'-' if seconds < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}"
