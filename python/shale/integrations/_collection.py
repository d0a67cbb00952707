"""Vectors with texts and metadata beside them: what the stores of other packages are made of."""

from __future__ import annotations

import contextlib
import copy
import errno
import gc
import inspect
import io
import json
import operator
import os
import shutil
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Optional, get_args

import numpy as np
import numpy.typing as npt

from shale._api.files import open_index
from shale._api.index import Index
from shale._api.options import Codes, KeptRows, Metric
from shale._api.reports import NO_LABEL
from shale._core.arguments import Path
from shale._core.errors import Error, FormatError
from shale.integrations import _locks, _metadata

_HEAD = "store.json"
#: Held by who saves.
_LOCK = ".lock"
#: 1 had metadata of JSON alone.
_VERSION = 2


@dataclass(frozen=True)
class Record:
    """What is kept beside a vector."""

    id: str
    label: int
    text: str
    metadata: dict[str, Any]


class Collection:
    """An index and the records of its labels. All methods may be called from many threads.

    The index is made when the first vectors come, of which it takes the length. On disk a collection is a directory:
    the index, the records as JSON lines, and ``store.json``, which names both of one moment and appears last.
    """

    def __init__(self, metric: str, settings: dict[str, Any]) -> None:
        _check_settings(metric, settings)
        self.metric = metric
        self.settings = settings
        self._begin({}, 0, None)

    def _begin(self, by_id: dict[str, Record], next_label: int, index: Optional[Index]) -> None:
        self._by_id = by_id
        self._by_label = {record.label: record for record in by_id.values()}
        self._next = next_label
        self._index = index
        #: A change has begun: where it is broken off, _by_id alone is right.
        self._changing = False
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self._by_id)

    def __getstate__(self) -> dict[str, Any]:
        with self._lock:
            self._settle()
            return {
                "metric": self.metric, "settings": self.settings, "records": list(self._by_id.values()),
                "next": self._next,
                "index": copy.copy(self._index),
            }  # fmt: skip

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.metric, self.settings = state["metric"], state["settings"]
        self._begin({record.id: record for record in state["records"]}, state["next"], state["index"])

    def __deepcopy__(self, memo: dict[int, Any]) -> Collection:
        new = Collection.__new__(Collection)
        new.__setstate__(self.__getstate__())
        return new

    def __copy__(self) -> Collection:
        return self.__deepcopy__({})

    @property
    def index(self) -> Optional[Index]:
        return self._index

    def add(
        self, ids: Sequence[str], texts: Sequence[str], metadata: Sequence[dict[str, Any]], vectors: npt.ArrayLike
    ) -> None:
        """Adds records with their vectors; those with an id that is there already take the place of what it had. Of
        several with one id the last counts.

        Raises:
            TypeError, ValueError: one can't be kept; the text names its id. Nothing has been added.
        """
        if not ids:
            return
        rows = np.asarray(vectors, np.float32)
        if not len(ids) == len(texts) == len(metadata) == len(rows):
            raise ValueError(
                f"{len(ids)} ids, {len(texts)} texts, {len(metadata)} metadata "
                f"and {len(rows)} vectors don't go together"
            )
        names = [_metadata.text(one, "an id") for one in ids]
        kept = [
            (name, _metadata.text(one, f"the text of id {name!r}"), _metadata.checked(more, name))
            for name, one, more in zip(names, texts, metadata)
        ]
        places = list({one: place for place, one in enumerate(names)}.values())
        with self._lock:
            self._settle()
            if self._index is None:
                self._index = Index(rows.shape[1], **{"metric": self.metric, **self.settings})
            first = self._next
            records = [
                Record(name, first + i, one, more) for i,
                (name, one, more) in enumerate(kept[place] for place in places)
            ]
            before = [self._by_id[record.id].label for record in records if record.id in self._by_id]
            self._next = first + len(records)
            self._changing = True
            self._index.add(rows[places], [record.label for record in records])
            for record in records:
                self._by_label[record.label] = self._by_id[record.id] = record
            self._forget(before)

    def delete(self, ids: Iterable[str]) -> None:
        """Deletes records; ids that aren't there change nothing."""
        with self._lock:
            self._settle()
            gone = [self._by_id[one] for one in dict.fromkeys(ids) if one in self._by_id]
            self._changing = True
            for record in gone:
                del self._by_id[record.id]
            self._forget([record.label for record in gone])

    def _forget(self, labels: list[int]) -> None:
        """Ends a change: labels that no record has any more."""
        if labels and self._index is not None:
            self._index.delete(labels)
            for label in labels:
                self._by_label.pop(label, None)
        self._changing = False

    def _settle(self) -> None:
        """Ends a change that an exception broke off: the records there are hold, and no vector else."""
        if not self._changing:
            return
        self._by_label = {record.label: record for record in self._by_id.values()}
        if self._index is not None:
            gone = [label for label in self._index.labels().tolist() if label not in self._by_label]
            if gone:
                self._index.delete(gone)
        self._changing = False

    def compact(self) -> None:
        """Takes the vectors of deleted records out of the index."""
        with self._lock:
            self._settle()
            if self._index is not None:
                self._index.compact()

    def clear(self) -> None:
        """Deletes all records, and frees the index."""
        with self._lock:
            old = self._index
            self._begin_again()
            if old is not None:
                old.close()

    def _begin_again(self) -> None:
        self._changing = True
        self._by_id = {}
        self._index = None
        self._by_label = {}
        self._changing = False

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
        index, k = self._index, self._results(k, allowed)
        if index is None or k < 1:
            return []
        return self._found(*index.search(np.asarray(vector, np.float32), k, filter=allowed, **settings))

    async def asearch(
        self, vector: npt.ArrayLike, k: int, allowed: Optional[npt.NDArray[np.uint64]] = None, **settings: Any
    ) -> list[tuple[Record, float]]:
        """:meth:`search`, while an event loop goes on."""
        index, k = self._index, self._results(k, allowed)
        if index is None or k < 1:
            return []
        return self._found(*await index.asearch(np.asarray(vector, np.float32), k, filter=allowed, **settings))

    def _results(self, k: int, allowed: Optional[npt.NDArray[np.uint64]]) -> int:
        """How many results there can be, of k."""
        return min(operator.index(k), len(self) if allowed is None else allowed.size)

    def _found(self, labels: npt.NDArray[np.uint64], distances: npt.NDArray[np.float32]) -> list[tuple[Record, float]]:
        found = []
        for label, distance in zip(labels.tolist(), distances.tolist()):
            record = self._by_label.get(label)
            if label != NO_LABEL and record is not None:  # it may have been deleted meanwhile
                found.append((record, distance))
        return found

    def diverse(self, vector: npt.ArrayLike, found: list[tuple[Record, float]], k: int, weight: float) -> list[int]:
        """Places of k of what was found, each near the vector and far from those before it.

        That is maximal marginal relevance (Carbonell and Goldstein, 1998) by the cosine: weight 1 asks for nearness
        alone, 0 for distance alone.
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
        with self._lock, _locked(os.path.join(folder, _LOCK), "ab", alone=True):
            self._settle()
            before = _read_head(folder) if os.path.exists(os.path.join(folder, _HEAD)) else None
            number = 1 if before is None else before["generation"] + 1
            lines = b"".join(
                _metadata.line({**vars(record), "metadata": _metadata.encoded(record.metadata)})
                for record in self._by_id.values()
            )
            head: dict[str, Any] = {
                "version": _VERSION, "generation": number, "metric": self.metric, "settings": self.settings,
                "next": self._next,
                "count": len(self._by_id), "records": f"records-{number}.jsonl", "bytes": len(lines),
                "crc32": zlib.crc32(lines),
                "index": None if self._index is None else f"index-{number}",
            }  # fmt: skip
            _write(os.path.join(folder, head["records"]), lines)
            if self._index is not None:
                self._index.save(os.path.join(folder, head["index"]), format="directory", replace=True)
            _write(os.path.join(folder, _HEAD), json.dumps(head, indent=1).encode())
            _remove_others(folder, head)

    @classmethod
    def load(cls, path: Path) -> Collection:
        """Reads what :meth:`save` wrote: where it is saved anew meanwhile, the old or the new.

        Raises:
            FileNotFoundError: nothing lies there.
            FormatError: it is damaged.
        """
        folder = os.fspath(path)
        while True:
            head = _read_head(folder)
            try:
                with _locked(os.path.join(folder, head["records"]), "rb", alone=False):
                    return cls._read(folder, head)
            except (OSError, Error):
                if _read_head(folder)["generation"] == head["generation"]:
                    raise

    @classmethod
    def _read(cls, folder: str, head: dict[str, Any]) -> Collection:
        """Reads what a head names."""
        records = _read_records(os.path.join(folder, head["records"]), head)
        found = cls.__new__(cls)
        found.metric, found.settings = head["metric"], head["settings"]
        by_id = {record.id: record for record in records}
        index = None if head["index"] is None else open_index(os.path.join(folder, head["index"]))
        found._begin(by_id, head["next"], index)
        there = 0 if index is None else len(index)
        if not len(by_id) == len(found._by_label) == head["count"] == there:
            raise FormatError(
                f"{folder}: {_HEAD} tells of {head['count']} records, there are {len(by_id)}, and {there} vectors"
            )
        return found


def _check_settings(metric: str, settings: dict[str, Any]) -> None:
    """Refuses what an index, which is made when the first vectors come, would refuse then."""
    if metric not in get_args(Metric):
        raise ValueError(f"metric is {metric!r}, not one of {', '.join(get_args(Metric))}")
    names = [name for name in inspect.signature(Index).parameters if name not in ("dim", "metric")]
    for name, value in settings.items():
        if name not in names:
            raise TypeError(f"there is no setting {name!r}: there are {', '.join(names)}")
        choices = {"codes": get_args(Codes), "rows": get_args(KeptRows)}.get(name)
        if choices and value not in choices:
            raise ValueError(f"{name} is {value!r}, not one of {', '.join(choices)}")


#: Seconds that a writer waits for others.
_PATIENCE = 60.0


def _locked(path: str, mode: str, alone: bool, wait: bool = True) -> io.FileIO:
    """Opens a file and locks it, so that writers and readers know of each other.

    Its own code closes it when it is dropped, so that no exception leaves the lock behind.
    """
    file = io.FileIO(path, mode)
    end = time.monotonic() + _PATIENCE
    waiting = False
    while not _locks.lock(file.fileno(), alone):
        if not wait:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN), path)
        if time.monotonic() > end:
            raise TimeoutError(f"{path}: somebody else has held it for {_PATIENCE:.0f} seconds")
        if not waiting:
            # Perhaps for a call of this process that an exception broke off and whose frame is in a cycle.
            gc.collect()
            waiting = True
        time.sleep(0.01)
    if os.fstat(file.fileno()).st_nlink == 0:  # removed before the lock was got
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    return file


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
        _replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.remove(temporary)
        raise
    if sys.platform != "win32":  # which writes names to disk by itself
        folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _replace(temporary: str, path: str) -> None:
    """Renames a file to path. On Windows it waits for those who read what has that name."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            return os.replace(temporary, path)
        except PermissionError:
            if sys.platform != "win32" or time.monotonic() > end:
                raise
        time.sleep(0.01)


