"""A model made in Keras and in recurra: what it predicts, how it trains, and what `evaluate` says of it."""

import warnings

import numpy as np

import recurra
from recurra import _tree

T, D = 5, 3


def assert_alike(keras, build, inputs, y=None, **told):
    """Builds the model in both, and compares predictions and, with targets, three epochs and what `evaluate` says."""
    results, first = [], None
    for library in (keras, recurra):
        model = build(library)
        first = first or model.get_weights()
        model.set_weights(first)
        found = [model.predict(inputs, verbose=0)]
        if y is not None:
            metrics = told.get("metrics")
            weights = {name: told.get(name) for name in ("loss_weights", "weighted_metrics")}
            model.compile("sgd", told["loss"], metrics=metrics(library) if callable(metrics) else metrics, **weights)
            weight = told.get("sample_weight")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                history = model.fit(inputs, y, epochs=3, sample_weight=weight, shuffle=False, verbose=0).history
                found += [history[name] for name in sorted(history)]
                found += [model.evaluate(inputs, y, verbose=0, return_dict=True), model.predict(inputs, verbose=0)]
        results.append((sorted(history) if y is not None else None, [np.asarray(a) for a in _tree.flatten(found)]))
    (names, wanted), (own_names, own) = results
    assert own_names == names
    for one, other in zip(own, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=2e-6)
