"""The network: a recurrent layer over scaled windows, and one output for each step ahead and quantile."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from recurra import callbacks, layers, losses, optimizers, random
from recurra.layers.input_layer import Input, InputLayer
from recurra.models import Model, Sequential

KINDS = {"gru": layers.GRU, "lstm": layers.LSTM, "simple_rnn": layers.SimpleRNN}
LAYERS = (InputLayer, layers.Reshape, *KINDS.values(), layers.Dense, layers.Average)  # that networks are made of
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Settings:
    """How a network is made and trained.

    Attributes:
        kind: "gru", "lstm" or "simple_rnn".
        lookback: L, values that it sees.
        horizon: H, values that it gives.
        quantiles: Q numbers between 0 and 1; the middle one is the forecast.
        segment: Values that are one timestep of the recurrent layer; L is a multiple.
        units: Size of the state.
        epochs: At the most; training stops when the held-back windows get no better.
        batch_size: Windows of a step.
        learning_rate: Of Adam at the start; it falls along a cosine.
        patience: Epochs without a better result before it stops.
    """

    kind: str
    lookback: int
    horizon: int
    quantiles: tuple[float, ...]
    segment: int = 1
    units: int = 32
    epochs: int = 80
    batch_size: int = 32
    learning_rate: float = 0.005
    patience: int = 12


def build(settings: Settings, name: str) -> Sequential:
    """Returns a network (N, L, 1) -> (N, H * Q)."""
    segments = (settings.lookback // settings.segment, settings.segment)
    return Sequential(
        [
            Input((settings.lookback, 1)),
            *([layers.Reshape(segments, name=f"{name}_segments")] if settings.segment > 1 else []),
            KINDS[settings.kind](settings.units, name=f"{name}_state"),
            layers.Dense(settings.horizon * len(settings.quantiles), name=f"{name}_steps"),
        ],
        name=name,
    )


class WindowLoss(losses.Loss):
    """Pinball loss of (N, H * Q) outputs against (N, H) futures: in memory as (N, H, Q) against (N, H)."""

    def __init__(self, settings: Settings):
        super().__init__(name="pinball")
        self.settings = settings

    def as_mean_loss(self, dtype: np.dtype) -> dict[str, Any] | None:
        return {"name": "pinball", "quantiles": self.settings.quantiles}

    def is_fused(self, true: tuple[int, ...], pred: tuple[int, ...]) -> bool:
        return true == (pred[0], self.settings.horizon)


def train(
    settings: Settings,
    pasts: np.ndarray,
    futures: np.ndarray,
    held_pasts: np.ndarray,
    held_futures: np.ndarray,
    seed: int,
    deadline_s: float | None = None,
    progress: Progress | None = None,
) -> Sequential:
    """Trains one network, and gives back its best weights on the windows held back.

    Args:
        settings: See `Settings`.
        pasts, futures: float32 (k, L) and (k, H), scaled.
        held_pasts, held_futures: Later windows, which are not trained on.
        seed: Of the weights and the order of windows; the program's random numbers are left as they were.
        deadline_s: `time.monotonic()` at which training stops, at the end of an epoch.
        progress: Called with a line now and then.
    """
    with random.seeded(seed):
        model = build(settings, f"{settings.kind}_{seed}")
        steps = -(-len(pasts) // settings.batch_size)
        schedule = optimizers.schedules.CosineDecay(settings.learning_rate, settings.epochs * steps, alpha=0.05)
        model.compile(optimizer=optimizers.Adam(schedule, global_clipnorm=1.0), loss=WindowLoss(settings))
        watch = [
            callbacks.EarlyStopping("val_loss", patience=settings.patience, restore_best_weights=True),
            callbacks.TerminateOnNaN(),
            _Watch(f"{settings.kind}, seed {seed}", deadline_s, progress),
        ]
        model.fit(
            pasts[..., None],
            futures,
            batch_size=settings.batch_size,
            epochs=settings.epochs,
            verbose=0,
            validation_data=(held_pasts[..., None], held_futures),
            validation_batch_size=512,
            callbacks=watch,
        )
        return model


class _Watch(callbacks.Callback):
    """Reports every tenth epoch, and stops at the deadline."""

    def __init__(self, name: str, deadline_s: float | None, progress: Progress | None):
        super().__init__()
        self.name, self.deadline_s, self.progress = name, deadline_s, progress

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.progress is not None and epoch % 10 == 9:
            loss = (logs or {}).get("val_loss", float("nan"))
            self.progress(f"{self.name}: epoch {epoch + 1}, loss on held-back windows {loss:.4f}")
        if self.deadline_s is not None and time.monotonic() > self.deadline_s:
            self.model.stop_training = True


def average(members: list[Sequential], settings: Settings) -> Model:
    """Returns one model (N, L, 1) -> (N, H * Q) that averages the networks."""
    inputs = Input((settings.lookback, 1), name="past")
    outputs = []
    for member in members:
        tensor = inputs
        for layer in member.layers:
            tensor = layer(tensor)
        outputs.append(tensor)
    merged = layers.Average(name="mean_of_seeds")(outputs) if len(outputs) > 1 else outputs[0]
    return Model(inputs, merged, name="forecaster")


def predict(model: Model, pasts: np.ndarray, settings: Settings) -> np.ndarray:
    """Returns quantiles (k, H, Q) of scaled pasts (k, L), in rising order."""
    answer = model.predict(pasts[..., None].astype(np.float32), batch_size=512, verbose=0)
    return np.sort(answer.reshape(len(pasts), settings.horizon, -1).astype(np.float64), axis=-1)
