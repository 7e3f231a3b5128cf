"""Cells: one time step of a recurrent layer, with the weights; stacks of cells as one.

The built-in cells run whole sequences in one native call too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from recurra import _tree, activations, constraints, initializers, ops, regularizers, saving
from recurra._arguments import open_arguments
from recurra._checks import expected, fraction, hint_for_class, positive_int
from recurra._names import snake_case
from recurra.layers._shapes import check_features, check_rank, is_shape
from recurra.layers.base import Layer
from recurra.layers.dropout import dropout_factors
from recurra.random import SeedGenerator

Operations = tuple[Callable[..., Any], Callable[..., Any]]  # forward and backward, of `recurra.ops`


class DropoutMasks(NamedTuple):
    """What a cell multiplies its input and its state by, scaled by 1 / (1 - rate).

    Attributes:
        inputs: (1, N, D), shared by the gates, or (G, N, D), one for each gate; None without dropout.
        recurrent: (G, N, H), one for each gate; None without recurrent dropout.
    """

    inputs: np.ndarray | None
    recurrent: np.ndarray | None


class _Run(NamedTuple):
    """What `RecurrentCell.run_backward` needs of the forward run."""

    op_cache: Any
    input_mask: np.ndarray | None


class RecurrentCell(Layer):
    """Base of SimpleRNNCell, LSTMCell and GRUCell: their options, weights, dropout masks and whole-sequence runs.

    A cell says how many gates and states it has, and which native operation runs it.

    Args:
        units: Size of the state and of the output.
        activation: Of the candidate (and of the LSTM's output).
        use_bias: Whether there is a bias.
        kernel_initializer, recurrent_initializer, bias_initializer: First values of the weights.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Penalties on the weights.
        kernel_constraint, recurrent_constraint, bias_constraint: Applied to the weights after each update.
        dropout: Fraction of the inputs to drop, the same at each time step.
        recurrent_dropout: Fraction of the state to drop on its way into the gates.
        seed: Of the dropout masks.

    Raises:
        ValueError: If units is not positive or a fraction lies outside [0, 1].
    """

    n_gates = 1
    n_states = 1
    _noise_rates = ("dropout", "recurrent_dropout")

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
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        who = type(self).__name__.removesuffix("Cell")
        self.units = positive_int(who, "units", units)
        super().__init__(**kwargs)
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_initializer = initializers.get(recurrent_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = regularizers.get(recurrent_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.recurrent_constraint = constraints.get(recurrent_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.dropout = fraction(who, "dropout", dropout)
        self.recurrent_dropout = fraction(who, "recurrent_dropout", recurrent_dropout)
        self.seed = seed
        self.seed_generator = SeedGenerator(seed)

    @property
    def state_size(self) -> Any:
        """`units`, or a list of them where the cell has several states."""
        return self.units if self.n_states == 1 else [self.units] * self.n_states

    @property
    def output_size(self) -> int:
        """`units`."""
        return self.units

    def bias_shape(self) -> tuple[int, ...]:
        """Returns the shape of the bias."""
        return (self.n_gates * self.units,)

    def initial_bias(self) -> Any:
        """Returns the initializer of the bias."""
        return self.bias_initializer

    def build(self, input_shape: Any) -> None:
        features = input_shape[-1]
        width = self.n_gates * self.units
        self.kernel = self._add_configured_weight("kernel", (features, width))
        self.recurrent_kernel = self._add_configured_weight("recurrent_kernel", (self.units, width), "recurrent")
        self.bias: Any = None  # a Variable, if there is one
        if self.use_bias:
            self.bias = self._add_configured_weight("bias", self.bias_shape(), initializer=self.initial_bias())

    def draw_masks(self, batch: int, features: int, dtype: str) -> DropoutMasks | None:
        """Draws the dropout masks of one call; None where nothing is dropped."""
        if not self.dropout and not self.recurrent_dropout:
            return None
        generator = self.seed_generator.generator()

        def draw(width: int, rate: float, count: int) -> np.ndarray | None:
            return dropout_factors(generator, (count, batch, width), rate, dtype) if rate else None

        inputs = draw(features, self.dropout, self._input_masks())
        recurrent = draw(self.units, self.recurrent_dropout, self.n_gates)
        return DropoutMasks(inputs, recurrent)

    def _run_layer(self, *args: Any, **kwargs: Any) -> tuple[Any, Any, Any]:
        outputs, cache, _ = super()._run_layer(*args, **kwargs)
        return outputs, cache, None

    def run_forward(
        self,
        inputs: np.ndarray,
        states: list[np.ndarray | None],
        mask: np.ndarray | None,
        dropout_masks: DropoutMasks | None,
        *,
        go_backwards: bool = False,
        zero_output_for_mask: bool = False,
        return_sequences: bool = False,
        keep_cache: bool,
    ) -> tuple[Any, list[Any], Any]:
        """Runs a whole sequence (N, T, D).

        Returns:
            Outputs (N, T, H) or (N, H), the final states, and the cache of `run_backward`.
        """
        input_mask = input_masks = recurrent_masks = None
        if dropout_masks is not None:
            recurrent_masks = dropout_masks.recurrent
            if dropout_masks.inputs is not None and len(dropout_masks.inputs) == 1:
                input_mask = dropout_masks.inputs[0][:, None, :]
                inputs = inputs * input_mask
            else:
                input_masks = dropout_masks.inputs
        bias = None if self.bias is None else self.bias.value
        forward, _ = self._ops()
        outputs, *states, cache = forward(
            inputs,
            self.kernel.value,
            self.recurrent_kernel.value,
            bias,
            *states,
            mask,
            activation=activations.name_of(self.activation),
            go_backwards=go_backwards,
            zero_output_for_mask=zero_output_for_mask,
            return_sequences=return_sequences,
            training=keep_cache,
            input_masks=input_masks,
            recurrent_masks=recurrent_masks,
            **self._own_options(),
        )
        return outputs, states, _Run(cache, input_mask) if keep_cache else None

    def run_backward(
        self, doutputs: np.ndarray | None, dstates: list[np.ndarray | None], cache: Any, need_dx: bool = True
    ) -> tuple[Any, list[Any]]:
        """Returns the gradients of the inputs and of the initial states; adds those of the weights."""
        dbias = None if self.bias is None else self.bias.grad
        _, backward = self._ops()
        weight_grads = (self.kernel.grad, self.recurrent_kernel.grad, dbias)
        dx, *dstates = backward(doutputs, *dstates, cache.op_cache, *weight_grads, need_dx=need_dx)
        if dx is not None and cache.input_mask is not None:
            dx = dx * cache.input_mask
        return dx, dstates

    def planned(self, plan: ops.Plan, states: Any, drops: bool, **options: bool) -> Any:
        """Returns the cell's run over a sequence as a plan takes it.

        Args:
            plan: What will take it.
            states: Where it begins and leaves off; None for zeros.
            drops: Whether dropout drops.
            **options: Those of `run_forward`.
        """
        name = snake_case(type(self).__name__).removesuffix("_cell")
        own: dict[str, Any] = {"activation": activations.name_of(self.activation)} | self._own_options()
        if drops and (self.dropout or self.recurrent_dropout):
            own |= {"state_masks": self.recurrent_dropout > 0, "draw": self.draw_masks}
            own["input_masks"] = self._input_masks() if self.dropout else 0
        variables = (self.kernel, self.recurrent_kernel, self.bias)
        return plan.recurrent(name, variables, states=states, **(own | options))

    def _input_masks(self) -> int:
        """Returns how many masks of its input dropout draws."""
        return self.n_gates if self.recurrent_dropout else 1

    def _own_options(self) -> dict[str, Any]:
        """Returns the options of the cell's operation that other cells do not have."""
        return {}

    def _ops(self) -> Operations:
        """Returns the cell's operations."""
        raise NotImplementedError

    @open_arguments
    def forward(
        self,
        inputs: np.ndarray,
        states: Any = None,
        training: bool = False,
        dropout_masks: DropoutMasks | None = None,
        keep_cache: bool = True,
    ) -> tuple[tuple[np.ndarray, list[np.ndarray]], Any]:
        """One time step.

        Args:
            inputs: (N, D).
            states: One (N, H) array, or a list of them; zeros if None.
            training: Whether to drop.
            dropout_masks: What to drop, drawn anew if None.
            keep_cache: Whether `backward` will follow.

        Returns:
            (output (N, H), new states), and the cache. The states are a list, unless one array was given as such.
        """
        alone = _is_alone(states)
        check_rank(type(self).__name__, inputs.shape, 2, "(batch, features)")
        check_features(type(self).__name__, inputs.shape, self.kernel.shape[0])
        if training and dropout_masks is None:
            dropout_masks = self.draw_masks(inputs.shape[0], inputs.shape[1], self.dtype)
        if states is None:
            states = [None] * self.n_states
        else:
            states = [self._cast(state) for state in _tree.flatten(states)]
            _check_states(self, states)
        output, states, cache = self.run_forward(inputs[:, None, :], states, None, dropout_masks, keep_cache=keep_cache)
        return (output, states[0] if alone else states), cache

    def backward(self, doutputs: Any, cache: Any) -> tuple[np.ndarray, list[np.ndarray]]:
        """Takes the gradients of (output, new states); returns those of the inputs and of the states."""
        doutput, dstates = doutputs
        dx, dstates = self.run_backward(doutput, dstates, cache)
        return dx[:, 0], dstates

    def backward_all(self, doutputs: Any, cache: Any, need_dx: bool = True) -> tuple[Any, dict[str, Any]]:
        """Returns the gradients of the inputs and of `states`."""
        doutput, *dstates = _tree.flatten(doutputs)
        dx, dstates = self.backward((doutput, dstates), cache)
        return dx, {"states": dstates}

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], self.units)

    def _call_shape(self, shapes: Any, kwargs: dict[str, Any]) -> Any:
        if type(self).forward is not RecurrentCell.forward:
            return super()._call_shape(shapes, kwargs)
        states, output = kwargs.get("states"), self.compute_output_shape(shapes)
        if states is not None:
            _check_states(self, states)
        return output, output if _is_alone(states) else [output] * self.n_states

    def get_initial_state(self, batch_size: int | None = None) -> list[np.ndarray]:
        """Returns zeros (batch_size, H) for each state."""
        return [np.zeros((batch_size or 1, self.units), self.dtype) for _ in range(self.n_states)]