_FIELDS = {
    "version": int, "generation": int, "metric": str, "settings": dict, "next": int, "count": int, "records": str,
    "bytes": int,
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
    if not isinstance(head, dict) or head.get("version") not in range(1, _VERSION + 1):
        raise FormatError(f"{path}: field version: this isn't a store of version 1 to {_VERSION}")
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
    for number, line in enumerate(content.split(b"\n")[:-1], 1):
        try:
            fields = _metadata.read_line(line)
            if head["version"] > 1 and isinstance(fields.get("metadata"), dict):
                fields["metadata"] = _metadata.decoded(fields["metadata"])
            record = Record(**fields)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise FormatError(f"{path}: line {number}: not a record: {error}") from error
        for field, kind in (("id", str), ("label", int), ("text", str), ("metadata", dict)):
            if not isinstance(getattr(record, field), kind):
                raise FormatError(f"{path}: line {number}: field {field}: of another type")
        if not 0 <= record.label < head["next"]:
            raise FormatError(f"{path}: line {number}: field label: {record.label} isn't below next in {_HEAD}")
        records.append(record)
    return records


#: What says that somebody has a file open.
_IN_USE = (BlockingIOError, PermissionError) if sys.platform == "win32" else (BlockingIOError,)


def _remove_others(folder: str, head: dict[str, Any]) -> None:
    """Removes what earlier generations and interrupted writers left, but not what somebody is reading."""
    names = set(os.listdir(folder)) - {head["records"], head["index"], _HEAD}
    for name in names:
        path = os.path.join(folder, name)
        if name.endswith(".tmp") and name.startswith(("records-", _HEAD)):
            os.remove(path)
        elif name.startswith("records-") and name.endswith(".jsonl") and name[8:-6].isdigit():
            with contextlib.suppress(*_IN_USE), _locked(path, "rb", alone=True, wait=False) as file:
                shutil.rmtree(os.path.join(folder, f"index-{name[8:-6]}"), ignore_errors=True)
                if sys.platform == "win32":
                    file.close()  # a file that is open can't be removed
                os.remove(path)
        elif name.startswith("index-") and name[6:].isdigit() and f"records-{name[6:]}.jsonl" not in names:
            shutil.rmtree(path, ignore_errors=True)
