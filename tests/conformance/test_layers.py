"""Layers compute what Keras computes: outputs, masks, states, weights afterwards, and gradients."""

import functools
import json

import numpy as np
import pytest
from vectors import array_of, assert_close, cases_of, make, make_model

from recurra import _tree
from recurra.layers.cells import DropoutMasks

# Keras keeps these activations' constants in float32 even where all else is float64, so its own float64 results are
# good to about 1e-8 only.
FLOAT32_CONSTANTS = ("gelu", "leaky_relu")


def topic_of(case):
    """Returns the topic whose tolerance holds for a case."""
    used = json.dumps(case.get("layer"))
    if case["dtype"] == "float64" and any(f'"{name}"' in used for name in FLOAT32_CONSTANTS):
        return "float32_constants"
    return case["topic"]


def numbered(case, prefix, count):
    return [array_of(case, f"{prefix}_{i}") for i in range(count)]


def alone(items):
    """Keras calls a layer on one array, or on a list of several."""
    return items[0] if len(items) == 1 else items


def prepare(case):
    """Returns the case's layer or model, built, with its weights."""
    inputs = numbered(case, "call0_input", case["calls"][0]["inputs"])
    if "model" in case:
        layer = make_model(case["model"])
    else:
        layer = make(case["layer"])
        layer.build(alone([x.shape for x in inputs]))
    assert [weight.path for weight in layer.weights] == case["weights"]
    layer.set_weights(numbered(case, "weight", len(case["weights"])))
    return layer


def use_given_masks(layer, case, prefix):
    """Makes the cell use the case's dropout masks instead of drawing some."""
    counts = case.get("dropout_masks")
    if counts:
        inputs, recurrent = (
            tuple(numbered(case, f"{prefix}_{kind}", counts.get(kind, 0))) or None
            for kind in ("dropout_mask", "recurrent_dropout_mask")
        )
        layer.cell.draw_masks = lambda batch, features, dtype: DropoutMasks(inputs, recurrent)


def call_arguments(case, k, call):
    states = numbered(case, f"call{k}_state", call["states"])
    mask = array_of(case, f"call{k}_mask") if call["mask"] else None
    return numbered(case, f"call{k}_input", call["inputs"]), states, mask


@pytest.mark.parametrize("case", cases_of("layers_forward"))
def test_a_layer_computes_what_keras_computes(case):
    if "cell" in case:
        assert_cell(case)
        return
    layer = prepare(case)
    close = functools.partial(assert_close, topic=topic_of(case))
    for k, call in enumerate(case["calls"]):
        if call["reset_state"]:
            layer.reset_state()
        use_given_masks(layer, case, f"call{k}")
        inputs, states, mask = call_arguments(case, k, call)
        kwargs = dict(call["kwargs"])
        if states:
            kwargs["initial_state"] = states
        outputs = _tree.flatten(layer(alone(inputs), mask=mask, **kwargs))
        assert len(outputs) == call["outputs"]
        for i, output in enumerate(outputs):
            close(output, array_of(case, f"call{k}_output_{i}"), what=f"output {i} of call {k}")
        found = outputs[0]._keras_mask
        if call["output_mask"]:
            np.testing.assert_array_equal(found, array_of(case, f"call{k}_output_mask"))
        else:
            assert found is None
    for name in case["arrays"]:
        if name.startswith("weight_after_"):
            index = int(name.removeprefix("weight_after_"))
            close(layer.get_weights()[index], array_of(case, name), what=name)


def assert_cell(case):
    cell = make(case["cell"])
    x = array_of(case, "input")
    cell.build(x.shape)
    assert [weight.path for weight in cell.weights] == case["weights"]
    cell.set_weights(numbered(case, "weight", len(case["weights"])))
    states = numbered(case, "state", sum(name.startswith("state_") for name in case["arrays"]))
    output, new_states = cell(x, states)
    assert_close(output, array_of(case, "output"), "layers_forward", "output")
    for i, state in enumerate(new_states):
        assert_close(state, array_of(case, f"new_state_{i}"), "layers_forward", f"state {i}")


@pytest.mark.parametrize("case", cases_of("layers_gradient"))
def test_a_layer_has_the_gradients_of_keras(case):
    layer = prepare(case)
    (call,) = case["calls"]
    inputs, states, mask = call_arguments(case, 0, call)
    kwargs = {"initial_state": states} if states else {}
    training = call["kwargs"].get("training", False)
    inputs = layer._cast_inputs(alone(inputs))
    outputs, cache, _ = layer._run_layer(inputs, mask, training, kwargs)
    outputs = _tree.flatten(outputs)
    close = functools.partial(assert_close, topic=topic_of(case), dtype=case["dtype"])
    for i, output in enumerate(outputs):
        close(output, array_of(case, f"call0_output_{i}"), what=f"output {i}")
    dx, dkwargs = layer.backward_all(alone(numbered(case, "cotangent", len(outputs))), cache)
    assert [weight.path for weight in layer.trainable_weights] == case["trainable"]
    for i, weight in enumerate(layer.trainable_weights):
        close(weight.grad, array_of(case, f"grad_weight_{i}"), what=weight.path)
    for i, grad in enumerate(_tree.flatten(dx)):
        if f"grad_input_{i}" in case["arrays"]:
            close(grad, array_of(case, f"grad_input_{i}"), what=f"input {i}")
    for i, grad in enumerate(_tree.flatten(dkwargs["initial_state"]) if states else []):
        close(grad, array_of(case, f"grad_state_{i}"), what=f"state {i}")
