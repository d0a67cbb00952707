"""What Python programmers expect: in, get, errors in their words, deletions that ignore, ranges, compaction."""

import copy
import json
import warnings

import numpy as np
import pytest

import shale
from conftest import DIM, distances
from shale import hnswlib


@pytest.fixture
def index(rows):
    with shale.Index(DIM, "l2", codes="fp32") as index:
        index.add(rows[:500])
        yield index


@pytest.fixture(params=["graph", "shards"])
def either(request, rows, tmp_path):
    """An index of one graph and one of several shards, of the same rows."""
    shards = 1 if request.param == "graph" else 3
    with shale.build(rows[:600], tmp_path / "index", metric="l2", codes="fp32", shards=shards) as index:
        yield index


def test_labels_are_in_the_index_until_they_are_deleted(either):
    assert 0 in either and np.uint64(599) in either and 600 not in either
    for label in (-1, "7", 7.0, None, 2**64 - 1):
        assert label not in either
    assert 2**70 not in either
    either.delete(7)
    assert 7 not in either and 8 in either
    either.undelete(7)
    assert 7 in either


def test_get_gives_a_default_for_labels_that_are_not_there(either, rows):
    either.delete(3)
    found = either.get([5, 3, 1000, 2**64 - 1, 0])
    assert [one is None for one in found] == [False, True, True, True, False]
    assert np.array_equal(found[0], rows[5]) and np.array_equal(found[4], rows[0])
    assert np.array_equal(either.get(5), rows[5])
    assert either.get(3) is None and either.get(3, "none") == "none" and either.get([3], 0) == [0]
    assert either.get([]) == []


def test_deleting_may_ignore_what_is_not_there(either):
    either.delete([1, 2])
    with pytest.raises(KeyError, match="label"):
        either.delete([2, 3])
    assert 3 not in either
    either.delete([1, 2, 3, 4, 4, 5000], ignore_missing=True)
    assert len(either) == 596 and not any(label in either for label in (1, 2, 3, 4))
    either.delete([], ignore_missing=True)
    assert len(either) == 596


def test_the_number_of_vectors_is_that_of_the_description(either):
    either.delete([1, 2])
    info = either.info()
    assert len(either) == info.rows - info.deleted == 598


@pytest.mark.parametrize("metric", ["l2", "ip", "cosine"])
def test_range_search_finds_what_is_within_the_radius(rows, metric):
    rows = rows[:800]
    with shale.build(rows, metric=metric, codes="fp32") as index:
        for query in rows[:5] + np.float32(0.01):
            true = distances(metric, rows, query)
            for rank in (1, 20, 300):
                radius = float(np.partition(true, rank)[rank] + np.partition(true, rank - 1)[rank - 1]) / 2
                found = index.range_search(query, radius, ef=800)
                assert sorted(found.labels.tolist()) == np.flatnonzero(true <= radius).tolist()
                assert (np.diff(found.distances) >= 0).all()
                np.testing.assert_allclose(found.distances, np.sort(true)[: len(found.distances)], rtol=1e-3, atol=1e-4)


def test_range_search_of_many_queries_with_limits_and_filters(either, rows):
    rows = rows[:600]
    queries = rows[:6] + np.float32(0.01)
    true = np.array([distances("l2", rows, query) for query in queries])
    radius = float(np.median(np.sort(true, axis=1)[:, 40]))
    found = either.range_search(queries, radius, ef=600)
    assert [sorted(one.labels.tolist()) for one in found] == [np.flatnonzero(row <= radius).tolist() for row in true]
    nearest = either.range_search(queries, radius, ef=600, limit=3)
    assert all(np.array_equal(few.labels, all.labels[:3]) for few, all in zip(nearest, found))
    even = either.range_search(queries, radius, ef=600, filter=lambda label: label % 2 == 0)
    assert all(np.array_equal(some.labels, all.labels[all.labels % 2 == 0]) for some, all in zip(even, found))
    each = either.range_search(queries[:2], radius, ef=600, filter=[np.arange(600) < 100, None])
    assert np.array_equal(each[0].labels, found[0].labels[found[0].labels < 100])
    assert np.array_equal(each[1].labels, found[1].labels)


