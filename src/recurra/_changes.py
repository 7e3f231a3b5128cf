"""Objects that stamp their changes: what native code was told about them holds until then."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

_stamps = count(1)  # no two changes share one, whichever threads make them
last = 0  # stamp of the last change of any object: where it stands still, nothing needs to be looked at


def stamp() -> int:
    """Returns the stamp of a change just made."""
    global last
    last = number = next(_stamps)
    return number


class StampsChanges:
    """Stamps each setting of an attribute; tells what to do without those that Keras once had."""

    _changed = 0

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        self.__dict__["_changed"] = stamp()

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if hasattr(type(self), name):
                return object.__getattribute__(self, name)  # a property that has raised: its own error
            from recurra._missing import no_attribute

            raise no_attribute(self, name)
