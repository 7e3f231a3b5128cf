"""The part of a model that trains: Keras's words, thin over the loops."""

from __future__ import annotations

import math
import numbers
import warnings
from collections.abc import Collection, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra import _tree, config, losses, metrics, optimizers, saving
from recurra._arguments import knows_arguments
from recurra._arrays import as_array, as_numbers, plain_numbers_as_array
from recurra._checks import expected, positive_int
from recurra._missing import Gone, names_there
from recurra.callbacks import CallbackList, History
from recurra.layers.activation import Softmax
from recurra.layers.base import Layer
from recurra.layers.recurrent import RNN, stateful_layers
from recurra.losses import LossFunctionWrapper
from recurra.training import loop
from recurra.training.batches import (
    ArrayBatches,
    Epochs,
    IterableBatches,
    NestedInputs,
    RunPosition,
    UncastInputs,
    is_iterable_data,
    rows_of,
)
from recurra.training.compiled import ACCURACY, CROSSENTROPY, CompiledLosses, CompiledMetrics, is_called, is_nested
from recurra.training.data import (
    arrays_of,
    batch_to_predict,
    fit_sources,
    rows_cast_at_once,
    source_of,
    uncast_inputs_of,
    with_predictions,
)
from recurra.training.outputs import Outputs
from recurra.training.plan import ModelPlan, plan_of
from recurra.training.trainable import Trainable

_AUTO = "auto"


_TRAIN_STEPS = (
    "train_step",
    "test_step",
    "compute_loss",
    "compute_metrics",
    "get_metrics_result",
    "make_train_function",
    "make_test_function",
)
_PREDICT_STEPS = ("predict_step", "make_predict_function")


