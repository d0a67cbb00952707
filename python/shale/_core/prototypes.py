"""The C interface as ctypes calls it: what capi/shale.h and capi/root.h declare."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from ctypes import POINTER, c_char_p, c_int32, c_int64, c_ubyte, c_uint64, c_void_p
from typing import Any

OK, RUNNING, ERROR, VALUE, CLOSED, FORKED, CANCELLED, FEW = range(8)

(
    STAT_CAPACITY, STAT_COUNT, STAT_DELETED, STAT_M, STAT_EF_CONSTRUCTION, STAT_REPLACING, STAT_DIM, STAT_EXTERNAL,
    STAT_NEXT, STAT_FIELDS,
) = range(10)  # fmt: skip

SPACES = {"l2": 0, "ip": 1, "cosine": 2}
FLOAT32, FLOAT16 = 0, 1

#: What a filter may ask; it leaves its answer in a c_int32.
Allow = ctypes.CFUNCTYPE(None, c_uint64)



class WATCH(c_void_p):
    """None, for which a function works in the calling thread; or see :class:`shale._core.library.Watched`."""


_bytes = POINTER(c_ubyte)
_out = POINTER(c_int64)

PROTOTYPES: dict[str, Any] = {
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
    "index_new": (c_int64, c_char_p, _out),
    "index_open": (c_char_p, c_char_p, _out, WATCH),
    "index_build": (c_void_p, c_char_p, c_char_p, c_int64, _out, WATCH),
    "index_plan": (c_void_p, c_char_p, _out),
    "index_add": (c_int64, _bytes, c_int32, c_int64, c_int64, _bytes, c_int32, c_int64, c_int64, WATCH),
    "index_mark": (c_int64, _bytes, c_int64, c_int32),
    "index_compact": (c_int64, c_int64, WATCH),
    "index_find": (c_char_p, WATCH),
    "index_labels": (c_int64, _bytes, _out),
    "index_vectors": (c_int64, _bytes, c_int64, _bytes),
    "index_tune": (c_char_p, _out, WATCH),
    "index_save": (c_int64, c_char_p, c_char_p, WATCH),
    "index_info": (c_int64, _out),
    "verify": (c_char_p, _out, WATCH),
    "text": (c_int64, c_char_p, _out),
    "progress_new": (_out,),
    "progress": (c_int64, c_char_p, c_int64, _out, _out),
}  # fmt: skip

#: Conversions of arguments would take longer than these calls, which are made with what needs none.
UNCONVERTED = ("search", "index_find")

#: What CPython puts before the fields of an object: NumPy's first is the address of an array's elements.
HEAD = object.__basicsize__

#: struct shale_query as bytes, which ctypes passes on fastest. Arrays go in by their :func:`shale._core.arrays.address`; or, where HEAD comes
#: with them, by their ``id``, which takes a third of the time.
pack_query: Callable[..., bytes] = struct.Struct("16q").pack
