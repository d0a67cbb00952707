"""Pickles, copies, and the dict of an index's state."""

import copy
import pickle

import numpy as np
import pytest
from conftest import DIM, build

from shale import hnswlib

KEYS = {
    "ser_version": int, "space": str, "dim": int, "index_inited": bool, "ep_added": bool, "normalize": bool,
    "num_threads": int, "seed": int, "offset_level0": int, "max_elements": int, "cur_element_count": int,
    "size_data_per_element": int, "label_offset": int, "offset_data": int, "max_level": int, "enterpoint_node": int,
    "max_M": int, "max_M0": int, "M": int, "mult": float, "ef_construction": int, "ef": int, "has_deletions": bool,
    "size_links_per_element": int, "allow_replace_deleted": bool, "label_lookup_external": np.uint64,
    "label_lookup_internal": np.uint32, "element_levels": np.int32, "data_level0": np.int8, "link_lists": np.int8,
}  # fmt: skip


def again(index):
    yield pickle.loads(pickle.dumps(index))
    yield copy.copy(index)
    yield copy.deepcopy(index)
    yield hnswlib.Index(index=index)
    yield hnswlib.Index(params=index.__getstate__()[0])


def test_everything_survives(space, rows):
    index = build(space, rows[:500], allow_replace_deleted=True, random_seed=9)
    index.resize_index(800)
    index.num_threads = 3
    for label in range(20):
        index.mark_deleted(label)
    want = index.knn_query(rows[:50], k=5)
    for other in again(index):
        assert (other.space, other.dim, other.ef, other.num_threads) == (space, DIM, 60, 3)
        assert (other.M, other.ef_construction, other.max_elements, other.element_count) == (16, 200, 800, 500)
        got = other.knn_query(rows[:50], k=5)
        np.testing.assert_array_equal(got[0], want[0])
        np.testing.assert_array_equal(got[1], want[1])
        other.add_items(rows[500:520], np.arange(500, 520), replace_deleted=True)
        assert other.element_count == 500
        other.add_items(rows[520:540])
        assert sorted(other.get_ids_list()) == [*range(20, 520 + 20)] or 500 in other.get_ids_list()
    assert index.element_count == 500


def test_the_dict(rows):
    state = build("cosine", rows[:300]).__getstate__()
    assert isinstance(state, tuple) and len(state) == 1
    params = state[0]
    assert set(params) == set(KEYS)
    for name, kind in KEYS.items():
        if isinstance(params[name], np.ndarray):
            assert params[name].dtype == kind and params[name].ndim == 1
        else:
            assert type(params[name]) is kind, name
    assert params["data_level0"].size == 300 * params["size_data_per_element"]
    assert params["element_levels"].size == 300
    assert params["link_lists"].size == params["element_levels"].sum() * params["size_links_per_element"]
    assert params["label_lookup_external"].tolist() == params["label_lookup_internal"].tolist() == list(range(300))
    assert params["normalize"] and params["ep_added"] and not params["has_deletions"]


def test_before_init_and_empty(rows):
    index = hnswlib.Index("ip", DIM)
    index.set_ef(77)
    for other in again(index):
        assert (other.ef, other.M, repr(other)) == (77, 0, repr(index))
        other.init_index(10)
        other.add_items(rows[:10])
    index.init_index(10)
    for other in again(index):
        assert (other.ef, other.M, other.max_elements, other.element_count) == (77, 16, 10, 0)
        other.add_items(rows[:10])
        assert other.knn_query(rows[:10], k=10)[0].shape == (10, 10)


def test_damaged_states_are_refused(rows):
    good = build("l2", rows[:200]).__getstate__()[0]
    changes = {
        "ser_version": 2, "dim": DIM + 1, "max_elements": 3, "cur_element_count": 201, "size_data_per_element": 8,
        "label_offset": 4,
        "offset_data": 4, "max_level": 99, "enterpoint_node": 5000, "max_M": 3, "max_M0": 3, "M": 0, "mult": 0.0,
        "element_levels": np.full(200, 2**30, np.int32), "data_level0": good["data_level0"][:-1],
        "link_lists": good["link_lists"][:-4],
        "offset_level0": -5, "ef_construction": 0,
    }  # fmt: skip
    for name, value in changes.items():
        with pytest.raises((RuntimeError, ValueError)):
            hnswlib.Index(params={**good, name: value})
    broken = good["data_level0"].copy()
    broken[4:8] = -1  # a link to nowhere
    with pytest.raises(RuntimeError, match="^Index seems to be corrupted"):
        hnswlib.Index(params={**good, "data_level0": broken})
    with pytest.raises(KeyError):
        hnswlib.Index(params={"space": "l2"})
    index = build("l2", rows[:200])
    for state in ((), ({}, {}), [{}]):
        with pytest.raises((RuntimeError, KeyError)):
            index.__setstate__(state)
    assert index.element_count == 200


def test_setting_the_state_replaces_the_old(rows):
    index, other = build("l2", rows[:100]), build("ip", rows[:200])
    index.__setstate__(other.__getstate__())
    assert index.space == "ip" and index.element_count == 200
