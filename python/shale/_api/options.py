"""What an index is like and how to build it, as the library takes it."""

from __future__ import annotations

from typing import Any, Literal

from shale._core import arguments

Metric = Literal["l2", "ip", "cosine"]
Codes = Literal["auto", "fp32", "fp16", "rabitq1", "rabitq2", "rabitq3", "rabitq4", "rabitq8", "sq4", "sq8", "pq"]
KeptRows = Literal["auto", "fp32", "fp16", "sq8", "none"]
Format = Literal["auto", "directory", "file", "hnswlib"]


def layout(metric: str, codes: str, rows: str, m: int, ef_construction: int, seed: int) -> dict[str, Any]:
    """What an index is like, as the library takes it."""
    return {
        "metric": metric,
        "codes": codes,
        "rows": rows,
        "m": arguments.count(m, "m", 2),
        "ef_construction": arguments.count(ef_construction, "ef_construction", 1),
        "seed": seed,
        "replace_deleted": True,
    }


