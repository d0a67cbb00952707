"""Index: every method, what it gives, and what it refuses."""

import numpy as np
import pytest
from conftest import DIM, build, distances, nearest, recall

from shale import hnswlib


def test_queries(space, rows):
    index = build(space, rows)
    labels, found = index.knn_query(rows[:50], k=10)
    assert labels.shape == found.shape == (50, 10)
    assert labels.dtype == np.uint64 and found.dtype == np.float32
    assert labels.flags.c_contiguous and found.flags.c_contiguous
    assert recall(labels, nearest(space, rows, rows[:50], 10)) > 0.97
    assert (np.diff(found, axis=1) >= 0).all()
    for i in range(50):
        want = distances(space, rows, rows[i])[labels[i].astype(int)]
        np.testing.assert_allclose(found[i], want, rtol=1e-4, atol=1e-4)
    if space == "cosine":
        assert (found >= 0).all()


def test_one_row_is_what_a_batch_gives(space, rows):
    index = build(space, rows)
    labels, found = index.knn_query(rows[:40], k=5)
    for i in range(40):
        for query in (rows[i], rows[i : i + 1], rows[i].tolist(), [rows[i].tolist()]):
            one = index.knn_query(query, k=5)
            np.testing.assert_array_equal(one[0], labels[i : i + 1])
            np.testing.assert_array_equal(one[1], found[i : i + 1])


def test_input_types(rows):
    whole = np.round(rows * 4)
    want = build("l2", whole).knn_query(whole[:20], k=4)
    wide = np.zeros((len(rows), 2 * DIM), np.float32)
    wide[:, ::2] = whole
    readonly = whole.copy()
    readonly.flags.writeable = False
    for given in (
        whole.astype(np.float64), whole.astype(np.float16), whole.astype(np.int8), whole.astype(np.int64), wide[:, ::2],
        np.asfortranarray(whole), whole.astype(">f4"), readonly, whole.tolist(),
    ):  # fmt: skip
        index = hnswlib.Index("l2", DIM)
        index.init_index(len(rows))
        index.add_items(given)
        index.set_ef(60)
        labels, found = index.knn_query(given[:20], k=4)
        np.testing.assert_array_equal(found, want[1])
        np.testing.assert_array_equal(labels, want[0])


def test_input_is_not_changed(space, rows):
    given, queries = rows.copy(), rows[:5].copy()
    build(space, given).knn_query(queries, k=3)
    np.testing.assert_array_equal(given, rows)
    np.testing.assert_array_equal(queries, rows[:5])


def test_labels(rows):
    index = hnswlib.Index("l2", DIM)
    index.init_index(200)
    index.add_items(rows[:10])
    index.add_items(rows[10:20], np.arange(100, 110))
    index.add_items(rows[20], 7_000_000_000)
    index.add_items(rows[21:22], [2**63 + 5])
    index.add_items(rows[22:24])  # counted on from the rows added so far
    want = [*range(10), *range(100, 110), 7_000_000_000, 2**63 + 5, 22, 23]
    assert sorted(index.get_ids_list()) == sorted(want)
    assert all(type(label) is int for label in index.get_ids_list())
    assert index.knn_query(rows[21], k=1)[0][0, 0] == 2**63 + 5
    for given in (np.arange(5, dtype=np.int8), [float(i) for i in range(5)], tuple(range(5)), range(5)):
        index.add_items(rows[:5], given)
    assert index.get_current_count() == len(want)


def test_labels_count_on_after_a_load(rows, tmp_path):
    build("l2", rows[:20]).save_index(tmp_path / "a.bin")
    index = hnswlib.Index("l2", DIM)
    index.load_index(tmp_path / "a.bin", max_elements=30)
    index.add_items(rows[20:30])
    assert sorted(index.get_ids_list()) == list(range(30))


