"""The conversation with a worker process."""

import sys
from pathlib import Path

import numpy as np
import pytest

from sidebyside import paths
from sidebyside.failure import EngineFailure
from sidebyside.truth import exact, read_ivecs, write_ivecs
from sidebyside.worker import Worker

ENGINE = """
import os
import numpy as np

class Index:
    def __init__(self, fail=""):
        self.fail = fail
    def version(self):
        return "1"
    def build(self, base, metric, m, ef_construction, threads):
        print("chatter")
        if self.fail == "raise":
            raise ValueError("no")
        if self.fail == "crash":
            os.kill(os.getpid(), 4)
        self.base = base
    def search(self, queries, k, ef):
        return np.argsort(-(queries @ self.base.T), axis=1)[:, :k]
"""


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A toy engine beside the real worker's files, and a toy data set."""
    for source in ("serve.py", "memory.py"):
        (tmp_path / source).write_text((paths.WORKERS / source).read_text())
    (tmp_path / "engine_toy.py").write_text(ENGINE)
    monkeypatch.setattr(paths, "WORKERS", tmp_path)
    rng = np.random.default_rng(1)
    base, queries = rng.normal(size=(200, 8)).astype(np.float32), rng.normal(size=(20, 8)).astype(np.float32)
    arrays = {"base": base, "queries": queries, "truth": exact(base, queries, "ip", 20)}
    for name, array in arrays.items():
        np.save(tmp_path / name, array)
    return {name: str(tmp_path / f"{name}.npy") for name in arrays}


def start(tmp_path: Path, files, **options) -> Worker:
    worker = Worker(Path(sys.executable), "toy", options, tmp_path / "log")
    assert worker.ask(60, "load", k=10, **files)["rows"] == 200
    return worker


def build(worker: Worker):
    return worker.ask(60, "build", metric="ip", m=4, ef_construction=10, threads=1)


def test_a_session(tmp_path, files):
    worker = start(tmp_path, files)
    assert build(worker)["seconds"] >= 0
    rows = worker.ask(60, "sweep", settings=[10, 20], min_seconds=0)["rows"]
    assert [r["ef"] for r in rows] == [10, 20] and all(r["recall"] == 1 and r["qps"] > 0 for r in rows)
    worker.close()


@pytest.mark.parametrize("fail, why", [("raise", "ValueError: no"), ("crash", "SIGILL")])
def test_failures_are_told(tmp_path, files, fail, why):
    with pytest.raises(EngineFailure, match=why):
        build(start(tmp_path, files, fail=fail))


def test_ivecs_come_back(tmp_path):
    table = np.arange(12, dtype=np.int32).reshape(3, 4)
    write_ivecs(tmp_path / "t.ivecs", table)
    assert (read_ivecs(tmp_path / "t.ivecs") == table).all()
