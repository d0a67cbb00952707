"""Filters of stores: the collection's indexes answer what Python's own comparison of the values would."""

import datetime
import random

import numpy as np
import pytest

from shale.integrations import _conditions, _payloads
from shale.integrations._document_filter import condition, matcher
from shale.integrations._store import Store

#: Values of metadata that JSON has, and some that only Python has.
NATURAL = [
    None, True, False, 0, 1, 2, 2.0, 1.5, -1, 2**53, 2**53 + 1, float(2**53), -0.0, 1e300, "", "a", "ab", "1", "true",
    "2024-05-01", "2024-05-01T00:00:00", "x" * 300, [], ["a"], ["a", "b"], [1], [True, None], [[1]], {}, {"a": 1},
]  # fmt: skip
OF_PYTHON = [
    np.float32(1.5), np.int64(2), float("nan"), float("inf"), 2**70, ("a",), b"a", datetime.date(2024, 5, 1),
    datetime.datetime(2024, 5, 1), np.arange(2), "\ud83d", [np.int8(1)],
]  # fmt: skip
KEYS = ["a", "b", "dotted.key", 'quo"ted', "[x]"]
RNG = random.Random(7)


def metadata(values):
    return {key: RNG.choice(values) for key in KEYS if RNG.random() < 0.8}


def value():
    return RNG.choice(NATURAL + OF_PYTHON if RNG.random() < 0.3 else NATURAL)


def one_test():
    """A test by an operator."""
    operator = RNG.choice(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$exists", "$not"])
    if operator in ("$in", "$nin"):
        return {operator: [value() for _ in range(RNG.randint(0, 4))]}
    if operator == "$exists":
        return {operator: RNG.random() < 0.5}
    return {operator: one_test() if operator == "$not" else value()}


def a_filter(depth=0):
    given = {}
    for _ in range(RNG.randint(1, 2)):
        kind = RNG.random()
        if kind < 0.2 and depth < 3:
            given[RNG.choice(["$and", "$or", "$nor"])] = [a_filter(depth + 1) for _ in range(RNG.randint(1, 3))]
        elif kind < 0.3 and depth < 3:
            given["$not"] = a_filter(depth + 1)
        else:
            given[RNG.choice(KEYS)] = value() if kind < 0.5 else one_test()
    return given


@pytest.fixture(scope="module", params=["natural", "of Python too"])
def store(request):
    values = NATURAL + (OF_PYTHON if request.param != "natural" else [])
    made = Store("l2", {"codes": "fp32"})
    names = [str(i) for i in range(150)]
    rows = np.random.default_rng(3).standard_normal((150, 4)).astype(np.float32)
    made.add(names, names, [metadata(values) for _ in names], rows)
    return made


def test_filters_mean_what_they_mean_in_python(store):
    records = list(store.records())
    natural = {record.id for record in records if not _payloads.payload("", record.metadata).get("python")}
    exact = found = 0
    for _ in range(300):
        given = a_filter()
        matches = matcher(given)
        want = {record.id for record in records if matches(record.metadata)}
        where = _conditions.where(condition(given), lambda record: matches(record.metadata))
        passed = {hit.id for hit in store.collection.scroll(filter=where.condition.filter, payload=False)}
        if where.condition.exact:
            assert passed & natural == want & natural, given
            exact += 1
        else:
            assert passed & natural >= want & natural, given
        assert {record.id for record in store.records(where)} == want, given
        found += 0 < len(want) < len(records)
    assert exact > 130 and found > 130


def test_searches_find_the_nearest_that_match(store):
    rows = {hit.id: hit.vector for hit in store.collection.scroll(vectors=True)}
    records = list(store.records())
    query = np.array([1, 0, 0, 0], np.float32)
    for _ in range(60):
        given = a_filter()
        matches = matcher(given)
        allowed = [record.id for record in records if matches(record.metadata)]
        want = sorted(allowed, key=lambda id: float(((rows[id] - query) ** 2).sum()))[:5]
        where = _conditions.where(condition(given), lambda record: matches(record.metadata))
        assert [one.record.id for one in store.search(query, 5, where, exact=True)] == want, given


def test_indexes_answer_what_is_common(store):
    either = {"$or": [{"a": True}, {"b": 0}]}
    for given in ({"a": "ab"}, {"a": {"$gte": 1, "$lt": 3}}, {"b": {"$in": ["a", 2]}}, either):
        hits = store.collection.query(np.zeros(4), 5, filter=condition(given).filter)
        assert hits.scanned == () and condition(given).exact


def test_filters_too_deep_for_collections_are_judged(store):
    given = {"a": 1}
    for _ in range(60):
        given = {"$not": given}
    matches = matcher(given)
    where = _conditions.where(condition(given), lambda record: matches(record.metadata))
    want = {record.id for record in store.records() if matches(record.metadata)}
    assert {record.id for record in store.records(where)} == want


def test_deletes_what_is_meant():
    store = Store("l2", {})
    names = [str(i) for i in range(50)]
    store.add(names, names, [{"n": i} for i in range(50)], np.eye(50, dtype=np.float32))
    for given, left in (({"n": {"$gte": 40}}, 40), ({"n": {"$lt": np.float32(5)}}, 35)):
        matches = matcher(given)
        store.delete_where(_conditions.where(condition(given), lambda record: matches(record.metadata)))
        assert len(store) == left
