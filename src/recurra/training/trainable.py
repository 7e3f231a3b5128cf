"""A compiled model made ready for steps: forward, loss, backward, update, and what a step leaves in the logs."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from recurra import _changes, _tree
from recurra._checks import expected
from recurra._signals import HeldSignals
from recurra.layers.base import penalties
from recurra.layers.recurrent import RNN, copied_states, stateful_layers
from recurra.training.batches import Batch
from recurra.training.compiled import CompiledLosses, CompiledMetrics
from recurra.training.native_step import NativeStep, native_step
from recurra.training.plan import ModelPlan, plan_of
from recurra.variables import Arena, Variable

_Run = tuple[list[Any], list[Any], float, list[float]]  # outputs, their masks, total loss, each output's loss


class Trainable:
    """A compiled model made ready for steps: its weights in arenas, its losses and metrics in the outputs' order.

    Args:
        model: A built model. Its optimizer is built for its trainable weights; another may be set between two steps.
        losses: The losses of the outputs.
        metrics: The metrics, and the weighted ones.
    """

    def __init__(self, model: Any, losses: CompiledLosses, metrics: tuple[CompiledMetrics, CompiledMetrics]):
        self.model = model
        self.losses = losses
        self.metrics = [metric for metric in metrics if metric]
        self.arenas: list[Arena] = []
        self.variables: list[Variable] = []
        self.regularized: list[Any] = []  # of them those with a penalty
        self.statistics: list[Variable] = []  # what a forward run changes, random states too
        self.stateful: list[RNN] = []
        self.loss_sum = self.rows = 0.0
        self._penalty: float | None = None  # of the weights, which an evaluation leaves as they are
        self._seen = -1
        self._trained: list[Variable] = []  # those with a gradient, once a step has asked for them

    @property
    def optimizer(self) -> Any:
        """The model's."""
        return self.model.optimizer

    def prepare(self) -> None:
        """Lays the weights that train now into arenas, unless they lie there.

        Raises:
            ValueError: Without an optimizer, or if the model was compiled anew since this was made.
        """
        now = _changes.last
        if now == self._seen:
            return
        if self.model._trainable_state is not self:
            hint = "set model.optimizer, or call fit again after compile()"
            raise ValueError(expected("fit", "a model that stays compiled as it was", "compile() during fit", hint))
        if self.optimizer is None:
            hint = "name one in compile(optimizer=...)"
            raise ValueError(expected("training", "an optimizer", "none", hint))
        variables = self.model.trainable_weights
        self.optimizer.build(variables)
        self._trained = []
        self.regularized = [variable for variable in variables if variable.regularizer is not None]
        self.statistics = [variable for layer in self.model._flatten_layers() for variable in layer._own_statistics()]
        self.stateful = stateful_layers(self.model)
        same = list(map(id, variables)) == list(map(id, self.variables))  # == compares values
        if self.arenas and same and all(arena.is_current() for arena in self.arenas):
            self._seen = now
            return
        self.variables = variables
        by_dtype: dict[str, list[Variable]] = {}
        for variable in self.variables:
            by_dtype.setdefault(variable.dtype, []).append(variable)
        self.arenas = [Arena(variables) for variables in by_dtype.values()]  # last: other threads go by them

    def reset(self) -> None:
        """Forgets losses and metrics of the batches so far."""
        self.loss_sum = self.rows = 0.0
        self._penalty = None
        for tracker in self.losses.trackers.values():
            tracker.reset_state()
        for metric in self.metrics:
            metric.reset()

    def results(self) -> dict[str, Any]:
        """Returns the means of the losses, weighted by rows, and the metrics, in alphabetical order."""
        logs: dict[str, Any] = {"loss": self.loss_sum / self.rows if self.rows else 0.0}
        if not self.metrics and not self.losses.trackers:
            return logs
        for tracker in self.losses.trackers.values():
            logs[tracker.name] = float(tracker.result())
        for metric in self.metrics:
            logs |= metric.results()
        return self.in_history_order(logs)

    def in_history_order(self, logs: dict[str, Any]) -> dict[str, Any]:
        """Returns logs in alphabetical order, those of one metric together under its name: the order of a history."""
        groups = {name: group for metric in self.metrics for name, group in metric.groups.items()}
        return {name: logs[name] for name in sorted(logs, key=lambda name: (groups.get(name, name), name))}

    def order(self, logs: dict[str, Any]) -> list[str]:
        """Returns the names of logs as Keras lists them: losses, metrics of one output as compiled, the rest sorted."""
        names = ["loss", *(tracker.name for tracker in self.losses.trackers.values())]
        names += [entry.own_name for group in self.metrics for entry in group.entries or []]
        return [name for name in names if name in logs] + sorted(name for name in logs if name not in names)

    def known_step(self, x: Any, y: Any, weight: Any = None) -> NativeStep | None:
        """Returns the native step, about to be taken with these arrays, if it knows arrays like them."""
        plan = plan_of(self.model, training=True)
        step = None if plan is None else plan.step
        return step if step is not None and step.knows(self, x, y, weight) else None

    def train_natively(self, step: NativeStep, batch: Batch) -> None:
        """One step with a batch that it knows."""
        if step.updates:
            loss, result = step()
            self._record(batch, [result], [step.mask], loss, [loss])
        else:
            self._train(batch, partial(self._native_gradients, step))

    def train_step(self, batch: Batch) -> None:
        """One step: forward, loss, backward, update; in one native call where there is one."""
        (x, *_), (y, *_), (weight, *_) = batch
        step = self.known_step(x, y, weight)
        if step is not None:
            self.train_natively(step, batch)
            return
        plan = plan_of(self.model, training=True)
        shape = plan.output_shape(x) if plan is not None else None
        if plan is not None and shape is not None:
            step = native_step(plan, self)
            if step.learn(batch, shape, plan.drawn_shapes(x)):
                self.train_natively(step, batch)
                return
        runs = plan is not None and shape is not None and not plan.native.takes_ids
        self._train(batch, partial(self._gradients, batch, plan if runs else None, shape))

    def _train(self, batch: Batch, gradients: Callable[[], _Run]) -> None:
        """One step whose gradients, from zero, a call leaves in the arenas.

        What raises before the update leaves nothing changed; an interrupt in the update comes after it.
        """
        before = [variable.value.copy() for variable in self.statistics], copied_states(self.stateful)
        try:
            outputs, masks, total, values = gradients()
            total += self._penalise()
            trained = self._with_gradient()
            held = HeldSignals()
        except BaseException:  # Ctrl-C too
            self._go_back(*before)
            raise
        with held:  # no half of an update stays
            if self.optimizer.loss_scale_factor:
                for arena in self.arenas:
                    arena.grads *= self.optimizer.loss_scale_factor
            if trained:
                self.optimizer.step(trained)
        self._record(batch, outputs, masks, total, values)

    def _with_gradient(self) -> list[Variable]:
        """Returns the weights that a loss or a penalty depends on: others do not decay either, as in Keras."""
        if self._trained:
            return self._trained
        has_loss = [position in self.losses.trained for position in range(len(self.losses.losses))]
        behind = set(map(id, self.model._weights_behind(has_loss) + self.regularized))
        self._trained = [variable for variable in self.variables if id(variable) in behind]
        left = [variable.path for variable in self.variables if id(variable) not in behind]
        if left:
            warnings.warn(f"Gradients do not exist for variables {left} when minimizing the loss.", stacklevel=2)
        return self._trained

    def _go_back(self, values: list[np.ndarray], states: list[Any]) -> None:
        """Undoes what the forward run of a refused or interrupted batch changed: statistics, random states, states."""
        for variable, value in zip(self.statistics, values, strict=True):
            variable.value[...] = value
        for layer, own in zip(self.stateful, states, strict=True):
            layer.states = own

    def _native_gradients(self, step: NativeStep) -> _Run:
        loss, result = step()
        return [result], [step.mask], loss, [loss]

    def _gradients(self, batch: Batch, plan: ModelPlan | None, shape: tuple[int, ...] | None) -> _Run:
        inputs, targets, weights = batch
        outputs, masks, activity_loss, backward = self._forward(inputs, plan, shape or ())
        total, values, gradients = self.losses.values_and_gradients(targets, outputs, weights, masks)
        for arena in self.arenas:
            arena.zero_grad()
        backward(gradients if len(gradients) > 1 else gradients[0])
        return outputs, masks, total + activity_loss, values

    def _forward(
        self, inputs: list[Any], plan: ModelPlan | None, shape: tuple[int, ...]
    ) -> tuple[list[Any], list[Any], float, Callable[[Any], Any]]:
        """Returns the outputs, their masks, the activity loss, and the backward run that takes their gradients."""
        if plan is not None:
            return [plan.forward(inputs[0], shape)], [plan.mask_of(inputs[0])], 0.0, plan.native.backward
        outputs, cache, masks = self.model._run_layer(inputs, None, True, {}, True)
        outputs, masks = _leaves(outputs, masks)
        backward = partial(self.model.backward_all, cache=cache, need_dx=False)
        return outputs, masks, getattr(cache, "activity_loss", 0.0), backward

    def test_step(self, batch: Batch) -> None:
        """Adds a batch to the losses and metrics, without training on it."""
        inputs, targets, weights = batch
        outputs, cache, masks = infer(self.model, inputs)
        outputs, masks = _leaves(outputs, masks)
        total, values = self.losses.values(targets, outputs, weights, masks)
        if self._penalty is None:  # not before the first run, which may build the model
            self._penalty = sum(penalties(self.model.trainable_weights))
        total += self._penalty + getattr(cache, "activity_loss", 0.0)
        self._record(batch, outputs, masks, total, values)

    def _penalise(self) -> float:
        """Adds the gradients of the weights' penalties, and returns the penalties."""
        for variable in self.regularized:
            variable.grad[...] += variable.regularizer.gradient(variable.value)
        return sum(penalties(self.regularized))

    def _record(self, batch: Batch, outputs: list[Any], masks: list[Any], total: float, values: list[float]) -> None:
        rows = len(batch[0][0])
        self.loss_sum += total * rows
        self.rows += rows
        for position, tracker in self.losses.trackers.items():
            tracker.update_state(values[position])  # Keras on TensorFlow does not weigh these by rows
        for metric in self.metrics:
            metric.update(batch[1], outputs, batch[2], masks)


def _leaves(outputs: Any, masks: Any) -> tuple[list[Any], list[Any]]:
    outputs = _tree.flatten(outputs)
    found = _tree.flatten(masks) if masks is not None else []
    return outputs, found if len(found) == len(outputs) else [None] * len(outputs)


def infer(model: Any, inputs: Any) -> tuple[Any, Any, Any]:
    """Runs a model on a batch; an error or Ctrl-C leaves the states of stateful layers as they were."""
    stateful = stateful_layers(model)
    if not stateful:
        return model._run_layer(inputs, None, False, {}, False)
    before = copied_states(stateful)
    try:
        return model._run_layer(inputs, None, False, {}, False)
    except BaseException:
        for layer, states in zip(stateful, before, strict=True):
            layer.states = states
        raise
