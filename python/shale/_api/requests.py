"""What collections are told, as the library takes it, and what it answers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from ctypes import byref, c_int64
from typing import Any, Optional, Union

import numpy as np
import numpy.typing as npt

from shale._api.documents import Document, Hit, Vector, plain
from shale._core import errors, jobs, library
from shale._core.arrays import Rows, address, at
from shale._core.handles import Handle
from shale._core.prototypes import NamedRows


def text(given: dict[str, Any]) -> bytes:
    """Arguments of an operation, the values of filters among them.

    Raises:
        TypeError: a filter is a function, or holds a value that JSON doesn't have.
        ValueError: it holds NaN or infinity.
    """
    if callable(given.get("filter")):
        raise TypeError("a filter of a collection is a dict, not a function")
    return json.dumps(given, allow_nan=False, default=_value).encode()


def _value(value: Any) -> Any:
    """What stands in JSON for a value of an argument."""
    if isinstance(value, (set, frozenset)):
        return list(value)
    return dict(value) if isinstance(value, Mapping) else plain(value)


def fields(payload: Union[bool, Sequence[str]]) -> dict[str, Any]:
    """What of payloads to answer."""
    keys = [payload] if isinstance(payload, str) else [] if isinstance(payload, bool) else list(payload)
    return {"payload": bool(payload), "include": keys}


def schema(vectors: Union[Vector, Mapping[str, Vector]]) -> list[dict[str, Any]]:
    """Vectors as the library takes them."""
    named = {"": vectors} if isinstance(vectors, Vector) else vectors
    return [one.options(name) for name, one in named.items()]


class Given:
    """Rows of one vector, and the documents that they belong to."""

    def __init__(self, name: str, rows: Rows, places: Optional[npt.NDArray[np.int64]] = None) -> None:
        self.name, self.rows, self.places = name, rows, places

    @classmethod
    def of(cls, name: str, rows: Any, count: int, single: bool) -> Given:
        places = None
        if not isinstance(rows, (list, tuple)) and _is_of_objects(rows):
            rows = list(rows)
        if isinstance(rows, (list, tuple)) and any(row is None for row in rows):
            if len(rows) != count:
                raise ValueError(f"{len(rows)} vectors for {count} ids")
            places = np.array([place for place, row in enumerate(rows) if row is not None], np.int64)
            rows = [rows[place] for place in places]
            if not rows:
                rows = np.empty((0, 1), np.float32)
        if isinstance(rows, (list, tuple)):
            _check_lengths(rows)
        given = Rows(rows)
        if given.single and not single and count != 1:
            raise ValueError(f"one vector for {count} ids")
        if places is None and given.count != count:
            raise ValueError(f"{given.count} vectors for {count} ids")
        return cls(name, given, places)

    def part(self, first: int, last: int) -> Given:
        """Those of the documents from first to last - 1."""
        rows = self.rows.array.reshape(self.rows.count, self.rows.dim)
        if self.places is None:
            return Given(self.name, Rows(rows[first:last]))
        low, high = np.searchsorted(self.places, [first, last])
        return Given(self.name, Rows(rows[low:high]), self.places[low:high] - first)

    def struct(self) -> NamedRows:
        """The rows as the library takes them. What this refers to must be kept."""
        return NamedRows(
            self.name.encode(), self.rows.address, self.rows.kind, self.rows.count, self.rows.dim,
            None if self.places is None else address(self.places),
        )  # fmt: skip


def _is_of_objects(rows: Any) -> bool:
    """Whether rows are a column of objects, of pandas, polars or NumPy, which are vectors or None."""
    array = np.asarray(rows)
    return array.dtype.kind == "O" and array.ndim == 1


def _check_lengths(rows: Sequence[Any]) -> None:
    """Raises ValueError unless all rows have the same length."""
    lengths = [len(row) for row in rows if hasattr(row, "__len__")]
    for place, length in enumerate(lengths):
        if length != lengths[0]:
            raise ValueError(f"vector {place} has {length} values, and the first one {lengths[0]}")


class Answer:
    """What an operation answered about documents: a report, and their vectors beside it."""

    def __init__(self, handle: Handle, schema: dict[str, Vector]) -> None:
        self.report = jobs.text(handle)
        self._schema = list(schema.items())
        self._read = 0  # values
        size = c_int64(0)
        errors.check(library.lib.answer_vectors(handle.value, at(np.empty(0, np.float32)), byref(size)))
        self._values = np.empty(size.value, np.float32)
        errors.check(library.lib.answer_vectors(handle.value, at(self._values), byref(size)))

    def _vectors(self, one: dict[str, Any]) -> dict[str, npt.NDArray[np.float32]]:
        """The vectors of a document, which follow those of the one asked about before."""
        found = {}
        for place in one.get("vectors", ()):
            name, vector = self._schema[place]
            found[name] = self._values[self._read : self._read + vector.dim]
            self._read += vector.dim
        return found

    def document(self, one: dict[str, Any]) -> Document:
        return Document(one["id"], one.get("payload"), self._vectors(one))

    def hit(self, one: dict[str, Any]) -> Hit:
        distance = float(np.float32(one["distance"]))
        return Hit(one["id"], one.get("payload"), self._vectors(one), distance, one.get("group"))
