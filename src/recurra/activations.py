"""Activation functions: each is a plain function of one array, with `gradient(dy, x, y)` beside it.

The formulas live in `ops.reference` and, as native kernels, behind `ops.activation_forward`; here they get their names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from recurra import ops, saving
from recurra._checks import expected

_NAMES = (
    "celu",
    "elu",
    "exponential",
    "gelu",
    "glu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_tanh",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "log_softmax",
    "mish",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softmax",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "sparsemax",
    "squareplus",
    "tanh",
    "tanh_shrink",
)
_ALIASES = {"swish": "silu", "hard_swish": "hard_silu"}


def _make(name: str) -> Callable[[Any], np.ndarray]:
    def activation(x: Any) -> np.ndarray:
        x = np.asarray(x)
        if x.dtype not in (np.float32, np.float64):
            x = x.astype(np.float32)
        return ops.activation_forward(name, np.ascontiguousarray(x))

    def gradient(dy: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return ops.activation_backward(name, dy, x, y)

    activation.__name__ = activation.__qualname__ = name
    activation.__doc__ = f"The activation {name!r} of an array; `gradient(dy, x, y)` gives dx."
    activation.gradient = gradient  # type: ignore[attr-defined]
    return activation


_BY_NAME = {name: _make(name) for name in _NAMES}
globals().update(_BY_NAME)
globals().update({alias: _BY_NAME[name] for alias, name in _ALIASES.items()})

__all__ = [*_NAMES, *_ALIASES, "deserialize", "get", "name_of", "serialize"]


def get(identifier: Any) -> Any:
    """Returns the activation of that name, or a function as it is; None is linear.

    Raises:
        ValueError: If there is none of that name.
    """
    if identifier is None:
        return _BY_NAME["linear"]
    if isinstance(identifier, dict):
        identifier = saving.deserialize_keras_object(identifier)
    if isinstance(identifier, str):
        found = saving.get_registered_object(identifier) or _BY_NAME.get(_ALIASES.get(identifier, identifier))
        if callable(found):
            return found
    elif callable(identifier):
        return identifier
    raise ValueError(expected("activations.get", f"a function or one of {', '.join(_NAMES)}", repr(identifier)))


def name_of(activation: Callable[[Any], np.ndarray]) -> Any:
    """Returns the name under which `ops` knows the activation, or a function of the caller's as it is."""
    name = getattr(activation, "__name__", "")
    return name if _BY_NAME.get(name) is activation else activation


def serialize(activation: Callable[[Any], np.ndarray]) -> Any:
    """Returns the name of a built-in activation, or the serialized form of a registered function."""
    return saving.serialize_keras_object(activation)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Callable[[Any], np.ndarray]:
    """Returns what `serialize` described."""
    if isinstance(config, dict):
        return saving.deserialize_keras_object(config, custom_objects=custom_objects)
    with saving.CustomObjectScope(custom_objects or {}):
        return get(config)
