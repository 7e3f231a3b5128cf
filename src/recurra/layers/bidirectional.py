"""Bidirectional: a recurrent layer read forwards and another read backwards, their outputs merged."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from recurra import _tree, ops, saving
from recurra._arguments import open_arguments
from recurra._checks import expected, hint_for_class, one_of
from recurra.layers._shapes import is_shape
from recurra.layers.base import Layer
from recurra.layers.cells import in_dtype, output_size
from recurra.layers.recurrent import RNN
from recurra.variables import Variable

MERGE_MODES = ("concat", "sum", "mul", "ave", None)


class _Cache(NamedTuple):
    """The activity penalties of the two layers, and what `backward` needs."""

    activity_loss: float
    parts: tuple[Any, Any, Any, Any] | None


@saving.builtin("keras.layers")
class Bidirectional(Layer):
    """Runs a recurrent layer in both directions (Schuster and Paliwal, 1997; https://keras.io/api/layers/recurrent_layers/bidirectional).

    Args:
        layer: A recurrent layer; its config makes the forward layer, and the backward one unless given.
        merge_mode: "concat" (forward first), "sum", "mul", "ave", or None for both outputs, one after the other.
        weights: First weights, as of `get_weights`.
        backward_layer: Another layer for the backward direction, with go_backwards=True.

    Call:
        sequences, mask, training: As in `RNN`.
        initial_state: The forward states, then the backward ones.

    Returns:
        The merged outputs; with return_state a tuple of them, the forward states and the backward states.

    Raises:
        ValueError: If the two layers do not fit together.
    """

    supports_masking = True

    def __init__(
        self,
        layer: Any,
        merge_mode: str | None = "concat",
        weights: Any = None,
        backward_layer: Any = None,
        **kwargs: Any,
    ):
        if not isinstance(layer, RNN):
            raise ValueError(expected("Bidirectional", "a recurrent layer", repr(layer), hint_for_class(layer)))
        if backward_layer is not None and not isinstance(backward_layer, RNN):
            raise ValueError(expected("Bidirectional", "backward_layer to be a recurrent layer", repr(backward_layer)))
        kwargs.setdefault("dtype", layer.dtype)
        super().__init__(**kwargs)
        self.merge_mode = one_of("Bidirectional", "merge_mode", merge_mode, MERGE_MODES)
        self.forward_layer: Any = _rebuild(layer, f"forward_{_bare(layer.name)}")
        if backward_layer is None:
            self.backward_layer: Any = _rebuild(layer, f"backward_{_bare(layer.name)}", go_backwards=True)
        else:
            self.backward_layer = backward_layer
        _check_pair(self.forward_layer, self.backward_layer, self.merge_mode)
        self.return_sequences = self.forward_layer.return_sequences
        self.return_state = self.forward_layer.return_state
        self.stateful = self.forward_layer.stateful
        for part in (self.forward_layer, self.backward_layer):
            part.zero_output_for_mask = self.return_sequences
        self._initial_weights = weights

    def build(self, sequences_shape: Any) -> None:
        shape = sequences_shape if is_shape(sequences_shape) else sequences_shape[0]
        for layer in (self.forward_layer, self.backward_layer):
            if not layer.built:
                layer.build(shape)
        if self._initial_weights is not None:
            self.set_weights(self._initial_weights)

    def forward(
        self,
        sequences: np.ndarray,
        initial_state: Any = None,
        mask: Any = None,
        training: bool = False,
        keep_cache: bool = True,
    ) -> tuple[Any, Any]:
        states = self._split_states(initial_state)
        options = mask, training, keep_cache
        forward, forward_cache = self._run_part(self.forward_layer, sequences, states[0], *options)
        backward, backward_cache = self._run_part(self.backward_layer, sequences, states[1], *options)
        penalty = _penalty(self.forward_layer, forward) + _penalty(self.backward_layer, backward)
        forward_y, *forward_states = forward if self.return_state else (forward,)
        backward_y, *backward_states = backward if self.return_state else (backward,)
        if self.return_sequences:
            backward_y = np.flip(backward_y, axis=1)
        merged = self._merge(forward_y, backward_y)
        cache = _Cache(penalty, (forward, backward, forward_cache, backward_cache) if keep_cache else None)
        if not self.return_state:
            return merged, cache
        outputs = list(merged) if self.merge_mode is None else [merged]
        return (*outputs, *forward_states, *backward_states), cache

    def _run_part(
        self, part: Any, inputs: np.ndarray, states: Any, mask: Any, training: bool, keep_cache: bool
    ) -> tuple[Any, Any]:
        inputs, states = in_dtype((inputs, states), self, part)
        given = {} if states is None else {"initial_state": states}
        outputs, cache, _ = part._run_layer(inputs, mask, training, given, keep_cache)
        return in_dtype(outputs, part, self), cache

    def _split_states(self, initial_state: Any) -> tuple[Any, Any]:
        """Returns the states of the forward layer and those of the backward one; ValueError for another number."""
        if initial_state is None:
            return None, None
        flat = _tree.flatten(initial_state)
        counts = self._state_counts()
        if len(flat) != sum(counts):
            what = f"{counts[0]} initial states forward, then {counts[1]} backward"
            raise ValueError(expected("Bidirectional", what, len(flat)))
        return flat[: counts[0]], flat[counts[0] :]

    def _state_counts(self) -> list[int]:
        """Returns how many states the forward layer has and how many the backward one: they may be of two kinds."""
        return [len(_tree.flatten(part.cell.state_size)) for part in (self.forward_layer, self.backward_layer)]

    def _call_symbolic(self, inputs: Any, kwargs: dict[str, Any]) -> Any:
        directions = (self.forward_layer, self.backward_layer)
        for layer, states in zip(directions, self._split_states(kwargs.get("initial_state")), strict=True):
            if states is not None:
                layer._check_states(list(map(np.shape, states)), None)
        return super()._call_symbolic(inputs, kwargs)

    def _merge(self, forward: np.ndarray, backward: np.ndarray) -> Any:
        if self.merge_mode == "concat":
            return np.concatenate([forward, backward], axis=-1)
        if self.merge_mode == "sum":
            return forward + backward
        if self.merge_mode == "mul":
            return forward * backward
        if self.merge_mode == "ave":
            return (forward + backward) / 2
        return forward, backward

    @open_arguments
    def backward(self, doutputs: Any, cache: Any, need_dx: bool = True) -> Any:
        return Bidirectional.backward_all(self, doutputs, cache, need_dx)[0]

    def backward_all(self, doutputs: Any, cache: Any, need_dx: bool = True) -> tuple[Any, dict[str, Any]]:
        """Returns the gradients of the inputs and of `initial_state`."""
        forward, backward, forward_cache, backward_cache = cache.parts
        forward_y, backward_y = _tree.flatten(forward)[0], _tree.flatten(backward)[0]
        if self.return_sequences:
            backward_y = np.flip(backward_y, axis=1)
        flat = _tree.flatten(doutputs)
        merged, turn = self._places()
        dforward, dbackward = self._split_gradient(flat[:merged], forward_y, backward_y)
        if dbackward is not None and self.return_sequences:
            dbackward = np.ascontiguousarray(np.flip(dbackward, axis=1))
        if self.return_state:
            dforward = [dforward, *flat[merged:turn]]
            dbackward = [dbackward, *flat[turn:]]
        dforward = _with_penalty(self.forward_layer, forward, dforward)
        dbackward = _with_penalty(self.backward_layer, backward, dbackward)
        dx, from_forward = self._run_part_backward(self.forward_layer, dforward, forward_cache, need_dx)
        dx_backward, from_backward = self._run_part_backward(self.backward_layer, dbackward, backward_cache, need_dx)
        dx = dx + dx_backward if need_dx else None
        if not (from_forward and from_backward):  # a `backward` of the user's gives the gradient of the inputs alone
            return dx, {}
        dstates = [*_tree.flatten(from_forward["initial_state"]), *_tree.flatten(from_backward["initial_state"])]
        return dx, {"initial_state": dstates}

    def _places(self) -> tuple[int, int]:
        """Returns where among the outputs the forward states begin, and where the backward ones, if there are any."""
        merged = 2 if self.merge_mode is None else 1
        return merged, merged + self._state_counts()[0]

    def _weights_behind(self, outputs: list[bool]) -> list[Variable]:
        if self.activity_regularizer is not None:
            return self.weights
        merged, turn = self._places()
        forward, backward = [outputs[0], *outputs[merged:turn]], [outputs[merged - 1], *outputs[turn:]]
        return self.forward_layer._weights_behind(forward) + self.backward_layer._weights_behind(backward)

    def _run_part_backward(self, part: Any, doutputs: Any, cache: Any, need_dx: bool) -> tuple[Any, dict[str, Any]]:
        return in_dtype(part.backward_all(in_dtype(doutputs, self, part), cache, need_dx), part, self)

    def _split_gradient(self, merged: list[Any], forward: np.ndarray, backward: np.ndarray) -> tuple[Any, Any]:
        if self.merge_mode is None:
            return merged[0], merged[1]
        dy = merged[0]
        if dy is None:
            return None, None
        if self.merge_mode == "concat":
            width = forward.shape[-1]
            return np.ascontiguousarray(dy[..., :width]), np.ascontiguousarray(dy[..., width:])
        if self.merge_mode == "sum":
            return dy, dy
        if self.merge_mode == "mul":
            return dy * backward, dy * forward
        return dy / 2, dy / 2

    def join_plan(self, plan: ops.Plan, training: bool) -> bool:
        parts = (self.forward_layer, self.backward_layer)
        if any(part.dtype != self.dtype for part in parts):
            return False
        forward, backward = (part.planned(plan, training) for part in parts)
        return plan.add_bidirectional(forward, backward, self.merge_mode)

    def compute_output_shape(self, sequences_shape: Any) -> Any:
        found = [layer.compute_output_shape(sequences_shape) for layer in (self.forward_layer, self.backward_layer)]
        (forward, *ahead), (backward, *back) = ([shape] if is_shape(shape) else shape for shape in found)
        if self.merge_mode == "concat":
            forward = (*forward[:-1], forward[-1] + backward[-1])
        outputs = (forward, backward) if self.merge_mode is None else (forward,)
        shapes = (*outputs, *ahead, *back)
        return shapes if len(shapes) > 1 else forward

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Returns the mask if sequences are returned, once for each output; states have none."""
        mask = _tree.flatten(mask)[0] if self.return_sequences else None
        masks = [mask, mask] if self.merge_mode is None else [mask]
        if self.return_state:
            return [*masks, *([None] * sum(self._state_counts()))]
        return masks if self.merge_mode is None else mask

    def reset_state(self) -> None:
        """Sets the stored states of both directions to zero."""
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    reset_states = reset_state

    @property
    def states(self) -> Any:
        """The stored states: forward, then backward; None where nothing is stored."""
        if self.forward_layer.states is None:
            return None
        return [*self.forward_layer.states, *self.backward_layer.states]

    def get_config(self) -> dict[str, Any]:
        layers = {"layer": self.forward_layer, "backward_layer": self.backward_layer}
        serialized = {name: saving.serialize_keras_object(layer) for name, layer in layers.items()}
        return super().get_config() | serialized

    def _config_names(self) -> list[str]:
        return ["merge_mode"]


def _penalty(layer: Any, outputs: Any) -> float:
    if layer.activity_regularizer is None:
        return 0.0
    return sum(layer._activity_loss(y) for y in _tree.flatten(outputs))


def _with_penalty(layer: Any, outputs: Any, doutputs: Any) -> Any:
    """Returns the gradients of a layer's outputs with those of its activity penalty."""
    if layer.activity_regularizer is None:
        return doutputs
    given = zip(_tree.flatten(outputs), _tree.flatten(doutputs), strict=True)
    added = [layer._activity_gradient(y) + (0 if dy is None else dy) for y, dy in given]
    return added if isinstance(doutputs, list) else added[0]


def _bare(name: str) -> str:
    return name.removeprefix("forward_")


def _rebuild(layer: Any, name: str, go_backwards: bool | None = None) -> Any:
    config = layer.get_config() | {"name": name}
    if go_backwards is not None:
        config["go_backwards"] = go_backwards
    return type(layer).from_config(config)


def _check_pair(forward: Any, backward: Any, merge_mode: str | None) -> None:
    if forward.go_backwards == backward.go_backwards:
        raise ValueError(
            expected("Bidirectional", "forward and backward layers with different go_backwards", forward.go_backwards)
        )
    for name in ("stateful", "return_sequences", "return_state"):
        given = getattr(forward, name), getattr(backward, name)
        if given[0] != given[1]:
            raise ValueError(
                expected("Bidirectional", f"both layers to have the same {name}", f"{given[0]} and {given[1]}")
            )
    sizes = output_size(forward.cell), output_size(backward.cell)
    if merge_mode in ("sum", "mul", "ave") and sizes[0] != sizes[1]:
        what = f"both layers to have the same units with merge_mode={merge_mode!r}"
        raise ValueError(expected("Bidirectional", what, f"{sizes[0]} and {sizes[1]}"))
