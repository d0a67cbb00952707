"""Filters: which labels a search may return."""

from __future__ import annotations

from ctypes import byref, c_int32
from typing import Any, Callable, Generator, List, Optional, Union

import numpy as np
import numpy.typing as npt

from shale._core.arrays import at
from shale._core.calls import make
from shale._core.handles import NONE, Handle
from shale._core.labels import exact_labels
from shale._core.prototypes import Allow


#: What a search may be given: see :class:`Filters`.
Filter = Union[Callable[[int], bool], npt.ArrayLike, Any]


class Filters:
    """The filters of one search, made for it and freed after it.

    A search may be given a callable ``(label: int) -> bool``, which is asked once for each label; a NumPy array of
    booleans, indexed by label; an array, list, set or range of labels; a pyroaring BitMap or BitMap64; or a list of
    these, or an array of two dimensions, with one for each query.
    """

    def __init__(self, given: Filter, queries: int) -> None:
        self.asks_python = False
        self._raised: Optional[BaseException] = None
        self._kept: List[Any] = []
        self._handles = [NONE if one is None else self._make(one) for one in _split(given, queries)]
        #: Handles, 0 for none, as the library takes them.
        self.array = np.array([handle.value for handle in self._handles], dtype=np.int64)

    def __enter__(self) -> Filters:
        return self

    def __exit__(self, kind: Any, error: Optional[BaseException], trace: Any) -> None:
        """Frees the filters. What a callable raised comes out in the place of the library's word that it did."""
        if self._raised is not None and isinstance(error, (RuntimeError, type(None))):
            raise self._raised from None
        self._handles, self._kept = [], []

    def _make(self, given: Any) -> Handle:
        if type(given).__module__.split(".")[0] == "pyroaring":
            data, bits = given.serialize(), 64 if "64" in type(given).__name__ else 32
            return make("filter_roaring", data, len(data), bits)
        if callable(given):
            answer = c_int32()
            asked = self._answers(given, answer)
            next(asked)
            allow = Allow(asked.send)
            self._kept.append((allow, answer))
            self.asks_python = True
            return make("filter_callback", allow, byref(answer))
        if isinstance(given, range) and given:
            return _range(given)
        given = list(given) if isinstance(given, (set, frozenset)) else given
        array = np.asarray(given)
        if array.ndim != 1:
            raise ValueError(f"a filter of {array.ndim} dimensions")
        if array.dtype == np.bool_:
            mask = np.ascontiguousarray(array)
            self._kept.append(mask)
            return make("filter_mask", at(mask), mask.size)
        allowed = exact_labels(given)
        return make("filter_labels", at(allowed), allowed.size)

    def _answers(self, allow: Callable[[int], object], answer: c_int32) -> Generator[None, int, None]:
        """Receives labels and leaves answers. It keeps an exception for the search to raise; that includes exceptions
        that have nothing to do with the filter, such as that of Ctrl-C. They come where Python code goes on: here,
        within the try.
        """
        try:
            while True:
                label = yield
                answer.value = 1 if allow(label) else 0
        except GeneratorExit:
            raise
        except BaseException as error:
            self._raised = error
        while True:
            yield  # the search is about to end


def _range(given: range) -> Handle:
    """A range as it is: it may span more labels than memory holds."""
    given = given if given.step > 0 else given[::-1]
    first, last = exact_labels([given[0], given[-1]]).tolist()
    return make("filter_range", first, last, given.step if first < last else 1)


def _split(given: Filter, queries: int) -> Any:
    """One filter, for all queries, or one for each."""
    if isinstance(given, np.ndarray) and given.ndim == 2:
        given = list(given)
    elif not isinstance(given, (list, tuple)) or all(isinstance(one, (int, np.integer)) for one in given):
        return [given]
    if len(given) != queries:
        raise ValueError(f"{len(given)} filters for {queries} queries")
    return given
