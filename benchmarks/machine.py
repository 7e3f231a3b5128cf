"""What the figures were measured on, and the environment that measured processes get."""

import os
import platform
from pathlib import Path

# As users run Python, whatever this process was told: compiled modules kept on disk, each library's BLAS choosing its
# kernels by itself, no GPU, no chatter.
LEFT_OUT = {"PYTHONDONTWRITEBYTECODE", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "RECURRA_TARGET"}
ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in LEFT_OUT} | {
    "CUDA_VISIBLE_DEVICES": "",
    "JAX_PLATFORMS": "cpu",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


def cores() -> list[int]:
    """Returns the numbers of the cores that this process may use."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


def facts() -> dict[str, str | int]:
    """Returns what a figure depends on."""
    import recurra  # here, because the jobs of other libraries import this module too

    return {
        "cpu": _cpu_name(),
        "cores": len(cores()),
        "target": recurra.native_info()["target"],
        "python": platform.python_version(),
        "system": platform.system(),
    }


def _cpu_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
