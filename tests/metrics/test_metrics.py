"""What metrics keep between batches, and what they refuse."""

import numpy as np
import pytest

import costs
from recurra import config, initializers, metrics


def test_the_f_score_keeps_its_counts_in_variables():
    one_hot, p = np.eye(3)[[0, 1, 2, 1]], np.array([[0.8, 0.1, 0.1], [0.7, 0.2, 0.1], [0, 0.1, 0.9], [0.3, 0.4, 0.3]])
    metric = metrics.F1Score()
    assert metric.result() == 0
    metric.update_state(one_hot[:2], p[:2], sample_weight=[1, 3])
    names = ["true_positives", "false_positives", "false_negatives", "intermediate_weights"]
    assert [variable.name for variable in metric.variables] == names
    np.testing.assert_array_equal(
        [variable.numpy() for variable in metric.variables], [[1, 0, 0], [3, 0, 0], [0, 3, 0], [1, 3, 0]]
    )
    metric.update_state(one_hot[2:], p[2:])
    np.testing.assert_allclose(metric.result(), [0.4, 0.4, 1], rtol=1e-6)
    metric.reset_state()
    np.testing.assert_array_equal(metric.result(), np.zeros(3))
    micro = metrics.FBetaScore(average="micro", beta=2.0)
    micro.update_state(one_hot, p)
    assert [variable.shape for variable in micro.variables] == [()] * 4
    assert micro.result() == pytest.approx(0.75)


def test_rows_of_zeros_predict_no_class():
    score = metrics.F1Score()
    score.update_state(np.eye(2), [[0.0, 0.0], [0.2, 0.8]])
    np.testing.assert_array_equal([v.numpy() for v in score.variables[:3]], [[0, 1], [0, 0], [1, 0]])


def test_r2_keeps_its_sums_in_variables_for_each_output():
    y = np.array([[1.0, 10.0], [2.0, 20.0], [4.0, 50.0]])
    p = np.array([[1.0, 12.0], [3.0, 20.0], [4.0, 40.0]])
    weights = np.array([[1.0, 3.0], [2.0, 1.0], [1.0, 2.0]])
    metric = metrics.R2Score(class_aggregation=None)
    metric.update_state(y[:2], p[:2], sample_weight=weights[:2])
    metric.update_state(y[2:], p[2:], sample_weight=weights[2:])
    names = ["num_samples", "squared_sum", "sum", "residual", "count"]
    assert [variable.name for variable in metric.variables] == names
    mean = np.average(y, axis=0, weights=weights)
    wanted = 1 - (weights * (y - p) ** 2).sum(axis=0) / (weights * (y - mean) ** 2).sum(axis=0)
    np.testing.assert_allclose(metric.result(), wanted, rtol=1e-12)
    metric.reset_state()
    assert metric.result() == 0 and not any(np.any(variable.numpy()) for variable in metric.variables)


def test_a_state_from_elsewhere_comes_back_whole():
    y, p = np.eye(2), np.array([[0.9, 0.1], [0.6, 0.4]])
    for metric in (metrics.F1Score(), metrics.R2Score(), metrics.AUC(multi_label=True), metrics.Precision()):
        state = metric.stateless_update_state(metric.stateless_reset_state(), y, p)
        assert not any(np.any(variable.numpy()) for variable in metric.variables)
        result = metric.stateless_result(state)
        metric.update_state(y, p)
        np.testing.assert_array_equal(metric.result(), result)


def test_f_scores_refuse_targets_of_another_shape():
    with pytest.raises(ValueError, match=r"F1Score expected y_true of shape \(2, 3\), got \(2, 1\)"):
        metrics.F1Score().update_state(np.zeros((2, 1)), np.zeros((2, 3)))


def test_f_scores_and_thresholds_go_by_the_small_constant_of_the_settings():
    before = config.epsilon()
    try:
        config.set_epsilon(0.25)
        metric = metrics.F1Score(average="micro")
        metric.update_state(np.eye(2), np.eye(2))
        share = 2 / 2.25
        assert metric.result() == pytest.approx(2 * share * share / (2 * share + 0.25))
        assert metrics.AUC(3).thresholds == [-0.25, 0.5, 1.25]
    finally:
        config.set_epsilon(before)


