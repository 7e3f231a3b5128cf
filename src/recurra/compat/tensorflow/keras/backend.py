"""`tf.keras.backend`: what is left of it in Keras 3, and those of Keras 2's functions that one's own metrics use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recurra import config
from recurra._arrays import Array as Tensor
from recurra._arrays import as_array
from recurra._checks import expected
from recurra._missing import says_what_to_do
from recurra.compat.tensorflow import _conversion, math, nn, random, tensors
from recurra.compat.tensorflow.keras import losses
from recurra.compat.tensorflow.variable import Variable

from recurra.backend import (  # isort: skip
    backend, clear_session, epsilon, floatx, image_data_format, is_float_dtype, is_int_dtype, is_keras_tensor,
    set_epsilon, set_floatx,
)  # fmt: skip
from recurra.compat.tensorflow.tensors import (  # isort: skip
    abs, cast, equal, exp, greater, greater_equal, less, less_equal, maximum, minimum, not_equal, ones_like, pow,
    reshape, round, shape, sigmoid, sign, square, tanh, zeros_like, cumsum, gather, stack, stop_gradient, transpose,
)  # fmt: skip

__all__ = [
    "backend", "clear_session", "epsilon", "floatx", "image_data_format", "is_float_dtype", "is_int_dtype",
    "is_keras_tensor", "set_epsilon", "set_floatx", "abs", "cast", "equal", "exp", "greater", "greater_equal",
    "less", "less_equal", "maximum", "minimum", "not_equal", "ones_like", "pow", "reshape", "round", "shape",
    "sigmoid", "sign", "square", "tanh", "zeros_like", "cumsum", "gather", "stack", "stop_gradient", "transpose",
    "all", "any", "argmax", "argmin", "clip", "concatenate", "expand_dims", "flatten", "get_value", "log", "max",
    "mean", "min", "prod", "set_value", "sqrt", "std", "sum", "var", "binary_crossentropy", "cast_to_floatx",
    "categorical_crossentropy", "constant", "ctc_batch_cost", "ctc_decode", "dot", "eval", "int_shape",
    "l2_normalize", "ndim", "one_hot", "ones", "permute_dimensions", "random_normal", "random_uniform", "relu",
    "repeat_elements", "softmax", "sparse_categorical_crossentropy", "squeeze", "switch", "tile", "variable", "zeros",
]  # fmt: skip

log, softmax = math.log, math.softmax
all, any, max, min = tensors.reduce_all, tensors.reduce_any, tensors.reduce_max, tensors.reduce_min
prod, sum = tensors.reduce_prod, tensors.reduce_sum


def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Returns the mean along an axis, several or all; truth values count as 0 and 1."""
    return tensors.reduce_mean(_as_numbers(x), axis, keepdims)


