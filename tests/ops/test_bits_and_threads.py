"""Equal bits for any number of threads and on every target; the pool under threads and forks; denormals."""

import hashlib
import os
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import recurra
from recurra.ops import native

SCRIPT = "import sys; from test_bits_and_threads import kernels_hash; print(kernels_hash())"
SIZES = [(1, 5, 1, 32), (6, 4, 1, 300), (3, 7, 2, 17), (33, 6, 5, 64), (8, 3, 40, 130), (1, 27, 40, 300)]


def kernels_hash():
    """Returns a hash of what all sequence kernels give, forward and backward, in both dtypes."""
    rng = np.random.default_rng(0)
    digest = hashlib.sha256()
    for n, t, d, h in SIZES:
        for name, gates, states in (("simple_rnn", 1, 1), ("lstm", 4, 2), ("gru", 3, 1), ("gru_before", 3, 1)):
            for dtype in (np.float32, np.float64):
                bias_shape = (2, gates * h) if name == "gru" else (gates * h,)
                shapes = [(n, t, d), (d, gates * h), (h, gates * h), bias_shape, *[(n, h)] * states]
                arrays = [(rng.standard_normal(shape) * 0.5).astype(dtype) for shape in shapes]
                kind = name.removesuffix("_before")
                options = {"reset_after": name == "gru"} if kind == "gru" else {}
                mask = rng.random((n, t)) < 0.8
                factors = {
                    "input_masks": rng.random((gates, n, d)).astype(dtype),
                    "recurrent_masks": rng.random((gates, n, h)).astype(dtype),
                }
                for dropout in ({}, factors):
                    forward, backward = getattr(native, f"{kind}_forward"), getattr(native, f"{kind}_backward")
                    y, *finals, cache = forward(*arrays, mask, training=True, **options, **dropout)
                    grads = [np.zeros_like(array) for array in arrays[1:4]]
                    dfinals = [None] * len(finals)
                    back = backward(np.cos(y).astype(dtype), *dfinals, cache, *grads)
                    for array in (y, *finals, *back, *grads):
                        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def test_kernels_give_the_same_bits_for_any_number_of_threads(same_bits):
    same_bits(kernels_hash)


def test_kernels_give_the_same_bits_on_avx2_and_avx512(run_python):
    supported = native.native_info()["supported"]
    if not {"avx2", "avx512"} <= set(supported):
        pytest.skip(f"this CPU has {', '.join(supported)}, not both AVX2 and AVX-512")
    first, second = (run_python("-c", SCRIPT, RECURRA_TARGET=target).stdout for target in ("avx2", "avx512"))
    assert first == second


def test_every_supported_target_can_be_forced(run_python):
    assert native.native_info()["target"] in native.native_info()["supported"]
    for target in native.native_info()["supported"]:
        run = run_python("-c", "import recurra; print(recurra.native_info()['target'])", RECURRA_TARGET=target)
        assert run.stdout.strip() == target


@pytest.mark.parametrize("target", ["avx1024", "neon"])
def test_an_unknown_or_unsupported_target_is_an_error(target, run_python):
    if target in native.native_info()["supported"]:
        pytest.skip(f"this CPU has {target}")
    run = run_python("-c", "import recurra", check=False, RECURRA_TARGET=target)
    assert run.returncode != 0
    assert "RECURRA_TARGET" in run.stderr and target in run.stderr


def test_the_number_of_threads_is_taken_from_the_environment(run_python):
    run = run_python("-c", "import recurra; print(recurra.get_num_threads())", RECURRA_NUM_THREADS="3")
    assert run.stdout.strip() == "3"


@pytest.mark.parametrize("count", [0, -1, 257, 1.5, True, "2", None])
def test_a_number_of_threads_that_is_none_is_refused(count):
    before = recurra.get_num_threads()
    message = f"set_num_threads expected a number from 1 to 256, got {count!r}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        recurra.set_num_threads(count)
    assert recurra.get_num_threads() == before


