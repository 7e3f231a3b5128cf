"""What the benchmarks share: options, libraries that take turns on the same cores, tables, JSON."""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import machine

# What each library needs to be importable. Keras runs on each backend that is there.
PEERS = {
    "torch": ("torch",),
    "jax": ("jax",),
    "onnxruntime": ("onnxruntime",),
    "keras-torch": ("keras", "torch"),
    "keras-jax": ("keras", "jax"),
    "keras-tensorflow": ("keras", "tensorflow"),
}
FIND = """
import importlib.metadata as m, importlib.util as u, json
names = [n for n in {names!r} if u.find_spec(n)]
print(json.dumps({{n: m.version(n) for n in names}}))
"""
REST_S = 0.02  # between turns, for the thread pool of the one before to fall asleep


@dataclass
class Table:
    """What a benchmark prints and what report.py puts into the documentation."""

    columns: list[str]
    rows: list[list[str]]


@dataclass
class Options:
    """How long, and beside whom: Pythons that have other libraries."""

    quick: bool
    pythons: list[str]

    def peers(self) -> dict[str, str]:
        """Returns the libraries that the given Pythons have, and for each the first Python that has it."""
        found: dict[str, str] = {}
        for python in self.pythons:
            versions = versions_in(python)
            found = {name: python for name, needs in PEERS.items() if set(needs) <= set(versions)} | found
        return found

    def versions(self) -> dict[str, str]:
        """Returns the versions of all that is measured, recurra's and NumPy's among them."""
        import recurra

        versions: dict[str, str] = {}
        for python in self.pythons:
            versions = versions_in(python) | versions
        return {"recurra": recurra.__version__, **versions, **versions_in(sys.executable, ("numpy",))}


def versions_in(python: str, names: Sequence[str] = ("torch", "jax", "keras", "tensorflow", "onnxruntime")) -> dict:
    """Returns the versions of those libraries that a Python can import."""
    command = [python, "-c", FIND.format(names=tuple(names))]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def keras_environment(library: str) -> dict[str, str]:
    """Returns the backend of `keras-BACKEND` as an environment variable."""
    return {"KERAS_BACKEND": library.partition("-")[2]} if library.startswith("keras-") else {}


