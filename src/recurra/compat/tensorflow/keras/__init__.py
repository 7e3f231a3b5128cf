"""`tf.keras`: recurra under Keras's module names, for `from ...keras.layers import LSTM` too."""

import sys
from types import ModuleType
from typing import TYPE_CHECKING

from recurra import (
    Initializer,
    KerasTensor,
    Layer,
    Loss,
    Metric,
    Optimizer,
    Regularizer,
    activations,
    callbacks,
    config,
    constraints,
    initializers,
    layers,
    models,
    optimizers,
    random,
    regularizers,
    saving,
    version,
)
from recurra._missing import says_what_to_do
from recurra._version import __version__ as __version__
from recurra.compat.tensorflow.keras import backend, losses, metrics, preprocessing, utils
from recurra.layers import Input
from recurra.models import Model, Sequential

__all__ = [
    "Initializer",
    "Input",
    "KerasTensor",
    "Layer",
    "Loss",
    "Metric",
    "Model",
    "Optimizer",
    "Regularizer",
    "Sequential",
    "activations",
    "backend",
    "callbacks",
    "config",
    "constraints",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "optimizers",
    "preprocessing",
    "random",
    "regularizers",
    "saving",
    "utils",
    "version",
]

if not TYPE_CHECKING:  # type checkers would take every name for one that is there
    __getattr__ = says_what_to_do(__name__)

for _name in __all__:
    if isinstance(globals()[_name], ModuleType):
        _path = globals()[_name].__name__
        for _within, _module in list(sys.modules.items()):
            if f"{_within}.".startswith(f"{_path}."):  # what is within it too, or an import would make classes anew
                sys.modules[f"{__name__}.{_name}{_within.removeprefix(_path)}"] = _module
