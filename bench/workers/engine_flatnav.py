"""flatnav: a flat graph without levels, optionally renumbered for locality."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

import flatnav
import numpy as np


class Index:
    """A graph of degree 2m over fp32 rows; reorder names the renumberings done after the build."""

    def __init__(self, reorder: Sequence[str] = ()) -> None:
        self.reorder = list(reorder)

    def version(self) -> str:
        return version("flatnav")

    def build(self, base: np.ndarray, metric: str, m: int, ef_construction: int, threads: int) -> None:
        self.index = flatnav.index.create(
            distance_type="angular" if metric == "ip" else "l2",
            index_data_type=flatnav.data_type.DataType.float32,
            dim=base.shape[1],
            dataset_size=len(base),
            max_edges_per_node=2 * m,
        )
        self.index.set_num_threads(threads)
        self.index.add(data=base, ef_construction=ef_construction)
        if self.reorder:
            self.index.reorder(self.reorder)
        self.index.set_num_threads(1)

    def search(self, queries: np.ndarray, k: int, ef: float) -> np.ndarray:
        return self.index.search(queries=queries, K=k, ef_search=int(ef))[1]
