"""How long does the textbook job take as a whole process: import, build, 100 epochs, predict, evaluate?

    python benchmarks/textbook_job.py [--quick] [--peers PYTHON,...] [--json FILE]

Six windows of four steps, two layers of 300 units, Dense(1), Adam. recurra and Keras on each backend take turns.
"""

import importlib
import sys

import numpy as np

import harness

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


def measure(options: harness.Options) -> list[dict]:
    runs = 2 if options.quick else 5
    keras = {name: python for name, python in options.peers().items() if name.startswith("keras-")}
    pythons = {"recurra": sys.executable} | keras
    asked = [(layer, library) for layer in LAYERS for library in pythons]
    jobs = [
        (library, [pythons[library], __file__, "--job", library.partition("-")[0], layer]) for layer, library in asked
    ]
    times = harness.times_of_processes(jobs, runs)
    return [
        {"layer": layer, "library": library, **spread} for (layer, library), spread in zip(asked, times, strict=True)
    ]


def tables(result: dict) -> list[harness.Table]:
    return [harness.side_by_side(result["records"], ["layer"])]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--job"]:
        run_job(*sys.argv[2:])
    else:
        harness.main("textbook_job", measure, tables)
