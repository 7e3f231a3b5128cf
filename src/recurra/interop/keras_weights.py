"""The weights of a `.weights.h5` file, which lie in `.keras` files too, and how those of any file come into a model.

    layers/<class>[_k]/.../vars/0, 1, ...   and optimizer/vars/0, 1, ...
    layers/<class>[_k]/.../seed_generator/vars/0 (recurra's own: Keras keeps no random states)

All weights are read and checked before the first one is changed.
"""

from __future__ import annotations

import io
import math
import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from recurra import saving
from recurra._checks import expected
from recurra._names import snake_case
from recurra._owners import is_own
from recurra._signals import HeldSignals
from recurra.errors import FileFormatError
from recurra.interop.hdf5_reader import Hdf5File
from recurra.layers.base import Layer
from recurra.models import Model
from recurra.models.functional import GraphModel
from recurra.variables import Variable

SKIP = "pass skip_mismatch=True to leave what does not fit as it is"
MOST_STEPS = 2**53  # that an optimizer may have counted
GRAPH_LAYERS = ("_line", "_graph_layers")  # attributes that hold what `layers` gives
# What the parts of a file raise when they are not sound.
UNSOUND = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError, MemoryError)


def check_built(model: Any, who: str) -> None:
    if not model.built:
        raise ValueError(expected(who, "a built model", f"{model.name!r}", "call it on data or add an Input first"))


def told(error: BaseException) -> str:
    return str(error) or type(error).__name__


def parts_of(held: Any, path: str = "", seen: dict[int, Any] | None = None) -> Iterator[tuple[str, Layer]]:
    """Yields the layers that an attribute holds, and all below them, with their places in a file, as Keras walks them.

    Args:
        held: A layer, or a list, tuple or dict of layers.
        path: Its place.
        seen: What was met before: a layer that is shared lies at its first place alone.
    """
    seen = {} if seen is None else seen
    if id(held) in seen:
        return
    seen[id(held)] = held
    if isinstance(held, Layer):
        yield path, held
        for name, value in _attributes(held):
            yield from parts_of(value, f"{path}{name}/", seen)
        return
    counts: Counter[str] = Counter()
    for value in held.values() if isinstance(held, dict) else held:
        if isinstance(value, (Layer, list, tuple, dict)):
            name = snake_case(saving.written_class(value).__name__) if isinstance(value, Layer) else "container"
            unique = f"{name}_{counts[name]}" if counts[name] else name
            counts[name] += 1
            yield from parts_of(value, f"{path}{unique}/", seen)


def _attributes(layer: Layer) -> list[tuple[str, Any]]:
    """Returns what a layer's attributes hold, in Keras's order: a graph's layers, then by name, private ones last."""
    held = [(name, value) for name, value in layer._layers.items() if name not in GRAPH_LAYERS]
    if isinstance(layer, Model):
        held.append(("layers", layer.layers))
    graph_first = isinstance(layer, GraphModel)
    return sorted(held, key=lambda item: (not (graph_first and item[0] == "layers"), item[0].startswith("_"), item[0]))


def weights_bytes(model: Any, include_optimizer: bool = True) -> bytes:
    import h5py

    check_built(model, "saving")
    buffer = io.BytesIO()
    with HeldSignals(), h5py.File(buffer, "w") as file:  # h5py swallows what is raised while it writes into Python's
        optimizer = getattr(model, "optimizer", None)
        if include_optimizer and optimizer is not None and optimizer.built:
            stored = _stored(optimizer) if stores_itself(optimizer) else _numbered(optimizer.variables)
            _write_group(file, "optimizer/vars", optimizer.name, stored)
        for path, layer in parts_of(model):
            stored = _stored(layer) if stores_itself(layer) else _numbered(layer._own_weights())
            _write_group(file, f"{path}vars", layer.name, stored)
            for name, generator in layer._seed_generators_in_use().items():
                _write_group(file, f"{path}{name}/vars", name, _numbered([generator.state]))
    return buffer.getvalue()


def _numbered(variables: list[Variable]) -> dict[str, np.ndarray]:
    return {str(position): variable.value for position, variable in enumerate(variables)}


def _write_group(file: Any, path: str, name: str, arrays: dict[str, np.ndarray]) -> None:
    group = file.create_group(path)
    group.attrs["name"] = name
    for key, array in arrays.items():
        group.create_dataset(key, data=array)


def stores_itself(part: Any) -> bool:
    """Returns whether the class of a layer or an optimizer is the caller's and says what a file holds of it."""
    cls = type(part)
    return not (is_own(cls.save_own_variables) and is_own(cls.load_own_variables))


def _stored(part: Any) -> dict[str, np.ndarray]:
    """Returns what `save_own_variables` stores.

    Raises:
        ValueError: If that is something else than numbers by names.
    """
    store: dict[str, Any] = {}
    part.save_own_variables(store)
    who = f"{type(part).__name__}.save_own_variables"
    arrays = {}
    for name, value in store.items():
        if not isinstance(name, str) or name in ("", ".") or "/" in name:
            raise ValueError(expected(who, "names without '/'", repr(name)))
        arrays[name] = np.asarray(value)
        if arrays[name].dtype.kind not in "iuf" or arrays[name].dtype.itemsize > 8:
            got, hint = f"{arrays[name].dtype} in {name!r}", "True and False may be stored as int8"
            raise ValueError(expected(who, "arrays of numbers of at most 64 bits", got, hint))
    return arrays


