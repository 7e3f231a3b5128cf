"""Gradients of activations, losses and regularizers against finite differences, and what names and configs give."""

import numpy as np
import pytest

import recurra
from recurra import activations, constraints, initializers, layers, losses, metrics, regularizers

EPSILON = 1e-6
SMOOTH_AWAY_FROM_KINKS = 0.07  # kinks of the piecewise activations lie on multiples of 0.5


def numeric(function, x):
    gradient = np.zeros_like(x)
    for index in np.ndindex(*x.shape):
        kept = x[index]
        x[index] = kept + EPSILON
        above = function(x)
        x[index] = kept - EPSILON
        below = function(x)
        x[index] = kept
        gradient[index] = (above - below) / (2 * EPSILON)
    return gradient


@pytest.fixture
def x(rng):
    values = rng.uniform(-4, 4, (3, 6))
    near = np.abs(values * 2 - np.round(values * 2)) < 2 * SMOOTH_AWAY_FROM_KINKS
    return np.where(near, values + 0.17, values)


@pytest.mark.parametrize("name", activations.FUNCTIONS)
def test_the_gradient_of_an_activation_is_right(name, x, rng):
    function = activations.get(name)
    y = function(x)
    dy = rng.standard_normal(y.shape)
    wanted = numeric(lambda v: float((function(v) * dy).sum()), x)
    np.testing.assert_allclose(function.gradient(dy, x, y), wanted, rtol=1e-5, atol=1e-6)


ONE_HOT = np.eye(4)[[0, 3, 1, 1, 2]]
LOSSES = {
    "mean_squared_error": {},
    "mean_absolute_error": {},
    "mean_absolute_percentage_error": {},
    "mean_squared_logarithmic_error": {},
    "huber": {"delta": 0.7},
    "log_cosh": {},
    "cosine_similarity": {},
    "kl_divergence": {},
    "poisson": {},
    "hinge": {},
    "squared_hinge": {},
    "categorical_hinge": {},
    "binary_crossentropy": {"label_smoothing": 0.1},
    "binary_focal_crossentropy": {"gamma": 1.5, "apply_class_balancing": True},
    "categorical_crossentropy": {"label_smoothing": 0.1},
    "sparse_categorical_crossentropy": {},
    "pinball": {"quantiles": (0.1, 0.4, 0.6, 0.9)},
}


def of_loss(name, rng):
    y_pred = rng.uniform(0.05, 0.95, (5, 4))
    if name == "sparse_categorical_crossentropy":
        return ONE_HOT.argmax(axis=1), y_pred
    if name == "pinball":
        return rng.uniform(0.1, 0.9, (5, 1)), y_pred
    return (ONE_HOT if "categorical" in name else rng.uniform(0.1, 0.9, (5, 4))), y_pred


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight"])
@pytest.mark.parametrize("name", LOSSES)
def test_the_gradient_of_a_loss_is_right(name, reduction, rng):
    y_true, y_pred = of_loss(name, rng)
    loss = losses.LossFunctionWrapper(getattr(losses, name), reduction=reduction, **LOSSES[name])
    weight, mask = rng.uniform(0.5, 2, 5), np.array([True, True, False, True, True])
    value, gradient = loss.value_and_gradient(y_true, y_pred, weight, mask)
    wanted = numeric(lambda v: loss.value_and_gradient(y_true, v, weight, mask)[0], y_pred)
    np.testing.assert_allclose(gradient, wanted, rtol=1e-5, atol=1e-8)
    assert value == pytest.approx(float(loss(y_true, recurra._arrays.as_array(y_pred, mask), weight)), rel=1e-5)


@pytest.mark.parametrize("name", ["binary_crossentropy", "binary_focal_crossentropy", "categorical_crossentropy"])
def test_the_gradient_from_logits_is_right(name, rng):
    loss = losses.LossFunctionWrapper(getattr(losses, name), from_logits=True)
    y_pred = rng.standard_normal((5, 4))
    _, gradient = loss.value_and_gradient(ONE_HOT, y_pred)
    np.testing.assert_allclose(gradient, numeric(lambda v: loss.value(ONE_HOT, v), y_pred), rtol=1e-5, atol=1e-8)


def test_an_ignored_class_has_no_weight(rng):
    labels, y_pred = np.array([0, 1, 2]), rng.uniform(0.1, 0.9, (3, 4))
    loss = losses.SparseCategoricalCrossentropy(ignore_class=1)
    kept = losses.SparseCategoricalCrossentropy()
    assert loss(labels, y_pred) == pytest.approx(kept(labels[[0, 2]], y_pred[[0, 2]]))
    assert not loss.value_and_gradient(labels, y_pred)[1][1].any()


