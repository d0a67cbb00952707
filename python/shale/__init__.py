"""Shale: vector search.

``shale.build``, ``shale.open`` and ``shale.Index`` build, open and search indexes, larger than memory too;
``shale.hnswlib`` is a stand-in for the package hnswlib.
"""

from shale._api.build import build, plan
from shale._api.collection import Collection
from shale._api.documents import Document, Hit, Hits, Vector
from shale._api.files import open_index as open
from shale._api.files import verify
from shale._api.index import Index
from shale._api.reports import NO_LABEL, BuildPlan, IndexInfo, SearchResult, Tuned, Verified
from shale._core.errors import (
    CancelledError,
    ClosedError,
    Error,
    FormatError,
    MemoryLimitError,
    ReadOnlyError,
    RecallError,
)
from shale._version import __version__

__all__ = [
    "NO_LABEL",
    "BuildPlan",
    "CancelledError",
    "ClosedError",
    "Collection",
    "Document",
    "Error",
    "FormatError",
    "Hit",
    "Hits",
    "Index",
    "IndexInfo",
    "MemoryLimitError",
    "ReadOnlyError",
    "RecallError",
    "SearchResult",
    "Tuned",
    "Vector",
    "Verified",
    "__version__",
    "build",
    "open",
    "plan",
    "verify",
]
