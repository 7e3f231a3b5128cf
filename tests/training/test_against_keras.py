"""Training against real Keras: losses, metrics, targets and weights, of one output and of many.

Run where Keras is installed (`pip install '.[peers]'`); skipped elsewhere.
"""

import warnings

import numpy as np
import pytest
from beside_keras import D, T, assert_alike

import recurra
from recurra import _tree


@pytest.fixture
def keras():
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    for library in (keras, recurra):  # metrics are numbered alike, whatever has run before
        library.utils.clear_session()
    return keras


@pytest.fixture
def x(rng):
    return rng.standard_normal((8, T, D)).astype("f")


@pytest.mark.parametrize("metric", ["RootMeanSquaredError", "AUC"])
def test_metrics_that_do_not_look_at_masks(keras, x, rng, metric):
    def build(library):
        start = library.Input((T, D))
        states = library.layers.GRU(4, return_sequences=True)(library.layers.Masking()(start))
        return library.Model(start, library.layers.Dense(1, activation="sigmoid")(states))

    mask = rng.random((8, T)) > 0.4
    mask[:, 0] = True
    y = (rng.random((8, T, 1)) > 0.5).astype("f")
    metrics = lambda library: [getattr(library.metrics, metric)()]  # noqa: E731
    assert_alike(keras, build, np.where(mask[..., None], x, 0), y, loss="mse", metrics=metrics)


def test_evaluate_lists_outputs_in_the_order_in_which_the_model_names_them(keras, x, rng):
    if keras.backend.backend() == "jax":
        pytest.skip("Keras on JAX sorts the outputs by their names")
    y = {"z": rng.standard_normal((8, 1)).astype("f"), "a": rng.standard_normal((8, 2)).astype("f")}
    results, first = [], None
    for library in (keras, recurra):
        start = library.Input((T, D))
        state = library.layers.GRU(4)(start)
        model = library.Model(start, {"z": library.layers.Dense(1)(state), "a": library.layers.Dense(2)(state)})
        first = first or model.get_weights()
        model.set_weights(first)
        model.compile("sgd", "mse")
        results.append(model.evaluate(x, y, verbose=0))
    np.testing.assert_allclose(results[1], results[0], rtol=1e-5)


@pytest.mark.parametrize("loss, metrics", [(["mse", "mae"], [["mae"], ["mse", "mae"]]), (["mse", None], None)])
def test_two_outputs(keras, x, rng, loss, metrics):
    def build(library):
        start = library.Input((T, D))
        state = library.layers.GRU(4)(start)
        outputs = [library.layers.Dense(2, name="first")(state), library.layers.Dense(1, name="second")(state)]
        return library.Model(start, outputs)

    y = [rng.standard_normal((8, units)).astype("f") for units in (2, 1)]
    assert_alike(keras, build, x, y, loss=loss, metrics=metrics)


NESTED = {
    "a list in a dict": lambda a, b, c: {"p": [a, b], "o": c},
    "a list in a list": lambda a, b, c: [[a, b], c],
    "a tuple at the end of a list": lambda a, b, c: [c, (b, a)],
    "a dict in a dict": lambda a, b, c: {"p": {"y": a, "x": b}, "o": c},
    "a dict in a list": lambda a, b, c: [{"x": a, "y": b}, c],
    "a dict whose keys are not sorted": lambda a, b, c: {"z": a, "y": b, "x": c},
}


@pytest.mark.parametrize("nest", NESTED.values(), ids=NESTED)
def test_outputs_within_lists_and_dicts_train_on_what_is_nested_alike(keras, x, rng, nest):
    def build(library):
        start = library.Input((T, D))
        state = library.layers.GRU(4)(start)
        dense = library.layers.Dense
        return library.Model(
            start, nest(dense(1, name="a")(state), dense(2, name="b")(state), dense(3, name="c")(state))
        )

    y = nest(*(rng.standard_normal((8, units)).astype("f") for units in (1, 2, 3)))
    weights = nest(*(rng.random(8).astype("f") for _ in range(3)))
    several = {"loss": nest("mse", "mae", "mse"), "loss_weights": nest(0.5, 2.0, 1.0)}
    metrics = {"metrics": nest("mae", ["mse"], ["mae", "mse"]), "weighted_metrics": nest(["mae"], ["mae"], ["mse"])}
    assert_alike(keras, build, x, y, loss="mse")
    assert_alike(keras, build, x, y, **several, **metrics, sample_weight=weights)


