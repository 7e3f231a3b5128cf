"""Between what TensorFlow's functions take and give and what NumPy's and recurra's do."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from recurra import activations, losses
from recurra._arrays import Array as Tensor
from recurra._arrays import as_array, as_numbers
from recurra._checks import expected
from recurra.layers.symbolic import KerasTensor


def convert_to_tensor(value: Any, dtype: Any = None) -> Tensor:
    """Returns `value` as an array: an array or frame keeps its dtype, Python's numbers become float32, int32 or int64.

    Arrays and variables, which may change, are copied; tensors are taken as they are.
    A list's floats have the dtype of the first, if that is one of NumPy's; its whole numbers become int32 or int64.

    Raises:
        TypeError: For fractions as whole numbers.
        ValueError: For None, and whole numbers that do not fit.
    """
    if value is None:
        raise ValueError(expected("convert_to_tensor", "numbers", "None"))
    if np.ma.is_masked(value):
        as_numbers(value, "convert_to_tensor")  # which says what to do
    if hasattr(value, "__array__"):  # pandas' too
        return as_array(np.array(value, dtype, copy=None if type(value) is Tensor else True))
    array = np.asarray(value)
    if array.dtype in (np.uint64, object) and all(isinstance(number, int) for number in array.ravel().tolist()):
        raise ValueError(expected("convert_to_tensor", "whole numbers of at most 64 bits", repr(value)))
    if dtype is None:
        kept = _dtype_of_first_leaf(value)
        if kept is not None and kept.kind == array.dtype.kind:
            return as_array(array.astype(kept))
        return as_tensorflow(array)
    if array.dtype.kind == "f" and np.dtype(dtype).kind in "iu":
        raise TypeError(expected("convert_to_tensor", f"whole numbers for {np.dtype(dtype)}", repr(value), "use cast"))
    converted = array.astype(dtype)
    if array.dtype.kind == "i" and converted.dtype.kind in "iu" and (converted != array).any():
        raise ValueError(expected("convert_to_tensor", f"numbers that {converted.dtype} holds", repr(value)))
    return as_array(converted)


def _dtype_of_first_leaf(value: Any) -> Any:
    """Returns the dtype that the numbers of a list have from its first; None for Python's, and NumPy's whole ones."""
    while isinstance(value, (list, tuple)) and value:
        value = value[0]
    dtype = np.asarray(value).dtype if hasattr(value, "__array__") else None
    return None if dtype is not None and dtype.kind in "iu" and not isinstance(value, Tensor) else dtype


def as_tensorflow(array: np.ndarray) -> Tensor:
    """Returns Python's numbers in the dtype that TensorFlow gives them."""
    if array.dtype.kind in "iu" and (array == array.astype(np.int32)).all():
        return as_array(array.astype(np.int32))
    return as_array(array.astype(np.float32) if array.dtype == np.float64 else array)


def of_numpy(function: Callable[..., Any]) -> Callable[..., Tensor]:
    """Returns a function of NumPy that takes lists and numbers as TensorFlow would and gives back a tensor."""

    @functools.wraps(function, assigned=("__name__",), updated=())
    def wrapped(*arguments: Any, name: str | None = None, **options: Any) -> Tensor:
        numbers_only = not any(isinstance(argument, (np.ndarray, list, tuple)) for argument in arguments)
        tensors = [
            convert_to_tensor(argument) if numbers_only or isinstance(argument, (list, tuple)) else argument
            for argument in arguments
        ]
        with np.errstate(all="ignore"):  # of 1 / 0 and the like TensorFlow tells nothing
            return as_array(function(*tensors, **options))

    wrapped.__doc__ = f"NumPy's `{function.__name__}` for tensors."
    return wrapped


def taking_name(function: Any) -> Any:
    """Returns a function or method that takes TensorFlow's `name`, which changes nothing; other things as they are."""
    if isinstance(function, (classmethod, staticmethod)):
        return type(function)(taking_name(function.__func__))
    if not isinstance(function, FunctionType):
        return function
    if "name" in inspect.signature(function, follow_wrapped=False).parameters:
        return function

    @functools.wraps(function)
    def wrapped(*arguments: Any, name: str | None = None, **options: Any) -> Any:
        return function(*arguments, **options)

    return wrapped


def reduction(function: Callable[..., Any]) -> Callable[..., Tensor]:
    """Returns a reduction of NumPy under TensorFlow's arguments; the result has the dtype of its input."""

    def wrapped(input_tensor: Any, axis: Any = None, keepdims: Any = False, name: str | None = None) -> Tensor:
        array = convert_to_tensor(input_tensor)
        axes = tuple(axis) if isinstance(axis, (list, np.ndarray)) else axis
        return as_array(np.asarray(function(array, axis=axes, keepdims=keepdims)).astype(array.dtype))

    wrapped.__doc__ = f"Returns `numpy.{function.__name__}` along an axis, several or all, in the tensor's dtype."
    return wrapped


def trained_as(name: str) -> Callable[[Callable[..., Tensor]], Callable[..., Tensor]]:
    """Decorator: layers that get the function as their activation take recurra's own, which has a gradient."""

    def mark(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        function.own_activation = activations.get(name)  # type: ignore[attr-defined]
        return function

    return mark


def activation(name: str) -> Callable[..., Tensor]:
    """Returns an activation of recurra's that takes lists and numbers too and gives a tensor of their float dtype."""
    own = activations.get(name)

    @trained_as(name)
    @functools.wraps(own, assigned=("__name__",), updated=())
    def wrapped(x: Any, *arguments: Any, name: str | None = None, **options: Any) -> Any:
        if isinstance(x, KerasTensor):
            return own(x, *arguments, **options)
        tensor = convert_to_tensor(x)
        y = own(tensor, *arguments, **options)
        return as_array(y.astype(tensor.dtype) if tensor.dtype == np.float16 else y)

    wrapped.__doc__ = f"`keras.activations.{name}` for tensors."
    return wrapped


def giving_tensors(module: ModuleType) -> dict[str, Any]:
    """Returns the names of recurra's `losses` or `metrics`, with functions that take lists and give tensors.

    Their short names, such as `mse` and `MSE`, are among them.
    """

    def wrap(function: Callable[..., Any]) -> Callable[..., Tensor]:
        @functools.wraps(function)
        def wrapped(y_true: Any, y_pred: Any, *arguments: Any, **options: Any) -> Tensor:
            y_true, y_pred = (convert_to_tensor(y) if isinstance(y, (list, tuple)) else y for y in (y_true, y_pred))
            return function(y_true, y_pred, *arguments, **options)

        return wrapped

    known = list(module.FUNCTIONS.values())
    names = {name: value for name, value in vars(module).items() if not name.startswith("_")}
    given = {name: wrap(value) if value in known else value for name, value in names.items()}
    return given | {name: given[long] for alias, long in losses.ALIASES.items() for name in (alias, alias.upper())}
