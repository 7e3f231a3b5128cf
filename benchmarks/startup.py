"""How long does an import take, and how many megabytes does an installation hold?

    python benchmarks/startup.py [--quick] [--peers PYTHON,...] [--json FILE]

Times are those of a whole Python process that imports the library and ends; Python alone is a row of its own.
"""

import json
import subprocess
import sys
from pathlib import Path

import harness

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


def size_of(python: str, library: str) -> dict[str, int]:
    """Returns the bytes and the number of the distributions that an installation of a library holds."""
    command = [python, str(Path(__file__).with_name("installed.py")), *LIBRARIES[library][1]]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measure(options: harness.Options) -> list[dict]:
    runs = 3 if options.quick else 15
    own = ("Python alone", "numpy", "recurra", "recurra[forecast]")
    pythons = dict.fromkeys(own, sys.executable) | options.peers()
    jobs = []
    for library, python in pythons.items():
        module = LIBRARIES[library][0]
        jobs.append((library, [python, "-c", f"import {module}" if module else ""]))
    times = harness.times_of_processes(jobs, runs)
    return [
        {"library": library, **spread, **size_of(python, library)}
        for (library, python), spread in zip(pythons.items(), times, strict=True)
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
