"""`tf.nest`: lists, tuples and dicts of tensors, as cells and models of several inputs and states use them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from recurra import _tree
from recurra._checks import expected
from recurra._missing import says_what_to_do

__all__ = ["assert_same_structure", "flatten", "is_nested", "map_structure", "pack_sequence_as"]


def is_nested(structure: Any) -> bool:
    """Returns whether it is a list, tuple or dict."""
    return isinstance(structure, (list, tuple, dict))


def flatten(structure: Any) -> list[Any]:
    """Returns what is in lists, tuples and dicts, from left to right, dicts by their sorted keys."""
    return _tree.flatten(structure)


def pack_sequence_as(structure: Any, flat_sequence: Any) -> Any:
    """Returns a flat sequence nested as `structure` is: the inverse of `flatten`.

    Raises:
        ValueError: If the structure has another number of places.
    """
    leaves, places = list(flat_sequence), len(_tree.flatten(structure))
    if len(leaves) != places:
        raise ValueError(expected("pack_sequence_as", f"{places} things, one for each place", len(leaves)))
    return _tree.pack_as(structure, leaves)


def assert_same_structure(nest1: Any, nest2: Any, check_types: bool = True) -> None:
    """Checks that two structures are nested in one way.

    Args:
        nest1, nest2: The structures.
        check_types: Whether a list and a tuple differ; dicts of all kinds are one type.

    Raises:
        TypeError: If only the types of lists, tuples and dicts differ.
        ValueError: If the structures are nested in different ways.
    """
    parts, others = _parts(nest1), _parts(nest2)
    if is_nested(nest1) != is_nested(nest2) or parts.keys() != others.keys():
        what = "structures that are nested in one way"
        raise ValueError(expected("assert_same_structure", what, f"{nest1!r} and {nest2!r}"))
    are_dicts = isinstance(nest1, dict) and isinstance(nest2, dict)
    if check_types and is_nested(nest1) and not are_dicts and type(nest1) is not type(nest2):
        got = f"a {type(nest1).__name__} and a {type(nest2).__name__}"
        raise TypeError(expected("assert_same_structure", "structures of the same types", got))
    for key, part in parts.items():
        assert_same_structure(part, others[key], check_types)


def _parts(structure: Any) -> dict[Any, Any]:
    """Returns what is in a list or tuple by position, in a dict by key; nothing of other things."""
    if isinstance(structure, dict):
        return structure
    return dict(enumerate(structure)) if is_nested(structure) else {}


def map_structure(func: Callable[..., Any], *structure: Any) -> Any:
    """Returns the first structure with what `func` makes of the things at each place of all.

    Raises:
        ValueError: If there is no structure, or the structures are nested in different ways.
    """
    if not structure:
        raise ValueError(expected("map_structure", "at least one structure", "none"))
    if any(_tree.paths(other) != _tree.paths(structure[0]) for other in structure[1:]):
        raise ValueError(expected("map_structure", "structures that are nested in one way", "several ways"))
    leaves = zip(*map(_tree.flatten, structure), strict=True)
    return _tree.pack_as(structure[0], [func(*each) for each in leaves])


if not TYPE_CHECKING:  # type checkers would take every name for one that is there
    __getattr__ = says_what_to_do(__name__)
