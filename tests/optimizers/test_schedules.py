"""Schedules against their formulas at single steps."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from recurra.optimizers import schedules
from recurra.variables import Variable


def half_cosine(part):
    return (1 + math.cos(math.pi * part)) / 2


def test_exponential_decay():
    smooth = schedules.ExponentialDecay(0.05, 4, 0.7)
    stairs = schedules.ExponentialDecay(0.05, 4, 0.7, staircase=True)
    assert smooth(6) == pytest.approx(0.05 * 0.7**1.5)
    assert [stairs(step) for step in (0, 3, 4, 9)] == pytest.approx([0.05, 0.05, 0.035, 0.0245])


def test_piecewise_constant_decay_keeps_a_value_up_to_its_boundary():
    schedule = schedules.PiecewiseConstantDecay([100, 110, 120], [1.0, 0.1, 0.01, 0.001])
    steps = (-999, 100, 105, 110, 120, 999)
    assert [schedule(step) for step in steps] == [1.0, 1.0, 0.1, 0.1, 0.01, 0.001]


def test_polynomial_decay():
    schedule = schedules.PolynomialDecay(0.05, 10, 0.001, power=0.5)
    assert schedule(5) == pytest.approx(0.049 * 0.5**0.5 + 0.001)
    assert schedule(10) == schedule(15) == pytest.approx(0.001)


def test_polynomial_decay_begins_anew_with_cycle():
    schedule = schedules.PolynomialDecay(0.05, 10, 0.001, cycle=True)
    assert [schedule(step) for step in (0, 10, 15)] == pytest.approx([0.05, 0.001, 0.049 * 0.25 + 0.001])


def test_inverse_time_decay():
    smooth = schedules.InverseTimeDecay(0.1, 10, 0.96)
    stairs = schedules.InverseTimeDecay(0.1, 10, 0.96, staircase=True)
    assert [smooth(5), stairs(5), stairs(10)] == pytest.approx([0.1 / 1.48, 0.1, 0.1 / 1.96])


def test_cosine_decay():
    schedule = schedules.CosineDecay(2.0, 1000, alpha=0.1)
    wanted = [2 * (0.9 * half_cosine(part) + 0.1) for part in (0, 0.25, 1, 1)]
    assert [schedule(step) for step in (0, 250, 1000, 1500)] == pytest.approx(wanted)


def test_cosine_decay_after_a_warmup():
    schedule = schedules.CosineDecay(0.5, 1000, warmup_target=10.0, warmup_steps=100)
    wanted = [0.5, 0.5 + 9.5 * 0.4, 10.0, 10 * half_cosine(0.5), 0.0]
    assert [schedule(step) for step in (0, 40, 100, 600, 5000)] == pytest.approx(wanted)


@pytest.mark.parametrize("t_mul", [1.0, 1.5, 2.0])
def test_cosine_decay_restarts(t_mul):
    schedule = schedules.CosineDecayRestarts(0.05, 3, t_mul=t_mul, m_mul=0.8, alpha=0.1)
    second = 3 + 3 * t_mul
    assert schedule(1) == pytest.approx(0.05 * (0.9 * half_cosine(1 / 3) + 0.1))
    assert schedule(3) == pytest.approx(0.05 * (0.9 * 0.8 + 0.1))
    assert schedule(second) == pytest.approx(0.05 * (0.9 * 0.64 + 0.1))
    assert schedule(5) == pytest.approx(0.05 * (0.9 * 0.8 * half_cosine(2 / (3 * t_mul)) + 0.1))


ALL = [
    schedules.ExponentialDecay(0.05, 10, 0.96, staircase=True, name="mine"),
    schedules.PiecewiseConstantDecay([10, 20], [1, 2, 3], name="mine"),
    schedules.PolynomialDecay(0.1, 100, 0.005, power=2.0, cycle=True, name="mine"),
    schedules.InverseTimeDecay(0.05, 10, 0.96, staircase=True, name="mine"),
    schedules.CosineDecay(0.05, 10, alpha=0.1, warmup_target=0.2, warmup_steps=2, name="mine"),
    schedules.CosineDecayRestarts(0.05, 10, alpha=0.1, t_mul=3.0, m_mul=4.0, name="mine"),
]


@pytest.mark.parametrize("schedule", ALL, ids=lambda schedule: type(schedule).__name__)
def test_configs_go_through_json_and_back(schedule):
    serialized = schedules.serialize(schedule)
    assert serialized["module"] == "keras.optimizers.schedules"
    again = schedules.deserialize(json.loads(json.dumps(serialized)))
    assert type(again) is type(schedule)
    assert again.get_config() == schedule.get_config()
    assert [again(step) for step in range(30)] == [schedule(step) for step in range(30)]


@pytest.mark.parametrize("schedule", ALL, ids=lambda schedule: type(schedule).__name__)
def test_a_step_may_be_an_array_or_a_variable(schedule):
    assert schedule(np.int64(7)) == schedule(np.float32(7)) == schedule(Variable(np.int64(7))) == schedule(7)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: schedules.PiecewiseConstantDecay([1, 2], [1.0]), "one boundary less than values, got 2 boundaries"),
        (lambda: schedules.ExponentialDecay(0.1, 0, 0.5), "decay_steps to be positive, got 0"),
        (lambda: schedules.CosineDecayRestarts(0.1, 10, t_mul=0.5), "t_mul to be at least 1"),
    ],
)
def test_bad_options_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("schedule", ALL, ids=lambda schedule: type(schedule).__name__)
def test_an_array_of_steps_has_a_rate_for_each(schedule):
    rates = schedule(np.arange(30).reshape(3, 10))
    assert (rates.shape, rates.dtype) == ((3, 10), "float32")
    np.testing.assert_array_equal(rates.ravel(), np.float32([schedule(step) for step in range(30)]))
