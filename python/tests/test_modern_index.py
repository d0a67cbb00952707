import copy
import multiprocessing
import os
import pickle
import threading

import numpy as np
import pytest
from pyroaring import BitMap, BitMap64

import shale
from conftest import DIM, distances, nearest, recall


@pytest.fixture(scope="module")
def queries(rows):
    return rows[:50] + np.float32(0.1) * np.random.default_rng(8).standard_normal((50, DIM)).astype(np.float32)


@pytest.fixture
def index(rows):
    with shale.Index(DIM, "l2") as index:
        index.add(rows)
        yield index


@pytest.mark.parametrize("codes", ["auto", "fp32", "fp16", "rabitq4", "sq8"])
def test_finds_the_nearest_with_their_distances(space, rows, queries, codes):
    with shale.Index(DIM, space, codes=codes) as index:
        index.add(rows)
        found = index.search(queries, 10, ef=200)
        assert found.labels.dtype == np.uint64 and found.distances.dtype == np.float32
        assert found.labels.shape == found.distances.shape == (50, 10) and found.found.all()
        assert recall(found.labels, nearest(space, rows, queries, 10)) > 0.98
        for labels, got, query in zip(found.labels, found.distances, queries):
            want = distances(space, rows[labels.astype(int)], query)
            np.testing.assert_allclose(
                got, want, rtol=1e-2 if codes != "fp32" else 1e-4, atol=1e-2 if codes != "fp32" else 1e-5
            )
            assert (np.diff(got) >= 0).all()


def test_one_query_gives_one_row(index, rows):
    labels, distances = index.search(rows[3], 5)
    assert labels.shape == distances.shape == (5,) and labels[0] == 3 and distances[0] == 0
    many = index.search(rows[3:4], 5)
    assert (many.labels[0] == labels).all() and (many.distances[0] == distances).all()
    assert index.search(rows[:0], 5).labels.shape == (0, 5)


def test_places_without_a_result_are_told(rows):
    index = shale.Index(DIM, "l2")
    assert (index.search(rows[:2], 3).labels == shale.NO_LABEL).all()
    index.add(rows[:2], [7, 9])
    found = index.search(rows[0], 3)
    assert found.labels.tolist() == [7, 9, shale.NO_LABEL] and found.found.tolist() == [True, True, False]
    assert np.isinf(found.distances[2])


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.float64, np.int8, np.uint8, np.int64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_takes_numbers_of_any_type_and_order(rows, dtype, order):
    given = np.asarray(np.round(rows * 20), dtype=dtype, order=order)
    if np.issubdtype(dtype, np.unsignedinteger):
        given = np.asarray(np.abs(np.round(rows * 20)), dtype=dtype, order=order)
    index = shale.Index(DIM, "l2", codes="fp32")
    index.add(given)
    assert index.search(given[:50], 1, ef=100).labels[:, 0].tolist() == list(range(50))
    np.testing.assert_allclose(index.vectors([4, 2]), given[[4, 2]].astype(np.float32))
    assert index.search(given[3].tolist(), 1).labels[0] == 3


def test_labels_are_given_or_follow_the_largest(rows):
    index = shale.Index(DIM, "l2")
    assert index.add(rows[:3]).tolist() == [0, 1, 2]
    assert index.add(rows[3:5], [2**64 - 10, 40]).tolist() == [2**64 - 10, 40]
    assert index.add(rows[5]).tolist() == [2**64 - 9]
    with pytest.raises(shale.Error, match="labels"):
        index.add(rows[:20])
    assert sorted(index.labels().tolist()) == [0, 1, 2, 40, 2**64 - 10, 2**64 - 9] and len(index) == 6


def test_adding_a_label_again_replaces_its_vector(index, rows):
    index.add(rows[100], [7])
    assert len(index) == 3000 and set(index.search(rows[100], 2).labels.tolist()) == {7, 100}
    np.testing.assert_array_equal(index.vectors(7), rows[100])


def test_deleted_vectors_are_not_found(index, rows):
    index.delete(np.arange(0, 3000, 2))
    assert len(index) == 1500 and (index.search(rows[:100], 10).labels % 2 == 1).all()
    with pytest.raises(KeyError, match="5000"):
        index.delete([1, 5000])
    assert len(index) == 1499 and index.info().deleted == 1501
    with pytest.raises(KeyError):
        index.delete(1)
    assert 1 not in index.labels()
    index.undelete([1, 4])
    assert len(index) == 1501 and index.search(rows[4], 1).labels.tolist() == [4]
    with pytest.raises(KeyError, match="not deleted"):
        index.undelete([1, 6])
    with pytest.raises(KeyError, match="5000"):
        index.undelete(5000)
    assert {1, 4, 6} <= set(index.labels().tolist()) and len(index) == 1502


