"""What calls tell: results of searches, descriptions of indexes."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

#: Stands in results where nothing was found; the distance there is infinite.
NO_LABEL = 2**64 - 1

_Report = TypeVar("_Report")


class SearchResult(NamedTuple):
    """What a search found: ``labels, distances = index.search(…)``.

    Both have the shape (queries, k), or (k,) for a single query, nearest first. Where fewer than k were found, the rest
    are :data:`NO_LABEL` and infinity.
    """

    labels: npt.NDArray[np.uint64]
    distances: npt.NDArray[np.float32]

    @property
    def found(self) -> npt.NDArray[np.bool_]:
        """Which of the places hold results."""
        return np.not_equal(self.labels, np.uint64(NO_LABEL), dtype=np.bool_)


@dataclass(frozen=True)
class IndexInfo:
    """A description of an index as it is now. Sizes are in bytes."""

    rows: int
    """Vectors, those deleted included."""
    deleted: int
    dim: int
    metric: str
    storage: str
    """What searches walk over: codes, or rows."""
    keep: str
    """The rows that distances come from, or none."""
    shards: int
    m: int
    base_links: int
    """Links of a new vector on the lowest level."""
    ef_construction: int
    seed: int
    ef: int
    """What searches use that name none; so with slack and share."""
    slack: float
    levels: list[int]
    """Vectors by their highest level."""
    average_degree: float
    memory_bytes: int
    """What the index keeps resident."""
    code_bytes: int
    changeable: bool
    share: float = 0.0
    copies: float = 1.0
    """Rows stored for each row, in an index of several shards."""
    growing: int = 0
    """Vectors beside the shards, which :meth:`Index.add` put there."""
    plan: str = ""
    """What lies in memory, of an index of several shards or with rows on disk."""


@dataclass(frozen=True)
class BuildPlan:
    """What a build will do and take. Sizes are in bytes."""

    shards: int
    shard_rows: int
    """Of the largest shard."""
    sample_rows: int
    """By which rows are divided."""
    memory_bytes: int
    """At the peak, about."""
    disk_bytes: int
    """At the peak, beside the input."""
    index_bytes: int
    copies: float
    codes: str = ""
    """What searches walk over."""
    rows: str = ""
    """The rows that distances come from, or none."""
    codes_why: str = field(default="", compare=False)
    """The reason for these codes; so the rest."""
    rows_why: str = field(default="", compare=False)
    shards_why: str = field(default="", compare=False)


@dataclass(frozen=True)
class Tuned:
    """The fastest settings that reach a recall, and what was measured with them on one thread."""

    ef: int
    slack: float
    recall: float
    qps: float
    """Queries a second."""
    distances: float
    """Computed a query; so the rest."""
    reranked: float
    share: float = 0.0
    reads: float = 0.0


@dataclass(frozen=True)
class Verified:
    """What :func:`shale.verify` found."""

    rows: int
    reachable: int
    """Rows that links lead to."""
    unreachable: int
    """Rows that aren't deleted and that no links lead to: searches may miss them."""
    problems: list[str]

    @property
    def ok(self) -> bool:
        return not self.problems


@dataclass(frozen=True)
class CollectionInfo:
    """A description of a collection as it is now."""

    documents: int
    growing_rows: int
    """Documents in memory, those deleted or overwritten included."""
    segments: list[dict[str, Any]]
    """Documents in files: the ``number`` of each segment, its ``rows``, and how many of them are ``dead``."""
    indexes: list[dict[str, str]] = field(default_factory=list)
    """Of payloads: the ``field`` and ``kind`` of each."""
    problem: str = ""
    """What kept the background from writing or merging files, the last time that it tried."""


@dataclass(frozen=True)
class CollectionVerified:
    """What :meth:`shale.Collection.verify` found."""

    documents: int
    segments: int
    problems: list[str]

    @property
    def ok(self) -> bool:
        return not self.problems


def of(kind: type[_Report], report: dict[str, Any]) -> _Report:
    """The fields of a report that its class has."""
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in report.items() if name in known})
