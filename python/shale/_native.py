"""The shared library: its functions, their errors as exceptions, and waiting for what takes long.

All of the package calls the library through here. Functions take and give what capi/shale.h says; arrays go in as what
:func:`at` gives. :func:`call` and :func:`make` call functions that are about no object, the methods of :class:`Owner` those
that are about one.
"""

from __future__ import annotations

import ctypes
import json
import os
import struct
import threading
from ctypes import POINTER, addressof, byref, c_char_p, c_int32, c_int64, c_ubyte, c_uint64
from typing import Any, Callable, Dict, Optional

import numpy.typing as npt

from shale import _prototypes as _prototypes_of

OK, RUNNING, ERROR, VALUE, CLOSED, FORKED, CANCELLED, FEW = range(8)

(
    STAT_CAPACITY, STAT_COUNT, STAT_DELETED, STAT_M, STAT_EF_CONSTRUCTION, STAT_REPLACING, STAT_DIM, STAT_EXTERNAL, STAT_FIELDS,
) = range(9)  # fmt: skip

SPACES = {"l2": 0, "ip": 1, "cosine": 2}
FLOAT32, FLOAT16 = 0, 1

#: How long a call waits for a job before Python looks whether a signal has come.
POLL_MS = 50

#: What a filter may ask: 1 or 0, or less than 0 to end the search.
Allow = ctypes.CFUNCTYPE(c_int32, c_uint64)

_bytes = POINTER(c_ubyte)
_out = POINTER(c_int64)

_prototypes: Dict[str, Any] = {
    "handles_after": (c_int64,),
    "inherit": (c_char_p, _out),
    "wait": (c_int64, c_int64),
    "cancel": (c_int64,),
    "close": (c_int64,),
    "graph_new": (c_int32, c_int64, c_int64, c_int64, c_int64, c_uint64, c_int32, c_int32, _out),
    "graph_attach": (c_int64, _bytes, c_int32, c_int64, c_int64, c_int32),
    "graph_add_attached": (c_int64, c_int64, _bytes, c_int32, _out),
    "graph_load": (c_char_p, c_int32, c_int64, c_int64, c_int32, _out, _out),
    "graph_create": (c_char_p, c_int32, c_int64, c_int64, c_int64, c_int64, c_uint64, c_int32, _out),
    "graph_map": (c_char_p, c_int32, c_int64, c_int32, _out, _out),
    "graph_import": (c_int32, c_int64, c_uint64, c_int32, _bytes, _bytes, c_int64, _bytes, _bytes, c_int64, _out),
    "graph_export": (c_int64, _bytes, _bytes, _out, _bytes, _out, _bytes, _out),
    "graph_file_size": (c_int64, _out),
    "graph_mark": (c_int64, c_uint64, c_int32),
    "graph_resize": (c_int64, c_int64),
    "graph_write": (c_int64, c_char_p, _out),
    "graph_read": (c_char_p, c_int32, c_int64, _out, _out),
    "shard_build": (
        _bytes, c_int32, c_int64, c_int64, c_int32, c_char_p, c_int64, c_int64, c_int64, c_int64, c_int32, _out,
    ),
    "shards_describe": (c_char_p, c_int32, c_int64, c_int64, c_int64, c_int64, c_int64),
    "shards_open": (c_char_p, c_int32, c_int64, c_int64, c_int32, c_int32, c_int64, _out, _out),
    "shards_attach": (c_int64, _bytes, c_int32, c_int64, c_int64, c_int32),
    "shards_attach_pq": (c_int64, _bytes, c_int64, c_int64, _bytes, c_int64, _bytes, c_int64, c_int32),
    "shards_set_global": (c_int64, c_int32),
    "flat_new": (c_int32, c_int64, c_int64, _out),
    "flat_load": (c_char_p, c_int32, c_int64, c_int64, _out, _out),
    "flat_remove": (c_int64, c_uint64),
    "add": (c_int64, _bytes, c_int32, c_int64, c_int64, _bytes, c_int32, c_int32, _out),
    "search": None,  # argument conversions would take longer than the call: see query
    "vectors": (c_int64, _bytes, c_int64, _bytes),
    "labels": (c_int64, _bytes, _out),
    "stat": (c_int64, _out),
    "save": (c_int64, c_char_p, _out),
    "filter_labels": (_bytes, c_int64, _out),
    "filter_mask": (_bytes, c_int64, _out),
    "filter_roaring": (c_char_p, c_int64, c_int32, _out),
    "filter_callback": (Allow, _out),
    **_prototypes_of.ROOT,
}  # fmt: skip


