"""Takes the engines in turns, so that a machine's bad minute hits all of them alike."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Callable

from .engine import Engine, Rows
from .failure import EngineFailure


@dataclass
class Outcome:
    """What came of one engine."""

    name: str
    version: str = ""
    build: dict[str, Any] = field(default_factory=dict)
    sweeps: list[Rows] = field(default_factory=list)
    failure: dict[str, str] | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def measure(engines: Sequence[Engine], reps: int, done: Callable[[list[Outcome], list[float]], None]) -> None:
    """Builds each engine's index once, then sweeps all engines reps times, every other time in reverse order.

    done hears the outcomes and the machine's load after every round, so that a run cut short leaves what it had.
    """
    outcomes = [Outcome(e.name) for e in engines]
    pairs = list(zip(engines, outcomes))
    loads: list[float] = []

    def turn(order: Sequence[Any], what: str, step: Callable[[Engine, Outcome], None]) -> None:
        loads.append(_load())
        for engine, outcome in order:
            if outcome.failure:
                continue
            start = time.monotonic()
            try:
                step(engine, outcome)
                note = f"{time.monotonic() - start:.1f} s"
            except EngineFailure as failure:
                outcome.failure = {"during": what, "reason": str(failure)}
                engine.close()
                note = str(failure)
            print(f"{what:12} {engine.name:24} {note}", file=sys.stderr)
        done(outcomes, loads)

    try:
        turn(pairs, "build", _build)
        for rep in range(1, reps + 1):
            turn(pairs if rep % 2 else pairs[::-1], f"sweep {rep}/{reps}", _sweep)
    finally:
        for engine in engines:
            engine.close()


def _build(engine: Engine, outcome: Outcome) -> None:
    try:
        outcome.build = engine.build()
    finally:
        outcome.version = engine.version


def _sweep(engine: Engine, outcome: Outcome) -> None:
    outcome.sweeps.append(engine.sweep())


def _load() -> float:
    try:
        return os.getloadavg()[0]
    except OSError:
        return float("nan")
