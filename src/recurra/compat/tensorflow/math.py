"""`tf.math`: the elementwise functions and reductions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from recurra._arrays import Array as Tensor
from recurra._arrays import as_array
from recurra._checks import expected
from recurra._missing import says_what_to_do
from recurra.compat.tensorflow import _symbolic, tensors
from recurra.compat.tensorflow._conversion import activation, convert_to_tensor, of_numpy, reduction, trained_as

from recurra.compat.tensorflow.tensors import (  # isort: skip
    abs, add, argmax, argmin, cos, divide, equal, exp, greater, less, maximum, minimum, multiply, pow, reduce_max,
    reduce_mean, reduce_min, reduce_prod, reduce_sum, round, sigmoid, sign, sin, sqrt, square, subtract, tanh,
    add_n, argsort, cumsum, floor, greater_equal, less_equal, logical_and, logical_not, logical_or, negative,
    not_equal, reduce_all, reduce_any, reduce_logsumexp, truediv,
    int32, int64,
)  # fmt: skip

__all__ = [
    "abs", "add", "argmax", "argmin", "cos", "divide", "equal", "exp", "greater", "less", "maximum", "minimum",
    "multiply", "pow", "reduce_max", "reduce_mean", "reduce_min", "reduce_prod", "reduce_sum", "round", "sigmoid",
    "sign", "sin", "sqrt", "square", "subtract", "tanh", "add_n", "argsort", "cumsum", "floor", "greater_equal",
    "less_equal", "logical_and", "logical_not", "logical_or", "negative", "not_equal", "reduce_all", "reduce_any",
    "reduce_logsumexp", "truediv", "ceil", "confusion_matrix", "count_nonzero", "cumprod", "divide_no_nan", "expm1",
    "is_finite", "is_inf", "is_nan", "in_top_k", "l2_normalize", "log", "log1p", "log_softmax", "mod", "reduce_std",
    "reduce_variance", "rsqrt", "softmax", "softplus", "squared_difference", "top_k",
]  # fmt: skip

ceil, log, mod = (of_numpy(f) for f in (np.ceil, np.log, np.mod))
is_nan, is_inf, is_finite = (of_numpy(f) for f in (np.isnan, np.isinf, np.isfinite))
log1p, expm1 = of_numpy(np.log1p), of_numpy(np.expm1)
softplus, log_softmax = activation("softplus"), activation("log_softmax")
reduce_std, reduce_variance = reduction(np.std), reduction(np.var)


@_symbolic.on_symbolic(_symbolic.softmax)
@trained_as("softmax")
def softmax(logits: Any, axis: int = -1) -> Tensor:
    """Returns positive shares that sum to 1 along an axis."""
    scores = convert_to_tensor(logits)
    powers = np.exp(scores - scores.max(axis, keepdims=True))
    return as_array(powers / powers.sum(axis, keepdims=True))


def rsqrt(x: Any) -> Tensor:
    """Returns 1 / sqrt(x)."""
    return tensors.divide(1, tensors.sqrt(x))


def squared_difference(x: Any, y: Any) -> Tensor:
    """Returns (x - y)**2."""
    return tensors.square(tensors.subtract(x, y))


@of_numpy
def divide_no_nan(x: Any, y: Any) -> Any:
    """Returns x / y, and 0 where y is 0."""
    quotients = np.true_divide(x, y)
    return np.where(np.equal(y, 0), quotients.dtype.type(0), quotients)


def cumprod(x: Any, axis: int = 0, exclusive: Any = False, reverse: Any = False) -> Tensor:
    """Returns the products of the values up to each along an axis, as `cumsum` gives the sums."""
    return tensors.cumulated(np.cumprod, 1, x, axis, exclusive, reverse)


def count_nonzero(input: Any, axis: Any = None, keepdims: bool = False, dtype: Any = int64) -> Tensor:
    """Returns how many values are not zero along an axis, several or all."""
    return tensors.reduce_sum(tensors.cast(tensors.not_equal(input, 0), dtype), axis, keepdims)


def l2_normalize(x: Any, axis: Any = None, epsilon: float = 1e-12) -> Tensor:
    """Returns `x` divided by its length along an axis, several or all; the length is at least sqrt(epsilon)."""
    tensor = convert_to_tensor(x)
    return as_array(tensor * rsqrt(np.maximum(tensors.reduce_sum(tensor * tensor, axis, True), epsilon)))


class TopK(NamedTuple):
    """What `top_k` returns."""

    values: Tensor
    indices: Tensor


def top_k(input: Any, k: int = 1, sorted: bool = True, index_type: Any = int32) -> TopK:
    """Returns the k largest values along the last axis, the largest first, and where they are; `sorted` is ignored.

    Raises:
        ValueError: If there are fewer.
    """
    tensor = convert_to_tensor(input)
    if k > tensor.shape[-1]:
        raise ValueError(expected("top_k", f"k of at most {tensor.shape[-1]}, the length of the last axis", k))
    indices = tensors.argsort(tensor, -1, "DESCENDING")[..., :k]
    return TopK(as_array(np.take_along_axis(tensor, indices, -1)), as_array(indices.astype(index_type)))


def in_top_k(targets: Any, predictions: Any, k: int) -> Tensor:
    """Returns for each row of predictions (rows, classes) whether fewer than k are larger than that of its class."""
    scores, labels = convert_to_tensor(predictions), np.asarray(targets)
    known = (labels >= 0) & (labels < scores.shape[-1])
    own = np.take_along_axis(scores, np.where(known, labels, 0)[:, None], -1)
    return as_array(known & np.isfinite(scores).all(axis=-1) & ((scores > own).sum(axis=-1) < k))


def confusion_matrix(
    labels: Any, predictions: Any, num_classes: int | None = None, weights: Any = None, dtype: Any = int32
) -> Tensor:
    """Returns (classes, classes) counts, or sums of weights, a row for each label and a column for each prediction.

    As in TensorFlow, what follows a decimal point is cut off, and (N, 1) beside (N,) is taken for (N,).

    Raises:
        ValueError: If labels and predictions differ in shape, as where predictions are probabilities of classes, or one
            is no class.
    """
    given, found = (np.asarray(numbers).astype(np.int64) for numbers in (labels, predictions))
    pairs = _without_last_axis(given, found.ndim), _without_last_axis(found, given.ndim)
    if pairs[0].shape != pairs[1].shape:
        got, hint = f"{given.shape} and {found.shape}", "tf.argmax(probabilities, axis=-1) are classes"
        raise ValueError(expected("confusion_matrix", "labels and predictions of one shape", got, hint))
    size = max(int(numbers.max()) for numbers in pairs) + 1 if num_classes is None else num_classes
    for numbers in pairs:
        wrong = numbers[(numbers < 0) | (numbers >= size)]
        if wrong.size:
            raise ValueError(expected("confusion_matrix", f"classes from 0 to below {size}", wrong[0]))
    matrix = np.zeros((size, size), dtype)
    np.add.at(matrix, pairs, 1 if weights is None else np.asarray(weights, dtype))
    return as_array(matrix)


def _without_last_axis(numbers: np.ndarray, ndim: int) -> np.ndarray:
    return numbers[..., 0] if numbers.ndim == ndim + 1 and numbers.shape[-1] == 1 else numbers


if not TYPE_CHECKING:  # type checkers would take every name for one that is there
    __getattr__ = says_what_to_do(__name__)
