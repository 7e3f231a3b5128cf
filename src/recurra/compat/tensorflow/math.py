"""`tf.math`: the elementwise functions and reductions."""

from __future__ import annotations

import numpy as np

from recurra._missing import says_what_to_do
from recurra.compat.tensorflow import tensors
from recurra.compat.tensorflow.tensors import of_numpy, reduction

_ALSO_IN_TF = (
    *("abs", "add", "argmax", "argmin", "cos", "divide", "equal", "exp", "greater", "less", "maximum", "minimum"),
    *("multiply", "pow", "reduce_max", "reduce_mean", "reduce_min", "reduce_prod", "reduce_sum", "round", "sigmoid"),
    *("sign", "sin", "sqrt", "square", "subtract", "tanh", "add_n", "argsort", "cumsum", "floor", "greater_equal"),
    *("less_equal", "logical_and", "logical_not", "logical_or", "negative", "not_equal", "reduce_all", "reduce_any"),
)
globals().update({name: getattr(tensors, name) for name in _ALSO_IN_TF})

__all__ = [*_ALSO_IN_TF, "ceil", "log", "mod", "reduce_std", "reduce_variance"]

ceil, log, mod = (of_numpy(f) for f in (np.ceil, np.log, np.mod))
reduce_std, reduce_variance = reduction(np.std), reduction(np.var)

__getattr__ = says_what_to_do("recurra.compat.tensorflow.math")
