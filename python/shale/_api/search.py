"""One search of an index."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from shale._api.reports import IndexInfo, SearchResult
from shale._core import arguments, errors, library
from shale._core.arrays import Rows, address
from shale._core.filters import Filter, Filters
from shale._core.prototypes import pack_query

#: Searches of about this many candidates are answered at once; longer ones let Python answer signals.
_SHORT = 10_000
_DEFAULT_EF = 100
#: Results a query of any index may ask for; more only of an index of as many vectors.
_MANY = 1 << 16


class Searched(Protocol):
    """What a search asks of its index."""

    #: Whether it is one graph in memory, of which a short search takes no time worth speaking of.
    _in_memory: bool

    @property
    def dim(self) -> int: ...

    def info(self) -> IndexInfo: ...

    def _attempt(self, attempt: Callable[[int], int]) -> None: ...


class Search:
    """One call of :meth:`Index.search`."""

    def __init__(
        self,
        index: Searched,
        queries: npt.ArrayLike,
        k: int,
        ef: int | None,
        slack: float | None,
        probes: int | None,
        share: float | None,
        rerank: int | None,
        filter: Filter | None,
        threads: int | None,
    ) -> None:
        self.cancelled = threading.Event()
        self._index = index
        self._rows = Rows(queries, index.dim)
        self._k = _results(index, k)
        self._filter = filter
        self._threads = arguments.threads(threads)
        self._ef = arguments.count(ef, "ef", 1)
        self._settings = (self._ef, arguments.count(rerank, "rerank"), arguments.count(probes, "probes"))
        if share is not None and not 0 <= share <= 1:
            raise ValueError(f"share is {share}, not 0 to 1")
        self._floats = (slack or 0.0, share or 0.0)

    def run(self) -> SearchResult:
        shape = (self._rows.count, self._k)
        labels, distances = np.empty(shape, np.uint64), np.empty(shape, np.float32)
        if self._rows.count:
            self._fill(labels, distances)
        if self._rows.single:
            return SearchResult(labels[0], distances[0])
        return SearchResult(labels, distances)

    def _fill(self, labels: npt.NDArray[np.uint64], distances: npt.NDArray[np.float32]) -> None:
        if self._filter is None:
            self._call(None, labels, distances)
            return
        with Filters(self._filter, self._rows.count) as filters:
            self._call(filters, labels, distances)

    def _call(
        self, filters: Filters | None, labels: npt.NDArray[np.uint64], distances: npt.NDArray[np.float32]
    ) -> None:
        asks_python = filters is not None and filters.asks_python
        rest = self._query(filters, address(labels), address(distances))
        work = self._rows.count * max(self._ef or _DEFAULT_EF, self._k)
        if asks_python or work <= _SHORT and self._index._in_memory:
            self._index._attempt(lambda handle: library.lib.search(pack_query(handle, *rest), None))
        else:
            self._index._attempt(
                lambda handle: library.lib.watched.search(pack_query(handle, *rest), self._look)
            )

    def _query(self, filters: Filters | None, labels: int, distances: int) -> tuple[float, ...]:
        """The query for :func:`pack_query`, without the handle of the index."""
        rows, asks_python = self._rows, filters is not None and filters.asks_python
        return (
            rows.address, rows.kind, rows.count, rows.dim, self._k, *self._settings,
            1 if asks_python else self._threads,
            *self._floats, 0 if filters is None else address(filters.array),
            0 if filters is None else filters.array.size,
            1, labels, distances, 0, 0, -1,
        )  # fmt: skip

    def _look(self) -> None:
        if self.cancelled.is_set():
            raise errors.CancelledError("the search was cancelled")


def _results(index: Searched, k: int) -> int:
    """How many results a query is to have: room for them is made, so not many more than there can be."""
    number = arguments.count(k, "k", 1)
    if number > _MANY:
        rows = index.info().rows
        if number > rows:
            raise ValueError(f"k is {number}, at most {max(rows, _MANY)} for an index of {rows} vectors")
    return number
