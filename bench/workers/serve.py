"""One engine in one process: reads requests as JSON lines, builds an index, sweeps it, answers in JSON lines.

The engine is the module engine_NAME beside this file, with a class Index. Whatever the engine itself prints goes to
standard error, so that standard output carries answers only.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from typing import Any, TextIO

import memory
import numpy as np


def take_stdout() -> TextIO:
    """Keeps standard output for the answers and points everybody else's at standard error."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    return answers


def recall(found: np.ndarray, truth: np.ndarray) -> float:
    """The share of the true neighbours that were found."""
    hits = sum(len(np.intersect1d(a, b)) for a, b in zip(found, truth))
    return hits / truth.size


class Session:
    """What a worker holds between requests."""

    def __init__(self, adapter: str, options: dict[str, Any]) -> None:
        self.index = importlib.import_module("engine_" + adapter).Index(**options)
        self.base = np.empty((0, 0), np.float32)
        self.queries = self.base
        self.truth = self.base

    def load(self, base: str, queries: str, truth: str, k: int) -> dict[str, Any]:
        """Reads vectors and true neighbours."""
        self.base, self.queries = np.load(base), np.load(queries)
        self.truth = np.load(truth)[:, :k]
        return {"rows": len(self.base), "version": self.index.version()}

    def build(self, metric: str, m: int, ef_construction: int, threads: int) -> dict[str, Any]:
        """Builds the index, and says how long it took and what it holds."""
        memory.settle()
        memory.reset_peak()
        before = memory.resident()
        start = time.perf_counter()
        self.index.build(self.base, metric, m, ef_construction, threads)
        seconds = time.perf_counter() - start
        peak = memory.peak()
        memory.settle()
        after = memory.resident()
        self.base = self.base[:0].copy()
        known = before is not None and after is not None
        return {"seconds": seconds, "resident_bytes": after - before if known else None, "peak_bytes": peak}

    def sweep(self, settings: list[float], min_seconds: float, pin: int = -1) -> dict[str, Any]:
        """Searches every query at every setting with one thread.

        The first pass warms the caches and gives the recall; the passes after it are timed, for min_seconds at least.
        """
        if pin >= 0 and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {pin})
        k = self.truth.shape[1]
        rows = []
        for setting in settings:
            found = self.index.search(self.queries, k, setting)
            start, passes = time.perf_counter(), 0
            while passes == 0 or time.perf_counter() - start < min_seconds:
                self.index.search(self.queries, k, setting)
                passes += 1
            qps = passes * len(self.queries) / (time.perf_counter() - start)
            rows.append({"ef": setting, "recall": recall(found, self.truth), "qps": qps})
        return {"rows": rows}


def serve(adapter: str, options: dict[str, Any]) -> None:
    """Answers requests until there are no more."""
    answers = take_stdout()
    session = None
    for line in sys.stdin:
        request = json.loads(line)
        action = request.pop("do")
        try:
            session = session or Session(adapter, options)
            answer = getattr(session, action)(**request)
        except Exception as error:  # the engine's own failures are results, not ours to handle
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    serve(sys.argv[1], json.loads(sys.argv[2]))
