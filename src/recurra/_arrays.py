"""Arrays of numbers from what callers have (lists, frames, tensors of other libraries), and those that they get."""

from __future__ import annotations

import datetime
import functools
import math
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec

import numpy as np

from recurra import _tree, config
from recurra._checks import did_you_mean, expected
from recurra._owners import is_own

_OF_PYTHON = {float: "float32", int: "int32", bool: "bool"}  # NumPy's are of 64 bits
_Arguments = ParamSpec("_Arguments")
_TEXT = "turn text into numbers first"
_HINTS = {
    "O": "give all columns one dtype first, as with .astype('float32')",
    "S": _TEXT,
    "U": _TEXT,
    "M": "turn times into numbers first",
    "V": "give NumPy's own numbers, as with .astype('float32')",  # bfloat16 and the like of ml_dtypes and JAX
}


def as_numbers(value: Any, who: str) -> np.ndarray:
    """Returns `value` as an array.

    Raises:
        ValueError: If it does not hold numbers, or lists of several lengths, or if some are masked.
    """
    if value.__class__ is np.ndarray and value.dtype.kind in "fiub":  # nearly always
        return value
    try:
        array = value if isinstance(value, np.ndarray) else np.asarray(from_torch_tensor(value))
    except ValueError as error:
        got = "lists of several"
        hint: str | None = "pad sequences with utils.pad_sequences; batches come from a generator"
        if isinstance(value, (list, tuple)) and all(hasattr(item, "shape") for item in value):
            got = f"a {type(value).__name__} of arrays of shapes {', '.join(str(tuple(item.shape)) for item in value)}"
            hint = "give x and y apart; pad sequences with utils.pad_sequences; batches come from a generator"
        raise ValueError(expected(who, "an array, or lists of one length", got, hint)) from error
    if array is value and hasattr(array, "mask"):  # a masked array of NumPy's: other arrays have no `mask`
        check_unmasked(array, who)
        array = np.asarray(array)
    if array.dtype.kind in "fiub":
        return array
    if array.dtype.kind == "O" and not array.ndim:
        given = array.item()
        hint = "call it, and give what it returns" if callable(given) else None
        hint = "make an array of it with .toarray()" if hasattr(given, "toarray") else hint
        raise ValueError(expected(who, "numbers", "None" if given is None else type(given).__name__, hint))
    if array.dtype.kind == "O" and _has_columns_of_numbers(value):
        return value.to_numpy("float64", na_value=np.nan)
    got, what_to_do = _odd_column(value) or (f"an array of dtype {array.dtype}", _HINTS.get(_kind(array)))
    raise ValueError(expected(who, "numbers", got, what_to_do))


def check_unmasked(value: Any, who: str) -> None:
    """Raises ValueError for a masked array of NumPy's with values that are masked: as plain arrays they would count."""
    if isinstance(value, np.ndarray) and hasattr(value, "mask") and np.ma.is_masked(value):
        got = f"a masked array, {np.ma.count_masked(value)} of {value.size} masked"
        hint = "x.filled(0.0) gives them a number; sample_weight=~np.ma.getmaskarray(y) leaves targets out"
        raise ValueError(expected(who, "numbers that are all there", got, hint))


def as_weights(given: Any, dtype: Any) -> np.ndarray:
    """Returns sample weights in a dtype; ValueError if they are no numbers."""
    return np.asarray(as_numbers(given, "sample_weight"), dtype)


def _kind(array: np.ndarray) -> str:
    """Returns the kind of an array's dtype; of objects "U" and "M" for text and dates, if there are any among them."""
    if array.dtype.kind != "O":
        return array.dtype.kind
    kinds = ("U" if isinstance(item, str) else "M" if isinstance(item, datetime.date) else "" for item in array.flat)
    return next(filter(None, kinds), "O")


