"""Building indexes, and planning that."""

from __future__ import annotations

import os
from ctypes import byref
from typing import Any, Union

import numpy.typing as npt

from shale._api.index import Index
from shale._api.options import Codes, KeptRows, Metric, layout
from shale._api.reports import BuildPlan
from shale._core import arguments, jobs, library
from shale._core.arguments import Path
from shale._core.arrays import Rows, address
from shale._core.calls import attempt, encode, file_name
from shale._core.handles import Handle
from shale._core.jobs import Progress
from shale._core.prototypes import Source

#: Vectors, or a file of them.
Vectors = Union[npt.ArrayLike, Path]


def _source(vectors: Vectors, labels: npt.ArrayLike | None) -> tuple[Source, Any]:
    """What to build of, and what must live as long as it is read."""
    given = None if labels is None else arguments.labels(labels)
    source, kept = Source(), [given]
    if isinstance(vectors, (str, os.PathLike)):
        source.path = file_name(vectors)
    else:
        rows = Rows(vectors)
        if rows.single:
            raise ValueError("vectors have one dimension: want rows of them")
        source.rows, source.type, source.count, source.dim = rows.address, rows.kind, rows.count, rows.dim
        source.id = rows.source.encode() or None
        kept.append(rows.array)
    if given is not None:
        source.labels, source.label_count = address(given), given.size
    return source, kept


def build(
    vectors: Vectors,
    output: Path | None = None,
    *,
    metric: Metric,
    labels: npt.ArrayLike | None = None,
    memory: int | str | None = None,
    shards: int | None = None,
    copies: float = 1.0,
    blocks: bool = False,
    codes: Codes = "auto",
    rows: KeptRows = "auto",
    m: int = 16,
    ef_construction: int = 200,
    seed: int = 100,
    threads: int | None = None,
    replace: bool = False,
    progress: Progress = False,
) -> Index:
    """Builds an index of vectors, on disk or in memory, and opens it.

    On disk it may be larger than memory: vectors are divided into shards such that neighbours come together, and each
    is built on its own. A build that was killed or interrupted goes on when it is begun again with the same arguments.

    Args:
        vectors: shape (n, dim), or the path of a file of them (.npy, .npz, .fvecs, .bvecs, .fbin, .u8bin, .i8bin,
            .parquet). Arrays of float32 or float16 in C order are read where they lie, those mapped by ``np.load(…,
            mmap_mode="r")`` too; others are converted first.
        output: a directory to be, or one file if the name ends in ``.shale``; ``None`` builds in memory.
        metric: ``"l2"``, ``"ip"`` or ``"cosine"``.
        labels: n integers; by default 0, 1, …
        memory: what the build and then searches may take, as 2_000_000_000 or ``"2GiB"``; by default any.
        shards: graphs to make; by default one, or as many as ``memory`` asks for.
        copies: rows stored for each, 1 to 2: those at the borders of shards in two.
        blocks: also lay rows and links side by side on disk, for searches in memory that holds only the codes.
        codes: what searches walk over; by default what suits the vectors, of which some are looked at.
        rows: what is kept for exact distances; by default half floats beside codes where that is safe.
        threads: default: all processors.
        replace: take the place of an index that is there already, once complete.
        progress: ``True`` for bars of tqdm, or a callable (step, done, total).

    Raises:
        ValueError: wrong shapes, NaN or infinity, or a setting out of range.
        FileExistsError: something lies at ``output``.
        MemoryLimitError: ``memory`` is too little.
    """
    options = _options(metric, memory, shards, copies, blocks, codes, rows, m, ef_construction, seed, threads)
    options["replace"] = replace
    text = encode(options)
    source, kept = _source(vectors, labels)
    handle = Handle()
    name = None if output is None else file_name(output)
    with jobs.Watch(progress) as watch:
        attempt(
            lambda: int(
                library.lib.watched.build(byref(source), name, text, watch.handle, byref(handle), watch.look)
            )
        )
    del kept
    return Index._of(handle, "" if output is None else os.fspath(output))


def plan(
    vectors: Vectors,
    output: Path | None = None,
    *,
    metric: Metric,
    memory: int | str | None = None,
    shards: int | None = None,
    copies: float = 1.0,
    blocks: bool = False,
    codes: Codes = "auto",
    rows: KeptRows = "auto",
    m: int = 16,
    ef_construction: int = 200,
) -> BuildPlan:
    """What :func:`build` with the same arguments would do and take.

    Some vectors are looked at where ``codes`` or ``rows`` is ``auto``. Nothing is written.

    Args:
        output: where the index would be built; a name that ends in ``.shale`` makes it one file, which is one graph. By
            default a directory is planned.

    Raises:
        ValueError: a setting is out of range.
        Error: several shards are asked for, and ``output`` is one file.
        MemoryLimitError: ``memory`` is too little.
    """
    text = encode(_options(metric, memory, shards, copies, blocks, codes, rows, m, ef_construction, 100, None))
    source, kept = _source(vectors, None)
    report = Handle()
    name = None if output is None else file_name(output)
    attempt(lambda: int(library.lib.plan(byref(source), name, text, byref(report))))
    del kept
    told = jobs.text(report)
    return BuildPlan(
        shards=told["Shards"], shard_rows=told["ShardRows"], sample_rows=told["SampleRows"],
        memory_bytes=told["MemoryBytes"],
        disk_bytes=told["DiskBytes"], index_bytes=told["IndexBytes"], copies=told["Copies"],
        codes=told["Codes"], rows=told["Rows"], codes_why=told["CodesWhy"], rows_why=told["RowsWhy"],
        shards_why=told["ShardsWhy"],
    )  # fmt: skip


def _options(
    metric: str,
    memory: int | str | None,
    shards: int | None,
    copies: float,
    blocks: bool,
    codes: str,
    rows: str,
    m: int,
    ef_construction: int,
    seed: int,
    threads: int | None,
) -> dict[str, Any]:
    if not 1 <= copies <= 2:
        raise ValueError(f"copies is {copies}, not 1 to 2")
    return {
        **layout(metric, codes, rows, m, ef_construction, seed),
        "memory": arguments.memory(memory),
        "shards": arguments.count(shards, "shards", 1),
        "copies": copies,
        "blocks": bool(blocks),
        "threads": arguments.threads(threads),
    }