class Worker:
    """A library in a process of its own, bound to as many cores as it has threads: see worker.py."""

    def __init__(self, library: str, python: str, threads: int):
        self.library, self.threads = library, threads
        count = str(threads)
        environment = machine.ENVIRONMENT | keras_environment(library)
        environment |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), count)
        if threads == 1:
            environment["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed by close())
        self._process = subprocess.Popen(
            [python, str(Path(__file__).with_name("worker.py")), library, count],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self.questions = self._answer()["questions"]

    def ask(self, request: dict) -> dict:
        """Sends a request and waits for the answer."""
        print(json.dumps(request), file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> dict:
        line = self._process.stdout.readline()
        if not line:
            self._errors.seek(0)
            raise RuntimeError(f"{self.library} with {self.threads} threads stopped:\n{self._errors.read()[-3000:]}")
        return json.loads(line)

    def close(self) -> None:
        """Ends the process."""
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._errors.close()


def thread_counts() -> list[int]:
    """Returns 1, and 2 where there are as many cores."""
    return [threads for threads in (1, 2) if threads <= len(machine.cores())]


def take_turns(
    options: Options, question: str, cases: list[dict[str, Any]], threads: Sequence[int], beside: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Measures every library in every case: in each round each of them has the cores for a short while.

    Args:
        options: Which peers, and how long.
        question: Name of a function of libraries/*_cases.py.
        cases: Its arguments.
        threads: Thread counts; each library has a process for each.
        beside: Questions that NumPy answers for the same cases in the same rounds.

    Returns:
        One record for each library, thread count and case, in seconds: median and spread over all rounds.
    """
    rounds, slice_s = (3, 0.05) if options.quick else (7, 0.2)
    pythons = {"recurra": sys.executable} | options.peers()
    if beside:
        pythons["numpy"] = sys.executable
    workers = [Worker(library, python, count) for library, python in pythons.items() for count in threads]
    records = []
    try:
        for case in cases:
            taking_part = []
            for worker in workers:
                for asked in (question, *beside):
                    if asked in worker.questions:
                        worker.ask({"prepare": asked, "case": case})
                        taking_part.append(worker)
            deciles: list[list[float]] = [[] for _ in taking_part]  # every round counts alike
            for _ in range(rounds):
                for worker, own in zip(taking_part, deciles, strict=True):
                    time.sleep(REST_S)
                    own += worker.ask({"run": slice_s})["deciles"]
            for worker, own in zip(taking_part, deciles, strict=True):
                named = {name: value for name, value in case.items() if name != "onnx"}
                tenths = statistics.quantiles(own, n=10, method="inclusive")
                times = {"median": tenths[4], "low": tenths[0], "high": tenths[8]}
                records.append({"library": worker.library, "threads": worker.threads, **named, **times})
    finally:
        for worker in workers:
            worker.close()
    return records


def times_of_processes(jobs: Sequence[tuple[str, list[str]]], runs: int) -> list[dict[str, float]]:
    """Measures whole processes, which take turns.

    Args:
        jobs: Libraries, and the commands of processes that use them.
        runs: How often each is measured.

    Returns:
        The wall time of each, as `spread` has it.
    """
    times: list[list[float]] = [[] for _ in jobs]
    for _ in range(1 + runs):
        for (library, command), measured in zip(jobs, times, strict=True):
            environment = machine.ENVIRONMENT | keras_environment(library)
            start = time.perf_counter()
            subprocess.run(command, check=True, env=environment, stderr=subprocess.DEVNULL)
            measured.append(time.perf_counter() - start)
    return [spread(measured[1:]) for measured in times]  # the first round reads the libraries' files


def find(records: list[dict], **wanted: Any) -> dict | None:
    """Returns the record that has these values, if there is one."""
    return next((record for record in records if wanted.items() <= record.items()), None)


def best_peer(records: list[dict], **wanted: Any) -> dict | None:
    """Returns the fastest record of another library that has these values."""
    others = [r for r in records if r["library"] not in ("recurra", "numpy") and wanted.items() <= r.items()]
    return min(others, key=lambda record: record["median"], default=None)


def figure(seconds: float) -> str:
    """Returns a time in three digits and its unit."""
    units = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6))
    unit, size = next((pair for pair in units if seconds >= 0.9995 * pair[1]), units[-1])  # 999.7 µs are 1.00 ms
    return f"{seconds / size:#.3g}".rstrip(".") + f" {unit}"


def with_spread(record: dict) -> str:
    """Returns median and, in brackets, the spread."""
    return f"{figure(record['median'])} ({figure(record['low'])} to {figure(record['high'])})"


def side_by_side(records: list[dict], keys: list[str]) -> Table:
    """Returns one row for each case: recurra with its spread, then the others and how many times as long they took."""
    libraries = list(dict.fromkeys(record["library"] for record in records))
    rows = []
    for own in (record for record in records if record["library"] == "recurra"):
        case = {key: own[key] for key in keys}
        row = [str(value).strip("[]") for value in case.values()] + [with_spread(own)]
        for library in libraries[1:]:
            other = find(records, library=library, **case)
            row.append(f"{figure(other['median'])}, {other['median'] / own['median']:.1f}×" if other else "")
        rows.append(row)
    return Table(["N, T, D, H" if key == "shape" else key for key in keys] + libraries, rows)


def spread(times: Sequence[float]) -> dict[str, float]:
    """Returns the median and the spread of a few runs: the shortest and the longest."""
    return {"median": statistics.median(times), "low": min(times), "high": max(times)}


def describe(result: dict) -> str:
    """Returns one line on what the figures were measured on, and with what."""
    facts = result["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    return f"{facts['cpu']}, {facts['cores']} cores, target {facts['target']}, {versions}, Python {facts['python']}"


def print_table(table: Table) -> None:
    """Prints a table with its columns aligned."""
    widths = [max(map(len, column)) for column in zip(table.columns, *table.rows, strict=True)]
    for row in [table.columns, *table.rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def main(
    question: str,
    measure: Callable[[Options], list[dict]],
    tables: Callable[[dict], list[Table]],
    with_peers: bool = True,
) -> None:
    """Parses the options, measures, prints the tables and writes the JSON file."""
    parser = argparse.ArgumentParser(
        description=sys.modules["__main__"].__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer cases and rounds: a look, not a measurement")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures, for report.py")
    if with_peers:
        parser.add_argument("--peers", default="", metavar="PYTHON,...", help="Pythons that have torch, jax, ...")
    given = parser.parse_args()
    pythons = [python for python in given.peers.split(",") if python] if with_peers else []
    options = Options(given.quick, pythons)
    result = {"question": question, "machine": machine.facts(), "versions": options.versions(), "quick": given.quick}
    print(f"{question}: {describe(result)}", flush=True)
    result["records"] = measure(options)
    for table in tables(result):
        print_table(table)
        print()
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps(result, indent=1), encoding="utf-8")