def _odd_column(frame: Any) -> tuple[str, str] | None:
    """Returns which column of a frame holds dates or text, and what to do; None for no frame, and without any."""
    for name in frame.columns if hasattr(frame, "columns") and hasattr(frame, "dtypes") else ():
        kind = _kind(np.asarray(frame[name]))
        if kind == "M":
            return f"dates in column {name!r}", "leave the column out, or make numbers of it"
        if kind in "SU":
            return f"text in column {name!r}", _TEXT
    return None


def _has_columns_of_numbers(value: Any) -> bool:
    """Returns whether `value` is a frame of pandas, of numbers and truth values: NumPy has no dtype for both."""
    return hasattr(value, "columns") and all(getattr(dtype, "kind", "O") in "fiub" for dtype in value.dtypes)


def as_integers(value: Any, who: str) -> np.ndarray:
    """Returns `value` as an int64 array, fractions cut off.

    Raises:
        ValueError: If it does not hold numbers, or NaN or one too large: what processors make of those differs.
    """
    array = as_numbers(value, who)
    if array.dtype.kind == "f" or array.dtype == np.uint64:
        fits = np.abs(array) < np.uint64(2**63)  # not so for NaN
        if not fits.all():
            wrong = array[~fits][0]
            what = "whole numbers between -2**63 and 2**63" if np.isfinite(wrong) else "whole numbers"
            raise ValueError(expected(who, what, wrong))
    return array.astype(np.int64)


def contiguous(array: np.ndarray, dtype: Any = None) -> np.ndarray:
    """Returns an array as native code reads it: of `dtype`, C-contiguous, each number at a multiple of its size."""
    array = np.ascontiguousarray(array, dtype)
    return array if array.flags.aligned else array.copy()


def axes_last(x: np.ndarray, axes: tuple[int, ...]) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    """Returns `x` with `axes` moved to the end and joined, and the function that undoes this."""
    ends = tuple(range(-len(axes), 0))
    moved = np.moveaxis(x, axes, ends)
    shape = moved.shape
    kept = x.ndim - len(axes)
    flat = np.ascontiguousarray(moved).reshape(*shape[:kept], math.prod(shape[kept:]))
    return flat, lambda y: np.ascontiguousarray(np.moveaxis(y.reshape(shape), ends, axes))


def from_torch_tensor(value: Any) -> Any:
    """Returns a tensor of torch as one that NumPy takes: off its device, without gradient; other values as they are."""
    if not hasattr(value, "detach"):
        return value
    value = value.detach().cpu().resolve_conj().resolve_neg()
    return value.float() if str(value.dtype) == "torch.bfloat16" else value  # NumPy has no such numbers


def plain_dtype(dtype: Any) -> Any:
    """Returns the name of a dtype or of a dtype policy; of Python's own types that of Keras's for them."""
    return _OF_PYTHON.get(dtype) if isinstance(dtype, type) and dtype in _OF_PYTHON else getattr(dtype, "name", dtype)


def standardize_dtype(dtype: Any, who: str) -> str:
    """Returns the name of a float dtype; ValueError for any that is not float32 or float64."""
    dtype = plain_dtype(dtype) or config.floatx()
    name = dtype.get("config", {}).get("name") if isinstance(dtype, dict) else dtype
    if not isinstance(name, str):  # NumPy takes "float" for float64
        try:
            name = np.dtype(name).name
        except TypeError:
            name = str(dtype)
    if name not in config.FLOAT_DTYPES:
        hint = None if name.endswith("16") else did_you_mean(name, config.FLOAT_DTYPES)
        raise ValueError(expected(who, "dtype to be 'float32' or 'float64'", repr(name), hint))
    return name


