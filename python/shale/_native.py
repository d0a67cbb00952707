"""The shared library: its functions, their errors as exceptions, and who owns the library's objects.

All of the package calls the library through here. Functions take and give what capi/shale.h says; arrays go in as what
:func:`at` gives. :func:`call` and :func:`make` call functions that are about no object, the methods of :class:`Owner` those
that are about one.

An exception may be raised at any instruction of Python: by Ctrl-C, a signal's handler, a trace function, another
thread. So work in the background is begun and waited for within one call of the library (see :class:`Watched`), which
returns once nothing reads or writes the arguments any more; and an object of the library belongs from its first moment
to a :class:`Handle`, which closes it. Nothing depends on the code of an ``except`` or ``finally`` having run.
"""

from __future__ import annotations

import atexit
import ctypes
import json
import os
import resource
import signal
import struct
import threading
from ctypes import POINTER, addressof, byref, c_char_p, c_int32, c_int64, c_ubyte, c_uint64, c_void_p, py_object
from typing import Any, Callable, Dict, Optional

import numpy.typing as npt

from shale import _prototypes as _prototypes_of

OK, RUNNING, ERROR, VALUE, CLOSED, FORKED, CANCELLED, FEW = range(8)

(
    STAT_CAPACITY, STAT_COUNT, STAT_DELETED, STAT_M, STAT_EF_CONSTRUCTION, STAT_REPLACING, STAT_DIM, STAT_EXTERNAL,
    STAT_NEXT, STAT_FIELDS,
) = range(10)  # fmt: skip

#: Threads of a call: more than several for each processor are of no use and take memory.
MAX_THREADS = max(64, 4 * (os.cpu_count() or 1))

SPACES = {"l2": 0, "ip": 1, "cosine": 2}
FLOAT32, FLOAT16 = 0, 1

#: What a filter may ask; it leaves its answer in a c_int32.
Allow = ctypes.CFUNCTYPE(None, c_uint64)

_bytes = POINTER(c_ubyte)
_out = POINTER(c_int64)
WATCH = _prototypes_of.WATCH

_prototypes: Dict[str, Any] = {
    "handles_after": (c_int64,),
    "inherit": (c_char_p, _out),
    "close": (_out,),
    "graph_new": (c_int32, c_int64, c_int64, c_int64, c_int64, c_uint64, c_int32, c_int32, _out),
    "graph_attach": (c_int64, _bytes, c_int32, c_int64, c_int64, c_int32),
    "graph_add_attached": (c_int64, c_int64, _bytes, c_int32, WATCH),
    "graph_load": (c_char_p, c_int32, c_int64, c_int64, c_int32, _out, WATCH),
    "graph_create": (c_char_p, c_int32, c_int64, c_int64, c_int64, c_int64, c_uint64, c_int32, _out),
    "graph_map": (c_char_p, c_int32, c_int64, c_int32, _out, WATCH),
    "graph_import": (c_int32, c_int64, c_uint64, c_int32, _bytes, _bytes, c_int64, _bytes, _bytes, c_int64, _out),
    "graph_export": (c_int64, _bytes, _bytes, _out, _bytes, _out, _bytes, _out),
    "graph_file_size": (c_int64, _out),
    "graph_mark": (c_int64, c_uint64, c_int32),
    "graph_resize": (c_int64, c_int64),
    "graph_write": (c_int64, c_char_p, WATCH),
    "graph_read": (c_char_p, c_int32, c_int64, _out, WATCH),
    "shard_build": (
        _bytes, c_int32, c_int64, c_int64, c_int32, c_char_p, c_int64, c_int64, c_int64, c_int64, c_int32, WATCH,
    ),
    "shards_describe": (c_char_p, c_int32, c_int64, c_int64, c_int64, c_int64, c_int64),
    "shards_open": (c_char_p, c_int32, c_int64, c_int64, c_int32, c_int32, c_int64, _out, WATCH),
    "shards_attach": (c_int64, _bytes, c_int32, c_int64, c_int64, c_int32),
    "shards_attach_pq": (c_int64, _bytes, c_int64, c_int64, _bytes, c_int64, _bytes, c_int64, c_int32),
    "shards_set_global": (c_int64, c_int32),
    "flat_new": (c_int32, c_int64, c_int64, _out),
    "flat_load": (c_char_p, c_int32, c_int64, c_int64, _out, WATCH),
    "flat_remove": (c_int64, c_uint64),
    "add": (c_int64, _bytes, c_int32, c_int64, c_int64, _bytes, c_int32, c_int32, WATCH),
    "search": (c_char_p, WATCH),
    "vectors": (c_int64, _bytes, c_int64, _bytes),
    "labels": (c_int64, _bytes, _out),
    "stat": (c_int64, _out),
    "count_from": (c_int64, c_uint64),
    "save": (c_int64, c_char_p, WATCH),
    "filter_labels": (_bytes, c_int64, _out),
    "filter_range": (c_uint64, c_uint64, c_uint64, _out),
    "filter_mask": (_bytes, c_int64, _out),
    "filter_roaring": (c_char_p, c_int64, c_int32, _out),
    "filter_callback": (Allow, POINTER(c_int32), _out),
    **_prototypes_of.ROOT,
}  # fmt: skip


