"""Labels come back as they were given, whatever holds them, or are refused; so do counts that are far too large."""

import hashlib

import numpy as np
import pytest
from conftest import DIM

import shale
from shale import hnswlib
from shale._core.labels import exact_labels

#: Hashes, some above 2**63: NumPy makes float64 of a list of them.
HASHES = [int.from_bytes(hashlib.blake2b(b"%d" % i, digest_size=8).digest(), "big") % (2**64 - 1) for i in range(40)]
HASHES[:4] = [2**64 - 2, 2**63, 2**53 + 1, 0]


def forms(labels):
    """The same labels as callers give them."""
    yield list(labels)
    yield tuple(labels)
    yield np.array(labels, np.uint64)
    yield np.array(labels, object)
    yield np.array(labels, np.uint64)[::-1][::-1]
    yield [np.uint64(label) for label in labels]
    yield [np.uint64(label) if i % 2 else label for i, label in enumerate(labels)]
    yield np.array(labels, ">u8")


@pytest.fixture(params=[hnswlib.Index, hnswlib.BFIndex])
def index(request, rows):
    index = request.param("l2", DIM)
    index.init_index(40)
    return index


def test_the_list_is_one_that_numpy_rounds():
    assert np.asarray(HASHES).dtype == np.float64


def test_are_kept_exactly(index, rows):
    for given in forms(HASHES):
        index.add_items(rows[:40], given)
        assert index.knn_query(rows[:40], k=1)[0][:, 0].tolist() == HASHES
    if isinstance(index, hnswlib.Index):
        for given in forms(HASHES[:9]):
            np.testing.assert_array_equal(index.get_items(given), rows[:9])


def test_are_kept_exactly_by_the_package_itself(rows):
    for given in forms(HASHES):
        index = shale.Index(DIM, "l2", codes="fp32")
        assert index.add(rows[:40], given).tolist() == HASHES
        assert index.search(rows[:40], 1).labels[:, 0].tolist() == HASHES
        np.testing.assert_array_equal(index.vectors(given), rows[:40])
        index.delete(given[:5])
        index.undelete(given[:5])
        built = shale.build(rows[:40], metric="l2", codes="fp32", labels=given)
        assert built.search(rows[:40], 1).labels[:, 0].tolist() == HASHES
    assert built.tune(rows[:40], 1.0, k=1, truth=[[label] for label in HASHES]).recall == 1


def test_are_kept_exactly_in_filters(index, rows):
    index.add_items(rows[:40], HASHES)
    own = shale.build(rows[:40], metric="l2", codes="fp32", labels=HASHES)
    for given in (*forms(HASHES[:10]), set(HASHES[:10]), frozenset(HASHES[:10])):
        assert sorted(index.knn_query(rows[0], k=10, filter=given)[0][0].tolist()) == sorted(HASHES[:10])
        assert sorted(own.search(rows[0], 10, filter=given).labels.tolist()) == sorted(HASHES[:10])
    each = [HASHES[i : i + 3] for i in range(20)]
    found = own.search(rows[:20], 3, filter=each).labels.tolist()
    assert [sorted(labels) for labels in found] == [sorted(labels) for labels in each]


WRONG = [
    ([-1], ValueError, "-1"), ([2**64 - 1], ValueError, "18446744073709551615"),
    ([2**64], ValueError, "18446744073709551616"),
    (np.array([-1]), ValueError, "-1"), (np.array([-1]).astype(np.uint64), ValueError, "18446744073709551615"),
    ([2**63, -7], ValueError, "-7"), (np.array([2**70], object), ValueError, str(2**70)),
    ([0.5], (ValueError, TypeError), "0.5"),
    (np.array([1.5]), (ValueError, TypeError), "1.5|float64"), ([np.nan], (ValueError, TypeError), "nan"),
    ([1e19], (ValueError, TypeError), "1e.19"), (np.array([2.0**60]), (ValueError, TypeError), "float"),
    ([True], TypeError, "Boolean"), (np.array([True]), TypeError, "Boolean"), ([None], TypeError, "None"),
    (["1"], TypeError, "<U1"),
    (np.array([True, 3], object), TypeError, "True"),
]  # fmt: skip


