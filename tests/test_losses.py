"""Every loss's derivative against finite differences, on axes other than the last too."""

import numpy as np
import pytest

import recurra

L = recurra.losses
CASES = {
    "categorical_focal": L.CategoricalFocalCrossentropy(alpha=[0.2, 0.3, 0.5]),
    "categorical_focal_logits": L.CategoricalFocalCrossentropy(from_logits=True, label_smoothing=0.1),
    "generalized": L.CategoricalGeneralizedCrossEntropy(0.7),
    "dice": L.Dice(),
    "dice_axis": L.Dice(axis=(1,)),
    "tversky": L.Tversky(0.3, 0.7),
    "tversky_axis": L.Tversky(0.3, 0.7, axis=0),
    "binary_axis": L.BinaryCrossentropy(axis=0),
    "categorical_axis": L.CategoricalCrossentropy(axis=0, label_smoothing=0.1),
    "cosine_axis": L.CosineSimilarity(axis=0),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("weighted", [False, True])
def test_gradient_is_the_slope(name, weighted):
    loss = CASES[name]
    rng = np.random.default_rng(0)
    y_pred = rng.uniform(0.1, 0.9, (4, 3))
    labels = rng.integers(0, 3, 4)
    y_true = labels if name == "generalized" else np.eye(3)[labels]
    weights = rng.uniform(0.5, 2, np.shape(loss.call(y_true, y_pred))) if weighted else None
    value, gradient = loss.value_and_gradient(y_true, y_pred, weights)
    assert value == pytest.approx(loss(y_true, y_pred, weights))
    slope = np.empty_like(y_pred)
    for index in np.ndindex(y_pred.shape):
        step = np.zeros_like(y_pred)
        step[index] = 1e-6
        slope[index] = (loss(y_true, y_pred + step, weights) - loss(y_true, y_pred - step, weights)) / 2e-6
    np.testing.assert_allclose(gradient, slope, rtol=1e-5, atol=1e-7)


def test_losses_and_metrics_of_one_name_stay_apart():
    for package in (recurra.losses, recurra.metrics):
        original = package.MeanSquaredError(name="mine")
        assert type(package.deserialize(package.serialize(original))) is package.MeanSquaredError
