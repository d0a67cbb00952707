"""Metadata of records: which values are kept, and how they are written as JSON and read again."""

from __future__ import annotations

import base64
import datetime
from collections.abc import Callable
from typing import Any

import numpy as np

#: The key of an object that stands for a value of another type.
_TAG = "$shale"
_DEPTH = 100
#: Integers that Python reads again from JSON: it refuses those of more than 4,300 digits.
_INT_BITS = 14_000


def text(value: Any, what: str) -> str:
    """A string as one of exactly that type."""
    if not isinstance(value, str):
        raise TypeError(f"{what} is {value!r} of type {type(value).__name__}: it must be a string")
    return str.__str__(value)


def checked(metadata: Any, id: str, plain: bool = False) -> dict[str, Any]:
    """A copy of a record's metadata that nobody else holds, of values that can be written and read again.

    ``plain`` says that they must be those of JSON.

    Raises:
        TypeError, ValueError: one can't; the text names id and key.
    """
    if not isinstance(metadata, dict):
        raise TypeError(f"id {id!r}: metadata is of type {type(metadata).__name__}, not a dict")
    copy: dict[str, Any] = _checked(metadata, f"id {id!r}: metadata", plain, 0)
    return copy


def _checked(value: Any, where: str, plain: bool, depth: int) -> Any:
    if value is None or isinstance(value, bool) or type(value) is float:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        if value.bit_length() > _INT_BITS:
            raise ValueError(f"{where}: an integer of {value.bit_length()} bits can't be kept")
        return int(value)
    if depth > _DEPTH:
        raise ValueError(f"{where}: more than {_DEPTH} values within each other can't be kept")
    if type(value) is dict:
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"{where}: key {key!r} is of type {type(key).__name__}: keys must be strings")
        return {
            str.__str__(key): _checked(one, f"{where}: key {key!r}", plain, depth + 1) for key, one in value.items()
        }
    if type(value) is list:
        return [_checked(one, where, plain, depth + 1) for one in value]
    if not plain:
        if type(value) is tuple:
            return tuple(_checked(one, where, plain, depth + 1) for one in value)
        if isinstance(value, (np.generic, np.ndarray)) and value.dtype.kind in "biufcSUmM":
            return value.copy()
        if type(value) in _WRITERS:
            return value
    raise TypeError(
        f"{where}: a {type(value).__module__}.{type(value).__name__} can't be kept"
        + (": give a value of JSON, such as a string or a list" if plain else "")
    )


def encoded(value: Any) -> Any:
    """What :func:`checked` gave as values of JSON."""
    if type(value) is dict:
        written = {key: encoded(one) for key, one in value.items()}
        return {_TAG: "dict", "value": written} if _TAG in value else written
    if type(value) is list:
        return [encoded(one) for one in value]
    if type(value) is tuple:
        return {_TAG: "tuple", "value": [encoded(one) for one in value]}
    if isinstance(value, (np.generic, np.ndarray)):
        data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
        shape = None if isinstance(value, np.generic) else list(value.shape)
        return {_TAG: "numpy", "dtype": value.dtype.str, "shape": shape, "value": data}
    if type(value) in _WRITERS:
        return {_TAG: type(value).__name__, "value": _WRITERS[type(value)](value)}
    return value


def decoded(value: Any) -> Any:
    """The reverse of :func:`encoded`. ValueError, TypeError or KeyError for what it didn't make."""
    if isinstance(value, list):
        return [decoded(one) for one in value]
    if not isinstance(value, dict):
        return value
    if _TAG not in value:
        return {key: decoded(one) for key, one in value.items()}
    return _READERS[value[_TAG]](value)


def _numpy(value: dict[str, Any]) -> Any:
    dtype, shape = np.dtype(value["dtype"]), value["shape"]
    if dtype.hasobject:
        raise ValueError(f"an array of {dtype}")
    array = np.frombuffer(base64.b64decode(value["value"], validate=True), dtype)
    return array[0] if shape is None else array.reshape(shape).copy()


_WRITERS: dict[type, Callable[[Any], Any]] = {
    datetime.datetime: datetime.datetime.isoformat,
    datetime.date: datetime.date.isoformat,
    datetime.time: datetime.time.isoformat,
    datetime.timedelta: lambda value: [value.days, value.seconds, value.microseconds],
    bytes: lambda value: base64.b64encode(value).decode(),
}
_READERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "datetime": lambda value: datetime.datetime.fromisoformat(value["value"]),
    "date": lambda value: datetime.date.fromisoformat(value["value"]),
    "time": lambda value: datetime.time.fromisoformat(value["value"]),
    "timedelta": lambda value: datetime.timedelta(*value["value"]),
    "bytes": lambda value: base64.b64decode(value["value"], validate=True),
    "tuple": lambda value: tuple(decoded(one) for one in value["value"]),
    "dict": lambda value: {key: decoded(one) for key, one in value["value"].items()},
    "numpy": _numpy,
}
