"""Exact search: class BFIndex of hnswlib."""

from __future__ import annotations

import os
import tempfile
from typing import Any, Dict, Optional

import numpy as np
import numpy.typing as npt

from shale._core.arrays import U64, at
from shale._core.filters import Filter
from shale._core.labels import one_label
from shale.hnswlib import _arguments
from shale.hnswlib._common import Base, Path, Results

#: Values that are compared without a look at signals, a query.
_SHORT = 10_000_000


class BFIndex(Base):
    """Exact search: each query is compared with all vectors.

    ``space`` is ``"l2"`` (squared Euclidean distance), ``"ip"`` (1 - inner product) or ``"cosine"`` (1 - cosine);
    ``dim`` the number of values a vector. RuntimeError for another space.
    """

    _name = "BFIndex"

    def __getstate__(self) -> Dict[str, Any]:
        """Everything, so that a copy and what is read from a pickle are indexes of their own."""
        state = {**self.__dict__, "_handle": None}
        if self._handle:
            with tempfile.TemporaryDirectory() as folder:
                file = os.path.join(folder, "index.bin")
                state["_next"] = self._stat().next
                self.save_index(file)
                with open(file, "rb") as f:
                    state["_handle"] = f.read()
        return state

    def __setstate__(self, state: Dict[str, Any]) -> None:
        content, upcoming = state.pop("_handle"), state.pop("_next", 0)
        self.__dict__.update(state)
        if content is None:
            return
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "index.bin")
            with open(file, "wb") as f:
                f.write(content)
            self._load("load_index", "flat", file)
        self._call("count_from", upcoming)

    def init_index(self, max_elements: int) -> None:
        """Makes the index, with room for ``max_elements`` vectors. RuntimeError where it is made already."""
        self._handle = self._new("flat", capacity=_arguments.size(max_elements, "max_elements"))

    def add_items(self, data: npt.ArrayLike, ids: Optional[npt.ArrayLike] = None) -> None:
        """Adds vectors: ``data`` of shape (n, dim), or (dim,) for one, under labels ``ids`` (n,), 0 to 2**64 - 2.

        Without ``ids`` labels count on from the number of rows ever added. A label that is there gets the new vector.
        RuntimeError where widths or numbers of labels differ or the index is full; ValueError for NaN and infinity.
        """
        self._add(data, ids, 1, False)

    def delete_vector(self, label: int) -> None:
        """Removes a label; one that isn't there is passed over."""
        self._call("mark", at(np.array([one_label(label)], U64)), 1, True, True)

    def knn_query(
        self, data: npt.ArrayLike, k: int = 1, num_threads: int = -1, filter: Optional[Filter] = None
    ) -> Results:
        """The ``k`` nearest of each row of ``data``: labels uint64 (n, k) and distances float32 (n, k), nearest first.

        ``filter`` says which labels may be returned: a callable, a mask indexed by label, labels, a pyroaring bitmap;
        or a list with one for each query. RuntimeError where fewer than ``k`` are found.
        """
        long = bool(self._handle) and self._stat().count * self._dim > _SHORT
        return self._query(data, k, 0, num_threads, filter, long)

    def load_index(self, path_to_index: Path, max_elements: int = 0) -> None:
        """Reads a brute-force file, in the place of what there is. Room as in the file where ``max_elements`` is less
        than its count. RuntimeError where it can't be read or is damaged; the index is then what it was."""
        self._load("load_index", "flat", path_to_index, capacity=_arguments.size(max_elements, "max_elements"))
