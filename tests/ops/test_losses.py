"""The fused losses against their definitions in NumPy."""

import numpy as np
import pytest

from recurra import losses
from recurra.ops import native

ERRORS = ["mean_squared_error", "mean_absolute_error", "huber"]
CLASSES = ["categorical_crossentropy", "sparse_categorical_crossentropy"]
CASES = [
    ("mean_squared_error", {}),
    ("mean_absolute_error", {}),
    ("huber", {"delta": 0.7}),
    ("pinball", {"quantiles": (0.1, 0.5, 0.9)}),
    ("binary_crossentropy", {}),
    ("binary_crossentropy", {"label_smoothing": 0.2}),
    ("binary_crossentropy", {"from_logits": True, "label_smoothing": 0.2}),
    ("categorical_crossentropy", {}),
    ("categorical_crossentropy", {"label_smoothing": 0.2}),
    ("categorical_crossentropy", {"from_logits": True, "label_smoothing": 0.2}),
    ("sparse_categorical_crossentropy", {}),
    ("sparse_categorical_crossentropy", {"from_logits": True}),
]
NAMES = [f"{name}-{'-'.join(options)}" for name, options in CASES]
cases = pytest.mark.parametrize("name, options", CASES, ids=NAMES)


def softmax(x):
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def pair(name, options, shape, dtype=np.float64):
    """Returns targets and predictions that belong to a loss; its quantiles are the last axis."""
    rng = np.random.default_rng(0)
    if name == "pinball":
        shape = (*shape[:-1], len(options["quantiles"]))
    y_pred = rng.normal(size=shape)
    if name in ERRORS:
        y_true = rng.normal(size=shape)
    elif name == "pinball":
        y_true = rng.normal(size=shape[:-1])
    elif name == "binary_crossentropy":
        y_true = rng.integers(0, 2, shape)
    elif name == "categorical_crossentropy":
        y_true = softmax(3 * rng.normal(size=shape))
    else:
        y_true = rng.integers(0, shape[-1], shape[:-1])
    if name.endswith("crossentropy") and not options.get("from_logits"):
        y_pred = 1 / (1 + np.exp(-y_pred)) if name.startswith("binary") else softmax(y_pred)
    return y_true.astype(dtype), y_pred.astype(dtype)


def defined(name, options, y_true, y_pred):
    """Returns the mean of the values, and its gradient."""
    function = getattr(losses, name)
    values = np.asarray(function(y_true, y_pred, **options), np.float64)
    return values.mean(), function.gradient(y_true, y_pred, **options) / values.size


@cases
@pytest.mark.parametrize("dtype, rtol", [(np.float32, 2e-5), (np.float64, 1e-12)])
@pytest.mark.parametrize(
    "shape", [(1, 2), (3, 5), (33, 7, 2), (9, 16), (5, 33), (2, 1000), (40_001, 3), (2, 3, *[1] * 7, 4)]
)
def test_fused_losses_are_their_definition(name, options, dtype, rtol, shape):
    y_true, y_pred = pair(name, options, shape, dtype)
    if name in ERRORS:
        y_pred.flat[0] = y_true.flat[0]
    value, gradient = native.mean_loss(name, y_true, y_pred, **options)
    wanted, wanted_gradient = defined(name, options, y_true, y_pred)
    assert value == pytest.approx(wanted, rel=rtol)
    np.testing.assert_allclose(gradient, wanted_gradient, rtol=rtol, atol=rtol * np.abs(wanted_gradient).max())
    assert native.mean_loss(name, y_true, y_pred, gradient=False, **options) == (value, None)


@cases
def test_gradients_of_fused_losses_are_differences_of_the_loss(name, options):
    y_true, y_pred = pair(name, options, (4, 3))
    _, gradient = native.mean_loss(name, y_true, y_pred, **options)
    for i in range(y_pred.size):
        moved = [y_pred.copy(), y_pred.copy()]
        for array, h in zip(moved, (1e-6, -1e-6), strict=True):
            array.flat[i] += h
        up, down = (native.mean_loss(name, y_true, array, gradient=False, **options)[0] for array in moved)
        assert gradient.flat[i] == pytest.approx((up - down) / 2e-6, abs=1e-7)


@cases
def test_fused_losses_tell_of_nan(name, options):
    y_true, y_pred = pair(name, options, (4, 3))
    y_pred[1, 2] = np.nan
    value, gradient = native.mean_loss(name, y_true, y_pred, **options)
    assert np.isnan(value)
    assert np.isnan(gradient[1, 2])
    assert np.isfinite(np.delete(gradient, 1, axis=0)).all()


@pytest.mark.parametrize("options", [{}, {"from_logits": True}])
@pytest.mark.parametrize("name", ["binary_crossentropy", *CLASSES])
def test_crossentropies_stay_finite_at_certainty(name, options):
    y_true, _ = pair(name, options, (4, 3), np.float32)
    y_pred = np.array([[0, 1, 0], [1, 0, 0], [1e-9, 0, 1], [0, 0, 1]], np.float32) * (80 if options else 1)
    value, gradient = native.mean_loss(name, y_true, y_pred, **options)
    wanted, wanted_gradient = defined(name, options, y_true, y_pred)
    assert 1 < value == pytest.approx(wanted, rel=1e-6)
    assert np.isfinite(gradient).all()
    np.testing.assert_allclose(gradient, wanted_gradient, rtol=1e-5)


