"""What an optimizer keeps per weight, laid end to end as an arena lays the weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recurra import _memory
from recurra.variables import Variable


class Slot:
    """One optimizer variable per weight, all views of one flat array where they have one dtype.

    Args:
        variables: Their values are copied in and become views.
    """

    def __init__(self, variables: Sequence[Variable]):
        self.variables = tuple(variables)
        self._lay()

    def array(self, index: int) -> np.ndarray:
        """Returns the array of one variable, or the flat one for a negative index."""
        return self._flat if index < 0 else self.variables[index].value

    def fill(self, value: float) -> None:
        """Sets all entries to one value."""
        for variable in self.variables:
            variable.value.fill(value)

    def _lay(self) -> None:
        values = [variable.value for variable in self.variables]
        if len({value.dtype for value in values}) <= 1:
            self._flat, values = _memory.end_to_end(values)
        else:
            self._flat, values = np.empty(0), [value.copy() for value in values]
        for variable, value in zip(self.variables, values, strict=True):
            variable.value = value

    # A copy or a pickle would turn each view into an array of its own: it is laid anew instead.

    def __getstate__(self) -> dict[str, tuple[Variable, ...]]:
        return {"variables": self.variables}

    def __setstate__(self, state: dict[str, tuple[Variable, ...]]) -> None:
        self.variables = state["variables"]
        self._lay()
