"""Normalization: the scaling of data, which travels with the model."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from recurra import config, ops, saving
from recurra._arrays import as_numbers, plain_numbers_as_array
from recurra._checks import expected
from recurra.layers.base import Layer
from recurra.layers.normalization import axes_and_sizes

_AT_ONCE = 1 << 16  # numbers that `adapt` looks at together: as float64 they fit a cache


@saving.builtin("keras.layers")
class Normalization(Layer):
    """y = (x - mean) / sqrt(variance), of the data that `adapt` saw or as given: the scaling travels with the model and
    its file (https://keras.io/api/layers/preprocessing_layers/numerical/normalization).

    Args:
        axis: The axes whose entries have each a mean and a variance of their own: -1, the features; None: none.
        mean, variance: Numbers, or one for each entry along the axes, in place of `adapt`.
        invert: Whether to go back: y = mean + x sqrt(variance).

    Call:
        inputs: Any shape, the batch first.

    Raises:
        ValueError: If only one of mean and variance is given, or the size along an axis is unknown.

    >>> layer = recurra.layers.Normalization()
    >>> layer.adapt(np.array([[0.0, 10.0], [4.0, 30.0]]))
    >>> layer(np.array([[2.0, 30.0]])).numpy()
    array([[0., 1.]], dtype=float32)
    """

    supports_masking = True

    def __init__(self, axis: Any = -1, mean: Any = None, variance: Any = None, invert: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.axis = () if axis is None else tuple(axis) if isinstance(axis, (list, tuple)) else (axis,)
        self.input_mean, self.input_variance = mean, variance
        self.invert = bool(invert)
        self.adapt_mean: Any = None  # a weight, where none was given
        if (mean is None) != (variance is None):
            raise ValueError(expected("Normalization", "mean and variance, or neither", "one of them"))
        if mean is not None and (np.shape(mean) != np.shape(variance) or np.ndim(mean) > len(self.axis)):
            what = f"mean and variance of one shape with at most {len(self.axis)} axes"
            raise ValueError(expected("Normalization", what, f"{np.shape(mean)} and {np.shape(variance)}"))

    def build(self, input_shape: Any) -> None:
        self._kept, sizes = axes_and_sizes("Normalization", self.axis, input_shape)
        self._broadcast = tuple(size if axis in self._kept else 1 for axis, size in enumerate(input_shape))
        self._sizes = sizes
        if self.input_mean is None:
            self.adapt_mean = self.add_weight(sizes, "zeros", name="mean", trainable=False)
            self.adapt_variance = self.add_weight(sizes, "ones", name="variance", trainable=False)
            self.count = self.add_weight((), "zeros", dtype="int32", name="count", trainable=False)  # files have it

    def adapt(self, data: Any) -> None:
        """Takes mean and variance from data, all at once; what was there before is forgotten.

        Args:
            data: An array (N, ...), or an iterable of batches, of which (x, y) counts as x.

        Raises:
            ValueError: If there are no data, or they have another shape than the layer was built for.
        """
        if self.input_mean is not None:
            raise ValueError(expected("adapt", "a layer without mean and variance", "one that was given both"))
        count, mean, squares = 0, 0.0, 0.0
        for batch in _batches(data):
            self._build_for(batch.shape)
            sizes = tuple(batch.shape[axis] for axis in self._kept) if batch.ndim == len(self._broadcast) else None
            if sizes != self._sizes:
                raise ValueError(expected("adapt", f"data of sizes {self._sizes} along {self.axis}", batch.shape))
            others = tuple(axis for axis in range(batch.ndim) if axis not in self._kept)
            for part in _parts(batch) if 0 in others else [batch]:
                size = part.size // max(1, math.prod(sizes))
                if not size:
                    continue
                # Chan, Golub and LeVeque (1979): squares about the common mean from those about the mean of each part.
                wide = part.astype(np.float64)
                own = wide.mean(axis=others, keepdims=True)
                wide -= own
                apart = own.reshape(sizes) - mean
                squares += np.square(wide, out=wide).sum(axis=others) + apart**2 * (count * size / (count + size))
                count += size
                mean += apart * (size / count)
        if not count:
            raise ValueError(expected("adapt", "at least one row of data", "none"))
        self.adapt_mean.assign(mean)
        self.adapt_variance.assign(squares / count)

    def forward(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mean, deviation = self.mean, self.deviation
        if self.invert:
            return mean + inputs * deviation, deviation
        return (inputs - mean) / deviation, deviation

    def backward(self, doutputs: np.ndarray, cache: np.ndarray) -> np.ndarray:
        return doutputs * cache if self.invert else doutputs / cache

    def join_plan(self, plan: ops.Plan, training: bool) -> bool:
        if self.adapt_mean is None:
            mean, variance = self.input_mean, self.input_variance
        else:
            mean, variance = self.adapt_mean, self.adapt_variance
        return plan.add_standardization(mean, variance, self._kept, config.epsilon(), back=self.invert)

    @property
    def mean(self) -> np.ndarray:
        """The means, with axes of size 1 beside `axis`."""
        return self._wide(self.input_mean if self.adapt_mean is None else self.adapt_mean.value)

    @property
    def variance(self) -> np.ndarray:
        """The variances, likewise."""
        return self._wide(self.input_variance if self.adapt_mean is None else self.adapt_variance.value)

    @property
    def deviation(self) -> np.ndarray:
        """The standard deviations that inputs are divided by, at least `config.epsilon()`; likewise."""
        return np.maximum(np.sqrt(self.variance), config.epsilon())

    def _wide(self, value: Any) -> np.ndarray:
        return np.broadcast_to(np.asarray(value, self.dtype), self._sizes).reshape(self._broadcast)

    def get_config(self) -> dict[str, Any]:
        own = {"axis": self.axis, "invert": self.invert}
        own |= {"mean": _as_list(self.input_mean), "variance": _as_list(self.input_variance)}
        return super().get_config() | own

    def _config_names(self) -> list[str]:
        return [name for name in super()._config_names() if name not in ("mean", "variance")]  # unknown until built


def _batches(data: Any) -> Iterator[np.ndarray]:
    """Gives arrays one by one: an array itself, or what an iterable or indexed thing holds, x of (x, y)."""
    data = plain_numbers_as_array(data)
    if hasattr(data, "__array__"):
        data = [data]
    items = data if hasattr(data, "__iter__") else (data[index] for index in range(len(data)))
    for item in items:
        yield as_numbers(item[0] if isinstance(item, tuple) else item, "adapt")


def _parts(batch: np.ndarray) -> Iterator[np.ndarray]:
    """Gives the rows of a batch, some at a time."""
    rows = max(1, _AT_ONCE // max(1, math.prod(batch.shape[1:])))
    return (batch[start : start + rows] for start in range(0, len(batch), rows))


def _as_list(value: Any) -> Any:
    return None if value is None else np.asarray(value).tolist()