def test_many_thresholds_are_counted_at_once(rng):
    y, p = rng.integers(0, 2, 16), rng.random(16)
    few, many = (metrics.AUC(count) for count in (3, 200))
    calls = [costs.count_calls(lambda metric=metric: metric.update_state(y, p)) for metric in (few, many)]
    assert calls[1] == calls[0]


def test_thresholds_that_are_counted_together_give_the_counts_of_each(rng):
    y, p = rng.integers(0, 2, (30_000, 2)), rng.random((30_000, 2))
    weights = rng.integers(0, 8, 30_000) / 8  # of which all sums are exact
    several = metrics.AUC(4, multi_label=True)
    several.update_state(y, p, sample_weight=weights)
    for place, threshold in enumerate(several.thresholds):
        wanted = (weights[:, None] * y * (p > threshold)).sum(axis=0)
        np.testing.assert_array_equal(several.true_positives.numpy()[place], wanted)


def test_the_area_of_several_labels_is_a_weighted_mean():
    y, p = np.array([[0, 0], [1, 1]]), np.array([[0.2, 0.5], [0.8, 0.5]])  # areas of 1 and 1/2
    for weights, wanted in ((None, 0.75), ([3.0, 1.0], 0.875), ([0.0, 1.0], 0.5)):
        assert metrics.AUC(multi_label=True, label_weights=weights)(y, p) == pytest.approx(wanted)