def assign_weights(
    model: Any, file: Hdf5File, allow_nonfinite: bool, skip_mismatch: bool = False, hint: str | None = None
) -> None:
    """Reads the weights, random states, and the optimizer's if the model is compiled, then assigns them.

    Args:
        model: The model.
        file: The file.
        allow_nonfinite, skip_mismatch: As of `keras_file.load_weights`.
        hint: What to do where something does not fit.

    Raises:
        FileFormatError: If the file is not sound or does not fit the model.
    """
    pairs = []
    stores: list[tuple[Any, dict[str, np.ndarray]]] = []
    skipped: list[tuple[Any, str]] = []
    for path, layer in _parts_in(file, model):
        if stores_itself(layer):
            stores.append((layer, _read_store(file, f"{path}vars", allow_nonfinite)))
        else:
            variables = layer._own_weights()
            difference = _difference(file, f"{path}vars", variables) if skip_mismatch else None
            if difference is not None:
                skipped.append((layer, difference))
                continue
            pairs += _read_group(file, f"{path}vars", variables, hint)
        for name, generator in layer._seed_generators.items():
            if file.root.find(f"{path}{name}") is not None:  # Keras writes none
                pairs += _read_group(file, f"{path}{name}/vars", [generator.state])
    optimizer = _built_optimizer(model, file)
    if optimizer is not None and stores_itself(optimizer):
        stores.append((optimizer, _read_store(file, "optimizer/vars", allow_nonfinite)))
    elif optimizer is not None:
        pairs += _read_optimizer(optimizer, file, skipped if skip_mismatch else None, hint)
    checked = _checked(pairs, file.name, allow_nonfinite)
    skipped += _give_stores(stores, file.name, skip_mismatch, hint)
    tell_skipped(skipped, file.name)
    _assign(checked)


def _give_stores(
    stores: list[tuple[Any, dict[str, np.ndarray]]], file_name: str, skip_mismatch: bool, hint: str | None
) -> list[tuple[Any, str]]:
    """Hands what was read to the layers and optimizers that store themselves; returns those that did not take it.

    Raises:
        FileFormatError: If one does not take it and none may be skipped; then all are as before.
    """
    skipped = []
    before: list[tuple[Any, dict[str, np.ndarray]]] = []
    for part, store in stores:
        before.append((part, {name: array.copy() for name, array in _stored(part).items()}))
        try:
            part.load_own_variables(store)
        except UNSOUND as error:
            what = f"what {type(part).__name__}.load_own_variables takes"
            for changed, was in before if not skip_mismatch else before[-1:]:
                changed.load_own_variables(was)
            if not skip_mismatch:
                raise FileFormatError(expected(file_name, what, told(error), hint)) from error
            skipped.append((part, f"{what}, got {told(error)}"))
    return skipped


def _parts_in(file: Hdf5File, model: Any) -> Iterator[tuple[str, Layer]]:
    """Yields what `parts_of` does; what lies in a file in the list of the model's layers alone, with that place.

    So Keras finds the weights of a Sequential for a model of one's own that holds such layers as attributes.
    """
    listed = {id(layer): path for path, layer in parts_of(model.layers, "layers/")}
    for path, layer in parts_of(model):
        is_there = file.root.find(f"{path}vars") is not None
        yield path if is_there else listed.get(id(layer), path), layer


def tell_skipped(skipped: list[tuple[Any, str]], file_name: str) -> None:
    """Warns of layers, and of the optimizer, that stay as they are, with what is different in the file."""
    if skipped:
        (first, difference), names = skipped[0], ", ".join(repr(one.name) for one, _ in skipped)
        warnings.warn(
            f"A total of {len(skipped)} objects could not be loaded from {file_name}, and stay as they are: {names}. "
            f"{type(first).__name__} {first.name!r} expected {difference}.",
            stacklevel=5,
        )


def _difference(file: Hdf5File, path: str, variables: list[Variable]) -> str | None:
    """Returns how the datasets of a group differ from variables, in number or shape; None if they do not."""
    group = file.root.find(path)
    found = len(group.links) if group is not None and group.is_group else 0
    return difference_of(file, [f"{path}/{position}" for position in range(found)], variables)


def difference_of(file: Hdf5File, paths: list[str], variables: list[Variable]) -> str | None:
    """Returns how datasets differ from variables, in number or shape; None if they do not."""
    if len(paths) != len(variables):
        return f"{len(variables)} weights, got {len(paths)}"
    for path, variable in zip(paths, variables, strict=True):
        shape = file.dataset(path).shape
        if shape != variable.shape:
            return f"{variable.name} of shape {variable.shape}, got {shape}"
    return None


