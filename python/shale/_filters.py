"""Filters: which labels a search may return."""

from __future__ import annotations

from typing import Any, Callable, List, Optional, Union

import numpy as np
import numpy.typing as npt

from shale import _arrays, _native


#: What a search may be given: see :class:`Filters`.
Filter = Union[Callable[[int], bool], npt.ArrayLike, Any]


class Filters:
    """The filters of one search, made for it and freed after it.

    A search may be given a callable ``(label: int) -> bool``, which is asked once for each label; a NumPy array of booleans,
    indexed by label; an array, list, set or range of labels; a pyroaring BitMap or BitMap64; or a list of these, or an array
    of two dimensions, with one for each query.
    """

    def __init__(self, given: Filter, queries: int) -> None:
        self.asks_python = False
        self._raised: Optional[BaseException] = None
        self._handles: List[int] = []
        self._kept: List[Any] = []
        try:
            for one in _split(given, queries):
                self._handles.append(0 if one is None else self._make(one))
        except BaseException:
            self.close()
            raise
        #: Handles, 0 for none, as the library takes them.
        self.array = np.array(self._handles, dtype=np.int64)

    def __enter__(self) -> Filters:
        return self

    def __exit__(self, kind: Any, error: Optional[BaseException], trace: Any) -> None:
        """Frees the filters. What a callable raised comes out in the place of the library's word that it did."""
        self.close()
        if self._raised is not None and isinstance(error, (RuntimeError, type(None))):
            raise self._raised from None

    def close(self) -> None:
        for handle in self._handles:
            if handle:
                _native.lib.close(handle)
        self._handles = []

    def _make(self, given: Any) -> int:
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

    def _guard(self, allow: Callable[[int], object]) -> Callable[[int], int]:
        def guarded(label: int) -> int:
            try:
                return 1 if allow(label) else 0
            except BaseException as error:
                self._raised = self._raised or error
                return -1

        return guarded


def _split(given: Filter, queries: int) -> Any:
    """One filter, for all queries, or one for each."""
    if isinstance(given, np.ndarray) and given.ndim == 2:
        given = list(given)
    elif not isinstance(given, (list, tuple)) or all(isinstance(one, (int, np.integer)) for one in given):
        return [given]
    if len(given) != queries:
        raise ValueError(f"{len(given)} filters for {queries} queries")
    return given
