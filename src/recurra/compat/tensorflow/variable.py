"""`tf.Variable`: a tensor that can be assigned to."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra._arrays import Array as Tensor
from recurra._arrays import as_array
from recurra._checks import expected
from recurra.compat.tensorflow._conversion import convert_to_tensor


class Variable(Tensor):
    """A tensor whose values change by `assign`; what is computed from it is a plain tensor.

    Args:
        initial_value: Its values, copied.
        trainable: Accepted, changes nothing: no gradient is taken with respect to it.
        name: Its name.
        dtype: That of `initial_value` if None.
        shape: That of `initial_value`, which stays, or None.

    Raises:
        ValueError: For another shape.

    >>> step = Variable(1.0)
    >>> float(step.assign_add(2.0))
    3.0
    """

    name: str
    trainable: Any
    __hash__ = None  # type: ignore[assignment]  # its number changes

    def __new__(
        cls, initial_value: Any, trainable: bool = True, name: str = "Variable", dtype: Any = None, shape: Any = None
    ) -> Variable:
        variable = np.array(convert_to_tensor(initial_value, dtype)).view(cls)
        if shape is not None and tuple(shape) != variable.shape:
            hint = "a variable keeps its shape: leave it out"
            raise ValueError(expected("Variable", f"the shape {variable.shape} of its value", tuple(shape), hint))
        variable.name, variable.trainable = name, trainable
        return variable

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        return as_array(array)

    def numpy(self) -> np.ndarray:
        """Returns a copy, which later assignments do not change."""
        return np.array(self)

    def value(self) -> Tensor:
        """Returns a copy as a tensor."""
        return as_array(self.numpy())

    read_value = value

    def __getitem__(self, key: Any) -> Any:
        """Returns a copy of what lies there as a tensor."""
        return as_array(np.array(super().__getitem__(key)))

    def assign(self, value: Any) -> Variable:
        """Takes the values of an array of the same shape.

        Raises:
            ValueError: If the shape is another.
        """
        tensor = convert_to_tensor(value, self.dtype)
        if tensor.shape != self.shape:
            raise ValueError(expected("assign", f"a value of shape {self.shape}", tensor.shape))
        self[...] = tensor
        return self

    def assign_add(self, delta: Any) -> Variable:
        """Adds `delta` to the values."""
        return self.assign(np.asarray(self) + convert_to_tensor(delta, self.dtype))

    def assign_sub(self, delta: Any) -> Variable:
        """Takes `delta` from the values."""
        return self.assign(np.asarray(self) - convert_to_tensor(delta, self.dtype))
