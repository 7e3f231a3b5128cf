"""Layers that disturb their input in training and leave it alone in prediction."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra import ops, saving
from recurra._checks import expected, fraction
from recurra.layers._shapes import check_rank
from recurra.layers.base import Layer
from recurra.random import SeedGenerator

_AT_ONCE = 1 << 13  # numbers drawn together: as float64 they fit a cache


def dropout_factors(generator: np.random.Generator, shape: tuple[int, ...], rate: float, dtype: Any) -> np.ndarray:
    """Returns 0 with probability `rate`, else 1 / (1 - rate)."""
    if rate == 1.0:
        return np.zeros(shape, dtype)
    kept = np.asarray(1, dtype) / np.asarray(1 - rate, dtype)
    factors = np.empty(shape, dtype)
    flat = factors.reshape(-1)
    for start in range(0, flat.size, _AT_ONCE):
        part = flat[start : start + _AT_ONCE]
        np.multiply(generator.random(part.size) >= rate, kept, out=part)
    return factors


def _noise_shape(given: Any) -> tuple[int | None, ...] | None:
    """Returns a shape of positive whole numbers and None as a tuple; ValueError for anything else."""
    if given is None:
        return None
    sizes = tuple(given) if isinstance(given, (list, tuple)) else ("?",)
    if not all(size is None or (type(size) is int and size > 0) for size in sizes):
        raise ValueError(expected("Dropout", "noise_shape to be a list of positive whole numbers or None", repr(given)))
    return sizes


class _Multiplier(Layer):
    """Multiplies by factors drawn in training."""

    supports_masking = True
    stateless = True
    _noise_rates = ("rate",)
    rate: float

    def draw(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """Returns the factors of one call on inputs of this shape."""
        raise NotImplementedError

    def forward(self, inputs: np.ndarray, training: bool = False) -> tuple[np.ndarray, np.ndarray | None]:
        if not training or self.rate == 0:
            return inputs, None
        factors = self.draw(inputs.shape, inputs.dtype)
        return inputs * factors, factors

    def backward(self, doutputs: np.ndarray, cache: np.ndarray | None) -> np.ndarray:
        return doutputs if cache is None else doutputs * cache

    def join_plan(self, plan: ops.Plan, training: bool) -> bool:
        return not training or self.rate == 0 or plan.add_factors(self.draw)


@saving.builtin("keras.layers")
class Dropout(_Multiplier):
    """In training, drops a fraction of the inputs and scales up the rest (https://keras.io/api/layers/regularization_layers/dropout).

    Args:
        rate: Fraction to drop.
        noise_shape: Shape of the drawn mask: 1 where an axis shares it, None where it is the input's.
        seed: Of the masks.

    Call:
        inputs: (N, ...).
        training: Whether to drop.

    Raises:
        TypeError: If `rate` is not a number.
        ValueError: If `rate` lies outside [0, 1].

    >>> recurra.layers.Dropout(0.5)(np.ones((1, 3), np.float32)).numpy()
    array([[1., 1., 1.]], dtype=float32)
    """

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.rate = fraction("Dropout", "rate", rate)
        self.noise_shape = _noise_shape(noise_shape)
        self.seed = seed
        self.seed_generator = SeedGenerator(seed)

    def draw(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        noise = self.noise_shape or shape
        if len(noise) != len(shape):
            raise ValueError(expected("Dropout", f"noise_shape of {len(shape)} axes", repr(self.noise_shape)))
        drawn = tuple(size if given is None else given for given, size in zip(noise, shape, strict=True))
        return dropout_factors(self.seed_generator.generator(), drawn, self.rate, dtype)


@saving.builtin("keras.layers")
class SpatialDropout1D(_Multiplier):
    """Dropout of whole features: the same ones at each time step (https://keras.io/api/layers/regularization_layers/spatial_dropout1d).

    Args:
        rate: Fraction of the features to drop.
        seed: Of the masks.

    Call:
        inputs: (N, T, D).
        training: Whether to drop.

    Raises:
        TypeError: If `rate` is not a number.
        ValueError: If `rate` lies outside [0, 1].
    """

    stateless = True

    def __init__(self, rate: float, seed: int | None = None, name: str | None = None, dtype: Any = None, **kwargs: Any):
        super().__init__(name=name, dtype=dtype, **kwargs)
        self.rate = fraction("SpatialDropout1D", "rate", rate)
        self.seed = seed
        self.seed_generator = SeedGenerator(seed)

    def build(self, input_shape: Any) -> None:
        check_rank("SpatialDropout1D", input_shape, 3)

    def get_config(self) -> dict[str, Any]:
        # Keras's takes no `trainable` and no dtype policy.
        return {"rate": self.rate, "seed": self.seed, "name": self.name, "dtype": self.dtype}

    def draw(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        return dropout_factors(self.seed_generator.generator(), (shape[0], 1, shape[2]), self.rate, dtype)


@saving.builtin("keras.layers")
class GaussianDropout(_Multiplier):
    """In training, multiplies by normal noise of mean 1 and variance rate / (1 - rate).

    Args:
        rate: As of `Dropout`, below 1.
        seed: Of the noise.

    Call:
        inputs: (N, ...).
        training: Whether to disturb.

    Raises:
        TypeError: If `rate` is not a number.
        ValueError: If `rate` is negative, or not below 1.
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.rate = fraction("GaussianDropout", "rate", rate)
        if self.rate == 1:
            raise ValueError(expected("GaussianDropout", "rate to be below 1", rate))
        self.seed = seed
        self.seed_generator = SeedGenerator(seed)

    def draw(self, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        stddev = (self.rate / (1 - self.rate)) ** 0.5
        return self.seed_generator.generator().normal(1, stddev, shape).astype(dtype)


@saving.builtin("keras.layers")
class GaussianNoise(Layer):
    """In training, adds normal noise of mean 0 (https://keras.io/api/layers/regularization_layers/gaussian_noise).

    Args:
        stddev: Standard deviation of the noise.
        seed: Of the noise.

    Call:
        inputs: (N, ...).
        training: Whether to disturb.

    Raises:
        TypeError: If `stddev` is not a number.
        ValueError: If `stddev` lies outside [0, 1].
    """

    supports_masking = True
    stateless = True
    _noise_rates = ("stddev",)

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.stddev = fraction("GaussianNoise", "stddev", stddev)
        self.seed = seed
        self.seed_generator = SeedGenerator(seed)

    def forward(self, inputs: np.ndarray, training: bool = False) -> tuple[np.ndarray, None]:
        if not training or self.stddev == 0:
            return inputs, None
        noise = self.seed_generator.generator().normal(0, self.stddev, inputs.shape)
        return inputs + noise.astype(inputs.dtype), None

    def backward(self, doutputs: np.ndarray, cache: None) -> np.ndarray:
        return doutputs

    def join_plan(self, plan: ops.Plan, training: bool) -> bool:
        return not training or self.stddev == 0
