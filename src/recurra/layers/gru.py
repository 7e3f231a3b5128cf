"""GRU: the gated recurrent unit layer, and its cell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recurra import activations, ops, saving
from recurra.layers.cells import Operations, RecurrentCell
from recurra.layers.recurrent import CellRNN


@saving.builtin("keras.layers")
class GRUCell(RecurrentCell):
    """One step of a GRU; gates lie in the order z r h along the last axis of the weights.

    Args:
        units, activation, use_bias: As in `GRU`.
        kernel_initializer, recurrent_initializer, bias_initializer: First values of the weights.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Penalties on the weights.
        kernel_constraint, recurrent_constraint, bias_constraint: Applied to the weights after each update.
        dropout, recurrent_dropout, seed: As in `GRU`.
        recurrent_activation: Of the gates.
        reset_after: Reset after the recurrent product (as cuDNN does) instead of before it. It needs two biases: the
            bias is (2, 3H), the input's first.

    Raises:
        TypeError: If `units` or a dropout is not a number.
        ValueError: If an option is unknown or out of range.
    """

    n_gates = 3

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        reset_after: bool = True,
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
        self.reset_after = bool(reset_after)

    def bias_shape(self) -> tuple[int, ...]:
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def _own_options(self) -> dict[str, Any]:
        return {
            "recurrent_activation": activations.name_of(self.recurrent_activation),
            "reset_after": self.reset_after,
        }

    def _ops(self) -> Operations:
        return ops.gru_forward, ops.gru_backward


@saving.builtin("keras.layers")
class GRU(CellRNN):
    """Gated recurrent unit layer (Cho et al., 2014; https://keras.io/api/layers/recurrent_layers/gru).

        z, r = sigmoid(split(x @ kernel_zr + h @ recurrent_kernel_zr + bias_zr, 2))
        hh = tanh(x @ kernel_h + r * (h @ recurrent_kernel_h + recurrent_bias_h) + bias_h)      reset_after=True
        hh = tanh(x @ kernel_h + (r * h) @ recurrent_kernel_h + bias_h)                         reset_after=False
        h = z * h + (1 - z) * hh

    The weights: kernel (D, 3H), recurrent_kernel (H, 3H), bias (2, 3H), or (3H,) with reset_after=False.

    Args:
        units: Size of the state and of the output, H.
        activation: Of the candidate: a name, such as "relu", or a function; None is linear.
        recurrent_activation: Of the gates.
        use_bias: Whether there is a bias.
        kernel_initializer, recurrent_initializer, bias_initializer: Names or objects that make the first weights.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Penalties on the weights, such as "l2".
        activity_regularizer: Penalty on the output.
        kernel_constraint, recurrent_constraint, bias_constraint: Applied to the weights after each update.
        dropout: Fraction of the inputs to drop in training, the same at each time step.
        recurrent_dropout: Fraction of the state to drop in training on its way into the gates.
        seed: Of the dropout masks.
        reset_after: Reset after the recurrent product, as above, or before it.
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

    >>> recurra.layers.GRU(4)(np.zeros((2, 5, 3), np.float32)).shape
    (2, 4)
    """

    cell_class = GRUCell
    recurrent_activation: Any
    reset_after: bool
    _last_option = "reset_after"

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
            reset_after: bool = True,
            *,
            zero_output_for_mask: bool = False,
            **kwargs: Any,
        ) -> None: ...
