"""What the indexes of shale.hnswlib have in common."""

from __future__ import annotations

import os
import sys
from ctypes import byref
from typing import Any, Optional, Tuple, Union

import numpy as np
import numpy.typing as npt

from shale._core import library
from shale._core.arguments import MAX_THREADS
from shale._core.arrays import F32, U64, address, at
from shale._core.calls import Owner, encode, file_name, look
from shale._core.filters import Filter, Filters
from shale._core.handles import NONE, Handle
from shale._core.prototypes import CLOSED, Stat, pack_query
from shale.hnswlib import _arguments
from shale.hnswlib._errors import TOO_FEW, failure, load, make

Path = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]
Results = Tuple["npt.NDArray[np.uint64]", "npt.NDArray[np.float32]"]

#: Batches of about this many candidates at most are searched at once; longer ones let Python answer signals.
SHORT_SEARCH = 20_000
#: Fewer rows than these are added at once.
SHORT_ADD = 8
#: Results a query may ask for without a look at how many elements there are.
MANY_RESULTS = 4096
SPACES = ("l2", "ip", "cosine")


def cores() -> int:
    return os.cpu_count() or 1


def space_and_dim(space: str, dim: int) -> Tuple[str, int]:
    """Checks what a constructor was given."""
    if not isinstance(space, str):
        raise TypeError(f"space must be a str, not {type(space).__name__}")
    if space not in SPACES:
        raise RuntimeError("Space name must be one of l2, ip, or cosine.")
    dim = _arguments.size(dim, "dim")
    if dim < 1:
        raise RuntimeError("dim must be at least 1")
    return space, dim


def wrong_width(dim: int, expected: int) -> RuntimeError:
    return RuntimeError(f"Wrong dimensionality of the vectors: {dim}, the index has {expected}")


class Common(Owner):
    """A handle to what the library holds, for vectors of one space and width."""

    _space: str
    _dim: int
    #: Number of threads of calls that don't say how many; at first that of the cores.
    num_threads: int

    def __init__(self, space: str, dim: int) -> None:
        self._space, self._dim = space_and_dim(space, dim)
        self.num_threads = cores()

    def set_num_threads(self, num_threads: int) -> None:
        """Sets the number of threads of calls that don't say how many."""
        self.num_threads = num_threads

    def _threads(self, num_threads: int) -> int:
        if num_threads > 0:
            return num_threads
        return self.num_threads if self.num_threads > 0 else cores()


class Tunable(Common):
    """Common to what searches with an ef."""

    _ef: int

    @property
    def space(self) -> str:
        return self._space

    @property
    def dim(self) -> int:
        return self._dim

    @property
    def ef(self) -> int:
        """Candidates that a search keeps, in each shard: more find more of the true neighbours and take longer."""
        return self._ef

    @ef.setter
    def ef(self, ef: int) -> None:
        self.set_ef(ef)

    def set_ef(self, ef: int) -> None:
        """Sets the number of candidates that a search keeps, in each shard."""
        self._ef = _arguments.size(ef, "ef")


class Base(Common):
    """Common to what is one piece: its files, rows and queries."""

    _name = ""

    def __repr__(self) -> str:
        return f"<hnswlib.{self._name}(space='{self._space}', dim={self._dim})>"

    def get_max_elements(self) -> int:
        """The number of elements that there is room for."""
        return self._stat().capacity

    def get_current_count(self) -> int:
        """The number of elements, those marked deleted included."""
        return self._stat().count

    def save_index(self, path_to_index: Path) -> None:
        """Writes a file that hnswlib reads. It appears whole or not at all. RuntimeError where that can't be done."""
        self._save(path_to_index, "hnswlib")

    def _save(self, path: Path, format: str) -> None:
        self._call_long("save", file_name(path), encode({"format": format}))

    def _failure(self, status: int) -> Exception:
        if status == CLOSED and self._handle is NONE:
            return RuntimeError("The index is not initiated, or closed: call init_index or load_index first")
        return failure(status)

    def _stat(self) -> Stat:
        stat = Stat()
        self._call("stat", byref(stat))
        return stat

    def _new(self, kind: str, **options: Any) -> Handle:
        """Makes what the library holds, once."""
        if self._handle:
            raise RuntimeError("The index is already initiated.")
        return make("new", encode({"kind": kind, "metric": self._space, "dim": self._dim, **options}))

    def _load(self, what: str, kind: str, path: Path, **options: Any) -> None:
        """Reads a file in the place of what the library holds, which stays if that fails."""
        text = encode({"kind": kind, "metric": self._space, "dim": self._dim, **options})
        handle = load("open", file_name(path), text)
        old, self._handle = self._handle, handle
        if old:
            print(
                f"Warning: Calling {what} for an already inited index. Old index is being deallocated.", file=sys.stderr
            )
            old.close()

    def _labels(self, ids: Optional[npt.ArrayLike], count: int, dim: int) -> Optional[npt.NDArray[np.uint64]]:
        """Labels of so many rows, whose width is checked."""
        if dim != self._dim:
            raise wrong_width(dim, self._dim)
        return None if ids is None else _arguments.labels_of_rows(ids, count)

    def _add(self, data: npt.ArrayLike, ids: Optional[npt.ArrayLike], threads: int, replace_deleted: bool) -> None:
        array, kind, count, dim = _arguments.rows(data)
        labels = self._labels(ids, count, dim)
        under = labels if labels is None else at(labels)
        threads = 1 if count <= 4 * threads else min(threads, MAX_THREADS)
        arguments = (at(array), kind, count, dim, under, labels is None, threads, replace_deleted, 0)
        if count < SHORT_ADD:
            self._call("add", *arguments, None)
        else:
            self._call_long("add", *arguments)

    def _query(
        self, data: npt.ArrayLike, k: int, ef: int, num_threads: int, given: Optional[Filter], long: bool
    ) -> Results:
        """(labels, distances) of the k nearest to each row; long says that one query may take long."""
        array, kind, count, dim = _arguments.rows(data)
        if dim != self._dim:
            raise wrong_width(dim, self._dim)
        if k > MANY_RESULTS and k > self._stat().count:
            raise RuntimeError(TOO_FEW)
        labels, distances = np.empty((count, k), U64), np.empty((count, k), F32)
        if k == 0 or count == 0:
            _arguments.size(k, "k")
            return labels, distances
        threads = min(self._threads(num_threads), count, MAX_THREADS)
        long = long or count * max(ef, k) > SHORT_SEARCH
        into = (0, address(labels), address(distances), 0, 0, -1)
        start = (address(array), kind, count, dim, k, ef, 0, 0)
        if given is None:
            self._search(long, *start, threads, 0.0, 0.0, 0, 0, *into)
            return labels, distances
        with Filters(given, count) as filters:
            if filters.asks_python:  # from this thread, which may hold what Python asks for
                threads, long = 1, False
            self._search(long, *start, threads, 0.0, 0.0, address(filters.array), filters.array.size, *into)
        return labels, distances

    def _search(self, long: bool, *query: float) -> None:
        if long:
            self._attempt(lambda handle: library.lib.watched.search(pack_query(handle, *query), look))
        else:
            self._attempt(lambda handle: library.lib.search(pack_query(handle, *query), None))
