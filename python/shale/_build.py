"""Building, opening and checking indexes."""

from __future__ import annotations

import os
from ctypes import Structure, byref, c_char_p, c_int64
from typing import Any, Union

import numpy.typing as npt

from shale import _jobs, _native, _reports, _vectors
from shale._index import Index
from shale._jobs import Progress
from shale._options import Keep, Metric, Storage, encode, layout
from shale._reports import BuildPlan, Verified
from shale._vectors import Path

#: Vectors, or a file of them.
Vectors = Union[npt.ArrayLike, Path]


class _Source(Structure):
    """struct shale_source."""

    _fields_ = [
        ("rows", c_int64),
        ("type", c_int64),
        ("count", c_int64),
        ("dim", c_int64),
        ("path", c_char_p),
        ("id", c_char_p),
        ("labels", c_int64),
        ("label_count", c_int64),
    ]


def _source(vectors: Vectors, labels: npt.ArrayLike | None) -> tuple[_Source, Any]:
    """What to build of, and what must live as long as it is read."""
    given = None if labels is None else _vectors.labels(labels)
    source, kept = _Source(), [given]
    if isinstance(vectors, (str, os.PathLike)):
        source.path = _native.file_name(vectors)
    else:
        rows = _vectors.Rows(vectors)
        if rows.single:
            raise ValueError("vectors have one dimension: want rows of them")
        source.rows, source.type, source.count, source.dim = rows.address, rows.kind, rows.count, rows.dim
        source.id = rows.source.encode() or None
        kept.append(rows.array)
    if given is not None:
        source.labels, source.label_count = _native.address(given), given.size
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
    storage: Storage = "auto",
    keep: Keep = "auto",
    m: int = 16,
    ef_construction: int = 200,
    seed: int = 100,
    threads: int | None = None,
    replace: bool = False,
    progress: Progress = False,
) -> Index:
    """Builds an index of vectors, on disk or in memory, and opens it.

    On disk it may be larger than memory: vectors are divided into shards such that neighbours come together, and each is
    built on its own. A build that was killed or interrupted goes on when it is begun again with the same arguments.

    Args:
        vectors: shape (n, dim), or the path of a file of them (.npy, .npz, .fvecs, .bvecs, .fbin, .u8bin, .i8bin, .parquet).
            Arrays of float32 or float16 in C order are read where they lie, those mapped by ``np.load(…, mmap_mode="r")``
            too; others are converted first.
        output: a directory to be, or one file if the name ends in ``.shale``; ``None`` builds in memory.
        metric: ``"l2"``, ``"ip"`` or ``"cosine"``.
        labels: n integers; by default 0, 1, …
        memory: what the build and then searches may take, as 2_000_000_000 or ``"2GiB"``; by default any.
        shards: graphs to make; by default one, or as many as ``memory`` asks for.
        copies: rows stored for each, 1 to 2: those at the borders of shards in two.
        blocks: also lay rows and links side by side on disk, for searches in memory that holds only the codes.
        storage: by default what suits the vectors, of which some are looked at.
        keep: by default half floats beside codes where that is safe.
        threads: default: all processors.
        replace: take the place of an index that is there already, once complete.
        progress: ``True`` for bars of tqdm, or a callable (step, done, total).

    Raises:
        ValueError: wrong shapes, NaN or infinity, or a setting out of range.
        FileExistsError: something lies at ``output``.
        MemoryLimitError: ``memory`` is too little.
    """
    options = _options(metric, memory, shards, copies, blocks, storage, keep, m, ef_construction, seed, threads)
    options["replace"] = replace
    text = encode(options)
    source, kept = _source(vectors, labels)
    handle = _native.Handle()
    name = None if output is None else _native.file_name(output)
    with _jobs.Watch(progress) as watch:
        _jobs.attempt(
            lambda: int(
                _native.lib.watched.index_build(
                    byref(source), name, text, watch.handle, byref(handle) if output is None else None, watch.look
                )
            )
        )
    del kept
    if output is None:
        return Index._of(handle, "")
    return open_index(output, memory=memory)


def plan(
    vectors: Vectors,
    *,
    metric: Metric,
    memory: int | str | None = None,
    shards: int | None = None,
    copies: float = 1.0,
    blocks: bool = False,
    storage: Storage = "auto",
    keep: Keep = "auto",
    m: int = 16,
    ef_construction: int = 200,
) -> BuildPlan:
    """What :func:`build` with the same arguments would do and take.

    Some vectors are looked at where ``storage`` or ``keep`` is ``auto``.

    Raises:
        MemoryLimitError: ``memory`` is too little.
    """
    text = encode(_options(metric, memory, shards, copies, blocks, storage, keep, m, ef_construction, 100, None))
    source, kept = _source(vectors, None)
    report = _native.Handle()
    _jobs.attempt(lambda: int(_native.lib.index_plan(byref(source), text, byref(report))))
    del kept
    told = _jobs.text(report)
    return BuildPlan(
        shards=told["Shards"], shard_rows=told["ShardRows"], sample_rows=told["SampleRows"], memory_bytes=told["MemoryBytes"],
        disk_bytes=told["DiskBytes"], index_bytes=told["IndexBytes"], copies=told["Copies"],
    )  # fmt: skip


def _options(
    metric: str,
    memory: int | str | None,
    shards: int | None,
    copies: float,
    blocks: bool,
    storage: str,
    keep: str,
    m: int,
    ef_construction: int,
    seed: int,
    threads: int | None,
) -> dict[str, Any]:
    if not 1 <= copies <= 2:
        raise ValueError(f"copies is {copies}, not 1 to 2")
    return {
        **layout(metric, storage, keep, m, ef_construction, seed),
        "memory": _vectors.memory(memory),
        "shards": _vectors.count(shards, "shards", 1),
        "copies": copies,
        "blocks": bool(blocks),
        "threads": _vectors.threads(threads),
    }


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
        memory: what it may keep resident; where that doesn't hold the rows beside links and codes, searches of a directory
            read rows from disk, and the index can't be changed.
        mmap: map a directory and read only what searches need; the index can't be changed.
        metric: of hnswlib's files, which don't hold it; default l2.
        dim: expected values a vector; default: any.

    Raises:
        FileNotFoundError: nothing lies there.
        FormatError: what lies there isn't an index, or is damaged.
        MemoryLimitError: ``memory`` is too little.
    """
    name = _native.file_name(path)
    options = encode({
        "memory": _vectors.memory(memory), "mapped": bool(mmap), "metric": metric or "", "dim": _vectors.count(dim, "dim"),
    })  # fmt: skip
    handle = _native.Handle()
    _jobs.attempt(lambda: int(_native.lib.watched.index_open(name, options, byref(handle), _native.look)))
    return Index._of(handle, os.fspath(path))


def verify(path: Path) -> Verified:
    """Reads all of an index on disk and checks it.

    Raises:
        FileNotFoundError: nothing lies there.
    """
    name = _native.file_name(path)
    report = _native.Handle()
    _jobs.attempt(lambda: int(_native.lib.watched.verify(name, byref(report), _native.look)))
    return _reports.of(Verified, _jobs.text(report))
