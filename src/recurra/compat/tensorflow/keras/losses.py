"""`tf.keras.losses`: recurra's, whose functions give tensors here."""

from typing import TYPE_CHECKING

from recurra import losses
from recurra._missing import says_what_to_do
from recurra.compat.tensorflow.tensors import giving_tensors


class Reduction:
    """The names that losses take as `reduction`, as Keras 2 has them; AUTO meant that of the batch's mean."""

    NONE, SUM = "none", "sum"
    AUTO = SUM_OVER_BATCH_SIZE = "sum_over_batch_size"


if TYPE_CHECKING:  # these do not run code
    from recurra.losses import *

    bce = BCE = losses.binary_crossentropy
    kld = KLD = kullback_leibler_divergence = losses.kl_divergence
    logcosh = LOGCOSH = losses.log_cosh
    mae = MAE = losses.mean_absolute_error
    mape = MAPE = losses.mean_absolute_percentage_error
    mse = MSE = losses.mean_squared_error
    msle = MSLE = losses.mean_squared_logarithmic_error
else:
    globals().update(giving_tensors(losses))
    __all__ = [*losses.__all__, "Reduction"]
    __getattr__ = says_what_to_do(__name__)
