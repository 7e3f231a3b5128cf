"""The layer that runs a cell over time.

A built-in cell runs whole sequences in one native call; any other cell is stepped here, one time step after the other.
Both follow the same rules for masks, states and direction.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra import _file_limits, _tree, ops, saving
from recurra._arguments import open_arguments, take_by_position
from recurra._arrays import as_numbers, standardize_dtype
from recurra._checks import expected
from recurra._missing import says_what_to_do
from recurra._names import naming, snake_case
from recurra.layers._shapes import check_features, check_rank, is_shape, known_features
from recurra.layers.base import Layer, own_parameters
from recurra.layers.cells import (
    RecurrentCell,
    StackedRNNCells,
    check_cell,
    in_dtype,
    initial_state_of,
    output_size,
    run_step,
    runs_sequences,
    starts_from_zeros,
    zeros_of,
)
from recurra.variables import Variable


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
        sequences: (N, T, D), T at least 1.
        initial_state: A list of (N, H), or of lists for stacked cells. If None the stored ones, else those of
            `get_initial_state`: of a cell that has this method, or zeros.
        mask: bool (N, T), True where the step counts. At a masked step the states stay as they are.
        training: Whether dropout drops.

    Returns:
        (N, H), or (N, T, H) with `return_sequences`; with `return_state` a tuple of that and the states.

    Raises:
        ValueError: If `cell` is not a cell, or the input has not three axes or no time steps.
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
        check_cell(type(self).__name__, cell)
        self.cell = cell
        self.return_sequences = bool(return_sequences)
        self.return_state = bool(return_state)
        self.go_backwards = bool(go_backwards)
        self.stateful = bool(stateful)
        self.unroll = bool(unroll)
        self.zero_output_for_mask = bool(zero_output_for_mask)
        self._states: tuple[Variable, ...] | None = None
        self._stateful_batch: int | None = None  # the rows of each batch, once the layer is built

    @property
    def states(self) -> tuple[Variable, ...] | None:
        """What a built stateful layer goes on from, a variable (N, H) for each state, none of its weights; else None.

        Setting it assigns to them; None sets them to zero.

        Raises:
            ValueError: If the layer is not built, or number or shapes are not those of the cell.
        """
        if self.stateful and self._stateful_batch is not None and self._states is None:
            self._kept_states(self._stateful_batch)
        return self._states

    @states.setter
    def states(self, states: Any) -> None:
        kept = self.states
        if states is None:
            self.reset_state()
        elif kept is None:
            what = "a stateful layer that is built, to set its states"
            raise ValueError(expected(type(self).__name__, what, "one without states"))
        else:
            arrays = [as_numbers(state, "states") for state in _tree.flatten(states)]
            self._check_states([array.shape for array in arrays], len(kept[0].value))
            self._store(arrays)

    def _kept_states(self, batch: int) -> tuple[Variable, ...]:
        """Returns what a stateful layer goes on from, at first what it starts from."""
        if self._states is None:
            start = [np.array(state, self.dtype) for state in _tree.flatten(self.get_initial_state(batch))]
            made = tuple(Variable(state, name="rnn_state", trainable=False) for state in start)
            self.__dict__["_states"] = made  # no weights: setting the attribute would make them such
        return self._states  # type: ignore[return-value]

    def _store(self, states: Sequence[np.ndarray]) -> None:
        """Keeps the final states of a call, where the last ones lie: plans point there."""
        for own, new in zip(self._kept_states(len(states[0])), states, strict=True):
            own.assign(new)

    @property
    def state_size(self) -> list[Any]:
        """The sizes of the cell's states, in a list of one for a single state."""
        sizes = self.cell.state_size
        return list(sizes) if isinstance(sizes, (list, tuple)) else [sizes]

    def build(self, sequences_shape: Any) -> None:
        shape = sequences_shape if is_shape(sequences_shape) else sequences_shape[0]
        who = type(self).__name__
        check_rank(who, shape, 3)
        features = known_features(who, shape)
        if self.stateful and shape[0] is None:
            raise ValueError(
                expected(who, "a fixed batch size with stateful=True", shape, "give Input a batch_size or batch_shape")
            )
        if self.stateful:
            numbers = shape[0] * sum(_tree.flatten(self.cell.state_size))
            _file_limits.check_states(f"layer {self.name!r}", numbers * np.dtype(self.dtype).itemsize)
        if not self.cell.built:
            self.cell.build((shape[0], features))
        if not all(part.built for part in self.cell._flatten_layers()):
            self._build_parts_of_cell(features)
        self._stateful_batch = shape[0]

    def _build_parts_of_cell(self, features: int) -> None:
        """Builds the layers that a cell calls, by one step on zeros: else a model would not know of their weights."""
        inputs = np.zeros((1, features), self.cell.dtype)
        states = zeros_of(self.cell.state_size, 1, self.cell.dtype)
        naming.scope.append(self.cell.name)
        try:
            with np.errstate(all="ignore"):  # zeros divided by zeros are no news
                run_step(self.cell, inputs, self._nest(_tree.flatten(states)), False, None, False)
        finally:
            naming.scope.pop()

    def forward(
        self,
        sequences: np.ndarray,
        initial_state: Any = None,
        mask: Any = None,
        training: bool = False,
        keep_cache: bool = True,
    ) -> tuple[Any, Any]:
        """Returns what the class says under Returns, and the cache; the arguments are those under Call."""
        inputs = self._check_input(sequences)
        mask = self._check_mask(mask, inputs)
        states: list[Any] = self._starting_states(initial_state, len(inputs))
        inputs, states = in_dtype((inputs, states), self, self.cell)
        dropout_masks = None
        if training and hasattr(self.cell, "draw_masks"):
            dropout_masks = self.cell.draw_masks(inputs.shape[0], inputs.shape[2], self.cell.dtype)
        if runs_sequences(self.cell):
            outputs, states, cache = self.cell.run_forward(
                inputs,
                states,
                mask,
                dropout_masks,
                go_backwards=self.go_backwards,
                zero_output_for_mask=self.zero_output_for_mask,
                return_sequences=self.return_sequences,
                keep_cache=keep_cache,
            )
        else:
            outputs, states, cache = self._loop_forward(inputs, states, mask, dropout_masks, training, keep_cache)
        outputs, states = in_dtype((outputs, states), self.cell, self)
        if self.stateful:
            self._store(states)
        if self.return_state:
            return (outputs, *self._nest(states)), cache
        return outputs, cache

    @open_arguments
    def backward(self, doutputs: Any, cache: Any, need_dx: bool = True) -> Any:
        return RNN.backward_all(self, doutputs, cache, need_dx)[0]

    def backward_all(self, doutputs: Any, cache: Any, need_dx: bool = True) -> tuple[Any, dict[str, Any]]:
        """Returns the gradients of the inputs and of `initial_state`."""
        count = len(_tree.flatten(self.cell.state_size))
        dstates: list[Any] = [None] * count
        if self.return_state:
            doutputs, *dstates = _tree.flatten(doutputs)
        doutputs, dstates = in_dtype((doutputs, dstates), self, self.cell)
        if runs_sequences(self.cell):
            dx, dstates = self.cell.run_backward(doutputs, dstates, cache, need_dx)
        else:
            dx, dstates = self._loop_backward(doutputs, dstates, cache)
        dx, dstates = in_dtype((dx, dstates), self.cell, self)
        return dx, {"initial_state": self._nest(dstates)}

    def join_plan(self, plan: ops.Plan, training: bool) -> bool:
        return plan.add_recurrent(self.planned(plan, training))

    def planned(self, plan: ops.Plan, training: bool) -> Any:
        """Returns the layer as a plan takes it, or None where it cannot."""
        cell = self.cell
        if not isinstance(cell, RecurrentCell) or self.return_state or cell.dtype != self.dtype:
            return None
        if self.stateful and self._stateful_batch is None:
            return None
        return cell.planned(
            plan,
            [state.value for state in self.states or ()] if self.stateful else None,
            training,
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
        if not inputs.shape[1]:
            raise ValueError(expected(who, "at least 1 time step", 0))
        if self.stateful and self._stateful_batch not in (None, len(inputs)):
            hint = "give batch_size, and rows in multiples of it"
            raise ValueError(expected(who, f"batches of {self._stateful_batch} rows (stateful)", len(inputs), hint))
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
            if self.stateful:
                return [state.numpy() for state in self._kept_states(batch)]  # copies: `backward` needs them
            if starts_from_zeros(self.cell) and type(self).get_initial_state is RNN.get_initial_state:
                return [None] * len(sizes)
            initial_state = self.get_initial_state(batch)
        states = [self._cast(state) for state in _tree.flatten(initial_state)]
        self._check_states([state.shape for state in states], batch)
        return states

    def _check_states(self, shapes: list[Any], batch: int | None) -> None:
        """Raises ValueError unless initial states of these shapes are those of the cell; a batch of None fits all."""
        who, sizes = type(self).__name__, _tree.flatten(self.cell.state_size)
        if len(shapes) != len(sizes):
            what = f"{len(sizes)} initial states, of sizes {', '.join(map(str, sizes))}"
            raise ValueError(expected(who, what, len(shapes)))
        for shape, size in zip(shapes, sizes, strict=True):
            if len(shape) != 2 or shape[1] != size or (batch is not None and shape[0] != batch):
                raise ValueError(expected(who, f"initial states of shape {(batch, size)}", tuple(shape)))

    def _call_symbolic(self, inputs: Any, kwargs: dict[str, Any]) -> Any:
        states = kwargs.get("initial_state")
        if states is not None:
            self._check_states(list(map(np.shape, _tree.flatten(states))), None)
        return super()._call_symbolic(inputs, kwargs)

    def _nest(self, states: list[Any]) -> list[Any]:
        """Returns flat states as the cell nests them: one entry for each of several cells."""
        sizes = self.cell.state_size
        if isinstance(sizes, (list, tuple)) and any(isinstance(size, (list, tuple)) for size in sizes):
            leaves = iter(states)
            return [[next(leaves) for _ in _tree.flatten(size)] for size in sizes]
        return list(states)

    def _loop_forward(
        self, inputs: np.ndarray, states: list[Any], mask: Any, dropout_masks: Any, training: bool, keep_cache: bool
    ) -> tuple[Any, list[Any], Any]:
        steps = range(inputs.shape[1])
        order = list(reversed(steps)) if self.go_backwards else list(steps)
        outputs: list[np.ndarray] = []
        caches = []
        for t in order:
            (output, new_states), cache = run_step(self.cell, inputs[:, t], states, training, dropout_masks, keep_cache)
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
        zeros = zeros_of(_tree.flatten(self.cell.state_size), batch, self.cell.dtype)
        dstates = [zero if given is None else given for given, zero in zip(dstates, zeros, strict=True)]
        dx = np.zeros(shape, self.cell.dtype)
        carried = np.zeros((batch, output_size(self.cell)), self.cell.dtype)
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

    def compute_output_shape(self, sequences_shape: Any) -> Any:
        shape = sequences_shape if is_shape(sequences_shape) else sequences_shape[0]
        batch, steps = shape[0], shape[1]
        size = output_size(self.cell)
        output = (batch, steps, size) if self.return_sequences else (batch, size)
        if not self.return_state:
            return output
        return (output, *(_shape_of_states(batch, size) for size in self.state_size))

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Returns the mask if sequences are returned; states have none."""
        mask = _tree.flatten(mask)[0] if self.return_sequences else None
        if self.return_state:
            return [mask, *([None] * len(_tree.flatten(self.cell.state_size)))]
        return mask

    def reset_state(self) -> None:
        """Sets the stored states to zero."""
        for state in self._states or ():
            state.value.fill(0)

    reset_states = reset_state

    def get_initial_state(self, batch_size: int) -> list[Any]:
        """Returns the states that the cell starts from."""
        return self._nest(_tree.flatten(initial_state_of(self.cell, batch_size)))


def _shape_of_states(batch: int | None, sizes: Any) -> Any:
    return [(batch, size) for size in sizes] if isinstance(sizes, (list, tuple)) else (batch, sizes)


class CellRNN(RNN):
    """An RNN that makes its own cell: it takes the options of the cell, then those of `RNN`, in Keras's order.

    Options are declared once, on the cell and on RNN; `help` sees them all through `__signature__`. Subclasses repeat
    them for editors and type checkers, which do not run code.
    """

    # What the cell has, and `__getattr__` and properties give.
    units: int
    activation: Any
    use_bias: bool
    kernel_initializer: Any
    recurrent_initializer: Any
    bias_initializer: Any
    kernel_regularizer: Any
    recurrent_regularizer: Any
    bias_regularizer: Any
    kernel_constraint: Any
    recurrent_constraint: Any
    bias_constraint: Any
    dropout: float
    recurrent_dropout: float
    seed: int | None
    kernel: Variable
    recurrent_kernel: Variable
    bias: Any

    cell_class: type[RecurrentCell]
    _last_option: str | None = None  # the cell's option that comes last in Keras
    _positional: tuple[str, ...] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cell, own = own_parameters(cls.cell_class), own_parameters(RNN)[1:]
        declared = {p.name: p for base in (Layer, RNN, RecurrentCell, cls.cell_class) for p in _declared(base)}
        by_keyword = ["zero_output_for_mask"]
        by_position = [name for name in (*cell, *own) if name not in (cls._last_option, *by_keyword)]
        by_position.insert(by_position.index("bias_regularizer") + 1, "activity_regularizer")
        by_position += [cls._last_option] if cls._last_option else []
        cls._positional = tuple(by_position)
        for name in cell:
            if not hasattr(cls, name):
                setattr(cls, name, _option_of_cell(name))
        cls.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [
                *(declared[name].replace(kind=inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in by_position),
                *(declared[name].replace(kind=inspect.Parameter.KEYWORD_ONLY) for name in by_keyword),
                inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD),
            ]
        )

    def __init__(self, *args: Any, **kwargs: Any):
        who = type(self).__name__
        if len(args) > len(self._positional):
            raise TypeError(expected(who, f"at most {len(self._positional)} positional arguments", len(args)))
        take_by_position(f"{who}.__init__", self._positional, args, kwargs)
        if "units" not in kwargs:
            raise TypeError(f"{who}.__init__() missing 1 required positional argument: 'units'")
        for ignored in ("use_cudnn", "implementation"):
            kwargs.pop(ignored, None)
        options = {name: kwargs.pop(name) for name in own_parameters(self.cell_class) if name in kwargs}
        shared = {name: kwargs[name] for name in ("dtype", "trainable") if name in kwargs}
        standardize_dtype(shared.get("dtype"), who)  # a mistake is the layer's, not its cell's
        super().__init__(self.cell_class(**options, **shared, name=snake_case(self.cell_class.__name__)), **kwargs)

    if not TYPE_CHECKING:  # type checkers would take every name for one that is there

        def __getattr__(self, name: str) -> Any:
            if hasattr(type(self), name):
                return object.__getattribute__(self, name)  # a property that has raised: its own error
            if not name.startswith("_") and hasattr(self.__dict__.get("cell"), name):
                return getattr(self.cell, name)
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __dir__(self) -> list[str]:
        held = getattr(self.__dict__.get("cell"), "__dict__", {})  # there is no cell yet in a constructor
        return [*super().__dir__(), *(name for name, value in held.items() if isinstance(value, Variable))]

    def _config_names(self) -> list[str]:
        return [*own_parameters(RNN)[1:], *own_parameters(self.cell_class), "activity_regularizer"]


def _option_of_cell(name: str) -> property:
    """Returns the property of a layer that reads an option of its cell: its weights are made for it."""

    def refuse(layer: CellRNN, value: Any) -> None:
        who, hint = type(layer).__name__, "make a new layer, and give it these weights with set_weights"
        raise AttributeError(expected(who, f"{name} when it is made", f"{value!r} for a layer that is there", hint))

    return property(operator.attrgetter(f"cell.{name}"), refuse, doc=f"The layer's {name}, as it was made.")


def stateful_layers(model: Layer) -> list[RNN]:
    """Returns the layers within a model that carry `states` from call to call; in a Bidirectional its two parts."""
    return [layer for layer in model._flatten_layers() if isinstance(layer, RNN) and layer.stateful]


def copied_states(layers: Iterable[RNN]) -> list[Any]:
    """Returns copies of the stored states of each layer, None where nothing is stored."""
    return [None if layer.states is None else [state.numpy() for state in layer.states] for layer in layers]


def _declared(cls: Any) -> list[inspect.Parameter]:
    found = list(inspect.signature(cls.__init__).parameters.values())[1:]
    return [p for p in found if p.kind is not p.VAR_KEYWORD]


if not TYPE_CHECKING:  # Keras 2's module of this name had the layers
    __getattr__ = says_what_to_do(__name__)
