"""What becomes of the library's objects in a child of fork.

Go's runtime doesn't survive fork: the library answers FORKED in a child. At the first use there it is loaded afresh, and
the new copy makes indexes of the memory inherited.
"""

from __future__ import annotations

import json
import os
import threading
from ctypes import byref
from typing import Any, Dict, Optional

from shale._core import errors, library
from shale._core.handles import Handle
from shale._core.prototypes import OK

_estate: Dict[int, bytes] = {}
_heirs: Dict[int, Handle] = {}
_estate_lock = threading.Lock()
_last_before_fork = 0


def _new_lock() -> None:
    global _estate_lock
    _estate_lock = threading.Lock()


os.register_at_fork(after_in_child=_new_lock)


def forked_since(handle: int) -> bool:
    """Whether a handle is one of before a fork."""
    with _estate_lock:
        _take_over()
        return 0 < handle <= _last_before_fork


def heir(handle: int) -> Optional[Handle]:
    """The present handle of what had this one before a fork; None if there was no fork, or no such index.

    It is the same whenever it is asked for, until :func:`inherited`.
    """
    with _estate_lock:
        _take_over()
        description = _estate.get(handle)
        if description is None:
            return None
        new = _heirs.get(handle)
        if new is None:
            new = _heirs[handle] = Handle()
        if not new.value:
            status = library.lib.inherit(description, byref(new))
            if status != OK:
                raise errors.failure(status)
        return new


def inherited(handle: int) -> None:
    """Says that the owner has what :func:`heir` gave."""
    with _estate_lock:
        _estate.pop(handle, None)
        _heirs.pop(handle, None)


def take_over() -> None:
    """In a child of fork: loads the library afresh, unless that was done."""
    with _estate_lock:
        _take_over()


def _take_over() -> None:
    """Loads the library afresh if this process was forked from the one that loaded it."""
    global _last_before_fork
    text = library.lib.inheritance()
    if text is None:
        return
    left = json.loads(text)
    for handle, description in left["Indexes"].items():
        _estate[int(handle)] = json.dumps(description).encode()
    fresh: Any = library.fresh()
    fresh.handles_after(left["Last"])
    library.lib, _last_before_fork = fresh, left["Last"]