@saving.builtin("keras.layers")
class StackedRNNCells(Layer):
    """Several cells as one: within a time step, each cell's output is the next one's input.

    Args:
        cells: The cells, from input to output.

    Raises:
        ValueError: If one is not a cell, or the list is empty.
    """

    def __init__(self, cells: Sequence[Any], **kwargs: Any):
        super().__init__(**kwargs)
        if not isinstance(cells, (list, tuple)) or not cells:
            raise ValueError(expected("StackedRNNCells", "a list of cells", repr(cells)))
        for cell in cells:
            check_cell("StackedRNNCells", cell)
        self.cells = list(cells)

    @property
    def state_size(self) -> list[Any]:
        """One entry for each cell."""
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> Any:
        """That of the last cell."""
        return output_size(self.cells[-1])

    def build(self, input_shape: Any) -> None:
        for cell in self.cells:
            if not cell.built:
                cell.build(input_shape)
            input_shape = (input_shape[0], output_size(cell))

    def draw_masks(self, batch: int, features: int, dtype: str) -> list[DropoutMasks | None]:
        """Draws the dropout masks of one call, for each cell."""
        masks = []
        for cell in self.cells:
            masks.append(cell.draw_masks(batch, features, dtype) if hasattr(cell, "draw_masks") else None)
            features = output_size(cell)
        return masks

    @open_arguments
    def forward(
        self,
        inputs: np.ndarray,
        states: Any = None,
        training: bool = False,
        dropout_masks: list[DropoutMasks | None] | None = None,
        keep_cache: bool = True,
    ) -> tuple[tuple[np.ndarray, list[Any]], Any]:
        """One time step of all cells: as a cell's `forward`, with a list of states for each cell."""
        alone = self._alone(states)
        if states is None:
            states = self.get_initial_state(len(inputs))
        _check_states(self, states)
        if training and dropout_masks is None:
            dropout_masks = self.draw_masks(inputs.shape[0], inputs.shape[1], self.dtype)
        leaves = iter(_tree.flatten(states))
        output, new_states, caches = inputs, [], []
        for position, cell in enumerate(self.cells):
            own = [next(leaves) for _ in _tree.flatten(cell.state_size)]
            dropped = dropout_masks[position] if dropout_masks else None
            output, own = in_dtype((output, own), self, cell)
            (output, own), cache = run_step(cell, output, own, training, dropped, keep_cache)
            output, own = in_dtype((output, own), cell, self)
            own = _tree.flatten(own)
            new_states.append(own[0] if alone[position] else own)
            caches.append(cache)
        return (output, new_states), caches

    def _alone(self, states: Any) -> list[bool]:
        """Returns for each cell whether its one state is given, and so returned, outside a list."""
        each = (
            states if isinstance(states, (list, tuple)) and len(states) == len(self.cells) else [None] * len(self.cells)
        )
        return [
            _is_alone(own) and len(_tree.flatten(cell.state_size)) == 1
            for own, cell in zip(each, self.cells, strict=True)
        ]

    def backward(self, doutputs: Any, cache: Any) -> tuple[np.ndarray, list[Any]]:
        """Takes the gradients of (output, new states); returns those of the inputs and of the states."""
        doutput, dstates = doutputs
        leaves = _tree.flatten(dstates)
        before: list[Any] = []
        for cell, cell_cache in zip(reversed(self.cells), reversed(cache), strict=True):
            leaves, own = _without_last(leaves, cell)
            doutput, own = in_dtype(cell.backward(in_dtype((doutput, own), self, cell), cell_cache), cell, self)
            before.insert(0, list(_tree.flatten(own)))
        return doutput, before

    def backward_all(self, doutputs: Any, cache: Any, need_dx: bool = True) -> tuple[Any, dict[str, Any]]:
        """Returns the gradients of the inputs and of `states`."""
        doutput, *dstates = _tree.flatten(doutputs)
        dx, dstates = self.backward((doutput, dstates), cache)
        return dx, {"states": dstates}

    def run_forward(
        self,
        inputs: np.ndarray,
        states: list[np.ndarray],
        mask: np.ndarray | None,
        dropout_masks: list[DropoutMasks | None] | None,
        *,
        go_backwards: bool = False,
        zero_output_for_mask: bool = False,
        return_sequences: bool = False,
        keep_cache: bool,
    ) -> tuple[Any, list[Any], Any]:
        """Runs a whole sequence, cell after cell, as `RecurrentCell.run_forward`; for cells that run sequences."""
        leaves, new_states, caches = iter(states), [], []
        for position, cell in enumerate(self.cells):
            last = position == len(self.cells) - 1
            own = [next(leaves) for _ in _tree.flatten(cell.state_size)]
            inputs, own = in_dtype((inputs, own), self, cell)
            if isinstance(cell, RecurrentCell):
                check_features(type(cell).__name__, inputs.shape, cell.kernel.shape[0])
            inputs, own, cache = cell.run_forward(
                inputs,
                own,
                mask,
                dropout_masks[position] if dropout_masks else None,
                go_backwards=go_backwards,
                zero_output_for_mask=zero_output_for_mask and last,
                return_sequences=return_sequences or not last,
                keep_cache=keep_cache,
            )
            if go_backwards:  # the next cell gets the steps in the order in which they were made
                go_backwards, mask = False, None if mask is None else mask[:, ::-1]
            inputs, own = in_dtype((inputs, list(own)), cell, self)
            new_states += own
            caches.append(cache)
        return inputs, new_states, caches if keep_cache else None

    def run_backward(
        self, doutputs: np.ndarray | None, dstates: list[np.ndarray | None], cache: Any, need_dx: bool = True
    ) -> tuple[Any, list[Any]]:
        """Returns the gradients of the inputs and of the initial states; adds those of the weights."""
        leaves = list(dstates)
        before: list[Any] = []
        for position, cell in reversed(list(enumerate(self.cells))):
            leaves, own = _without_last(leaves, cell)
            doutputs, own = in_dtype((doutputs, own), self, cell)
            run = cell.run_backward(doutputs, own, cache[position], need_dx or position > 0)
            doutputs, own = in_dtype(run, cell, self)
            before = [*own, *before]
        return doutputs, before

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], self.output_size)

    def _call_shape(self, shapes: Any, kwargs: dict[str, Any]) -> Any:
        if kwargs.get("states") is not None:
            _check_states(self, kwargs["states"])
        states = []
        for cell, alone in zip(self.cells, self._alone(kwargs.get("states")), strict=True):
            own = [(shapes[0], size) for size in _tree.flatten(cell.state_size)]
            states.append(own[0] if alone else own)
        return self.compute_output_shape(shapes), states

    def get_initial_state(self, batch_size: int | None = None) -> list[Any]:
        """Returns the states that each cell starts from."""
        return [initial_state_of(cell, batch_size or 1) for cell in self.cells]