@pytest.mark.parametrize(
    "loss, targets",
    [
        (["mse", "mae", None], slice(2)),
        (["mse", None, None], 0),
        ({"c": "mse", "b": "mae", "a": "mse"}, slice(3)),
        ("mse", slice(3)),
    ],
)
def test_targets_of_the_outputs_that_have_a_loss_are_enough(keras, x, rng, loss, targets):
    def build(library):
        start = library.Input((T, D))
        state = library.layers.GRU(4)(start)
        return library.Model(start, [library.layers.Dense(n, name="abc"[n - 1])(state) for n in (1, 2, 3)])

    y = [rng.standard_normal((8, units)).astype("f") for units in (1, 2, 3)]
    assert_alike(keras, build, x, y[targets], loss=loss)


@pytest.mark.parametrize("metrics", [["mse", "mae"], ["mae", "mae"], ["mae", "cosine_similarity", "mse"]])
def test_one_output_with_metrics_in_any_order(keras, x, rng, metrics):
    def build(library):
        return library.Sequential([library.Input((T, D)), library.layers.GRU(4), library.layers.Dense(2)])

    assert_alike(keras, build, x, rng.standard_normal((8, 2)).astype("f"), loss="mse", metrics=metrics)


def test_generators_that_end(keras, x, rng):
    y = rng.standard_normal((8, 2)).astype("f")

    def run(library, weights=[]):  # noqa: B006 - the first library's weights are the second's
        model = library.Sequential([library.Input((T, D)), library.layers.GRU(4), library.layers.Dense(2)])
        weights.extend(model.get_weights() if not weights else [])
        model.set_weights(weights)
        model.compile("sgd", "mse")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            batches = ((x, y) for _ in range(5))
            validation = ((x, y) for _ in range(3))
            return model.fit(batches, epochs=4, steps_per_epoch=2, validation_data=validation, verbose=0).history

    wanted, own = run(keras), run(recurra)
    for name in ("loss", "val_loss"):
        np.testing.assert_allclose(own[name], wanted[name], rtol=1e-4)


def test_metrics_over_batches_of_other_lengths_and_weights_that_broadcast(keras):
    results = []
    for library in (keras, recurra):
        metric = library.metrics.MeanAbsoluteError()
        for steps in (5, 3):
            metric.update_state(np.zeros((4, steps, 1)), np.arange(4.0 * steps).reshape(4, steps, 1) ** 2)
        metric.update_state(np.zeros((2, 5, 1)), np.ones((2, 5, 1)), sample_weight=np.arange(10.0).reshape(2, 5))
        loss = library.losses.MeanSquaredError(reduction="mean_with_sample_weight")
        values = np.arange(12, dtype="f").reshape(3, 4, 1)
        results.append(
            [float(metric.result())]
            + [float(loss(0 * values, values, sample_weight=w)) for w in (2.0, np.array([[1], [2], [3.0]], "f"))]
        )
    np.testing.assert_allclose(results[1], results[0], rtol=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_training_in_a_call_is_overruled_by_fit_and_predict(keras, x, rng, training):
    def build(library):
        start = library.Input((T, D))
        return library.Model(start, library.layers.BatchNormalization()(start, training=training))

    assert_alike(keras, build, x, rng.standard_normal((8, T, D)).astype("f"), loss="mse")


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "mean_with_sample_weight"])
@pytest.mark.parametrize("weights", [None, 2.0, (8,), (8, 1), (8, T)])
def test_losses_of_one_value_take_weights(keras, rng, reduction, weights):
    if weights is not None and not isinstance(weights, float):
        weights = rng.random(weights).astype("f")
    y, predicted = (rng.random((8, T, D)).astype("f") for _ in range(2))
    for name, options in (("Dice", {}), ("Tversky", {}), ("Dice", {"axis": (1, 2)})):
        if options and np.shape(weights) == (8, T):
            continue
        wanted, own = (
            getattr(library.losses, name)(reduction=reduction, **options)(y, predicted, sample_weight=weights)
            for library in (keras, recurra)
        )
        np.testing.assert_allclose(own, wanted, rtol=1e-4)


@pytest.mark.parametrize("shape", [None, (3,), (3, 1)])
def test_metrics_of_classes_take_weights_with_a_last_axis(keras, shape):
    predicted = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]], "f")
    weights = None if shape is None else np.array([1.0, 2.0, 3.0]).reshape(shape)
    results = []
    for library in (keras, recurra):
        sparse = library.metrics.SparseCategoricalCrossentropy(ignore_class=1)
        sparse.update_state(np.array([0, 1, 2]), predicted, sample_weight=weights)
        chosen = library.metrics.Recall(class_id=1, thresholds=0.5)
        chosen.update_state(np.eye(3), predicted, sample_weight=weights)
        results.append([float(sparse.result()), float(np.asarray(chosen.result()).ravel()[0])])
    np.testing.assert_allclose(results[1], results[0], rtol=1e-5)


