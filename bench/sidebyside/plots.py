"""Draws results."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Callable

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

from .reading import frontier  # noqa: E402
from .report import COMPARED_AT, summarise  # noqa: E402

MIB = 2**20
TICKS = (0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
OURS, THEIRS = "#c0392b", "#7f8c8d"
MARKERS = "os^Dv<>PX*hp"


def draw(results: Mapping[str, Any], folder: Path) -> list[Path]:
    """Writes qps.png, build.png, memory.png and bytes.png."""
    summaries = summarise(results)
    if not summaries:
        return []
    title = f"{results['data']['name']}, {results['data']['rows']:,} × {results['data']['dim']}"
    return [
        _speed(summaries, title, results["settings"]["k"], folder / "qps.png"),
        _bars(summaries, f"Build, {title}", "seconds", lambda s: s["build"].get("seconds"), folder / "build.png"),
        _bars(summaries, f"Memory, {title}", "MB resident after the build", _megabytes, folder / "memory.png"),
        _bytes(summaries, title, results["settings"]["k"], folder / "bytes.png"),
    ]


def _megabytes(summary: Mapping[str, Any]) -> float | None:
    value = summary["build"].get("resident_bytes")
    return None if value is None else value / MIB


def _ours(summary: Mapping[str, Any]) -> bool:
    return summary["name"].startswith("Shale")


def _misses(recall: float) -> float:
    """Where a recall stands on the axis, which gives every halving of the misses equal room."""
    return -math.log10(1 - recall)


def _speed(summaries: Sequence[Mapping[str, Any]], title: str, k: int, path: Path) -> Path:
    figure, axes = plt.subplots(figsize=(11, 6.5), layout="constrained")
    colours = plt.get_cmap("tab20").colors
    for i, summary in enumerate(summaries):
        points = [p for p in frontier(summary["rows"]) if TICKS[0] <= p["recall"] <= TICKS[-1]]
        axes.plot(
            [_misses(p["recall"]) for p in points],
            [p["qps"] for p in points],
            marker=MARKERS[i % len(MARKERS)],
            markersize=4,
            linewidth=2.4 if _ours(summary) else 1.2,
            color=colours[i % len(colours)],
            label=summary["name"],
        )
    axes.set(yscale="log", xlabel=f"recall@{k}", ylabel="queries a second, one thread")
    axes.set_xlim(_misses(TICKS[0]), _misses(TICKS[-1]))
    axes.set_xticks([_misses(t) for t in TICKS], [str(t) for t in TICKS])
    axes.set_title(title)
    axes.grid(True, which="both", alpha=0.25)
    figure.legend(loc="outside right upper", fontsize="small", frameon=False)
    return _save(figure, path)


def _bytes(summaries: Sequence[Mapping[str, Any]], title: str, k: int, path: Path) -> Path:
    """Speed at one recall over memory: what is up and to the left is better."""
    figure, axes = plt.subplots(figsize=(9, 6.5), layout="constrained")
    for summary in summaries:
        reading, megabytes = summary["qps"].get(COMPARED_AT), _megabytes(summary)
        if reading is None or not megabytes:
            continue
        colour = OURS if _ours(summary) else THEIRS
        axes.scatter(megabytes, reading.value, color=colour, marker="^" if reading.at_least else "o", s=36)
        axes.annotate(
            summary["name"],
            (megabytes, reading.value),
            xytext=(5, 4),
            textcoords="offset points",
            fontsize="small",
            color=colour,
        )
    axes.set(yscale="log", xlabel="MB resident after the build", title=title)
    axes.set_ylabel(f"queries a second at recall@{k} of {COMPARED_AT} (▲: at least), one thread")
    axes.margins(x=0.2, y=0.1)
    axes.set_xlim(left=0)
    axes.grid(True, which="both", alpha=0.25)
    return _save(figure, path)


def _bars(
    summaries: Sequence[Mapping[str, Any]],
    title: str,
    label: str,
    value: Callable[[Mapping[str, Any]], float | None],
    path: Path,
) -> Path:
    known = sorted(((value(s), s) for s in summaries if value(s) is not None), key=lambda pair: pair[0], reverse=True)
    figure, axes = plt.subplots(figsize=(9, 1 + 0.32 * max(1, len(known))), layout="constrained")
    names, values = [s["name"] for _, s in known], [v for v, _ in known]
    bars = axes.barh(names, values, color=[OURS if _ours(s) else THEIRS for _, s in known])
    axes.bar_label(bars, fmt="%.1f" if max(values, default=0) < 100 else "%.0f", padding=3, fontsize="small")
    axes.set(xlabel=label, title=title)
    axes.margins(x=0.1)
    return _save(figure, path)


def _save(figure: plt.Figure, path: Path) -> Path:
    figure.savefig(path, dpi=120)
    plt.close(figure)
    return path
