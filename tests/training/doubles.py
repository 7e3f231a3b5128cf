"""What makes of a model a double that trains the general way, and whether the two hold the same bits."""

import numpy as np

from recurra import layers


class OwnDense(layers.Dense):
    """The same layer, which native code does not know: a model with it takes the general way."""


def held_by(model):
    """Returns the weights of a model and the variables of its optimizer."""
    return [*model.get_weights(), *map(np.asarray, model.optimizer.variables)]


def assert_same(found, wanted):
    """Fails unless one list of arrays is another to the bit."""
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one, other)


def assert_same_models(one, other):
    """Fails unless two models hold the same bits."""
    assert_same(held_by(one), held_by(other))
