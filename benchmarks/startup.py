"""How long does an import take, and how many megabytes does an installation hold?

    python benchmarks/startup.py [--quick] [--peers PYTHON,...] [--json FILE]

Times are those of a whole Python process that imports the library and ends; Python alone is a row of its own.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import harness
import machine

# library -> what is imported, and the distributions that have to be installed for it.
LIBRARIES = {
    "Python alone": ("", []),
    "numpy": ("numpy", ["numpy"]),
    "recurra": ("recurra", ["recurra"]),
    "recurra[forecast]": ("recurra", ["recurra[forecast]"]),
    "torch": ("torch", ["torch", "numpy"]),
    "jax": ("jax", ["jax"]),
    "onnxruntime": ("onnxruntime", ["onnxruntime"]),
    "keras-torch": ("keras", ["keras", "torch"]),
    "keras-jax": ("keras", ["keras", "jax"]),
    "keras-tensorflow": ("keras", ["keras", "tensorflow"]),
}


def process_s(python: str, library: str) -> float:
    """Returns the wall time of a Python process that imports a library."""
    module = LIBRARIES[library][0]
    command = [python, "-c", f"import {module}" if module else ""]
    environment = machine.ENVIRONMENT | harness.keras_environment(library)
    start = time.perf_counter()
    subprocess.run(command, check=True, env=environment, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def size_of(python: str, library: str) -> dict[str, int]:
    """Returns the bytes and the number of the distributions that an installation of a library holds."""
    command = [python, str(Path(__file__).with_name("installed.py")), *LIBRARIES[library][1]]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measure(options: harness.Options) -> list[dict]:
    runs = 3 if options.quick else 15
    own = ("Python alone", "numpy", "recurra", "recurra[forecast]")
    pythons = dict.fromkeys(own, sys.executable) | options.peers()
    times: dict[str, list[float]] = {library: [] for library in pythons}
    for _ in range(1 + runs):
        for library, python in pythons.items():
            times[library].append(process_s(python, library))
    # The first round is not counted: it reads the libraries' files.
    return [
        {"library": library, **harness.spread(times[library][1:]), **size_of(python, library)}
        for library, python in pythons.items()
    ]


def tables(result: dict) -> list[harness.Table]:
    rows = [
        [
            record["library"],
            harness.with_spread(record),
            f"{record['bytes'] / 1e6:.0f} MB" if record["distributions"] else "",
            str(record["distributions"] or ""),
        ]
        for record in result["records"]
    ]
    return [harness.Table(["library", "process that imports it", "installed", "distributions"], rows)]


if __name__ == "__main__":
    harness.main("startup", measure, tables)
