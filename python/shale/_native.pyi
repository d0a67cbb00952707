import ctypes
import os
from collections.abc import Callable
from typing import Any

OK: int
RUNNING: int
ERROR: int
VALUE: int
CLOSED: int
FORKED: int
CANCELLED: int
FEW: int
FLOAT32: int
FLOAT16: int
POLL_MS: int

lib: Any

def at(array: Any) -> Any: ...
def address(array: Any) -> int: ...
def file_name(path: str | bytes | os.PathLike[str] | os.PathLike[bytes]) -> bytes: ...
def _outlast(job: int) -> None: ...

class Owner:
    _handle: int
    def close(self) -> None: ...
    def __del__(self) -> None: ...
    def _attempt(self, call: Callable[[int], int]) -> None: ...
    def _call(self, name: str, *arguments: Any) -> None: ...
    def _failure(self, status: int) -> Exception: ...
