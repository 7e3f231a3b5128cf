"""The exceptions of recurra.

    RecurraError
    ├── NotFittedError      (also ValueError)   predict or save before fit
    ├── DataError           (also ValueError)   a data file or frame that cannot be used; names the series and the row
    ├── FileFormatError     (also ValueError)   a model or weights file that cannot be read; nothing of it was used
    │   └── MissingFileError    (also FileNotFoundError)  there is no such file
    └── MissingExtraError   (also ImportError)  an optional library is not installed; names the extra

Everything else is Python's own: ValueError for values and shapes, TypeError for kinds.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


class RecurraError(Exception):
    """Base class of the errors that are recurra's own."""


class NotFittedError(RecurraError, ValueError):
    """A method was called that needs a fitted object."""


class DataError(RecurraError, ValueError):
    """Data that cannot be used as given: the message names the series, the row and the way out."""


class FileFormatError(RecurraError, ValueError):
    """A model or weights file that was refused: the message says what is wrong with it, in one line of 300 characters.

    Names in the message may come from the file.
    """

    def __init__(self, message: str):
        line = " ".join(message[:10_000].split())
        line = "".join(letter if letter.isprintable() else "?" for letter in line)
        super().__init__(line if len(line) <= 300 else f"{line[:297]}...")


class MissingFileError(FileFormatError, FileNotFoundError):
    """A model or weights file that is not there: Keras raises ValueError for some and FileNotFoundError for others."""


class MissingExtraError(RecurraError, ImportError):
    """An optional library is missing: the message names the extra to install."""


@contextlib.contextmanager
def extra_needed(what: str, name: str, extra: str) -> Iterator[None]:
    """Around the import of an optional library: tells its absence as `WHAT NAME: pip install "recurra[EXTRA]"`.

    Raises:
        MissingExtraError: If the import fails.
    """
    try:
        yield
    except ImportError as error:
        raise MissingExtraError(f'{what} {name}: pip install "recurra[{extra}]"') from error
