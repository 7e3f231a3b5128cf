"""Prints the hashes of the golden runs, computed through recurra's layers and `fit`: the first lines of bits.txt.

native/tests/golden_runs.h does the same over the kernels alone, for targets that have no Python here. Inputs and first
weights come from a generator of integers that both have, because NumPy's distributions rest on libm.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

import recurra
from recurra import layers

LAYERS = {
    "simple_rnn": lambda units, **options: layers.SimpleRNN(units, **options),
    "lstm": lambda units, **options: layers.LSTM(units, **options),
    "gru": lambda units, **options: layers.GRU(units, **options),
    "gru_reset_before": lambda units, **options: layers.GRU(units, reset_after=False, **options),
    "bidirectional_lstm": lambda units, **options: layers.Bidirectional(layers.LSTM(units, **options)),
}
SHAPES = [  # N, T, D, H, masked, go_backwards
    (1, 3, 1, 1, False, False),
    (5, 7, 3, 17, True, False),
    (33, 4, 9, 64, False, True),
    (70, 5, 2, 37, True, True),
    (6, 4, 1, 300, False, False),
]


class Random:
    """Steele, Lea and Flood, Fast splittable pseudorandom number generators (2014): splitmix64."""

    def __init__(self) -> None:
        self._state = np.uint64(1)

    def integers(self, count: int) -> np.ndarray:
        """Returns uint64 (count,)."""
        z = self._state + np.uint64(0x9E3779B97F4A7C15) * np.arange(1, count + 1, dtype=np.uint64)
        self._state = z[-1] if count else self._state
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))

    def array(self, shape: tuple[int, ...], size: float, dtype: str) -> np.ndarray:
        """Returns values in [-size, size): 24 bits, scaled in float64 and rounded to the dtype."""
        bits = self.integers(int(np.prod(shape))) >> np.uint64(40)
        return ((bits.astype(np.float64) / 2**23 - 1) * size).astype(dtype).reshape(shape)

    def mask(self, shape: tuple[int, ...]) -> np.ndarray:
        """Returns bool values of which three of four are True."""
        return (self.integers(int(np.prod(shape))) % np.uint64(4) != 0).reshape(shape)


def hash_of(arrays: Iterable[Any]) -> str:
    """Returns the CRC-32 over the bytes of arrays."""
    value = 0
    for array in arrays:
        value = zlib.crc32(np.ascontiguousarray(array).tobytes(), value)
    return f"{value:08x}"


def draw_weights(random: Random, layer: Any, dtype: str) -> None:
    """Gives a built recurrent layer its first weights."""
    weights = []
    for i, weight in enumerate(layer.weights):
        size = 1 / np.sqrt(weight.shape[0]) if i % 3 == 1 else 1.0  # kernel, recurrent_kernel, bias of each direction
        weights.append(random.array(weight.shape, size, dtype))
    layer.set_weights(weights)


def passes(name: str, dtype: str, random: Random) -> tuple[str, str]:
    """Returns the hashes of the outputs and final states, and of all gradients, over five shapes."""
    outputs: list[Any] = []
    gradients: list[Any] = []
    for n, t, d, h, masked, go_backwards in SHAPES:
        directions = 2 if name.startswith("bidirectional") else 1
        options = {} if directions == 2 else {"go_backwards": go_backwards}
        layer = LAYERS[name](h, return_sequences=True, return_state=True, dtype=dtype, **options)
        layer.build((n, t, d))
        draw_weights(random, layer, dtype)
        x, dy = random.array((n, t, d), 2, dtype), random.array((n, t, directions * h), 1, dtype)
        states, dstates = [], []
        for _ in range(directions * (2 if "lstm" in name else 1)):
            states.append(random.array((n, h), 1, dtype))
            dstates.append(random.array((n, h), 1, dtype))
        mask = random.mask((n, t)) if masked else None

        results, cache = layer.forward(x, initial_state=states, mask=mask)
        outputs += results
        dx, others = layer.backward_all([dy, *dstates], cache)
        gradients += [dx, *others["initial_state"], *(weight.grad for weight in layer.trainable_weights)]
    return hash_of(outputs), hash_of(gradients)


def training(name: str, dtype: str, random: Random) -> str:
    """Returns the hash of weights and predictions after fifty steps of Adam."""
    rows, t, d, h = 36, 5, 3, 33
    layer, dense = LAYERS[name](h, dtype=dtype), layers.Dense(1, dtype=dtype)
    model = recurra.Sequential([recurra.Input((t, d), dtype=dtype), layer, dense])
    draw_weights(random, layer, dtype)
    dense.set_weights([random.array(weight.shape, 0.25, dtype) for weight in dense.weights])
    x, y = random.array((rows, t, d), 2, dtype), random.array((rows, 1), 1, dtype)
    model.compile(recurra.optimizers.Adam(0.01), "mse")
    model.fit(x, y, batch_size=8, epochs=10, shuffle=False, verbose=0)
    return hash_of([*model.get_weights(), model.predict(x, batch_size=rows, verbose=0)])


def lines() -> Iterator[str]:
    """Yields the lines of bits.txt that are golden runs."""
    for dtype in ("float32", "float64"):
        for name in LAYERS:
            random = Random()
            forward, backward = passes(name, dtype, random)
            yield f"{name} {dtype} forward {forward}"
            yield f"{name} {dtype} backward {backward}"
            yield f"{name} {dtype} training {training(name, dtype, random)}"


if __name__ == "__main__":
    for line in lines():
        print(line)
