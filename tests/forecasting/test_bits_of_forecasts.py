"""Forecasts have the same bits on all CPUs with FMA: NumPy's kernels for this one or that one do not show in them."""

import numpy as np
import pytest
from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

import recurra
from recurra.forecasting import Forecaster, Panel
from recurra.forecasting.frequency import Frequency
from recurra.forecasting.transform import _circle, _nearest_waves, fit_transform

SCRIPT = "from test_bits_of_forecasts import bits; print(bits())"


def growing():
    """Months whose swings grow, so that they are seen as logarithms."""
    t = np.arange(144)
    return (50 + t) * np.sqrt(50.0 + t) * (1 + 0.03 * (t % 12)) + np.random.default_rng(0).random(144)


def yearly():
    """Days with a season of a year, which is one of waves."""
    t = np.arange(5 * 365)
    return (t % 365 - 182.0) ** 2 / 5000 + np.random.default_rng(0).random(len(t)) - 3


def bits():
    months, days = Panel.from_arrays([growing()], Frequency("MS")), Panel.from_arrays([yearly()])
    assert fit_transform(growing(), (12,))[0].log
    found = []
    for model in ("naive", "theta", "gru"):
        made = Forecaster(model, horizon=12, n_seeds=1, budget_s=1e-9).fit(months)
        found += made.predict_arrays().values()
    found += Forecaster("theta", horizon=12, season_length=365).fit(days).predict_arrays().values()
    return "".join(array.tobytes().hex() for array in found)


def test_forecasts_have_the_same_bits_on_an_older_cpu(run_python):
    supported = recurra.native_info()["supported"]
    if "avx2" not in supported:
        pytest.skip("BLAS is told another CPU by names of those for x86-64")
    newer = [feature for feature in __cpu_dispatch__ if __cpu_features__[feature]]
    older = {"NPY_DISABLE_CPU_FEATURES": " ".join(newer), "OPENBLAS_CORETYPE": "Prescott", "RECURRA_TARGET": "avx2"}
    assert run_python("-c", SCRIPT).stdout == run_python("-c", SCRIPT, **older).stdout


@pytest.mark.parametrize("parts", [61, 365, 1440])
def test_waves_are_those_of_least_squares(parts):
    angles = 2 * np.pi * np.arange(parts) / parts
    np.testing.assert_allclose(_circle(parts), [np.cos(angles), np.sin(angles)], rtol=0, atol=1e-12)
    turns = angles[:, None] * np.arange(1, 5)
    waves = np.concatenate([np.sin(turns), np.cos(turns)], axis=1)
    phases = np.arange(3 * parts + 17) % parts
    values = np.random.default_rng(0).standard_normal(len(phases)) + 5 * waves[phases, 2]
    counts = np.bincount(phases)
    found = _nearest_waves(np.bincount(phases, values) / counts, counts)
    np.testing.assert_allclose(found, waves @ np.linalg.lstsq(waves[phases], values, rcond=None)[0], atol=1e-11)