def std(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Returns the standard deviation along an axis, several or all; truth values count as 0 and 1."""
    return math.reduce_std(_as_numbers(x), axis, keepdims)


def var(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Returns the variance along an axis, several or all; truth values count as 0 and 1."""
    return math.reduce_variance(_as_numbers(x), axis, keepdims)


def sqrt(x: Any) -> Tensor:
    """Returns the square roots; those of negative numbers are zero."""
    return tensors.sqrt(np.maximum(_conversion.convert_to_tensor(x), 0))


def clip(x: Any, min_value: Any, max_value: Any) -> Tensor:
    """Returns `x` with what lies below or above the bounds put onto them; None is no bound."""
    low, high = -np.inf if min_value is None else min_value, np.inf if max_value is None else max_value
    return tensors.clip_by_value(x, low, high)


def argmax(x: Any, axis: int = -1) -> Tensor:
    """Returns where the largest value along an axis is."""
    return tensors.argmax(x, axis)


def argmin(x: Any, axis: int = -1) -> Tensor:
    """Returns where the smallest value along an axis is."""
    return tensors.argmin(x, axis)


def concatenate(values: Any, axis: int = -1) -> Tensor:
    """Returns `values` joined along an axis that they have."""
    return tensors.concat(values, axis)


def expand_dims(x: Any, axis: int = -1) -> Tensor:
    """Returns `x` with an axis of length 1 more."""
    return tensors.expand_dims(x, axis)


def flatten(x: Any) -> Tensor:
    """Returns all values in one axis."""
    return tensors.reshape(x, -1)


def permute_dimensions(x: Any, pattern: Any) -> Tensor:
    """Returns `x` with its axes in the order `pattern`."""
    return tensors.transpose(x, pattern)


def get_value(x: Any) -> Any:
    """Returns the value of a variable or tensor as an array; anything else as it is."""
    return x.numpy() if hasattr(x, "numpy") else x


def set_value(x: Any, value: Any) -> None:
    """Sets a variable, such as `optimizer.learning_rate`.

    Raises:
        ValueError: If the shape is another.
    """
    x.assign(value)


def eval(x: Any) -> Any:
    """Returns the value of a tensor or variable as an array."""
    return get_value(x)


def int_shape(x: Any) -> tuple[int | None, ...]:
    """Returns the shape of a tensor, symbolic ones too, or of an array."""
    return tuple(np.shape(x) if not hasattr(x, "shape") else x.shape)


def ndim(x: Any) -> int:
    """Returns the number of axes."""
    return len(int_shape(x))


def constant(value: Any, dtype: Any = None, shape: Any = None, name: str | None = None) -> Tensor:
    """Returns `value` as a tensor of Keras's float dtype, or of another."""
    return tensors.constant(value, dtype or config.floatx(), shape)


def variable(value: Any, dtype: Any = None, name: str | None = None, constraint: Any = None) -> Variable:
    """Returns a variable of Keras's float dtype, or of another; `constraint` is accepted and changes nothing."""
    return Variable(value, name=name or "Variable", dtype=dtype or config.floatx())


def zeros(shape: Any, dtype: Any = None, name: str | None = None) -> Variable:
    """Returns a variable of zeros."""
    return variable(np.zeros(shape), dtype, name)


def ones(shape: Any, dtype: Any = None, name: str | None = None) -> Variable:
    """Returns a variable of ones."""
    return variable(np.ones(shape), dtype, name)


def random_normal(
    shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = None, seed: int | None = None
) -> Tensor:
    """Returns numbers of the normal distribution."""
    return random.normal(shape, mean, stddev, dtype or config.floatx(), seed)


def random_uniform(
    shape: Any, minval: float = 0.0, maxval: float = 1.0, dtype: Any = None, seed: int | None = None
) -> Tensor:
    """Returns numbers from [minval, maxval)."""
    return random.uniform(shape, minval, maxval, dtype or config.floatx(), seed)


def cast_to_floatx(x: Any) -> Any:
    """Returns an array or tensor in Keras's float dtype."""
    return x.astype(config.floatx()) if isinstance(x, np.ndarray) else np.asarray(x, config.floatx())


def squeeze(x: Any, axis: int) -> Tensor:
    """Returns `x` without an axis of length 1."""
    return tensors.squeeze(x, axis)


def one_hot(indices: Any, num_classes: int) -> Tensor:
    """Returns (..., num_classes), 1 at each index and 0 elsewhere."""
    return tensors.one_hot(indices, num_classes)


def tile(x: Any, n: Any) -> Tensor:
    """Returns `x` repeated so many times along each axis."""
    return tensors.tile(x, np.atleast_1d(n))


def repeat_elements(x: Any, rep: int, axis: int) -> Tensor:
    """Returns `x` with each entry along an axis repeated so many times."""
    return tensors.repeat(x, rep, axis)


def l2_normalize(x: Any, axis: Any = None) -> Tensor:
    """Returns `x` divided by its length along an axis, several or all."""
    return math.l2_normalize(x, axis)


@_conversion.trained_as("relu")
def relu(x: Any, alpha: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Tensor:
    """Returns x where x > threshold, at most `max_value`, else `alpha * (x - threshold)`."""
    return _conversion.activation("relu")(x, negative_slope=alpha, max_value=max_value, threshold=threshold)


def dot(x: Any, y: Any) -> Tensor:
    """Returns the products of the last axis of `x` and the last but one of `y`."""
    return as_array(np.dot(_conversion.convert_to_tensor(x), _conversion.convert_to_tensor(y)))


def switch(condition: Any, then_expression: Any, else_expression: Any) -> Any:
    """Returns the one where the condition holds, else the other; they may be functions that return it.

    A condition with several axes goes by the first axes of the two.
    """
    holds = np.asarray(condition, bool)
    if not holds.ndim:
        chosen = then_expression if holds else else_expression
        return chosen() if callable(chosen) else chosen
    one, other = (value() if callable(value) else value for value in (then_expression, else_expression))
    more = np.ndim(one) - holds.ndim if holds.ndim > 1 else 0
    return tensors.where(holds.reshape(*holds.shape, *(1,) * more), one, other)


def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Tensor:
    """Returns the crossentropy of each truth value and its probability, or score if `from_logits`.

    Probabilities are cut to [epsilon, 1 - epsilon], and epsilon is added to them once more.
    """
    if from_logits:
        return nn.sigmoid_cross_entropy_with_logits(target, output)
    truth, share, tiny = _conversion.convert_to_tensor(target), _conversion.convert_to_tensor(output), config.epsilon()
    share = tensors.clip_by_value(share, tiny, 1 - tiny)
    return as_array(-(truth * np.log(share + tiny) + (1 - truth) * np.log(1 - share + tiny)))


def categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Tensor:
    """Returns the crossentropy of class shares and probabilities, or scores if `from_logits`, along an axis."""
    return losses.categorical_crossentropy(target, output, from_logits=from_logits, axis=axis)


def sparse_categorical_crossentropy(
    target: Any, output: Any, from_logits: bool = False, axis: int = -1, ignore_class: int | None = None
) -> Tensor:
    """Returns the crossentropy of classes and probabilities, or scores if `from_logits`, along an axis."""
    return losses.sparse_categorical_crossentropy(
        target, output, from_logits=from_logits, ignore_class=ignore_class, axis=axis
    )


def ctc_decode(
    y_pred: Any, input_length: Any, greedy: bool = True, beam_width: int = 100, top_paths: int = 1
) -> tuple[list[Tensor], Tensor]:
    """Returns the classes that are read from probabilities, and minus the log probability of what they are read from.

    Args:
        y_pred: Probabilities (N, T, C); the last class is the blank.
        input_length: The steps (N,) of each row that count.
        greedy: Take the likeliest class of each step; it is all that there is here.
        beam_width, top_paths: Of the search that there is not.

    Returns:
        A list of one int64 array (N, T): the classes without repeats and blanks, then -1; and an array (N, 1).

    Raises:
        ValueError: For greedy=False.
    """
    if not greedy:
        raise ValueError(expected("ctc_decode", "greedy=True", "greedy=False", "there is no beam search here"))
    logs = np.log(_conversion.convert_to_tensor(y_pred) + config.epsilon())
    steps = np.arange(logs.shape[1])
    counts = steps < np.reshape(input_length, (-1, 1))
    best = logs.argmax(axis=-1)
    begins = np.diff(best, axis=1, prepend=-1) != 0
    decoded = np.full(best.shape, -1, np.int64)
    for row, classes, kept in zip(decoded, best, counts & begins & (best != logs.shape[-1] - 1), strict=True):
        row[: kept.sum()] = classes[kept]
    costs = -np.where(counts, logs.max(axis=-1), 0).sum(axis=1, keepdims=True)
    return [as_array(decoded)], as_array(costs)


def ctc_batch_cost(y_true: Any, y_pred: Any, input_length: Any, label_length: Any) -> Tensor:
    """Returns (N, 1): minus the log probability of labels, over all their places in time.

    Args:
        y_true: Classes (N, L).
        y_pred: Probabilities (N, T, C); the last class is the blank.
        input_length, label_length: The steps and labels (N, 1) of each row that count.
    """
    labels, logs = np.asarray(y_true), np.log(_conversion.convert_to_tensor(y_pred) + config.epsilon())
    logs = np.concatenate([logs[..., -1:], logs[..., :-1]], axis=-1)  # the loss has the blank first, and 0 for padding
    rows = zip(labels, logs, np.ravel(input_length), np.ravel(label_length), strict=True)
    costs = [losses.ctc(classes[None, :n] + 1, scores[None, :steps]) for classes, scores, steps, n in rows]
    return as_array(np.stack(costs))


def _as_numbers(x: Any) -> Tensor:
    tensor = _conversion.convert_to_tensor(x)
    return tensors.cast(tensor, config.floatx()) if tensor.dtype == bool else tensor


if not TYPE_CHECKING:  # type checkers would take every name for one that is there
    __getattr__ = says_what_to_do(__name__)
