"""Filters: callables, masks, labels and bitmaps, one for all queries or one for each."""

import numpy as np
import pyroaring
import pytest
from conftest import DIM, build, nearest, recall

from shale import hnswlib

COUNT = 2000


def same(allowed):
    """One filter in all its forms."""
    labels = np.flatnonzero(allowed)
    return [
        lambda label: bool(allowed[label]), allowed, labels, labels.astype(np.int32), labels.tolist(),
        set(labels.tolist()),
        pyroaring.BitMap(labels.tolist()), pyroaring.BitMap64(labels.tolist()),
    ]  # fmt: skip


@pytest.fixture(scope="module", params=["Index", "BFIndex"])
def index(request, rows):
    index = getattr(hnswlib, request.param)("l2", DIM)
    index.init_index(COUNT)
    index.add_items(rows[:COUNT])
    return index


@pytest.mark.parametrize("share", [0.003, 0.05, 0.5])
@pytest.mark.parametrize("queries", [1, 30])
def test_all_forms_agree(index, rows, share, queries):
    allowed = np.random.default_rng(3).random(COUNT) < share
    allowed[:5] = True
    labels = np.flatnonzero(allowed)
    want = labels[nearest("l2", rows[labels], rows[:queries], 5)]
    for given in same(allowed):
        got, found = index.knn_query(rows[:queries], k=5, filter=given)
        assert allowed[got.astype(int)].all()
        assert recall(got, want) > 0.95
        assert (np.diff(found, axis=1) >= 0).all()


def test_one_for_each_query(index, rows):
    odd, third = np.arange(COUNT) % 2 == 1, np.arange(COUNT) % 3 == 0
    given = [odd, np.flatnonzero(third), None, lambda label: label % 5 == 0, pyroaring.BitMap(range(0, COUNT, 7))]
    labels, _ = index.knn_query(rows[:5], k=4, filter=given)
    assert (labels[0] % 2 == 1).all() and (labels[1] % 3 == 0).all()
    assert (labels[3] % 5 == 0).all() and (labels[4] % 7 == 0).all()
    np.testing.assert_array_equal(labels[2], index.knn_query(rows[2], k=4)[0][0])
    labels, _ = index.knn_query(rows[:2], k=4, filter=np.array([odd, ~odd]))
    assert (labels[0] % 2 == 1).all() and (labels[1] % 2 == 0).all()
    with pytest.raises(ValueError):
        index.knn_query(rows[:3], filter=[odd, odd])


def test_ranges(index, rows):
    for given in (range(100, 900), range(7, COUNT, 3), range(1500, 30, -11), range(42, 2000, 5000)):
        k = min(5, len(given))
        want, far = index.knn_query(rows[:10], k=k, filter=np.array(given))
        labels, distances = index.knn_query(rows[:10], k=k, filter=given)
        np.testing.assert_array_equal(labels, want)
        np.testing.assert_array_equal(distances, far)


def test_a_range_takes_no_memory(index, rows):
    """One of 2**63 labels, in steps, would need 2**66 bytes as an array."""
    labels, _ = index.knn_query(rows[:5], k=4, filter=range(0, 2**64 - 1, 2))
    assert (labels % 2 == 0).all()
    np.testing.assert_array_equal(
        index.knn_query(rows[:5], k=4, filter=range(2**64 - 1))[0], index.knn_query(rows[:5], k=4)[0]
    )


def test_ranges_that_are_no_labels(index, rows):
    for given in (range(-3, 10), range(10, -2, -1), range(0, 2**64 + 1)):
        with pytest.raises(ValueError):
            index.knn_query(rows[0], filter=given)
    with pytest.raises(RuntimeError, match="^Cannot return the results"):
        index.knn_query(rows[0], filter=range(0))


def test_too_narrow(index, rows):
    for given in (lambda label: False, np.zeros(COUNT, bool), [3], np.empty(0, np.uint64), pyroaring.BitMap()):
        with pytest.raises(RuntimeError, match="^Cannot return the results"):
            index.knn_query(rows[:3], k=2, filter=given)


def test_exceptions_come_out(index, rows):
    class Unusual(Exception):
        pass

    def raises(label):
        raise Unusual(label)

    with pytest.raises(Unusual):
        index.knn_query(rows[0], filter=raises)
    with pytest.raises(Unusual):
        index.knn_query(rows[:50], filter=raises)
    assert index.knn_query(rows[:3], k=1)[0][:, 0].tolist() == [0, 1, 2]


def test_what_is_no_filter(index, rows):
    for given in (5, "text", [1.5], np.zeros((1, 2, 2), bool), [[1, -2]], object()):
        with pytest.raises((TypeError, ValueError)):
            index.knn_query(rows[:1], filter=given)


def test_labels_beyond_32_bits(rows):
    index = hnswlib.Index("l2", DIM)
    index.init_index(100)
    labels = np.arange(100, dtype=np.uint64) * 2**40
    index.add_items(rows[:100], labels)
    for given in (labels[50:], pyroaring.BitMap64(labels[50:].tolist()), lambda label: label >= 50 * 2**40):
        assert (index.knn_query(rows[:20], k=3, filter=given)[0] >= 50 * 2**40).all()


def test_deleted_stay_hidden(rows):
    index = build("l2", rows[:200])
    for label in range(0, 200, 2):
        index.mark_deleted(label)
    labels, _ = index.knn_query(rows[:20], k=3, filter=np.arange(200) < 100)
    assert (labels % 2 == 1).all() and (labels < 100).all()
