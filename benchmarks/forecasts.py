"""How near do forecasts come, on the series of the M3 and M4 competitions and of Australia's tourism?

    python benchmarks/forecasts.py FOLDER [--models gru,theta,...] [--seed N] [--series N] [--only NAME] [--peers]

FOLDER holds m3/{yearly,quarterly}-{train,test}.csv (columns unique_id, ds, y), m4/{Weekly,Hourly}-{train,test}.csv (a
row for each series, as the organisers gave them) and australia-tourism.csv; what is absent is left out. Needs pandas;
--peers adds AutoTheta and AutoETS (`pip install 'recurra[baselines]'`). Not part of `make bench`: it is no timing.

Prints OWA: the mean of sMAPE and MASE, each over that of Naive2, a naive forecast with the season taken out.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import recurra
from recurra.forecasting.accuracy import mase, mase_scale, smape

MODELS = ("naive", "seasonal_naive", "theta", "gru", "auto")


@dataclass
class Task:
    name: str
    horizon: int
    season: int | None  # that a model may use; None: what it finds in hours
    mase_season: int  # of the competition
    fewest: int  # values that a series must have, as `recurra forecast` wants them
    train: dict[str, np.ndarray]
    test: dict[str, np.ndarray]


def tasks(folder: Path) -> list[Task]:
    """Returns what the folder has."""
    found = []
    for name, horizon, season, fewest in (("yearly", 6, 1, 20), ("quarterly", 8, 4, 24)):
        if (folder / "m3" / f"{name}-train.csv").exists():
            parts = [long_series(folder / "m3" / f"{name}-{part}.csv") for part in ("train", "test")]
            found.append(Task(f"M3 {name}", horizon, season, season, fewest, *parts))
    tourism = folder / "australia-tourism.csv"
    if tourism.exists():
        groups = pd.read_csv(tourism).groupby(["Region", "State", "Purpose"])["Trips"]
        series = {"/".join(key): values.to_numpy(float) for key, values in groups}
        parts = [{k: y[:-8] for k, y in series.items()}, {k: y[-8:] for k, y in series.items()}]
        found.append(Task("Australian tourism, quarterly", 8, 4, 4, 0, *parts))
    for name, horizon, season, mase_season in (("Weekly", 13, 52, 1), ("Hourly", 48, None, 24)):
        if (folder / "m4" / f"{name}-train.csv").exists():
            parts = [wide_series(folder / "m4" / f"{name}-{part}.csv") for part in ("train", "test")]
            found.append(Task(f"M4 {name.lower()}", horizon, season, mase_season, 0, *parts))
    return found


def long_series(path: Path) -> dict[str, np.ndarray]:
    return {key: group["y"].to_numpy(float) for key, group in pd.read_csv(path).groupby("unique_id", sort=False)}


def wide_series(path: Path) -> dict[str, np.ndarray]:
    rows = pd.read_csv(path).itertuples(index=False)
    return {row[0]: values[~np.isnan(values)] for row in rows for values in [np.asarray(row[1:], float)]}


def naive2(past: np.ndarray, horizon: int, m: int) -> np.ndarray:
    """Naive2 as the M4 organisers' R code has it: seasonal where the autocorrelation at m passes its 90 % limit."""
    n, centred = len(past), past - past.mean()
    if m <= 1 or n < 3 * m or not centred.any():
        return np.full(horizon, past[-1])
    acf = np.array([centred[k:] @ centred[:-k] for k in range(1, m + 1)]) / (centred @ centred)
    if abs(acf[-1]) <= 1.645 / np.sqrt(n) * np.sqrt(1 + 2 * np.sum(acf[:-1] ** 2)):
        return np.full(horizon, past[-1])
    weights = np.r_[0.5, np.ones(m - 1), 0.5] / m if m % 2 == 0 else np.ones(m) / m
    trend = np.convolve(past, weights, "valid")
    ratio = np.full(n, np.nan)
    first = (n - len(trend)) // 2
    with np.errstate(invalid="ignore"):  # 0 / 0 where a series is at rest
        ratio[first : first + len(trend)] = past[first : first + len(trend)] / trend
    figure = np.array([np.nanmean(ratio[phase::m]) for phase in range(m)])
    phases = np.arange(n - 1, n + horizon) % m
    return past[-1] / figure[phases[0]] * figure[phases[1:]]


def forecasts(task: Task, model: str, seed: int) -> tuple[dict[str, np.ndarray], str]:
    """Returns a forecast for each series, and the name of the model that gave it."""
    options = {"horizon": task.horizon, "season_length": task.season, "seed": seed}
    if model == "auto":
        result = recurra.forecast(frame_of(task), **options)
        return by_series(result.frame, "y_hat"), result.model
    return by_series(recurra.forecasting.Forecaster(model, **options).fit(frame_of(task)).predict(), "y_hat"), model


def frame_of(task: Task) -> pd.DataFrame:
    rows = [(key, step, value) for key, past in task.train.items() for step, value in enumerate(past)]
    frame = pd.DataFrame(rows, columns=["unique_id", "ds", "y"])
    return frame if task.season else frame.assign(ds=pd.Timestamp("2000-01-03") + pd.to_timedelta(frame["ds"], "h"))


def by_series(table: pd.DataFrame, column: str) -> dict[str, np.ndarray]:
    return {key: group[column].to_numpy(float) for key, group in table.groupby("unique_id")}


def peer_forecasts(task: Task) -> dict[str, dict[str, np.ndarray]]:
    from statsforecast import StatsForecast
    from statsforecast.models import AutoETS, AutoTheta

    models = [AutoTheta(season_length=task.mase_season), AutoETS(season_length=task.mase_season)]
    table = StatsForecast(models=models, freq=1 if task.season else "h").forecast(df=frame_of(task), h=task.horizon)
    return {name: by_series(table, name) for name in ("AutoTheta", "AutoETS")}


def errors(task: Task, found: dict[str, np.ndarray]) -> np.ndarray:
    """Returns the means of sMAPE and MASE."""
    each = []
    for key, actual in task.test.items():
        scale = mase_scale(task.train[key], task.mase_season)
        each.append((smape(actual, found[key]), mase(actual, found[key], scale)))
    return np.mean(each, axis=0)


def of_so_many(task: Task, most: int | None) -> Task:
    """Returns the task with the series that are long enough, at most so many of them."""
    keys = [key for key, past in task.train.items() if len(past) >= task.fewest][:most]
    task.train, task.test = ({key: part[key] for key in keys} for part in (task.train, task.test))
    return task


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--series", type=int, help="at most so many of each competition")
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--only", default="", help="of competitions whose name has this in it")
    options = parser.parse_args()
    for task in (one for one in tasks(options.folder) if options.only in one.name):
        task = of_so_many(task, options.series)
        base = errors(task, {key: naive2(past, task.horizon, task.mase_season) for key, past in task.train.items()})
        print(f"{task.name}, {len(task.train)} series")
        for model in options.models.split(","):
            found, by = forecasts(task, model, options.seed)
            name = model if by == model else f"{model} ({by})"
            print(f"  {name:24s} {np.mean(errors(task, found) / base):.2f}", flush=True)
        for name, found in (peer_forecasts(task) if options.peers else {}).items():
            print(f"  {name:24s} {np.mean(errors(task, found) / base):.2f}", flush=True)


if __name__ == "__main__":
    main()
