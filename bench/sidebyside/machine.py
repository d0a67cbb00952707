"""What machine and which versions a run used."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import paths

FEATURES = ("avx2", "fma", "f16c", "avx512f", "avx512_vnni", "avx512vbmi", "avx512_vpopcntdq", "avx512_fp16", "asimd")
THP = Path("/sys/kernel/mm/transparent_hugepage/enabled")


def describe() -> dict[str, Any]:
    """The machine, in words and numbers."""
    info = _cpuinfo()
    flags = set(info.get("flags", info.get("features", "")).split())
    return {
        "cpu": info.get("model name", platform.processor() or platform.machine()),
        "family": " ".join(info.get(f, "") for f in ("vendor_id", "cpu family", "model")).strip(),
        "features": [f for f in FEATURES if f in flags],
        "cpus": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "caches": _caches(),
        "huge_pages": re.sub(r".*\[(\w+)\].*", r"\1", THP.read_text().strip()) if THP.exists() else "unknown",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "go": _first_line(["go", "version"]),
        "compiler": _first_line(["c++", "--version"]),
    }


def revision() -> str:
    """The repository's commit, with + where the Go sources differ from it."""
    commit = _first_line(["git", "rev-parse", "--short", "HEAD"])
    changed = _first_line(["git", "status", "--porcelain", "--", "*.go", "*.s"])
    return commit + ("+" if changed else "")


def _cpuinfo() -> dict[str, str]:
    try:
        text = Path("/proc/cpuinfo").read_text().split("\n\n", 1)[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in text.splitlines())
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _caches() -> list[str]:
    found = []
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        try:
            level, kind, size = ((index / f).read_text().strip() for f in ("level", "type", "size"))
        except OSError:
            continue
        if kind != "Instruction":
            found.append(f"L{level} {size}")
    return found


def _first_line(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, cwd=paths.REPO, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return next(iter(done.stdout.splitlines()), "")
