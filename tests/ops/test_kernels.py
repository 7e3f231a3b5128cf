"""The native kernels against their NumPy definitions, on awkward sizes; and gradients by finite differences."""

import numpy as np
import pytest

from recurra.ops import native, reference

TOLERANCE = {"float32": 2e-6, "float64": 1e-13}  # relative to the largest magnitude of an array
KINDS = {"simple_rnn": 1, "lstm": 4, "gru": 3, "gru_before": 3}
SIZES = [(1, 1, 1, 1), (3, 5, 1, 7), (1, 5, 3, 17), (3, 1, 2, 33), (7, 4, 5, 16), (2, 3, 4, 40)]
SIZES += [(17, 3, 2, 9), (40, 9, 3, 20)]  # from 16 rows on, the gradients of weights are sums of two halves
SIZES += [(70, 5, 7, 32), (600, 2, 7, 16)]  # states and inputs are read in place, gradients of gates from their blocks
SIZES += [(1, 13, 5, 20), (1, 13, 5, 41)]  # what one row takes from x is summed ahead, the gates of two blocks at once
SIZES += [(20, 2, 3, 150), (40, 1, 3, 20)]  # weights read where they lie; none that states are multiplied by
DISTANT = (70, 30, 2, 128)  # what forward kept is asked for ahead
VARIANTS = ["plain", "mask", "mask_zero_backwards", "last", "no_states"]
VARIANTS += ["dropout", "state_dropout_mask", "input_dropout_last"]
FUSED = ("tanh", "sigmoid", "relu", "hard_sigmoid", "linear", "elu", "selu")


def draw(kind, size, dtype, rng, mask=False, states=True):
    n, t, d, h = size
    gates = KINDS[kind]
    bias_shape = (2, gates * h) if kind == "gru" else (gates * h,)
    shapes = [(n, t, d), (d, gates * h), (h, gates * h), bias_shape]
    shapes += [(n, h)] * (2 if kind == "lstm" else 1)
    arrays = [rng.standard_normal(shape).astype(dtype) * 0.7 for shape in shapes]
    arrays[2] /= np.sqrt(h, dtype=dtype)  # from larger ones, rounding errors would grow from step to step
    if not states:
        arrays[4:] = [None] * len(arrays[4:])
    marks = rng.random((n, t)) < 0.6 if mask else None
    return arrays, marks


def dropout(kind, size, dtype, rng, variant):
    """Returns factors for each gate where a variant has dropout, of the inputs, of the state or of both."""
    n, _, d, h = size
    widths = {"input_masks": d, "recurrent_masks": h}
    if "dropout" not in variant:
        return {}
    if "state" in variant or "input" in variant:
        del widths["input_masks" if "state" in variant else "recurrent_masks"]
    return {
        name: tuple((rng.integers(0, 3, (n, width)) / 2).astype(dtype) for _ in range(KINDS[kind]))
        for name, width in widths.items()
    }


def run(module, kind, arrays, mask, **options):
    function = getattr(module, f"{kind.removesuffix('_before')}_forward")
    if kind.startswith("gru"):
        options["reset_after"] = kind == "gru"
    return function(*arrays, mask, **options)


def run_back(module, kind, dy, dstates, cache, arrays, need_dx=True):
    grads = [np.zeros_like(array) for array in arrays[1:4]]
    function = getattr(module, f"{kind.removesuffix('_before')}_backward")
    return [*function(dy, *dstates, cache, *grads, need_dx=need_dx), *grads]


def assert_close(actual, wanted, what, times=1):
    assert actual.shape == wanted.shape
    bound = TOLERANCE[wanted.dtype.name] * max(1.0, np.abs(wanted).max(initial=0))
    np.testing.assert_allclose(actual, wanted, rtol=0, atol=times * bound, err_msg=what)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_native_layer_computes_its_definition(kind, size, dtype, variant, rng):
    assert_is_its_definition(kind, size, dtype, variant, rng)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("variant", ["plain", "mask"])
def test_so_does_one_whose_sequence_has_left_the_caches(kind, variant, rng):
    assert_is_its_definition(kind, DISTANT, "float32", variant, rng, times=4)  # sums of 2,100 rows


