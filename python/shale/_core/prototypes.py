"""The C interface as ctypes calls it: what capi/shale.h declares, which a test compares with it."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from ctypes import POINTER, c_char_p, c_double, c_int32, c_int64, c_ubyte, c_uint64, c_void_p
from typing import Any

#: enum shale_status.
(
    OK, RUNNING, ERROR, VALUE, CLOSED, FORKED, CANCELLED, FEW, DIM, NO_LABEL, DELETED, NOT_DELETED, FULL, NO_REPLACING,
    UPDATES_DELETED, READ_ONLY, DAMAGED, NO_FILE, DENIED, EXISTS, MEMORY, RECALL,
) = range(22)  # fmt: skip

#: enum shale_type.
FLOAT32, FLOAT16, ATTACHED = 0, 1, 2

#: What a filter may ask; it leaves its answer in a c_int32.
Allow = ctypes.CFUNCTYPE(None, c_uint64)


class WATCH(c_void_p):
    """None, for which a function works in the calling thread; or see :class:`shale._core.library.Watched`."""


class Python(ctypes.Structure):
    """struct shale_python."""

    names = ("PyEval_SaveThread", "PyEval_RestoreThread", "PyErr_CheckSignals", "PyObject_CallObject", "Py_DecRef")
    _fields_ = [(name, c_void_p) for name in ("release", "acquire", "signals", "call", "drop")]


class Source(ctypes.Structure):
    """struct shale_source."""

    _fields_ = [
        ("rows", c_void_p),
        ("type", c_int64),
        ("count", c_int64),
        ("dim", c_int64),
        ("path", c_char_p),
        ("id", c_char_p),
        ("labels", c_void_p),
        ("label_count", c_int64),
    ]


class Query(ctypes.Structure):
    """struct shale_query, for :data:`pack_query`."""

    _fields_ = [
        ("index", c_int64),
        ("rows", c_void_p),
        ("type", c_int64),
        ("count", c_int64),
        ("dim", c_int64),
        ("k", c_int64),
        ("ef", c_int64),
        ("rerank", c_int64),
        ("probes", c_int64),
        ("threads", c_int64),
        ("slack", c_double),
        ("share", c_double),
        ("filters", c_void_p),
        ("filter_count", c_int64),
        ("partial", c_int64),
        ("labels", c_void_p),
        ("distances", c_void_p),
        ("head", c_int64),
        ("parts", c_void_p),
        ("part_count", c_int64),
    ]


class Stat(ctypes.Structure):
    """struct shale_stat."""

    capacity: int
    count: int
    deleted: int
    dim: int
    m: int
    ef_construction: int
    replacing: int
    external: int
    changeable: int
    next: int
    _fields_ = [
        (name, c_int64)
        for name in (
            "capacity", "count", "deleted", "dim", "m", "ef_construction", "replacing", "external", "changeable",
            "next",
        )
    ]  # fmt: skip


class Tuning(ctypes.Structure):
    """struct shale_tuning."""

    _fields_ = [
        ("index", c_int64),
        ("rows", c_void_p),
        ("type", c_int64),
        ("count", c_int64),
        ("dim", c_int64),
        ("k", c_int64),
        ("truth", c_void_p),
        ("truth_k", c_int64),
        ("max_ef", c_int64),
        ("threads", c_int64),
        ("recall", c_double),
    ]


class NamedRows(ctypes.Structure):
    """struct shale_rows."""

    _fields_ = [
        ("name", c_char_p),
        ("rows", c_void_p),
        ("type", c_int64),
        ("count", c_int64),
        ("dim", c_int64),
        ("places", c_void_p),
    ]


_bytes = POINTER(c_ubyte)
_out = POINTER(c_int64)

#: The arguments of each function that returns a status, without the prefix of its name. A pointer to bytes takes what
#: :func:`shale._core.arrays.at` gives.
PROTOTYPES: dict[str, tuple[Any, ...]] = {
    "inherit": (c_char_p, _out),
    "handles_after": (c_int64,),
    "close": (_out,),
    "new": (c_char_p, _out),
    "open": (c_char_p, c_char_p, _out, WATCH),
    "build": (POINTER(Source), c_char_p, c_char_p, c_int64, _out, WATCH),
    "plan": (POINTER(Source), c_char_p, c_char_p, _out),
    "verify": (c_char_p, _out, WATCH),
    "attach": (c_int64, _bytes, c_int32, c_int64, c_int64, c_int32),
    "attach_pq": (c_int64, _bytes, c_int64, c_int64, _bytes, c_int64, _bytes, c_int64, c_int32),
    "set_global": (c_int64, c_int32),
    "add": (c_int64, _bytes, c_int32, c_int64, c_int64, _bytes, c_int32, c_int64, c_int32, c_int64, WATCH),
    "mark": (c_int64, _bytes, c_int64, c_int32, c_int32),
    "compact": (c_int64, c_int64, WATCH),
    "resize": (c_int64, c_int64),
    "count_from": (c_int64, c_uint64),
    "search": (c_char_p, WATCH),
    "range": (c_char_p, c_double, _out, WATCH),
    "found": (c_int64, _bytes, _bytes, _bytes, _out),
    "vectors": (c_int64, _bytes, c_int64, _bytes),
    "labels": (c_int64, c_int32, _bytes, _out),
    "contains": (c_int64, _bytes, c_int64, _bytes),
    "stat": (c_int64, POINTER(Stat)),
    "info": (c_int64, _out),
    "tune": (POINTER(Tuning), _out, WATCH),
    "save": (c_int64, c_char_p, c_char_p, WATCH),
    "file_size": (c_int64, _out),
    "export": (c_int64, _bytes, _bytes, _out, _bytes, _out, _bytes, _out),
    "import": (c_char_p, _bytes, _bytes, c_int64, _bytes, _bytes, c_int64, _out),
    "shard_build": (_bytes, c_int32, c_int64, c_int64, c_char_p, c_char_p, c_int64, c_int64, WATCH),
    "shards_describe": (c_char_p, c_char_p, c_int64, c_int64),
    "filter_labels": (_bytes, c_int64, _out),
    "filter_range": (c_uint64, c_uint64, c_uint64, _out),
    "filter_mask": (_bytes, c_int64, _out),
    "filter_roaring": (c_char_p, c_int64, c_int32, _out),
    "filter_callback": (Allow, POINTER(c_int32), _out),
    "collection_create": (c_char_p, c_char_p),
    "collection_open": (c_char_p, c_char_p, _out, WATCH),
    "collection_verify": (c_char_p, _out, WATCH),
    "collection_restore": (c_char_p, c_char_p, WATCH),
    "collection_do": (c_int64, c_char_p, c_char_p, POINTER(NamedRows), c_int64, _out, WATCH),
    "answer_vectors": (c_int64, _bytes, _out),
    "text": (c_int64, c_char_p, _out),
    "progress_new": (_out,),
    "progress": (c_int64, c_char_p, c_int64, _out, _out),
}  # fmt: skip

#: Conversions of arguments would take longer than this call, which is made with what needs none: bytes and None.
UNCONVERTED = ("search",)

#: What CPython puts before the fields of an object: NumPy's first is the address of an array's elements.
HEAD = object.__basicsize__

#: struct shale_query as bytes, which ctypes passes on fastest. Arrays go in by their
#: :func:`shale._core.arrays.address`; or, where HEAD comes with them, by their ``id``, which takes a third of the time.
pack_query: Callable[..., bytes] = struct.Struct("10q2d8q").pack
