"""The graph that grows: class Index of hnswlib."""

from __future__ import annotations

import os
from ctypes import byref, c_int64
from typing import Any, Dict, List, Optional, Tuple, Union, overload

import numpy as np
import numpy.typing as npt

from shale._core import library
from shale._core.arguments import MAX_THREADS
from shale._core.arrays import F32, U64, at, in_file
from shale._core.calls import file_name
from shale._core.filters import Filter
from shale._core.handles import NONE, Handle
from shale._core.labels import exact_labels, one_label
from shale._core.prototypes import ATTACHED, HEAD, OK, pack_query
from shale.hnswlib import _arguments, _state
from shale.hnswlib._common import MANY_RESULTS, Base, Path, Results, Tunable

# what a query of one row needs, found without a look into other modules
_empty: Any = np.empty
_ndarray, _query, _HEAD = np.ndarray, pack_query, HEAD

_DEFAULT_EF = 10


class Index(Base, Tunable):
    """A graph of vectors (HNSW).

    ``Index(space, dim)`` with ``space`` one of ``"l2"``, ``"ip"``, ``"cosine"`` and ``dim`` the number of values a
    vector; ``Index(params=state)`` with the dict of a pickled index; ``Index(index=other)`` for a copy.
    """

    _name = "Index"

    @overload
    def __init__(self, space: str, dim: int) -> None: ...

    @overload
    def __init__(self, *, params: Dict[str, Any]) -> None: ...

    @overload
    def __init__(self, *, index: Index) -> None: ...

    @overload
    def __init__(self, space: Union[Dict[str, Any], Index]) -> None: ...

    def __init__(self, space: Any = None, dim: Any = None, *, params: Any = None, index: Any = None) -> None:
        if isinstance(space, dict) and dim is None:
            space, params = None, space
        elif isinstance(space, Index) and dim is None:
            space, index = None, space
        if sum(given is not None for given in (space, params, index)) != 1 or (dim is None) != (space is None):
            raise TypeError("Index takes (space, dim), (params) or (index)")
        if index is not None and not isinstance(index, Index):
            raise TypeError(f"index must be an Index, not {type(index).__name__}")
        if isinstance(space, str) and dim is not None:
            super().__init__(space, dim)
            self._begin()
        elif space is not None:
            raise TypeError(f"space must be a str, not {type(space).__name__}")
        else:
            self._adopt(params if index is None else index._params())

    def _begin(self) -> None:
        self._one_row = (1, self._dim)
        self._default_ef = self._ef = _DEFAULT_EF
        self._seed = 100
        self._ep_added = True

    @property
    def max_elements(self) -> int:
        """Elements that there is room for; 0 before initialisation."""
        return self._stat().capacity if self._handle else 0

    @property
    def element_count(self) -> int:
        """Elements, those marked deleted included; 0 before initialisation."""
        return self._stat().count if self._handle else 0

    @property
    def ef_construction(self) -> int:
        """Candidates kept while building; 0 before initialisation."""
        return self._stat().ef_construction if self._handle else 0

    @property
    def M(self) -> int:
        """Links of an element on each level above the lowest, which has up to twice as many; 0 before
        initialisation."""
        return self._stat().m if self._handle else 0

    def set_ef(self, ef: int) -> None:
        """Sets the number of candidates that a search keeps; also before initialisation."""
        self._default_ef = self._ef = _arguments.size(ef, "ef")

    def init_index(
        self, max_elements: int, M: int = 16, ef_construction: int = 200, random_seed: int = 100,
        allow_replace_deleted: bool = False,
    ) -> None:  # fmt: skip
        """Makes an empty index with room for ``max_elements``.

        ``ef_construction`` is raised to ``M``, which is at least 2 and capped at 10,000. ``allow_replace_deleted``
        allows :meth:`add_items` to take over the places of deleted elements.
        """
        handle = self._made(max_elements, M, ef_construction, random_seed, allow_replace_deleted, False)
        self._begin_with(handle, random_seed)

    def init_index_graph_only(
        self, max_elements: int, external_vectors: npt.ArrayLike, M: int = 16, ef_construction: int = 200,
        random_seed: int = 100,
    ) -> None:  # fmt: skip
        """Makes an empty external index, over float32 ``external_vectors`` (max_elements, dim).

        These are read where they lie, also in a mapped file, and never changed; the index keeps the array alive. Then
        ``add_items(external_vectors)`` builds the graph. For cosine they must be normalised.
        """
        rows, kind = _arguments.attached(external_vectors, self._dim, False)
        if rows.shape[0] < _arguments.size(max_elements, "max_elements"):
            raise RuntimeError(f"External vectors are {rows.shape[0]} rows, for {max_elements} elements")
        handle = self._made(max_elements, M, ef_construction, random_seed, False, True)
        status = self._attach(handle, rows, kind)
        if status != OK:
            raise self._failure(status)
        self._begin_with(handle, random_seed)

    def _made(
        self, max_elements: int, M: int, ef_construction: int, random_seed: int, replace: bool, external: bool
    ) -> Handle:
        """What the library holds of an empty index."""
        options = _layout(max_elements, M, ef_construction, random_seed, replace)
        return self._new("graph", **options, storage="external" if external else "")

    def _begin_with(self, handle: Handle, random_seed: int) -> None:
        self._seed, self._ep_added, self._ef = random_seed, False, self._default_ef
        self._handle = handle

    def set_external_vectors(self, external_vectors: npt.ArrayLike) -> None:
        """Gives an external index its float32 vectors (n, dim), which are read where they lie."""
        self._set_external(*_arguments.attached(external_vectors, self._dim, False))

    def set_external_vectors_fp16(self, external_vectors: npt.ArrayLike) -> None:
        """Gives an external index its float16 vectors (n, dim), or their view as uint16. TypeError for others."""
        self._set_external(*_arguments.attached(external_vectors, self._dim, True))

    def _set_external(self, rows: npt.NDArray[Any], kind: int) -> None:
        self._attempt(lambda _: self._attach(self._handle, rows, kind))

    def _attach(self, handle: Handle, rows: npt.NDArray[Any], kind: int) -> int:
        _arguments.check_lengths(rows, self._space)
        new = _External(rows, handle.kept)
        if handle is not NONE:
            handle.kept = new
        status: int = library.lib.attach(
            handle.value, at(rows), kind, *rows.shape, in_file(rows)
        )
        if status == OK:
            new.attached, new.before = True, None
        return status

    @property
    def _external(self) -> Any:
        """The rows that the library reads where they lie, if it is external."""
        kept = self._handle.kept
        while kept is not None and not kept.attached:
            kept = kept.before
        return None if kept is None else kept.rows

    def add_items(
        self, data: npt.ArrayLike, ids: Optional[npt.ArrayLike] = None, num_threads: int = -1,
        replace_deleted: bool = False
    ) -> None:
        """Adds vectors: ``data`` of shape (n, dim), or (dim,) for one, under labels ``ids`` (n,), 0 to 2**64 - 2.

        Without ``ids`` labels count on from the number of rows ever added. A label that is there gets the new vector,
        and comes back if it was marked deleted. ``replace_deleted``: new labels take over the places of deleted
        elements, whose labels vanish. float32 and float16 aren't copied. RuntimeError where widths or numbers of labels
        differ or the index is full; ValueError for NaN and infinity, of which call then nothing is added.
        """
        if self._external is not None:
            self._add_external(data, ids, self._threads(num_threads))
        else:
            self._add(data, ids, self._threads(num_threads), bool(replace_deleted))
        self._ep_added = True

    def _add_external(self, data: npt.ArrayLike, ids: Optional[npt.ArrayLike], threads: int) -> None:
        """Adds the external rows that follow; data must be these."""
        array, _, count, dim = _arguments.rows(data)
        labels = self._labels(ids, count, dim)
        rows, first = self._external, self._stat().count
        if first + count > min(rows.shape[0], self._stat().capacity):
            raise RuntimeError(
                f"The number of elements exceeds the specified limit: "
                f"{count} more than {first}, of {rows.shape[0]} rows"
            )
        given = array.reshape(count, dim)
        if not _arguments.same_rows(given, rows[first : first + count], self._space == "cosine"):
            raise RuntimeError(
                f"the rows to add aren't the external vectors {first} to {first + count}, "
                "of which the graph is to be built"
            )
        threads = 1 if count <= 4 * threads else min(threads, MAX_THREADS)
        under = None if labels is None else at(labels)
        self._call_long("add", None, ATTACHED, count, dim, under, labels is None, threads, False, 0)

    def knn_query(
        self, data: npt.ArrayLike, k: int = 1, num_threads: int = -1, filter: Optional[Filter] = None
    ) -> Results:
        """The ``k`` nearest of each row of ``data``: labels uint64 (n, k) and distances float32 (n, k), nearest first.

        ``filter`` says which labels may be returned: a callable, a mask indexed by label, labels, a pyroaring bitmap;
        or a list with one for each query. RuntimeError where fewer than ``k`` are found; ValueError for NaN and
        infinity.
        """
        handle = self._handle
        kept = handle.kept  # while the library reads it, others may be put in its place
        if (
            filter is None and type(data) is _ndarray and data.dtype is F32 and data.shape == self._one_row
            and data.flags.carray and k <= MANY_RESULTS
        ):  # fmt: skip
            labels, distances = _empty((1, k), U64), _empty((1, k), F32)
            query = _query(
                handle.value, id(data), 0, 1, self._dim, k, self._ef, 0, 0, 1, 0.0, 0.0, 0, 0, 0, id(labels),
                id(distances),
                _HEAD, 0, -1,
            )  # fmt: skip
            if not library.lib.search(query, None):
                return labels, distances
        results = self._query(data, k, self._ef, num_threads, filter, False)
        del kept
        return results

    def get_items(
        self, ids: Optional[npt.ArrayLike] = None, return_type: str = "numpy"
    ) -> Union[npt.NDArray[np.float32], List[List[float]]]:
        """The stored vectors of labels ``ids``, (n,) or (n, 1): float32 (n, dim), or a list of lists for ``"list"``.

        For cosine they are normalised. RuntimeError for a label that is unknown or deleted; ValueError for a scalar,
        for several labels a row, and for another ``return_type``.
        """
        if return_type not in ("numpy", "list"):
            raise ValueError('return_type should be "numpy" or "list"')
        labels = exact_labels([] if ids is None else ids, 2**64 - 1, floats=True)
        if labels.ndim == 0:
            raise ValueError("get_items accepts a list of indices and returns a list of vectors")
        if labels.ndim > 2 or labels.ndim == 2 and labels.shape[1] > 1:
            raise ValueError(f"get_items accepts labels of shape (n,) or (n, 1), not {labels.shape}")
        vectors: npt.NDArray[np.float32] = np.empty((labels.size, self._dim) if labels.size else 0, F32)
        if labels.size:
            self._call("vectors", at(labels), labels.size, at(vectors))
        if return_type == "numpy":
            return vectors
        rows: List[List[float]] = vectors.tolist()
        return rows

    def get_ids_list(self) -> List[int]:
        """All labels, those of deleted elements included, in no order."""
        room = self._stat().count
        while True:
            labels, count = np.empty(room, U64), c_int64(room)
            self._call("labels", True, at(labels), byref(count))
            if count.value <= room:
                ids: List[int] = labels[: count.value].tolist()
                return ids
            room = count.value  # others were added meanwhile

    def mark_deleted(self, label: int) -> None:
        """Hides a label from searches. RuntimeError where it is unknown or deleted already."""
        self._mark(label, True)

    def unmark_deleted(self, label: int) -> None:
        """Brings a deleted label back. RuntimeError where it is unknown or not deleted."""
        self._mark(label, False)

    def _mark(self, label: int, deleted: bool) -> None:
        self._call("mark", at(np.array([one_label(label)], U64)), 1, deleted, False)

    def resize_index(self, new_size: int) -> None:
        """Makes room for ``new_size`` elements. RuntimeError below the number of those there are."""
        new_size = _arguments.size(new_size, "new_size")
        if new_size < self._stat().count:
            raise RuntimeError(f"Cannot resize, max element is less than the current number of elements: {new_size}")
        self._call("resize", new_size)

    def load_index(self, path_to_index: Path, max_elements: int = 0, allow_replace_deleted: bool = False) -> None:
        """Reads an ``index.bin``, in the place of what there is, and sets ef to 10.

        Room is as in the file where ``max_elements`` is less than its count. RuntimeError where it can't be read or is
        damaged; the index is then what it was. The space isn't in the file.
        """
        capacity = _arguments.size(max_elements, "max_elements")
        self._load("load_index", "graph", path_to_index, capacity=capacity, replace_deleted=bool(allow_replace_deleted))
        self._ef = _DEFAULT_EF

    def init_index_mmap(
        self, max_elements: int, mmap_path: Path, M: int = 16, ef_construction: int = 200, random_seed: int = 100,
        allow_replace_deleted: bool = False,
    ) -> None:  # fmt: skip
        """Makes an empty index whose arrays lie in the file ``mmap_path``, which is made or overwritten.

        It is changed in place and outlives a process that is killed; :meth:`load_index_mmap` opens it again. The room
        on disk is taken at once, and can't be changed.
        """
        if self._handle:
            raise RuntimeError("The index is already initiated.")
        options = _layout(max_elements, M, ef_construction, random_seed, allow_replace_deleted)
        handle = self._new("graph", **options, path=os.fsdecode(file_name(mmap_path)))
        self._begin_with(handle, random_seed)

    def load_index_mmap(self, path_to_index: Path, read_only: bool = True) -> None:
        """Maps an index, in the place of what there is, and sets ef to 10.

        Of an ``index.bin`` the vectors stay in the file; its links are read and kept in memory, and nothing can be
        added. A file of :meth:`init_index_mmap` is opened at once, to be changed in place unless ``read_only``.
        """
        self._load("load_index_mmap", "mapped", path_to_index, read_only=bool(read_only))
        self._ef = _DEFAULT_EF

    def index_file_size(self) -> int:
        """The bytes that :meth:`save_index` would write."""
        size = c_int64()
        self._call("file_size", byref(size))
        return size.value

    def save_graph(self, path_to_graph: Path) -> None:
        """Writes the links, without vectors. The file appears whole or not at all."""
        self._save(path_to_graph, "graph")

    def load_graph(self, path_to_graph: Path) -> None:
        """Reads the links, in the place of what there is; then :meth:`set_external_vectors` gives them their
        vectors."""
        self._load("load_graph", "links", path_to_graph)
        self._ef = _DEFAULT_EF

    def __getstate__(self) -> Tuple[Dict[str, Any]]:
        return (self._params(),)

    def __setstate__(self, state: Tuple[Dict[str, Any]]) -> None:
        if not isinstance(state, tuple) or len(state) != 1:
            raise RuntimeError("Invalid state!")
        self._adopt(state[0])

    def _params(self) -> Dict[str, Any]:
        """The state as a dict, as hnswlib pickles it."""
        params = {
            "ser_version": 1, "space": self._space, "dim": self._dim, "index_inited": bool(self._handle),
            "ep_added": self._ep_added, "normalize": self._space == "cosine", "num_threads": self.num_threads,
            "seed": self._seed, "ef": self._ef,
        }  # fmt: skip
        if self._handle:
            params["allow_replace_deleted"] = bool(self._stat().replacing)
            params.update(_state.content_of(self))
        return params

    def _adopt(self, params: Dict[str, Any]) -> None:
        """Takes over the state in a dict, in the place of what there is."""
        if not isinstance(params, dict):
            raise TypeError(f"params must be a dict, not {type(params).__name__}")
        _state.check_version(params)
        new = Index(params["space"], params["dim"])
        new._seed, new._ep_added, new.num_threads = params["seed"], params["ep_added"], params["num_threads"]
        new._default_ef = new._ef = params["ef"]
        if params["index_inited"]:
            new._handle = _state.restored(params, new._space, new._dim, _engine_seed(new._seed))
        old, self.__dict__ = self._handle, new.__dict__
        old.close()


class _External:
    """Rows that the library reads where they lie.

    A search that began with some may go on with those that took their place, and a call that is broken off may have put
    them there or not. So each keeps the next, and the ones before until it is certain that they aren't read.
    """

    def __init__(self, rows: npt.NDArray[Any], before: Optional[_External]) -> None:
        self.rows = rows
        self.attached = False
        self.before = before
        self.after: Optional[_External] = None
        if before is not None:
            before.after = self


def _layout(max_elements: int, M: int, ef_construction: int, random_seed: int, replace: bool) -> Dict[str, Any]:
    """Checks what an index is to be like, as options for the library."""
    links = _arguments.links(M)
    return {
        "capacity": _arguments.size(max_elements, "max_elements"), "m": links,
        "ef_construction": max(_arguments.size(ef_construction, "ef_construction"), links),
        "seed": _engine_seed(_arguments.size(random_seed, "random_seed", 2**64 - 1)), "replace_deleted": bool(replace),
    }  # fmt: skip


def _engine_seed(seed: int) -> int:
    """A seed for the engine, whose 0 means its default."""
    return seed % 2**64 or 2**63