@pytest.mark.parametrize("label", [-1, 3, 0.5, np.nan])
def test_a_label_of_no_class_is_refused(label):
    y_true, y_pred = pair("sparse_categorical_crossentropy", {}, (4, 3))
    y_true[2] = label
    with pytest.raises(ValueError, match="labels must be whole, from 0 on and below the number of classes"):
        native.mean_loss("sparse_categorical_crossentropy", y_true, y_pred)


@cases
def test_fused_losses_have_the_same_bits_for_any_number_of_threads(name, options, same_bits):
    y_true, y_pred = pair(name, options, (100_000, 3), np.float32)
    same_bits(lambda: native.mean_loss(name, y_true, y_pred, **options))


class OfValues(losses.LossFunctionWrapper):
    """A loss that goes by the values of the samples, as one of the user's own does."""

    def call(self, y_true, y_pred):
        return super().call(y_true, y_pred)

    def gradient(self, y_true, y_pred):
        return super().gradient(y_true, y_pred)


WEIGHTS = {
    "none": lambda rng, shape: (None, None),
    "of_values": lambda rng, shape: (rng.random(shape), None),
    "of_rows": lambda rng, shape: (rng.random((shape[0], *[1] * (len(shape) - 1))), None),
    "mask": lambda rng, shape: (None, rng.random(shape) < 0.6),
    "both": lambda rng, shape: (rng.random(shape), rng.random(shape) < 0.6),
    "zeros": lambda rng, shape: (np.zeros(shape), None),
}


@cases
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "mean_with_sample_weight"])
@pytest.mark.parametrize("shape", [(6, 4), (5, 3, 4), (4, 40)])
@pytest.mark.parametrize("way", WEIGHTS)
def test_a_fused_loss_weighs_as_one_of_values_does(name, options, reduction, shape, way):
    y_true, y_pred = pair(name, options, shape, np.float32)
    given = WEIGHTS[way](np.random.default_rng(1), y_pred.shape[:-1])
    function = getattr(losses, name)
    fused, general = (kind(function, reduction, **options) for kind in (losses.LossFunctionWrapper, OfValues))
    assert fused.as_mean_loss(y_pred.dtype) and fused.is_fused(y_true.shape, y_pred.shape)
    assert general.as_mean_loss(y_pred.dtype) is None
    found, found_gradient = fused.value_and_gradient(y_true, y_pred, *given)
    value, gradient = general.value_and_gradient(y_true, y_pred, *given)
    assert found == pytest.approx(value, rel=1e-6, abs=1e-8)
    np.testing.assert_allclose(found_gradient, gradient, rtol=2e-5, atol=1e-7)
    assert fused.value(y_true, y_pred, *given) == found


@pytest.mark.parametrize("name, options", [CASES[0], CASES[2], CASES[4]])
def test_predictions_of_one_axis_have_one_value(name, options):
    y_true, y_pred = pair(name, options, (7,), np.float32)
    for weights in (None, 0.5, np.ones(7)):
        kinds = (losses.LossFunctionWrapper, OfValues)
        found, wanted = (kind(getattr(losses, name), **options)(y_true, y_pred, weights) for kind in kinds)
        assert found == pytest.approx(float(wanted), rel=1e-6)


@pytest.mark.parametrize("name, options", [CASES[0], CASES[2], CASES[4], ("pinball", {"quantiles": (0.3,)})])
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "mean_with_sample_weight"])
def test_targets_of_one_axis_less_are_weighed_as_those_of_the_definition(name, options, reduction):
    rng = np.random.default_rng(0)
    y_true, y_pred = rng.random((5, 3)), rng.random((5, 3, 1))
    fused, general = (
        kind(getattr(losses, name), reduction, **options) for kind in (losses.LossFunctionWrapper, OfValues)
    )
    values = fused.fn(y_true, y_pred, **options)
    for weights in (rng.random(values.shape), rng.random((5, 1))):
        found, found_gradient = fused.value_and_gradient(y_true, y_pred, weights)
        value, gradient = general.value_and_gradient(y_true, y_pred, weights)
        assert found == pytest.approx(value, rel=1e-6) == fused.value(y_true, y_pred, weights)
        np.testing.assert_allclose(found_gradient, gradient, rtol=1e-6)


def test_weights_that_do_not_fit_are_refused_as_ever():
    y_true, y_pred = pair("huber", {}, (6, 4))
    with pytest.raises(ValueError, match=r"weights that fit \(6,\), got \(5,\)"):
        losses.Huber().value_and_gradient(y_true, y_pred, np.ones(5))
    with pytest.raises(ValueError, match="weights must be one for each row"):
        native.mean_loss("huber", y_true, y_pred, weights=np.ones(5))


@pytest.mark.parametrize(
    "loss",
    [
        losses.SparseCategoricalCrossentropy(ignore_class=1),
        losses.CategoricalCrossentropy(axis=1),
        losses.BinaryCrossentropy(reduction="sum"),
        losses.BinaryCrossentropy(dtype="float64"),
        losses.BinaryFocalCrossentropy(),
    ],
)
def test_what_is_not_fused_says_so(loss):
    assert loss.as_mean_loss(np.dtype("float32")) is None


def test_a_loss_whose_gradient_is_the_users_own_is_not_fused():
    class Doubled(losses.MeanSquaredError):
        def gradient(self, y_true, y_pred):
            return 2 * super().gradient(y_true, y_pred)

    y_true, y_pred = pair("mean_squared_error", {}, (6, 4))
    wanted = losses.MeanSquaredError().value_and_gradient(y_true, y_pred)[1]
    np.testing.assert_allclose(Doubled().value_and_gradient(y_true, y_pred)[1], 2 * wanted)
