"""Streams: a recurrent model fed one time step after the other, its state carried outside the model."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import takewhile
from typing import Any

import numpy as np

from recurra import layers, ops
from recurra._arrays import as_numbers
from recurra._checks import expected, positive_int
from recurra.layers._shapes import positions
from recurra.layers.cells import RecurrentCell, StackedRNNCells, starts_from_zeros
from recurra.layers.recurrent import RNN
from recurra.training.plan import joins, line_of

# Layers of one input that treat each time step by itself, unless they have an axis that says otherwise.
_BY_STEP = (
    layers.Activation,
    layers.ActivityRegularization,
    layers.BatchNormalization,
    layers.Dense,
    layers.Dropout,
    layers.ELU,
    layers.GaussianDropout,
    layers.GaussianNoise,
    layers.Identity,
    layers.LayerNormalization,
    layers.LeakyReLU,
    layers.Normalization,
    layers.PReLU,
    layers.RMSNormalization,
    layers.ReLU,
    layers.Rescaling,
    layers.Softmax,
    layers.SpatialDropout1D,
    layers.TimeDistributed,
    layers.UnitNormalization,
)


def is_by_step(layer: Any, rank: int) -> bool:
    """Returns whether a layer treats each time step, axis 1 of `rank`, by itself: a step may go through it alone."""
    return isinstance(layer, _BY_STEP) and not mixes_steps(layer, rank)


def mixes_steps(layer: Any, rank: int) -> bool:
    """Returns whether a layer has an axis, or weights, along time."""
    if isinstance(layer, layers.PReLU):
        return layer.alpha.shape[0] > 1
    return 1 in positions(type(layer).__name__, getattr(layer, "axis", -1), rank)


class Stream:
    """What `model.stream(n)` gives: `step` after `step`, the outputs of the whole sequence, to the bit.

    It keeps the weights as they are when it is made. One stream is for one thread; make as many as you like.

    Args:
        model: A built model whose layers form one line: recurrent layers that go forward, and layers that treat each
            time step by itself.
        n: Number of sequences that are stepped together; None for one, without a batch axis.

    Raises:
        ValueError: If a layer needs the whole sequence at once.
    """

    def __init__(self, model: Any, n: int | None = None):
        self.n = n
        rows = 1 if n is None else positive_int("stream", "n", n)
        if len(model.inputs) != 1 or len(model.inputs[0].shape) != 3:
            raise ValueError(expected("stream", "a model of one input (batch, timesteps, features)", model.input_shape))
        line = line_of(model)
        if line is None:
            raise ValueError(expected("stream", "layers in one line", repr(model)))
        x = np.zeros((rows, model.inputs[0].shape[-1]), model.inputs[0].dtype)
        self._x: np.ndarray = x[0] if n is None else x
        self._stages: list[_Native | _Cell | _Layer | _Cast] = []
        for node in line:
            _check(node.layer)
        while line:
            layer = line[0].layer
            cast = layer._cast_inputs(x)
            if cast.dtype != x.dtype:
                self._stages.append(_Cast(x, cast))
                x = cast
            plan = ops.Plan(layer.dtype, copies=True)
            joining = partial(joins, plan=plan, training=False)
            native = list(takewhile(joining, line)) if x.dtype == layer.dtype else []
            self._stages += [_Native(plan, native, x)] if native else _stages_of(layer, x)
            x, line = self._stages[-1].y, line[len(native) or 1 :]
        self._y: np.ndarray = x[0] if n is None else x
        self._only = self._stages[0] if len(self._stages) == 1 else None

    def step(self, x: Any) -> np.ndarray:
        """Takes one time step.

        Args:
            x: (features,), a number where there is one feature; (n, features) for n sequences.

        Returns:
            The model's output after this step: (units,), or (n, units).

        Raises:
            ValueError: If x has another shape.
        """
        if x.__class__ is not np.ndarray:
            x = as_numbers(x, "stream.step")
        if x.shape != self._x.shape and (x.shape or self._x.size > 1):
            raise ValueError(expected("stream.step", f"x of shape {self._x.shape}", x.shape))
        if x.dtype.kind not in "fiub":
            raise ValueError(expected("stream.step", "numbers", f"an array of dtype {x.dtype}"))
        self._x[...] = x
        if self._only is not None:
            self._only()
        else:
            self._step_all()
        return self._y.copy()

    def _step_all(self) -> None:
        """Steps every stage or, where an error or Ctrl-C comes between them, none."""
        before = self.state
        try:
            for stage in self._stages:
                stage()
        except BaseException:
            self.state = before
            raise

    def __reduce__(self) -> Any:
        what, hint = "to stay where it was made", "for a copy call model.stream() and set its state"
        raise TypeError(expected("Stream", what, "a copy or a pickle", hint))

    @property
    def state(self) -> list[np.ndarray]:
        """Copies of the states (n, units), those of the first recurrent layer first; setting it goes back to them.

        Raises:
            ValueError: When it is set to states of other shapes, or to something that holds no numbers.
        """
        return [state.copy() for stage in self._stages for state in stage.states()]

    @state.setter
    def state(self, states: Sequence[Any]) -> None:
        own = [state for stage in self._stages for state in stage.states()]
        arrays = [as_numbers(state, "stream") for state in states]
        if [a.shape for a in arrays] != [a.shape for a in own]:
            raise ValueError(
                expected("stream", f"states of shapes {[a.shape for a in own]}", [a.shape for a in arrays])
            )
        for target, source in zip(own, arrays, strict=True):
            target[...] = source

    def reset(self, rows: Any = None) -> None:
        """Sets the states to zero, of all sequences or of those at the indices `rows`."""
        for stage in self._stages:
            for state in stage.states():
                state[slice(None) if rows is None else rows] = 0


class _Native:
    """Layers that have joined a plan: one native call steps them, from `x` (N, D) to `y` (N, units)."""

    def __init__(self, plan: ops.Plan, nodes: list[Any], x: np.ndarray):
        shape: Any = (len(x), 1, x.shape[1])
        self._shapes: list[tuple[int, int]] = []
        for layer in (node.layer for node in nodes):
            shape = (len(x), 1, layer.compute_output_shape(shape)[-1])
            if isinstance(layer, RNN):
                self._shapes += [(len(x), layer.cell.units)] * layer.cell.n_states
        self.y = np.zeros((len(x), shape[2]), x.dtype)
        self._plan = plan  # native code points into its arrays
        self._step, self._now = plan.stepper(x, self.y)

    def __call__(self) -> None:
        self._step()

    def states(self) -> list[np.ndarray]:
        ends = np.cumsum([rows * units for rows, units in self._shapes])
        parts = np.split(self._now(), ends[:-1]) if self._shapes else []
        return [part.reshape(shape) for part, shape in zip(parts, self._shapes, strict=True)]


class _Cell:
    """A recurrent layer that native code does not know."""

    def __init__(self, cell: RecurrentCell, x: np.ndarray):
        self._cell, self._x = cell, x
        self._states = [np.zeros((len(x), cell.units), cell.dtype) for _ in range(cell.n_states)]
        self.y = np.zeros((len(x), cell.units), cell.dtype)

    def __call__(self) -> None:
        x = self._x[:, None].astype(self._cell.dtype, copy=False)
        self.y[...], self._states, _ = self._cell.run_forward(x, list(self._states), None, None, keep_cache=False)

    def states(self) -> list[np.ndarray]:
        return self._states


class _Layer:
    """A layer without states."""

    def __init__(self, layer: Any, x: np.ndarray):
        self._layer, self._x = layer, x
        self.y = np.array(self._run())

    def _run(self) -> np.ndarray:
        return np.asarray(self._layer._run_layer(self._x[:, None], None, False, {}, False)[0])[:, 0]

    def __call__(self) -> None:
        self.y[...] = self._run()

    def states(self) -> list[np.ndarray]:
        return []


class _Cast:
    """The numbers of `x` in the dtype of `y`, as the next layer takes them."""

    def __init__(self, x: np.ndarray, y: np.ndarray):
        self._x, self.y = x, y

    def __call__(self) -> None:
        self.y[...] = self._x

    def states(self) -> list[np.ndarray]:
        return []


def _stages_of(layer: Any, x: np.ndarray) -> list[_Cell | _Layer]:
    """Returns the stages for a layer that native code does not know: one, or one for each of stacked cells."""
    if not isinstance(layer, RNN):
        return [_Layer(layer, x)]
    stages: list[Any] = []
    for cell in _cells_of(layer):
        stages.append(_Cell(cell, stages[-1].y if stages else x))
    return stages


def _cells_of(layer: RNN) -> list[Any]:
    return layer.cell.cells if type(layer.cell) is StackedRNNCells else [layer.cell]


def _check(layer: Any) -> None:
    """Raises ValueError for a layer that needs more than one time step."""
    if isinstance(layer, RNN) and all(starts_from_zeros(cell) for cell in _cells_of(layer)):
        if layer.go_backwards or layer.return_state:
            raise ValueError(expected("stream", "recurrent layers that go forward, no states", repr(layer)))
    elif not is_by_step(layer, rank=3):
        raise ValueError(
            expected("stream", "layers that need no more than one time step", repr(layer), "call the model instead")
        )
