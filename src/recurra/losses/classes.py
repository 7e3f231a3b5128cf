"""Losses as objects, one for each function of `losses.functions` (https://keras.io/api/losses)."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from recurra import saving
from recurra._checks import expected, fraction, number, whole_number
from recurra.losses import functions
from recurra.losses.base import LossFunctionWrapper

SUM_OVER_BATCH_SIZE = "sum_over_batch_size"


@saving.builtin("keras.losses")
class MeanSquaredError(LossFunctionWrapper):
    """`mean((y_true - y_pred)**2)` over the last axis, then over the samples.

    Args:
        reduction, name, dtype: As in `Loss`.

    Call:
        y_true, y_pred: (N, ..., D), of one shape.
    """

    def __init__(
        self, reduction: str | None = SUM_OVER_BATCH_SIZE, name: str | None = "mean_squared_error", dtype: Any = None
    ):
        super().__init__(functions.mean_squared_error, reduction, name, dtype)


@saving.builtin("keras.losses")
class MeanAbsoluteError(LossFunctionWrapper):
    """`mean(|y_true - y_pred|)` over the last axis, then over the samples.

    Args:
        reduction, name, dtype: As in `Loss`.

    Call:
        y_true, y_pred: (N, ..., D), of one shape.
    """

    def __init__(
        self, reduction: str | None = SUM_OVER_BATCH_SIZE, name: str | None = "mean_absolute_error", dtype: Any = None
    ):
        super().__init__(functions.mean_absolute_error, reduction, name, dtype)


@saving.builtin("keras.losses")
class MeanAbsolutePercentageError(LossFunctionWrapper):
    """`100 * mean(|y_true - y_pred| / |y_true|)` over the last axis, then over the samples.

    Args:
        reduction, name, dtype: As in `Loss`.

    Call:
        y_true, y_pred: (N, ..., D), of one shape.
    """

    def __init__(
        self,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "mean_absolute_percentage_error",
        dtype: Any = None,
    ):
        super().__init__(functions.mean_absolute_percentage_error, reduction, name, dtype)


@saving.builtin("keras.losses")
class MeanSquaredLogarithmicError(LossFunctionWrapper):
    """`mean((log(y_true + 1) - log(y_pred + 1))**2)` over the last axis, then over the samples.

    Args:
        reduction, name, dtype: As in `Loss`.

    Call:
        y_true, y_pred: (N, ..., D), of one shape.
    """

    def __init__(
        self,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "mean_squared_logarithmic_error",
        dtype: Any = None,
    ):
        super().__init__(functions.mean_squared_logarithmic_error, reduction, name, dtype)


@saving.builtin("keras.losses")
class Huber(LossFunctionWrapper):
    """Squared for small errors, linear for large ones, which thus count less than in the squared error (Huber, 1964).

    Args:
        delta: The error from which on it is linear: `e**2 / 2` below, `delta * |e| - delta**2 / 2` above.
        reduction, name, dtype: As in `Loss`.

    Call:
        y_true, y_pred: (N, ..., D), of one shape.

    Raises:
        ValueError: If delta is not a number above zero.
    """

    _left_out = ("delta",)

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "huber_loss",
        dtype: Any = None,
    ):
        if not isinstance(delta, numbers.Real) or not delta > 0:
            raise ValueError(expected("Huber", "delta to be a number above zero", repr(delta)))
        super().__init__(functions.huber, reduction, name, dtype, delta=delta)


@saving.builtin("keras.losses")
class LogCosh(LossFunctionWrapper):
    """`mean(log(cosh(y_pred - y_true)))`: about squared for small errors, linear for large ones.

    Args:
        reduction, name, dtype: As in `Loss`.

    Call:
        y_true, y_pred: (N, ..., D), of one shape.
    """

    def __init__(self, reduction: str | None = SUM_OVER_BATCH_SIZE, name: str | None = "log_cosh", dtype: Any = None):
        super().__init__(functions.log_cosh, reduction, name, dtype)


@saving.builtin("keras.losses")
class CosineSimilarity(LossFunctionWrapper):
    """Minus the cosine of the angle between the two: -1 where they point the same way.

    Args:
        axis: The axis of the vectors.
        reduction, name, dtype: As in `Loss`.

    Call:
        y_true, y_pred: (N, ..., D), of one shape.
    """

    _left_out = ("axis",)

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "cosine_similarity",
        dtype: Any = None,
    ):
        super().__init__(functions.cosine_similarity, reduction, name, dtype, axis=axis)
        self.axis = axis

    def reduced_axes(self, y_pred: np.ndarray) -> tuple[int, ...]:
        return (self.axis % y_pred.ndim,)


@saving.builtin("keras.losses")
class KLDivergence(LossFunctionWrapper):
    """`sum(y_true * log(y_true / y_pred))`: how far a distribution is from the true one.

    Args:
        reduction, name, dtype: As in `Loss`.

    Call:
        y_true: (N, ..., C), one-hot or shares.
        y_pred: (N, ..., C), probabilities of the C classes.
    """

    def __init__(
        self, reduction: str | None = SUM_OVER_BATCH_SIZE, name: str | None = "kl_divergence", dtype: Any = None
    ):
        super().__init__(functions.kl_divergence, reduction, name, dtype)


@saving.builtin("keras.losses")
class Poisson(LossFunctionWrapper):
    """`mean(y_pred - y_true * log(y_pred))`, for counts.

    Args:
        reduction, name, dtype: As in `Loss`.

    Call:
        y_true, y_pred: (N, ..., D), of one shape.
    """

    def __init__(self, reduction: str | None = SUM_OVER_BATCH_SIZE, name: str | None = "poisson", dtype: Any = None):
        super().__init__(functions.poisson, reduction, name, dtype)


@saving.builtin("keras.losses")
class Hinge(LossFunctionWrapper):
    """`mean(max(1 - y_true * y_pred, 0))`; labels are -1 and 1, or 0 and 1.

    Args:
        reduction, name, dtype: As in `Loss`.

    Call:
        y_true, y_pred: (N, ..., D), of one shape.
    """

    def __init__(self, reduction: str | None = SUM_OVER_BATCH_SIZE, name: str | None = "hinge", dtype: Any = None):
        super().__init__(functions.hinge, reduction, name, dtype)


@saving.builtin("keras.losses")
class SquaredHinge(LossFunctionWrapper):
    """`mean(max(1 - y_true * y_pred, 0)**2)`; labels are -1 and 1, or 0 and 1.

    Args:
        reduction, name, dtype: As in `Loss`.

    Call:
        y_true, y_pred: (N, ..., D), of one shape.
    """

    def __init__(
        self, reduction: str | None = SUM_OVER_BATCH_SIZE, name: str | None = "squared_hinge", dtype: Any = None
    ):
        super().__init__(functions.squared_hinge, reduction, name, dtype)


@saving.builtin("keras.losses")
class CategoricalHinge(LossFunctionWrapper):
    """`max(max((1 - y_true) * y_pred) - sum(y_true * y_pred) + 1, 0)`.

    Args:
        reduction, name, dtype: As in `Loss`.

    Call:
        y_true: (N, ..., C), one-hot or shares.
        y_pred: (N, ..., C), numbers for the C classes.
    """

    def __init__(
        self, reduction: str | None = SUM_OVER_BATCH_SIZE, name: str | None = "categorical_hinge", dtype: Any = None
    ):
        super().__init__(functions.categorical_hinge, reduction, name, dtype)


class _OfClasses(LossFunctionWrapper):
    """A loss over classes that may lie on another axis than the last; `axis` is among the function's options."""

    def __init__(self, fn: Any, reduction: str | None, name: str | None, dtype: Any, axis: int, **fn_kwargs: Any):
        super().__init__(fn, reduction, name, dtype, **fn_kwargs)
        self.axis = whole_number(type(self).__name__, "axis", axis)

    def call(self, y_true: Any, y_pred: Any) -> np.ndarray:
        return super().call(*functions.axis_last(y_true, y_pred, self.axis))

    def gradient(self, y_true: Any, y_pred: Any) -> np.ndarray:
        gradient = super().gradient(*functions.axis_last(y_true, y_pred, self.axis))
        return np.moveaxis(gradient, -1, self.axis)

    def reduced_axes(self, y_pred: np.ndarray) -> tuple[int, ...]:
        return (self.axis % y_pred.ndim,)

    def as_mean_loss(self, dtype: np.dtype) -> dict[str, Any] | None:
        return super().as_mean_loss(dtype) if self.axis == -1 else None

    def get_config(self) -> dict[str, Any]:
        default = "axis" in self._left_out and self.axis == -1
        return super().get_config() | ({} if default else {"axis": self.axis})


