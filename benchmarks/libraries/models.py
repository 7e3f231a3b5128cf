"""Models as people write them, of `keras` or `recurra`: both have one API."""

from collections.abc import Callable
from typing import Any

import numpy as np

Case = tuple[Any, str, np.ndarray, np.ndarray]  # model, loss, x, y
N = 32
_rng = np.random.default_rng(0)


def _words(timesteps: int, vocabulary: int) -> np.ndarray:
    return _rng.integers(1, vocabulary, size=(N, timesteps)).astype(np.int32)


def _sequences(timesteps: int, features: int = 4) -> np.ndarray:
    return _rng.normal(size=(N, timesteps, features)).astype(np.float32)


def _line(api: Any, x: np.ndarray, layers: list[Any]) -> Any:
    return api.Sequential([api.Input(x.shape[1:], dtype=x.dtype.name), *layers])


def class_of_series(api: Any) -> Case:
    layers, x = api.layers, _sequences(24, 1)
    line = [layers.LSTM(32), layers.Dense(5, activation="softmax")]
    return _line(api, x, line), "sparse_categorical_crossentropy", x, _rng.integers(0, 5, size=N)


def label_of_text(api: Any) -> Case:
    layers, x = api.layers, _words(100, 10_000)
    for row, length in enumerate(_rng.integers(20, 100, size=N)):
        x[row, length:] = 0
    line = [layers.Embedding(10_000, 64, mask_zero=True), layers.LSTM(64), layers.Dense(1, activation="sigmoid")]
    return _line(api, x, line), "binary_crossentropy", x, _rng.integers(0, 2, size=(N, 1)).astype(np.float32)


def tags_of_words(api: Any) -> Case:
    layers, x = api.layers, _words(50, 5_000)
    x[:, 40:] = 0
    both = layers.Bidirectional(layers.LSTM(64, return_sequences=True))
    line = [layers.Embedding(5_000, 64, mask_zero=True), both]
    line += [layers.TimeDistributed(layers.Dense(9, activation="softmax"))]
    return _line(api, x, line), "sparse_categorical_crossentropy", x, _rng.integers(0, 9, size=(N, 50))


def next_word(api: Any) -> Case:
    layers, words = api.layers, _words(41, 2_000)
    line = [layers.Embedding(2_000, 64), layers.LSTM(128, return_sequences=True)]
    line += [layers.Dense(2_000, activation="softmax")]
    return _line(api, words[:, 1:], line), "sparse_categorical_crossentropy", words[:, :-1].copy(), words[:, 1:].copy()


def encoder_and_decoder(api: Any) -> Case:
    layers, x = api.layers, _sequences(48)
    inputs = api.Input(x.shape[1:])
    code, *states = layers.LSTM(64, return_state=True)(inputs)
    decoded = layers.LSTM(64, return_sequences=True)(layers.RepeatVector(12)(code), initial_state=states)
    return api.Model(inputs, layers.TimeDistributed(layers.Dense(1))(decoded)), "mse", x, _sequences(12, 1)


def convolution_and_recurrence(api: Any) -> Case:
    layers, x = api.layers, _sequences(96)
    line = [layers.Conv1D(32, 5, padding="same"), layers.BatchNormalization(), layers.ReLU(), layers.MaxPooling1D(2)]
    return _line(api, x, [*line, layers.GRU(64), layers.Dense(1)]), "mse", x, _sequences(1, 1)[:, 0]


def convolution_and_dense(api: Any) -> Case:
    layers, x = api.layers, _sequences(9, 1)
    line = [layers.Conv1D(64, 2, activation="relu"), layers.MaxPooling1D(2), layers.Flatten()]
    return (
        _line(api, x, [*line, layers.Dense(50, activation="relu"), layers.Dense(1)]),
        "mse",
        x,
        _sequences(1, 1)[:, 0],
    )


def dropout_both_ways(api: Any) -> Case:
    layers, x = api.layers, _sequences(24, 1)
    both = layers.Bidirectional(layers.LSTM(32, dropout=0.2, recurrent_dropout=0.2))
    return _line(api, x, [both, layers.Dense(1)]), "mse", x, _sequences(1, 1)[:, 0]


def convolutions_alone(api: Any) -> Case:
    layers, x = api.layers, _sequences(96)
    line = [layers.Conv1D(64, 3, padding="causal", activation="relu") for _ in range(2)]
    line += [layers.GlobalAveragePooling1D(), layers.Dense(1)]
    return _line(api, x, line), "mse", x, _sequences(1, 1)[:, 0]


def normalization_between(api: Any) -> Case:
    layers, x = api.layers, _sequences(48)
    line = [layers.LSTM(64, return_sequences=True), layers.LayerNormalization(), layers.LSTM(64), layers.Dense(1)]
    return _line(api, x, line), "mse", x, _sequences(1, 1)[:, 0]


def attention_behind(api: Any) -> Case:
    layers, x = api.layers, _sequences(48, 16)
    inputs = api.Input(x.shape[1:])
    states = layers.LSTM(32, return_sequences=True)(inputs)
    seen = layers.MultiHeadAttention(2, 16)(states, states)
    joined = layers.LayerNormalization()(layers.Add()([states, seen]))
    return api.Model(inputs, layers.Dense(1)(layers.GlobalAveragePooling1D()(joined))), "mse", x, _sequences(1, 1)[:, 0]


MODELS: dict[str, Callable[[Any], Case]] = {
    "LSTM(32), softmax: the class of a series": class_of_series,
    "Embedding with mask, LSTM(64): a label of 100 words": label_of_text,
    "Embedding with mask, Bidirectional(LSTM(64)): tags of 50 words": tags_of_words,
    "Embedding, LSTM(128), softmax: the next of 2,000 words": next_word,
    "LSTM(64) encoder, LSTM(64) decoder": encoder_and_decoder,
    "Conv1D, BatchNormalization, ReLU, MaxPooling1D, GRU(64)": convolution_and_recurrence,
    "Conv1D(64) twice, causal": convolutions_alone,
    "Conv1D(64), MaxPooling1D, Dense(50): a textbook's nine steps": convolution_and_dense,
    "Bidirectional(LSTM(32)) with dropout of both kinds": dropout_both_ways,
    "LSTM(64), LayerNormalization, LSTM(64)": normalization_between,
    "LSTM(32), MultiHeadAttention, LayerNormalization": attention_behind,
}
