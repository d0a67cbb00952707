"""Documents in a directory, which are searched while they are written."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from ctypes import byref
from types import TracebackType
from typing import Any, Literal, Optional, Union

import numpy as np
import numpy.typing as npt

from shale._api import reports, requests, tables
from shale._api.documents import Document, Hits, Id, Payload, Vector, all_ids, one_id, payload_text
from shale._api.reports import CollectionInfo, CollectionVerified
from shale._core import arguments, jobs
from shale._core.arguments import Path
from shale._core.arrays import Rows
from shale._core.calls import Owner, call, call_long, encode, file_name, make_long
from shale._core.handles import Handle
from shale._core.prototypes import NamedRows

#: Vectors of many documents: rows, or rows by the vectors' names. None stands for one that a document doesn't have.
Vectors = Union[npt.ArrayLike, Mapping[str, Any]]

#: Ids of many documents.
Ids = Union[Sequence[Id], npt.NDArray[np.integer[Any]]]

#: Which documents are meant, by their payloads.
DocumentFilter = Mapping[str, Any]
#: What an index holds of a field.
IndexKind = Literal["keyword", "uuid", "integer", "float", "bool", "datetime", "text"]

#: Documents of a batch, by default.
_BATCH = 10_000


class Collection(Owner):
    """Documents in a directory: an id, one or more vectors, and a payload, which is a dict of what JSON has.

    They are written, deleted and searched from any number of threads at once. What a call has written when it returns
    is still there after a crash or a power cut. One process at a time can have a collection open.

    Args:
        path: of the directory. If nothing is there, and ``vectors`` are given, a collection is made.
        vectors: what each document may have: one :class:`shale.Vector`, or several by their names.
        indexes: of a collection that is made: fields of payloads that filters are quick about, and what they hold; see
            :meth:`create_index`.
        memory: what the collection may take, such as ``"1GiB"``, beside mapped files; by default merging has no bound.
        sync_window: seconds for which what was written may be in memory alone after a call has returned. If the process
            is killed meanwhile it is lost, the latest first. By default calls wait for the disk.
        segment_rows: documents that are kept in memory before they become files; by default as memory says.
        merge_threads: that write files in the background; by default half as many as there are processors.

    Raises:
        FileNotFoundError: nothing is there, and no vectors are given.
        FormatError: what is there isn't a collection, or is damaged.
        ValueError: a setting is wrong, or what is there has other vectors.

    Example:
        >>> docs = shale.Collection("docs", shale.Vector(384, "cosine"))
        >>> docs.upsert(["a", "b"], embeddings, [{"title": "On bees"}, {"title": "On ants"}])
        >>> for hit in docs.query(embedding, k=5):
        ...     print(hit.id, hit.distance, hit.payload["title"])
    """

    def __init__(
        self,
        path: Path,
        vectors: Union[Vector, Mapping[str, Vector], None] = None,
        indexes: Optional[Mapping[str, IndexKind]] = None,
        *,
        memory: int | str | None = None,
        sync_window: float = 0.0,
        segment_rows: int = 0,
        merge_threads: int | None = None,
    ) -> None:
        self._path = os.fspath(path)
        name = file_name(path)
        if not 0 <= sync_window < 1e6:
            raise ValueError(f"sync_window is {sync_window}, not 0 seconds or more")
        options = encode({
            "segment_rows": arguments.count(segment_rows, "segment_rows"),
            "merge_threads": arguments.threads(merge_threads), "memory": arguments.memory(memory),
            "sync_window": round(sync_window * 1e9),
        })  # fmt: skip
        schema = None if vectors is None else requests.schema(vectors)
        if schema is not None and not os.path.exists(self._path):
            call("collection_create", name, encode({"vectors": schema, "indexes": _indexes(indexes or {})}))
        self._handle = make_long("collection_open", name, options)
        self._vectors = {one.pop("name"): Vector(**one) for one in self._do("info")["schema"]["vectors"]}
        if schema is not None:
            _check_schema(self, schema)

    @property
    def path(self) -> str:
        """Of the directory."""
        return self._path

    @property
    def vectors(self) -> dict[str, Vector]:
        """What vectors documents may have, by name. The name of the only one may be empty."""
        return dict(self._vectors)

    def __repr__(self) -> str:
        return f"Collection({self._path!r}, {self._vectors!r})"

    def __enter__(self) -> Collection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

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

    def upsert(
        self,
        ids: Union[Id, Ids],
        vectors: Vectors,
        payloads: Union[Sequence[Optional[Payload]], Payload, None] = None,
        *,
        batch: int = _BATCH,
    ) -> None:
        """Writes documents. One whose id is there already takes the place of that one, payload and vectors.

        Args:
            ids: whole numbers, strings or UUIDs, which become strings; one, or one a document.
            vectors: one row a document; where they have names, a dict of rows. None in place of a row means that the
                document doesn't have that vector.
            payloads: a dict a document, or None.
            batch: documents written at once: all of them, or after an error none.

        Raises:
            TypeError, ValueError: a document can't be kept; the text says which and why. Those of its batch aren't
                written.
        """
        names = all_ids(ids)
        rows = self._rows(vectors, len(names), single=np.ndim(ids) == 0)  # type: ignore[arg-type]
        given = [payloads] if isinstance(payloads, dict) else payloads
        if given is not None and len(given) != len(names):
            raise ValueError(f"{len(given)} payloads for {len(names)} ids")
        for first in range(0, len(names), max(1, batch)):
            last = min(first + max(1, batch), len(names))
            texts = [] if given is None else [
                payload_text(one, f" of id {name!r}") for one, name in zip(given[first:last], names[first:last])
            ]  # fmt: skip
            text = f'{{"ids": {json.dumps(names[first:last])}, "payloads": [{", ".join(texts)}]}}'
            self._send("upsert", text.encode(), [one.part(first, last) for one in rows])

    def upsert_table(
        self,
        table: Any,
        id: Optional[str] = "id",
        vector: Union[str, Mapping[str, str]] = "vector",
        payload: Optional[Sequence[str]] = None,
        *,
        batch: int = _BATCH,
    ) -> int:
        """Writes the rows of a table as documents; needs pyarrow.

        Args:
            table: a data frame of pandas or polars, a table, record batch or reader of PyArrow, whatever else has
                Arrow's stream, or an iterable of such.
            id: the column of ids; None gives each document a new UUID.
            vector: the column of vectors, which are lists of numbers; or columns by the names of vectors.
            payload: columns that become keys of payloads, without nulls; by default all others.
            batch: documents written at once: all of them, or after an error none.

        Returns:
            How many documents were written.

        Raises:
            KeyError: there is no such column.
            TypeError, ValueError: as of :meth:`upsert`. The batches before have been written.
        """
        columns = {"": vector} if isinstance(vector, str) else dict(vector)
        written = 0
        for part in tables.parts(table, id, columns, payload, max(1, batch)):
            self.upsert(part.ids, part.vectors, part.payloads, batch=batch)
            written += len(part.ids)
        return written

    def update(
        self,
        ids: Union[Id, Ids, None] = None,
        *,
        filter: Optional[DocumentFilter] = None,
        set: Optional[Payload] = None,
        unset: Sequence[str] = (),
        payload: Optional[Payload] = None,
        clear: bool = False,
        vectors: Optional[Mapping[str, npt.ArrayLike]] = None,
        drop_vectors: Sequence[str] = (),
    ) -> int:
        """Changes parts of documents in the same way: of all, or after an error of none. Ids that no document has are
        passed over. Other parts stay as they are.

        Args:
            ids: one or many.
            filter: in place of ids: all documents that satisfy it, some at a time.
            set: keys of the payload to add or to replace.
            unset: keys of the payload to remove; ``"a.b"`` is the key ``b`` within ``a``.
            payload: takes the place of the whole payload.
            clear: remove the payload.
            vectors: by name, those to add or to replace.
            drop_vectors: names of those to remove; one must stay.

        Returns:
            How many of the documents there were.
        """
        if (ids is None) == (filter is None):
            raise TypeError("update takes ids or a filter")
        rows = [] if vectors is None else [requests.Given(name, Rows(row)) for name, row in vectors.items()]
        if any(not one.rows.single for one in rows):
            raise ValueError("vectors are one row by name, which all of the documents get")
        change = {
            "clear": bool(clear), "unset": [unset] if isinstance(unset, str) else list(unset),
            "drop_vectors": [drop_vectors] if isinstance(drop_vectors, str) else list(drop_vectors),
            "ids": [] if ids is None else all_ids(ids), "filter": filter,
        }  # fmt: skip
        parts = [requests.text(change).decode()[1:-1]]
        given = {"set": set, "payload": payload}
        parts += [f'"{key}": {payload_text(one)}' for key, one in given.items() if one is not None]
        return int(jobs.text(self._send("update", f"{{{', '.join(parts)}}}".encode(), rows)))

    def delete(self, ids: Union[Id, Ids, None] = None, *, filter: Optional[DocumentFilter] = None) -> int:
        """Deletes documents, by their ids or all that satisfy a filter, and returns how many there were.

        Those of ids are deleted at once; those of a filter some at a time.
        """
        if (ids is None) == (filter is None):
            raise TypeError("delete takes ids or a filter")
        if ids is None:
            return int(self._do("delete", filter=filter))
        return int(self._do("delete", ids=all_ids(ids)))

    def count(self, *, filter: Optional[DocumentFilter] = None) -> int:
        """The number of documents, or of those that satisfy a filter."""
        return int(self._do("count", filter=filter))

    def facets(self, field: str, *, filter: Optional[DocumentFilter] = None, limit: int = 10) -> dict[Any, int]:
        """The most frequent values of a field of the payloads, and how many documents have each."""
        found = self._do("facets", field=field, filter=filter, limit=arguments.count(limit, "limit", 1))
        return {one["value"]: one["count"] for one in found}

    def create_index(self, field: str, kind: IndexKind) -> None:
        """Makes filters of a field quick, for documents that are there and those to come.

        Args:
            field: a key of payloads; ``"a.b"`` is the key ``b`` within ``a``, ``"a[].b"`` that of each element of an
                array.
            kind: ``"keyword"``, ``"uuid"``, ``"integer"``, ``"float"``, ``"bool"``, ``"datetime"``, or ``"text"``: the
                words of a text.
        """
        self._do("create_index", field=field, kind=kind)

    def drop_index(self, field: str, kind: IndexKind) -> bool:
        """Removes an index, and reports whether there was one."""
        return bool(self._do("drop_index", field=field, kind=kind))

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

    def seal(self) -> None:
        """Writes the documents in memory to files, which happens by itself when they are ``segment_rows``."""
        self._do("seal")

    def snapshot(self, path: Path) -> None:
        """Writes the collection as it is now to a directory, where nothing may be. Writes go on meanwhile. Files that
        don't change are shared with the snapshot where the file system can do that."""
        self._do("snapshot", dir=os.fsdecode(file_name(path)))

    @staticmethod
    def restore(snapshot: Path, path: Path) -> Collection:
        """Makes a collection of a snapshot, which is checked first, at a path where nothing is, and opens it."""
        call_long("collection_restore", file_name(snapshot), file_name(path))
        return Collection(path)

    def compact(self) -> None:
        """Merges all files into one, without the documents that were deleted or overwritten, and gives their disk back.
        Searches and writes go on meanwhile. It happens by itself, bit by bit."""
        self._do("compact")

    def info(self) -> CollectionInfo:
        """Describes the collection as it is now."""
        return reports.of(CollectionInfo, self._do("info"))

    @staticmethod
    def verify(path: Path) -> CollectionVerified:
        """Reads all of a collection that nobody has open, and checks it."""
        return reports.of(CollectionVerified, jobs.text(make_long("collection_verify", file_name(path))))

    def _rows(self, vectors: Vectors, count: int, single: bool) -> list[requests.Given]:
        """Rows by the names of vectors."""
        named = vectors if isinstance(vectors, Mapping) else {"": vectors}
        return [requests.Given.of(name, rows, count, single) for name, rows in named.items()]

    def _do(self, operation: str, **given: Any) -> Any:
        """Does an operation that takes no rows, and returns what it answers."""
        answer = self._send(operation, requests.text(given), [])
        return jobs.text(answer) if answer.value else None

    def _documents(self, operation: str, **given: Any) -> list[Document]:
        answer = requests.Answer(self._send(operation, requests.text(given), []), self._vectors)
        return [answer.document(one) for one in answer.report]

    def _send(self, operation: str, given: bytes, rows: list[requests.Given]) -> Handle:
        answer = Handle()
        places = (NamedRows * len(rows))(*(one.struct() for one in rows))
        self._call_long("collection_do", operation.encode(), given, places, len(rows), byref(answer))
        return answer


def _indexes(indexes: Mapping[str, IndexKind]) -> list[dict[str, str]]:
    return [{"field": field, "kind": kind} for field, kind in indexes.items()]


def _check_schema(collection: Collection, wanted: list[dict[str, Any]]) -> None:
    """Closes a collection and raises ValueError if it has other vectors than those wanted."""
    there = {one["name"]: one for one in requests.schema(collection.vectors)}
    same = len(there) == len(wanted) and all(
        one["name"] in there and all(value in ("auto", there[one["name"]][key]) for key, value in one.items())
        for one in wanted
    )
    if not same:
        collection.close()
        raise ValueError(f"{collection.path} has other vectors: {list(there.values())}, not {wanted}")
