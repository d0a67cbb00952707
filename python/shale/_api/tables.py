"""Tables of pandas, polars and Arrow as documents."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Optional

import numpy as np
import numpy.typing as npt

from shale._api.documents import Payload


@dataclass(frozen=True)
class Part:
    """Some documents of a table."""

    ids: list[Any]
    vectors: dict[str, Any]
    """Rows by the names of vectors: an array, or where some documents have none a list with None for them."""
    payloads: list[Optional[Payload]]


def parts(
    table: Any, id: Optional[str], vectors: dict[str, str], payload: Optional[Sequence[str]], size: int
) -> Iterator[Part]:
    """The documents of a table, or of an iterable of tables, some at a time.

    Args:
        id: the column of ids; None gives each document a new UUID.
        vectors: columns by the names of vectors.
        payload: columns that become keys of payloads; None: all others. Nulls and NaN are left out.
        size: rows of a part, at most.

    Raises:
        ImportError: pyarrow, which reads the tables, isn't installed.
        KeyError: there is no such column.
        TypeError: it isn't a table, or a column doesn't hold vectors.
    """
    arrow = import_module("pyarrow")
    for batch in _batches(arrow, table):
        _check_columns(batch, [*([] if id is None else [id]), *vectors.values(), *(payload or ())])
        for first in range(0, batch.num_rows, size):
            some = batch.slice(first, size)
            rows = {name: _rows(some.column(column), column) for name, column in vectors.items()}
            ids = [str(uuid.uuid4()) for _ in range(len(some))] if id is None else some.column(id).to_pylist()
            used = {id, *vectors.values()}
            names = [one for one in some.schema.names if one not in used] if payload is None else list(payload)
            yield Part(ids, rows, _payloads(some, names))


def _batches(arrow: Any, table: Any) -> Iterator[Any]:
    """Batches of rows of a table."""
    if isinstance(table, arrow.RecordBatch):
        yield table
    elif hasattr(table, "__arrow_c_stream__"):
        yield from arrow.RecordBatchReader.from_stream(table)
    elif type(table).__module__.startswith("pandas"):  # one that is older than Arrow's stream
        yield from arrow.Table.from_pandas(table, preserve_index=False).to_batches()
    elif isinstance(table, Iterable) and not isinstance(table, (str, bytes, dict, np.ndarray)):
        for one in table:
            if isinstance(one, (dict, str, bytes, list)):
                raise TypeError(f"a table is wanted, not a {type(one).__name__}: of pandas, polars or Arrow")
            yield from _batches(arrow, one)
    else:
        hint = ": collect() makes it one" if hasattr(table, "collect") else ": of pandas, polars or Arrow"
        raise TypeError(f"a table is wanted, not a {type(table).__name__}{hint}")


def _check_columns(batch: Any, wanted: list[str]) -> None:
    names = batch.schema.names
    for name in wanted:
        if name not in names:
            raise KeyError(f"the table has no column {name!r}: it has {', '.join(map(repr, names))}")
        if names.count(name) > 1:
            raise KeyError(f"the table has {names.count(name)} columns {name!r}")


def _rows(column: Any, name: str) -> Any:
    """The vectors of a column of lists of numbers."""
    arrow = import_module("pyarrow")
    kind = column.type
    if not (arrow.types.is_list(kind) or arrow.types.is_large_list(kind) or arrow.types.is_fixed_size_list(kind)):
        raise TypeError(f"the column {name!r} holds {kind}, not lists of numbers")
    if column.null_count == 0 and len(column):
        lengths = column.value_lengths() if hasattr(column, "value_lengths") else None
        values = column.flatten()
        if values.null_count == 0 and (lengths is None or len(set(lengths.to_pylist())) == 1):
            flat: npt.NDArray[Any] = values.to_numpy(zero_copy_only=False)
            return flat.reshape(len(column), -1)
    return column.to_pylist()


def _payloads(batch: Any, names: list[str]) -> list[Optional[Payload]]:
    """A dict a row, without the columns that are null or NaN there."""
    rows: list[Payload] = [{} for _ in range(batch.num_rows)]
    for name in names:
        for row, value in zip(rows, batch.column(name).to_pylist()):
            if value is not None and value == value:
                row[name] = value
    return [row or None for row in rows]