class TensorShape(tuple[Any, ...]):
    """A shape, a tuple as everywhere here; None is any length."""

    @property
    def rank(self) -> int:
        """The number of axes."""
        return len(self)

    def as_list(self) -> list[int | None]:
        """Returns the lengths as a list."""
        return list(self)

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        return TensorShape(found) if isinstance(key, slice) else found

    def __add__(self, other: Any) -> Any:  # lists too, as in TensorFlow
        return TensorShape((*self, *other)) if isinstance(other, (list, tuple)) else NotImplemented

    def __radd__(self, other: Any) -> Any:
        return TensorShape((*other, *self)) if isinstance(other, (list, tuple)) else NotImplemented


class Array(np.ndarray):
    """An ndarray that code written for tensors takes for one: it has `.numpy()`, and `x += 1` makes another array.

    So `x *= 2` in a layer of Keras's does not change the data that it was given, or what a layer has handed through.
    `x[...] = value` does write, where it is allowed: `forward` of a layer of the caller's may not.
    """

    _keras_mask: np.ndarray | None = None

    if TYPE_CHECKING:  # NumPy's types say that operators give a plain ndarray; of these they give another of these

        def __add__(self, other: Any, /) -> Array: ...
        def __radd__(self, other: Any, /) -> Array: ...
        def __iadd__(self, other: Any, /) -> Array: ...
        def __sub__(self, other: Any, /) -> Array: ...  # type: ignore[override]
        def __rsub__(self, other: Any, /) -> Array: ...  # type: ignore[override]
        def __isub__(self, other: Any, /) -> Array: ...  # type: ignore[override]
        def __mul__(self, other: Any, /) -> Array: ...
        def __rmul__(self, other: Any, /) -> Array: ...
        def __imul__(self, other: Any, /) -> Array: ...
        def __truediv__(self, other: Any, /) -> Array: ...  # type: ignore[override]
        def __rtruediv__(self, other: Any, /) -> Array: ...
        def __itruediv__(self, other: Any, /) -> Array: ...  # type: ignore[override]
        def __floordiv__(self, other: Any, /) -> Array: ...  # type: ignore[override]
        def __rfloordiv__(self, other: Any, /) -> Array: ...
        def __ifloordiv__(self, other: Any, /) -> Array: ...  # type: ignore[override]
        def __mod__(self, other: Any, /) -> Array: ...
        def __rmod__(self, other: Any, /) -> Array: ...
        def __imod__(self, other: Any, /) -> Array: ...
        def __pow__(self, other: Any, /) -> Array: ...  # type: ignore[override]
        def __rpow__(self, other: Any, /) -> Array: ...  # type: ignore[override]
        def __ipow__(self, other: Any, /) -> Array: ...  # type: ignore[override]
        def __matmul__(self, other: Any, /) -> Array: ...
        def __rmatmul__(self, other: Any, /) -> Array: ...
        def __imatmul__(self, other: Any, /) -> Array: ...
        def __and__(self, other: Any, /) -> Array: ...
        def __rand__(self, other: Any, /) -> Array: ...
        def __iand__(self, other: Any, /) -> Array: ...
        def __or__(self, other: Any, /) -> Array: ...
        def __ror__(self, other: Any, /) -> Array: ...
        def __ior__(self, other: Any, /) -> Array: ...
        def __xor__(self, other: Any, /) -> Array: ...
        def __rxor__(self, other: Any, /) -> Array: ...
        def __ixor__(self, other: Any, /) -> Array: ...
        def __lt__(self, other: Any, /) -> Array: ...
        def __le__(self, other: Any, /) -> Array: ...
        def __gt__(self, other: Any, /) -> Array: ...
        def __ge__(self, other: Any, /) -> Array: ...
        def __eq__(self, other: Any, /) -> Array: ...  # type: ignore[override]
        def __ne__(self, other: Any, /) -> Array: ...  # type: ignore[override]
        def __neg__(self) -> Array: ...
        def __pos__(self) -> Array: ...
        def __abs__(self) -> Array: ...
        def __invert__(self) -> Array: ...

    @property
    def shape(self) -> Any:
        """The shape, with `.as_list()`."""
        return TensorShape(super().shape)

    @shape.setter
    def shape(self, value: Any) -> None:
        np.ndarray.shape.__set__(self, value)  # type: ignore[attr-defined]

    def numpy(self) -> np.ndarray:
        """Returns a copy as a plain ndarray; without axes a number of NumPy, which may be a key of a dict."""
        return self.view(np.ndarray).copy()[()]

    def set_shape(self, shape: Any) -> None:
        """Checks the shape, which an array knows by itself; None is any length. ValueError for another."""
        wanted = tuple(shape)
        if len(wanted) != self.ndim or any(n not in (None, own) for n, own in zip(wanted, self.shape, strict=True)):
            raise ValueError(expected("set_shape", f"a shape that fits {self.shape}", wanted))

    def __hash__(self) -> int:  # type: ignore[override]
        """Returns that of its number, equal to which it finds a key; an array with axes has none."""
        if self.ndim:
            raise TypeError(f"unhashable type: {type(self).__name__!r}, of shape {self.shape}")
        return hash(self.item())

    def get_shape(self) -> tuple[int, ...]:
        """Returns the shape."""
        return self.shape

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        return as_array(found) if isinstance(found, np.generic) else found  # one number, too, has `.numpy()`

    def __round__(self, ndigits: int | None = None) -> Any:
        return as_array(np.round(self, ndigits or 0)) if self.ndim else round(self.item(), ndigits)

    # NumPy's printer asks for the numbers one by one, and writes what is not its own number as a float64.

    def __repr__(self) -> str:
        return repr(self.view(np.ndarray))

    def __str__(self) -> str:
        return str(self.view(np.ndarray))


