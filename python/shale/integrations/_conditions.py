"""Conditions of records as a collection's filters, with the meaning that values have in Python.

What only Python can judge is left to it: then the filter lets through what may satisfy the condition.
"""

from __future__ import annotations

import datetime
import math
import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Union

import numpy as np

from shale.integrations import _payloads
from shale.integrations._payloads import Record


@dataclass(frozen=True)
class Condition:
    """A condition of a collection, in the form of Qdrant's, for records without values that only Python has."""

    test: dict[str, Any]
    exact: bool = True
    """Whether the records that pass are those meant; otherwise those are some of them."""

    @property
    def filter(self) -> dict[str, Any]:
        """The filter of the condition alone."""
        return {"must": [self.test]}


@dataclass(frozen=True)
class Where:
    """Which records are meant: those that judge accepts, all of which pass the condition."""

    condition: Condition
    judge: Callable[[Record], bool]


ALL = Condition({"must": []})
NONE = Condition({"must_not": [ALL.test]})
#: What no filter can tell.
UNKNOWN = Condition(ALL.test, exact=False)
#: Those with values that only Python has.
OF_PYTHON = Condition({"key": _payloads.KINDS, "match": {"value": _payloads.OF_PYTHON}})

#: Operators by their names in filters.
ORDERS: dict[str, Callable[[Any, Any], Any]] = {
    "gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le,
}  # fmt: skip
_SCALARS = (str, bool, int, float)
#: Types whose values never equal one of JSON, and have no order with it.
_APART = (bytes, tuple, datetime.date, datetime.time, datetime.timedelta)
#: The most filters within each other that collections take.
_DEPTH = 28


def every(conditions: Iterable[Condition]) -> Condition:
    """All of the conditions."""
    all_ = list(conditions)
    return Condition({"must": [one.test for one in all_]}, all(one.exact for one in all_))


def some(conditions: Iterable[Condition]) -> Condition:
    """One or more of the conditions."""
    all_ = list(conditions)
    return Condition({"should": [one.test for one in all_]}, all(one.exact for one in all_)) if all_ else NONE


def none_of(condition: Condition) -> Condition:
    """The opposite."""
    return Condition({"must_not": [condition.test]}) if condition.exact else UNKNOWN


def where(condition: Condition, judge: Callable[[Record], bool]) -> Where:
    """Records by a condition, or by Python alone where the condition is one that collections don't take."""
    return Where(condition if _depth(condition.test) < _DEPTH else UNKNOWN, judge)


def both(parts: Sequence[Where]) -> Where:
    """Records that all of the parts mean."""
    return where(
        every(part.condition for part in parts), lambda record: all(part.judge(record) for part in parts)
    )


def having_ids(ids: Sequence[str]) -> Condition:
    """The records with these ids."""
    return Condition({"has_id": list(ids)})


def equal(key: str, value: Any) -> Condition:
    """Records whose metadata have a value that equals one."""
    path, value = _payloads.field(key), own(value)
    if path is None:
        return NONE
    if value is None:
        return _kind(_payloads.null(key))
    if type(value) in _SCALARS:
        return _scalar(key, _any(path, _equals(value))) if _fits(value) else UNKNOWN
    if type(value) is list:
        return Condition(_kind(_payloads.listed(key)).test, exact=False)
    return NONE if isinstance(value, _APART) else UNKNOWN


def among(key: str, values: Iterable[Any]) -> Condition:
    """Records whose metadata have a value that equals one of these."""
    path, wanted = _payloads.field(key), list(map(own, values))
    scalars = [value for value in wanted if type(value) in _SCALARS and _fits(value)]
    parts = [equal(key, value) for value in wanted if type(value) not in _SCALARS or not _fits(value)]
    if scalars and path is not None:
        parts.append(_scalar(key, _any(path, [one for value in scalars for one in _equals(value)])))
    return some(parts)


def ordered(key: str, order: str, value: Any) -> Condition:
    """Records whose metadata have a value that is in an order to one: ``gt``, ``gte``, ``lt`` or ``lte``."""
    path, value = _payloads.field(key), own(value)
    if path is None or value is None or isinstance(value, _APART) or type(value) is dict:
        return NONE
    if type(value) is str:
        return Condition(_present(path), exact=False)
    if type(value) not in (bool, int, float) or not _fits(value):
        return UNKNOWN
    number = value + 0  # of a boolean too
    numbers = {"key": path, "range": {order: number}}
    booleans = [one for one in (False, True) if ORDERS[order](one, number)]
    return _scalar(key, {"should": [numbers, _any(path, booleans)]} if booleans else numbers)


def existing(key: str) -> Condition:
    """Records whose metadata have a key."""
    path = _payloads.field(key)
    if path is None:
        return NONE
    return some([Condition(_present(path)), _kind(_payloads.null(key), _payloads.listed(key))])


def containing(key: str, value: Any) -> Condition:
    """Records whose metadata have a list with an element that equals a value, or a string with such a part."""
    path, value = _payloads.field(key), own(value)
    if path is None:
        return NONE
    lists = _kind(_payloads.listed(key))
    if type(value) not in _SCALARS or not _fits(value):
        return Condition(_present(path), exact=False)
    held = every([lists, Condition(_any(path, _equals(value)))])
    if type(value) is not str:
        return held
    return some([held, Condition({"must": [_present(path)], "must_not": [lists.test]}, exact=False)])


def empty(key: str) -> Condition:
    """Records whose metadata lack a key, or have None, a list of nothing or a string of nothing."""
    path = _payloads.field(key)
    return ALL if path is None else some([Condition({"is_empty": {"key": path}}), equal(key, "")])


def _scalar(key: str, test: dict[str, Any]) -> Condition:
    """A test of values but not of lists, for which filters test the elements."""
    return Condition({"must": [test], "must_not": [_kind(_payloads.listed(key)).test]})


def _present(path: str) -> dict[str, Any]:
    """A test of whether there is a value other than null and a list of nothing."""
    return {"must_not": [{"is_empty": {"key": path}}]}


def _equals(value: Any) -> list[Any]:
    """The values of JSON that equal one in Python: 1 equals True."""
    return [value, int(value)] if type(value) is bool else [value, *(one for one in (False, True) if one == value)]


def _any(path: str, values: Sequence[Any]) -> dict[str, Any]:
    return {"key": path, "match": {"any": list(values)}}


def _kind(*kinds: str) -> Condition:
    return Condition({"key": _payloads.KINDS, "match": {"any": list(kinds)}})


def own(value: Any) -> Any:
    """A value of NumPy as the one of Python that compares in the same way, where there is one."""
    if isinstance(value, (np.bool_, np.str_)) or type(value) is np.float64:
        return value.item()
    if isinstance(value, np.integer) and abs(int(value)) < 2**53:
        return int(value)
    return value


def _fits(value: Union[str, bool, int, float]) -> bool:
    """Whether filters have the value, and compare it as Python does."""
    if isinstance(value, str):
        return _payloads.is_valid(value)
    return math.isfinite(value) if isinstance(value, float) else -(2**63) <= value < 2**64


def _depth(test: Any) -> int:
    """How many filters are within each other."""
    if isinstance(test, dict):
        return 1 + max((_depth(one) for key, one in test.items() if key in ("must", "should", "must_not")), default=0)
    return max(map(_depth, test), default=0) if isinstance(test, list) else 0
