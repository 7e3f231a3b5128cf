"""The operations that compute masks: in Keras they are nodes of a graph too, and layers are ordered with them."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra import _tree
from recurra.layers.base import Layer, aligned_masks
from recurra.layers.symbolic import KerasTensor, Node


class MaskOperation:
    """One operation on the way to a mask, as `x != 0`.

    Attributes:
        reads: The tensors and operations whose results it takes.
    """

    def __init__(self, reads: list[Source]):
        self.reads = reads


Source = KerasTensor | MaskOperation


class MaskTrace:
    """Which operations make the masks of a graph's tensors.

    Layers' own `compute_mask` run on stand-ins for arrays, and each NumPy function that they call is one operation.

    Args:
        inputs: Where the graph begins; these tensors have no masks.
    """

    def __init__(self, inputs: list[KerasTensor]):
        self._masks: dict[int, Any] = {id(tensor): None for tensor in inputs}

    def read_by(self, node: Node) -> list[Source]:
        """Returns what makes the masks that the call is handed as an argument, in the order of its arguments."""
        masks = [self._masks.get(id(leaf)) for leaf in node.layer._masked_arguments(node)]
        return [mask.source for mask in masks if isinstance(mask, _StandIn)]

    def follow(self, node: Node) -> None:
        """Finds the masks of what a call gives; those of what it reads have been found."""
        masks = aligned_masks(self._computed_by(node), node.outputs)
        for output, mask in zip(_tree.flatten(node.outputs), masks, strict=True):
            self._masks[id(output)] = _as_long_as(output, mask) if isinstance(mask, _StandIn) else mask

    def has_mask(self, tensor: KerasTensor) -> bool:
        """Returns whether a tensor that a call gives, which has been followed, has a mask."""
        return self._masks[id(tensor)] is not None

    def _computed_by(self, node: Node) -> Any:
        layer, masks = node.layer, node.kwargs.get("mask")
        compute = type(layer).compute_mask
        if masks is None:
            masks = _tree.map_structure(lambda leaf: self._masks.get(id(leaf)), node.inputs)
        carried = any(mask is not None for mask in _tree.flatten(masks))
        if compute is Layer.compute_mask:
            return _stand_ins(masks, 0) if carried and layer.supports_masking else None
        # Shapes may come from a file: recurra's own compute with no rows, which take no memory. Others may need one.
        rows = 0 if compute.__module__.startswith("recurra.") else 1
        return layer.compute_mask(_stand_ins(node.inputs, rows), _stand_ins(masks, rows) if carried else None)


class _StandIn(np.ndarray):
    """An array in the place of a tensor or mask whose values are not known yet.

    Attributes:
        source: The tensor, or what made the mask.
    """

    source: Source

    def __array_finalize__(self, array: Any) -> None:
        if isinstance(array, _StandIn):  # an index, a transpose or the like
            self.source = MaskOperation([array.source])

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return _traced(getattr(ufunc, method), inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return _traced(function, args, kwargs)


def _as_long_as(tensor: KerasTensor, mask: _StandIn) -> _StandIn:
    """Returns the mask of a tensor with sizes of 1 where those of the tensor are not known."""
    shape = (*mask.shape[:1], *(1 if size is None else size for size in tensor.shape[1:]))[: mask.ndim]
    return _stand_in(np.broadcast_to(np.ones((), bool), shape), mask.source)


def _traced(function: Any, args: Any, kwargs: Any) -> Any:
    given = [leaf for leaf in _tree.flatten([args, kwargs]) if isinstance(leaf, _StandIn)]
    args, kwargs = _tree.map_structure(_plain, [args, kwargs])
    operation = MaskOperation([array.source for array in given])
    return _tree.map_structure(lambda result: _stand_in(result, operation), function(*args, **kwargs))


def _plain(leaf: Any) -> Any:
    return leaf.view(np.ndarray) if isinstance(leaf, _StandIn) else leaf


def _stand_ins(structure: Any, rows: int) -> Any:
    """Returns tensors and masks as stand-ins for a batch of so many rows; without any, constant masks lose theirs.

    A size that is not known is that of another tensor, which it may have to agree with, or 1.
    """
    shapes = [leaf.shape for leaf in _tree.flatten(structure) if isinstance(leaf, KerasTensor)]

    def size_of(shape: Any, axis: int) -> int:
        others = (other[axis] for other in shapes if len(other) == len(shape))
        return next((size for size in (shape[axis], *others) if size is not None), 1)

    def stand_in(leaf: Any) -> Any:
        if isinstance(leaf, (KerasTensor, _StandIn)):
            shape = (rows, *(size_of(leaf.shape, axis) for axis in range(1, leaf.ndim)))[: leaf.ndim]
            source = leaf if isinstance(leaf, KerasTensor) else leaf.source
            return _stand_in(np.broadcast_to(np.ones((), leaf.dtype), shape), source)
        return leaf[:0] if rows == 0 and isinstance(leaf, np.ndarray) and leaf.ndim else leaf

    return _tree.map_structure(stand_in, structure)


def _stand_in(array: Any, source: Source) -> _StandIn:
    made = np.asarray(array).view(_StandIn)
    made.source = source
    return made
