"""What `compile` was told, brought into the order of the model's outputs: losses, their weights, and metrics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from recurra import losses, metrics
from recurra._arrays import arrays_for, as_numbers
from recurra._checks import expected
from recurra._names import snake_case
from recurra.losses import Loss
from recurra.losses.functions import are_matched
from recurra.metrics import Mean, MeanMetricWrapper, Metric
from recurra.training.outputs import Outputs

# Names that stand for one of several metrics or losses: the shapes of the first batch tell which.
ACCURACY = ("accuracy", "acc")
CROSSENTROPY = ("crossentropy", "ce")


def _as_number(result: Any) -> Any:
    """Returns the result of a metric as a float, or as an array where it has axes."""
    array = np.asarray(result)
    return array if array.ndim else float(array)


def is_called(entry: Any, names: tuple[str, ...]) -> bool:
    """Returns whether `entry` is one of these names, in small or capital letters."""
    return isinstance(entry, str) and entry.lower() in names


def is_nested(given: Any) -> bool:
    """Returns whether `given` is a list or dict of things for outputs, no single thing and no config."""
    return isinstance(given, (list, tuple)) or (isinstance(given, dict) and "class_name" not in given)


class CompiledLosses:
    """The losses of a model's outputs.

    Args:
        loss: A loss for all outputs, or losses in one of the forms of `Outputs.each`.
        loss_weights: Factors of the outputs' losses, in the same forms; one number for all; None for ones.
        outputs: The model's outputs.

    Attributes:
        losses, factors: One for each output; None for an output that is not trained.
        trackers: The means of the losses by the outputs' positions, in the order of `loss`; none for a single loss.
    """

    def __init__(self, loss: Any, loss_weights: Any, outputs: Outputs):
        self.names = outputs.paths
        count = len(self.names)
        given = dict.fromkeys(outputs.as_written, loss)
        if is_nested(loss):
            given = outputs.each(loss, "compile", "losses")
        if isinstance(loss, dict) and is_nested(loss) and not outputs.has_keys and len(given) < count:
            what = f"a loss or None for each of the outputs {outputs.names}"
            raise ValueError(expected("compile", what, f"{list(loss)}"))
        row = outputs.row(given)
        for name, one in zip(outputs.names, row, strict=True):
            if isinstance(one, (list, tuple)):
                hint = "for a sum of losses write a loss that adds them"
                raise ValueError(expected("compile", f"one loss for the output {name!r}", repr(one), hint))
        self._by_shape = [is_called(one, CROSSENTROPY) for one in row]
        self.losses = [None if late else losses.as_loss(one) for one, late in zip(row, self._by_shape, strict=True)]
        self.factors = [1.0] * count
        if isinstance(loss_weights, (int, float)):
            self.factors = [float(loss_weights)] * count
        elif loss_weights is not None:
            for position, factor in outputs.each(loss_weights, "compile", "loss_weights").items():
                number = as_numbers(1.0 if factor is None else factor, "compile's loss_weights")
                if number.size != 1:
                    raise ValueError(expected("compile", "loss_weights of one number for each output", repr(factor)))
                self.factors[position] = float(number.item())
        trained = [position for position in given if position in self.trained]
        self.trackers = {n: Mean(name=f"{self.names[n]}_loss") for n in trained} if len(trained) > 1 else {}

    @property
    def trained(self) -> list[int]:
        """The positions of the outputs that have a loss."""
        return [n for n, loss in enumerate(self.losses) if self._by_shape[n] or loss is not None]

    def __bool__(self) -> bool:
        return bool(self.trained)

    def _resolve(self, targets: list[Any], outputs: list[Any]) -> None:
        """Makes the losses called "crossentropy": which one is meant depends on the shapes of the first batch."""
        for position, late in enumerate(self._by_shape):
            if late:
                name = _crossentropy_for(np.shape(targets[position]), np.shape(outputs[position]))
                self.losses[position] = losses.as_loss(name)
                self._by_shape[position] = False

    def values_and_gradients(
        self, targets: list[Any], outputs: list[Any], weights: list[Any], masks: list[Any]
    ) -> tuple[float, list[float], list[Any]]:
        """Returns the total loss, the loss of each output, and the gradients of the outputs."""
        total, values = 0.0, []
        gradients: list[Any] = []
        nothing: tuple[Any, Any] = (0.0, None)  # of an output without a loss
        checked = self._checked(targets, outputs, weights, masks)
        for factor, (loss, given) in zip(self.factors, checked, strict=True):
            value, gradient = nothing if loss is None else loss.value_and_gradient(*given)
            if not isinstance(value, float) and np.ndim(value):
                value, gradient = float(np.mean(value)), gradient / np.size(value)
            if factor != 1 and gradient is not None:
                gradient = gradient * np.asarray(factor, gradient.dtype)
            values.append(value)
            total += factor * value
            gradients.append(gradient)
        return total, values, gradients

    def values(
        self, targets: list[Any], outputs: list[Any], weights: list[Any], masks: list[Any]
    ) -> tuple[float, list[float]]:
        """Returns the total loss and the loss of each output."""
        checked = self._checked(targets, outputs, weights, masks)
        values = [0.0 if loss is None else float(np.mean(loss.value(*given))) for loss, given in checked]
        return sum((factor * value for factor, value in zip(self.factors, values, strict=True)), 0.0), values

    def _checked(
        self, targets: list[Any], outputs: list[Any], weights: list[Any], masks: list[Any]
    ) -> Iterator[tuple[Loss | None, list[Any]]]:
        """Yields each output's loss, None where there is none, and what it is called with."""
        self._resolve(targets, outputs)
        for name, loss, *given in zip(self.names, self.losses, targets, outputs, weights, masks, strict=True):
            if loss is not None:
                _check_targets(name, loss, *given[:2])
            yield loss, given


