"""What things cost in counts that no other program on the machine can change, and the ceilings they must stay under.

    python tests/costs/costs.py            prints every cost beside its ceiling
    python tests/costs/costs.py --update   sets the ceilings: what was counted and a margin (`make ceilings`)

Kernels are counted by valgrind on the AVX2 target and one thread: instructions, and reads of memory, for each vector
that the case must multiply and add at the very least. One instruction would be nothing but fused multiply-adds; reads
grow where sums or weights leave the registers. Python is counted in calls of functions.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
CEILINGS = Path(__file__).with_name("ceilings.txt")
# Room for other compilers and Pythons; what the guard is for costs far more: scalar gates, sums that leave registers.
MARGIN = 1.10
LAYERS = ("simple_rnn", "lstm", "gru")
KERNELS = (
    *(f"{layer} {shape}" for layer in LAYERS for shape in ("32 24 1 32", "8 6 64 256", "6 4 1 300")),
    "gru-reset-before 32 24 1 32",
    "lstm 5 7 3 17",
    *(f"forward-{layer} 1 24 1 64" for layer in LAYERS),
    "adam 100003",
)


def missing_tool() -> str | None:
    """Returns why kernels cannot be counted here; None where they can."""
    if sysconfig.get_platform() != "linux-x86_64":
        return f"ceilings are those of AVX2 on Linux, this is {sysconfig.get_platform()}"
    needed = [name for name in ("valgrind", "cmake", "ninja") if not shutil.which(name, path=_path())]
    if needed:
        return f"needs {', '.join(needed)}"
    return None if _build_folders() else "needs the build folder of an installation from sources"


def build_driver() -> Path:
    """Compiles native/tests/instructions.cpp against the engine of the installed module, and returns the program."""
    folder = max(_build_folders(), key=lambda found: found.stat().st_mtime).parent
    command = ["cmake", "--build", str(folder), "--target", "instructions"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "PATH": _path()})
    return folder / "instructions"


def count_kernel(driver: Path, case: str) -> list[float]:
    """Returns the instructions and the reads of a case for each vector that it must multiply and add."""
    tool = ["valgrind", "--tool=callgrind", "--toggle-collect=measured", "--callgrind-out-file=/dev/null"]
    run = subprocess.run(
        [*tool, "--cache-sim=yes", str(driver), *case.split()],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "RECURRA_TARGET": "avx2", "RECURRA_NUM_THREADS": "1"},
    )
    collected = re.search(r"Collected : (\d+) (\d+)", run.stderr)
    assert collected, run.stderr
    return [int(count) / float(run.stdout) for count in collected.groups()]


def _path() -> str:
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])


def _build_folders() -> list[Path]:
    return list(ROOT.glob("build/cp*/build.ninja"))


# Python ---------------------------------------------------------------------------------------------------------------


def count_calls(work: Callable[[], object]) -> int:
    """Returns how many functions a call makes, Python's and C's."""
    calls = 0

    def profile(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(before)
    return calls


def _model_and_data() -> tuple:
    import recurra

    rng = np.random.default_rng(0)
    x = rng.normal(size=(320, 6, 1)).astype(np.float32)
    y = rng.normal(size=(320, 1)).astype(np.float32)
    model = recurra.Sequential([recurra.Input((6, 1)), recurra.layers.LSTM(8), recurra.layers.Dense(1)])
    model.compile(optimizer="adam", loss="mse")
    return model, x, y


def calls_of_train_on_batch() -> int:
    model, x, y = _model_and_data()
    for _ in range(2):
        model.train_on_batch(x[:32], y[:32])
    return count_calls(lambda: model.train_on_batch(x[:32], y[:32]))


def calls_of_a_fit_step() -> int:
    """Ten steps of `fit` less five, so that what comes once an epoch is left out."""
    model, x, y = _model_and_data()

    def steps(count: int) -> int:
        return count_calls(lambda: model.fit(x[: 32 * count], y[: 32 * count], batch_size=32, verbose=0))

    steps(5)
    return round((steps(10) - steps(5)) / 5)


def calls_of_predict() -> int:
    model, x, _ = _model_and_data()
    for _ in range(2):
        model.predict(x[:1], verbose=0)
    return count_calls(lambda: model.predict(x[:1], verbose=0))


def calls_of_a_stream_step() -> int:
    model, x, _ = _model_and_data()
    stream = model.stream()
    for _ in range(2):
        stream.step(x[0, 0])
    return count_calls(lambda: stream.step(x[0, 0]))


def calls_of_an_area_under_a_curve() -> int:
    """However many thresholds, each row is looked at once."""
    import recurra

    metric, rows = recurra.metrics.AUC(), np.linspace(0, 1, 100_000, dtype=np.float32)
    metric.update_state(rows > 0.5, rows)
    return count_calls(lambda: metric.update_state(rows > 0.5, rows))


def calls_of_stacked_cells() -> int:
    """However many time steps, each cell runs once."""
    import recurra

    layer = recurra.layers.RNN([recurra.layers.LSTMCell(8), recurra.layers.GRUCell(8)])
    x = np.zeros((2, 100, 1), np.float32)
    layer(x)
    return count_calls(lambda: layer(x))


def calls_of_padding() -> int:
    """For each thousand of sequences."""
    from recurra.utils import pad_sequences

    sequences = [list(range(length % 10)) for length in range(1000)]
    pad_sequences(sequences)
    return count_calls(lambda: pad_sequences(sequences))


def calls_of_numbering_words() -> int:
    """For each text of ten words."""
    from recurra.compat.tensorflow.keras.preprocessing.text import Tokenizer

    tokenizer, texts = Tokenizer(oov_token="?"), ["one two three four five six seven eight nine ten"] * 100
    tokenizer.fit_on_texts(texts)
    return round(count_calls(lambda: tokenizer.texts_to_sequences(texts)) / len(texts))


def calls_of_theta() -> int:
    """For each series of a panel of 100: what is of all series alike is made once."""
    from recurra.forecasting.baselines import forecast_with_errors

    past = np.sin(np.arange(100)[:, None] + np.arange(60) * np.pi / 6) + 3
    forecast_with_errors("theta", past[:1], 12, (12,))
    return round(count_calls(lambda: forecast_with_errors("theta", past, 12, (12,))) / len(past))


def calls_of_reading(n_series: int) -> int:
    """For each thousand of rows of texts: 20,000 less 10,000, so that what comes once a table is left out."""
    import polars

    from recurra.forecasting import read_panel

    def rows(count: int) -> int:
        times = np.datetime64("2000-01-01", "s") + 3600 * np.arange(count // n_series)
        columns = {
            "unique_id": [f"series {i}" for i in range(n_series) for _ in times],
            "ds": times.astype(str).tolist() * n_series,
            "y": [f"{value / 7:.4f}" for value in range(count)],
        }
        frame = polars.DataFrame(columns)
        return count_calls(lambda: read_panel(frame))

    rows(10_000)
    return round((rows(20_000) - rows(10_000)) / 10)


PYTHON: dict[str, Callable[[], int]] = {
    "train_on_batch": calls_of_train_on_batch,
    "fit, each step": calls_of_a_fit_step,
    "predict": calls_of_predict,
    "stream.step": calls_of_a_stream_step,
    "AUC of 100,000 rows": calls_of_an_area_under_a_curve,
    "RNN of two cells, 100 steps": calls_of_stacked_cells,
    "pad_sequences, 1,000 sequences": calls_of_padding,
    "texts_to_sequences, each text": calls_of_numbering_words,
    "theta, each series": calls_of_theta,
    "1,000 rows of one series": lambda: calls_of_reading(1),
    "1,000 rows of a hundred series": lambda: calls_of_reading(100),
}


# Ceilings -------------------------------------------------------------------------------------------------------------


def count(case: str, driver: Path) -> list[float]:
    """Returns the costs of any case."""
    return [float(PYTHON[case]())] if case in PYTHON else count_kernel(driver, case)


def read_ceilings() -> dict[str, list[float]]:
    """Returns the ceilings of each case."""
    lines = CEILINGS.read_text(encoding="utf-8").splitlines()
    pairs = (line.split(":") for line in lines if line and not line.startswith("#"))
    return {case: [float(ceiling) for ceiling in ceilings.split()] for case, ceilings in pairs}


def write_ceilings(costs: dict[str, list[float]]) -> None:
    """Writes ceilings that leave room for the margin."""
    lines = [
        "# Written by `make ceilings`: what was counted and a margin of 10 %. A commit says why one rises.",
        "# Kernels, N T D H: instructions and reads for each vector that must be multiplied and added. Python: calls.",
    ]
    for case, counted in costs.items():
        lines.append(f"{case}: {' '.join(f'{cost * MARGIN:.2f}' for cost in counted)}")
    CEILINGS.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true", help="set the ceilings")
    update = parser.parse_args().update
    if missing := missing_tool():
        sys.exit(missing)
    driver, ceilings, costs = build_driver(), read_ceilings(), {}
    for case in (*KERNELS, *PYTHON):
        costs[case] = count(case, driver)
        columns = "".join(f"{cost:9.2f}" for cost in costs[case])
        known = " ".join(map(str, ceilings.get(case, ["none"])))
        print(f"{case:32}{columns:18}   ceilings {known}", flush=True)
    if update:
        write_ceilings(costs)


if __name__ == "__main__":
    main()
