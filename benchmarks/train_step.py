"""How long does one training step (forward, backward, Adam) take, and how much of it is arithmetic?

    python benchmarks/train_step.py

GFLOP are those of the matrix products: 2 N T (D + H) G H forward, with G = 1, 4, 3 for SimpleRNN, LSTM, GRU, and three
times that for a step.
"""

import os
import statistics
import time

import machine
import numpy as np

import recurra

GATES = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}
SHAPES = [(32, 24, 1, 16), (32, 24, 1, 64), (32, 50, 8, 128), (64, 50, 32, 256), (6, 4, 1, 300), (64, 50, 64, 512)]


def step_s(layer_name: str, shape: tuple[int, int, int, int], budget_s: float = 0.5) -> float:
    """Returns the median time of a step: at least 5, and as many as fit into the budget."""
    batch, timesteps, features, units = shape
    rng = np.random.default_rng(0)
    x = rng.normal(size=(batch, timesteps, features)).astype(np.float32)
    y = rng.normal(size=(batch, 1)).astype(np.float32)
    layer = getattr(recurra.layers, layer_name)(units)
    model = recurra.Sequential([recurra.Input((timesteps, features)), layer, recurra.layers.Dense(1)])
    model.compile(optimizer="adam", loss="mse")
    model.train_on_batch(x, y)
    times: list[float] = []
    while len(times) < 5 or sum(times) < budget_s:
        start = time.perf_counter()
        model.train_on_batch(x, y)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def gflop(layer_name: str, shape: tuple[int, int, int, int]) -> float:
    """Returns the arithmetic of one step."""
    batch, timesteps, features, units = shape
    return 3 * 2 * batch * timesteps * (features + units) * GATES[layer_name] * units / 1e9


if __name__ == "__main__":
    print(machine.describe())
    print(f"{'layer':10}{'N':>4}{'T':>4}{'D':>4}{'H':>5}{'threads':>9}{'ms a step':>11}{'GFLOP/s':>9}")
    for name in GATES:
        for shape in SHAPES:
            for threads in sorted({1, os.cpu_count() or 1}):
                recurra.set_num_threads(threads)
                elapsed_s = step_s(name, shape)
                n, t, d, h = shape
                rate = gflop(name, shape) / elapsed_s
                print(f"{name:10}{n:4}{t:4}{d:4}{h:5}{threads:9}{1000 * elapsed_s:11.3f}{rate:9.1f}")
