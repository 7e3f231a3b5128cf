"""Every loss's derivative against finite differences, on axes other than the last too."""

import itertools
import re

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
    "circle": L.Circle(gamma=5.0),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("weighted", [False, True])
def test_gradient_is_the_slope(name, weighted):
    loss = CASES[name]
    rng = np.random.default_rng(0)
    y_pred = rng.uniform(0.1, 0.9, (4, 3))
    labels = rng.integers(0, 3, 4)
    y_true = labels if name in ("generalized", "circle") else np.eye(3)[labels]
    weights = rng.uniform(0.5, 2, np.shape(loss.call(y_true, y_pred))) if weighted else None
    value, gradient = loss.value_and_gradient(y_true, y_pred, weights)
    assert value == pytest.approx(loss.value(y_true, y_pred, weights))
    assert value == pytest.approx(float(loss(y_true, y_pred, weights)), rel=1e-6)
    slope = np.empty_like(y_pred)
    for index in np.ndindex(y_pred.shape):
        step = np.zeros_like(y_pred)
        step[index] = 1e-6
        slope[index] = (loss.value(y_true, y_pred + step, weights) - loss.value(y_true, y_pred - step, weights)) / 2e-6
    np.testing.assert_allclose(gradient, slope, rtol=1e-5, atol=1e-7)


def test_ctc_sums_over_all_ways_to_write_the_labels():
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(1, 4, 3))
    p = np.exp(logits[0]) / np.exp(logits[0]).sum(axis=1, keepdims=True)

    def collapsed(path):
        kept = [c for i, c in enumerate(path) if i == 0 or c != path[i - 1]]
        return [c for c in kept if c != 0]

    paths = [path for path in itertools.product(range(3), repeat=4) if collapsed(path) == [1, 1]]
    total = sum(np.prod([p[t, c] for t, c in enumerate(path)]) for path in paths)
    assert L.ctc([[1, 1, 0]], logits) == pytest.approx([-np.log(total)])


@pytest.mark.parametrize("label", [-1, 3])
def test_ctc_refuses_labels_that_are_no_class(label):
    with pytest.raises(ValueError, match=f"labels from 0 to 2, got {label}"):
        L.CTC()(np.array([[1, label]]), np.zeros((1, 4, 3), np.float32))


def test_ctc_has_the_gradient_of_its_value_and_none_where_labels_do_not_fit():
    rng = np.random.default_rng(4)
    logits = rng.normal(size=(3, 5, 4))
    labels = np.array([[1, 2, 2], [3, 0, 0], [1, 1, 1]])
    loss = L.CTC(reduction="none")
    values, gradient = loss.value_and_gradient(labels, logits)
    slope = np.empty_like(logits)
    for index in np.ndindex(logits.shape):
        step = np.zeros_like(logits)
        step[index] = 1e-6
        slope[index] = (L.ctc(labels, logits + step) - L.ctc(labels, logits - step))[index[0]] / 2e-6
    np.testing.assert_allclose(gradient, slope, atol=1e-8)
    values, gradient = loss.value_and_gradient([[1, 1, 1]], logits[:1, :4])
    assert np.isinf(values).all() and not gradient.any()


def test_losses_and_metrics_of_one_name_stay_apart():
    for package in (recurra.losses, recurra.metrics):
        original = package.MeanSquaredError(name="mine")
        assert type(package.deserialize(package.serialize(original))) is package.MeanSquaredError


def test_a_mean_over_weights_takes_them_before_they_are_broadcast():
    values = np.arange(12, dtype="float32").reshape(3, 4, 1)
    loss = recurra.losses.MeanSquaredError(reduction="mean_with_sample_weight")
    weights = np.array([[1], [2], [3]], "float32")
    assert loss(0 * values, values, sample_weight=weights) == pytest.approx((values[..., 0] ** 2 * weights).sum() / 6)


@pytest.mark.parametrize("make, shape", [(recurra.losses.Dice, ()), (lambda: recurra.losses.Dice(axis=(1, 2)), (4, 1))])
def test_losses_over_several_axes_are_weighted_with_their_gradients(make, shape, rng):
    y, predicted = (rng.random((4, 5, 3)) for _ in range(2))
    weights, mask = (rng.random((4, 5)), rng.random((4, 5)) > 0.3) if shape == () else (rng.random(shape), None)
    loss = make()
    _, gradient = loss.value_and_gradient(y, predicted, weights, mask)
    moved = predicted.copy()
    moved[1, 2, 1] += 1e-6
    change = (loss.value(y, moved, weights, mask) - loss.value(y, predicted, weights, mask)) / 1e-6
    assert gradient[1, 2, 1] == pytest.approx(change, rel=1e-4)