def _is_alone(states: Any) -> bool:
    """Returns whether one state is given outside a list: so it is returned, as in Keras."""
    return states is not None and not isinstance(states, (list, tuple))


def _check_states(cell: Any, states: Any) -> None:
    """Raises ValueError for states, arrays or symbolic ones, of another number or size than the cell's."""
    shapes, sizes = [np.shape(state) for state in _tree.flatten(states)], _tree.flatten(cell.state_size)
    fit = [shape[1:] in ((size,), (None,)) for shape, size in zip(shapes, sizes, strict=False)]
    if len(shapes) != len(sizes) or not all(fit):
        what = f"{len(sizes)} states of size {', '.join(map(str, dict.fromkeys(sizes)))}"
        got = len(shapes) if len(shapes) != len(sizes) else f"those of shapes {shapes}"
        hint = "pass on what it returns, as in output, states = cell(x, states)"
        raise ValueError(expected(type(cell).__name__, what, got, hint))


def _without_last(leaves: list[Any], cell: Any) -> tuple[list[Any], list[Any]]:
    """Returns the states of the cells before the last one, and its own."""
    before = len(leaves) - len(_tree.flatten(cell.state_size))
    return leaves[:before], leaves[before:]


def initial_state_of(cell: Any, batch: int) -> Any:
    """Returns what a cell says that it starts from; zeros if it says nothing."""
    if hasattr(cell, "get_initial_state"):
        return cell.get_initial_state(batch_size=batch)
    return zeros_of(cell.state_size, batch, cell.dtype)


