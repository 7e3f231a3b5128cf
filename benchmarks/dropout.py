"""How long does a training step with dropout take, between recurrent layers and of their state?

    python benchmarks/dropout.py [--quick] [--peers PYTHON,...] [--json FILE]

Two recurrent layers with Dropout(0.2) between them, or one with recurrent_dropout=0.2; then Dense(1), mean squared
error, Adam, float32, on one thread. Beside Keras on its backends: torch's own layers drop no states.
"""

import harness

SHAPES = [(32, 24, 1, 64), (32, 96, 8, 128)]
PLACES = ["between layers", "of the state"]


def measure(options: harness.Options) -> list[dict]:
    shapes = SHAPES[:1] if options.quick else SHAPES
    cases = [
        {"layer": layer, "shape": list(shape), "dropout": place}
        for layer in ("LSTM", "GRU", "SimpleRNN")
        for place in PLACES
        for shape in shapes
    ]
    return harness.take_turns(options, "dropout_step", cases, threads=[1])


def tables(result: dict) -> list[harness.Table]:
    return [harness.side_by_side(result["records"], ["layer", "shape", "dropout"])]


if __name__ == "__main__":
    harness.main("dropout", measure, tables)
