"""What the user gives, brought into batches: arrays in the order of a model's inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from recurra import _tree
from recurra._arrays import as_numbers, from_torch_tensor, plain_numbers_as_array
from recurra._checks import expected, number
from recurra.training.batches import (
    ArrayBatches,
    Batch,
    IterableBatches,
    NestedInputs,
    UncastInputs,
    is_iterable_data,
    rows_of,
    split_tail,
    unpack_x_y_sample_weight,
)
from recurra.training.compiled import is_nested

_CAST_AT_ONCE = 2**20  # bytes: where there are fewer, a cast of all rows is cheaper than one of each batch


def source_of(
    model: Any,
    x: Any,
    y: Any,
    sample_weight: Any,
    batch_size: int | None,
    steps: int | None,
    who: str,
    shuffle: bool | str = False,
    class_weight: Any = None,
) -> ArrayBatches | IterableBatches:
    """Returns the batches of arrays, or of an iterable that holds the targets too."""
    if is_iterable_data(x):
        if y is not None or sample_weight is not None:
            raise ValueError(expected(who, "targets inside the iterable x", "y or sample_weight beside it"))
        return IterableBatches(x, lambda item: _batch(model, item, class_weight, who), shuffle, who)
    arrays = arrays_of(model, x, y, sample_weight, class_weight, who, batch_size or 32)
    return ArrayBatches(*arrays, batch_size=batch_size, shuffle=shuffle, steps=steps, who=who)


def fit_sources(
    model: Any,
    data: tuple[Any, Any, Any, Any],
    batch_size: int | None,
    shuffle: bool | str,
    steps: int | None,
    validation_split: float,
    validation_data: Any,
    validation_batch_size: int | None,
    validation_steps: int | None,
) -> tuple[Any, Any]:
    """Returns the batches to train on and those to validate on, None without any, and builds the model for them.

    Args:
        model: To be trained.
        data: x, y, sample_weight and class_weight of `fit`, whose arguments the others are too.
    """
    x, y, sample_weight, class_weight = data
    if validation_split and validation_data is None:
        if is_iterable_data(x):
            raise ValueError(expected("fit", "arrays with validation_split", f"an iterable, {type(x).__name__}"))
        arrays = arrays_of(model, *data, "fit", batch_size or 32)
        head, tail = split_tail(arrays, validation_split)
        if class_weight is not None:  # it weighs what is trained on only
            tail = (*tail[:2], [None] * len(tail[2]))
        source = ArrayBatches(*head, batch_size=batch_size, shuffle=shuffle, steps=steps)
        return source, ArrayBatches(*tail, batch_size=validation_batch_size, steps=validation_steps)
    train = source_of(model, x, y, sample_weight, batch_size, steps, "fit", shuffle, class_weight)
    validation = _validation_of(model, validation_data, validation_batch_size, validation_steps)
    if isinstance(train, IterableBatches) and not model.built:
        next(iter(train))  # the first batch shows the shapes; it comes again
    return train, validation


def _validation_of(model: Any, data: Any, batch_size: int | None, steps: int | None) -> Any:
    """Returns the batches of `validation_data`, None if there is none."""
    if data is None:
        return None
    if is_iterable_data(data):
        return source_of(model, data, None, None, batch_size, steps, "fit validation_data")
    if not isinstance(data, (tuple, list)) or len(data) not in (2, 3):
        got = f"{len(data)} parts" if isinstance(data, (tuple, list)) else f"an object of type {type(data).__name__}"
        hint = "several inputs or targets are lists within it, as in ([x1, x2], y)"
        raise ValueError(expected("fit", "validation_data of (x, y) or (x, y, sample_weight)", got, hint))
    x, y, sample_weight = (*data, None)[:3]
    return source_of(model, x, y, sample_weight, batch_size, steps, "fit validation_data")


def arrays_of(
    model: Any, x: Any, y: Any, sample_weight: Any, class_weight: Any, who: str, batch_size: int | None = None
) -> Batch:
    """Returns inputs, targets and weights as lists of arrays in the model's order, and builds the model for them.

    With a `batch_size` an `ArrayBatches` has to follow, which casts large inputs batch by batch.
    """
    if x is None:
        raise ValueError(expected(who, "x, the inputs", "none"))
    inputs = inputs_of(model, x) if batch_size is None else uncast_inputs_of(model, x, batch_size)
    targets = _targets(model, y, who)
    if class_weight is not None:
        if sample_weight is not None:
            raise ValueError(expected(who, "class_weight or sample_weight", "both"))
        if len(targets) != 1 or targets[0] is None:
            raise ValueError(expected(who, "one output with class_weight", f"{len(targets)}"))
        output = None if isinstance(inputs, NestedInputs) else model.outputs[0].shape
        sample_weight = _weights_of_classes(targets[0], output, class_weight, who)
    batch = inputs, targets, _sample_weights(model, sample_weight, who)
    rows_of(batch, who)
    return batch


def _batch(model: Any, item: Any, class_weight: Any, who: str) -> Batch:
    """Returns x, (x, y) or (x, y, sample_weight) of an iterable, as a tuple or a list, as a batch."""
    x, y, sample_weight = map(_from_tensor, unpack_x_y_sample_weight(item, who))
    return arrays_of(model, x, y, sample_weight, class_weight, who)


def batch_to_predict(model: Any, item: Any) -> Batch:
    """Returns the x of x, (x, y) and so on as a batch: targets are not looked at."""
    x = _from_tensor(item[0] if isinstance(item, (tuple, list)) else item)
    batch: Batch = (inputs_of(model, x), [], [])
    rows_of(batch, "predict")
    return batch


def inputs_of(model: Any, x: Any) -> list[Any]:
    """Returns the inputs as arrays in the model's order, and builds the model for them."""
    model.build_for(x)
    inputs = model.standardize_inputs(x)
    return inputs if isinstance(inputs, list) else _tree.flatten(inputs)