def runs_sequences(cell: Any) -> bool:
    """Returns whether a cell runs whole sequences: not if a subclass has `forward`, `call` or `backward` of its own."""
    if isinstance(cell, StackedRNNCells):
        own = (type(cell).forward, type(cell).backward) != (StackedRNNCells.forward, StackedRNNCells.backward)
        return not own and all(map(runs_sequences, cell.cells))
    own = (type(cell).forward, type(cell).backward) != (RecurrentCell.forward, RecurrentCell.backward)
    return isinstance(cell, RecurrentCell) and not own


def starts_from_zeros(cell: Any) -> bool:
    """Returns whether the states of a cell that runs whole sequences are zeros at first."""
    return runs_sequences(cell) and type(cell).get_initial_state is RecurrentCell.get_initial_state


def zeros_of(sizes: Any, batch: int, dtype: str) -> Any:
    """Returns zeros (batch, size) for each of the sizes, nested as they are."""
    return _tree.map_structure(lambda size: np.zeros((batch, size), dtype), sizes)


def in_dtype(arrays: Any, source: Layer, target: Layer) -> Any:
    """Returns arrays (or None) of one layer's dtype, nested in any way, in another's."""
    if source.dtype == target.dtype:
        return arrays
    return _tree.map_structure(lambda array: None if array is None else array.astype(target.dtype), arrays)


