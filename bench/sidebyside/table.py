"""Writes results as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .reading import Reading
from .report import COMPARED_AT, RECALLS, YARDSTICK, failures, summarise

MIB = 2**20


def markdown(results: Mapping[str, Any]) -> str:
    """The whole report: terms, speeds, failures and limit."""
    summaries = summarise(results)
    parts = [_terms(results), _speeds(summaries), _failed(failures(results)), _limit(summaries, results)]
    return "\n".join(part for part in parts if part)


def _terms(results: Mapping[str, Any]) -> str:
    data, machine, s = results["data"], results["machine"], results["settings"]
    loads = [load for load in results["loads"] if load == load]
    lines = [
        f"## {data['name']}: {data['rows']:,} × {data['dim']}, {data['metric']}",
        "",
        f"{machine['cpu']} ({machine['family']}; {' '.join(machine['features'])}), {machine['cpus']} CPUs, "
        f"{machine['memory_bytes'] / 2**30:.0f} GiB, {', '.join(machine['caches'])}, "
        f"huge pages {machine['huge_pages']}, {machine['system']}, {machine['go']}. Shale at {results['revision']}.",
        "",
        f"M = {s['m']} (graphs with one level: {2 * s['m']}), efConstruction {s['ef_construction']}, builds with "
        f"{s['build_threads']} threads, searches with 1; recall@{s['k']} of {data['query_rows']:,} queries "
        f"against exact neighbours ({results['truth']}); medians of {s['reps']} sweeps in turns. "
        f"Load at the start of each round: {', '.join(f'{load:.1f}' for load in loads)}.",
        "",
    ]
    return "\n".join(lines)


def _speeds(summaries: Sequence[Mapping[str, Any]]) -> str:
    at = " | ".join(f"@{recall:.2f}" for recall in RECALLS)
    lines = [
        f"| Engine | build s | MB | peak MB | {at} | × {YARDSTICK} at {COMPARED_AT} | spread | best recall |",
        "|" + "---|" * (7 + len(RECALLS)),
    ]
    for s in summaries:
        build = s["build"]
        cells = [s["name"], _number(build.get("seconds"), 1)]
        cells += [_megabytes(build.get(f)) for f in ("resident_bytes", "peak_bytes")]
        cells += [_reading(s["qps"].get(recall)) for recall in RECALLS]
        spread = s["spread"]
        cells += [_number(s["times"], 2), "–" if spread is None else f"{spread:.0%}", f"{s['best_recall']:.3f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines + _chosen(summaries)) + "\n"


def _chosen(summaries: Sequence[Mapping[str, Any]]) -> list[str]:
    """What Shale's rows walk over and keep, which their names don't always say."""
    found = []
    for s in summaries:
        storage, keep = s["build"].get("storage"), s["build"].get("keep")
        if storage and storage == keep and not s["build"].get("code_bytes"):
            found.append(f"{s['name']} walks over {keep} rows.")
        elif storage and keep == "none":
            found.append(f"{s['name']} walks over {storage} codes and keeps no rows.")
        elif storage:
            found.append(f"{s['name']} walks over {storage} codes and ranks candidates by {keep} rows.")
    return ["", " ".join(found)] if found else []


def _failed(failed: Sequence[dict[str, str]]) -> str:
    if not failed:
        return ""
    lines = ["| Failed | during | why |", "|---|---|---|"]
    lines += [f"| {f['name']} | {f['during']} | {f['reason'].replace('|', '/')} |" for f in failed]
    return "\n".join(lines) + "\n"


def _limit(summaries: Sequence[Mapping[str, Any]], results: Mapping[str, Any]) -> str:
    limit = results.get("limit", {})
    if "error" in limit:
        return f"The machine's random-read limit was not measured: {limit['error']}\n"
    lines: list[str] = []
    for s in summaries:
        for f in s["floors"]:
            cells = [s["name"], f"{f['recall']:.2f}"]
            cells += [f"{f[name]:.0f}" for name in ("distances", "reranked", "hops")]
            cells += [f"{f['floor_us']:.1f}", f"{f['measured_us']:.1f}", f"{f['share']:.0%}"]
            lines.append("| " + " | ".join(cells) + " |")
    if not lines:
        return ""
    head = ["| Walk | recall | distances | reranked | hops | floor µs | measured µs | reached |", "|" + "---|" * 8]
    return "\n".join([*head, *lines]) + "\n"


def _reading(reading: Reading | None) -> str:
    if reading is None:
        return "–"
    return f"{'≥ ' if reading.at_least else ''}{reading.value:.0f}"


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _megabytes(value: float | None) -> str:
    return "–" if value is None else f"{value / MIB:.0f}"
