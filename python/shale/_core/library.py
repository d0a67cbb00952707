"""The shared library: how it is loaded, and its functions."""

from __future__ import annotations

import atexit
import ctypes
import os
import shutil
import signal
import sys
import tempfile
from ctypes import byref, c_char_p, c_int32, c_void_p, py_object
from typing import Any

from shale._core.prototypes import PROTOTYPES, UNCONVERTED, WATCH, Python

try:
    import resource
except ImportError:  # Windows has no limits of address space
    resource = None  # type: ignore[assignment]


class Watched:
    """The functions that take a watch: a callable, called about 20 times a second, whose exceptions end the work.

    They release the GIL. An exception is raised once the work has ended.
    """


class Library:
    """The functions of one loaded copy of the shared library, without their prefix."""

    def __init__(self, path: str) -> None:
        self._library = _load(path)
        with_lock = ctypes.PyDLL(path)
        self._python = Python(*(ctypes.cast(getattr(ctypes.pythonapi, name), c_void_p) for name in Python.names))
        self._library.shale_python_is(byref(self._python))
        self.last_error = self._library.shale_last_error
        self.last_error.restype = c_char_p
        self.inheritance = self._library.shale_inheritance
        self.inheritance.restype = c_char_p
        self.python_ends = self._library.shale_python_ends
        self.watched = Watched()
        for name, arguments in PROTOTYPES.items():
            function = getattr(self._library, "shale_" + name)
            function.restype = c_int32
            if name not in UNCONVERTED:
                function.argtypes = arguments
            setattr(self, name, function)
            if arguments[-1] is WATCH:
                function = getattr(with_lock, "shale_" + name)
                function.restype = c_int32
                function.argtypes = (*arguments[:-1], py_object)
                setattr(self.watched, name, function)


#: Address space that Go's runtime reserves when it is loaded, about 1,400 MiB, and what threads and a
#: small index take beside. Where there is a little less, it depends on what it tries first whether the
#: runtime begins or ends the process.
_ROOM = 1792 << 20
#: Where Linux reports the address space in use, in pages.
_SIZES = "/proc/self/statm"


def _check_room() -> None:
    """Refuses to load the library where a limit of address space would make Go's runtime end the process."""
    if resource is None or not os.path.exists(_SIZES):
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return
    with open(_SIZES) as f:
        used = int(f.read().split()[0]) * resource.getpagesize()
    if limit - used < _ROOM:
        raise ImportError(
            f"shale wants {_ROOM >> 20} MiB of address space to be loaded, and the limit of {limit >> 20} MiB "
            f"(ulimit -v) leaves {max(limit - used, 0) >> 20} MiB: set it to at least {(used + _ROOM >> 20) + 1} MiB"
        )


#: Those that Go's threads must answer themselves.
_OF_GO = {"SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGABRT", "SIGSYS", "SIGPROF", "SIGURG", "SIGCHLD"}


def _load(path: str) -> ctypes.CDLL:
    """Loads the library, whose threads inherit which signals are blocked: all but a few are left to Python's threads.

    Handlers that Python up to 3.9 sets run on the stack that is in use, which for Go's threads is one of a few
    kilobytes. Windows has no signals of threads.
    """
    _check_room()
    if not hasattr(signal, "pthread_sigmask"):
        return ctypes.CDLL(path)
    ours = {number for number in signal.valid_signals() if getattr(number, "name", "") not in _OF_GO}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ours)
    try:
        return ctypes.CDLL(path)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _name(platform: str) -> str:
    """The file name of the library, which setup.py gives it."""
    return "_libshale.dll" if platform == "win32" else "_libshale.so"


def _path() -> str:
    path = os.path.join(os.path.dirname(__file__), _name(sys.platform))
    if not os.path.exists(path):
        raise ImportError(f"{path} is missing: install the package with pip, which builds it")
    return path


#: The copy in use; a child of fork puts another in its place, so it is looked up for every call.
lib: Any = Library(_path())
lib.handles_after(0)  # which notes Go's handlers of signals, before others may set their own


@atexit.register
def _end() -> None:
    lib.python_ends()


def fresh() -> Library:
    """Loads the library once more, from a copy: the loader gives the same library for the same file."""
    if hasattr(os, "memfd_create"):
        return Library(_in_memory(_path()))
    with tempfile.TemporaryDirectory() as folder:  # what is loaded stays when its file goes
        return Library(_copied(_path(), folder))


def _in_memory(path: str) -> str:
    """Copies a file into memory, for as long as this process lives, and returns a path of the copy."""
    copy = os.memfd_create("libshale", 0)
    with open(path, "rb") as source, open(copy, "wb", closefd=False) as target:
        shutil.copyfileobj(source, target)
    return f"/proc/self/fd/{copy}"


def _copied(path: str, folder: str) -> str:
    """Copies a file into a folder and returns the path of the copy."""
    return shutil.copyfile(path, os.path.join(folder, os.path.basename(path)))
