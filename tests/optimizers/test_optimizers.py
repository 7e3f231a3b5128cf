"""Each optimizer against its equations, written once more in float64; then what all of them share."""

from __future__ import annotations

import copy
import json
import pickle

import numpy as np
import pytest

import recurra
from recurra import constraints, layers, optimizers
from recurra.optimizers import schedules
from recurra.variables import Arena, Variable

STEPS = 6
SHAPES = {"kernel": (3, 4), "bias": (4,), "scale": ()}
NAMES = (
    "sgd",
    "adam",
    "adamw",
    "rmsprop",
    "adagrad",
    "adadelta",
    "adamax",
    "nadam",
    "lion",
    "ftrl",
    "lamb",
    "adafactor",
)


def f32(x):
    """A constant as Keras has it: rounded to float32."""
    return float(np.float32(x))


# Each takes a weight, its gradients step by step and the learning rate, and returns the last weight.


def sgd(w, gradients, lr, momentum=0.0, nesterov=False):
    m = np.zeros_like(w)
    for g in gradients:
        m = momentum * m - lr * g
        w = w + (momentum * m - lr * g if nesterov else m)
    return w


def adam(w, gradients, lr, b1=0.9, b2=0.999, eps=1e-7, amsgrad=False, decay=0.0):
    m = v = largest = np.zeros_like(w)
    for t, g in enumerate(gradients, 1):
        w = w - w * decay * lr
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        largest = np.maximum(largest, v)
        alpha = lr * np.sqrt(1 - f32(b2) ** t) / (1 - f32(b1) ** t)
        w = w - alpha * m / (np.sqrt(largest if amsgrad else v) + eps)
    return w


def rmsprop(w, gradients, lr, rho=0.9, momentum=0.0, eps=1e-7, centered=False):
    v = a = m = np.zeros_like(w)
    for g in gradients:
        v = rho * v + (1 - rho) * g**2
        a = rho * a + (1 - rho) * g
        m = momentum * m + lr * g / np.sqrt(v - (a**2 if centered else 0) + eps)
        w = w - m
    return w


def adagrad(w, gradients, lr, start=0.1, eps=1e-7):
    a = np.full_like(w, start)
    for g in gradients:
        a = a + g**2
        w = w - lr * g / np.sqrt(a + eps)
    return w


def adadelta(w, gradients, lr, rho=0.95, eps=1e-7):
    a = d = np.zeros_like(w)
    for g in gradients:
        a = rho * a + (1 - rho) * g**2
        u = -np.sqrt(d + eps) / np.sqrt(a + eps) * g
        d = rho * d + (1 - rho) * u**2
        w = w + lr * u
    return w


def adamax(w, gradients, lr, b1=0.9, b2=0.999, eps=1e-7):
    m = u = np.zeros_like(w)
    for t, g in enumerate(gradients, 1):
        m = b1 * m + (1 - b1) * g
        u = np.maximum(b2 * u, np.abs(g))
        w = w - lr * m / ((1 - f32(b1) ** t) * (u + eps))
    return w


def nadam(w, gradients, lr, b1=0.9, b2=0.999, eps=1e-7):
    m = v = np.zeros_like(w)
    product = 1.0
    exact_b1, b1, b2 = b1, f32(b1), f32(b2)
    for t, g in enumerate(gradients, 1):
        u, following = (b1 * (1 - f32(0.96) ** k / 2) for k in (t, t + 1))
        product *= exact_b1 * (1 - 0.96**t / 2)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        ahead = following * m / (1 - product * following) + (1 - u) * g / (1 - product)
        w = w - lr * ahead / (np.sqrt(v / (1 - b2**t)) + eps)
    return w


def lion(w, gradients, lr, b1=0.9, b2=0.99):
    m = np.zeros_like(w)
    for g in gradients:
        w = w - lr * np.sign(b1 * m + (1 - b1) * g)
        m = b2 * m + (1 - b2) * g
    return w


def ftrl(w, gradients, lr, p=-0.5, start=0.1, l1=0.0, l2=0.0, shrinkage=0.0, beta=0.0):
    n, z = np.full_like(w, start), np.zeros_like(w)
    for g in gradients:
        old, n = n, n + g**2
        z = z + g + 2 * shrinkage * w - (n**-p - old**-p) / lr * w
        w = (np.clip(z, -l1, l1) - z) / (n**-p / lr + 2 * (l2 + beta / (2 * lr)))
    return w


def lamb(w, gradients, lr, b1=0.9, b2=0.999, eps=1e-7):
    m = v = np.zeros_like(w)
    for t, g in enumerate(gradients, 1):
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        r = m / (1 - f32(b1) ** t) / (np.sqrt(v / (1 - f32(b2) ** t)) + eps)
        w = w - lr * r * np.linalg.norm(w) / np.linalg.norm(r)
    return w


