"""Whose code runs: recurra's or the user's."""

from __future__ import annotations

from typing import Any


def is_own(function: Any) -> bool:
    """Returns whether a function is one of recurra's."""
    return (getattr(function, "__module__", None) or "").startswith("recurra.")


def is_left_behind(cls: type, method: str, overridden: str) -> bool:
    """Returns whether a method belongs to that of a base class for which a class of the user's has another.

    Such as an inherited `gradient` where `call` is overridden.
    """
    places = {name: i for i, base in reversed([*enumerate(cls.__mro__)]) for name in vars(base)}
    return not is_own(getattr(cls, overridden)) and places[overridden] < places[method]
