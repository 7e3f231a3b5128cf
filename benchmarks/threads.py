"""What do more threads bring: to one training step, and to Python threads that predict at once?

    python benchmarks/threads.py [--quick] [--json FILE]

Training: one layer and Dense(1) on 1, 2, 4, ... threads. Predictions: so many Python threads share one model, while
recurra's own threads are one; the time of one is that of all over the number of predictions.
"""

import threading
import time

import harness
import machine
import recurra
from libraries.data import batch
from libraries.recurra_cases import model_of

TRAINING = [("LSTM", [32, 24, 1, 64]), ("LSTM", [64, 168, 1, 128]), ("GRU", [32, 128, 64, 256])]
PREDICTING = [("LSTM", [1, 24, 1, 64]), ("LSTM", [64, 96, 8, 128])]


def counts() -> list[int]:
    """Returns 1, 2, 4, ... up to the number of cores."""
    return [2**i for i in range(len(machine.cores()).bit_length()) if 2**i <= len(machine.cores())]


def calls_per_s(layer: str, shape: list[int], threads: int, seconds: float) -> float:
    """Returns how often Python threads predict, all together."""
    recurra.set_num_threads(1)
    model = model_of(layer, *shape[1:])
    x, _ = batch(shape)
    model.predict(x, verbose=0)
    done = [0] * threads
    begin = threading.Barrier(threads + 1)

    def work(index: int) -> None:
        begin.wait()
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            model.predict(x, verbose=0)
            done[index] += 1

    workers = [threading.Thread(target=work, args=(index,)) for index in range(threads)]
    for worker in workers:
        worker.start()
    begin.wait()
    start = time.perf_counter()
    for worker in workers:
        worker.join()
    return sum(done) / (time.perf_counter() - start)


def measure(options: harness.Options) -> list[dict]:
    cases = [{"layer": layer, "shape": shape} for layer, shape in (TRAINING[:2] if options.quick else TRAINING)]
    records = [{"what": "training step", **r} for r in harness.take_turns(options, "train_step", cases, counts())]
    rounds, seconds = (3, 0.2) if options.quick else (7, 0.5)
    for layer, shape in PREDICTING:
        rates: dict[int, list[float]] = {threads: [] for threads in counts()}
        for _ in range(rounds):
            for threads, own_rates in rates.items():
                own_rates.append(calls_per_s(layer, shape, threads, seconds))
        for threads, own_rates in rates.items():
            named = {"what": "predict at once", "layer": layer, "shape": shape, "threads": threads}
            records.append({**named, **harness.spread([1 / rate for rate in own_rates])})
    return records


def tables(result: dict) -> list[harness.Table]:
    rows = []
    for record in result["records"]:
        named = {key: record[key] for key in ("what", "layer", "shape")}
        one = harness.find(result["records"], threads=1, **named)
        shape = ", ".join(map(str, record["shape"]))
        gain = f"{one['median'] / record['median']:.2f}"
        rows.append([record["what"], record["layer"], shape, str(record["threads"]), harness.with_spread(record), gain])
    columns = ["what", "layer", "N, T, D, H", "threads", "time of one", "times one thread"]
    return [harness.Table(columns, rows)]


if __name__ == "__main__":
    harness.main("threads", measure, tables, with_peers=False)
