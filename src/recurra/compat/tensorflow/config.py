"""`tf.config`: there is one device, the CPU, and nothing to set on it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from recurra._missing import says_what_to_do

__all__ = [
    "enable_op_determinism",
    "experimental",
    "list_logical_devices",
    "list_physical_devices",
    "optimizer",
    "run_functions_eagerly",
    "set_inter_op_parallelism_threads",
    "set_intra_op_parallelism_threads",
    "set_jit",
    "set_memory_growth",
    "set_visible_devices",
    "threading",
]

# `experimental` is where the functions stood before; the other two hold some of them.
experimental = optimizer = threading = sys.modules[__name__]


def list_physical_devices(device_type: str | None = None) -> list[str]:
    """Returns the devices of a type ("CPU", "GPU"), all if None."""
    return ["/physical_device:CPU:0"] if device_type in (None, "CPU") else []


def list_logical_devices(device_type: str | None = None) -> list[str]:
    """Returns the same devices: they are not divided."""
    return list_physical_devices(device_type)


def set_memory_growth(device: Any, enable: bool) -> None:
    """Changes nothing: it is for GPUs."""


def set_visible_devices(devices: Any, device_type: str | None = None) -> None:
    """Changes nothing: there is one device."""


def enable_op_determinism() -> None:
    """Changes nothing: the same seed gives the same numbers anyway."""


def run_functions_eagerly(run_eagerly: bool) -> None:
    """Changes nothing: everything runs at once."""


def set_jit(enabled: Any) -> None:
    """Changes nothing: there is no graph to compile."""


def set_inter_op_parallelism_threads(num_threads: int) -> None:
    """Changes nothing: one operation runs at a time."""


def set_intra_op_parallelism_threads(num_threads: int) -> None:
    """Changes nothing: RECURRA_NUM_THREADS sets the threads."""


if not TYPE_CHECKING:  # type checkers would take every name for one that is there
    __getattr__ = says_what_to_do(__name__)
