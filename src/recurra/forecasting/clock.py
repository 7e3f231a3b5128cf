"""Clocks: what times are of, and how they are written."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recurra.forecasting.frequency import TIMES
from recurra.forecasting.weeks import week_texts
from recurra.forecasting.zones import on_clocks, to_utc

PARTS_OF_DAYS = ("s", "ms", "us")  # units in which times of day are written


@dataclass(frozen=True)
class Clock:
    """What clock times are of, and how they are written.

    Attributes:
        unit: How fine, as of `write_times`; "" for counters.
        offset: What follows each time in a file, such as "+09:00".
        zone: Time zone of the frame that the times came in, such as "Asia/Seoul".
        in_utc: Whether the times are UTC; else they are those of the zone's clocks.
    """

    unit: str = "D"
    offset: str = ""
    zone: str | None = None
    in_utc: bool = False

    def write(self, times: np.ndarray) -> list[str]:
        """Returns times as texts in the data's own form: as fine, and with its weeks, quarters (2024Q1) and offsets."""
        times = times.ravel()
        if times.dtype.kind != "M":
            return [str(int(time)) for time in times]
        if self.zone is not None:
            moments = times if self.in_utc else to_utc(times, self.zone)
            parts = {"ms": "milliseconds", "us": "microseconds"}.get(self.unit, "seconds")
            return [time.isoformat(" ", timespec=parts) for time in on_clocks(moments, self.zone)]
        return [text + self.offset for text in write_times(times, self.unit or "s")]

    def as_in_frames(self, times: np.ndarray) -> np.ndarray | list[str]:
        """Returns times as columns of frames hold them: counters and years as whole numbers, others as datetime64[us].

        Texts with an offset stay texts: not every library has a kind of column that keeps it.
        """
        times = times.ravel()
        if times.dtype.kind != "M":
            return times
        if self.offset and self.zone is None:
            return self.write(times)
        if self.unit == "Y":
            return times.astype("datetime64[Y]").astype(np.int64) + 1970
        return times.astype(TIMES)  # a unit that every frame library knows


def write_times(times: np.ndarray, unit: str) -> list[str]:
    """Returns datetime64[us] (n,) as texts: of years "Y", quarters "Q", months "M", weeks "W", their days "WD", or days
    "D"; or with the time of day, to one of `PARTS_OF_DAYS`.
    """
    if unit == "Q":
        months = times.astype("datetime64[M]").astype(np.int64)
        return [f"{1970 + month // 12:04d}Q{month % 12 // 3 + 1}" for month in months]
    if unit in ("W", "WD"):
        return week_texts(times, with_day=unit == "WD")
    texts = [text.replace("T", " ") for text in times.astype(f"datetime64[{unit}]").astype(str)]
    return [text.lstrip("0") for text in texts] if unit == "M" else texts  # years that are counted