@pytest.mark.parametrize(
    "metric, batch, wanted",
    [
        (metrics.Mean(), [[1.0, 2.0, 2.0, 1.0]], 1.5),
        (metrics.Sum(), [[1.0, 2.0, 2.0, 1.0]], 6.0),
        (metrics.BinaryAccuracy(), [[0, 1, 1, 0], [0, 1, 0, 0]], 0.75),
        (metrics.BinaryAccuracy(threshold=0.0), [[0, 1, 1, 0], [-2.0, 0.25, 3.0, 0.25]], 0.75),  # of logits
        (metrics.RootMeanSquaredError(), [[0, 1, 1, 0], [0, 1, 0, 0]], 0.5),
        (metrics.Recall(), [[0, 1, 1, 0], [0, 1, 0, 0]], 0.5),
        (metrics.AUC(), [[0, 1, 1, 0], [0, 1, 0, 0]], 0.75),
        (metrics.IoU(2, [0]), [[0, 1, 1, 0], [0, 1, 0, 0]], 2 / 3),
        (metrics.F1Score("macro"), [[[1, 0], [0, 1], [1, 0]], [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]]], 2 / 3),
        (metrics.R2Score(), [[[0.0], [1.0], [1.0], [0.0]], [[0.0], [1.0], [0.5], [0.0]]], 0.75),
        (metrics.PrecisionAtRecall(0.5), [[0, 1, 1, 0], [0, 1, 0, 0]], 1.0),
    ],
)
def test_results_are_tensors(metric, batch, wanted):
    metric.update_state(*map(np.array, batch))
    result = metric.result()
    assert result.numpy() == pytest.approx(wanted) and f"{result:.2f}" == f"{wanted:.2f}"
    metric.reset_state()
    assert result == pytest.approx(wanted)  # no view of the state


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: metrics.Precision(thresholds="x"), "thresholds between 0 and 1, got 'x'"),
        (lambda: metrics.Recall(thresholds=[0.5, 2]), r"thresholds between 0 and 1, got \[0.5, 2\]"),
        (lambda: metrics.AUC(thresholds=-5), "thresholds between 0 and 1, got -5"),
        (lambda: metrics.IoU(num_classes=2, target_class_ids=1), r"to be a list of classes, got 1: write \[1\]"),
        (lambda: metrics.R2Score(num_regressors="x"), "num_regressors to be a whole number, got 'x'"),
    ],
)
def test_options_of_another_kind_are_refused_by_name(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()


# Keras 3.15's numbers
@pytest.mark.parametrize(
    "make, wanted",
    [
        (lambda: metrics.AUC(), 0.625),
        (lambda: metrics.AUC(thresholds=[0.5]), 0.75),  # evenly spaced with the ends that it gets
        (lambda: metrics.AUC(thresholds=[0.1]), 0.25),
        (lambda: metrics.Precision([0.0, 0.5, 1.0]), [0.5, 1.0, 0.0]),
        (lambda: metrics.Precision([0.0, 1.0]), [0.5, 1.0]),
        (lambda: metrics.RecallAtPrecision(0.4), 0.5),
        (lambda: metrics.SpecificityAtSensitivity(0.6), 0.0),
        (lambda: metrics.SensitivityAtSpecificity(0.4), 0.5),
    ],
)
def test_predictions_beyond_evenly_spaced_thresholds_count_as_their_ends(make, wanted):
    np.testing.assert_allclose(make()([0, 0, 1, 1], [-2.0, 0.4, -0.5, 3.0]), wanted)


def test_the_best_rate_is_looked_for_at_thresholds_from_zero_to_one():
    assert metrics.PrecisionAtRecall(0.5, num_thresholds=3).thresholds == [0.0, 0.5, 1.0]
    assert metrics.PrecisionAtRecall(0.5)([0, 1], [0.0, 0.0]) == 0  # neither is above zero


@pytest.mark.parametrize("kind", [metrics.Precision, metrics.Recall])
@pytest.mark.parametrize("options", [{"top_k": 2}, {"class_id": 1}, {"top_k": 1, "class_id": -1}])
def test_classes_are_those_of_a_row_where_one_side_has_a_last_axis_of_one(kind, options, rng):
    y, p = rng.integers(0, 2, (9, 3)), rng.random((9, 3))
    wanted = kind(**options)(y, p)
    assert kind(**options)(y, p[..., None]) == wanted == kind(**options)(y[..., None], p)


@pytest.mark.parametrize(
    "make", [metrics.Precision, lambda class_id: metrics.RecallAtPrecision(0.5, class_id=class_id)]
)
def test_a_class_that_is_not_there_is_refused(make):
    with pytest.raises(ValueError, match="class_id to be one of the 3 classes of y_pred, got 3"):
        make(class_id=3)(np.eye(3), np.eye(3))
    with pytest.raises(ValueError, match=r"y_pred of shape \(N, classes\) with class_id, got \(3,\)"):
        make(class_id=0)(np.ones(3), np.ones(3))
    with pytest.raises(ValueError, match="to_categorical makes one-hot labels"):
        make(class_id=0)(np.arange(3), np.eye(3))


def test_a_single_number_has_a_weight():
    assert metrics.Sum()(3.0, sample_weight=0.5) == 1.5


def test_one_weight_for_all_values_counts_for_each():
    assert metrics.Mean()([1.0, 2.0, 6.0], sample_weight=[0.5]) == 3


def test_crossentropies_take_the_classes_along_an_axis(rng):
    labels, p, weights = rng.integers(0, 3, (4, 5)), rng.random((4, 5, 3)), rng.random((4, 5))
    for kind, y in (
        (metrics.CategoricalCrossentropy, np.eye(3)[labels]),
        (metrics.SparseCategoricalCrossentropy, labels),
    ):
        metric = kind(axis=1)
        moved = np.moveaxis(y, -1, 1) if y.ndim == p.ndim else y
        assert metric(moved, np.moveaxis(p, -1, 1), sample_weight=weights) == kind()(y, p, sample_weight=weights)
        assert kind.from_config(metric.get_config()).get_config()["axis"] == 1
    left_out = {"ignore_class": 1, "name": "m"}
    found = metrics.SparseCategoricalCrossentropy(axis=1, **left_out)(labels, np.moveaxis(p, -1, 1), weights)
    assert found == metrics.SparseCategoricalCrossentropy(**left_out)(labels, p, weights)


def test_labels_and_rows_of_classes_are_not_taken_for_each_other():
    message = "MeanIoU expected as many labels in y_true as in y_pred, 2, got 1: sparse_y_true and sparse_y_pred say"
    with pytest.raises(ValueError, match=message):
        metrics.MeanIoU(3, sparse_y_true=False)([0, 1], [0, 1])


def test_predictions_on_a_threshold_are_not_above_it():
    tenths = [k / 10 for k in range(11)]
    predictions = np.array(tenths, np.float32)
    for values in (predictions, predictions.astype(np.float64)):
        evenly, alone = metrics.TrueNegatives(thresholds=tenths), metrics.TrueNegatives(thresholds=tenths[1:4])
        for metric in (evenly, alone):
            metric.update_state(np.zeros(11), values)
        np.testing.assert_array_equal(evenly.result(), np.arange(1, 12))
        np.testing.assert_array_equal(alone.result(), [2, 3, 4])
        score = metrics.F1Score(threshold=0.3)
        score.update_state(np.ones((11, 1)), values[:, None])
        np.testing.assert_array_equal(score.true_positives.value, [7])


def test_a_prediction_of_zero_is_above_the_first_threshold_of_an_area_and_of_no_rate():
    area, rate = metrics.AUC(num_thresholds=3), metrics.SensitivityAtSpecificity(0.5, num_thresholds=3)
    for metric in (area, rate):
        metric.update_state([1, 1], [0.0, 0.5])
    np.testing.assert_array_equal(area.true_positives.value, [2, 0, 0])
    np.testing.assert_array_equal(rate.true_positives.value, [1, 0, 0])


MISFIT = r"a metric expected weights that fit \(3,\), got \(7,\)"


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (
            lambda: metrics.F1Score("micro").update_state(np.eye(2), np.eye(2), np.ones((2, 2))),
            r"F1Score expected one sample_weight for each row, got \(2, 2\)",
        ),
        (
            lambda: metrics.AUC(multi_label=True).update_state([0, 1], [0.2, 0.7]),
            r"y_pred of shape \(N, labels\) with multi_label=True, got \(2,\)",
        ),
        (
            lambda: metrics.AUC(multi_label=True, label_weights=[1.0, 2.0, 3.0]).update_state(np.eye(2), np.eye(2)),
            "AUC expected 2 label_weights, got 3",
        ),
        (lambda: metrics.MeanIoU(2).update_state([0, 1, 0], [0, 1, 0], [1] * 7), MISFIT),
        (lambda: metrics.IoU(2, [0]).update_state([0, 1, 0], [0, 1, 0], [1] * 7), MISFIT),
        (lambda: metrics.BinaryIoU().update_state([0, 1, 0], [0, 1, 0], [1] * 7), MISFIT),
        (lambda: metrics.OneHotIoU(2, [0]).update_state(np.eye(3, 2), np.eye(3, 2), [1] * 7), MISFIT),
        (lambda: metrics.OneHotMeanIoU(2).update_state(np.eye(3, 2), np.eye(3, 2), [1] * 7), MISFIT),
        (lambda: metrics.Precision().update_state([0, 1, 0], [0, 1, 0], [1] * 7), MISFIT),
        (lambda: metrics.Sum().update_state([0, 1, 0], [1] * 7), MISFIT),
        (
            lambda: metrics.R2Score().update_state(np.eye(3), np.eye(3), [1] * 7),
            r"weights that fit \(3, 3\), got \(7,\)",
        ),
    ],
)
def test_weights_and_labels_of_another_number_are_told(mistake, message):
    with pytest.raises(ValueError, match=message):
        mistake()


