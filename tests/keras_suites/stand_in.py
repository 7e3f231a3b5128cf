"""Stands in for Keras's internal imports, so that Keras's own test files run against recurra.

`install(folder)` makes `import keras.src...` answer with recurra's public names; only files that end in _test.py, and
the `testing` package that they share, come from `folder`, the `keras/src` of an installed Keras. `ops` is NumPy.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np

import recurra
from recurra import _tree
from recurra.layers.symbolic import KerasTensor
from recurra.losses.functions import match_ranks
from recurra.variables import Variable

# Where a name that a test imports from somewhere below keras.src is looked up, in this order.
ROOMS = (
    recurra,
    recurra.layers,
    recurra.models,
    recurra.optimizers,
    recurra.optimizers.schedules,
    recurra.losses,
    recurra.metrics,
    recurra.callbacks,
    recurra.initializers,
    recurra.regularizers,
    recurra.constraints,
    recurra.saving,
    recurra.utils,
)


def plain(value: Any) -> Any:
    """Returns the ndarray of a Variable or an Array; every other value as it is."""
    return value.numpy() if isinstance(value, (Variable, recurra._arrays.Array)) else value


def tensor(value: Any, dtype: Any = None, **_: Any) -> Any:
    """`ops.convert_to_tensor`: Python floats become float32, as in Keras."""
    if isinstance(value, (Variable, np.ndarray)):
        array = np.asarray(plain(value))
    else:
        array = np.asarray(value)
        if dtype is None and array.dtype == np.float64:
            dtype = recurra.config.floatx()
        elif dtype is None and array.dtype == np.int64:
            dtype = "int32"
    return recurra._arrays.as_array(array if dtype is None else array.astype(np.dtype(dtype)))


def dtype_name(dtype: Any) -> str:
    """`backend.standardize_dtype`."""
    return recurra.config.floatx() if dtype is None else np.dtype(getattr(dtype, "name", dtype)).name


class Module(types.ModuleType):
    """A module whose names are `given`, and then those of recurra's public rooms."""

    __path__: list[str] = []

    def __init__(self, name: str, given: dict[str, Any]):
        super().__init__(name)
        self.__dict__.update(given)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        path = f"{self.__name__}.{name}"
        if path in sys.modules or path in GIVEN:
            return importlib.import_module(path)
        folder = [*self.__name__.split("."), "", ""][2]
        own = getattr(recurra, folder, recurra)
        for room in (own, *ROOMS):
            if hasattr(room, name):
                return getattr(room, name)
        raise AttributeError(f"recurra has no public {name!r} for {path!r}")


