"""The sequence loop: cells, the layer that runs a cell over time, and stacks of cells.

A built-in cell runs whole sequences in one native call; any other cell is stepped here, one time step after the other.
Both follow the same rules for masks, states and direction.
"""

from __future__ import annotations

import inspect
from typing import Any, NamedTuple

import numpy as np

from recurra import _tree, activations, constraints, initializers, ops, regularizers, saving
from recurra._checks import expected, fraction, positive_int
from recurra._names import snake_case
from recurra.layers._shapes import check_features, check_rank, is_shape, known_features
from recurra.layers.base import Layer
from recurra.layers.dropout import dropout_factors
from recurra.random import SeedGenerator

WeightGrads = tuple[Any, Any, Any]  # of kernel, recurrent_kernel and bias, to be added to


class DropoutMasks(NamedTuple):
    """What a cell multiplies its input and its state by, scaled by 1 / (1 - rate).

    Attributes:
        inputs: One (N, D) array shared by the gates, or one for each gate; None without dropout.
        recurrent: One (N, H) array for each gate; None without recurrent dropout.
    """

    inputs: tuple[np.ndarray, ...] | None
    recurrent: tuple[np.ndarray, ...] | None


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

    gates = 1
    states = 1

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
        return self.units if self.states == 1 else [self.units] * self.states

    @property
    def output_size(self) -> int:
        """`units`."""
        return self.units

    def bias_shape(self) -> tuple[int, ...]:
        """Returns the shape of the bias."""
        return (self.gates * self.units,)

    def initial_bias(self) -> Any:
        """Returns the initializer of the bias."""
        return self.bias_initializer

    def build(self, input_shape: Any) -> None:
        features = input_shape[-1]
        width = self.gates * self.units
        self.kernel = self._add_configured_weight("kernel", (features, width))
        self.recurrent_kernel = self._add_configured_weight("recurrent_kernel", (self.units, width), "recurrent")
        self.bias = None
        if self.use_bias:
            self.bias = self._add_configured_weight("bias", self.bias_shape(), initializer=self.initial_bias())

    def draw_masks(self, batch: int, features: int, dtype: str) -> DropoutMasks | None:
        """Draws the dropout masks of one call; None where nothing is dropped."""
        if not self.dropout and not self.recurrent_dropout:
            return None
        generator = self.seed_generator.generator()

        def draw(width: int, rate: float, count: int) -> tuple[np.ndarray, ...] | None:
            return (
                tuple(dropout_factors(generator, (batch, width), rate, dtype) for _ in range(count)) if rate else None
            )

        inputs = draw(features, self.dropout, self.gates if self.recurrent_dropout else 1)
        recurrent = draw(self.units, self.recurrent_dropout, self.gates)
        return DropoutMasks(inputs, recurrent)

    def run(self, *args: Any, **kwargs: Any) -> tuple[Any, Any, Any]:
        outputs, cache, _ = super().run(*args, **kwargs)
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
        keep_cache: bool = True,
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
        outputs, *states, cache = self._forward_op(
            inputs,
            states,
            mask,
            activation=activations.name_of(self.activation),
            go_backwards=go_backwards,
            zero_output_for_mask=zero_output_for_mask,
            return_sequences=return_sequences,
            training=keep_cache,
            input_masks=input_masks,
            recurrent_masks=recurrent_masks,
        )
        return outputs, states, _Run(cache, input_mask) if keep_cache else None

    def run_backward(
        self, doutputs: np.ndarray | None, dstates: list[np.ndarray | None], cache: Any, need_dx: bool = True
    ) -> tuple[Any, list[Any]]:
        """Returns the gradients of the inputs and of the initial states; adds those of the weights."""
        dbias = None if self.bias is None else self.bias.grad
        weight_grads = (self.kernel.grad, self.recurrent_kernel.grad, dbias)
        dx, *dstates = self._backward_op(doutputs, dstates, cache.op_cache, weight_grads, need_dx)
        if dx is not None and cache.input_mask is not None:
            dx = dx * cache.input_mask
        return dx, dstates

    def planned(self, plan: ops.Plan, **options: bool) -> Any:
        """Returns the cell's run over a sequence as a plan takes it; `options` are those of `run_forward`."""
        name = snake_case(type(self).__name__).removesuffix("_cell")
        own = {"activation": activations.name_of(self.activation)} | self._own_options()
        return plan.recurrent(name, (self.kernel, self.recurrent_kernel, self.bias), **own, **options)

    def _own_options(self) -> dict[str, Any]:
        """Returns the options of the cell's operation that other cells do not have."""
        return {}

    def _forward_op(self, inputs: Any, states: list[Any], mask: Any, **options: Any) -> Any:
        raise NotImplementedError

    def _backward_op(
        self, doutputs: Any, dstates: list[Any], cache: Any, weight_grads: WeightGrads, need_dx: bool
    ) -> Any:
        raise NotImplementedError

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
            (output (N, H), new states), and the cache.
        """
        check_rank(type(self).__name__, inputs.shape, 2, "(batch, features)")
        check_features(type(self).__name__, inputs.shape, self.kernel.shape[0])
        if training and dropout_masks is None:
            dropout_masks = self.draw_masks(inputs.shape[0], inputs.shape[1], self.dtype)
        states = [self._cast(state) for state in _tree.flatten(states)] if states is not None else [None] * self.states
        output, states, cache = self.run_forward(inputs[:, None, :], states, None, dropout_masks, keep_cache=keep_cache)
        return (output, states), cache

    def backward(self, doutputs: Any, cache: Any) -> tuple[np.ndarray, list[np.ndarray]]:
        """Takes the gradients of (output, new states); returns those of the inputs and of the states."""
        doutput, dstates = doutputs
        dx, dstates = self.run_backward(doutput, dstates, cache)
        return dx[:, 0], dstates

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], self.units)

    def get_initial_state(self, batch_size: int | None = None) -> list[np.ndarray]:
        """Returns zeros (batch_size, H) for each state."""
        return [np.zeros((batch_size or 1, self.units), self.dtype) for _ in range(self.states)]


@saving.builtin("keras.layers")
class StackedRNNCells(Layer):
    """Several cells as one: within a time step, each cell's output is the next one's input.

    Args:
        cells: The cells, from input to output.
    """

    def __init__(self, cells: list[Any], **kwargs: Any):
        super().__init__(**kwargs)
        for cell in cells:
            _check_cell("StackedRNNCells", cell)
        self.cells = list(cells)

    @property
    def state_size(self) -> list[Any]:
        """One entry for each cell."""
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> Any:
        """That of the last cell."""
        return _output_size(self.cells[-1])

    def build(self, input_shape: Any) -> None:
        for cell in self.cells:
            if not cell.built:
                cell.build(input_shape)
            input_shape = (input_shape[0], _output_size(cell))

    def draw_masks(self, batch: int, features: int, dtype: str) -> list[DropoutMasks | None]:
        """Draws the dropout masks of one call, for each cell."""
        masks = []
        for cell in self.cells:
            masks.append(cell.draw_masks(batch, features, dtype) if hasattr(cell, "draw_masks") else None)
            features = _output_size(cell)
        return masks

    def forward(
        self,
        inputs: np.ndarray,
        states: Any = None,
        training: bool = False,
        dropout_masks: list[DropoutMasks | None] | None = None,
        keep_cache: bool = True,
    ) -> tuple[tuple[np.ndarray, list[Any]], Any]:
        """One time step of all cells: as a cell's `forward`, with a list of states for each cell."""
        if states is None:
            states = self.get_initial_state(len(inputs))
        if training and dropout_masks is None:
            dropout_masks = self.draw_masks(inputs.shape[0], inputs.shape[1], self.dtype)
        leaves = iter(_tree.flatten(states))
        output, new_states, caches = inputs, [], []
        for position, cell in enumerate(self.cells):
            own = [next(leaves) for _ in _tree.flatten(cell.state_size)]
            masks = dropout_masks[position] if dropout_masks else None
            (output, own), cache = _step(cell, output, own, training, masks, keep_cache)
            new_states.append(list(_tree.flatten(own)))
            caches.append(cache)
        return (output, new_states), caches

    def backward(self, doutputs: Any, cache: Any) -> tuple[np.ndarray, list[Any]]:
        """Takes the gradients of (output, new states); returns those of the inputs and of the states."""
        doutput, dstates = doutputs
        leaves = _tree.flatten(dstates)
        before: list[Any] = []
        for cell, cell_cache in zip(reversed(self.cells), reversed(cache), strict=True):
            count = len(_tree.flatten(cell.state_size))
            own, leaves = leaves[len(leaves) - count :], leaves[: len(leaves) - count]
            doutput, own = cell.backward((doutput, own), cell_cache)
            before.insert(0, list(_tree.flatten(own)))
        return doutput, before

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], self.output_size)

    def get_initial_state(self, batch_size: int | None = None) -> list[Any]:
        """Returns zeros for each state of each cell."""
        return _zeros(self.state_size, batch_size or 1, self.dtype)


