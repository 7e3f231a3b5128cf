"""How long does the textbook job take as a whole process: import, build, 100 epochs, predict, evaluate?

python benchmarks/textbook_job.py
python benchmarks/textbook_job.py --library keras
"""

import argparse
import importlib
import statistics
import subprocess
import sys
import time

import machine
import numpy as np

RUNS = 5
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


def wall_s(library: str, layer_name: str) -> float:
    """Returns the wall time of one process."""
    command = [sys.executable, __file__, "--library", library, "--job", layer_name]
    start = time.perf_counter()
    subprocess.run(command, check=True, env={**machine.ENVIRONMENT, "TF_CPP_MIN_LOG_LEVEL": "3"})
    return time.perf_counter() - start


def main(library: str) -> None:
    """Prints the median of each layer, after one run that is not counted."""
    if library == "recurra":
        print(machine.describe())
    for layer_name in LAYERS:
        times = [wall_s(library, layer_name) for _ in range(1 + RUNS)][1:]
        print(
            f"{library} {layer_name:9} median {statistics.median(times):6.3f} s  "
            f"(of {RUNS}: {min(times):.3f} to {max(times):.3f})"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library", default="recurra", choices=("recurra", "keras"))
    parser.add_argument("--job", choices=LAYERS, help="run one job in this process")
    arguments = parser.parse_args()
    if arguments.job:
        run_job(arguments.library, arguments.job)
    else:
        main(arguments.library)
