"""Are the bits the same for every number of threads and every target of this CPU?

    python benchmarks/bits.py [--quick] [--json FILE]

Hashes over losses, weights and predictions after 50 training steps, each run in a process of its own.
"""

import hashlib
import subprocess
import sys

import numpy as np

import harness
import machine
import recurra

LAYERS = ("SimpleRNN", "LSTM", "GRU")
TARGETS = ("avx512", "avx2", "neon")
THREADS = (1, 2, 3, 5, 8)


def hash_of_training(layer: str) -> str:
    """Returns a hash of all that 50 training steps lead to."""
    recurra.utils.set_random_seed(7)
    rng = np.random.default_rng(7)
    x = rng.normal(size=(320, 12, 3)).astype(np.float32)
    y = rng.normal(size=(320, 1)).astype(np.float32)
    recurrent = getattr(recurra.layers, layer)(70)
    model = recurra.Sequential([recurra.Input((12, 3)), recurrent, recurra.layers.Dense(1)])
    model.compile(optimizer="adam", loss="mse")
    losses = model.fit(x, y, batch_size=32, epochs=5, verbose=0).history["loss"]
    digest = hashlib.sha256(np.array(losses).tobytes())
    for array in [*model.get_weights(), model.predict(x, verbose=0)]:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def measure(options: harness.Options) -> list[dict]:
    targets = [target for target in TARGETS if target in recurra.native_info()["supported"]]
    records = []
    for target in targets:
        for threads in THREADS[:3] if options.quick else THREADS:
            environment = machine.ENVIRONMENT | {"RECURRA_TARGET": target, "RECURRA_NUM_THREADS": str(threads)}
            command = [sys.executable, __file__, "--job"]
            run = subprocess.run(command, check=True, env=environment, capture_output=True, text=True)
            records.append({"target": target, "threads": threads, **dict(zip(LAYERS, run.stdout.split(), strict=True))})
    return records


def tables(result: dict) -> list[harness.Table]:
    return [harness.Table(["target", "threads", *LAYERS], [[str(v) for v in r.values()] for r in result["records"]])]


if __name__ == "__main__":
    if sys.argv[1:] == ["--job"]:
        print(*map(hash_of_training, LAYERS))
    else:
        harness.main("bits", measure, tables, with_peers=False)
