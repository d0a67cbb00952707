"""hnswlib, and forks that keep its Python interface."""

from __future__ import annotations

from importlib.metadata import version

import hnswlib
import numpy as np


class Index:
    """An HNSW graph over fp32 rows."""

    def version(self) -> str:
        return version("hnswlib")

    def build(self, base: np.ndarray, metric: str, m: int, ef_construction: int, threads: int) -> None:
        self.index = hnswlib.Index(space=metric, dim=base.shape[1])
        self.index.init_index(max_elements=len(base), M=m, ef_construction=ef_construction)
        self.index.add_items(base, num_threads=threads)

    def search(self, queries: np.ndarray, k: int, ef: float) -> np.ndarray:
        self.index.set_ef(int(ef))
        return self.index.knn_query(queries, k=k, num_threads=1)[0]