def output_size(cell: Any) -> int:
    """Returns the size of a cell's output, which need not say it: its first state is as large."""
    return getattr(cell, "output_size", None) or _tree.flatten(cell.state_size)[0]


def in_gate_order(weights: np.ndarray, order: tuple[int, ...]) -> np.ndarray:
    """Returns weights (..., G * H) with their G gates in another order."""
    blocks = np.split(weights, len(order), axis=-1)
    return np.concatenate([blocks[gate] for gate in order], axis=-1)


def check_cell(who: str, cell: Any) -> None:
    """Raises ValueError unless it is a cell."""
    what = "a cell: a layer with state_size and forward(inputs, states)"
    if not isinstance(cell, Layer) or not hasattr(cell, "state_size"):
        raise ValueError(expected(who, what, repr(cell), hint_for_class(cell)))
    if hasattr(cell, "return_sequences"):
        raise ValueError(expected(who, what, repr(cell), "recurrent layers go over time by themselves"))


def run_step(cell: Any, inputs: Any, states: Any, training: bool, dropout_masks: Any, keep_cache: bool) -> Any:
    """Runs a cell's `forward` for one time step, with those keywords that it names."""
    offered = {"training": training, "dropout_masks": dropout_masks, "keep_cache": keep_cache}
    taken = {name: value for name, value in offered.items() if name in cell._forward_parameters}
    if is_shape((cell.state_size,)) and not isinstance(cell, RecurrentCell):
        states = _tree.flatten(states)
    return cell._forward_to_run(inputs, states, **taken)
