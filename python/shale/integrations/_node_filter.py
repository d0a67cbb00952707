"""Filters of LlamaIndex's nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Optional

from llama_index.core.vector_stores.types import FilterCondition, FilterOperator, MetadataFilter, MetadataFilters
from llama_index.core.vector_stores.utils import build_metadata_filter_fn

from shale.integrations import _conditions
from shale.integrations._conditions import Condition, Where
from shale.integrations._payloads import Record


def of_nodes(ids: Sequence[str]) -> Where:
    """The nodes with these ids."""
    wanted = set(ids)
    return Where(_conditions.having_ids(ids), lambda record: record.id in wanted)


def of_documents(ids: Sequence[str]) -> Where:
    """The nodes of these documents."""
    wanted = set(ids)
    return Where(
        _conditions.among("ref_doc_id", ids), lambda record: record.metadata.get("ref_doc_id") in wanted
    )


def where(filters: Optional[MetadataFilters]) -> Where:
    """The nodes that match."""
    return Where(_conditions.ALL, lambda _: True) if filters is None else _conditions.where(*_parts(filters))


def _parts(filters: MetadataFilters) -> tuple[Condition, Callable[[Record], bool]]:
    """The condition of filters, and LlamaIndex's own judgement of each; that doesn't take filters within filters."""
    parts = [
        _parts(part) if isinstance(part, MetadataFilters) else (_condition(part), _judge(part))
        for part in filters.filters
    ]
    conditions, judges = [part[0] for part in parts], [part[1] for part in parts]
    if not parts:
        return _conditions.ALL, lambda _: True
    if filters.condition == FilterCondition.OR:
        return _conditions.some(conditions), lambda record: any(judge(record) for judge in judges)
    if filters.condition == FilterCondition.NOT:
        opposite = _conditions.none_of(_conditions.some(conditions))
        return opposite, lambda record: not any(judge(record) for judge in judges)
    return _conditions.every(conditions), lambda record: all(judge(record) for judge in judges)


def _judge(one: MetadataFilter) -> Callable[[Record], bool]:
    alone = MetadataFilters(filters=[one])
    return lambda record: bool(build_metadata_filter_fn(lambda _: record.metadata, alone)(record.id))


#: What lacks a key differs from every value, in some versions of LlamaIndex.
_LACKING_DIFFERS = _judge(MetadataFilter(key="a", value="b", operator=FilterOperator.NE))(Record("", "", {}))
_ORDERS = {
    FilterOperator.GT: "gt", FilterOperator.GTE: "gte", FilterOperator.LT: "lt", FilterOperator.LTE: "lte",
}  # fmt: skip


def _condition(one: MetadataFilter) -> Condition:
    """One filter as a condition of the collection, of the same meaning as :func:`_judge`."""
    key, operator, value = one.key, one.operator, one.value
    if operator in _ORDERS:
        return _conditions.ordered(key, _ORDERS[operator], value)
    if operator == FilterOperator.IS_EMPTY:
        return _conditions.empty(key)
    if operator == FilterOperator.CONTAINS:
        return _conditions.containing(key, value)
    if operator in (FilterOperator.EQ, FilterOperator.NE):
        equal = _conditions.NONE if value is None else _conditions.equal(key, value)
        return equal if operator == FilterOperator.EQ else _other(key, equal)
    if isinstance(value, list) and operator in (FilterOperator.IN, FilterOperator.NIN):
        among = _conditions.among(key, value)
        return among if operator == FilterOperator.IN else _other(key, among)
    if isinstance(value, list) and operator in (FilterOperator.ANY, FilterOperator.ALL):
        parts = [_conditions.containing(key, each) for each in value]
        return _conditions.some(parts) if operator == FilterOperator.ANY else _all(key, parts)
    return _conditions.UNKNOWN


def _other(key: str, condition: Condition) -> Condition:
    """The nodes without what a condition asks for, which those that lack the key are in some versions."""
    other = _conditions.none_of(condition)
    if _LACKING_DIFFERS:
        return other
    return _conditions.every([other, _conditions.existing(key), _conditions.none_of(_conditions.equal(key, None))])


def _all(key: str, parts: Sequence[Condition]) -> Condition:
    """Of no parts: the nodes that have a value at all, which LlamaIndex looks into."""
    lacking = _conditions.some([_conditions.none_of(_conditions.existing(key)), _conditions.equal(key, None)])
    return _conditions.every([*parts, _conditions.none_of(lacking)])
