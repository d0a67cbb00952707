"""Texts and metadata with vectors, in a collection: what the stores of other packages are made of."""

from __future__ import annotations

import operator
import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Optional, TypeVar, cast, get_args

import numpy as np
import numpy.typing as npt

from shale._api.collection import Collection, IndexKind
from shale._api.documents import Document, Vector
from shale._api.options import Codes, KeptRows, Metric
from shale._core.arguments import Path
from shale._core.errors import ClosedError
from shale.integrations import _conditions, _directory, _metadata, _payloads
from shale.integrations._conditions import Where
from shale.integrations._directory import Head
from shale.integrations._payloads import Record

_Result = TypeVar("_Result")
#: The most indexes of payloads that a store makes by itself.
_INDEXES = 128
#: Of a filter that Python judges: results to judge first, for each result wanted and beside these.
_JUDGED, _JUDGED_MORE = 8, 64
#: Records in memory, all of which searches look at.
_SEGMENT = 8192
#: Seconds that what was written to a temporary directory may be in memory alone.
_WINDOW = 3600.0


@dataclass(frozen=True)
class Found:
    """A record that a search found."""

    record: Record
    distance: float
    vector: Optional[npt.NDArray[np.float32]]


class Store:
    """A collection of records. All methods may be called from many threads.

    The collection is made when the first vectors come, of which it takes the length. It lies in the directory of a
    path, or in a temporary one, which is removed when the store is dropped or the interpreter ends.
    """

    def __init__(self, metric: Optional[str], settings: dict[str, Any], path: Optional[Path] = None) -> None:
        _check_settings(metric or "cosine", settings)
        self._begin(Head(metric or "cosine", settings), None if path is None else os.fspath(path))
        if path is not None:
            self._open_path(metric, settings)

    def _begin(self, head: Head, path: Optional[str]) -> None:
        self._head = head
        self._path = path
        self._lock = threading.RLock()
        self._collection: Optional[Collection] = None
        self._opened: list[Collection] = []
        self._indexed: set[tuple[str, str]] = set()
        #: Keys of metadata, and types of their values, whose indexes there are.
        self._seen: set[tuple[str, type]] = set()
        #: Whether there may be records with values that only Python has.
        self._of_python = False
        #: Where the collections lie; made when it is needed.
        self._folder = path

    def _open_path(self, metric: Optional[str], settings: dict[str, Any]) -> None:
        """Opens the store of the directory, or makes one."""
        folder = cast(str, self._path)
        os.makedirs(folder, exist_ok=True)
        with _directory.locked(folder):
            there = _directory.read(folder)
            if there is None:
                return _directory.write(folder, self._head)
            if metric not in (None, there.metric):
                raise ValueError(f"{folder}: the store's metric is {there.metric}, not {metric}")
            if any(value != there.settings.get(name, _DEFAULTS[name]) for name, value in settings.items()):
                raise ValueError(f"{folder}: the store has the settings {there.settings}, not {settings}")
            self._head = there
            if there.filled:
                self._use(there.collection(folder))

    def _use(self, place: str, vector: Optional[Vector] = None) -> None:
        """Opens the collection at a place, or makes one."""
        window = _WINDOW if self._path is None else 0.0
        collection = Collection(
            place, vector, None if vector is None else {_payloads.KINDS: "keyword"}, sync_window=window,
            segment_rows=_SEGMENT,
        )  # fmt: skip
        self._indexed = {(one["field"], one["kind"]) for one in collection.info().indexes}
        self._seen = set()
        self._of_python = vector is None and collection.count(filter=_conditions.OF_PYTHON.filter) > 0
        self._collection = collection
        self._opened.append(collection)

    @property
    def metric(self) -> str:
        return self._head.metric

    @property
    def settings(self) -> dict[str, Any]:
        return self._head.settings

    @property
    def collection(self) -> Optional[Collection]:
        """What holds the records; None before the first."""
        return self._collection

    def __len__(self) -> int:
        return self._ask(len, 0)

    def __getstate__(self) -> dict[str, Any]:
        with self._lock:
            nothing = list[Document]()
            documents = self._ask(lambda collection: list(collection.scroll(vectors=True)), nothing)
            rows = [one.vector for one in documents]
            return {
                "metric": self.metric, "settings": self.settings,
                "ids": [one.id for one in documents], "payloads": [one.payload for one in documents],
                "vectors": np.array(rows) if rows else None,
            }  # fmt: skip

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Makes a store of its own, in a temporary directory."""
        self._begin(Head(state["metric"], state["settings"]), None)
        if state["ids"]:
            records = list(map(_payloads.record, state["ids"], state["payloads"]))
            self.add(
                state["ids"], [one.text for one in records], [one.metadata for one in records], state["vectors"]
            )

    def __copy__(self) -> Store:
        new = Store(self.metric, self.settings)
        with self._lock:
            if self._collection is not None:
                place = new._place()
                self._collection.snapshot(place)
                new._use(place)
        return new

    def __deepcopy__(self, memo: dict[int, Any]) -> Store:
        return self.__copy__()

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
        if rows.ndim != 2 or not len(ids) == len(texts) == len(metadata) == len(rows):
            raise ValueError(
                f"{len(ids)} ids, {len(texts)} texts, {len(metadata)} metadata "
                f"and vectors of the shape {rows.shape} don't go together"
            )
        names = [_metadata.text(one, "an id") for one in ids]
        kept = [_metadata.checked(one, name) for one, name in zip(metadata, names)]
        payloads = [
            _payloads.payload(_metadata.text(text, f"the text of id {name!r}"), one)
            for name, text, one in zip(names, texts, kept)
        ]
        places = list({one: place for place, one in enumerate(names)}.values())
        with self._lock:
            collection = self._made(rows.shape[1])
            self._make_indexes(collection, kept)
            self._of_python = self._of_python or any(_payloads.PYTHON in one for one in payloads)
            collection.upsert([names[one] for one in places], rows[places], [payloads[one] for one in places])

    def _made(self, dim: int) -> Collection:
        """The collection, which is made unless there is one."""
        if self._collection is None:
            vector = Vector(dim, **{"metric": self.metric, **self.settings})
            if self._path is None:
                self._use(self._place(), vector)
            else:
                self._make_at(self._path, vector)
        return cast(Collection, self._collection)

    def _make_at(self, folder: str, vector: Vector) -> None:
        """Makes the collection in the directory of the path, unless another process has."""
        with _directory.locked(folder):
            there = _directory.read(folder)
            if there is not None and there.filled:
                self._head = there
                return self._use(there.collection(folder))
            place = self._place()
            shutil.rmtree(place, ignore_errors=True)  # of a writer that was interrupted
            self._use(place, vector)
            _directory.write(folder, self._head)

    def _place(self) -> str:
        """A new place of a collection."""
        if self._folder is None:
            self._folder = tempfile.mkdtemp(prefix="shale-")
            weakref.finalize(self, _remove, self._folder, os.getpid(), self._opened)
        self._head = Head(self.metric, self.settings, self._head.generation + 1, True)
        return self._head.collection(self._folder)

    def _make_indexes(self, collection: Collection, metadata: list[dict[str, Any]]) -> None:
        """Makes indexes of the fields of metadata that are new and short."""
        for key, value in (item for one in metadata for item in one.items()):
            seen = (key, type(value))
            if seen in self._seen:
                continue
            wanted = _payloads.indexes(key, value)
            for field, kind in sorted(wanted - self._indexed):
                if len(self._indexed) < _INDEXES:
                    collection.create_index(field, cast(IndexKind, kind))
                    self._indexed.add((field, kind))
            if wanted and not isinstance(value, list):
                self._seen.add(seen)

    def delete(self, ids: Iterable[str]) -> None:
        """Deletes records; ids that aren't there change nothing."""
        names = list(ids)
        with self._lock:
            self._ask(lambda collection: collection.delete(names), 0)

    def delete_where(self, where: Where) -> None:
        """Deletes the records that are meant."""
        with self._lock:
            if self._is_exact(where):
                self._ask(lambda collection: collection.delete(filter=where.condition.filter), 0)
            else:
                self.delete(record.id for record in list(self.records(where)))

    def compact(self) -> None:
        """Gives back the room of records that were deleted, which happens by itself, bit by bit."""
        self._ask(Collection.compact, None)

    def clear(self) -> None:
        """Deletes all records. Those added later may have vectors of another length."""
        with self._lock:
            before = self._collection
            if before is None:
                return
            self._collection = None
            self._of_python = False
            self._opened.remove(before)
            self._head = Head(self.metric, self.settings, self._head.generation)
            before.close()
            if self._path is None:
                shutil.rmtree(before.path, ignore_errors=True)
            else:
                with _directory.locked(self._path):
                    _directory.write(self._path, self._head)

    def close(self) -> None:
        """Ends the use of the directory. A temporary one is removed."""
        with self._lock:
            for collection in self._opened:
                collection.close()
            if self._path is None and self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)

    def get(self, ids: Iterable[str]) -> list[Record]:
        """The records of the ids that are there, in order."""
        names, nothing = list(ids), list[Document]()
        return list(map(_record, self._ask(lambda collection: collection.get_many(names), nothing)))

    def records(self, where: Optional[Where] = None) -> Iterator[Record]:
        """All records, or those that are meant."""
        collection = self._collection
        if collection is None:
            return
        for document in collection.scroll(filter=None if where is None else self._candidates(where)):
            record = _record(document)
            if where is None or where.judge(record):
                yield record

    def search(
        self,
        vector: npt.ArrayLike,
        k: int,
        where: Optional[Where] = None,
        vectors: bool = False,
        *,
        ef: Optional[int] = None,
        exact: bool = False,
        max_distance: Optional[float] = None,
    ) -> list[Found]:
        """The k nearest records, nearest first."""
        row, k = np.asarray(vector, np.float32), operator.index(k)
        if k < 1:
            return []
        settings: dict[str, Any] = {"ef": ef, "exact": exact, "max_distance": max_distance, "vectors": vectors}

        def query(collection: Collection) -> list[Found]:
            def ask(k: int, filter: Optional[dict[str, Any]]) -> list[Found]:
                hits = collection.query(row, k, filter=filter, **settings)
                return [Found(_record(hit), hit.distance, hit.vector) for hit in hits]

            if where is None or self._is_exact(where):
                return ask(k, None if where is None else where.condition.filter)
            first = ask(_JUDGED * k + _JUDGED_MORE, self._candidates(where))
            found = [one for one in first if where.judge(one.record)]
            if len(found) >= k or len(first) < _JUDGED * k + _JUDGED_MORE:
                return found[:k]
            ids = [record.id for record in self.records(where)]
            return ask(k, _conditions.having_ids(ids).filter) if ids else []

        return self._ask(query, [])

    def _is_exact(self, where: Where) -> bool:
        """Whether a filter of the collection tells which records are meant."""
        return where.condition.exact and not self._of_python

    def _candidates(self, where: Where) -> dict[str, Any]:
        """A filter that all records pass that may be meant."""
        condition = where.condition
        return (_conditions.some([condition, _conditions.OF_PYTHON]) if self._of_python else condition).filter

    def _ask(self, question: Callable[[Collection], _Result], otherwise: _Result) -> _Result:
        """What the collection answers; where there is none, or all was deleted meanwhile, something else."""
        while True:
            collection = self._collection
            if collection is None:
                return otherwise
            try:
                return question(collection)
            except ClosedError:
                if self._collection is collection:
                    raise

    def save(self, path: Path) -> None:
        """Writes the store to a directory. What was there stays until all is written."""
        with self._lock:
            if self._path is None or not _same(path, self._path):
                _directory.save(path, self._head, self._collection)

    @classmethod
    def load(cls, path: Path) -> Store:
        """A copy of what :meth:`save` wrote, in a temporary directory.

        Raises:
            FileNotFoundError: nothing lies there.
            FormatError: it is damaged.
        """
        store = cls(None, {})
        place = store._place()
        head = _directory.copy(path, place)
        store._head = Head(head.metric, head.settings, store._head.generation, head.filled)
        if head.filled:
            store._use(place)
        return store


