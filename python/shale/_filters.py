"""Filters: which labels a search may return."""

import numpy as np

from shale import _arrays, _native


class Filters:
    """The filters of one search, made for it and freed after it.

    What a search may be given: a callable ``(label: int) -> bool``; a NumPy array of booleans, indexed by label; an array,
    list, set or range of labels; a pyroaring BitMap or BitMap64; or a list of these, or an array of two dimensions, with
    one for each query.
    """

    def __init__(self, given, queries):
        self.asks_python = False
        self.raised = None
        self._handles = []
        self._kept = []
        try:
            for one in _split(given, queries):
                self._handles.append(self._make(one))
        except BaseException:
            self.close()
            raise
        self.array = np.array(self._handles, dtype=np.int64)

    def _make(self, given):
        if given is None:
            return 0
        if type(given).__module__.split(".")[0] == "pyroaring":
            data, bits = given.serialize(), 64 if "64" in type(given).__name__ else 32
            return _native.make("filter_roaring", data, len(data), bits)
        if callable(given):
            self._kept.append(_native.Allow(self._guard(given)))
            self.asks_python = True
            return _native.make("filter_callback", self._kept[-1])
        array = np.asarray(sorted(given) if isinstance(given, (set, frozenset)) else given)
        if array.ndim != 1:
            raise ValueError(f"a filter of {array.ndim} dimensions")
        if array.dtype == np.bool_:
            mask = np.ascontiguousarray(array)
            self._kept.append(mask)
            return _native.make("filter_mask", _native.at(mask), mask.size)
        allowed = _arrays.labels(array)
        return _native.make("filter_labels", _native.at(allowed), allowed.size)

    def _guard(self, allow):
        def guarded(label):
            try:
                return 1 if allow(label) else 0
            except BaseException as error:  # it goes on where the search was asked for
                self.raised = self.raised or error
                return -1

        return guarded

    def close(self):
        for handle in self._handles:
            if handle:
                _native.lib.close(handle)
        self._handles = []


def _split(given, queries):
    """One filter, for all queries, or one for each."""
    if isinstance(given, np.ndarray) and given.ndim == 2:
        given = list(given)
    elif not isinstance(given, (list, tuple)) or all(isinstance(one, (int, np.integer)) for one in given):
        return [given]
    if len(given) != queries:
        raise ValueError(f"{len(given)} filters for {queries} queries")
    return given
