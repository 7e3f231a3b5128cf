"""Losses as objects, one for each function of `losses.functions` (https://keras.io/api/losses)."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra import saving
from recurra._checks import expected
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

    _left_out = ("delta",)

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

    _left_out = ("axis",)

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str = "cosine_similarity",
        dtype: Any = None,
    ):
        super().__init__(functions.cosine_similarity, reduction, name, dtype, axis=axis)
        self.axis = axis

    def reduced_axes(self, y_pred: np.ndarray) -> tuple[int, ...]:
        return (self.axis % y_pred.ndim,)


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


class _OfClasses(LossFunctionWrapper):
    """A loss over classes that may lie on another axis than the last; `axis` is among the function's options."""

    def __init__(self, fn: Any, reduction: str | None, name: str, dtype: Any, axis: int, **fn_kwargs: Any):
        super().__init__(fn, reduction, name, dtype, **fn_kwargs)
        if isinstance(axis, bool) or not isinstance(axis, int):
            raise ValueError(expected(type(self).__name__, "axis to be a whole number", repr(axis)))
        self.axis = axis

    def _last(self, values: Any, rank: int) -> Any:
        values = np.asarray(values)
        return np.moveaxis(values, self.axis, -1) if values.ndim == rank and self.axis != -1 else values

    def call(self, y_true: Any, y_pred: Any) -> np.ndarray:
        rank = np.ndim(y_pred)
        return super().call(self._last(y_true, rank), self._last(y_pred, rank))

    def gradient(self, y_true: Any, y_pred: Any) -> np.ndarray:
        rank = np.ndim(y_pred)
        gradient = super().gradient(self._last(y_true, rank), self._last(y_pred, rank))
        return np.moveaxis(gradient, -1, self.axis)

    def reduced_axes(self, y_pred: np.ndarray) -> tuple[int, ...]:
        return (self.axis % y_pred.ndim,)

    def get_config(self) -> dict[str, Any]:
        default = "axis" in self._left_out and self.axis == -1
        return super().get_config() | ({} if default else {"axis": self.axis})


@saving.builtin("keras.losses")
class BinaryCrossentropy(_OfClasses):
    """See `binary_crossentropy`."""

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str = "binary_crossentropy",
        dtype: Any = None,
    ):
        super().__init__(
            functions.binary_crossentropy,
            reduction,
            name,
            dtype,
            axis,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
        )


@saving.builtin("keras.losses")
class BinaryFocalCrossentropy(_OfClasses):
    """See `binary_focal_crossentropy`."""

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str = "binary_focal_crossentropy",
        dtype: Any = None,
    ):
        super().__init__(
            functions.binary_focal_crossentropy,
            reduction,
            name,
            dtype,
            axis,
            apply_class_balancing=apply_class_balancing,
            alpha=alpha,
            gamma=gamma,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
        )


@saving.builtin("keras.losses")
class CategoricalCrossentropy(_OfClasses):
    """See `categorical_crossentropy`."""

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str = "categorical_crossentropy",
        dtype: Any = None,
    ):
        super().__init__(
            functions.categorical_crossentropy,
            reduction,
            name,
            dtype,
            axis,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
        )


@saving.builtin("keras.losses")
class SparseCategoricalCrossentropy(_OfClasses):
    """See `sparse_categorical_crossentropy`; samples of the class `ignore_class` do not count."""

    _left_out = ("axis",)

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        axis: int = -1,
        name: str = "sparse_categorical_crossentropy",
        dtype: Any = None,
    ):
        super().__init__(
            functions.sparse_categorical_crossentropy,
            reduction,
            name,
            dtype,
            axis,
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


@saving.builtin("keras.losses")
class CategoricalFocalCrossentropy(_OfClasses):
    """See `categorical_focal_crossentropy`."""

    def __init__(
        self,
        alpha: Any = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str = "categorical_focal_crossentropy",
        dtype: Any = None,
    ):
        super().__init__(
            functions.categorical_focal_crossentropy,
            reduction,
            name,
            dtype,
            axis,
            alpha=alpha,
            gamma=gamma,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
        )


@saving.builtin("keras.losses")
class CategoricalGeneralizedCrossEntropy(LossFunctionWrapper):
    """See `categorical_generalized_cross_entropy`."""

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str = "categorical_generalized_cross_entropy",
        dtype: Any = None,
    ):
        if not 0 < q < 1:
            raise ValueError(expected("CategoricalGeneralizedCrossEntropy", "q between 0 and 1", q))
        super().__init__(functions.categorical_generalized_cross_entropy, reduction, name, dtype, q=q)
        self.q = q


class _Overlap(LossFunctionWrapper):
    """A loss of how much two sets overlap: one value for all axes, or for those in `axis`."""

    axis: Any

    def reduced_axes(self, y_pred: np.ndarray) -> tuple[int, ...]:
        if self.axis is None:
            return tuple(range(y_pred.ndim))
        return tuple(axis % y_pred.ndim for axis in np.atleast_1d(self.axis))


@saving.builtin("keras.losses")
class Dice(_Overlap):
    """See `dice`."""

    def __init__(
        self,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str = "dice",
        axis: Any = None,
        dtype: Any = None,
    ):
        super().__init__(functions.dice, reduction, name, dtype, axis=axis)
        self.axis = axis


@saving.builtin("keras.losses")
class Tversky(_Overlap):
    """See `tversky`."""

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str = "tversky",
        axis: Any = None,
        dtype: Any = None,
    ):
        super().__init__(functions.tversky, reduction, name, dtype, alpha=alpha, beta=beta, axis=axis)
        self.alpha, self.beta, self.axis = alpha, beta, axis


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
