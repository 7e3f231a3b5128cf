"""Regularizers beside what the vectors of Keras show."""

import numpy as np
import pytest

import recurra
from recurra import regularizers


def test_what_l1_l2_is_not_given_is_no_penalty():
    assert regularizers.l1_l2(l1=0.001)(np.ones((2, 2))) == pytest.approx(0.004)
    with pytest.raises(ValueError, match="got 'l1_l2': did you mean 'l1l2'"):  # it would be no penalty at all
        regularizers.get("l1_l2")


@pytest.mark.parametrize(("mode", "shape"), [("rows", (1, 4)), ("columns", (4, 1))])
def test_a_single_row_or_column_has_none_to_be_orthogonal_to(mode, shape):
    regularizer = regularizers.OrthogonalRegularizer(mode=mode)
    x = np.ones(shape, np.float32)
    assert regularizer(x) == 0.0
    np.testing.assert_array_equal(regularizer.gradient(x), np.zeros(shape))


def test_a_penalty_made_of_another_is_a_number_in_the_history():
    class Twice(regularizers.L2):
        def __call__(self, x):
            return 2 * super().__call__(x)

        def gradient(self, x):
            return 2 * super().gradient(x)

    x = np.ones((4, 1), np.float32)
    model = recurra.Sequential(
        [recurra.Input((1,)), recurra.layers.Dense(1, "linear", False, "ones", None, Twice(0.5))]
    )
    model.compile("sgd", "mse")
    assert model.losses == [1.0] and type(model.losses[0]) is float
    assert model.fit(x, x, verbose=0).history == {"loss": [1.0]}
    assert model.get_weights()[0] == np.float32(1 - 0.01 * 2)
