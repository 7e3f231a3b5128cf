"""The forecaster: honest about the past, the same for the same seed, at home with newer data."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars
import pytest
from samples import how_data_was_read_is_said, in_days, monthly, quick, two_weekly

import recurra
from recurra.errors import DataError, NotFittedError
from recurra.forecasting import Forecaster, Panel, forecast, read_panel
from recurra.forecasting.backtest import choose_windows
from recurra.forecasting.baselines import BASELINES
from recurra.forecasting.frequency import Frequency
from recurra.random import draw_seed, seeded

pytestmark = how_data_was_read_is_said


def quick_by(model):
    return Forecaster(model, horizon=6, n_seeds=1, budget_s=1e-9)


def test_nothing_after_the_cutoff_is_seen():
    panel = monthly()
    changed = monthly()
    known = panel.lengths - 18
    changed.values[known[0] :] = -1e6
    forecasts = [quick().fit(data.head(known)).predict_arrays() for data in (panel, changed)]
    assert "y_hat" in forecasts[0] and forecasts[0].keys() == forecasts[1].keys()
    for name, values in forecasts[0].items():
        np.testing.assert_array_equal(values, forecasts[1][name])


@pytest.mark.parametrize("season, expected", [(None, 168), (24, 24), (48, 48)])
def test_a_season_that_is_given_is_the_only_one(season, expected):
    t = np.arange(24 * 7 * 5)
    hours = 100 - 40 * (t // 24 % 7 >= 5) + np.random.default_rng(0).standard_normal(len(t))
    panel = Panel.from_arrays([hours], Frequency("h"))
    repeated = np.resize(hours[-expected:], 100)
    found = Forecaster("seasonal_naive", horizon=100, season_length=season)
    np.testing.assert_array_equal(found.fit(panel).predict_arrays()["y_hat"][0], repeated)
    last = found.backtest(panel, n_windows=1).last["seasonal_naive"]["y_hat"][0]
    np.testing.assert_array_equal(last, np.resize(hours[:-100][-expected:], 100))
    by_forecast = forecast(panel, 100, model="seasonal_naive", season_length=season, n_windows=1)
    np.testing.assert_array_equal(by_forecast.columns["y_hat"], repeated)


def test_a_zero_in_a_series_of_logarithms_is_no_forecast_of_nothing():
    rng, t = np.random.default_rng(0), np.arange(144)
    sales = 50 * np.exp(0.02 * t + 0.4 * np.sin(2 * np.pi * t / 12) + 0.05 * rng.standard_normal(144))
    forecaster = quick(season_length=12).fit(Panel.from_arrays([sales]))
    assert forecaster._trained.transforms[0].log
    sales[-1] = 0.0  # the shop was closed
    arrays = forecaster.predict_arrays(Panel.from_arrays([sales]))
    assert (arrays["y_hat"] > 0.5 * sales[:-1].min()).all()  # was 1e-308


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    first, again, other = (quick(seed=seed).fit(monthly()).predict_arrays()["y_hat"] for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)


def test_the_stream_goes_on_after_an_error():
    recurra.utils.set_random_seed(5)
    wanted = draw_seed()
    recurra.utils.set_random_seed(5)
    with pytest.raises(KeyboardInterrupt), seeded(1):
        inside = draw_seed()
        raise KeyboardInterrupt
    assert draw_seed() == wanted
    recurra.utils.set_random_seed(1)
    assert draw_seed() == inside


def test_no_season_is_never_too_long():
    frame = polars.DataFrame({"ds": ["2024-01-01", "2024-01-02", "2024-01-03"], "y": [None, None, 5.0]})
    with pytest.raises(DataError, match="at least 10 values for a horizon of 1, got 1: bring more data"):
        Forecaster("naive", season_length=1).fit(frame, fill="ffill")  # was: choose a season of at most 0


@pytest.mark.parametrize("fill", ["interpolate", "ffill", "mean"])
def test_values_that_were_filled_do_not_count(fill):
    known = {0: 1.0, 30: 5.0, 99: 2.0}
    frame = polars.DataFrame({"ds": range(100), "y": [known.get(step) for step in range(100)]})
    message = r"at least 10 values for a horizon of 1, got 3 and 97 that were filled, which do not count: bring more"
    with pytest.raises(DataError, match=message):
        forecast(frame, fill=fill)
    half = polars.DataFrame({"ds": range(80), "y": [float(step) if step % 2 else None for step in range(80)]})
    with pytest.raises(DataError, match=r"got 40 and 39 that were filled, .* use a horizon of at most 16"):
        Forecaster("naive", horizon=17).fit(half, fill=fill)
    assert Forecaster("naive", horizon=4).backtest(half, fill=fill).n_windows == choose_windows(40, 4, None, None)[0]


@pytest.mark.parametrize("exponent", [-541, -900, 330, 600])  # 1e-163, 1e-271, 1e99 and 1e181
@pytest.mark.parametrize("model", ["naive", "seasonal_naive", "drift", "theta", "gru"])
def test_forecasts_are_those_of_any_unit(model, exponent):
    usual = monthly(series=2)
    usual.values[:] -= 12  # of both signs: else theta takes logarithms, which are rounded elsewhere
    tiny = replace(usual, values=np.ldexp(usual.values, exponent))
    arrays, found = (quick_by(model).fit(panel).predict_arrays() for panel in (usual, tiny))
    for name, values in arrays.items():
        np.testing.assert_array_equal(found[name], np.ldexp(values, exponent))
    assert (found["lo-95"] < found["hi-95"]).all()  # were as wide as nothing
    positive = replace(usual, values=usual.values + 20)
    arrays, found = (
        quick_by(model).fit(replace(positive, values=np.ldexp(positive.values, e))).predict_arrays()
        for e in (0, exponent)
    )
    for name, values in arrays.items():
        np.testing.assert_allclose(found[name], np.ldexp(values, exponent), rtol=1e-9)


def test_a_wrong_option_is_told():
    with pytest.raises(ValueError, match="horizon to be a positive integer, got 0"):
        forecast(monthly(), 0)
    with pytest.raises(ValueError, match="model to be one of"):
        forecast(monthly(), 3, model="transformer")
    for data in (None, "newer.csv"):  # was read before anything was said
        with pytest.raises(NotFittedError, match="call fit first"):
            Forecaster().predict(data)
    with pytest.raises(NotFittedError, match=r"Forecaster\.columns expected a fitted forecaster, got none"):
        Forecaster().columns({"y_hat": np.zeros((1, 3))})


def test_fitting_to_other_data_chooses_anew():
    forecaster = Forecaster("naive").fit(monthly())
    assert (forecaster.horizon, forecaster.season_length) == (12, 12)
    forecaster.fit(Panel.from_arrays([np.arange(100.0)], Frequency("D")))
    assert (forecaster.horizon, forecaster.season_length) == (7, 7)
    assert forecaster.predict().height == 7
    assert forecaster.backtest(monthly()).horizon == 12
    kept = Forecaster("naive", horizon=5).fit(monthly()).fit(Panel.from_arrays([np.arange(100.0)], Frequency("D")))
    assert (kept.horizon, kept.season_length) == (5, 7)


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_a_refit_that_is_stopped_leaves_the_forecaster_as_it_was(tmp_path, error):
    def stop(line):
        raise error

    forecaster = Forecaster("gru", n_seeds=1).fit(monthly())
    before = forecaster.predict()
    with pytest.raises(error):
        forecaster.fit(Panel.from_arrays([np.sin(np.arange(100.0))], Frequency("D")), progress=stop)
    assert (forecaster.horizon, forecaster.season_length) == (12, 12)
    assert forecaster.predict().equals(before)
    forecaster.save(tmp_path / "f.keras")
    assert Forecaster.load(tmp_path / "f.keras").predict().equals(before)


@pytest.mark.parametrize("count, horizon", [(600, 288), (400, 196), (20, 6), (10, 1)])
def test_the_horizon_that_nobody_named_is_a_season_or_what_the_data_allows(count, horizon):
    panel = Panel.from_arrays([np.arange(float(count)) % 7])
    season = 288 if count > 288 else None
    assert Forecaster("naive", season_length=season).fit(panel).horizon == horizon
    shortened = [text for text in forecast(panel, model="naive", season_length=season).remarks if "horizon" in text]
    assert bool(shortened) == (horizon == 196)


@pytest.mark.parametrize("seed", [1.5, "a", None])
def test_a_seed_that_is_no_whole_number_is_refused(seed):
    with pytest.raises(TypeError, match="seed to be a whole number from 0 to 4294967293, got"):
        Forecaster(seed=seed)


@pytest.mark.parametrize("seed", [-1, 2**32 - 1, 2**32])
def test_a_seed_out_of_range_is_refused(seed):
    with pytest.raises(ValueError, match="seed to be a whole number from 0 to 4294967293, got"):
        forecast("nothing.csv", seed=seed)
    assert Forecaster(seed=2**32 - 1, n_seeds=1).seed == 2**32 - 1


def test_a_seed_of_numpy_is_a_seed(tmp_path):
    fitted = quick(seed=np.int64(3), budget_s=1e-9).fit(monthly())
    fitted.save(tmp_path / "f.keras")
    assert type(Forecaster.load(tmp_path / "f.keras").seed) is int


@pytest.mark.parametrize("budget", ["60s", 0, -1.0, float("nan"), True])
def test_a_budget_that_is_no_time_is_refused(budget):
    for call in (lambda: Forecaster(budget_s=budget), lambda: forecast("nothing.csv", budget_s=budget)):
        with pytest.raises(ValueError, match="budget_s to be a number of seconds above 0, got"):
            call()


def test_a_season_as_long_as_the_series_is_refused():
    with pytest.raises(DataError, match=r"a season of 40 expected longer series, got 'series_0' of 40 values"):
        forecast(monthly(40), 3, model="naive", season_length=40)
    assert forecast(monthly(40), 3, model="naive", season_length=39).season_length == 39
    assert forecast(monthly(10), 1, model="naive").season_length == 12


@pytest.mark.parametrize("changes", [{"time_col": "lo-80"}, {"id_col": "y_hat"}, {"id_col": "ds"}])
def test_a_column_named_like_one_of_the_result_is_refused(changes):
    name = next(iter(changes.values()))
    with pytest.raises(DataError, match=f"column expected a name that .* got '{name}'"):
        Forecaster("naive", horizon=3).fit(replace(monthly(series=2), **changes))


def test_other_ends_of_the_series_are_forecast_by_their_names_and_times(tmp_path):
    Forecaster("gru", horizon=7, n_seeds=1).fit(two_weekly()).save(tmp_path / "f.keras")
    forecaster = Forecaster.load(tmp_path / "f.keras")
    whole = forecaster.predict()
    assert forecaster.predict(two_weekly()).equals(whole)
    assert forecaster.predict(two_weekly(start=3)).equals(whole)  # another day of the week begins
    swapped = forecaster.predict(two_weekly(ids="ba"))
    assert swapped["unique_id"].unique(maintain_order=True).to_list() == ["b", "a"]
    assert swapped.sort("unique_id", maintain_order=True).equals(whole)
    assert forecaster.predict(two_weekly(ids="b")).equals(whole.filter(polars.col("unique_id") == "b"))
    newer = forecaster.predict(two_weekly(start=40, end=100))
    np.testing.assert_allclose(newer["y_hat"], two_weekly(100, 107)["y"], rtol=0.005)
    assert newer["ds"].to_list() == two_weekly(100, 107)["ds"].to_list()


def test_one_series_is_known_whatever_its_file_is_called(tmp_path):
    one = two_weekly(ids="a").drop("unique_id")
    one.write_csv(tmp_path / "then.csv")
    one[3:].write_csv(tmp_path / "now.csv")
    forecaster = Forecaster("gru", horizon=7, n_seeds=1).fit(tmp_path / "then.csv")
    assert forecaster.predict(tmp_path / "now.csv").equals(forecaster.predict())


def test_newer_rows_without_times_are_refused_where_a_season_matters(tmp_path):
    t = np.arange(100)
    wave = 100 + 5 * np.sin(2 * np.pi * t / 12) + 0.1 * np.cos(1.7 * t)
    frame = polars.DataFrame({"y": wave})
    fitted = quick(budget_s=1e-9, season_length=12).fit(frame[:90])
    fitted.save(tmp_path / "f.keras")
    for one in (fitted, Forecaster.load(tmp_path / "f.keras")):
        assert one.predict(frame[:90])["y_hat"].equals(fitted.predict()["y_hat"])
        assert one.predict(frame)["ds"].to_list() == list(range(100, 106))
        with pytest.raises(DataError, match=r"expected a column of times.* where in the season of 12 they begin, add"):
            one.predict(frame[5:])
    counted = frame.with_columns(ds=t)
    fitted = quick(budget_s=1e-9, season_length=12).fit(counted[:90])
    np.testing.assert_array_equal(fitted.predict(counted)["y_hat"], fitted.predict(counted[5:])["y_hat"])
    without = quick(budget_s=1e-9, season_length=12).fit(frame[:90])
    without.save(tmp_path / "f.keras")
    assert Forecaster.load(tmp_path / "f.keras")._trained.panel.source.counted
    none = quick(budget_s=1e-9).fit(frame[:90])
    np.testing.assert_array_equal(none.predict(frame)["y_hat"], none.predict(frame[5:])["y_hat"])


@pytest.mark.parametrize(
    "data, message",
    [
        (two_weekly(end=5), r"at least 14 values of each series, which the network sees, got 5 of 'a'"),
        (two_weekly().with_columns(unique_id=polars.lit("c"))[:90], "series that were in the data of fit, got"),
        (two_weekly().gather_every(2), "daily times, as in fit, got 2-day ones"),
        (
            two_weekly().with_columns(polars.col("ds") + timedelta(hours=6)),
            "a whole number of steps from 2024-01-01, as in fit, got 2024-01-01 06:00:00",
        ),
    ],
)
def test_other_data_than_that_of_fit_is_refused(data, message):
    forecaster = Forecaster("gru", horizon=7, n_seeds=1, budget_s=1e-9).fit(two_weekly())
    with pytest.raises(DataError, match=message):
        forecaster.predict(data)


def test_starts_of_months_and_ends_are_told_apart_by_their_days():
    months = polars.date_range(date(2019, 1, 1), date(2023, 12, 1), "1mo", eager=True)
    frame = polars.DataFrame({"ds": months, "y": np.sin(np.arange(60.0))})
    forecaster = Forecaster("gru", horizon=3, n_seeds=1, budget_s=1e-9).fit(frame)
    with pytest.raises(DataError, match="monthly times such as 2019-01-01, as in fit, got 2019-01-31: write both"):
        forecaster.predict(frame.with_columns(polars.col("ds").dt.month_end()))


def test_hours_of_another_clock_than_that_of_fit_are_refused():
    hours = polars.datetime_range(datetime(2024, 1, 1), datetime(2024, 1, 5), "1h", eager=True)
    frame = polars.DataFrame({"ds": hours, "y": np.sin(np.arange(97.0))})
    forecaster = Forecaster("gru", horizon=3, n_seeds=1, budget_s=1e-9).fit(frame)
    with pytest.raises(DataError, match=r"times as in fit \(no zone\), got times of another clock \(Asia/Seoul\)"):
        forecaster.predict(frame.with_columns(polars.col("ds").dt.replace_time_zone("Asia/Seoul")))


def two_of_each(start=0, end=60):
    """Two columns of days and two of values, of which the wrong ones would be found."""
    t = np.arange(start, end)
    days = np.datetime64("2024-01-01", "ms") + t.astype("timedelta64[D]")
    later = days + np.timedelta64(40, "D")
    return polars.DataFrame({"date": days, "shipped": later, "value": t + 1000.0, "sales": 10 + t % 7 + 0.1 * (t % 3)})


@pytest.mark.parametrize("saved", [False, True])
def test_newer_data_is_read_by_the_columns_of_fit(tmp_path, saved):
    chosen = {"time_col": "shipped", "target_col": "sales"}
    forecaster = Forecaster("gru", horizon=3, n_seeds=1).fit(two_of_each(), **chosen)
    if saved:
        forecaster.save(tmp_path / "f.keras")
        forecaster = Forecaster.load(tmp_path / "f.keras")
    wanted = forecaster.predict()
    assert forecaster.predict(two_of_each()).equals(wanted)
    assert forecaster.predict(two_of_each(), target_col=None).equals(wanted)
    tests = [forecaster.backtest(two_of_each(), n_windows=1, **columns) for columns in ({}, chosen)]
    assert tests[0].rows == tests[1].rows
    other = forecaster.predict(two_of_each(), target_col="value")
    assert other["y_hat"].min() > 1000
    lacking = two_of_each().drop("sales")
    for read in (forecaster.predict, forecaster.backtest):
        with pytest.raises(
            DataError, match=r"the target column 'sales', got .*: fit was on 'sales', name another with"
        ):
            read(lacking)
    with pytest.raises(DataError, match=r"the target column 'x', got 'date', 'shipped', 'value', 'sales'$"):
        forecaster.predict(two_of_each(), target_col="x")


@pytest.mark.parametrize("zone", [None, "Asia/Seoul"])
def test_ten_values_a_second_are_forecast_at_tenths(tmp_path, zone):
    times = np.datetime64("2024-01-01T10:00:00", "us") + np.arange(60) * np.timedelta64(100, "ms")
    frame = polars.DataFrame({"ds": times, "y": np.sin(np.arange(60.0))})
    if zone:
        frame = frame.with_columns(polars.col("ds").dt.replace_time_zone(zone))
    forecaster = quick(budget_s=1e-9).fit(frame)
    ahead = [datetime(2024, 1, 1, 10, 0, 6, 100_000 * i, ZoneInfo(zone) if zone else None) for i in range(6)]
    assert forecaster.predict()["ds"].to_list() == ahead
    forecaster.save(tmp_path / "f.keras")
    assert Forecaster.load(tmp_path / "f.keras").predict().equals(forecaster.predict())
    frame.write_csv(tmp_path / "f.csv")
    told = read_panel(tmp_path / "f.csv")
    assert str(told.freq) == "100-millisecond"
    assert told.clock.write(told.times[:2])[1] == "2024-01-01 10:00:00.100" + ("+09:00" if zone else "")


@pytest.mark.parametrize("saved", [False, True])
def test_newer_data_is_read_with_the_step_and_the_fill_of_fit(tmp_path, saved):
    rng = np.random.default_rng(1)
    last_days = np.busday_offset(np.arange("2015-02", "2023-02", dtype="datetime64[M]").astype("M8[D]"), -1, "backward")
    values = np.where(np.isin(np.arange(96), [3, 40, 94, 95]), np.nan, 10 + rng.standard_normal(96).cumsum())
    frame = polars.DataFrame({"ds": last_days, "y": values})
    forecaster = quick(budget_s=1e-9).fit(frame, freq="MS", fill="ffill")
    wanted = forecaster.predict()
    if saved:
        forecaster.save(tmp_path / "f.keras")
        forecaster = Forecaster.load(tmp_path / "f.keras")
    assert forecaster.predict(frame).equals(wanted)  # "MS" and "ffill" had to be said again
    assert forecaster.predict().equals(wanted)  # the gap at the end makes intervals wider, also of what was loaded
    rows = [forecaster.backtest(frame, **options).rows for options in ({}, {"freq": "ME", "fill": "ffill"})]
    assert rows[0] == rows[1]
    assert not forecaster.predict(frame, fill="zero").equals(wanted)


@pytest.mark.parametrize("id_col", ["shop", "shop,town"])
def test_newer_data_is_read_by_the_ids_of_fit(id_col):
    frame = two_weekly().rename({"unique_id": "shop"}).with_columns(town=polars.lit("x"))
    forecaster = Forecaster("gru", horizon=7, n_seeds=1, budget_s=1e-9).fit(frame, id_col=id_col, target_col="y")
    assert forecaster.predict(frame).equals(forecaster.predict())
    with pytest.raises(DataError, match=f"fit was on '{id_col}', name another with id_col"):
        forecaster.predict(frame.drop("shop"))


def test_rows_that_were_counted_are_counted_again():
    frame = two_of_each().select("sales")
    with pytest.warns(UserWarning, match="no column of times: rows are counted"):
        forecaster = Forecaster("naive", horizon=3).fit(frame)
    with pytest.warns(UserWarning, match="no column of times: rows are counted"):
        assert forecaster.predict(frame).equals(forecaster.predict())


def test_how_newer_data_was_read_is_said(tmp_path):
    def write(name, values):
        rows = "".join(f"2024-{1 + i // 28:02d}-{1 + i % 28:02d}\t{value}\n" for i, value in enumerate(values))
        (tmp_path / name).write_text("date\tprice\n" + rows)
        return tmp_path / name

    forecaster = Forecaster("naive", horizon=3).fit(write("fit.tsv", [f"{i % 7},5" for i in range(28)]))
    with pytest.warns(UserWarning, match="'1,000' was read as 1000: the comma could be a decimal sign too") as caught:
        forecaster.predict(write("new.tsv", [f"{1 + i % 7},000" for i in range(28)]))
    assert caught[0].filename == __file__


def hours_of_berlin(start, count, utc=False):
    """Hours with a season of a day, as texts with the offset of Berlin or of UTC."""
    first = datetime.fromisoformat(f"{start}T00:00+00:00")
    moments = [first + timedelta(hours=i) for i in range(count)]
    zone = ZoneInfo("UTC" if utc else "Europe/Berlin")
    texts = [moment.astimezone(zone).isoformat() for moment in moments]
    return polars.DataFrame({"ds": texts, "y": [10 + np.sin(2 * np.pi * m.hour / 24) for m in moments]})


@pytest.mark.parametrize("of_fit", [("2024-03-20", 480, False), ("2024-01-01", 480, False), ("2024-01-01", 480, True)])
def test_hours_of_other_offsets_than_those_of_fit_are_brought_to_its_clock(of_fit):
    forecaster = Forecaster("gru", horizon=6, n_seeds=1).fit(hours_of_berlin(*of_fit))
    offset = forecaster.predict()["ds"][0][-6:]
    for newer in (("2024-11-01", 300, False), ("2024-07-01", 300, False), ("2024-03-25", 300, False)):
        found = forecaster.predict(hours_of_berlin(*newer))
        wanted = forecaster.predict(hours_of_berlin(*newer[:2], True))
        assert found.equals(wanted)
        assert found["ds"][0][-6:] == offset == ("+01:00" if of_fit == ("2024-01-01", 480, False) else "+00:00")
        last = datetime.fromisoformat(f"{newer[0]}T00:00+00:00") + timedelta(hours=299)
        assert datetime.fromisoformat(found["ds"][0]) == last + timedelta(hours=1)
        np.testing.assert_allclose(found["y_hat"][0], 10 + np.sin(2 * np.pi * (last.hour + 1) / 24), atol=0.2)


@pytest.mark.filterwarnings("ignore:zeros were added")
def test_newer_data_has_its_zeros_up_to_its_own_end():
    sold = {"a": np.tile([1.0, 0, 2, 0, 3], 8), "b": np.tile([2.0, 0, 0, 1, 0], 8)}
    rows = in_days(sold).filter(polars.col("y") > 0)
    forecaster = Forecaster("naive", horizon=2).fit(rows, freq="D", fill="zero")
    newer = forecaster.predict(rows.filter(polars.col("ds") < datetime(2024, 1, 11)))
    assert newer["ds"].unique().sort().to_list() == [datetime(2024, 1, 11), datetime(2024, 1, 12)]
    assert newer["y_hat"].to_list() == [3, 3, 0, 0]
    alone = forecaster.predict(rows.filter(polars.col("unique_id") == "b"))
    assert alone["ds"].min() == datetime(2024, 2, 9)
    assert alone["y_hat"].to_list() == [1, 1]


@pytest.mark.parametrize("model", ["theta", "seasonal_naive", "gru"])
def test_the_season_of_the_step_may_be_named_whatever_the_lengths(model):
    t = np.arange(160)
    values = 50 + 10 * np.sin(2 * np.pi * t / 52) + np.random.default_rng(0).standard_normal(160)
    frame = in_days({"old": values, "mid": values[:40], "new": values[:14]}, every=7)
    named, default = (forecast(frame, 2, model=model, n_seeds=1, season_length=season) for season in (52, None))
    assert named.season_length == 52
    assert named.frame.equals(default.frame)
    assert forecast(frame, 2, model="naive", season_length=30).season_length == 30  # fits the longest alone
    with pytest.raises(DataError, match=r"a season of 160 .* 'old' of 160 values, the longest: .* at most 159, or 1"):
        forecast(frame, 2, model=model, season_length=160)


@pytest.mark.parametrize("model", ["naive", "theta", "gru"])
@pytest.mark.parametrize("first", [0, 2, 3])
def test_a_working_week_goes_on_in_business_days(model, first):
    weekdays = np.busday_offset("2024-01-01", np.arange(68)).astype("datetime64[us]")
    frame = polars.DataFrame({"ds": weekdays, "y": np.sin(np.arange(68.0))})
    forecaster = Forecaster(model, horizon=2, lookback=5, n_seeds=1).fit(frame[:60])
    newer = forecaster.predict(frame[60 + first :][:5])  # was: expected business-daily times, got daily ones
    assert (
        newer["ds"].to_numpy().tolist()
        == np.busday_offset("2024-01-01", 65 + np.arange(2) + first).astype("datetime64[us]").tolist()
    )
    with pytest.raises(DataError, match="business-daily times, as in fit, got daily ones"):
        forecaster.predict(polars.DataFrame({"ds": np.arange("2024-04-01", "2024-04-20", dtype="M8[D]"), "y": 1.0}))


def test_a_coarser_step_than_that_of_fit_is_still_refused():
    hours = polars.DataFrame(
        {"ds": [datetime(2024, 1, 1) + timedelta(hours=i) for i in range(99)], "y": np.arange(99.0)}
    )
    forecaster = Forecaster("naive", horizon=2).fit(hours, fill="ffill")
    with pytest.raises(DataError, match="hourly times, as in fit, got daily ones"):
        forecaster.predict(in_days({"a": np.arange(9)}).drop("unique_id"))


def growing(n=144):
    t = np.arange(n)
    return 50 * np.exp(0.02 * t + 0.4 * np.sin(2 * np.pi * t / 12) + 0.05 * np.random.default_rng(0).standard_normal(n))


def test_newer_values_below_zero_are_refused_after_a_fit_to_logarithms():
    forecaster = quick(season_length=12).fit(Panel.from_arrays([growing()], ids=["prices"]))
    prices = growing()
    prices[-3] = -5.0
    message = (
        "^Forecaster.predict expected no values below zero of 'prices', as fit took logarithms, got -5: "
        "fit to data with such values$"
    )
    with pytest.raises(DataError, match=message):
        forecaster.predict_arrays(Panel.from_arrays([prices], ids=["prices"]))
    seen = forecaster._trained.settings.lookback
    prices[-3], prices[-seen - 1] = growing()[-3], -5.0  # the network does not see it
    assert (forecaster.predict_arrays(Panel.from_arrays([prices], ids=["prices"]))["y_hat"] > 0).all()


def test_newer_zeros_after_a_fit_to_logarithms_are_told(recwarn):
    forecaster = quick(season_length=12).fit(Panel.from_arrays([growing()]))
    forecaster.predict()
    assert not recwarn.list
    with pytest.warns(UserWarning, match="^zeros of series 'series_0' were seen as the smallest value of fit, which"):
        forecaster.predict(Panel.from_arrays([np.append(growing(), 0.0)]))


def test_a_backtest_fits_again_where_values_below_zero_come():
    prices = growing()
    prices[-8] = -5.0
    test = quick(season_length=12).backtest(Panel.from_arrays([prices]), n_windows=3)
    assert {row["model"] for row in test.rows} == {"gru", *BASELINES}
    known = prices[: test.last_known[0]]
    assert known.min() < 0
    np.testing.assert_array_equal(
        test.last["gru"]["y_hat"], quick(season_length=12).fit(Panel.from_arrays([known])).predict_arrays()["y_hat"]
    )


@pytest.mark.parametrize("model", ["gru", "naive"])
def test_newer_values_that_happen_to_be_constant_have_intervals(model):
    rng = np.random.default_rng(0)
    demand = rng.poisson(0.7, 80) * rng.integers(1, 9, 80) * 1.0
    forecaster = Forecaster(model, horizon=2, lookback=8, n_seeds=1).fit(Panel.from_arrays([demand]))
    arrays = forecaster.predict_arrays(Panel.from_arrays([np.r_[demand[:20], np.zeros(15)]]))
    assert (arrays["hi-95"] > arrays["lo-95"]).all()
    arrays = forecaster.predict_arrays(Panel.from_arrays([np.zeros(15)]))
    assert (arrays["hi-95"] > arrays["lo-95"]).all() == (model == "gru")  # of a network was of no width
    constant = Forecaster(model, horizon=2, n_seeds=1).fit(Panel.from_arrays([np.full(40, 3.0)]))
    for values in constant.predict_arrays().values():
        np.testing.assert_array_equal(values, 3.0)


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda f, _: f.predict(horizon=24),
            "predict expected known arguments, got 'horizon': the horizon is given to ",
        ),
        (
            lambda f, d: f.predict(d, h=3),
            "predict expected known arguments, got 'h': the horizon is given to ",
        ),
        (lambda f, _: f.predict(level=[90]), "Forecaster.predict expected known arguments, got 'level'$"),
        (lambda f, _: f.predict(id_col="q"), "Forecaster.predict expected data to read with 'id_col', got none$"),
        (lambda f, d: f.fit(d, fh=3), r"got 'fh': the horizon is given to Forecaster\(horizon=...\)$"),
        (
            lambda f, d: f.fit(d, time_column="ds"),
            "Forecaster.fit expected known .* did you mean 'time_col'",
        ),
        (
            lambda f, d: f.backtest(d, steps=3),
            "backtest expected known arguments, got 'steps': the horizon is",
        ),
        (lambda _, d: forecast(d, h=3), "forecast expected known arguments, got 'h': write horizon for h$"),
        (lambda *_: Forecaster(n_periods=3), "got 'n_periods': write horizon for n_periods$"),
    ],
)
def test_options_that_are_not_known_are_refused(call, message):
    data = polars.DataFrame({"y": np.sin(np.arange(40.0))})
    forecaster = Forecaster("naive", horizon=2).fit(data)
    with pytest.raises(TypeError, match=message):
        call(forecaster, data)
    assert forecaster.predict(data, freq=None).height == 2
