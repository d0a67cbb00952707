"""Vectors with texts and metadata beside them: what the stores of other packages are made of."""

from __future__ import annotations

import json
import os
import shutil
import threading
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
import numpy.typing as npt

from shale._build import open_index
from shale._errors import FormatError
from shale._index import Index
from shale._reports import NO_LABEL
from shale._vectors import Path

_HEAD = "store.json"
_VERSION = 1


@dataclass(frozen=True)
class Record:
    """What is kept beside a vector."""

    id: str
    label: int
    text: str
    metadata: dict[str, Any]


class Collection:
    """An index and the records of its labels. All methods may be called from many threads.

    The index is made when the first vectors come, of which it takes the length. On disk a collection is a directory: the index,
    the records as JSON lines, and ``store.json``, which names both of one moment and appears last.
    """

    def __init__(self, metric: str, settings: dict[str, Any]) -> None:
        self.metric = metric
        self.settings = settings
        self._index: Optional[Index] = None
        self._by_id: dict[str, Record] = {}
        self._by_label: dict[int, Record] = {}
        self._next = 0
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self._by_id)

    @property
    def index(self) -> Optional[Index]:
        return self._index

    def add(
        self, ids: Sequence[str], texts: Sequence[str], metadata: Sequence[dict[str, Any]], vectors: npt.ArrayLike
    ) -> None:
        """Adds records with their vectors; those with an id that is there already take the place of what it had. Of several
        with one id the last counts."""
        if not ids:
            return
        rows = np.asarray(vectors, np.float32)
        if not len(ids) == len(texts) == len(metadata) == len(rows):
            raise ValueError(
                f"{len(ids)} ids, {len(texts)} texts, {len(metadata)} metadata and {len(rows)} vectors don't go together"
            )
        last = {one: place for place, one in enumerate(ids)}
        places = list(last.values())
        with self._lock:
            if self._index is None:
                self._index = Index(rows.shape[1], **{"metric": self.metric, **self.settings})
            fresh = self._next
            records = []
            for place in places:
                known = self._by_id.get(ids[place])
                label = fresh if known is None else known.label
                fresh += known is None
                records.append(Record(ids[place], label, texts[place], dict(metadata[place])))
            self._index.add(rows[places], [record.label for record in records])
            self._next = fresh
            for record in records:
                self._by_id[record.id] = self._by_label[record.label] = record

    def delete(self, ids: Iterable[str]) -> None:
        """Deletes records; ids that aren't there change nothing."""
        with self._lock:
            gone = [self._by_id[one] for one in dict.fromkeys(ids) if one in self._by_id]
            if not gone or self._index is None:
                return
            self._index.delete([record.label for record in gone])
            for record in gone:
                del self._by_id[record.id], self._by_label[record.label]

    def clear(self) -> None:
        """Deletes all records, and frees the index."""
        with self._lock:
            self._by_id, self._by_label, self._next = {}, {}, 0
            old, self._index = self._index, None
            if old is not None:
                old.close()

    def get(self, ids: Iterable[str]) -> list[Record]:
        """The records of the ids that are there, in order."""
        return [self._by_id[one] for one in ids if one in self._by_id]

    def records(self) -> list[Record]:
        with self._lock:
            return list(self._by_id.values())

    def allowed(self, matches: Callable[[Record], bool]) -> npt.NDArray[np.uint64]:
        """The labels of the records that match, as a filter of searches."""
        return np.array([record.label for record in self.records() if matches(record)], np.uint64)

    def search(
        self, vector: npt.ArrayLike, k: int, allowed: Optional[npt.NDArray[np.uint64]] = None, **settings: Any
    ) -> list[tuple[Record, float]]:
        """The k nearest records and their distances, nearest first."""
        if self._index is None or k < 1:
            return []
        return self._found(*self._index.search(np.asarray(vector, np.float32), k, filter=allowed, **settings))

    async def asearch(
        self, vector: npt.ArrayLike, k: int, allowed: Optional[npt.NDArray[np.uint64]] = None, **settings: Any
    ) -> list[tuple[Record, float]]:
        """:meth:`search`, while an event loop goes on."""
        if self._index is None or k < 1:
            return []
        return self._found(*await self._index.asearch(np.asarray(vector, np.float32), k, filter=allowed, **settings))

    def _found(self, labels: npt.NDArray[np.uint64], distances: npt.NDArray[np.float32]) -> list[tuple[Record, float]]:
        found = []
        for label, distance in zip(labels.tolist(), distances.tolist()):
            record = self._by_label.get(label)
            if label != NO_LABEL and record is not None:  # it may have been deleted meanwhile
                found.append((record, distance))
        return found

    def diverse(self, vector: npt.ArrayLike, found: list[tuple[Record, float]], k: int, weight: float) -> list[int]:
        """Places of k of what was found, each near the vector and far from those before it.

        That is maximal marginal relevance (Carbonell and Goldstein, 1998) by the cosine: weight 1 asks for nearness alone,
        0 for distance alone.
        """
        if self._index is None or not found:
            return []
        rows = _unit(self._index.vectors([record.label for record, _ in found]))
        near = rows @ _unit(np.asarray(vector, np.float32))
        alike = np.full(len(found), -np.inf)  # to those picked
        picked = [int(np.argmax(near))]
        while len(picked) < min(k, len(found)):
            alike = np.maximum(alike, rows @ rows[picked[-1]])
            worth = weight * near - (1 - weight) * alike
            worth[picked] = -np.inf
            picked.append(int(np.argmax(worth)))
        return picked

    def save(self, path: Path) -> None:
        """Writes the collection to a directory. What was there stays until all is written."""
        folder = os.fspath(path)
        os.makedirs(folder, exist_ok=True)
        with self._lock:
            before = _read_head(folder) if os.path.exists(os.path.join(folder, _HEAD)) else None
            number = 1 if before is None else before["generation"] + 1
            lines = "".join(
                json.dumps(vars(record), ensure_ascii=False) + "\n" for record in self._by_id.values()
            ).encode()
            head: dict[str, Any] = {
                "version": _VERSION, "generation": number, "metric": self.metric, "settings": self.settings, "next": self._next,
                "count": len(self._by_id), "records": f"records-{number}.jsonl", "bytes": len(lines), "crc32": zlib.crc32(lines),
                "index": None if self._index is None else f"index-{number}",
            }  # fmt: skip
            _write(os.path.join(folder, head["records"]), lines)
            if self._index is not None:
                self._index.save(os.path.join(folder, head["index"]), format="directory", replace=True)
            _write(os.path.join(folder, _HEAD), json.dumps(head, indent=1).encode())
        _remove_others(folder, head)

    @classmethod
    def load(cls, path: Path) -> Collection:
        """Reads what :meth:`save` wrote.

        Raises:
            FileNotFoundError: nothing lies there.
            FormatError: it is damaged.
        """
        folder = os.fspath(path)
        head = _read_head(folder)
        found = cls(head["metric"], head["settings"])
        for record in _read_records(os.path.join(folder, head["records"]), head):
            found._by_id[record.id] = found._by_label[record.label] = record
        found._next = head["next"]
        if head["index"] is not None:
            found._index = open_index(os.path.join(folder, head["index"]))
        there = 0 if found._index is None else len(found._index)
        if not len(found._by_id) == len(found._by_label) == head["count"] == there:
            raise FormatError(
                f"{folder}: {_HEAD} tells of {head['count']} records, there are {len(found._by_id)}, and {there} vectors"
            )
        return found


