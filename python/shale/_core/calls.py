"""Calls of the library.

All of the package calls the library through here. Functions take and give what capi/shale.h says; arrays go in as what
:func:`shale._core.arrays.at` gives. :func:`call` and :func:`make` call functions that are about no object, the methods
of :class:`Owner` those that are about one.

An exception may be raised at any instruction of Python: by Ctrl-C, a signal's handler, a trace function, another
thread. So work in the background is begun and waited for within one call of the library (see
:class:`shale._core.library.Watched`), which returns once nothing reads or writes the arguments any more; and an object
of the library belongs from its first moment to a :class:`shale._core.handles.Handle`, which closes it. Nothing depends
on the code of an ``except`` or ``finally`` having run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from ctypes import byref
from typing import Any, Optional

from shale._core import errors, forks, library
from shale._core.handles import NONE, Handle
from shale._core.prototypes import CLOSED, FORKED, OK

#: Makes an exception of a status.
Failure = Callable[[int], Exception]
#: What is called during long work: what it raises ends the work.
Look = Callable[[], None]


def look() -> None:
    """Does nothing. It is called during work that nobody watches, so that Python answers signals and raises exceptions
    that other threads set."""


def attempt(call: Callable[[], int], failure: Failure = errors.failure) -> None:
    """Makes a call that is about no object; in a child of fork the library is loaded afresh for it."""
    while True:
        status = call()
        if status == OK:
            return
        if status != FORKED:
            raise failure(status)
        forks.take_over()


def call(name: str, *arguments: Any, failure: Failure = errors.failure) -> None:
    """Calls a short function that is about no object."""
    attempt(lambda: int(getattr(library.lib, name)(*arguments)), failure)


def call_long(name: str, *arguments: Any, look: Look = look, failure: Failure = errors.failure) -> None:
    """Calls a function that is about no object and takes a watch last."""
    attempt(lambda: int(getattr(library.lib.watched, name)(*arguments, look)), failure)


def make(name: str, *arguments: Any, failure: Failure = errors.failure) -> Handle:
    """Returns the handle of the object that a short function makes."""
    handle = Handle()
    call(name, *arguments, byref(handle), failure=failure)
    return handle


def make_long(name: str, *arguments: Any, failure: Failure = errors.failure) -> Handle:
    """Returns the handle of the object that a function makes which takes a watch after it."""
    handle = Handle()
    call_long(name, *arguments, byref(handle), failure=failure)
    return handle


class Owner:
    """What has an object of the library: calls for it go through here, and find it again after a fork."""

    _handle = NONE

    def close(self) -> None:
        """Frees the memory now; calls in other threads that use it end first. A second time it does nothing."""
        handle, self._handle = self._handle, NONE
        handle.close()

    def _call(self, name: str, *arguments: Any) -> None:
        """Calls a short function of the library for this object."""
        self._attempt(lambda handle: getattr(library.lib, name)(handle, *arguments))

    def _call_long(self, name: str, *arguments: Any) -> None:
        """Calls a function that takes a watch last."""
        self._attempt(lambda handle: getattr(library.lib.watched, name)(handle, *arguments, look))

    def _attempt(self, attempt: Callable[[int], int]) -> None:
        while True:
            handle = self._handle
            kept = handle.kept  # arrays that the object reads, while others may take their place
            status = attempt(handle.value)
            del kept
            if status == OK:
                return
            if not self._found_again(status, handle):
                raise self._failure(status)

    def _found_again(self, status: int, handle: Handle) -> bool:
        """Whether a call that failed is worth another attempt."""
        if status not in (CLOSED, FORKED):
            return False
        if self._handle is not handle:  # another thread has put another in its place
            return True
        new = self._reopened(handle)
        if new is not None:
            new.kept = handle.kept
            self._handle = new
            forks.forget(handle.value)
        return new is not None or status == FORKED

    def _reopened(self, handle: Handle) -> Optional[Handle]:
        """The present handle of what had this one before a fork; None if there was no fork, or no such object."""
        return forks.reopened(handle.value)

    def _failure(self, status: int) -> Exception:
        return errors.failure(status)


def file_name(path: Any) -> bytes:
    """A path as the library takes it."""
    name = os.fsencode(path)
    if b"\0" in name:
        raise ValueError("a path holds a null byte")
    return name


def encode(options: dict[str, Any]) -> bytes:
    """Options as the library takes them: fields that are missing mean its defaults."""
    return json.dumps(options).encode()