@pytest.mark.parametrize("given, error, text", WRONG, ids=[repr(case[0]) for case in WRONG])
def test_what_is_no_label_is_refused_by_its_value(rows, given, error, text):
    own = shale.Index(DIM, "l2")
    for index in (hnswlib.Index("l2", DIM), hnswlib.BFIndex("l2", DIM)):
        index.init_index(10)
        with pytest.raises(error, match=text):
            index.add_items(rows[: len(given)], given)
        assert index.get_current_count() == 0
    with pytest.raises(error, match=text):
        own.add(rows[: len(given)], given)
    assert own.add(rows[:1]).tolist() == [0]
    with pytest.raises(error, match=text):
        shale.build(rows[: len(given)], metric="l2", labels=given)
    if text not in ("Boolean", "None"):  # which are a mask, and one query's filter
        with pytest.raises((ValueError, TypeError)):
            own.search(rows[0], 1, filter=given)


def test_floats_that_hold_integers_are_taken_by_the_stand_in_alone(rows):
    index = hnswlib.Index("l2", DIM)
    index.init_index(10)
    index.add_items(rows[:3], np.array([5.0, 6.0, 7.0]))
    assert sorted(index.get_ids_list()) == [5, 6, 7]
    with pytest.raises(TypeError, match="float"):
        shale.Index(DIM, "l2").add(rows[:3], np.array([5.0, 6.0, 7.0]))


def test_single_labels_do_not_wrap_around(rows):
    index = hnswlib.Index("l2", DIM)
    index.init_index(10)
    index.add_items(rows[:3])
    for call in (index.mark_deleted, index.unmark_deleted):
        with pytest.raises(TypeError, match="18446744073709551616"):
            call(2**64)
    with pytest.raises(RuntimeError, match="^Label not found"):
        index.mark_deleted(2**64 - 1)
    with pytest.raises(RuntimeError, match="^Label not found"):
        index.get_items([2**64 - 1])
    own = shale.build(rows[:3], metric="l2")
    with pytest.raises(KeyError):
        own.delete([2**64 - 1])
    assert len(own) == 3


def test_conversion_keeps_the_shape():
    assert exact_labels([[2**63, 1], [2, 3]]).tolist() == [[2**63, 1], [2, 3]]
    assert exact_labels(2**63 + 1).tolist() == 2**63 + 1
    assert exact_labels([]).shape == (0,)
    assert exact_labels(range(2**63 - 2, 2**63 + 2)).tolist() == list(range(2**63 - 2, 2**63 + 2))


def test_masks_of_the_wrong_length_are_refused(rows):
    index = hnswlib.Index("l2", DIM)
    index.init_index(60)
    index.add_items(rows[:50])
    own = shale.build(rows[:50], metric="l2")
    sparse = shale.build(rows[:5], metric="l2", labels=[3, 9, 4, 40, 7])
    for size in (0, 1, 49, 61, 100):
        for search in (index.knn_query, own.search, sparse.search):
            with pytest.raises(ValueError, match=f"a mask of {size} values"):
                search(rows[0], filter=np.ones(size, bool))
        with pytest.raises(ValueError, match=f"a mask of {size} values"):
            own.search(rows[:2], filter=[np.ones(50, bool), np.ones(size, bool)])
    with pytest.raises(ValueError, match="a mask of 51 values"):
        own.search(rows[0], filter=np.ones(51, bool))
    for size in (50, 60):  # one for each row, or for each there is room for
        assert index.knn_query(rows[3], k=1, filter=np.ones(size, bool))[0].tolist() == [[3]]
    assert own.search(rows[3], 1, filter=np.ones(50, bool)).labels.tolist() == [3]
    assert sparse.search(rows[3], 1, filter=np.ones(41, bool)).labels.tolist() == [40]


