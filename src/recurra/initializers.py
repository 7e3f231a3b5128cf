"""Initializers: first values of weights (https://keras.io/api/layers/initializers).

fan_in = shape[-2] * field, fan_out = shape[-1] * field, field = product of the dimensions before
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra import config as settings
from recurra import ops, saving
from recurra._arrays import as_numbers, giving_arrays, plain_dtype
from recurra._checks import expected, not_negative, number, one_of, positive, seed_number
from recurra._missing import says_what_to_do
from recurra._names import snake_case
from recurra.random import draw_seed

__all__ = [
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "IdentityInitializer",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "OrthogonalInitializer",
    "RandomInitializer",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "compute_fans",
    "constant",
    "deserialize",
    "get",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "lecun_normal",
    "lecun_uniform",
    "ones",
    "orthogonal",
    "random_normal",
    "random_uniform",
    "serialize",
    "truncated_normal",
    "variance_scaling",
    "zeros",
]

_TRUNCATED_STDDEV = 0.87962566103423978  # of a standard normal cut at 2
_AT_ONCE = 1 << 15  # numbers that are drawn together: they are cast while they are in the cache


class Initializer(saving.Configurable):
    """Base class: an object that is called with a shape and a dtype and returns an array."""

    def __call__(self, shape: Any, dtype: Any = None) -> np.ndarray:
        raise NotImplementedError(expected(type(self).__name__, "a method __call__(shape, dtype)", "none"))

    def clone(self) -> Any:
        """Returns an initializer of the same config."""
        return type(self).from_config(self.get_config())


def _dtype(dtype: Any) -> np.dtype:
    return np.dtype(plain_dtype(dtype) or settings.floatx())


@saving.builtin("keras.initializers")
class Zeros(Initializer):
    """All zeros."""

    @giving_arrays
    def __call__(self, shape: Any, dtype: Any = None) -> np.ndarray:
        return np.zeros(shape, _dtype(dtype))


@saving.builtin("keras.initializers")
class Ones(Initializer):
    """All ones."""

    @giving_arrays
    def __call__(self, shape: Any, dtype: Any = None) -> np.ndarray:
        return np.ones(shape, _dtype(dtype))


@saving.builtin("keras.initializers")
class Constant(Initializer):
    """One value everywhere.

    Raises:
        ValueError: If `value` is not a number.
    """

    def __init__(self, value: Any = 0.0):
        as_numbers(value, "Constant")
        self.value = value

    @giving_arrays
    def __call__(self, shape: Any, dtype: Any = None) -> np.ndarray:
        return np.full(shape, self.value, _dtype(dtype))


@saving.builtin("keras.initializers")
class Identity(Initializer):
    """`gain` on the diagonal of a matrix, zeros elsewhere.

    Raises:
        TypeError: If `gain` is not a number.
    """

    def __init__(self, gain: float = 1.0):
        self.gain: float = number("Identity", "gain", gain)

    @giving_arrays
    def __call__(self, shape: Any, dtype: Any = None) -> np.ndarray:
        if len(shape) != 2:
            raise ValueError(expected("Identity", "a matrix shape", tuple(shape)))
        return (self.gain * np.eye(*shape)).astype(_dtype(dtype))

    def get_config(self) -> dict[str, Any]:
        return {} if self.gain == 1.0 else super().get_config()  # Keras forgets the gain


class RandomInitializer(Initializer):
    """Base of the random ones: the seed is picked at construction, so that one object always gives the same values.

    Args:
        seed: A whole number, or a `random.SeedGenerator`; None draws one from `utils.set_random_seed`'s stream.

    Raises:
        ValueError: If the seed is anything else.
    """

    def __init__(self, seed: Any = None):
        if seed is not None and not hasattr(seed, "generator"):
            seed = seed_number(type(self).__name__, seed)
        self.seed = seed
        self._drawn = draw_seed() if seed is None else seed

    def _generator(self) -> np.random.Generator:
        seed = self._drawn
        return seed.generator() if hasattr(seed, "generator") else np.random.default_rng(seed % 2**64)  # none below 0


@saving.builtin("keras.initializers")
class RandomNormal(RandomInitializer):
    """Normal distribution.

    Args:
        mean, stddev: Its mean and standard deviation.
        seed: Of the numbers; one drawn from `utils.set_random_seed`'s stream if None.

    Raises:
        TypeError: If `mean` or `stddev` is not a number.
        ValueError: If `stddev` is negative, or `seed` not a whole number.
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Any = None):
        super().__init__(seed)
        self.mean: float = number("RandomNormal", "mean", mean)
        self.stddev: float = not_negative("RandomNormal", "stddev", stddev)

    @giving_arrays
    def __call__(self, shape: Any, dtype: Any = None) -> np.ndarray:
        generator = self._generator()
        return _drawn(lambda count: generator.normal(self.mean, self.stddev, count), shape, dtype)


