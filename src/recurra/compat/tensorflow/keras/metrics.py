"""`tf.keras.metrics`: recurra's, whose functions give tensors here."""

from typing import TYPE_CHECKING

from recurra import metrics
from recurra._missing import says_what_to_do
from recurra.compat.tensorflow.tensors import giving_tensors

if TYPE_CHECKING:  # these do not run code
    from recurra.metrics import *

    bce = BCE = metrics.binary_crossentropy
    kld = KLD = kullback_leibler_divergence = metrics.kl_divergence
    logcosh = LOGCOSH = metrics.log_cosh
    mae = MAE = metrics.mean_absolute_error
    mape = MAPE = metrics.mean_absolute_percentage_error
    mse = MSE = metrics.mean_squared_error
    msle = MSLE = metrics.mean_squared_logarithmic_error
else:
    globals().update(giving_tensors(metrics))
    __all__ = list(metrics.__all__)
    __getattr__ = says_what_to_do(__name__)
