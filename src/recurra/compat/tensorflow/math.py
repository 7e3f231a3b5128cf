"""`tf.math`: the elementwise functions and reductions."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra.compat.tensorflow import tensors
from recurra.compat.tensorflow.tensors import Tensor, as_array, convert_to_tensor, of_numpy, reduction

_ALSO_IN_TF = (
    *("abs", "add", "argmax", "argmin", "cos", "divide", "equal", "exp", "greater", "less", "maximum", "minimum"),
    *("multiply", "pow", "reduce_max", "reduce_mean", "reduce_min", "reduce_prod", "reduce_sum", "round", "sigmoid"),
    *("sign", "sin", "sqrt", "square", "subtract", "tanh"),
)
globals().update({name: getattr(tensors, name) for name in _ALSO_IN_TF})

__all__ = [*_ALSO_IN_TF, "cumsum", "log", "reduce_std", "reduce_variance"]

log = of_numpy(np.log)
reduce_std, reduce_variance = reduction(np.std), reduction(np.var)


def cumsum(x: Any, axis: int = 0) -> Tensor:
    """Returns the sums of the values up to each along an axis."""
    tensor = convert_to_tensor(x)
    return as_array(np.cumsum(tensor, axis, tensor.dtype))