def assign_all(pairs: list[tuple[Variable, np.ndarray]], file_name: str, allow_nonfinite: bool) -> None:
    """Assigns arrays of the right shapes to variables, after all of them were looked at.

    Raises:
        FileFormatError: If one has NaN or infinite values and that was not allowed, or for whole numbers fractions, or
            others than the variable can hold.
    """
    _assign(_checked(pairs, file_name, allow_nonfinite))


def _checked(
    pairs: list[tuple[Variable, np.ndarray]], file_name: str, allow_nonfinite: bool
) -> list[tuple[Variable, np.ndarray]]:
    """Returns arrays of the variables' dtypes; raises as `assign_all`."""
    for variable, array in pairs:
        dtype = variable.value.dtype
        if dtype.kind in "iu":
            if array.dtype.kind not in "iu":
                raise FileFormatError(expected(file_name, f"whole numbers in {variable.path!r}", array.dtype))
            _check_range(file_name, variable, array, np.iinfo(dtype).min, np.iinfo(dtype).max)
    with np.errstate(over="ignore"):  # too large for the variable's dtype: infinite, and so refused
        cast = [(variable, np.asarray(array, variable.value.dtype)) for variable, array in pairs]
    for variable, array in cast:
        _check_finite(file_name, variable.path, array, allow_nonfinite)
    return cast


def _assign(pairs: list[tuple[Variable, np.ndarray]]) -> None:
    with HeldSignals():
        for variable, array in pairs:
            variable.assign(array)


def _check_finite(file_name: str, path: str, array: np.ndarray, allow_nonfinite: bool) -> None:
    if not allow_nonfinite and not np.isfinite(array).all():
        what = f"NaN or infinity in {path!r}"
        raise FileFormatError(expected(file_name, "finite weights", what, "pass allow_nonfinite=True"))


def _check_range(file_name: str, variable: Variable, array: np.ndarray, least: int, most: int) -> None:
    for number in (array.min(), array.max()) if array.size else ():
        if not least <= int(number) <= most:
            what = f"whole numbers from {least} to {most} in {variable.path!r}"
            raise FileFormatError(expected(file_name, what, number))


def _built_optimizer(model: Any, file: Hdf5File) -> Any:
    """Returns the model's optimizer, built; None if there is none, or nothing of it in the file."""
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None or file.root.find("optimizer") is None:
        return None
    if not optimizer.built:
        optimizer.build(model.trainable_weights)
    return optimizer


def _read_optimizer(
    optimizer: Any, file: Hdf5File, skipped: list[tuple[Any, str]] | None, hint: str | None
) -> list[tuple[Variable, np.ndarray]]:
    """Returns the variables of an optimizer with what the file has for them.

    Args:
        optimizer: The optimizer, built.
        file: The file.
        skipped: Gets the optimizer, if the shapes of its variables differ; None if that is an error.
        hint: What to do then.
    """
    found = len(file.group("optimizer/vars").links)
    if found != len(optimizer.variables):
        warnings.warn(
            f"{file.name}: the optimizer has {len(optimizer.variables)} variables, the file {found}: "
            "its state is not restored",
            stacklevel=5,
        )
        return []
    difference = None if skipped is None else _difference(file, "optimizer/vars", optimizer.variables)
    if skipped is not None and difference is not None:
        skipped.append((optimizer, difference))
        return []
    pairs = _read_group(file, "optimizer/vars", optimizer.variables, hint)
    check_steps(pairs, file.name)
    return pairs


def check_steps(pairs: list[tuple[Variable, np.ndarray]], file_name: str) -> None:
    """Raises FileFormatError if an optimizer would have counted more steps than anyone makes, or fewer than none."""
    for variable, array in pairs:
        if variable.value.dtype.kind in "iu" and array.dtype.kind in "iu":
            _check_range(file_name, variable, array, 0, MOST_STEPS)


def _read_group(
    file: Hdf5File, path: str, variables: list[Variable], hint: str | None = None
) -> list[tuple[Variable, np.ndarray]]:
    """Returns the variables with the datasets 0, 1, ... of a group; without variables the group may be absent."""
    if not variables and file.root.find(path) is None:
        return []
    found = len(file.group(path).links)
    if found != len(variables):
        hint = hint if variables else "a layer that is not built has none yet: call the model on data first"
        raise FileFormatError(expected(file.name, f"{len(variables)} weights in {path!r}", found, hint))
    return [(variable, file.dataset(f"{path}/{i}").read(variable.shape, hint)) for i, variable in enumerate(variables)]


def _read_store(file: Hdf5File, path: str, allow_nonfinite: bool) -> dict[str, np.ndarray]:
    """Returns all arrays of a group by their names, in whatever shapes they have."""
    group = file.root.find(path)
    store: dict[str, np.ndarray] = {}
    for name in group.links if group is not None and group.is_group else ():
        dataset = file.dataset(f"{path}/{name}")
        file.charge(math.prod(dataset.shape) * dataset.dtype.itemsize)  # any number of names may lead to one dataset
        array = dataset.read(dataset.shape)
        store[name] = np.array(array, array.dtype.newbyteorder("="))  # its own, to be kept or changed
        _check_finite(file.name, f"{path}/{name}", array, allow_nonfinite)
    return store
