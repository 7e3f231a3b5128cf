"""recurra's side of each question."""

from collections.abc import Callable

import numpy as np

import recurra
from libraries.data import batch, dropout_line
from libraries.models import MODELS


def start(threads: int) -> None:
    recurra.set_num_threads(threads)


def model_of(layer: str, timesteps: int, features: int, units: int) -> recurra.Sequential:
    """Returns one recurrent layer and Dense(1)."""
    recurrent = getattr(recurra.layers, layer)(units)
    return recurra.Sequential([recurra.Input((timesteps, features)), recurrent, recurra.layers.Dense(1)])


def stream_model_of(layer: str, units: int) -> recurra.Sequential:
    """Returns one recurrent layer that gives its state at every time step."""
    return recurra.Sequential([recurra.Input((None, 1)), getattr(recurra.layers, layer)(units, return_sequences=True)])


def step_of(model: recurra.Model, loss: str, x: np.ndarray, y: np.ndarray) -> Callable[[], object]:
    model.compile(optimizer="adam", loss=loss)
    return lambda: model.train_on_batch(x, y)


def train_step(layer: str, shape: list[int]) -> Callable[[], object]:
    return step_of(model_of(layer, *shape[1:]), "mse", *batch(shape))


def dropout_step(layer: str, shape: list[int], dropout: str) -> Callable[[], object]:
    line = dropout_line(recurra.layers, layer, shape[3], dropout)
    return step_of(recurra.Sequential([recurra.Input(shape[1:3]), *line]), "mse", *batch(shape))


def model_step(model: str) -> Callable[[], object]:
    return step_of(*MODELS[model](recurra))


def predict(layer: str, shape: list[int], onnx: str) -> Callable[[], object]:
    x, _ = batch(shape)
    model = model_of(layer, *shape[1:])
    return lambda: model.predict(x, batch_size=shape[0], verbose=0)


def stream(layer: str, units: int, streams: int, onnx: str) -> Callable[[], object]:
    x, _ = batch([streams, 1, 1, units])
    stream = stream_model_of(layer, units).stream(None if streams == 1 else streams)
    x = x[0, 0] if streams == 1 else x[:, 0]
    return lambda: stream.step(x)
