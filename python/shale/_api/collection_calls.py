"""Calls of a collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ctypes import byref
from typing import Any, Union

import numpy as np
import numpy.typing as npt

from shale._api import requests
from shale._api.documents import Document, Id, Vector
from shale._core import errors, forks, jobs
from shale._core.calls import Owner
from shale._core.handles import Handle
from shale._core.prototypes import CLOSED, NamedRows

#: Ids of many documents.
Ids = Union[Sequence[Id], npt.NDArray[np.integer[Any]]]

#: Which documents are meant, by their payloads.
DocumentFilter = Mapping[str, Any]


class CollectionCalls(Owner):
    """How a collection asks the library."""

    _vectors: dict[str, Vector]

    def __reduce__(self) -> Any:
        raise TypeError(
            "a collection can't be pickled or copied: pass its path on, and open it there once it is closed here; "
            "snapshot() writes a copy"
        )

    def _failure(self, status: int) -> Exception:
        if status != CLOSED:
            return super()._failure(status)
        if forks.forked_since(self._handle.value):
            return errors.ClosedError("a collection can't be used in a child of fork: open it there")
        return errors.ClosedError("the collection is closed")

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