def adafactor(w, gradients, lr, decay=-0.8, eps_1=1e-30, eps_2=1e-3, threshold=1.0):
    r = c = v = 0.0
    for t, g in enumerate(gradients, 1):
        beta, squares = 1 - t**decay, g**2 + eps_1
        if w.ndim > 1:
            r = beta * r + (1 - beta) * squares.mean(1)
            c = beta * c + (1 - beta) * squares.mean(0)
            v = np.outer(r, c) / r.mean()
        else:
            v = beta * v + (1 - beta) * squares
        u = g / np.sqrt(v)
        u = u / max(1.0, np.sqrt((u**2).mean()) / threshold)
        w = w - max(eps_2, np.sqrt((w**2).mean())) * min(lr, t**-0.5) * u
    return w


CASES = [
    ("SGD", {}, sgd, {}),
    ("SGD", {"momentum": 0.9}, sgd, {"momentum": 0.9}),
    ("SGD", {"momentum": 0.8, "nesterov": True}, sgd, {"momentum": 0.8, "nesterov": True}),
    ("Adam", {}, adam, {}),
    ("Adam", {"beta_1": 0.7, "beta_2": 0.95, "epsilon": 1e-3}, adam, {"b1": 0.7, "b2": 0.95, "eps": 1e-3}),
    ("Adam", {"amsgrad": True}, adam, {"amsgrad": True}),
    ("AdamW", {}, adam, {"decay": 0.004}),
    ("RMSprop", {}, rmsprop, {}),
    ("RMSprop", {"momentum": 0.7, "rho": 0.8}, rmsprop, {"momentum": 0.7, "rho": 0.8}),
    ("RMSprop", {"centered": True}, rmsprop, {"centered": True}),
    ("RMSprop", {"centered": True, "momentum": 0.5}, rmsprop, {"centered": True, "momentum": 0.5}),
    ("Adagrad", {"initial_accumulator_value": 0.01}, adagrad, {"start": 0.01}),
    ("Adadelta", {"rho": 0.8, "epsilon": 1e-5}, adadelta, {"rho": 0.8, "eps": 1e-5}),
    ("Adamax", {}, adamax, {}),
    ("Nadam", {"beta_1": 0.8}, nadam, {"b1": 0.8}),
    ("Lion", {}, lion, {}),
    ("Ftrl", {}, ftrl, {}),
    (
        "Ftrl",
        {
            "l1_regularization_strength": 0.01,
            "l2_regularization_strength": 0.02,
            "l2_shrinkage_regularization_strength": 0.01,
            "learning_rate_power": -0.7,
            "beta": 0.1,
        },
        ftrl,
        {"l1": 0.01, "l2": 0.02, "shrinkage": 0.01, "p": -0.7, "beta": 0.1},
    ),
    ("Lamb", {}, lamb, {}),
    ("Adafactor", {}, adafactor, {}),
]


def make_variables(rng, dtype="float64"):
    return [
        Variable(rng.normal(size=shape).astype(dtype), name=name, path=f"model/layer/{name}")
        for name, shape in SHAPES.items()
    ]


def make_gradients(rng, dtype="float64", steps=STEPS):
    return [[rng.normal(size=shape).astype(dtype) for shape in SHAPES.values()] for _ in range(steps)]


def train(optimizer, variables, gradients):
    for step in gradients:
        for variable, g in zip(variables, step, strict=True):
            variable.grad[...] = g
        optimizer.step(variables)
    return [variable.numpy() for variable in variables]


