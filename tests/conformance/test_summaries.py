"""The summary of a model reads as Keras's does, letter by letter."""

import pytest
from vectors import cases_of, make_model


@pytest.mark.parametrize("case", cases_of("summaries"))
def test_a_summary_is_keras_s(case, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    model = make_model(case["model"])
    if case["compiled"]:
        model.compile(optimizer="adam", loss="mse")
        model.optimizer.build(model.trainable_weights)
    lines = []
    model.summary(print_fn=lines.append, **case["kwargs"])
    assert "".join(lines).rstrip() == case["text"].rstrip()
