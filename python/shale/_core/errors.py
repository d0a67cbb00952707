"""What goes wrong, as exceptions."""

from __future__ import annotations

from shale._core import library
from shale._core.prototypes import (
    CANCELLED,
    CLOSED,
    DAMAGED,
    DELETED,
    DENIED,
    DIM,
    EXISTS,
    MEMORY,
    NO_FILE,
    NO_LABEL,
    NOT_DELETED,
    OK,
    READ_ONLY,
    RECALL,
    VALUE,
)


class Error(RuntimeError):
    """What was asked can't be done. The other exceptions of this package that aren't Python's own derive from it."""


class ClosedError(Error):
    """The index or collection is closed."""


class ReadOnlyError(Error):
    """The index can't be changed: it is mapped, or has its rows on disk."""


class FormatError(Error):
    """A file isn't an index, or is damaged. The text names the file, the place and the field."""


class MemoryLimitError(Error):
    """The memory allowed doesn't suffice."""


class RecallError(Error):
    """The recall wanted isn't reached by any setting."""


class CancelledError(Error):
    """The call was cancelled."""


_EXCEPTIONS: dict[int, type[Exception]] = {
    VALUE: ValueError,
    DIM: ValueError,
    CLOSED: ClosedError,
    CANCELLED: CancelledError,
    NO_LABEL: KeyError,
    DELETED: KeyError,
    NOT_DELETED: KeyError,
    READ_ONLY: ReadOnlyError,
    DAMAGED: FormatError,
    NO_FILE: FileNotFoundError,
    DENIED: PermissionError,
    EXISTS: FileExistsError,
    MEMORY: MemoryLimitError,
    RECALL: RecallError,
}


#: What errors of the library say, and what they say in Python.
_NAMES = {"set Replace to": "give replace=True to", "options: filter: ": "filter: "}


def text() -> str:
    """The text of this thread's last error, in the words of this package."""
    said = str(library.lib.last_error().decode("utf-8", "replace"))
    for name, here in _NAMES.items():
        said = said.replace(name, here)
    return said


def failure(status: int) -> Exception:
    """The exception for a status that isn't OK, with the text of this thread's last error."""
    return _EXCEPTIONS.get(status, Error)(text())


def check(status: int) -> None:
    """Raises what a status says."""
    if status != OK:
        raise failure(status)