class Trainer(Layer):
    """compile, fit, evaluate and predict for a `Model` (https://keras.io/api/models/model_training_apis)."""

    optimizer: Any = None
    history: History  # of the last `fit`
    loss: Any = None
    stop_training = stop_evaluating = stop_predicting = False
    run_eagerly: bool = False
    jit_compile = False
    steps_per_execution: int = 1
    _trainable_state: Trainable | None = None
    _run: RunPosition | None = None  # of the last `fit`
    _compile_arguments: dict[str, Any] | None = None
    _own_train_step: str | None = None  # a method that Keras's loops would call: those of recurra do not
    _own_predict_step: str | None = None
    _outputs = Outputs("output", ["output"])  # the outputs as losses, metrics and data see them
    if not TYPE_CHECKING:  # type checkers know themselves that these are not there
        fit_generator, evaluate_generator = Gone("fit takes generators"), Gone("evaluate takes generators")
        predict_generator, predict_proba = Gone("predict takes generators"), Gone("predict gives probabilities")
        predict_classes = Gone("write predict(x).argmax(axis=-1), or (predict(x) > 0.5).astype(int) behind a sigmoid")

    def __dir__(self) -> list[str]:
        return names_there(self, super().__dir__())

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._own_train_step = _overridden(cls, _TRAIN_STEPS)
        cls._own_predict_step = _overridden(cls, _PREDICT_STEPS)

    @knows_arguments
    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Says how the model is trained.

        Args:
            optimizer: Name, config or object.
            loss: A loss for all outputs; or losses nested as the outputs are, in a list in their order, or in a dict by
                the names of their layers; None for an output that is not trained.
            loss_weights: Factors of the outputs' losses, in the same forms.
            metrics: What to report beside the loss, in the same forms, one or a list for each output; sample weights
                do not count.
            weighted_metrics: The same; sample weights count.
            run_eagerly, steps_per_execution, jit_compile, auto_scale_loss: Accepted, change nothing.

        Raises:
            ValueError: If a name is unknown.
            NotImplementedError: If the model's class has a `train_step` or the like of its own.
        """
        if self._own_train_step:
            hint = "write a loss, a metric, a callback, or a loop over train_on_batch"
            raise NotImplementedError(expected("compile", "a model without its own steps", self._own_train_step, hint))
        _check_names(loss, metrics, weighted_metrics)
        self.optimizer = optimizers.get(optimizer)
        self.loss = loss
        self.run_eagerly, self.steps_per_execution = run_eagerly, steps_per_execution
        given = {"loss": loss, "loss_weights": loss_weights, "metrics": metrics, "weighted_metrics": weighted_metrics}
        flags = {"run_eagerly": run_eagerly, "steps_per_execution": steps_per_execution, "jit_compile": False}
        self._compile_arguments = given | flags
        self._trainable_state = None

    @property
    def compiled(self) -> bool:
        """Whether `compile` was called."""
        return self._compile_arguments is not None

    def _check_compiled(self, who: str) -> dict[str, Any]:
        """Returns what `compile` was told; ValueError if it was not called."""
        if self._compile_arguments is None:
            raise ValueError(expected(who, "a compiled model", f"{self.name!r}", "call compile() first"))
        return self._compile_arguments

    def _trainable_model(self, who: str) -> Trainable:
        """Returns the compiled model made ready for steps; made once, when the outputs are known.

        Raises:
            ValueError: If the model is not compiled, or has nothing to make smaller.
        """
        given = self._check_compiled(who)
        if self._trainable_state is None:
            outputs = self._outputs
            taken: dict[str, int] = {}
            plain = CompiledMetrics(given["metrics"], outputs, taken)
            weighted = CompiledMetrics(given["weighted_metrics"], outputs, taken, weighted=True)
            losses = CompiledLosses(given["loss"], given["loss_weights"], outputs)
            if not losses and not _has_penalties(self):
                raise ValueError(expected(who, "a loss to train with", "none", "name one in compile(loss=...)"))
            _check_cells(self, who)
            _warn_of_probabilities(self, losses.losses, who)
            self._trainable_state = Trainable(self, losses, (plain, weighted))
        return self._trainable_state

    # Data -----------------------------------------------------------------------------------------------------------

    def build_for(self, inputs: Any, batch_size: int | None = None) -> None:
        """Builds the model for the shapes of these arrays, if it is not built.

        Args:
            inputs: Arrays, nested as the model takes them.
            batch_size: How many of their rows are a batch, for stateful layers; None for all.
        """
        if self.built:
            return
        keeps_states = bool(stateful_layers(self))

        def shape_of(x: Any) -> tuple[int | None, ...]:
            rows, *sizes = as_numbers(x, "the data").shape or (None,)
            return (rows if batch_size is None else min(rows, batch_size)) if keeps_states else None, *sizes

        self._build_for(_tree.map_structure(shape_of, plain_numbers_as_array(inputs)))

    def standardize_inputs(self, inputs: Any, largest: float = math.inf) -> list[Any]:
        """Returns the inputs as arrays that `_run_layer` takes; `largest` is for models that know their dtypes."""
        return NestedInputs(_tree.flatten(self._cast_inputs(inputs)), inputs)

    def _infer(self, leaves: list[Any], batch_size: float = math.inf) -> tuple[Any, ModelPlan] | None:
        """Returns the outputs by one native call, and its plan; None where that is not possible, as for this class.

        Batches may be joined to one call, except those of a stateful model.
        """
        return None

    # Loops ----------------------------------------------------------------------------------------------------------

    @knows_arguments
    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str | None = _AUTO,
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool | str = True,
        class_weight: Mapping[Any, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Any = 1,
    ) -> History:
        """Trains the model.

        Args:
            x: Inputs: an array, a list or dict of arrays; or an iterable of (x, y) or (x, y, sample_weight).
            y: Targets, nested as the outputs are, in a list in their order, or in a dict by the names of their layers;
                outputs without a loss may be left out.
            batch_size: Rows of a step; if None 32, or with `steps_per_epoch` and arrays what makes that many steps.
            epochs: How often to go through the data (with `initial_epoch`: the number at which to stop).
            verbose: 0 or None silent, 1 or "auto" a bar, 2 a line an epoch.
            callbacks: A list of callbacks.
            validation_split: Fraction of the rows, taken from the end before shuffling, to validate on.
            validation_data: (x, y) or (x, y, sample_weight) to validate on, or an iterable.
            shuffle: Whether each epoch has its own order of rows; "batch": of batches.
            class_weight: Weights of the samples, or of the time steps where each has its class.
            sample_weight: Weights of the samples for all outputs; or for each, in the forms of `y`.
            initial_epoch: Number of the first epoch, from 0.
            steps_per_epoch, validation_steps: Batches of an epoch and of a validation; None for all.
            validation_batch_size: Rows of a batch of the validation; `batch_size` if None.
            validation_freq: Validate every so many epochs, or at the epochs (from 1) of a list.

        Returns:
            The history: losses and metrics by epoch.

        Raises:
            ValueError: If the model is not compiled, the data do not fit it, or an option is out of range.
            TypeError: If a number of epochs, batches or rows is not a whole number, or one of the callbacks is not a
                callback.
        """
        self._check_compiled("fit")
        _refuse_data("fit", batch_size)
        steps_per_epoch = _steps("fit", "steps_per_epoch", steps_per_epoch)
        validation_steps = _steps("fit", "validation_steps", validation_steps)
        for name, given in (("epochs", epochs), ("initial_epoch", initial_epoch)):
            if not isinstance(given, numbers.Integral):
                raise TypeError(expected("fit", f"{name} to be a whole number", repr(given)))
        if not isinstance(validation_freq, Collection) or isinstance(validation_freq, str):
            positive_int("fit", "validation_freq", validation_freq)
        data, size = (x, y, sample_weight, class_weight), validation_batch_size or batch_size
        source, validation = fit_sources(
            self, data, batch_size, shuffle, steps_per_epoch, validation_split, validation_data, size, validation_steps
        )
        trainable = self._trainable_model("fit")
        callbacks = self._fit_callbacks(callbacks, verbose, epochs, steps_per_epoch or source.steps)

        def validation_after(epoch: int) -> Epochs | None:
            due = validation is not None and _is_due(epoch + 1, validation_freq)
            return Epochs(validation, validation_steps) if due else None

        loop.fit(trainable, Epochs(source, steps_per_epoch), callbacks, epochs, initial_epoch, validation_after)
        return self.history

    @knows_arguments
    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: int | str | None = _AUTO,
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """Returns the loss of data, or a list of it and the metrics, without training.

        Args:
            x, y, sample_weight: As in `fit`.
            batch_size: Rows of a batch; if None 32, or with `steps` and arrays what makes that many batches.
            verbose: 0 or None silent, 1 or "auto" a bar, 2 a line.
            steps: Batches; None for all.
            callbacks: A list of callbacks.
            return_dict: Whether to return a dict by the names in logs.

        Raises:
            ValueError: If the model is not compiled, the data do not fit it, or an option is out of range.
            TypeError: If a number of rows or batches is not a number, or one of the callbacks is not a callback.
        """
        self._check_compiled("evaluate")
        _refuse_data("evaluate", batch_size)
        steps = _steps("evaluate", "steps", steps)
        source = source_of(self, x, y, sample_weight, batch_size, steps, "evaluate")
        trainable = self._trainable_model("evaluate")
        callbacks = self._callbacks(callbacks, verbose, steps or source.steps)
        logs = loop.evaluate(trainable, Epochs(source, steps)(), callbacks)
        return logs if return_dict else self._in_order(logs)

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: int | str | None = _AUTO,
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """Returns the model's outputs for all rows of `x`, computed batch by batch.

        Args:
            x: Inputs, as in `fit`.
            batch_size: Rows of a batch; if None 32, or with `steps` and arrays what makes that many batches.
            verbose: 0 or None silent, 1 or "auto" a bar, 2 a line.
            steps: Batches; None for all.
            callbacks: A list of callbacks.

        Raises:
            ValueError: If the data do not fit the model, or an option is out of range.
            TypeError: If a number of rows or batches is not a number, or one of the callbacks is not a callback.
            NotImplementedError: If the model's class has a `predict_step` or the like of its own.
        """
        if self._own_predict_step:
            hint = "call the model, or change what predict gives"
            raise NotImplementedError(
                expected("predict", "a model without its own steps", self._own_predict_step, hint)
            )
        if batch_size is not None:
            _refuse_data("predict", batch_size)
        steps = _steps("predict", "steps", steps)
        if x is None:
            raise ValueError(expected("predict", "x, the inputs", "none"))
        silent = not callbacks and not verbose and not steps
        if silent and type(x) is np.ndarray and self.built:
            if batch_size is not None:
                positive_int("predict", "batch_size", batch_size)
            inferred = self._infer([x], batch_size or 32)
            if inferred is not None:
                return inferred[0]
        if is_iterable_data(x):
            source: Any = IterableBatches(x, partial(batch_to_predict, self), who="predict")
        else:
            inputs = uncast_inputs_of(self, x, batch_size or 32)
            if silent and self._takes_at_once(rows_of((inputs, [], []), "predict"), batch_size):
                if not isinstance(inputs, UncastInputs):
                    return loop.predict_step(self, inputs)
                batch_size = max(batch_size or 32, rows_cast_at_once(inputs[0]))
            source = ArrayBatches(inputs, [], [], batch_size=batch_size, steps=steps, who="predict")
        callbacks = self._callbacks(callbacks, verbose, steps or source.steps)
        return loop.predict(self, Epochs(source, steps)(), callbacks)

    def _takes_at_once(self, rows: int, batch_size: int | None) -> bool:
        """Returns whether `_run_layer` may predict all rows: native plans cut them by themselves."""
        size = 32 if batch_size is None else positive_int("predict", "batch_size", batch_size)
        if 0 < rows <= size:
            return True
        plan = plan_of(self, training=False)
        return rows > 0 and plan is not None and plan.rows is None

    def _callbacks(self, callbacks: Any, verbose: int | str | None, steps: int | None) -> CallbackList:
        if isinstance(callbacks, CallbackList):
            return callbacks
        verbose = _verbosity(verbose)
        return CallbackList(callbacks, add_progbar=verbose != 0, model=self, verbose=verbose, epochs=1, steps=steps)

    def _fit_callbacks(self, callbacks: Any, verbose: int | str | None, epochs: int, steps: int | None) -> CallbackList:
        verbose = _verbosity(verbose)
        if not isinstance(callbacks, CallbackList):
            params = {"verbose": verbose, "epochs": epochs, "steps": steps}
            return CallbackList(callbacks, add_history=True, add_progbar=verbose != 0, model=self, **params)
        if callbacks.model is not self or not any(isinstance(c, History) for c in callbacks.callbacks):
            hint = "pass CallbackList(callbacks, add_history=True, model=model), or a plain list"
            raise ValueError(expected("fit", "a CallbackList with this model and a History", "another", hint))
        return callbacks

    # Single batches -------------------------------------------------------------------------------------------------

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Mapping[Any, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Takes one training step; returns this batch's loss, or a list of it and the metrics.

        Args:
            x, y: Inputs and targets of the batch: arrays, nested as in `fit`.
            sample_weight, class_weight: As in `fit`.
            return_dict: Whether to return a dict by the names in logs.

        Raises:
            ValueError: If the model is not compiled, or the batch does not fit it.
        """
        trainable = self._trainable_state
        if trainable is None:
            self._check_compiled("train_on_batch")
        weighted = sample_weight is not None or class_weight is not None
        if trainable is None or weighted or (step := trainable.known_step(x, y)) is None:
            batch = arrays_of(self, x, y, sample_weight, class_weight, "train_on_batch")
            trainable = self._trainable_model("train_on_batch")
            trainable.prepare()
            trainable.reset()
            trainable.train_step(batch)
        else:
            trainable.reset()
            trainable.train_natively(step, ([x], [y], [None]))
        logs = trainable.results()
        return logs if return_dict else self._in_order(logs)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Returns the loss of one batch, or a list of it and the metrics, without training on it.

        Args:
            x, y, sample_weight, return_dict: As in `train_on_batch`.

        Raises:
            ValueError: If the model is not compiled, or the batch does not fit it.
        """
        self._check_compiled("test_on_batch")
        batch = arrays_of(self, x, y, sample_weight, None, "test_on_batch")
        trainable = self._trainable_model("test_on_batch")
        trainable.reset()
        trainable.test_step(batch)
        logs = trainable.results()
        return logs if return_dict else self._in_order(logs)

    def predict_on_batch(self, x: Any) -> Any:
        """Returns the model's outputs for all rows of `x` at once."""
        inferred = self._infer([x]) if type(x) is np.ndarray and self.built else None
        if inferred is not None:
            return inferred[0]
        self.build_for(x)
        return loop.predict_step(self, self.standardize_inputs(x))

    def _in_order(self, logs: dict[str, Any]) -> Any:
        """Returns the loss, the outputs' losses, then the metrics as compiled; the loss alone if there is no more."""
        if len(logs) == 1:
            return logs["loss"]
        return [logs[name] for name in self._trainable_model("evaluate").order(logs)]

    @property
    def metrics(self) -> list[Any]:
        """The metric objects, once data have shown what they are."""
        if self._trainable_state is None:
            return []
        return [entry.metric for group in self._trainable_state.metrics for entry in group.entries or []]

    @property
    def metrics_names(self) -> list[str]:
        """The names of what `evaluate` returns."""
        if self._trainable_state is None:
            return ["loss"] if self.compiled else []
        return self._trainable_state.order(self._trainable_state.results())

    def reset_metrics(self) -> None:
        """Forgets the losses and metrics of the batches so far."""
        if self._trainable_state is not None:
            self._trainable_state.reset()

    def get_metrics_result(self) -> dict[str, Any]:
        """Returns the means of the losses and the metrics so far, by their names in logs."""
        if self._trainable_state is None:
            return {"loss": 0.0} if self.compiled else {}
        return self._trainable_state.results()

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """Returns the loss of predictions with the penalties in `losses`, an array without axes.

        Args:
            x, training: Accepted as by Keras, change nothing.
            y, sample_weight: Of one batch, as in `fit`.
            y_pred: What the model gives for it; its mask counts.

        Raises:
            ValueError: If the model is not compiled, or the data do not fit it.
        """
        trainable = self._trainable_model("compute_loss")
        total, _ = trainable.losses.values(*with_predictions(self, y, y_pred, sample_weight, "compute_loss"))
        return as_array(np.asarray(total + sum(self.losses), config.floatx()))

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Adds a batch to the compiled metrics, and returns `get_metrics_result()`; arguments as in `compute_loss`."""
        batch = with_predictions(self, y, y_pred, sample_weight, "compute_metrics")
        for metric in self._trainable_model("compute_metrics").metrics:
            metric.update(*batch)
        return self.get_metrics_result()

    # Configs --------------------------------------------------------------------------------------------------------

    def get_compile_config(self) -> dict[str, Any] | None:
        """Returns what `compile` was told, ready for JSON; None if it was not called."""
        if self._compile_arguments is None:
            return None
        optimizer = {"optimizer": saving.serialize_keras_object(self.optimizer)}
        return optimizer | {name: saving.serialize_keras_object(v) for name, v in self._compile_arguments.items()}

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles as `get_compile_config` says, and builds the optimizer if the model is built."""
        self.compile(**{name: saving.deserialize_keras_object(value) for name, value in config.items()})
        if self.built and self.optimizer is not None:
            self.optimizer.build(self.trainable_weights)


