"""Backtests: cutoffs that nothing is seen after, and scores that are means over all of them."""

import weakref
from dataclasses import replace

import numpy as np
import polars
import pytest
from samples import how_data_was_read_is_said, monthly, quick

from recurra.errors import DataError
from recurra.forecasting import Forecaster, Panel, forecaster, read_panel
from recurra.forecasting.accuracy import mase, mase_scale
from recurra.forecasting.backtest import choose_windows
from recurra.forecasting.baselines import BASELINES
from recurra.forecasting.frequency import Frequency

pytestmark = how_data_was_read_is_said


def assert_same_forecasts(one, other):
    """Fails unless the network and the baselines forecast the same in two backtests."""
    assert one.last.keys() == other.last.keys() == {"gru", *BASELINES}
    for model, arrays in one.last.items():
        assert "y_hat" in arrays and arrays.keys() == other.last[model].keys()
        for name, values in arrays.items():
            np.testing.assert_array_equal(values, other.last[model][name])


def test_a_backtest_sees_nothing_of_what_it_forecasts():
    panel, changed = monthly(), monthly()
    first_cutoff = panel.lengths[0] - 6
    changed.values[first_cutoff:] = np.linspace(500, 900, 6)
    tests = [quick().backtest(data, n_windows=1) for data in (panel, changed)]
    assert_same_forecasts(*tests[:2])


@pytest.mark.parametrize("fill", [None, "interpolate", "mean"])
def test_no_forecast_of_a_backtest_changes_with_what_comes_after_its_cutoff(monkeypatch, fill):
    seen = []
    predict_arrays = Forecaster.predict_arrays

    def watched(self, panel=None):
        seen.append(predict_arrays(self, panel))
        return seen[-1]

    def forecasts(panel):
        """Every forecast of the backtest, by model and cutoff."""
        seen.clear()
        assert quick(budget_s=1e-9).backtest(panel, n_windows=3).n_windows == 3
        assert len(seen) == 5 * 3
        return [seen[model::5] for model in range(5)]

    monkeypatch.setattr(Forecaster, "predict_arrays", watched)
    panel = monthly(series=2)
    if fill is not None:
        observed = np.random.default_rng(1).random(len(panel.values)) > 0.1
        panel = replace(panel, observed=observed, fill=fill)
    untouched = forecasts(panel)
    for cutoff in range(3):
        changed = replace(panel, values=panel.values.copy())
        for end in changed.indptr[1:]:
            changed.values[end - 6 * (3 - cutoff) : end] = -1e6
        for before, after in zip(untouched, forecasts(changed), strict=True):
            for k in range(3):
                same = all(np.array_equal(before[k][name], after[k][name]) for name in before[k])
                assert same == (k <= cutoff)


def of_ends(lengths, changed_from=10**9, counters=False):
    """Series of days that all begin on one day and end on others; values from a day on are others too."""
    frames = []
    for i, length in enumerate(lengths):
        t = np.arange(length)
        values = 50 + 5 * np.sin(t / 3 + i) + np.where(t < changed_from, 0, 1000 + 7 * t)
        times = t + i if counters else np.datetime64("2024-01-01", "ms") + t.astype("timedelta64[D]")
        frames.append(polars.DataFrame({"unique_id": f"s{i}", "ds": times, "y": values}))
    return polars.concat(frames)


@pytest.mark.parametrize(
    "counters, first, last", [(False, [78, 78, 78, 60], [84, 84, 80, 60]), (True, [78, 77, 76, 60], [84, 83, 80, 60])]
)
def test_a_cutoff_is_one_time_for_all_series_of_a_panel(monkeypatch, counters, first, last):
    trained_on = []
    train = forecaster.train

    def watched(panel, *args, **kwargs):
        trained_on.append(panel)
        return train(panel, *args, **kwargs)

    monkeypatch.setattr(forecaster, "train", watched)
    data = of_ends([90, 84, 80, 60], counters=counters)
    backtest = quick(budget_s=1e-9, season_length=1).backtest(data, n_windows=2)
    assert trained_on[0].lengths.tolist() == first
    assert trained_on[0].times.max() == np.unique(read_panel(data).times)[-13]
    assert backtest.last_known.tolist() == last
    assert backtest.remarks == ("the backtest scores 3 of 4 series: the others end before its cutoffs",)
    ended = [known == length for known, length in zip(last, [90, 84, 80, 60], strict=True)]
    assert np.isnan(backtest.last["gru"]["y_hat"]).any(axis=1).tolist() == ended


def test_what_other_series_hold_after_a_cutoff_is_not_seen():
    tests = [
        quick(budget_s=1e-9, season_length=1).backtest(of_ends([90, 87, 84], changed_from), n_windows=1)
        for changed_from in (84, 85)
    ]
    assert_same_forecasts(*tests[:2])
    naive = tests[1].last["naive"]["y_hat"]
    assert np.isnan(naive).all(axis=1).tolist() == [False, False, True]
    actual = read_panel(of_ends([90, 87])).values
    scale = [np.abs(np.diff(series[:84])).mean() for series in (actual[:90], actual[90:])]
    tests[1] = quick(budget_s=1e-9, season_length=1).backtest(of_ends([90, 87, 84]), n_windows=1)
    errors = [np.abs(actual[84:90] - actual[83]).mean(), np.abs(actual[174:] - actual[173]).mean()]
    row = next(row for row in tests[1].rows if row["model"] == "naive")
    assert row["MASE"] == pytest.approx(np.mean(np.divide(errors, scale)))


