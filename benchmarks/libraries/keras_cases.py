"""Keras's side, on the backend that KERAS_BACKEND names."""

from collections.abc import Callable

import keras

from libraries.data import batch, dropout_line
from libraries.models import MODELS


def start(threads: int) -> None:
    if keras.backend.backend() == "torch":
        import torch

        torch.set_num_threads(threads)
    elif keras.backend.backend() == "tensorflow":
        import tensorflow

        tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)


def model_of(layer: str, shape: list[int]) -> keras.Sequential:
    keras.backend.clear_session()
    _, timesteps, features, units = shape
    recurrent = getattr(keras.layers, layer)(units)
    return keras.Sequential([keras.Input((timesteps, features)), recurrent, keras.layers.Dense(1)])


def train_step(layer: str, shape: list[int]) -> Callable[[], object]:
    x, y = batch(shape)
    model = model_of(layer, shape)
    model.compile(optimizer="adam", loss="mse")
    return lambda: float(model.train_on_batch(x, y))


def dropout_step(layer: str, shape: list[int], dropout: str) -> Callable[[], object]:
    keras.backend.clear_session()
    x, y = batch(shape)
    line = dropout_line(keras.layers, layer, shape[3], dropout)
    model = keras.Sequential([keras.Input(shape[1:3]), *line])
    model.compile(optimizer="adam", loss="mse")
    return lambda: float(model.train_on_batch(x, y))


def model_step(model: str) -> Callable[[], object]:
    keras.backend.clear_session()
    built, loss, x, y = MODELS[model](keras)
    built.compile(optimizer="adam", loss=loss)
    return lambda: float(built.train_on_batch(x, y))


def predict(layer: str, shape: list[int], onnx: str) -> Callable[[], object]:
    x, _ = batch(shape)
    model = model_of(layer, shape)
    return lambda: model.predict(x, batch_size=shape[0], verbose=0)