@saving.builtin("keras.initializers")
class TruncatedNormal(RandomInitializer):
    """Normal distribution, drawn again beyond two standard deviations.

    Args:
        mean, stddev: Those of the distribution before the cut.
        seed: Of the numbers; one drawn from `utils.set_random_seed`'s stream if None.

    Raises:
        TypeError: If `mean` or `stddev` is not a number.
        ValueError: If `stddev` is negative, or `seed` not a whole number.
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Any = None):
        super().__init__(seed)
        self.mean: float = number("TruncatedNormal", "mean", mean)
        self.stddev: float = not_negative("TruncatedNormal", "stddev", stddev)

    @giving_arrays
    def __call__(self, shape: Any, dtype: Any = None) -> np.ndarray:
        return (self.mean + self.stddev * _truncated(self._generator(), shape)).astype(_dtype(dtype))


@saving.builtin("keras.initializers")
class RandomUniform(RandomInitializer):
    """Uniform distribution.

    Args:
        minval, maxval: Its ends.
        seed: Of the numbers; one drawn from `utils.set_random_seed`'s stream if None.

    Raises:
        TypeError: If `minval` or `maxval` is not a number.
        ValueError: If `maxval` is below `minval`, or `seed` not a whole number.
    """

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: Any = None):
        super().__init__(seed)
        self.minval: float = number("RandomUniform", "minval", minval)
        self.maxval: float = number("RandomUniform", "maxval", maxval)
        if self.minval > self.maxval:
            raise ValueError(expected("RandomUniform", f"maxval to be at least minval={minval!r}", repr(maxval)))

    @giving_arrays
    def __call__(self, shape: Any, dtype: Any = None) -> np.ndarray:
        generator = self._generator()
        return _drawn(lambda count: generator.uniform(self.minval, self.maxval, count), shape, dtype)


def _drawn(draw: Callable[[int], np.ndarray], shape: Any, dtype: Any) -> np.ndarray:
    values = np.empty(shape, _dtype(dtype))
    flat = values.reshape(-1)
    for start in range(0, flat.size, _AT_ONCE):
        part = flat[start : start + _AT_ONCE]
        part[...] = draw(part.size)
    return values


def _truncated(generator: np.random.Generator, shape: Any) -> np.ndarray:
    values = generator.standard_normal(shape)
    while True:
        outside = np.abs(values) > 2
        if not outside.any():
            return values
        values[outside] = generator.standard_normal(int(outside.sum()))


def compute_fans(shape: Any, input_axes: Any = None, output_axes: Any = None) -> tuple[float, float]:
    """Returns (fan_in, fan_out) of a weight's shape: by its last two axes, or by `input_axes` and `output_axes`."""
    if input_axes is not None and output_axes is not None:
        return math.prod(shape[axis] for axis in input_axes), math.prod(shape[axis] for axis in output_axes)
    if len(shape) < 2:
        size = shape[0] if shape else 1
        return size, size
    field = math.prod(shape[:-2])
    return shape[-2] * field, shape[-1] * field


