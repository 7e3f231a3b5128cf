"""The variables of an optimizer: the count of its steps, and what it keeps for each weight."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from recurra import config as settings
from recurra import initializers
from recurra._changes import StampsChanges
from recurra._checks import expected
from recurra.optimizers.slots import Slot
from recurra.variables import Variable, assign_together


class HoldsVariables(StampsChanges):
    """The part of an optimizer that makes its variables, finds those of a weight, and writes and reads them.

    Args:
        name: First part of the variables' paths.
    """

    slots: tuple[tuple[str, ...], ...] = ()
    use_ema: bool  # this and the next two are set by `Optimizer`
    gradient_accumulation_steps: int | None
    _learning_rate: Any

    def __init__(self, name: str):
        self.name = name
        self.built: bool = False
        self._trainable_variables: tuple[Variable, ...] = ()
        self._index: dict[Variable, int] = {}
        self._slots: dict[str, Slot] = {}
        self._model_variables_moving_average: tuple[Variable, ...] = ()  # a slot's, by Keras's name
        self._slot_variables: list[Variable] = []
        self._iterations = self._new_variable(np.int64(0), "iteration")

    def slot_groups(self) -> Iterable[tuple[str, ...]]:
        """Returns the names of the arrays kept per variable; those of a group are listed variable by variable."""
        return self.slots

    def slot_start(self, name: str) -> float:
        """Returns the value that a slot starts with."""
        return 0.0

    def build(self, variables: Sequence[Variable]) -> None:
        """Makes the optimizer's variables for these weights, unless they are there."""
        if self.built:
            return
        self._trainable_variables = tuple(variables)
        self._index = {variable: i for i, variable in enumerate(variables)}
        if self.use_ema:
            self._add_slots(("average",))
            self._model_variables_moving_average = self._slots["average"].variables
        if self.gradient_accumulation_steps:
            self._add_slots(("gradient_accumulator",))
        for group in self.slot_groups():
            self._add_slots(group)
        self.built = True

    def _add_slots(self, names: tuple[str, ...]) -> None:
        rows = [[self._new_slot_variable(variable, name) for name in names] for variable in self._trainable_variables]
        for position, name in enumerate(names):
            self._slots[name] = Slot([row[position] for row in rows])
        self._slot_variables.extend(slot_variable for row in rows for slot_variable in row)

    def _new_slot_variable(self, variable: Variable, name: str) -> Variable:
        start = np.array(self.slot_start(name), variable.dtype)
        made = self._new_variable(start, f"{variable.path.replace('/', '_')}_{name}")
        made.value = np.broadcast_to(start, variable.shape)  # a Slot lays it out: large ones are written just once
        return made

    def _new_variable(self, value: Any, name: str) -> Variable:
        return Variable(value, name=name, path=f"{self.name}/{name}", trainable=False)

    def add_variable(
        self, shape: Any, initializer: Any = "zeros", dtype: Any = None, name: str | None = None, **unused: Any
    ) -> Variable:
        """Makes a variable of the optimizer and returns it; `aggregation` and `layout` change nothing."""
        value = initializers.get(initializer)(tuple(shape), dtype=dtype or settings.floatx())
        self._slot_variables.append(self._new_variable(value, name or "variable"))
        return self._slot_variables[-1]

    def add_variable_from_reference(
        self, reference_variable: Variable, name: str | None = None, initializer: Any = "zeros"
    ) -> Variable:
        """Makes a variable of the shape and dtype of a weight."""
        name = f"{reference_variable.path.replace('/', '_')}_{name or 'var'}"
        return self.add_variable(reference_variable.shape, initializer, reference_variable.dtype, name)

    def add_optimizer_variables(
        self, trainable_variables: Sequence[Variable], name: Any, initializer: Any = "zeros"
    ) -> Any:
        """Makes a variable for each weight and returns them in a list; for a list of names, a tuple of such lists.

        Args:
            trainable_variables: The weights.
            name: Last part of the variables' names, or several.
            initializer: Of all, or one for each name.
        """
        names = [name] if isinstance(name, str) else list(name)
        starts = initializer if isinstance(initializer, (list, tuple)) else [initializer] * len(names)
        made = [
            [self.add_variable_from_reference(variable, *pair) for pair in zip(names, starts, strict=True)]
            for variable in trainable_variables
        ]
        columns = tuple([row[position] for row in made] for position in range(len(names)))
        return columns[0] if isinstance(name, str) else columns

    def assign(self, variable: Variable, value: Any) -> None:
        """Sets a variable, as in Keras."""
        variable.assign(value)

    def assign_add(self, variable: Variable, value: Any) -> None:
        """Adds to a variable."""
        variable.assign_add(value)

    def assign_sub(self, variable: Variable, value: Any) -> None:
        """Subtracts from a variable."""
        variable.assign_sub(value)

    @property
    def variables(self) -> list[Variable]:
        """The optimizer's variables in the order of Keras's files: iteration, learning rate, then the slots."""
        rate = [self._learning_rate] if isinstance(self._learning_rate, Variable) else []
        return [self._iterations, *rate, *self._slot_variables]

    @property
    def iterations(self) -> Any:
        """The number of steps done: of updates, if gradients are accumulated."""
        if self.gradient_accumulation_steps:
            return self._iterations.value // self.gradient_accumulation_steps
        return self._iterations

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Copies arrays into `variables`, all or none.

        Raises:
            ValueError: If the optimizer is not built, their number or a shape is another, or one holds no numbers.
        """
        who = f"{type(self).__name__}.set_weights"
        if not self.built:
            hint = "You are calling set_weights() before build(trainable_variables)"
            raise ValueError(expected(who, "a built optimizer", "one that is not", hint))
        if len(weights) != len(self.variables):
            raise ValueError(expected(who, f"{len(self.variables)} arrays", len(weights)))
        assign_together(self.variables, weights)

    def save_own_variables(self, store: Any) -> None:
        """Puts the variables into `store` under "0", "1", ..."""
        for i, variable in enumerate(self.variables):
            store[str(i)] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Takes the variables from what `save_own_variables` filled; warns and leaves them if their number differs."""
        if len(store.keys()) != len(self.variables):
            warnings.warn(
                f"Skipping variable loading for optimizer '{self.name}', because it has {len(self.variables)} "
                f"variables whereas the saved optimizer has {len(store.keys())} variables.",
                stacklevel=2,
            )
            return
        assign_together(self.variables, [store[str(i)] for i in range(len(self.variables))])

    def _indices(self, variables: Sequence[Variable]) -> list[int]:
        return [self._get_variable_index(variable) for variable in variables]

    def _get_variable_index(self, variable: Variable) -> int:
        """Returns the position of a variable among those that the optimizer was built with; Keras's word."""
        if variable not in self._index:
            hint = "for other variables compile the model again, or make a new optimizer"
            what = "the variables it was built with"
            raise ValueError(expected(type(self).__name__, what, repr(variable.path), hint))
        return self._index[variable]

    def _slot_arrays(self, index: int) -> list[np.ndarray]:
        return [self._slots[name].array(index) for group in self.slot_groups() for name in group]
