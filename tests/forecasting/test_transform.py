"""Transforms undo themselves, and seasons are found in any unit."""

import numpy as np
import pytest
from samples import after, hours, season

from recurra.forecasting.transform import fit_season, fit_transform, is_seasonal, season_of, seasonal_pattern, trend_of


@pytest.mark.parametrize(
    "past",
    [
        season(60) + 5,
        np.exp(season(72, trend=0.03, noise=0.02)),
        np.arange(30.0),
        np.full(20, 7.0),
        season(1100, 365, noise=0.3),
    ],
)
def test_a_transform_undoes_itself(past):
    transform = fit_transform(past, (365 if len(past) > 1000 else 12,))[0]
    np.testing.assert_allclose(transform.inverse(transform.forward(past), 0), past, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(transform.inverse(transform.forward(past[7:], 7), 7), past[7:], rtol=1e-9, atol=1e-9)


def test_a_season_is_found_under_a_trend_and_taken_out():
    past = season(120, trend=0.5, noise=0.05)
    assert is_seasonal(past, 12)
    np.testing.assert_allclose(seasonal_pattern(past, 12)[0], np.sin(2 * np.pi * np.arange(12) / 12), atol=0.1)
    assert not is_seasonal(np.random.default_rng(0).standard_normal(120).cumsum(), 12)


@pytest.mark.parametrize("m", [7, 52, 400, 401, 720, 1440])
def test_a_season_is_found_however_long_it_is(m):
    whole = season(7 * m, m, noise=0.1) + 10
    past, actual = whole[: 6 * m], whole[6 * m :]
    assert is_seasonal(past, m)  # those above 400 were taken for none
    assert not is_seasonal(np.random.default_rng(0).standard_normal(6 * m).cumsum(), m)
    assert np.abs(after("theta", past, m, m) - actual).mean() < 0.2


@pytest.mark.parametrize("m", [2, 7, 12, 365])
def test_the_trend_is_the_mean_of_a_season_around(m):
    values = np.random.default_rng(0).standard_normal(4 * m).cumsum()
    kernel = np.r_[0.5, np.ones(m - 1), 0.5] / m if m % 2 == 0 else np.ones(m) / m
    trend = trend_of(values, m)
    np.testing.assert_allclose(trend[m // 2 : len(values) - m // 2], np.convolve(values, kernel, "valid"), rtol=1e-10)
    assert trend[0] == trend[m // 2]


@pytest.mark.parametrize("scale, offset", [(1e-9, 0.0), (1e9, 0.0), (1.0, 1e9), (1e-6, 1.0)])
def test_a_season_is_found_in_any_unit(scale, offset):
    seen = scale * season(120, noise=0.05) + offset
    assert is_seasonal(seen, 12)
    assert not is_seasonal(np.full(120, offset), 12)
    assert not is_seasonal(scale * np.arange(120.0) + offset, 12)


def test_swings_that_grow_with_the_level_are_seen_as_logarithms():
    assert fit_transform(np.exp(season(144, trend=0.02, noise=0.05)), (12,))[0].log
    assert not fit_transform(season(144, noise=0.1) + 10, (12,))[0].log
    assert not fit_transform(np.arange(1.0, 97.0), (1,))[0].log  # swings that are all alike


def test_a_short_past_is_seen_as_logarithms_for_a_season_alone():
    yearly = np.r_[np.linspace(100, 130, 9) + [0, 1, -1, 2, 0, -1, 1, 0, 1], np.linspace(140, 320, 11)]
    assert not fit_transform(yearly, (1,))[0].log  # two blocks, whose correlation is always 1 or -1
    quarterly = np.exp(season(40, m=4, trend=0.04, noise=0.02))
    assert fit_transform(quarterly, (4,))[0].log
    assert not fit_transform(quarterly, (1,))[0].log


def test_a_week_of_hours_is_their_season_where_it_tells_more_than_a_day():
    past = hours(5 * 7)
    assert season_of(past, (24, 168)) == 168
    assert season_of(past[: 3 * 168 - 1], (24, 168)) == 24  # too few weeks
    assert season_of(hours(5 * 7, weekends=0), (24, 168)) == 24
    assert season_of(np.random.default_rng(1).standard_normal(840), (24, 168)) == 24
    assert season_of(past, (24,)) == 24
    pattern, size = fit_season(past, (24, 168))
    assert (len(pattern), size) == (168, 168)
    assert [len(fit_season(values, (24, 168))[0]) for values in (hours(35, weekends=0), past[:40])] == [24, 0]


def test_long_seasons_are_means_or_waves_by_what_is_nearer():
    t = np.arange(168 * 8)
    noise = np.random.default_rng(0).standard_normal(len(t))
    spiky = np.where(t % 24 == 8, 30.0, 0.0) - 10 * (t // 24 % 7 >= 5)
    assert seasonal_pattern(spiky + noise, 168)[1] == 168
    assert seasonal_pattern(np.sin(2 * np.pi * t / 168) + noise, 168)[1] == 8


def test_a_plain_season_is_found_in_three_of_it():
    for m, n in ((12, 36), (12, 40), (4, 12), (24, 72)):  # was in none: the limit of M4's test grew with the wave
        for seed in range(10):
            noise = np.random.default_rng(seed).standard_normal(n)
            assert is_seasonal(season(n, m, trend=0.005) + 0.1 * noise, m)
            assert is_seasonal(season(n, m) + 0.05 * np.cumsum(noise), m)


@pytest.mark.parametrize("m, n", [(4, 12), (4, 16), (7, 21), (7, 28), (12, 36), (12, 48), (24, 72)])
def test_what_has_no_season_is_seldom_taken_for_seasonal(m, n):
    made: dict[str, list[np.ndarray]] = {"noise": [], "walk": [], "returning": [], "trend": [], "cycles": []}
    for seed in range(200):
        noise = np.random.default_rng(seed).standard_normal(n + 50)
        returning, cycles = np.zeros(n + 50), np.zeros(n + 50)
        for i in range(2, n + 50):
            returning[i] = 0.9 * returning[i - 1] + noise[i]
            cycles[i] = 1.9 * np.cos(2 * np.pi / (1.5 * m)) * cycles[i - 1] - 0.9025 * cycles[i - 2] + noise[i]
        made["noise"].append(noise[50:])
        made["walk"].append(np.cumsum(noise[50:]))
        made["returning"].append(returning[50:])
        made["trend"].append(0.1 * np.arange(n) + noise[50:])
        made["cycles"].append(cycles[50:])
    found = {name: np.mean([is_seasonal(values, m) for values in each]) for name, each in made.items()}
    assert max(found.values()) < 0.1, found
