"""Activation functions: each is a plain function of one array, with `gradient(dy, x, y)` beside it.

The formulas live in `ops.reference` and, as native kernels, behind `ops.activation_forward`; here they get their names.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from recurra import ops, saving
from recurra._checks import did_you_mean, expected

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


def _native(name: str, x: np.ndarray) -> np.ndarray:
    y = ops.activation_forward(name, np.ascontiguousarray(x))
    return y if x.ndim else y.reshape(())  # ascontiguousarray has made an axis


def _relu(x: np.ndarray, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    y = np.where(x > threshold, x, x.dtype.type(0))
    if max_value is not None:
        y = np.clip(y, x.dtype.type(0), x.dtype.type(max_value))
    return y - negative_slope * np.maximum(threshold - x, 0) if negative_slope else y


def _leaky_relu(x: np.ndarray, negative_slope: float = 0.2) -> Any:
    return np.where(x > 0, x, negative_slope * x)


def _elu(x: np.ndarray, alpha: float = 1.0) -> Any:
    return np.where(x > 0, x, alpha * _native("elu", x))


def _celu(x: np.ndarray, alpha: float = 1.0) -> Any:
    return np.where(x > 0, x, alpha * _native("elu", x / alpha))


def _gelu(x: np.ndarray, approximate: bool = False) -> Any:
    if not approximate:
        return _native("gelu", x)
    inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)
    return 0.5 * x * (1 + _native("tanh", inner))


def _hard_shrink(x: np.ndarray, threshold: float = 0.5) -> Any:
    return np.where(np.abs(x) > threshold, x, 0)


def _soft_shrink(x: np.ndarray, threshold: float = 0.5) -> Any:
    return np.where(x > threshold, x - threshold, np.where(x < -threshold, x + threshold, 0))


def _squareplus(x: np.ndarray, b: float = 4) -> Any:
    return (x + np.sqrt(x * x + b)) / 2


def _along(name: str) -> Callable[..., Any]:
    def activation(x: np.ndarray, axis: int = -1) -> Any:
        y = _native(name, np.moveaxis(x, axis, -1))
        return np.ascontiguousarray(np.moveaxis(y, -1, axis))

    return activation


# Those that take options: what they compute with them. Without, and in all layers, it is the native kernels that do.
_WITH_OPTIONS: dict[str, Callable[..., Any]] = {
    "celu": _celu,
    "elu": _elu,
    "gelu": _gelu,
    "hard_shrink": _hard_shrink,
    "leaky_relu": _leaky_relu,
    "relu": _relu,
    "soft_shrink": _soft_shrink,
    "squareplus": _squareplus,
} | {name: _along(name) for name in ("glu", "log_softmax", "softmax", "sparsemax")}


def _make(name: str) -> Callable[..., np.ndarray]:
    with_options = _WITH_OPTIONS.get(name, lambda x: x)
    with_options.__qualname__ = name  # for errors

    def activation(x: Any, *args: Any, **options: Any) -> np.ndarray:
        x = np.asarray(x)
        if x.dtype not in (np.float32, np.float64):
            x = x.astype(np.float32)
        if args or options:
            return np.asarray(with_options(x, *args, **options), x.dtype)
        return _native(name, x)

    def gradient(dy: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return ops.activation_backward(name, dy, x, y)

    activation.__name__ = activation.__qualname__ = name
    activation.__doc__ = f"The activation {name!r} of an array, with Keras's options; `gradient(dy, x, y)` gives dx."
    activation.__wrapped__ = with_options  # type: ignore[attr-defined]  # its signature is shown
    activation.gradient = gradient  # type: ignore[attr-defined]
    return activation


FUNCTIONS = {name: _make(name) for name in _NAMES}
FUNCTIONS |= {alias: FUNCTIONS[name] for alias, name in _ALIASES.items()}
globals().update(FUNCTIONS)

__all__ = [*_NAMES, *_ALIASES, "deserialize", "get", "name_of", "serialize"]


def get(identifier: Any) -> Any:
    """Returns the activation of that name, or a function as it is; None is linear.

    Raises:
        ValueError: If there is none of that name.
    """
    if identifier is None:
        return FUNCTIONS["linear"]
    if isinstance(identifier, dict):
        identifier = saving.deserialize_keras_object(identifier)
    if isinstance(identifier, str):
        found = saving.get_registered_object(identifier) or FUNCTIONS.get(identifier)
        if callable(found):
            return found
    elif callable(identifier):
        return identifier
    hint = did_you_mean(identifier, _NAMES) if isinstance(identifier, str) else None
    raise ValueError(expected("activations.get", f"a function or one of {', '.join(_NAMES)}", repr(identifier), hint))


def name_of(activation: Callable[[Any], np.ndarray]) -> Any:
    """Returns the name under which `ops` knows the activation, or a function of the caller's as it is."""
    name = getattr(activation, "__name__", "")
    return name if FUNCTIONS.get(name) is activation else activation


def serialize(activation: Callable[[Any], np.ndarray]) -> Any:
    """Returns the name of a built-in activation, or the serialized form of a registered function."""
    return saving.serialize_keras_object(activation)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Callable[[Any], np.ndarray]:
    """Returns what `serialize` described."""
    if isinstance(config, dict):
        return saving.deserialize_keras_object(config, custom_objects=custom_objects)
    with saving.CustomObjectScope(custom_objects or {}):
        return get(config)