METRICS = [n for n in recurra.metrics.__all__ if n[0].isupper() and n not in ("Metric", "MeanMetricWrapper")]
METRIC_OPTIONS = {
    "BinaryIoU": {"threshold": 0.4},
    "F1Score": {"average": "micro"},
    "FBetaScore": {"average": "weighted", "beta": 2.0},
    "IoU": {"num_classes": 3, "target_class_ids": [1], "sparse_y_pred": False, "sparse_y_true": False},
    "MeanIoU": {"num_classes": 3, "sparse_y_pred": False, "sparse_y_true": False},
    "OneHotIoU": {"num_classes": 3, "target_class_ids": [0, 2]},
    "OneHotMeanIoU": {"num_classes": 3},
    "PrecisionAtRecall": {"recall": 0.6},
    "R2Score": {"class_aggregation": None, "num_regressors": 1},
    "RecallAtPrecision": {"precision": 0.6},
    "SensitivityAtSpecificity": {"specificity": 0.4},
    "SpecificityAtSensitivity": {"sensitivity": 0.4},
    "SparseTopKCategoricalAccuracy": {"k": 2},
    "TopKCategoricalAccuracy": {"k": 2},
}


REFUSED_HERE = ("F1Score", (6, 3))  # its weights are those of rows


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("shape", [None, (6,), (6, 3)])
def test_metrics_keep_the_state_that_keras_keeps(keras, rng, name, shape):
    y, p = np.eye(3, dtype="f")[[0, 1, 2, 0, 1, 1]], rng.dirichlet([1, 1, 1], 6).astype("f")
    y = y.argmax(axis=1) if name.startswith("Sparse") else y
    weights = None if shape is None else np.arange(1, np.prod(shape) + 1, dtype="f").reshape(shape)
    found = []
    for library in (keras, recurra):
        metric = getattr(library.metrics, name)(**METRIC_OPTIONS.get(name, {}))
        given = (p,) if name in ("Mean", "Sum") else (y, p)
        try:
            metric.update_state(*given, sample_weight=weights)
            metric.update_state(*given)
        except Exception:
            found.append("refused")
            continue
        state = [(variable.name, tuple(variable.shape)) for variable in metric.variables]
        values = [np.array(variable) for variable in metric.variables]
        result = np.array(metric.result())
        metric.reset_state()
        left = [np.array(variable) for variable in metric.variables]
        found.append((state, metric.get_config(), values, result, left))
    if "refused" in found:
        assert found[1] == "refused" and (found[0] == "refused" or (name, shape) == REFUSED_HERE)
        return
    (names, config, *wanted), (own_names, own_config, *own) = found
    assert own_names == names
    assert own_config == config
    for one, other in zip(_tree.flatten(own), _tree.flatten(wanted), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("units", [1, 3])
def test_metrics_with_a_number_for_each_class_are_arrays(keras, rng, units):
    x, labels = rng.standard_normal((12, 4)).astype("f"), np.arange(12) % units
    y = np.eye(units, dtype="f")[labels] if units > 1 else (x[:, :1] > 0).astype("f")
    results, first = [], None
    for library in (keras, recurra):
        model = library.Sequential([library.Input((4,)), library.layers.Dense(units, "sigmoid")])
        first = first or model.get_weights()
        model.set_weights(first)
        of_classes = [library.metrics.F1Score(threshold=0.5), library.metrics.R2Score(class_aggregation=None)]
        model.compile("sgd", "mse", metrics=[*of_classes, library.metrics.Precision(thresholds=[0.4])])
        stop = library.callbacks.EarlyStopping("val_f1_score" if units == 1 else "val_loss", mode="max", patience=2)
        history = model.fit(x, y, epochs=5, shuffle=False, verbose=0, validation_data=(x, y), callbacks=[stop]).history
        listed, batch = model.evaluate(x, y, verbose=0), model.test_on_batch(x, y, return_dict=True)
        results.append([np.asarray(one) for one in _tree.flatten([history, listed, batch])])
    for wanted, own in zip(*results, strict=True):
        assert own.shape == wanted.shape
        np.testing.assert_allclose(own, wanted, rtol=1e-4, atol=1e-6)