@pytest.mark.parametrize(("name", "options", "equations", "as_written"), CASES)
@pytest.mark.parametrize("in_arena", [False, True])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 2e-5)])
def test_an_optimizer_follows_its_equations(name, options, equations, as_written, in_arena, dtype, tolerance, rng):
    variables, gradients = make_variables(rng, dtype), make_gradients(rng, dtype)
    before = [variable.numpy().astype("float64") for variable in variables]
    if in_arena:
        Arena(variables)
    optimizer = getattr(optimizers, name)(learning_rate=0.1, **options)
    after = train(optimizer, variables, gradients)
    for i, (start, end) in enumerate(zip(before, after, strict=True)):
        series = [step[i].astype("float64") for step in gradients]
        expected = equations(start, series, f32(0.1), **as_written)
        assert end.dtype == dtype
        np.testing.assert_allclose(end, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("options", [{}, {"global_clipnorm": 1e9}, {"weight_decay": 0.1}, {"use_ema": True}], ids=str)
def test_an_arena_changes_no_bit(name, options, rng):
    gradients = make_gradients(rng, "float32")
    first = make_variables(np.random.default_rng(1), "float32")
    second = make_variables(np.random.default_rng(1), "float32")
    Arena(second)
    cls = type(optimizers.get(name))
    for a, b in zip(train(cls(**options), first, gradients), train(cls(**options), second, gradients), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("name", "decay"), [("Adam", 0.999), ("Nadam", 0.999), ("RMSprop", 0.9)])
@pytest.mark.parametrize("in_arena", [False, True])
def test_the_squares_of_a_sparse_gradient_are_those_of_its_parts(name, decay, in_arena):
    parts = np.array([[1.0, 2.0], [3.0, -2.0]])
    variable = Variable(np.zeros((3, 2)), name="rows")
    if in_arena:
        Arena([variable])
    optimizer = getattr(optimizers, name)()
    for _ in range(2):
        variable.grad[1] = parts.sum(0)
        variable.sparse = [(np.array([1]), parts[:1]), (np.array([1]), parts[1:])]
        optimizer.step([variable])
    (velocity,) = (v for v in optimizer.variables if v.name.endswith("velocity"))
    np.testing.assert_allclose(velocity, (1 - decay**2) * np.array([[0.0, 0.0], [10.0, 8.0], [0.0, 0.0]]), rtol=1e-4)
    clipped = getattr(optimizers, name)(clipvalue=100.0)
    variable.sparse = [(np.array([1, 1]), parts)]
    clipped.step([variable])
    (velocity,) = (v for v in clipped.variables if v.name.endswith("velocity"))
    np.testing.assert_allclose(velocity, (1 - decay) * np.array([[0.0, 0.0], [16.0, 0.0], [0.0, 0.0]]), rtol=1e-4)
    assert variable.sparse == []


@pytest.mark.parametrize(("name", "decay"), [("Adam", 0.999), ("Nadam", 0.999), ("RMSprop", 0.9)])
def test_the_squares_of_a_sparse_gradient_are_clipped_with_it(name, decay):
    parts = np.array([[1.0, 2.0], [3.0, -2.0]])
    variable = Variable(np.zeros((3, 2)), name="rows")
    variable.grad[1] = parts.sum(0)
    variable.sparse = [(np.array([1, 1]), parts)]
    optimizer = getattr(optimizers, name)(clipnorm=1.0)
    optimizer.step([variable])
    (velocity,) = (v for v in optimizer.variables if v.name.endswith("velocity"))
    squares = np.array([[0.0, 0.0], [10.0, 8.0], [0.0, 0.0]])
    np.testing.assert_allclose(velocity, (1 - decay) * squares / squares.sum(), rtol=1e-4)


def test_lamb_moves_weights_that_are_zero_and_keeps_those_without_a_gradient():
    bias, still = Variable(np.zeros(2), name="bias"), Variable(np.ones(2), name="still")
    optimizers.Lamb(0.1).apply([np.array([3.0, -3.0]), np.zeros(2)], [bias, still])
    np.testing.assert_allclose(bias.numpy(), [-0.1, 0.1], rtol=1e-5)  # a first step, of ratio 1
    np.testing.assert_array_equal(still.numpy(), [1, 1])


# Variables


def names_of(optimizer, variables):
    optimizer.build(variables)
    return [variable.path for variable in optimizer.variables]


def test_variables_come_in_the_order_of_keras_files(rng):
    variables = make_variables(rng)[:2]
    k, b = "model_layer_kernel", "model_layer_bias"
    assert names_of(optimizers.SGD(), variables) == ["sgd/iteration", "sgd/learning_rate"]
    assert names_of(optimizers.Adam(amsgrad=True, use_ema=True, gradient_accumulation_steps=2), variables) == [
        "adam/iteration",
        "adam/learning_rate",
        *(f"adam/{w}_average" for w in (k, b)),
        *(f"adam/{w}_gradient_accumulator" for w in (k, b)),
        *(f"adam/{w}_{slot}" for w in (k, b) for slot in ("momentum", "velocity")),
        *(f"adam/{w}_velocity_hat" for w in (k, b)),
    ]
    assert names_of(optimizers.RMSprop(centered=True, momentum=0.1), variables) == [
        "rm_sprop/iteration",
        "rm_sprop/learning_rate",
        *(f"rm_sprop/{w}_{slot}" for slot in ("velocity", "momentum", "average_gradient") for w in (k, b)),
    ]
    assert names_of(optimizers.Nadam(), variables)[-1] == "nadam/variable"
    adafactor = optimizers.Adafactor()
    assert names_of(adafactor, variables)[2:] == [
        *("adafactor/kernel", "adafactor/kernel", f"adafactor/{k}_velocity"),
        *("adafactor/bias", "adafactor/bias", f"adafactor/{b}_velocity"),
    ]
    assert [v.shape for v in adafactor.variables[2:]] == [(3,), (4,), (3, 4), (), (), (4,)]
    assert adafactor.variables[0].dtype == "int64"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("how", ["set_weights", "store", "pickle", "deepcopy"])
def test_training_continues_from_saved_variables(name, how, rng):
    variables, gradients = make_variables(rng, "float32"), make_gradients(rng, "float32")
    Arena(variables)
    optimizer = optimizers.get(name)
    train(optimizer, variables, gradients[:3])
    others = [Variable(variable.numpy(), name=variable.name, path=variable.path) for variable in variables]
    if how in ("set_weights", "store"):
        Arena(others)
        resumed = optimizers.deserialize(optimizers.serialize(optimizer))
        resumed.build(others)
        if how == "set_weights":
            resumed.set_weights(optimizer.variables)
        else:
            store = {}
            optimizer.save_own_variables(store)
            resumed.load_own_variables(store)
    else:
        copied = copy.deepcopy if how == "deepcopy" else lambda pair: pickle.loads(pickle.dumps(pair))
        resumed, others = copied((optimizer, variables))
        Arena(others)
    assert int(resumed.iterations) == 3
    for a, b in zip(train(optimizer, variables, gradients[3:]), train(resumed, others, gradients[3:]), strict=True):
        np.testing.assert_array_equal(a, b)


def test_variables_of_two_dtypes_are_updated_apart():
    variables = [Variable(np.ones(2, "float32")), Variable(np.ones(3, "float64"))]
    optimizer = optimizers.Adam(0.1)
    optimizer.apply([np.ones(2), np.ones(3)], variables)
    assert [variable.dtype for variable in variables] == ["float32", "float64"]
    np.testing.assert_allclose(np.concatenate([v.value for v in variables]), 0.9, rtol=1e-5)


def test_set_weights_needs_a_built_optimizer_and_all_arrays():
    optimizer = optimizers.Adam()
    with pytest.raises(ValueError, match="a built optimizer"):
        optimizer.set_weights([])
    optimizer.build([Variable(np.ones(2))])
    with pytest.raises(ValueError, match="expected 4 arrays, got 1"):
        optimizer.set_weights([0])
    with pytest.warns(UserWarning, match="Skipping variable loading"):
        optimizer.load_own_variables({"0": 1})


def test_optimizers_take_arrays_all_or_none():
    optimizer = optimizers.Adam()
    optimizer.build([Variable(np.ones(2))])
    before = [variable.numpy() for variable in optimizer.variables]
    given = [7, 0.5, np.ones(2), np.ones(3)]
    store = {str(place): array for place, array in enumerate(given)}
    for take in (lambda: optimizer.set_weights(given), lambda: optimizer.load_own_variables(store)):
        with pytest.raises(ValueError, match=r"variable '.*velocity' expected shape \(2,\), got \(3,\)"):
            take()
        for variable, value in zip(optimizer.variables, before, strict=True):
            np.testing.assert_array_equal(variable.numpy(), value)


# Options of all optimizers


def test_clipnorm_shortens_each_gradient():
    variables = [Variable(np.zeros(2)), Variable(np.zeros(2))]
    optimizers.SGD(1.0, clipnorm=1.0).apply([np.array([3.0, 4.0]), np.array([0.3, 0.4])], variables)
    np.testing.assert_allclose(variables[0], [-0.6, -0.8])
    np.testing.assert_allclose(variables[1], [-0.3, -0.4])


def test_global_clipnorm_shortens_all_gradients_together():
    variables = [Variable(np.zeros(1)), Variable(np.zeros(1))]
    optimizers.SGD(1.0, global_clipnorm=1.0).apply([np.array([3.0]), np.array([4.0])], variables)
    np.testing.assert_allclose(np.concatenate([v.value for v in variables]), [-0.6, -0.8])
    optimizers.SGD(1.0, global_clipnorm=1.0).apply([np.array([np.inf]), np.array([0.0])], variables)
    assert all(np.isnan(variable.value).all() for variable in variables)


def test_clipvalue_cuts_each_entry():
    variable = Variable(np.zeros(3))
    optimizers.SGD(1.0, clipvalue=0.5).apply([np.array([-3.0, 0.1, 2.0])], [variable])
    np.testing.assert_allclose(variable, [0.5, -0.1, -0.5])


@pytest.mark.parametrize("excluded", ["list", "names"])
def test_weight_decay_can_leave_variables_out(excluded):
    kernel, bias = Variable(np.full(2, 2.0), name="kernel"), Variable(np.full(2, 2.0), name="bias")
    Arena([kernel, bias])
    optimizer = optimizers.SGD(0.5, weight_decay=0.1)
    if excluded == "list":
        optimizer.exclude_from_weight_decay(var_list=[bias])
    else:
        optimizer.exclude_from_weight_decay(var_names=["bi"])
    optimizer.step([kernel, bias])
    np.testing.assert_allclose(kernel, 2 - 2 * 0.1 * 0.5)
    np.testing.assert_allclose(bias, 2.0)


def test_averages_start_at_the_first_step_and_overwrite_the_weights_every_so_often():
    variable, g = Variable(np.array([3.0])), np.array([1.0])
    optimizer = optimizers.SGD(1.0, use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=3)
    seen = []
    for _ in range(3):
        optimizer.apply([g], [variable])
        seen.append((float(variable[0]), float(optimizer.variables[2][0])))
    np.testing.assert_allclose(seen, [(2, 2), (1, 1.9), (1.71, 1.71)])


def test_finalizing_writes_the_averages_and_swapping_goes_there_and_back():
    variable = Variable(np.array([1.0]))
    optimizer = optimizers.SGD(1.0, use_ema=True, ema_momentum=0.5)
    for _ in range(2):
        optimizer.apply([np.array([1.0])], [variable])
    optimizer.swap_averages()
    assert (float(variable[0]), float(optimizer.variables[2][0])) == (-0.5, -1.0)
    optimizer.swap_averages()
    assert float(variable[0]) == -1.0
    optimizer.finalize_variable_values([variable])
    assert float(variable[0]) == -0.5


def test_finalizing_while_swapped_keeps_the_averages_in_the_weights():
    variable = Variable(np.array([1.0]))
    optimizer = optimizers.SGD(1.0, use_ema=True, ema_momentum=0.5)
    for _ in range(2):
        optimizer.apply([np.array([1.0])], [variable])
    optimizer.swap_averages()
    optimizer.finalize_variable_values([variable])
    assert (float(variable[0]), float(optimizer.variables[2][0])) == (-0.5, -0.5)


@pytest.mark.parametrize("in_arena", [False, True])
def test_accumulated_gradients_update_by_their_mean(in_arena):
    plain, variable = Variable(np.array([1.0, 2.0])), Variable(np.array([1.0, 2.0]))
    if in_arena:
        Arena([variable])
    once, often = optimizers.Adam(0.1), optimizers.Adam(0.1, gradient_accumulation_steps=3)
    for _ in range(2):
        for scale in (0.5, 1.0, 1.5):
            variable.grad[...] = np.array([1.0, -2.0]) * scale
            often.step([variable])
        once.apply([np.array([1.0, -2.0])], [plain])
        np.testing.assert_allclose(variable, plain)
    assert int(often.variables[0]) == 6
    assert int(often.iterations) == 2


def test_a_scaled_loss_gives_unscaled_updates():
    variable = Variable(np.array([1.0, 2.0]))
    optimizer = optimizers.SGD(1.0, loss_scale_factor=1024.0)
    optimizer.apply([np.array([1.0, 2.0]) * optimizer.scale_loss(1.0)], [variable])
    np.testing.assert_array_equal(variable, [0, 0])


def test_constraints_hold_after_the_step():
    variable = Variable(np.array([-1.0, 0.5]), constraint=constraints.NonNeg())
    optimizers.SGD(0.1).apply([np.zeros(2)], [variable])
    np.testing.assert_array_equal(variable, [0, 0.5])


def test_gradients_given_are_left_as_they_are():
    g = np.array([3.0, 4.0])
    for name in NAMES:
        optimizers.deserialize({"class_name": name, "config": {"clipnorm": 1.0}}).apply([g], [Variable(np.ones(2))])
    np.testing.assert_array_equal(g, [3.0, 4.0])


def test_missing_gradients_are_skipped_with_a_warning():
    first, second = Variable(np.ones(1), name="first"), Variable(np.ones(1))
    with pytest.raises(ValueError, match=r"No gradients provided for any variable\."):
        optimizers.SGD().apply_gradients([(None, first)])
    with pytest.warns(UserWarning, match=r"\['first'\]"):
        optimizers.SGD(1.0).apply_gradients([(None, first), (np.ones(1), second)])
    assert (float(first[0]), float(second[0])) == (1.0, 0.0)


def test_gradients_must_fit_the_variables():
    variable, other = Variable(np.ones(2), name="w"), Variable(np.ones(2), name="b")
    optimizer = optimizers.SGD()
    with pytest.raises(ValueError, match="variables or a built optimizer"):
        optimizer.apply([np.ones(2)])
    optimizer.build([variable])
    optimizer.apply([np.ones(2)])
    with pytest.raises(ValueError, match="expected 1 gradients, got 2"):
        optimizer.apply([np.ones(2), np.ones(2)])
    with pytest.raises(ValueError, match=r"gradient of 'w' expected shape \(2,\), got \(3,\)"):
        optimizer.apply([np.ones(3)])
    with pytest.raises(ValueError, match="the variables it was built with, got 'b'"):
        optimizer.step([other])


# The learning rate


def test_the_learning_rate_can_be_read_and_set():
    optimizer = optimizers.SGD(0.5)
    assert float(optimizer.learning_rate) == 0.5
    optimizer.learning_rate = 0.25
    assert float(optimizer.learning_rate.numpy()) == 0.25
    optimizer.learning_rate.assign(0.125)
    assert optimizer.get_config()["learning_rate"] == 0.125
    optimizer.learning_rate *= 0.5
    assert isinstance(optimizer.learning_rate, Variable)
    variable = Variable(np.ones(1))
    optimizer.apply([np.ones(1)], [variable])
    assert variable.numpy() == 1 - 0.0625
    assert optimizers.Adam().get_config()["learning_rate"] == 0.0010000000474974513


def test_a_learning_rate_may_be_a_function():
    variable = Variable(np.ones(1))
    optimizer = optimizers.SGD(lambda: 0.25)
    optimizer.apply([np.ones(1)], [variable])
    assert (optimizer.learning_rate, float(variable[0])) == (0.25, 0.75)
    assert len(optimizer.variables) == 1


def test_a_schedule_is_asked_with_the_number_of_steps_done():
    variable = Variable(np.zeros(1))
    optimizer = optimizers.SGD(schedules.PiecewiseConstantDecay([0, 1], [1.0, 0.5, 0.25]))
    for _ in range(3):
        optimizer.apply([np.ones(1)], [variable])
    assert float(variable[0]) == -1.75
    assert [v.path for v in optimizer.variables] == ["sgd/iteration"]
    with pytest.raises(TypeError, match="a learning rate that can be set, got PiecewiseConstantDecay"):
        optimizer.learning_rate = 0.1


def test_setting_a_schedule_takes_the_learning_rate_out_of_the_variables():
    optimizer = optimizers.Adam(0.5)
    optimizer.learning_rate = schedules.PolynomialDecay(optimizer.learning_rate, 4)
    assert optimizer.learning_rate == 0.5
    assert len(optimizer.variables) == 1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optimizers.Adam(learning_rate="fast"), "Adam expected learning_rate to be a finite number"),
        (lambda: optimizers.Adam(learning_rate=float("nan")), "finite number"),
        (lambda: optimizers.Adam(clipnorm=1.0, clipvalue=1.0), "got clipnorm=1.0, clipvalue=1.0: Only one of"),
        (lambda: optimizers.SGD(clipnorm=-1.0), "SGD expected clipnorm to be a number, not negative, got -1.0"),
        (lambda: optimizers.SGD(momentum=1.5), "SGD expected momentum to be a number between 0 and 1, got 1.5"),
        (lambda: optimizers.SGD(use_ema=True, ema_momentum=2.0), "ema_momentum to be a number between 0 and 1"),
        (lambda: optimizers.SGD(use_ema=True, ema_overwrite_frequency=-1), "a positive integer"),
        (lambda: optimizers.SGD(gradient_accumulation_steps=1), "at least 2, got 1"),
        (lambda: optimizers.SGD(momentun=0.9), "known arguments, got 'momentun': did you mean 'momentum'"),
        (lambda: optimizers.AdamW(weight_decay=None), "AdamW expected weight_decay to be a number"),
        (lambda: optimizers.Lion(beta_1=0.0), "beta_1 above 0"),
        (lambda: optimizers.Ftrl(learning_rate_power=0.5), "learning_rate_power to be at most 0"),
        (
            lambda: optimizers.Ftrl(l1_regularization_strength=-1.0),
            "Ftrl expected l1_regularization_strength to be a number, not negative, got -1.0",
        ),
        (lambda: optimizers.get("adaam"), "expected an Optimizer or one of sgd, adam.*: did you mean 'adam'"),
        (lambda: optimizers.get(optimizers.Adam), r"Adam'>: make an object of the class first, as in Adam\(\)"),
        (lambda: optimizers.get(3), "got 3"),
    ],
)
def test_bad_options_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_ftrl_cannot_train_at_a_learning_rate_of_zero():
    model = recurra.Sequential([recurra.Input((3,)), layers.Dense(2)])
    model.compile(optimizers.Ftrl(optimizers.schedules.CosineDecay(0.0, 10, warmup_target=0.1, warmup_steps=2)), "mse")
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"Ftrl expected a learning rate other than 0, got 0\.0"):
        model.fit(np.ones((8, 3)), np.ones((8, 2)), verbose=0)
    for weight, was in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, was)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("SGD", {"momentum": 0.9, "nesterov": np.True_}),
        ("Adam", {"amsgrad": np.True_}),
        ("RMSprop", {"centered": np.True_}),
        ("Adam", {"use_ema": np.True_, "ema_momentum": np.float32(0.5), "ema_overwrite_frequency": np.int64(2)}),
        ("Adam", {"gradient_accumulation_steps": np.int64(2)}),
    ],
)
def test_options_of_numpys_train_and_are_saved_as_those_of_python(name, options, tmp_path):
    def trained(options):
        recurra.utils.set_random_seed(1)
        model = recurra.Sequential([recurra.Input((3,)), layers.Dense(2)])
        model.compile(getattr(optimizers, name)(**options), "mse")
        model.fit(np.ones((8, 3)), np.ones((8, 2)), batch_size=2, verbose=0)
        return model

    model, plain = trained(options), trained({option: np.asarray(value).item() for option, value in options.items()})
    model.save(tmp_path / "model.keras")
    loaded = recurra.models.load_model(tmp_path / "model.keras")
    assert loaded.optimizer.get_config() == plain.optimizer.get_config()
    np.testing.assert_array_equal(loaded.get_weights()[0], plain.get_weights()[0])


