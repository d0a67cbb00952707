"""Reads figures at a recall off a sweep."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

Row = dict[str, float]


def recall(found: np.ndarray, truth: np.ndarray) -> float:
    """The share of the true neighbours that were found, row by row."""
    return sum(len(np.intersect1d(a, b)) for a, b in zip(found, truth)) / truth.size


@dataclass(frozen=True)
class Reading:
    """A figure at a recall; at_least where the whole sweep lies above that recall."""

    value: float
    at_least: bool = False


def medians(sweeps: Sequence[Sequence[Row]]) -> list[Row]:
    """One row a setting, each field the median of the sweeps' rows for that setting."""
    by_setting: dict[tuple[float, float], list[Row]] = {}
    for sweep in sweeps:
        for row in sweep:
            by_setting.setdefault((row["ef"], row.get("slack", 0)), []).append(row)
    merged = []
    for setting in sorted(by_setting):
        rows = by_setting[setting]
        fields = [f for f, v in rows[0].items() if isinstance(v, (int, float)) and all(f in r for r in rows)]
        merged.append({f: median(r[f] for r in rows) for f in fields})
    return merged


def frontier(rows: Sequence[Row]) -> list[Row]:
    """The rows that no other beats in both recall and qps, by rising recall."""
    best: list[Row] = []
    for row in sorted(rows, key=lambda r: (-r["recall"], -r["qps"])):
        if not best or row["qps"] > best[-1]["qps"]:
            best.append(row)
    return best[::-1]


def qps_at(rows: Sequence[Row], recall: float) -> Reading | None:
    """Queries a second at a recall: between two points of the frontier, the logarithm of qps is linear in recall."""
    points = frontier(rows)
    if not points or points[-1]["recall"] < recall:
        return None
    if points[0]["recall"] >= recall:
        return Reading(points[0]["qps"], at_least=points[0]["recall"] > recall)
    for low, high in zip(points, points[1:]):
        if high["recall"] >= recall:
            share = (recall - low["recall"]) / (high["recall"] - low["recall"])
            logs = math.log(low["qps"]), math.log(high["qps"])
            return Reading(math.exp(logs[0] + share * (logs[1] - logs[0])))
    return None


def field_at(rows: Sequence[Row], name: str, recall: float) -> float | None:
    """Another field at a recall, linear between the two points around it; None outside the sweep."""
    points = [r for r in frontier(rows) if name in r]
    for low, high in zip(points, points[1:]):
        if low["recall"] <= recall <= high["recall"]:
            share = (recall - low["recall"]) / (high["recall"] - low["recall"])
            return low[name] + share * (high[name] - low[name])
    return None


def spread(sweeps: Sequence[Sequence[Row]], recall: float) -> float | None:
    """How far apart the sweeps' own readings lie: (highest − lowest) / median; None for fewer than two."""
    readings = [qps_at(sweep, recall) for sweep in sweeps]
    values = [r.value for r in readings if r is not None]
    return (max(values) - min(values)) / median(values) if len(values) > 1 else None