def test_a_loss_of_ones_own_predicts_but_needs_a_gradient_to_train():
    def cubic(y_true, y_pred):
        return (np.abs(y_pred - y_true) ** 3).mean(axis=-1)

    loss = losses.as_loss(cubic)
    y_true, y_pred = np.zeros((2, 1)), np.array([[1.0], [2.0]])
    assert loss(y_true, y_pred) == pytest.approx(4.5)
    with pytest.raises(NotImplementedError, match=r"set function\.gradient"):
        loss.value_and_gradient(y_true, y_pred)
    cubic.gradient = lambda y_true, y_pred: 3 * (y_pred - y_true) ** 2 * np.sign(y_pred - y_true)
    np.testing.assert_allclose(loss.value_and_gradient(y_true, y_pred)[1], [[1.5], [6.0]])


@pytest.mark.parametrize(
    "regularizer",
    [
        regularizers.L1(0.3),
        regularizers.L2(0.2),
        regularizers.L1L2(0.1, 0.2),
        regularizers.OrthogonalRegularizer(0.5),
        regularizers.OrthogonalRegularizer(0.5, mode="columns"),
    ],
    ids=lambda r: type(r).__name__,
)
def test_the_gradient_of_a_regularizer_is_right(regularizer, rng):
    w = rng.standard_normal((4, 3))
    np.testing.assert_allclose(regularizer.gradient(w), numeric(regularizer, w), rtol=1e-5, atol=1e-7)
    again = regularizers.deserialize(regularizers.serialize(regularizer))
    assert again.get_config() == regularizer.get_config()


def test_constraints_bring_norms_where_they_belong(rng):
    w = rng.standard_normal((6, 3)) * 4
    norms = lambda array: np.sqrt((array**2).sum(axis=0))  # noqa: E731
    np.testing.assert_allclose(norms(constraints.UnitNorm()(w)), 1, rtol=1e-6)
    assert (norms(constraints.MaxNorm(1.5)(w)) <= 1.5).all()
    assert (constraints.NonNeg()(w) >= 0).all()
    np.testing.assert_allclose(
        norms(constraints.MinMaxNorm(0.5, 1.5, rate=0.5)(w)), (norms(w) + np.clip(norms(w), 0.5, 1.5)) / 2, rtol=1e-6
    )


@pytest.mark.parametrize(
    "module, name, cls",
    [
        (initializers, "glorot_uniform", initializers.GlorotUniform),
        (initializers, "HeNormal", initializers.HeNormal),
        (regularizers, "l2", regularizers.L2),
        (constraints, "max_norm", constraints.MaxNorm),
        (metrics, "mse", metrics.MeanSquaredError),
        (metrics, "AUC", metrics.AUC),
        (losses, "Huber", losses.Huber),
    ],
)
def test_names_configs_and_objects_give_the_same(module, name, cls):
    made = module.get(name)
    assert type(made) is cls
    assert module.get(made) is made
    again = module.get(module.serialize(made))
    assert type(again) is cls
    assert again.get_config() == made.get_config()