def test_a_config_without_options_is_the_class_by_itself():
    made = optimizers.get({"class_name": "adam"})
    assert type(made) is optimizers.Adam
    assert made.get_config() == optimizers.Adam().get_config()


def test_the_rate_of_a_schedule_is_a_tensor():
    optimizer = optimizers.SGD(optimizers.schedules.ExponentialDecay(0.1, 10, 0.5))
    assert optimizer.learning_rate.numpy() == np.float32(0.1)
    assert optimizers.SGD(lambda: 0.5).learning_rate == 0.5


def test_decay_is_ignored_with_a_warning():
    with pytest.warns(UserWarning, match="no longer supported"):
        optimizers.SGD(decay=1e-6)


# Names and configs


@pytest.mark.parametrize("name", NAMES)
def test_configs_go_through_json_and_back(name):
    optimizer = optimizers.deserialize(
        {
            "class_name": name,
            "config": {"learning_rate": 0.25, "clipnorm": 1.0, "use_ema": True, "name": "mine", "weight_decay": 0.5},
        }
    )
    serialized = optimizers.serialize(optimizer)
    assert (serialized["module"], serialized["registered_name"]) == ("keras.optimizers", None)
    again = optimizers.get(json.loads(json.dumps(serialized)))
    assert type(again) is type(optimizer)
    assert again.get_config() == optimizer.get_config()


