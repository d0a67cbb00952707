"""Beside hnswlib 0.8.0 itself, in one process: files, pickles, results and errors."""

import pickle

import hnswlib as original
import numpy as np
import pytest

from shale import hnswlib as ours

DIM, COUNT = 24, 2000


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(5).standard_normal((COUNT, DIM)).astype(np.float32)


@pytest.fixture(params=["l2", "ip", "cosine"])
def space(request):
    return request.param


def prepared(module, space, rows):
    """An index with deletions, updates, other labels and a resize."""
    index = module.Index(space=space, dim=DIM)
    index.init_index(max_elements=1000, M=12, ef_construction=100, random_seed=3, allow_replace_deleted=True)
    index.add_items(rows[:900])
    index.add_items(rows[900:1000], np.arange(5000, 5100))
    index.resize_index(1500)
    index.add_items(rows[1000:1100], np.arange(100))
    for label in range(200, 260):
        index.mark_deleted(label)
    index.add_items(rows[1100:1130], np.arange(7000, 7030), replace_deleted=True)
    index.mark_deleted(300)
    index.set_ef(100)
    return index


def without_rests(level0, index):
    """Level 0 without what lists hold past their ends, which means nothing."""
    stride, room = 4 + 8 * index.M + 4 * DIM + 8, 2 * index.M
    elements = np.frombuffer(level0, np.uint8).reshape(-1, stride).copy()
    links = elements[:, 4 : 4 + 4 * room].reshape(len(elements), room, 4)
    links[np.arange(room) >= elements[:, :2].copy().view(np.uint16)] = 0
    elements[:, 4 : 4 + 4 * room] = links.reshape(len(elements), -1)
    return elements.tobytes()


def agree(one, two, rows, k=8):
    for index in (one, two):
        index.set_ef(100)
    labels, distances = one.knn_query(rows[:200], k=k)
    others, far = two.knn_query(rows[:200], k=k)
    assert labels.dtype == others.dtype and distances.dtype == far.dtype
    np.testing.assert_allclose(distances, far, rtol=1e-4, atol=1e-5)
    assert np.mean(labels == others) > 0.999
    assert sorted(one.get_ids_list()) == sorted(two.get_ids_list())
    for name in ("space", "dim", "M", "ef_construction", "max_elements", "element_count", "ef"):
        assert getattr(one, name) == getattr(two, name), name
    alive = np.unique(labels)
    np.testing.assert_allclose(one.get_items(alive), two.get_items(alive), rtol=1e-6, atol=1e-7)


def go_on(index, rows):
    """What can be done with an index that was read."""
    index.unmark_deleted(300)
    index.mark_deleted(7001)
    index.add_items(rows[1200:1300], np.arange(9000, 9100))
    index.add_items(rows[1300:1310], np.arange(10))
    assert index.knn_query(rows[1300], k=1)[0][0, 0] == 0 or index.space == "ip"
    assert (index.knn_query(rows[:300], k=5)[0] != 7001).all()


@pytest.mark.parametrize("writer, reader", [(original, ours), (ours, original)], ids=["read", "written"])
def test_files(writer, reader, space, rows, tmp_path):
    index = prepared(writer, space, rows)
    index.save_index(str(tmp_path / "a.bin"))
    assert (tmp_path / "a.bin").stat().st_size == index.index_file_size()
    other = reader.Index(space=space, dim=DIM)
    other.load_index(str(tmp_path / "a.bin"))
    assert other.index_file_size() == index.index_file_size()
    agree(index, other, rows)
    other.save_index(str(tmp_path / "b.bin"))
    one, two = (tmp_path / "a.bin").read_bytes(), (tmp_path / "b.bin").read_bytes()
    end = 96 + index.element_count * (4 + 8 * index.M + 4 * DIM + 8)
    assert len(one) == len(two) and one[:96] == two[:96]
    assert without_rests(one[96:end], index) == without_rests(two[96:end], index)
    if writer is ours:
        assert one == two
    other.load_index(str(tmp_path / "a.bin"), max_elements=3000)
    assert other.max_elements == 3000
    go_on(other, rows)


