"""The loops of training, evaluation and prediction. They print nothing: progress is a callback."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from recurra import _global_random, _tree, random
from recurra.callbacks import CallbackList
from recurra.training.batches import Batch, Epochs, RunPosition
from recurra.training.plan import forget_plans
from recurra.training.trainable import Trainable, infer


def fit(
    trainable: Trainable,
    data: Epochs,
    callbacks: CallbackList,
    epochs: int,
    initial_epoch: int,
    validation: Callable[[int], Epochs | None],
) -> None:
    """Trains.

    Args:
        trainable: The compiled model.
        data: The batches, epoch by epoch.
        callbacks: Called at every hook.
        epochs: Number of the last epoch.
        initial_epoch: Number of the first, from 0.
        validation: Returns the batches to validate on after an epoch, None for no validation.
    """
    model = trainable.model
    model.stop_training = False
    trainable.prepare()
    run = model._run = RunPosition(initial_epoch, random.get_stream_state(), [])
    callbacks.on_train_begin()  # BackupAndRestore sets it to where a run stood that was cut off
    if run.epoch > initial_epoch:  # of a run that had ended too: the next `fit` may go on with the same data
        done = run.epoch - initial_epoch
        data.pass_over(done, run.stream_at_start, run.draws, lambda epoch: validation(initial_epoch + epoch))
    if run.global_states is not None:
        _global_random.set_states(run.global_states)  # now that data which draw from them are passed over
    logs: dict[str, Any] = {}
    wants_batches = callbacks.wants("on_train_batch_end")
    for epoch in range(run.epoch, run.epoch if run.ended else epochs):
        trainable.reset()
        run.broken_off = False
        callbacks.on_epoch_begin(epoch)
        for step, batch in enumerate(data()):
            callbacks.on_train_batch_begin(step)
            trainable.prepare()  # a callback or a generator may have stepped another model that shares weights
            trainable.train_step(batch)
            if wants_batches:
                callbacks.on_train_batch_end(step, trainable.results())
            if model.stop_training:
                run.broken_off = True
                break
        run.draws = data.draws
        logs = trainable.results()
        if (batches := validation(epoch)) is not None:
            logs = logs | {f"val_{name}": value for name, value in evaluate(trainable, batches(), callbacks).items()}
        logs = trainable.in_history_order(logs)
        callbacks.on_epoch_end(epoch, dict(logs))  # what a callback adds is for the history alone
        if model.stop_training:
            break
    forget_plans(model)
    if epochs > 0:
        trainable.optimizer.finalize_variable_values(trainable.variables)
    callbacks.on_train_end(logs)


def _clear_flag(model: Any, flag: str) -> None:
    """Takes back a callback's word of an earlier run; setting it for nothing would count as a change."""
    if getattr(model, flag):
        setattr(model, flag, False)


def evaluate(trainable: Trainable, batches: Iterable[Batch], callbacks: CallbackList) -> dict[str, Any]:
    """Returns losses and metrics of the batches."""
    model = trainable.model
    _clear_flag(model, "stop_evaluating")
    trainable.reset()
    callbacks.on_test_begin()
    wants_batches = callbacks.wants("on_test_batch_end")
    for step, batch in enumerate(batches):
        callbacks.on_test_batch_begin(step)
        trainable.test_step(batch)
        if wants_batches:
            callbacks.on_test_batch_end(step, trainable.results())
        if model.stop_evaluating:
            break
    logs = trainable.results()
    callbacks.on_test_end(logs)
    return logs


def predict_step(model: Any, inputs: Any) -> Any:
    """Returns the model's outputs for a batch, each in memory of its own: layers may hand their inputs through."""
    outputs = infer(model, inputs)[0]
    taken = _tree.flatten(inputs)

    def own(y: Any) -> Any:
        taken.append(y.copy() if any(np.may_share_memory(x, y) for x in taken) else y)
        return taken[-1]

    return _tree.map_structure(own, outputs)


def predict(model: Any, batches: Iterable[Batch], callbacks: CallbackList) -> Any:
    """Returns the model's outputs for all batches, end to end."""
    _clear_flag(model, "stop_predicting")
    callbacks.on_predict_begin()
    structure: Any = None
    parts: list[list[np.ndarray]] = []
    for step, (inputs, _, _) in enumerate(batches):
        callbacks.on_predict_batch_begin(step)
        structure = predict_step(model, inputs)
        parts.append(_tree.flatten(structure))
        callbacks.on_predict_batch_end(
            step, {"outputs": structure} if callbacks.wants("on_predict_batch_end") else None
        )
        if model.stop_predicting:
            break
    callbacks.on_predict_end()
    joined = [np.concatenate(pieces) if len(pieces) > 1 else pieces[0] for pieces in zip(*parts, strict=True)]
    return _tree.pack_as(structure, joined)
