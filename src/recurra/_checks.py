"""The one error sentence, and the checks that most constructors share."""

from __future__ import annotations

import numbers
from collections.abc import Iterable
from typing import Any, TypeVar

import numpy as np

_Value = TypeVar("_Value")


def expected(who: str, what: str, got: Any, hint: str | None = None) -> str:
    """Returns "WHO expected WHAT, got GOT: HINT".

    >>> expected("LSTM", "units to be a positive integer", -3)
    'LSTM expected units to be a positive integer, got -3'
    """
    sentence = f"{who} expected {what}, got {got}"
    return f"{sentence}: {hint}" if hint else sentence


def did_you_mean(given: Any, names: Iterable[str]) -> str | None:
    """Returns a hint at the names that look, or begin, like what was given, in any case of letters; None without any.

    >>> did_you_mean("lsmt", ["LSTM", "GRU"])
    "did you mean 'LSTM'?"
    >>> did_you_mean("glorot", ["glorot_uniform", "he_normal"])
    "did you mean 'glorot_uniform'?"
    """
    import difflib

    by_letters = {name.lower(): name for name in sorted(names)}  # lower case last: it stays
    letters = str(given).lower()
    close = difflib.get_close_matches(letters, by_letters, n=2, cutoff=0.7)
    close = close or [name for name in by_letters if len(letters) > 1 and name.startswith(letters)][:2]
    return f"did you mean {' or '.join(repr(by_letters[name]) for name in close)}?" if close else None


def hint_for_class(value: Any) -> str | None:
    """Returns what to do with a class that was given for an object; None for other things."""
    return f"make an object of it: {value.__name__}(...)" if isinstance(value, type) else None


def positive_int(who: str, name: str, value: Any) -> int:
    """Returns `value` as an int; TypeError for text and the like, ValueError unless it is a whole number above 0."""
    if type(value) is int and value > 0:  # nearly always, and the abstract classes below take their time
        return value
    plain = _plain_number(who, f"{name} to be a positive integer", value)
    if not isinstance(plain, numbers.Integral) or plain <= 0:
        raise ValueError(expected(who, f"{name} to be a positive integer", repr(value)))
    return int(plain)


def whole_number(who: str, name: str, value: Any) -> int:
    """Returns `value` as an int; TypeError for text and the like, ValueError for other numbers."""
    if type(value) is int:  # as above
        return value
    plain = _plain_number(who, f"{name} to be a whole number", value)
    if not isinstance(plain, numbers.Integral):
        raise ValueError(expected(who, f"{name} to be a whole number", repr(value)))
    return int(plain)


def seed_number(who: str, seed: Any) -> int:
    """Returns a whole number as an int; ValueError, as of Keras, for anything else."""
    if isinstance(seed, bool) or not isinstance(seed, numbers.Integral):
        raise ValueError(expected(who, "seed to be a whole number", repr(seed)))
    return int(seed)


def number(who: str, name: str, value: _Value) -> _Value:
    """Returns `value` as a plain number; TypeError for text and the like, ValueError for NaN."""
    plain = _plain_number(who, f"{name} to be a number", value)
    if plain != plain:
        raise ValueError(expected(who, f"{name} to be a number", repr(value)))
    return plain


def positive(who: str, name: str, value: _Value) -> _Value:
    """Returns `value` as a plain number; TypeError for text and the like, ValueError unless it is above 0."""
    plain: Any = number(who, name, value)
    if plain <= 0:
        raise ValueError(expected(who, f"{name} to be positive", repr(value)))
    return plain


def not_positive(who: str, name: str, value: Any) -> Any:
    """Returns `value` as a plain number; TypeError for text and the like, ValueError if it is above 0."""
    plain = number(who, name, value)
    if plain > 0:
        raise ValueError(expected(who, f"{name} to be at most 0", repr(value)))
    return plain


def not_negative(who: str, name: str, value: _Value) -> _Value:
    """Returns `value` as a plain number; TypeError for text and the like, ValueError for None, NaN and below 0."""
    what = f"{name} to be a number, not negative"
    plain = None if value is None else _plain_number(who, what, value)
    if plain is None or not plain >= 0:  # nor NaN
        raise ValueError(expected(who, what, repr(value)))
    return plain


def one_of(who: str, name: str, value: Any, choices: Iterable[Any]) -> Any:
    """Returns `value` if it is among `choices`, else raises ValueError."""
    choices = tuple(choices)
    if value not in choices:
        raise ValueError(expected(who, f"{name} to be one of {', '.join(map(repr, choices))}", repr(value)))
    return value


def fraction(who: str, name: str, value: Any) -> float:
    """Returns `value` as a float; TypeError for text and the like, ValueError unless it lies in [0, 1]."""
    what = f"{name} to be a number between 0 and 1"
    plain = float(_plain_number(who, what, value))
    if not 0 <= plain <= 1:
        raise ValueError(expected(who, what, repr(value)))
    return plain


def _plain_number(who: str, what: str, value: Any) -> Any:
    """Returns a number as Python's, also one of NumPy's, of an array or a variable without axes; TypeError without one.

    A float64 of NumPy's would turn the float32 arrays that it meets into float64 ones.
    """
    plain = np.asarray(value).item() if getattr(value, "shape", None) == () else value
    if isinstance(plain, bool) or not isinstance(plain, numbers.Real):
        raise TypeError(expected(who, what, repr(value)))
    return plain


def check_frequency(who: str, name: str, value: Any, hint: str) -> None:
    """Raises ValueError unless `value` is "epoch" or a positive number of batches."""
    is_count = isinstance(value, int) and not isinstance(value, bool) and value > 0
    if value != "epoch" and not is_count:
        raise ValueError(expected(who, f"{name} to be 'epoch' or a number of batches", repr(value), hint))


def check_gradient(activation: Any, who: str = "a layer") -> None:
    """Raises ValueError if the activation is the caller's own and has no gradient."""
    if not hasattr(activation, "gradient"):
        name = getattr(activation, "__name__", repr(activation))
        hint = "give the function an attribute gradient, called as gradient(dy, x, y)"
        hint += "; with options, some are layers: Softmax(axis=1), ReLU(max_value=6), LeakyReLU(0.1), ELU(0.5)"
        raise ValueError(expected(f"training {who}", "an activation with a gradient", repr(name), hint))
