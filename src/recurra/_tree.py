"""Nested lists, tuples and dicts of arrays: flatten, rebuild, map. Dicts go by sorted key, as in Keras."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


def flatten(structure: Any) -> list[Any]:
    """Returns the leaves of `structure` from left to right; None is a leaf."""
    if isinstance(structure, (list, tuple)):
        return [leaf for item in structure for leaf in flatten(item)]
    if isinstance(structure, dict):
        return [leaf for key in sorted(structure) for leaf in flatten(structure[key])]
    return [structure]


def paths(structure: Any) -> list[tuple[Any, ...]]:
    """Returns the keys and positions that lead to each leaf, in the order of `flatten`."""
    if isinstance(structure, dict):
        return [(key, *path) for key in sorted(structure) for path in paths(structure[key])]
    if isinstance(structure, (list, tuple)):
        return [(position, *path) for position, item in enumerate(structure) for path in paths(item)]
    return [()]


def pack_as(structure: Any, leaves: list[Any]) -> Any:
    """Returns `leaves` in the shape of `structure`: the inverse of `flatten`."""
    return _pack(structure, iter(leaves))


def map_structure(function: Callable[[Any], Any], structure: Any) -> Any:
    """Returns `structure` with `function` applied to every leaf."""
    return pack_as(structure, [function(leaf) for leaf in flatten(structure)])


def _pack(structure: Any, leaves: Iterator[Any]) -> Any:
    if isinstance(structure, dict):
        packed = {key: _pack(structure[key], leaves) for key in sorted(structure)}
        return {key: packed[key] for key in structure}
    if isinstance(structure, list):
        return [_pack(item, leaves) for item in structure]
    if isinstance(structure, tuple):
        items = [_pack(item, leaves) for item in structure]
        return type(structure)(*items) if hasattr(structure, "_fields") else tuple(items)
    return next(leaves)
