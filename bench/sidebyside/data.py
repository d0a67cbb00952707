"""Finds, makes and prepares data sets: fp32 rows and queries in .npy files, normalised where the metric is cosine."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import environments, paths

WORDNET = paths.REPO / "internal" / "wordnet" / "wordnet-10k-minilm384.fp16.npy"
WORDNET_QUERIES = 1000
SEED = 1
METRICS = {"wordnet": "cosine", "minilm384": "cosine", "glove100": "cosine", "sift128": "l2", "hog900": "l2"}


@dataclass(frozen=True)
class Data:
    """A prepared data set."""

    name: str
    metric: str
    base: Path
    queries: Path
    rows: int
    dim: int
    query_rows: int


def prepare(options: Namespace) -> Data:
    """The data set that the command line asks for."""
    metric = METRICS.get(options.data, options.metric)
    base, queries = _raw(options)
    if options.rows:
        base = base[: options.rows]
    base, queries = _ready(base, metric), _ready(queries, metric)
    if base.ndim != 2 or queries.ndim != 2 or base.shape[1] != queries.shape[1]:
        raise SystemExit(f"rows {base.shape} and queries {queries.shape} don't fit together")
    folder = paths.DATA / f"{options.data}-{_digest(base, queries)}-{metric}"
    folder.mkdir(parents=True, exist_ok=True)
    files = folder / "base.fp32.npy", folder / "queries.fp32.npy"
    np.save(files[0], base)
    np.save(files[1], queries)
    return Data(options.data, metric, files[0], files[1], len(base), base.shape[1], len(queries))


def _raw(options: Namespace) -> tuple[np.ndarray, np.ndarray]:
    if options.data == "wordnet":
        rows = np.load(WORDNET)
        rows = rows[np.random.default_rng(SEED).permutation(len(rows))]
        return rows[WORDNET_QUERIES:], rows[:WORDNET_QUERIES]
    if options.data == "minilm384":
        return np.load(options.minilm, mmap_mode="r"), np.load(options.minilm_queries)
    if options.data == "files":
        return np.load(options.base, mmap_mode="r"), np.load(options.queries)
    return _made(options)


def _made(options: Namespace) -> tuple[np.ndarray, np.ndarray]:
    """A set that a script makes, once."""
    rows = {"sift128": options.sift_rows, "hog900": options.hog_rows}.get(options.data)
    folder = paths.DATA / (f"{options.data}-{rows}" if rows else options.data)
    if not (folder / "base.npy").exists():
        print(f"making {options.data}", file=sys.stderr)
        python = str(environments.ensure("pictures", paths.REQUIREMENTS / "pictures.txt")) if rows else sys.executable
        script = paths.BENCH / "datasets" / f"make_{options.data}.py"
        arguments = [str(rows)] if rows else []
        subprocess.run([python, str(script), str(folder), *arguments], check=True)
    return np.load(folder / "base.npy", mmap_mode="r"), np.load(folder / "queries.npy")


def _ready(rows: np.ndarray, metric: str) -> np.ndarray:
    out = np.array(rows, dtype=np.float32, order="C")
    if metric == "cosine":
        out /= np.linalg.norm(out, axis=1, keepdims=True) + np.float32(1e-30)
    return out


def _digest(base: np.ndarray, queries: np.ndarray) -> str:
    digest = hashlib.sha256(repr((base.shape, queries.shape)).encode())
    digest.update(base)
    digest.update(queries)
    return digest.hexdigest()[:12]
