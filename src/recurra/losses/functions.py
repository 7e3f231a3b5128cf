"""Losses as functions: values per sample, reduced over the last axis, each with its derivative beside it.

`f(y_true, y_pred)` gives values of the shape of `y_pred` without its last axis; `f.gradient(y_true, y_pred)` gives the
derivative of those values with respect to `y_pred`. Formulas and clipping are Keras 3's (https://keras.io/api/losses).
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from recurra import config as settings
from recurra import ops
from recurra._arrays import Array, as_integers, as_numbers, giving_arrays
from recurra._checks import expected

Values = np.ndarray
Sizes = tuple[int, ...]


_PER_SAMPLE = "of the shape of y_pred without its last axis, or without `axis` where there is one"
_SUMS = "of the shape of y_pred without `axis`; a single one where that is None"
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


def _pair(
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
    true, pred = _floats(y_true, y_pred)
    check_broadcast(true.shape, pred.shape)
    return true, pred


def check_broadcast(true: Sizes, pred: Sizes) -> None:
    """Raises ValueError unless targets and predictions of these shapes broadcast."""
    if true != pred:
        try:
            np.broadcast_shapes(true, pred)
        except ValueError:
            raise ValueError(expected("y_true", f"the shape of y_pred, {pred}", true)) from None


def _floats(y_true: Any, y_pred: Any) -> tuple[np.ndarray, np.ndarray]:
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


def _are_classes(true: Sizes, pred: Sizes) -> bool:
    """Returns whether each row of predictions, of more than one class, has as many targets."""
    return true == pred and pred[-1] > 1


def _is_one_for_each_row(true: Sizes, pred: Sizes) -> bool:
    """Returns whether each row of predictions has one target."""
    return true in (pred[:-1], (*pred[:-1], 1))


def _sign_labels(y_true: np.ndarray) -> np.ndarray:
    """Returns labels 0 and 1 as -1 and 1, others as they are."""
    binary = np.isin(y_true, (0, 1)).all()
    return 2 * y_true - 1 if binary else y_true


def _error_gradient(derivative: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """Returns the gradient of a mean over the last axis of a function of (y_true, y_pred)."""

    def gradient(y_true: Any, y_pred: Any, **options: Any) -> np.ndarray:
        y_true, y_pred = arrays(y_true, y_pred)
        full = derivative(y_true, y_pred, **options) / y_pred.shape[-1]
        return np.broadcast_to(full, np.broadcast_shapes(full.shape, y_pred.shape))

    return gradient


@_pair(_error_gradient(lambda t, p: 2 * (p - t)), fused=are_matched)
def mean_squared_error(y_true: Any, y_pred: Any) -> Values:
    """`mean((y_true - y_pred)**2)`."""
    y_true, y_pred = arrays(y_true, y_pred)
    return np.square(y_true - y_pred).mean(axis=-1)


@_pair(_error_gradient(lambda t, p: np.sign(p - t)), fused=are_matched)
def mean_absolute_error(y_true: Any, y_pred: Any) -> Values:
    """`mean(|y_true - y_pred|)`."""
    y_true, y_pred = arrays(y_true, y_pred)
    return np.abs(y_true - y_pred).mean(axis=-1)


@_pair(_error_gradient(lambda t, p: 100 * np.sign(p - t) / np.maximum(np.abs(t), settings.epsilon())))
def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Values:
    """`100 * mean(|y_true - y_pred| / max(|y_true|, epsilon))`."""
    y_true, y_pred = arrays(y_true, y_pred)
    return 100 * np.abs((y_true - y_pred) / np.maximum(np.abs(y_true), settings.epsilon())).mean(axis=-1)


def _log1p_clipped(x: np.ndarray) -> np.ndarray:
    return ops.log(np.maximum(x, settings.epsilon()) + 1)


@_pair(
    _error_gradient(
        lambda t, p: np.where(p > settings.epsilon(), 2 * (_log1p_clipped(p) - _log1p_clipped(t)) / (p + 1), 0)
    )
)
def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Values:
    """`mean((log(y_true + 1) - log(y_pred + 1))**2)`, both cut below at epsilon."""
    y_true, y_pred = arrays(y_true, y_pred)
    return np.square(_log1p_clipped(y_pred) - _log1p_clipped(y_true)).mean(axis=-1)


@_pair(_error_gradient(lambda t, p, delta=1.0: np.clip(p - t, -delta, delta)), fused=are_matched)
def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Values:
    """`e**2 / 2` where |e| <= delta, else `delta * |e| - delta**2 / 2`; the mean of it (Huber, 1964)."""
    y_true, y_pred = arrays(y_true, y_pred)
    error = np.abs(y_pred - y_true)
    return np.where(error <= delta, 0.5 * np.square(error), delta * error - 0.5 * delta * delta).mean(axis=-1)


@_pair(_error_gradient(lambda t, p: ops.tanh(p - t)))
def log_cosh(y_true: Any, y_pred: Any) -> Values:
    """`mean(log(cosh(y_pred - y_true)))`."""
    y_true, y_pred = arrays(y_true, y_pred)
    error = y_pred - y_true
    return (error + ops.activation_forward("softplus", -2 * error) - np.log(2).astype(error.dtype)).mean(axis=-1)


def _unit(x: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    norms = np.maximum(np.sqrt(np.square(x).sum(axis=axis, keepdims=True)), x.dtype.type(settings.epsilon()))
    return x / norms, norms


def _cosine_gradient(y_true: Any, y_pred: Any, axis: int = -1) -> np.ndarray:
    y_true, y_pred = arrays(y_true, y_pred)
    unit_true, _ = _unit(y_true, axis)
    unit_pred, norms = _unit(y_pred, axis)
    along = np.where(
        norms > norms.dtype.type(settings.epsilon()), (unit_true * unit_pred).sum(axis=axis, keepdims=True), 0
    )
    return -(unit_true - unit_pred * along) / norms


@_pair(_cosine_gradient)
def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Values:
    """Minus the cosine of the angle between the two, along `axis`."""
    y_true, y_pred = arrays(y_true, y_pred)
    return -(_unit(y_true, axis)[0] * _unit(y_pred, axis)[0]).sum(axis=axis)


def _kl_gradient(y_true: Any, y_pred: Any) -> np.ndarray:
    y_true, y_pred = arrays(y_true, y_pred)
    inside = (y_pred >= settings.epsilon()) & (y_pred <= 1)
    return np.where(inside, -_clip(y_true, 1.0) / _clip(y_pred, 1.0), 0).astype(y_pred.dtype)


def _clip(x: np.ndarray, high: float) -> np.ndarray:
    return np.clip(x, np.asarray(settings.epsilon(), x.dtype), np.asarray(high, x.dtype))


@_pair(_kl_gradient)
def kl_divergence(y_true: Any, y_pred: Any) -> Values:
    """`sum(y_true * log(y_true / y_pred))`, both cut to [epsilon, 1]."""
    y_true, y_pred = arrays(y_true, y_pred)
    y_true, y_pred = _clip(y_true, 1.0), _clip(y_pred, 1.0)
    return (y_true * ops.log(y_true / y_pred)).sum(axis=-1)


@_pair(_error_gradient(lambda t, p: 1 - t / (p + settings.epsilon())))
def poisson(y_true: Any, y_pred: Any) -> Values:
    """`mean(y_pred - y_true * log(y_pred + epsilon))`."""
    y_true, y_pred = arrays(y_true, y_pred)
    return (y_pred - y_true * ops.log(y_pred + settings.epsilon())).mean(axis=-1)


def _hinge_gradient(t: np.ndarray, p: np.ndarray) -> np.ndarray:
    t = _sign_labels(t)
    return np.where(1 - t * p > 0, -t, 0).astype(p.dtype)


@_pair(_error_gradient(_hinge_gradient))
def hinge(y_true: Any, y_pred: Any) -> Values:
    """`mean(max(1 - y_true * y_pred, 0))`; labels 0 and 1 become -1 and 1."""
    y_true, y_pred = arrays(y_true, y_pred)
    return np.maximum(1 - _sign_labels(y_true) * y_pred, 0).mean(axis=-1)


@_pair(_error_gradient(lambda t, p: -2 * _sign_labels(t) * np.maximum(1 - _sign_labels(t) * p, 0)))
def squared_hinge(y_true: Any, y_pred: Any) -> Values:
    """`mean(max(1 - y_true * y_pred, 0)**2)`; labels 0 and 1 become -1 and 1."""
    y_true, y_pred = arrays(y_true, y_pred)
    return np.square(np.maximum(1 - _sign_labels(y_true) * y_pred, 0)).mean(axis=-1)


def _categorical_hinge_gradient(y_true: Any, y_pred: Any) -> np.ndarray:
    y_true, y_pred = arrays(y_true, y_pred)
    others = (1 - y_true) * y_pred
    largest = others == others.max(axis=-1, keepdims=True)
    full = (1 - y_true) * largest / largest.sum(axis=-1, keepdims=True) - y_true
    return np.where(categorical_hinge(y_true, y_pred)[..., None] > 0, full, 0).astype(y_pred.dtype)


@_pair(_categorical_hinge_gradient)
def categorical_hinge(y_true: Any, y_pred: Any) -> Values:
    """`max(max((1 - y_true) * y_pred) - sum(y_true * y_pred) + 1, 0)`."""
    y_true, y_pred = arrays(y_true, y_pred)
    right = (y_true * y_pred).sum(axis=-1)
    wrong = ((1 - y_true) * y_pred).max(axis=-1)
    return np.maximum(wrong - right + 1, 0)


def _smoothed_binary(y_true: np.ndarray, label_smoothing: float) -> np.ndarray:
    return y_true * (1 - label_smoothing) + 0.5 * label_smoothing if label_smoothing else y_true


def _probability(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns p cut to [epsilon, 1 - epsilon] in its own dtype, and where it was inside."""
    low = np.asarray(settings.epsilon(), p.dtype)
    cut = np.clip(p, low, 1 - low)
    return cut, p == cut


