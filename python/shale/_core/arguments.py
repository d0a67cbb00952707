"""What callers give beside vectors, as the library takes it: errors are ValueErrors and TypeErrors."""

from __future__ import annotations

import operator
import os
import re
from typing import Union

import numpy as np
import numpy.typing as npt

from shale._core.labels import LARGEST_LABEL, exact_labels

#: A path, as :func:`open` takes it.
Path = Union[str, "os.PathLike[str]"]

#: Threads of a call: more than several for each processor are of no use and take memory.
MAX_THREADS = max(64, 4 * (os.cpu_count() or 1))

_SIZE = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([KMGT]?)(I?)B?\s*", re.IGNORECASE)


def labels(given: npt.ArrayLike, count: int | None = None, largest: int = LARGEST_LABEL) -> npt.NDArray[np.uint64]:
    """Labels as a C-contiguous array of uint64; ``count`` is how many there must be."""
    array = np.atleast_1d(exact_labels(given, largest))
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
    return min(count(value, "threads"), MAX_THREADS)


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
