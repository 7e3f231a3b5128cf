"""The numeric operations, by the native engine (`ops.native`). `ops.reference` defines them in NumPy."""

from typing import TYPE_CHECKING

from recurra._missing import says_what_to_do
from recurra.ops.native import (
    activation_backward,
    activation_forward,
    adam_update,
    add_rows,
    batched_matmul,
    convolve,
    convolve_gradient,
    dense_backward,
    dense_forward,
    exp,
    gather_rows,
    get_num_threads,
    gru_backward,
    gru_forward,
    log,
    lstm_backward,
    lstm_forward,
    matmul,
    mean_loss,
    native_info,
    normalize_rows,
    normalize_rows_gradient,
    orthonormalize,
    set_num_threads,
    sigmoid,
    simple_rnn_backward,
    simple_rnn_forward,
    sum_of_squares,
    tanh,
)
from recurra.ops.plan import Plan

if not TYPE_CHECKING:  # type checkers would take every name for one that is there
    __getattr__ = says_what_to_do("recurra.ops")

__all__ = [
    "simple_rnn_forward",
    "simple_rnn_backward",
    "lstm_forward",
    "lstm_backward",
    "gru_forward",
    "gru_backward",
    "dense_forward",
    "dense_backward",
    "matmul",
    "batched_matmul",
    "convolve",
    "convolve_gradient",
    "Plan",
    "activation_forward",
    "activation_backward",
    "exp",
    "log",
    "tanh",
    "sigmoid",
    "normalize_rows",
    "normalize_rows_gradient",
    "adam_update",
    "mean_loss",
    "sum_of_squares",
    "orthonormalize",
    "gather_rows",
    "add_rows",
    "native_info",
    "set_num_threads",
    "get_num_threads",
]