def _binary_values(t: np.ndarray, p: np.ndarray, from_logits: bool) -> np.ndarray:
    if from_logits:
        return np.maximum(p, 0) - p * t + ops.activation_forward("softplus", -np.abs(p))
    cut, _ = _probability(p)
    return -(t * ops.log(cut) + (1 - t) * ops.log(1 - cut))


def _binary_derivative(t: np.ndarray, p: np.ndarray, from_logits: bool) -> np.ndarray:
    if from_logits:
        return ops.sigmoid(p) - t
    cut, inside = _probability(p)
    return np.where(inside, (1 - t) / (1 - cut) - t / cut, 0).astype(p.dtype)


@_pair(
    _error_gradient(
        lambda t, p, from_logits=False, label_smoothing=0.0: _binary_derivative(
            _smoothed_binary(t, label_smoothing), p, from_logits
        )
    ),
    fused=are_matched,
)
def binary_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Values:
    """`-mean(y_true * log(y_pred) + (1 - y_true) * log(1 - y_pred))`; y_pred is cut to [epsilon, 1 - epsilon].

    For `from_logits`, `label_smoothing` and `axis` see the loss `BinaryCrossentropy`.
    """
    y_true, y_pred = axis_last(*arrays(y_true, y_pred), axis)
    if y_true.ndim == y_pred.ndim and y_true.shape != y_pred.shape:
        raise ValueError(expected("binary_crossentropy", f"y_true of shape {y_pred.shape}", y_true.shape))
    return _binary_values(_smoothed_binary(y_true, label_smoothing), y_pred, from_logits).mean(axis=-1)


