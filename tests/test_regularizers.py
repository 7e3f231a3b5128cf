"""Names of regularizers that stand for others."""

import numpy as np
import pytest

from recurra import regularizers


def test_what_l1_l2_is_not_given_is_no_penalty():
    assert regularizers.l1_l2(l1=0.001)(np.ones((2, 2))) == pytest.approx(0.004)
    with pytest.raises(ValueError, match="got 'l1_l2': did you mean 'l1l2'"):  # it would be no penalty at all
        regularizers.get("l1_l2")
