"""The shared library: its functions, their errors as exceptions, and waiting for what takes long.

All of the package calls the library through here. Functions take and give what capi/shale.h says; arrays go in as what
:func:`at` gives, and :func:`check` turns a status into an exception.
"""

import ctypes
import os
from ctypes import POINTER, byref, c_char_p, c_int32, c_int64, c_ubyte, c_uint64

OK, RUNNING, ERROR, VALUE, CLOSED, FORKED, CANCELLED, FEW, ROOM = range(9)

SPACES = {"l2": 0, "ip": 1, "cosine": 2}
FLOAT32, FLOAT16 = 0, 1

#: How long a call waits for a job before Python looks whether a signal has come.
POLL_MS = 50

Allow = ctypes.CFUNCTYPE(c_int32, c_uint64)

_bytes = POINTER(c_ubyte)
_out = POINTER(c_int64)

_prototypes = {
    "wait": (c_int64, c_int64),
    "cancel": (c_int64,),
    "close": (c_int64,),
    "graph_new": (c_int32, c_int64, c_int64, c_int64, c_int64, c_uint64, c_int32, _out),
    "graph_load": (c_char_p, c_int32, c_int64, c_int64, c_int32, _out, _out),
    "graph_import": (c_int32, c_int64, c_uint64, c_int32, _bytes, _bytes, c_int64, _bytes, _bytes, c_int64, _out),
    "graph_export": (c_int64, _bytes, _bytes, _out, _bytes, _out, _bytes, _out),
    "graph_file_size": (c_int64, _out),
    "graph_mark": (c_int64, c_uint64, c_int32),
    "graph_resize": (c_int64, c_int64),
    "flat_new": (c_int32, c_int64, c_int64, _out),
    "flat_load": (c_char_p, c_int32, c_int64, c_int64, _out, _out),
    "flat_remove": (c_int64, c_uint64),
    "add": (c_int64, _bytes, c_int32, c_int64, c_int64, _bytes, c_int32, c_int32, _out),
    "search": (
        c_int64, _bytes, c_int32, c_int64, c_int64, c_int64, c_int64, c_int32, _bytes, c_int64, c_int32, _bytes, _bytes, _out,
    ),
    "vectors": (c_int64, _bytes, c_int64, _bytes),
    "labels": (c_int64, _bytes, _out),
    "stat": (c_int64, _out),
    "save": (c_int64, c_char_p, _out),
    "filter_labels": (_bytes, c_int64, _out),
    "filter_mask": (_bytes, c_int64, _out),
    "filter_roaring": (c_char_p, c_int64, c_int32, _out),
    "filter_callback": (Allow, _out),
}  # fmt: skip


class Library:
    """The functions of one loaded copy of the shared library, without their prefix."""

    def __init__(self, path):
        self._library = ctypes.CDLL(path)
        self.last_error = self._library.shale_last_error
        self.last_error.restype = c_char_p
        for name, arguments in _prototypes.items():
            function = getattr(self._library, "shale_" + name)
            function.argtypes, function.restype = arguments, c_int32
            setattr(self, name, function)


def _path():
    path = os.path.join(os.path.dirname(__file__), "_libshale.so")
    if not os.path.exists(path):
        raise ImportError(f"{path} is missing: install the package with pip, which builds it")
    return path


lib = Library(_path())

_from_buffer = c_ubyte.from_buffer


def at(array):
    """The address of a C-contiguous array, as an argument; it keeps the array alive."""
    try:
        return _from_buffer(array)
    except (TypeError, ValueError, BufferError):  # read-only, or empty
        place = c_ubyte.from_address(array.__array_interface__["data"][0])
        place.array = array
        return place


def failure(status):
    """The exception for a status that isn't OK."""
    text = lib.last_error().decode("utf-8", "replace")
    if status == VALUE:
        return ValueError(text)
    if status == FEW:  # hnswlib's text, and no more
        text = text.split(":")[0]
    return RuntimeError(text)


def check(status):
    if status != OK:
        raise failure(status)


def finish(job):
    """Waits for a job; signals are answered meanwhile. An exception ends the job before it goes on."""
    try:
        while True:
            status = lib.wait(job, POLL_MS)
            if status != RUNNING:
                return status
    except BaseException:
        lib.cancel(job)
        _outlast(job)
        raise


def _outlast(job):
    """Waits until a cancelled job has ended: until then it uses the caller's arrays."""
    while True:
        try:
            if lib.wait(job, POLL_MS) != RUNNING:
                return
        except KeyboardInterrupt:
            continue


def in_background(function, *arguments):
    """Calls a function that takes a job last, and waits for the job."""
    job = c_int64()
    status = function(*arguments, byref(job))
    if status != OK:
        return status
    return finish(job.value)


def file_name(path):
    """A path as the library takes it."""
    name = os.fsencode(path)
    if b"\0" in name:
        raise ValueError("a path holds a null byte")
    return name

