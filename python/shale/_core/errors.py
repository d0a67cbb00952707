"""What goes wrong, as exceptions."""

from __future__ import annotations

from shale._core import library
from shale._core.prototypes import CANCELLED, CLOSED, OK, VALUE

_NO_LABEL, _READ_ONLY, _DAMAGED, _NO_FILE, _DENIED, _EXISTS, _MEMORY, _RECALL = range(32, 40)


class Error(RuntimeError):
    """What was asked can't be done. The other exceptions of this package that aren't Python's own derive from it."""


class ClosedError(Error):
    """The index is closed."""


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
    CLOSED: ClosedError,
    CANCELLED: CancelledError,
    _NO_LABEL: KeyError,
    _READ_ONLY: ReadOnlyError,
    _DAMAGED: FormatError,
    _NO_FILE: FileNotFoundError,
    _DENIED: PermissionError,
    _EXISTS: FileExistsError,
    _MEMORY: MemoryLimitError,
    _RECALL: RecallError,
}


def failure(status: int) -> Exception:
    """The exception for a status that isn't OK, with the text of this thread's last error."""
    text: str = library.lib.last_error().decode("utf-8", "replace")
    return _EXCEPTIONS.get(status, Error)(text)


def check(status: int) -> None:
    """Raises what a status says."""
    if status != OK:
        raise failure(status)
