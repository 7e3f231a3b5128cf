"""The same seed gives the same bits: for any number of threads and for every target with hardware FMA."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

import recurra
from recurra import layers

KINDS = ["SimpleRNN", "LSTM", "GRU", "GRU-reset_before", "Bidirectional"]
SCRIPT = "import sys; from test_bits import trained_hash; print(trained_hash(sys.argv[1]))"


def recurrent(kind, units, **options):
    if kind == "Bidirectional":
        return layers.Bidirectional(layers.LSTM(units, **options))
    if kind == "GRU-reset_before":
        return layers.GRU(units, reset_after=False, **options)
    return getattr(layers, kind)(units, **options)


def trained_hash(kind):
    """Returns a hash of predictions, losses, weights and optimizer state after 20 training steps with dropout."""
    recurra.utils.set_random_seed(7)
    x = np.random.default_rng(1).standard_normal((40, 9, 3)).astype("float32")
    y = np.tanh(x.sum(axis=(1, 2)))[:, None]
    model = recurra.Sequential(
        [
            recurra.Input((9, 3)),
            recurrent(kind, 37, return_sequences=True, dropout=0.1),
            recurrent(kind, 20),
            layers.Dense(5, activation="gelu"),
            layers.Dense(1),
        ]
    )
    model.compile(optimizer=recurra.optimizers.Adam(0.01, global_clipnorm=1.0), loss="mse")
    history = model.fit(x, y, batch_size=8, epochs=4, verbose=0)
    digest = hashlib.sha256(np.asarray(history.history["loss"]).tobytes())
    for array in [model.predict(x, verbose=0), *model.get_weights(), *map(np.asarray, model.optimizer.variables)]:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def hash_in_a_new_process(kind, **environment):
    paths = [os.path.dirname(__file__), *filter(None, [os.environ.get("PYTHONPATH")])]
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, kind],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


@pytest.mark.parametrize("kind", KINDS)
def test_training_gives_the_same_bits_for_any_number_of_threads(kind):
    before = recurra.get_num_threads()
    try:
        hashes = set()
        for threads in (1, 2, 3, 8):
            recurra.set_num_threads(threads)
            hashes.add(trained_hash(kind))
    finally:
        recurra.set_num_threads(before)
    assert len(hashes) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_training_gives_the_same_bits_on_avx2_and_avx512(kind):
    supported = recurra.native_info()["supported"]
    if not {"avx2", "avx512"} <= set(supported):
        pytest.skip(f"this CPU has {', '.join(supported)}, not both AVX2 and AVX-512")
    hashes = {target: hash_in_a_new_process(kind, RECURRA_TARGET=target) for target in ("avx2", "avx512")}
    assert hashes["avx2"] == hashes["avx512"]


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    def first_weights(seed):
        recurra.utils.set_random_seed(seed)
        model = recurra.Sequential([recurra.Input((4, 1)), layers.LSTM(8), layers.Dense(1)])
        return np.concatenate([weight.ravel() for weight in model.get_weights()])

    np.testing.assert_array_equal(first_weights(3), first_weights(3))
    assert np.any(first_weights(3) != first_weights(4))