class Library:
    """The functions of one loaded copy of the shared library, without their prefix."""

    def __init__(self, path: str) -> None:
        self._library = ctypes.CDLL(path)
        self.last_error = self._library.shale_last_error
        self.last_error.restype = c_char_p
        self.inheritance = self._library.shale_inheritance
        self.inheritance.restype = c_char_p
        for name, arguments in _prototypes.items():
            function = getattr(self._library, "shale_" + name)
            function.restype = c_int32
            if arguments is not None:
                function.argtypes = arguments
            setattr(self, name, function)


def _path() -> str:
    path = os.path.join(os.path.dirname(__file__), "_libshale.so")
    if not os.path.exists(path):
        raise ImportError(f"{path} is missing: install the package with pip, which builds it")
    return path


#: The copy in use; a child of fork puts another in its place, so it is looked up for every call.
lib: Any = Library(_path())
lib.handles_after(0)  # which notes Go's handlers of signals, before others may set their own

# Go's runtime doesn't survive fork: the library answers FORKED in a child. At the first use there it is loaded afresh, from
# a copy, since the loader gives the same library for the same file; that one makes indexes of the memory inherited.
_estate: Dict[int, bytes] = {}
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


def heir(handle: int) -> Optional[int]:
    """The present handle of what had this one before a fork; None if there was no fork, or no such index."""
    with _estate_lock:
        _take_over()
        description = _estate.pop(handle, None)
        if description is None:
            return None
        new = c_int64()
        status = lib.inherit(description, byref(new))
        if status != OK:
            _estate[handle] = description
            raise failure(status)
        return new.value


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


def finish(job: int) -> int:
    """Waits for a job and gives its status; signals are answered meanwhile. An exception ends the job before it goes on."""
    try:
        while True:
            status: int = lib.wait(job, POLL_MS)
            if status != RUNNING:
                return status
    except BaseException:
        lib.cancel(job)
        _outlast(job)
        raise


def _outlast(job: int) -> None:
    """Waits until a cancelled job has ended: until then it uses the caller's arrays."""
    while True:
        try:
            if lib.wait(job, POLL_MS) != RUNNING:
                return
        except KeyboardInterrupt:
            continue


def in_background(function: Callable[..., int], *arguments: Any) -> int:
    """Calls a function that takes a job last, waits for the job, and gives its status."""
    job = c_int64()
    status = function(*arguments, byref(job))
    if status != OK:
        return status
    return finish(job.value)


def call(name: str, *arguments: Any, long: bool = False) -> None:
    """Calls a function that is about no object; long says that it takes a job last."""
    while True:
        function = getattr(lib, name)
        status = in_background(function, *arguments) if long else function(*arguments)
        if status == OK:
            return
        if status != FORKED:
            raise failure(status)
        take_over()


def make(name: str, *arguments: Any, long: bool = False) -> int:
    """The handle that a function gives which makes an object; long says that it takes a job after that."""
    handle = c_int64()
    call(name, *arguments, byref(handle), long=long)
    return handle.value


class Owner:
    """What has an object of the library: calls for it go through here, and find it again after a fork."""

    _handle = 0  # there is none

    def close(self) -> None:
        """Frees the memory now; calls in other threads that use it end first. A second time it does nothing."""
        handle, self._handle = self._handle, 0
        if handle:
            lib.close(handle)

    def __del__(self) -> None:
        if lib is not None:  # as it is when the interpreter ends
            self.close()

    def _call(self, name: str, *arguments: Any) -> None:
        """Calls a short function of the library for this object."""
        self._attempt(lambda handle: getattr(lib, name)(handle, *arguments))

    def _call_long(self, name: str, *arguments: Any) -> None:
        """Calls a function that takes a job last, and waits for the job."""
        self._attempt(lambda handle: in_background(getattr(lib, name), handle, *arguments))

    def _attempt(self, attempt: Callable[[int], int]) -> None:
        while True:
            handle = self._handle
            status = attempt(handle)
            if status == OK:
                return
            if not self._found_again(status, handle):
                raise self._failure(status)

    def _found_again(self, status: int, handle: int) -> bool:
        """Whether a call that failed is worth another attempt."""
        if status not in (CLOSED, FORKED):
            return False
        if self._handle != handle:  # another thread has put another in its place
            return True
        new = self._heir(handle)
        if new is not None:
            self._handle = new
        return new is not None or status == FORKED

    def _heir(self, handle: int) -> Optional[int]:
        """The present handle of what had this one before a fork; None if there was no fork, or no such object."""
        return heir(handle)

    def _failure(self, status: int) -> Exception:
        return failure(status)


def file_name(path: Any) -> bytes:
    """A path as the library takes it."""
    name = os.fsencode(path)
    if b"\0" in name:
        raise ValueError("a path holds a null byte")
    return name
