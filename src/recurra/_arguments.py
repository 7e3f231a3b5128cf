"""The errors for arguments that a function or class does not take: they say what to write instead."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from recurra._checks import did_you_mean, expected
from recurra._owners import is_own

_Function = TypeVar("_Function", bound=Callable[..., Any])
_Result = TypeVar("_Result")

# Arguments that Keras 3 has under another name or not at all, or that are not here.
_ARGUMENTS = {
    "batch_input_shape": "begin the model with Input(batch_shape=...)",
    "epsilon": "write min_delta for epsilon",
    "inner_activation": "write recurrent_activation for inner_activation",
    "input_length": "write input_shape=(input_length, input_dim)",
    "lr": "write learning_rate for lr",
    "period": "write save_freq, a number of batches or 'epoch'",
    "rms_scaling": "use RMSNormalization",
    "time_major": "give the data as (batch, timesteps, features)",
    "weights": "call set_weights() once the layer is built",
}
_HORIZONS = ("fh", "h", "horizon", "n_periods", "prediction_length", "steps")  # as forecasting libraries call it


class _NearestSignature:
    """As Python 3.11 finds it by itself; 3.10 takes a `__new__` of any base before the `__init__` of a nearer class."""

    def __get__(self, instance: Any, owner: type) -> inspect.Signature:
        nearest = next(base for base in owner.__mro__ if {"__new__", "__init__"} & vars(base).keys())
        if instance is not None or "__new__" in vars(nearest):
            raise AttributeError("__signature__")  # then Python looks for itself
        signature = inspect.signature(nearest.__init__)  # type: ignore[misc]
        return signature.replace(parameters=[*signature.parameters.values()][1:])


class KnowsArguments:
    """Classes of recurra's that tell of keywords that their constructor does not take; not those with **options."""

    _called_with_data = False  # of objects that are made, and then called with arrays

    if not TYPE_CHECKING:
        if sys.version_info < (3, 11):
            __signature__ = _NearestSignature()

        def __new__(cls, *args: Any, **kwargs: Any) -> Any:
            if cls.__init__ is object.__init__ and (args or kwargs):  # Python says so where there is no __new__ either
                raise TypeError(f"{cls.__name__}() takes no arguments")
            if is_own(cls.__init__):
                _refuse_unknown(cls.__name__, cls.__init__, kwargs)
                if cls._called_with_data and len(args) > 1 and all(map(_has_axes, args[:2])):
                    hint = f"make the object first: {cls.__name__}()(y_true, y_pred)"
                    raise TypeError(expected(cls.__name__, "options", "two arrays", hint))
            return super().__new__(cls)


def _has_axes(value: Any) -> bool:
    return isinstance(value, (list, tuple)) or bool(getattr(value, "shape", ()))


def knows_arguments(function: _Function) -> _Function:
    """Decorator: tells of keywords that the function does not take. Not for what is called at every batch."""

    @functools.wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        _refuse_unknown(function.__name__, function, kwargs)
        return function(*args, **kwargs)

    return checked  # type: ignore[return-value]


def open_arguments(method: Callable[..., _Result]) -> Callable[..., _Result]:
    """Decorator for type checkers: subclasses may name a method's arguments as they like, and leave some out."""
    return method


def _refuse_unknown(who: str, function: Any, given: Iterable[str]) -> None:
    """Raises TypeError for keywords that a function does not take, as Python does, with a hint."""
    code = function.__code__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    unknown = [name for name in given if name not in names]
    if unknown and not code.co_flags & inspect.CO_VARKEYWORDS:
        raise TypeError(unknown_arguments(who, unknown, names))


def take_by_position(who: str, names: Iterable[str], args: Iterable[Any], kwargs: dict[str, Any]) -> None:
    """Puts positional arguments among the others by their names; TypeError for one that is there, as Python says it."""
    for name, value in zip(names, args, strict=False):
        if name in kwargs:
            raise TypeError(f"{who}() got multiple values for argument {name!r}")
        kwargs[name] = value


def hint_for_argument(name: str) -> str | None:
    """Returns what to do without an argument; None where nothing is known about it."""
    return _ARGUMENTS.get(name)


def unknown_arguments(who: str, names: Iterable[str], known: Iterable[str]) -> str:
    """Returns the error for arguments that `who` does not take; those that it takes are `known`."""
    names, known = list(names), list(known)
    hints = [_hint_for_horizon(name, known) or hint_for_argument(name) or did_you_mean(name, known) for name in names]
    return expected(who, "known arguments", ", ".join(map(repr, names)), "; ".join(filter(None, hints)) or None)


def _hint_for_horizon(name: str, known: list[str]) -> str | None:
    """Returns where the steps of a forecast are said, for what takes them or the options of its data."""
    if name in _HORIZONS and "horizon" in known:
        return f"write horizon for {name}"
    return "the horizon is given to Forecaster(horizon=...)" if name in _HORIZONS and "time_col" in known else None
