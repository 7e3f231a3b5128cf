"""`tf.test`: there is no GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recurra._missing import says_what_to_do

__all__ = ["gpu_device_name", "is_built_with_cuda", "is_gpu_available"]


def gpu_device_name() -> str:
    """Returns the name of the first GPU: none."""
    return ""


def is_gpu_available(cuda_only: bool = False, min_cuda_compute_capability: Any = None) -> bool:
    """Returns whether there is a GPU: no."""
    return False


def is_built_with_cuda() -> bool:
    """Returns whether GPUs of NVIDIA could be used: no."""
    return False


if not TYPE_CHECKING:  # type checkers would take every name for one that is there
    __getattr__ = says_what_to_do(__name__)
