"""`tf.compat.v1`: of what version 1 had, the level of the logs, as notebooks set it; nothing is logged."""

from __future__ import annotations

import sys
from logging import DEBUG, ERROR, FATAL, INFO, WARN
from typing import Any

from recurra._checks import expected

__all__ = ["DEBUG", "ERROR", "FATAL", "INFO", "WARN", "logging", "set_verbosity", "v1"]

v1 = logging = sys.modules[__name__]
sys.modules[f"{__name__}.v1"] = v1  # for `import tensorflow.compat.v1 as tf`, whose names tell what to do


def set_verbosity(v: Any) -> None:
    """Changes nothing."""


def __getattr__(name: str) -> Any:
    if name.startswith("_"):  # what Python's own tools ask for
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    hint = "of version 1 there is the level of the logs alone: write it with tf.keras"
    raise AttributeError(expected("tf.compat.v1", "a name that it has", repr(name), hint))
