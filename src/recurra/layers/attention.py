"""Attention: weighted means of values, the weights from how well queries fit keys."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra import ops, saving
from recurra._checks import expected, fraction, one_of
from recurra.layers._shapes import check_rank, is_shape, known_features
from recurra.layers.base import Layer
from recurra.layers.dropout import dropout_factors
from recurra.random import SeedGenerator

MASKED = 1e9  # taken off the scores that do not count


class BaseAttention(Layer):
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


def gradients_of_both(doutputs: Any) -> tuple[Any, Any]:
    """Returns the gradients of the result and of the scores, None where there is none."""
    return tuple(doutputs) if isinstance(doutputs, list) else (doutputs, None)


def causal_mask(queries: int, keys: int) -> np.ndarray:
    """Returns which keys each query may see: none after itself."""
    return np.arange(queries)[:, None] >= np.arange(keys)


@saving.builtin("keras.layers")
class Attention(BaseAttention):
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
            causal = causal_mask(query.shape[1], key.shape[1])
            keep = causal if keep is None else keep & causal
        if keep is not None:
            scores = scores - MASKED * (~keep).astype(scores.dtype)
        y, cache = self._attend(scores, value, training)
        shown = None if query_mask is None else np.asarray(query_mask)[..., None].astype(y.dtype)
        y = y if shown is None else y * shown
        return (y, cache[1]) if return_attention_scores else y, (cache, score_cache, shown, len(inputs))

    def backward(self, doutputs: np.ndarray, cache: Any) -> list[np.ndarray]:
        attended, score_cache, shown, count = cache
        dy, dused = gradients_of_both(doutputs)
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