@pytest.mark.parametrize("weighted", [False, True])
def test_a_mean_is_over_what_the_mask_lets_count(weighted, rng):
    y, predicted, weights, mask = (
        rng.random((4, 5, 3)),
        rng.random((4, 5, 3)),
        rng.random((4, 5)),
        rng.random((4, 5)) > 0.3,
    )
    weights = weights if weighted else np.ones((4, 5))
    given = weights if weighted else None
    values = L.mean_squared_error(y, predicted)
    for loss in (
        L.MeanSquaredError(),
        L.LossFunctionWrapper(lambda y_true, y_pred: values),
    ):  # in native code; composed
        assert loss.value(y, predicted, given, mask) == pytest.approx((values * weights)[mask].sum() / mask.sum())
    one_for_all = L.Dice().value(y, predicted)
    assert L.Dice().value(y, predicted, given, mask) == pytest.approx(one_for_all * weights[mask].sum() / mask.sum())


def test_divergences_have_the_gradient_of_targets_cut_to_shares():
    gradient = L.KLDivergence().gradient(np.array([[1.5, 0.5, 0.0]]), np.array([[0.5, 0.25, 0.25]]))
    np.testing.assert_allclose(gradient, [[-2, -2, -recurra.config.epsilon() / 0.25]], rtol=1e-12)


def test_weights_that_do_not_fit_a_mask_are_told():
    loss = recurra.losses.MeanSquaredError()
    with pytest.raises(ValueError, match=r"weights that fit the mask \(4, 5\), got \(4,\)"):
        loss.value(np.zeros((4, 5, 3)), np.ones((4, 5, 3)), np.ones(4), np.ones((4, 5), bool))


@pytest.mark.parametrize(("loss", "y_true"), [(L.MeanSquaredError(), 0.5), (L.SparseCategoricalCrossentropy(), 0)])
def test_an_error_of_native_code_that_is_not_of_labels_is_told(loss, y_true, monkeypatch):
    def fail(**_):
        raise ValueError("weights must be one for each row")

    monkeypatch.setattr("recurra.ops.mean_loss", fail)
    with pytest.raises(ValueError, match="weights must be one for each row"):
        loss(np.array([[y_true]]), np.full((1, 1), 0.5, np.float32))


def test_labels_that_native_code_does_not_know_are_those_of_the_definition():
    loss, p = L.SparseCategoricalCrossentropy(), np.full((2, 3), 1 / 3, np.float32)
    assert loss([0, 0.5], p) == loss([0, 0], p)  # as Keras cuts them
    for label in (-1, 3):
        with pytest.raises(ValueError, match=f"labels from 0 to 2, got {label}"):
            loss([0, label], p)


def test_labels_in_the_other_form_get_the_name_of_the_other_loss():
    labels, one_hot, p = np.array([0, 2]), np.eye(3)[[0, 2]], np.full((2, 3), 1 / 3)
    with pytest.raises(ValueError, match=r"got \(2, 3\): one-hot labels are for categorical_crossentropy"):
        L.SparseCategoricalCrossentropy()(one_hot, p)
    with pytest.raises(ValueError, match=r"got \(2,\): .* are for sparse_categorical_crossentropy"):
        L.CategoricalCrossentropy()(labels, p)


@pytest.mark.parametrize(
    "gamma, y, p, wanted",  # of Keras 3.15 on JAX
    [
        (2.0, [1.0, 0.0], [1.2, 0.3], 0.0160503760),
        (2.0, [-1.0, 1.0], [0.3, 0.6], 0.0384129286),
        (3.0, [-1.0, 1.0], [1.3, 1.6], 388.8187561),
    ],
)
def test_focal_losses_take_predictions_that_are_no_probabilities(gamma, y, p, wanted):
    y, p = np.array([y], "float32"), np.array([p], "float32")
    loss = L.BinaryFocalCrossentropy(gamma=gamma)
    assert loss(y, p) == pytest.approx(wanted, rel=1e-5)
    assert np.isfinite(loss.value_and_gradient(y, p)[1]).all()


def test_focal_losses_of_any_power_are_not_defined_beyond_one():
    loss = L.BinaryFocalCrossentropy(gamma=1.5)
    assert np.isnan(loss(np.array([[1.0]]), np.array([[1.2]])))


