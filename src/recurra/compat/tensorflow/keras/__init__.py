"""`tf.keras`: recurra under Keras's module names, for `from ...keras.layers import LSTM` too."""

import sys
from types import ModuleType

from recurra import (
    activations,
    callbacks,
    config,
    constraints,
    initializers,
    layers,
    losses,
    metrics,
    models,
    optimizers,
    random,
    regularizers,
    saving,
    utils,
)
from recurra._version import __version__ as __version__
from recurra.compat.tensorflow.keras import backend, preprocessing
from recurra.layers import Input
from recurra.models import Model, Sequential

__all__ = [
    "Input",
    "Model",
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
]

for _name in __all__:
    if isinstance(globals()[_name], ModuleType):
        sys.modules[f"{__name__}.{_name}"] = globals()[_name]
