"""Turns raw outcomes into the figures that the table and the plots show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import limit
from .reading import Reading, medians, qps_at, spread

RECALLS = (0.90, 0.95, 0.98, 0.99)
COMPARED_AT = 0.95
YARDSTICK = "hnswlib"


def summarise(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One summary an engine that was swept at least once, the fastest at recall 0.95 first."""
    summaries = [_summary(e, results) for e in results["engines"] if e["sweeps"]]
    yardstick = next((s["qps"].get(COMPARED_AT) for s in summaries if s["name"] == YARDSTICK), None)
    for s in summaries:
        ours: Reading | None = s["qps"].get(COMPARED_AT)
        s["times"] = ours.value / yardstick.value if ours and yardstick else None
    return sorted(summaries, key=lambda s: -s["qps"][COMPARED_AT].value if COMPARED_AT in s["qps"] else 0.0)


def failures(results: Mapping[str, Any]) -> list[dict[str, str]]:
    """The engines that failed, with when and why."""
    return [{"name": e["name"], **e["failure"]} for e in results["engines"] if e["failure"]]


def _summary(engine: Mapping[str, Any], results: Mapping[str, Any]) -> dict[str, Any]:
    rows = medians(engine["sweeps"])
    readings = {recall: qps_at(rows, recall) for recall in RECALLS}
    return {
        "name": engine["name"],
        "build": engine["build"],
        "rows": rows,
        "qps": {recall: reading for recall, reading in readings.items() if reading is not None},
        "best_recall": max(r["recall"] for r in rows),
        "spread": spread(engine["sweeps"], COMPARED_AT),
        "floors": limit.floors(results.get("limit", {}), engine["name"], rows, RECALLS),
    }
