"""Series, frames and files that several tests of forecasting read, and forecasters that train quickly."""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import polars
import pytest

from recurra.forecasting import Forecaster, Panel
from recurra.forecasting.baselines import BASELINES

how_data_was_read_is_said = pytest.mark.filterwarnings(  # by fit and predict
    "ignore:no column of times",
    r"ignore:\d+ of \d+ values were missing",
    r"ignore:\d+ steps before the first number",
    "ignore:ds. times were brought to UTC",
)


def monthly(n=96, seed=0, series=1):
    rng = np.random.default_rng(seed)
    t = np.arange(n)
    made = [10 + 0.05 * t + 2 * np.sin(2 * np.pi * t / 12) + 0.3 * rng.standard_normal(n) for _ in range(series)]
    return Panel.from_arrays(made, "MS")


def quick(**options):
    return Forecaster("gru", horizon=6, n_seeds=1, **options)


def two_weekly(start=0, end=90, ids="ab"):
    """Two daily series with a season of a week, of opposite signs: rows `start` to `end`."""
    t = np.arange(start, end)
    wave = 100 + 5 * np.sin(2 * np.pi * t / 7) + 0.1 * np.sin(t)
    days = np.datetime64("2024-01-01", "ms") + t.astype("timedelta64[D]")
    series = {"a": wave, "b": -1000 * wave}
    return polars.concat([polars.DataFrame({"unique_id": name, "ds": days, "y": series[name]}) for name in ids])


def in_days(series, start="2024-01-01", every=1):
    """A long frame of series that begin on one day."""
    first = datetime.fromisoformat(start)
    rows = [
        (k, first + timedelta(days=i * every), float(v)) for k, values in series.items() for i, v in enumerate(values)
    ]
    return polars.DataFrame(rows, schema=["unique_id", "ds", "y"], orient="row")


def season(n, m=12, trend=0.0, noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    return np.sin(2 * np.pi * np.arange(n) / m) + trend * np.arange(n) + noise * rng.standard_normal(n)


def after(name, past, horizon, season_length):
    """The forecast of a baseline after the whole past."""
    return BASELINES[name](past, horizon, (season_length,), np.array([[len(past)]]))[0][0]


def hours(days, level=100, weekends=-40, noise=1.0):
    t = np.arange(24 * days)
    week = level + 20 * np.sin(2 * np.pi * t / 24) + weekends * (t // 24 % 7 >= 5)
    return week + noise * np.random.default_rng(0).standard_normal(len(t))


MONTHS = [f"2020-{m:02d}" for m in range(1, 13)]


def write(tmp_path, text, name="data.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


def csv(rows, header="month,sales", separator=","):
    return "\n".join([header, *(separator.join(map(str, row)) for row in rows)]) + "\n"


GOOD = [(m, i) for i, m in enumerate(MONTHS)]

YEARS = range(2010, 2018)


def days(count, start="2024-01-01"):
    return list(pd.date_range(start, periods=count).strftime("%Y-%m-%d"))


MANY = pd.date_range("2024-01-01", periods=48, freq="h")

COLUMNS_OF_DATES = {
    "hourly": MANY.strftime("%Y-%m-%d %H:00"),
    "daily": days(48),
    "later": days(48, "2024-01-09"),
    "day_of_hour": MANY.strftime("%Y-%m-%d"),
    "week": pd.to_datetime(days(48)).strftime("%G-W%V"),
    "month": pd.to_datetime(days(48)).month,
    "ended": [*days(47), ""],
}


def with_columns(header, *columns):
    return csv(zip(*(COLUMNS_OF_DATES[column] for column in columns), range(48), strict=True), f"{header},cases")
