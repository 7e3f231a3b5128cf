"""What all tests share: the seeds, Ctrl-C, how long hypothesis may look, and what several of them measure."""

import gc
import os
import signal
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

import recurra
from recurra import _tree

settings.register_profile(
    "recurra", deadline=None, max_examples=50, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("recurra")


@pytest.fixture(autouse=True, scope="session")
def ctrl_c():
    """SIGINT raises KeyboardInterrupt, also where pytest was started in the background, which has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def seeded():
    """Every test begins from the same state of recurra's, NumPy's and Python's random numbers."""
    recurra.random.set_random_seed(1234)


@pytest.fixture
def rng():
    """A generator of its own for the data of a test."""
    return np.random.default_rng(1234)


@pytest.fixture
def threads():
    """recurra.set_num_threads, for one test."""
    before = recurra.get_num_threads()
    yield recurra.set_num_threads
    recurra.set_num_threads(before)


@pytest.fixture
def same_bits(threads):
    """Returns a function: checks that another gives the same bits for any number of threads, and returns them."""

    def check(call):
        found = []
        for count in (1, 2, 3, 5, 8):
            threads(count)
            found.append([np.asarray(array) for array in _tree.flatten(call())])
        assert found[0]
        for arrays in found[1:]:
            for one, other in zip(arrays, found[0], strict=True):
                np.testing.assert_array_equal(one, other)
                assert one.tobytes() == other.tobytes()  # the signs of zeros too
        return found[0]

    return check


@pytest.fixture
def growth():
    """Returns a function: by how many bytes 2000 calls of another let Python's memory grow, after 100 to warm up."""

    def measure(call):
        def many(count):
            for _ in range(count):
                call()
            gc.collect()

        tracemalloc.start()
        try:
            many(100)
            before = tracemalloc.get_traced_memory()[0]
            many(2000)
            return tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()

    return measure


@pytest.fixture
def run_python(request):
    """Returns a function that runs Python beside the file of the test: what it needs to import its functions."""

    def run(*arguments, check=True, **environment):
        paths = [str(request.path.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        finished = subprocess.run(
            [sys.executable, *map(str, arguments)],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)} | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert finished.returncode == 0 or not check, finished.stderr
        return finished

    return run


@pytest.fixture
def slopes():
    """Returns a function: finite differences of another, without arguments, in each element of an array it reads."""

    def measure(function, array, step=1e-6):
        found = np.zeros_like(array)
        for index in np.ndindex(array.shape):
            kept, ends = array[index], []
            for array[index] in (kept + step, kept - step):
                ends.append(function())
            array[index] = kept
            found[index] = (ends[0] - ends[1]) / (2 * step)
        return found

    return measure


@pytest.fixture
def check_gradients(rng, slopes):
    """Returns a function: the gradients of a float64 layer's inputs and weights are those of finite differences."""

    def check(layer, *inputs, **call):
        def run():
            outputs, cache = layer.forward(list(inputs) if len(inputs) > 1 else inputs[0], **call)
            return _tree.flatten(outputs), cache

        def loss():
            return sum(float((y * dy).sum()) for y, dy in zip(run()[0], douts, strict=True))

        outputs, cache = run()
        douts = [rng.standard_normal(y.shape) for y in outputs]
        for weight in layer.weights:
            weight.zero_grad()
        dx = layer.backward_all(douts if len(douts) > 1 else douts[0], cache)[0]
        pairs = [*zip(inputs, _tree.flatten(dx), strict=True), *((w.value, w.grad) for w in layer.trainable_weights)]
        for array, gradient in pairs:
            np.testing.assert_allclose(gradient, slopes(loss, array), rtol=1e-5, atol=1e-8)

    return check
