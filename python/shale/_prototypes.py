"""The functions of capi/root.h: their arguments, for :mod:`shale._native`."""

from ctypes import POINTER, c_char_p, c_int32, c_int64, c_ubyte

_bytes = POINTER(c_ubyte)
_out = POINTER(c_int64)

#: None: what goes in is packed already, or a structure.
ROOT = {
    "index_new": (c_int64, c_char_p, _out),
    "index_open": (c_char_p, c_char_p, _out, _out),
    "index_build": None,
    "index_plan": None,
    "index_add": (c_int64, _bytes, c_int32, c_int64, c_int64, _bytes, c_int32, c_int64, c_int64, _out),
    "index_mark": (c_int64, _bytes, c_int64, c_int32),
    "index_find": None,
    "index_labels": (c_int64, _bytes, _out),
    "index_vectors": (c_int64, _bytes, c_int64, _bytes),
    "index_tune": None,
    "index_save": (c_int64, c_char_p, c_char_p, _out),
    "index_info": (c_int64, _out),
    "verify": (c_char_p, _out, _out),
    "text": (c_int64, c_char_p, _out),
    "progress_new": (_out,),
    "progress": (c_int64, c_char_p, c_int64, _out, _out),
}
