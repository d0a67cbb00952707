"""usearch's HNSW over f32, f16 or i8 rows."""

from __future__ import annotations

from importlib.metadata import version

import numpy as np
from usearch.index import Index as USearch

METRICS = {"cosine": "cos", "ip": "ip", "l2": "l2sq"}


class Index:
    """A usearch index that stores rows as dtype."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype

    def version(self) -> str:
        return version("usearch")

    def build(self, base: np.ndarray, metric: str, m: int, ef_construction: int, threads: int) -> None:
        self.index = USearch(
            ndim=base.shape[1], metric=METRICS[metric], dtype=self.dtype, connectivity=m, expansion_add=ef_construction
        )
        self.index.add(np.arange(len(base), dtype=np.uint64), base, threads=threads)

    def search(self, queries: np.ndarray, k: int, ef: float) -> np.ndarray:
        self.index.expansion_search = int(ef)
        return self.index.search(queries, k, threads=1).keys