@pytest.mark.parametrize("name", ["accuracy", "binary_accuracy", "categorical_accuracy", "top_k_categorical_accuracy"])
def test_targets_that_do_not_fit_the_predictions_are_told(name):
    function = getattr(metrics, name)
    with pytest.raises(ValueError, match=r"y_true expected the shape of y_pred, \(5, 3\), got \(4, 3\)"):
        function(np.ones((4, 3)), np.ones((5, 3)))
    assert function(np.ones((5, 3)), np.ones((5, 3))).shape[0] == 5


Y, P = np.array([0, 0, 1, 1, 1, 0]), np.array([0.1, 0.6, 0.35, 0.8, 0.55, 0.3])
ROWS = np.array([[1.0, 2.0, 4.0], [0.0, 3.0, 1.0]]), np.array([[1.5, 1.0, 5.0], [2.0, 2.5, 0.5]])
CLASSES = np.eye(3)[[0, 1, 2, 1]], np.array([[0.8, 0.1, 0.1], [0.7, 0.2, 0.1], [0, 0.1, 0.9], [0.3, 0.4, 0.3]])
SORTED_IDS = np.array([2, 0, 1]), np.array([[0, 2, 1], [1, 2, 0], [1, 0, 2]])


# Keras 3.15's numbers
@pytest.mark.parametrize(
    ("metric", "batch", "wanted"),
    [
        (metrics.AUC(summation_method="minoring"), (Y[:4], P[:4]), 0.75),
        (metrics.AUC(curve="PR"), (Y, P), 0.7689509),
        (metrics.AUC(curve="PR", summation_method="minoring"), (Y, P), 0.3888889),
        (metrics.AUC(curve="PR", summation_method="majoring"), (Y, P), 0.8055556),
        (metrics.AUC(curve="PRGAIN"), (Y, P), 0.4166667),
        (metrics.AUC(curve="PRGAIN", summation_method="minoring"), (Y, P), 0.25),
        (metrics.AUC(from_logits=True), (Y, 6 * P - 3), 0.7777777),
        (metrics.AUC(label_weights=[1.0, 3.0]), (Y.reshape(3, 2), P.reshape(3, 2)), 0.8285714),
        (metrics.ConcordanceCorrelation(), ROWS, 0.6070992),
        (metrics.ConcordanceCorrelation(axis=0), ROWS, 0.4424585),
        (metrics.PearsonCorrelation(), ROWS, 0.6602205),
        (metrics.PearsonCorrelation(axis=0), ROWS, 0.3333333),
        (metrics.CosineSimilarity(axis=0), ROWS, 0.8560036),
        (metrics.R2Score(num_regressors=1), (ROWS[0].T, ROWS[1].T), 0.0959823),
        (metrics.R2Score("variance_weighted_average"), (ROWS[0].T, ROWS[1].T), 0.2767859),
        (metrics.MeanIoU(3, ignore_class=1), ([0, 1, 2, 2, 0], [0, 0, 2, 0, 2]), 0.3333333),
        (metrics.BinaryIoU(threshold=0.4), (Y, P), 0.5),
        (metrics.F1Score("weighted"), CLASSES, 0.7499999),
        (metrics.FBetaScore("macro", 2.0, 0.25), CLASSES, 0.7010581),
        (metrics.Hinge(), (Y, P), 0.8833333),
        (metrics.SquaredHinge(), (Y, P), 1.0208334),
        (metrics.CategoricalHinge(), CLASSES, 0.725),
        (metrics.TopKCategoricalAccuracy(1), CLASSES, 0.75),
        (metrics.SparseTopKCategoricalAccuracy(2, from_sorted_ids=True), SORTED_IDS, 0.6666667),
        (metrics.BinaryAccuracy(), ([0, 0], [0.5, 0.6]), 0.5),  # a half is no one
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_metric_is_keras_s(metric, batch, wanted):
    assert metric(*batch) == pytest.approx(wanted, rel=2e-6)
    again = type(metric).from_config(metric.get_config())
    assert again.get_config() == metric.get_config()
    assert again(*batch) == metric.result()


def test_thresholds_of_one_s_own_are_in_the_config():
    metric = metrics.AUC(thresholds=[0.2, 0.7])
    assert metrics.AUC.from_config(metric.get_config()).thresholds == metric.thresholds
    assert len(metric.variables) == 4  # before a batch has come


def test_a_score_for_too_few_values_is_the_plain_one_and_says_so():
    metric = metrics.R2Score(num_regressors=5)
    metric.update_state(*ROWS)
    with pytest.warns(UserWarning, match="more than 6 values for num_regressors=5, got 6: this is the plain score"):
        found = metric.result()
    assert found == metrics.R2Score()(*ROWS)


class Both(metrics.Metric):
    """Counts batches from one on, and holds another metric."""

    def __init__(self, name="both"):
        super().__init__(name=name)
        self.batches = self.add_variable((), initializers.Ones(), name="batches")
        self.inner = {"mean": metrics.Mean()}

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.batches.assign_add(1)
        self.inner["mean"].update_state(y_pred)

    def result(self):
        return float(self.batches) * self.inner["mean"].result()


def test_a_metric_has_the_variables_of_metrics_that_it_holds():
    metric = Both()
    assert [variable.name for variable in metric.variables] == ["batches", "total", "count"]
    assert metric([0, 0], [1.0, 4.0]) == 2 * 2.5
    state = metric.stateless_update_state([variable.numpy() for variable in metric.variables], [0], [4.0])
    assert [value.item() for value in state] == [3, 9, 3] and metric.stateless_result(state) == 9
    with pytest.raises(ValueError, match="Both expected 3 metric_variables, got 1"):
        metric.stateless_result(state[:1])
    metric.reset_state()
    assert [float(variable) for variable in metric.variables] == [0, 0, 0]


def test_thresholds_come_in_any_order_and_what_is_no_number_is_above_none():
    y, p = np.array([1, 1, 0, 1]), np.array([0.2, 0.6, 0.8, np.nan])
    assert metrics.TruePositives([0.7, 0.1, 0.5])(y, p).tolist() == [0, 2, 1]
    assert metrics.FalseNegatives([0.7, 0.1, 0.5])(y, p).tolist() == [3, 1, 2]
