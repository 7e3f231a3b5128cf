"""`tf.random`: numbers from recurra's own stream, or of a seed, which gives others at each call since `set_seed`."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra._arrays import Array, as_array
from recurra._missing import says_what_to_do
from recurra.initializers import TruncatedNormal
from recurra.random import generator_of
from recurra.random import set_random_seed as set_seed

__all__ = ["categorical", "normal", "set_seed", "shuffle", "truncated_normal", "uniform"]


def normal(
    shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = "float32", seed: int | None = None
) -> Array:
    """Returns numbers of the normal distribution."""
    return as_array(generator_of(seed).normal(mean, stddev, tuple(shape)).astype(dtype))


def uniform(shape: Any, minval: Any = 0, maxval: Any = None, dtype: Any = "float32", seed: int | None = None) -> Array:
    """Returns numbers from [minval, maxval), whole ones for an integer dtype; `maxval` is 1 for floats if None."""
    if np.issubdtype(dtype, np.integer):
        return as_array(generator_of(seed).integers(minval, maxval, tuple(shape), dtype))
    return as_array(generator_of(seed).uniform(minval, 1.0 if maxval is None else maxval, tuple(shape)).astype(dtype))


def categorical(logits: Any, num_samples: int, dtype: Any = "int64", seed: int | None = None) -> Array:
    """Returns (rows, num_samples) numbers of classes, drawn with the chances that each row's logits (unscaled) give."""
    scores = np.asarray(logits, "float64")
    chances = np.exp(scores - scores.max(axis=-1, keepdims=True)).cumsum(axis=-1)
    draws = generator_of(seed).uniform(0, chances[:, -1:], (len(chances), num_samples))
    return as_array((draws[..., None] >= chances[:, None]).sum(axis=-1).astype(dtype))


def truncated_normal(
    shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = "float32", seed: int | None = None
) -> Array:
    """Returns numbers of the normal distribution that lie within two standard deviations."""
    draw = TruncatedNormal(mean, stddev, SimpleNamespace(generator=lambda: generator_of(seed)))
    return as_array(draw(tuple(shape), dtype=dtype))


def shuffle(value: Any, seed: int | None = None) -> Array:
    """Returns the rows of `value` in another order."""
    return as_array(generator_of(seed).permutation(np.asarray(value)))


if not TYPE_CHECKING:  # type checkers would take every name for one that is there
    __getattr__ = says_what_to_do(__name__)
