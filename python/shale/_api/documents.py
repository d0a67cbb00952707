"""Documents of a collection, as callers give and get them."""

from __future__ import annotations

import datetime
import json
import operator
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from importlib import import_module
from typing import Any, Optional, Union, overload

import numpy as np
import numpy.typing as npt

from shale._api.options import Codes, KeptRows, Metric

#: What names a document.
Id = Union[int, str, uuid.UUID]
Payload = dict[str, Any]


@dataclass(frozen=True)
class Vector:
    """One of the vectors that documents of a collection have."""

    dim: int
    """Values of it."""
    metric: Metric = "cosine"
    codes: Codes = "auto"
    """What searches walk over."""
    rows: KeptRows = "auto"
    """What is kept for exact distances."""
    m: int = 16
    ef_construction: int = 200

    def options(self, name: str) -> dict[str, Any]:
        """What the library is told."""
        return {"name": name, **asdict(self), "dim": operator.index(self.dim)}


@dataclass(frozen=True)
class Document:
    """What a collection holds under an id."""

    id: Union[int, str]
    payload: Optional[Payload] = None
    vectors: dict[str, npt.NDArray[np.float32]] = field(default_factory=dict)
    """By name, where they were asked for. The name of a collection's only vector may be empty."""

    @property
    def vector(self) -> Optional[npt.NDArray[np.float32]]:
        """The only vector, or None where none was asked for.

        Raises:
            ValueError: there are several.
        """
        if len(self.vectors) > 1:
            raise ValueError(f"the document has the vectors {', '.join(map(repr, self.vectors))}: see vectors")
        return next(iter(self.vectors.values()), None)


@dataclass(frozen=True)
class Hit(Document):
    """A document that a query found."""

    distance: float = float("inf")
    """By the metric of the vector asked for; smaller is nearer."""
    group: Any = None
    """The value of the group, where the query asked for groups."""


class Hits(Sequence[Hit]):
    """The documents that one query found, nearest first."""

    def __init__(self, hits: Iterable[Hit], scanned: Sequence[str] = ()) -> None:
        self._hits = tuple(hits)
        #: Fields of the filter that no index answered, so that payloads were read: see ``Collection.create_index``.
        self.scanned = tuple(scanned)

    def __len__(self) -> int:
        return len(self._hits)

    @overload
    def __getitem__(self, place: int) -> Hit: ...

    @overload
    def __getitem__(self, place: slice) -> Hits: ...

    def __getitem__(self, place: Union[int, slice]) -> Union[Hit, Hits]:
        return Hits(self._hits[place], self.scanned) if isinstance(place, slice) else self._hits[place]

    def __repr__(self) -> str:
        return f"Hits({list(self._hits)!r})"

    @property
    def ids(self) -> list[Union[int, str]]:
        return [hit.id for hit in self._hits]

    @property
    def distances(self) -> npt.NDArray[np.float32]:
        return np.array([hit.distance for hit in self._hits], np.float32)

    @property
    def payloads(self) -> list[Optional[Payload]]:
        return [hit.payload for hit in self._hits]

    def columns(self) -> dict[str, list[Any]]:
        """Columns of a table: ``id``, ``distance``, each key of the payloads (``payload.id`` where it is one of these
        two), and each vector as ``vector`` or by its name, where they were asked for."""
        table: dict[str, list[Any]] = {"id": self.ids, "distance": self.distances.tolist()}
        for key in dict.fromkeys(key for hit in self._hits for key in hit.payload or {}):
            name = f"payload.{key}" if key in ("id", "distance") else key
            table[name] = [(hit.payload or {}).get(key) for hit in self._hits]
        for key in dict.fromkeys(key for hit in self._hits for key in hit.vectors):
            name = key or "vector"
            table[f"vector.{name}" if name in table else name] = [
                None if key not in hit.vectors else hit.vectors[key].tolist() for hit in self._hits
            ]
        return table

    def to_pandas(self) -> Any:
        """A ``pandas.DataFrame`` of :meth:`columns`."""
        return import_module("pandas").DataFrame(self.columns())

    def to_polars(self) -> Any:
        """A ``polars.DataFrame`` of :meth:`columns`."""
        return import_module("polars").DataFrame(self.columns(), strict=False)

    def to_arrow(self) -> Any:
        """A ``pyarrow.Table`` of :meth:`columns`. One whose values have no type of Arrow in common is of
        texts: strings, and JSON of other values."""
        arrow = import_module("pyarrow")
        return arrow.table({name: _arrow_column(arrow, values) for name, values in self.columns().items()})


def _arrow_column(arrow: Any, values: list[Any]) -> Any:
    try:
        return arrow.array(values)
    except (arrow.ArrowInvalid, arrow.ArrowTypeError):
        return arrow.array([one if one is None or isinstance(one, str) else json.dumps(one) for one in values])


def one_id(given: Any) -> Union[int, str]:
    """An id as the library takes it.

    Raises:
        TypeError: it is neither a whole number nor a string nor a UUID.
        ValueError: it is a number below 0 or above 2**64 - 1, or a string that UTF-8 can't have.
    """
    if isinstance(given, (str, uuid.UUID)):
        return _utf8(str(given))
    if isinstance(given, (bool, np.bool_)):
        raise TypeError(f"an id is {given!r}, neither a whole number nor a string")
    try:
        number = operator.index(given)
    except TypeError:
        raise TypeError(f"an id is {given!r}, neither a whole number nor a string") from None
    if not 0 <= number < 2**64:
        raise ValueError(f"the id {number} isn't within 0 to {2**64 - 1}")
    return number


def _utf8(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"the id {text!r} holds half of a surrogate pair, which no UTF-8 has") from None
    return text


def all_ids(given: Any) -> list[Union[int, str]]:
    """Ids, one or many, as the library takes them."""
    if isinstance(given, (str, uuid.UUID)) or np.ndim(given) == 0 and not isinstance(given, Iterable):
        return [one_id(given)]
    if isinstance(given, np.ndarray) and given.dtype.kind in "ui":
        given = given.tolist()
    return [one_id(one) for one in given]


def payload_text(payload: Any, whose: str = "") -> str:
    """A payload as JSON.

    Raises:
        TypeError, ValueError: it isn't a mapping of what JSON has.
    """
    if payload is None:
        return "null"
    if not isinstance(payload, dict):
        raise TypeError(f"the payload{whose} is a {type(payload).__name__}, not a dict")
    try:
        return json.dumps(payload, allow_nan=False, default=plain)
    except (TypeError, ValueError) as error:
        raise type(error)(f"the payload{whose}: {error}") from None


def plain(value: Any) -> Any:
    """What stands in JSON for a value that it doesn't have: numbers and arrays of NumPy, dates, UUIDs."""
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (uuid.UUID, np.datetime64)):
        return str(value)
    if isinstance(value, (np.generic, np.ndarray)) and value.dtype.kind in "biufU":
        return value.tolist()
    raise TypeError(f"{value!r} of type {type(value).__name__} has no place in JSON")
