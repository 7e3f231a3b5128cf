"""Arithmetic of symbolic tensors as the files of Keras name it: `x + y` is an operation there, and a layer here.

Recurra's own `x + y` makes the layer `Add`, which keeps masks. These keep none, as in Keras.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra import saving
from recurra._checks import expected
from recurra.layers._math import sum_to
from recurra.layers._shapes import common_size
from recurra.layers.base import Layer

OPERATIONS = "keras.src.ops.numpy"  # the module of them in Keras


class Arithmetic(Layer):
    """An operation on one or two operands, with NumPy's broadcasting.

    Args:
        operands: For each a number, or None for a tensor of the call.

    Call:
        inputs: A tensor, or a list of two.

    Raises:
        ValueError: If there are as many numbers as operands, or not as many operands as the operation takes.
    """

    stateless = True
    takes_several = True
    count = 2

    def __init__(self, operands: Any, **kwargs: Any):
        super().__init__(**kwargs)
        known = [one is None or (isinstance(one, (int, float)) and not isinstance(one, bool)) for one in operands]
        if len(operands) != self.count or not all(known) or None not in operands:
            what = f"{self.count} operands, tensors and numbers, one a tensor at least"
            raise ValueError(expected(type(self).__name__, what, repr(operands)))
        self.operands = list(operands)

    def get_config(self) -> dict[str, Any]:
        return {"operands": self.operands, "name": self.name, "dtype": self.dtype}

    def compute(self, *operands: Any) -> np.ndarray:
        """Returns the result for arrays and numbers."""
        raise NotImplementedError

    def gradients(self, dy: np.ndarray, *operands: Any) -> tuple[Any, ...]:
        """Returns the gradient of each operand, in the shape of `dy`."""
        raise NotImplementedError

    def forward(self, inputs: Any) -> tuple[np.ndarray, Any]:
        given = iter(inputs if isinstance(inputs, list) else [inputs])
        operands = [next(given) if one is None else one for one in self.operands]
        return self.compute(*operands), operands

    def backward(self, doutputs: np.ndarray, cache: Any) -> Any:
        grads = self.gradients(doutputs, *cache)
        pairs = zip(grads, cache, self.operands, strict=True)
        dx = [sum_to(grad, operand.shape) for grad, operand, number in pairs if number is None]
        return dx if len(dx) > 1 else dx[0]

    def compute_output_shape(self, input_shape: Any) -> Any:
        shapes = input_shape if isinstance(input_shape, list) else [input_shape]
        rank = max(len(shape) for shape in shapes)
        sizes = zip(*((1,) * (rank - len(shape)) + tuple(shape) for shape in shapes), strict=True)
        return tuple(common_size(type(self).__name__, axis, shapes) for axis in sizes)

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        return None


@saving.builtin(OPERATIONS)
class Add(Arithmetic):
    """x + y."""

    def compute(self, *operands: Any) -> np.ndarray:
        return operands[0] + operands[1]

    def gradients(self, dy: np.ndarray, *operands: Any) -> tuple[Any, ...]:
        return dy, dy


@saving.builtin(OPERATIONS)
class Subtract(Arithmetic):
    """x - y."""

    def compute(self, *operands: Any) -> np.ndarray:
        return operands[0] - operands[1]

    def gradients(self, dy: np.ndarray, *operands: Any) -> tuple[Any, ...]:
        return dy, -dy


@saving.builtin(OPERATIONS)
class Multiply(Arithmetic):
    """x * y."""

    def compute(self, *operands: Any) -> np.ndarray:
        return operands[0] * operands[1]

    def gradients(self, dy: np.ndarray, *operands: Any) -> tuple[Any, ...]:
        return dy * operands[1], dy * operands[0]


@saving.builtin(OPERATIONS)
class TrueDivide(Arithmetic):
    """x / y."""

    def compute(self, *operands: Any) -> np.ndarray:
        return operands[0] / operands[1]

    def gradients(self, dy: np.ndarray, *operands: Any) -> tuple[Any, ...]:
        x, y = operands
        return dy / y, -dy * x / (y * y)


@saving.builtin(OPERATIONS)
class Negative(Arithmetic):
    """-x."""

    count = 1

    def compute(self, *operands: Any) -> np.ndarray:
        return -operands[0]

    def gradients(self, dy: np.ndarray, *operands: Any) -> tuple[Any, ...]:
        return (-dy,)
