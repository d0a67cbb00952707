"""The machine's random-read limit, and how near Shale's walks come to it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from . import paths
from .reading import Row, field_at, qps_at

BYTES_A_NUMBER = {"fp32": 4, "fp16": 2, "sq8": 1}  # of the rows kept
SCALE_BYTES = 4  # of a row of sq8
LIST_BYTES = 128  # a node's links at M = 16: 32 ids
TIMEOUT = 600


def measure(dim: int, engines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Runs bench/limit over the working sets of each Shale index that was built; says why where it can't."""
    found: dict[str, Any] = {}
    for engine in engines:
        build = engine["build"]
        if build.get("keep") not in BYTES_A_NUMBER or not build.get("rows"):
            continue  # a peer, or it wasn't built
        try:
            found[engine["name"]] = _of_index(dim, build)
        except (OSError, subprocess.SubprocessError) as error:
            words = getattr(error, "stderr", None) or str(error)
            return {"error": paths.scrub(" ".join(str(words).split())[:300])}
    return found


def _of_index(dim: int, build: Mapping[str, Any]) -> dict[str, Any]:
    """Reads as they are in one index: codes and lists among codes and lists, rows among rows; without codes, rows and
    lists among both."""
    rows, row = build["rows"], max(4, round(dim * BYTES_A_NUMBER[build["keep"]] / 4) * 4)
    if build["keep"] == "sq8":
        row += SCALE_BYTES
    code = round((build.get("code_bytes") or 0) / rows)
    if not code:
        return {**_read(rows, row + LIST_BYTES, {LIST_BYTES, row}), "row_bytes": row}
    walked = _read(rows, code + LIST_BYTES, {LIST_BYTES, code})
    return {**walked, "code_bytes": code, "row_bytes": row, "row_figures": _read(rows, row, {row})["figures"]}


def _read(rows: int, bytes_each: int, blocks: Collection[int]) -> dict[str, Any]:
    mib = max(1, round(rows * bytes_each / 2**20))
    sizes = ",".join(map(str, sorted(blocks)))
    command = ["go", "run", "./bench/limit", "-json", "-mib", str(mib), "-blocks", sizes]
    done = subprocess.run(command, cwd=paths.REPO, capture_output=True, text=True, timeout=TIMEOUT, check=True)
    return json.loads(done.stdout)


def floors(limit: Mapping[str, Any], name: str, rows: Sequence[Row], recalls: Sequence[float]) -> list[dict[str, Any]]:
    """At each recall that the sweep covers: distances, candidates ranked again, hops, the floor in µs, what was
    measured, the share reached.

    The floor is a random read of a code, or of a row where there are none, for each distance, a link list's for each
    hop and a row's for each candidate ranked again, on huge pages, one at a time.
    """
    if name not in limit:
        return []
    entry = limit[name]
    nanos = _nanos(entry["figures"])
    distance, links = nanos[entry.get("code_bytes", entry["row_bytes"])], nanos[LIST_BYTES]
    rerank = _nanos(entry["row_figures"])[entry["row_bytes"]] if "row_figures" in entry else 0.0
    found = []
    for recall in recalls:
        distances: float | None = field_at(rows, "distances", recall)
        hops: float | None = field_at(rows, "hops", recall)
        reranked: float = field_at(rows, "reranked", recall) or 0.0
        qps = qps_at(rows, recall)
        if distances is None or hops is None or qps is None:
            continue
        floor, measured = (distances * distance + hops * links + reranked * rerank) / 1e3, 1e6 / qps.value
        found.append(
            {
                "recall": recall,
                "distances": distances,
                "reranked": reranked,
                "hops": hops,
                "floor_us": floor,
                "measured_us": measured,
                "share": floor / measured,
            }
        )
    return found


def _nanos(figures: Sequence[Mapping[str, Any]]) -> dict[int, float]:
    """The time of a read on huge pages, by its size."""
    return {f["block_bytes"]: f["ns"] for f in figures if f["pages"] == "huge"}
