"""The directory of a store: ``store.json``, which appears last and names the collection beside it."""

from __future__ import annotations

import contextlib
import errno
import gc
import io
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Optional

from shale._api.collection import Collection
from shale._core.arguments import Path
from shale._core.calls import call_long, file_name
from shale._core.errors import Error, FormatError
from shale.integrations import _locks

_HEAD = "store.json"
#: Held by who changes what the directory names.
_LOCK = ".lock"
#: 1 and 2 had an index, and the records as lines of JSON.
_VERSION = 3
_PREFIX = "collection-"
#: Seconds to wait for others.
_PATIENCE = 60.0


@dataclass(frozen=True)
class Head:
    """What ``store.json`` says."""

    metric: str
    settings: dict[str, Any]
    generation: int = 0
    #: Whether there is the collection of that generation; before the first vectors there is none.
    filled: bool = False

    def collection(self, folder: str) -> str:
        """The path of the collection."""
        return os.path.join(folder, f"{_PREFIX}{self.generation}")


def read(folder: str) -> Optional[Head]:
    """What a directory holds; None if there is no store.

    Raises:
        FormatError: it is damaged, or of another version.
    """
    path = os.path.join(folder, _HEAD)
    try:
        with open(path, "rb") as f:
            content = f.read()
    except FileNotFoundError:
        return None
    try:
        fields = json.loads(content)
    except ValueError as error:
        raise FormatError(f"{path}: not JSON: {error}") from error
    version = fields.pop("version", None) if isinstance(fields, dict) else None
    if version in (1, 2):
        raise FormatError(
            f"{path}: field version: a store of version {version}, of before stores were collections, isn't read: "
            "make a new store of its documents"
        )
    if version != _VERSION:
        raise FormatError(f"{path}: field version: this isn't a store of version {_VERSION}")
    for name, kind in (("metric", str), ("settings", dict), ("generation", int), ("filled", bool)):
        if not isinstance(fields.get(name), kind):
            raise FormatError(f"{path}: field {name}: missing, or of another type")
    return Head(fields["metric"], fields["settings"], fields["generation"], fields["filled"])


def write(folder: str, head: Head) -> None:
    """Writes what a directory holds, and removes what earlier ones and interrupted writers left, unless somebody has
    it open."""
    _write(os.path.join(folder, _HEAD), json.dumps({"version": _VERSION, **asdict(head)}, indent=1).encode())
    kept = {head.collection(folder)} if head.filled else set()
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if name.endswith(".tmp") and name.startswith(_HEAD):
            os.remove(path)
        elif name.startswith(_PREFIX) and path not in kept and not _is_open(path):
            shutil.rmtree(path, ignore_errors=True)


def _is_open(path: str) -> bool:
    """Whether somebody has a collection open; of what isn't one nobody has."""
    try:
        Collection(path).close()
    except (OSError, FormatError):
        return False
    except Error:
        return True
    return False


@contextlib.contextmanager
def locked(folder: str) -> Iterator[None]:
    """Holds a directory, so that nobody else changes what it names."""
    # Its own code closes the file when it is dropped, so that no exception leaves the lock behind.
    file = io.FileIO(os.path.join(folder, _LOCK), "ab")
    end = time.monotonic() + _PATIENCE
    waiting = False
    while not _locks.lock(file.fileno(), True):
        if time.monotonic() > end:
            raise TimeoutError(f"{folder}: somebody else has held it for {_PATIENCE:.0f} seconds")
        if not waiting:
            # Perhaps for a call of this process that an exception broke off and whose frame is in a cycle.
            gc.collect()
            waiting = True
        time.sleep(0.01)
    try:
        yield
    finally:
        file.close()


def save(folder: Path, head: Head, collection: Optional[Collection]) -> None:
    """Writes a copy of a collection to a directory. What was there stays until all is written."""
    path = os.fspath(folder)
    os.makedirs(path, exist_ok=True)
    with locked(path):
        before = read(path)
        new = Head(head.metric, head.settings, 1 + (before.generation if before else 0), collection is not None)
        if collection is not None:
            place = new.collection(path)
            shutil.rmtree(place, ignore_errors=True)  # of a writer that was interrupted
            collection.snapshot(place)
        write(path, new)


def copy(folder: Path, place: str) -> Head:
    """Copies what :func:`save` wrote, whose collection becomes one at a place where nothing is.

    Raises:
        FileNotFoundError: nothing lies there.
        FormatError: it is damaged.
    """
    path = os.fspath(folder)
    if read(path) is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), os.path.join(path, _HEAD))
    with locked(path):
        head = read(path)
        assert head is not None
        if head.filled:
            call_long("collection_restore", file_name(head.collection(path)), file_name(place))
    return head


def _write(path: str, content: bytes) -> None:
    """Writes a file that appears whole or not at all."""
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        with open(temporary, "wb") as f:
            f.write(content)
            f.flush()
            os.fsync(f.fileno())
        _replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.remove(temporary)
        raise
    if sys.platform != "win32":  # which writes names to disk by itself
        folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _replace(temporary: str, path: str) -> None:
    """Renames a file to path. On Windows it waits for those who read what has that name."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            return os.replace(temporary, path)
        except PermissionError:
            if sys.platform != "win32" or time.monotonic() > end:
                raise
        time.sleep(0.01)
