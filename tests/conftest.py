"""What all tests share: the seeds, Ctrl-C, how long hypothesis may look, and what several of them measure."""

import gc
import signal
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

import recurra

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
