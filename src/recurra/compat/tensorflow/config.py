"""`tf.config`: there is one device, the CPU, and nothing to set on it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from recurra._missing import says_what_to_do

__all__ = ["experimental", "list_logical_devices", "list_physical_devices", "set_memory_growth"]

experimental = sys.modules[__name__]  # where the functions stood before


def list_physical_devices(device_type: str | None = None) -> list[str]:
    """Returns the devices of a type ("CPU", "GPU"), all if None."""
    return ["/physical_device:CPU:0"] if device_type in (None, "CPU") else []


def list_logical_devices(device_type: str | None = None) -> list[str]:
    """Returns the same devices: they are not divided."""
    return list_physical_devices(device_type)


def set_memory_growth(device: Any, enable: bool) -> None:
    """Changes nothing: it is for GPUs."""


if not TYPE_CHECKING:  # type checkers would take every name for one that is there
    __getattr__ = says_what_to_do("recurra.compat.tensorflow.config")
