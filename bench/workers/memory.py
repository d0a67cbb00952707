"""Reads this process's memory use from the kernel."""

from __future__ import annotations

import contextlib
import ctypes
import gc

STATUS = "/proc/self/status"


def _field(name: str) -> int | None:
    try:
        with open(STATUS, encoding="ascii") as status:
            for line in status:
                if line.startswith(name + ":"):
                    return int(line.split()[1]) * 1024
    except OSError:
        return None
    return None


def settle() -> None:
    """Gives freed heap back, so that only what is in use counts."""
    gc.collect()
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def resident() -> int | None:
    """Bytes of physical memory that the process holds now; None where the system doesn't tell."""
    return _field("VmRSS")


def peak() -> int | None:
    """The most bytes of physical memory held since the last reset_peak."""
    return _field("VmHWM")


def reset_peak() -> None:
    """Starts a new peak from here. A kernel that refuses leaves the process's whole peak."""
    try:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as refs:
            refs.write("5")
    except OSError:
        pass
