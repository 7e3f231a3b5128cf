"""`tf.keras.losses`: recurra's, whose functions give tensors here."""

from recurra import losses
from recurra._missing import says_what_to_do
from recurra.compat.tensorflow.tensors import giving_tensors

globals().update(giving_tensors(losses))

__all__ = [*losses.__all__, "Reduction"]


class Reduction:
    """The names that losses take as `reduction`, as Keras 2 has them; AUTO meant that of the batch's mean."""

    NONE, SUM = "none", "sum"
    AUTO = SUM_OVER_BATCH_SIZE = "sum_over_batch_size"


__getattr__ = says_what_to_do(__name__)
