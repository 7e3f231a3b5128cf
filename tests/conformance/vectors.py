"""What Keras computes, case by case: the vectors in `RECURRA_CONFORMANCE`, by default ../shared/conformance."""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recurra

FOLDER = Path(os.environ.get("RECURRA_CONFORMANCE") or Path(__file__).parents[3] / "shared" / "conformance")

# Largest deviation, relative to the largest magnitude of an array: topic -> dtype -> bound.
TOLERANCES = {
    "layers_forward": {"float32": 1e-5, "float64": 1e-10},
    "layers_gradient": {"float32": 1e-4, "float64": 1e-9},
    "float32_constants": {"float64": 2e-8},
    "training_start": {"float32": 1e-5, "float64": 1e-9},
    "training": {"float32": 2e-4, "float64": 1e-9},
    "losses_metrics": {"float32": 1e-5, "float64": 1e-10},
}


@functools.cache
def _all_cases() -> list[dict[str, Any]]:
    path = FOLDER / "cases.json"
    if path.is_file():
        return json.loads(path.read_text("utf-8"))["cases"]
    if os.environ.get("RECURRA_CONFORMANCE"):  # who names a folder means it
        raise FileNotFoundError(f"RECURRA_CONFORMANCE expected a folder with cases.json, got {str(FOLDER)!r}")
    return []


def cases_of(topic: str) -> list[Any]:
    """Returns one parameter for each case of a topic; a single skipped one where the vectors are absent."""
    found = [case for case in _all_cases() if case["topic"] == topic]
    if not found:
        assert not _all_cases(), f"no case is of the topic {topic!r}"
        reason = f"the conformance vectors are absent: {FOLDER}"
        return [pytest.param(None, marks=pytest.mark.skip(reason=reason), id=f"{topic}-absent")]
    return [pytest.param(case, id=case["id"]) for case in found]


@functools.cache
def _archive(topic: str) -> Any:
    return np.load(FOLDER / f"{topic}.npz")


def array_of(case: dict[str, Any], name: str) -> np.ndarray:
    """Returns the array `name` of a case."""
    return _archive(case["topic"])[f"{case['id']}/{name}"]


def make(spec: Any) -> Any:
    """Builds what a spec describes: {"class": "layers.LSTM", "kwargs": {...}}, nested in lists and dicts."""
    if isinstance(spec, dict) and set(spec) == {"class", "kwargs"}:
        cls = functools.reduce(getattr, spec["class"].split("."), recurra)
        return cls(**{name: make(value) for name, value in spec["kwargs"].items()})
    if isinstance(spec, dict):
        return {name: make(value) for name, value in spec.items()}
    return [make(value) for value in spec] if isinstance(spec, list) else spec


def make_model(spec: dict[str, Any]) -> Any:
    """Builds the model that a case describes."""
    if spec["kind"] == "Sequential":
        return recurra.Sequential([recurra.Input(**spec["input"]), *map(make, spec["layers"])])
    tensors = {name: recurra.Input(**kwargs, name=name) for name, kwargs in spec["inputs"].items()}

    def look_up(name: Any) -> Any:
        if isinstance(name, list):
            return [look_up(item) for item in name]
        layer, _, position = name.partition(":")
        found = tensors[layer]
        return found[int(position or 0)] if isinstance(found, (tuple, list)) else found

    for node in spec["nodes"]:
        kwargs = node["call_kwargs"] | {name: look_up(names) for name, names in node["call_tensors"].items()}
        tensors[node["name"]] = make(node["layer"])(look_up(node["inbound"]), **kwargs)
    inputs = [tensors[name] for name in spec["inputs"]]
    outputs = [look_up(name) for name in spec["outputs"]]
    return recurra.Model(inputs if len(inputs) > 1 else inputs[0], outputs if len(outputs) > 1 else outputs[0])


def assert_close(actual: Any, wanted: Any, topic: str, what: str = "", dtype: str | None = None) -> None:
    """Asserts that two arrays have one shape and differ by no more than the topic's tolerance."""
    actual, wanted = np.asarray(actual), np.asarray(wanted)
    assert actual.shape == wanted.shape, f"{what}: shape {actual.shape}, expected {wanted.shape}"
    if wanted.dtype.kind != "f":
        np.testing.assert_array_equal(actual, wanted, err_msg=what)
        return
    np.testing.assert_array_equal(np.isfinite(actual), np.isfinite(wanted), err_msg=what)
    finite = np.isfinite(wanted)
    scale = np.abs(wanted[finite]).max(initial=0)
    bound = TOLERANCES[topic][dtype or wanted.dtype.name] * scale
    difference = np.abs(actual[finite].astype(np.float64) - wanted[finite]).max(initial=0)
    assert difference <= bound, f"{what}: differs by {difference:.3g}, more than {bound:.3g}"