def model_for(loss):
    recurra.utils.set_random_seed(0)
    model = recurra.Sequential([recurra.Input((3,)), recurra.layers.Dense(2)])
    model.compile("sgd", loss)
    return model


class OwnValues:
    def call(self, y_true, y_pred):
        return 2 * super().call(y_true, y_pred)


class OwnValuesOfSquares(OwnValues, L.MeanSquaredError):
    pass


class OwnBoth(OwnValuesOfSquares):
    def gradient(self, y_true, y_pred):
        return 2 * L.MeanSquaredError.gradient(L.MeanSquaredError(), y_true, y_pred)


class OwnCall(L.MeanSquaredError):
    def __call__(self, y_true, y_pred, sample_weight=None):
        return 0 * super().__call__(y_true, y_pred, sample_weight)


def test_a_subclass_without_a_constructor_has_the_options_of_its_base():
    class Named(L.Huber):
        pass

    assert Named(delta=2.0).get_config()["delta"] == 2.0
    assert "delta" not in Named().get_config()


def test_a_subclass_with_its_own_values_is_not_trained_by_the_gradient_of_its_base(rng):
    x, y = rng.random((8, 3)), rng.random((8, 2))
    model = model_for(OwnValuesOfSquares())
    assert model.evaluate(x, y, verbose=0) == pytest.approx(2 * model_for("mse").evaluate(x, y, verbose=0))
    before = model.get_weights()
    with pytest.raises(
        NotImplementedError, match=r"OwnValuesOfSquares expected a method gradient\(y_true, y_pred\), got"
    ):
        model.fit(x, y, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], before[0])
    trained, wanted = model_for(OwnBoth()), model_for("mse")
    wanted.optimizer.learning_rate = 2 * wanted.optimizer.learning_rate
    for one in (trained, wanted):
        one.fit(x, y, verbose=0)
    np.testing.assert_allclose(trained.get_weights()[0], wanted.get_weights()[0], rtol=1e-6)


@pytest.mark.parametrize("method", ["fit", "evaluate"])
def test_a_loss_with_its_own_way_to_be_called_is_refused(method, rng):
    x, y = rng.random((8, 3)), rng.random((8, 2))
    assert OwnCall()(y, x[:, :2]) == 0
    with pytest.raises(
        NotImplementedError, match=r"the loss OwnCall expected call\(.* overridden, got its own __call__"
    ):
        getattr(model_for(OwnCall()), method)(x, y, verbose=0)


def test_the_dtype_of_a_loss_is_that_of_its_calls():
    before = recurra.config.floatx()
    assert (L.MeanSquaredError().dtype, L.MeanSquaredError(dtype="float64").dtype) == ("float32", "float64")
    try:
        recurra.config.set_floatx("float64")
        loss = L.Huber()
        assert loss.dtype == loss(np.ones(3), np.zeros(3)).dtype == "float64"
    finally:
        recurra.config.set_floatx(before)
    y = np.ones((2, 3))
    assert L.MeanSquaredError().value_and_gradient(y, y)[1].dtype == "float64"  # training takes that of the outputs


@pytest.mark.parametrize(
    "name, options",
    [
        ("binary_crossentropy", {"label_smoothing": 0.1}),
        ("binary_focal_crossentropy", {"gamma": 1.5}),
        ("categorical_crossentropy", {"from_logits": True}),
        ("categorical_focal_crossentropy", {}),
    ],
)
def test_crossentropies_go_along_any_axis(name, options):
    rng = np.random.default_rng(0)
    y, p = np.eye(3)[rng.integers(3, size=(2, 4))], rng.random((2, 4, 3))
    function = getattr(L, name)
    moved = function(np.moveaxis(y, -1, 1), np.moveaxis(p, -1, 1), axis=1, **options)
    np.testing.assert_array_equal(moved, function(y, p, **options))
    assert moved.shape == (2, 4)


def test_labels_have_no_axis_of_classes():
    labels, p = np.array([[0, 2, 1, 1], [2, 2, 0, 1]]), np.random.default_rng(0).random((2, 4, 3))
    function = L.sparse_categorical_crossentropy
    np.testing.assert_array_equal(function(labels, np.moveaxis(p, -1, 1), axis=1), function(labels, p))


def test_a_single_row_has_one_value():
    p = np.array([0.1, 0.7, 0.2], "float32")
    for function in (L.sparse_categorical_crossentropy, L.categorical_generalized_cross_entropy):
        value = function(np.int64(1), p)
        assert value.shape == ()
        assert value == function(np.array([1]), p[None])[0]