def filters():
    odd = np.arange(1, 3000, 2)
    mask = np.zeros(3000, np.bool_)
    mask[odd] = True
    yield "mask", mask
    yield "array", odd
    yield "list", odd.tolist()
    yield "set", set(odd.tolist())
    yield "range", range(1, 3000, 2)
    yield "BitMap", BitMap(odd)
    yield "BitMap64", BitMap64(odd.tolist())
    yield "callable", lambda label: label % 2 == 1


@pytest.mark.parametrize("filter", [one for _, one in filters()], ids=[name for name, _ in filters()])
def test_filters_say_what_may_be_found(index, rows, queries, filter):
    found = index.search(queries, 5, ef=200, filter=filter)
    true = [np.flatnonzero(np.arange(3000) % 2)[row] for row in nearest("l2", rows[1::2], queries, 5)]
    assert (found.labels % 2 == 1).all() and recall(found.labels, np.array(true)) > 0.98


def test_a_filter_for_each_query(index, rows):
    found = index.search(rows[:3], 2, filter=[np.array([5, 6]), None, BitMap([7])])
    assert set(found.labels[0].tolist()) == {5, 6} and found.labels[1, 0] == 1
    assert found.labels[2].tolist() == [7, shale.NO_LABEL]
    with pytest.raises(ValueError, match="filters"):
        index.search(rows[:3], 2, filter=[np.array([5]), None])


def test_what_a_filter_raises_comes_back(index, rows):
    def broken(label):
        raise LookupError("broken")

    with pytest.raises(LookupError, match="broken"):
        index.search(rows[:3], 2, filter=broken)


@pytest.mark.parametrize("name, format", [("a", "auto"), ("a.shale", "auto"), ("a.bin", "hnswlib")])
def test_survives_being_saved(index, rows, queries, tmp_path, name, format):
    index.delete([1])
    index.save(tmp_path / name, format=format)
    assert index.path == str(tmp_path / name)
    with shale.open(tmp_path / name) as again:
        assert again.changeable and len(again) == 2999 and again.path == str(tmp_path / name) and again.dim == DIM
        assert recall(again.search(queries, 10).labels, index.search(queries, 10).labels) > 0.95
        again.add(rows[:1], [1])
        assert len(again) == 3000
    if format == "auto":
        assert shale.verify(tmp_path / name).ok


def test_saving_does_not_overwrite_what_others_saved(index, tmp_path):
    index.save(tmp_path / "a")
    other = shale.Index(DIM, "l2")
    with pytest.raises(FileExistsError, match="replace=True"):
        other.save(tmp_path / "a")
    other.save(tmp_path / "a", replace=True)
    with pytest.raises(FileExistsError, match="another process"):
        index.save(tmp_path / "a")


def test_survives_being_pickled_and_copied(index, queries):
    for again in (pickle.loads(pickle.dumps(index)), copy.deepcopy(index)):
        assert len(again) == 3000 and again.path == ""
        np.testing.assert_array_equal(again.search(queries, 5).labels, index.search(queries, 5).labels)


def test_tuning_reaches_the_recall(rows, queries):
    with shale.Index(DIM, "l2", codes="fp32", m=6) as index:
        index.add(rows)
        tuned = index.tune(queries, 0.97)
        assert (
            tuned.recall >= 0.97 and tuned.qps > 0 and (index.info().ef, index.info().slack) == (tuned.ef, tuned.slack)
        )
        true = nearest("l2", rows, queries, 10)
        assert recall(index.search(queries, 10).labels, true) == pytest.approx(tuned.recall, abs=1e-6)
        assert index.tune(queries, 0.97, truth=true).ef == tuned.ef or tuned.slack
        with pytest.raises(shale.RecallError, match="not reached"):
            index.tune(queries, 1.0, max_ef=10)


def test_tuning_can_be_saved(index, queries, tmp_path):
    index.save(tmp_path / "a")
    tuned = index.tune(queries, 0.9, save=True)
    with shale.open(tmp_path / "a") as again:
        assert again.info().ef == tuned.ef


def test_describes_itself(index):
    info = index.info()
    assert (info.rows, info.deleted, info.dim, info.metric, info.shards, info.m) == (3000, 0, DIM, "l2", 1, 16)
    assert info.changeable and info.memory_bytes > 3000 * DIM * 2 and sum(info.levels) == 3000
    assert repr(index) == f"<shale.Index of 3000 vectors, dim={DIM}, metric='l2'>"
    assert (index.dim, index.metric, index.path, index.changeable) == (DIM, "l2", "", True)


def test_a_closed_index_says_so(rows):
    with shale.Index(DIM, "l2") as index:
        index.add(rows[:10])
    assert repr(index) == "<shale.Index, closed>"
    index.close()
    for call in (
        lambda: index.search(rows[0]),
        lambda: index.add(rows),
        lambda: index.delete(1),
        lambda: index.undelete(1),
        lambda: len(index),
        index.labels,
        index.info,
    ):
        with pytest.raises(shale.ClosedError):
            call()


