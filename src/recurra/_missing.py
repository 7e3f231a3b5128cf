"""The errors for names of Keras or TensorFlow that are not here: they say what to do.

Imports of such names say so too: this module appends a finder to `sys.meta_path` when it is imported.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from recurra._checks import did_you_mean, expected

DOCS = "docs/coming-from-keras.md tells what else is not there"
_OLD = "recurra.compat.tensorflow.keras.preprocessing"
_TEXT = f"{_OLD}.text.Tokenizer makes numbers of words"
_OTHER_LIBRARY = "it runs another library: make the same layers here and load the weights, as docs/files.md shows"
# "MODULE.NAME" is for modules of that name alone.
HINTS = {
    "CuDNNGRU": "use GRU",
    "CuDNNLSTM": "use LSTM",
    "FlaxLayer": _OTHER_LIBRARY,
    "GradientTape": "layers bring their own gradients: train with model.fit or model.train_on_batch",
    "JaxLayer": _OTHER_LIBRARY,
    "Module": "write a keras.layers.Layer with forward and backward",
    "datasets": "load the data with Keras or another library, and pass NumPy arrays",
    "debugging": "there is nothing to set: leave the line out",
    "distribute": "there is one device, the CPU: leave it out",
    "disable_interactive_logging": "give verbose=0 to fit, evaluate and predict",
    "errors": "errors are Python's own, such as ValueError",
    "layers.experimental": "use the layers beside it, Normalization and Rescaling among them",
    "optimizers.experimental": "the optimizers beside it take the same arguments",
    "optimizers.legacy": "the optimizers beside it take the same arguments, learning_rate for lr",
    "split_dataset": "use slices, such as x[:800] and x[800:]",
    "ragged": "pad sequences with keras.utils.pad_sequences and mask them, by Embedding(mask_zero=True) or Masking",
    "RaggedTensor": "pad sequences with keras.utils.pad_sequences and mask them",
    "saved_model": "save with model.save('model.keras')",
    "strings": "use Python's own strings",
    "string": "use Python's own strings; models take numbers",
    "summary": "use keras.callbacks.TensorBoard",
    "train": "use keras.callbacks.ModelCheckpoint and keras.optimizers",
    "StringLookup": "make numbers of the strings with a dict, {word: i + 1 for i, word in enumerate(words)}",
    "TFSMLayer": _OTHER_LIBRARY,
    "TensorArray": "keep the tensors in a list, and join them with tf.stack",
    "TextVectorization": _TEXT,
    "TorchModuleWrapper": _OTHER_LIBRARY,
    "engine": "import Layer from keras.layers, and Model from keras.models",
    **dict.fromkeys(
        (
            *("layers.advanced_activations", "layers.convolutional", "layers.core", "layers.embeddings"),
            *("layers.noise", "layers.wrappers", "recurrent.GRU", "recurrent.LSTM", "recurrent.SimpleRNN"),
        ),
        "import the layers from keras.layers",
    ),
    **dict.fromkeys(
        (
            *("Conv2D", "Conv2DTranspose", "Conv3D", "Convolution2D", "SeparableConv2D", "DepthwiseConv2D"),
            *("MaxPooling2D", "MaxPool2D", "AveragePooling2D", "GlobalMaxPooling2D", "GlobalAveragePooling2D"),
            *("GlobalMaxPool2D", "MaxPooling3D", "UpSampling2D", "ZeroPadding2D", "Cropping2D", "SpatialDropout2D"),
        ),
        "layers for images stay with Keras: leave out of the import what is not used",
    ),
    "layers.merge": "import add, concatenate and the others, with capitals too, from keras.layers",
    "utils.generic_utils": "import what keras.utils has from there",
    "objectives": "use keras.losses",
    "np_utils": "the functions are in keras.utils: to_categorical, normalize",
    "preprocessing.image": "it is for images: load them with another library, and pass NumPy arrays",
    "preprocessing.text": _TEXT,
    "sequence.TimeseriesGenerator": f"it is in {_OLD}.sequence",
    "Conv1DTranspose": "use UpSampling1D and Conv1D",
    "tensorflow.python": "import from tf.keras",
    "vis_utils": "plot_model is in keras.utils",
    "wrappers": "write the loop over parameters yourself, or use Keras",
}


class Gone:
    """An attribute that Keras 1 and 2 have: to read it is an error that says what to do, and `hasattr` says no.

    A `__getattr__` would say so too, and make all other attributes of the class slower to read.
    """

    def __init__(self, hint: str):
        self._hint = hint

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type) -> Any:
        raise AttributeError(f"{owner.__name__!r} object has no attribute {self._name!r}: {self._hint}")


def names_there(thing: Any, names: Iterable[str]) -> list[str]:
    """Returns those of the names that `dir` would give that are not `Gone`."""
    cls = type(thing)
    return [name for name in names if not isinstance(inspect.getattr_static(cls, name, None), Gone)]


def says_what_to_do(module: str) -> Callable[[str], Any]:
    """Returns a `__getattr__` for the module, which is called for names that it lacks.

    An import of such a name says what to do as well: see `_Imports`. And `dir` gives the module's own names alone.
    """
    there = vars(sys.modules[module])
    # Python looks for what a module lacks among the modules within it, if it has a path.
    there.setdefault("__path__", [])
    there.setdefault("__dir__", lambda: sorted(_names_in(module)))

    def __getattr__(name: str) -> Any:
        if name.startswith("_"):  # modules within it, before they are loaded, and what Python's own tools ask for
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        raise AttributeError(_message(module, name))

    _telling.add(module)
    return __getattr__


_telling: set[str] = set()  # modules whose `__getattr__` is one of these


class _Imports:
    """The last to be asked for a module that is imported, also as `from MODULE import NAME`: says what to do.

    Of an AttributeError `from` makes "cannot import name", and of a ModuleNotFoundError with the name of what it looks
    for too, so the name is left out.
    """

    @staticmethod
    def find_spec(fullname: str, path: Any = None, target: Any = None) -> None:
        parent, _, name = fullname.rpartition(".")
        module = getattr(sys.modules.get(parent), "__name__", "")  # tf.keras has others under names of its own
        if module in _telling and not name.startswith("_"):
            raise ModuleNotFoundError(_message(module, name))


sys.meta_path.append(_Imports())


def _message(module: str, name: str) -> str:
    return expected(module, "a name that it has", repr(name), _hint_for(module, name, _names_in(module)))


def _names_in(module: str) -> list[str]:
    there = vars(sys.modules[module])
    return there.get("__all__") or [name for name in there if not name.startswith("_")]


def _hint_for(module: str, name: str, known: Iterable[str]) -> str:
    """Returns what to do without `name` in a module; `known` are the names that there are beside it."""
    part = module.rpartition(".")[2]
    hint = HINTS.get(f"{part}.{name}") or HINTS.get(name)
    if hint:
        return hint
    if part == "random" and name.islower() and callable(getattr(np.random, name, None)):
        return f"use numpy.random.{name}"
    computes = part in ("backend", "ops") or module.startswith("recurra.compat")
    if computes and callable(getattr(np, name, None)):
        return f"tensors are NumPy arrays here: use numpy.{name}"
    return _where_it_is(module, name) or did_you_mean(name, known) or DOCS


def _where_it_is(module: str, name: str) -> str | None:
    """Returns which name of recurra is meant by one that another module has, or that `compile` knows; None without."""
    by_name = vars(sys.modules[module]).get("_BY_NAME", {})
    found = by_name.get(name) or by_name.get(name.lower())
    if found is not None:
        return f"it is {module}.{found.__name__}"
    for within in ("layers", "optimizers", "losses", "metrics", "callbacks", "models", "initializers", "activations"):
        other = f"recurra.{within}"
        if not module.startswith("recurra.compat") and name in getattr(sys.modules.get(other), "__all__", ()):
            return f"it is {other}.{name}"
    return None
