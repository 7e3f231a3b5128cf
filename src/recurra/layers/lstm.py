"""LSTM: the long short-term memory layer, and its cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from recurra import activations, initializers, ops, saving
from recurra.layers.cells import Operations, RecurrentCell
from recurra.layers.recurrent import CellRNN


@saving.builtin("keras.layers")
class LSTMCell(RecurrentCell):
    """One step of an LSTM; gates lie in the order i f g o along the last axis of the weights.

    Args:
        units, activation, use_bias: As in `LSTM`.
        kernel_initializer, recurrent_initializer, bias_initializer: First values of the weights.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Penalties on the weights.
        kernel_constraint, recurrent_constraint, bias_constraint: Applied to the weights after each update.
        dropout, recurrent_dropout, seed: As in `LSTM`.
        recurrent_activation: Of the gates.
        unit_forget_bias: Start the forget gate's bias at one (Jozefowicz et al., 2015).

    Raises:
        TypeError: If `units` or a dropout is not a number.
        ValueError: If an option is unknown or out of range.
    """

    n_gates = 4
    n_states = 2

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
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            units,
            activation,
            use_bias,
            kernel_initializer,
            recurrent_initializer,
            bias_initializer,
            kernel_regularizer,
            recurrent_regularizer,
            bias_regularizer,
            kernel_constraint,
            recurrent_constraint,
            bias_constraint,
            dropout,
            recurrent_dropout,
            seed,
            **kwargs,
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

    def _ops(self) -> Operations:
        return ops.lstm_forward, ops.lstm_backward


@saving.builtin("keras.layers")
class LSTM(CellRNN):
    """Long short-term memory layer (Hochreiter and Schmidhuber, 1997; https://keras.io/api/layers/recurrent_layers/lstm).

        i, f, g, o = split(x @ kernel + h @ recurrent_kernel + bias, 4)
        c = sigmoid(f) * c + sigmoid(i) * tanh(g)
        h = sigmoid(o) * tanh(c)

    The weights: kernel (D, 4H), recurrent_kernel (H, 4H), bias (4H,).

    Args:
        units: Size of the state and of the output, H.
        activation: Of the candidate and of the output: a name, such as "relu", or a function; None is linear.
        recurrent_activation: Of the gates.
        use_bias: Whether there is a bias.
        kernel_initializer, recurrent_initializer, bias_initializer: Names or objects that make the first weights.
        unit_forget_bias: Start the forget gate's bias at one (Jozefowicz et al., 2015).
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Penalties on the weights, such as "l2".
        activity_regularizer: Penalty on the output.
        kernel_constraint, recurrent_constraint, bias_constraint: Applied to the weights after each update.
        dropout: Fraction of the inputs to drop in training, the same at each time step.
        recurrent_dropout: Fraction of the state to drop in training on its way into the gates.
        seed: Of the dropout masks.
        return_sequences: Return the outputs of all time steps, not only the last one computed.
        return_state: Return the final states too, after the output.
        go_backwards: Go from the last time step to the first; outputs stay in the order computed.
        stateful: Start each call from the final states of the call before.
        unroll: Accepted, changes nothing.
        zero_output_for_mask: Give zeros at masked steps instead of the output before.
        **kwargs: name, trainable and dtype, as of every `Layer`.

    Call:
        sequences: (N, T, D): batch, timesteps, features.
        initial_state: A list of h and c, each (N, H); the stored ones or zeros if None.
        mask: bool (N, T), True where the step counts. At a masked step the states stay as they are.
        training: Whether dropout drops.

    Returns:
        (N, H), or (N, T, H) with `return_sequences`; with `return_state` a tuple of that and h and c.

    Raises:
        TypeError: If `units` or a dropout is not a number.
        ValueError: If an option is unknown or out of range, or the input has not three axes.

    >>> recurra.layers.LSTM(4)(np.zeros((2, 5, 3), np.float32)).shape
    (2, 4)
    """

    cell_class = LSTMCell
    recurrent_activation: Any
    unit_forget_bias: bool

    if TYPE_CHECKING:  # for editors; at run time these are the options of the cell and of RNN, declared there

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
            kernel_regularizer: Any = None,
            recurrent_regularizer: Any = None,
            bias_regularizer: Any = None,
            activity_regularizer: Any = None,
            kernel_constraint: Any = None,
            recurrent_constraint: Any = None,
            bias_constraint: Any = None,
            dropout: float = 0.0,
            recurrent_dropout: float = 0.0,
            seed: int | None = None,
            return_sequences: bool = False,
            return_state: bool = False,
            go_backwards: bool = False,
            stateful: bool = False,
            unroll: bool = False,
            *,
            zero_output_for_mask: bool = False,
            **kwargs: Any,
        ) -> None: ...
