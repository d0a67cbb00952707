"""A stand-in for the package hnswlib: the same classes, methods, results and files."""

import os
import struct
import sys
from ctypes import byref, c_int64

import numpy as np

from shale import _arrays, _native
from shale._filters import Filters

_empty, _address, _query, _HEAD = np.empty, _native.address, _native.query, _native.HEAD
_F32 = np.dtype(np.float32)
_U64 = np.dtype(np.uint64)
_MAX_M = 10_000
_HEADER = struct.Struct("<6QiI3QdQ")
#: Batches of about this many candidates at most are searched at once; longer ones let Python answer signals.
_SHORT = 20_000
#: Fewer rows than these are added at once.
_FEW = 8
_MAX_THREADS = 1 << 16

_CAPACITY, _COUNT, _DELETED, _M, _EF_CONSTRUCTION, _REPLACING, _DIM, _EXTERNAL = range(8)


def _cores():
    return os.cpu_count() or 1


class _Base(_native.Owner):
    """What both kinds of index have: a handle to what the library holds, and the queries."""

    _name = ""

    def __init__(self, space, dim):
        if not isinstance(space, str):
            raise TypeError(f"space must be a str, not {type(space).__name__}")
        if space not in _native.SPACES:
            raise RuntimeError("Space name must be one of l2, ip, or cosine.")
        self._space = space
        self._dim = _arrays.size(dim, "dim")
        if self._dim < 1:
            raise RuntimeError("dim must be at least 1")
        self.num_threads = _cores()

    def __repr__(self):
        return f"<hnswlib.{self._name}(space='{self._space}', dim={self._dim})>"

    def set_num_threads(self, num_threads):
        self.num_threads = num_threads

    def get_max_elements(self):
        return self._stat(_CAPACITY)

    def get_current_count(self):
        return self._stat(_COUNT)

    def _failure(self, status):
        if status == _native.CLOSED and not self._handle:
            return RuntimeError("The index is not initiated, or closed: call init_index or load_index first")
        return _native.failure(status)

    def _stat(self, field):
        fields = (c_int64 * 8)()
        self._call("stat", fields)
        return fields[field]

    def _new(self, function, *arguments):
        """Makes what the library holds, once."""
        if self._handle:
            raise RuntimeError("The index is already initiated.")
        self._handle = _native.make(function, _native.SPACES[self._space], self._dim, *arguments)

    def _load(self, what, function, path, *arguments):
        """Reads a file in the place of what the library holds, which stays if that fails."""
        name, space = _native.file_name(path), _native.SPACES[self._space]
        handle = _native.make(function, name, space, self._dim, *arguments, long=True)
        old, self._handle = self._handle, handle
        if old:
            print(f"Warning: Calling {what} for an already inited index. Old index is being deallocated.", file=sys.stderr)
            _native.lib.close(old)

    def _threads(self, num_threads):
        if num_threads > 0:
            return num_threads
        return self.num_threads if self.num_threads > 0 else _cores()

    def _checked(self, dim, ids, count):
        """Labels of rows whose width is right."""
        if dim != self._dim:
            raise RuntimeError(f"Wrong dimensionality of the vectors: {dim}, the index has {self._dim}")
        return None if ids is None else _arrays.labels_of_rows(ids, count)

    def _add(self, data, ids, threads, replace_deleted):
        array, kind, count, dim = _arrays.rows(data)
        labels = self._checked(dim, ids, count)
        if count <= 4 * threads:
            threads = 1
        call = self._call if count < _FEW else self._call_long
        arguments = [_native.at(array), kind, count, dim, labels if labels is None else _native.at(labels), min(threads, _MAX_THREADS), replace_deleted]
        if call == self._call:
            arguments.append(None)
        call("add", *arguments)

    def _query(self, data, k, ef, num_threads, given, long):
        """(labels, distances) of the k nearest to each row."""
        data, kind, count, dim = _arrays.rows(data)
        if dim != self._dim:
            raise RuntimeError(f"Wrong dimensionality of the vectors: {dim}, the index has {self._dim}")
        labels, distances = np.empty((count, k), _U64), np.empty((count, k), _F32)
        if k == 0 or count == 0:
            _arrays.size(k, "k")
            return labels, distances
        self._search(data, kind, k, ef, self._threads(num_threads), given, long, labels, distances)
        return labels, distances

    def _search(self, data, kind, k, ef, threads, given, long, labels, distances):
        count = labels.shape[0]
        filters = None if given is None else Filters(given, count)
        try:
            asks_python = filters is not None and filters.asks_python
            query = (
                _address(data), kind, count, self._dim, k, ef, 1 if asks_python else min(threads, count),
                0 if filters is None else _address(filters.array), 0 if filters is None else filters.array.size, 0,
                _address(labels), _address(distances), 0,
            )  # fmt: skip
            search = self._short_search if asks_python or not long and count * max(ef, k) <= _SHORT else self._long_search
            search(query)
        except RuntimeError:
            if filters is not None and filters.raised is not None:
                raise filters.raised from None
            raise
        finally:
            if filters is not None:
                filters.close()


    def _short_search(self, query):
        self._attempt(lambda handle: _native.lib.search(_query(handle, *query), None))

    def _long_search(self, query):
        self._attempt(lambda handle: _native.in_background(_native.lib.search, _query(handle, *query)))