def test_range_search_of_nothing(index):
    assert index.range_search(np.empty((0, DIM), np.float32), 1.0) == []
    one = index.range_search(np.full(DIM, 100, np.float32), 0.5)
    assert one.labels.shape == one.distances.shape == (0,)
    with pytest.raises(ValueError, match="radius"):
        index.range_search(np.zeros(DIM, np.float32), float("nan"))
    with pytest.raises(ValueError, match="limit"):
        index.range_search(np.zeros(DIM, np.float32), 1.0, limit=0)
    with pytest.raises(ValueError, match="values"):
        index.range_search(np.zeros(DIM + 1, np.float32), 1.0)
    with pytest.raises(ZeroDivisionError):
        index.range_search(np.zeros(DIM, np.float32), 1e9, filter=lambda label: 1 // 0)


def test_errors_name_what_to_write_in_python(index, rows, tmp_path):
    index.save(tmp_path / "a")
    shale.build(rows[:100], tmp_path / "b", metric="l2").close()
    with pytest.raises(FileExistsError, match="replace=True"):
        shale.build(rows[:100], tmp_path / "b", metric="l2")
    with pytest.raises(FileExistsError, match="replace=True"):
        index.save(tmp_path / "b")
    ragged = np.empty(3, object)
    ragged[:] = [rows[0], rows[1], rows[2]]
    with pytest.raises(TypeError, match=r"np\.stack"):
        index.add(ragged)
    index.add(np.stack(ragged))


def test_compacting_takes_deleted_vectors_out(index, rows):
    index.delete(range(0, 500, 2))
    before = index.search(rows[:500], 5, ef=500)
    other = copy.copy(index)
    index.compact()
    assert index.info().rows == len(index) == 250 and index.info().deleted == 0 and other.info().rows == 500
    after = index.search(rows[:500], 5, ef=500)
    assert np.array_equal(before.labels, after.labels) and np.allclose(before.distances, after.distances)
    assert set(index.labels().tolist()) == set(range(1, 500, 2))
    with pytest.raises(KeyError):
        index.undelete(0)
    assert index.add(rows[0]).tolist() == [500]  # as if nothing had been taken out
    index.compact()
    assert len(index) == 251


def test_compacting_what_cannot_be(rows, tmp_path):
    with shale.build(rows[:300], tmp_path / "shards", metric="l2", shards=2) as index:
        with pytest.raises(shale.ReadOnlyError):
            index.compact()
    with shale.Index(DIM, "l2", codes="sq8", rows="none") as index:
        index.add(rows[:300])
        with pytest.raises(shale.Error, match="keeps no vectors"):
            index.compact()


def test_compacting_an_empty_index(index):
    index.delete(range(500))
    index.compact()
    assert len(index) == index.info().rows == 0
    index.compact()


def test_tuning_measures_shares_on_its_queries(rows, tmp_path):
    queries = rows[2000:2070]
    with shale.build(rows[:800], tmp_path / "index", metric="l2", codes="fp32", shards=2) as index:
        tuned = index.tune(queries, 0.8, k=5, max_ef=30, save=True)
        assert tuned.recall >= 0.8
    import json

    manifest = json.loads((tmp_path / "index" / "manifest.json").read_text())
    assert '"queries": 70' in json.dumps(manifest)


def test_verifying_counts_what_links_do_not_lead_to(rows, tmp_path):
    shale.build(rows[:300], tmp_path / "index", metric="l2").close()
    found = shale.verify(tmp_path / "index")
    assert found.ok and found.reachable == 300 and found.unreachable == 0


def test_the_stand_in_does_not_save_over_a_live_file(rows, tmp_path):
    live = hnswlib.Index("l2", DIM)
    live.init_index_mmap(100, tmp_path / "live")
    live.add_items(rows[:50])
    other = hnswlib.Index("l2", DIM)
    other.init_index(10)
    exact = hnswlib.BFIndex("l2", DIM)
    exact.init_index(10)
    for index in (other, exact, live):
        with pytest.raises(RuntimeError, match="live file"):
            index.save_index(tmp_path / "live")
    with pytest.raises(RuntimeError, match="live file"):
        other.save_graph(tmp_path / "live")
    assert live.knn_query(rows[7], k=1)[0][0, 0] == 7
    live.close()
    again = hnswlib.Index("l2", DIM)
    again.load_index_mmap(tmp_path / "live")
    assert again.get_current_count() == 50


def test_room_for_many_elements_is_made_at_once():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        index = hnswlib.Index("l2", 2)
        index.init_index(200_000_000, M=4)
        index.add_items(np.eye(2, dtype=np.float32))
        assert index.get_max_elements() == 200_000_000 and index.knn_query([1, 0], k=1)[0] == 0
