"""What the figures were measured on, and with what."""

import os
import platform
from pathlib import Path

import numpy as np

# As users run Python: with its compiled modules kept on disk, which some build machines switch off.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def describe() -> str:
    """Returns one line: CPU, cores, instruction set, versions."""
    import recurra  # here, because a job of another library imports this module too

    info = recurra.native_info()
    return (
        f"{_cpu_name()}, {os.cpu_count()} cores, target {info['target']}, "
        f"recurra {recurra.__version__}, NumPy {np.__version__}, Python {platform.python_version()}"
    )


def _cpu_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
