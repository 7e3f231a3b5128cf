"""What every operation computes, in NumPy: the definition that the native kernels are tested against.

Letters: N batch, T timesteps, D features, H units, G gates. Arrays of one call have one dtype, float32 or float64.
Masks are bool (N, T), True where the step counts. Gate order: LSTM `i f g o`, GRU `z r h`.

The sequence operations take their matrix product and elementwise functions from a `Primitives` object, so that the
same equations also run over the native ones (for activations and dropout that the fused kernels do not know).
"""

from recurra.ops.reference.activations import (
    ACTIVATIONS,
    NUMPY,
    SELU_ALPHA,
    SELU_SCALE,
    activation_backward,
    activation_forward,
    composed_backward,
    composed_forward,
)
from recurra.ops.reference.convolution import convolve, convolve_gradient
from recurra.ops.reference.dense import dense_backward, dense_forward
from recurra.ops.reference.gru import gru_backward, gru_forward
from recurra.ops.reference.lstm import lstm_backward, lstm_forward
from recurra.ops.reference.normalization import (
    normalize_columns,
    normalize_columns_gradient,
    normalize_rows,
    normalize_rows_gradient,
)
from recurra.ops.reference.optimizers import adam_update, rmsprop_update, sgd_update
from recurra.ops.reference.pooling import pool, pool_gradient
from recurra.ops.reference.primitives import (
    Activation,
    Array,
    Primitives,
    batched_matmul,
    erf,
    exp,
    expm1,
    log,
    matmul,
    sigmoid,
    tanh,
)
from recurra.ops.reference.rows import add_rows, orthonormalize, sum_of_squares
from recurra.ops.reference.simple_rnn import simple_rnn_backward, simple_rnn_forward

__all__ = [
    "simple_rnn_forward",
    "simple_rnn_backward",
    "lstm_forward",
    "lstm_backward",
    "gru_forward",
    "gru_backward",
    "dense_forward",
    "dense_backward",
    "convolve",
    "convolve_gradient",
    "pool",
    "pool_gradient",
    "ACTIVATIONS",
    "SELU_ALPHA",
    "SELU_SCALE",
    "activation_forward",
    "activation_backward",
    "composed_forward",
    "composed_backward",
    "Activation",
    "Array",
    "Primitives",
    "NUMPY",
    "matmul",
    "batched_matmul",
    "exp",
    "log",
    "expm1",
    "erf",
    "tanh",
    "sigmoid",
    "normalize_rows",
    "normalize_rows_gradient",
    "normalize_columns",
    "normalize_columns_gradient",
    "adam_update",
    "rmsprop_update",
    "sgd_update",
    "sum_of_squares",
    "add_rows",
    "orthonormalize",
]
