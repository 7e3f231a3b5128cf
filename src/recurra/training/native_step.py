"""A training step as one native call: a plan, a loss that native code knows, and the optimizer if it knows that too.

It gives the bits of the general way in `Trainable.train_step`, which stays the meaning of a step. What native code does
not know (several outputs, other losses) takes that way; other optimizers and penalties follow the call.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra import _changes, config
from recurra._arrays import contiguous
from recurra._signals import HeldSignals
from recurra.training.batches import Batch
from recurra.training.plan import ModelPlan, is_plain


class NativeStep:
    """The native step of a plan that a `Trainable` trains, if there is one, and as long as it holds.

    Args:
        plan: It says by itself whether it holds, and with it whether the weights are where they were.
        trainable: The compiled model.

    Attributes:
        mask: Of the result of the arrays that it was last asked about, None if it has none.
        updates: Whether a call is the whole step. If not, it leaves gradients behind, and penalties and the optimizer
            have to follow.
    """

    def __init__(self, plan: ModelPlan, trainable: Any):
        self._line = plan.native
        self._mask_of = plan.mask_of
        self._trainable = trainable
        self._loss = trainable.losses.losses[0]
        self._changed = self._last_changes()
        self._is_penalised = bool(trainable.regularized)
        self._dtype = plan.native.dtype
        self._native, self.updates = _make(plan, trainable)
        self._has_ids = self._line.takes_ids
        self._has_labels = self._native is not None and self._native.has_labels
        self._known: Any = None
        self._shape: tuple[int, ...] = ()
        self._drawn: list[tuple[int, ...]] = []
        self._arrays: tuple[Any, ...] = ()
        self.mask: np.ndarray | None = None
        self._constrained = False

    def is_current(self, trainable: Any) -> bool:
        """Returns whether optimizer, loss and penalties are those that the step was made of."""
        same = self._trainable is trainable and trainable.losses.losses[0] is self._loss
        return same and self._changed == self._last_changes() and self._is_penalised == bool(trainable.regularized)

    def _last_changes(self) -> tuple[float, ...]:
        return self._trainable.optimizer._changed, getattr(self._loss, "_changed", 0), config.epsilon()

    def learn(self, batch: Batch, shape: tuple[int, ...], drawn: list[tuple[int, ...]]) -> bool:
        """Returns whether the step takes a batch; if so, a call does, and it knows arrays like these from now on.

        Args:
            batch: Inputs that the plan takes, targets and weights.
            shape: Of the result.
            drawn: Shapes of what dropout multiplies.
        """
        (x,), (target,), (weight,) = batch
        if self._native is None or target is None or not self._loss.is_fused(target.shape, shape):
            return False
        self._shape = shape
        self._drawn = drawn
        self._constrained = any(variable.constraint is not None for variable in self._trainable.variables)
        self._known = _form(x, target, weight)
        return self._take(x, target, weight)

    def knows(self, trainable: Any, x: Any, target: Any, weight: Any) -> bool:
        """Returns whether nothing has changed since it learned arrays like these; if so, a call takes a step with them.

        They need neither check nor cast.
        """
        form = _form(x, target, weight)
        known = form is not None and form == self._known and self._trainable is trainable
        return known and self._take(x, target, weight)

    def _take(self, x: np.ndarray, target: np.ndarray, weight: Any) -> bool:
        """Returns whether ids are those of rows, labels of classes, and weights not all zero.

        What is wrong with others, the layers and the loss tell.
        """
        read = self._line.read(x) if self._has_ids else x
        target = contiguous(target, self._dtype)
        if read is None or (self._has_labels and not self._native.takes(target, self._shape[-1])):
            return False
        weights, total = None, 0.0
        self.mask = self._mask_of(x)
        if weight is not None or self.mask is not None:
            weighing = self._loss.fused_weights(target.shape, self._shape, self._dtype, weight, self.mask)
            if weighing is None:
                return False
            weights, total = contiguous(weighing[0]), weighing[1]
        self._arrays = read, target, weights, total, self._shape[-1]
        return True

    def __call__(self) -> tuple[float, np.ndarray | None]:
        """Takes a step with the arrays that it was last asked about; returns the loss, and for metrics the result."""
        y = np.empty(self._shape, self._dtype) if self._trainable.metrics else None
        optimizer = self._trainable.optimizer
        arguments = y, *self._arrays, float(optimizer.learning_rate) if self.updates else 0.0
        self._arrays = ()
        if not self.updates:
            self._line.draw(self._drawn)
            return self._native(*arguments), y
        if not (self._drawn or self._constrained):
            return self._native(*arguments), y
        with HeldSignals():  # all of a step or nothing
            self._line.draw(self._drawn)
            loss = self._native(*arguments)
            if self._constrained:
                optimizer.constrain(self._trainable.variables)
        return loss, y


def _form(x: Any, target: Any, weight: Any) -> Any:
    """Returns what decides whether a model takes arrays as they are."""
    if type(x) is not np.ndarray or type(target) is not np.ndarray:
        return None
    of_weight = None if weight is None else (weight.shape, weight.dtype)
    return _changes.last, x.shape, x.strides, x.dtype, x.flags.aligned, target.shape, target.dtype, of_weight


def native_step(plan: ModelPlan, trainable: Any) -> NativeStep:
    """Returns the native step of a plan, made at the first call and again after changes."""
    if plan.step is None or not plan.step.is_current(trainable):
        plan.step = NativeStep(plan, trainable)
    return plan.step


def _make(plan: ModelPlan, trainable: Any) -> tuple[Any, bool]:
    """Returns the native step or None, and whether it ends with the update."""
    (loss, *others), optimizer, line = trainable.losses.losses, trainable.optimizer, plan.native
    if loss is None or others or trainable.losses.factors != [1] or len(trainable.arenas) != 1 or not is_plain(loss):
        return None, False
    options = loss.as_mean_loss(line.dtype)
    if options is None or (line.takes_ids and optimizer.clipnorm):  # of the parts of a gradient, not of their sum
        return None, False
    whole = is_plain(optimizer) and not trainable.regularized
    update = optimizer.as_native(trainable.variables) if whole else None
    if update is None and line.takes_ids and not optimizer.takes_sums():
        return None, False
    return line.trainer(options, trainable.arenas[0].grads, update), update is not None
