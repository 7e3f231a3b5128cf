"""forecast(): which model is used, and what is said of it."""

from datetime import timedelta

import numpy as np
import pandas
import polars
import pytest
from samples import in_days, monthly

from recurra.errors import DataError
from recurra.forecasting import Forecaster, Panel, forecast


def test_several_series_share_one_network():
    panel = monthly(series=3)
    result = forecast(panel, 6, n_seeds=1)
    assert next(iter(result.columns)) == "unique_id"
    assert len(result.columns["y_hat"]) == 18
    assert {row["model"] for row in result.backtest.rows} == {"gru", "naive", "seasonal_naive", "drift", "theta"}


def test_a_baseline_that_wins_is_used_and_told():
    walk = Panel.from_arrays([np.random.default_rng(5).standard_normal(60).cumsum()])
    result = forecast(walk, 4, n_seeds=1)
    best = result.backtest.rows[0]["model"]
    assert result.model == best == result.backtest.winner
    assert best != "gru"
    assert any("was better than the network" in remark for remark in result.remarks)
    asked = forecast(walk, 4, n_seeds=1, model="gru")
    assert asked.model == "gru"
    assert (asked.backtest.winner == "gru") != any("was asked for" in remark for remark in asked.remarks)


def test_a_constant_series_is_forecast_as_it_is():
    result = forecast(Panel.from_arrays([np.full(40, 3.5)]), 5)
    assert set(result.columns["y_hat"]) == set(result.columns["hi-95"]) == {3.5}
    assert any("constant" in remark for remark in result.remarks)


def test_a_better_model_than_the_one_asked_for_is_told_of_beside_a_constant_series():
    panel = Panel.from_arrays([np.arange(40.0), np.full(40, 3.5)])
    remarks = forecast(panel, 5, model="naive").remarks
    assert "drift was better in the backtest, but naive was asked for" in remarks
    assert not any("asked for" in remark for remark in forecast(panel, 5, model="drift").remarks)


@pytest.mark.parametrize(
    "count, horizon, message",
    [
        (5, 1, "at least 10 values for a horizon of 1, got 5"),
        (40, 30, "a horizon of at most 16"),
        (9, None, "at least 10 values for a horizon of 1, got 9: bring more data"),
    ],
)
def test_too_few_values_are_refused_with_the_number_needed(count, horizon, message):
    with pytest.raises(DataError, match=message):
        forecast(Panel.from_arrays([np.arange(count, dtype=float)]), horizon)


def test_years_come_back_as_whole_numbers():
    frame = polars.DataFrame({"year": range(1980, 2020), "y": np.arange(40.0)})
    assert forecast(frame, 2, model="naive").frame["year"].to_list() == [2020, 2021]


def test_rare_sales_are_forecast_and_scored_up_to_the_end_of_the_panel():
    rng = np.random.default_rng(3)
    sold = {f"s{i}": rng.poisson(0.3, 120) for i in range(20)}
    everything = in_days(sold)
    rows = everything.filter(polars.col("y") > 0)
    result = forecast(rows, 3, model="naive", freq="D", fill="zero")
    assert result.panel.lengths.min() > 60
    assert result.frame["ds"].n_unique() == 3
    ends = rows["ds"].max()
    assert result.frame["ds"].min() == ends + timedelta(days=1)
    last = everything.filter(polars.col("ds") == ends)["y"]
    np.testing.assert_array_equal(result.frame["y_hat"].to_numpy()[::3], last)  # was 1 and more: the last sale of each
    assert not any("scores" in remark for remark in result.remarks)


def test_many_constant_series_are_counted():
    result = forecast(in_days({f"s{i}": [1.0] * 20 for i in range(29)}), 2, model="naive")
    assert "constant, so forecast as they are: 's0', 's1', 's2', 's3', 's4' and 24 more" in result.remarks


def test_short_series_of_many_are_counted():
    new = {f"n{i}": [1.0, 2, 3, 4] for i in range(40)}
    message = r"series 'n0' \(and 39 more of 41 series\) .* horizon of 2, got 4: bring more data, or leave them out$"
    with pytest.raises(DataError, match=message):
        forecast(in_days({"old": np.arange(60)} | new), 2)
    with pytest.raises(DataError, match=r"series 'n0' expected .* got 4: bring more data, or leave it out$"):
        forecast(in_days({"old": np.arange(60), "n0": new["n0"]}), 2)
    with pytest.raises(DataError, match=r"series 'n0' \(and 1 more of 2 series\) .* got 4: bring more data$"):
        forecast(in_days({"n0": new["n0"], "n1": new["n1"]}), 2)


@pytest.mark.parametrize("library", [pandas, polars])
def test_a_forecast_shows_its_first_rows_and_what_is_worth_knowing(library):
    times = np.arange("2015-01", "2023-01", dtype="datetime64[M]").astype("datetime64[us]")
    frame = library.DataFrame(
        {"unique_id": ["a"] * 96 + ["b"] * 96, "ds": np.tile(times, 2), "y": np.arange(192.0) % 12}
    )
    result = forecast(frame, 12, model="naive")
    first, *shown = repr(result).splitlines()
    about = "model='naive', n_series=2, horizon=12, season_length=12"
    assert first == f"Forecast({about}), the first 10 of 24 rows of .frame:"
    assert shown[:-1] == repr(result.frame[:10]).splitlines()
    assert shown[-1] == "remark: seasonal_naive was better in the backtest, but naive was asked for"
    assert repr(forecast(frame, 3)).splitlines()[0].endswith("horizon=3, season_length=12), .frame:")


def test_what_forecasts_are_made_of_shows_itself_in_short():
    result = forecast(monthly(), 6, model="theta")
    options = "horizon=6, lookback='auto', season_length=12, seed=0, n_seeds=3, budget_s=None"
    assert repr(result.forecaster) == f"Forecaster(model='theta', {options})"
    assert repr(Forecaster(horizon=6, season_length=12)) == f"Forecaster(model='gru', {options})"
    names = "id_col=None, time_col='ds', target_col='y'"
    assert repr(result.panel) == f"Panel(n_series=1, n_values=96, freq='MS', {names})"
    first, heads, *rows = repr(result.backtest).splitlines()
    about = f"n_windows={result.backtest.n_windows}, step_size=2, horizon=6"
    assert first == f"Backtest(winner={result.backtest.winner!r}, {about}):"
    assert heads.split() == [*result.backtest.rows[0]]
    assert [row.split()[0] for row in rows] == [row["model"] for row in result.backtest.rows]
    assert float(rows[0].split()[2]) == pytest.approx(result.backtest.rows[0]["MASE"], rel=1e-3)
