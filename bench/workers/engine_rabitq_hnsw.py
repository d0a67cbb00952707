"""HNSW over RaBitQ codes as rabitqlib packages it."""

from __future__ import annotations

from importlib.metadata import version

import numpy as np
from rabitqlib import HnswIndex, RaBitQKMeans

CLUSTERS = 16


class Index:
    """An HNSW graph walked on codes of bits a dimension, without the rows themselves."""

    def __init__(self, bits: int) -> None:
        self.bits = bits

    def version(self) -> str:
        return "rabitqlib " + version("rabitqlib")

    def build(self, base: np.ndarray, metric: str, m: int, ef_construction: int, threads: int) -> None:
        clusters = RaBitQKMeans(base.shape[1], CLUSTERS, num_threads=threads)
        clusters.train(base)
        kind = "ip" if metric == "ip" else "l2"
        self.index = HnswIndex(
            base.shape[1], len(base), M=m, ef_construction=ef_construction, nbits=self.bits, metric=kind
        )
        self.index.build(base, clusters.centroids, clusters.assignments, num_threads=threads)

    def search(self, queries: np.ndarray, k: int, ef: float) -> np.ndarray:
        return self.index.search(queries, k, ef=int(ef), num_threads=1)[0]
