"""SymphonyQG as rabitqlib packages it."""

from __future__ import annotations

from importlib.metadata import version

import numpy as np
from rabitqlib import SymqgIndex


class Index:
    """A quantized graph of degree 2m; bits is what a stored row takes a dimension, 0 for raw fp32."""

    def __init__(self, bits: int = 0) -> None:
        self.bits = bits

    def version(self) -> str:
        return "rabitqlib " + version("rabitqlib")

    def build(self, base: np.ndarray, metric: str, m: int, ef_construction: int, threads: int) -> None:
        kind = "ip" if metric == "ip" else "l2"
        self.index = SymqgIndex(base.shape[1], 2 * m, metric=kind, quantization_bits=self.bits)
        self.index.build(base, ef_construction, num_threads=threads)

    def search(self, queries: np.ndarray, k: int, ef: float) -> np.ndarray:
        return self.index.search(queries, k, int(ef), num_threads=1)[0]
