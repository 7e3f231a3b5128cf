"""The short names of losses and metrics, for type checkers: `giving_tensors` makes them as it runs."""

from recurra import losses

bce = BCE = losses.binary_crossentropy
kld = KLD = kullback_leibler_divergence = losses.kl_divergence
logcosh = LOGCOSH = losses.log_cosh
mae = MAE = losses.mean_absolute_error
mape = MAPE = losses.mean_absolute_percentage_error
mse = MSE = losses.mean_squared_error
msle = MSLE = losses.mean_squared_logarithmic_error
