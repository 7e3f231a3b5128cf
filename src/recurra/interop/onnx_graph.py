"""The ONNX graph while it is made: its nodes, constants and names, and the tensors in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from recurra._checks import expected
from recurra.layers.base import Layer

FIRST, LAST = -(2**63), 2**63 - 1  # ends of a Slice that reaches beyond every axis


@dataclass(frozen=True)
class Value:
    """A tensor of the ONNX graph.

    Attributes:
        name: Its name.
        rank: Its number of axes.
        dtype: Name of its dtype.
        mask: Its mask as the name of a bool tensor (N, T); None without one.
        mask_is_lost: Whether it has a mask that ONNX cannot follow.
        over_time: Whether axis 1 is the time of the model's inputs, which streaming cuts into pieces.
    """

    name: str
    rank: int
    dtype: str
    mask: str | None = None
    mask_is_lost: bool = False
    over_time: bool = False

    @property
    def has_mask(self) -> bool:
        return self.mask is not None or self.mask_is_lost


class Export:
    """The ONNX graph so far.

    Args:
        onnx: The module.
        right_padded, streaming: As of `to_onnx`.
    """

    def __init__(self, onnx: Any, right_padded: bool, streaming: bool):
        self._onnx = onnx
        self.right_padded = right_padded
        self.streaming = streaming
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []
        self.state_outputs: list[Any] = []
        self.streamed: set[int] = set()  # ids of the recurrent layers that have their states
        self.taken: set[str] = set()
        self._counts: Counter[str] = Counter()

    def is_free(self, names: Iterable[str]) -> bool:
        """Returns whether nothing has one of these names."""
        return self.taken.isdisjoint(names)

    def name(self, stem: str) -> str:
        """Returns a name that nothing has yet, and keeps it: the stem, or the stem with a number."""
        while True:
            number = self._counts[stem]
            self._counts[stem] += 1
            name = f"{stem}_{number}" if number else stem
            if name not in self.taken:
                self.taken.add(name)
                return name

    def add(self, operator: str, inputs: list[str], output: str | None = None, **attributes: Any) -> str:
        """Adds a node with one output and returns that output's name."""
        return self.add_several(operator, inputs, [output or self.name(operator.lower())], **attributes)[0]

    def add_several(self, operator: str, inputs: list[str], outputs: list[str], **attributes: Any) -> list[str]:
        """Adds a node and returns its outputs."""
        self.nodes.append(self._onnx.helper.make_node(operator, inputs, outputs, **attributes))
        return outputs

    def constant(self, value: Any, stem: str = "constant", dtype: Any = None) -> str:
        """Adds an array and returns its name."""
        name = self.name(stem)
        array = np.ascontiguousarray(value, dtype)
        self.constants.append(self._onnx.numpy_helper.from_array(array.reshape(np.shape(value)), name))
        return name

    def integers(self, *values: int) -> str:
        """Adds a constant int64 (k,) and returns its name."""
        return self.constant(np.array(values, np.int64))

    def number(self, layer: Layer, value: Any) -> str:
        """Adds a constant of the layer's dtype, of the value's shape, and returns its name."""
        return self.constant(np.asarray(value, layer.dtype))

    def cast(self, name: str, dtype: Any) -> str:
        """Adds a cast and returns the name of the result."""
        return self.add("Cast", [name], to=self._element_type(dtype))

    def describe(self, name: str, dtype: str, shape: list[Any]) -> Any:
        """Returns the entry of an input or output of the graph; axes of unknown size have names."""
        return self._onnx.helper.make_tensor_value_info(name, self._element_type(dtype), shape)

    def _element_type(self, dtype: Any) -> Any:
        return self._onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))


def folded(export: Export, operator: str, names: list[str]) -> str:
    """Returns the first tensor joined with the second by an operator, that with the third, and so on."""
    return reduce(lambda result, name: export.add(operator, [result, name]), names)


def over_time(given: Iterable[Value]) -> bool:
    """Returns whether one of the tensors has the time of the model's inputs."""
    return any(value.over_time for value in given)


def refusal(layer: Layer, what: str, got: object, hint: str | None = None) -> ValueError:
    """Returns the error for a layer that ONNX cannot say."""
    return ValueError(expected(f"to_onnx: {type(layer).__name__} {layer.name!r}", what, got, hint))


def lost_mask(layer: Layer) -> ValueError:
    """Returns the error for a mask that a layer before this one has changed."""
    return refusal(layer, "masks straight from Masking or Embedding", "one changed on the way", "mask just before it")
