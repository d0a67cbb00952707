"""Exact neighbours, by the shale command where there is one, checked against, or else made by, brute force in numpy."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np

from .data import Data

BLOCK = 100  # queries at a time
CHECKED = 100  # queries whose neighbours numpy looks up again
DEPTH = 100
TOLERANCE = 1e-4  # of a distance: fp32 sums in another order
TIMEOUT = 3600


def ensure(data: Data, shale: Path | None) -> tuple[Path, Path, str]:
    """The neighbours as .npy and as .ivecs, and who found them."""
    depth = min(DEPTH, data.rows)
    base, queries = np.load(data.base, mmap_mode="r"), np.load(data.queries)
    vectors = data.base.parent / "truth.ivecs"
    source = "numpy"
    if shale is not None and _by_shale(shale, data, depth, vectors):
        truth = read_ivecs(vectors)
        sample = slice(0, CHECKED)
        _check(base, queries[sample], truth[sample], data.metric)
        source = f"shale groundtruth, {min(CHECKED, len(queries))} queries checked by numpy"
    else:
        truth = exact(base, queries, data.metric, depth)
        write_ivecs(vectors, truth)
    table = data.base.parent / "truth.npy"
    np.save(table, truth)
    return table, vectors, source


def _by_shale(shale: Path, data: Data, depth: int, output: Path) -> bool:
    command = [str(shale), "groundtruth", "--input", str(data.base), "--queries", str(data.queries)]
    command += ["--metric", data.metric, "-k", str(depth), "--output", str(output)]
    try:
        return subprocess.run(command, stderr=subprocess.DEVNULL, timeout=TIMEOUT, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def exact(base: np.ndarray, queries: np.ndarray, metric: str, depth: int) -> np.ndarray:
    """The nearest depth rows of each query, nearest first."""
    squares = np.einsum("ij,ij->i", base, base) if metric == "l2" else np.float32(0)
    found = np.empty((len(queries), depth), np.int32)
    for start in range(0, len(queries), BLOCK):
        dots = queries[start : start + BLOCK] @ base.T
        scores = squares - 2 * dots if metric == "l2" else -dots
        nearest = np.argpartition(scores, depth - 1, axis=1)[:, :depth]
        order = np.argsort(np.take_along_axis(scores, nearest, axis=1), axis=1, kind="stable")
        found[start : start + BLOCK] = np.take_along_axis(nearest, order, axis=1)
    return found


def _check(base: np.ndarray, queries: np.ndarray, truth: np.ndarray, metric: str) -> None:
    """Compares distances, as rows at equal distance may stand in any order."""
    ours = exact(base, queries, metric, truth.shape[1])
    for query, theirs, mine in zip(queries, truth, ours):
        a, b = _distances(base[theirs], query, metric), _distances(base[mine], query, metric)
        if not np.allclose(a, b, rtol=TOLERANCE, atol=TOLERANCE):
            raise SystemExit("shale groundtruth and numpy disagree about the nearest rows")


def _distances(rows: np.ndarray, query: np.ndarray, metric: str) -> np.ndarray:
    wide, q = rows.astype(np.float64), query.astype(np.float64)
    return ((wide - q) ** 2).sum(axis=1) if metric == "l2" else 1 - wide @ q


def write_ivecs(path: Path, table: np.ndarray) -> None:
    """Writes rows of int32, each after its length."""
    lengths = np.full((len(table), 1), table.shape[1], np.int32)
    np.hstack([lengths, table.astype(np.int32)]).tofile(path)


def read_ivecs(path: Path) -> np.ndarray:
    """Reads rows of int32 of one length."""
    numbers = np.fromfile(path, np.int32)
    return numbers.reshape(-1, numbers[0] + 1)[:, 1:].copy()
