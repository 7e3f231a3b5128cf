"""Around the methods of layers that are not recurra's: Keras's `call`, and guards that hold them to their word."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from recurra import _tree
from recurra._arrays import Array, as_plain_arrays
from recurra._checks import expected


def forward_of(call: Callable[..., Any]) -> Callable[..., tuple[Any, None]]:
    """Returns `forward` for a layer written as Keras does it, with `call`: the outputs, and no cache."""

    @functools.wraps(call)
    def forward(self: Any, *args: Any, **kwargs: Any) -> tuple[Any, None]:
        return call(self, *args, **kwargs), None

    return forward


def guard_forward(forward: Callable[..., Any]) -> Callable[..., tuple[Any, Any]]:
    """Wraps a `forward` that is not recurra's: it sees arrays that it cannot change, and gives the layer's dtype."""

    @functools.wraps(forward)
    def guarded(self: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        given = forward(self, *map(_protected, args), **{name: _protected(value) for name, value in kwargs.items()})
        if not isinstance(given, tuple) or len(given) != 2:
            hint = "write return outputs, cache, with None for the cache if backward needs none"
            got = f"{len(given)} of them" if isinstance(given, tuple) else type(given).__name__
            raise ValueError(expected(f"forward of layer {self.name!r}", "to return outputs and a cache", got, hint))
        outputs, cache = given
        return _brought_to_dtype(self, as_plain_arrays(outputs), "forward"), cache

    return guarded


def guard_backward(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Wraps a `backward` that is not recurra's: it cannot change the gradient that it gets, and gives arrays."""

    @functools.wraps(backward)
    def guarded(self: Any, doutputs: Any, *args: Any, **kwargs: Any) -> Any:
        given = backward(self, _protected(doutputs), *args, **kwargs)
        return _brought_to_dtype(self, as_plain_arrays(given), "backward")

    return guarded


def _protected(given: Any) -> Any:
    """Returns nested arrays as `Array`s that cannot be written to: what they show may be the caller's."""
    if isinstance(given, (list, tuple, dict)):
        return _tree.map_structure(_protected, given)
    if type(given) is not np.ndarray:
        return given
    view = given.view(Array)
    view.flags.writeable = False
    return view


def _brought_to_dtype(layer: Any, given: Any, method: str) -> Any:
    """Returns what a method of one's own gave in the layer's dtype: NumPy's rules make float64 of many things.

    Whole numbers and truth values that `forward` gives stay, as in Keras, and so do all that a model gives, whose
    layers have dtypes of their own.

    Raises:
        ValueError: If there are single numbers in lists among it: each output is an array.
    """

    def bring(leaf: Any) -> Any:
        if isinstance(leaf, (np.ndarray, np.generic)):
            is_meant = leaf.dtype == layer.dtype or (method == "forward" and leaf.dtype.kind in "iub")
            return leaf if is_meant or layer._mixes_dtypes else leaf.astype(layer.dtype)
        if isinstance(leaf, (bool, int, float)) and leaf is not given:
            hint = "np.asarray(...) makes one of a list of numbers"
            raise ValueError(expected(f"{method} of layer {layer.name!r}", "to return arrays", "nested lists", hint))
        return leaf

    return _tree.map_structure(bring, given)


def call_of(forward: Callable[..., tuple[Any, Any]]) -> Callable[..., Any]:
    """Returns Keras's `call` for a layer with `forward`: the outputs alone."""

    @functools.wraps(forward, assigned=("__module__", "__doc__"))
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        return forward(self, *as_plain_arrays(args), **as_plain_arrays(kwargs))[0]

    signature = inspect.signature(forward)
    shown = [parameter for name, parameter in signature.parameters.items() if name != "keep_cache"]
    call.__signature__ = signature.replace(parameters=shown, return_annotation="Any")  # type: ignore[attr-defined]
    return call
