"""Random first weights are NumPy's numbers of their seed, and Orthogonal's the Q of a QR factorisation."""

import numpy as np
import pytest

from recurra import initializers, ops
from recurra.ops import reference

NEARLY_DEPENDENT = {
    "hilbert": 1 / (np.arange(20)[:, None] + np.arange(20) + 1.0),
    "vandermonde": np.vander(np.linspace(0, 1, 40)),
    "almost_equal": 1 + 1e-13 * np.random.default_rng(0).standard_normal((50, 60)),
    "one_direction": np.outer(*np.random.default_rng(0).standard_normal((2, 60))),
    "few_directions": np.random.default_rng(0).standard_normal((90, 7)) @ np.arange(90 * 7).reshape(7, 90),
}


def assert_is_q(q, rows):
    """Q's rows are orthonormal, and each of `rows` is a combination of those up to it."""
    np.testing.assert_allclose(q @ q.T, np.eye(len(q)), rtol=0, atol=4e-15)
    r = np.tril(rows @ q.T)
    np.testing.assert_allclose(r @ q, rows, rtol=0, atol=1e-13 * np.abs(rows).max())


def orthogonal_and_draw(shape, seed):
    """Returns rows that Orthogonal made orthonormal, and the normal numbers that it made them of."""
    value = initializers.Orthogonal(seed=seed)(shape, "float64")
    normal = np.random.default_rng(seed).standard_normal((max(shape), min(shape)))
    return value if shape[0] < shape[1] else value.T, np.ascontiguousarray(normal.T)


@pytest.mark.parametrize("shape", [(300, 1200), (300, 300), (900, 300), (80, 100)])
def test_orthogonal_makes_the_drawn_rows_orthonormal(shape):
    for seed in range(4):
        rows, normal = orthogonal_and_draw(shape, seed)
        assert_is_q(rows, normal)
        assert np.all((rows * normal).sum(axis=1) > 0)


@pytest.mark.parametrize("shape", [(64, 64), (64, 25), (25, 26), (24, 24), (2, 2), (1, 5), (5, 1)])
def test_orthogonal_is_numpys_q_where_its_r_has_a_positive_diagonal(shape):
    for seed in range(30):
        rows, normal = orthogonal_and_draw(shape, seed)
        np.testing.assert_allclose(rows, reference.orthonormalize(normal), rtol=0, atol=1e-13)
        assert_is_q(rows, normal)


@pytest.mark.parametrize("name", NEARLY_DEPENDENT)
def test_rows_that_are_nearly_dependent_become_orthonormal_too(name):
    assert_is_q(ops.orthonormalize(NEARLY_DEPENDENT[name].copy()), NEARLY_DEPENDENT[name])


def test_rows_that_are_exactly_dependent_are_refused():
    with pytest.raises(np.linalg.LinAlgError, match="dependent"):
        ops.orthonormalize(np.ones((2, 7)))


def test_orthogonal_without_rows_is_empty():
    assert initializers.Orthogonal(seed=1)((0, 3)).shape == (0, 3)


@pytest.mark.parametrize("shape", [(), (5,), (3, 4), (200, 300), (7, 90, 80)])
@pytest.mark.parametrize(
    ("initializer", "draw"),
    [
        (initializers.RandomNormal(1.0, 0.5, seed=3), lambda g, shape: g.normal(1.0, 0.5, shape)),
        (initializers.RandomUniform(-1.0, 3.0, seed=3), lambda g, shape: g.uniform(-1.0, 3.0, shape)),
        (
            initializers.VarianceScaling(distribution="untruncated_normal", seed=3, input_axes=(), output_axes=()),
            lambda g, shape: g.normal(0, 1.0, shape),
        ),
    ],
)
def test_pieces_that_are_drawn_one_after_the_other_are_one_draw(initializer, draw, shape):
    expected = draw(np.random.default_rng(3), shape)

    np.testing.assert_array_equal(initializer(shape, "float64"), expected)
    np.testing.assert_array_equal(initializer(shape, "float32"), np.asarray(expected, np.float32))


def test_any_whole_number_is_a_seed():
    one, other = (initializers.RandomNormal(seed=seed)((3,)) for seed in (-1, 1))
    np.testing.assert_array_equal(initializers.RandomNormal(seed=np.int64(-1))((3,)), one)
    assert not np.array_equal(one, other)


def test_distributions_have_names_of_any_case():
    names = {"Uniform": "uniform", "NORMAL": "truncated_normal", "Untruncated_Normal": "untruncated_normal"}
    for given, name in names.items():
        assert initializers.VarianceScaling(distribution=given).distribution == name