def test_get_items(space, rows):
    index = build(space, rows[:100])
    stored = rows[:100]
    if space == "cosine":
        stored = stored / np.linalg.norm(stored, axis=1, keepdims=True)
    got = index.get_items(np.arange(100))
    assert got.dtype == np.float32 and got.shape == (100, DIM)
    np.testing.assert_allclose(got, stored, rtol=1e-6, atol=1e-7)
    if space != "cosine":
        np.testing.assert_array_equal(got, stored)
    np.testing.assert_array_equal(index.get_items([[3], [5]]), got[[3, 5]])
    assert index.get_items([3, 5], return_type="list") == got[[3, 5]].tolist()
    for nothing in (None, [], np.empty(0, np.uint64)):
        assert index.get_items(nothing).size == 0
        assert index.get_items(nothing, "list") == []
    for wrong in (3, np.uint64(3), [[1, 2], [3, 4]]):
        with pytest.raises(ValueError):
            index.get_items(wrong)
    with pytest.raises(ValueError):
        index.get_items([1], return_type="tuple")
    with pytest.raises(RuntimeError, match="^Label not found"):
        index.get_items([1, 1000])
    index.mark_deleted(1)
    with pytest.raises(RuntimeError, match="^Label not found"):
        index.get_items([1])


def test_properties(rows):
    index = hnswlib.Index(space="cosine", dim=DIM)
    assert (index.space, index.dim, index.ef, index.M) == ("cosine", DIM, 10, 0)
    assert (index.max_elements, index.element_count, index.ef_construction) == (0, 0, 0)
    assert index.num_threads >= 1
    assert repr(index) == f"<hnswlib.Index(space='cosine', dim={DIM})>"
    index.set_ef(33)
    index.init_index(max_elements=50, M=12, ef_construction=5)
    assert (index.ef, index.M, index.ef_construction, index.max_elements) == (33, 12, 12, 50)
    index.add_items(rows[:7])
    assert index.element_count == index.get_current_count() == 7
    assert index.get_max_elements() == 50
    index.ef = 44
    index.num_threads = 3
    assert (index.ef, index.num_threads) == (44, 3)
    index.set_num_threads(2)
    assert index.num_threads == 2
    for name in ("space", "dim", "max_elements", "element_count", "ef_construction", "M"):
        with pytest.raises(AttributeError):
            setattr(index, name, 1)


def test_links_are_capped(capfd):
    index = hnswlib.Index("l2", 2)
    index.init_index(3, M=20_000)
    assert index.M == 10_000
    assert "10000" in capfd.readouterr().err.replace(",", "")


def test_same_seed_same_graph(rows, tmp_path):
    files = []
    for name, seed in (("a", 5), ("b", 5), ("c", 6), ("d", 0)):
        index = hnswlib.Index("l2", DIM)
        index.init_index(500, random_seed=seed)
        index.add_items(rows[:500], num_threads=1)
        index.save_index(tmp_path / name)
        files.append((tmp_path / name).read_bytes())
    assert files[0] == files[1]
    assert files[0] != files[2] != files[3] != files[0]


def test_updates(space, rows):
    index = build(space, rows[:1000])
    index.add_items(rows[1000:1200], np.arange(200))
    assert index.element_count == 1000
    now = np.concatenate([rows[1000:1200], rows[200:1000]])
    assert recall(index.knn_query(now, k=1)[0], nearest(space, now, now, 1)) > 0.99
    assert recall(index.knn_query(now[:100], k=10)[0], nearest(space, now, now[:100], 10)) > 0.95


def test_deletion(rows):
    index = build("l2", rows[:1000])
    for label in range(0, 1000, 2):
        index.mark_deleted(label)
    labels, _ = index.knn_query(rows[:1000], k=5)
    assert (labels % 2 == 1).all()
    assert index.element_count == 1000 and len(index.get_ids_list()) == 1000
    with pytest.raises(RuntimeError, match="^The requested to delete element is already deleted"):
        index.mark_deleted(0)
    with pytest.raises(RuntimeError, match="^The requested to undelete element is not deleted"):
        index.unmark_deleted(1)
    with pytest.raises(RuntimeError, match="^Label not found"):
        index.mark_deleted(5000)
    with pytest.raises(RuntimeError, match="^Label not found"):
        index.unmark_deleted(5000)
    index.unmark_deleted(np.uint64(0))
    assert index.knn_query(rows[0], k=1)[0][0, 0] == 0
    index.add_items(rows[2], 2)  # comes back
    assert index.knn_query(rows[2], k=1)[0][0, 0] == 2
    with pytest.raises(
        RuntimeError, match="^Cannot return the results in a contiguous 2D array. Probably ef or M is too small$"
    ):
        index.knn_query(rows[0], k=600)