def _rebinding(operation: Callable[[Any, Any], Any]) -> Callable[[Array, Any], Any]:
    """Returns an operator such as `+=` that leaves its left side as it is; a wider float dtype does not spread."""

    def operate(self: Array, other: Any) -> Any:
        result = operation(self, other)
        return result.astype(self.dtype, copy=False) if result.dtype.kind == self.dtype.kind else result

    return operate


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor"):
    setattr(Array, f"__i{_name}__", _rebinding(getattr(operator, f"__{_name}__")))


def as_array(value: Any, mask: np.ndarray | None = None) -> Array:
    """Returns `value` as an `Array` that carries `mask`."""
    array = np.asarray(value).view(Array)
    array._keras_mask = mask
    return array


def giving_arrays(function: Callable[_Arguments, Any]) -> Callable[_Arguments, Array]:
    """Decorator: what the function computes comes as an `Array`, as what Keras computes at once is a tensor."""

    @functools.wraps(function)
    def giving(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> Array:
        return as_array(function(*args, **kwargs))

    return giving


def _as_arrays(structure: Any) -> Any:
    """Returns nested plain arrays as `Array`s; everything else as it is."""
    return _tree.map_structure(lambda leaf: leaf.view(Array) if type(leaf) is np.ndarray else leaf, structure)


def arrays_for(function: Any, *arrays: Any) -> Any:
    """Returns arrays as a function takes them: those of users get `Array`s, and so cannot change what is theirs."""
    return arrays if is_own(function) else _as_arrays(arrays)


def as_plain_arrays(structure: Any) -> Any:
    """Returns nested `Array`s without a mask as plain arrays; everything else as it is."""

    def convert(leaf: Any) -> Any:
        return leaf.view(np.ndarray)[()] if type(leaf) is Array and leaf._keras_mask is None else leaf

    return _tree.map_structure(convert, structure)


def plain_numbers_as_array(inputs: Any) -> Any:
    """Returns nested lists of single numbers as one array; everything else as it is."""
    leaves = _tree.flatten(inputs) if isinstance(inputs, (list, tuple)) else []
    return as_numbers(inputs, "nested lists") if leaves and isinstance(leaves[0], (int, float, np.number)) else inputs