#: Conversions of arguments would take longer than these calls, which are made with what needs none.
_UNCONVERTED = ("search", "index_find")


class Watched:
    """The functions that take a watch: a callable, called about 20 times a second, whose exceptions end the work.

    They release the GIL. An exception is raised once the work has ended.
    """


class Library:
    """The functions of one loaded copy of the shared library, without their prefix."""

    def __init__(self, path: str) -> None:
        self._library = _load(path)
        with_lock = ctypes.PyDLL(path)
        self._python = _Python(*(ctypes.cast(getattr(ctypes.pythonapi, name), c_void_p) for name in _Python.names))
        self._library.shale_python_is(byref(self._python))
        self.last_error = self._library.shale_last_error
        self.last_error.restype = c_char_p
        self.inheritance = self._library.shale_inheritance
        self.inheritance.restype = c_char_p
        self.python_ends = self._library.shale_python_ends
        self.watched = Watched()
        for name, arguments in _prototypes.items():
            function = getattr(self._library, "shale_" + name)
            function.restype = c_int32
            if name not in _UNCONVERTED:
                function.argtypes = arguments
            setattr(self, name, function)
            if arguments[-1] is WATCH:
                function = getattr(with_lock, "shale_" + name)
                function.restype = c_int32
                function.argtypes = (*arguments[:-1], py_object)
                setattr(self.watched, name, function)


class _Python(ctypes.Structure):
    """struct shale_python."""

    names = ("PyEval_SaveThread", "PyEval_RestoreThread", "PyErr_CheckSignals", "PyObject_CallObject", "Py_DecRef")
    _fields_ = [(name, c_void_p) for name in names]


#: Address space that Go's runtime reserves when it is loaded, about 1,400 MiB, and what threads and a
#: small index take beside. Where there is a little less, it depends on what it tries first whether the
#: runtime begins or ends the process.
_ROOM = 1792 << 20


def _check_room() -> None:
    """Refuses to load the library where a limit of address space would make Go's runtime end the process."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return
    with open("/proc/self/statm") as f:
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
    kilobytes.
    """
    _check_room()
    ours = {number for number in signal.valid_signals() if getattr(number, "name", "") not in _OF_GO}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ours)
    try:
        return ctypes.CDLL(path)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _path() -> str:
    path = os.path.join(os.path.dirname(__file__), "_libshale.so")
    if not os.path.exists(path):
        raise ImportError(f"{path} is missing: install the package with pip, which builds it")
    return path


#: The copy in use; a child of fork puts another in its place, so it is looked up for every call.
lib: Any = Library(_path())
lib.handles_after(0)  # which notes Go's handlers of signals, before others may set their own


@atexit.register
def _end() -> None:
    lib.python_ends()


class Handle(c_int64):
    """What names an object of the library, or 0. It closes the object when it is dropped.

    Functions that make objects write to it. The object belongs to it from then on, whatever is raised.
    """

    #: Arrays that the object reads for as long as it lives.
    kept: Any = None

    def close(self) -> None:
        """Frees the object now; a second time it does nothing."""
        lib.close(byref(self))

    def __del__(self) -> None:
        if lib is not None and self.value:  # lib is None when the interpreter ends
            lib.close(byref(self))

    def __reduce__(self) -> Any:
        raise TypeError("what names an object of this process can't be pickled or copied")


