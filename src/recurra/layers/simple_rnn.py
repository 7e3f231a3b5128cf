"""SimpleRNN: the fully connected recurrent layer, and its cell."""

from __future__ import annotations

from typing import Any

from recurra import ops, saving
from recurra.layers.cells import RecurrentCell, WeightGrads
from recurra.layers.recurrent import CellRNN


@saving.builtin("keras.layers")
class SimpleRNNCell(RecurrentCell):
    """One step of a SimpleRNN: `h = activation(x @ kernel + h @ recurrent_kernel + bias)`."""

    def _forward_op(self, inputs: Any, states: list[Any], mask: Any, **options: Any) -> Any:
        bias = None if self.bias is None else self.bias.value
        return ops.simple_rnn_forward(
            inputs, self.kernel.value, self.recurrent_kernel.value, bias, states[0], mask, **options
        )

    def _backward_op(
        self, doutputs: Any, dstates: list[Any], cache: Any, weight_grads: WeightGrads, need_dx: bool
    ) -> Any:
        return ops.simple_rnn_backward(doutputs, dstates[0], cache, *weight_grads, need_dx=need_dx)


@saving.builtin("keras.layers")
class SimpleRNN(CellRNN):
    """Fully connected recurrent layer (Elman, 1990; https://keras.io/api/layers/recurrent_layers/simple_rnn).

        h = tanh(x @ kernel + h @ recurrent_kernel + bias)

    Options: those of `RecurrentCell` (units, activation, use_bias, initializers, regularizers, constraints, dropout,
    recurrent_dropout, seed) and those of `RNN` (return_sequences, return_state, go_backwards, stateful, ...).
    Calls, results and errors are those of `RNN`.

    >>> recurra.layers.SimpleRNN(4)(np.zeros((2, 5, 3), np.float32)).shape
    (2, 4)
    """

    cell_class = SimpleRNNCell

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        if self.seed is None:
            del config["seed"]  # Keras's config of this layer, alone of all, never has it
        return config