def _check_targets(name: str, loss: Loss, target: Any, output: Any) -> None:
    """Raises ValueError for no values, and for targets that NumPy would broadcast where each has a prediction."""
    given, wanted = np.shape(target), np.shape(output)
    if not np.size(output):
        raise ValueError(expected(f"the loss of output {name!r}", "at least one value", wanted))
    one_for_all = given == (*wanted[:-1], 1)  # the outputs of a row have one target: as in Keras
    if one_for_all or getattr(getattr(loss, "fn", None), "checks_shapes", True) or are_matched(given, wanted):
        return
    hint = None
    if len(given) > len(wanted):
        hint = "a recurrent layer gives a value for each time step with return_sequences=True"
    elif len(given) < len(wanted) == 2:
        hint = "write a last layer of 1 unit; for classes give one-hot targets, or sparse_categorical_crossentropy"
    elif len(given) < len(wanted):
        hint = "a recurrent layer gives one value for each sequence without return_sequences"
    elif given[:-1] == wanted[:-1]:
        hint = f"a last layer of {given[-1]} units gives as many"
    raise ValueError(expected(f"the loss of output {name!r}", f"targets that fit its shape {wanted}", given, hint))


class _Entry(NamedTuple):
    """A metric: of which output, its own name, and that in the logs."""

    position: int
    own_name: str
    name: str
    metric: Metric


