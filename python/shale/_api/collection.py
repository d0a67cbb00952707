"""Documents in a directory, which are searched while they are written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Literal, Optional, Union

from shale._api import reports, requests
from shale._api.collection_read import ReadCollection
from shale._api.collection_write import WrittenCollection
from shale._api.documents import Vector
from shale._api.reports import CollectionInfo, CollectionVerified
from shale._core import arguments, jobs
from shale._core.arguments import Path
from shale._core.calls import call, call_long, encode, file_name, make_long

#: What an index holds of a field.
IndexKind = Literal["keyword", "uuid", "integer", "float", "bool", "datetime", "text"]


class Collection(WrittenCollection, ReadCollection):
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
