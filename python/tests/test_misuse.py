"""What can't be done raises, and leaves everything as it was."""

import numpy as np
import pytest
from conftest import DIM, build

from shale import hnswlib


@pytest.mark.parametrize("kind", [hnswlib.Index, hnswlib.BFIndex])
def test_constructor(kind):
    with pytest.raises(RuntimeError, match="^Space name must be one of l2, ip, or cosine."):
        kind("l3", 4)
    for arguments in ((), ("l2",), ("l2", 1.5), (4, "l2"), ("l2", "4"), ("l2", -1)):
        with pytest.raises(TypeError):
            kind(*arguments)
    with pytest.raises(RuntimeError):
        kind("l2", 0)


@pytest.mark.parametrize("kind", [hnswlib.Index, hnswlib.BFIndex])
def test_before_init(kind, rows, tmp_path):
    index = kind("l2", DIM)
    for call in (
        lambda: index.add_items(rows[:3]), lambda: index.add_items(rows[:30]), lambda: index.knn_query(rows[0]),
        lambda: index.knn_query(rows[:50]), lambda: index.knn_query(rows[:50], filter=lambda label: True),
        lambda: index.save_index(tmp_path / "a"), lambda: index.get_max_elements(), lambda: index.get_current_count(),
    ):  # fmt: skip
        with pytest.raises(RuntimeError, match="not initiated"):
            call()
    if kind is hnswlib.BFIndex:
        with pytest.raises(RuntimeError, match="not initiated"):
            index.delete_vector(1)
        return
    for call in (
        lambda: index.get_items([0]), lambda: index.mark_deleted(0), lambda: index.unmark_deleted(0),
        index.get_ids_list,
        lambda: index.resize_index(10), index.index_file_size, lambda: index.set_external_vectors(rows),
    ):  # fmt: skip
        with pytest.raises(RuntimeError, match="not initiated"):
            call()


@pytest.mark.parametrize("kind", [hnswlib.Index, hnswlib.BFIndex])
def test_after_close(kind, rows):
    index = kind("l2", DIM)
    index.init_index(100)
    index.add_items(rows[:100])
    index.close()
    index.close()
    with pytest.raises(RuntimeError, match="closed"):
        index.knn_query(rows[0])
    with pytest.raises(RuntimeError, match="closed"):
        index.add_items(rows[0])
    index.init_index(10)
    index.add_items(rows[:10])
    assert index.get_current_count() == 10


@pytest.mark.parametrize("kind", [hnswlib.Index, hnswlib.BFIndex])
def test_twice(kind):
    index = kind("l2", 4)
    index.init_index(10)
    with pytest.raises(RuntimeError, match="^The index is already initiated."):
        index.init_index(10)


@pytest.mark.parametrize("kind", [hnswlib.Index, hnswlib.BFIndex])
def test_shapes(kind, rows):
    index = kind("l2", DIM)
    index.init_index(100)
    index.add_items(rows[:10])
    for wrong in (rows[:5, :7], rows[0, :7], np.zeros((3, DIM + 1)), []):
        with pytest.raises(RuntimeError, match="^Wrong dimensionality of the vectors"):
            index.add_items(wrong)
        with pytest.raises(RuntimeError, match="^Wrong dimensionality of the vectors"):
            index.knn_query(wrong)
    for wrong in (rows[:6].reshape(2, 3, DIM), 5, None):
        with pytest.raises(RuntimeError, match="^Input vector data wrong shape"):
            index.add_items(wrong)
        with pytest.raises(RuntimeError, match="^Input vector data wrong shape"):
            index.knn_query(wrong)
    for ids in ([1, 2], [], [[1], [2], [3]], 5):
        with pytest.raises(RuntimeError, match="^The input label shape"):
            index.add_items(rows[:3], ids)
    assert index.get_current_count() == 10


@pytest.mark.parametrize("kind", [hnswlib.Index, hnswlib.BFIndex])
def test_values(kind, rows):
    index = kind("cosine", DIM)
    index.init_index(100)
    index.add_items(rows[:10])
    for bad in (np.nan, np.inf, -np.inf):
        for count in (1, 40):
            given = rows[20 : 20 + count].copy()
            given[-1, 3] = bad
            with pytest.raises(ValueError):
                index.add_items(given)
            with pytest.raises(ValueError):
                index.knn_query(given)
    with pytest.raises(ValueError):
        index.add_items(np.full((1, DIM), 1e300))  # infinity in single precision
    assert index.get_current_count() == 10
    assert index.knn_query(rows[:10], k=1)[0][:, 0].tolist() == list(range(10))
    for ids in ([-1], [2**64], [0.5], [np.nan]):
        with pytest.raises((ValueError, OverflowError)):
            index.add_items(rows[:1], ids)
    for ids in (["a"], [None], [b"x"]):
        with pytest.raises((TypeError, ValueError)):
            index.add_items(rows[:1], ids)
    for data in ("text", ["a", "b"], {"a": 1}, object()):
        with pytest.raises((TypeError, ValueError)):
            index.add_items(data)


def test_types(rows):
    index = build("l2", rows[:50])
    for call in (
        lambda: index.knn_query(rows[0], k="2"), lambda: index.knn_query(rows[0], k=1.5),
        lambda: index.knn_query(rows[:40], k=2.0),
        lambda: index.set_ef("a"), lambda: index.set_ef(-1), lambda: index.set_ef(1.5), lambda: index.mark_deleted("a"),
        lambda: index.mark_deleted(-1), lambda: index.resize_index(100.5), lambda: index.save_index(5.5),
        lambda: hnswlib.Index("l2", 4).init_index("a"), lambda: hnswlib.Index("l2", 4).init_index(-5),
        lambda: hnswlib.Index("l2", 4).init_index(5, M=2.5), lambda: index.load_index(None),
        lambda: hnswlib.Index(params=5), lambda: hnswlib.Index(index="a"),
        lambda: index.knn_query(rows[:40], num_threads="a"),
    ):  # fmt: skip
        with pytest.raises(TypeError):
            call()
    with pytest.raises((ValueError, TypeError)):
        index.knn_query(rows[0], k=-1)
    for labels, found in (index.knn_query(rows[0], k=0), index.knn_query(rows[:40], k=0)):
        assert labels.shape == found.shape and labels.shape[1] == 0
    for m in (0, 1):
        with pytest.raises(RuntimeError, match="M must be at least 2"):
            hnswlib.Index("l2", 4).init_index(5, M=m)


def test_more_than_memory_holds():
    index = hnswlib.Index("l2", 4)
    with pytest.raises(RuntimeError):
        index.init_index(2**40)
    index.init_index(10)
    with pytest.raises(RuntimeError):
        index.resize_index(2**62)
    assert index.max_elements == 10