def test_the_config_of_adam_is_that_of_keras():
    assert optimizers.Adam().get_config() == {
        "name": "adam",
        "learning_rate": 0.0010000000474974513,
        "weight_decay": None,
        "clipnorm": None,
        "global_clipnorm": None,
        "clipvalue": None,
        "use_ema": False,
        "ema_momentum": 0.99,
        "ema_overwrite_frequency": None,
        "loss_scale_factor": None,
        "gradient_accumulation_steps": None,
        "beta_1": 0.9,
        "beta_2": 0.999,
        "epsilon": 1e-07,
        "amsgrad": False,
    }


def test_get_takes_names_configs_and_optimizers():
    assert isinstance(optimizers.get("RMSprop"), optimizers.RMSprop)
    assert optimizers.get(None) is None
    adam = optimizers.Adam()
    assert optimizers.get(adam) is adam
    scheduled = optimizers.Adam(schedules.CosineDecay(0.1, 10))
    again = optimizers.get(scheduled.get_config() and optimizers.serialize(scheduled))
    assert again.get_config() == scheduled.get_config()


def test_clipnorm_takes_rows_that_occur_twice_apart():
    table = Variable(np.zeros((2, 1)))
    table.grad[...] = [[2.0], [0.0]]  # two parts of 1 each: Keras on TensorFlow squares them before it adds them
    table.sparse = [(np.array([0, 0]), np.ones((2, 1)))]
    optimizer = optimizers.SGD(1.0, clipnorm=1.0)
    optimizer.step([table])
    np.testing.assert_allclose(table.numpy(), [[-(2**0.5)], [0.0]], rtol=1e-6)
    optimizer.apply([np.array([[2.0], [0.0]])], [table])
    np.testing.assert_allclose(table.numpy(), [[-1 - 2**0.5], [0.0]], rtol=1e-6)


