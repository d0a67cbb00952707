"""Errors as hnswlib raises them: RuntimeErrors, or ValueErrors for values that no index takes."""

from __future__ import annotations

from functools import partial

from shale._core import calls, library
from shale._core.prototypes import FEW, VALUE

TOO_FEW = "Cannot return the results in a contiguous 2D array. Probably ef or M is too small"


def failure(status: int) -> Exception:
    """The exception for a status that isn't OK."""
    text: str = library.lib.last_error().decode("utf-8", "replace")
    if status == VALUE:
        return ValueError(text)
    return RuntimeError(TOO_FEW if status == FEW else text)


call = partial(calls.call, failure=failure)
call_long = partial(calls.call_long, failure=failure)
make = partial(calls.make, failure=failure)
make_long = partial(calls.make_long, failure=failure)