@pytest.mark.parametrize("writer, reader", [(original, ours), (ours, original)], ids=["read", "written"])
def test_states(writer, reader, space, rows):
    index = prepared(writer, space, rows)
    state = index.__getstate__()[0]
    other = reader.Index(params=pickle.loads(pickle.dumps(state)))
    agree(index, other, rows)
    back = other.__getstate__()[0]
    assert set(state) == set(back)
    for name, value in state.items():
        if isinstance(value, np.ndarray):
            assert value.dtype == back[name].dtype and value.shape == back[name].shape, name
            if name == "data_level0":
                assert without_rests(value, index) == without_rests(back[name], index)
            elif name == "element_levels" or name == "link_lists" and writer is ours:
                np.testing.assert_array_equal(value, back[name], name)
        else:
            assert type(value) is type(back[name]) and value == back[name], name
    assert dict(zip(state["label_lookup_external"].tolist(), state["label_lookup_internal"].tolist())) == dict(
        zip(back["label_lookup_external"].tolist(), back["label_lookup_internal"].tolist())
    )
    go_on(other, rows)


def test_states_before_init(space):
    for writer, reader in ((original, ours), (ours, original)):
        index = writer.Index(space=space, dim=DIM)
        index.set_ef(33)
        other = reader.Index(params=index.__getstate__()[0])
        assert (other.ef, other.space, repr(other)) == (33, space, repr(index))
        assert set(index.__getstate__()[0]) == set(other.__getstate__()[0])


@pytest.mark.parametrize("writer, reader", [(original, ours), (ours, original)], ids=["read", "written"])
def test_brute_force_files(writer, reader, space, rows, tmp_path):
    index = writer.BFIndex(space=space, dim=DIM)
    index.init_index(700)
    index.add_items(rows[:600])
    index.delete_vector(17)
    index.save_index(str(tmp_path / "a"))
    other = reader.BFIndex(space=space, dim=DIM)
    other.load_index(str(tmp_path / "a"))
    assert other.get_current_count() == 599 and other.get_max_elements() == 700
    queries = rows[:50] / np.linalg.norm(rows[:50], axis=1, keepdims=True)  # which the original doesn't do
    labels, distances = index.knn_query(queries, k=6)
    others, far = other.knn_query(queries, k=6)
    np.testing.assert_array_equal(labels, others)
    np.testing.assert_allclose(distances, far, rtol=1e-4, atol=1e-5)


def outcome(call):
    """What a call gives, or the kind of its error and how its text starts."""
    try:
        result = call()
    except Exception as error:
        return type(error), str(error)[:15] if isinstance(error, RuntimeError) else ""
    return [
        (r.shape, r.dtype) if isinstance(r, np.ndarray) else r for r in (
            result if isinstance(result, tuple) else (result,)
        )
    ]


CALLS = {
    "space": lambda m, i, r: m.Index(space="l1", dim=3),
    "no dim": lambda m, i, r: m.Index(space="l2"),
    "again": lambda m, i, r: i.init_index(5),
    "width": lambda m, i, r: i.add_items(r[:3, :5]),
    "3 d": lambda m, i, r: i.add_items(r[:8].reshape(2, 4, -1)),
    "full": lambda m, i, r: i.add_items(r[:500], np.arange(20_000, 20_500)),
    "few labels": lambda m, i, r: i.add_items(r[:3], [1, 2]),
    "replaced": lambda m, i, r: i.add_items(r[:1], [300]),
    "unknown": lambda m, i, r: i.mark_deleted(99_999),
    "deleted": lambda m, i, r: i.mark_deleted(300),
    "alive": lambda m, i, r: i.unmark_deleted(1),
    "items": lambda m, i, r: i.get_items([99_999]),
    "scalar": lambda m, i, r: i.get_items(3),
    "kind": lambda m, i, r: i.get_items([3], return_type="x"),
    "no items": lambda m, i, r: i.get_items(),
    "one column": lambda m, i, r: i.get_items([[3], [4]]),
    "resize": lambda m, i, r: i.resize_index(10),
    "file": lambda m, i, r: m.Index("l2", 4).load_index("/no/such/file"),
    "k": lambda m, i, r: i.knn_query(r[:2], k=1400),
    "queries": lambda m, i, r: i.knn_query(r[:2], k=7),
    "query": lambda m, i, r: i.knn_query(r[0]),
    "filter": lambda m, i, r: i.knn_query(r[0], k=3, filter=lambda label: label % 2 == 0),
    "type of k": lambda m, i, r: i.knn_query(r[0], k="a"),
    "type of ef": lambda m, i, r: i.set_ef("a"),
    "negative ef": lambda m, i, r: i.set_ef(-1),
    "repr": lambda m, i, r: repr(i),
    "count": lambda m, i,
    r: (i.get_current_count(), i.get_max_elements(), i.element_count, i.max_elements, i.M, i.ef_construction),
}


@pytest.mark.parametrize("name", CALLS)
def test_outcomes(name, rows):
    one, two = (outcome(lambda m=m: CALLS[name](m, prepared(m, "l2", rows), rows)) for m in (original, ours))
    assert one == two
