"""One library in a process of its own; lines of JSON in, lines of JSON out. harness.py starts it:

python worker.py LIBRARY THREADS

{"prepare": "train_step", "case": {...}}  ->  {} once the case is ready and warm
{"run": SECONDS}                          ->  {"deciles": [s, ...]}, nine, of the times of one call
"""

import importlib
import json
import os
import statistics
import sys
import time
from collections.abc import Callable

QUESTIONS = ("train_step", "dropout_step", "model_step", "predict", "stream", "sgemm")
SAMPLE_S = 20e-6  # shorter calls are timed several at once
WARM_S = 0.2


def timed(call: Callable[[], object], times: int) -> float:
    """Returns the seconds of one of `times` calls."""
    start = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - start) / times


def warm(call: Callable[[], object]) -> int:
    """Calls until caches and compilers have seen all, and returns how many calls make one sample."""
    end = time.perf_counter() + WARM_S
    once = min(timed(call, 1) for _ in range(2))
    while time.perf_counter() < end:
        once = min(once, timed(call, 1))
    return max(1, round(SAMPLE_S / once))


def run(call: Callable[[], object], times: int, seconds: float) -> list[float]:
    """Returns the nine deciles of as many samples as fit into `seconds`, of one at least."""
    first = timed(call, 1)  # caches are another library's: it counts only where there is no time for a second
    samples = [first] if first > seconds else []
    end = time.perf_counter() + seconds - first
    while not samples or time.perf_counter() < end:
        samples.append(timed(call, times))
    return statistics.quantiles(samples, n=10, method="inclusive") if len(samples) > 1 else samples * 9


def main(library: str, threads: int) -> None:
    """Answers until stdin ends."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print goes to stderr
    cases = importlib.import_module(f"libraries.{library.partition('-')[0]}_cases")
    cases.start(threads)

    def answer(what: dict) -> None:
        print(json.dumps(what), file=answers, flush=True)

    answer({"questions": [name for name in QUESTIONS if hasattr(cases, name)]})
    call, times = None, 1
    for line in sys.stdin:
        request = json.loads(line)
        if "prepare" in request:
            call = getattr(cases, request["prepare"])(**request["case"])
            times = warm(call)
            answer({})
        else:
            answer({"deciles": run(call, times, request["run"])})


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
