#!/usr/bin/env python3
"""Draws the tables of bench/results as plots: for each FILE.md the plot FILE.png, of queries a second over recall.

Reads the first table that has columns such as @0.95 (one line an engine) or a column recall@10 (one line a setting).
Needs matplotlib.
"""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

Curves = dict[str, list[tuple[float, float]]]


def tables(text: str) -> list[list[list[str]]]:
    """The tables of a Markdown text, as rows of cells, heads first."""
    found: list[list[list[str]]] = []
    inside = False
    for line in text.splitlines():
        if not line.startswith("|"):
            inside = False
            continue
        if not inside:
            found.append([])
            inside = True
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not all(set(cell) <= set("-: ") and cell for cell in cells):
            found[-1].append(cells)
    return found


def number(cell: str) -> float | None:
    """The number in a cell, or None where it holds none."""
    match = re.fullmatch(r"≥?\s*([\d,.]+)", cell)
    return float(match[1].replace(",", "")) if match else None


def by_column(head: list[str], rows: list[list[str]]) -> Curves:
    """Curves of a table with a column a recall."""
    at = {i: float(name[1:]) for i, name in enumerate(head) if re.fullmatch(r"@0\.\d+", name)}
    curves: Curves = {}
    for row in rows:
        points = [(recall, number(row[i])) for i, recall in at.items()]
        curves[row[0]] = [(recall, value) for recall, value in points if value is not None]
    return curves


def by_row(head: list[str], rows: list[list[str]]) -> Curves:
    """Curves of a table with a line a setting, whose names begin with the engine's, up to a comma."""
    recall, speed = head.index("recall@10"), head.index("queries a second")
    curves: Curves = {}
    for row in rows:
        x, y = number(row[recall]), number(row[speed])
        if x is not None and y is not None:
            curves.setdefault(row[0].split(",")[0], []).append((x, y))
    return curves


def curves_of(text: str) -> Curves:
    """The curves of the first table that holds speeds at recalls."""
    for head, *rows in tables(text):
        if any(re.fullmatch(r"@0\.\d+", name) for name in head):
            return by_column(head, rows)
        if "recall@10" in head and "queries a second" in head:
            return by_row(head, rows)
    return {}


def misses(recall: float) -> float:
    """The place of a recall on an axis that gives every halving of the misses equal room."""
    return -math.log10(1 - recall)


def draw(path: Path) -> Path | None:
    """Draws one page's plot, unless it has no table of speeds."""
    text = path.read_text(encoding="utf-8")
    curves = {name: sorted(points) for name, points in curves_of(text).items() if points}
    if not curves:
        return None
    figure, axes = plt.subplots(figsize=(9, 5.5), layout="constrained")
    for name, points in curves.items():
        axes.plot(
            [misses(recall) for recall, _ in points],
            [speed for _, speed in points],
            marker="o",
            markersize=5,
            linewidth=2.4 if name.startswith("Shale") else 1.2,
            label=name,
        )
    ticks = sorted({round(recall, 2) for points in curves.values() for recall, _ in points})
    axes.set(yscale="log", xlabel="recall@10", ylabel="queries a second")
    axes.set_xticks([misses(tick) for tick in ticks], [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    top = math.ceil(math.log10(max(speed for points in curves.values() for _, speed in points)))
    speeds = [a * 10**b for b in range(top) for a in (1, 2, 5)]
    low, high = axes.get_ylim()
    shown = [speed for speed in speeds if low <= speed <= high]
    axes.set_yticks(shown, [f"{speed:,}" for speed in shown])
    axes.set_title(text.splitlines()[0].lstrip("# "), fontsize="medium")
    axes.grid(True, alpha=0.25)
    axes.legend(frameon=False, fontsize="small")
    out = path.with_suffix(".png")
    figure.savefig(out, dpi=100)
    plt.close(figure)
    return out


def main() -> None:
    pages = [Path(name) for name in sys.argv[1:]] or sorted((Path(__file__).parent / "results").glob("*.md"))
    for page in pages:
        drawn = draw(page)
        if drawn:
            print(drawn)


if __name__ == "__main__":
    main()
