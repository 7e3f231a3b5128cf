"""The baselines, by hand and beside each other: their forecasts and their own past errors."""

from datetime import datetime, timedelta

import numpy as np
import polars
import pytest
from samples import after, hours, season, two_weekly

from recurra.errors import DataError
from recurra.forecasting import Forecaster, Panel, baselines, forecaster, read_panel
from recurra.forecasting.baselines import BASELINES, forecast_with_errors
from recurra.forecasting.panel import Gaps
from recurra.forecasting.transform import seasonal_pattern


@pytest.mark.parametrize("model", BASELINES)
def test_a_baseline_forecasts_the_series_and_steps_of_fit_alone(model):
    frame = two_weekly()
    forecaster = Forecaster(model, horizon=7).fit(frame)
    assert forecaster.predict(frame[:5])["ds"][0] == frame["ds"][5]  # as few values as they are
    with pytest.raises(DataError, match="series that were in the data of fit, got 'zzz': fit to all of them"):
        forecaster.predict(frame.with_columns(unique_id=polars.lit("zzz"))[:90])
    with pytest.raises(DataError, match="daily times, as in fit, got 2-day ones: name them by freq"):
        forecaster.predict_arrays(read_panel(frame.gather_every(2)))


def test_a_baseline_goes_on_by_the_clock_of_fit():
    hours = polars.datetime_range(datetime(2024, 1, 1), datetime(2024, 1, 5), "1h", eager=True)
    frame = polars.DataFrame({"ds": hours.dt.to_string("%Y-%m-%d %H:%M") + "+09:00", "y": np.sin(np.arange(97.0))})
    forecaster = Forecaster("theta", horizon=3).fit(frame)
    in_utc = frame.with_columns((hours - timedelta(hours=9)).dt.to_string("%Y-%m-%d %H:%M").alias("ds") + "+00:00")
    assert forecaster.predict(in_utc).equals(forecaster.predict())
    for own, other in zip(*(forecaster.predict_arrays(read_panel(f)).values() for f in (frame, in_utc)), strict=True):
        np.testing.assert_array_equal(own, other)


@pytest.mark.parametrize("model", ["naive", "seasonal_naive", "drift"])
@pytest.mark.parametrize("horizon", [1, 5])
def test_baselines_of_many_series_are_those_of_each_alone(model, horizon, monkeypatch):
    monkeypatch.setattr(forecaster, "MOST_AT_ONCE", 1000)  # of sixty series a few at once
    rng = np.random.default_rng(horizon)
    series = [rng.standard_normal(count).cumsum() for count in (60, 61, 40) * 20]
    together = Forecaster(model, horizon=horizon, season_length=7).fit(Panel.from_arrays(series)).predict_arrays()
    for i, one in enumerate(series):
        alone = Forecaster(model, horizon=horizon, season_length=7).fit(Panel.from_arrays([one])).predict_arrays()
        assert "y_hat" in alone and alone.keys() == together.keys()
        for name, values in alone.items():
            np.testing.assert_array_equal(together[name][i], values[0])


def test_baselines_by_hand():
    past = np.array([1.0, 2.0, 3.0, 5.0])
    assert after("naive", past, 2, 1).tolist() == [5, 5]
    assert after("seasonal_naive", past, 5, 3).tolist() == [2, 3, 5, 2, 3]
    np.testing.assert_allclose(after("drift", past, 2, 1), [5 + 4 / 3, 5 + 8 / 3])


def theta_one_by_one(past, horizon, m, at, seasonal):
    """The theta method step by step: the mean of the trend and of the smoothed line of twice the curvature."""
    logs = np.log(past)
    pattern = seasonal_pattern(logs, m)[0] if seasonal else np.zeros(m)
    season = pattern[np.arange(len(past) + horizon) % m]
    rest = np.exp(logs - season[: len(past)])

    def ahead(count, weight, slope, steps):
        level, trend = rest[0], 0.0  # the trend less its value at the first time
        for t in range(1, count):
            level += weight * (rest[t] - level)
            trend += weight * (slope * t - trend)
        return level + (slope * (count - 1 + steps) - trend) / 2

    def slope(count):
        return np.polyfit(np.arange(count), rest[:count], 1)[0]

    weights = np.arange(1, 21) / 20
    errors = [sum((rest[t] - ahead(t, w, slope(len(rest)), 1)) ** 2 for t in range(1, len(rest))) for w in weights]
    best = weights[int(np.argmin(errors))]
    return ahead(at, best, slope(at), np.arange(1, horizon + 1)) * np.exp(season[at : at + horizon]), best


@pytest.mark.parametrize("m, seasonal", [(12, True), (1, False)])
def test_theta_is_half_the_trend_from_the_smoothed_level_on(m, seasonal):
    past = np.exp(season(72, m=12, noise=0.3, seed=3) * seasonal / 3) * (20 + 0.2 * np.arange(72))
    past += np.random.default_rng(1).standard_normal(72)
    for at in (72, 40):
        wanted, best = theta_one_by_one(past, 5, m, at, seasonal)
        assert best < 1
        np.testing.assert_allclose(BASELINES["theta"](past, 5, (m,), np.array([[at]]))[0][0], wanted, rtol=1e-9)


def test_theta_takes_values_below_zero_and_one_value():
    past = season(72, noise=0.1, trend=0.05) - 3
    shifted = after("theta", past - 100, 12, 12)
    np.testing.assert_allclose(after("theta", past, 12, 12), shifted + 100, rtol=1e-9)
    np.testing.assert_allclose(shifted, season(84, trend=0.05)[72:] - 103, atol=0.6)
    assert after("theta", np.array([4.0]), 2, 1).tolist() == [4, 4]


