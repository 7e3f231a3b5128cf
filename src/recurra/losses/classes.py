"""Losses as objects, one for each function of `losses.functions` (https://keras.io/api/losses)."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra import saving
from recurra.losses import functions
from recurra.losses.base import LossFunctionWrapper

SUM_OVER_BATCH_SIZE = "sum_over_batch_size"


@saving.builtin("keras.losses")
class MeanSquaredError(LossFunctionWrapper):
    """See `mean_squared_error`."""

    def __init__(
        self, reduction: str | None = SUM_OVER_BATCH_SIZE, name: str = "mean_squared_error", dtype: Any = None
    ):
        super().__init__(functions.mean_squared_error, reduction, name, dtype)


@saving.builtin("keras.losses")
class MeanAbsoluteError(LossFunctionWrapper):
    """See `mean_absolute_error`."""

    def __init__(
        self, reduction: str | None = SUM_OVER_BATCH_SIZE, name: str = "mean_absolute_error", dtype: Any = None
    ):
        super().__init__(functions.mean_absolute_error, reduction, name, dtype)


@saving.builtin("keras.losses")
class MeanAbsolutePercentageError(LossFunctionWrapper):
    """See `mean_absolute_percentage_error`."""

    def __init__(
        self,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str = "mean_absolute_percentage_error",
        dtype: Any = None,
    ):
        super().__init__(functions.mean_absolute_percentage_error, reduction, name, dtype)


@saving.builtin("keras.losses")
class MeanSquaredLogarithmicError(LossFunctionWrapper):
    """See `mean_squared_logarithmic_error`."""

    def __init__(
        self,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str = "mean_squared_logarithmic_error",
        dtype: Any = None,
    ):
        super().__init__(functions.mean_squared_logarithmic_error, reduction, name, dtype)


@saving.builtin("keras.losses")
class Huber(LossFunctionWrapper):
    """See `huber`."""

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str = "huber_loss",
        dtype: Any = None,
    ):
        super().__init__(functions.huber, reduction, name, dtype, delta=delta)


@saving.builtin("keras.losses")
class LogCosh(LossFunctionWrapper):
    """See `log_cosh`."""

    def __init__(self, reduction: str | None = SUM_OVER_BATCH_SIZE, name: str = "log_cosh", dtype: Any = None):
        super().__init__(functions.log_cosh, reduction, name, dtype)


@saving.builtin("keras.losses")
class CosineSimilarity(LossFunctionWrapper):
    """See `cosine_similarity`."""

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str = "cosine_similarity",
        dtype: Any = None,
    ):
        super().__init__(functions.cosine_similarity, reduction, name, dtype, axis=axis)
        self.axis = axis

    def value_and_gradient(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None
    ) -> tuple[Any, np.ndarray]:
        y_pred = np.asarray(y_pred)
        if self.axis in (-1, y_pred.ndim - 1):
            return super().value_and_gradient(y_true, y_pred, sample_weight, mask)
        values, weights, scale = self._weigh(y_true, y_pred, sample_weight, mask)
        factor = np.full(values.shape, scale, y_pred.dtype) if weights is None else weights * scale
        factor = np.expand_dims(np.broadcast_to(factor, values.shape), self.axis)
        return self._reduce(values, weights, scale), self.gradient(y_true, y_pred) * factor


@saving.builtin("keras.losses")
class KLDivergence(LossFunctionWrapper):
    """See `kl_divergence`."""

    def __init__(self, reduction: str | None = SUM_OVER_BATCH_SIZE, name: str = "kl_divergence", dtype: Any = None):
        super().__init__(functions.kl_divergence, reduction, name, dtype)


@saving.builtin("keras.losses")
class Poisson(LossFunctionWrapper):
    """See `poisson`."""

    def __init__(self, reduction: str | None = SUM_OVER_BATCH_SIZE, name: str = "poisson", dtype: Any = None):
        super().__init__(functions.poisson, reduction, name, dtype)


@saving.builtin("keras.losses")
class Hinge(LossFunctionWrapper):
    """See `hinge`."""

    def __init__(self, reduction: str | None = SUM_OVER_BATCH_SIZE, name: str = "hinge", dtype: Any = None):
        super().__init__(functions.hinge, reduction, name, dtype)


@saving.builtin("keras.losses")
class SquaredHinge(LossFunctionWrapper):
    """See `squared_hinge`."""

    def __init__(self, reduction: str | None = SUM_OVER_BATCH_SIZE, name: str = "squared_hinge", dtype: Any = None):
        super().__init__(functions.squared_hinge, reduction, name, dtype)


@saving.builtin("keras.losses")
class CategoricalHinge(LossFunctionWrapper):
    """See `categorical_hinge`."""

    def __init__(self, reduction: str | None = SUM_OVER_BATCH_SIZE, name: str = "categorical_hinge", dtype: Any = None):
        super().__init__(functions.categorical_hinge, reduction, name, dtype)


@saving.builtin("keras.losses")
class BinaryCrossentropy(LossFunctionWrapper):
    """See `binary_crossentropy`."""

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str = "binary_crossentropy",
        dtype: Any = None,
    ):
        super().__init__(
            functions.binary_crossentropy,
            reduction,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
        )


@saving.builtin("keras.losses")
class BinaryFocalCrossentropy(LossFunctionWrapper):
    """See `binary_focal_crossentropy`."""

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str = "binary_focal_crossentropy",
        dtype: Any = None,
    ):
        super().__init__(
            functions.binary_focal_crossentropy,
            reduction,
            name,
            dtype,
            apply_class_balancing=apply_class_balancing,
            alpha=alpha,
            gamma=gamma,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
        )


@saving.builtin("keras.losses")
class CategoricalCrossentropy(LossFunctionWrapper):
    """See `categorical_crossentropy`."""

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str = "categorical_crossentropy",
        dtype: Any = None,
    ):
        super().__init__(
            functions.categorical_crossentropy,
            reduction,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
        )


@saving.builtin("keras.losses")
class SparseCategoricalCrossentropy(LossFunctionWrapper):
    """See `sparse_categorical_crossentropy`; samples of the class `ignore_class` do not count."""

    def __init__(
        self,
        ignore_class: int | None = None,
        from_logits: bool = False,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str = "sparse_categorical_crossentropy",
        dtype: Any = None,
    ):
        super().__init__(
            functions.sparse_categorical_crossentropy,
            reduction,
            name,
            dtype,
            from_logits=from_logits,
            ignore_class=ignore_class,
        )
        self.ignore_class = ignore_class

    def own_mask(self, y_true: Any, y_pred: Any) -> np.ndarray | None:
        if self.ignore_class is None:
            return None
        y_true = np.asarray(y_true)
        y_true = y_true[..., 0] if y_true.ndim == np.ndim(y_pred) else y_true
        return y_true != self.ignore_class


@saving.builtin("recurra.losses")
class Pinball(LossFunctionWrapper):
    """The quantile loss; see `pinball`.

    Args:
        quantiles: Numbers between 0 and 1, one for each value on the last axis of y_pred.
    """

    def __init__(
        self,
        quantiles: Any = (0.5,),
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str = "pinball",
        dtype: Any = None,
    ):
        super().__init__(functions.pinball, reduction, name, dtype, quantiles=[float(q) for q in quantiles])
