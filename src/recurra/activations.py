"""Activation functions: each is a plain function of one array, with `gradient(dy, x, y)` beside it.

The formulas live in `ops.reference` and, as native kernels, behind `ops.activation_forward`; here they get their names.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra import ops, saving
from recurra._arrays import as_array, as_numbers, axes_last, giving_arrays
from recurra._missing import says_what_to_do

FUNCTIONS: dict[str, Callable[..., np.ndarray]] = {}  # by name


def _native(name: str, x: np.ndarray) -> np.ndarray:
    y = ops.activation_forward(name, np.ascontiguousarray(x))
    return y if x.ndim else y.reshape(())  # ascontiguousarray has made an axis


def _relu(x: np.ndarray, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    y = np.where(x > threshold, x, x.dtype.type(0)) if threshold else _native("relu", x)
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
    def activation(x: np.ndarray, axis: Any = -1) -> Any:
        if isinstance(axis, (tuple, list)):  # taken together
            flat, back = axes_last(x, tuple(axis))
            return back(_native(name, flat))
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


def _as_floats(x: Any, who: str) -> np.ndarray:
    x = np.asarray(as_numbers(x, f"activations.{who}"))
    return x if x.dtype in (np.float32, np.float64) else x.astype(np.float32)


def _make(name: str, formula: str) -> Callable[..., np.ndarray]:
    with_options = _WITH_OPTIONS.get(name, lambda x: x)
    with_options.__qualname__ = name  # for errors

    def activation(x: Any, *args: Any, **options: Any) -> Any:
        if hasattr(x, "_keras_history"):  # symbolic: the layer that does it
            return x._activated(name, inspect.signature(with_options).bind(x, *args, **options).arguments)
        x = _as_floats(x, name)
        if args or options:
            return as_array(np.asarray(with_options(x, *args, **options), x.dtype))
        return as_array(_native(name, x))

    def gradient(dy: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return ops.activation_backward(name, dy, x, y)

    activation.__name__ = activation.__qualname__ = name
    activation.__doc__ = f"Returns {formula}; x has any shape. `{name}.gradient(dy, x, y)` gives dx."
    activation.__wrapped__ = with_options  # type: ignore[attr-defined]  # its signature is shown
    activation.gradient = gradient  # type: ignore[attr-defined]
    FUNCTIONS[name] = activation
    return activation


celu = _make("celu", "x where x > 0, else alpha * (exp(x / alpha) - 1)")
elu = _make("elu", "x where x > 0, else alpha * (exp(x) - 1)")
exponential = _make("exponential", "exp(x)")
gelu = _make("gelu", "x times the normal distribution's probability of less than x; approximate=True takes tanh for it")
glu = _make("glu", "a * sigmoid(b), a and b the halves of x along axis")
hard_shrink = _make("hard_shrink", "x where |x| > threshold, else 0")
hard_sigmoid = _make("hard_sigmoid", "x / 6 + 0.5, cut to [0, 1]")
hard_silu = _make("hard_silu", "x * hard_sigmoid(x)")
hard_tanh = _make("hard_tanh", "x, cut to [-1, 1]")
leaky_relu = _make("leaky_relu", "x where x > 0, else negative_slope * x")
linear = _make("linear", "x")
log_sigmoid = _make("log_sigmoid", "log(sigmoid(x))")
log_softmax = _make("log_softmax", "log(softmax(x)) along axis")
mish = _make("mish", "x * tanh(softplus(x))")
relu = _make("relu", "max(x, 0); up to max_value, zero up to threshold, and negative_slope * (x - threshold) below it")
relu6 = _make("relu6", "x, cut to [0, 6]")
selu = _make("selu", "1.0507 * elu(x, alpha=1.6733)")
sigmoid = _make("sigmoid", "1 / (1 + exp(-x))")
silu = _make("silu", "x * sigmoid(x)")
soft_shrink = _make("soft_shrink", "x - threshold above threshold, x + threshold below -threshold, else 0")
softmax = _make("softmax", "exp(x) / sum(exp(x)) along axis")
softplus = _make("softplus", "log(1 + exp(x))")
softsign = _make("softsign", "x / (1 + |x|)")
sparse_plus = _make("sparse_plus", "0 up to -1, x from 1 on, (x + 1)**2 / 4 between")
sparse_sigmoid = _make("sparse_sigmoid", "(x + 1) / 2, cut to [0, 1]")
sparsemax = _make("sparsemax", "the point nearest to x whose parts are at least 0 and add up to 1, along axis")
squareplus = _make("squareplus", "(x + sqrt(x**2 + b)) / 2")
tanh = _make("tanh", "the hyperbolic tangent of x")
tanh_shrink = _make("tanh_shrink", "x - tanh(x)")
FUNCTIONS["swish"] = swish = silu
FUNCTIONS["hard_swish"] = hard_swish = hard_silu

# All of FUNCTIONS, one by one: type checkers read lists alone.
__all__ = [
    "celu", "elu", "exponential", "gelu", "glu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_tanh",
    "leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid", "silu",
    "soft_shrink", "softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus",
    "tanh", "tanh_shrink", "swish", "hard_swish", "deserialize", "get", "name_of", "serialize", "threshold",
]  # fmt: skip


@giving_arrays
def threshold(x: Any, threshold: float, default_value: float) -> np.ndarray:
    """Returns x where x > threshold, else default_value; x has any shape. No layer knows it by name."""
    x = _as_floats(x, "threshold")
    return np.where(x > threshold, x, x.dtype.type(default_value))


def get(identifier: Any) -> Any:
    """Returns the activation of that name, or a function as it is; None is linear.

    Raises:
        ValueError: If there is none of that name.
    """
    if identifier is None:
        return FUNCTIONS["linear"]
    identifier = getattr(identifier, "own_activation", identifier)  # those of compat.tensorflow
    return saving.resolve(identifier, FUNCTIONS, "activations.get", "an activation")


def name_of(activation: Callable[[Any], np.ndarray]) -> Any:
    """Returns the name under which `ops` knows the activation, or a function of the caller's as it is."""
    name = getattr(activation, "__name__", "")
    return name if FUNCTIONS.get(name) is activation else activation


def serialize(activation: Callable[[Any], np.ndarray]) -> Any:
    """Returns the name of a built-in activation, or the serialized form of a registered function."""
    return saving.serialize_keras_object(activation)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Callable[[Any], np.ndarray]:
    """Returns what `serialize` described, or what a name stands for."""
    return saving.deserialize_named(config, get, custom_objects)


if not TYPE_CHECKING:  # type checkers would take every name for one that is there
    __getattr__ = says_what_to_do(__name__)
