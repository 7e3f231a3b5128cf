"""Writing files so that a crash or a full disk leaves the old file whole."""

from __future__ import annotations

import contextlib
import os
import secrets


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Writes `data` to a temporary file in the same directory, flushes it to the disk and renames it to `path`.

    A file that is replaced keeps its permissions; a symbolic link stays, and what it leads to is replaced.

    Raises:
        OSError: If the file cannot be written; `path` is then as it was.
    """
    path = os.path.realpath(path)
    directory = os.path.dirname(path)
    temporary = os.path.join(directory, f".recurra-{secrets.token_hex(8)}.tmp")
    try:
        file = open(temporary, "xb")  # noqa: SIM115
    except OSError as error:
        error.filename = path  # what the caller knows
        raise
    try:
        with file:
            file.write(data)
            file.flush()
            with contextlib.suppress(FileNotFoundError):
                os.chmod(temporary, os.stat(path).st_mode & 0o777)
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    _sync_directory(directory)


def _sync_directory(directory: str) -> None:
    if os.name != "posix":  # other systems cannot open a directory
        return
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
