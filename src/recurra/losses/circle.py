"""Circle loss: rows of one label near each other, those of different labels apart (Sun et al., 2020)."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra import ops, saving
from recurra._checks import expected
from recurra.losses.base import SUM_OVER_BATCH_SIZE, LossFunctionWrapper
from recurra.losses.functions import logsumexp


def _terms(
    y_true: Any, y_pred: np.ndarray, ref_labels: Any, ref_embeddings: Any, remove_diagonal: bool, gamma: float, m: float
) -> tuple[np.ndarray, ...]:
    """Returns the pairs' exponents, their derivatives by the distance, and which pairs are of one label and of two."""
    references = y_pred if ref_embeddings is None else np.asarray(ref_embeddings, y_pred.dtype)
    raw = 1 - ops.matmul(y_pred, references, transpose_b=True)
    distance = np.maximum(raw, 0)
    labels = np.asarray(y_true).reshape(-1, 1)
    if len(labels) != len(y_pred):
        raise ValueError(expected("circle", f"a label for each of {len(y_pred)} rows of y_pred", np.shape(y_true)))
    same = labels == (labels if ref_labels is None else np.asarray(ref_labels).reshape(-1, 1)).T
    other = ~same
    if remove_diagonal:
        np.fill_diagonal(same, False)
    attract = -gamma * np.maximum(m + distance, 0) * (m - distance)
    weight = np.maximum(1 + m - distance, 0)
    repel = gamma * weight * (1 - m - distance)
    dattract = gamma * 2 * distance
    drepel = gamma * np.where(weight > 0, 2 * distance - 2, 0)
    moving = raw > 0
    return np.where(same, attract, -np.inf), np.where(other, repel, -np.inf), dattract * moving, drepel * moving


def circle(
    y_true: Any,
    y_pred: Any,
    ref_labels: Any = None,
    ref_embeddings: Any = None,
    remove_diagonal: bool = True,
    gamma: float = 80,
    margin: float = 0.4,
) -> np.ndarray:
    """`softplus(logsumexp(attraction) + logsumexp(repulsion))` of each row over its pairs.

    Args:
        y_true: Labels (N,).
        y_pred: Rows of length one (N, D), as `UnitNormalization` gives them.
        ref_labels, ref_embeddings: The rows to pair with; those of y_true and y_pred if None.
        remove_diagonal: Whether a row is no pair with itself.
        gamma: Factor of the exponents.
        margin: Distance below which rows of one label do not attract each other.

    Returns:
        (N,); zero for a row without a partner of its label.

    Raises:
        ValueError: If y_pred has not two axes, or y_true not a label for each row.
    """
    y_pred = np.asarray(y_pred)
    if y_pred.ndim != 2:
        raise ValueError(expected("circle", "y_pred of shape (batch, features)", y_pred.shape))
    attract, repel, _, _ = _terms(y_true, y_pred, ref_labels, ref_embeddings, remove_diagonal, gamma, margin)
    exponents = logsumexp(attract, axis=1) + logsumexp(repel, axis=1)
    return ops.activation_forward("softplus", exponents).astype(y_pred.dtype)


@saving.builtin("keras.losses")
class Circle(LossFunctionWrapper):
    """See `circle`; rows whose value is 0 do not count.

    Args:
        gamma, margin, remove_diagonal: As of `circle`.
        reduction, name, dtype: As of `Loss`.
    """

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "circle",
        dtype: Any = None,
    ):
        options = {"gamma": gamma, "margin": margin, "remove_diagonal": remove_diagonal}
        super().__init__(circle, reduction, name, dtype, **options)

    def own_mask(self, y_true: Any, y_pred: Any) -> np.ndarray:
        return self.call(y_true, y_pred) > 0

    def value_and_gradient(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None
    ) -> tuple[Any, np.ndarray]:
        """As of `Loss`; here every value depends on all rows."""
        y_pred = np.asarray(y_pred)
        values, weights, scale = self._weigh(y_true, y_pred, sample_weight, mask)
        k = self._fn_kwargs
        attract, repel, dattract, drepel = _terms(
            y_true, y_pred, None, None, k["remove_diagonal"], k["gamma"], k["margin"]
        )
        a, r = logsumexp(attract, axis=1)[:, None], logsumexp(repel, axis=1)[:, None]
        paired = np.isfinite(a) & np.isfinite(r)
        a, r = np.where(paired, a, 0), np.where(paired, r, 0)
        by_distance = ops.exp(attract - a) * dattract + ops.exp(repel - r) * drepel
        steep = np.where(paired, ops.sigmoid(a + r), 0)
        factors = np.broadcast_to(scale if weights is None else weights * scale, values.shape)[:, None]
        dproduct = -np.where(paired, factors * steep * by_distance, 0)
        gradient = ops.matmul((dproduct + dproduct.T).astype(y_pred.dtype), y_pred)
        return self._reduce(values, weights, scale), gradient.astype(y_pred.dtype)
