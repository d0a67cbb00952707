"""Arrays that the library reads and writes where they lie."""

from __future__ import annotations

import mmap
import os
from ctypes import addressof, c_ubyte
from typing import Any, Callable, Tuple

import numpy as np
import numpy.typing as npt

from shale._core.prototypes import FLOAT16, FLOAT32

F32, F16, U64 = np.dtype(np.float32), np.dtype(np.float16), np.dtype(np.uint64)

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


def readable(array: npt.NDArray[Any]) -> Tuple[npt.NDArray[Any], int]:
    """(array, type) of vectors as C-contiguous float32 or float16: others are converted, these aren't copied."""
    if array.dtype == F16:
        return np.require(array, F16, ["C", "A"]), FLOAT16
    return np.require(array, F32, ["C", "A"]), FLOAT32


class Rows:
    """Vectors as C-contiguous float32 or float16: others are converted, these aren't copied."""

    def __init__(self, vectors: npt.ArrayLike, dim: int | None = None) -> None:
        given = np.asanyarray(vectors)
        if given.dtype.kind == "O":
            raise TypeError(
                "vectors are an array of objects, not of numbers: "
                "np.stack(vectors) makes one array of vectors of one length"
            )
        if given.dtype.kind not in "fiub":
            raise TypeError(f"vectors must be numbers, not {given.dtype}")
        if given.ndim not in (1, 2):
            raise ValueError(f"vectors have {given.ndim} dimensions: want one vector, or rows of them")
        self.single = given.ndim == 1
        self.array, self.kind = readable(given)
        self.count, self.dim = (1, given.shape[0]) if self.single else given.shape
        self.source = _identity(given) if self.array is given else ""
        if dim is not None and self.dim != dim:
            raise ValueError(f"vectors have {self.dim} values, the index has {dim}")
        if self.dim < 1:
            raise ValueError("vectors have no values")

    @property
    def address(self) -> int:
        return address(self.array)


def _identity(array: npt.NDArray[Any]) -> str:
    """Tells the rows of a file that is mapped for reading from others; empty for arrays that may change."""
    base: Any = array
    while isinstance(base, np.ndarray) and isinstance(base.base, np.ndarray):
        base = base.base
    if not isinstance(base, np.memmap) or base.mode != "r" or base.filename is None:
        return ""
    found = os.stat(base.filename)
    start = array.__array_interface__["data"][0] - base.__array_interface__["data"][0]
    name = os.path.abspath(os.fspath(base.filename))
    return f"{name} {found.st_size} {found.st_mtime_ns} {base.offset + start} {array.shape} {array.dtype.str}"


def in_file(array: Any) -> bool:
    """Whether an array's memory may be that of a file."""
    while array is not None:
        if isinstance(array, (np.memmap, mmap.mmap)):
            return True
        if isinstance(array, memoryview):
            array = array.obj
        else:
            array = getattr(array, "base", None)
    return False
