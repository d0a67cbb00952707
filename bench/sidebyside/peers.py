"""The peers, and how one is driven."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import environments, paths
from .engine import Engine, Plan, Rows
from .failure import EngineFailure
from .worker import Worker

EPSILONS = (-0.1, -0.05, 0.0, 0.02, 0.05, 0.08, 0.1, 0.15, 0.2, 0.3, 0.4)
LOAD_TIMEOUT = 300.0


@dataclass(frozen=True)
class Spec:
    """What makes one peer: its name in the table, its requirements file, its adapter and that one's options."""

    name: str
    package: str
    adapter: str
    options: dict[str, Any] = field(default_factory=dict)
    settings: tuple[float, ...] | None = None  # its own sweep, where it is not ef


PEERS = (
    Spec("hnswlib", "hnswlib", "hnswlib"),
    Spec("faiss HNSW", "faiss", "faiss"),
    Spec("faiss HNSW,SQfp16", "faiss", "faiss", {"storage": "SQfp16"}),
    Spec("faiss HNSW,SQ8", "faiss", "faiss", {"storage": "SQ8"}),
    Spec("usearch f32", "usearch", "usearch", {"dtype": "f32"}),
    Spec("usearch f16", "usearch", "usearch", {"dtype": "f16"}),
    Spec("usearch i8", "usearch", "usearch", {"dtype": "i8"}),
    Spec("SVS fp32", "svs", "svs"),
    Spec("SVS LVQ8", "svs", "svs", {"primary": 8}),
    Spec("SVS LVQ4x8", "svs", "svs", {"primary": 4, "residual": 8}),
    Spec("SymphonyQG", "rabitqlib", "symphonyqg"),
    Spec("SymphonyQG 8 bit", "rabitqlib", "symphonyqg", {"bits": 8}),
    Spec("RaBitQ-HNSW 5 bit", "rabitqlib", "rabitq_hnsw", {"bits": 5}),
    Spec("RaBitQ-HNSW 8 bit", "rabitqlib", "rabitq_hnsw", {"bits": 8}),
    Spec("NGT", "ngt", "ngt", settings=EPSILONS),
    Spec("flatnav", "flatnav", "flatnav"),
    Spec("flatnav, gorder", "flatnav", "flatnav", {"reorder": ["gorder"]}),
    Spec("voyager", "voyager", "voyager"),
)
FORK = Spec("hnswlib-mmap", "hnswlib-mmap", "hnswlib")


class Peer(Engine):
    """A peer in its own environment and process."""

    def __init__(self, spec: Spec, plan: Plan, source: Path | None = None) -> None:
        super().__init__(spec.name)
        self._spec, self._plan, self._source = spec, plan, source
        self._worker: Worker | None = None

    def build(self) -> dict[str, Any]:
        spec, plan = self._spec, self._plan
        extra: Sequence[str] = [str(self._source.resolve())] if self._source else ()
        try:
            python = environments.ensure(spec.package, paths.REQUIREMENTS / f"{spec.package}.txt", extra)
        except environments.InstallError as error:
            raise EngineFailure(f"could not be installed: {error}") from error
        log = plan.folder / (spec.name.replace(" ", "-").replace(",", "") + ".log")
        self._worker = Worker(python, spec.adapter, spec.options, log)
        files = {"base": str(plan.data.base), "queries": str(plan.data.queries), "truth": str(plan.truth)}
        loaded = self._worker.ask(LOAD_TIMEOUT, "load", k=plan.k, **files)
        self.version = loaded["version"]
        return self._worker.ask(
            plan.timeout,
            "build",
            metric=plan.data.metric,
            m=plan.m,
            ef_construction=plan.ef_construction,
            threads=plan.build_threads,
        )

    def sweep(self) -> Rows:
        assert self._worker is not None
        settings: list[float] = list(self._spec.settings or self._plan.efs)
        seconds, pin = self._plan.min_seconds, self._plan.pin
        return self._worker.ask(self._plan.timeout, "sweep", settings=settings, min_seconds=seconds, pin=pin)["rows"]

    def close(self) -> None:
        if self._worker is not None:
            self._worker.close()
