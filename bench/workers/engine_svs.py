"""SVS's Vamana over fp32 or LVQ-compressed rows."""

from __future__ import annotations

import os
import tempfile
from importlib.metadata import version
from typing import Any

import numpy as np
import svs


class Index:
    """A Vamana graph of degree 2m; primary and residual are LVQ's bits a dimension, 0 for fp32 rows."""

    def __init__(self, primary: int = 0, residual: int = 0) -> None:
        self.primary, self.residual = primary, residual

    def version(self) -> str:
        return version("scalable-vs")

    def build(self, base: np.ndarray, metric: str, m: int, ef_construction: int, threads: int) -> None:
        ip = metric == "ip"
        parameters = svs.VamanaBuildParameters(
            alpha=0.95 if ip else 1.2, graph_max_degree=2 * m, window_size=ef_construction
        )
        kind = svs.DistanceType.MIP if ip else svs.DistanceType.L2
        with tempfile.TemporaryDirectory() as folder:
            self.index = svs.Vamana.build(parameters, self._rows(base, folder), kind, num_threads=threads)
        self.index.num_threads = 1

    def _rows(self, base: np.ndarray, folder: str) -> Any:
        if not self.primary:
            return base
        path = os.path.join(folder, "base.fvecs")
        svs.write_vecs(base, path)
        loader = svs.VectorDataLoader(path, svs.DataType.float32, base.shape[1])
        return svs.LVQLoader(loader, primary=self.primary, residual=self.residual)

    def search(self, queries: np.ndarray, k: int, ef: float) -> np.ndarray:
        self.index.search_window_size = int(ef)
        return self.index.search(queries, k)[0]
