"""The machine's random-read limit, and how near Shale's walks come to it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from . import paths
from .data import Data
from .reading import Row, field_at, qps_at

BYTES_A_NUMBER = {"Shale fp32": 4.0, "Shale fp16": 2.0, "Shale sq8": 1.0}  # storages that the walk reads row by row
LIST_BYTES = 128  # a node's links at M = 16: 32 ids
TIMEOUT = 600


def measure(data: Data) -> dict[str, Any]:
    """Runs bench/limit over a working set for each storage; says why where it can't."""
    found: dict[str, Any] = {}
    for name, size in BYTES_A_NUMBER.items():
        row = max(4, round(data.dim * size / 4) * 4)
        mib = max(1, round(data.rows * (row + LIST_BYTES) / 2**20))
        command = ["go", "run", "./bench/limit", "-json", "-mib", str(mib), "-blocks", f"{LIST_BYTES},{row}"]
        try:
            done = subprocess.run(command, cwd=paths.REPO, capture_output=True, text=True, timeout=TIMEOUT, check=True)
        except (OSError, subprocess.SubprocessError) as error:
            words = getattr(error, "stderr", None) or str(error)
            return {"error": paths.scrub(" ".join(str(words).split())[:300])}
        found[name] = {**json.loads(done.stdout), "row_bytes": row}
    return found


def floors(limit: Mapping[str, Any], name: str, rows: Sequence[Row], recalls: Sequence[float]) -> list[dict[str, Any]]:
    """At each recall that the sweep covers: distances, hops, the floor in µs, what was measured, the share reached.

    The floor is a row's random read for each distance and a link list's for each hop, on huge pages, one at a time.
    """
    if name not in limit:
        return []
    nanos = {f["block_bytes"]: f["ns"] for f in limit[name]["figures"] if f["pages"] == "huge"}
    row, links = nanos[limit[name]["row_bytes"]], nanos[LIST_BYTES]
    found = []
    for recall in recalls:
        distances: float | None = field_at(rows, "distances", recall)
        hops: float | None = field_at(rows, "hops", recall)
        qps = qps_at(rows, recall)
        if distances is None or hops is None or qps is None:
            continue
        floor, measured = (distances * row + hops * links) / 1e3, 1e6 / qps.value
        found.append(
            {
                "recall": recall,
                "distances": distances,
                "hops": hops,
                "floor_us": floor,
                "measured_us": measured,
                "share": floor / measured,
            }
        )
    return found
