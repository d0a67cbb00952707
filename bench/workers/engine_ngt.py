"""NGT's graph (ANNG) over fp32 rows, swept by epsilon."""

from __future__ import annotations

import os
import tempfile
from importlib.metadata import version

import ngtpy
import numpy as np

DISTANCES = {"cosine": "Normalized Cosine", "ip": "Inner Product", "l2": "L2"}


class Index:
    """An NGT index in a temporary folder, opened for searching after the build."""

    def version(self) -> str:
        return version("ngt")

    def build(self, base: np.ndarray, metric: str, m: int, ef_construction: int, threads: int) -> None:
        self.folder = tempfile.TemporaryDirectory()
        path = os.path.join(self.folder.name, "index")
        ngtpy.create(
            path,
            dimension=base.shape[1],
            edge_size_for_creation=2 * m,
            distance_type=DISTANCES[metric],
        )
        self.index = ngtpy.Index(path)
        self.index.batch_insert(base, num_threads=threads)

    def search(self, queries: np.ndarray, k: int, ef: float) -> np.ndarray:
        self.index.set(epsilon=ef)
        results = ngtpy.BatchResults()
        self.index.batch_search(queries, results, size=k, with_distance=False)
        return results.get_ids()
