"""The examples in docstrings run."""

import doctest
import importlib
import pkgutil

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
