"""Many graphs: class ShardedIndex of hnswlib-mmap."""

from __future__ import annotations

from typing import Any, Dict, NamedTuple, Optional, Tuple, Union

import numpy as np
import numpy.typing as npt

from shale._core import forks, library
from shale._core.arguments import MAX_THREADS
from shale._core.arrays import F32, U64, address, at, in_file
from shale._core.calls import encode, file_name, look
from shale._core.handles import NONE, Handle
from shale._core.prototypes import CLOSED, FLOAT32, OK, pack_query
from shale.hnswlib import _arguments
from shale.hnswlib._common import Path, Results, Tunable
from shale.hnswlib._errors import call, call_long, failure, load


#: Results a query of any index may ask for; more only of an index of as many elements.
_MANY = 1 << 16


class _Rows(NamedTuple):
    """Vectors of shards."""

    array: npt.NDArray[Any]
    kind: int

    def attach(self, handle: int) -> int:
        mapped = in_file(self.array)
        return int(library.lib.attach(handle, at(self.array), self.kind, *self.array.shape, mapped))


class _Codes(NamedTuple):
    """Codes of product quantization in the place of vectors."""

    array: npt.NDArray[np.uint8]
    books: npt.NDArray[np.float32]
    order: Optional[npt.NDArray[np.int64]]

    def attach(self, handle: int) -> int:
        order = None if self.order is None else at(self.order)
        return int(
            library.lib.attach_pq(
                handle, at(self.array), *self.array.shape, at(self.books), self.books.shape[1], order,
                0 if self.order is None else self.order.size, in_file(self.array),
            )
        )  # fmt: skip


def _codes(
    pq_codes: Any, codebooks: Any, subvectors: int, centroids: int, width: int, sort_order: Any, dim: int
) -> _Codes:
    """Checks the arrays of load_shards_pq against each other."""
    codes = np.asarray(pq_codes)
    if codes.dtype != np.uint8:
        raise TypeError(f"PQ codes must be uint8, not {codes.dtype}")
    if codes.ndim != 2:
        raise RuntimeError(f"PQ codes must be a 2D array (n_vectors, n_subvectors), not one of {codes.ndim} dimensions")
    if codes.shape[1] != subvectors:
        raise RuntimeError(f"PQ codes dimension mismatch (got {codes.shape[1]}, expected {subvectors})")
    books = np.require(codebooks, F32, ["C", "A"])
    if books.ndim != 3:
        raise RuntimeError("Codebooks must be a 3D array (n_subvectors, n_centroids, subvector_dim)")
    if books.shape != (subvectors, centroids, width):
        raise RuntimeError(f"Codebooks shape mismatch (got {books.shape}, expected {(subvectors, centroids, width)})")
    if subvectors * width != dim:
        raise RuntimeError(f"PQ dimension mismatch: n_subvectors * subvector_dim ({subvectors * width}) != dim ({dim})")
    order = None if sort_order is None else np.asarray(sort_order)
    if order is not None:
        if order.dtype.kind not in "iu":
            raise TypeError(f"sort_order must be int64, not {order.dtype}")
        if order.ndim != 1:
            raise RuntimeError(f"sort_order must be a 1D array, not one of {order.ndim} dimensions")
        if order.shape[0] != codes.shape[0]:
            raise RuntimeError("sort_order length must match number of vectors")
        order = np.require(order, np.int64, ["C", "A"])
    return _Codes(np.ascontiguousarray(codes), books, order)


