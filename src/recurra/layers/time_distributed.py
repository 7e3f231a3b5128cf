"""TimeDistributed: one layer at every time step."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra import ops, saving
from recurra._arguments import open_arguments
from recurra._arrays import as_numbers
from recurra._checks import expected
from recurra.layers.base import Layer
from recurra.layers.dense import Dense
from recurra.layers.normalization import BatchNormalization
from recurra.layers.recurrent import RNN
from recurra.layers.wrapper import Wrapper


@saving.builtin("keras.layers")
class TimeDistributed(Wrapper):
    """Applies a layer to each time step, with the same weights (https://keras.io/api/layers/recurrent_layers/time_distributed).

    All N * T steps go through the layer as one batch; in training, where batch normalization is in it, step by step.

    Args:
        layer: The layer.

    Call:
        inputs: (N, T, ...).
        training: Handed to the layer.
        mask: bool (N, T, ...), handed on; a layer that takes masks gets its part (N * T, ...).

    Returns:
        (N, T, ...), what the layer gives for each step.

    Raises:
        ValueError: If `layer` is not a layer, or the input has no time axis.

    >>> recurra.layers.TimeDistributed(recurra.layers.Dense(3))(np.ones((2, 4, 5), np.float32)).shape
    (2, 4, 3)
    """

    supports_masking = True

    def build(self, input_shape: Any) -> None:
        if len(input_shape) < 3:
            what = "input of shape (batch, timesteps, ...), 3 axes at least"
            hint = "give a recurrent layer before it return_sequences=True" if len(input_shape) == 2 else None
            raise ValueError(expected("TimeDistributed", what, input_shape, hint))
        super().build((input_shape[0], *input_shape[2:]))

    def forward(
        self, inputs: np.ndarray, training: bool = False, mask: Any = None, keep_cache: bool = True
    ) -> tuple[np.ndarray, Any]:
        batch, timesteps = inputs.shape[:2]
        steps = np.ascontiguousarray(inputs).reshape(batch * timesteps, *inputs.shape[2:])
        step_mask = None
        if mask is not None and np.shape(mask)[:2] != (batch, timesteps):
            raise ValueError(
                expected("TimeDistributed", f"a mask of shape ({batch}, {timesteps}, ...)", np.shape(mask))
            )
        takes_steps = not isinstance(self.layer, RNN)  # it wants a mask of time steps of its own
        if mask is not None and (np.ndim(mask) > 2 or takes_steps):
            step_mask = np.asarray(mask).reshape(batch * timesteps, *np.shape(mask)[2:])
        steps = self.layer._cast_inputs(steps)
        if training and _has_statistics(self.layer):  # each step is a batch of its own to them
            return self._forward_by_step(steps.reshape(batch, timesteps, *steps.shape[1:]), step_mask, keep_cache)
        outputs, cache, _ = self.layer._run_layer(steps, step_mask, training, {}, keep_cache)
        if not isinstance(outputs, np.ndarray):
            raise ValueError(expected("TimeDistributed", "a layer with one output", repr(self.layer)))
        return outputs.reshape(batch, timesteps, *outputs.shape[1:]), cache

    def _forward_by_step(self, steps: np.ndarray, mask: Any, keep_cache: bool) -> tuple[np.ndarray, Any]:
        batch, timesteps = steps.shape[:2]
        masks = [None] * timesteps
        if mask is not None:
            masks = list(np.moveaxis(mask.reshape(batch, timesteps, *mask.shape[1:]), 1, 0))
        results = [
            self.layer._run_layer(np.ascontiguousarray(steps[:, t]), masks[t], True, {}, keep_cache)
            for t in range(timesteps)
        ]
        return np.stack([outputs for outputs, _, _ in results], axis=1), [cache for _, cache, _ in results]

    @open_arguments
    def backward(self, doutputs: np.ndarray, cache: Any, need_dx: bool = True) -> Any:
        batch, timesteps = doutputs.shape[:2]
        if isinstance(cache, list):
            one = [
                self.layer.backward_all(np.ascontiguousarray(doutputs[:, t]), cache[t], need_dx=need_dx)[0]
                for t in range(timesteps)
            ]
            return np.stack(one, axis=1) if need_dx else None
        steps = np.ascontiguousarray(doutputs).reshape(batch * timesteps, *doutputs.shape[2:])
        dx, _ = self.layer.backward_all(steps, cache, need_dx=need_dx)
        return None if dx is None else dx.reshape(batch, timesteps, *dx.shape[1:])

    def join_plan(self, plan: ops.Plan, training: bool) -> bool:
        return isinstance(self.layer, Dense) and self.layer.join_plan(plan, training)

    def compute_output_shape(self, input_shape: Any) -> Any:
        step = self.layer.compute_output_shape((input_shape[0], *input_shape[2:]))
        return (input_shape[0], input_shape[1], *step[1:])

    def _cast_inputs(self, inputs: Any) -> Any:
        return as_numbers(inputs, f"layer {self.name!r}")  # `forward` casts the steps as the layer takes them


def _has_statistics(layer: Layer) -> bool:
    return any(isinstance(part, BatchNormalization) for part in layer._flatten_layers())
