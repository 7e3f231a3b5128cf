"""`tf.nn`: activations as functions of arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recurra._arrays import Array as Tensor
from recurra._arrays import as_array
from recurra._missing import says_what_to_do
from recurra.compat.tensorflow.tensors import convert_to_tensor, sigmoid, tanh

__all__ = ["relu", "sigmoid", "softmax", "tanh"]


def relu(features: Any) -> Tensor:
    """Returns max(features, 0)."""
    return as_array(np.maximum(convert_to_tensor(features), 0))


def softmax(logits: Any, axis: int = -1) -> Tensor:
    """Returns positive shares that sum to 1 along an axis."""
    scores = convert_to_tensor(logits)
    powers = np.exp(scores - scores.max(axis, keepdims=True))
    return as_array(powers / powers.sum(axis, keepdims=True))


if not TYPE_CHECKING:  # type checkers would take every name for one that is there
    __getattr__ = says_what_to_do("recurra.compat.tensorflow.nn")
