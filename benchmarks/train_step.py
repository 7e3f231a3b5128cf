"""How long does one training step (forward, backward, Adam) take, beside other libraries and the machine's own sgemm?

    python benchmarks/train_step.py [--quick] [--peers PYTHON,...] [--json FILE]

One recurrent layer and Dense(1), mean squared error, float32. Percent of sgemm: the rate at which the step does the
products that it needs (libraries/flops.py), everything else counted as time lost, over the rate of NumPy's BLAS at one
product as large as the recurrent products of all time steps together, on the same number of threads, in its best tenth.
"""

import harness
from libraries import flops

SHAPES = [
    (6, 4, 1, 300),
    (32, 24, 1, 32),
    (32, 24, 1, 64),
    (32, 96, 8, 128),
    (64, 168, 1, 128),
    (32, 128, 64, 256),
    (64, 100, 256, 512),
]


def measure(options: harness.Options) -> list[dict]:
    shapes = SHAPES[:4] if options.quick else SHAPES
    cases = [{"layer": layer, "shape": list(shape)} for layer in ("LSTM", "GRU", "SimpleRNN") for shape in shapes]
    return harness.take_turns(options, "train_step", cases, harness.thread_counts(), beside=["sgemm"])


def tables(result: dict) -> list[harness.Table]:
    """One row for each layer and shape, a group of columns for each thread count."""
    records = result["records"]
    threads = sorted({record["threads"] for record in records})
    peers = has_peers(records)
    columns = ["layer", "N, T, D, H"]
    for count in threads:
        columns += [f"recurra, {count} thr.", *(["best peer", "times faster"] if peers else []), "% of sgemm"]
    rows = []
    for one in (r for r in records if r["library"] == "recurra" and r["threads"] == threads[0]):
        case = {"layer": one["layer"], "shape": one["shape"]}
        row = [one["layer"], ", ".join(map(str, one["shape"]))]
        for count in threads:
            own = harness.find(records, library="recurra", threads=count, **case)
            row.append(harness.with_spread(own))
            if peers:
                peer = harness.best_peer(records, threads=count, **case)
                row.append(f"{harness.figure(peer['median'])} {peer['library']}")
                row.append(f"{times_faster(records, threads=count, **case):.2f}")
            row.append(f"{100 * part_of_sgemm(records, own):.0f}")
        rows.append([*row, f"{one['median'] / own['median']:.2f}"] if len(threads) > 1 else row)
    return [harness.Table(columns + ["1 to 2 threads"] * (len(threads) > 1), rows)]


def has_peers(records: list[dict]) -> bool:
    """Whether other libraries were measured beside."""
    return any(record["library"] not in ("recurra", "numpy") for record in records)


def times_faster(records: list[dict], layer: str, shape: list[int], threads: int) -> float:
    """Returns the time of the best peer over recurra's."""
    case = {"layer": layer, "shape": shape, "threads": threads}
    return harness.best_peer(records, **case)["median"] / harness.find(records, library="recurra", **case)["median"]


def part_of_sgemm(records: list[dict], own: dict) -> float:
    """Returns the rate of a step over the rate of NumPy's product in its best tenth."""
    case = {"layer": own["layer"], "shape": own["shape"]}
    sgemm = harness.find(records, library="numpy", threads=own["threads"], **case)
    rate = flops.of_step(**case) / own["median"]
    return rate / (flops.of_sgemm(**case) / sgemm["low"])


if __name__ == "__main__":
    harness.main("train_step", measure, tables)