def test_replacement(rows):
    index = hnswlib.Index("l2", DIM)
    index.init_index(100, allow_replace_deleted=True)
    index.add_items(rows[:100])
    for label in range(10):
        index.mark_deleted(label)
    with pytest.raises(RuntimeError, match="^The number of elements exceeds the specified limit"):
        index.add_items(rows[100:101], [500])
    with pytest.raises(
        RuntimeError,
        match="^Can't use addPoint to update deleted elements if replacement of deleted elements is enabled."
    ):
        index.add_items(rows[100:101], [3])
    index.add_items(rows[100:110], np.arange(500, 510), replace_deleted=True)
    assert index.element_count == index.max_elements == 100
    assert sorted(index.get_ids_list()) == [*range(10, 100), *range(500, 510)]
    np.testing.assert_array_equal(index.knn_query(rows[100:110], k=1)[0][:, 0], np.arange(500, 510))
    with pytest.raises(RuntimeError, match="^The number of elements exceeds the specified limit"):
        index.add_items(rows[110:111], [600], replace_deleted=True)
    index.mark_deleted(20)
    index.add_items(rows[110:111], [30], replace_deleted=True)  # alive: updated in place
    assert sorted(index.get_ids_list()) == [*range(10, 100), *range(500, 510)]
    assert index.knn_query(rows[110], k=1)[0][0, 0] == 30


def test_replacement_must_be_allowed(rows):
    index = build("l2", rows[:50])
    index.mark_deleted(0)
    with pytest.raises(RuntimeError, match="^Replacement of deleted elements is disabled in constructor"):
        index.add_items(rows[50:51], [50], replace_deleted=True)


def test_capacity(rows):
    index = hnswlib.Index("l2", DIM)
    index.init_index(100)
    with pytest.raises(RuntimeError, match="^The number of elements exceeds the specified limit"):
        index.add_items(rows[:101])
    index.resize_index(300)
    index.add_items(rows[:300], np.arange(300))
    assert index.max_elements == index.element_count == 300
    with pytest.raises(RuntimeError, match="^Cannot resize"):
        index.resize_index(299)
    np.testing.assert_array_equal(index.knn_query(rows[:300], k=1)[0][:, 0], np.arange(300))


def test_filters_and_k_beyond_what_is_there(rows):
    index = build("l2", rows[:20])
    assert index.knn_query(rows[:2], k=20)[0].shape == (2, 20)
    with pytest.raises(RuntimeError, match="^Cannot return the results"):
        index.knn_query(rows[:2], k=21)


def test_no_queries(rows):
    index = build("l2", rows[:20])
    labels, found = index.knn_query(np.empty((0, DIM), np.float32), k=3)
    assert labels.shape == found.shape == (0, 3)
    index.add_items(np.empty((0, DIM), np.float32))
    assert index.element_count == 20


def test_zero_vectors():
    index = hnswlib.Index("cosine", 4)
    index.init_index(10)
    index.add_items([[0, 0, 0, 0], [1, 0, 0, 0]])
    labels, found = index.knn_query([[1, 0, 0, 0], [0, 0, 0, 0]], k=2)
    np.testing.assert_allclose(found, [[0, 1], [1, 1]], atol=1e-6)
    assert labels[0].tolist() == [1, 0] and labels[1].tolist() == [0, 1]


def test_an_index_without_capacity():
    index = hnswlib.Index("l2", 4)
    index.init_index(0)
    with pytest.raises(RuntimeError, match="^The number of elements exceeds the specified limit"):
        index.add_items([[1, 2, 3, 4]])
    index.resize_index(1)
    index.add_items([[1, 2, 3, 4]])
    assert index.knn_query([1, 2, 3, 4])[0].tolist() == [[0]]


@pytest.mark.parametrize("dim", [48, 200, 768])
def test_codes_beside_rows_change_no_result(dim):
    """Walks over codes find what walks over rows find, and give the rows' distances."""
    rows = np.random.default_rng(dim).standard_normal((2500, dim)).astype(np.float32)
    index = build("l2", rows, M=24)
    index.set_ef(300)
    labels, found = index.knn_query(rows[:60], k=5)
    assert recall(labels, nearest("l2", rows, rows[:60], 5)) > 0.9
    for i in range(60):
        np.testing.assert_allclose(
            found[i], distances("l2", rows, rows[i])[labels[i].astype(int)], rtol=1e-4, atol=1e-3
        )
    np.testing.assert_array_equal(index.get_items(np.arange(2500)), rows)