def test_the_most_threads_are_taken(threads):
    threads(256)
    assert recurra.get_num_threads() == 256


def test_calls_from_many_python_threads_are_safe(threads):
    threads(2)
    x = np.random.default_rng(0).standard_normal((16, 20, 4)).astype(np.float32)
    layer = recurra.layers.LSTM(48)
    wanted = layer(x).numpy()
    results, errors = [], []

    def call():
        try:
            results.extend(np.array_equal(layer(x), wanted) for _ in range(25))
        except Exception as error:
            errors.append(error)

    workers = [threading.Thread(target=call) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not errors
    assert len(results) == 150 and all(results)


def test_kernels_give_the_same_bits_to_python_threads_that_share_the_pool(threads):
    threads(2)
    wanted = kernels_hash()
    with ThreadPoolExecutor(4) as pool:
        hashes = set(pool.map(lambda _: kernels_hash(), range(12)))
    assert hashes == {wanted}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_computes_too(threads, run_python):
    code = """
import os, sys
import numpy as np
import recurra
recurra.set_num_threads(2)
x = np.ones((16, 20, 4), np.float32)
layer = recurra.layers.LSTM(48)
wanted = layer(x).numpy()
child = os.fork()
if child == 0:
    os._exit(0 if np.array_equal(layer(x), wanted) else 1)
_, status = os.waitpid(child, 0)
assert np.array_equal(layer(x), wanted)
sys.exit(os.waitstatus_to_exitcode(status))
"""
    run_python("-c", code)


def test_python_exits_while_daemon_threads_compute(run_python):
    code = """
import sys, threading
import numpy as np
from recurra import Sequential, layers
model = Sequential([layers.Input((40, 3)), layers.LSTM(128), layers.Dense(1)])
model.compile("adam", "mse")
x, y = np.ones((64, 40, 3), np.float32), np.ones((64, 1), np.float32)
started = threading.Barrier(4)
def repeat(call):
    call()
    started.wait()
    while True:
        call()
def step():
    stream = model.stream(64)
    for t in range(40):
        stream.step(x[:, t])
calls = (lambda: model.predict(x, verbose=0), lambda: model.train_on_batch(x, y), step)
for call in calls:
    threading.Thread(target=repeat, args=(call,), daemon=True).start()
started.wait()
sys.exit(7)
"""
    run = run_python("-c", code, check=False)
    assert (run.returncode, run.stderr) == (7, "")


def test_denormals_are_zero_inside_and_as_before_outside():
    tiny = np.full(40, 1e-40, np.float32)
    assert (native.matmul(tiny.reshape(1, 40), np.ones((40, 3), np.float32)) == 0).all()
    assert np.float32(1e-40) * np.float32(1) != 0
    assert (tiny * np.float32(0.5) != 0).all()


@pytest.mark.parametrize(
    "call",
    [
        lambda: native.matmul(np.zeros((2, 3), np.float32), np.zeros((4, 5), np.float32)),
        lambda: native.matmul(np.zeros((2, 3), np.float32), np.zeros((3, 5), np.float64)),
        lambda: native.batched_matmul(np.zeros((2, 3, 4), np.float32), np.zeros((1, 4, 3), np.float32)),
        lambda: native.batched_matmul(np.zeros((2, 3, 4), np.float32), np.zeros((2, 3, 4), np.float32)),
        lambda: native.simple_rnn_forward(
            np.zeros((2, 3, 4), np.float32),
            np.zeros((5, 6), np.float32),
            np.zeros((6, 6), np.float32),
            None,
            None,
            None,
        ),
        lambda: native.add_rows(np.zeros((3, 2), np.float32), np.zeros((1, 2), np.float32), np.array([-1])),
        lambda: native.add_rows(np.zeros((3, 2), np.float32), np.zeros((1, 3), np.float32), np.array([0])),
    ],
)
def test_arrays_that_do_not_fit_are_refused_and_crash_nothing(call):
    with pytest.raises((ValueError, TypeError, IndexError)):
        call()
