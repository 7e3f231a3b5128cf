"""What the losses' functions share: a derivative beside each, and arrays of shapes that belong together.

A loss `f(y_true, y_pred)` gives values of the shape of `y_pred` without its last axis; `f.gradient(y_true, y_pred)`
gives the derivative of those values with respect to `y_pred`. Formulas and clipping are Keras 3's
(https://keras.io/api/losses). Each function stands beside its class, in the file of its kind.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from recurra import config as settings
from recurra import ops
from recurra._arrays import Array, as_numbers, giving_arrays
from recurra._checks import expected

Values = np.ndarray
Sizes = tuple[int, ...]


_PER_SAMPLE = "of the shape of y_pred without its last axis, or without `axis` where there is one"
_HELP = """

    Args:
        y_true: Targets: of the shape of y_pred or, where the loss takes that, one for each of its rows.
        y_pred: Predictions; whole numbers become floats.

    Returns:
        Values {values}; of the dtype of y_pred.

    Raises:
        ValueError: If the shapes do not belong together, or something is not a number.

    See https://keras.io/api/losses.
    """


def of_numbers(function: Callable[..., Any]) -> Callable[..., Array]:
    """Decorator of functions of (y_true, y_pred): they take numbers alone, or ValueError, and give an `Array`."""
    name = function.__name__

    @functools.wraps(function)
    def checked(y_true: Any, y_pred: Any, *args: Any, **options: Any) -> Any:
        y_true, y_pred = as_numbers(y_true, f"y_true of {name}"), as_numbers(y_pred, f"y_pred of {name}")
        return function(y_true, y_pred, *args, **options)

    return giving_arrays(checked)


def with_gradient(
    gradient: Callable[..., np.ndarray],
    fused: Callable[[Sizes, Sizes], bool] | None = None,
    checks_shapes: bool = False,
    values: str = _PER_SAMPLE,
) -> Callable[[Any], Any]:
    """Decorator: puts a loss's derivative beside it, and two facts; and into its docstring what all of them share.

    Args:
        gradient: The derivative.
        fused: For which shapes of targets and predictions `ops.mean_loss` gives the mean of both; None for none.
        checks_shapes: Whether the loss itself refuses targets that do not belong to the predictions.
        values: The shape of what it returns, in words.
    """

    def decorate(function: Any) -> Any:
        function = of_numbers(function)
        function.gradient = gradient
        function.fused = fused
        function.checks_shapes = checks_shapes
        if function.__doc__ and "Args:" not in function.__doc__:  # there is none with python -OO
            function.__doc__ = function.__doc__.rstrip() + _HELP.format(values=values)
        return function

    return decorate


def arrays(y_true: Any, y_pred: Any) -> tuple[np.ndarray, np.ndarray]:
    """Returns both as float arrays of one dtype, ranks made equal by a last axis of one.

    Raises:
        ValueError: If they do not broadcast, as a single target does to a row of predictions.
    """
    true, pred = float_arrays(y_true, y_pred)
    check_broadcast(true.shape, pred.shape)
    return true, pred


def check_broadcast(true: Sizes, pred: Sizes) -> None:
    """Raises ValueError unless targets and predictions of these shapes broadcast."""
    if true != pred:
        try:
            np.broadcast_shapes(true, pred)
        except ValueError:
            raise ValueError(expected("y_true", f"the shape of y_pred, {pred}", true)) from None


def float_arrays(y_true: Any, y_pred: Any) -> tuple[np.ndarray, np.ndarray]:
    """Returns both as `arrays` does, whatever their shapes.

    Raises:
        ValueError: If one is not of numbers, or y_pred is a single one.
    """
    y_pred = as_numbers(y_pred, "y_pred of a loss")
    if y_pred.dtype.kind != "f":
        y_pred = y_pred.astype(settings.floatx())
    y_true = as_numbers(y_true, "y_true of a loss")
    if y_pred.ndim == 0:
        hint = "a loss is a mean over the last axis: write [value]"
        raise ValueError(expected("y_pred of a loss", "an array", f"the single number {y_pred}", hint))
    return match_ranks(y_true.astype(y_pred.dtype, copy=False), y_pred)


def axis_last(y_true: Any, y_pred: Any, axis: int) -> tuple[Any, Any]:
    """Returns both with the axis of the classes moved to the end; labels, of one rank less, have none."""
    if axis == -1:
        return y_true, y_pred
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    moved = np.moveaxis(y_pred, axis, -1)
    return (np.moveaxis(y_true, axis, -1) if y_true.ndim == y_pred.ndim else y_true), moved


def logsumexp(x: np.ndarray, axis: int) -> np.ndarray:
    """Returns log(sum(exp(x))) over an axis; minus infinity where all of it is."""
    top = x.max(axis=axis, keepdims=True)
    safe = np.where(np.isfinite(top), top, 0)
    return (safe + ops.log(ops.exp(x - safe).sum(axis=axis, keepdims=True))).squeeze(axis)


def match_ranks(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns both arrays, a last axis of one added or removed where their ranks differ by one."""
    if one.ndim == other.ndim + 1 and one.shape[-1] == 1:
        return (one, other[..., None]) if other.ndim == 1 else (one[..., 0], other)
    if other.ndim == one.ndim + 1 and other.shape[-1] == 1:
        return (one[..., None], other) if one.ndim == 1 else (one, other[..., 0])
    return one, other


def are_matched(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Returns whether `match_ranks` gives arrays of these shapes one shape."""
    return one == other or (*one, 1) == other or one == (*other, 1)


def is_one_for_each_row(true: Sizes, pred: Sizes) -> bool:
    """Returns whether each row of predictions has one target."""
    return true in (pred[:-1], (*pred[:-1], 1))


def gradient_of_mean(derivative: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """Returns the gradient of a mean over the last axis of a function of (y_true, y_pred)."""

    def gradient(y_true: Any, y_pred: Any, **options: Any) -> np.ndarray:
        y_true, y_pred = arrays(y_true, y_pred)
        full = derivative(y_true, y_pred, **options) / y_pred.shape[-1]
        return np.broadcast_to(full, np.broadcast_shapes(full.shape, y_pred.shape))

    return gradient


def cut_probability(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns p cut to [epsilon, 1 - epsilon] in its own dtype, and where it was inside."""
    low = np.asarray(settings.epsilon(), p.dtype)
    cut = np.clip(p, low, 1 - low)
    return cut, p == cut
