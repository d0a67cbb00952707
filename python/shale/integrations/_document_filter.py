"""Filters of documents by their metadata, as dicts: values that must be equal, and the operators of other stores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from shale.integrations import _conditions
from shale.integrations._conditions import Condition

Matches = Callable[[dict[str, Any]], bool]
_MISSING = object()


def matcher(given: Any) -> Matches:
    """Tells which metadata match.

    Raises:
        ValueError, TypeError: it isn't a filter, or asks for what there isn't.
    """
    if not isinstance(given, dict):
        raise TypeError(f"a filter is a dict or a callable, not of type {type(given).__name__}")
    parts = [_part(key, value) for key, value in given.items()]
    return lambda metadata: all(part(metadata) for part in parts)


def _part(key: Any, value: Any) -> Matches:
    if not isinstance(key, str):
        raise TypeError(f"a filter's key is {key!r} of type {type(key).__name__}, not a string")
    if not key.startswith("$"):
        return _field(key, value)
    if key == "$not":
        inner = matcher(value)
        return lambda metadata: not inner(metadata)
    if key not in ("$and", "$or", "$nor"):
        raise ValueError(
            f"there is no operator {key} of filters: there are $and, $or, $nor, $not, and those of a value"
        )
    if not isinstance(value, (list, tuple)) or not value:
        raise ValueError(f"{key} takes a list of filters, not {value!r}")
    parts = [matcher(one) for one in value]
    if key == "$and":
        return lambda metadata: all(part(metadata) for part in parts)
    wanted = key == "$or"
    return lambda metadata: any(part(metadata) for part in parts) == wanted


def _field(key: str, value: Any) -> Matches:
    if not isinstance(value, dict) or not any(isinstance(name, str) and name.startswith("$") for name in value):
        wanted = _conditions.own(value)
        return lambda metadata: _equal(metadata.get(key, _MISSING), wanted)
    tests = [_test(key, name, operand) for name, operand in value.items()]
    return lambda metadata: all(test(metadata.get(key, _MISSING)) for test in tests)


def _test(key: str, name: Any, operand: Any) -> Callable[[Any], bool]:
    operand = _conditions.own(operand)
    if name == "$eq":
        return lambda value: _equal(value, operand)
    if name == "$ne":
        return lambda value: not _equal(value, operand)
    if name in _ORDERS:
        return lambda value: _compared(_ORDERS[name], value, operand)
    if name in ("$in", "$nin"):
        if isinstance(operand, (str, bytes, dict)) or not hasattr(operand, "__iter__"):
            raise ValueError(f"filter of {key!r}: {name} takes a list of values, not {operand!r}")
        values, wanted = list(map(_conditions.own, operand)), name == "$in"
        return lambda value: any(_equal(value, one) for one in values) == wanted
    if name == "$exists":
        if not isinstance(operand, bool):
            raise ValueError(f"filter of {key!r}: $exists takes True or False, not {operand!r}")
        return lambda value: (value is not _MISSING) == operand
    if name == "$not" and isinstance(operand, dict):
        inner = _field(key, operand)
        return lambda value: not inner({} if value is _MISSING else {key: value})
    known = ", ".join(("$eq", "$ne", *_ORDERS, "$in", "$nin", "$exists", "$not"))
    raise ValueError(f"filter of {key!r}: there is no operator {name!r}: there are {known}")


_ORDERS: dict[Any, Callable[[Any, Any], Any]] = {f"${name}": order for name, order in _conditions.ORDERS.items()}


def _compared(order: Callable[[Any, Any], Any], value: Any, operand: Any) -> bool:
    """Whether values are in order; those of types that have none with each other aren't."""
    try:
        return value is not _MISSING and bool(order(value, operand))
    except (TypeError, ValueError):  # ValueError: of an array
        return False


def _equal(value: Any, other: Any) -> bool:
    if isinstance(value, np.ndarray) or isinstance(other, np.ndarray):
        return value is not _MISSING and np.array_equal(value, other)
    try:
        return bool(value == other)
    except ValueError:  # of a list and a number of NumPy
        return False


def condition(given: dict[str, Any]) -> Condition:
    """The filter of a collection for a filter that :func:`matcher` takes."""
    return _conditions.every(_condition_of(key, value) for key, value in given.items())


def _condition_of(key: str, value: Any) -> Condition:
    if not key.startswith("$"):
        return _condition_of_field(key, value)
    if key == "$not":
        return _conditions.none_of(condition(value))
    if key == "$and":
        return _conditions.every(map(condition, value))
    found = _conditions.some(map(condition, value))
    return found if key == "$or" else _conditions.none_of(found)


def _condition_of_field(key: str, value: Any) -> Condition:
    if not isinstance(value, dict) or not any(isinstance(name, str) and name.startswith("$") for name in value):
        return _conditions.equal(key, value)
    return _conditions.every(_condition_of_test(key, name, operand) for name, operand in value.items())


def _condition_of_test(key: str, name: str, operand: Any) -> Condition:
    if name in _ORDERS:
        return _conditions.ordered(key, name[1:], operand)
    if name == "$exists":
        found = _conditions.existing(key)
        return found if operand else _conditions.none_of(found)
    if name == "$not":
        return _conditions.none_of(_condition_of_field(key, operand))
    values = [operand] if name in ("$eq", "$ne") else operand
    if iter(values) is values:  # it can be read only once, which the matcher has done
        return _conditions.UNKNOWN
    found = _conditions.among(key, values)
    return found if name in ("$eq", "$in") else _conditions.none_of(found)
