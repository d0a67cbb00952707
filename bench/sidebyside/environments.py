"""Makes a virtual environment for the harness and one for each peer, so that their packages don't meddle."""

from __future__ import annotations

import hashlib
import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from . import paths

HARNESS = paths.BENCH / "requirements.txt"
INSTALL_TIMEOUT = 1800


class InstallError(Exception):
    """A package could not be installed; the text is the installer's last words."""


def ensure(name: str, requirements: Path, extra: Sequence[str] = ()) -> Path:
    """The Python of an environment that has what the requirements file asks for, and the extra arguments to pip."""
    folder = paths.VENVS / name
    python = folder / "bin" / "python"
    stamp = folder / "installed.sha256"
    wanted = _digest(requirements, extra)
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return python
    print(f"installing {name}", file=sys.stderr)
    _run([sys.executable, "-m", "venv", "--clear", str(folder)])
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, "-r", str(requirements), *extra])
    stamp.write_text(wanted)
    return python


def _digest(requirements: Path, extra: Sequence[str]) -> str:
    parts = [requirements.read_text(), platform.python_version(), *extra]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _run(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=INSTALL_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise InstallError(f"not installed within {INSTALL_TIMEOUT} s") from error
    if done.returncode:
        errors = [line for line in done.stdout.splitlines() if "error" in line.lower()] or done.stdout.splitlines()
        raise InstallError(paths.scrub("\n".join(errors[-5:])))
