#!/usr/bin/env python3
"""Grows a file of text embeddings to N rows (fp16, normalised) for tests of scale.

The first rows are those of the base file. Each further row is one of them moved along the difference of two others, so
that the rows' covariance stays that of the base. Usage: grow.py BASE.npy OUTPUT.npy ROWS
"""

import sys

import numpy as np

STEP = 50_000


def grow(base: np.ndarray, out: np.ndarray) -> None:
    """Fills out, rows × dim, from base."""
    rng = np.random.default_rng(3)
    rows = len(out)
    out[: len(base)] = base[:rows]
    for start in range(len(base), rows, STEP):
        n = min(STEP, rows - start)
        place, one, other = (base[rng.integers(0, len(base), n)] for _ in range(3))
        moved = place + rng.uniform(0.2, 0.6, (n, 1)).astype(np.float32) * (one - other)
        out[start : start + n] = moved / np.linalg.norm(moved, axis=1, keepdims=True)


def main() -> None:
    source, target, rows = sys.argv[1], sys.argv[2], int(sys.argv[3])
    base = np.load(source).astype(np.float32)
    out = np.lib.format.open_memmap(target, mode="w+", dtype=np.float16, shape=(rows, base.shape[1]))
    grow(base, out)
    out.flush()


if __name__ == "__main__":
    main()
