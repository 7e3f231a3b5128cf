"""Mistakes raise what Keras raises, in one readable line; where they do not, DIFFERENT says why."""

import numpy as np
import pytest
from vectors import cases_of

import recurra
from recurra import layers

# Case -> (what recurra raises, why not what Keras does).
DIFFERENT = {
    "initial_state_count": (ValueError, "Keras runs out of a list"),
    "fit_target_shape": (ValueError, "Keras broadcasts targets (6, 3) against predictions (6, 1): rarely meant"),
    "fit_no_data": (ValueError, "Keras pops from an empty set"),
    "fit_empty": (ValueError, "Keras trains on nothing and reports a loss"),
    "early_stopping_mode": (TypeError, "Keras compares epochs with a patience of 'x' where the loss is no better"),
    "predict_empty": (ValueError, "Keras reads a variable that was never set"),
}
# TensorFlow's own errors have no place here.
STANDARD = {"InvalidArgumentError": "ValueError"}


def names_of(error):
    return [cls.__name__ for cls in type(error).__mro__]


@pytest.mark.parametrize("case", cases_of("errors"))
def test_a_mistake_raises_what_keras_raises(case):
    x = np.arange(24, dtype="float32").reshape(6, 4, 1)
    model = recurra.Sequential([recurra.Input((4, 1)), layers.SimpleRNN(3), layers.Dense(1)])
    scope = {"keras": recurra, "layers": layers, "np": np, "model": model, "x": x, "y": x[:, -1] + 1}
    name = case["id"].removeprefix("errors/")
    wanted = DIFFERENT[name][0].__name__ if name in DIFFERENT else STANDARD.get(case["raises"], case["raises"])
    if wanted is None:
        exec(case["code"], scope)
        return
    with pytest.raises(Exception) as caught:
        exec(case["code"], scope)
    assert wanted in names_of(caught.value), f"{type(caught.value).__name__}: {caught.value}"
    assert str(caught.value)
    assert "\n" not in str(caught.value)