def _overridden(cls: type, names: tuple[str, ...]) -> str | None:
    """Returns the first of these names that stands for another thing in a class than in `Trainer`."""
    return next((name for name in names if getattr(cls, name, None) is not getattr(Trainer, name, None)), None)


def _refuse_data(who: str, batch_size: Any) -> None:
    """Raises TypeError for data in the place of `batch_size`."""
    if isinstance(batch_size, (list, tuple)) or getattr(batch_size, "shape", None):
        got = f"an object of type {type(batch_size).__name__}"
        hint = "give several inputs in a list, as in [x1, x2]"
        raise TypeError(expected(who, "batch_size to be a positive integer", got, hint))


def _check_names(loss: Any, *metric_lists: Any) -> None:
    """Raises ValueError for a loss or a metric that does not exist."""
    for entry in _entries(loss):
        if not is_called(entry, CROSSENTROPY):
            losses.get(entry)
    for given in metric_lists:
        for entry in _entries(given):
            if isinstance(entry, str) and not is_called(entry, (*ACCURACY, *CROSSENTROPY)):
                metrics.get(entry)


def _entries(given: Any) -> list[Any]:
    """Returns the losses or metrics in nested lists and dicts."""
    if not is_nested(given):
        return [given]
    return [entry for one in (given.values() if isinstance(given, dict) else given) for entry in _entries(one)]


