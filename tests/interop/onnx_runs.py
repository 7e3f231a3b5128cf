"""Runs of exported models in onnxruntime, beside the models' own."""

import numpy as np
import onnxruntime

from recurra import _tree


def run_onnx(made, arrays):
    """Returns the outputs of an ONNX model for arrays in the order of its inputs."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])
    given = {spec.name: array for spec, array in zip(session.get_inputs(), arrays, strict=True)}
    return session.run(None, given)


def assert_same_predictions(model, arrays, made):
    """Asserts that the outputs differ by at most 1e-5 of the largest magnitude, and returns by how much they do."""
    expected = [np.asarray(y) for y in _tree.flatten(model(arrays if len(arrays) > 1 else arrays[0]))]
    arrays = [np.asarray(x, tensor.dtype) for x, tensor in zip(arrays, model.inputs, strict=True)]
    outputs = run_onnx(made, arrays)
    worst = 0.0
    for y, wanted in zip(outputs, expected, strict=True):
        assert y.shape == wanted.shape and y.dtype == wanted.dtype
        worst = max(
            worst, float(np.abs(y.astype(float) - wanted).max(initial=0) / max(np.abs(wanted).max(initial=0), 1e-3))
        )
    assert worst <= 1e-5
    return worst
