"""`import recurra` pulls in NumPy and the standard library, nothing else."""

import ast
import graphlib
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

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


def test_importing_forecasts_leaves_the_libraries_of_tables_and_pictures_alone():
    assert not {"matplotlib", "polars", "narwhals"} & modules_loaded_by("recurra.forecasting")


def test_the_function_that_draws_is_found_without_another_import():
    code = "import recurra; assert recurra.forecasting.plot_forecast is recurra.forecasting.plot.plot_forecast"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_forecasting_is_loaded_when_first_asked_for():
    code = "import recurra, sys; assert 'recurra.forecasting' not in sys.modules; recurra.forecast"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", ["", ".losses", ".layers", ".callbacks", ".interop", ".forecasting"])
def test_dir_lists_a_module_s_own_names(name):
    module = importlib.import_module(f"recurra{name}")
    assert dir(module) == sorted(module.__all__)


def test_every_name_that_a_module_lists_is_there():
    for found in pkgutil.walk_packages(recurra.__path__, "recurra."):
        if "_native" not in found.name:
            importlib.import_module(found.name)
    modules = {name: module for name, module in sys.modules.items() if f"{name}.".startswith("recurra.")}
    listed = [(name, known) for name, module in modules.items() for known in getattr(module, "__all__", ())]
    assert ("recurra.compat.tensorflow.linalg", "matmul") in listed and len(listed) > 1000
    assert not [f"{name}.{known}" for name, known in listed if not hasattr(modules[name], known)]


def test_what_is_loaded_later_is_listed_too():
    assert {"Forecaster", "forecast", "interop"} <= set(dir(recurra))
    assert recurra.forecasting.Forecaster is recurra.Forecaster


@pytest.mark.parametrize(
    "module", ["initializers", "regularizers", "constraints", "optimizers.schedules", "layers", "random", "config"]
)
def test_a_star_brings_the_module_s_own_names_alone(module):
    scope = {}
    exec(f"from recurra.{module} import *", scope)
    assert not {"np", "math", "ops", "saving", "Any", "expected"} & set(scope)
    known = [(name, getattr(value, "__module__", "")) for name, value in vars(sys.modules[f"recurra.{module}"]).items()]
    own = {name for name, place in known if name[0] != "_" and place.startswith(f"recurra.{module}")}
    assert own and own <= set(scope)


def test_saving_brings_the_names_that_keras_has_there():
    scope = {}
    exec("from recurra.saving import *", scope)
    assert scope["load_model"] is recurra.models.load_model and scope["save_model"] is recurra.models.save_model
    assert not {"np", "Any", "expected", "builtin", "parameters", "find_class"} & set(scope)


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


SOURCES = Path(__file__).parents[1] / "src"
# Packages and single modules, from the bottom up: each imports those of lower lines, and what is in itself.
HEIGHTS = (
    "_changes _checks _cpus _global_random _memory _names _owners _signals _tree _version errors",
    "_arguments _file_limits _files _missing",
    "config",
    "_arrays saving",
    "ops variables",
    "activations constraints random regularizers",
    "initializers losses",
    "layers metrics optimizers",
    "backend callbacks",
    "training",
    "models",
    "interop utils",
    "forecasting preprocessing",
    "recurra",
    "cli compat",
    "__main__",
)
# What goes upwards or closes a circle, and so is imported when a function runs.
LATE = {
    "saving": {"activations", "metrics", "models"},  # a name in a config may be one of theirs
    "variables": {"initializers"},  # Variable("zeros")
    "layers.symbolic": {"layers", "layers.activation", "layers.indexing"},  # operators make layers
    "models.model": {"models.functional", "models.summary", "interop.keras_file", "interop.onnx_file"},
    "models": {"interop.keras_file"},
    "interop.keras_file": {"interop.keras2_file"},
    "forecasting.forecaster": {"forecasting.backtest"},
}


def imports_in(nodes, late=False):
    """Yields the imports among statements, and whether they run when a function does; not those for type checkers."""
    for node in nodes:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node, late
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from imports_in(node.orelse, late)
        else:
            yield from imports_in(ast.iter_child_nodes(node), late or isinstance(node, ast.FunctionDef))


def import_graphs():
    """Returns for each module of recurra those that it imports when it is loaded, and those that its functions do."""
    files = {path: path.relative_to(SOURCES).with_suffix("").parts for path in sorted(SOURCES.rglob("*.py"))}
    modules = {".".join(parts).removesuffix(".__init__"): path for path, parts in files.items()}
    known = {*modules, "recurra._native"}  # compiled, and imports nothing of recurra
    graphs = {module: set() for module in modules}, {module: set() for module in modules}
    for module, path in modules.items():
        for node, late in imports_in(ast.parse(path.read_text(encoding="utf-8")).body):
            if isinstance(node, ast.Import):
                found = {alias.name for alias in node.names}
            else:
                full = {alias.name: f"{node.module}.{alias.name}" for alias in node.names}
                found = {name if name in known else node.module for name in full.values()}
            graphs[late][module] |= {name for name in found if name in modules and name != module}
    return graphs


def package_of(module):
    return module.removeprefix("recurra.").partition(".")[0]


def goes_up(module, other):
    """Returns whether one module's package may not import another's when it is loaded."""
    height = {name: i for i, line in enumerate(HEIGHTS) for name in line.split()}
    own, wanted = package_of(module), package_of(other)
    return own != wanted and height[wanted] >= height[own]


