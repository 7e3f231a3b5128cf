"""`tf.autograph`: there is no graph to make, and nothing that it would tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recurra._missing import says_what_to_do

__all__ = ["set_verbosity"]


def set_verbosity(level: int, alsologtostdout: bool = False) -> None:
    """Changes nothing."""


if not TYPE_CHECKING:  # type checkers would take every name for one that is there
    __getattr__ = says_what_to_do(__name__)
