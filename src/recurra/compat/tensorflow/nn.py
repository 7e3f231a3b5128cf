"""`tf.nn`: activations, crossentropies of scores and the like, as functions of arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recurra import activations, losses
from recurra._arrays import Array as Tensor
from recurra._arrays import as_array
from recurra._checks import expected
from recurra._missing import says_what_to_do
from recurra.compat.tensorflow._conversion import activation, convert_to_tensor, trained_as
from recurra.compat.tensorflow._symbolic import on_symbolic
from recurra.compat.tensorflow.math import in_top_k, l2_normalize, log_softmax, softmax, softplus, top_k
from recurra.compat.tensorflow.random import uniform
from recurra.compat.tensorflow.tensors import gather, reduce_mean, sigmoid, tanh

__all__ = [
    "dropout", "elu", "embedding_lookup", "gelu", "in_top_k", "l2_normalize", "leaky_relu", "log_softmax", "moments",
    "relu", "relu6", "selu", "sigmoid", "sigmoid_cross_entropy_with_logits", "silu", "softmax",
    "softmax_cross_entropy_with_logits", "softplus", "softsign", "sparse_softmax_cross_entropy_with_logits", "swish",
    "tanh", "top_k",
]  # fmt: skip

elu, selu, gelu, relu6 = activation("elu"), activation("selu"), activation("gelu"), activation("relu6")
softsign = activation("softsign")
silu = swish = activation("silu")
_leaky_relu = activation("leaky_relu")


@on_symbolic(activations.relu)
@trained_as("relu")
def relu(features: Any) -> Tensor:
    """Returns max(features, 0)."""
    return as_array(np.maximum(convert_to_tensor(features), 0))


@trained_as("leaky_relu")
def leaky_relu(features: Any, alpha: float = 0.2) -> Tensor:
    """Returns x where x > 0, else alpha * x."""
    return _leaky_relu(features, negative_slope=alpha)


def softmax_cross_entropy_with_logits(labels: Any, logits: Any, axis: int = -1) -> Tensor:
    """Returns the crossentropy of each row of class shares and of scores, whose softmax the prediction is."""
    return as_array(-(convert_to_tensor(labels) * log_softmax(logits, axis=axis)).sum(axis))


def sparse_softmax_cross_entropy_with_logits(labels: Any, logits: Any) -> Tensor:
    """Returns the crossentropy of each class and row of scores, whose softmax the prediction is."""
    return as_array(losses.sparse_categorical_crossentropy(labels, convert_to_tensor(logits), from_logits=True))


def sigmoid_cross_entropy_with_logits(labels: Any, logits: Any) -> Tensor:
    """Returns the crossentropy of each truth value and score, whose sigmoid the prediction is."""
    truth, scores = convert_to_tensor(labels), convert_to_tensor(logits)
    return as_array(np.maximum(scores, 0) - scores * truth + softplus(-np.abs(scores)))


def moments(x: Any, axes: Any, shift: Any = None, keepdims: bool = False) -> tuple[Tensor, Tensor]:
    """Returns mean and variance along axes; `shift` is accepted and changes nothing."""
    tensor = convert_to_tensor(x)
    squares = (tensor - reduce_mean(tensor, axes, True)) ** 2
    return reduce_mean(tensor, axes, keepdims), reduce_mean(squares, axes, keepdims)


def embedding_lookup(params: Any, ids: Any) -> Tensor:
    """Returns the rows of `params` of these numbers."""
    return gather(params, ids)


def dropout(x: Any, rate: float, noise_shape: Any = None, seed: int | None = None) -> Tensor:
    """Returns `x` with a share of its values, drawn at random, set to 0, and the others divided by what is left.

    Raises:
        ValueError: If the rate is not in [0, 1).
    """
    if not 0 <= rate < 1:
        raise ValueError(expected("dropout", "a rate of at least 0 and less than 1", rate))
    tensor = convert_to_tensor(x)
    kept = uniform(tensor.shape if noise_shape is None else noise_shape, seed=seed) >= rate
    return as_array(np.where(kept, tensor / (1 - rate), 0).astype(tensor.dtype))


if not TYPE_CHECKING:  # type checkers would take every name for one that is there
    __getattr__ = says_what_to_do(__name__)