def test_series_without_times_are_cut_at_their_own_ends():
    t = np.arange(60.0)
    counted = Panel.from_arrays([np.sin(t), np.cos(t[:50])])
    own_counters = polars.DataFrame({"unique_id": ["a"] * 60 + ["b"] * 50, "ds": [*range(60), *range(50)], "y": 1.0})
    for data in (counted, own_counters, own_counters.drop("ds")):
        backtest = Forecaster("naive", horizon=6).backtest(data, n_windows=2)
        assert backtest.last_known.tolist() == [54, 44]
        assert not backtest.remarks


def test_what_comes_after_a_cutoff_does_not_choose_the_season():
    t = np.arange(24 * 7 * 5)
    hours = 100 + 20 * np.sin(2 * np.pi * t / 24) + np.random.default_rng(0).standard_normal(len(t))
    weekly = hours - 40 * (t // 24 % 7 >= 5)
    joined = np.r_[hours[: 24 * 28], weekly[24 * 28 :]]  # a week of which the days at the end tell
    tests = [
        Forecaster("gru", horizon=24 * 7, n_seeds=1, budget_s=1e-9).backtest(
            Panel.from_arrays([values], Frequency("h")), n_windows=1
        )
        for values in (hours, joined, weekly)
    ]
    assert_same_forecasts(*tests[:2])
    assert not np.array_equal(tests[0].last["theta"]["y_hat"], tests[2].last["theta"]["y_hat"])


def test_the_scores_of_a_backtest_are_means_over_cutoffs_and_series():
    panel = monthly(series=2)
    backtest = quick(budget_s=1e-9).backtest(panel, n_windows=3)
    drifts = []
    for cutoff in (78, 84, 90):
        for i in range(2):
            past, actual = panel.series(i)[:cutoff], panel.series(i)[cutoff : cutoff + 6]
            forecast = past[-1] + (past[-1] - past[0]) / (cutoff - 1) * np.arange(1, 7)
            error = np.abs(actual - forecast)
            scale = np.abs(past[12:] - past[:-12]).mean()
            drifts.append((np.mean(200 * error / (np.abs(actual) + np.abs(forecast))), error.mean() / scale))
    row = next(row for row in backtest.rows if row["model"] == "drift")
    np.testing.assert_allclose([row["sMAPE"], row["MASE"]], np.mean(drifts, axis=0), rtol=1e-12)
    assert backtest.winner == min(backtest.rows, key=lambda row: row["MASE"])["model"]


def test_the_network_beats_the_naive_forecast_where_there_is_something_to_learn():
    backtest = Forecaster("gru", horizon=12).backtest(monthly(144))
    scores = {row["model"]: row["MASE"] for row in backtest.rows}
    assert scores["gru"] < scores["naive"]
    assert backtest.winner == min(scores, key=scores.get)


def test_zeros_that_were_filled_in_are_data():
    sold = {step: 1.0 + step % 3 for step in range(0, 100, 7)}
    rare = polars.DataFrame({"ds": list(sold), "y": list(sold.values())})
    every = polars.DataFrame({"ds": range(99), "y": [sold.get(step, 0.0) for step in range(99)]})
    kept = {"freq": "step", "fill": "zero"}
    assert read_panel(rare, **kept).observed is None
    assert read_panel(rare, **kept).remarks == ("84 of 99 values were missing: filled by zero",)
    scores = [quick().backtest(data, **kept).rows for data in (rare, every)]
    assert scores[0] == scores[1]


def test_what_mase_divides_by_are_changes_that_were_seen():
    rng = np.random.default_rng(3)
    walk = rng.standard_normal(60).cumsum()
    seen = rng.random(60) < 0.5
    seen[[0, *range(48, 60)]] = True
    lines = Panel.from_arrays([np.interp(np.arange(60), np.flatnonzero(seen), walk[seen])])
    panel = replace(lines, observed=seen, fill="interpolate")
    found = Forecaster("naive", horizon=6).backtest(panel, n_windows=1)
    error = np.abs(walk[54:] - walk[53]).mean()
    changes = np.abs(np.diff(np.where(seen, walk, np.nan)[:54]))
    naive = next(row for row in found.rows if row["model"] == "naive")
    np.testing.assert_allclose(naive["MASE"], error / np.nanmean(changes), rtol=1e-12)


def test_mase_of_all_cutoffs_looks_back_as_far():
    walk = np.random.default_rng(3).standard_normal(27).cumsum()  # before the first 21 values, before the last 24
    found = Forecaster("naive", horizon=3).backtest(Panel.from_arrays([walk], Frequency("MS")), n_windows=2)
    naive = next(row for row in found.rows if row["model"] == "naive")
    each = [np.abs(walk[at : at + 3] - walk[at - 1]).mean() / np.abs(np.diff(walk[:at])).mean() for at in (21, 24)]
    np.testing.assert_allclose(naive["MASE"], np.mean(each), rtol=1e-12)


def test_models_that_are_as_good_as_each_other_leave_the_simplest_to_win():
    constant = quick(budget_s=1e-9).backtest(Panel.from_arrays([np.full(40, 3.5)]))
    assert [row["model"] for row in constant.rows] == ["naive", "seasonal_naive", "drift", "theta", "gru"]
    assert constant.winner == "naive"  # was gru


def test_cutoffs_leave_enough_to_learn_from():
    assert choose_windows(144, 12, None, None) == (10, 4)
    assert choose_windows(2820, 12, None, None) == (13, 4)
    assert choose_windows(36, 12, None, None) == (1, 4)
    assert choose_windows(60, 1, None, None) == (13, 1)
    assert choose_windows(144, 12, 2, 6) == (2, 6)


def test_cutoffs_leave_as_many_seasons_as_tell_of_one():
    assert choose_windows(42, 3, None, None, season_length=12) == (4, 1)
    assert choose_windows(42, 3, None, None) == (12, 1)
    assert choose_windows(38, 3, None, None, season_length=12) == choose_windows(38, 3, None, None)  # has too few
    assert choose_windows(42, 3, 4, None, season_length=12) == (4, 3)


def test_a_backtest_holds_no_more_than_a_few_cut_panels_at_a_time(monkeypatch):
    cut, held, head = [], [], Panel.head

    def counted(panel, lengths):
        made = head(panel, lengths)
        cut.append(weakref.ref(made))
        held.append(sum(one() is not None for one in cut))
        return made

    monkeypatch.setattr(Panel, "head", counted)
    assert Forecaster("naive", horizon=3).backtest(monthly(120)).n_windows == 13
    assert max(held) <= 3  # what was fitted, the one before, and the next


def test_filled_values_count_for_the_seasons_before_the_first_cutoff():
    seen = np.ones(44, bool)
    seen[3:27:4] = False
    found = Forecaster("naive", horizon=3).backtest(replace(monthly(44), observed=seen, fill="interpolate"))
    assert found.last_known[0] - found.step_size * (found.n_windows - 1) == 36  # was 32: theta knew no season


def test_cutoffs_lie_a_third_of_the_horizon_apart_unless_their_number_is_given():
    forecaster = Forecaster("naive", horizon=12)
    assert forecaster.backtest(monthly(120)).step_size == 4
    assert forecaster.backtest(monthly(120), n_windows=2).step_size == 12
    assert forecaster.backtest(monthly(120), step_size=5).step_size == 5


def test_models_are_scored_with_the_season_that_they_will_know():
    months = np.arange(42)
    sales = np.random.default_rng(0).normal(100 + 10 * np.sin(months * np.pi / 6), 2)
    scores = {
        row["model"]: row["MASE"]
        for row in Forecaster("theta", horizon=6).backtest(Panel.from_arrays([sales], "MS")).rows
    }
    assert scores["theta"] < scores["seasonal_naive"] < scores["naive"]  # was worse than seasonal_naive


def test_cutoffs_that_were_asked_for_are_made_or_refused():
    assert choose_windows(40, 4, 6, None) == (6, 4)
    assert choose_windows(40, 4, 1, None) == choose_windows(16, 4, 1, None) == (1, 4)
    with pytest.raises(DataError, match="at most 6 cutoffs 4 apart for a horizon of 4 and 40 values, got 7"):
        choose_windows(40, 4, 7, None)
    assert Forecaster("naive", horizon=4).backtest(monthly(40), n_windows=6).n_windows == 6
    with pytest.raises(DataError, match="at most 6 cutoffs"):
        Forecaster("naive", horizon=4).backtest(monthly(40), n_windows=7)


def test_filled_values_are_not_scored():
    panel = monthly(60, series=2)
    panel.values[55:60] = 1e6  # what a bad fill made of the end of the first series
    seen = np.ones(120, bool)
    seen[55:60] = False
    scored = Forecaster("naive", horizon=6).backtest(replace(panel, observed=seen), n_windows=1).rows
    kept = Forecaster("naive", horizon=6).backtest(panel, n_windows=1).rows
    for row, other in zip(scored, kept, strict=True):
        assert row["MASE"] < 10 < other["MASE"]
    past, end, answer = panel.values[:54], panel.values[54:55], panel.values[53:54]
    second = panel.values[60:]
    by_hand = [
        mase(end, answer, mase_scale(past, 12)),
        mase(second[54:], np.full(6, second[53]), mase_scale(second[:54], 12)),
    ]
    assert next(row["MASE"] for row in scored if row["model"] == "naive") == pytest.approx(np.mean(by_hand))


def test_a_backtest_on_filled_values_alone_is_refused():
    seen = np.r_[np.ones(54, bool), np.zeros(6, bool)]
    with pytest.raises(DataError, match="filled ones alone"):
        Forecaster("naive", horizon=6).backtest(replace(monthly(60), observed=seen), n_windows=1)