class Index(_Base):
    """A graph of vectors (HNSW). ``Index(space, dim)``, ``Index(params=dict)`` or ``Index(index=other)``."""

    _name = "Index"

    def __init__(self, space=None, dim=None, *, params=None, index=None):
        if isinstance(space, dict) and dim is None:
            space, params = None, space
        elif isinstance(space, Index) and dim is None:
            space, index = None, space
        if sum(given is not None for given in (space, params, index)) != 1 or (dim is None) != (space is None):
            raise TypeError("Index takes (space, dim), (params) or (index)")
        if index is not None:
            if not isinstance(index, Index):
                raise TypeError(f"index must be an Index, not {type(index).__name__}")
            params = index._params()
        if params is not None:
            self._adopt(params)
            return
        super().__init__(space, dim)
        self._begin()

    def _begin(self):
        self._one_row = (1, self._dim)
        self._external = None  # rows that the library reads
        self._default_ef = self._ef = 10
        self._seed = 100
        self._ep_added = True

    @property
    def space(self):
        return self._space

    @property
    def dim(self):
        return self._dim

    @property
    def ef(self):
        return self._ef

    @ef.setter
    def ef(self, ef):
        self.set_ef(ef)

    def set_ef(self, ef):
        self._default_ef = self._ef = _arrays.size(ef, "ef")

    @property
    def max_elements(self):
        return self._stat(_CAPACITY) if self._handle else 0

    @property
    def element_count(self):
        return self._stat(_COUNT) if self._handle else 0

    @property
    def ef_construction(self):
        return self._stat(_EF_CONSTRUCTION) if self._handle else 0

    @property
    def M(self):
        return self._stat(_M) if self._handle else 0

    def init_index(self, max_elements, M=16, ef_construction=200, random_seed=100, allow_replace_deleted=False):
        self._init(max_elements, M, ef_construction, random_seed, allow_replace_deleted, False)

    def _init(self, max_elements, M, ef_construction, random_seed, allow_replace_deleted, external):
        capacity, M = _arrays.size(max_elements, "max_elements"), _links(M)
        ef_construction = max(_arrays.size(ef_construction, "ef_construction"), M)
        seed = _arrays.size(random_seed, "random_seed")
        self._new("graph_new", capacity, M, ef_construction, seed or 2**63, bool(allow_replace_deleted), external)
        self._seed, self._ep_added, self._ef = seed, False, self._default_ef

    def init_index_graph_only(self, max_elements, external_vectors, M=16, ef_construction=200, random_seed=100):
        rows, kind = _arrays.attached(external_vectors, self._dim, False)
        if rows.shape[0] < max_elements:
            raise RuntimeError(f"External vectors are {rows.shape[0]} rows, for {max_elements} elements")
        self._init(max_elements, M, ef_construction, random_seed, False, True)
        try:
            self._attach(rows, kind)
        except Exception:
            handle, self._handle = self._handle, 0
            _native.lib.close(handle)
            raise

    def set_external_vectors(self, external_vectors):
        self._attach(*_arrays.attached(external_vectors, self._dim, False))

    def set_external_vectors_fp16(self, external_vectors):
        self._attach(*_arrays.attached(external_vectors, self._dim, True))

    def _attach(self, rows, kind):
        kept, self._external = self._external, (rows, self._external)  # searches under way read the old ones
        try:
            self._call("graph_attach", _native.at(rows), kind, *rows.shape, _arrays.in_file(rows))
        except BaseException:
            self._external = kept
            raise
        self._external = rows

    def add_items(self, data, ids=None, num_threads=-1, replace_deleted=False):
        if self._external is not None:
            self._add_external(data, ids, self._threads(num_threads))
        else:
            self._add(data, ids, self._threads(num_threads), bool(replace_deleted))
        self._ep_added = True

    def _add_external(self, data, ids, threads):
        """Adds the external rows that follow; data must be these."""
        array, kind, count, dim = _arrays.rows(data)
        labels = self._checked(dim, ids, count)
        rows, first = self._external, self._stat(_COUNT)
        if first + count > rows.shape[0] or first + count > self._stat(_CAPACITY):
            raise RuntimeError(f"The number of elements exceeds the specified limit: {first} and {count} more of {rows.shape[0]} external vectors")
        given = array.reshape(count, dim)
        if not np.may_share_memory(given, rows) and not _arrays.same_rows(given, rows[first : first + count], self._space == "cosine"):
            raise RuntimeError(f"the rows to add aren't the external vectors {first} to {first + count}, which are what an index of links alone is built of")
        threads = 1 if count <= 4 * threads else min(threads, _MAX_THREADS)
        self._call_long("graph_add_attached", count, labels if labels is None else _native.at(labels), threads)

    def knn_query(self, data, k=1, num_threads=-1, filter=None):
        if (
            filter is None and type(data) is np.ndarray and data.dtype is _F32 and data.shape == self._one_row and data.flags.carray
        ):  # fmt: skip
            labels, distances = _empty((1, k), _U64), _empty((1, k), _F32)
            if not _native.lib.search(
                _query(self._handle, id(data), 0, 1, self._dim, k, self._ef, 1, 0, 0, 0, id(labels), id(distances), _HEAD), None
            ):
                return labels, distances
        return self._query(data, k, self._ef, num_threads, filter, False)

    def get_items(self, ids=None, return_type="numpy"):
        if return_type not in ("numpy", "list"):
            raise ValueError('return_type should be "numpy" or "list"')
        labels = np.empty(0, _U64) if ids is None else _arrays.labels(ids)
        if labels.ndim == 0:
            raise ValueError("get_items accepts a list of indices and returns a list of vectors")
        if labels.ndim > 2 or labels.ndim == 2 and labels.shape[1] > 1:
            raise ValueError(f"get_items accepts labels of shape (n,) or (n, 1), not {labels.shape}")
        if labels.size == 0:
            vectors = np.empty(0, _F32)
        else:
            vectors = np.empty((labels.size, self._dim), _F32)
            self._call("vectors", _native.at(labels), labels.size, _native.at(vectors))
        return vectors if return_type == "numpy" else vectors.tolist()

    def get_ids_list(self):
        room = self._stat(_COUNT)
        while True:
            labels, count = np.empty(room, _U64), c_int64(room)
            self._call("labels", _native.at(labels), byref(count))
            if count.value <= room:
                return labels[: count.value].tolist()
            room = count.value  # others were added meanwhile

    def mark_deleted(self, label):
        self._call("graph_mark", _arrays.size(label, "label"), 1)

    def unmark_deleted(self, label):
        self._call("graph_mark", _arrays.size(label, "label"), 0)

    def resize_index(self, new_size):
        new_size = _arrays.size(new_size, "new_size")
        if new_size < self._stat(_COUNT):
            raise RuntimeError(f"Cannot resize, max element is less than the current number of elements: {new_size}")
        self._call("graph_resize", new_size)

    def save_index(self, path_to_index):
        self._call_long("save", _native.file_name(path_to_index))

    def load_index(self, path_to_index, max_elements=0, allow_replace_deleted=False):
        self._load("load_index", "graph_load", path_to_index, _arrays.size(max_elements, "max_elements"), bool(allow_replace_deleted))
        self._external = None
        self._ef = 10

    def index_file_size(self):
        size = c_int64()
        self._call("graph_file_size", byref(size))
        return size.value

    def __getstate__(self):
        return (self._params(),)

    def __setstate__(self, state):
        if not isinstance(state, tuple) or len(state) != 1:
            raise RuntimeError("Invalid state!")
        self._adopt(state[0])

    def _params(self):
        """The state as a dict, as hnswlib pickles it."""
        params = {
            "ser_version": 1, "space": self._space, "dim": self._dim, "index_inited": bool(self._handle),
            "ep_added": self._ep_added, "normalize": self._space == "cosine", "num_threads": self.num_threads, "seed": self._seed,
        }  # fmt: skip
        if not self._handle:
            return {**params, "ef": self._default_ef}
        return {**params, **self._content()}

    def _content(self):
        header, level0, levels, lists, deleted = self._parts()
        offset0, capacity, count, stride, at_label, at_data, top, entry, max_m, max_m0, m, mult, ef_construction = _HEADER.unpack(header)
        element_levels = np.zeros(max(capacity, count), np.int32)
        element_levels[:count] = levels
        elements = level0.reshape(count, stride) if count else level0.reshape(0, 1)
        return {
            "offset_level0": offset0, "max_elements": capacity, "cur_element_count": count, "size_data_per_element": stride,
            "label_offset": at_label, "offset_data": at_data, "max_level": top, "enterpoint_node": entry, "max_M": max_m,
            "max_M0": max_m0, "M": m, "mult": mult, "ef_construction": ef_construction, "ef": self._ef,
            "has_deletions": deleted, "size_links_per_element": 4 + 4 * max_m,
            "allow_replace_deleted": bool(self._stat(_REPLACING)),
            "label_lookup_external": elements[:, at_label : at_label + 8].copy().view(_U64).reshape(-1) if count else np.empty(0, _U64),
            "label_lookup_internal": np.arange(count, dtype=np.uint32),
            "element_levels": element_levels, "data_level0": level0, "link_lists": lists,
        }  # fmt: skip

    def _parts(self):
        """The parts of the file of this index, all of one moment."""
        header = np.empty(_HEADER.size, np.int8)
        level0_size, count, lists_size = c_int64(), c_int64(), c_int64()
        while True:
            room = level0_size.value, count.value, lists_size.value
            level0, levels, lists = np.empty(room[0], np.int8), np.empty(room[1], np.int32), np.empty(room[2], np.int8)
            self._call(
                "graph_export", _native.at(header), _native.at(level0), byref(level0_size), _native.at(levels), byref(count),
                _native.at(lists), byref(lists_size),
            )  # fmt: skip
            if level0_size.value <= room[0] and count.value <= room[1] and lists_size.value <= room[2]:
                break
        level0, levels, lists = level0[: level0_size.value], levels[: count.value], lists[: lists_size.value]
        deleted = bool(count.value) and bool((level0[2 :: level0.size // count.value] & 1).any())
        return header.tobytes(), level0, levels, lists, deleted

    def _adopt(self, params):
        """Takes over the state in a dict."""
        if not isinstance(params, dict):
            raise TypeError(f"params must be a dict, not {type(params).__name__}")
        if params["ser_version"] > 1:
            raise RuntimeError("Unpickle Error: Invalid serialization version!")
        _Base.__init__(self, params["space"], params["dim"])
        self._begin()
        self._seed, self._ep_added, self.num_threads = params["seed"], params["ep_added"], params["num_threads"]
        self._default_ef = self._ef = params["ef"]
        if params["index_inited"]:
            self._adopt_content(params)

    def _adopt_content(self, params):
        names = (
            "offset_level0", "max_elements", "cur_element_count", "size_data_per_element", "label_offset", "offset_data",
            "max_level", "enterpoint_node", "max_M", "max_M0", "M", "mult", "ef_construction",
        )  # fmt: skip
        try:
            header = np.frombuffer(bytearray(_HEADER.pack(*(params[name] for name in names))), np.int8)
        except struct.error as error:
            raise RuntimeError(f"Unpickle Error: {error}") from error
        level0, lists = np.ascontiguousarray(params["data_level0"]).view(np.int8), np.ascontiguousarray(params["link_lists"]).view(np.int8)
        levels = np.require(params["element_levels"], np.int32, ["C", "A"])
        if levels.size < params["cur_element_count"]:
            raise RuntimeError(f"Unpickle Error: {levels.size} levels for {params['cur_element_count']} elements")
        self._handle = _native.make(
            "graph_import", _native.SPACES[self._space], self._dim, self._seed, bool(params.get("allow_replace_deleted", False)),
            _native.at(header), _native.at(level0), level0.size, _native.at(levels), _native.at(lists), lists.size,
        )  # fmt: skip


class BFIndex(_Base):
    """Exact search: every vector is compared."""

    _name = "BFIndex"

    def init_index(self, max_elements):
        self._new("flat_new", _arrays.size(max_elements, "max_elements"))

    def add_items(self, data, ids=None):
        self._add(data, ids, 1, False)

    def delete_vector(self, label):
        self._call("flat_remove", _arrays.size(label, "label"))

    def knn_query(self, data, k=1, num_threads=-1, filter=None):
        long = bool(self._handle) and self._stat(_COUNT) * self._dim > 10_000_000
        return self._query(data, k, 0, num_threads, filter, long)

    def save_index(self, path_to_index):
        self._call_long("save", _native.file_name(path_to_index))

    def load_index(self, path_to_index, max_elements=0):
        self._external = None
        self._load("load_index", "flat_load", path_to_index, _arrays.size(max_elements, "max_elements"))


def _links(M):
    """M as hnswlib takes it: capped, with a warning."""
    M = _arrays.size(M, "M")
    if M < 2:
        raise RuntimeError(f"M must be at least 2, it is {M}")
    if M > _MAX_M:
        print(f"Warning: M is {M}, and is capped at {_MAX_M}", file=sys.stderr)
    return min(M, _MAX_M)