def reached_from(module, graph):
    found, waiting = set(), [module]
    while waiting:
        new = graph[waiting.pop()] - found
        found |= new
        waiting += new
    return found


def test_imports_go_one_way_and_in_no_circle():
    at_load, _ = import_graphs()
    assert len(at_load) > 100 and "recurra._checks" in at_load["recurra.layers.base"]
    assert {package_of(module) for module in at_load} == {name for line in HEIGHTS for name in line.split()}
    assert not [(module, other) for module, others in at_load.items() for other in others if goes_up(module, other)]
    graphlib.TopologicalSorter(at_load).prepare()  # raises CycleError


def test_imports_within_functions_that_go_up_or_in_a_circle_are_known_by_name():
    at_load, late = import_graphs()
    found = {}
    for module, others in late.items():
        for other in others:
            if goes_up(module, other) or module in reached_from(other, at_load):
                found.setdefault(module.removeprefix("recurra."), set()).add(other.removeprefix("recurra."))
    assert found == LATE


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (
            "from recurra.layers import Dense, LTSM",
            "recurra.layers expected a name that it has, got 'LTSM': did you mean",
        ),
        ("from recurra import LSTM", "recurra expected a name that it has, got 'LSTM': it is recurra.layers.LSTM$"),
        ("from recurra import Adam", "it is recurra.optimizers.Adam$"),
        ("from recurra.losses import BCE", "it is recurra.losses.binary_crossentropy$"),
        ("from recurra.metrics import RMSE", "it is recurra.metrics.RootMeanSquaredError$"),
        ("from recurra.metrics import mae", "it is recurra.metrics.MeanAbsoluteError$"),
        ("from recurra.models import load", r"did you mean 'load_model'\?"),
        ("from recurra.saving import load", r"did you mean 'load_model' or 'load_weights'\?"),
        ("from recurra.layers import concat", r"did you mean 'concatenate'\?"),
        ("from recurra.regularizers import max", r"docs/coming-from-keras\.md"),
        ("from recurra.interop import to_onx", r"did you mean 'to_onnx'\?"),
        ("from recurra.forecasting import plotforecast", "did you mean 'plot_forecast'"),
        (
            "from recurra.utils import np_utils",
            "recurra.utils expected a name that it has, got 'np_utils': the functions",
        ),
        ("from recurra.utils.np_utils import to_categorical", "got 'np_utils': the functions are in keras.utils"),
        ("from recurra.layers.core import Dense", "got 'core': import the layers from keras.layers"),
        ("from recurra.layers import Dense, Conv2D, LSTM", "got 'Conv2D': layers for images stay with Keras"),
        ("from recurra.engine.topology import Layer", "got 'engine': import Layer from keras.layers"),
        ("from recurra.utils.vis_utils import plot_model", "got 'vis_utils': plot_model is in keras.utils"),
        ("from recurra.compat.tensorflow.python.keras.layers import LSTM", "got 'python': import from tf.keras"),
        ("from recurra.datasets import imdb", "recurra expected a name that it has, got 'datasets': load the data"),
        ("import recurra.optimizers.legacy", "recurra.optimizers expected a name that it has, got 'legacy': the optim"),
        ("from recurra.wrappers.scikit_learn import KerasRegressor", "got 'wrappers': write the loop"),
        (
            "from recurra.preprocessing.image import load_img",
            "recurra.preprocessing expected a name that it has, got 'im",
        ),
        ("from recurra.callbacks import RemoteMonitr", "recurra.callbacks expected a name that it has"),
        ("from recurra.compat.tensorflow.keras.datasets import imdb", "got 'datasets': load the data"),
        ("from recurra.compat.tensorflow.keras.layers import CuDNNLSTM", "recurra.layers expected .* use LSTM"),
        (
            "import recurra.compat.tensorflow.keras.layers.experimental.preprocessing",
            "got 'experimental': use the layers",
        ),
    ],
)
def test_an_import_of_what_is_not_there_says_what_to_do(statement, message):
    with pytest.raises(ModuleNotFoundError, match=message):
        exec(statement, {})


def test_what_is_not_there_and_no_name_of_keras_is_python_s_own_affair():
    import recurra.cli

    for name in ("recurra.layers._nothing", "recurra.cli.nothing"):
        with pytest.raises(ModuleNotFoundError, match=f"No module named '{name}'"):
            importlib.import_module(name)
    assert not any(hasattr(module, "nothing") for module in (recurra, recurra.layers, recurra.utils))


@pytest.mark.parametrize(
    ("statement", "hint"),
    [
        ("from recurra.layers import TextVectorization", "Tokenizer"),
        ("from recurra.preprocessing.text import Tokenizer", "Tokenizer"),
        ("from recurra.preprocessing.sequence import TimeseriesGenerator", "TimeseriesGenerator"),
    ],
)
def test_hints_at_the_preprocessing_of_keras_2_name_the_place_where_it_is(statement, hint):
    with pytest.raises(ModuleNotFoundError, match=r"recurra\.compat\.tensorflow\.keras\.preprocessing\.\w+") as caught:
        exec(statement, {})
    place = re.search(r"recurra\.compat[\w.]+?\.(sequence|text)", str(caught.value))[0]
    assert hasattr(importlib.import_module(place), hint)
