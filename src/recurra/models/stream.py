"""Streams: a recurrent model fed one time step after the other, its state carried outside the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from recurra import activations as named
from recurra import layers, ops
from recurra._checks import expected, positive_int
from recurra.layers.recurrent import RNN, RecurrentCell

# Layers that treat each time step by itself, so that a step may go through them alone.
BY_STEP = (
    layers.Activation,
    layers.BatchNormalization,
    layers.Dense,
    layers.Dropout,
    layers.GaussianNoise,
    layers.LayerNormalization,
    layers.SpatialDropout1D,
    layers.TimeDistributed,
)


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
        features = model.inputs[0].shape[-1]
        x = np.zeros((rows, 1, features), model.inputs[0].dtype)
        self._x: np.ndarray = x[0, 0] if n is None else x[:, 0]
        self._cells: list[_CellStep] = []
        self._calls: list[Callable[[], None]] = []
        for layer in _line_of(model):
            call, x = self._bind(layer, x)
            self._calls.append(call)
        self._y: np.ndarray = x.reshape(-1) if n is None else x.reshape(rows, -1)

    def _bind(self, layer: Any, x: np.ndarray) -> tuple[Callable[[], None], np.ndarray]:
        """Returns a call of the layer on `x` (N, 1, D), and the array (N, 1, H) that it writes."""
        if isinstance(layer, RNN) and isinstance(layer.cell, RecurrentCell):
            if layer.go_backwards or layer.return_state:
                raise ValueError(expected("stream", "recurrent layers that go forward, no states", repr(layer)))
            cell = _CellStep(layer.cell, x)
            self._cells.append(cell)
            return cell, cell.y
        if not isinstance(layer, BY_STEP):
            raise ValueError(
                expected("stream", "layers that need no more than one time step", repr(layer), "call the model instead")
            )
        if type(layer) is layers.Dense and named.name_of(layer.activation) == "linear":
            kernel, bias = layer.kernel.numpy(), None if layer.bias is None else layer.bias.numpy()
            y = np.zeros((len(x), 1, layer.units), layer.dtype)
            return ops.bind_matmul(x[:, 0], kernel, bias, y[:, 0]), y
        y = np.asarray(layer.run(x, None, False, {}, False)[0])

        def call() -> None:
            y[...] = layer.run(x, None, False, {}, False)[0]

        return call, y

    def step(self, x: Any) -> np.ndarray:
        """Takes one time step.

        Args:
            x: (features,), a number where there is one feature; (n, features) for n sequences.

        Returns:
            The model's output after this step: (units,), or (n, units).

        Raises:
            ValueError: If x has another shape.
        """
        self._x[...] = x
        for call in self._calls:
            call()
        return self._y.copy()

    @property
    def state(self) -> list[np.ndarray]:
        """Copies of the states (n, units), those of the first recurrent layer first; setting it goes back to them."""
        return [state.copy() for cell in self._cells for state in cell.states]

    @state.setter
    def state(self, states: Sequence[Any]) -> None:
        own = [state for cell in self._cells for state in cell.states]
        arrays = [np.asarray(state) for state in states]
        if [a.shape for a in arrays] != [a.shape for a in own]:
            raise ValueError(
                expected("stream", f"states of shapes {[a.shape for a in own]}", [a.shape for a in arrays])
            )
        for target, source in zip(own, arrays, strict=True):
            target[...] = source

    def reset(self, rows: Any = None) -> None:
        """Sets the states to zero, of all sequences or of those at the indices `rows`."""
        for cell in self._cells:
            for state in cell.states:
                state[slice(None) if rows is None else rows] = 0


class _CellStep:
    """A cell between two sets of states, which take turns at being read and written."""

    def __init__(self, cell: RecurrentCell, x: np.ndarray):
        shape = (len(x), cell.units)
        y = np.zeros(shape, cell.dtype)  # layers behind are tried on it
        self._sets = tuple([np.zeros(shape, cell.dtype) for _ in range(cell.states)] for _ in range(2))
        one, other = self._sets
        self._calls = (cell.bind_step(x, y, one, other), cell.bind_step(x, y, other, one))
        self._turn = 0
        self.y = y[:, None]

    def __call__(self) -> None:
        self._calls[self._turn]()
        self._turn ^= 1

    @property
    def states(self) -> list[np.ndarray]:
        return self._sets[self._turn]


def _line_of(model: Any) -> list[Any]:
    """Returns the layers of a model from its input to its output.

    Raises:
        ValueError: If they do not form one line.
    """
    line = []
    tensor = model.inputs[0]
    for node in model.graph.nodes:
        if not node.parents():
            continue
        if node.kwargs or node.inputs is not tensor:
            raise ValueError(expected("stream", "layers in one line", f"{node.layer!r} beside it"))
        line.append(node.layer)
        tensor = node.outputs
    return line