class ShardedIndex(Tunable):
    """A directory of graphs of hnswlib-mmap, one a shard, over vectors that the caller holds, in memory or in a mapped
    file.

    ``space`` is ``"l2"``, ``"ip"`` or ``"cosine"``, ``dim`` the number of values a vector.
    """

    def __init__(self, space: str, dim: int) -> None:
        super().__init__(space, dim)
        self._ef = 50
        self._global = False
        self._shards = self._total = 0
        # what _open was given: a child of fork opens it again
        self._opened: Optional[Tuple[bytes, int, bool, int, Union[_Rows, _Codes]]] = None

    def __getstate__(self) -> Dict[str, Any]:
        if self._handle:
            raise TypeError(
                "a ShardedIndex with its shards loaded can't be pickled: they are files, and their vectors the "
                "caller's; pass on where both are, and load them there"
            )
        return {name: value for name, value in self.__dict__.items() if name != "_handle"}

    def __setstate__(self, state: Dict[str, Any]) -> None:
        self.__dict__.update(state)

    def __copy__(self) -> ShardedIndex:
        """An index of its own, of the same files and over the same vectors."""
        new = type(self).__new__(type(self))
        new.__dict__.update(self.__dict__, _handle=NONE)
        if self._handle and self._opened is not None:
            new._handle = new._open(*self._opened)
        return new

    def __deepcopy__(self, memo: Dict[int, Any]) -> ShardedIndex:
        return self.__copy__()

    def __repr__(self) -> str:
        return (
            f"<hnswlib.ShardedIndex(space='{self._space}', dim={self._dim}, "
            f"shards={self._shards}, elements={self._total})>"
        )

    def get_total_elements(self) -> int:
        """The number of vectors."""
        return self._total

    def get_num_shards(self) -> int:
        """The number of shards."""
        return self._shards

    def build_shard(
        self, vectors: npt.ArrayLike, output_dir: Path, shard_idx: int, start_idx: int, M: int = 8,
        ef_construction: int = 200,
        num_threads: int = -1,
    ) -> None:  # fmt: skip
        """Builds the graph of ``vectors`` (n, dim), which are rows ``start_idx`` and on of the whole, and writes it.

        ``output_dir`` is made where its parent exists. The vectors aren't changed. RuntimeError for shapes that don't
        fit and for what can't be written; ValueError for NaN and infinity.
        """
        rows = np.require(vectors, F32, ["C", "A"])
        if rows.ndim != 2:
            raise RuntimeError(f"Vectors must be a 2D array, not one of {rows.ndim} dimensions")
        if rows.shape[1] != self._dim:
            raise RuntimeError(f"Vector dimension mismatch (got {rows.shape[1]}, expected {self._dim})")
        number, start = _arguments.size(shard_idx, "shard_idx"), _arguments.size(start_idx, "start_idx")
        options = encode({
            "metric": self._space, "m": _arguments.links(M),
            "ef_construction": max(_arguments.size(ef_construction, "ef_construction"), M),
            "threads": self._threads(num_threads),
        })  # fmt: skip
        call_long("shard_build", at(rows), FLOAT32, *rows.shape, file_name(output_dir), options, number, start)

    def save_metadata(self, output_dir: Path, n_shards: int, total_elements: int, M: int, ef_construction: int) -> None:
        """Writes ``index.meta``, once all shards are built."""
        shards, total = _arguments.size(n_shards, "n_shards"), _arguments.size(total_elements, "total_elements")
        options = encode({
            "metric": self._space, "dim": self._dim, "m": _arguments.size(M, "M"),
            "ef_construction": _arguments.size(ef_construction, "ef_construction"),
        })  # fmt: skip
        call("shards_describe", file_name(output_dir), options, shards, total)
        self._shards, self._total = shards, total

    def load_shards(self, output_dir: Path, external_vectors: npt.ArrayLike, n_shards: int) -> None:
        """Opens shards over float32 ``external_vectors`` (n, dim), all rows in global order, which are read where they
        lie."""
        self._load(output_dir, n_shards, False, 0, _Rows(*_arguments.attached(external_vectors, self._dim, False)))

    def load_shards_fp16(
        self, output_dir: Path, external_vectors: npt.ArrayLike, n_shards: int, use_mmap_graphs: bool = False
    ) -> None:
        """Opens shards over float16 ``external_vectors`` (n, dim), or their view as uint16.

        ``use_mmap_graphs``: the graphs too are in memory only as far as searches need them.
        """
        rows = _Rows(*_arguments.attached(external_vectors, self._dim, True))
        self._load(output_dir, n_shards, bool(use_mmap_graphs), 0, rows)

    def load_shards_pq(
        self, output_dir: Path, pq_codes: npt.ArrayLike, codebooks: npt.ArrayLike, n_shards: int, n_subvectors: int,
        n_centroids: int, subvector_dim: int, use_mmap_graphs: bool = False, n_ram_shards: int = 0,
        sort_order: Optional[npt.ArrayLike] = None,
    ) -> None:  # fmt: skip
        """Opens shards over codes of product quantization in the place of vectors.

        ``pq_codes`` uint8 (n, n_subvectors), which are read where they lie; ``codebooks`` float32 (n_subvectors,
        n_centroids, subvector_dim). The first ``n_ram_shards`` graphs are in memory and the others mapped.
        ``sort_order`` int64 (n,): the code of row i is ``pq_codes[sort_order[i]]``. Distances are squared Euclidean
        ones in every space.
        """
        codes = _codes(pq_codes, codebooks, n_subvectors, n_centroids, subvector_dim, sort_order, self._dim)
        self._load(output_dir, n_shards, bool(use_mmap_graphs), _arguments.size(n_ram_shards, "n_ram_shards"), codes)

    def _load(
        self, output_dir: Path, n_shards: int, mapped: bool, in_memory: int, attached: Union[_Rows, _Codes]
    ) -> None:
        _arguments.check_lengths(attached.array, self._space if isinstance(attached, _Rows) else "")
        opened = (file_name(output_dir), _arguments.size(n_shards, "n_shards"), mapped, in_memory, attached)
        new = self._open(*opened)
        self._shards, self._total, self._opened = opened[1], attached.array.shape[0], opened
        old, self._handle = self._handle, new
        old.close()

    def _open(self, name: bytes, shards: int, mapped: bool, in_memory: int, attached: Union[_Rows, _Codes]) -> Handle:
        """What the library holds of the shards; it keeps the arrays that the library reads."""
        options = encode({
            "kind": "shards", "metric": self._space, "dim": self._dim, "shards": shards, "global": self._global,
            "mapped": mapped,
            "in_memory": min(in_memory, shards),
        })  # fmt: skip
        handle = load("open", name, options)
        handle.kept = attached
        status = attached.attach(handle.value)
        if status != OK:
            raise failure(status)
        return handle

    def _reopened(self, handle: Handle) -> Optional[Handle]:
        """Opens the shards anew in a child of fork."""
        if self._opened is None or not forks.forked_since(handle.value):
            return None
        return self._open(*self._opened)

    def set_labels_are_global(self, value: bool) -> None:
        """Says that labels in the graphs are those of the whole, so that the number of a shard's first row isn't
        added."""
        if self._handle:
            self._call("set_global", bool(value))
        self._global = bool(value)

    def knn_query(self, data: npt.ArrayLike, k: int = 1, num_threads: int = -1) -> Results:
        """The ``k`` nearest of each row of ``data``, of all shards: labels uint64 (n, k) and distances float32 (n, k).

        Where fewer are found label 2**64 - 1 and distance inf follow.
        """
        return self._query(data, None, k, num_threads)

    def knn_query_selective(
        self, data: npt.ArrayLike, shard_ids: npt.ArrayLike, k: int = 1, num_threads: int = -1
    ) -> Results:
        """Like :meth:`knn_query`, in shards ``shard_ids`` (s,) alone; those past the end are passed over."""
        parts = np.asarray(shard_ids)
        if parts.ndim != 1:
            raise RuntimeError(f"shard_ids must be a 1D array, not one of {parts.ndim} dimensions")
        if parts.dtype.kind == "f" and (parts == np.floor(parts)).all():
            parts = parts.astype(np.int64)
        if parts.size and parts.dtype.kind not in "iu":
            raise TypeError(f"shard_ids must be integers, not {parts.dtype}")
        inside = parts[(parts >= 0) & (parts < 2**32 - 1)] if parts.size else parts
        return self._query(data, np.ascontiguousarray(inside, np.uint32), k, num_threads)

    def _query(self, data: npt.ArrayLike, parts: Optional[npt.NDArray[np.uint32]], k: int, num_threads: int) -> Results:
        array, kind, count, dim = _arguments.rows(data)
        if dim != self._dim:
            raise RuntimeError(f"Query dimension mismatch (got {dim}, expected {self._dim})")
        if k > _MANY and k > self._total:
            raise RuntimeError(f"k is {k}, at most {max(self._total, _MANY)} for an index of {self._total} elements")
        labels, distances = np.empty((count, k), U64), np.empty((count, k), F32)
        if k == 0 or count == 0:
            _arguments.size(k, "k")
            return labels, distances
        query = (
            address(array), kind, count, dim, k, self._ef, 0, 0, self._threads(num_threads), 0.0, 0.0, 0, 0, 1,
            address(labels), address(distances), 0, 0 if parts is None else address(parts),
            -1 if parts is None else parts.size,
        )  # fmt: skip
        self._attempt(lambda handle: library.lib.watched.search(pack_query(handle, *query), look))
        return labels, distances

    def _threads(self, num_threads: int) -> int:
        return min(super()._threads(num_threads), MAX_THREADS)

    def _failure(self, status: int) -> Exception:
        if status == CLOSED and self._handle is NONE:
            return RuntimeError("The index is not loaded: call load_shards first")
        return failure(status)
