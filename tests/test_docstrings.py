"""The examples in docstrings run."""

import doctest
import importlib
import inspect
import pkgutil
import re

import numpy as np
import pytest

import recurra

MODULES = sorted(
    module.name for module in pkgutil.walk_packages(recurra.__path__, "recurra.") if "_native" not in module.name
)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_docstrings_run(name):
    module = importlib.import_module(name)
    result = doctest.testmod(module, extraglobs={"np": np, "recurra": recurra}, optionflags=doctest.ELLIPSIS)
    assert result.failed == 0
    assert result.attempted == len(re.findall(r"^ *>>> ", inspect.getsource(module), re.MULTILINE))


# Of every layer, loss or metric: `help` of their base classes says what these do.
SHARED = {"activity_regularizer", "autocast", "custom_objects", "dtype", "input_shape", "name", "trainable"}
WITH_OPTIONS = ("callbacks", "constraints", "initializers", "interop", "layers", "losses", "metrics", "optimizers",
                "optimizers.schedules", "regularizers", "saving", "utils", "forecasting")  # fmt: skip


def described(function_or_class, modules):
    """Returns a docstring with those that it points to by "as in `NAME`" or "see `NAME`"."""
    text = function_or_class.__doc__ or ""
    for name in re.findall(r"\b(?:[Aa]s (?:in|of)|[Ss]ee) `(?:\w+\.)?(\w+)`", text):
        found = next(filter(None, (getattr(module, name, None) for module in modules)), None)
        text += (found.__doc__ or "") if found is not None and found is not function_or_class else ""
    return text


def options_without_a_word(function_or_class, modules):
    """Returns the optional parameters that neither a docstring nor what it points to names."""
    text = described(function_or_class, modules)
    optional = [p.name for p in inspect.signature(function_or_class).parameters.values() if p.default is not p.empty]
    return [name for name in optional if name not in SHARED and not re.search(rf"\b{name}\b", text)]


@pytest.mark.parametrize("name", WITH_OPTIONS)
def test_help_says_what_each_option_does(name):
    modules = [importlib.import_module(f"recurra.{module}") for module in (name, "losses")]
    public = {known: getattr(modules[0], known) for known in modules[0].__all__}
    without = {known: options_without_a_word(value, modules) for known, value in public.items() if callable(value)}
    assert not {known: names for known, names in without.items() if names}


def test_help_says_what_each_option_of_a_model_does():
    names = "compile fit evaluate predict train_on_batch test_on_batch predict_on_batch save save_weights load_weights"
    methods = {name: getattr(recurra.Model, name) for name in [*names.split(), "summary", "export"]}
    without = {name: options_without_a_word(method, [recurra.Model]) for name, method in methods.items()}
    assert not {name: names for name, names in without.items() if names}


NEEDED = {
    "axes": 1, "backup_dir": "backup", "boundaries": [1], "cell": recurra.layers.LSTMCell(2), "decay_rate": 0.5,
    "cells": [recurra.layers.LSTMCell(2)], "decay_steps": 10, "dims": (2, 1), "filename": "log.csv", "filters": 2,
    "filepath": "model.keras", "first_decay_steps": 10, "groups": 1, "initial_learning_rate": 0.1, "input_dim": 3,
    "kernel_size": 2, "key_dim": 2, "layer": recurra.layers.LSTM(2), "n": 2, "num_heads": 1, "output_dim": 2,
    "rate": 0.1, "scale": 1.0, "schedule": abs, "stddev": 0.1, "target_shape": (2,), "units": 3, "values": [0.1, 0.2],
    "activation": "tanh", "function": abs,
}  # fmt: skip


NEVER_MADE = {"InputLayer", "Optimizer"}  # by these alone: one needs one of several, the other is no layer


def errors_without_a_word(cls, modules):
    """Returns the kinds of errors that wrong options raise and that the docstring of a class does not name."""
    parameters = [
        p for p in inspect.signature(cls).parameters.values() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    needed = {p.name: NEEDED[p.name] for p in parameters if p.default is p.empty and p.name in NEEDED}
    try:
        cls(**needed)
    except (NotImplementedError, TypeError, ValueError):
        assert cls.__name__ in NEVER_MADE, "NEEDED expected a value for each parameter without a default"
        return set()
    raised = set()
    for option in {p.name for p in parameters} - SHARED:
        for wrong in ("?", -5, object(), [1, "?"]):
            try:
                cls(**needed | {option: wrong})
            except (TypeError, ValueError) as error:
                raised.add(type(error).__name__)
    return {name for name in raised if name not in described(cls, modules)}


@pytest.mark.filterwarnings(r"ignore:\w+ mode .* is unknown")
@pytest.mark.parametrize(
    "name", ["callbacks", "constraints", "initializers", "layers", "optimizers", "optimizers.schedules"]
)
def test_help_says_what_wrong_options_raise(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    modules = [importlib.import_module(f"recurra.{name}")]
    classes = [value for known in modules[0].__all__ if inspect.isclass(value := getattr(modules[0], known))]
    without = {cls.__name__: errors_without_a_word(cls, modules) for cls in classes}
    assert not {known: names for known, names in without.items() if names}
