"""Opening what lies on disk."""

from __future__ import annotations

from ctypes import byref

from shale._api.options import Metric
from shale._core import arguments, library
from shale._core.arguments import Path
from shale._core.calls import attempt, encode, file_name, look
from shale._core.handles import Handle


def open_handle(
    path: Path,
    *,
    memory: int | str | None = None,
    mmap: bool = False,
    metric: Metric | None = None,
    dim: int | None = None,
) -> Handle:
    """Opens an index for :func:`shale.open`, which says what the arguments mean."""
    name = file_name(path)
    options = encode({
        "memory": arguments.memory(memory), "mapped": bool(mmap), "metric": metric or "",
        "dim": arguments.count(dim, "dim"),
    })  # fmt: skip
    handle = Handle()
    attempt(lambda: int(library.lib.watched.open(name, options, byref(handle), look)))
    return handle
