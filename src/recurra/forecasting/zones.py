"""Time zones: their clocks, and the days that begin where a clock is changed at midnight."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import numpy as np

from recurra._checks import expected
from recurra.errors import DataError
from recurra.forecasting.frequency import TIMES

FIRST, LAST = np.datetime64("0001-01-02"), np.datetime64("9999-12-31")  # between them each zone has a clock


def time_zone(zone: str) -> tzinfo:
    """Returns a zone such as "Asia/Seoul", or a fixed offset such as "+09:00" or "UTC+09:00".

    Raises:
        DataError: If there is no such zone.
    """
    try:
        offset = fixed_offset(zone)
        return ZoneInfo(zone) if offset is None else timezone(offset)
    except (KeyError, ValueError, OSError) as error:
        hint = "bring the times to UTC first"
        raise DataError(expected("times", "a time zone that is known", repr(zone), hint)) from error


def fixed_offset(zone: str) -> timedelta | None:
    """Returns the offset of "+09:00" or "UTC+09:00"; None for other zones."""
    fixed = re.fullmatch(r"(?:UTC)?([+-])(\d\d):?(\d\d)", zone)
    if not fixed:
        return None
    offset = timedelta(hours=int(fixed[2]), minutes=int(fixed[3]))
    return -offset if fixed[1] == "-" else offset


def to_utc(times: np.ndarray, zone: str) -> np.ndarray:
    """Returns times of the zone's clocks as those of UTC: datetime64[us].

    One that the clocks leave out is moved on to where they go on; of two that are shown alike the first is meant.
    """
    times = times.astype(TIMES)
    tz = time_zone(zone)
    return np.array([_moment(time, tz, fold=0) for time in times.ravel()], TIMES).reshape(times.shape)


def on_clocks(times: np.ndarray, zone: str) -> list[datetime]:
    """Returns times of UTC as those of the zone's clocks."""
    tz = time_zone(zone)
    return [_datetime(time).replace(tzinfo=timezone.utc).astimezone(tz) for time in times]


def at_one_time_of_day(times: np.ndarray, offsets: np.ndarray, zone: str | None) -> np.ndarray | None:
    """Returns times on clocks that all show one time of day; None where they do not.

    The clocks leave a time of day out where they go forward over it. Libraries then write the moment that follows (of a
    missing midnight 01:00) or the one before (23:00): here it is that time of day again.

    Args:
        times: datetime64[us] (n,), as the clocks show them.
        offsets: timedelta64[s] (n,), theirs from UTC.
        zone: Where the clocks hang; if None, what they leave out is told by the times before and after.
    """
    days = times.astype("datetime64[D]")
    passed = times - days
    kinds, counts = np.unique(passed, return_counts=True)
    usual = kinds[counts.argmax()]
    result = times.copy()
    moments, rows = np.unique(times - offsets, return_index=True)
    for i in np.flatnonzero(passed != usual):
        moment = times[i] - offsets[i]
        # on that day, or on the next if it was written as the evening before
        shown = days[i] + np.arange(2, dtype="timedelta64[D]") + usual
        if zone is not None:
            meant = [wall for wall in shown for fold in (0, 1) if _moment(wall, time_zone(zone), fold) == moment]
        else:
            place = np.searchsorted(moments, moment)
            around = rows[[place - 1, place + 1]] if 0 < place < len(rows) - 1 else np.zeros(0, np.int64)
            meant = [wall for wall in shown for row in around if wall - offsets[row] == moment]
            if np.any(passed[around] != usual):
                return None
        if not meant:
            return None
        result[i] = meant[0]
    return result


def _moment(wall: np.datetime64, tz: tzinfo, fold: int) -> np.datetime64:
    """Returns what UTC shows when a clock shows `wall`, by the offset before (0) or after (1) a change."""
    offset = _datetime(wall).replace(tzinfo=tz, fold=fold).utcoffset()
    return wall - np.timedelta64(offset, "s")


def _datetime(time: np.datetime64) -> datetime:
    """Returns a time as Python has it; DataError for years that it does not know, and days at their ends."""
    if not FIRST < time < LAST:
        raise DataError(expected("times with a zone", "the years 1 to 9999", str(time).replace("T", " ")))
    return time.astype(TIMES).item()
