"""Training networks: what they look back on, what is held back from them, when they stop."""

import random
from dataclasses import replace

import numpy as np
import pytest
from samples import monthly, quick, season

import recurra
from recurra.errors import DataError
from recurra.forecasting import Forecaster, Panel, trained
from recurra.forecasting.frequency import Frequency
from recurra.forecasting.trained import _split_in_time
from recurra.forecasting.windows import Windows
from recurra.random import draw_seed


def test_training_leaves_the_random_numbers_of_the_program_alone():
    def drawn(train):
        recurra.utils.set_random_seed(5)
        if train:
            quick(budget_s=1e-9).fit(monthly())
        return random.random(), np.random.rand(), draw_seed()

    assert drawn(train=True) == drawn(train=False)


def test_a_day_of_hours_is_one_timestep_and_a_week_is_seen(tmp_path):
    # Hours whose weekends are lower: what two days back say is not enough.
    t = np.arange(24 * 7 * 6)
    rng = np.random.default_rng(0)
    hours = 20 + 5 * np.sin(2 * np.pi * t / 24) - 8 * (t // 24 % 7 >= 5) + 0.3 * rng.standard_normal(len(t))
    panel = Panel.from_arrays([hours[: 24 * 7 * 5 + 96]], Frequency("h"))  # the forecast is of a Friday and a Saturday
    fitted = Forecaster("gru", horizon=48, n_seeds=1).fit(panel)
    settings = fitted._trained.settings
    assert (settings.lookback, settings.segment) == (168, 24)
    error = np.abs(fitted.predict_arrays()["y_hat"][0] - hours[24 * 7 * 5 + 96 : 24 * 7 * 5 + 144]).mean()
    assert error < 1.5  # was 3.5 with single hours of two days
    fitted.save(tmp_path / "f.keras")
    np.testing.assert_array_equal(
        Forecaster.load(tmp_path / "f.keras").predict_arrays()["y_hat"], fitted.predict_arrays()["y_hat"]
    )


@pytest.mark.parametrize(
    "count, season, lookback, expected",
    [
        (84, 24, "auto", (30, 1)),
        (120, 24, "auto", (48, 24)),
        (2000, 24, "auto", (168, 24)),
        (2000, 24, 36, (36, 1)),
        (2000, 24, 72, (72, 24)),
        (2000, 12, "auto", (48, 1)),
        (2000, 288, "auto", (60, 1)),
    ],
)
def test_segments_are_seasons_where_the_series_is_long_enough(count, season, lookback, expected):
    series = np.random.default_rng(0).standard_normal(count)
    fitted = Forecaster("gru", horizon=24, season_length=season, lookback=lookback, n_seeds=1, budget_s=1e-9)
    fitted.fit(Panel.from_arrays([series]))
    assert (fitted._trained.settings.lookback, fitted._trained.settings.segment) == expected


def test_a_lookback_that_the_data_does_not_allow_is_refused():
    panel = Panel.from_arrays([np.sin(np.arange(80.0) / 3), np.arange(100.0)])
    message = r"a lookback of at most 74 for a horizon of 4 and 80 values to learn from, got 75: choose a shorter one"
    with pytest.raises(DataError, match=message):
        Forecaster("gru", horizon=4, lookback=75, n_seeds=1).fit(panel)
    longest = Forecaster("gru", horizon=4, lookback=74, n_seeds=1, budget_s=1e-9)
    assert longest.fit(panel)._trained.settings.lookback == 74
    with pytest.raises(DataError, match="at most 70 for a horizon of 4 and 76 values to learn from, got 74"):
        longest.backtest(panel, n_windows=1)


def test_no_window_ends_within_a_gap(monkeypatch):
    ends = []
    anchored = trained._anchored
    monkeypatch.setattr(trained, "_anchored", lambda windows, at: ends.append(at) or anchored(windows, at))
    observed = np.arange(200) % 3 != 1
    panel = replace(monthly(100, series=2), observed=observed, fill="interpolate")
    quick(budget_s=1e-9).fit(panel)
    assert len(ends) == 2
    assert all(observed[at].all() for at in ends)
    assert np.unique(np.concatenate(ends) // 100).tolist() == [0, 1]


def test_a_spent_budget_stops_each_network_after_its_first_epoch(monkeypatch):
    epochs = []
    train = recurra.Sequential.fit

    def counted(self, *args, **kwargs):
        history = train(self, *args, **kwargs)
        epochs.append(len(history.epoch))
        return history

    monkeypatch.setattr(recurra.Sequential, "fit", counted)
    Forecaster("gru", horizon=6, budget_s=1e-9).fit(monthly())
    assert epochs == [1, 1, 1]


def test_the_futures_of_training_end_before_the_held_back_windows_do():
    panel, horizon = Panel.from_arrays([season(120)]), 6
    windows = Windows(panel.values, panel.indptr, 12, horizon)
    train, held, *_ = _split_in_time(windows, panel, horizon)
    assert train.max() + horizon == held.min()  # the last value of those futures is the last one known to the others
    assert train.min() == 11 and held.max() == 119 - horizon and len(held) == 103 // 6