class CompiledMetrics:
    """The metrics of a model's outputs.

    Args:
        given: Metrics for the only output, or in one of the forms of `Outputs.each`, one or a list for each.
        outputs: The model's outputs.
        taken: How often each name is in use; ours are added.
        weighted: Whether sample weights count.

    Attributes:
        groups: For metrics whose result is a dict: name in the logs -> name of the metric.
    """

    def __init__(self, given: Any, outputs: Outputs, taken: dict[str, int], weighted: bool = False):
        self.names = outputs.short_names
        self.weighted = weighted
        self.taken = taken
        single = not given or len(self.names) == 1  # under any keys, as in Keras
        found = {0: given} if single else outputs.each(given, "compile", "metrics")
        self._given = [_flat(entry) for entry in outputs.row(found)]
        self.entries: list[_Entry] | None = None
        self.groups: dict[str, str] = {}

    def __bool__(self) -> bool:
        return any(self._given)

    def resolve(self, targets: list[Any], outputs: list[Any]) -> None:
        """Makes the metric objects of outputs with targets: which accuracy is meant depends on the first batch.

        Those that the caller made begin anew: another model, or an earlier `compile`, may have added batches to them.
        """
        if self.entries is not None:
            return
        made = []
        for position, entries in enumerate(self._given):
            for entry in entries if targets[position] is not None else ():
                metric, name = _make_metric(entry, targets[position], outputs[position])
                metric.reset_state()
                made.append(_Entry(position, name, self._unique(name, position), metric))
        self.entries = made

    def _unique(self, name: str, position: int) -> str:
        """Returns the name in the logs, made unique as Keras does it."""
        output = f"{self.names[position]}_" if len(self.names) > 1 else ""
        found = output + name
        if found in self.taken and self.weighted:
            found = f"{output}weighted_{name}"
        count = self.taken.get(found, 0)
        self.taken[found] = count + 1
        return f"{found}_{count}" if count else found

    def update(self, targets: list[Any], outputs: list[Any], weights: list[Any], masks: list[Any]) -> None:
        """Adds a batch."""
        self.resolve(targets, outputs)
        for entry in self.entries or []:
            position = entry.position
            weight = weights[position] if self.weighted else None
            mask = masks[position]
            if mask is not None and isinstance(entry.metric, MeanMetricWrapper):  # Keras's others do not look at it
                marks = np.asarray(mask, np.float64)
                weight = marks if weight is None else marks * np.reshape(weight, (len(weight), -1))
            update = entry.metric.update_state
            update(*arrays_for(update, targets[position], outputs[position]), sample_weight=weight)

    def results(self) -> dict[str, Any]:
        """Returns the results by name: floats, and arrays of those that have axes."""
        found: dict[str, Any] = {}
        for entry in self.entries or []:
            result = entry.metric.result()
            if isinstance(result, dict):
                self.groups |= dict.fromkeys(result, entry.name)
            found |= result if isinstance(result, dict) else {entry.name: result}
        return {name: _as_number(result) for name, result in found.items()}

    def reset(self) -> None:
        """Forgets all batches."""
        for entry in self.entries or []:
            entry.metric.reset_state()


def _flat(entry: Any) -> list[Any]:
    if entry is None:
        return []
    if not is_nested(entry):
        return [entry]
    parts = [entry[key] for key in sorted(entry)] if isinstance(entry, dict) else entry
    return [item for part in parts for item in _flat(part)]


def _make_metric(entry: Any, target: Any, output: Any) -> tuple[Metric, str]:
    if is_called(entry, ACCURACY):
        return _accuracy_for(np.shape(target), np.shape(output)), entry
    if is_called(entry, CROSSENTROPY):
        return metrics.get(_crossentropy_for(np.shape(target), np.shape(output))), entry
    found = metrics.get(entry)
    if isinstance(found, Metric):
        return found, entry if isinstance(entry, str) else found.name
    name = entry if isinstance(entry, str) else _name_of(found)
    return MeanMetricWrapper(found, name=name), name


def _name_of(function: Any) -> str:
    """Returns the name of a loss, or of a function or another callable in snake case."""
    return getattr(function, "name", None) or snake_case(getattr(function, "__name__", type(function).__name__))


def _kind(target: tuple[int, ...], output: tuple[int, ...]) -> str:
    if output[-1:] == (1,):
        return "binary"
    sparse = len(target) < len(output) or (target[-1:] == (1,) and output[-1] > 1)
    return "sparse" if sparse else "categorical"


def _accuracy_for(target: tuple[int, ...], output: tuple[int, ...]) -> Metric:
    return {
        "binary": metrics.BinaryAccuracy,
        "sparse": metrics.SparseCategoricalAccuracy,
        "categorical": metrics.CategoricalAccuracy,
    }[_kind(target, output)]()


def _crossentropy_for(target: tuple[int, ...], output: tuple[int, ...]) -> str:
    """Returns the name, that of the loss and of the metric."""
    return {
        "binary": "binary_crossentropy",
        "sparse": "sparse_categorical_crossentropy",
        "categorical": "categorical_crossentropy",
    }[_kind(target, output)]
