"""`tf.nn`: activations as functions of arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recurra._arrays import Array as Tensor
from recurra._arrays import as_array
from recurra._missing import says_what_to_do
from recurra.compat.tensorflow.math import l2_normalize, softplus, top_k
from recurra.compat.tensorflow.tensors import activation, convert_to_tensor, sigmoid, tanh, trained_as

__all__ = [
    "elu", "gelu", "l2_normalize", "leaky_relu", "log_softmax", "relu", "relu6", "selu", "sigmoid", "silu",
    "softmax", "softplus", "softsign", "swish", "tanh", "top_k",
]  # fmt: skip

elu, selu, gelu, relu6 = activation("elu"), activation("selu"), activation("gelu"), activation("relu6")
softsign, log_softmax = activation("softsign"), activation("log_softmax")
silu = swish = activation("silu")
_leaky_relu = activation("leaky_relu")


@trained_as("relu")
def relu(features: Any) -> Tensor:
    """Returns max(features, 0)."""
    return as_array(np.maximum(convert_to_tensor(features), 0))


@trained_as("leaky_relu")
def leaky_relu(features: Any, alpha: float = 0.2) -> Tensor:
    """Returns x where x > 0, else alpha * x."""
    return _leaky_relu(features, negative_slope=alpha)


@trained_as("softmax")
def softmax(logits: Any, axis: int = -1) -> Tensor:
    """Returns positive shares that sum to 1 along an axis."""
    scores = convert_to_tensor(logits)
    powers = np.exp(scores - scores.max(axis, keepdims=True))
    return as_array(powers / powers.sum(axis, keepdims=True))


if not TYPE_CHECKING:  # type checkers would take every name for one that is there
    __getattr__ = says_what_to_do("recurra.compat.tensorflow.nn")