def assert_is_its_definition(kind, size, dtype, variant, rng, times=1):
    arrays, mask = draw(kind, size, dtype, rng, mask="mask" in variant, states=variant != "no_states")
    options = {
        "go_backwards": "backwards" in variant,
        "zero_output_for_mask": "zero" in variant,
        "return_sequences": "last" not in variant,
        "training": True,
        **dropout(kind, size, dtype, rng, variant),
    }
    *wanted, wanted_cache = run(reference, kind, arrays, mask, **options)
    *actual, cache = run(native, kind, arrays, mask, **options)
    for one, other in zip(actual, wanted, strict=True):
        assert_close(one, other, "forward", times)
    cotangents = [rng.standard_normal(array.shape).astype(dtype) for array in wanted]
    wanted = run_back(reference, kind, cotangents[0], cotangents[1:], wanted_cache, arrays)
    actual = run_back(native, kind, cotangents[0], cotangents[1:], cache, arrays)
    for position, (one, other) in enumerate(zip(actual, wanted, strict=True)):
        if other is not None:
            assert_close(one, other, f"gradient {position}", times)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_no_states_are_states_of_zeros_to_the_bit(kind, size, rng):
    arrays, mask = draw(kind, size, "float32", rng, mask=True)
    zeros = [np.zeros_like(array) for array in arrays[4:]]
    without = run(native, kind, [*arrays[:4], *[None] * len(zeros)], mask)
    for one, other in zip(without, run(native, kind, [*arrays[:4], *zeros], mask), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("activation", FUSED)
@pytest.mark.parametrize("kind", KINDS)
def test_each_fused_activation_is_its_definition(kind, activation, rng):
    arrays, _ = draw(kind, (3, 4, 2, 9), "float64", rng)
    options = {"activation": activation, "training": True}
    if kind != "simple_rnn":
        options["recurrent_activation"] = "hard_sigmoid" if activation == "sigmoid" else "sigmoid"
    results = []
    for module in (native, reference):
        y, *states, cache = run(module, kind, arrays, None, **options)
        results.append([y, *run_back(module, kind, np.ones_like(y), [None] * len(states), cache, arrays)])
    for one, other in zip(*results, strict=True):
        assert_close(one, other, activation)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_finite_differences(kind, rng):
    arrays, mask = draw(kind, (2, 3, 2, 3), "float64", rng, mask=True)
    *outputs, cache = run(native, kind, arrays, mask, training=True)
    cotangents = [rng.standard_normal(array.shape) for array in outputs]
    dx, *rest = run_back(native, kind, cotangents[0], cotangents[1:], cache, arrays)
    states = len(outputs) - 1
    analytic = [dx, *rest[states:], *rest[:states]]

    def loss():
        *values, _ = run(native, kind, arrays, mask)
        return sum(float((value * cotangent).sum()) for value, cotangent in zip(values, cotangents, strict=True))

    for array, gradient in zip(arrays, analytic, strict=True):
        for index in np.ndindex(*array.shape):
            kept = array[index]
            array[index] = kept + 1e-6
            above = loss()
            array[index] = kept - 1e-6
            below = loss()
            array[index] = kept
            assert gradient[index] == pytest.approx((above - below) / 2e-6, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_other_activations_run_the_definition_natively(kind, rng):
    size = (3, 4, 2, 5)
    arrays, _ = draw(kind, size, "float64", rng)
    options = {"activation": "gelu", "training": True, **dropout(kind, size, "float64", rng, "dropout")}
    results = []
    for module in (native, reference):
        y, *states, cache = run(module, kind, arrays, None, **options)
        results.append([y, *run_back(module, kind, np.ones_like(y), [None] * len(states), cache, arrays)])
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("size", [(3, 4, 2, 5), (18, 4, 2, 5)], ids=["whole batch", "halves"])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_weights_are_added_to_what_is_there_and_a_cache_serves_twice(kind, size, rng):
    arrays, _ = draw(kind, size, "float64", rng)
    y, *states, cache = run(native, kind, arrays, None, training=True)
    once, twice = ([np.zeros_like(array) for array in arrays[1:4]] for _ in range(2))
    backward = getattr(native, f"{kind.removesuffix('_before')}_backward")
    for grads in (once, twice, twice):
        backward(np.ones_like(y), *[None] * len(states), cache, *grads)
    for one, two in zip(once, twice, strict=True):
        np.testing.assert_allclose(two, 2 * one, rtol=1e-12, atol=1e-14)


def test_frozen_weights_and_unread_inputs_are_left_out(rng):
    arrays, _ = draw("gru", (3, 4, 2, 5), "float32", rng)
    y, _, cache = native.gru_forward(*arrays, None, training=True)
    dx, dh0 = native.gru_backward(np.ones_like(y), None, cache, None, None, None, need_dx=False)
    assert dx is None
    assert dh0.shape == (3, 5)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("sizes", [(1, 1, 1), (3, 5, 7), (17, 33, 65), (64, 300, 40), (5, 700, 130)], ids=str)
@pytest.mark.parametrize("transpose_a, transpose_b", [(False, False), (True, False), (False, True), (True, True)])
def test_matrix_products_are_numpy_s(sizes, transpose_a, transpose_b, dtype, rng):
    m, k, n = sizes
    a = rng.standard_normal((k, m) if transpose_a else (m, k)).astype(dtype)
    b = rng.standard_normal((n, k) if transpose_b else (k, n)).astype(dtype)
    bias, out = rng.standard_normal(n).astype(dtype), rng.standard_normal((m, n)).astype(dtype)
    exact = (a.T if transpose_a else a).astype(float) @ (b.T if transpose_b else b).astype(float)
    options = {"transpose_a": transpose_a, "transpose_b": transpose_b}
    bound = TOLERANCE[dtype] * np.sqrt(k) * 10
    np.testing.assert_allclose(native.matmul(a, b, bias=bias, **options), exact + bias, rtol=0, atol=bound)
    np.testing.assert_allclose(
        native.matmul(a, b, out=out.copy(), accumulate=True, **options), exact + out, rtol=0, atol=bound
    )


def test_every_element_is_one_chain_of_fused_multiply_adds(rng):
    if not native.native_info()["hardware_fma"]:
        pytest.skip("this target has no hardware FMA")
    a, b = (rng.standard_normal(shape).astype(np.float32) for shape in ((5, 600), (600, 37)))
    wanted = np.zeros((5, 37), np.float32)
    for k in range(600):  # exact in float64, rounded once to float32: a fused multiply-add
        wanted = (wanted.astype(np.float64) + a[:, k, None].astype(np.float64) * b[k]).astype(np.float32)
    np.testing.assert_array_equal(native.matmul(a, b), wanted)


def test_a_dense_layer_is_its_definition(rng):
    x, kernel, bias = rng.standard_normal((9, 5)), rng.standard_normal((5, 6)), rng.standard_normal(6)
    for activation in ("linear", "tanh", "softmax", "gelu"):
        results = []
        for module in (native, reference):
            y, cache = module.dense_forward(x, kernel, bias, activation)
            grads = np.zeros_like(kernel), np.zeros_like(bias)
            results.append([y, module.dense_backward(np.ones_like(y), cache, *grads), *grads])
        for one, other in zip(*results, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("with_vhat", [False, True])
def test_adam_is_its_definition(with_vhat, rng):
    starts = [rng.random(1003).astype(np.float32) for _ in range(5)]
    results = []
    for module in (native, reference):
        w, g, m, v, vhat = (array.copy() for array in starts)
        for step in (1, 2, 1000):
            options = {"learning_rate": 0.01, "step": step, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}
            module.adam_update(w, g, m, v, vhat=vhat if with_vhat else None, **options)
        results.append((w, m, v, vhat))
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)  # weights of order 1 may cancel in the update


@pytest.mark.parametrize("centered", [False, True])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_rmsprop_is_its_definition(momentum, centered, rng):
    starts = [rng.random(1003).astype(np.float32) for _ in range(3)]
    kept = [start if used else None for start, used in zip(np.zeros((2, 1003)), (momentum, centered), strict=True)]
    results = []
    for module in (native, reference):
        w, g, v = (array.copy() for array in starts)
        m, average = (None if array is None else array.astype(np.float32) for array in kept)
        options = {"learning_rate": 0.01, "rho": 0.9, "momentum": momentum, "epsilon": 1e-7, "m": m, "average": average}
        for _ in range(3):
            module.rmsprop_update(w, g, v, **options)
        results.append([array for array in (w, v, m, average) if array is not None])
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_gradient_descent_is_its_definition(momentum, nesterov, rng):
    starts = [rng.random(1003).astype(np.float32) for _ in range(3)]
    results = []
    for module in (native, reference):
        w, g, m = (array.copy() for array in starts)
        options = {"learning_rate": 0.01, "momentum": momentum, "nesterov": nesterov, "m": m if momentum else None}
        for _ in range(3):
            module.sgd_update(w, g, **options)
        results.append((w, m))
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("transpose_a", "transpose_b"), [(False, False), (True, False), (False, True)])
@pytest.mark.parametrize("sizes", [(0, 2, 3, 4), (1, 1, 1, 1), (5, 7, 33, 17), (2, 8, 3, 2), (2, 3, 4, 0)], ids=str)
def test_batched_products_are_numpy_s(sizes, transpose_a, transpose_b, dtype, rng):
    batch, m, k, n = sizes
    a = rng.standard_normal((batch, k, m) if transpose_a else (batch, m, k)).astype(dtype)
    b = rng.standard_normal((batch, n, k) if transpose_b else (batch, k, n)).astype(dtype)
    wanted = reference.batched_matmul(a, b, transpose_a=transpose_a, transpose_b=transpose_b)
    found = native.batched_matmul(a, b, transpose_a=transpose_a, transpose_b=transpose_b)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=TOLERANCE[dtype] * np.sqrt(k) * 10)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_are_added_one_after_the_other(dtype, rng):
    rows, index = rng.standard_normal((200, 7)).astype(dtype), rng.integers(0, 9, 200)
    out, wanted = np.ones((2, 10, 7), dtype)
    native.add_rows(out, rows, index)
    reference.add_rows(wanted, rows, index)
    np.testing.assert_array_equal(out, wanted)


def test_a_sum_of_squares_is_close_to_the_exact_one(rng):
    x = rng.standard_normal(100_003).astype(np.float32)
    assert native.sum_of_squares(x) == pytest.approx((x.astype(np.float64) ** 2).sum(), rel=1e-6)
