"""The same seed gives the same bits: for any number of threads, on every target with hardware FMA, and however a batch
or a sequence is cut; and the bits kept in golden/bits.txt."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__

import recurra
from recurra import layers

GOLDEN = Path(__file__).parent / "golden"
TARGETS = ("avx512", "avx2", "neon")  # those with hardware FMA; the generic one rounds twice and is exempt
KINDS = ["SimpleRNN", "LSTM", "GRU", "GRU-reset_before", "Bidirectional"]
STREAMING = KINDS[:-1]
SIZES = {  # rows of a batch, timesteps, features, units; enough work for teams, which split the first by rows
    "by_rows": (32, 12, 3, 64),
    "by_units": (6, 4, 1, 256),
}
SCRIPT = "import json; from test_bits import hashes; print(json.dumps(hashes()))"


def recurrent(kind, units, **options):
    if kind == "Bidirectional":
        return layers.Bidirectional(layers.LSTM(units, **options))
    if kind == "GRU-reset_before":
        return layers.GRU(units, reset_after=False, **options)
    return getattr(layers, kind)(units, **options)


def digest_of(arrays):
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def trained_hash(model, x, batch_size):
    """Returns a hash of predictions, losses, weights and optimizer state after fifty training steps."""
    y = recurra.ops.tanh(x.sum(axis=(1, 2)))[:, None]
    model.compile(optimizer=recurra.optimizers.Adam(0.01, global_clipnorm=1.0), loss="mse")
    steps = -(-len(x) // batch_size)
    history = model.fit(x, y, batch_size=batch_size, epochs=50 // steps, verbose=0)
    predictions = model.predict(x, batch_size=len(x), verbose=0)
    variables = [variable.numpy() for variable in model.optimizer.variables]
    return digest_of([history.history["loss"], predictions, *model.get_weights(), *variables])


def values(*shape):
    return np.random.default_rng(1).standard_normal(shape).astype("float32")


def hash_with_dropout(kind):
    """Training on the equations of ops.reference over native primitives, in float32."""
    recurra.utils.set_random_seed(7)
    recurrents = [recurrent(kind, 37, return_sequences=True, dropout=0.1), recurrent(kind, 20)]
    line = [*recurrents, layers.Dense(5, activation="gelu"), layers.Dense(1)]
    return trained_hash(recurra.Sequential([recurra.Input((9, 3)), *line]), values(36, 9, 3), 8)


def hash_of_size(kind, size):
    """Training on the fused kernels at a size for teams."""
    recurra.utils.set_random_seed(7)
    rows, timesteps, features, units = SIZES[size]
    model = recurra.Sequential([recurra.Input((timesteps, features)), recurrent(kind, units), layers.Dense(1)])
    return trained_hash(model, values(4 * rows + 2, timesteps, features), rows)


def width_of(kind):
    return 96 if kind == "Bidirectional" else 48


def forward_and_backward(kind, x, dy):
    """Returns two lists: arrays whose rows are sequences (outputs, states, their gradients), and weights' gradients."""
    recurra.utils.set_random_seed(7)
    layer = recurrent(kind, 48, return_sequences=True, return_state=True)
    layer.build(x.shape)
    results, cache = layer.forward(x)
    dx, others = layer.backward_all([dy, *results[1:]], cache)
    rows = [np.asarray(array) for array in (*results, dx, *others["initial_state"])]
    return rows, [weight.grad for weight in layer.trainable_weights]


def hash_of_passes(kind):
    rows, gradients = forward_and_backward(kind, values(100, 6, 3), values(100, 6, width_of(kind)))
    return digest_of([*rows, *gradients])


def hash_of_first_weights(kind):
    recurra.utils.set_random_seed(7)
    layer = recurrent(kind, 70, dtype="float64")
    layer.build((None, 4, 3))
    return digest_of(layer.get_weights())


def line_model(kind, units):
    recurra.utils.set_random_seed(7)
    line = [recurrent(kind, units, return_sequences=True), recurrent(kind, 33, return_sequences=True), layers.Dense(3)]
    return recurra.Sequential([recurra.Input((None, 2)), *line])


def streamed(kind, rows):
    """Returns what the stream of a model gives, and what the whole sequences give."""
    model, x = line_model(kind, 96), values(rows, 11, 2)
    stream = model.stream(rows)
    return np.stack([stream.step(x[:, t]) for t in range(11)], axis=1), model.predict(x, batch_size=rows, verbose=0)


def hashes():
    """Returns a hash for each kind and each way to compute: what has to be equal for threads and targets."""
    found = {}
    for kind in KINDS:
        found[kind, "passes"] = hash_of_passes(kind)
        found[kind, "dropout"] = hash_with_dropout(kind)
        for size in SIZES:
            found[kind, size] = hash_of_size(kind, size)
    for kind in STREAMING:
        found[kind, "streams"] = digest_of([array for rows in (1, 40) for array in streamed(kind, rows)])
        found[kind, "first weights, float64"] = hash_of_first_weights(kind)
    return {" ".join(names): value for names, value in found.items()}


