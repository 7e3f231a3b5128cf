"""Metrics: states that batches are added to, as objects and by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recurra import losses, saving
from recurra._missing import says_what_to_do
from recurra._names import snake_case
from recurra.losses import (  # Keras gives them these names here too
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_generalized_cross_entropy,
    categorical_hinge,
    circle,
    cosine_similarity,
    ctc,
    dice,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    pinball,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
    tversky,
)
from recurra.metrics.at_constraint import (
    PrecisionAtRecall,
    RecallAtPrecision,
    SensitivityAtSpecificity,
    SpecificityAtSensitivity,
)
from recurra.metrics.base import Mean, MeanMetricWrapper, Metric, Sum
from recurra.metrics.classification import (
    Accuracy,
    BinaryAccuracy,
    BinaryCrossentropy,
    CategoricalAccuracy,
    CategoricalCrossentropy,
    CategoricalHinge,
    Hinge,
    KLDivergence,
    Poisson,
    SparseCategoricalAccuracy,
    SparseCategoricalCrossentropy,
    SparseTopKCategoricalAccuracy,
    SquaredHinge,
    TopKCategoricalAccuracy,
    accuracy,
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
    sparse_top_k_categorical_accuracy,
    top_k_categorical_accuracy,
)
from recurra.metrics.confusion import FalseNegatives, FalsePositives, Precision, Recall, TrueNegatives, TruePositives
from recurra.metrics.curves import AUC
from recurra.metrics.f_score import F1Score, FBetaScore
from recurra.metrics.overlap import BinaryIoU, IoU, MeanIoU, OneHotIoU, OneHotMeanIoU
from recurra.metrics.regression import (
    ConcordanceCorrelation,
    CosineSimilarity,
    LogCoshError,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    PearsonCorrelation,
    R2Score,
    RootMeanSquaredError,
    concordance_correlation,
    pearson_correlation,
)

__all__ = [
    "deserialize",
    "get",
    "serialize",
    "AUC",
    "Accuracy",
    "BinaryAccuracy",
    "BinaryCrossentropy",
    "BinaryIoU",
    "CategoricalAccuracy",
    "CategoricalCrossentropy",
    "CategoricalHinge",
    "ConcordanceCorrelation",
    "CosineSimilarity",
    "F1Score",
    "FBetaScore",
    "FalseNegatives",
    "FalsePositives",
    "Hinge",
    "IoU",
    "KLDivergence",
    "LogCoshError",
    "Mean",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanIoU",
    "MeanMetricWrapper",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Metric",
    "OneHotIoU",
    "OneHotMeanIoU",
    "PearsonCorrelation",
    "Poisson",
    "Precision",
    "PrecisionAtRecall",
    "R2Score",
    "Recall",
    "RecallAtPrecision",
    "RootMeanSquaredError",
    "SensitivityAtSpecificity",
    "SparseCategoricalAccuracy",
    "SparseCategoricalCrossentropy",
    "SparseTopKCategoricalAccuracy",
    "SpecificityAtSensitivity",
    "SquaredHinge",
    "Sum",
    "TopKCategoricalAccuracy",
    "TrueNegatives",
    "TruePositives",
    "accuracy",
    "binary_accuracy",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_accuracy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_generalized_cross_entropy",
    "categorical_hinge",
    "circle",
    "concordance_correlation",
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
    "pearson_correlation",
    "pinball",
    "poisson",
    "sparse_categorical_accuracy",
    "sparse_categorical_crossentropy",
    "sparse_top_k_categorical_accuracy",
    "squared_hinge",
    "top_k_categorical_accuracy",
    "tversky",
]

_IMPORTED = [globals()[name] for name in __all__ if name in globals()]  # all but the functions below
FUNCTIONS = {item.__name__: item for item in _IMPORTED if not isinstance(item, type)}
_CLASSES = [item for item in _IMPORTED if isinstance(item, type) and item not in (Metric, MeanMetricWrapper)]
_BY_NAME: dict[str, Any] = {name: cls for cls in _CLASSES for name in (cls.__name__, snake_case(cls.__name__))}
_BY_NAME |= {
    name: _BY_NAME[target]
    for alias, target in losses.ALIASES.items()
    if target in _BY_NAME
    for name in (alias, alias.upper())
}
_BY_NAME |= {"logcosh": LogCoshError, "log_cosh": LogCoshError, "rmse": RootMeanSquaredError, "auc": AUC}


def get(identifier: Any) -> Any:
    """Returns a metric object, or a function of (y_true, y_pred), for a name, a class, a config or itself.

    Raises:
        ValueError: If there is none of that name.
    """
    return saving.resolve(identifier, _BY_NAME, "metrics.get", "a metric")


def serialize(metric: Any) -> Any:
    """Returns the metric's serialized form."""
    return saving.serialize_keras_object(metric)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """Returns what `serialize` described, or what a name stands for."""
    return saving.deserialize_named(config, get, custom_objects)


if not TYPE_CHECKING:  # type checkers would take every name for one that is there
    __getattr__ = says_what_to_do(__name__)
