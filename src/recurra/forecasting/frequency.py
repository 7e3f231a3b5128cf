"""The step of a time axis: inferred from the times, and continued into the future."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from recurra._checks import expected
from recurra.errors import DataError

TIMES = "datetime64[us]"  # of all times here
MICROSECONDS = {"D": 86400 * 10**6, "h": 3600 * 10**6, "min": 60 * 10**6, "s": 10**6, "ms": 10**3, "us": 1}
CLOCKS = ("h", "min", "s", "ms", "us")  # steps of a clock and of no calendar
# The usual season, and a longer one that is several of it.
SEASONS = {
    "YS": (1,),
    "YE": (1,),
    "QS": (4,),
    "QE": (4,),
    "MS": (12,),
    "ME": (12,),
    "W": (52,),
    "B": (5,),
    "D": (7,),
    "h": (24, 168),
    "min": (60, 1440),
    "s": (60, 3600),
    "ms": (1,),
    "us": (1,),
    "step": (1,),
}
NAMES = {  # of one step, and of what several are made of
    "YS": ("yearly", "year"),
    "YE": ("yearly", "year"),
    "QS": ("quarterly", "quarter"),
    "QE": ("quarterly", "quarter"),
    "MS": ("monthly", "month"),
    "ME": ("monthly", "month"),
    "W": ("weekly", "week"),
    "B": ("business-daily", "business-day"),
    "D": ("daily", "day"),
    "h": ("hourly", "hour"),
    "min": ("minutely", "minute"),
    "s": ("secondly", "second"),
    "ms": ("millisecondly", "millisecond"),
    "us": ("microsecondly", "microsecond"),
    "step": ("counted", "step"),
}
LARGER = {  # how many of them are one of another
    "us": (1000, "ms"),
    "ms": (1000, "s"),
    "s": (60, "min"),
    "min": (60, "h"),
    "h": (24, "D"),
    "D": (7, "W"),
    "MS": (3, "QS"),
    "ME": (3, "QE"),
    "QS": (4, "YS"),
    "QE": (4, "YE"),
}
LAST_DAY = 31  # of a month, whichever it is in a shorter one
NEAR_ENDS = 26  # days of months from this one on are those of ends, such as the last business days
SPARSEST = 4  # steps for each time, finer than the commonest: beyond, that all times lie on such steps is chance
SPARSEST_NAMED = 100  # such steps that the user may have meant
ALIKE = 0.9  # of the steps: if so many are, another one comes from a wrong time
MONTHS = {"MS": 1, "ME": 1, "QS": 3, "QE": 3, "YS": 12, "YE": 12}


@dataclass(frozen=True)
class Frequency:
    """A regular time axis.

    Attributes:
        name: "MS", "QS", "YS" (starts of months, quarters, years, or a fixed day of them), "ME", "QE", "YE" (ends),
            "W", "D", "B" (Monday to Friday), "h", "min", "s", "ms", "us", or "step" for counters.
        step: How many of these lie between two times.
        day: Of the month where those of the times vary; None where they go on from the last one. Not compared.
    """

    name: str
    step: int = 1
    day: int | None = field(default=None, compare=False)

    @property
    def seasons(self) -> tuple[int, ...]:
        """The usual season in steps, 1 for none, and a longer one that is several of it, such as a week of hours."""
        usual = SEASONS[self.name]
        if self.name == "min" and self.step > 1:  # of so few values as an hour then has, the day is the season
            usual = (1440, 10080)
        found = [season // self.step for season in usual if season % self.step == 0]
        return tuple(season for season in found if season >= 1) or (1,)

    @property
    def season_length(self) -> int:
        """The usual season in steps, 1 for none."""
        return self.seasons[0]

    @property
    def alias(self) -> str:
        """What `parse_frequency` takes for it, such as "D" or "15min"."""
        return self.name if self.step == 1 else f"{self.step}{self.name}"

    def __str__(self) -> str:
        name, unit = NAMES[self.name]
        return name if self.step == 1 else f"{self.step}-{unit}"

    def positions(self, times: np.ndarray, indptr: np.ndarray | None = None) -> np.ndarray:
        """Returns how many steps each time lies after the first of its series, as floats: whole numbers on the axis.

        Args:
            times: datetime64[us] or int64 (n,).
            indptr: int64 (n_series + 1,), where each series begins; None for one.
        """
        starts = times[:1] if indptr is None else np.repeat(times[indptr[:-1]], np.diff(indptr))
        if self.name in MONTHS:
            return (_months(times) - _months(starts)) / (MONTHS[self.name] * self.step)
        if self.name == "B":
            days = times.astype("datetime64[D]")
            off = (_since_midnight(times) != _since_midnight(starts)) | ~np.is_busday(days)
            return np.busday_count(starts.astype("datetime64[D]"), days) / self.step + np.where(off, 0.5, 0.0)
        passed = times - starts if self.name == "step" else (times - starts).astype("timedelta64[us]").astype(np.int64)
        return passed / (self.step if self.name == "step" else _microseconds(self.name) * self.step)

    def future(self, last: Any, horizon: int) -> np.ndarray:
        """Returns the `horizon` times after `last`.

        >>> Frequency("MS").future(np.datetime64("2023-12-01", "us"), 2).astype("datetime64[D]").astype(str).tolist()
        ['2024-01-01', '2024-02-01']
        """
        ahead = np.arange(1, horizon + 1) * self.step
        if self.name == "step":
            return np.asarray(last + ahead, np.int64)
        if self.name in MONTHS:
            day = LAST_DAY if self.name.endswith("E") else self.day
            return _add_months(last.astype(TIMES), ahead * MONTHS[self.name], day)
        if self.name == "B":
            days = np.busday_offset(last.astype("datetime64[D]"), ahead, roll="forward")
            return days.astype(TIMES) + _since_midnight(last)
        return last.astype(TIMES) + (ahead * _microseconds(self.name)).astype("timedelta64[us]")


def _microseconds(name: str) -> int:
    return 7 * MICROSECONDS["D"] if name == "W" else MICROSECONDS[name]


def _since_midnight(times: Any) -> Any:
    return times.astype(TIMES) - times.astype("datetime64[D]").astype(TIMES)


def _months(times: np.ndarray) -> np.ndarray:
    return times.astype("datetime64[M]").astype(np.int64)


def _add_months(time: np.datetime64, months: np.ndarray, day: int | None) -> np.ndarray:
    """Returns times some months later, on a day of the month; None is that of `time`, and short months end earlier."""
    first = time.astype("datetime64[M]")
    into = (time - first).astype("timedelta64[us]")
    passed = into.astype("timedelta64[D]")
    days = _on_day(first + months.astype("timedelta64[M]"), int(passed.astype(np.int64)) + 1 if day is None else day)
    return days.astype(TIMES) + (into - passed)


def _on_day(months: np.ndarray, day: int) -> np.ndarray:
    """Returns a day of each month, its last one where it is shorter: datetime64[D]."""
    last_days = (months + np.timedelta64(1, "M")).astype("datetime64[D]") - np.timedelta64(1, "D")
    return np.minimum(months.astype("datetime64[D]") + np.timedelta64(day - 1, "D"), last_days)


def parse_frequency(text: str) -> Frequency:
    """Returns the frequency of a name such as "MS", "D", "15min" or "h", in its largest unit: "24h" is "D".

    What pandas adds to weeks, quarters and years, as in "W-MON", is left out: the day is that of the data. Names of
    Polars such as "1mo" are known too, but for "m": it may mean minutes or months.

    Raises:
        ValueError: If there is none of that name.
    """
    text = str(text)
    digits = len(text) - len(text.lstrip("0123456789"))
    aliases = {"M": "MS", "Q": "QS", "Y": "YS", "A": "YS", "AS": "YS", "H": "h", "T": "min", "S": "s", "L": "ms"}
    aliases |= {"mo": "MS", "q": "QS", "y": "YS", "w": "W", "d": "D"}  # of Polars
    name = re.sub(r"(?<=[WQYASE])-[A-Z]{3}$", "", text[digits:])
    name = aliases.get(name, name)
    step = int(text[:digits] or 1)
    if name not in SEASONS or step < 1:
        hint = "write min for minutes and MS for months" if name == "m" else None
        word = name.strip().lower().removesuffix("s")
        meant = next((alias for alias, words in NAMES.items() if word in (alias.lower(), *words)), None)
        hint = hint or (meant and f"write {text[:digits]}{meant}")
        raise ValueError(expected("freq", f"one of {', '.join(SEASONS)}, with a number before it", repr(text), hint))
    while name in LARGER and step % LARGER[name][0] == 0:
        count, name = LARGER[name]
        step //= count
    return Frequency(name, step)


def infer_frequency(times: np.ndarray, who: str) -> Frequency:
    """Returns the frequency of ascending, different times; gaps are allowed, a broken step is not.

    Args:
        times: datetime64[us] or int64 (n,), n >= 2.
        who: Name of the series, for errors.

    Raises:
        DataError: If no regular step fits.
    """
    if times.dtype.kind != "M":
        counted = Frequency("step", _common(np.diff(times)))
        return counted if _is_axis(counted, times) else Frequency("step", _usual(np.diff(times)))
    passed = np.diff(times.astype(TIMES)).astype(np.int64)
    for candidate in (_by_months(times, _usual), _by_business_days(times, passed), _by_clock(passed, _usual)):
        if candidate is not None and _fits(candidate, times):
            return candidate
    # Such as Mondays, Wednesdays and Fridays: the commonest step is no multiple of the day that all of them are.
    finer = [each for each in (_by_months(times, _common), _by_clock(passed, _common)) if each and _is_usual(each)]
    finer = [each for each in finer if _fits(each, times)]
    for candidate in finer:
        if _is_axis(candidate, times):
            return candidate
    hint = "resample it first"
    months = np.unique(np.diff(_months(times)))  # one of them such as of the last business days of months
    named = [name for name in ("MS", "QS", "YS") if len(months) == 1 and months[0] == MONTHS[name]]
    named = named or [each.alias for each in finer if each.positions(times)[-1] < SPARSEST_NAMED * len(times)]
    if named:
        hint = f"name the step with --freq {named[0]} (in Python freq), or {hint}"
    raise DataError(expected(f"series {who!r}", "times with a regular step", _irregular(times, passed), hint))


def _usual(steps: np.ndarray) -> int:
    values, counts = np.unique(steps, return_counts=True)
    return int(values[counts.argmax()])


def _common(steps: np.ndarray) -> int:
    """Returns the largest step that all are several of."""
    return int(np.gcd.reduce(steps))


def _is_usual(frequency: Frequency) -> bool:
    """Whether a larger unit is several of it, as an hour is of 15 minutes, and not of 7."""
    return frequency.name not in LARGER or LARGER[frequency.name][0] % frequency.step == 0


def _is_axis(frequency: Frequency, times: np.ndarray) -> bool:
    """Whether times on steps finer than the commonest one mean these: enough are there, and not for one wrong time."""
    positions = frequency.positions(times)
    _, counts = np.unique(np.diff(positions), return_counts=True)
    return bool(positions[-1] < SPARSEST * len(times) and counts.max() < ALIKE * (len(times) - 1))


def _steps(frequency: Frequency, times: np.ndarray, indptr: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Returns the positions of times, and the steps between them within each series."""
    positions = frequency.positions(times, indptr)
    steps = np.diff(positions)
    return positions, steps if indptr is None else np.delete(steps, indptr[1:-1] - 1)


