"""Arithmetic of symbolic tensors: it is made of layers."""

import numpy as np
import pytest

import recurra


def test_symbolic_arithmetic_is_made_of_layers():
    a, b = recurra.Input((3,)), recurra.Input((3,))
    model = recurra.Model([a, b], 2 * (a + b) - a * b / 4 - 1)
    again = recurra.models.model_from_json(model.to_json())
    x, y = np.arange(3.0)[None], np.full((1, 3), 2.0)
    for one in (model, again):
        np.testing.assert_allclose(one.predict([x, y], verbose=0), 2 * (x + y) - x * y / 4 - 1, rtol=1e-6)
    with pytest.raises(TypeError, match="a number to divide by"):
        a / b


@pytest.mark.parametrize(
    ("compute", "wanted"),
    [
        (lambda x: np.float32(2) * x, [6]),
        (lambda x: np.float64(1) - x, [-2]),
        (lambda x: np.int64(1) + x, [4]),
        (lambda x: x - np.uint8(2), [1]),
    ],
)
def test_numbers_of_numpy_may_stand_on_both_sides_of_a_symbolic_tensor(compute, wanted):
    x = recurra.Input((1,))
    assert recurra.Model(x, compute(x))(np.full((1, 1), 3.0)).tolist() == [wanted]


@pytest.mark.parametrize(
    ("compute", "error", "message"),
    [
        (lambda x: x - "a", TypeError, "the graph expected symbolic tensors and numbers, got 'a'"),
        (lambda x: x / "a", TypeError, "the graph expected symbolic tensors and numbers, got 'a'"),
        (lambda x: None * x, TypeError, "the graph expected symbolic tensors and numbers, got None"),
        (lambda x: np.ones(2) * x, TypeError, r"symbolic tensors and numbers, got array\(\[1., 1.\]\)"),
        (lambda x: x / 0, ValueError, "the graph expected a number other than 0 to divide by, got 0"),
        (lambda x: x / np.float32(0), ValueError, "a number other than 0 to divide by, got np.float32"),
        (np.exp, TypeError, "NumPy expected an array, got the symbolic tensor"),
    ],
)
def test_what_is_no_arithmetic_of_symbolic_tensors_is_refused(compute, error, message):
    with pytest.raises(error, match=message):
        compute(recurra.Input((1,)))


def test_operations_on_float64_stay_float64(rng):
    x = rng.standard_normal((3, 2))
    start = recurra.Input((2,), dtype="float64")
    for function in (lambda x: x / 3, lambda x: x * x, lambda x: recurra.activations.tanh(x), lambda x: x[:, :1]):
        model = recurra.Model(start, function(start))
        y = model.predict(x, verbose=0)
        assert y.dtype == np.float64
        np.testing.assert_allclose(y, function(x), rtol=1e-14)