class Momentum(optimizers.Optimizer):
    """Gradient descent with momentum, as one writes it for Keras."""

    def __init__(self, learning_rate=0.1, momentum=0.9, **kwargs):
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.momentum = momentum

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.m, self.starts = self.add_optimizer_variables(variables, ["momentum", "start"], ["zeros", "ones"])
        self.count = self.add_variable((), name="count", dtype="int32")
        self.last = [self.add_variable_from_reference(reference_variable=v, name="last") for v in variables]

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        self.assign(self.m[index], self.momentum * self.m[index] - learning_rate * gradient)
        self.assign_add(variable, self.m[index])
        self.assign_sub(self.starts[index], 1.0)
        self.assign_add(self.count, 1)
        self.last[index].assign(gradient)


def series(rng):
    return rng.standard_normal((12, 4, 3)).astype("float32"), rng.standard_normal((12, 1)).astype("float32")


def trained(optimizer, data):
    recurra.utils.set_random_seed(3)
    model = recurra.Sequential([layers.Input((4, 3)), layers.LSTM(2), layers.Dense(1, name="d")])
    model.compile(optimizer, "mse")
    model.fit(*data, batch_size=4, epochs=3, shuffle=False, verbose=0)
    return model


OPTIONS = [
    {},
    {"clipnorm": 0.2, "weight_decay": 0.1},
    {"global_clipnorm": 0.2, "gradient_accumulation_steps": 2},
    {"use_ema": True, "loss_scale_factor": 4.0},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_an_optimizer_written_for_keras_trains(options, rng):
    data = series(rng)
    own, built_in = trained(Momentum(**options), data), trained(optimizers.SGD(0.1, momentum=0.9, **options), data)
    for one, other in zip(own.get_weights(), built_in.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_variables_of_an_optimizer_written_for_keras_are_named_and_saved(tmp_path, rng):
    data = series(rng)
    model = trained(Momentum(), data)
    optimizer = model.optimizer
    names = [variable.path for variable in optimizer.variables]
    kernel = model.weights[0].path.replace("/", "_")
    assert names[2:4] == [f"momentum/{kernel}_momentum", f"momentum/{kernel}_start"]
    assert names[-6] == "momentum/count" and names[-1].endswith("_d_bias_last")
    assert int(optimizer.count) == 9 * 5 and np.all(optimizer.starts[0].value == 1 - 9) and np.any(optimizer.last[0])
    model.save(tmp_path / "m.keras")
    again = recurra.models.load_model(tmp_path / "m.keras", custom_objects={"Momentum": Momentum})
    for one in (model, again):
        one.fit(*data, shuffle=False, verbose=0)
    for one, other in zip(model.optimizer.variables, again.optimizer.variables, strict=True):
        np.testing.assert_array_equal(one, other)
    for one, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


class HalfUpdates(optimizers.Adam):
    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient, variable, learning_rate / 2)


class HalfGradients(optimizers.SGD):
    def apply(self, grads, trainable_variables=None):
        super().apply([g / 2 for g in grads], trainable_variables)


class HalfPairs(optimizers.SGD):
    def apply_gradients(self, grads_and_vars):
        return super().apply_gradients([(g / 2, variable) for g, variable in grads_and_vars])


class HalfRate(optimizers.SGD):
    def _get_current_learning_rate(self):
        return super()._get_current_learning_rate() / 2


@pytest.mark.parametrize("make", [HalfUpdates, HalfGradients, HalfPairs, HalfRate])
def test_methods_of_keras_that_a_subclass_overrides_are_called(make, rng):
    data = series(rng)
    half, whole = trained(make(0.1), data), trained(make.__base__(0.05), data)
    for one, other in zip(half.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("make", [HalfUpdates, HalfGradients])
@pytest.mark.parametrize("options", [{}, {"clipnorm": 0.1}])
def test_methods_of_a_subclass_get_the_sum_of_a_sparse_gradient(make, options):
    """Rows of an Embedding that occur twice: the squares of the parts go to formulas of recurra's own alone."""
    ids, found = np.array([[0, 1, 1]]), []

    class Sees(make):
        def update_step(self, gradient, variable, learning_rate):
            found.append(np.linalg.norm(gradient))
            super().update_step(gradient, variable, learning_rate)

    model = recurra.Sequential([layers.Embedding(3, 2, embeddings_initializer="ones"), layers.Flatten()])
    model.compile(Sees(0.0, **options), "mse")
    model.fit(ids, np.zeros((1, 6), "float32"), verbose=0)
    total = np.linalg.norm([[1 / 3, 1 / 3], [2 / 3, 2 / 3]]) / (2 if make is HalfGradients else 1)
    assert found == [pytest.approx(options.get("clipnorm", total), rel=1e-5)]
    assert model.weights[0].sparse == []


@pytest.mark.parametrize(("elementwise", "seen"), [(True, [(12,), (4,), (1,)]), (False, [(3, 4), (4,), ()])])
def test_formulas_that_go_element_by_element_get_rows_and_others_the_shapes_of_the_variables(elementwise, seen, rng):
    shapes = []

    class Sees(optimizers.Optimizer):
        slots = (("last",),)

        def update(self, w, g, last, *, learning_rate, step):
            shapes.append(w.shape)
            assert w.shape == g.shape == last.shape
            w -= learning_rate * g
            last[...] = g

    Sees.elementwise = elementwise
    variables, gradients = make_variables(rng), make_gradients(rng, steps=1)
    expected = [variable.numpy() - 0.5 * g for variable, g in zip(variables, gradients[0], strict=True)]
    after = train(Sees(0.5), variables, gradients)
    assert shapes == seen
    for one, other in zip(after, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_slots_of_adafactor_are_means_of_rows_and_columns_as_in_keras_files():
    kernel = Variable(np.ones((2, 2)), name="kernel")
    optimizer = optimizers.Adafactor()
    optimizer.apply([np.array([[1.0, 2.0], [3.0, 4.0]])], [kernel])
    _, _, row, column, _ = optimizer.variables
    np.testing.assert_allclose(row, [5 / 2, 25 / 2])
    np.testing.assert_allclose(column, [10 / 2, 20 / 2])


def test_an_optimizer_without_a_formula_says_what_it_needs():
    class Nothing(optimizers.Optimizer):
        pass

    with pytest.raises(NotImplementedError, match=r"Nothing expected a method update\(.*\) or update_step\(.*got none"):
        Nothing(0.1).apply([np.ones(2, "float32")], [Variable(np.ones(2, "float32"))])


@pytest.mark.parametrize("name", ["a/b", 3])
def test_a_name_is_a_string_without_a_slash(name):
    with pytest.raises(ValueError, match=f"SGD expected name to be a string without '/', got {name!r}"):
        optimizers.SGD(name=name)
