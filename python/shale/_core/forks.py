"""Brings the library's indexes into a child of fork.

Go's runtime doesn't survive fork: the library answers FORKED in a child. At the first use there it is loaded afresh,
and the new copy makes indexes of the memory inherited.
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

#: By the handle that an index had before the fork: its description, and its handle in this process.
_descriptions: Dict[int, bytes] = {}
_reopened: Dict[int, Handle] = {}
_lock = threading.Lock()
_last_before_fork = 0


def _new_lock() -> None:
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):  # where there is fork
    os.register_at_fork(after_in_child=_new_lock)


def forked_since(handle: int) -> bool:
    """Whether a handle is one of before a fork."""
    with _lock:
        _take_over()
        return 0 < handle <= _last_before_fork


def reopened(handle: int) -> Optional[Handle]:
    """The present handle of the index that had this one before a fork; None if there was no fork, or no such index.

    It is the same whenever it is asked for, until :func:`forget`.
    """
    with _lock:
        _take_over()
        description = _descriptions.get(handle)
        if description is None:
            return None
        new = _reopened.get(handle)
        if new is None:
            new = _reopened[handle] = Handle()
        if not new.value:
            status = library.lib.inherit(description, byref(new))
            if status != OK:
                raise errors.failure(status)
        return new


def forget(handle: int) -> None:
    """Forgets an index whose owner has its present handle."""
    with _lock:
        _descriptions.pop(handle, None)
        _reopened.pop(handle, None)


def take_over() -> None:
    """In a child of fork: loads the library afresh, unless that was done."""
    with _lock:
        _take_over()


def _take_over() -> None:
    """Loads the library afresh if this process was forked from the one that loaded it."""
    global _last_before_fork
    text = library.lib.inheritance()
    if text is None:
        return
    left = json.loads(text)
    for handle, description in left["Indexes"].items():
        _descriptions[int(handle)] = json.dumps(description).encode()
    fresh: Any = library.fresh()
    fresh.handles_after(left["Last"])
    library.lib, _last_before_fork = fresh, left["Last"]
