"""How long does the textbook job take as a whole process: import, build, 100 epochs, predict, evaluate?

    python benchmarks/textbook_job.py [--quick] [--peers PYTHON,...] [--json FILE]

Six windows of four steps, two layers of 300 units, Dense(1), Adam. recurra and Keras on each backend take turns.
"""

import importlib
import subprocess
import sys
import time

import numpy as np

import harness
import machine

LAYERS = ("SimpleRNN", "LSTM", "GRU")


def run_job(library: str, layer_name: str) -> None:
    """The job itself, in a process of its own."""
    keras = importlib.import_module(library)
    layer = getattr(keras.layers, layer_name)
    x = np.array([[i, i + 1, i + 2, i + 3] for i in range(6)], np.float32)[..., None]
    y = np.array([4, 5, 6, 7, 8, 9], np.float32)
    model = keras.Sequential(
        [keras.Input((4, 1)), layer(300, return_sequences=True), layer(300), keras.layers.Dense(1)]
    )
    model.compile(optimizer="adam", loss="mse")
    model.fit(x, y, epochs=100, verbose=0)
    model.predict(x, verbose=0)
    model.evaluate(x, y, verbose=0)


def wall_s(python: str, library: str, layer_name: str) -> float:
    """Returns the wall time of one process."""
    command = [python, __file__, "--job", library.partition("-")[0], layer_name]
    environment = machine.ENVIRONMENT | harness.keras_environment(library)
    start = time.perf_counter()
    subprocess.run(command, check=True, env=environment, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def measure(options: harness.Options) -> list[dict]:
    runs = 2 if options.quick else 5
    keras = {name: python for name, python in options.peers().items() if name.startswith("keras-")}
    jobs = [(layer, *job) for layer in LAYERS for job in ({"recurra": sys.executable} | keras).items()]
    times: dict[tuple, list[float]] = {job: [] for job in jobs}
    for _ in range(1 + runs):
        for job in jobs:
            layer, library, python = job
            times[job].append(wall_s(python, library, layer))
    # The first round is not counted: it reads the libraries' files.
    return [{"layer": job[0], "library": job[1], **harness.spread(times[job][1:])} for job in jobs]


def tables(result: dict) -> list[harness.Table]:
    return [harness.side_by_side(result["records"], ["layer"])]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--job"]:
        run_job(*sys.argv[2:])
    else:
        harness.main("textbook_job", measure, tables)
