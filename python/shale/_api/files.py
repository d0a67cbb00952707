"""Opening and checking indexes on disk."""

from __future__ import annotations

import os
from ctypes import byref

from shale._api import reports
from shale._api.index import Index
from shale._api.opening import open_handle
from shale._api.options import Metric
from shale._api.reports import Verified
from shale._core import jobs, library
from shale._core.arguments import Path
from shale._core.calls import attempt, file_name, look
from shale._core.handles import Handle


def open_index(
    path: Path,
    *,
    memory: int | str | None = None,
    mmap: bool = False,
    metric: Metric | None = None,
    dim: int | None = None,
) -> Index:
    """Opens an index: one of Shale's directories or files, or hnswlib's or hnswlib-mmap's.

    Args:
        path: of the index.
        memory: what it may keep resident; where that doesn't hold the rows beside links and codes, searches of a
            directory read rows from disk, and an index of one graph can't be changed.
        mmap: map a directory and read only what searches need; an index of one graph can't be changed.
        metric: of hnswlib's files, which don't hold it; default l2.
        dim: expected values a vector; default: any.

    Raises:
        FileNotFoundError: nothing lies there.
        FormatError: what lies there isn't an index, or is damaged.
        MemoryLimitError: ``memory`` is too little.
    """
    handle = open_handle(path, memory=memory, mmap=mmap, metric=metric, dim=dim)
    return Index._of(handle, os.fspath(path))


def verify(path: Path) -> Verified:
    """Reads all of an index on disk and checks it.

    Raises:
        FileNotFoundError: nothing lies there.
    """
    name = file_name(path)
    report = Handle()
    attempt(lambda: int(library.lib.watched.verify(name, byref(report), look)))
    return reports.of(Verified, jobs.text(report))
