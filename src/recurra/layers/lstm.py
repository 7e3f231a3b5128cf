"""LSTM: the long short-term memory layer, and its cell."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra import activations, initializers, ops, saving
from recurra.layers.cells import RecurrentCell, WeightGrads
from recurra.layers.recurrent import CellRNN


@saving.builtin("keras.layers")
class LSTMCell(RecurrentCell):
    """One step of an LSTM; gates lie in the order i f g o along the last axis of the weights.

    Args:
        units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer, **kwargs: As in
            `RecurrentCell`.
        recurrent_activation: Of the gates.
        unit_forget_bias: Start the forget gate's bias at one (Jozefowicz et al., 2015).
    """

    gates = 4
    states = 2

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        **kwargs: Any,
    ):
        super().__init__(
            units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer, **kwargs
        )
        self.recurrent_activation = activations.get(recurrent_activation)
        self.unit_forget_bias = bool(unit_forget_bias)

    def initial_bias(self) -> Any:
        if not self.unit_forget_bias:
            return self.bias_initializer

        def unit_forget(shape: tuple[int], dtype: Any = None) -> np.ndarray:
            units = shape[0] // 4
            parts = [
                ((units,), self.bias_initializer),
                ((units,), initializers.Ones()),
                ((2 * units,), self.bias_initializer),
            ]
            return np.concatenate([make(size, dtype=dtype) for size, make in parts])

        return unit_forget

    def _own_options(self) -> dict[str, Any]:
        return {"recurrent_activation": activations.name_of(self.recurrent_activation)}

    def _forward_op(self, inputs: Any, states: list[Any], mask: Any, **options: Any) -> Any:
        bias = None if self.bias is None else self.bias.value
        return ops.lstm_forward(
            inputs,
            self.kernel.value,
            self.recurrent_kernel.value,
            bias,
            states[0],
            states[1],
            mask,
            recurrent_activation=activations.name_of(self.recurrent_activation),
            **options,
        )

    def _backward_op(
        self, doutputs: Any, dstates: list[Any], cache: Any, weight_grads: WeightGrads, need_dx: bool
    ) -> Any:
        return ops.lstm_backward(doutputs, dstates[0], dstates[1], cache, *weight_grads, need_dx=need_dx)


@saving.builtin("keras.layers")
class LSTM(CellRNN):
    """Long short-term memory layer (Hochreiter and Schmidhuber, 1997; https://keras.io/api/layers/recurrent_layers/lstm).

        i, f, g, o = split(x @ kernel + h @ recurrent_kernel + bias, 4)
        c = sigmoid(f) * c + sigmoid(i) * tanh(g)
        h = sigmoid(o) * tanh(c)

    Options: those of `LSTMCell` and `RecurrentCell` (units, activation, recurrent_activation, use_bias, initializers,
    unit_forget_bias, regularizers, constraints, dropout, recurrent_dropout, seed) and those of `RNN` (return_sequences,
    return_state, go_backwards, stateful, ...). Calls, results and errors are those of `RNN`; the states are h and c.

    >>> recurra.layers.LSTM(4)(np.zeros((2, 5, 3), np.float32)).shape
    (2, 4)
    """

    cell_class = LSTMCell
