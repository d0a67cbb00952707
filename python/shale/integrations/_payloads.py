"""Records as documents of a collection: a text and metadata, which may hold more than JSON does."""

from __future__ import annotations

import base64
import json
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Optional

from shale.integrations import _metadata

#: Keys of a payload. METADATA has what a program in another language would expect. KINDS tells of the keys of metadata
#: whose value is null or a list, as ``null:key``, and of values that only Python has. Those are in PYTHON, as a text.
TEXT, METADATA, KINDS, PYTHON = "text", "metadata", "kinds", "python"
#: What KINDS has of a record that has PYTHON.
OF_PYTHON = "python"
#: The longest text whose equals an index finds by default.
_SHORT = 256
#: Values within each other of what METADATA has.
_DEPTH = 24
_LONGEST_FIELD = 255
#: Of a list those whose types say what its indexes are.
_ELEMENTS = 8


@dataclass(frozen=True)
class Record:
    """What is kept beside a vector."""

    id: str
    text: str
    metadata: dict[str, Any]


def null(key: str) -> str:
    """What KINDS has of a key whose value is None."""
    return f"null:{key}"


def listed(key: str) -> str:
    """What KINDS has of a key whose value is a list."""
    return f"list:{key}"


@lru_cache(4096)
def field(key: str) -> Optional[str]:
    """The field of payloads that has a key of metadata; None if no field can."""
    return None if '"' in key or not is_valid(key) else f'{METADATA}."{key}"'


def payload(text: str, metadata: dict[str, Any]) -> dict[str, Any]:
    """The payload of a record, whose metadata :func:`_metadata.checked` gave."""
    natural = {key: value for key, value in metadata.items() if field(key) is not None and _is_natural(value)}
    others = {key: value for key, value in metadata.items() if key not in natural}
    made: dict[str, Any] = {TEXT: text, METADATA: natural}
    kinds = [null(key) for key, value in natural.items() if value is None]
    kinds += [listed(key) for key, value in natural.items() if isinstance(value, list)]
    if others or not is_valid(text):
        kinds.append(OF_PYTHON)
        made[PYTHON] = _text_of({TEXT: text, METADATA: _metadata.encoded(others)})
        made[TEXT] = text.encode("utf-8", "replace").decode()
    if kinds:
        made[KINDS] = kinds
    return made


def record(id: Any, payload: Optional[dict[str, Any]]) -> Record:
    """The record of a document; one that somebody else wrote may lack text and metadata."""
    given = payload or {}
    text, metadata = given.get(TEXT, ""), given.get(METADATA, {})
    if PYTHON in given:
        more = _read(given[PYTHON])
        text, metadata = more[TEXT], {**metadata, **_metadata.decoded(more[METADATA])}
    return Record(id, text, metadata)


def _text_of(value: Any) -> str:
    """A value as text, in which halves of surrogate pairs stay what they are."""
    return base64.b64encode(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")).decode()


def _read(text: str) -> Any:
    return json.loads(base64.b64decode(text).decode("utf-8", "surrogatepass"))


def indexes(key: str, value: Any) -> set[tuple[str, str]]:
    """The field of a key of metadata, and the kinds of indexes that hold its value, if that is short."""
    name = field(key)
    found: set[tuple[str, str]] = set()
    if name is None or len(name.encode()) > _LONGEST_FIELD:
        return found
    for one in value[:_ELEMENTS] if isinstance(value, list) else [value]:
        if isinstance(one, str) and len(one) <= _SHORT:
            found.add((name, "keyword"))
        elif isinstance(one, (bool, int, float)):  # True is 1 in Python: filters ask for both
            found.update([(name, "float"), (name, "bool")])
    return found


def _is_natural(value: Any, depth: int = 0) -> bool:
    """Whether JSON keeps a value, in every program that reads it."""
    if value is None or type(value) is bool:
        return True
    if type(value) is str:
        return is_valid(value)
    if type(value) is int:
        return -(2**63) <= value < 2**64
    if type(value) is float:
        return math.isfinite(value)
    if depth == _DEPTH:
        return False
    if type(value) is list:
        return all(_is_natural(one, depth + 1) for one in value)
    if type(value) is dict:
        return all(is_valid(key) and _is_natural(one, depth + 1) for key, one in value.items())
    return False


def is_valid(text: str) -> bool:
    """Whether a text is one of UTF-8, which has no halves of surrogate pairs."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
