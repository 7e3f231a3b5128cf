"""Rows, or columns, to mean 0 and variance 1."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra.ops.reference.primitives import Array


def normalize_rows(x: Array, gamma: Array | None, beta: Array | None, epsilon: float) -> tuple[Array, Any]:
    """Returns (x - mean) / sqrt(variance + epsilon) * gamma + beta over the last axis, and a cache (Ba et al., 2016).

    Args:
        x: (..., D).
        gamma, beta: (D,) or None.
        epsilon: Added to the variance.
    """
    centred = x - x.mean(axis=-1, keepdims=True)
    inverse = 1 / np.sqrt(np.square(centred).mean(axis=-1, keepdims=True) + x.dtype.type(epsilon))
    standardized = centred * inverse
    y = standardized if gamma is None else standardized * gamma
    return (y if beta is None else y + beta), (standardized, inverse[..., 0])


def normalize_rows_gradient(
    dy: Array, cache: Any, gamma: Array | None, dgamma: Array | None, dbeta: Array | None
) -> Array:
    """Returns dx of `normalize_rows` from dy; adds to dgamma and dbeta (D,), where they are given."""
    standardized, inverse = cache
    axes = tuple(range(dy.ndim - 1))
    if dbeta is not None:
        dbeta += dy.sum(axis=axes)
    if dgamma is not None:
        dgamma += (dy * standardized).sum(axis=axes)
    d = dy if gamma is None else dy * gamma
    slope = (d * standardized).mean(axis=-1, keepdims=True)
    return inverse[..., None] * (d - d.mean(axis=-1, keepdims=True) - standardized * slope)


def normalize_columns(
    x: Array, gamma: Array | None, beta: Array | None, epsilon: float, moments: tuple[Array, Array] | None = None
) -> tuple[Array, tuple[Array, Array], Any]:
    """Returns (x - mean) / sqrt(variance + epsilon) * gamma + beta, the moments, and a cache (Ioffe and Szegedy, 2015).

    Args:
        x: (..., D).
        gamma, beta: (D,) or None.
        epsilon: Added to the variance.
        moments: Mean and variance (D,); None for those of x over all axes but the last.
    """
    axes = tuple(range(x.ndim - 1))
    mean, variance = moments or (x.mean(axis=axes), x.var(axis=axes))
    inverse = 1 / np.sqrt(variance + x.dtype.type(epsilon))
    standardized = (x - mean) * inverse
    y = standardized if gamma is None else standardized * gamma
    return (y if beta is None else y + beta), (mean, variance), (standardized, inverse, moments is None)


def normalize_columns_gradient(
    dy: Array, cache: Any, gamma: Array | None, dgamma: Array | None, dbeta: Array | None
) -> Array:
    """Returns dx of `normalize_columns` from dy; adds to dgamma and dbeta (D,), where they are given."""
    standardized, inverse, of_batch = cache
    axes = tuple(range(dy.ndim - 1))
    if dbeta is not None:
        dbeta += dy.sum(axis=axes)
    if dgamma is not None:
        dgamma += (dy * standardized).sum(axis=axes)
    d = dy
    if of_batch:
        d = dy - dy.mean(axis=axes) - standardized * (dy * standardized).mean(axis=axes)
    return d * inverse * (1 if gamma is None else gamma)
