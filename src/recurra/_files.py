"""Paths of files, and writing files so that a crash or a full disk leaves the old one whole."""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING, Any

from recurra._checks import expected

if TYPE_CHECKING:
    from pathlib import Path

ENDINGS = (".keras", ".h5", ".hdf5", ".safetensors", ".onnx")  # of models and weights
_PREFIX, _ENDING = ".recurra-", ".tmp"


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Writes `data` to a temporary file in the same directory, flushes it to the disk and renames it to `path`.

    A file that is replaced keeps its permissions; a symbolic link stays, and what it leads to is replaced. Pipes and
    devices, such as /dev/stdout, are written to as they are.

    Raises:
        OSError: If the file cannot be written; `path` is then as it was.
    """
    if os.path.exists(path) and not os.path.isfile(path):
        with open(path, "wb") as special:
            special.write(data)
        return
    path = os.path.realpath(path)
    directory = os.path.dirname(path)
    temporary = os.path.join(directory, f"{_PREFIX}{secrets.token_hex(8)}{_ENDING}")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            with contextlib.suppress(FileNotFoundError):
                os.chmod(temporary, os.stat(path).st_mode & 0o777)
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, path) from error  # the file that the caller knows
        raise
    _sync_directory(directory)


def path_option(who: str, name: str, path: Any) -> str:
    """Returns a path as text; TypeError for other things."""
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(expected(who, f"{name} to be a path", repr(path)))
    return os.fspath(path)


def path_of(who: str, filepath: Any) -> Path:
    """Returns the path of a file; TypeError for a file in memory and other things."""
    from pathlib import Path

    if not isinstance(filepath, (str, os.PathLike)):
        hint = "a file in memory is not written or read: take a path in tempfile.TemporaryDirectory()"
        raise TypeError(expected(who, "the path of a file", type(filepath).__name__, hint))
    return Path(filepath)


def check_ending(who: str, path: str | os.PathLike[str], own: str) -> None:
    """Raises ValueError for a file whose name ends as those of another kind do."""
    name = os.fspath(path)
    if name.endswith(tuple(ending for ending in ENDINGS if ending != own)):
        raise ValueError(expected(who, f"a filepath that ends in {own!r}", repr(name)))


def is_legacy(path: str | os.PathLike[str]) -> bool:
    """Returns whether the file of a model by this name has Keras 2's format; `.weights.h5` holds weights alone."""
    name = os.fspath(path)
    return name.endswith((".h5", ".hdf5")) and not name.endswith(".weights.h5")


def with_ending(path: str | os.PathLike[str], ending: str) -> str:
    """Returns a hint at the path with `ending`, in place of that of another kind of file."""
    stem = os.fspath(path)
    for other in (".weights.h5", *ENDINGS):
        stem = stem.removesuffix(other)
    return f"write {stem + ending!r}"


def append(path: str | os.PathLike[str], data: bytes) -> None:
    """Adds `data` to the end of a file.

    Raises:
        OSError: If it cannot be added; the file is then as it was.
    """
    with open(path, "ab", buffering=0) as file:
        size = file.tell()
        try:
            written = file.write(data)
            file.write(data[written:])  # a disk that gets full takes a part before it says so
        except OSError as error:
            file.truncate(size)
            raise OSError(error.errno, error.strerror, os.fspath(path)) from error


def remove_leftovers(directory: str) -> None:
    """Deletes what killed processes have left half written in a directory where nobody else writes now."""
    for name in os.listdir(directory):
        if name.startswith(_PREFIX) and name.endswith(_ENDING):
            os.unlink(os.path.join(directory, name))


def _sync_directory(directory: str) -> None:
    if os.name != "posix":  # other systems cannot open a directory
        return
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
