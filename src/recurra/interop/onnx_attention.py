"""Attention layers as ONNX operators. They need no promise about masks: what does not count is taken off the scores."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from recurra import layers
from recurra.interop.onnx_graph import Export, Value, folded, lost_mask, over_time
from recurra.layers.attention import MASKED

ATTENTIONS = (layers.Attention, layers.AdditiveAttention, layers.MultiHeadAttention)
# The axes of (N, heads, S, T) that a mask by name does not have.
MISSING_AXES = {"query_mask": (1, 3), "value_mask": (1, 2), "key_mask": (1, 2)}


def attention(
    export: Export, layer: Any, given: list[Value], masks: dict[str, Value], causal: bool, with_scores: bool
) -> list[Value]:
    """Adds an Attention, AdditiveAttention or MultiHeadAttention layer and returns its outputs.

    Args:
        export: The graph.
        layer: The layer.
        given: Query (N, S, D), value (N, T, E) and, if there is one, key (N, T, F).
        masks: The masks that the call was given by name.
        causal: Whether query i sees only the keys up to i.
        with_scores: Whether to return the weights (N, S, T) or (N, heads, S, T) beside the result (N, S, E).
    """
    if any(one.mask_is_lost for one in given):
        raise lost_mask(layer)
    query, value, key = given[0], given[1], given[-1]
    keep = [_causal(export, query.name, key.name)] if causal else []
    if isinstance(layer, layers.MultiHeadAttention):
        keep += _masks_of_heads(export, given, masks)
        y, weights = _heads(export, layer, query.name, value.name, key.name, _all_of(export, keep), with_scores)
    else:
        if value.mask is not None:
            keep.append(export.add("Unsqueeze", [value.mask, export.integers(1)]))
        y, weights = _one_head(export, layer, query.name, value.name, key.name, _all_of(export, keep))
        if query.mask is not None:
            shown = export.add("Unsqueeze", [query.mask, export.integers(2)])
            y = export.add("Mul", [y, export.cast(shown, layer.dtype)])
    results = [Value(y, query.rank, layer.dtype, query.mask, over_time=over_time(given))]
    return [*results, Value(weights, query.rank, layer.dtype)] if with_scores else results


def _masks_of_heads(export: Export, given: list[Value], masks: dict[str, Value]) -> list[str]:
    """Returns the masks of (N, heads, S, T) scores, those that inputs carry where the call was given no others."""
    carried = zip(MISSING_AXES, (value.mask for value in given), strict=False)
    found = {name: mask for name, mask in carried if mask is not None}
    found |= {name: export.cast(mask.name, np.bool_) for name, mask in masks.items()}
    axes: dict[str, tuple[int, ...]] = {**MISSING_AXES}
    if "attention_mask" in masks and masks["attention_mask"].rank == 3:
        axes["attention_mask"] = (1,)
    return [
        export.add("Unsqueeze", [mask, export.integers(*axes[name])]) if name in axes else mask
        for name, mask in found.items()
    ]


def _causal(export: Export, query: str, key: str) -> str:
    """Returns which keys (S, T) each query may see: none after itself."""
    rows, columns = (_positions(export, x) for x in (query, key))
    return export.add("GreaterOrEqual", [export.add("Unsqueeze", [rows, export.integers(1)]), columns])


def _positions(export: Export, x: str) -> str:
    """Returns 0, 1, ... for the time steps of x."""
    zero, one = (export.constant(number, dtype=np.int64) for number in (0, 1))
    return export.add("Range", [zero, export.add("Gather", [export.add("Shape", [x]), one]), one])


def _all_of(export: Export, masks: list[str]) -> str | None:
    """Returns where all of the masks are True; None if there is none."""
    return folded(export, "And", masks) if masks else None


def _one_head(export: Export, layer: Any, query: str, value: str, key: str, keep: str | None) -> tuple[str, str]:
    """Returns the result (N, S, E) of an Attention layer, and its weights (N, S, T)."""
    scores = _scores(export, layer, query, key)
    if keep is not None:
        lowered = export.add("Sub", [scores, export.number(layer, MASKED)])
        scores = export.add("Where", [keep, scores, lowered])
    weights = export.add("Softmax", [scores], axis=-1)
    return export.add("MatMul", [weights, value]), weights


def _scores(export: Export, layer: Any, query: str, key: str) -> str:
    """Returns the scores (N, S, T) of an Attention layer, computed as its namesakes in layers/attention.py."""
    if isinstance(layer, layers.AdditiveAttention):
        return _additive_scores(export, query, key, None, layer.scale)
    if layer.score_mode == "concat":
        return _additive_scores(export, query, key, layer.scale, layer.concat_score_weight)
    scores = export.add("MatMul", [query, export.add("Transpose", [key], perm=[0, 2, 1])])
    return _times(export, scores, layer.scale)


def _additive_scores(export: Export, query: str, key: str, inner: Any, outer: Any) -> str:
    rows, columns = (export.add("Unsqueeze", [x, export.integers(axis)]) for x, axis in ((query, 2), (key, 1)))
    bent = export.add("Tanh", [_times(export, export.add("Add", [rows, columns]), inner)])
    return export.add("ReduceSum", [_times(export, bent, outer), export.integers(-1)], keepdims=0)


def _times(export: Export, x: str, factor: Any) -> str:
    """Returns x times a weight, or x where there is none."""
    return x if factor is None else export.add("Mul", [x, export.constant(factor.value)])


def _heads(
    export: Export, layer: Any, query: str, value: str, key: str, keep: str | None, with_scores: bool
) -> tuple[str, str]:
    """Returns the result (N, S, features) of a MultiHeadAttention layer, and its weights (N, heads, S, T)."""
    parts = ((layer.query_dense, query), (layer.key_dense, key), (layer.value_dense, value))
    q, k, v = (_split(export, _projection(export, dense, x, len(dense.kernel)), layer.num_heads) for dense, x in parts)
    q = export.add("Mul", [q, export.number(layer, 1 / math.sqrt(layer.key_dim))])
    scores = export.add("MatMul", [q, export.add("Transpose", [k], perm=[0, 1, 3, 2])])
    if keep is not None:
        scores = export.add("Where", [keep, scores, export.number(layer, -MASKED)])
    weights = export.add("Softmax", [scores], axis=-1)
    if keep is not None and (layer.dropout or with_scores):  # then a query that sees no key gets zeros
        weights = export.add("Mul", [weights, export.cast(keep, layer.dtype)])
    means = export.add("Transpose", [export.add("MatMul", [weights, v])], perm=[0, 2, 1, 3])
    joined = export.add("Reshape", [means, export.integers(0, 0, layer.num_heads * layer.value_dim)])
    return _projection(export, layer.output_dense, joined, layer.num_heads * layer.value_dim), weights


def _projection(export: Export, dense: Any, x: str, features: int) -> str:
    """Returns x (N, T, features) as a linear layer projects it, the axes of its result after time joined to one."""
    y = export.add("MatMul", [x, export.constant(dense.kernel.value.reshape(features, -1))])
    return y if dense.bias is None else export.add("Add", [y, export.constant(dense.bias.value.reshape(-1))])


def _split(export: Export, x: str, heads: int) -> str:
    """Returns (N, T, heads * D) as (N, heads, T, D)."""
    return export.add("Transpose", [export.add("Reshape", [x, export.integers(0, 0, heads, -1)])], perm=[0, 2, 1, 3])
