"""Averages of weights in the place of the weights."""

import numpy as np
import pytest
from played import make_model

from recurra import callbacks, random
from recurra.errors import NotFittedError


@pytest.mark.parametrize("swap_on_epoch", [False, True])
def test_averages_are_evaluated_and_the_weights_go_on(data, swap_on_epoch):
    random.set_random_seed(4)
    plain = make_model(use_ema=True)
    plain.fit(*data, epochs=3, verbose=0)
    random.set_random_seed(4)
    model = make_model(use_ema=True)
    swap = callbacks.SwapEMAWeights(swap_on_epoch)
    history = model.fit(*data, epochs=3, verbose=0, validation_data=data, callbacks=[swap])
    for a, b in zip(plain.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert history.history["val_loss"][-1] == pytest.approx(model.evaluate(*data, verbose=0))


def test_swapping_needs_an_optimizer_with_averages(data):
    with pytest.raises(ValueError, match="SwapEMAWeights must be used when `use_ema=True`"):
        make_model().fit(*data, verbose=0, validation_data=data, callbacks=[callbacks.SwapEMAWeights()])


def test_a_prediction_is_that_of_the_averages(data):
    x = data[0]
    model = make_model(use_ema=True)
    with pytest.raises(NotFittedError, match="SwapEMAWeights expected a trained model, got one without averages"):
        model.predict(x, verbose=0, callbacks=[callbacks.SwapEMAWeights()])
    for _ in range(3):
        model.train_on_batch(*data)
    weights = model.get_weights()
    found = model.predict(x, verbose=0, callbacks=[callbacks.SwapEMAWeights()])
    for one, other in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(one, other)
    model.optimizer.swap_averages()
    np.testing.assert_array_equal(found, model.predict(x, verbose=0))
