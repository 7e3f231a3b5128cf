"""Attention: weighted means of values, the weights from how well queries fit keys."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from recurra import constraints, initializers, ops, regularizers, saving
from recurra._arguments import open_arguments
from recurra._checks import expected, fraction, one_of, positive_int
from recurra._names import auto_name
from recurra.layers._math import zero_unless
from recurra.layers._shapes import check_rank, is_shape, known_features, standardize_shape
from recurra.layers.base import Layer
from recurra.layers.dropout import dropout_factors
from recurra.random import SeedGenerator

MASKED = 1e9  # taken off the scores that do not count


class _Attention(Layer):
    """What all kinds of attention share: from scores and values to means."""

    supports_masking = True
    _noise_rates = ("dropout",)
    dropout: float
    seed_generator: SeedGenerator

    def _attend(
        self, scores: np.ndarray, value: np.ndarray, training: bool, factors: np.ndarray | None = None
    ) -> tuple[np.ndarray, Any]:
        """Returns (softmax(scores) * factors) @ value.

        Args:
            scores: (B, S, T), S queries and T keys; the softmax takes their place.
            value: (B, T, D).
            training: Whether to drop.
            factors: (B, S, T), or None for ones.
        """
        weights = ops.softmax(scores, in_place=True)
        if training and self.dropout:
            kept = dropout_factors(self.seed_generator.generator(), weights.shape, self.dropout, weights.dtype)
            factors = kept if factors is None else factors * kept
        used = weights if factors is None else weights * factors
        return ops.batched_matmul(used, value), (weights, used, factors, value)

    def _attend_gradient(self, dy: Any, dused: Any, cache: Any) -> tuple[np.ndarray, np.ndarray]:
        """Returns the gradients of scores and value from those of the means and of the weights as used, or None."""
        weights, used, factors, value = cache
        dy = np.zeros((*used.shape[:-1], value.shape[-1]), value.dtype) if dy is None else dy
        dweights = ops.batched_matmul(dy, value, transpose_b=True)
        if dused is not None:
            dweights += dused
        if factors is not None:
            dweights *= factors
        dscores = ops.softmax_gradient(dweights, weights, in_place=True)
        return dscores, ops.batched_matmul(used, dy, transpose_a=True)


def _of_both(doutputs: Any) -> tuple[Any, Any]:
    """Returns the gradients of the result and of the scores, None where there is none."""
    return tuple(doutputs) if isinstance(doutputs, list) else (doutputs, None)


def _causal(queries: int, keys: int) -> np.ndarray:
    """Returns which keys each query may see: none after itself."""
    return np.arange(queries)[:, None] >= np.arange(keys)


@saving.builtin("keras.layers")
class Attention(_Attention):
    """y = softmax(query @ key.T) @ value (Luong et al., 2015; https://keras.io/api/layers/attention_layers/attention).

    Args:
        use_scale: Whether to learn one factor for the scores.
        score_mode: "dot", or "concat" for sum(tanh(query + key)) with a learned factor.
        dropout: Fraction of the weights to drop.
        seed: Of the dropped weights.

    Call:
        inputs: [query (N, S, D), value (N, T, E)] or [query, value, key (N, T, D)]; without a key the value serves.
        mask: [bool (N, S), bool (N, T)]: results to keep, values that count.
        training: Whether to drop.
        return_attention_scores: Whether to return (result, weights (N, S, T)).
        use_causal_mask: Whether query i sees only the values up to i.

    Returns:
        (N, S, E).

    Raises:
        TypeError: If `dropout` is not a number.
        ValueError: If an option is unknown or out of range, or there are not two or three inputs.

    >>> recurra.layers.Attention()([np.ones((1, 2, 3), np.float32), np.ones((1, 4, 3), np.float32)]).shape
    (1, 2, 3)
    """

    takes_several = True

    def __init__(
        self,
        use_scale: bool = False,
        score_mode: str = "dot",
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.use_scale = bool(use_scale)
        self.score_mode = one_of(type(self).__name__, "score_mode", score_mode, ("dot", "concat"))
        self.dropout = fraction(type(self).__name__, "dropout", dropout)
        self.seed = seed
        self.seed_generator = SeedGenerator(seed)

    def build(self, input_shape: Any) -> None:
        self._check_inputs(input_shape)
        self.scale: Any = self.add_weight((), "ones", name="scale") if self.use_scale else None
        self.concat_score_weight = None
        if self.score_mode == "concat":
            self.concat_score_weight = self.add_weight((), "ones", name="concat_score_weight")

    def _check_inputs(self, shapes: Any) -> None:
        who = type(self).__name__
        if is_shape(shapes) or not isinstance(shapes, list) or len(shapes) not in (2, 3):
            raise ValueError(expected(who, "a list of inputs, [query, value] or [query, value, key]", f"{shapes}"))
        for shape in shapes:
            check_rank(who, shape, 3)
        query, key = shapes[0][-1], shapes[-1][-1]
        if None not in (query, key) and query != key:
            raise ValueError(expected(who, f"keys with {query} features", f"{key}"))

    def forward(
        self,
        inputs: list[np.ndarray],
        mask: Any = None,
        training: bool = False,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> tuple[Any, Any]:
        self._check_inputs([x.shape for x in inputs])
        query, value, key = inputs[0], inputs[1], inputs[-1]
        query_mask, value_mask = (None, None) if mask is None else mask[:2]
        scores, score_cache = self._scores(query, key)
        keep = None if value_mask is None else np.asarray(value_mask, bool)[:, None, :]
        if use_causal_mask:
            causal = _causal(query.shape[1], key.shape[1])
            keep = causal if keep is None else keep & causal
        if keep is not None:
            scores = scores - MASKED * (~keep).astype(scores.dtype)
        y, cache = self._attend(scores, value, training)
        shown = None if query_mask is None else np.asarray(query_mask)[..., None].astype(y.dtype)
        y = y if shown is None else y * shown
        return (y, cache[1]) if return_attention_scores else y, (cache, score_cache, shown, len(inputs))

    def backward(self, doutputs: np.ndarray, cache: Any) -> list[np.ndarray]:
        attended, score_cache, shown, count = cache
        dy, dused = _of_both(doutputs)
        dscores, dvalue = self._attend_gradient(dy if dy is None or shown is None else dy * shown, dused, attended)
        dquery, dkey = self._scores_gradient(dscores, score_cache)
        return [dquery, dvalue + dkey] if count == 2 else [dquery, dvalue, dkey]

    def _scores(self, query: np.ndarray, key: np.ndarray) -> tuple[np.ndarray, Any]:
        """Returns the scores (N, S, T) and what their gradient needs."""
        if self.score_mode == "concat":
            return self._additive_scores(query, key, self.scale, self.concat_score_weight)
        products = ops.batched_matmul(query, key, transpose_b=True)
        return products if self.scale is None else products * self.scale.value, (query, key, products)

    def _scores_gradient(self, dscores: np.ndarray, cache: Any) -> tuple[np.ndarray, np.ndarray]:
        """Returns the gradients of query and key; adds those of the weights."""
        if self.score_mode == "concat":
            return self._additive_scores_gradient(dscores, cache, self.scale, self.concat_score_weight)
        query, key, products = cache
        if self.scale is not None:
            if self.scale.grad is not None:
                self.scale.grad[...] += (dscores * products).sum()
            dscores = dscores * self.scale.value
        return ops.batched_matmul(dscores, key), ops.batched_matmul(dscores, query, transpose_a=True)

    def _additive_scores(self, query: np.ndarray, key: np.ndarray, inner: Any, outer: Any) -> tuple[np.ndarray, Any]:
        """Returns sum(outer * tanh(inner * (query + key))) for each pair; a factor that is None is one."""
        added = query[:, :, None, :] + key[:, None, :, :]
        bent = ops.tanh(added if inner is None else added * inner.value)
        return (bent if outer is None else bent * outer.value).sum(axis=-1), (added, bent)

    def _additive_scores_gradient(
        self, dscores: np.ndarray, cache: Any, inner: Any, outer: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        added, bent = cache
        dbent = np.broadcast_to(dscores[..., None], bent.shape)
        if outer is not None:
            _add_factor_gradient(outer, dbent * bent)
            dbent = dbent * outer.value
        dadded = dbent * (1 - np.square(bent))
        if inner is not None:
            _add_factor_gradient(inner, dadded * added)
            dadded = dadded * inner.value
        return dadded.sum(axis=2), dadded.sum(axis=1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape[0][:-1], input_shape[1][-1])

    def _call_shape(self, shapes: Any, kwargs: dict[str, Any]) -> Any:
        result = self.compute_output_shape(shapes)
        return (result, (*shapes[0][:-1], shapes[1][1])) if kwargs.get("return_attention_scores") else result

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Returns the query's mask."""
        if mask is None or mask[0] is None:
            return None
        return np.asanyarray(mask[0])[...]  # Keras converts it, an operation by which layers are ordered too


def _add_factor_gradient(factor: Any, products: np.ndarray) -> None:
    """Adds the gradient of a scalar, or of one factor for each feature."""
    if factor.grad is not None:
        factor.grad[...] += products.sum(axis=tuple(range(products.ndim - factor.ndim)))


@saving.builtin("keras.layers")
class AdditiveAttention(Attention):
    """y = softmax(sum(scale * tanh(query + key))) @ value (Bahdanau et al., 2015).

    Args:
        use_scale: Whether to learn a factor for each feature.
        dropout, seed: As of `Attention`, and so are its calls.

    Raises:
        TypeError, ValueError: As of `Attention`.
    """

    def __init__(self, use_scale: bool = True, dropout: float = 0.0, **kwargs: Any):
        super().__init__(use_scale=use_scale, dropout=dropout, **kwargs)

    def build(self, input_shape: Any) -> None:
        self._check_inputs(input_shape)
        features = known_features("AdditiveAttention", input_shape[0])
        self.scale: Any = self.add_weight((features,), "glorot_uniform", name="scale") if self.use_scale else None

    def _scores(self, query: np.ndarray, key: np.ndarray) -> tuple[np.ndarray, Any]:
        return self._additive_scores(query, key, None, self.scale)

    def _scores_gradient(self, dscores: np.ndarray, cache: Any) -> tuple[np.ndarray, np.ndarray]:
        return self._additive_scores_gradient(dscores, cache, None, self.scale)

    def _config_names(self) -> list[str]:
        return [name for name in super()._config_names() if name != "score_mode"]


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
class MultiHeadAttention(_Attention):
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
        return self.backward_all(doutputs, cache)[0]

    def backward_all(self, doutputs: Any, cache: Any, need_dx: bool = True) -> tuple[Any, dict[str, Any]]:
        """Returns the gradients of the query, and of value and key by name; neither without `need_dx`."""
        query_cache, key_cache, value_cache, output_cache, attended, q, k, keep, has_key = cache
        dy, dused = _of_both(doutputs)
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
        parts.append(_causal(*sizes))
    if attention_mask is not None:
        mask = np.asarray(attention_mask, bool)
        parts.append(mask[:, None] if mask.ndim == 3 else mask)
    keep = None
    for part in parts:
        keep = part if keep is None else keep & part
    return keep
