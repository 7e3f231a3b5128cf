"""Flat arrays that hold many weights end to end."""

import gc
import platform
import weakref

import numpy as np
import pytest

from recurra import Sequential, _memory, layers
from recurra.optimizers.slots import Slot
from recurra.variables import Arena, Variable

HUGE_PAGE = 2 << 20


@pytest.mark.parametrize("size", [0, 1, 7, HUGE_PAGE // 8 - 1, HUGE_PAGE // 8, HUGE_PAGE // 4, 1_000_003])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_zeros_are_as_numpys_and_begin_at_a_cache_line_large_ones_at_a_huge_page(size, dtype):
    flat = _memory.zeros(size, np.dtype(dtype))

    assert flat.shape == (size,) and flat.dtype == dtype and not flat.any()
    assert flat.flags.c_contiguous and flat.flags.writeable
    assert flat.size == 0 or flat.ctypes.data % (HUGE_PAGE if flat.nbytes >= HUGE_PAGE // 2 else 64) == 0


def test_arrays_end_to_end_keep_values_and_shapes():
    arrays = [np.arange(6.0).reshape(2, 3), np.array(7.0), np.zeros((0, 4)), np.arange(3.0)]

    flat, laid = _memory.end_to_end(arrays)

    assert flat.tolist() == [0, 1, 2, 3, 4, 5, 7, 0, 1, 2]
    for view, array in zip(laid, arrays, strict=True):
        np.testing.assert_array_equal(view, array)
        assert view.shape == array.shape and (view.size == 0 or np.shares_memory(view, flat))


@pytest.mark.parametrize("units", [3, 1000])  # of 1000: on huge pages
def test_an_arena_knows_when_a_variable_has_moved(units):
    variables = [Variable(np.ones((units, units), np.float32)), Variable(np.zeros(units, np.float32))]
    arena = Arena(variables)
    assert arena.is_current()

    variables[1].value = variables[1].value.copy()

    assert not arena.is_current()


def test_slots_of_two_dtypes_can_be_written():
    start = np.zeros((), np.float32)
    variables = [Variable(np.zeros(2, np.float32)), Variable(np.zeros(3, np.float64))]
    variables[0].value = np.broadcast_to(start, (2,))

    slot = Slot(variables)
    slot.fill(1.5)

    assert slot.array(0).tolist() == [1.5, 1.5] and slot.array(1).tolist() == [1.5, 1.5, 1.5]


STEPS = """
import resource
import numpy as np
from recurra import Input, Sequential, layers

recurrent = layers.LSTM(64, return_sequences=True), layers.LayerNormalization(), layers.LSTM(64)
model = Sequential([Input((48, 4)), *recurrent])
model.compile("adam", "mse")
x, y = np.zeros((32, 48, 4), np.float32), np.zeros((32, 64), np.float32)
for _ in range(5):
    model.train_on_batch(x, y)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    model.train_on_batch(x, y)
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 20)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the rule is glibc's")
def test_memory_of_a_step_is_kept_for_the_next(run_python):
    assert float(run_python("-c", STEPS).stdout) < 100  # pages; 1,700 before


@pytest.mark.parametrize("trained", [False, True])
def test_dropped_models_give_their_memory_back_in_time(trained, monkeypatch):
    monkeypatch.setattr(_memory, "_MOST_UNCOLLECTED", 10 << 20)
    monkeypatch.setattr(_memory, "_uncollected_bytes", 0)
    gc.collect()
    thresholds = gc.get_threshold()
    gc.set_threshold(10**6)  # by its own count the collector would not come
    try:
        made = []
        for _ in range(12):
            model = Sequential([layers.Input((4, 2)), layers.LSTM(300), layers.Dense(1)])  # 1.4 MB
            if trained:
                model.compile("adam", "mse")
                model.train_on_batch(np.zeros((2, 4, 2)), np.zeros((2, 1)))
            model.predict(np.zeros((2, 4, 2)), verbose=0)
            made.append(weakref.ref(model.layers[0]))
        alive = sum(layer() is not None for layer in made)
    finally:
        gc.set_threshold(*thresholds)
    assert alive <= (3 if trained else 8)