def _record(document: Document) -> Record:
    return _payloads.record(document.id, document.payload)


def _remove(folder: str, process: int, opened: list[Collection]) -> None:
    """Removes a temporary directory, unless it is that of a process which this one was forked from."""
    if os.getpid() == process:
        for collection in opened:
            collection.close()
        shutil.rmtree(folder, ignore_errors=True)


def _same(one: Path, other: Path) -> bool:
    return os.path.exists(one) and os.path.samefile(one, other)


def _check_settings(metric: str, settings: dict[str, Any]) -> None:
    """Refuses what a collection, which is made when the first vectors come, would refuse then."""
    if metric not in get_args(Metric):
        raise ValueError(f"metric is {metric!r}, not one of {', '.join(get_args(Metric))}")
    for name, value in settings.items():
        if name not in _DEFAULTS:
            raise TypeError(f"there is no setting {name!r}: there are {', '.join(_DEFAULTS)}")
        choices = {"codes": get_args(Codes), "rows": get_args(KeptRows)}.get(name)
        if choices and value not in choices:
            raise ValueError(f"{name} is {value!r}, not one of {', '.join(choices)}")


#: Settings of a store, and what they are by default.
_DEFAULTS = {one.name: one.default for one in fields(Vector) if one.name not in ("dim", "metric")}


def diverse(vector: npt.ArrayLike, found: list[Found], k: int, weight: float) -> list[Found]:
    """k of what was found with vectors, each near the one asked for and far from those before it.

    That is maximal marginal relevance (Carbonell and Goldstein, 1998) by the cosine: weight 1 asks for nearness alone,
    0 for distance alone.
    """
    if not found or k < 1:
        return []
    rows = _unit(np.array([one.vector for one in found]))
    near = rows @ _unit(np.asarray(vector, np.float32))
    alike = np.full(len(found), -np.inf)  # to those picked
    picked = [int(np.argmax(near))]
    while len(picked) < min(k, len(found)):
        alike = np.maximum(alike, rows @ rows[picked[-1]])
        worth = weight * near - (1 - weight) * alike
        worth[picked] = -np.inf
        picked.append(int(np.argmax(worth)))
    return [found[place] for place in picked]


def _unit(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    length = np.linalg.norm(rows, axis=-1, keepdims=True)
    unit: npt.NDArray[np.float32] = np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)
    return unit
