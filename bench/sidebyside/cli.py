"""The command line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

EFS = [10, 15, 20, 30, 40, 50, 70, 100, 150, 200, 300, 400, 600, 800]
DATASETS = ("wordnet", "minilm384", "glove100", "sift128", "hog900", "files")
SLACKS = [0.0, 0.12, 0.18]
STORAGES = ("auto", "fp32", "fp16")


def _numbers(text: str) -> list[int]:
    numbers = sorted({int(field) for field in text.split(",")})
    if not numbers or numbers[0] < 1:
        raise argparse.ArgumentTypeError("want positive numbers, separated by commas")
    return numbers


def _shares(text: str) -> list[float]:
    shares = sorted({float(field) for field in text.split(",")})
    if not shares or not 0 <= shares[0] <= shares[-1] < float("inf"):
        raise argparse.ArgumentTypeError("want numbers of at least 0, separated by commas")
    return shares


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(prog="bench/run", description="Measures Shale beside its peers on one machine.")
    data = p.add_argument_group("data")
    data.add_argument("--data", choices=DATASETS, default="wordnet", help="data set (default: wordnet)")
    data.add_argument("--minilm", type=Path, metavar="FILE.npy", help="rows for --data minilm384")
    data.add_argument("--minilm-queries", type=Path, metavar="FILE.npy", help="queries for --data minilm384")
    data.add_argument("--base", type=Path, metavar="FILE.npy", help="rows for --data files")
    data.add_argument("--queries", type=Path, metavar="FILE.npy", help="queries for --data files")
    data.add_argument("--metric", choices=("l2", "ip", "cosine"), default="cosine", help="metric for --data files")
    data.add_argument("--rows", type=int, help="take only the first ROWS rows")
    data.add_argument("--sift-rows", type=int, default=1_000_000, help="rows to make for sift128")
    data.add_argument("--hog-rows", type=int, default=100_000, help="rows to make for hog900")

    what = p.add_argument_group("what is measured")
    what.add_argument("--engines", type=_names, default=["*"], help="names or patterns, comma-separated (default: all)")
    what.add_argument("--list", action="store_true", help="list the engines' names and stop")
    what.add_argument("--reps", type=int, default=5, help="times that every engine is swept, in turns")
    what.add_argument("--ef", type=_numbers, default=EFS, help="the sweep, separated by commas")
    what.add_argument("--m", type=int, default=16, help="links a node (graphs with one level: twice that)")
    what.add_argument("--ef-construction", type=int, default=200)
    what.add_argument("--build-threads", type=int, default=2)
    what.add_argument("-k", type=int, default=10)
    what.add_argument(
        "--min-seconds", type=float, default=0.5, help="shortest timing of a peer's sweep point (shale eval: 0.5)"
    )
    what.add_argument("--pin", type=int, default=-1, metavar="CPU", help="search on this CPU only")
    what.add_argument("--timeout", type=float, default=3600, help="seconds that a build or a sweep may take")
    what.add_argument(
        "--shale-storage",
        type=_names,
        default=list(STORAGES),
        metavar="STORAGE[+KEEP],...",
        help=f"a Shale row for each --codes and --rows, as in rabitq4+fp16 (default: {','.join(STORAGES)})",
    )
    what.add_argument(
        "--shale-slack",
        type=_shares,
        default=SLACKS,
        metavar="SLACK,...",
        help=f"Shale sweeps ef with each --slack (default: {','.join(f'{s:g}' for s in SLACKS)})",
    )
    what.add_argument("--shale", type=Path, metavar="COMMAND", help="default: built from the repository")
    what.add_argument("--hnswlib-mmap", type=Path, metavar="FOLDER", help="its sources, to take part as well")
    what.add_argument("--no-limit", action="store_true", help="skip the machine's random-read limit")

    out = p.add_argument_group("output")
    out.add_argument("--output", type=Path, help="folder for the results (default: bench/results/raw/DATA)")
    out.add_argument("--report", type=Path, metavar="RESULTS.json", help="only render an earlier run")
    return p


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line; ends the process with code 2 where it is wrong."""
    p = _parser()
    options = p.parse_args(argv)
    if options.data == "minilm384" and not (options.minilm and options.minilm_queries) and not options.report:
        p.error("--data minilm384 needs --minilm and --minilm-queries")
    if options.data == "files" and not (options.base and options.queries) and not options.report:
        p.error("--data files needs --base and --queries")
    if min(options.reps, options.k, options.m, options.build_threads) < 1:
        p.error("--reps, -k, --m and --build-threads want at least 1")
    if options.ef[0] < options.k:
        p.error("--ef wants no value below -k")
    return options
