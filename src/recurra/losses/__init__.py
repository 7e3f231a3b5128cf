"""Losses: functions that give values per sample, objects that weigh and reduce them, and their derivatives.

The values per sample, `Values` in the signatures of the functions, have the shape of y_pred without its last axis, or
without another `axis` that is given; `dice` and `tversky` without one give one value for all, `ctc` one for each row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recurra import saving
from recurra._checks import expected
from recurra._missing import says_what_to_do
from recurra._owners import is_left_behind
from recurra.losses.base import Loss, LossFunctionWrapper
from recurra.losses.binary import (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    binary_crossentropy,
    binary_focal_crossentropy,
)
from recurra.losses.categorical import (
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    KLDivergence,
    SparseCategoricalCrossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_generalized_cross_entropy,
    kl_divergence,
    sparse_categorical_crossentropy,
)
from recurra.losses.circle import Circle, circle
from recurra.losses.ctc import CTC, ctc
from recurra.losses.hinges import CategoricalHinge, Hinge, SquaredHinge, categorical_hinge, hinge, squared_hinge
from recurra.losses.overlap import Dice, Tversky, dice, tversky
from recurra.losses.regression import (
    CosineSimilarity,
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Pinball,
    Poisson,
    cosine_similarity,
    huber,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    pinball,
    poisson,
)

__all__ = [
    "deserialize",
    "get",
    "serialize",
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CTC",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalGeneralizedCrossEntropy",
    "CategoricalHinge",
    "Circle",
    "CosineSimilarity",
    "Dice",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "LossFunctionWrapper",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Pinball",
    "Poisson",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "Tversky",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_generalized_cross_entropy",
    "categorical_hinge",
    "circle",
    "cosine_similarity",
    "ctc",
    "dice",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "pinball",
    "poisson",
    "sparse_categorical_crossentropy",
    "squared_hinge",
    "tversky",
]

_IMPORTED = [globals()[name] for name in __all__ if name in globals()]  # all but the functions below
FUNCTIONS = {item.__name__: item for item in _IMPORTED if not isinstance(item, type)}
_CLASSES = [item for item in _IMPORTED if isinstance(item, type) and item not in (Loss, LossFunctionWrapper)]
ALIASES = {
    "bce": "binary_crossentropy",
    "kld": "kl_divergence",
    "kullback_leibler_divergence": "kl_divergence",
    "logcosh": "log_cosh",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "mse": "mean_squared_error",
    "msle": "mean_squared_logarithmic_error",
}
_BY_NAME: dict[str, Any] = FUNCTIONS | {cls.__name__: cls for cls in _CLASSES}
_BY_NAME |= {name: FUNCTIONS[target] for alias, target in ALIASES.items() for name in (alias, alias.upper())}
mse = MSE = mean_squared_error
mae = MAE = mean_absolute_error
mape = MAPE = mean_absolute_percentage_error
msle = MSLE = mean_squared_logarithmic_error


def get(identifier: Any) -> Any:
    """Returns a loss object or function for a name, a class, a config, or itself; None for None.

    Raises:
        ValueError: If there is none of that name.
    """
    return saving.resolve(identifier, _BY_NAME, "losses.get", "a loss")


def as_loss(identifier: Any) -> Loss | None:
    """Returns a `Loss` object for what `get` takes: functions are wrapped; of `circle` only its class has a gradient.

    Raises:
        NotImplementedError: For one with its own `__call__`: models ask for values and gradients, and do not call it.
    """
    found = get(identifier)
    if found is circle:
        return Circle()
    if found is None or not isinstance(found, Loss):
        if hasattr(found, "update_state"):
            hint = "recurra.losses has losses, many of the same name"
            raise ValueError(expected("compile", "a loss", f"the metric {found!r}", hint))
        return None if found is None else LossFunctionWrapper(found)
    cls = type(found)
    if is_left_behind(cls, "value", "__call__") or is_left_behind(cls, "value_and_gradient", "__call__"):
        hint = "or override value and value_and_gradient too, which models ask for"
        what = "call(y_true, y_pred) and gradient(y_true, y_pred) to be overridden"
        raise NotImplementedError(expected(f"the loss {cls.__name__}", what, "its own __call__", hint))
    return found


def serialize(loss: Any) -> Any:
    """Returns the loss's serialized form: a name for a built-in function."""
    return saving.serialize_keras_object(loss)


def deserialize(name: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """Returns what `serialize` described, or what a name stands for."""
    return saving.deserialize_named(name, get, custom_objects)


if not TYPE_CHECKING:  # type checkers would take every name for one that is there
    __getattr__ = says_what_to_do(__name__)
