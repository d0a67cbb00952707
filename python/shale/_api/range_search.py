"""One search of an index for all vectors within a radius."""

from __future__ import annotations

from ctypes import byref, c_int64

import numpy as np
import numpy.typing as npt

from shale._api.reports import SearchResult
from shale._api.search import Search, Searched
from shale._core import arguments, library
from shale._core.arrays import at
from shale._core.calls import call
from shale._core.filters import Filter, Filters
from shale._core.handles import Handle
from shale._core.prototypes import pack_query


class RangeSearch(Search):
    """One call of :meth:`Index.range_search`."""

    def __init__(
        self,
        index: Searched,
        queries: npt.ArrayLike,
        radius: float,
        limit: int | None,
        ef: int | None,
        probes: int | None,
        share: float | None,
        filter: Filter | None,
        threads: int | None,
    ) -> None:
        super().__init__(index, queries, 1, ef, None, probes, share, None, filter, threads)
        self._radius = float(radius)
        if np.isnan(self._radius):
            raise ValueError("the radius is NaN")
        self._k = arguments.count(limit, "limit", 1)

    def results(self) -> list[SearchResult]:
        """What each query found."""
        count = self._rows.count
        if count == 0:
            return []
        found = Handle()
        if self._filter is None:
            self._find(None, found)
        else:
            with Filters(self._filter, count) as filters:
                self._find(filters, found)
        size = c_int64(0)
        call("found", found.value, None, None, None, byref(size))
        labels, distances = np.empty(size.value, np.uint64), np.empty(size.value, np.float32)
        offsets = np.zeros(count + 1, np.int64)
        if size.value:
            call("found", found.value, at(offsets), at(labels), at(distances), byref(size))
        bounds = offsets.tolist()
        return [SearchResult(labels[a:b], distances[a:b]) for a, b in zip(bounds, bounds[1:])]

    def _find(self, filters: Filters | None, found: Handle) -> None:
        rest, radius, out = self._query(filters, 0, 0), self._radius, byref(found)
        if filters is not None and filters.asks_python:
            self._index._attempt(lambda handle: library.lib.range(pack_query(handle, *rest), radius, out, None))
        else:
            self._index._attempt(
                lambda handle: library.lib.watched.range(pack_query(handle, *rest), radius, out, self._look)
            )
