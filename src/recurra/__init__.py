"""recurra: recurrent networks for everyone who has ordered data and a CPU.

The Keras API on an own native engine, and forecasting in one command. Importing it needs NumPy alone.
"""

import importlib
from typing import TYPE_CHECKING, Any

from recurra import (
    activations,
    backend,
    callbacks,
    config,
    constraints,
    initializers,
    layers,
    losses,
    metrics,
    models,
    ops,
    optimizers,
    random,
    regularizers,
    saving,
    utils,
)
from recurra._missing import says_what_to_do
from recurra._version import __version__
from recurra.errors import DataError, FileFormatError, MissingExtraError, NotFittedError, RecurraError
from recurra.initializers import Initializer
from recurra.layers.base import Layer
from recurra.layers.input_layer import Input
from recurra.layers.symbolic import KerasTensor
from recurra.losses import Loss
from recurra.metrics import Metric
from recurra.models import Functional, Model, Sequential
from recurra.ops import get_num_threads, native_info, set_num_threads
from recurra.optimizers import Optimizer
from recurra.regularizers import Regularizer
from recurra.variables import Variable

if TYPE_CHECKING:
    from recurra import compat as compat
    from recurra import forecasting as forecasting
    from recurra import interop, preprocessing
    from recurra.forecasting import Forecaster, forecast

__all__ = [
    "DataError",
    "FileFormatError",
    "Forecaster",
    "Functional",
    "Initializer",
    "Input",
    "KerasTensor",
    "Layer",
    "Loss",
    "Metric",
    "MissingExtraError",
    "Model",
    "NotFittedError",
    "Optimizer",
    "RecurraError",
    "Regularizer",
    "Sequential",
    "Variable",
    "__version__",
    "activations",
    "backend",
    "callbacks",
    "config",
    "constraints",
    "forecast",
    "get_num_threads",
    "initializers",
    "interop",
    "layers",
    "losses",
    "metrics",
    "models",
    "native_info",
    "ops",
    "optimizers",
    "preprocessing",
    "random",
    "regularizers",
    "saving",
    "set_num_threads",
    "utils",
    "version",
]


def version() -> str:
    """Returns the version of recurra."""
    return __version__


_tell = says_what_to_do(__name__)


def _load(name: str) -> Any:
    # Loaded when they are first asked for: forecasting needs more than NumPy, the others seldom matter.
    if name in ("Forecaster", "forecast"):
        from recurra import forecasting

        return getattr(forecasting, name)
    if name in ("compat", "forecasting", "interop", "preprocessing"):
        return importlib.import_module(f"recurra.{name}")
    return _tell(name)


if not TYPE_CHECKING:  # type checkers would take every name for one that is there
    __getattr__ = _load
