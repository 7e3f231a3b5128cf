"""Weights under PyTorch's names and in its shapes, both ways, as plain dicts of arrays; no torch is needed.

    nn.RNN, nn.LSTM, nn.GRU   weight_ih_l{k}, weight_hh_l{k} (G*H, D or H), bias_ih_l{k}, bias_hh_l{k} (G*H);
                              `_reverse` behind them for the other direction
    nn.Linear                 weight (out, in), bias;   nn.Embedding: weight;   nn.LayerNorm: weight, bias

Gates lie in the order i f g o (LSTM, as here) and r z n (GRU; here z r h). https://pytorch.org/docs/stable/nn.html
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from recurra import layers
from recurra._arrays import from_torch_tensor
from recurra._checks import expected
from recurra.errors import FileFormatError
from recurra.interop.keras_weights import assign_all
from recurra.layers.base import Layer
from recurra.layers.cells import in_gate_order
from recurra.models import Model
from recurra.variables import Variable

Modules = list[tuple[str, dict[str, np.ndarray]]]  # name and weights of each layer of each module
GRU_ORDER = (1, 0, 2)  # z r h and r z n: the way there is the way back
RECURRENT_NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
RECURRENT = re.compile(r"(?:(.*)\.)?(weight_ih|weight_hh|bias_ih|bias_hh)_l(\d{1,4})(_reverse)?$")


def to_torch(model: Any) -> dict[str, np.ndarray]:
    """Returns the model's weights as a `state_dict` whose modules have the layers' names.

    A layer is one module of one layer; Bidirectional is one bidirectional module. `bias_hh` is zero where Keras has
    one bias only.

    Args:
        model: A built model of SimpleRNN, LSTM, GRU (reset_after), Bidirectional of them, Dense, TimeDistributed Dense,
            Embedding and LayerNormalization, beside layers without weights.

    Raises:
        ValueError: If no module of torch is known for a layer, or two layers have one name: the message names it.
    """
    state: dict[str, np.ndarray] = {}
    found = _weighted(model)
    names = [layer.name for layer in found]
    for layer in found:
        if names.count(layer.name) > 1:
            got = f"two called {layer.name!r}"
            raise ValueError(expected("torch weights", "layers with different names", got, "name the layers"))
        for part, suffix in _directions(layer):
            arrays = _cell_to_torch(part) if isinstance(part, layers.RNN) else _plain_to_torch(part)
            state.update((f"{layer.name}.{name}{suffix}", np.ascontiguousarray(array)) for name, array in arrays)
    return state


def from_torch(model: Any, state: Mapping[str, Any], *, allow_nonfinite: bool = False) -> None:
    """Sets the model's weights from a torch `state_dict`, all or none.

    Modules are matched to layers by name if all names agree and differ, otherwise in order; a module of several layers
    (`num_layers`) stands for as many layers here. A GRU has to be `reset_after=True`, as torch computes it.

    Args:
        model: A built model, as in `to_torch`.
        state: Names to arrays or tensors. Load a `.safetensors` file with `load_safetensors`; a pickled file is never
            read here: save it as safetensors from torch first.
        allow_nonfinite: Whether weights may hold NaN or infinity.

    Raises:
        FileFormatError: If modules and layers do not fit together.
        TypeError: If `state` is no dict.
    """
    if not isinstance(state, Mapping):
        what, hint = "a dict of arrays or tensors", None
        if isinstance(state, (str, os.PathLike)):
            hint = "a pickle is never read here: save it as safetensors from torch and use load_safetensors"
        elif hasattr(state, "state_dict"):
            hint = "give its state_dict()"
        got = repr(os.fspath(state)) if isinstance(state, (str, os.PathLike)) else type(state).__name__
        raise TypeError(expected("from_torch", what, got, hint))
    inner = [repr(key) for key, value in state.items() if isinstance(value, Mapping)]
    if inner:  # a checkpoint, with the optimizer's state and the like
        got, hint = f"dicts in {', '.join(inner)}", "give the one of these that is the model's state_dict"
        raise FileFormatError(expected("from_torch", "a dict of arrays or tensors", got, hint))
    assign_state(model, state, "from_torch", in_order=True, allow_nonfinite=allow_nonfinite)


def assign_state(model: Any, state: Mapping[str, Any], who: str, *, in_order: bool, allow_nonfinite: bool) -> None:
    """Does the work of `from_torch`.

    Args:
        model, state, allow_nonfinite: As there.
        who: For errors.
        in_order: Whether `state` has the modules in the order of the network. A `.safetensors` file has them by name:
            then a module is taken for a layer if it is the only one of its shapes.
    """
    modules = _modules(state, who)
    targets = _weighted(model)
    names = [layer.name for layer in targets]
    hint = f"the layers are {', '.join(names)}"
    if len(modules) != len(targets):
        raise FileFormatError(expected(who, f"{len(targets)} layers with weights", len(modules), hint))
    alike = sorted(names) == sorted(name for name, _ in modules)
    if alike and len(set(names)) == len(names):
        chosen = [dict(modules)[name] for name in names]
    elif in_order:
        chosen = [module for _, module in modules]
    else:
        chosen = _by_shape(targets, modules, who, hint)
    pairs = [pair for layer, module in zip(targets, chosen, strict=True) for pair in _pairs(layer, module, who)]
    assign_all(pairs, who, allow_nonfinite)


def _by_shape(targets: list[Layer], modules: Modules, who: str, hint: str) -> list[dict[str, np.ndarray]]:
    chosen = []
    left = list(modules)
    for layer in targets:
        fitting = [entry for entry in left if _fits(layer, entry[1], who)]
        if len({name for name, _ in fitting}) != 1:
            found = ", ".join(sorted({repr(name) for name, _ in fitting})) or "none"
            what = f"one module of the shapes of layer {layer.name!r}, or modules named as the layers"
            raise FileFormatError(expected(who, what, found, hint))
        chosen.append(fitting[0][1])
        left = [entry for entry in left if entry is not fitting[0]]
    return chosen


def _fits(layer: Layer, module: dict[str, np.ndarray], who: str) -> bool:
    try:
        _pairs(layer, module, who)
    except FileFormatError:
        return False
    return True


def _pairs(layer: Layer, module: dict[str, np.ndarray], who: str) -> list[tuple[Variable, np.ndarray]]:
    """Returns the layer's variables with their values.

    Raises:
        FileFormatError: If the module is not of the layer's kind and shapes.
    """
    pairs: list[tuple[Variable, np.ndarray]] = []
    used: set[str] = set()
    for part, suffix in _directions(layer):
        read = {name.removesuffix(suffix): value for name, value in module.items() if name.endswith(suffix)}
        if not suffix:
            read = {name: value for name, value in read.items() if not name.endswith("_reverse")}
        is_recurrent = isinstance(part, layers.RNN)
        used |= {f"{name}{suffix}" for name in (RECURRENT_NAMES if is_recurrent else _plain_names(part))}
        pairs += _cell_from_torch(part, read, who) if is_recurrent else _plain_from_torch(part, read, who)
    left = sorted(set(module) - used)
    if left:
        raise FileFormatError(expected(who, f"no {left[0]!r} for layer {layer.name!r}", "one"))
    return pairs


def _weighted(model: Any) -> list[Layer]:
    """Returns the layers with weights in order, each once, those of nested models in their place."""
    found: list[Layer] = []
    for layer in model.layers:
        inner = layer.layer if isinstance(layer, layers.TimeDistributed) else layer
        if isinstance(inner, Model):
            found += _weighted(inner)
        elif inner.weights:
            found.append(inner)
    return list({id(layer): layer for layer in found}.values())


def _directions(layer: Any) -> list[tuple[Any, str]]:
    if isinstance(layer, layers.Bidirectional):
        return [(layer.forward_layer, ""), (layer.backward_layer, "_reverse")]
    return [(layer, "")]


def _modules(state: Mapping[str, Any], who: str) -> Modules:
    """Returns (name, weights) of each module and of each layer of it, in order of appearance."""
    found: dict[tuple[str, int], dict[str, np.ndarray]] = {}
    for key, value in state.items():
        if not isinstance(key, str):
            raise FileFormatError(expected(who, "names of weights as text", repr(key)))
        match = RECURRENT.match(key)
        if match:
            module, name, position = match[1] or "", f"{match[2]}{match[4] or ''}", int(match[3])
        else:
            (module, _, name), position = key.rpartition("."), 0
        found.setdefault((module, position), {})[name] = _as_array(key, value, who)
    starts = {module: i for i, (module, _) in reversed(list(enumerate(found)))}
    ordered = sorted(found.items(), key=lambda item: (starts[item[0][0]], item[0][1]))
    return [(module, weights) for (module, _), weights in ordered]


def _as_array(key: str, value: Any, who: str) -> np.ndarray:
    value = np.asarray(from_torch_tensor(value))
    if value.dtype.kind != "f":
        raise FileFormatError(expected(who, f"floating point numbers in {key!r}", value.dtype))
    return value


def _fit(
    layer: Any, variable: Variable, array: np.ndarray | None, name: str, who: str, transposed: bool = False
) -> tuple[Variable, np.ndarray]:
    """Returns a variable with its value; `transposed` says whether torch has the axes the other way round."""
    if array is None or array.shape != variable.shape:
        order = -1 if transposed else 1
        given = "none" if array is None else array.shape[::order]
        what = f"{name} for layer {layer.name!r} of shape {variable.shape[::order]}"
        raise FileFormatError(expected(who, what, given))
    return variable, array


# Recurrent layers


def _check_cell(layer: Any) -> Any:
    cell = layer.cell
    if type(cell) not in (layers.SimpleRNNCell, layers.LSTMCell, layers.GRUCell):
        raise ValueError(expected(f"layer {layer.name!r}", "SimpleRNN, LSTM or GRU, as torch has them", type(cell)))
    if isinstance(cell, layers.GRUCell) and not cell.reset_after:
        raise ValueError(expected(f"layer {layer.name!r}", "reset_after=True, as torch computes it", "False"))
    return cell


def _reordered(cell: Any, array: np.ndarray) -> np.ndarray:
    """Swaps the gates between both orders, along the last axis."""
    return in_gate_order(array, GRU_ORDER) if isinstance(cell, layers.GRUCell) else array


def _cell_to_torch(layer: Any) -> Iterator[tuple[str, np.ndarray]]:
    cell = _check_cell(layer)
    yield "weight_ih_l0", _reordered(cell, cell.kernel.value).T
    yield "weight_hh_l0", _reordered(cell, cell.recurrent_kernel.value).T
    if cell.bias is not None:
        bias = np.atleast_2d(cell.bias.value)
        yield "bias_ih_l0", _reordered(cell, bias[0])
        yield "bias_hh_l0", _reordered(cell, bias[1]) if len(bias) == 2 else np.zeros_like(bias[0])


def _cell_from_torch(layer: Any, module: dict[str, np.ndarray], who: str) -> Iterator[tuple[Variable, np.ndarray]]:
    cell = _check_cell(layer)

    def part(name: str) -> np.ndarray | None:
        value = module.get(name)
        return None if value is None or not value.shape or value.shape[0] % cell.n_gates else _reordered(cell, value.T)

    yield _fit(layer, cell.kernel, part("weight_ih"), "weight_ih", who, transposed=True)
    yield _fit(layer, cell.recurrent_kernel, part("weight_hh"), "weight_hh", who, transposed=True)
    biases = [part(name) for name in ("bias_ih", "bias_hh")]
    given = [bias for bias in biases if bias is not None]
    if cell.bias is None:
        if any(bias.any() for bias in given):
            raise FileFormatError(expected(who, f"no bias for layer {layer.name!r}", "one"))
    elif not module.keys() & {"bias_ih", "bias_hh"}:
        what, hint = f"bias_ih and bias_hh for layer {layer.name!r}", "a module with bias=False is use_bias=False here"
        raise FileFormatError(expected(who, what, "none", hint))
    elif len(given) != 2 or given[0].shape != given[1].shape:
        raise FileFormatError(expected(who, f"bias_ih and bias_hh for layer {layer.name!r}", "another"))
    else:
        both = np.stack(given) if len(cell.bias.shape) == 2 else given[0] + given[1]
        yield _fit(layer, cell.bias, both, "bias", who)


# Other layers


def _plain_variables(layer: Any) -> list[tuple[str, Variable | None, bool]]:
    """Returns (torch's name, variable, whether torch stores it transposed) of a layer's weights."""
    if isinstance(layer, layers.Dense):
        return [("weight", layer.kernel, True), ("bias", layer.bias, False)]
    if isinstance(layer, layers.Embedding):
        return [("weight", layer.embeddings, False)]
    if isinstance(layer, layers.LayerNormalization):
        return [("weight", layer.gamma, False), ("bias", layer.beta, False)]
    raise ValueError(
        expected(
            "torch weights",
            "SimpleRNN, LSTM, GRU, Bidirectional, Dense, Embedding and LayerNormalization, which are mapped",
            f"{type(layer).__name__} {layer.name!r}",
            "use ONNX or .keras",
        )
    )


def _plain_names(layer: Any) -> list[str]:
    return [name for name, _, _ in _plain_variables(layer)]


def _plain_to_torch(layer: Any) -> Iterator[tuple[str, np.ndarray]]:
    for name, variable, transposed in _plain_variables(layer):
        if variable is not None:
            yield name, variable.value.T if transposed else variable.value


def _plain_from_torch(layer: Any, module: dict[str, np.ndarray], who: str) -> Iterator[tuple[Variable, np.ndarray]]:
    for name, variable, transposed in _plain_variables(layer):
        value = module.get(name)
        if variable is not None:
            value = value.T if transposed and value is not None else value
            yield _fit(layer, variable, value, name, who, transposed)
        elif value is not None and value.any():
            raise FileFormatError(expected(who, f"no {name} for layer {layer.name!r}", "one"))