def on(target):
    """Returns the environment of a process on that target, with NumPy's BLAS for such a processor too."""
    core = {"avx512": "SkylakeX", "avx2": "Haswell", "neon": "ARMV8"}[target]
    return {"RECURRA_TARGET": target, "RECURRA_NUM_THREADS": "1", "OPENBLAS_CORETYPE": core}


def skip_without(*targets):
    supported = recurra.native_info()["supported"]
    missing = [target for target in targets if target not in supported]
    if missing:
        pytest.skip(f"this CPU has {', '.join(supported)}, but not {' and '.join(missing)}")


@pytest.mark.parametrize("way", ["dropout", *SIZES])
@pytest.mark.parametrize("kind", KINDS)
def test_fifty_training_steps_give_the_same_bits_for_any_number_of_threads(kind, way, same_bits):
    same_bits(lambda: hash_with_dropout(kind) if way == "dropout" else hash_of_size(kind, way))


@pytest.mark.parametrize("kind", KINDS)
def test_forward_and_backward_give_the_same_bits_for_any_number_of_threads(kind, same_bits):
    same_bits(lambda: hash_of_passes(kind))


def test_passes_training_and_streams_give_the_same_bits_on_avx2_and_avx512(run_python):
    skip_without("avx2", "avx512")
    first, second = (json.loads(run_python("-c", SCRIPT, **on(target)).stdout) for target in ("avx2", "avx512"))
    assert first == second


@pytest.mark.parametrize("target", TARGETS)
def test_the_golden_runs_give_the_bits_that_are_kept(target, run_python):
    skip_without(target)
    kept = [line for line in (GOLDEN / "bits.txt").read_text().splitlines() if not line.startswith("#")]
    runs = run_python(GOLDEN / "runs.py", **on(target)).stdout.splitlines()
    assert len(runs) == 30
    assert runs == kept[:30], "`make bits-golden` if the bits were meant to move; the commit message says so"


def hash_of_powers():
    found = []
    for optimizer in (recurra.optimizers.Ftrl(0.1, learning_rate_power=-0.7), recurra.optimizers.Adafactor(0.1)):
        variable = recurra.Variable(values(20, 30))
        for _ in range(3):
            optimizer.apply([values(20, 30)], [variable])
        found += [variable.numpy(), *(slot.numpy() for slot in optimizer.variables)]
    return digest_of(found)


def test_powers_in_optimizers_have_the_same_bits_on_an_older_cpu(run_python):
    newer = " ".join(feature for feature in __cpu_dispatch__ if __cpu_features__[feature])
    script = "from test_bits import hash_of_powers; print(hash_of_powers())"
    assert run_python("-c", script, NPY_DISABLE_CPU_FEATURES=newer).stdout.strip() == hash_of_powers()


@pytest.mark.parametrize("rows", [1, 7, 64])
@pytest.mark.parametrize("kind", STREAMING)
def test_a_stream_gives_the_bits_of_the_whole_sequence_for_any_number_of_threads(kind, rows, same_bits):
    by_steps, whole = same_bits(lambda: streamed(kind, rows))
    np.testing.assert_array_equal(by_steps, whole)


@pytest.mark.parametrize("kind", KINDS)
def test_predictions_have_the_same_bits_however_the_rows_are_cut_into_batches(kind, threads):
    threads(5)
    model, x = line_model(kind, 96), values(100, 11, 2)
    whole = model.predict(x, batch_size=100, verbose=0)
    for batch_size in (1, 7, 64):
        np.testing.assert_array_equal(model.predict(x, batch_size=batch_size, verbose=0), whole)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_inputs_and_states_have_the_same_bits_however_the_rows_are_cut(kind, threads):
    threads(5)
    x, dy = values(100, 6, 3), values(100, 6, width_of(kind))
    whole, _ = forward_and_backward(kind, x, dy)
    for size in (1, 7, 64):
        parts = [forward_and_backward(kind, x[i : i + size], dy[i : i + size])[0] for i in range(0, 100, size)]
        for array, pieces in zip(whole, zip(*parts, strict=True), strict=True):
            np.testing.assert_array_equal(np.concatenate(pieces), array)


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    def first_weights(seed):
        recurra.utils.set_random_seed(seed)
        model = recurra.Sequential([recurra.Input((4, 1)), layers.LSTM(8), layers.Dense(1)])
        return np.concatenate([weight.ravel() for weight in model.get_weights()])

    np.testing.assert_array_equal(first_weights(3), first_weights(3))
    assert np.any(first_weights(3) != first_weights(4))
