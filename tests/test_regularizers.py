"""Regularizers beside what the vectors of Keras show."""

import numpy as np
import pytest

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
