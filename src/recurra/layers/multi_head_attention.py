"""Attention in several heads: projections of query, key and value, and one that joins what the heads give."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from recurra import constraints, initializers, ops, regularizers, saving
from recurra._arguments import open_arguments
from recurra._checks import expected, fraction, one_of, positive_int
from recurra._names import auto_name
from recurra.layers._math import zero_unless
from recurra.layers._shapes import check_rank, known_features, standardize_shape
from recurra.layers.attention import MASKED, BaseAttention, causal_mask, gradients_of_both
from recurra.layers.base import Layer
from recurra.random import SeedGenerator


class _Projection(Layer):
    """A linear layer from the last axes of its input to new ones, as `MultiHeadAttention` needs four of.

    Args:
        inputs: Sizes of the last axes of the input.
        outputs: Sizes of the axes that take their place.
        options: Initializers, regularizers and constraints; use_bias.
    """

    def __init__(self, inputs: tuple[int, ...], outputs: tuple[int, ...], options: dict[str, Any], **kwargs: Any):
        super().__init__(**kwargs)
        self._sizes = (tuple(inputs), tuple(outputs))
        self._options = options

    def build(self, input_shape: Any = None) -> None:
        inputs, outputs = self._sizes
        self.kernel = self._weight("kernel", (*inputs, *outputs))
        self.bias = self._weight("bias", outputs) if self._options["use_bias"] else None

    def _weight(self, name: str, shape: tuple[int, ...]) -> Any:
        initializer = self._options[f"{name}_initializer"]
        return self.add_weight(
            shape,
            initializer.clone() if isinstance(initializer, initializers.Initializer) else initializer,
            name=name,
            regularizer=self._options[f"{name}_regularizer"],
            constraint=self._options[f"{name}_constraint"],
        )

    def forward(self, inputs: np.ndarray) -> tuple[np.ndarray, Any]:
        ins, outs = self._sizes
        rows = np.ascontiguousarray(inputs).reshape(-1, math.prod(ins))
        bias = None if self.bias is None else self.bias.value.reshape(-1)
        y, cache = ops.dense_forward(rows, self.kernel.value.reshape(rows.shape[1], -1), bias, "linear")
        return y.reshape(*inputs.shape[: inputs.ndim - len(ins)], *outs), (cache, inputs.shape)

    @open_arguments
    def backward(self, doutputs: np.ndarray, cache: Any, need_dx: bool = True) -> Any:
        ins, outs = self._sizes
        dense_cache, shape = cache
        rows = np.ascontiguousarray(doutputs).reshape(-1, math.prod(outs))
        dkernel = None if self.kernel.grad is None else self.kernel.grad.reshape(math.prod(ins), -1)
        dbias = None if self.bias is None or self.bias.grad is None else self.bias.grad.reshape(-1)
        dx = ops.dense_backward(rows, dense_cache, dkernel, dbias, need_dx=need_dx)
        return None if dx is None else dx.reshape(shape)


MASKS = ("query_mask", "value_mask", "key_mask", "attention_mask")  # what a call may be given by name


@saving.builtin("keras.layers")
class MultiHeadAttention(BaseAttention):
    """Scaled dot-product attention in several heads side by side (Vaswani et al., 2017;
    https://keras.io/api/layers/attention_layers/multi_head_attention).

    Each head has its own projections of query, key and value; a last projection joins the heads.

    Args:
        num_heads: Number of heads.
        key_dim: Features of query and key within a head.
        value_dim: Features of the value within a head; key_dim if None.
        dropout: Fraction of the weights to drop.
        use_bias: Whether the projections have a bias.
        output_shape: Features of the result; those of the query if None.
        attention_axes: None or (1,): attention goes over time.
        kernel_initializer, bias_initializer: First values of the weights.
        kernel_regularizer, bias_regularizer: Penalties on the weights.
        activity_regularizer: Penalty on the output.
        kernel_constraint, bias_constraint: Applied to the weights after each update.
        seed: Of the dropped weights.
        flash_attention: Accepted, changes nothing.

    Call:
        query: (N, S, D).
        value: (N, T, E).
        key: (N, T, F); the value if None.
        query_mask, value_mask, key_mask: bool (N, S) or (N, T): steps that count.
        attention_mask: bool, broadcast to (N, S, T): which keys each query may see.
        return_attention_scores: Whether to return (result, weights (N, heads, S, T)).
        training: Whether to drop.
        use_causal_mask: Whether query i sees only the keys up to i.

    Returns:
        (N, S, features of the result).

    Raises:
        TypeError: If a size or `dropout` is not a number.
        ValueError: If an option or a shape does not fit.

    >>> x = np.ones((1, 4, 6), np.float32)
    >>> recurra.layers.MultiHeadAttention(num_heads=2, key_dim=3)(x, x).shape
    (1, 4, 6)
    """

    _absent_options = {"use_gate": False, "sliding_window": None}

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: Any = None,
        attention_axes: Any = None,
        *,  # what follows in Keras is not here
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        seed: int | None = None,
        flash_attention: bool | None = None,
        **kwargs: Any,
    ):
        who = "MultiHeadAttention"
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.num_heads = positive_int(who, "num_heads", num_heads)
        self.key_dim = positive_int(who, "key_dim", key_dim)
        self.value_dim = positive_int(who, "value_dim", key_dim if value_dim is None else value_dim)
        self.dropout = fraction(who, "dropout", dropout)
        self.use_bias = bool(use_bias)
        size = output_shape[0] if isinstance(output_shape, (list, tuple)) and len(output_shape) == 1 else output_shape
        self._output_size = None if size is None else positive_int(who, "output_shape", size)
        axes = tuple(attention_axes) if isinstance(attention_axes, (list, tuple)) else (attention_axes,)
        self.attention_axes = None if attention_axes is None else one_of(who, "attention_axes", axes, ((1,),))
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.seed = seed
        self.seed_generator = SeedGenerator(seed)

    def build(self, query_shape: Any, value_shape: Any = None, key_shape: Any = None) -> None:
        given = {"query_shape": query_shape, "value_shape": value_shape, "key_shape": key_shape}
        self.attention_axes = (1,)
        self._shapes = {name: standardize_shape(shape) for name, shape in given.items() if shape is not None}
        value_shape = self._shapes.get("value_shape", query_shape)
        key_shape = self._shapes.get("key_shape", value_shape)
        for shape in (query_shape, value_shape, key_shape):
            check_rank("MultiHeadAttention", shape, 3)
        query, value, key = (known_features("MultiHeadAttention", s) for s in (query_shape, value_shape, key_shape))
        self.query_dense = self._projection("query", (query,), (self.num_heads, self.key_dim))
        self.key_dense = self._projection("key", (key,), (self.num_heads, self.key_dim))
        self.value_dense = self._projection("value", (value,), (self.num_heads, self.value_dim))
        output = (self._output_size or query,)
        self.output_dense = self._projection("attention_output", (self.num_heads, self.value_dim), output)
        for inner in ("Softmax", "Dropout"):
            auto_name(inner)  # Keras makes these inside, and they take names

    def _projection(self, name: str, inputs: tuple[int, ...], outputs: tuple[int, ...]) -> _Projection:
        kinds = ("initializer", "regularizer", "constraint")
        options = {
            f"{weight}_{kind}": getattr(self, f"{weight}_{kind}") for weight in ("kernel", "bias") for kind in kinds
        }
        projection = _Projection(inputs, outputs, options | {"use_bias": self.use_bias}, name=name, dtype=self.dtype)
        projection.build()
        return projection

    def __call__(self, query: Any, value: Any = None, key: Any = None, **kwargs: Any) -> Any:  # type: ignore[override]
        if value is None:
            raise TypeError(expected("MultiHeadAttention", "a query and a value", "no value"))
        if not self.built:
            self.build(query.shape, value_shape=value.shape, key_shape=None if key is None else key.shape)
        return super().__call__(query, value=value, key=key, **kwargs)

    def _carried_mask(self, mask: Any, kwargs: dict[str, Any]) -> Any:
        return mask  # the query's, beside those of value and key

    def forward(
        self,
        query: np.ndarray,
        value: Any = None,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: bool = False,
        use_causal_mask: bool = False,
        mask: Any = None,
    ) -> tuple[Any, Any]:
        query_mask = mask if query_mask is None else query_mask
        value_mask = mask if value_mask is None and value is query else value_mask
        has_key = key is not None
        value = self._cast(value)
        key = self._cast(key) if has_key else value
        q, query_cache = self.query_dense.forward(query)
        k, key_cache = self.key_dense.forward(key)
        v, value_cache = self.value_dense.forward(value)
        q, k, v = (_heads_first(x) for x in (q, k, v))
        q = q * q.dtype.type(1 / math.sqrt(self.key_dim))
        keep = _keep(query_mask, value_mask, key_mask, attention_mask, (q.shape[1], k.shape[1]), use_causal_mask)
        scores, factors = ops.batched_matmul(q, k, transpose_b=True), None
        if keep is not None:
            shape = (len(query), self.num_heads, q.shape[1], k.shape[1])
            keep = np.broadcast_to(keep, shape).reshape(-1, *shape[2:])
            scores = np.where(keep, scores, scores.dtype.type(-MASKED))
            if self.dropout or return_attention_scores:  # else, as in Keras, a query that sees no key sees all alike
                factors = keep.astype(scores.dtype)
        y, attended = self._attend(scores, v, training, factors)
        y, output_cache = self.output_dense.forward(_heads_last(y, self.num_heads))
        cache = (query_cache, key_cache, value_cache, output_cache, attended, q, k, keep, has_key)
        if not return_attention_scores:
            return y, cache
        return (y, attended[1].reshape(len(query), self.num_heads, q.shape[1], k.shape[1])), cache

    def backward(self, doutputs: np.ndarray, cache: Any) -> np.ndarray:
        return MultiHeadAttention.backward_all(self, doutputs, cache)[0]

    def backward_all(self, doutputs: Any, cache: Any, need_dx: bool = True) -> tuple[Any, dict[str, Any]]:
        """Returns the gradients of the query, and of value and key by name; neither without `need_dx`."""
        query_cache, key_cache, value_cache, output_cache, attended, q, k, keep, has_key = cache
        dy, dused = gradients_of_both(doutputs)
        dy = None if dy is None else _heads_first(self.output_dense.backward(dy, output_cache))
        dused = None if dused is None else dused.reshape(-1, *dused.shape[2:])
        dscores, dv = self._attend_gradient(dy, dused, attended)
        dscores = dscores if keep is None else zero_unless(keep, dscores)
        dq = ops.batched_matmul(dscores, k) * q.dtype.type(1 / math.sqrt(self.key_dim))
        dk = ops.batched_matmul(dscores, q, transpose_a=True)
        dquery = self.query_dense.backward(_heads_last(dq, self.num_heads), query_cache, need_dx)
        dkey = self.key_dense.backward(_heads_last(dk, self.num_heads), key_cache, need_dx)
        dvalue = self.value_dense.backward(_heads_last(dv, self.num_heads), value_cache, need_dx)
        if not need_dx:
            return None, {}
        rest = {"value": dvalue, "key": dkey} if has_key else {"value": dvalue + dkey}
        return dquery, dict.fromkeys(MASKS) | rest

    def compute_output_shape(self, query_shape: Any, value_shape: Any = None, key_shape: Any = None) -> Any:
        return (*query_shape[:-1], self._output_size or query_shape[-1])

    def _call_shape(self, shapes: Any, kwargs: dict[str, Any]) -> Any:
        result = self.compute_output_shape(shapes)
        if not kwargs.get("return_attention_scores"):
            return result
        return result, (shapes[0], self.num_heads, shapes[1], kwargs["value"].shape[1])

    def get_config(self) -> dict[str, Any]:
        size = self._output_size
        return super().get_config() | {"output_shape": None if size is None else (size,)}

    def _config_names(self) -> list[str]:
        return [name for name in super()._config_names() if name not in ("output_shape", "flash_attention")]

    def get_build_config(self) -> dict[str, Any] | None:
        return {"shapes_dict": self._shapes} if self.built else None

    def build_from_config(self, config: dict[str, Any]) -> None:
        shapes = dict(config.get("shapes_dict") or {"query_shape": config["input_shape"]})
        self.build(shapes.pop("query_shape"), **shapes)


def _heads_first(x: np.ndarray) -> np.ndarray:
    """Returns (N, T, heads, D) as (N * heads, T, D)."""
    batch, timesteps, heads, features = x.shape
    return np.ascontiguousarray(x.transpose(0, 2, 1, 3)).reshape(batch * heads, timesteps, features)


def _heads_last(x: np.ndarray, heads: int) -> np.ndarray:
    """Returns (N * heads, T, D) as (N, T, heads, D)."""
    _, timesteps, features = x.shape
    return np.ascontiguousarray(x.reshape(len(x) // heads, heads, timesteps, features).transpose(0, 2, 1, 3))


def _keep(
    query_mask: Any, value_mask: Any, key_mask: Any, attention_mask: Any, sizes: tuple[int, int], causal: bool
) -> np.ndarray | None:
    """Returns which scores count, broadcast to (N, heads, S, T); None if all do."""
    parts = []
    if query_mask is not None:
        parts.append(np.asarray(query_mask, bool)[:, None, :, None])
    parts += [np.asarray(mask, bool)[:, None, None, :] for mask in (value_mask, key_mask) if mask is not None]
    if causal:
        parts.append(causal_mask(*sizes))
    if attention_mask is not None:
        mask = np.asarray(attention_mask, bool)
        parts.append(mask[:, None] if mask.ndim == 3 else mask)
    keep = None
    for part in parts:
        keep = part if keep is None else keep & part
    return keep
