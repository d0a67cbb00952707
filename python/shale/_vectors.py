"""What callers give, as arrays that the library can read where they lie."""

from __future__ import annotations

import operator
import os
import re
from typing import Any, Union

import numpy as np
import numpy.typing as npt

from shale import _labels, _native

#: A path, as :func:`open` takes it.
Path = Union[str, "os.PathLike[str]"]

_SIZE = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([KMGT]?)(I?)B?\s*", re.IGNORECASE)


class Rows:
    """Vectors as C-contiguous float32 or float16: others are converted, these aren't copied."""

    def __init__(self, vectors: npt.ArrayLike, dim: int | None = None) -> None:
        given = np.asanyarray(vectors)
        if given.dtype.kind not in "fiub":
            raise TypeError(f"vectors must be numbers, not {given.dtype}")
        if given.ndim not in (1, 2):
            raise ValueError(f"vectors have {given.ndim} dimensions: want one vector, or rows of them")
        self.single = given.ndim == 1
        self.kind = _native.FLOAT16 if given.dtype == np.float16 else _native.FLOAT32
        wanted = np.float16 if self.kind == _native.FLOAT16 else np.float32
        self.array: npt.NDArray[Any] = np.require(given, wanted, ["C", "A"])
        self.count, self.dim = (1, given.shape[0]) if self.single else given.shape
        self.source = _identity(given) if self.array is given else ""
        if dim is not None and self.dim != dim:
            raise ValueError(f"vectors have {self.dim} values, the index has {dim}")
        if self.dim < 1:
            raise ValueError("vectors have no values")

    @property
    def address(self) -> int:
        return _native.address(self.array)


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


def labels(given: npt.ArrayLike, count: int | None = None, largest: int = _labels.LARGEST) -> npt.NDArray[np.uint64]:
    """Labels as a C-contiguous array of uint64; ``count`` is how many there must be."""
    array = np.atleast_1d(_labels.exact(given, largest))
    if array.ndim != 1:
        raise ValueError(f"labels have {array.ndim} dimensions, not one")
    if count is not None and array.size != count:
        raise ValueError(f"{array.size} labels for {count} vectors")
    return array


def asked(given: npt.ArrayLike) -> npt.NDArray[np.uint64]:
    """Labels that are looked for: those that no vector can have aren't there."""
    return labels(given, largest=2**64 - 1)


def threads(value: int | None) -> int:
    """A number of threads, 0 for as many as there are processors; more than are of use aren't begun."""
    return min(count(value, "threads"), _native.MAX_THREADS)


def count(value: int | None, name: str, least: int = 0) -> int:
    """A number of things; None means 0."""
    number = 0 if value is None else operator.index(value)
    if value is not None and number < least:
        raise ValueError(f"{name} is {number}, not at least {least}")
    if number > 2**31 - 1:
        raise ValueError(f"{name} is {number}, not at most {2**31 - 1}")
    return number


def memory(size: int | str | None) -> int:
    """Bytes of a size such as 2_000_000_000, "500MB" or "2GiB"; 0 for None."""
    if size is None:
        return 0
    if isinstance(size, str):
        parts = _SIZE.fullmatch(size)
        if parts is None:
            raise ValueError(f"memory is {size!r}, no size such as 500MB or 2GiB")
        number, unit, binary = parts.groups()
        power = " KMGT".index(unit.upper() or " ")
        bytes_ = int(float(number) * (1024 if binary else 1000) ** power)
    else:
        bytes_ = operator.index(size)
    if not 0 < bytes_ < 2**63:
        raise ValueError(f"memory is {size!r}, not above 0")
    return bytes_
