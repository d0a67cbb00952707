"""Where things lie in the repository."""

from __future__ import annotations

from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent
REPO = BENCH.parent
VENVS = BENCH / ".venv"
DATA = BENCH / "data"
WORKERS = BENCH / "workers"
REQUIREMENTS = BENCH / "requirements"
RAW_RESULTS = BENCH / "results" / "raw"


def scrub(text: str) -> str:
    """The text without this machine's folders, as results are shared."""
    return text.replace(str(REPO), ".").replace(str(Path.home()), "~")
