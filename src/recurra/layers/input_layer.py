"""Input: where a model's data comes in."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra import config, saving
from recurra._arrays import plain_dtype
from recurra._checks import expected
from recurra.layers._shapes import Shape
from recurra.layers.base import Layer
from recurra.layers.symbolic import KerasTensor, Node

DTYPES = ("float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool")


@saving.builtin("keras.layers")
class InputLayer(Layer):
    """The layer behind `Input`: it holds one symbolic tensor and passes data through.

    Args:
        shape: Without the batch.
        batch_size: Number of rows if it is fixed.
        dtype: Of the data, "float32" if None.
        sparse, ragged: Must be False or None: there are no such tensors here.
        batch_shape: With the batch, in place of shape and batch_size.
        input_tensor: A tensor of `Input` to take shape and dtype from.
        optional: Must be False.
        name: Of the layer.

    Raises:
        ValueError: If there is no shape, or none that makes sense.
    """

    keeps_integers = True
    supports_masking = True

    def __init__(
        self,
        shape: Any = None,
        batch_size: int | None = None,
        dtype: Any = None,
        sparse: bool | None = None,
        ragged: bool | None = None,
        batch_shape: Any = None,
        input_tensor: Any = None,
        optional: bool = False,
        name: str | None = None,
        input_shape: Any = None,
        **kwargs: Any,
    ):
        if sparse or ragged or optional:
            raise ValueError(expected("Input", "dense data", "sparse, ragged or optional=True", "pad it instead"))
        if input_tensor is not None:
            if not isinstance(input_tensor, KerasTensor):
                raise ValueError(expected("Input", "input_tensor to be a tensor of Input", repr(input_tensor)))
            batch_shape, dtype = input_tensor.shape, dtype or input_tensor.dtype
        shape = input_shape if shape is None else shape
        self.batch_shape = _batch_shape(shape, batch_size, batch_shape)
        dtype = _data_dtype(dtype)
        super().__init__(name=name, dtype=dtype if dtype.startswith("float") else None, **kwargs)
        self.dtype = dtype
        self.sparse = self.ragged = self.optional = False
        Node(self, [], {}, KerasTensor(self.batch_shape, self.dtype, name=self.name))
        self.built = True

    @property
    def batch_size(self) -> int | None:
        """The number of rows if it is fixed."""
        return self.batch_shape[0]

    def forward(self, inputs: np.ndarray) -> tuple[np.ndarray, None]:
        return inputs, None

    def backward(self, doutputs: np.ndarray, cache: None) -> np.ndarray:
        return doutputs

    def get_config(self) -> dict[str, Any]:
        names = ("batch_shape", "dtype", "sparse", "ragged", "name", "optional")
        return {name: getattr(self, name) for name in names} | {"batch_shape": list(self.batch_shape)}

    def get_build_config(self) -> None:
        """Returns None: there is nothing to build."""
        return None


def _batch_shape(shape: Any, batch_size: Any, batch_shape: Any) -> Shape:
    if shape is None and batch_shape is None:
        raise ValueError(expected("Input", "a shape", "none"))
    if batch_shape is not None:
        if shape is not None:
            raise ValueError(expected("Input", "either shape or batch_shape", "both"))
        return _dimensions("batch_shape to be a tuple, with the batch", batch_shape)
    return _dimensions("shape to be a tuple, without the batch", shape, batch_size)


def _dimensions(what: str, shape: Any, *batch_size: Any) -> Shape:
    if not hasattr(shape, "__iter__"):
        whole = isinstance(shape, (int, np.integer))
        hint = f"write Input(({shape},)), or Input((timesteps, features))" if whole and batch_size else None
        raise ValueError(expected("Input", what, repr(shape), hint))
    if hasattr(shape, "shape") and len(shape.shape) != 1:
        hint = "write Input(x.shape[1:]) for rows of x" if batch_size else None
        raise ValueError(expected("Input", what, f"an array of shape {tuple(shape.shape)}", hint))
    sizes = (*batch_size, *shape)
    for size in sizes:
        if size is None:
            continue
        if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 0:
            raise ValueError(expected("Input", "a shape of whole numbers, not negative, or None", sizes))
    return tuple(None if size is None else int(size) for size in sizes)


def _data_dtype(dtype: Any) -> str:
    if isinstance(dtype, dict):
        dtype = dtype.get("config", {}).get("name")
    name = plain_dtype(dtype) or config.floatx()
    name = getattr(name, "__name__", name)  # of NumPy's own types
    if name not in DTYPES:
        raise ValueError(expected("Input", f"dtype to be one of {', '.join(DTYPES)}", repr(name)))
    return name


def Input(
    shape: Any = None,
    batch_size: int | None = None,
    dtype: Any = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
    batch_shape: Any = None,
    name: str | None = None,
    tensor: Any = None,
    optional: bool = False,
) -> KerasTensor:
    """Returns a symbolic tensor that a model can begin with (https://keras.io/api/layers/core_layers/input).

    Args:
        shape, batch_size, dtype, sparse, ragged, batch_shape, name, optional: As of `InputLayer`.
        tensor: A tensor of `Input` to take shape and dtype from.

    Raises:
        ValueError: If there is no shape, or none that makes sense.

    >>> recurra.Input((4, 1)).shape
    (None, 4, 1)
    """
    layer = InputLayer(
        shape=shape,
        batch_size=batch_size,
        dtype=dtype,
        sparse=sparse,
        batch_shape=batch_shape,
        name=name,
        input_tensor=tensor,
        optional=optional,
        ragged=ragged,
    )
    return layer.output
