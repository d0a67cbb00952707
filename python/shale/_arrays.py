"""What callers give, as arrays that the library can read."""

import mmap
import operator

import numpy as np

from shale import _native

F32, F16, U64 = np.dtype(np.float32), np.dtype(np.float16), np.dtype(np.uint64)


def size(value, name):
    """A count: TypeError for what isn't an integer of at least 0."""
    number = operator.index(value)
    if number < 0:
        raise TypeError(f"{name} must not be negative, it is {number}")
    return number


def plain(array):
    """Whether the library can read an array where it lies."""
    return array.flags.c_contiguous and array.flags.aligned and array.dtype.isnative


def rows(data):
    """(array, type, rows, values a row) of one vector or rows of them, any numbers; fp32 and fp16 aren't copied."""
    array = np.asarray(data)
    if array.dtype == F16 and plain(array):
        kind = _native.FLOAT16
    else:
        array, kind = np.require(array, F32, ["C", "A"]), _native.FLOAT32
    if array.ndim == 1:
        return array, kind, 1, array.shape[0]
    if array.ndim == 2:
        return array, kind, array.shape[0], array.shape[1]
    raise RuntimeError(
        f"Input vector data wrong shape. Number of dimensions {array.ndim}. Data must be a 1D or 2D array."
    )


def labels(ids):
    """Labels as uint64, of the shape given."""
    array = np.asarray(ids)
    if array.dtype != U64:
        array = _as_labels(array)
    return np.require(array, U64, ["C", "A"])


def _as_labels(array):
    kind = array.dtype.kind
    if array.size == 0:
        return array.astype(U64)
    if kind == "O":
        if not all(isinstance(label, (int, np.integer)) for label in array.flat):
            raise TypeError("labels must be integers")
        if min(array.flat) < 0 or max(array.flat) >= 2**64:
            raise ValueError("labels must be 0 to 2**64 - 1")
        return array.astype(U64)
    if kind not in "iubf":
        raise TypeError(f"labels must be integers, not {array.dtype}")
    if kind == "f" and not (np.isfinite(array).all() and (array == np.floor(array)).all() and array.max() < 2.0**64):
        raise ValueError("labels must be integers of 0 to 2**64 - 1")
    if kind in "if" and array.min() < 0:
        raise ValueError(f"labels must not be negative, one is {array.min()}")
    return array.astype(U64)


def labels_of_rows(ids, count):
    """Labels of so many rows; one row's may be a scalar."""
    array = labels(ids)
    if not (array.ndim == 1 and array.shape[0] == count or array.ndim == 0 and count == 1):
        raise RuntimeError(
            f"The input label shape {array.shape} does not match the input data vector shape {count}"
        )
    return array


def attached(array, dim, halves):
    """(array, type) of rows that an index is to read where they lie: float32 or, where halves are meant, float16."""
    if halves:
        array = np.asarray(array)
        if array.dtype not in (F16, np.dtype(np.uint16)):
            raise TypeError(f"float16, or its view as uint16, is expected, not {array.dtype}")
        array, kind = np.require(array, None, ["C", "A"]), _native.FLOAT16
    else:
        array, kind = np.require(array, F32, ["C", "A"]), _native.FLOAT32
    if array.ndim != 2:
        raise RuntimeError(f"External vectors must be a 2D array, not one of {array.ndim} dimensions")
    if array.shape[1] != dim:
        raise RuntimeError(f"External vectors dimension mismatch (got {array.shape[1]}, expected {dim})")
    return array, kind


def in_file(array):
    """Whether an array's memory may be that of a file."""
    while array is not None:
        if isinstance(array, (np.memmap, mmap.mmap)):
            return True
        if isinstance(array, memoryview):
            array = array.obj
        else:
            array = getattr(array, "base", None)
    return False


def same_rows(data, rows, normalised):
    """Whether two arrays hold the same rows, as nearly as half precision tells; of one length, where they are normalised."""
    step = max(1, 1 << 20 // max(data.shape[1], 1))
    for start in range(0, data.shape[0], step):
        one = data[start : start + step].astype(F32)
        other = rows[start : start + step].view(F16) if rows.dtype == np.uint16 else rows[start : start + step]
        if normalised:
            one = one / (np.linalg.norm(one, axis=1, keepdims=True) + 1e-30)
        if not np.allclose(one, other, rtol=2e-3, atol=2e-3):
            return False
    return True
