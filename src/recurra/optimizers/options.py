"""The options that optimizers hand on to `Optimizer`, for type checkers: `**options: Unpack[OptimizerOptions]`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import TypedDict

    from typing_extensions import Unpack as Unpack  # checkers have it

    class OptionsButDecay(TypedDict, total=False):
        """Those of `Optimizer`, for optimizers that have a `weight_decay` of their own."""

        clipnorm: float | None
        clipvalue: float | None
        global_clipnorm: float | None
        use_ema: bool
        ema_momentum: float
        ema_overwrite_frequency: int | None
        loss_scale_factor: float | None
        gradient_accumulation_steps: int | None
        name: str | None

    class OptimizerOptions(OptionsButDecay, total=False):
        """Those of `Optimizer`, but for the learning rate."""

        weight_decay: float | None

else:  # `Unpack[OptimizerOptions]` is Any
    OptimizerOptions = OptionsButDecay = Any
    Unpack = {Any: Any}
