"""Objects that count their changes."""

from __future__ import annotations

from typing import Any


class CountsChanges:
    """Counts how often an attribute was set: what native code was told about the object holds until then."""

    _changes = 0

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        self.__dict__["_changes"] = self._changes + 1