def test_short_vectors_are_scaled_up_to_the_small_constant():
    y, short = np.array([[1.0, 0.0]]), np.array([[3e-7, 0.0], [4e-8, 3e-8]])
    np.testing.assert_allclose(L.cosine_similarity(y, short), [-1.0, -0.4])  # times 1e7 at most, as in Keras
    for x in short[:, None]:
        slope = L.cosine_similarity.gradient(y, x)
        for step in 1e-12 * np.eye(2):
            change = L.cosine_similarity(y, x + step) - L.cosine_similarity(y, x - step)
            np.testing.assert_allclose(change / 2, (slope * step).sum(axis=-1), atol=1e-9)


def test_circle_takes_rows_of_features():
    with pytest.raises(ValueError, match=r"circle expected y_pred of shape \(batch, features\), got \(3, 2, 4\)"):
        recurra.losses.Circle()(np.array([0, 1, 0]), np.zeros((3, 2, 4), "float32"))


def test_circle_takes_a_label_for_each_row():
    for given in (np.ones(4), np.ones((4, 3))):
        message = rf"circle expected a label for each of 5 rows of y_pred, got {re.escape(str(given.shape))}"
        with pytest.raises(ValueError, match=message):
            L.circle(given, np.ones((5, 3)))


@pytest.mark.parametrize("loss", ["circle", L.circle])
def test_circle_trains_by_its_name_and_its_function_as_its_class_does(loss, rng):
    x, y = rng.standard_normal((12, 3)).astype("float32"), np.array([0, 1, 2, 3] * 2 + [4, 5, 6, 7])  # some alone

    def history(loss):
        recurra.utils.set_random_seed(0)
        model = recurra.Sequential([recurra.Input((3,)), recurra.layers.Dense(4), recurra.layers.UnitNormalization()])
        model.compile("sgd", loss)
        return model.fit(x, y, epochs=3, shuffle=False, verbose=0, sample_weight=np.arange(12.0)).history

    found = history(loss)
    assert found == history(L.Circle())
    assert found["loss"][-1] < found["loss"][0]


@pytest.mark.parametrize("name", recurra.losses.FUNCTIONS)
def test_help_says_what_a_loss_takes_and_gives(name):
    text = recurra.losses.FUNCTIONS[name].__doc__
    assert all(part in text for part in ("Args:", "y_true:", "y_pred:", "Returns:", "Raises:"))


@pytest.mark.parametrize("name", ["poisson", "cosine_similarity"])
def test_numbers_too_small_for_their_dtype_are_zero_whatever_numpy_raises_for(name):
    y_true, y_pred = np.zeros((4, 3), np.float32), np.full((4, 3), 1e-38, np.float32)
    loss = L.LossFunctionWrapper(L.get(name))
    weights = np.full(4, 1e-3, np.float32)

    def results():
        return loss(y_true, y_pred), *loss.value_and_gradient(y_true, y_pred, weights)

    wanted = results()
    with np.errstate(all="raise"):
        found = results()
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one, other)


def test_labels_may_have_a_last_axis_of_one(rng):
    labels, p = np.array([0, 2, 1]), rng.random((3, 3))
    for function in (L.sparse_categorical_crossentropy, L.categorical_generalized_cross_entropy):
        np.testing.assert_array_equal(function(labels[:, None], p), function(labels, p))


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda: L.binary_crossentropy(np.ones((1, 3)), np.ones((4, 3))), r"y_true of shape \(4, 3\), got \(1, 3\)"),
        (lambda: L.pinball(np.ones(2), np.ones((2, 3)), quantiles=[0.1, 0.9]), "2 values on the last axis of y_pred"),
        (lambda: L.CategoricalGeneralizedCrossEntropy(1.0), "q between 0 and 1, got 1.0"),
        (lambda: L.ctc(np.ones(2), np.ones((2, 4, 3))), r"timesteps, classes\), got \(2,\) and \(2, 4, 3\)"),
    ],
)
def test_what_does_not_fit_a_loss_is_refused(mistake, message):
    with pytest.raises(ValueError, match=message):
        mistake()


def test_a_loss_without_a_call_says_what_it_needs():
    class Nothing(L.Loss):
        pass

    with pytest.raises(NotImplementedError, match=r"Nothing expected a method call\(y_true, y_pred\), got none"):
        Nothing()(np.ones(2), np.ones(2))
    assert Nothing(name="n", reduction="sum").get_config() == {"name": "n", "reduction": "sum"}
