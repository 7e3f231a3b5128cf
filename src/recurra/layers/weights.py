"""The weights of a layer, and the layers within it: what attributes hold belongs to the layer."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra import _file_limits, _memory, constraints, initializers, regularizers
from recurra._arrays import as_numbers, plain_dtype
from recurra._changes import StampsChanges, stamp
from recurra._checks import expected
from recurra._names import naming
from recurra._owners import is_own
from recurra.random import SeedGenerator
from recurra.variables import Variable, assign_together, holding

if TYPE_CHECKING:
    from recurra.layers.base import Layer


class HoldsWeights(StampsChanges):
    """The part of a layer that holds weights, random generators and other layers.

    `add_weight` makes weights. Variables, generators and layers that are set as attributes, in lists, tuples and dicts
    too, are the layer's own: their weights are among `weights`.

    Args:
        trainable: Whether training changes the weights.
    """

    name: str
    dtype: str
    built: bool
    _building: bool
    _noise_rates: tuple[str, ...] = ()  # attributes: without one above zero, training draws no random numbers

    def __init__(self, trainable: bool):
        self._creation_stamp = stamp()
        self._known_sublayers: list[Any] = []  # in the order in which they came
        self._seed_generators: dict[str, SeedGenerator] = {}
        self._trainable_variables: list[Variable] = []
        self._non_trainable_variables: list[Variable] = []
        self._trainable = trainable

    def _hold(self, before: dict[str, Any]) -> None:
        """Begins to take what attributes hold for the layer's own, also what was set before.

        Args:
            before: The attributes that a subclass had set when `Layer.__init__` was called.
        """
        self._layers: dict[str, Any] = {}  # attributes from here on that hold layers, or may: see `_held`
        for attribute, value in before.items():
            if vars(self).get(attribute) is value:
                setattr(self, attribute, value)

    def add_weight(
        self,
        shape: Any = None,
        initializer: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        name: str | None = None,
    ) -> Variable:
        """Makes a weight and returns it.

        Args:
            shape: Its shape; (), a single number, if None.
            initializer: Name or object; "glorot_uniform" if None.
            dtype: The layer's if None.
            trainable: Whether training changes it.
            autocast: No matter: a layer computes in the dtype of its weights.
            regularizer: Penalty on it.
            constraint: Applied after each update.
            name: Its short name.

        Raises:
            ValueError: For a name that is unknown, and where a file asks for more weights than it holds.
        """
        self._sublayers()  # variables that lists got before go before
        dtype = plain_dtype(dtype) or self.dtype
        shape = () if shape is None else (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
        size_bytes = math.prod(shape) * np.dtype(dtype).itemsize
        _file_limits.take_memory(f"layer {self.name!r}", "weights", name or "variable", size_bytes)
        follows = _file_limits.weights_follow()
        value = np.zeros(shape, dtype) if follows else self._first_value(initializer, shape, dtype, name)
        _memory.note_allocated(value.nbytes)
        scope = naming.scope if self._building else [self.name]
        variable = holding(
            value,
            name=name or "variable",
            path="/".join([*scope, name or "variable"]),
            trainable=trainable and self._trainable,
            regularizer=regularizers.get(regularizer),
            constraint=constraints.get(constraint),
        )
        (self._trainable_variables if trainable else self._non_trainable_variables).append(variable)
        return variable

    def _first_value(self, initializer: Any, shape: tuple[int, ...], dtype: Any, name: str | None) -> np.ndarray:
        """Returns what an initializer makes, in `dtype`: one of the caller's may give lists or float64."""
        make = initializers.get(initializer or "glorot_uniform")
        who = f"weight {name!r} of layer {self.name!r}"
        value = as_numbers(make(shape, dtype=dtype), who)
        if value.shape != shape:
            hint = "its initializer returns an array of the shape that it is given"
            raise ValueError(expected(who, f"shape {shape}", value.shape, hint))
        return np.array(value, dtype, copy=None if is_own(make) else True)  # the caller may hold it

    def _add_configured_weight(
        self, name: str, shape: Any, option: str | None = None, initializer: Any = None
    ) -> Variable:
        """Makes a weight with the initializer, regularizer and constraint that the constructor was given for it.

        Args:
            name: Its short name.
            shape: Its shape.
            option: What the constructor calls it, as "recurrent" in `recurrent_initializer`; `name` if None.
            initializer: In place of the constructor's.
        """
        option = option or name
        return self.add_weight(
            shape,
            initializer or getattr(self, f"{option}_initializer"),
            name=name,
            regularizer=getattr(self, f"{option}_regularizer"),
            constraint=getattr(self, f"{option}_constraint"),
        )

    @property
    def weights(self) -> list[Variable]:
        """All weights: the layer's own, trainable first, then those of its sublayers in order."""
        found = self._own_weights()
        for layer in self._sublayers():
            found.extend(layer.weights)
        return _unique(found)

    @property
    def trainable_weights(self) -> list[Variable]:
        """The weights that training changes: none of a layer that is not `trainable`."""
        if not self._trainable:
            return []
        inner = self._sublayers()
        found = [variable for variable in self._trainable_variables if variable.trainable]
        for layer in inner:
            found.extend(layer.trainable_weights)
        return _unique(found)

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """The weights that training leaves alone."""
        trained = {id(variable) for variable in self.trainable_weights}
        return [variable for variable in self.weights if id(variable) not in trained]

    @property
    def variables(self) -> list[Variable]:
        """The weights, then the states of the random generators."""
        return [*self.weights, *self._seed_states()]

    trainable_variables = trainable_weights

    @property
    def non_trainable_variables(self) -> list[Variable]:
        """The weights that training leaves alone, then the states of the random generators."""
        return [*self.non_trainable_weights, *self._seed_states()]

    def _own_weights(self) -> list[Variable]:
        """Returns the layer's own, without those of its sublayers: trainable first, as files have them."""
        self._sublayers()  # takes up variables that lists got
        return [*self._trainable_variables, *self._non_trainable_variables]

    def _own_statistics(self) -> list[Variable]:
        """Returns what a forward run in training may change of the layer's own: statistics, and random states."""
        return [*self._non_trainable_variables, *(one.state for one in self._seed_generators.values())]

    def _seed_generators_in_use(self) -> dict[str, SeedGenerator]:
        """Returns those that training draws from, by the names of the attributes that hold them."""
        idle = self._noise_rates and not any(getattr(self, name) for name in self._noise_rates)
        return {} if idle else self._seed_generators

    def _seeds(self) -> list[SeedGenerator]:
        """Returns the random generators of the layer and of all layers within it."""
        return [generator for part in self._flatten_layers() for generator in part._seed_generators.values()]

    def _seed_states(self) -> list[Variable]:
        return _unique([generator.state for generator in self._seeds()])

    @property
    def trainable(self) -> bool:
        """Whether training changes the weights; setting it sets all sublayers."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        inner = self._sublayers()
        for variable in self._trainable_variables:
            variable.trainable = self._trainable
        for layer in inner:
            layer.trainable = self._trainable

    def get_weights(self) -> list[np.ndarray]:
        """Returns copies of all weights, in the order of `weights`."""
        return [variable.numpy() for variable in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Copies arrays into the weights, all or none.

        Raises:
            ValueError: If their number or a shape is not that of `get_weights`, or one holds no numbers.
        """
        variables = self.weights
        who = f"{type(self).__name__} {self.name!r}"
        if not hasattr(weights, "__len__"):
            raise ValueError(expected(who, "a list of arrays, as get_weights gives it", repr(weights)))
        if len(weights) != len(variables):
            hint = None if self.built else "it is not built: call it on data or build it first"
            raise ValueError(expected(who, f"{len(variables)} weights", len(weights), hint))
        assign_together(variables, weights)

    def save_own_variables(self, store: Any) -> None:
        """Puts the layer's own weights, without those of layers within it, into `store` under "0", "1", ...

        A file holds what is in `store`. A subclass may put there other arrays of numbers, with its own
        `load_own_variables`.
        """
        for i, variable in enumerate(self._own_weights()):
            store[str(i)] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Takes the layer's own weights from what `save_own_variables` filled, all or none.

        Raises:
            ValueError: If their number or a shape is another.
        """
        variables = self._own_weights()
        if len(store.keys()) != len(variables):
            who = f"{type(self).__name__} {self.name!r}"
            raise ValueError(expected(who, f"{len(variables)} weights of its own", len(store.keys())))
        assign_together(variables, [store[str(i)] for i in range(len(variables))])

    def count_params(self) -> int:
        """Returns the number of scalars in the weights.

        Raises:
            ValueError: If the layer is not built.
        """
        if not self.built:
            raise ValueError(
                expected(f"count_params of {self.name!r}", "a built layer", "none", "call it or build it first")
            )
        return sum(variable.value.size for variable in self.weights)

    def _sublayers(self) -> list[Layer]:
        """Returns the layers that attributes hold, in lists and dicts too, each once, in the order in which they came.

        Keras notes what is put into a list; here lists are looked through when that is asked for, and of what came
        since the last time the older ones are first. Variables found there become the layer's own.
        """
        if not self._layers:
            return []
        items = _held(list(self._layers.values()))  # another thread may set attributes
        known_before = self._known_sublayers
        if len(items) == len(known_before) and all(map(operator.is_, items, known_before)):
            return items
        held: dict[int, Layer] = {}
        for item in items:
            if isinstance(item, Variable):
                self._adopt(item)
            else:
                held[id(item)] = item
        known = {id(layer): layer for layer in known_before if id(layer) in held}
        new = [layer for layer in held.values() if id(layer) not in known]
        new.sort(key=lambda layer: layer._creation_stamp)
        self.__dict__["_known_sublayers"] = [*known.values(), *new]  # nothing to stamp
        return list(self._known_sublayers)

    def _flatten_layers(self) -> list[Layer]:
        """Returns the layer and all layers within it, each before those within it."""
        this: Any = self  # a `Layer`, as everything is that holds weights
        return [this, *(part for layer in self._sublayers() for part in layer._flatten_layers())]

    def __setattr__(self, name: str, value: Any) -> None:
        layers = self.__dict__.get("_layers")
        if layers is not None and name != "_layers":
            if isinstance(self.__dict__.get(name), Variable) and not isinstance(value, Variable):
                self._keep_weight(name, value)
            if isinstance(value, (HoldsWeights, list, dict)) or (
                isinstance(value, tuple) and any(isinstance(item, _HOLDERS) for item in value)
            ):
                self._sublayers()  # what came before goes before
                layers[name] = value
                self._known_sublayers.extend(item for item in _held([value]) if isinstance(item, HoldsWeights))
            else:
                layers.pop(name, None)
            if isinstance(value, SeedGenerator):
                self._seed_generators[name] = value
            else:
                self._seed_generators.pop(name, None)
            for item in _held([value]):
                if isinstance(item, Variable):
                    self._adopt(item)
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        value = self.__dict__.get(name)
        super().__delattr__(name)
        if "_layers" in self.__dict__:
            self._layers.pop(name, None)
            self._seed_generators.pop(name, None)
            for own in (self._trainable_variables, self._non_trainable_variables):
                own[:] = [variable for variable in own if variable is not value]

    def _keep_weight(self, name: str, value: Any) -> None:
        """Raises AttributeError where a weight would go and leave `weights` and the layer's arithmetic apart."""
        held = self.__dict__[name]
        if any(held is own for own in self._own_weights()):
            who, hint = f"layer {self.name!r}", f"write {name}.assign(...) to set its numbers"
            raise AttributeError(expected(who, f"its weight {name!r} to stay a Variable", type(value).__name__, hint))

    def _adopt(self, variable: Variable) -> None:
        """Makes a variable one of the layer's weights, unless it is: those of `add_weight` are."""
        if not any(variable is own for own in (*self._trainable_variables, *self._non_trainable_variables)):
            (self._trainable_variables if variable.trainable else self._non_trainable_variables).append(variable)


_PARTS, _CONTAINERS = (HoldsWeights, Variable), (list, tuple, dict)  # of a layer, and what may hold them
_HOLDERS = (*_PARTS, *_CONTAINERS)


def _held(values: list[Any], within: tuple[Any, ...] = ()) -> list[Any]:
    """Returns the layers and variables among values, and in lists, tuples and dicts of them, in order."""
    found: list[Any] = []
    for value in values:
        if isinstance(value, _PARTS):
            found.append(value)
        elif isinstance(value, _CONTAINERS) and not any(value is outer for outer in within):
            items = list(value.values() if isinstance(value, dict) else value)
            if any(issubclass(kind, _HOLDERS) for kind in set(map(type, items))):  # a vocabulary is soon looked through
                found += _held(items, (*within, value))
    return found


def _unique(variables: list[Variable]) -> list[Variable]:
    """Returns each variable once, where it comes first: == compares values."""
    return list({id(variable): variable for variable in variables}.values())
