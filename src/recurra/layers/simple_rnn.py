"""SimpleRNN: the fully connected recurrent layer, and its cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recurra import ops, saving
from recurra.layers.cells import Operations, RecurrentCell
from recurra.layers.recurrent import CellRNN


@saving.builtin("keras.layers")
class SimpleRNNCell(RecurrentCell):
    """One step of a SimpleRNN: `h = activation(x @ kernel + h @ recurrent_kernel + bias)`.

    Args:
        units, activation, use_bias: As in `SimpleRNN`.
        kernel_initializer, recurrent_initializer, bias_initializer: First values of the weights.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Penalties on the weights.
        kernel_constraint, recurrent_constraint, bias_constraint: Applied to the weights after each update.
        dropout, recurrent_dropout, seed: As in `SimpleRNN`.

    Raises:
        TypeError: If `units` or a dropout is not a number.
        ValueError: If an option is unknown or out of range.
    """

    _keras_input_name = "sequence"

    def _ops(self) -> Operations:
        return ops.simple_rnn_forward, ops.simple_rnn_backward


@saving.builtin("keras.layers")
class SimpleRNN(CellRNN):
    """Fully connected recurrent layer (Elman, 1990; https://keras.io/api/layers/recurrent_layers/simple_rnn).

        h = tanh(x @ kernel + h @ recurrent_kernel + bias)

    The weights: kernel (D, H), recurrent_kernel (H, H), bias (H,).

    Args:
        units: Size of the state and of the output, H.
        activation: Of the state: a name, such as "relu", or a function; None is linear.
        use_bias: Whether there is a bias.
        kernel_initializer, recurrent_initializer, bias_initializer: Names or objects that make the first weights.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Penalties on the weights, such as "l2".
        activity_regularizer: Penalty on the output.
        kernel_constraint, recurrent_constraint, bias_constraint: Applied to the weights after each update.
        dropout: Fraction of the inputs to drop in training, the same at each time step.
        recurrent_dropout: Fraction of the state to drop in training on its way into the next.
        seed: Of the dropout masks.
        return_sequences: Return the outputs of all time steps, not only the last one computed.
        return_state: Return the final state too, after the output.
        go_backwards: Go from the last time step to the first; outputs stay in the order computed.
        stateful: Start each call from the final state of the call before.
        unroll: Accepted, changes nothing.
        zero_output_for_mask: Give zeros at masked steps instead of the output before.
        **kwargs: name, trainable and dtype, as of every `Layer`.

    Call:
        sequences: (N, T, D): batch, timesteps, features.
        initial_state: h (N, H), or a list of it; the stored one or zeros if None.
        mask: bool (N, T), True where the step counts. At a masked step the state stays as it is.
        training: Whether dropout drops.

    Returns:
        (N, H), or (N, T, H) with `return_sequences`; with `return_state` a tuple of that and h.

    Raises:
        TypeError: If `units` or a dropout is not a number.
        ValueError: If an option is unknown or out of range, or the input has not three axes.

    >>> recurra.layers.SimpleRNN(4)(np.zeros((2, 5, 3), np.float32)).shape
    (2, 4)
    """

    cell_class = SimpleRNNCell
    _last_option = "seed"

    if TYPE_CHECKING:  # for editors; at run time these are the options of the cell and of RNN, declared there

        def __init__(
            self,
            units: int,
            activation: Any = "tanh",
            use_bias: bool = True,
            kernel_initializer: Any = "glorot_uniform",
            recurrent_initializer: Any = "orthogonal",
            bias_initializer: Any = "zeros",
            kernel_regularizer: Any = None,
            recurrent_regularizer: Any = None,
            bias_regularizer: Any = None,
            activity_regularizer: Any = None,
            kernel_constraint: Any = None,
            recurrent_constraint: Any = None,
            bias_constraint: Any = None,
            dropout: float = 0.0,
            recurrent_dropout: float = 0.0,
            return_sequences: bool = False,
            return_state: bool = False,
            go_backwards: bool = False,
            stateful: bool = False,
            unroll: bool = False,
            seed: int | None = None,
            *,
            zero_output_for_mask: bool = False,
            **kwargs: Any,
        ) -> None: ...

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        if self.seed is None:
            del config["seed"]  # Keras's config of this layer, alone of all, never has it
        return config
