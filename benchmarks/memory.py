"""How much memory does training take beside what it has to keep, and do predictions leave any behind?

    python benchmarks/memory.py [--quick] [--json FILE]

Training: the growth of the process at its peak over some steps, each layer in a process of its own, against the arrays
that forward has to keep for backward.
Predictions: the growth over many predictions of one row. Linux alone tells the figures (/proc/self/status).
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import harness
import machine

SHAPE = [64, 168, 1, 128]
# Floats of a step that backward needs for each unit, row and time step: gates and states.
KEPT = {"LSTM": 4 + 2, "GRU": 4 + 1, "SimpleRNN": 1}


def status_bytes(name: str) -> int:
    """Returns a line of /proc/self/status, such as VmRSS or VmHWM (the peak)."""
    return 1024 * int(re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())[1])


def training(layer: str) -> dict[str, float]:
    """Returns the bytes that training takes and those that it needs."""
    from libraries import data, recurra_cases

    n, t, _, h = SHAPE
    model = recurra_cases.model_of(layer, *SHAPE[1:])
    model.compile(optimizer="adam", loss="mse")
    x, y = data.batch(SHAPE)
    model.train_on_batch(x[:1], y[:1])
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = status_bytes("VmRSS")
    for _ in range(5):
        model.train_on_batch(x, y)
    return {"bytes": status_bytes("VmHWM") - before, "needed": 4 * KEPT[layer] * n * t * h}


def predictions(layer: str, count: int) -> dict[str, float]:
    """Returns the bytes by which the process has grown after so many predictions of one row."""
    from libraries import data, recurra_cases

    shape = [1, 24, 1, 64]
    model = recurra_cases.model_of(layer, *shape[1:])
    x, _ = data.batch(shape)
    for _ in range(1000):
        model.predict(x, verbose=0)
    before = status_bytes("VmRSS")
    for _ in range(count):
        model.predict(x, verbose=0)
    return {"bytes": status_bytes("VmRSS") - before, "count": count}


def in_a_process(*arguments: str) -> dict[str, float]:
    """Runs one of the two in a process of its own."""
    command = [sys.executable, __file__, "--job", *arguments]
    run = subprocess.run(command, check=True, env=machine.ENVIRONMENT, capture_output=True, text=True)
    return json.loads(run.stdout)


def measure(options: harness.Options) -> list[dict]:
    count = 10_000 if options.quick else 1_000_000
    layers = list(KEPT)
    records = [{"what": "training", "layer": layer, **in_a_process("training", layer)} for layer in layers]
    for layer in layers[:1] if options.quick else layers:
        records.append({"what": "predictions", "layer": layer, **in_a_process("predictions", layer, str(count))})
    return records


def tables(result: dict) -> list[harness.Table]:
    training, predicting = [], []
    for record in result["records"]:
        grown = f"{record['bytes'] / 1e6:.1f} MB"
        if record["what"] == "training":
            needed = record["needed"]
            row = [record["layer"], ", ".join(map(str, SHAPE)), grown, f"{needed / 1e6:.1f} MB"]
            training.append([*row, f"{record['bytes'] / needed:.2f}"])
        else:
            predicting.append([record["layer"], f"{record['count']:,}", grown])
    return [
        harness.Table(["layer", "N, T, D, H", "training takes", "kept for backward", "ratio"], training),
        harness.Table(["layer", "predictions of one row", "growth"], predicting),
    ]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--job"]:
        kind, layer_name, *rest = sys.argv[2:]
        print(json.dumps(training(layer_name) if kind == "training" else predictions(layer_name, int(*rest))))
    else:
        harness.main("memory", measure, tables, with_peers=False)
