"""ShardedIndex and .graph files."""

import multiprocessing
import struct

import numpy as np
import pytest
from conftest import DIM, distances, nearest, recall

from shale import hnswlib

CUTS = [0, 1000, 1100, 2200, 3000]


@pytest.fixture
def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def folder(space, unit, tmp_path):
    """A directory of four shards."""
    index, given = hnswlib.ShardedIndex(space, DIM), unit.copy()
    for i, (start, end) in enumerate(zip(CUTS, CUTS[1:])):
        index.build_shard(given[start:end], str(tmp_path / "shards"), i, start, M=12, ef_construction=80, num_threads=2)
    index.save_metadata(tmp_path / "shards", 4, len(unit), M=12, ef_construction=80)
    assert (index.get_num_shards(), index.get_total_elements()) == (4, len(unit))
    np.testing.assert_array_equal(given, unit)
    return tmp_path / "shards"


def opened(space, folder, unit, **options):
    index = hnswlib.ShardedIndex(space, DIM)
    index.load_shards(folder, unit, 4, **options)
    index.set_ef(100)
    return index


def test_all_shards(space, folder, unit):
    index = opened(space, folder, unit)
    assert repr(index) == f"<hnswlib.ShardedIndex(space='{space}', dim={DIM}, shards=4, elements=3000)>"
    labels, found = index.knn_query(unit[:60], k=10)
    assert labels.shape == found.shape == (60, 10) and labels.dtype == np.uint64 and found.dtype == np.float32
    assert recall(labels, nearest(space, unit, unit[:60], 10)) > 0.97
    for i in range(60):
        want = distances(space, unit, unit[i])[labels[i].astype(int)]
        np.testing.assert_allclose(found[i], want, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(index.knn_query(unit[7], k=10)[0][0], labels[7])


def test_halves_and_mapped_graphs(space, folder, unit):
    halves = unit.astype(np.float16)
    want = None
    for given in (halves, halves.view(np.uint16)):
        for mapped in (False, True):
            index = hnswlib.ShardedIndex(space, DIM)
            index.load_shards_fp16(folder, given, 4, use_mmap_graphs=mapped)
            index.set_ef(100)
            got = index.knn_query(unit[:60], k=5)
            want = want or got
            np.testing.assert_array_equal(got[0], want[0])
            np.testing.assert_array_equal(got[1], want[1])


def test_some_shards(space, folder, unit):
    index = opened(space, folder, unit)
    labels, _ = index.knn_query_selective(unit[:20], np.array([1, 3]), k=8)
    assert (((labels >= 1000) & (labels < 1100)) | (labels >= 2200)).all()
    for same in ([3, 1], np.array([1, 3, 99, 2**40, -1]), [1.0, 3.0], (3, 1)):
        np.testing.assert_array_equal(index.knn_query_selective(unit[:20], same, k=8)[0], labels)
    everything = index.knn_query_selective(unit[:20], range(4), k=8)
    np.testing.assert_array_equal(everything[0], index.knn_query(unit[:20], k=8)[0])
    labels, found = index.knn_query_selective(unit[:3], np.array([], np.int64), k=2)
    assert (labels == 2**64 - 1).all() and np.isinf(found).all()
    with pytest.raises(RuntimeError, match="shard_ids"):
        index.knn_query_selective(unit[:3], [[1]], k=2)


def test_fewer_than_k(space, folder, unit):
    index = opened(space, folder, unit)
    index.set_ef(200)
    labels, found = index.knn_query_selective(unit[1000:1003], [1], k=150)
    assert (labels[:, :100] < 1100).all() and (labels[:, 100:] == 2**64 - 1).all()
    assert np.isfinite(found[:, :100]).all() and np.isinf(found[:, 100:]).all()


def test_global_labels(space, folder, unit):
    index = opened(space, folder, unit)
    index.set_labels_are_global(True)
    labels, _ = index.knn_query_selective(unit[2200:2210], [3], k=1)
    np.testing.assert_array_equal(labels[:, 0], index.knn_query_selective(unit[2200:2210], [3], k=1)[0][:, 0])
    assert (labels < 800).all()
    index.set_labels_are_global(False)
    np.testing.assert_array_equal(index.knn_query_selective(unit[2200:2210], [3], k=1)[0], labels + 2200)
    other = hnswlib.ShardedIndex(space, DIM)
    other.set_labels_are_global(True)
    other.load_shards(folder, unit, 4)
    other.set_ef(100)
    np.testing.assert_array_equal(other.knn_query_selective(unit[2200:2210], [3], k=1)[0], labels)


def test_properties():
    index = hnswlib.ShardedIndex(space="l2", dim=8)
    assert (index.space, index.dim, index.ef) == ("l2", 8, 50)
    assert (index.get_num_shards(), index.get_total_elements()) == (0, 0)
    index.ef = 60
    index.num_threads = 3
    assert (index.ef, index.num_threads) == (60, 3)
    index.set_num_threads(2)
    assert index.num_threads == 2
    with pytest.raises(RuntimeError, match="not loaded"):
        index.knn_query(np.zeros(8))
    for name in ("space", "dim"):
        with pytest.raises(AttributeError):
            setattr(index, name, 1)


def test_what_is_refused(folder, unit, space, tmp_path):
    index = opened(space, folder, unit)
    want = index.knn_query(unit[:5], k=3)[0]
    for wrong in (unit[0], unit[:, :4], unit[None]):
        with pytest.raises(RuntimeError):
            index.load_shards(folder, wrong, 4)
        with pytest.raises(RuntimeError):
            index.build_shard(wrong, tmp_path, 0, 0)
    with pytest.raises(RuntimeError):
        index.load_shards(folder, unit[:-1], 4)
    with pytest.raises((RuntimeError, ValueError)):
        index.load_shards(folder, unit, 0)
    with pytest.raises(RuntimeError):
        index.load_shards(folder, unit, 5)
    with pytest.raises(RuntimeError):
        index.load_shards(tmp_path / "nothing", unit, 4)
    with pytest.raises(TypeError):
        index.load_shards_fp16(folder, unit, 4)
    with pytest.raises(RuntimeError, match="^Query dimension mismatch"):
        index.knn_query(unit[:3, :4])
    with pytest.raises(RuntimeError):
        index.build_shard(unit[:10], tmp_path / "no" / "such", 0, 0)
    with pytest.raises(ValueError):
        index.build_shard(np.full((10, DIM), np.nan), tmp_path, 0, 0)
    np.testing.assert_array_equal(index.knn_query(unit[:5], k=3)[0], want)


def test_files(folder, space, unit):
    meta = (folder / "index.meta").read_bytes()
    assert struct.unpack("<I6Q", meta[:52]) == (
        0x53484458, 4, 3000, DIM, 12, 80, len(space)
    ) and meta[52:].decode() == space
    assert struct.unpack("<3Q", (folder / "shard_2.meta").read_bytes()) == (1100, 2200, 1100)
    assert struct.unpack("<I", (folder / "shard_2.graph").read_bytes()[:4]) == (0x47524150,)
    alone = hnswlib.Index(space, DIM)
    alone.load_graph(folder / "shard_3.graph")
    alone.set_external_vectors(unit[2200:])
    alone.set_ef(100)
    np.testing.assert_array_equal(alone.knn_query(unit[2200:2300], k=1)[0][:, 0], np.arange(100))


def test_graph_round_trip(space, unit, tmp_path):
    index = hnswlib.Index(space, DIM)
    index.init_index_graph_only(len(unit), unit)
    index.add_items(unit[:2000])
    index.set_ef(80)
    want = index.knn_query(unit[:50], k=5)
    index.save_graph(tmp_path / "a.graph")
    other = hnswlib.Index(space, DIM)
    other.load_graph(str(tmp_path / "a.graph"))
    assert (other.element_count, other.max_elements, other.M, other.ef) == (2000, 3000, 16, 10)
    with pytest.raises(RuntimeError):
        other.knn_query(unit[:5])
    other.set_external_vectors(unit)
    other.set_ef(80)
    got = other.knn_query(unit[:50], k=5)
    np.testing.assert_array_equal(got[0], want[0])
    np.testing.assert_array_equal(got[1], want[1])
    other.add_items(unit[2000:])
    assert np.mean(other.knn_query(unit, k=1)[0][:, 0] == np.arange(3000)) > 0.99
    own = hnswlib.Index(space, DIM)  # with vectors of its own
    own.init_index(100)
    own.add_items(unit[:100])
    own.save_graph(tmp_path / "b.graph")
    other.load_graph(tmp_path / "b.graph")
    other.set_external_vectors_fp16(unit[:100].astype(np.float16))
    other.set_ef(50)
    np.testing.assert_array_equal(other.knn_query(unit[:100], k=1)[0][:, 0], np.arange(100))
    for name, content in {"cut": (tmp_path / "a.graph").read_bytes()[:-3], "empty": b""}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(RuntimeError, match="^Index seems to be corrupted or unsupported"):
            other.load_graph(tmp_path / name)
    with pytest.raises(RuntimeError, match="^Cannot open file"):
        other.load_graph(tmp_path / "nothing")
    assert other.element_count == 100


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.unix
def test_in_a_fork(space, folder, unit):
    index = opened(space, folder, unit)
    want = index.knn_query(unit[:50], k=5)[0]
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    child = context.Process(target=lambda: answers.put(index.knn_query(unit[:50], k=5)[0]))
    child.start()
    child.join(30)
    assert child.exitcode == 0
    np.testing.assert_array_equal(answers.get(), want)


WIDTH, CENTROIDS = 4, 50


@pytest.fixture(scope="module")
def codes(rows):
    """(codes, codebooks): each sub-vector by the nearest of some of the rows' own."""
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    parts = unit.reshape(len(unit), -1, WIDTH)
    books = parts[:CENTROIDS].transpose(1, 0, 2).copy()
    far = ((parts[:, :, None, :] - books[None]) ** 2).sum(axis=-1)
    return far.argmin(axis=-1).astype(np.uint8), books


def decoded(codes, books):
    return books[np.arange(books.shape[0]), codes].reshape(len(codes), -1)


@pytest.mark.parametrize(
    "residency", [{}, {"use_mmap_graphs": True}, {"n_ram_shards": 2}, {"n_ram_shards": 9, "use_mmap_graphs": True}]
)
def test_product_quantization(space, folder, unit, codes, residency):
    codes, books = codes
    index = hnswlib.ShardedIndex(space, DIM)
    index.load_shards_pq(folder, codes, books, 4, DIM // WIDTH, CENTROIDS, WIDTH, **residency)
    index.set_ef(200)
    assert index.get_total_elements() == len(unit)
    labels, found = index.knn_query(unit[:40], k=10)
    rows = decoded(codes, books)
    for i in range(40):  # squared L2 of the codes, in every space
        np.testing.assert_allclose(
            found[i], ((unit[i] - rows[labels[i].astype(int)]) ** 2).sum(axis=1), rtol=1e-4, atol=1e-5
        )
    assert (np.diff(found, axis=1) >= 0).all()
    if space != "ip":
        assert recall(labels, nearest("l2", rows, unit[:40], 10)) > 0.8
    one = [index.knn_query(unit[i], k=10)[0][0] for i in range(40)]  # a table for each query
    np.testing.assert_array_equal(np.array(one), labels)
    assert (index.knn_query_selective(unit[:5], [1], k=3)[0] // 100 == 10).all()


def test_codes_in_another_order(folder, unit, codes, space):
    codes, books = codes
    order = np.random.default_rng(2).permutation(len(codes))
    shuffled = np.empty_like(codes)
    shuffled[order] = codes
    plain, ordered = hnswlib.ShardedIndex(space, DIM), hnswlib.ShardedIndex(space, DIM)
    plain.load_shards_pq(folder, codes, books, 4, DIM // WIDTH, CENTROIDS, WIDTH)
    ordered.load_shards_pq(folder, shuffled, books, 4, DIM // WIDTH, CENTROIDS, WIDTH, sort_order=order)
    for one, two in zip(plain.knn_query(unit[:20], k=5), ordered.knn_query(unit[:20], k=5)):
        np.testing.assert_array_equal(one, two)


def test_codes_that_are_refused(folder, unit, codes, space):
    codes, books = codes
    index = hnswlib.ShardedIndex(space, DIM)
    fits = (DIM // WIDTH, CENTROIDS, WIDTH)
    for wrong in (
        (codes[0], books, 4, *fits), (codes[:, :3], books, 4, *fits), (codes, books[0], 4, *fits),
        (codes, books[:, :7], 4, *fits),
        (codes, books, 4, DIM // WIDTH, CENTROIDS, 2), (codes[:-1], books, 4, *fits),
        (np.full_like(codes, 200), books, 4, *fits),
    ):  # fmt: skip
        with pytest.raises((RuntimeError, ValueError)):
            index.load_shards_pq(folder, *wrong)
    with pytest.raises(TypeError):
        index.load_shards_pq(folder, codes.astype(np.int32), books, 4, *fits)
    for order in (np.arange(5), np.arange(len(codes)) + 1, np.arange(len(codes))[None], -np.arange(len(codes))):
        with pytest.raises(RuntimeError):
            index.load_shards_pq(folder, codes, books, 4, *fits, sort_order=order)
    with pytest.raises(RuntimeError, match="not loaded"):
        index.knn_query(unit[0])
