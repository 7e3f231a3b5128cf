"""How long does `import recurra` take, and how many megabytes does an installation hold?

python benchmarks/startup.py
"""

import re
import statistics
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import machine

import recurra

RUNS = 15


def process_s(code: str) -> float:
    """Returns the median wall time of a Python process that runs `code`, after one that is not counted."""
    times = []
    for _ in range(1 + RUNS):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, env=machine.ENVIRONMENT)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def distributions(name: str, extra: str = "") -> set[str]:
    """Returns the names of a distribution and of all that it requires, with an extra of its own."""
    found = {name}
    for requirement in metadata.requires(name) or []:
        needs, _, marker = requirement.partition(";")
        for_extra = re.search(r"extra == ['\"]([\w.-]+)['\"]", marker)
        required = re.match(r"[\w.-]+", needs)[0]
        if (not for_extra or for_extra[1] == extra) and required not in found and _is_installed(required):
            found |= distributions(required)
    return found


def megabytes(names: set[str]) -> float:
    """Returns the size of the files that these distributions installed."""
    files = {Path(file.locate()) for name in names for file in metadata.files(name) or []}
    files |= set(Path(recurra.__file__).parent.rglob("*.py"))  # of an editable installation
    return sum(file.stat().st_size for file in files if file.exists()) / 1e6


def _is_installed(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True


if __name__ == "__main__":
    print(machine.describe())
    empty, numpy, whole = (process_s(code) for code in ("", "import numpy", "import recurra"))
    print(f"Python alone {empty:.3f} s, with NumPy {numpy:.3f} s, with recurra {whole:.3f} s")
    print(f"import recurra: {whole - empty:.3f} s, of which NumPy {numpy - empty:.3f} s")
    for extra in ("", "forecast"):
        names = distributions("recurra", extra)
        label = f"recurra[{extra}]" if extra else "recurra"
        print(f"{label:18} {megabytes(names):6.1f} MB in {len(names)} distributions")
