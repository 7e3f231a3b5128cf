"""`import recurra` pulls in NumPy and the standard library, nothing else."""

import subprocess
import sys

import pytest

import recurra

LIST_MODULES = """
import sys
import {first}
before = set(sys.modules)
import {module}
print("\\n".join(sorted({{name.partition(".")[0] for name in set(sys.modules) - before}})))
"""


def modules_loaded_by(module: str, first: str = "numpy") -> set[str]:
    """Returns the top-level modules that importing `module` adds in a fresh interpreter."""
    code = LIST_MODULES.format(module=module, first=first)
    return set(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split())


def third_party(modules: set[str]) -> set[str]:
    compiled = "cython_runtime"  # what NumPy's own compiled modules bring along
    return {name for name in modules if name not in {*sys.stdlib_module_names, compiled} and not name.startswith("_")}


def test_importing_recurra_loads_numpy_alone():
    assert third_party(modules_loaded_by("recurra", first="sys")) == {"numpy", "recurra"}


def test_names_that_keras_has_elsewhere_and_names_that_it_alone_has():
    import recurra
    from recurra.preprocessing.sequence import pad_sequences

    assert recurra.preprocessing.sequence.pad_sequences is pad_sequences is recurra.utils.pad_sequences
    windows = recurra.preprocessing.timeseries_dataset_from_array([1, 2, 3, 4], [3, 4], sequence_length=2)
    assert [(x.tolist(), y.tolist()) for x, y in windows] == [([[1, 2], [2, 3]], [3, 4])]
    with pytest.raises(AttributeError, match="recurra expected a name that it has, got 'datasets': load the data"):
        recurra.datasets  # noqa: B018
    with pytest.raises(AttributeError, match=r"recurra\.preprocessing expected a name that it has, got 'image'"):
        recurra.preprocessing.image  # noqa: B018


def test_importing_the_compat_module_loads_numpy_alone():
    assert third_party(modules_loaded_by("recurra.compat.tensorflow")) == {"numpy", "recurra"}


def test_importing_recurra_leaves_the_slow_parts_of_the_standard_library_alone():
    slow = {
        "asyncio",
        "csv",
        "http",
        "json",
        "multiprocessing",
        "pathlib",
        "sqlite3",
        "ssl",
        "tkinter",
        "unittest",
        "xml",
    }
    assert not slow & modules_loaded_by("recurra")


def test_forecasting_is_loaded_when_first_asked_for():
    code = "import recurra, sys; assert 'recurra.forecasting' not in sys.modules; recurra.forecast"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_is_loaded_later_is_listed_too():
    assert {"Forecaster", "forecast", "interop"} <= set(dir(recurra))
    assert recurra.forecasting.Forecaster is recurra.Forecaster


def test_callbacks_are_loaded_when_first_asked_for():
    code = """
import pickle, sys, recurra
assert "recurra.callbacks.backup" not in sys.modules
assert set(recurra.callbacks.__all__) <= set(dir(recurra.callbacks))
for name in recurra.callbacks.__all__:
    assert getattr(recurra.callbacks, name).__name__ == name
from recurra.callbacks import CSVLogger
assert pickle.loads(pickle.dumps(CSVLogger("x.csv"))).filename == "x.csv"
"""
    subprocess.run([sys.executable, "-c", code], check=True)