@pytest.mark.parametrize(
    "call, error, text",
    [
        (lambda x, r: x.search(r[:, :5]), ValueError, "24"),
        (lambda x, r: x.search(np.zeros((2, 2, DIM))), ValueError, "dimensions"),
        (lambda x, r: x.search(np.full(DIM, np.nan)), ValueError, "NaN|finite|infinity"),
        (lambda x, r: x.search(["a"] * DIM), TypeError, "numbers"),
        (lambda x, r: x.search(r[0] + 1j), TypeError, "numbers"),
        (lambda x, r: x.search(r[0], 0), ValueError, "k is 0"),
        (lambda x, r: x.search(r[0], -1), ValueError, "k is -1"),
        (lambda x, r: x.search(r[0], 2**40), ValueError, "k is"),
        (lambda x, r: x.search(r[0], 1.5), TypeError, "integer"),
        (lambda x, r: x.search(r[0], ef=0), ValueError, "ef is 0"),
        (lambda x, r: x.search(r[0], share=1.5), ValueError, "share"),
        (lambda x, r: x.search(r[0], filter=np.zeros((2, 2, 2), bool)), ValueError, "dimensions"),
        (lambda x, r: x.add(r[:, :5]), ValueError, "24"),
        (lambda x, r: x.add(r[:2] * np.inf), ValueError, "NaN|finite|infinity"),
        (lambda x, r: x.add(r[:2], [1]), ValueError, "labels"),
        (lambda x, r: x.add(r[:2], [1, -1]), ValueError, "negative"),
        (lambda x, r: x.add(r[:2], [1, 2**64]), ValueError, "labels"),
        (lambda x, r: x.add(r[:2], [1.5, 2]), TypeError, "integers"),
        (lambda x, r: x.add(r[:2], [[1, 2]]), ValueError, "dimensions"),
        (lambda x, r: x.vectors([10**6]), KeyError, "1000000"),
        (lambda x, r: x.tune(r[:9], 1.5), ValueError, "recall"),
        (lambda x, r: x.tune(r[:9], 0.9, truth=np.zeros((8, 10), int)), ValueError, "truth"),
        (lambda x, r: x.save("/no/such/folder/index"), FileNotFoundError, "folder"),
        (lambda x, r: x.save("a\0b"), ValueError, "null"),
        (lambda x, r: x.save(), ValueError, "path"),
    ],
)
def test_misuse_raises(index, rows, call, error, text):
    with pytest.raises(error, match=text), np.errstate(invalid="ignore"):
        call(index, rows)
    assert len(index) == 3000


@pytest.mark.parametrize(
    "arguments, error",
    [
        ((0, "l2"), ValueError),
        ((4, "L7"), ValueError),
        ((4.5, "l2"), TypeError),
        ((2**40, "l2"), ValueError),
        ((-4, "l2"), ValueError),
    ],
)
def test_impossible_indexes_are_refused(arguments, error):
    with pytest.raises(error):
        shale.Index(*arguments)
    for name, value in {"codes": "fp8", "rows": "fp8", "m": 1, "ef_construction": 0, "capacity": -1}.items():
        with pytest.raises(ValueError, match=name if name != "m" else "m is 1"):
            shale.Index(4, "l2", **{name: value})


def test_threads_search_add_and_delete_at_once(rows):
    index = shale.Index(DIM, "l2")
    index.add(rows[:1000])
    failed = []

    def run(work):
        try:
            for i in range(20):
                work(i)
        except Exception as error:
            failed.append(error)

    works = [
        lambda i: index.search(rows[:20], 5),
        lambda i: index.add(rows[1000 + 50 * i : 1050 + 50 * i]),
        lambda i: index.delete(list(range(10 * i, 10 * i + 10))),
        lambda i: index.add(rows[2000 + 50 * i : 2050 + 50 * i]),
        lambda i: index.search(rows[:20], 5, filter=range(500, 900)),
    ]
    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed and len(index) == 2800 and np.unique(index.labels()).size == 2800


def _in_child(index, divided, rows, pipe):
    index.add(rows[:1])
    pipe.send(
        (
            index.search(rows[5], 3).labels.tolist(),
            divided.search(rows[5], 3).labels.tolist(),
            len(index),
            shale.build(rows, metric="l2").path,
        )
    )


@pytest.mark.unix
def test_goes_on_in_a_child_of_fork(index, rows, tmp_path):
    divided = shale.build(rows, tmp_path / "divided", metric="l2", shards=2)
    tuned = index.tune(rows[:50], 0.9).ef
    want = index.search(rows[5], 3).labels.tolist(), divided.search(rows[5], 3).labels.tolist(), 3001, ""
    receive, send = multiprocessing.Pipe(False)
    child = multiprocessing.get_context("fork").Process(target=_in_child, args=(index, divided, rows, send))
    child.start()
    assert receive.poll(60) and receive.recv() == want
    child.join()
    assert child.exitcode == 0 and len(index) == 3000 and index.info().ef == tuned and os.getpid() != child.pid
