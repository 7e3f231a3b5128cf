"""`tf.config`: there is one device, the CPU, and nothing to set on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recurra._missing import says_what_to_do

__all__ = ["list_logical_devices", "list_physical_devices"]


def list_physical_devices(device_type: str | None = None) -> list[str]:
    """Returns the devices of a type ("CPU", "GPU"), all if None."""
    return ["/physical_device:CPU:0"] if device_type in (None, "CPU") else []


def list_logical_devices(device_type: str | None = None) -> list[str]:
    """Returns the same devices: they are not divided."""
    return list_physical_devices(device_type)


if not TYPE_CHECKING:  # type checkers would take every name for one that is there
    __getattr__ = says_what_to_do("recurra.compat.tensorflow.config")
