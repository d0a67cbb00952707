"""What there is about an index that can be searched."""

from __future__ import annotations

import asyncio
from ctypes import byref
from typing import Any

import numpy as np
import numpy.typing as npt

from shale._api import reports
from shale._api.range_search import RangeSearch
from shale._api.reports import IndexInfo, SearchResult, Tuned
from shale._api.search import Search
from shale._core import arguments, jobs, library
from shale._core.arguments import Path
from shale._core.arrays import Rows, address
from shale._core.calls import Owner, encode, file_name, look
from shale._core.filters import Filter
from shale._core.handles import Handle
from shale._core.labels import exact_labels
from shale._core.prototypes import Tuning


class SearchedIndex(Owner):
    """The searches of a :class:`shale.Index`, and what it is."""

    def _adopt(self, handle: Handle, path: str) -> None:
        self._handle = handle
        self._path = path
        info = self.info()
        self._dim, self._metric, self._changeable = info.dim, info.metric, info.changeable
        self._in_memory = info.changeable and info.shards == 1

    @property
    def dim(self) -> int:
        """Values a vector."""
        return self._dim

    @property
    def metric(self) -> str:
        """``"l2"``, ``"ip"`` or ``"cosine"``."""
        return self._metric

    @property
    def path(self) -> str:
        """Where the index was opened from or last saved to; empty if neither."""
        return self._path

    @property
    def changeable(self) -> bool:
        """Whether vectors can be added and deleted: not in an index that is mapped or has its rows on disk, unless it
        has several shards and is mapped without a bound of memory: then changes load the shards that they touch."""
        return self._changeable

    def info(self) -> IndexInfo:
        """Describes the index as it is now."""
        report = Handle()
        self._attempt(lambda handle: library.lib.info(handle, byref(report)))
        return reports.of(IndexInfo, jobs.text(report))

    def _save(self, path: Path, options: dict[str, Any]) -> None:
        name, text = file_name(path), encode(options)
        self._attempt(lambda handle: library.lib.watched.save(handle, name, text, look))

    def search(
        self,
        queries: npt.ArrayLike,
        k: int = 10,
        *,
        ef: int | None = None,
        slack: float | None = None,
        probes: int | None = None,
        share: float | None = None,
        rerank: int | None = None,
        filter: Filter | None = None,
        threads: int | None = None,
    ) -> SearchResult:
        """Finds the k nearest vectors to each query.

        Args:
            queries: shape (n, dim), or (dim,) for one; float32 and float16 in C order are read where they lie.
            k: results a query.
            ef: vectors looked at more closely: more find more and take longer; default: what :meth:`tune` found, or
                100.
            slack: ends a search at the first candidate farther than 1 + slack times the k-th; 0.05 to 0.25, not for ip.
            probes: shards to look into, of an index that has several.
            share: in place of probes: as many as each query needs to find this share of its neighbours, 0 to 1.
            rerank: candidates found by codes that are ranked by their rows; default: as many as the codes' error asks
                for.
            filter: which labels may be returned: a callable, a boolean array indexed by label, labels, a pyroaring
                bitmap, or a list of these, one for each query.
            threads: default: all processors.

        Returns:
            labels (uint64) and distances (float32) of shape (n, k), or (k,) for one query: see :class:`SearchResult`.

        Raises:
            ValueError: wrong shapes, NaN or infinity, or a setting out of range.
        """
        return Search(self, queries, k, ef, slack, probes, share, rerank, filter, threads).run()

    def range_search(
        self,
        queries: npt.ArrayLike,
        radius: float,
        *,
        limit: int | None = None,
        ef: int | None = None,
        probes: int | None = None,
        share: float | None = None,
        filter: Filter | None = None,
        threads: int | None = None,
    ) -> SearchResult | list[SearchResult]:
        """Finds all vectors within a radius of each query.

        At least those are found that :meth:`search` with the same ef finds within the radius.

        Args:
            queries: shape (n, dim), or (dim,) for one.
            radius: a distance of the index's metric; of ``"l2"`` the square of the Euclidean distance.
            limit: the most results a query, the nearest; default: all.
            ef: vectors looked at more closely, as in :meth:`search`; it matters where few lie within the radius.
            probes: shards to look into, of an index that has several; default: all.
            share: in place of probes: as many as each query needs to find this share of its neighbours, 0 to 1.
            filter: which labels may be returned: see :meth:`search`.
            threads: default: all processors.

        Returns:
            A list of n results, each with labels (uint64) and distances (float32) of one length, nearest first; for one
            query, its result.

        Raises:
            ValueError: wrong shapes, NaN or infinity, or a setting out of range.
        """
        search = RangeSearch(self, queries, radius, limit, ef, probes, share, filter, threads)
        found = search.results()
        return found[0] if np.ndim(queries) == 1 else found

    async def asearch(
        self,
        queries: npt.ArrayLike,
        k: int = 10,
        *,
        ef: int | None = None,
        slack: float | None = None,
        probes: int | None = None,
        share: float | None = None,
        rerank: int | None = None,
        filter: Filter | None = None,
        threads: int | None = None,
    ) -> SearchResult:
        """:meth:`search` in a thread, so that an event loop goes on. Cancelling the task ends the search."""
        search = Search(self, queries, k, ef, slack, probes, share, rerank, filter, threads)
        try:
            return await asyncio.to_thread(search.run)
        except asyncio.CancelledError:
            search.cancelled.set()
            raise

    def tune(
        self,
        queries: npt.ArrayLike,
        recall: float,
        *,
        k: int = 10,
        truth: npt.ArrayLike | None = None,
        max_ef: int | None = None,
        threads: int | None = None,
        save: bool = False,
    ) -> Tuned:
        """Finds the fastest settings that reach a recall, which searches use from then on unless they name an ef.

        Args:
            queries: like those that will come, a few hundred at least; shape (n, dim).
            recall: the share of the k true neighbours to find, above 0 and up to 1.
            truth: labels of the true neighbours, nearest first, shape (n, at least k); default: found by comparing all
                vectors.
            max_ef: try none larger; default: the number of vectors.
            save: note the settings in the directory that the index was opened from.

        Raises:
            RecallError: no setting reaches it.
        """
        rows = Rows(queries, self._dim)
        true = None if truth is None else _truth(truth, rows.count)
        tuning = Tuning(
            rows=rows.address, type=rows.kind, count=rows.count, dim=rows.dim, k=arguments.count(k, "k", 1),
            truth=0 if true is None else address(true), truth_k=0 if true is None else true.shape[1],
            max_ef=arguments.count(max_ef, "max_ef"), threads=arguments.threads(threads), recall=recall,
        )  # fmt: skip
        report = Handle()

        def call(handle: int) -> int:
            tuning.index = handle
            return int(library.lib.watched.tune(byref(tuning), byref(report), look))

        self._attempt(call)
        found = reports.of(Tuned, jobs.text(report))
        if save:
            self._save(self._path, {"tuned": True})
        return found


def _truth(given: npt.ArrayLike, count: int) -> npt.NDArray[np.uint64]:
    array = exact_labels(given, 2**64 - 1)
    if array.ndim != 2 or array.shape[0] != count or array.shape[1] < 1:
        raise ValueError(f"truth has the shape {array.shape}, it isn't labels for {count} queries")
    return array
