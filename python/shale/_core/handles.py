"""What names objects of the library."""

from __future__ import annotations

from ctypes import byref, c_int64
from typing import Any

from shale._core import library


class Handle(c_int64):
    """What names an object of the library, or 0. It closes the object when it is dropped.

    Functions that make objects write to it. The object belongs to it from then on, whatever is raised.
    """

    #: Arrays that the object reads for as long as it lives.
    kept: Any = None

    def close(self) -> None:
        """Frees the object now; a second time it does nothing."""
        library.lib.close(byref(self))

    def __del__(self) -> None:
        if library is not None and self.value:  # library is None when the interpreter ends
            library.lib.close(byref(self))

    def __reduce__(self) -> Any:
        raise TypeError("what names an object of this process can't be pickled or copied")


#: That of no object. It is never written to.
NONE = Handle()
