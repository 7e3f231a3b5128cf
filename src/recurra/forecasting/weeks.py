"""The weeks of ISO 8601, such as 2024-W05: they begin on Mondays, the first of a year has its fourth of January."""

from __future__ import annotations

import numpy as np


def days_of_weeks(year: np.ndarray, week: np.ndarray, weekday: np.ndarray) -> np.ndarray:
    """Returns days of weeks, 1 the Monday: datetime64[D] (n,).

    Args:
        year, week, weekday: int64 (n,).

    Raises:
        ValueError: For a week that its year does not have, and for other days than 1 to 7.
    """
    first, next_first = _first_monday(year), _first_monday(year + 1)
    monday = first + (7 * (week - 1)).astype("timedelta64[D]")
    if np.any((monday < first) | (monday >= next_first) | (weekday < 1) | (weekday > 7)):
        raise ValueError("no week or no day of it")
    return monday + (weekday - 1).astype("timedelta64[D]")


def week_texts(times: np.ndarray, with_day: bool) -> list[str]:
    """Returns times as ISO 8601 writes weeks, or days of weeks.

    >>> week_texts(np.array(["2024-12-29", "2024-12-30"], "datetime64[us]"), with_day=True)
    ['2024-W52-7', '2025-W01-1']
    """
    days = times.astype("datetime64[D]")
    monday = _monday(days)
    year = (monday + np.timedelta64(3, "D")).astype("datetime64[Y]").astype(np.int64) + 1970
    week = (monday - _first_monday(year)).astype(np.int64) // 7 + 1
    weekday = (days - monday).astype(np.int64) + 1
    end = "-{2}" if with_day else ""
    return [("{0:04d}-W{1:02d}" + end).format(*parts) for parts in zip(year, week, weekday, strict=True)]


def _first_monday(year: np.ndarray) -> np.ndarray:
    return _monday((year - 1970).astype("datetime64[Y]").astype("datetime64[D]") + np.timedelta64(3, "D"))


def _monday(days: np.ndarray) -> np.ndarray:
    weekday = (days.astype(np.int64) + 3) % 7  # the first day of 1970 was a Thursday
    return days - weekday.astype("timedelta64[D]")