class Ops(Module):
    """`keras.src.ops`: NumPy's functions, and the few that Keras has beside them."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name == "random":
            return importlib.import_module("keras.src.random")
        return getattr(np, name)


def map_shape_structure(fn: Any, shape: Any) -> Any:
    if isinstance(shape, (tuple, list)) and all(d is None or isinstance(d, int) for d in shape):
        return fn(tuple(shape))
    if isinstance(shape, dict):
        return {key: map_shape_structure(fn, item) for key, item in shape.items()}
    return type(shape)(map_shape_structure(fn, item) for item in shape)


def uniform(shape: Any, minval: float = 0.0, maxval: float = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    del seed
    return tensor(np.random.default_rng(0).uniform(minval, maxval, shape), dtype or "float32")


def normal(shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: Any = None) -> Any:
    del seed
    return tensor(np.random.default_rng(0).normal(mean, stddev, shape), dtype or "float32")


RANDOM = {"uniform": uniform, "normal": normal, "SeedGenerator": recurra.random.SeedGenerator}
BACKEND = {
    "backend": lambda: "recurra",
    "Variable": Variable,
    "KerasTensor": KerasTensor,
    "convert_to_tensor": tensor,
    "convert_to_numpy": lambda x: np.asarray(plain(x)),
    "is_tensor": lambda x: isinstance(x, np.ndarray),
    "is_float_dtype": lambda x: dtype_name(x).startswith("float"),
    "standardize_dtype": dtype_name,
    "floatx": recurra.config.floatx,
    "epsilon": recurra.config.epsilon,
    "set_floatx": recurra.config.set_floatx,
    "image_data_format": lambda: "channels_last",
    "shape": np.shape,
    "cast": lambda x, dtype: tensor(plain(x), dtype),
    "numpy": np,
    "set_keras_mask": lambda x, mask: setattr(x, "_keras_mask", mask),
    "get_keras_mask": lambda x: getattr(x, "_keras_mask", None),
    "compute_output_spec": lambda function, *args, **kwargs: function(*args, **kwargs),
    "standardize_shape": tuple,
    "SUPPORTS_SPARSE_TENSORS": False,
    "SUPPORTS_RAGGED_TENSORS": False,
    "SUPPORTS_COMPLEX_DTYPES": False,
}
GIVEN: dict[str, dict[str, Any]] = {
    "keras": {},
    "keras.src": {},
    "keras.src.backend": BACKEND,
    "keras.src.backend.random": RANDOM,
    "keras.src.backend.common": BACKEND,
    "keras.src.backend.common.global_state": {"clear_session": lambda **_: recurra.utils.clear_session()},
    "keras.src.backend.common.keras_tensor": {"KerasTensor": KerasTensor},
    "keras.src.random": RANDOM,
    "keras.src.saving": {"load_model": recurra.models.load_model},
    "keras.src.losses.loss": {"Loss": recurra.losses.Loss, "squeeze_or_expand_to_same_rank": match_ranks},
    "keras.src.backend.config": {"image_data_format": recurra.config.image_data_format},
    "conftest": {"skip_if_backend": lambda backend, reason: lambda function: function},
    "keras.src.tree": {
        "flatten": _tree.flatten,
        "map_structure": lambda function, *given: _tree.map_structure(function, given[0]),
        "map_shape_structure": map_shape_structure,
        "assert_same_structure": lambda one, other, **_: None,
        "map_structure_up_to": lambda shallow, function, *deep: function(*deep),
    },
    "keras.src.utils.traceback_utils": {
        "is_traceback_filtering_enabled": lambda: False,
        "disable_traceback_filtering": lambda: None,
    },
    "keras.src.utils.io_utils": {
        "enable_interactive_logging": lambda: None,
        "disable_interactive_logging": lambda: None,
        "set_logging_verbosity": lambda level: None,
        "print_msg": lambda message, line_break=True: print(message, end="\n" if line_break else ""),
    },
    "keras.src.utils.numerical_utils": {
        "normalize": recurra.utils.normalize,
        "to_categorical": recurra.utils.to_categorical,
    },
    "keras.src.utils.file_utils": {"join": os.path.join, "isdir": os.path.isdir, "exists": os.path.exists},
    "keras.src.dtype_policies": {
        "dtype_policy": types.SimpleNamespace(
            dtype_policy=lambda: types.SimpleNamespace(name=recurra.config.floatx()),
            set_dtype_policy=lambda policy: recurra.config.set_floatx(getattr(policy, "name", policy)),
        ),
    },
    "keras.src.ops": {
        "convert_to_tensor": tensor,
        "convert_to_numpy": lambda x: np.asarray(plain(x)),
        "cast": lambda x, dtype: tensor(plain(x), dtype),
        "shape": lambda x: tuple(x.shape),
        "rsqrt": lambda x: 1 / np.sqrt(x),
        "one_hot": lambda x, num_classes: np.eye(num_classes)[np.asarray(x)],
        "softmax": lambda x, axis=-1: recurra.activations.softmax(plain(x), axis=axis),
        "sigmoid": lambda x: recurra.activations.sigmoid(plain(x)),
        "relu": lambda x: recurra.activations.relu(plain(x)),
    },
}


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds keras.src modules: test files in the folder, everything else as a stand-in."""

    def __init__(self, folder: Path):
        self.folder = folder

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name not in ("keras", "conftest") and not name.startswith("keras."):
            return None
        if name.endswith("_test") or name.startswith("keras.src.testing"):
            file = self.folder.joinpath(*name.split(".")[2:])
            file = file / "__init__.py" if file.is_dir() else file.with_suffix(".py")
            return importlib.util.spec_from_file_location(
                name, file, submodule_search_locations=[] if file.name == "__init__.py" else None
            )
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec: Any) -> types.ModuleType:
        kind = Ops if spec.name == "keras.src.ops" else Module
        return kind(spec.name, GIVEN.get(spec.name, {}))

    def exec_module(self, module: types.ModuleType) -> None:
        pass


def install(folder: Path) -> None:
    """Makes keras.src answer with recurra; raises ImportError if Keras itself was imported before."""
    if "keras" in sys.modules:
        raise ImportError("Keras itself is already imported: run its suites in a process of their own")
    accumulators = property(lambda self: self._slots["gradient_accumulator"].variables)
    recurra.optimizers.Optimizer._accumulated_gradients = accumulators  # type: ignore[attr-defined]
    sys.meta_path.insert(0, Finder(folder))
    sys.dont_write_bytecode = True
    for name in GIVEN:
        importlib.import_module(name)
    shared = importlib.import_module("keras.src.testing.test_case")
    shared.create_keras_tensors = lambda shape, dtype, sparse, ragged: shared.map_shape_dtype_structure(
        lambda one, its_dtype: KerasTensor(one, its_dtype), shape, dtype
    )
    shared.get_seed_generators = lambda layer: []
    whole = shared.TestCase.run_layer_test

    def run_layer_test(self: Any, layer_cls: Any, init_kwargs: Any, **kwargs: Any) -> None:
        # recurra computes in float32 and float64, and its models are not subclassed: fit is tested by its own suite.
        kwargs.update(run_mixed_precision_check=False, run_training_check=False, expected_num_seed_generators=None)
        whole(self, layer_cls, init_kwargs, **kwargs)

    def assert_raises_regex(self: Any, expected_exception: Any, expected_regex: Any, *args: Any, **kwargs: Any) -> Any:
        del expected_regex  # the class of an error is Keras's, the words are recurra's
        return self.assertRaises(expected_exception, *args, **kwargs)

    shared.TestCase.run_layer_test = run_layer_test
    shared.TestCase.assertRaisesRegex = assert_raises_regex
