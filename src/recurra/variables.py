"""Weights: named arrays with a gradient beside them, and the arena that lays those of a model end to end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from recurra import _changes, _memory, _tree, config
from recurra._arrays import as_array, as_numbers, plain_dtype
from recurra._checks import expected
from recurra._signals import HeldSignals


class Variable(np.lib.mixins.NDArrayOperatorsMixin):
    """A named array that computes like one: operators and NumPy's functions take its value, and give tensors.

    `value` and `grad` are views that an `Arena` may move into its flat buffers.

    Args:
        initializer: The first value, copied, or what makes it: a name such as "zeros", or a function of a shape and a
            dtype.
        shape: Of the value that an initializer makes.
        dtype: If None an array's own, and `config.floatx()` or int32 for Python's numbers and for initializers.
        trainable: Whether training changes it; without it `grad` is None.
        name: Short name, such as "kernel".
        path: Names of the owners and `name`, joined by "/", such as "lstm/lstm_cell/kernel".
        regularizer: Penalty on the value, or None.
        constraint: Applied to the value after each update, or None.

    Attributes:
        sparse: What `backward` added to the gradient row by row (Embedding), pairs of indices and rows; empty where it
            added to all. Keras on TensorFlow squares such rows before it adds up those that occur twice.

    Raises:
        ValueError: For an initializer without a shape, or something that is neither numbers nor an initializer.

    >>> recurra.Variable("ones", shape=(2,)) + 1
    array([2., 2.], dtype=float32)
    """

    value: np.ndarray  # without this, NumPy's types make it one without axes

    __slots__ = ("_grad", "arena", "constraint", "name", "path", "regularizer", "sparse", "trainable", "value")

    def __init__(
        self,
        initializer: Any,
        shape: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        *,
        name: str = "variable",
        path: str | None = None,
        regularizer: Callable[[np.ndarray], float] | None = None,
        constraint: Callable[[np.ndarray], np.ndarray] | None = None,
    ):
        self.value = _first_value(initializer, shape, plain_dtype(dtype))
        self.name: str = name
        self.path: str = path or name
        self.trainable: bool = trainable
        self.regularizer: Callable[[np.ndarray], float] | None = regularizer
        self.constraint: Callable[[np.ndarray], np.ndarray] | None = constraint
        self.arena: Arena | None = None
        self.sparse: list[tuple[np.ndarray, np.ndarray]] = []
        self._grad: np.ndarray | None = None

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        _changes.stamp()  # native code may hold what stood there

    @property
    def grad(self) -> np.ndarray | None:
        """The gradient that `backward` adds to, zeros at first; None where the variable is not trainable."""
        if not self.trainable:
            return None
        if self._grad is None:
            self._grad = np.zeros_like(self.value)
        return self._grad

    def zero_grad(self) -> None:
        """Sets the gradient to zero."""
        if self._grad is not None:
            self._grad[...] = 0
        self.sparse.clear()

    def assign(self, value: Any) -> Variable:
        """Copies `value` into the variable.

        Raises:
            ValueError: If the shape is another, or `value` holds no numbers.
        """
        value = self._numbers(value)
        if value.shape != self.value.shape:
            raise ValueError(expected(f"variable {self.path!r}", f"shape {self.value.shape}", value.shape))
        self.value[...] = value
        return self

    def assign_add(self, value: Any) -> Variable:
        """Adds `value` to the variable."""
        return self.assign(self.value + self._numbers(value))

    def assign_sub(self, value: Any) -> Variable:
        """Subtracts `value` from the variable."""
        return self.assign(self.value - self._numbers(value))

    def _numbers(self, value: Any) -> np.ndarray:
        return np.asarray(as_numbers(value, f"variable {self.path!r}"))

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    @property
    def ndim(self) -> int:
        return self.value.ndim

    @property
    def dtype(self) -> str:
        return self.value.dtype.name

    def numpy(self) -> np.ndarray:
        """Returns a copy of the value; without axes a number of NumPy."""
        return self.value.copy()[()]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            what = "to be copied, as training changes it in place"
            raise ValueError(expected(f"variable {self.path!r}", what, "copy=False", "write variable.value"))
        return np.array(self.value, dtype)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        for out in kwargs.get("out", ()):
            if isinstance(out, Variable):
                what, hint = "an array for out", f"write variable.assign(np.{ufunc.__name__}(...))"
                raise TypeError(expected(f"np.{ufunc.__name__}", what, f"variable {out.path!r}", hint))
        found = getattr(ufunc, method)(*(x.value if isinstance(x, Variable) else x for x in inputs), **kwargs)
        return found if "out" in kwargs else _tree.map_structure(as_array, found)

    __hash__ = object.__hash__  # each variable is itself, though == compares values

    def __float__(self) -> float:
        return float(self.value)

    def __int__(self) -> int:
        return int(self.value)

    def __round__(self, ndigits: int | None = None) -> Any:
        return round(as_array(self.value), ndigits)

    def __bool__(self) -> bool:
        return bool(self.value)  # not whether there are any, which `__len__` would say

    def __len__(self) -> int:
        return len(self.value)

    def __getitem__(self, index: Any) -> Any:
        return as_array(np.array(self.value[index]))

    def __repr__(self) -> str:
        return f"<Variable path={self.path}, shape={self.shape}, dtype={self.dtype}, value={self.value}>"


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor"):
    # As in Keras `v += 1` makes a tensor of `v + 1` and leaves the variable; NumPy's own would write into it.
    setattr(Variable, f"__i{_name}__", getattr(np.lib.mixins.NDArrayOperatorsMixin, f"__{_name}__"))


def holding(value: np.ndarray, **options: Any) -> Variable:
    """Returns a variable of an array that nobody else has: it may be large, and is not copied; options as above."""
    variable = Variable(value.dtype.type(), **options)
    variable.value = np.asarray(value, order="C")
    return variable


def assign_together(variables: Sequence[Variable], values: Sequence[Any]) -> None:
    """Copies as many values into variables, all or none.

    Raises:
        ValueError: If a shape is another, or a value holds no numbers.
    """
    arrays = []
    for variable, value in zip(variables, values, strict=True):
        arrays.append(as_numbers(value, f"variable {variable.path!r}"))
        if arrays[-1].shape != variable.shape:
            raise ValueError(expected(f"variable {variable.path!r}", f"shape {variable.shape}", arrays[-1].shape))
    with HeldSignals():
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)


def _first_value(initializer: Any, shape: Any, dtype: Any) -> np.ndarray:
    """Returns what a variable begins with; arguments as of `Variable`."""
    if isinstance(initializer, str) or callable(initializer):
        from recurra import initializers  # they are made of variables' random streams

        make = initializers.get(initializer)
        if shape is None:
            raise ValueError(expected("Variable", "a shape beside an initializer", "none", "write shape=(...)"))
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        dtype = dtype or config.floatx()
        return np.array(make(shape, dtype=dtype), dtype, order="C")
    array = as_numbers(initializer, "Variable")
    if dtype is None and not hasattr(initializer, "dtype"):
        dtype = {"f": config.floatx(), "i": "int32"}.get(array.dtype.kind)
    return np.array(array, np.dtype(dtype or array.dtype).newbyteorder("="), order="C")  # its own: it is written into


class Arena:
    """The variables of one dtype, end to end in one array, and their gradients in another.

    An optimizer step, a clip by the global norm or a snapshot is then one pass over one array.

    Args:
        variables: Trainable variables, all float32 or all float64. Their values are copied in; `value` and `grad`
            become views.
    """

    def __init__(self, variables: Sequence[Variable]):
        self.variables: tuple[Variable, ...] = tuple(variables)
        self.weights, values = _memory.end_to_end([variable.value for variable in self.variables])
        self.grads = _memory.zeros(self.weights.size, self.weights.dtype)
        grads = _memory.views(self.grads, [value.shape for value in values])
        for variable, value, grad in zip(self.variables, values, grads, strict=True):
            variable.value, variable._grad, variable.arena = value, grad, self

    def is_current(self) -> bool:
        """Returns whether all variables still live here.

        Another model that shares them may have moved them; a copy or a pickle gives each an array of its own.
        """
        memory = self.weights if self.weights.base is None else self.weights.base
        return all(variable.arena is self and variable.value.base is memory for variable in self.variables)

    def zero_grad(self) -> None:
        """Sets all gradients to zero."""
        self.grads.fill(0)
        for variable in self.variables:
            variable.sparse.clear()
