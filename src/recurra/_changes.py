"""Objects that stamp their changes: what native code was told about them holds until then."""

from __future__ import annotations

from itertools import count
from typing import Any

_stamps = count(1)  # no two changes share one, whichever threads make them
last = 0  # stamp of the last change of any object: where it stands still, nothing needs to be looked at


def stamp() -> int:
    """Returns the stamp of a change just made."""
    global last
    last = number = next(_stamps)
    return number


class StampsChanges:
    """Stamps each setting and deletion of an attribute."""

    _changed = 0

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        self.__dict__["_changed"] = stamp()

    def __delattr__(self, name: str) -> None:
        super().__delattr__(name)
        self.__dict__["_changed"] = stamp()

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__.copy()  # at once: while it is copied or pickled, another thread may train it
