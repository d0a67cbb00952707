"""Locks of open files, which several processes can share or one can hold alone."""

from __future__ import annotations

import errno
import sys

if sys.platform == "win32":
    import ctypes
    import msvcrt

    _kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    _AT_ONCE, _EXCLUSIVE = 1, 2  # flags of LockFileEx
    _HELD = (32, 33)  # ERROR_SHARING_VIOLATION and ERROR_LOCK_VIOLATION

    class _Place(ctypes.Structure):
        """OVERLAPPED, of which LockFileEx reads the place of the lock."""

        _fields_ = [
            ("internal", ctypes.c_void_p), ("internal_high", ctypes.c_void_p),
            ("offset", ctypes.c_uint32), ("offset_high", ctypes.c_uint32),
            ("event", ctypes.c_void_p),
        ]  # fmt: skip

    def lock(descriptor: int, alone: bool) -> bool:
        """Locks an open file without waiting, and reports whether nobody else holds it. Closing the file unlocks it."""
        place = _Place(offset_high=1 << 30)  # far behind the content: a locked byte can't be read by others
        flags = _AT_ONCE | (_EXCLUSIVE if alone else 0)
        handle = ctypes.c_void_p(msvcrt.get_osfhandle(descriptor))
        if _kernel.LockFileEx(handle, flags, 0, 1, 0, ctypes.byref(place)):
            return True
        code = ctypes.get_last_error()
        if code in _HELD:
            return False
        raise ctypes.WinError(code)

else:
    import fcntl

    #: What file systems without locks answer.
    _NO_LOCKS = (errno.ENOTSUP, errno.ENOLCK, errno.ENOSYS, errno.EINVAL)

    def lock(descriptor: int, alone: bool) -> bool:
        """Locks an open file without waiting, and reports whether nobody else holds it. Closing the file unlocks it.

        Where the file system has no locks, nobody holds one.
        """
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
        return True