#: That of no object. It is never written to.
NONE = Handle()

# Go's runtime doesn't survive fork: the library answers FORKED in a child. At the first use there it is loaded afresh, from
# a copy, since the loader gives the same library for the same file; that one makes indexes of the memory inherited.
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
            status = lib.inherit(description, byref(new))
            if status != OK:
                raise failure(status)
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
    global lib, _last_before_fork
    text = lib.inheritance()
    if text is None:
        return
    left = json.loads(text)
    for handle, description in left["Indexes"].items():
        _estate[int(handle)] = json.dumps(description).encode()
    fresh: Any = Library(_copy(_path()))
    fresh.handles_after(left["Last"])
    lib, _last_before_fork = fresh, left["Last"]


def _copy(path: str) -> str:
    """A copy of a file in memory, for as long as this process lives."""
    copy = os.memfd_create("libshale", 0)
    with open(path, "rb") as source, open(copy, "wb", closefd=False) as target:
        target.write(source.read())
    return f"/proc/self/fd/{copy}"


_from_buffer: Callable[[Any], Any] = c_ubyte.from_buffer


def address(array: npt.NDArray[Any]) -> int:
    """The address of a C-contiguous array, which the caller keeps alive."""
    try:
        return addressof(_from_buffer(array))
    except (TypeError, ValueError, BufferError):  # read-only, or empty
        at: int = array.__array_interface__["data"][0]
        return at


def at(array: npt.NDArray[Any]) -> Any:
    """The address of a C-contiguous array, as an argument; it keeps the array alive."""
    try:
        return _from_buffer(array)
    except (TypeError, ValueError, BufferError):  # read-only, or empty
        place: Any = c_ubyte.from_address(address(array))
        place.array = array
        return place


#: What CPython puts before the fields of an object: NumPy's first is the address of an array's elements.
HEAD = object.__basicsize__

#: struct shale_query as bytes, which ctypes passes on fastest. Arrays go in by their :func:`address`; or, where HEAD comes
#: with them, by their ``id``, which takes a third of the time.
query: Callable[..., bytes] = struct.Struct("16q").pack


def failure(status: int) -> Exception:
    """The exception for a status that isn't OK."""
    text = lib.last_error().decode("utf-8", "replace")
    if status == VALUE:
        return ValueError(text)
    if status == FEW:  # hnswlib's text, and no more
        text = text.split(":")[0]
    return RuntimeError(text)


def check(status: int) -> None:
    """Raises what a status that isn't OK stands for."""
    if status != OK:
        raise failure(status)


def look() -> None:
    """Does nothing. It is called during work that nobody watches, so that Python answers signals and raises exceptions
    that other threads set."""


def call(name: str, *arguments: Any, long: bool = False) -> None:
    """Calls a function that is about no object; long says that it takes a watch after that."""
    while True:
        status = getattr(lib.watched, name)(*arguments, look) if long else getattr(lib, name)(*arguments)
        if status == OK:
            return
        if status != FORKED:
            raise failure(status)
        take_over()


def make(name: str, *arguments: Any, long: bool = False) -> Handle:
    """The handle that a function gives which makes an object; long says that it takes a watch after that."""
    handle = Handle()
    call(name, *arguments, byref(handle), long=long)
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
        self._attempt(lambda handle: getattr(lib, name)(handle, *arguments))

    def _call_long(self, name: str, *arguments: Any) -> None:
        """Calls a function that takes a watch last."""
        self._attempt(lambda handle: getattr(lib.watched, name)(handle, *arguments, look))

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
        new = self._heir(handle)
        if new is not None:
            new.kept = handle.kept
            self._handle = new
            inherited(handle.value)
        return new is not None or status == FORKED

    def _heir(self, handle: Handle) -> Optional[Handle]:
        """The present handle of what had this one before a fork; None if there was no fork, or no such object."""
        return heir(handle.value)

    def _failure(self, status: int) -> Exception:
        return failure(status)


def file_name(path: Any) -> bytes:
    """A path as the library takes it."""
    name = os.fsencode(path)
    if b"\0" in name:
        raise ValueError("a path holds a null byte")
    return name
