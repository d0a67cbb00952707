"""Runs everything that the command line asks for."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from dataclasses import asdict
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from . import cli, data, limit, machine, paths, plots, shale, table, truth
from .engine import Engine, Plan
from .failure import EngineFailure
from .peers import FORK, PEERS, Peer
from .schedule import Outcome, measure

SETTINGS = ("m", "ef_construction", "build_threads", "k", "reps", "min_seconds", "pin", "ef", "shale_slack")


def main() -> None:
    """Measures or only reports; ends with code 1 where no engine could be measured."""
    options = cli.parse()
    if options.list:
        print("\n".join(_names(options)))
        return
    if options.report:
        results = json.loads(options.report.read_text())
        _render(results, options.output or options.report.parent)
        return
    folder = (options.output or paths.RAW_RESULTS / options.data).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    results = _measure(options, folder)
    _render(results, folder)
    if not any(e["sweeps"] for e in results["engines"]):
        sys.exit(1)


def _names(options: Namespace) -> list[str]:
    known = [f"Shale {s}" for s in options.shale_storage] + [p.name for p in PEERS]
    known += [FORK.name] if options.hnswlib_mmap else []
    names = [n for n in known if any(fnmatch(n.lower(), p.lower()) for p in options.engines)]
    if not names:
        sys.exit(f"bench/run: no engine is called {', '.join(options.engines)}; there are: {', '.join(known)}")
    return names


def _command(options: Namespace) -> tuple[Path | None, str]:
    try:
        return shale.command(options.shale), ""
    except EngineFailure as failure:
        return None, str(failure)


def _measure(options: Namespace, folder: Path) -> dict[str, Any]:
    names = _names(options)
    prepared = data.prepare(options)
    command, why_not = _command(options)
    neighbours, _, source = truth.ensure(prepared, command)
    plan = Plan(
        data=prepared,
        truth=neighbours,
        folder=folder,
        k=options.k,
        m=options.m,
        ef_construction=options.ef_construction,
        build_threads=options.build_threads,
        efs=options.ef,
        slacks=[s for s in options.shale_slack if s == 0 or prepared.metric != "ip"],
        min_seconds=options.min_seconds,
        timeout=options.timeout,
        pin=options.pin,
    )
    revision = machine.revision()
    engines: list[Engine] = []
    engines += [shale.Shale(command, why_not, s, revision, plan) for s in options.shale_storage]
    engines += [Peer(spec, plan) for spec in PEERS]
    if options.hnswlib_mmap:
        engines.append(Peer(FORK, plan, options.hnswlib_mmap))
    results: dict[str, Any] = {
        "machine": machine.describe(),
        "revision": revision,
        "settings": {name: getattr(options, name) for name in SETTINGS},
        "data": {f: v for f, v in asdict(prepared).items() if f not in ("base", "queries")},
        "truth": source,
        "limit": {},
    }

    def keep(outcomes: list[Outcome], loads: list[float]) -> None:
        results.update(engines=[o.as_json() for o in outcomes], loads=loads)
        if not results["limit"] and not options.no_limit:  # the builds have told what there is to read
            results["limit"] = limit.measure(prepared.dim, results["engines"])
        (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n")

    measure([e for e in engines if e.name in names], options.reps, keep)
    return results


def _render(results: dict[str, Any], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = table.markdown(results)
    (folder / "results.md").write_text(text)
    plots.draw(results, folder)
    print(text)


if __name__ == "__main__":
    main()
