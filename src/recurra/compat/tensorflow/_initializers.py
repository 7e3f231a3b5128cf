"""The initializers beside `tf.keras`: they differ from Keras's in what a second call gives, and in lists."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from recurra import initializers, saving
from recurra.compat.tensorflow.tensors import constant
from recurra.random import draw_seed

_Class = TypeVar("_Class", bound=type[initializers.Initializer])


def _saved_as_keras_s(cls: _Class) -> _Class:
    """Decorator: files name the class of Keras's in its place; what they build is that one."""
    saving.builtin("tensorflow")(cls)
    cls._keras_module = "keras.initializers"  # type: ignore[attr-defined]
    return cls


class _DrawnAnew(initializers.RandomInitializer):
    """Without a seed each call gives other numbers."""

    def _generator(self) -> np.random.Generator:
        return np.random.default_rng(draw_seed()) if self.seed is None else super()._generator()


@_saved_as_keras_s
class RandomNormal(_DrawnAnew, initializers.RandomNormal):
    """`tf.random_normal_initializer`: without a seed each call gives other numbers."""


@_saved_as_keras_s
class RandomUniform(_DrawnAnew, initializers.RandomUniform):
    """`tf.random_uniform_initializer`: without a seed each call gives other numbers."""


@_saved_as_keras_s
class Constant(initializers.Constant):
    """`tf.constant_initializer`: one value everywhere, or a list's values in the shape that is asked for."""

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        return constant(self.value, dtype, shape)
