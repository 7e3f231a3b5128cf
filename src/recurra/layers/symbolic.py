"""The graph that symbolic calls build: tensors without values, and the calls that made them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra import _tree
from recurra._checks import expected

if TYPE_CHECKING:
    from recurra.layers.base import Layer


class KerasTensor:
    """What a layer gives for a symbolic input: a shape and a dtype, and the call that it comes from.

    Attributes:
        shape: Dimensions, None where unknown; the first is the batch.
        dtype: Name of the dtype.
        _keras_history: (layer, node index, tensor index).
    """

    __array_priority__ = 1000  # NumPy's numbers leave operators to the tensor

    def __init__(self, shape: Sequence[int | None], dtype: str = "float32", name: str | None = None):
        self.shape: tuple[int | None, ...] = tuple(shape)
        self.dtype = np.dtype(dtype).name
        self.name: str = name or "keras_tensor"
        self._keras_history: tuple[Layer, int, int] | None = None

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def _float_dtype(self) -> str | None:
        """The dtype of layers that an operation makes; None, the usual one, for whole numbers."""
        return self.dtype if self.dtype.startswith("float") else None

    # Operators are layers: a file can name them, and each has a gradient.

    def __add__(self, other: Any) -> KerasTensor:
        return self._merged("Add", other) if isinstance(other, KerasTensor) else self._rescaled(1.0, other)

    def __radd__(self, other: Any) -> KerasTensor:
        return self._rescaled(1.0, other)

    def __sub__(self, other: Any) -> KerasTensor:
        if isinstance(other, KerasTensor):
            return self._merged("Subtract", other)
        return self._rescaled(1.0, -_number(other))

    def __rsub__(self, other: Any) -> KerasTensor:
        return self._rescaled(-1.0, other)

    def __mul__(self, other: Any) -> KerasTensor:
        return self._merged("Multiply", other) if isinstance(other, KerasTensor) else self._rescaled(other, 0.0)

    def __rmul__(self, other: Any) -> KerasTensor:
        return self._rescaled(other, 0.0)

    def __truediv__(self, other: Any) -> KerasTensor:
        if isinstance(other, KerasTensor):
            raise TypeError(expected("the graph", "a number to divide by", f"the symbolic tensor {other.name!r}"))
        if _number(other) == 0:
            raise ValueError(expected("the graph", "a number other than 0 to divide by", repr(other)))
        return self._rescaled(1.0 / _number(other), 0.0)

    def __neg__(self) -> KerasTensor:
        return self._rescaled(-1.0, 0.0)

    def _refuse(self, *others: Any) -> Any:
        what = "+, -, *, / by a number, and indices, of which layers are made"
        hint = "use a layer, or write one with forward and backward"
        raise TypeError(expected("the graph", what, f"another operation on {self.name!r}", hint))

    if not TYPE_CHECKING:  # type checkers know themselves that these are not there
        __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __pow__ = __rpow__ = __matmul__ = __rmatmul__ = _refuse
        __lt__ = __le__ = __gt__ = __ge__ = __abs__ = _refuse

    def _merged(self, layer: str, other: KerasTensor) -> KerasTensor:
        from recurra import layers

        return getattr(layers, layer)(dtype=self._float_dtype)([self, other])

    def _rescaled(self, scale: Any, offset: Any) -> KerasTensor:
        """Returns scale * self + offset, for numbers."""
        from recurra.layers.activation import Rescaling

        return Rescaling(_number(scale), _number(offset), dtype=self._float_dtype)(self)

    def _activated(self, name: str, arguments: dict[str, Any]) -> KerasTensor:
        """Returns an activation of this tensor: the first of the arguments; the others are its options."""
        from recurra.layers import activation as layers

        _, *options = arguments.items()
        if not options:
            return layers.Activation(name, dtype=self._float_dtype)(self)
        of_options = {"elu": "ELU", "leaky_relu": "LeakyReLU", "relu": "ReLU", "softmax": "Softmax"}
        if name not in of_options:
            got = ", ".join(f"{option}={value!r}" for option, value in options)
            hint = f"layers.Activation({name!r}) has none; else write a layer with forward and backward"
            raise ValueError(expected(f"activations.{name} of a symbolic tensor", "no options", got, hint))
        return getattr(layers, of_options[name])(**dict(options), dtype=self._float_dtype)(self)

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(
            expected("NumPy", "an array", f"the symbolic tensor {self.name!r}", "build a Model and call it")
        )

    def __getitem__(self, key: Any) -> KerasTensor:
        from recurra.layers.indexing import GetItem

        return GetItem(key, dtype=self._float_dtype)(self)

    def __bool__(self) -> bool:
        hint = "write `x is not None`"
        raise TypeError(expected("a condition", "a value", f"the symbolic tensor {self.name!r}", hint))

    def __iter__(self) -> Any:
        raise TypeError(expected("a loop", "an array", f"the symbolic tensor {self.name!r}"))

    def __repr__(self) -> str:
        return f"<KerasTensor shape={self.shape}, dtype={self.dtype}, name={self.name}>"


def _number(operand: Any) -> float:
    """Returns an operand as a float: `-` of an unsigned number would wrap around."""
    if not isinstance(operand, (int, float, np.integer, np.floating)):
        raise TypeError(expected("the graph", "symbolic tensors and numbers", repr(operand)))
    return float(operand)


class Node:
    """One call of a layer on symbolic tensors.

    Attributes:
        layer: The layer that was called.
        inputs: Its first argument, a structure of KerasTensors.
        kwargs: Its other arguments, some of them structures of KerasTensors.
        outputs: What it gave.
    """

    def __init__(self, layer: Layer, inputs: Any, kwargs: dict[str, Any], outputs: Any):
        self.layer = layer
        self.inputs = inputs
        self.kwargs = kwargs
        self.outputs = outputs
        self.index = len(layer._inbound_nodes)
        self.tensor_kwargs = tuple(name for name, value in kwargs.items() if any_symbolic(value))
        layer._inbound_nodes.append(self)
        for position, tensor in enumerate(_tree.flatten(outputs)):
            tensor._keras_history = (layer, self.index, position)

    def parents(self) -> list[KerasTensor]:
        """Returns the tensors that the call reads, its keyword arguments included."""
        read = [self.inputs, *(self.kwargs[name] for name in self.tensor_kwargs)]
        return [tensor for tensor in _tree.flatten(read) if isinstance(tensor, KerasTensor)]


def node_of(tensor: KerasTensor) -> Node:
    """Returns the node that made the tensor."""
    if tensor._keras_history is None:
        raise ValueError(expected("Model", "tensors that come from Input or a layer", repr(tensor)))
    layer, index, _ = tensor._keras_history
    return layer._inbound_nodes[index]


def any_symbolic(structure: Any) -> bool:
    """Returns whether any leaf is a KerasTensor."""
    return any(isinstance(leaf, KerasTensor) for leaf in _tree.flatten(structure))
