"""Damaged files and killed processes."""

import os
import random
import subprocess
import sys
import time

import numpy as np
import pytest

import recurra
from recurra import layers

# Changes files at random and loads them, in a process of its own whose memory is limited.
FUZZ = """
import os, random, sys, tracemalloc
import recurra
from recurra.errors import FileFormatError

if os.name == "posix":
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (2**32, 2**32))

path, count = sys.argv[1], int(sys.argv[2])
sound = open(path, "rb").read()
chance = random.Random(5)
model = recurra.models.load_model(sys.argv[3])
refused = 0
tracemalloc.start()
for _ in range(count):
    data = bytearray(sound)
    if chance.random() < 0.2:
        del data[chance.randrange(len(data)):]
    for _ in range(chance.choice([1, 1, 4, 64])):
        if data:
            data[chance.randrange(len(data))] = chance.choice([0, 1, 0x7F, 0xFF, chance.randrange(256)])
    with open(path, "wb") as file:
        file.write(data)
    try:
        if path.endswith(".keras"):
            recurra.models.load_model(path)
        else:
            model.load_weights(path)
    except FileFormatError as error:
        assert "\\n" not in str(error)
        refused += 1
assert tracemalloc.get_traced_memory()[1] < 2**26, tracemalloc.get_traced_memory()
print(refused)
"""

# Saves over and over, all weights ones or all twos.
SAVER = """
import sys
import numpy as np
import recurra
from recurra import layers

model = recurra.Sequential([recurra.Input((4, 3)), layers.LSTM(150), layers.Dense(1)])
value = 0
while True:
    value = value % 2 + 1
    model.set_weights([np.full(weight.shape, value) for weight in model.get_weights()])
    model.save(sys.argv[1])
"""


@pytest.mark.parametrize("ending", [".keras", ".weights.h5"])
def test_a_damaged_file_is_loaded_or_refused_in_one_line(ending, tmp_path, run_python):
    model = recurra.Sequential([recurra.Input((4, 3)), layers.Bidirectional(layers.GRU(3)), layers.Dense(1)])
    model.compile("adam", "mse")
    model.save(tmp_path / "model.keras")
    target = tmp_path / f"damaged{ending}"
    (model.save if ending == ".keras" else model.save_weights)(target)
    run = run_python("-W", "ignore", "-c", FUZZ, target, 400, tmp_path / "model.keras")
    assert int(run.stdout) > 50


@pytest.mark.skipif(os.name != "posix", reason="kills a process by a signal")
def test_a_killed_save_leaves_the_old_or_the_new_file(tmp_path):
    """RECURRA_KILLS=200 asks for more than the 5 kills of an ordinary run."""
    path = tmp_path / "m.keras"
    chance = random.Random(time.time_ns())
    seen = set()
    for _ in range(int(os.environ.get("RECURRA_KILLS", "5"))):
        path.unlink(missing_ok=True)
        process = subprocess.Popen([sys.executable, "-c", SAVER, str(path)])
        while not path.exists():
            assert process.poll() is None
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 0.1))
        process.kill()
        process.wait()
        weights = recurra.models.load_model(path).get_weights()
        values = {float(value) for weight in weights for value in np.unique(weight)}
        assert values in ({1.0}, {2.0})
        seen |= values
    assert seen