def _fits(frequency: Frequency, times: np.ndarray, indptr: np.ndarray | None = None) -> bool:
    positions, steps = _steps(frequency, times, indptr)
    return bool(np.all(positions == np.round(positions)) and np.all(steps >= 1))


def _by_months(times: np.ndarray, step_of: Callable[[np.ndarray], int]) -> Frequency | None:
    steps = np.diff(_months(times))
    side = _side(times)
    if steps.min() < 1 or not side:
        return None
    step = step_of(steps)
    for name, months in (("Y", 12), ("Q", 3)):
        if step % months == 0:
            return Frequency(name + side, step // months)
    return Frequency("M" + side, step)


def _side(times: np.ndarray) -> str:
    """Returns "E" for ends of months, "S" for another day that is the same in all of them, "" for neither."""
    days = times.astype("datetime64[D]")
    next_day = days + np.timedelta64(1, "D")
    if (next_day == next_day.astype("datetime64[M]")).all():
        return "E"
    of_month = days - times.astype("datetime64[M]").astype("datetime64[D]")
    return "S" if len(np.unique(of_month)) == 1 else ""


def _by_business_days(times: np.ndarray, passed: np.ndarray) -> Frequency | None:
    if _usual(passed) != MICROSECONDS["D"] or len(times) < 6 or not np.is_busday(times.astype("datetime64[D]")).all():
        return None
    return Frequency("B")


def _by_clock(passed: np.ndarray, step_of: Callable[[np.ndarray], int]) -> Frequency:
    step = step_of(passed)
    name = next(name for name in ("W", *MICROSECONDS) if step % _microseconds(name) == 0)
    return Frequency(name, step // _microseconds(name))


def shared_frequency(times: np.ndarray, indptr: np.ndarray, names: list[str]) -> Frequency:
    """Returns the frequency that fits all series; that of the first where none does.

    Args:
        times: datetime64[us] or int64 (total,), those of each series ascending and different.
        indptr: int64 (n_series + 1,), where each series begins.
        names: Of the series, for errors.

    Raises:
        DataError: If a series has no regular step, and that of no other one fits all.
    """
    tried: list[Frequency] = []
    refusal: DataError | None = None
    for name, (start, end) in zip(names, pairwise(indptr), strict=True):
        try:
            candidate = infer_frequency(times[start:end], name)
        except DataError as error:
            refusal = refusal or error
            continue
        if candidate not in tried:
            if _fits(candidate, times, indptr):
                return candidate
            tried.append(candidate)
    if refusal is not None:
        raise refusal
    return tried[0]


def goes_on(frequency: Frequency, times: np.ndarray, indptr: np.ndarray) -> bool:
    """Returns whether times, as of `shared_frequency`, are of this frequency, and most of them one step apart."""
    if (frequency.name == "step") != (times.dtype.kind != "M") or not _fits(frequency, times, indptr):
        return False
    return _usual(_steps(frequency, times, indptr)[1]) == 1


def on_the_side_of(frequency: Frequency, times: np.ndarray, indptr: np.ndarray, names: list[str]) -> Frequency:
    """Returns the frequency at the ends of months where the times are, else at their starts or on another day.

    Where days vary, as those of the last business days do, one of them is chosen: forecasts would else go on from
    whatever day the last one happens to be.

    Args:
        frequency: As it was named or found.
        times, indptr, names: As of `shared_frequency`.

    Raises:
        DataError: If some series have the ends and others another day.
    """
    if frequency.name not in MONTHS:
        return frequency
    sides = [_side(times[start:end]) for start, end in pairwise(indptr)]
    if "S" in sides and "E" in sides:
        one, other = (sides.index(side) for side in "SE")
        first, second = (_date(times[indptr[i]]) for i in (one, other))
        got = f"{first} in {names[one]!r} and {second} in {names[other]!r}"
        hint = "write both on the same day of the month, or forecast them apart"
        raise DataError(expected("the series", f"{frequency} times that all are ends of months, or none", got, hint))
    day = _usual_day(times) if "" in sides else None
    named = day is not None and "S" not in sides and frequency.name.endswith("E")
    side = "E" if "E" in sides or day == LAST_DAY or named else "S"
    return Frequency(frequency.name[0] + side, frequency.step, None if side == "E" else day)


def _usual_day(times: np.ndarray) -> int:
    """Returns the day of the month of times where it varies: the last one if all are near it, else the commonest."""
    days, months = times.astype("datetime64[D]"), times.astype("datetime64[M]")
    of_month = (days - months.astype("datetime64[D]")).astype(np.int64) + 1
    if np.array_equal(_on_day(months, int(of_month.max())), days):  # such as the 30th, and the 28th of February
        return int(of_month.max())
    return LAST_DAY if of_month.min() >= NEAR_ENDS else int(np.bincount(of_month).argmax())


def is_regular(times: np.ndarray) -> bool:
    """Returns whether some frequency has these times, in any order, each once and without gaps."""
    ordered = np.sort(times)
    if len(ordered) < 2 or np.any(ordered[1:] == ordered[:-1]):
        return False
    try:
        frequency = infer_frequency(ordered, "times")
    except DataError:
        return False
    return bool(np.all(np.diff(frequency.positions(ordered)) == 1))


def _irregular(times: np.ndarray, passed: np.ndarray) -> str:
    odd = int(np.argmax(passed != _usual(passed)))
    return f"a step from {_date(times[odd])} to {_date(times[odd + 1])}"


def _date(time: np.datetime64) -> str:
    return str(time).removesuffix("T00:00:00.000000").removesuffix(".000000")
