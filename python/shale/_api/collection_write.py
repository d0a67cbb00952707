"""Writing the documents of a collection."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Optional, Union

import numpy as np
import numpy.typing as npt

from shale._api import requests, tables
from shale._api.collection_calls import CollectionCalls, DocumentFilter, Ids
from shale._api.documents import Id, Payload, all_ids, payload_text
from shale._core import jobs
from shale._core.arrays import Rows

#: Vectors of many documents: rows, or rows by the vectors' names. None stands for one that a document doesn't have.
Vectors = Union[npt.ArrayLike, Mapping[str, Any]]

#: Documents of a batch, by default.
_BATCH = 10_000


class WrittenCollection(CollectionCalls):
    """The changes of a :class:`shale.Collection`."""

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
        if hasattr(payloads, "columns"):
            raise TypeError(f"payloads are dicts, not a {type(payloads).__name__}: upsert_table takes tables")
        given = [payloads] if isinstance(payloads, dict) else None if payloads is None else list(payloads)
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
            payload: columns that become keys of payloads, without nulls and NaN; by default all others.
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

    def _rows(self, vectors: Vectors, count: int, single: bool) -> list[requests.Given]:
        """Rows by the names of vectors."""
        named = vectors if isinstance(vectors, Mapping) else {"": vectors}
        return [requests.Given.of(name, rows, count, single) for name, rows in named.items()]