def _unit(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    length = np.linalg.norm(rows, axis=-1, keepdims=True)
    unit: npt.NDArray[np.float32] = np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)
    return unit


def _write(path: str, content: bytes) -> None:
    """Writes a file that appears whole or not at all."""
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        with open(temporary, "wb") as f:
            f.write(content)
            f.flush()
            os.fsync(f.fileno())
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.remove(temporary)
        raise
    folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


_FIELDS = {
    "version": int, "generation": int, "metric": str, "settings": dict, "next": int, "count": int, "records": str, "bytes": int,
    "crc32": int,
}  # fmt: skip


def _read_head(folder: str) -> dict[str, Any]:
    path = os.path.join(folder, _HEAD)
    with open(path, "rb") as f:
        content = f.read()
    try:
        head = json.loads(content)
    except ValueError as error:
        raise FormatError(f"{path}: not JSON: {error}") from error
    if not isinstance(head, dict) or head.get("version") != _VERSION:
        raise FormatError(f"{path}: field version: this isn't a store of version {_VERSION}")
    for name, kind in _FIELDS.items():
        if not isinstance(head.get(name), kind):
            raise FormatError(f"{path}: field {name}: missing, or of another type")
    names = [head["records"]] + ([] if head.get("index") is None else [head["index"]])
    if any(not isinstance(name, str) or os.path.basename(name) != name or name in ("", ".", "..") for name in names):
        raise FormatError(f"{path}: fields records and index: not names of files beside it")
    head.setdefault("index", None)
    return head


def _read_records(path: str, head: dict[str, Any]) -> list[Record]:
    with open(path, "rb") as f:
        content = f.read()
    if len(content) != head["bytes"] or zlib.crc32(content) != head["crc32"]:
        raise FormatError(
            f"{path}: not what {_HEAD} tells of: {len(content)} bytes in the place of {head['bytes']}, or another sum"
        )
    records = []
    for number, line in enumerate(content.splitlines(), 1):
        try:
            record = Record(**json.loads(line))
        except (ValueError, TypeError) as error:
            raise FormatError(f"{path}: line {number}: not a record: {error}") from error
        for field, kind in (("id", str), ("label", int), ("text", str), ("metadata", dict)):
            if not isinstance(getattr(record, field), kind):
                raise FormatError(f"{path}: line {number}: field {field}: of another type")
        if not 0 <= record.label < head["next"]:
            raise FormatError(f"{path}: line {number}: field label: {record.label} isn't below next in {_HEAD}")
        records.append(record)
    return records


def _remove_others(folder: str, head: dict[str, Any]) -> None:
    """Removes what earlier generations left."""
    kept = {head["records"], head["index"]}
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if name in kept:
            continue
        if name.startswith("index-") and name[6:].isdigit():
            shutil.rmtree(path, ignore_errors=True)
        elif name.startswith("records-") and name.endswith(".jsonl") and name[8:-6].isdigit():
            os.remove(path)
