"""faiss's HNSW over fp32, fp16 or SQ8 rows."""

from __future__ import annotations

import faiss
import numpy as np


class Index:
    """An index made from a factory string, with HNSW{m} put in front of the storage."""

    def __init__(self, storage: str = "Flat") -> None:
        self.storage = storage

    def version(self) -> str:
        return faiss.__version__

    def build(self, base: np.ndarray, metric: str, m: int, ef_construction: int, threads: int) -> None:
        kind = faiss.METRIC_INNER_PRODUCT if metric == "ip" else faiss.METRIC_L2
        self.index = faiss.index_factory(base.shape[1], f"HNSW{m},{self.storage}", kind)
        self.index.hnsw.efConstruction = ef_construction
        faiss.omp_set_num_threads(threads)
        self.index.train(base)
        self.index.add(base)

    def search(self, queries: np.ndarray, k: int, ef: float) -> np.ndarray:
        faiss.omp_set_num_threads(1)
        self.index.hnsw.efSearch = int(ef)
        return self.index.search(queries, k)[1]
