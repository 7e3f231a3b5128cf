"""GRU: the gated recurrent unit layer, and its cell."""

from __future__ import annotations

from typing import Any

from recurra import activations, ops, saving
from recurra.layers.cells import RecurrentCell, WeightGrads
from recurra.layers.recurrent import CellRNN


@saving.builtin("keras.layers")
class GRUCell(RecurrentCell):
    """One step of a GRU; gates lie in the order z r h along the last axis of the weights.

    Args:
        units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer, **kwargs: As in
            `RecurrentCell`.
        recurrent_activation: Of the gates.
        reset_after: Reset after the recurrent product (as cuDNN does) instead of before it. It needs two biases: the
            bias is (2, 3H), the input's first.
    """

    gates = 3

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        *,
        reset_after: bool = True,
        **kwargs: Any,
    ):
        super().__init__(
            units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer, **kwargs
        )
        self.recurrent_activation = activations.get(recurrent_activation)
        self.reset_after = bool(reset_after)

    def bias_shape(self) -> tuple[int, ...]:
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def _own_options(self) -> dict[str, Any]:
        return {
            "recurrent_activation": activations.name_of(self.recurrent_activation),
            "reset_after": self.reset_after,
        }

    def _forward_op(self, inputs: Any, states: list[Any], mask: Any, **options: Any) -> Any:
        bias = None if self.bias is None else self.bias.value
        return ops.gru_forward(
            inputs,
            self.kernel.value,
            self.recurrent_kernel.value,
            bias,
            states[0],
            mask,
            reset_after=self.reset_after,
            recurrent_activation=activations.name_of(self.recurrent_activation),
            **options,
        )

    def _backward_op(
        self, doutputs: Any, dstates: list[Any], cache: Any, weight_grads: WeightGrads, need_dx: bool
    ) -> Any:
        return ops.gru_backward(doutputs, dstates[0], cache, *weight_grads, need_dx=need_dx)


@saving.builtin("keras.layers")
class GRU(CellRNN):
    """Gated recurrent unit layer (Cho et al., 2014; https://keras.io/api/layers/recurrent_layers/gru).

        z, r = sigmoid(split(x @ kernel_zr + h @ recurrent_kernel_zr + bias_zr, 2))
        hh = tanh(x @ kernel_h + r * (h @ recurrent_kernel_h + recurrent_bias_h) + bias_h)      reset_after=True
        hh = tanh(x @ kernel_h + (r * h) @ recurrent_kernel_h + bias_h)                         reset_after=False
        h = z * h + (1 - z) * hh

    Options: those of `GRUCell` and `RecurrentCell` (units, activation, recurrent_activation, use_bias, initializers,
    regularizers, constraints, dropout, recurrent_dropout, seed, reset_after) and those of `RNN` (return_sequences,
    return_state, go_backwards, stateful, ...). Calls, results and errors are those of `RNN`.

    >>> recurra.layers.GRU(4)(np.zeros((2, 5, 3), np.float32)).shape
    (2, 4)
    """

    cell_class = GRUCell