@saving.builtin("keras.losses")
class BinaryCrossentropy(_OfClasses):
    """`-mean(y_true * log(y_pred) + (1 - y_true) * log(1 - y_pred))`, for labels 0 and 1.

    Args:
        from_logits: Whether y_pred are any numbers, and go through a sigmoid first.
        label_smoothing: 0.1 makes 0.05 of the label 0 and 0.95 of 1.
        axis: The axis over which the first mean is.
        reduction, name, dtype: As in `Loss`.

    Call:
        y_true: (N, ..., D), 0 or 1, or a number between.
        y_pred: (N, ..., D), probabilities of 1.
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "binary_crossentropy",
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
    """The binary crossentropy times `(1 - p)**gamma`, p the prediction of the right label (Lin et al., 2017).

    Args:
        apply_class_balancing: Weigh the label 1 by alpha, and 0 by 1 - alpha.
        alpha, gamma: As above.
        from_logits, label_smoothing, axis: As in `BinaryCrossentropy`.
        reduction, name, dtype: As in `Loss`.
    """

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "binary_focal_crossentropy",
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
    """`-sum(y_true * log(y_pred))` over the classes, for one-hot labels.

    Args:
        from_logits: Whether y_pred are any numbers, and go through a softmax first.
        label_smoothing: 0.1 takes 0.1 from the label, and shares it out among all classes.
        axis: The axis of the classes.
        reduction, name, dtype: As in `Loss`.

    Call:
        y_true: (N, ..., C), one-hot or shares.
        y_pred: (N, ..., C), probabilities of the C classes.

    Raises:
        ValueError: For labels that are whole numbers: those are for `SparseCategoricalCrossentropy`.
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "categorical_crossentropy",
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
    """`-log(y_pred[label])`, for labels that are whole numbers.

    Args:
        from_logits: Whether y_pred are any numbers, and go through a softmax first.
        ignore_class: A label whose samples do not count, or None.
        axis: The axis of the classes.
        reduction, name, dtype: As in `Loss`.

    Call:
        y_true: (N, ...) or (N, ..., 1), from 0 to C - 1.
        y_pred: (N, ..., C), probabilities of the C classes.

    Raises:
        ValueError: For labels outside, and for one-hot ones: those are for `CategoricalCrossentropy`.
    """

    _left_out = ("axis",)

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        axis: int = -1,
        name: str | None = "sparse_categorical_crossentropy",
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
    """`-sum(alpha * (1 - p)**gamma * y_true * log(p))` over the classes (Lin et al., 2017).

    Args:
        alpha: One factor, or one for each class.
        gamma: The larger, the less do samples count that are easily told.
        from_logits, label_smoothing, axis: As in `CategoricalCrossentropy`.
        reduction, name, dtype: As in `Loss`.
    """

    def __init__(
        self,
        alpha: Any = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "categorical_focal_crossentropy",
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
    """`(1 - p**q) / q`, p the prediction at the label: robust against wrong labels (Zhang and Sabuncu, 2018).

    Args:
        q: Between 0, as the crossentropy, and 1, as the absolute error.
        reduction, name, dtype: As in `Loss`.

    Call:
        y_true, y_pred: As in `SparseCategoricalCrossentropy`.

    Raises:
        ValueError: For q outside.
    """

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "categorical_generalized_cross_entropy",
        dtype: Any = None,
    ):
        q = number("CategoricalGeneralizedCrossEntropy", "q", q)
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
    """`1 - 2 * sum(y_true * y_pred) / sum(y_true + y_pred)` (Dice, 1945).

    Args:
        reduction, name, dtype: As in `Loss`.
        axis: The axis or axes of the sums; all if None, which gives one value for the whole batch.
    """

    def __init__(
        self,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "dice",
        axis: Any = None,
        dtype: Any = None,
    ):
        super().__init__(functions.dice, reduction, name, dtype, axis=axis)
        self.axis = axis


@saving.builtin("keras.losses")
class Tversky(_Overlap):
    """`1 - both / (both + alpha * missed + beta * wrong)` of two sets (Salehi et al., 2017).

    Args:
        alpha: How much what y_pred lacks of y_true counts.
        beta: How much what y_pred has beyond y_true counts.
        reduction, name, dtype: As in `Loss`.
        axis: The axis or axes of the sums; all if None, which gives one value for the whole batch.
    """

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "tversky",
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
        reduction, name, dtype: As in `Loss`.

    Raises:
        ValueError: For anything else.
    """

    def __init__(
        self,
        quantiles: Any = (0.5,),
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = "pinball",
        dtype: Any = None,
    ):
        levels = [fraction("Pinball", "each of the quantiles", q) for q in np.ravel(quantiles).tolist()]
        super().__init__(functions.pinball, reduction, name, dtype, quantiles=levels)
