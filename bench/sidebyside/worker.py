"""The harness's end of the conversation with a worker process."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import threading
from pathlib import Path
from typing import Any

from . import paths
from .failure import EngineFailure, ended

TAIL_LINES = 3


class Worker:
    """One engine's process. Requests and answers are JSON objects, one a line."""

    def __init__(self, python: Path, adapter: str, options: dict[str, Any], log: Path) -> None:
        self._log = log
        environ = dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
        environ.update(PYTHONDONTWRITEBYTECODE="1")
        environ.pop("PYTHONPATH", None)
        command = [str(python), str(paths.WORKERS / "serve.py"), adapter, json.dumps(options)]
        with log.open("w") as errors:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, env=environ
            )
        self._answers: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put(None)

    def ask(self, timeout: float, action: str, **request: Any) -> dict[str, Any]:
        """Sends a request and waits for its answer. After a failure the process is gone."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"do": action, **request}) + "\n")
            self._process.stdin.flush()
            line = self._answers.get(timeout=timeout)
        except queue.Empty:
            self.close()
            raise EngineFailure(f"gave no answer within {timeout:.0f} s") from None
        except BrokenPipeError:
            line = None
        if line is None:
            raise ended(self._process.wait(), self._tail())
        answer = json.loads(line)
        if "error" in answer:
            self.close()
            raise EngineFailure(answer["error"])
        return answer

    def _tail(self) -> str:
        lines = [line.strip() for line in self._log.read_text(errors="replace").splitlines() if line.strip()]
        return " ".join(lines[-TAIL_LINES:])

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.wait()
