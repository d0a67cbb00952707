"""Errors as hnswlib raises them: RuntimeErrors that begin with its words, or ValueErrors for values that no index
takes."""

from __future__ import annotations

from functools import partial

from shale._core import calls, errors
from shale._core.prototypes import (
    CLOSED,
    DAMAGED,
    DELETED,
    DENIED,
    DIM,
    FEW,
    FULL,
    NO_FILE,
    NO_LABEL,
    NO_REPLACING,
    NOT_DELETED,
    UPDATES_DELETED,
    VALUE,
)

TOO_FEW = "Cannot return the results in a contiguous 2D array. Probably ef or M is too small"

#: How hnswlib's texts begin.
_WORDS = {
    CLOSED: "The index is closed",
    DAMAGED: "Index seems to be corrupted or unsupported",
    DELETED: "The requested to delete element is already deleted",
    DENIED: "Cannot open file",
    DIM: "Wrong dimensionality of the vectors",
    FULL: "The number of elements exceeds the specified limit",
    NOT_DELETED: "The requested to undelete element is not deleted",
    NO_FILE: "Cannot open file",
    NO_LABEL: "Label not found",
    NO_REPLACING: "Replacement of deleted elements is disabled in constructor",
    UPDATES_DELETED: "Can't use addPoint to update deleted elements if replacement of deleted elements is enabled.",
}


def failure(status: int) -> Exception:
    """The exception for a status that isn't OK."""
    if status == FEW:
        return RuntimeError(TOO_FEW)
    text = errors.text()
    if status == VALUE:
        return ValueError(text)
    words = _WORDS.get(status)
    return RuntimeError(text if words is None else f"{words}: {text}")


def _load_failure(status: int) -> Exception:
    """The exception for a status of opening a file: hnswlib takes one with vectors of another length for damaged."""
    return failure(DAMAGED if status == DIM else status)


call = partial(calls.call, failure=failure)
call_long = partial(calls.call_long, failure=failure)
make = partial(calls.make, failure=failure)
load = partial(calls.make_long, failure=_load_failure)
