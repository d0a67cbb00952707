"""Reading the documents of a collection."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, Optional, Union

import numpy.typing as npt

from shale._api import requests
from shale._api.collection_calls import CollectionCalls, DocumentFilter, Ids
from shale._api.documents import Document, Hits, Id, all_ids, one_id
from shale._core import arguments
from shale._core.arrays import Rows


class ReadCollection(CollectionCalls):
    """The queries of a :class:`shale.Collection`."""

    def __len__(self) -> int:
        """The number of documents."""
        return int(self._do("count"))

    def __contains__(self, id: object) -> bool:
        """Whether there is a document with an id: ``"a" in collection``."""
        try:
            name = one_id(id)
        except (TypeError, ValueError):
            return False
        return bool(self._do("get", ids=[name], payload=False, vectors=False))

    def count(self, *, filter: Optional[DocumentFilter] = None) -> int:
        """The number of documents, or of those that satisfy a filter."""
        return int(self._do("count", filter=filter))

    def facets(self, field: str, *, filter: Optional[DocumentFilter] = None, limit: int = 10) -> dict[Any, int]:
        """The most frequent values of a field of the payloads, and how many documents have each."""
        found = self._do("facets", field=field, filter=filter, limit=arguments.count(limit, "limit", 1))
        return {one["value"]: one["count"] for one in found}

    def get(self, id: Id, *, payload: bool = True, vectors: bool = False) -> Optional[Document]:
        """The document with an id, or None."""
        found = self._documents("get", ids=[one_id(id)], payload=payload, vectors=vectors)
        return found[0] if found else None

    def get_many(self, ids: Ids, *, payload: bool = True, vectors: bool = False) -> list[Document]:
        """The documents with these ids, in their order; ids that no document has are left out."""
        return self._documents("get", ids=all_ids(ids), payload=payload, vectors=vectors)

    def scroll(
        self,
        *,
        filter: Optional[DocumentFilter] = None,
        after: Optional[Id] = None,
        payload: bool = True,
        vectors: bool = False,
        page: int = 1000,
    ) -> Iterator[Document]:
        """All documents, those that satisfy a filter, or those that follow an id: numbers by size, then strings that
        are UUIDs, then other strings.

        They are read ``page`` at a time. Documents that are written meanwhile may be among them or not.
        """
        last = None if after is None else one_id(after)
        size = arguments.count(page, "page", 1)
        while True:
            found = self._documents("scroll", filter=filter, after=last, limit=size, payload=payload, vectors=vectors)
            yield from found
            if len(found) < size:
                return
            last = found[-1].id

    def query(
        self,
        near: Optional[npt.ArrayLike] = None,
        k: int = 10,
        *,
        like: Optional[Id] = None,
        filter: Optional[DocumentFilter] = None,
        vector: str = "",
        offset: int = 0,
        max_distance: Optional[float] = None,
        group_by: Optional[str] = None,
        group_size: int = 3,
        ef: int | None = None,
        exact: bool = False,
        payload: Union[bool, Sequence[str]] = True,
        vectors: bool = False,
    ) -> Hits:
        """The documents nearest to a vector, nearest first.

        Args:
            near: the vector.
            k: documents to find, or with ``group_by`` groups.
            like: in place of ``near``, the id of a document: those nearest to its vector are found, without itself.
            filter: which documents may be found, by their payloads: ``{"page": 7}``, ``{"page": {"$gte": 7}}``, with
                the operators ``$eq $ne $gt $gte $lt $lte $in $nin $exists $and $or $not``; or in the form of
                Qdrant's filters, with ``must``, ``should`` and ``must_not``.
            vector: name of the vector to compare; may be left out if there is only one.
            offset: nearest documents, or groups, to leave out before those.
            max_distance: documents that are farther aren't found.
            group_by: a field of payloads: documents with the same value there are a group, of which the nearest
                ``group_size`` are found. The hits of a group follow each other.
            ef: candidates that the search holds: more find more and take longer.
            exact: compute all distances.
            payload, vectors: what to return beside ids and distances; of payloads some keys if they are given.

        Raises:
            ValueError: a setting is wrong, or there is no document with the id ``like``.
        """
        if (near is None) == (like is None):
            raise TypeError("query takes a vector or like")
        rows = None if near is None else Rows(near)
        if rows is not None and not rows.single:
            raise ValueError(f"a query is one vector, not {rows.count} of them: query_many takes several")
        given = {
            "like": [] if like is None else [one_id(like)], "k": arguments.count(k, "k", 1), "filter": filter,
            "vector": vector, "offset": arguments.count(offset, "offset"), "max_distance": max_distance,
            "group_by": group_by or "", "group_size": arguments.count(group_size, "group_size", 1),
            "ef": arguments.count(ef, "ef", 1), "exact": bool(exact), "threads": 1, "vectors": bool(vectors),
            **requests.fields(payload),
        }  # fmt: skip
        return self._query(rows, given)[0]

    def query_many(
        self, near: npt.ArrayLike, k: int = 10, *, threads: int | None = None, **settings: Any
    ) -> list[Hits]:
        """:meth:`query`, with its settings, for each row of an array, all of one state of the collection; threads
        share them."""
        rows = Rows(near)
        known = ("filter", "vector", "offset", "max_distance", "group_by", "group_size", "ef", "exact", "vectors")
        for name in settings:
            if name not in (*known, "payload"):
                raise TypeError(f"query_many() got an unexpected keyword argument {name!r}")
        given = {name: value for name, value in settings.items() if name in known and value is not None}
        given.update(
            k=arguments.count(k, "k", 1), threads=arguments.threads(threads),
            **requests.fields(settings.get("payload", True)),
        )  # fmt: skip
        return self._query(rows, given)

    async def aquery(self, near: npt.ArrayLike, k: int = 10, **settings: Any) -> Hits:
        """:meth:`query`, while an event loop goes on."""
        return await asyncio.to_thread(self.query, near, k, **settings)

    def _query(self, rows: Optional[Rows], given: dict[str, Any]) -> list[Hits]:
        queries = [] if rows is None else [requests.Given("", rows)]
        documents = requests.Answer(self._send("query", requests.text(given), queries), self._vectors)
        scanned = tuple(documents.report.get("scanned", ()))
        return [Hits([documents.hit(one) for one in hits], scanned) for hits in documents.report["hits"]]