def test_masks_go_with_what_is_added_and_removed(rows):
    index, exact = shale.Index(DIM, "l2"), hnswlib.BFIndex("l2", DIM)
    exact.init_index(30)
    for count in (10, 20):
        index.add(rows[count - 10 : count])
        exact.add_items(rows[count - 10 : count])
        mask = np.zeros(count, bool)
        mask[count - 1] = True
        assert index.search(rows[0], 1, filter=mask).labels.tolist() == [count - 1]
        assert exact.knn_query(rows[0], filter=mask)[0].tolist() == [[count - 1]]
    exact.delete_vector(19)
    for mask in (np.ones(19, bool), np.ones(20, bool)):
        assert exact.knn_query(rows[18], filter=mask)[0].tolist() == [[18]]
    with pytest.raises(ValueError, match="18"):
        exact.knn_query(rows[18], filter=np.ones(18, bool))
    index.delete([19])
    assert index.search(rows[0], 1, filter=np.ones(20, bool)).labels.tolist() == [0]


HUGE = [10**9, 10**12, 2**63 - 1, 2**63, 2**64 + 5, 2**70]


@pytest.mark.parametrize("many", HUGE)
def test_counts_beyond_all_there_is_are_capped_or_refused(rows, many):
    index, own = hnswlib.Index("l2", DIM), shale.build(rows[:10], metric="l2")
    index.init_index(10)
    index.add_items(rows[:10])
    few = "^Cannot return the results in a contiguous 2D array. Probably ef or M is too small"
    exact = hnswlib.BFIndex("l2", DIM)
    exact.init_index(10)
    exact.add_items(rows[:10])
    for search in (index.knn_query, exact.knn_query):
        for queries in (rows[0], rows[:10]):
            with pytest.raises(RuntimeError, match=few):
                search(queries, k=many)
    with pytest.raises(ValueError, match=str(many)):
        own.search(rows[:10], many)
    assert index.knn_query(np.repeat(rows[:10], 30, 0), num_threads=many)[0][::30, 0].tolist() == list(range(10))
    index.set_num_threads(many)
    index.add_items(rows[:10], np.arange(10))
    try:
        index.set_ef(many)
        assert index.knn_query(rows[:10], k=2)[0][:, 0].tolist() == list(range(10))
    except RuntimeError as error:
        assert str(many) in str(error) and "at most" in str(error)
    for name in ("ef", "threads", "rerank"):
        try:
            assert own.search(rows[:10], 2, **{name: many}).labels[:, 0].tolist() == list(range(10))
        except ValueError as error:
            assert f"{name} is {many}, not at most" in str(error)
    for call, number in (
        (lambda: hnswlib.Index("l2", DIM).init_index(10, ef_construction=many), many),
        (lambda: hnswlib.Index("l2", many), many),
        (lambda: shale.Index(DIM, "l2", m=many), many), (lambda: shale.Index(DIM, "l2", ef_construction=many), many),
        (lambda: shale.Index(many, "l2"), many), (lambda: shale.build(rows[:9], metric="l2", m=many), many),
    ):  # fmt: skip
        with pytest.raises((RuntimeError, ValueError), match=str(number)):
            made = call()
            made.init_index(10)  # of a constructor that makes nothing yet
    if many > 10**9:
        for call in (lambda: hnswlib.Index("l2", DIM).init_index(many), lambda: index.resize_index(many)):
            with pytest.raises(RuntimeError, match=str(many)):
                call()
        with pytest.raises(ValueError, match=str(many)):
            shale.Index(DIM, "l2", capacity=many)


def test_as_many_results_as_there_are_elements(rows):
    index = hnswlib.Index("l2", 2)
    index.init_index(5000)
    index.add_items(rows.reshape(-1, 2)[:5000])
    index.set_ef(5000)
    assert len(set(index.knn_query(rows[0, :2], k=5000)[0][0].tolist())) == 5000
    with pytest.raises(RuntimeError, match="^Cannot return the results"):
        index.knn_query(rows[0, :2], k=5001)