def _zeros(sizes: Any, batch: int, dtype: str) -> Any:
    return _tree.map_structure(lambda size: np.zeros((batch, size), dtype), sizes)


def _output_size(cell: Any) -> int:
    return getattr(cell, "output_size", None) or _tree.flatten(cell.state_size)[0]


def _check_cell(who: str, cell: Any) -> None:
    if not isinstance(cell, Layer) or not hasattr(cell, "state_size"):
        raise ValueError(expected(who, "a cell: a layer with state_size and forward(inputs, states)", repr(cell)))


def _step(cell: Any, inputs: Any, states: Any, training: bool, dropout_masks: Any, keep_cache: bool) -> Any:
    """Runs a cell's `forward` with those keywords that it names."""
    offered = {"training": training, "dropout_masks": dropout_masks, "keep_cache": keep_cache}
    taken = {name: value for name, value in offered.items() if name in cell._forward_parameters}
    if is_shape((cell.state_size,)) and not isinstance(cell, RecurrentCell):
        states = _tree.flatten(states)
    return cell.forward(inputs, states, **taken)


@saving.builtin("keras.layers")
class RNN(Layer):
    """Runs a cell over the time steps of (N, T, D).

    Args:
        cell: A cell, or a list of cells that are stacked.
        return_sequences: Return the outputs of all time steps, not only the last one computed.
        return_state: Return the final states too, after the output.
        go_backwards: Go from the last time step to the first; outputs stay in the order computed.
        stateful: Start each call from the final states of the call before.
        unroll: Accepted, changes nothing.
        zero_output_for_mask: Give zeros at masked steps instead of the output before.

    Call:
        inputs: (N, T, D).
        initial_state: A list of (N, H), or of lists for stacked cells; the stored ones or zeros if None.
        mask: bool (N, T), True where the step counts. At a masked step the states stay as they are.
        training: Whether dropout drops.

    Returns:
        (N, H), or (N, T, H) with `return_sequences`; with `return_state` a tuple of that and the states.

    Raises:
        ValueError: If the cell is none or the input has not three axes.
    """

    supports_masking = True

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if isinstance(cell, (list, tuple)):
            cell = StackedRNNCells(list(cell), dtype=self.dtype)
        _check_cell(type(self).__name__, cell)
        self.cell = cell
        self.return_sequences = bool(return_sequences)
        self.return_state = bool(return_state)
        self.go_backwards = bool(go_backwards)
        self.stateful = bool(stateful)
        self.unroll = bool(unroll)
        self.zero_output_for_mask = bool(zero_output_for_mask)
        self.states: list[np.ndarray] | None = None

    def build(self, input_shape: Any) -> None:
        shape = input_shape if is_shape(input_shape) else input_shape[0]
        who = type(self).__name__
        check_rank(who, shape, 3)
        features = known_features(who, shape)
        if self.stateful and shape[0] is None:
            raise ValueError(
                expected(who, "a fixed batch size with stateful=True", shape, "give Input a batch_size or batch_shape")
            )
        self._stateful_batch = shape[0]
        if not self.cell.built:
            self.cell.build((shape[0], features))

    def forward(
        self,
        inputs: np.ndarray,
        initial_state: Any = None,
        mask: Any = None,
        training: bool = False,
        keep_cache: bool = True,
    ) -> tuple[Any, Any]:
        inputs = self._check_input(inputs)
        mask = self._check_mask(mask, inputs)
        states: list[Any] = self._starting_states(initial_state, len(inputs))
        masks = None
        if training and hasattr(self.cell, "draw_masks"):
            masks = self.cell.draw_masks(inputs.shape[0], inputs.shape[2], self.dtype)
        if isinstance(self.cell, RecurrentCell):
            outputs, states, cache = self.cell.run_forward(
                inputs,
                states,
                mask,
                masks,
                go_backwards=self.go_backwards,
                zero_output_for_mask=self.zero_output_for_mask,
                return_sequences=self.return_sequences,
                keep_cache=keep_cache,
            )
        else:
            outputs, states, cache = self._loop_forward(inputs, states, mask, masks, training, keep_cache)
        if self.stateful:
            self.states = [state.copy() for state in states]
        if self.return_state:
            return (outputs, *self._nest(states)), cache
        return outputs, cache

    def backward(self, doutputs: Any, cache: Any, need_dx: bool = True) -> Any:
        return self.backward_all(doutputs, cache, need_dx)[0]

    def backward_all(self, doutputs: Any, cache: Any, need_dx: bool = True) -> tuple[Any, dict[str, Any]]:
        """Returns the gradients of the inputs and of `initial_state`."""
        count = len(_tree.flatten(self.cell.state_size))
        dstates: list[Any] = [None] * count
        if self.return_state:
            doutputs, *dstates = _tree.flatten(doutputs)
        if isinstance(self.cell, RecurrentCell):
            dx, dstates = self.cell.run_backward(doutputs, dstates, cache, need_dx)
        else:
            dx, dstates = self._loop_backward(doutputs, dstates, cache)
        return dx, {"initial_state": self._nest(dstates)}

    def join_plan(self, plan: ops.Plan, training: bool) -> bool:
        return plan.add_recurrent(self.planned(plan, training))

    def planned(self, plan: ops.Plan, training: bool) -> Any:
        """Returns the layer as a plan takes it, or None where it cannot."""
        cell = self.cell
        if not isinstance(cell, RecurrentCell) or self.stateful or self.return_state:
            return None
        if training and (cell.dropout or cell.recurrent_dropout):
            return None
        return cell.planned(
            plan,
            go_backwards=self.go_backwards,
            zero_output_for_mask=self.zero_output_for_mask,
            return_sequences=self.return_sequences,
        )

    def _check_input(self, inputs: Any) -> np.ndarray:
        who = type(self).__name__
        if isinstance(inputs, (list, tuple)):
            raise ValueError(expected(who, "one input", f"{len(inputs)}", "pass states as initial_state="))
        check_rank(who, inputs.shape, 3)
        if isinstance(self.cell, RecurrentCell):
            check_features(who, inputs.shape, self.cell.kernel.shape[0])
        if self.stateful and self._stateful_batch not in (None, len(inputs)):
            raise ValueError(expected(who, f"batches of {self._stateful_batch} rows (stateful)", len(inputs)))
        return inputs

    def _check_mask(self, mask: Any, inputs: np.ndarray) -> np.ndarray | None:
        mask = _tree.flatten(mask)[0]
        if mask is None:
            return None
        mask = np.asarray(mask)
        if mask.shape == (*inputs.shape[:2], 1):
            mask = mask[..., 0]
        if mask.shape != inputs.shape[:2]:
            raise ValueError(expected(type(self).__name__, f"mask of shape {inputs.shape[:2]}", mask.shape))
        return mask.astype(bool)

    def _starting_states(self, initial_state: Any, batch: int) -> list[np.ndarray | None]:
        sizes = _tree.flatten(self.cell.state_size)
        if initial_state is None:
            if self.stateful and self.states is not None:
                return list(self.states)
            if isinstance(self.cell, RecurrentCell):
                return [None] * len(sizes)
            return _tree.flatten(_zeros(sizes, batch, self.dtype))
        states = [self._cast(state) for state in _tree.flatten(initial_state)]
        if len(states) != len(sizes):
            raise ValueError(expected(type(self).__name__, f"{len(sizes)} initial states", len(states)))
        for state, size in zip(states, sizes, strict=True):
            if state.shape != (batch, size):
                raise ValueError(expected(type(self).__name__, f"initial states of shape {(batch, size)}", state.shape))
        return states

    def _nest(self, states: list[Any]) -> list[Any]:
        """Returns flat states as the cell nests them: one entry for each of several cells."""
        sizes = self.cell.state_size
        if isinstance(sizes, (list, tuple)) and any(isinstance(size, (list, tuple)) for size in sizes):
            leaves = iter(states)
            return [[next(leaves) for _ in _tree.flatten(size)] for size in sizes]
        return list(states)

    def _loop_forward(
        self, inputs: np.ndarray, states: list[Any], mask: Any, masks: Any, training: bool, keep_cache: bool
    ) -> tuple[Any, list[Any], Any]:
        steps = range(inputs.shape[1])
        order = list(reversed(steps)) if self.go_backwards else list(steps)
        outputs: list[np.ndarray] = []
        caches = []
        for t in order:
            (output, new_states), cache = _step(self.cell, inputs[:, t], states, training, masks, keep_cache)
            new_states = _tree.flatten(new_states)
            if mask is not None:
                keep = mask[:, t, None]
                before = outputs[-1] if outputs and not self.zero_output_for_mask else np.zeros_like(output)
                output = np.where(keep, output, before)
                new_states = [np.where(keep, new, old) for new, old in zip(new_states, states, strict=True)]
            states = new_states
            outputs.append(output)
            caches.append(cache)
        result = np.stack(outputs, axis=1) if self.return_sequences else outputs[-1]
        return result, states, (order, mask, caches, inputs.shape) if keep_cache else None

    def _loop_backward(self, doutputs: Any, dstates: list[Any], cache: Any) -> tuple[np.ndarray, list[Any]]:
        order, mask, caches, shape = cache
        batch = shape[0]
        sizes = _tree.flatten(self.cell.state_size)
        zeros = _tree.flatten(_zeros(sizes, batch, self.dtype))
        dstates = [zero if given is None else given for given, zero in zip(dstates, zeros, strict=True)]
        dx = np.zeros(shape, self.dtype)
        carried = np.zeros((batch, _output_size(self.cell)), self.dtype)
        for position in reversed(range(len(order))):
            doutput = carried
            if doutputs is not None and self.return_sequences:
                doutput = doutput + doutputs[:, position]
            elif doutputs is not None and position == len(order) - 1:
                doutput = doutput + doutputs
            kept = dstates
            carried = np.zeros_like(carried)
            if mask is not None:
                keep = mask[:, order[position], None]
                carried = carried if self.zero_output_for_mask else np.where(keep, 0, doutput)
                doutput = np.where(keep, doutput, 0)
                dstates = [np.where(keep, dstate, 0) for dstate in dstates]
            dx[:, order[position]], before = self.cell.backward((doutput, self._nest(dstates)), caches[position])
            dstates = _tree.flatten(before)
            if mask is not None:
                dstates = [new + np.where(keep, 0, old) for new, old in zip(dstates, kept, strict=True)]
        return dx, dstates

    def compute_output_shape(self, input_shape: Any) -> Any:
        shape = input_shape if is_shape(input_shape) else input_shape[0]
        batch, steps = shape[0], shape[1]
        size = _output_size(self.cell)
        output = (batch, steps, size) if self.return_sequences else (batch, size)
        if not self.return_state:
            return output
        sizes = self.cell.state_size
        per_cell = sizes if isinstance(sizes, (list, tuple)) else [sizes]
        return (output, *(_shape_of_states(batch, size) for size in per_cell))

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Returns the mask if sequences are returned; states have none."""
        mask = _tree.flatten(mask)[0] if self.return_sequences else None
        if self.return_state:
            return [mask, *([None] * len(_tree.flatten(self.cell.state_size)))]
        return mask

    def reset_state(self) -> None:
        """Sets the stored states to zero."""
        self.states = None

    reset_states = reset_state

    def get_initial_state(self, batch_size: int) -> list[Any]:
        """Returns zeros for each state."""
        return self._nest(_tree.flatten(_zeros(self.cell.state_size, batch_size, self.dtype)))


def _shape_of_states(batch: int | None, sizes: Any) -> Any:
    return [(batch, size) for size in sizes] if isinstance(sizes, (list, tuple)) else (batch, sizes)


class CellRNN(RNN):
    """An RNN that makes its own cell: it takes the options of the cell, then those of `RNN`.

    Options are declared once, on the cell and on RNN; `help` and editors see them all through `__signature__`.
    """

    cell_class: type[RecurrentCell]
    _positional: tuple[str, ...] = ()

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        cell, own = _own_parameters(cls.cell_class), _own_parameters(RNN)[1:]
        declared = {p.name: p for base in (RNN, RecurrentCell, cls.cell_class) for p in _declared(base)}
        by_position = [p.name for p in _declared(cls.cell_class) if p.kind is p.POSITIONAL_OR_KEYWORD]
        by_keyword = [name for name in (*cell, *own) if name not in by_position]
        cls._positional = tuple(by_position)
        cls.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [
                *(declared[name] for name in by_position),
                *(declared[name].replace(kind=inspect.Parameter.KEYWORD_ONLY) for name in by_keyword),
                inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD),
            ]
        )

    def __init__(self, *args: Any, **kwargs: Any):
        who = type(self).__name__
        if len(args) > len(self._positional):
            raise TypeError(expected(who, f"at most {len(self._positional)} positional arguments", len(args)))
        kwargs.update(zip(self._positional, args, strict=False))
        if "units" not in kwargs:
            raise TypeError(f"{who}.__init__() missing 1 required positional argument: 'units'")
        for ignored in ("use_cudnn", "implementation"):
            kwargs.pop(ignored, None)
        options = {name: kwargs.pop(name) for name in _own_parameters(self.cell_class) if name in kwargs}
        shared = {name: kwargs[name] for name in ("dtype", "trainable") if name in kwargs}
        super().__init__(self.cell_class(**options, **shared, name=snake_case(self.cell_class.__name__)), **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or "cell" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self.cell, name)

    def _config_names(self) -> list[str]:
        return [*_own_parameters(RNN)[1:], *_own_parameters(self.cell_class), "activity_regularizer"]


def _declared(cls: Any) -> list[inspect.Parameter]:
    found = list(inspect.signature(cls.__init__).parameters.values())[1:]
    return [p for p in found if p.kind is not p.VAR_KEYWORD]


def _own_parameters(cls: type) -> list[str]:
    """Returns the names of the constructor's parameters without those of every layer."""
    return [name for name in saving.parameters(cls) if name not in saving.parameters(Layer)]