def test_the_errors_of_a_baseline_are_its_own_past_ones():
    past = np.array([0.0, 1.0, 0.0, 1.0, 0.0])
    forecast, sizes = forecast_with_errors("naive", past, 1, (1,))
    assert (forecast.tolist(), sizes.tolist()) == ([0], [1])
    assert (np.diff(forecast_with_errors("naive", np.random.default_rng(0).standard_normal(80), 6, (1,))[1]) >= 0).all()


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_is_fitted_once_for_its_forecast_and_its_errors(name, monkeypatch):
    past = np.exp(season(72, noise=0.3, seed=3) / 3) * (20 + 0.2 * np.arange(72))
    wanted = after(name, past, 12, 12)
    fits = []
    fit_season = baselines.fit_season
    monkeypatch.setattr(baselines, "fit_season", lambda *args: fits.append(args) or fit_season(*args))
    found = Forecaster(name, horizon=12, season_length=12).fit(Panel.from_arrays([past])).predict_arrays()
    assert len(fits) == (name == "theta")
    np.testing.assert_array_equal(found["y_hat"][0], wanted)


@pytest.mark.parametrize("name", ["naive", "seasonal_naive", "drift"])
@pytest.mark.parametrize("count, horizon, season_length", [(60, 7, 12), (20, 7, 12), (5, 3, 9), (2, 2, 1), (99, 30, 7)])
def test_the_errors_of_a_baseline_are_those_of_one_forecast_after_the_other(name, count, horizon, season_length):
    past = np.random.default_rng(count).standard_normal(count).cumsum()
    seasonal = count >= season_length * (1 if name == "seasonal_naive" else 3)
    first = min(max(season_length, 2) if seasonal else 2, count - 1)
    squares, weights = [[] for _ in range(horizon)], [[] for _ in range(horizon)]
    for cutoff in np.unique(np.linspace(first, count - 1, 60).astype(int)):
        forecast = after(name, past[:cutoff], horizon, season_length)
        for step in range(min(horizon, count - cutoff)):
            squares[step].append((past[cutoff + step] - forecast[step]) ** 2)
            weights[step].append(0.5 ** ((count - cutoff) / (count / 3)))
    sizes = [np.sqrt(np.average(a, weights=b)) if a else 0.0 for a, b in zip(squares, weights, strict=True)]
    found = forecast_with_errors(name, past, horizon, (season_length,))[1]
    np.testing.assert_allclose(found, np.maximum.accumulate(sizes), rtol=1e-12, atol=1e-300)


def test_errors_around_gaps_are_those_of_observed_values_after_observed_ones():
    seen = np.array([True, True, False, True, True, True, False, False, True, True])
    past = np.where(seen, np.arange(10.0) ** 2, 1e6)
    squares, weights = {1: [], 2: [], 3: []}, {1: [], 2: [], 3: []}
    for cutoff in range(2, 10):
        for step in (1, 2, 3):
            if seen[cutoff - 1] and cutoff + step <= 10 and seen[cutoff + step - 1]:
                squares[step].append((past[cutoff + step - 1] - past[cutoff - 1]) ** 2)
                weights[step].append(0.5 ** ((10 - cutoff) / (10 / 3)))
    sizes = [np.sqrt(np.average(squares[step], weights=weights[step])) for step in (1, 2, 3)]
    found = forecast_with_errors("naive", past, 3, (1,), gaps=Gaps(seen, "interpolate"))[1]
    np.testing.assert_allclose(found, np.maximum.accumulate(sizes), rtol=1e-12)


def test_late_errors_count_more_than_early_ones():
    calm, wild = np.tile([0.0, 1.0], 60), np.tile([0.0, 4.0], 60)
    # 60 of the 240 naive errors, all 1 in the first half and 4 in the second: 120 values are one and a half half-lives.
    later = forecast_with_errors("naive", np.r_[calm, wild], 1, (1,))[1][0]
    sooner = forecast_with_errors("naive", np.r_[wild, calm], 1, (1,))[1][0]
    share = 1 / (1 + 0.5**1.5)
    np.testing.assert_allclose([later**2, sooner**2], [16 * share + 1 - share, share + 16 * (1 - share)], rtol=0.03)


def test_errors_on_what_theta_was_fitted_to_are_taken_larger(monkeypatch):
    past = season(48, noise=0.1) + 3
    cutoffs = baselines._cutoffs(48, 12, baselines.MOST_CUTOFFS)
    assert BASELINES["theta"](past, 1, (12,), cutoffs)[1] == 14  # the season, the slope and the weight of smoothing
    assert BASELINES["theta"](past, 1, (1,), cutoffs)[1] == 2
    size = forecast_with_errors("theta", past, 1, (12,))[1]
    monkeypatch.setattr(baselines, "final_error", lambda count, fitted: np.ones(1))
    np.testing.assert_allclose(size, forecast_with_errors("theta", past, 1, (12,))[1] * np.sqrt((48 + 14) / (48 - 14)))


@pytest.mark.parametrize("name", ["seasonal_naive", "theta"])
def test_baselines_of_hours_see_the_week(name):
    whole = hours(6 * 7)
    past, actual = whole[: 24 * 33], whole[24 * 33 : 24 * 35]  # a weekend is to come
    forecast, sizes = forecast_with_errors(name, np.stack([past, hours(33, weekends=0)]), 48, (24, 168))
    assert np.abs(forecast[0] - actual).mean() < 1.5  # was 40 and 42
    alone = forecast_with_errors(name, past, 48, (24, 168))
    np.testing.assert_array_equal(forecast[0], alone[0])
    np.testing.assert_array_equal(sizes[0], alone[1])
    np.testing.assert_array_equal(forecast[1], forecast_with_errors(name, hours(33, weekends=0), 48, (24,))[0])
