"""BFIndex."""

import numpy as np
import pytest
from conftest import DIM, distances, nearest

from shale import hnswlib


def build(space, rows, room=0):
    index = hnswlib.BFIndex(space=space, dim=DIM)
    index.init_index(max_elements=len(rows) + room)
    index.add_items(rows)
    return index


def test_exact(space, rows):
    index = build(space, rows[:500])
    labels, found = index.knn_query(rows[500:540], k=10)
    assert labels.dtype == np.uint64 and found.dtype == np.float32 and labels.shape == found.shape == (40, 10)
    want = nearest(space, rows[:500], rows[500:540], 10)
    for i in range(40):
        np.testing.assert_allclose(found[i], distances(space, rows[:500], rows[500 + i])[want[i]], rtol=1e-4, atol=1e-5)


def test_labels_overwriting_and_deletion(rows):
    index = build("l2", rows[:100], room=50)
    index.add_items(rows[100:110], np.arange(10))  # in place
    assert index.get_current_count() == 100
    index.add_items(rows[200:201])  # counted on from the rows added so far
    assert index.knn_query(rows[200])[0].tolist() == [[110]]
    index.delete_vector(110)
    index.delete_vector(110)
    index.delete_vector(12345)
    assert index.get_current_count() == 100 and index.get_max_elements() == 150
    assert index.knn_query(rows[200])[0][0, 0] != 110
    with pytest.raises(RuntimeError, match="^The number of elements exceeds the specified limit"):
        index.add_items(rows[:60], np.arange(1000, 1060))
    with pytest.raises(RuntimeError, match="^Cannot return the results"):
        index.knn_query(rows[0], k=151)


def test_properties():
    index = hnswlib.BFIndex("cosine", 8)
    assert repr(index) == "<hnswlib.BFIndex(space='cosine', dim=8)>"
    index.set_num_threads(3)
    assert index.num_threads == 3
    index.num_threads = 5
    assert index.num_threads == 5


def test_files(space, rows, tmp_path, capfd):
    index = build(space, rows[:100], room=20)
    index.delete_vector(3)
    index.save_index(str(tmp_path / "bf"))
    assert (tmp_path / "bf").stat().st_size == 24 + 120 * (4 * DIM + 8)
    again = hnswlib.BFIndex(space, DIM)
    again.load_index(tmp_path / "bf")
    assert again.get_current_count() == 99 and again.get_max_elements() == 120
    np.testing.assert_array_equal(again.knn_query(rows[:30], k=5)[1], index.knn_query(rows[:30], k=5)[1])
    again.delete_vector(5)
    assert again.knn_query(rows[5])[0][0, 0] != 5
    assert capfd.readouterr().err == ""
    again.load_index(tmp_path / "bf", max_elements=500)
    assert capfd.readouterr().err.startswith("Warning: Calling load_index for an already inited index.")
    assert again.get_max_elements() == 500
    with pytest.raises(RuntimeError, match="^Cannot open file"):
        again.load_index(tmp_path / "nothing")
    (tmp_path / "bf").write_bytes((tmp_path / "bf").read_bytes()[:-1])
    with pytest.raises(RuntimeError, match="^Index seems to be corrupted or unsupported"):
        again.load_index(tmp_path / "bf")
    assert again.get_current_count() == 99
