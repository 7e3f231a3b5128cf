"""`tf.math`: the elementwise functions and reductions."""

from __future__ import annotations

import numpy as np

from recurra.compat.tensorflow.tensors import (
    of_numpy,
    reduction,
)

__all__ = [
    *("abs", "add", "argmax", "argmin", "cos", "cumsum", "divide", "equal", "exp", "greater", "less", "log"),
    *("maximum", "minimum", "multiply", "pow", "reduce_max", "reduce_mean", "reduce_min", "reduce_prod", "reduce_std"),
    *("reduce_sum", "reduce_variance", "round", "sigmoid", "sign", "sin", "sqrt", "square", "subtract", "tanh"),
]

log, cumsum = of_numpy(np.log), of_numpy(np.cumsum)
reduce_std, reduce_variance = reduction(np.std), reduction(np.var)