@pytest.mark.parametrize("module", [activations, initializers, regularizers, constraints, metrics, losses])
def test_an_unknown_name_is_refused(module):
    with pytest.raises(ValueError, match=r"\.get expected .* got 'nonsense'"):
        module.get("nonsense")


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: losses.MeanSquaredError(reduction="average"), "reduction to be one of"),
        (
            lambda: losses.CategoricalCrossentropy()(np.zeros(3), np.full((3, 4), 0.25)),
            "sparse_categorical_crossentropy",
        ),
        (lambda: losses.SparseCategoricalCrossentropy()([0, 9], np.full((2, 4), 0.25)), "labels from 0 to 3, got 9"),
        (
            lambda: losses.SparseCategoricalCrossentropy(ignore_class=0)([0, np.nan], np.full((2, 4), 0.25)),
            "y_true of sparse_categorical_crossentropy expected whole numbers, got nan",
        ),
        (
            lambda: losses.CTC()(np.array([[1, np.inf]]), np.zeros((1, 4, 3), np.float32)),
            "y_true of ctc expected whole numbers, got inf",
        ),
        (lambda: layers.Embedding(3, 2)(np.array([[1, np.nan]])), "Embedding expected whole numbers, got nan"),
        (lambda: losses.MeanSquaredError()(["a"], [[1.0]]), "y_true of a loss expected numbers"),
        (
            lambda: losses.LogCosh()(np.zeros((3, 2)), np.zeros((4, 5))),
            r"y_true expected the shape of y_pred, \(4, 5\), got \(3, 2\)",
        ),
        (
            lambda: metrics.MeanAbsoluteError()(np.zeros((4, 2)), np.zeros((4, 5))),
            r"expected the shape of y_pred, \(4, 5\), got \(4, 2\)",
        ),
        (lambda: losses.Huber(delta="1"), "delta to be a number above zero, got '1'"),
        (lambda: losses.Huber(delta=np.nan), "delta to be a number above zero, got nan"),
        (lambda: losses.MeanSquaredError()(np.zeros((4, 3, 1)), np.zeros((4, 3, 1)), np.ones(4)), "weights that fit"),
        (lambda: initializers.Orthogonal()((3,)), "at least two dimensions"),
        (lambda: initializers.Identity()((2, 2, 2)), "a matrix shape"),
        (lambda: regularizers.L2(-1), "l2 to be a finite number"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_softmax_over_nothing_is_empty():
    nothing = np.zeros((2, 0), "float32")
    assert layers.Softmax()(nothing).shape == (2, 0)
    assert layers.Activation("log_softmax")(nothing).shape == (2, 0)
    x = np.zeros((2, 0, 3), "float32")
    assert layers.Attention()([x, x]).shape == (2, 0, 3)
    assert layers.MultiHeadAttention(2, 3)(x, x).shape == (2, 0, 3)
    ask = np.ones((2, 4, 3), "float32")
    np.testing.assert_array_equal(layers.Attention()([ask, x]), np.zeros((2, 4, 3)))  # sums of no values


def test_an_initializer_without_a_seed_repeats_itself_but_not_others():
    recurra.utils.set_random_seed(5)
    one, other = initializers.GlorotUniform(), initializers.GlorotUniform()
    np.testing.assert_array_equal(one((3, 4)), one((3, 4)))
    assert np.any(one((3, 4)) != other((3, 4)))


X = np.array([[-2.0, -0.4, 0.0], [0.3, 1.5, 7.0]], "float32")


@pytest.mark.parametrize(
    ("name", "options", "wanted"),
    [
        ("relu", {"negative_slope": 0.1}, np.where(X > 0, X, 0.1 * X)),
        ("relu", {"negative_slope": 0.0, "max_value": 1.0}, np.clip(X, 0, 1)),
        ("relu", {"threshold": 1.0, "negative_slope": 0.5}, np.where(X > 1, X, 0.5 * (X - 1))),
        ("leaky_relu", {"negative_slope": 0.3}, np.where(X > 0, X, 0.3 * X)),
        ("elu", {"alpha": 2.0}, np.where(X > 0, X, 2 * np.expm1(X))),
        ("celu", {"alpha": 2.0}, np.where(X > 0, X, 2 * np.expm1(X / 2))),
        ("gelu", {"approximate": True}, X / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (X + 0.044715 * X**3)))),
        ("hard_shrink", {"threshold": 1.6}, np.where(np.abs(X) > 1.6, X, 0)),
        ("soft_shrink", {"threshold": 1.6}, np.sign(X) * np.maximum(np.abs(X) - 1.6, 0)),
        ("squareplus", {"b": 1.0}, (X + np.sqrt(X * X + 1)) / 2),
        ("softmax", {"axis": 0}, np.exp(X) / np.exp(X).sum(axis=0)),
        ("log_softmax", {"axis": 0}, X - np.log(np.exp(X).sum(axis=0))),
        ("sparsemax", {"axis": 0}, [[0, 0, 0], [1, 1, 1]]),
        ("glu", {"axis": 0}, X[:1] / (1 + np.exp(-X[1:]))),
    ],
)
def test_activations_take_keras_s_options(name, options, wanted):
    found = getattr(activations, name)(X, **options)
    assert found.dtype == "float32"
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_activations_keep_numbers_numbers_and_refuse_other_options():
    assert activations.sigmoid(0.0).shape == activations.relu(-1.0, max_value=3.0).shape == ()
    with pytest.raises(TypeError, match=r"relu\(\) got an unexpected keyword argument 'slope'"):
        activations.relu(X, slope=0.1)
    with pytest.raises(TypeError, match=r"tanh\(\)"):
        activations.tanh(X, axis=0)


def test_labels_that_are_no_class_and_predictions_that_are_no_numbers_are_not_among_the_first_k():
    rising = [0.2, 0.3, 0.5]
    predictions = np.array([rising, rising, rising, [np.nan, np.nan, np.nan], [0.1, np.inf, 0.2]], np.float32)
    found = metrics.sparse_top_k_categorical_accuracy(np.array([2, -1, 5, 0, 1]), predictions, k=2)
    np.testing.assert_array_equal(found, [1, 0, 0, 0, 0])  # Keras's numbers on TensorFlow
