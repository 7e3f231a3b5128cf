"""Keras's side, on the backend that KERAS_BACKEND names."""

from collections.abc import Callable

import keras
import numpy as np

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


def step_of(model: keras.Model, loss: str, x: np.ndarray, y: np.ndarray) -> Callable[[], object]:
    model.compile(optimizer="adam", loss=loss)
    return lambda: float(model.train_on_batch(x, y))


def train_step(layer: str, shape: list[int]) -> Callable[[], object]:
    return step_of(model_of(layer, shape), "mse", *batch(shape))


def dropout_step(layer: str, shape: list[int], dropout: str) -> Callable[[], object]:
    keras.backend.clear_session()
    line = dropout_line(keras.layers, layer, shape[3], dropout)
    return step_of(keras.Sequential([keras.Input(shape[1:3]), *line]), "mse", *batch(shape))


def model_step(model: str) -> Callable[[], object]:
    keras.backend.clear_session()
    return step_of(*MODELS[model](keras))


def predict(layer: str, shape: list[int], onnx: str) -> Callable[[], object]:
    x, _ = batch(shape)
    model = model_of(layer, shape)
    return lambda: model.predict(x, batch_size=shape[0], verbose=0)
