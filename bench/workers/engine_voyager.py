"""Voyager's HNSW over fp32 rows."""

from __future__ import annotations

from importlib.metadata import version

import numpy as np
import voyager

SPACES = {"cosine": voyager.Space.Cosine, "ip": voyager.Space.InnerProduct, "l2": voyager.Space.Euclidean}


class Index:
    """A Voyager index."""

    def version(self) -> str:
        return version("voyager")

    def build(self, base: np.ndarray, metric: str, m: int, ef_construction: int, threads: int) -> None:
        self.index = voyager.Index(
            SPACES[metric], base.shape[1], M=m, ef_construction=ef_construction, max_elements=len(base)
        )
        self.index.add_items(base, num_threads=threads)

    def search(self, queries: np.ndarray, k: int, ef: float) -> np.ndarray:
        return self.index.query(queries, k, num_threads=1, query_ef=int(ef))[0]