def uncast_inputs_of(model: Any, x: Any, batch_size: int) -> list[Any]:
    """Returns `inputs_of`, large arrays of whole numbers in their own dtype, where the model tells what they become."""
    model.build_for(x, batch_size)
    inputs = model.standardize_inputs(x, _CAST_AT_ONCE)
    if isinstance(inputs, NestedInputs):  # of a class with its own call
        return inputs
    dtypes = [tensor.dtype for tensor in model.inputs]
    as_they_are = all(array.dtype == dtype for array, dtype in zip(inputs, dtypes, strict=True))
    return inputs if as_they_are else UncastInputs(inputs, dtypes)


def rows_cast_at_once(array: np.ndarray) -> int:
    """Returns how many rows to cast at once, where batches of any size give the same."""
    return max(_CAST_AT_ONCE * len(array) // array.nbytes, 1)


def _targets(model: Any, y: Any, who: str) -> list[Any]:
    outputs = model._outputs
    if isinstance(y, np.ndarray) and len(outputs.names) == 1:
        return [_numbers(y, f"{who} y")]
    trained = model._trainable_model(who).losses.trained
    found = {} if y is None else outputs.each(y, who, "targets", trained)
    missing = [outputs.names[n] for n in trained if found.get(n) is None]
    if missing:
        what = f"targets for the output {missing[0]!r}, which has a loss"
        raise ValueError(expected(who, what, "none", "pass y, or batches (x, y)"))
    return _arrays_of(outputs.row(found), f"{who} y")


def _sample_weights(model: Any, sample_weight: Any, who: str) -> list[Any]:
    outputs = model._outputs
    count = len(outputs.names)
    if sample_weight is None:
        return [None] * count
    given = plain_numbers_as_array(sample_weight)
    found = outputs.each(given, who, "sample_weight") if is_nested(given) else dict.fromkeys(range(count), given)
    return _arrays_of(outputs.row(found), f"{who} sample_weight")


def with_predictions(model: Any, y: Any, y_pred: Any, sample_weight: Any, who: str) -> tuple[list[Any], ...]:
    """Returns targets, predictions, weights and masks, each in the outputs' order."""
    outputs = model._outputs
    predictions = outputs.row(outputs.each(y_pred, who, "predictions"))
    masks = [getattr(one, "_keras_mask", None) for one in predictions]
    targets, weights = _targets(model, y, who), _sample_weights(model, sample_weight, who)
    return targets, _arrays_of(predictions, f"{who} y_pred"), weights, masks


def _numbers(value: Any, who: str) -> np.ndarray:
    if isinstance(value, (list, tuple)) and not (value and isinstance(value[0], str)):
        hint = "np.array(...) makes one of its entries"
        raise ValueError(expected(who, "one array for an output", f"a list of {len(value)}", hint))
    array = as_numbers(value, who)
    if array.ndim == 0:
        raise ValueError(expected(who, "an entry for each sample", "a single number"))
    return array


def _arrays_of(given: list[Any], who: str) -> list[Any]:
    """Returns what is given for each output as an array, None where nothing is."""
    return [None if one is None else _numbers(one, who) for one in given]


def _from_tensor(value: Any) -> Any:
    """Returns tensors of other libraries, which know `numpy()`, as arrays; lists and dicts of them too."""

    def convert(leaf: Any) -> Any:
        leaf = from_torch_tensor(leaf)
        return leaf.numpy() if hasattr(leaf, "numpy") and not isinstance(leaf, np.ndarray) else leaf

    return _tree.map_structure(convert, value)


def _weights_of_classes(
    targets: np.ndarray, output: tuple[int | None, ...] | None, class_weight: Mapping[Any, float], who: str
) -> np.ndarray:
    """Returns a weight for each row, or for each time step where there are targets for them; see `_labels_of`."""
    if not isinstance(class_weight, Mapping) or any(isinstance(label, str) for label in class_weight):
        what = "class_weight to be a dict of whole numbers and weights, such as {0: 1.0, 1: 2.5}"
        raise ValueError(expected(who, what, repr(class_weight)))
    labels = np.rint(_labels_of(targets, output, who)).astype(int)
    weights = np.ones(labels.shape)
    for label, weight in class_weight.items():
        weights[labels == int(label)] = number(who, f"class_weight[{label}]", weight)
    return weights


def _labels_of(targets: np.ndarray, output: tuple[int | None, ...] | None, who: str) -> np.ndarray:
    """Returns the classes that targets name, by a number for each or one-hot, in the shape of the loss's values.

    Args:
        targets: Of the only output.
        output: Its shape; None where that is not known.
        who: For the error.

    Raises:
        ValueError: If it cannot tell, or if the loss takes such targets and has one value for all steps of a row.
    """
    if targets.ndim == 1:
        return targets
    if targets.shape[-1] == 1:
        return targets[..., 0]
    of_steps = output is not None and len(output) == targets.ndim + 1
    if of_steps and output[-1] != 1:  # type: ignore[index]
        return targets
    if of_steps or (output is None and not np.allclose(targets.sum(axis=-1), 1)):
        what = f"one-hot targets with class_weight, or those of shape {(*targets.shape, 1)}"
        raise ValueError(expected(who, what, targets.shape, "y[..., None] has a class for each time step"))
    return targets.argmax(axis=-1)
