"""How an engine's failure is told."""

from __future__ import annotations

import signal

from .paths import scrub

LONGEST = 300


class EngineFailure(Exception):
    """An engine could not do what was asked; the text says why, in a line."""

    def __init__(self, reason: str) -> None:
        flat = " ".join(scrub(reason).split())
        super().__init__(flat if len(flat) <= LONGEST else flat[:LONGEST] + " …")


def ended(returncode: int | None, log_tail: str) -> EngineFailure:
    """The failure of a process that ended when it should not have."""
    said = f": {log_tail}" if log_tail.strip() else ""
    if returncode is not None and returncode < 0:
        name = signal.Signals(-returncode).name
        hint = " (an instruction that this CPU lacks)" if name == "SIGILL" else ""
        return EngineFailure(f"crashed with {name}{hint}{said}")
    return EngineFailure(f"its process ended with code {returncode}{said}")
