"""Reports of the library, and how far long work is."""

from __future__ import annotations

import json
from collections.abc import Callable
from ctypes import byref, c_int64, create_string_buffer
from importlib import import_module
from types import TracebackType
from typing import Any, Optional, Union

from shale._core import errors, library
from shale._core.calls import attempt
from shale._core.handles import Handle

#: ``True`` shows a bar where tqdm is installed; a callable is called with (step, done, total), total being 0 where it
#: isn't known.
Progress = Union[bool, Callable[[str, int, int], None]]

_STEP_BYTES = 64


def text(handle: Handle) -> Any:
    """The report that a handle names."""
    size = c_int64(0)
    errors.check(library.lib.text(handle.value, None, byref(size)))
    room = create_string_buffer(size.value)
    errors.check(library.lib.text(handle.value, room, byref(size)))
    return json.loads(room.raw)


class Watch:
    """Shows how far the work is, for as long as it is entered; ``handle`` is what the library tells it through."""

    def __init__(self, progress: Progress) -> None:
        self._handle = Handle()
        self._tell: Optional[Callable[[str, int, int], None]] = None
        self._bar: Optional[_Bar] = None
        if progress is True:
            self._bar = _Bar.if_installed()
            if self._bar is not None:
                self._tell = self._bar.show
        elif progress is not False:
            self._tell = progress
        self._last: tuple[str, int, int] = ("", 0, 0)

    @property
    def handle(self) -> int:
        return self._handle.value

    def __enter__(self) -> Watch:
        if self._tell is not None:
            attempt(lambda: int(library.lib.progress_new(byref(self._handle))))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.look()
        self._handle.close()
        if self._bar is not None:
            self._bar.end()

    def look(self) -> None:
        """Tells what is new."""
        if self._tell is None:
            return
        step, done, total = create_string_buffer(_STEP_BYTES), c_int64(), c_int64()
        errors.check(library.lib.progress(self.handle, step, _STEP_BYTES, byref(done), byref(total)))
        now = (step.value.decode("utf-8", "replace"), done.value, total.value)
        if now[0] and now != self._last:
            self._last = now
            self._tell(*now)


class _Bar:
    """A bar of tqdm for each step."""

    def __init__(self, tqdm: Any) -> None:
        self._tqdm = tqdm
        self._bar: Any = None
        self._step = ""

    @classmethod
    def if_installed(cls) -> Optional[_Bar]:
        try:
            tqdm = import_module("tqdm.auto").tqdm
        except ImportError:
            return None
        return cls(tqdm)

    def show(self, step: str, done: int, total: int) -> None:
        if step != self._step:
            self.end()
            self._bar, self._step = self._tqdm(total=total or None, desc=step), step
        self._bar.update(done - self._bar.n)

    def end(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