@saving.builtin("keras.initializers")
class VarianceScaling(RandomInitializer):
    """Variance `scale / fan`, normal, truncated normal or uniform.

    Args:
        scale: The factor.
        mode: "fan_in", "fan_out" or "fan_avg".
        distribution: "truncated_normal", "untruncated_normal" or "uniform".
        seed: Of the numbers; one drawn from `utils.set_random_seed`'s stream if None.
        input_axes, output_axes: Axes whose sizes make the fans; the last two if None.

    Raises:
        TypeError: If `scale` is not a number.
        ValueError: For another mode or distribution, `scale` not positive, or `seed` not a whole number.
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: Any = None,
        input_axes: Any = None,
        output_axes: Any = None,
    ):
        super().__init__(seed)
        self.scale: float = positive(type(self).__name__, "scale", scale)
        self.mode = one_of("VarianceScaling", "mode", mode, ("fan_in", "fan_out", "fan_avg"))
        distribution = distribution.lower() if isinstance(distribution, str) else distribution
        distribution = "truncated_normal" if distribution == "normal" else distribution
        self.distribution = one_of(
            "VarianceScaling", "distribution", distribution, ("uniform", "truncated_normal", "untruncated_normal")
        )
        self.input_axes, self.output_axes = input_axes, output_axes

    @giving_arrays
    def __call__(self, shape: Any, dtype: Any = None) -> np.ndarray:
        fan_in, fan_out = compute_fans(shape, self.input_axes, self.output_axes)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, fan)
        generator = self._generator()
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return _drawn(lambda count: generator.uniform(-limit, limit, count), shape, dtype)
        if self.distribution == "untruncated_normal":
            return _drawn(lambda count: generator.normal(0, math.sqrt(variance), count), shape, dtype)
        return (math.sqrt(variance) / _TRUNCATED_STDDEV * _truncated(generator, shape)).astype(_dtype(dtype))


@saving.builtin("keras.initializers")
class GlorotUniform(VarianceScaling):
    """Uniform within sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio, 2010).

    Args:
        seed: Of the numbers; one drawn from `utils.set_random_seed`'s stream if None.
        input_axes, output_axes: Axes whose sizes make the fans; the last two if None.

    Raises:
        ValueError: If `seed` is not a whole number.
    """

    def __init__(self, seed: Any = None, input_axes: Any = None, output_axes: Any = None):
        super().__init__(1.0, "fan_avg", "uniform", seed, input_axes, output_axes)


@saving.builtin("keras.initializers")
class GlorotNormal(VarianceScaling):
    """Truncated normal of variance 2 / (fan_in + fan_out) (Glorot and Bengio, 2010).

    Args:
        seed: Of the numbers; one drawn from `utils.set_random_seed`'s stream if None.
        input_axes, output_axes: Axes whose sizes make the fans; the last two if None.

    Raises:
        ValueError: If `seed` is not a whole number.
    """

    def __init__(self, seed: Any = None, input_axes: Any = None, output_axes: Any = None):
        super().__init__(1.0, "fan_avg", "truncated_normal", seed, input_axes, output_axes)


@saving.builtin("keras.initializers")
class HeUniform(VarianceScaling):
    """Uniform within sqrt(6 / fan_in) (He et al., 2015).

    Args:
        seed: Of the numbers; one drawn from `utils.set_random_seed`'s stream if None.
        input_axes, output_axes: Axes whose sizes make the fans; the last two if None.

    Raises:
        ValueError: If `seed` is not a whole number.
    """

    def __init__(self, seed: Any = None, input_axes: Any = None, output_axes: Any = None):
        super().__init__(2.0, "fan_in", "uniform", seed, input_axes, output_axes)


@saving.builtin("keras.initializers")
class HeNormal(VarianceScaling):
    """Truncated normal of variance 2 / fan_in (He et al., 2015).

    Args:
        seed: Of the numbers; one drawn from `utils.set_random_seed`'s stream if None.
        input_axes, output_axes: Axes whose sizes make the fans; the last two if None.

    Raises:
        ValueError: If `seed` is not a whole number.
    """

    def __init__(self, seed: Any = None, input_axes: Any = None, output_axes: Any = None):
        super().__init__(2.0, "fan_in", "truncated_normal", seed, input_axes, output_axes)


@saving.builtin("keras.initializers")
class LecunUniform(VarianceScaling):
    """Uniform within sqrt(3 / fan_in).

    Args:
        seed: Of the numbers; one drawn from `utils.set_random_seed`'s stream if None.
        input_axes, output_axes: Axes whose sizes make the fans; the last two if None.

    Raises:
        ValueError: If `seed` is not a whole number.
    """

    def __init__(self, seed: Any = None, input_axes: Any = None, output_axes: Any = None):
        super().__init__(1.0, "fan_in", "uniform", seed, input_axes, output_axes)


@saving.builtin("keras.initializers")
class LecunNormal(VarianceScaling):
    """Truncated normal of variance 1 / fan_in.

    Args:
        seed: Of the numbers; one drawn from `utils.set_random_seed`'s stream if None.
        input_axes, output_axes: Axes whose sizes make the fans; the last two if None.

    Raises:
        ValueError: If `seed` is not a whole number.
    """

    def __init__(self, seed: Any = None, input_axes: Any = None, output_axes: Any = None):
        super().__init__(1.0, "fan_in", "truncated_normal", seed, input_axes, output_axes)


@saving.builtin("keras.initializers")
class Orthogonal(RandomInitializer):
    """Rows or columns that are orthonormal, times `gain` (Saxe et al., 2013).

    Args:
        gain: The factor.
        seed: Of the numbers; one drawn from `utils.set_random_seed`'s stream if None.

    Raises:
        TypeError: If `gain` is not a number.
        ValueError: If `seed` is not a whole number.
    """

    def __init__(self, gain: float = 1.0, seed: Any = None):
        super().__init__(seed)
        self.gain: float = number("Orthogonal", "gain", gain)

    @giving_arrays
    def __call__(self, shape: Any, dtype: Any = None) -> np.ndarray:
        if len(shape) < 2:
            raise ValueError(expected("Orthogonal", "a shape of at least two dimensions", tuple(shape)))
        rows, columns = math.prod(shape[:-1]), shape[-1]
        generator = self._generator()
        q = np.empty((min(rows, columns), max(rows, columns)))
        at_once = max(1, _AT_ONCE // max(1, len(q)))
        for start in range(0, q.shape[1], at_once):
            part = q[:, start : start + at_once]
            part[...] = generator.standard_normal(part.shape[::-1]).T
        q = ops.orthonormalize(q)
        q *= self.gain
        return (q if rows < columns else q.T).astype(_dtype(dtype), order="C").reshape(shape)


_CLASSES = (
    Zeros,
    Ones,
    Constant,
    Identity,
    RandomNormal,
    TruncatedNormal,
    RandomUniform,
    VarianceScaling,
    GlorotUniform,
    GlorotNormal,
    HeUniform,
    HeNormal,
    LecunUniform,
    LecunNormal,
    Orthogonal,
)
IdentityInitializer, OrthogonalInitializer = Identity, Orthogonal
zeros, ones, constant, identity, orthogonal = Zeros, Ones, Constant, Identity, Orthogonal  # Keras's lower-case names
random_normal, truncated_normal, random_uniform = RandomNormal, TruncatedNormal, RandomUniform
variance_scaling, glorot_uniform, glorot_normal = VarianceScaling, GlorotUniform, GlorotNormal
he_uniform, he_normal, lecun_uniform, lecun_normal = HeUniform, HeNormal, LecunUniform, LecunNormal
_BY_NAME = {name: cls for cls in _CLASSES for name in (cls.__name__, snake_case(cls.__name__))}
_BY_NAME |= {"IdentityInitializer": Identity, "OrthogonalInitializer": Orthogonal}
_BY_NAME |= {"one": Ones, "zero": Zeros, "uniform": RandomUniform, "normal": RandomNormal}


def get(identifier: Any) -> Any:
    """Returns an initializer for a name, a class, a config, or a function of (shape, dtype) as it is.

    Raises:
        ValueError: If there is none of that name.
    """
    if isinstance(identifier, np.ndarray):
        return Constant(identifier)
    return saving.resolve(identifier, _BY_NAME, "initializers.get", "an initializer")


def serialize(initializer: Any) -> Any:
    """Returns the initializer's serialized form."""
    return saving.serialize_keras_object(initializer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """Returns what `serialize` described, or what a name stands for."""
    return saving.deserialize_named(config, get, custom_objects)


if not TYPE_CHECKING:  # type checkers would take every name for one that is there
    __getattr__ = says_what_to_do(__name__)
