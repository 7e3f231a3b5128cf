"""The outputs of a model: their structure, their names, and what losses, metrics or data give for each of them."""

from __future__ import annotations

from typing import Any

from recurra import _tree
from recurra._arrays import plain_numbers_as_array
from recurra._checks import expected


class Outputs:
    """The outputs of a model in the order of `_tree.flatten`.

    Args:
        structure: Anything that is nested as the outputs are.
        names: Of the layers that give them.

    Attributes:
        names: Of the layers.
        paths: What the losses are called in logs: "state", or within lists and dicts "p/state", "0/state" or "p/key".
        short_names: What the metrics are called in logs: as in Keras without the way to outputs within outputs.
        has_keys: Whether the outermost structure is a dict.
        as_written: Their positions in the order of the structure, whose dicts need not be sorted.
    """

    def __init__(self, structure: Any, names: list[str]):
        self.names = names
        ways = _tree.paths(structure)
        self.paths = [_joined(way, name) for way, name in zip(ways, names, strict=True)]
        self.short_names = names if any(len(way) > 1 for way in ways) else self.paths
        self.has_keys = isinstance(structure, dict)
        self._positions = _tree.pack_as(structure, list(range(len(names))))
        self.as_written = [position for position, _ in _pairs(self._positions, self._positions) or ()]

    def each(self, given: Any, who: str, what: str, trained: list[int] | None = None) -> dict[int, Any]:
        """Returns what is given for the outputs, by their positions, in the order in which it is given.

        Args:
            given: Nested as the outputs are; dicts may leave out keys, and None stands for none at all. Or a flat list
                in the outputs' order, or a dict by the layers' names.
            who, what: For the error.
            trained: Positions of those outputs for which alone a flat list may be.

        Raises:
            ValueError: If it fits in none of these ways.
        """
        pairs: Any = _pairs(self._positions, given)
        if isinstance(given, dict) and not self.has_keys and set(given) <= set(self.names):
            pairs = sorted((self.names.index(name), name) for name in given)
            pairs = [(position, _alone(given[name])) for position, name in pairs]
        leaves = list(given) if isinstance(given, (list, tuple)) else [given]
        for wanted in (list(range(len(self.names))), trained):
            if pairs is None and wanted is not None and len(leaves) == len(wanted) and not isinstance(given, dict):
                pairs = list(zip(wanted, map(_alone, leaves), strict=True))
        if pairs is None:
            names = _tree.pack_as(self._positions, self.names)
            hint = None if isinstance(given, (list, tuple, dict)) else "give a list with one for each"
            raise ValueError(expected(who, f"{what} for the outputs {names!r}", repr(_sketch(given)), hint))
        return dict(pairs)

    def row(self, found: dict[int, Any]) -> list[Any]:
        """Returns what `each` found, one entry for each output, None where nothing is."""
        return [found.get(position) for position in range(len(self.names))]


def _joined(way: tuple[Any, ...], name: str) -> str:
    """Returns the keys and positions to an output with slashes between; the name where a position would be the last."""
    ends_in_key = way and not isinstance(way[-1], int)
    return "/".join(map(str, way if ends_in_key else (*way[:-1], name)))


def _pairs(where: Any, given: Any) -> list[tuple[int, Any]] | None:
    """Returns (position, what is given there) for `where`, nested positions, or None where `given` has another form."""
    if isinstance(where, int):
        return None if isinstance(given, dict) and "class_name" not in given else [(where, _alone(given))]
    if given is None:
        return []
    keys: Any = None
    if isinstance(where, dict) and isinstance(given, dict) and set(given) <= set(where):
        keys = given
    elif not isinstance(where, dict) and isinstance(given, (list, tuple)) and len(given) == len(where):
        keys = range(len(where))
    found = [_pairs(where[key], given[key]) for key in keys or ()]
    if keys is None or any(pairs is None for pairs in found):
        return None
    return [pair for pairs in found for pair in pairs or ()]


def _alone(given: Any) -> Any:
    """Returns what lists of one hold; other things as they are, and nested lists of numbers as one array."""
    given = plain_numbers_as_array(given)
    while isinstance(given, (list, tuple)) and len(given) == 1:
        given = given[0]
    return given


def _sketch(given: Any) -> Any:
    """Returns what is nested how, with names of types in place of arrays."""
    if isinstance(given, dict):
        return {key: _sketch(one) for key, one in given.items()}
    if isinstance(given, (list, tuple)):
        return [_sketch(one) for one in given]
    return given if given is None or isinstance(given, (str, int, float)) else type(given).__name__