def _has_penalties(layer: Any) -> bool:
    """Returns whether any weight or output within a layer is regularized."""
    weights = any(variable.regularizer is not None for variable in layer.trainable_weights)
    return weights or any(part.activity_regularizer is not None for part in layer._flatten_layers())


def _warn_of_probabilities(model: Any, losses: list[Any], who: str) -> None:
    """Warns of losses that take logits and get what a softmax or sigmoid made: Keras on TensorFlow undoes that."""
    for tensor, loss in zip(getattr(model, "outputs", ()), losses, strict=False):  # none of a class with its own call
        layer = tensor._keras_history[0]
        function = getattr(layer, "activation", "softmax" if isinstance(layer, Softmax) else None)
        name = getattr(function, "__name__", function)
        takes_logits = isinstance(loss, LossFunctionWrapper) and loss._fn_kwargs.get("from_logits")
        if takes_logits and name in ("softmax", "sigmoid") and not isinstance(layer, RNN):
            warnings.warn(
                expected(f"loss {loss.name!r}", "logits (from_logits=True)", f"what the {name} of {layer.name!r} made")
                + ": leave out from_logits, or the activation",
                stacklevel=5 if who in ("fit", "evaluate") else 4,  # theirs is called by `knows_arguments`
            )


def _check_cells(model: Any, who: str) -> None:
    """Raises ValueError for cells with penalties on their activity: no loop over time counts them."""
    for layer in model._flatten_layers():
        for cell in layer.cell._flatten_layers() if isinstance(layer, RNN) else ():
            if cell.activity_regularizer is not None:
                hint = f"give it to the layer {layer.name!r}"
                raise ValueError(expected(who, "cells without activity_regularizer in RNN", repr(cell.name), hint))


def _verbosity(verbose: int | str | None) -> int:
    if verbose is None:
        return 0
    if verbose != _AUTO and not isinstance(verbose, numbers.Integral):
        raise ValueError(expected("verbose", "'auto', 0, 1 or 2", repr(verbose)))
    return 1 if verbose == _AUTO else int(verbose)


def _steps(who: str, name: str, value: Any) -> int | None:
    """Returns a number of batches, None for all of them, which 0 means too."""
    return positive_int(who, name, value) if value else None


def _is_due(epoch: int, frequency: Any) -> bool:
    return epoch in frequency if isinstance(frequency, Collection) else epoch % frequency == 0
