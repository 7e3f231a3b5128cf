"""The loss object: values per sample, weights and masks, and how they are reduced to one number."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from recurra import config, ops, saving
from recurra._arrays import arrays_for, as_array, as_numbers, as_weights, standardize_dtype
from recurra._changes import StampsChanges
from recurra._checks import expected, one_of, whole_number
from recurra._names import snake_case
from recurra._owners import is_left_behind, is_own
from recurra.losses.functions import are_matched, axis_last, match_ranks

SUM_OVER_BATCH_SIZE = "sum_over_batch_size"
_MEANS = (SUM_OVER_BATCH_SIZE, "mean", "mean_with_sample_weight")  # one and the same without weights
_FLOATS = tuple(map(np.dtype, config.FLOAT_DTYPES))  # what native code computes in
_FUSED_OPTIONS = {"delta", "from_logits", "label_smoothing", "quantiles"}  # of a loss, likewise
_OF_LABELS = "sparse_categorical_crossentropy"  # that native code refuses where they are none
_REDUCTIONS = (*_MEANS, "sum", "none", None)


class Loss(StampsChanges, saving.Configurable):
    """Base class of losses (https://keras.io/api/losses).

    A subclass gives `call` and, to be trained with, `gradient`: that of a base class belongs to its `call`.

    Args:
        name: Name of the loss.
        reduction: "sum_over_batch_size" or "mean": the sum over samples by their number; "mean_with_sample_weight":
            by the sum of the weights; "sum"; "none" or None: the values themselves.
        dtype: Of a call's computation and result, `config.floatx()` if None; training takes that of y_pred if None.

    Raises:
        ValueError: For another reduction.
    """

    _called_with_data = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if is_left_behind(cls, "gradient", "call"):
            cls.gradient = Loss.gradient  # type: ignore[method-assign]

    def __init__(self, name: str | None = None, reduction: str | None = SUM_OVER_BATCH_SIZE, dtype: Any = None):
        self.name: str = name or snake_case(type(self).__name__)
        self.reduction: str | None = one_of(type(self).__name__, "reduction", reduction, _REDUCTIONS)
        self._dtype = None if dtype is None else standardize_dtype(dtype, type(self).__name__)

    @property
    def dtype(self) -> str:
        """The name of the dtype that a call computes in."""
        return self._dtype or config.floatx()

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Returns the values per sample, of the shape of y_pred without its last axis."""
        raise NotImplementedError(expected(type(self).__name__, "a method call(y_true, y_pred)", "none"))

    def gradient(self, y_true: Any, y_pred: Any) -> np.ndarray:
        """Returns the derivative of the values with respect to y_pred, of the shape of y_pred."""
        who = f"training with the loss {type(self).__name__}"  # its name may be that of a built-in base class
        raise NotImplementedError(expected(who, "a method gradient(y_true, y_pred)", "none"))

    def own_mask(self, y_true: Any, y_pred: Any) -> np.ndarray | None:
        """Returns where a value counts by the loss's own rule, or None if all do."""
        return None

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Returns the loss: one number, an array without axes; an array of the values for reduction "none".

        Args:
            y_true: Targets.
            y_pred: Predictions; their mask counts as weights.
            sample_weight: Weights of the values, broadcast to them.
        """
        mask = getattr(y_pred, "_keras_mask", None)
        y_pred = np.asarray(as_numbers(y_pred, "y_pred of a loss"), self.dtype)
        return as_array(np.asarray(self.value(y_true, y_pred, sample_weight, mask), self.dtype))

    @np.errstate(under="ignore")  # numbers too small for their dtype are zero, where NumPy is to raise for them too
    def value(self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None) -> Any:
        """Returns the loss as a float, or the array of the values for reduction "none".

        Args:
            y_true, y_pred, sample_weight: As in a call.
            mask: Of the predictions, True where a value counts.
        """
        y_true, y_pred = self._cast(y_true, y_pred)
        mean = self._fused(y_true, y_pred, sample_weight, mask, gradient=False)
        if mean is not None:
            return mean[0]
        return self._reduce(*self._weigh(y_true, y_pred, sample_weight, mask))

    def value_and_gradient(
        self, y_true: Any, y_pred: Any, sample_weight: Any = None, mask: Any = None
    ) -> tuple[Any, np.ndarray]:
        """Returns the loss and its derivative with respect to y_pred.

        Args:
            y_true, y_pred, sample_weight, mask: As of `value`.
        """
        y_true, y_pred = self._cast(y_true, y_pred)
        found = self._fused(y_true, y_pred, sample_weight, mask, gradient=True)
        return self._composed(y_true, y_pred, sample_weight, mask) if found is None else found

    @np.errstate(under="ignore")
    def _composed(self, y_true: Any, y_pred: np.ndarray, sample_weight: Any, mask: Any) -> tuple[Any, np.ndarray]:
        """Returns what `value_and_gradient` does, made of the values and the gradient of each."""
        values, weights, scale = self._weigh(y_true, y_pred, sample_weight, mask)
        gradient = self.gradient(*arrays_for(self.gradient, y_true, y_pred))
        if weights is not None or scale != 1:
            factor = np.broadcast_to(scale if weights is None else weights * scale, values.shape)
            axes = self.reduced_axes(y_pred)
            if axes == (y_pred.ndim - 1,):
                gradient = gradient.reshape(*values.shape, -1) * factor[..., None]
            else:
                kept = [size for axis, size in enumerate(y_pred.shape) if axis not in axes]
                gradient = gradient * np.expand_dims(factor.reshape(kept), axes)
        return self._reduce(values, weights, scale), gradient.reshape(y_pred.shape).astype(y_pred.dtype, copy=False)

    def _fused(
        self, y_true: Any, y_pred: np.ndarray, sample_weight: Any, mask: Any, gradient: bool
    ) -> tuple[float, Any] | None:
        """Returns the loss and (or None) its gradient in one native pass, or None where there is none."""
        options = self.as_mean_loss(y_pred.dtype)
        if options is None or not y_pred.size:
            return None
        y_true = as_numbers(y_true, "y_true of a loss")
        if not self.is_fused(y_true.shape, y_pred.shape):
            return None
        weighing = self.fused_weights(y_true.shape, y_pred.shape, y_pred.dtype, sample_weight, mask)
        if weighing is None:
            return None
        weights, total = weighing
        try:
            return ops.mean_loss(
                y_true=y_true, y_pred=y_pred, weights=weights, total=total, gradient=gradient, **options
            )
        except ValueError:
            if options["name"] != _OF_LABELS or _are_labels(y_true.astype(y_pred.dtype), y_pred.shape[-1]):
                raise
            return None  # the definition says which label is none

    def as_mean_loss(self, dtype: np.dtype) -> dict[str, Any] | None:
        """Returns name and options with which `ops.mean_loss` gives this loss; None if it does not.

        Args:
            dtype: Of the predictions.
        """
        return None

    def is_fused(self, true: tuple[int, ...], pred: tuple[int, ...]) -> bool:
        """Returns whether `ops.mean_loss` takes targets and predictions of these shapes, where it gives this loss."""
        return False

    def fused_weights(
        self, true: tuple[int, ...], pred: tuple[int, ...], dtype: np.dtype, sample_weight: Any, mask: Any
    ) -> tuple[np.ndarray | None, float] | None:
        """Returns `weights` and `total` of `ops.mean_loss` for arrays of these shapes; None where it has none."""
        return (None, 0.0) if sample_weight is None and mask is None else None

    def reduced_axes(self, y_pred: np.ndarray) -> tuple[int, ...]:
        """Returns those axes of y_pred that the values do not have: the last one, for almost every loss."""
        return (y_pred.ndim - 1,)

    def _cast(self, y_true: Any, y_pred: Any) -> tuple[Any, np.ndarray]:
        y_pred = np.asarray(y_pred)
        return y_true, y_pred if self._dtype is None else y_pred.astype(self._dtype, copy=False)

    def _weigh(
        self, y_true: Any, y_pred: np.ndarray, sample_weight: Any, mask: Any
    ) -> tuple[np.ndarray, np.ndarray | None, float]:
        """Returns the values, their weights, and what the weighted sum is multiplied by."""
        values = np.asarray(self.call(*arrays_for(self.call, y_true, y_pred)))
        own = self.own_mask(y_true, y_pred)
        if own is not None:
            mask = own if mask is None else np.asarray(mask, bool) & own
        hint = None
        if np.ndim(y_true) == values.ndim + 1 == y_pred.ndim - 1 and y_pred.shape[-1] == 1:
            hint = f"targets of shape {y_pred.shape} have a value for each of their entries"
        return self._weights(values, sample_weight, mask, hint)

    def _weights(
        self, values: np.ndarray, sample_weight: Any, mask: Any, hint: str | None = None
    ) -> tuple[np.ndarray, np.ndarray | None, float]:
        """Returns the same as `_weigh`, of values that are there."""
        weights = None if sample_weight is None else as_weights(sample_weight, values.dtype)
        counted: float = values.size
        if mask is not None:
            mask = np.asarray(mask, bool)
            marks = mask.astype(values.dtype)
            if weights is not None:
                marks, weights = match_ranks(marks, weights)
                try:
                    marks = marks * weights
                except ValueError:
                    what = f"weights that fit the mask {marks.shape}"
                    raise ValueError(expected(f"loss {self.name!r}", what, weights.shape)) from None
            weights = marks
            counted = values.size * mask.sum() / mask.size
        if weights is not None and values.ndim == 0:  # one value for all: the mean of its weights, as in Keras
            if weights.ndim == 0:
                return values, weights, 1.0
            counted = weights.size if mask is None else mask.sum()
            weights = np.asarray(weights.sum())
        if weights is not None:
            values, weights = match_ranks(values, weights)
            try:
                np.broadcast_to(weights, values.shape)
            except ValueError:
                kind = "weights" if mask is None else "weights and a mask"
                hint = hint or "give one for each value, or add a last axis of one"
                raise ValueError(
                    expected(f"loss {self.name!r}", f"{kind} that fit {values.shape}", weights.shape, hint)
                ) from None
        if self.reduction in (SUM_OVER_BATCH_SIZE, "mean"):
            return values, weights, 1 / counted if counted else 0.0
        if self.reduction == "mean_with_sample_weight":
            total = values.size if weights is None else float(weights.sum())  # before they are broadcast, as in Keras
            return values, weights, 1 / total if total else 0.0
        return values, weights, 1.0

    def _reduce(self, values: np.ndarray, weights: np.ndarray | None, scale: float) -> Any:
        weighted = values if weights is None else values * weights
        return weighted if self.reduction in ("none", None) else float(weighted.sum() * scale)

    def get_config(self) -> dict[str, Any]:
        names = [name for name in saving.parameters(type(self)) if name != "dtype"]
        return {name: saving.serialize_keras_object(getattr(self, name)) for name in names}


def _are_labels(values: np.ndarray, classes: int) -> bool:
    return bool(((values >= 0) & (values < classes) & (values == np.floor(values))).all())


@saving.builtin("keras.src.losses.losses")
class LossFunctionWrapper(Loss):
    """A loss made of a function (y_true, y_pred) that gives values, with `function.gradient` to be trained with.

    Args:
        fn: The function.
        reduction, name, dtype: As in `Loss`.
        **fn_kwargs: Passed on to the function and to its gradient.
    """

    _left_out: tuple[str, ...] = ()  # names of fn_kwargs whose defaults are not in the config

    def __init__(
        self,
        fn: Callable[..., Any],
        reduction: str | None = SUM_OVER_BATCH_SIZE,
        name: str | None = None,
        dtype: Any = None,
        **fn_kwargs: Any,
    ):
        super().__init__(name or getattr(fn, "__name__", None), reduction, dtype)
        self.fn = fn
        self._fn_kwargs = fn_kwargs

    def call(self, y_true: Any, y_pred: Any) -> np.ndarray:
        return self.fn(*arrays_for(self.fn, y_true, y_pred), **self._fn_kwargs)

    def as_mean_loss(self, dtype: np.dtype) -> dict[str, Any] | None:
        own = is_own(type(self).call) and is_own(type(self).gradient)
        options = {name: value for name, value in self._fn_kwargs.items() if value is not None}
        known = own and getattr(self.fn, "fused", None) and options.keys() <= _FUSED_OPTIONS
        if not known or self.reduction not in _MEANS or dtype not in _FLOATS:
            return None
        if self._dtype is not None and self._dtype != dtype.name:
            return None
        return {"name": self.fn.__name__, "epsilon": config.epsilon(), **options}

    def is_fused(self, true: tuple[int, ...], pred: tuple[int, ...]) -> bool:
        return self.fn.fused(true, pred)  # type: ignore[attr-defined]

    def fused_weights(
        self, true: tuple[int, ...], pred: tuple[int, ...], dtype: np.dtype, sample_weight: Any, mask: Any
    ) -> tuple[np.ndarray | None, float] | None:
        rows = pred[:-1]
        if not rows or (sample_weight is None and mask is None):
            return super().fused_weights(true, pred, dtype, sample_weight, mask)
        if self.fn.fused is are_matched and 1 < len(true) < len(pred):  # type: ignore[attr-defined]
            return None  # these drop the last axis of the predictions: a value for each row of the targets
        if mask is None and np.shape(sample_weight) == rows and self.reduction != "mean_with_sample_weight":
            return as_weights(sample_weight, dtype), 0.0
        stand_ins = np.broadcast_to(dtype.type(0), rows)  # of the values
        values, weights, scale = self._weights(stand_ins, sample_weight, mask)
        if weights is None or not scale or values.size != stand_ins.size:
            return None
        return np.broadcast_to(weights, values.shape).reshape(rows), 1 / scale

    def gradient(self, y_true: Any, y_pred: Any) -> np.ndarray:
        gradient = getattr(self.fn, "gradient", None)
        if gradient is None:
            raise NotImplementedError(
                expected(
                    f"training with the loss {self.name!r}",
                    "its derivative",
                    "a function without one",
                    "set function.gradient = g with g(y_true, y_pred) -> d values / d y_pred, of the shape of y_pred; "
                    "or give a built-in itself, such as loss=SparseCategoricalCrossentropy(from_logits=True)",
                )
            )
        return np.asarray(gradient(*arrays_for(gradient, y_true, y_pred), **self._fn_kwargs))

    def get_config(self) -> dict[str, Any]:
        base = {"name": self.name, "reduction": self.reduction}
        own = base if type(self) is not LossFunctionWrapper else base | {"fn": saving.serialize_keras_object(self.fn)}
        defaults = inspect.signature(type(self)).parameters
        # Keras leaves some of these out whatever they are; to leave out defaults alone loses nothing.
        kwargs = {n: v for n, v in self._fn_kwargs.items() if n not in self._left_out or v != defaults[n].default}
        return own | saving.serialize_keras_object(kwargs)


class LossOverClasses(LossFunctionWrapper):
    """A loss over classes that may lie on another axis than the last; `axis` is among the function's options."""

    def __init__(self, fn: Any, reduction: str | None, name: str | None, dtype: Any, axis: int, **fn_kwargs: Any):
        super().__init__(fn, reduction, name, dtype, **fn_kwargs)
        self.axis = whole_number(type(self).__name__, "axis", axis)

    def call(self, y_true: Any, y_pred: Any) -> np.ndarray:
        return super().call(*axis_last(y_true, y_pred, self.axis))

    def gradient(self, y_true: Any, y_pred: Any) -> np.ndarray:
        gradient = super().gradient(*axis_last(y_true, y_pred, self.axis))
        return np.moveaxis(gradient, -1, self.axis)

    def reduced_axes(self, y_pred: np.ndarray) -> tuple[int, ...]:
        return (self.axis % y_pred.ndim,)

    def as_mean_loss(self, dtype: np.dtype) -> dict[str, Any] | None:
        return super().as_mean_loss(dtype) if self.axis == -1 else None

    def get_config(self) -> dict[str, Any]:
        default = "axis" in self._left_out and self.axis == -1
        return super().get_config() | ({} if default else {"axis": self.axis})
