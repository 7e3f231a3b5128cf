"""`tf.keras.losses`: recurra's, whose functions give tensors here."""

from typing import TYPE_CHECKING

from recurra import losses
from recurra._missing import says_what_to_do
from recurra.compat.tensorflow._conversion import giving_tensors


class Reduction:
    """The names that losses take as `reduction`, as Keras 2 has them; AUTO meant that of the batch's mean."""

    NONE, SUM = "none", "sum"
    AUTO = SUM_OVER_BATCH_SIZE = "sum_over_batch_size"


if TYPE_CHECKING:  # these do not run code
    from recurra.compat.tensorflow.keras._short_names import *
    from recurra.losses import *
else:
    globals().update(giving_tensors(losses))
    __all__ = [*losses.__all__, "Reduction"]
    __getattr__ = says_what_to_do(__name__)
