"""Optimizers: how gradients change weights. Formulas are Keras 3's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recurra import saving
from recurra._checks import did_you_mean, expected
from recurra._missing import says_what_to_do
from recurra.optimizers import schedules
from recurra.optimizers.adafactor import Adafactor
from recurra.optimizers.adagrad import Adadelta, Adagrad, Ftrl, RMSprop
from recurra.optimizers.adam import Adam, Adamax, AdamW, Lamb, Lion, Nadam
from recurra.optimizers.base import Optimizer
from recurra.optimizers.sgd import SGD

_CLASSES = (SGD, Adam, AdamW, RMSprop, Adagrad, Adadelta, Adamax, Nadam, Lion, Ftrl, Lamb, Adafactor)
_BY_NAME = {cls.__name__.lower(): cls for cls in _CLASSES}


def get(identifier: Any) -> Any:
    """Returns the optimizer for a name, a configuration, or itself; None for None.

    >>> get("adam").name
    'adam'

    Raises:
        ValueError: If there is no such optimizer.
    """
    if identifier is None or isinstance(identifier, Optimizer):
        return identifier
    found = None
    if isinstance(identifier, dict):
        found = deserialize(identifier)
    elif isinstance(identifier, str):
        cls = _BY_NAME.get(identifier.lower()) or saving.get_registered_object(identifier)
        found = cls() if cls is not None else None
    if isinstance(found, Optimizer):
        return found
    names = ", ".join(cls.__name__.lower() for cls in _CLASSES)
    hint = "make an object of the class first, as in Adam()" if isinstance(identifier, type) else None
    if isinstance(identifier, str):
        hint = saving.of_another_kind(identifier, _BY_NAME) or did_you_mean(identifier, _BY_NAME)
    raise ValueError(expected("optimizers.get", f"an Optimizer or one of {names}", repr(identifier), hint))


def serialize(optimizer: Optimizer) -> dict[str, Any]:
    """Returns the optimizer's class and configuration, ready for JSON."""
    return saving.serialize_keras_object(optimizer)


def deserialize(config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Optimizer:
    """Builds the optimizer that `serialize` described; upper and lower case of the class do not matter.

    Raises:
        TypeError: For anything but a config, and for a class that is in no table.
    """
    if not isinstance(config, dict):
        hint = "optimizers.get takes names" if isinstance(config, str) else None
        raise TypeError(expected("optimizers.deserialize", "a config, as serialize makes it", repr(config), hint))
    known = _BY_NAME.get(str(config.get("class_name")).lower())
    if known is not None:
        config = {"config": {}, **config, "class_name": known.__name__}
    return saving.deserialize_keras_object(config, custom_objects)


if not TYPE_CHECKING:  # type checkers would take every name for one that is there
    __getattr__ = says_what_to_do(__name__)

__all__ = [
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lamb",
    "Lion",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "deserialize",
    "get",
    "schedules",
    "serialize",
]
