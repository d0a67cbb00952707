"""The functions of capi/root.h: their arguments, for :mod:`shale._native`."""

from ctypes import POINTER, c_char_p, c_int32, c_int64, c_ubyte, c_void_p


class WATCH(c_void_p):
    """None, for which a function works in the calling thread; or see :class:`shale._native.Watched`."""


_bytes = POINTER(c_ubyte)
_out = POINTER(c_int64)

ROOT = {
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
}
