"""What callers give, as hnswlib takes it: errors are RuntimeErrors and TypeErrors in its words."""

from __future__ import annotations

import operator
import sys
from typing import Any, Tuple

import numpy as np
import numpy.typing as npt

from shale._core.arrays import F16, F32, in_file, readable
from shale._core.labels import exact_labels
from shale._core.prototypes import FLOAT16, FLOAT32


def size(value: Any, name: str, most: int = 2**63 - 1) -> int:
    """Returns a count. Raises TypeError unless it is an integer of at least 0, RuntimeError if it is too large."""
    number = operator.index(value)
    if number < 0:
        raise TypeError(f"{name} must not be negative, it is {number}")
    if number > most:
        raise RuntimeError(f"{name} must be at most {most}, it is {number}")
    return number


_MAX_M = 10_000


def links(M: int) -> int:
    """M as hnswlib takes it: capped, with a warning."""
    count = size(M, "M")
    if count < 2:
        raise RuntimeError(f"M must be at least 2, it is {count}")
    if count > _MAX_M:
        print(f"Warning: M is {count}, and is capped at {_MAX_M}", file=sys.stderr)
    return min(count, _MAX_M)


def rows(data: npt.ArrayLike) -> Tuple[npt.NDArray[Any], int, int, int]:
    """(array, type, rows, values a row) of one vector or rows of them, any numbers; fp32 and fp16 aren't copied."""
    array, kind = readable(np.asarray(data))
    if array.ndim == 1:
        return array, kind, 1, array.shape[0]
    if array.ndim == 2:
        return array, kind, array.shape[0], array.shape[1]
    raise RuntimeError(
        f"Input vector data wrong shape. Number of dimensions {array.ndim}. Data must be a 1D or 2D array."
    )


def labels_of_rows(ids: npt.ArrayLike, count: int) -> npt.NDArray[np.uint64]:
    """Labels of so many rows; one row's may be a scalar."""
    array = exact_labels(ids, floats=True)
    if not (array.ndim == 1 and array.shape[0] == count or array.ndim == 0 and count == 1):
        raise RuntimeError(
            f"The input label shape {array.shape} does not match the input data vector shape {count}"
        )
    return array


def attached(array: Any, dim: int, halves: bool) -> Tuple[npt.NDArray[Any], int]:
    """(array, type) of rows that an index is to read where they lie: float32 or, where halves are meant, float16."""
    if halves:
        array = np.asarray(array)
        if array.dtype not in (F16, np.dtype(np.uint16)):
            raise TypeError(f"float16, or its view as uint16, is expected, not {array.dtype}")
        array, kind = np.require(array, None, ["C", "A"]), FLOAT16
    else:
        array, kind = np.require(array, F32, ["C", "A"]), FLOAT32
    if array.ndim != 2:
        raise RuntimeError(f"External vectors must be a 2D array, not one of {array.ndim} dimensions")
    if array.shape[1] != dim:
        raise RuntimeError(f"External vectors dimension mismatch (got {array.shape[1]}, expected {dim})")
    return array, kind


def same_rows(data: npt.NDArray[Any], rows: npt.NDArray[Any], normalised: bool) -> bool:
    """Whether two arrays hold the same rows, as nearly as half precision tells; of one length, where they are
    normalised."""
    if data.__array_interface__["data"] == rows.__array_interface__["data"] and data.dtype == rows.dtype:
        return True
    step = max(1, 1 << 20 // max(data.shape[1], 1))
    for start in range(0, data.shape[0], step):
        one = data[start : start + step].astype(F32)
        other = rows[start : start + step].view(F16) if rows.dtype == np.uint16 else rows[start : start + step]
        if normalised:
            one = one / (np.linalg.norm(one, axis=1, keepdims=True) + 1e-30)
        if not np.allclose(one, other, rtol=2e-3, atol=2e-3):
            return False
    return True


#: How far a row may be from length 1, squared: that of one rounded to half precision is off by less.
_SLACK = 4e-3


def check_lengths(array: npt.NDArray[Any], space: str) -> None:
    """Refuses external vectors in a file that aren't normalised where the space asks for it, as far as three of them
    tell.

    The library tests more of those in memory. Each row read from a mapped file may bring megabytes of it into memory.
    """
    if space != "cosine" or array.shape[0] == 0 or not in_file(array):
        return
    sample = array[[0, array.shape[0] // 2, -1]]
    sample = sample.view(F16) if sample.dtype == np.uint16 else sample
    lengths = (sample.astype(np.float64) ** 2).sum(axis=1)
    if (~(np.abs(lengths - 1) <= _SLACK) & (lengths != 0)).any():
        raise RuntimeError("External vectors must be normalised where the space is cosine")
