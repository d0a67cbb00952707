"""Shale, driven through its command as any user would."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import paths
from .engine import Engine, Plan, Rows
from .failure import EngineFailure, ended
from .reading import recall

RECALL_TOLERANCE = 2e-3  # rows at equal distance may come in another order


def command(given: Path | None) -> Path:
    """The shale command: the one given, or one built from the repository. Raises EngineFailure where it won't build."""
    if given is not None:
        return given.resolve()
    output = paths.VENVS / "shale" / "shale"
    output.parent.mkdir(parents=True, exist_ok=True)
    build = ["go", "build", "-o", str(output), "./cmd/shale"]
    try:
        done = subprocess.run(build, cwd=paths.REPO, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise EngineFailure("go was not found") from None
    if done.returncode:
        raise EngineFailure(f"go build failed: {done.stderr}")
    return output


@dataclass(frozen=True)
class Ran:
    """A command's JSON, with what the system says of its process."""

    document: Any
    seconds: float
    peak_bytes: int


def run(arguments: Sequence[str], log: Path, timeout: float, pin: int = -1) -> Ran:
    """Runs a command that prints one JSON document."""
    printed, seconds, peak = execute(arguments, log, timeout, pin)
    try:
        return Ran(json.loads(printed), seconds, peak)
    except ValueError:
        raise EngineFailure(f"shale {arguments[1]} --json printed no JSON") from None


def execute(arguments: Sequence[str], log: Path, timeout: float, pin: int = -1) -> tuple[str, float, int]:
    """Runs a command; returns what it printed, the seconds it took and its peak memory."""

    def on_one_cpu() -> None:
        if pin >= 0 and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {pin})

    printed = log.with_suffix(".out")
    start = time.monotonic()
    with printed.open("w") as out, log.open("w") as errors:
        process = subprocess.Popen(arguments, stdout=out, stderr=errors, preexec_fn=on_one_cpu)
        late = threading.Event()
        timer = threading.Timer(timeout, lambda: (late.set(), process.kill()))
        timer.start()
        _, status, usage = os.wait4(process.pid, 0)
        timer.cancel()
    process.returncode = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    if late.is_set():
        raise EngineFailure(f"gave no answer within {timeout:.0f} s")
    if process.returncode:
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
        raise ended(process.returncode, " ".join(lines[:3]))
    unit = 1 if sys.platform == "darwin" else 1024
    return printed.read_text(), time.monotonic() - start, usage.ru_maxrss * unit


class Shale(Engine):
    """The shale command with one storage, as STORAGE or STORAGE+KEEP. The index is built once; each sweep is one run of
    `shale eval` for each slack."""

    def __init__(self, shale: Path | None, why_not: str, storage: str, version: str, plan: Plan) -> None:
        super().__init__(f"Shale {storage}")
        self.version = version
        self._shale, self._why_not, self._storage, self._plan = shale, why_not, storage, plan
        self._index = plan.folder / f"shale-{storage}.index"
        self._build: dict[str, Any] = {}
        self._checked = False

    def build(self) -> dict[str, Any]:
        if self._shale is None:
            raise EngineFailure(self._why_not)
        plan = self._plan
        self.close()
        storage, _, keep = self._storage.partition("+")
        ran = self._run(
            "build",
            *("--input", str(plan.data.base), "--output", str(self._index), "--metric", plan.data.metric),
            *("--m", str(plan.m), "--ef-construction", str(plan.ef_construction)),
            *("--threads", str(plan.build_threads), "--codes", storage, "--replace"),
            *(("--rows", keep) if keep else ()),
        )
        seconds = _find(ran.document, "build_seconds")
        self._build = {
            "seconds": ran.seconds if seconds is None else seconds,
            "process_seconds": ran.seconds,
            "resident_bytes": None,
            "peak_bytes": ran.peak_bytes,
            **{name: _find(ran.document, name) for name in ("storage", "keep", "rows", "code_bytes")},
        }
        return self._build

    def sweep(self) -> Rows:
        rows = [row for slack in self._plan.slacks for row in self._sweep_with(slack)]
        if not self._checked:
            self._check(rows[len(rows) // 2])
            self._checked = True
        return rows

    def _sweep_with(self, slack: float) -> Rows:
        plan = self._plan
        ran = self._run(
            "eval",
            str(self._index),
            *("--queries", str(plan.data.queries), "--groundtruth", str(plan.truth.with_suffix(".ivecs"))),
            *("-k", str(plan.k), "--ef", ",".join(map(str, plan.efs)), "--slack", str(slack)),
            *("--threads", "1", "--batch"),
        )
        resident = _find(ran.document, "resident_bytes")
        if not resident:  # this system doesn't tell what a process holds
            resident = _find(self._run("inspect", str(self._index)).document, "memory_bytes")
        self._build["resident_bytes"] = resident
        rows = ran.document if isinstance(ran.document, list) else ran.document.get("rows", [])
        if not rows:
            raise EngineFailure("shale eval told no rows")
        return [{**row, "slack": slack} for row in rows]

    def _check(self, row: Mapping[str, float]) -> None:
        """Counts the recall of one row again, from what `shale search` finds."""
        plan = self._plan
        assert self._shale is not None
        output = plan.folder / f"shale-{self._storage}-found.npz"
        arguments = [str(self._shale), "search", str(self._index), "--queries", str(plan.data.queries)]
        arguments += [
            "-k", str(plan.k), "--ef", f"{row['ef']:.0f}", "--slack", str(row["slack"]), "--threads", "1", "--output",
            str(output)
        ]
        execute(arguments, plan.folder / f"shale-{self._storage}-search.log", plan.timeout)
        found = np.load(output)["labels"]
        output.unlink()
        counted = recall(found, np.load(plan.truth)[:, : plan.k])
        if abs(counted - row["recall"]) > RECALL_TOLERANCE:
            raise EngineFailure(f"shale eval tells recall {row['recall']:.4f}, its results have {counted:.4f}")

    def _run(self, verb: str, *arguments: str) -> Ran:
        assert self._shale is not None
        log = self._plan.folder / f"shale-{self._storage}-{verb}.log"
        pin = self._plan.pin if verb == "eval" else -1
        return run([str(self._shale), verb, *arguments, "--json"], log, self._plan.timeout, pin)

    def close(self) -> None:
        if self._index.is_dir():
            shutil.rmtree(self._index)
        else:
            self._index.unlink(missing_ok=True)


def _find(document: Any, name: str) -> float | None:
    """The field of a document, or of its last row."""
    if isinstance(document, dict):
        if name in document:
            return document[name]
        return _find(document.get("rows"), name)
    if isinstance(document, list) and document:
        return _find(document[-1], name)
    return None
