"""The distribution shale-hnswlib: `import hnswlib` means shale.hnswlib."""

import pickle

import hnswlib
import numpy as np

import shale.hnswlib


def test_it_is_the_same():
    assert hnswlib.Index is shale.hnswlib.Index
    assert hnswlib.BFIndex is shale.hnswlib.BFIndex
    assert hnswlib.ShardedIndex is shale.hnswlib.ShardedIndex


def test_a_program_of_hnswlib():
    rows = np.float32(np.random.default_rng(1).random((1000, 16)))
    index = hnswlib.Index(space="l2", dim=16)
    index.init_index(max_elements=1000, ef_construction=100, M=16)
    index.set_ef(50)
    index.add_items(rows, np.arange(1000))
    labels, distances = index.knn_query(rows, k=1)
    assert np.mean(labels[:, 0] == np.arange(1000)) > 0.99
    copy = pickle.loads(pickle.dumps(index))
    np.testing.assert_array_equal(copy.knn_query(rows, k=1)[0], labels)


def test_pickles_of_hnswlib_name_its_module():
    """They say hnswlib.Index, which is found here."""
    state = shale.hnswlib.Index("l2", 4).__getstate__()
    text = pickle.dumps(shale.hnswlib.Index("l2", 4), protocol=0).replace(b"shale.hnswlib", b"hnswlib")
    index = pickle.loads(text)
    assert type(index) is shale.hnswlib.Index
    assert index.__getstate__()[0].keys() == state[0].keys()