def _focal_parts(
    y_true: np.ndarray, y_pred: np.ndarray, from_logits: bool, label_smoothing: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    t = _smoothed_binary(y_true, label_smoothing)
    p = ops.sigmoid(y_pred) if from_logits else y_pred
    return t, p, t * p + (1 - t) * (1 - p)


def _focal_gradient(
    t: np.ndarray,
    p: np.ndarray,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
) -> np.ndarray:
    t, p, right = _focal_parts(t, p, from_logits, label_smoothing)
    factor = ops.power(1 - right, gamma)
    dfactor = -gamma * ops.power(1 - right, gamma - 1) * (2 * t - 1)
    dp = dfactor * _binary_values(t, p, False) + factor * _binary_derivative(t, p, False)
    if apply_class_balancing:
        dp = dp * (t * alpha + (1 - t) * (1 - alpha))
    return dp * p * (1 - p) if from_logits else dp


@_pair(_error_gradient(_focal_gradient))
def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Values:
    """`(1 - p_t)**gamma` times the binary crossentropy (Lin et al., 2017); options as in `BinaryFocalCrossentropy`."""
    y_true, y_pred = axis_last(*arrays(y_true, y_pred), axis)
    t, p, right = _focal_parts(y_true, y_pred, from_logits, label_smoothing)
    values = ops.power(1 - right, gamma) * _binary_values(t, p, False)
    if apply_class_balancing:
        values = values * (t * alpha + (1 - t) * (1 - alpha))
    return values.mean(axis=-1)


def _check_same_shape(who: str, y_true: np.ndarray, y_pred: np.ndarray) -> None:
    if y_pred.shape[-1] == 1:
        warnings.warn(
            f"{who} expected y_pred of shape (N, ..., classes) with more than one class, got {y_pred.shape}: "
            "it is zero whatever the model says. For two classes use binary_crossentropy.",
            SyntaxWarning,
            stacklevel=4,
        )
    if y_true.shape != y_pred.shape:
        are_labels = y_true.shape in (y_pred.shape[:-1], (*y_pred.shape[:-1], 1))
        hint = "labels that are whole numbers are for sparse_categorical_crossentropy" if are_labels else None
        raise ValueError(expected(who, f"y_true of shape {y_pred.shape}", y_true.shape, hint))


def _smoothed_classes(y_true: np.ndarray, label_smoothing: float) -> np.ndarray:
    return y_true * (1 - label_smoothing) + label_smoothing / y_true.shape[-1] if label_smoothing else y_true


def _categorical_gradient(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0
) -> np.ndarray:
    y_true, y_pred = arrays(y_true, y_pred)
    y_true = _smoothed_classes(y_true, label_smoothing)
    if from_logits:
        return ops.activation_forward("softmax", y_pred) * y_true.sum(axis=-1, keepdims=True) - y_true
    total = y_pred.sum(axis=-1, keepdims=True)
    share = y_pred / total
    cut, inside = _probability(share)
    dshare = np.where(inside, -y_true / cut, 0).astype(y_pred.dtype)
    return (dshare - (dshare * share).sum(axis=-1, keepdims=True)) / total


@_pair(_categorical_gradient, fused=_are_classes, checks_shapes=True)
def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Values:
    """`-sum(y_true * log(y_pred / sum(y_pred)))` over the classes, the shares cut to [epsilon, 1 - epsilon].

    For the options see `CategoricalCrossentropy`.
    """
    y_true, y_pred = axis_last(*_floats(y_true, y_pred), axis)
    _check_same_shape("categorical_crossentropy", y_true, y_pred)
    y_true = _smoothed_classes(y_true, label_smoothing)
    if from_logits:
        return -(y_true * ops.activation_forward("log_softmax", y_pred)).sum(axis=-1)
    share, _ = _probability(y_pred / y_pred.sum(axis=-1, keepdims=True))
    return -(y_true * ops.log(share)).sum(axis=-1)


def _labels(
    who: str, y_true: Any, y_pred: Any, ignore_class: int | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the labels, the predictions, and where a label counts; ValueError if the labels do not fit."""
    y_pred = np.asarray(y_pred)
    y_true = np.asarray(y_true)
    if y_true.ndim == y_pred.ndim and y_true.shape[-1] == 1:
        y_true = y_true[..., 0]
    if y_true.shape != y_pred.shape[:-1]:
        one_hot = "one-hot labels are for categorical_crossentropy, or give y.argmax(axis=-1)"
        hint = one_hot if y_true.shape == y_pred.shape else None
        raise ValueError(expected(who, f"y_true of shape {y_pred.shape[:-1]}", y_true.shape, hint))
    labels = as_integers(y_true, f"y_true of {who}")
    counts = np.ones(labels.shape, bool) if ignore_class is None else labels != ignore_class
    labels = np.where(counts, labels, 0)
    classes = y_pred.shape[-1]
    if labels.size and (labels.min() < 0 or labels.max() >= classes):
        wrong = y_true[(labels < 0) | (labels >= classes)][0]
        hint = "labels begin at 0, and the last layer has a unit for each"
        raise ValueError(expected(who, f"labels from 0 to {classes - 1}", wrong, hint))
    return labels, y_pred, counts


def _at_labels(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return np.take_along_axis(values, labels[..., None], axis=-1)[..., 0]


def _sparse_gradient(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None
) -> np.ndarray:
    labels, y_pred, counts = _labels("sparse_categorical_crossentropy", y_true, y_pred, ignore_class)
    if from_logits:
        gradient = ops.activation_forward("softmax", y_pred)
        less = y_pred.dtype.type(1)
    else:
        cut, inside = _probability(y_pred)
        gradient = inside * (1 / cut.sum(axis=-1, keepdims=True))
        less = _at_labels(inside, labels) / _at_labels(cut, labels)
    at_labels = _at_labels(gradient, labels) - less  # the other classes need no labels
    np.put_along_axis(gradient, labels[..., None], at_labels[..., None], axis=-1)
    gradient[~counts] = 0
    return gradient


@_pair(_sparse_gradient, fused=_is_one_for_each_row, checks_shapes=True)
def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: int | None = None, axis: int = -1
) -> Values:
    """The categorical crossentropy for labels that are whole numbers; zero where the label is `ignore_class`.

    For `from_logits` and `axis` see `SparseCategoricalCrossentropy`.
    """
    y_true, y_pred = axis_last(y_true, y_pred, axis)
    labels, y_pred, counts = _labels("sparse_categorical_crossentropy", y_true, y_pred, ignore_class)
    if from_logits:
        values = -_at_labels(ops.activation_forward("log_softmax", y_pred), labels)
    else:
        cut, _ = _probability(y_pred)
        values = ops.log(np.ascontiguousarray(cut.sum(axis=-1))) - ops.log(_at_labels(cut, labels))
        values = values.reshape(labels.shape)  # a single one has no axis; native code has made one
    return np.where(counts, values, 0).astype(y_pred.dtype)


def _categorical_focal_parts(
    y_true: Any, y_pred: Any, from_logits: bool, label_smoothing: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    y_true, y_pred = _floats(y_true, y_pred)
    _check_same_shape("categorical_focal_crossentropy", y_true, y_pred)
    y_true = _smoothed_classes(y_true, label_smoothing)
    share = ops.activation_forward("softmax", y_pred) if from_logits else y_pred
    total = share.sum(axis=-1, keepdims=True)
    return y_true, share / total, total


def _categorical_focal_gradient(
    y_true: Any,
    y_pred: Any,
    alpha: Any = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
) -> np.ndarray:
    y_true, share, total = _categorical_focal_parts(y_true, y_pred, from_logits, label_smoothing)
    cut, inside = _probability(share)
    full = gamma * ops.power(1 - cut, gamma - 1) * ops.log(cut) - ops.power(1 - cut, gamma) / cut
    dshare = np.where(inside, np.asarray(alpha, cut.dtype) * y_true * full, 0).astype(cut.dtype)
    centred = dshare - (dshare * share).sum(axis=-1, keepdims=True)
    return share * centred if from_logits else centred / total


@_pair(_categorical_focal_gradient, checks_shapes=True)
def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: Any = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Values:
    """`-sum(alpha * (1 - p)**gamma * y_true * log(p))` over the classes (Lin et al., 2017).

    For the options see `CategoricalFocalCrossentropy`.
    """
    y_true, y_pred = axis_last(y_true, y_pred, axis)
    y_true, share, _ = _categorical_focal_parts(y_true, y_pred, from_logits, label_smoothing)
    cut, _ = _probability(share)
    return -(np.asarray(alpha, cut.dtype) * ops.power(1 - cut, gamma) * y_true * ops.log(cut)).sum(axis=-1)


def _generalized_gradient(y_true: Any, y_pred: Any, q: float = 0.5) -> np.ndarray:
    labels, y_pred, _ = _labels("categorical_generalized_cross_entropy", y_true, y_pred)
    right = labels[..., None] == np.arange(y_pred.shape[-1])
    return np.where(right, -ops.power(y_pred, q - 1), 0).astype(y_pred.dtype)


@_pair(_generalized_gradient, checks_shapes=True)
def categorical_generalized_cross_entropy(y_true: Any, y_pred: Any, q: float = 0.5) -> Values:
    """`(1 - p**q) / q`, p the prediction at the label: robust against wrong labels (Zhang and Sabuncu, 2018)."""
    labels, y_pred, _ = _labels("categorical_generalized_cross_entropy", y_true, y_pred)
    return (1 - ops.power(_at_labels(y_pred, labels), q)) / q


def _as_axis(axis: Any) -> Any:
    """Returns an axis as NumPy takes it: several in a tuple; configs have lists."""
    return tuple(axis) if isinstance(axis, list) else axis


def _tversky_parts(
    y_true: Any, y_pred: Any, alpha: float, beta: float, axis: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    y_true, y_pred = arrays(y_true, y_pred)
    axis = _as_axis(axis)
    both = (y_true * y_pred).sum(axis=axis, keepdims=True)
    missed = ((1 - y_pred) * y_true).sum(axis=axis, keepdims=True)
    wrong = (y_pred * (1 - y_true)).sum(axis=axis, keepdims=True)
    return y_true, both, both + missed * alpha + wrong * beta + settings.epsilon()


def _tversky_gradient(y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Any = None) -> np.ndarray:
    y_true, both, whole = _tversky_parts(y_true, y_pred, alpha, beta, axis)
    dwhole = y_true - alpha * y_true + beta * (1 - y_true)
    return -(y_true * whole - both * dwhole) / np.square(whole)


@_pair(_tversky_gradient, values=_SUMS)
def tversky(y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Any = None) -> Values:
    """`1 - both / (both + alpha * missed + beta * wrong)`, sums over `axis` or all axes (Salehi et al., 2017)."""
    _, both, whole = _tversky_parts(y_true, y_pred, alpha, beta, axis)
    return (1 - both / whole).squeeze(_as_axis(axis))


def _dice_gradient(y_true: Any, y_pred: Any, axis: Any = None) -> np.ndarray:
    y_true, y_pred = arrays(y_true, y_pred)
    axis = _as_axis(axis)
    both = (y_true * y_pred).sum(axis=axis, keepdims=True)
    whole = (y_true + y_pred).sum(axis=axis, keepdims=True) + settings.epsilon()
    return -2 * (y_true * whole - both) / np.square(whole)


@_pair(_dice_gradient, values=_SUMS)
def dice(y_true: Any, y_pred: Any, axis: Any = None) -> Values:
    """`1 - 2 * sum(y_true * y_pred) / sum(y_true + y_pred)`, sums over `axis` or all axes (Dice, 1945)."""
    y_true, y_pred = arrays(y_true, y_pred)
    axis = _as_axis(axis)
    return 1 - 2 * (y_true * y_pred).sum(axis=axis) / ((y_true + y_pred).sum(axis=axis) + settings.epsilon())


def _quantile_levels(y_pred: np.ndarray, quantiles: Any) -> np.ndarray:
    levels = np.asarray(quantiles, y_pred.dtype)
    if levels.ndim != 1 or y_pred.shape[-1] != len(levels):
        raise ValueError(expected("pinball", f"{levels.size} values on the last axis of y_pred", y_pred.shape))
    return levels


def _expanded(y_true: Any, y_pred: np.ndarray) -> np.ndarray:
    y_true = np.asarray(y_true, y_pred.dtype)
    return y_true[..., None] if y_true.ndim == y_pred.ndim - 1 else y_true


def _pinball_gradient(y_true: Any, y_pred: Any, quantiles: Any = (0.5,)) -> np.ndarray:
    y_pred = np.asarray(y_pred)
    levels = _quantile_levels(y_pred, quantiles)
    above = _expanded(y_true, y_pred) > y_pred
    return (np.where(above, -levels, 1 - levels) / len(levels)).astype(y_pred.dtype)


@_pair(_pinball_gradient, fused=_is_one_for_each_row, checks_shapes=True)
def pinball(y_true: Any, y_pred: Any, quantiles: Any = (0.5,)) -> Values:
    """Mean over the quantiles q of `max(q * e, (q - 1) * e)`, e = y_true - y_pred (Koenker and Bassett, 1978).

    Args:
        y_true: (...,) or (..., 1).
        y_pred: (..., Q), one value for each quantile.
        quantiles: Q numbers between 0 and 1.

    Returns:
        Values of the shape of y_pred without its last axis, of its dtype.

    Raises:
        ValueError: If the shapes do not belong together, or there are not Q quantiles.
    """
    y_pred = np.asarray(y_pred)
    levels = _quantile_levels(y_pred, quantiles)
    error = _expanded(y_true, y_pred) - y_pred
    return np.maximum(levels * error, (levels - 1) * error).mean(axis=-1)
