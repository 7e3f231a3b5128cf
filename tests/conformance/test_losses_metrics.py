"""Losses and metrics give what Keras gives."""

import numpy as np
import pytest
from vectors import array_of, assert_close, cases_of, make

CASES = cases_of("losses_metrics")


@pytest.mark.parametrize("case", [p for p in CASES if p.values[0] is None or "loss" in p.values[0]])
def test_a_loss_is_keras_s(case):
    weight = array_of(case, "sample_weight") if "sample_weight" in case["arrays"] else None
    result = make(case["loss"])(array_of(case, "y_true"), array_of(case, "y_pred"), sample_weight=weight)
    assert_close(result, array_of(case, "result"), "losses_metrics", case["id"])


@pytest.mark.parametrize("case", [p for p in CASES if p.values[0] is None or "metric" in p.values[0]])
def test_a_metric_is_keras_s_after_each_batch(case):
    metric = make(case["metric"])
    for k in range(case["batches"]):
        names = [f"values_{k}"] if f"values_{k}" in case["arrays"] else [f"y_true_{k}", f"y_pred_{k}"]
        weight = array_of(case, f"sample_weight_{k}") if f"sample_weight_{k}" in case["arrays"] else None
        metric.update_state(*(array_of(case, name) for name in names), sample_weight=weight)
        assert_close(np.asarray(metric.result()), array_of(case, f"result_{k}"), "losses_metrics", f"batch {k}")
    metric.reset_state()
    assert not np.any(metric.result())
