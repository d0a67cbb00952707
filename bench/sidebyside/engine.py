"""What the schedule asks of an engine, and what all engines are told."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .data import Data

Rows = list[dict[str, float]]  # one a sweep point: ef, recall, qps and whatever else the engine tells


@dataclass(frozen=True)
class Plan:
    """The terms under which every engine is measured."""

    data: Data
    truth: Path  # exact neighbours, npy
    folder: Path  # for logs and indexes
    k: int
    m: int
    ef_construction: int
    build_threads: int
    efs: list[int]
    slacks: list[float]  # Shale's
    min_seconds: float
    timeout: float
    pin: int


class Engine(ABC):
    """One row of the table. Whatever goes wrong inside is an EngineFailure."""

    version = ""

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    def build(self) -> dict[str, Any]:
        """Builds the index; returns seconds, resident_bytes and peak_bytes, None for what isn't known."""

    @abstractmethod
    def sweep(self) -> Rows:
        """Searches every query at every setting."""

    @abstractmethod
    def close(self) -> None:
        """Lets go of processes and files; may be called more than once."""
