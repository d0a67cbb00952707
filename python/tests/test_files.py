"""index.bin."""

import struct

import numpy as np
import pytest
from conftest import DIM, build

from shale import hnswlib


def test_round_trip(space, rows, tmp_path):
    index = build(space, rows[:800])
    index.resize_index(1000)
    for label in range(0, 50, 3):
        index.mark_deleted(label)
    want = index.knn_query(rows[:80], k=7)
    index.save_index(str(tmp_path / "a.bin"))
    assert (tmp_path / "a.bin").stat().st_size == index.index_file_size()
    for path in (tmp_path / "a.bin", str(tmp_path / "a.bin"), bytes(tmp_path / "a.bin")):
        other = hnswlib.Index(space, DIM)
        other.load_index(path)
        assert (other.ef, other.M, other.ef_construction, other.max_elements, other.element_count) == (
            10, 16, 200, 1000, 800
        )
        other.set_ef(60)
        got = other.knn_query(rows[:80], k=7)
        np.testing.assert_array_equal(got[0], want[0])
        np.testing.assert_array_equal(got[1], want[1])
    other.save_index(tmp_path / "b.bin")
    assert (tmp_path / "a.bin").read_bytes() == (tmp_path / "b.bin").read_bytes()


def test_header(rows, tmp_path):
    build("l2", rows[:100], M=8, ef_construction=40).save_index(tmp_path / "a.bin")
    head = struct.unpack("<6QiI3QdQ", (tmp_path / "a.bin").read_bytes()[:96])
    stride = 4 + 4 * 16 + 4 * DIM + 8
    assert head[:6] == (0, 100, 100, stride, stride - 8, 4 + 4 * 16)
    assert head[8:] == (8, 16, 8, 1 / np.log(8), 40)


def test_capacity_and_replacement(rows, tmp_path):
    build("l2", rows[:100]).save_index(tmp_path / "a.bin")
    index = hnswlib.Index("l2", DIM)
    for asked, got in ((0, 100), (50, 100), (100, 100), (150, 150)):
        index.load_index(tmp_path / "a.bin", max_elements=asked)
        assert index.max_elements == got
    index.load_index(tmp_path / "a.bin", allow_replace_deleted=True)
    index.mark_deleted(4)
    index.add_items(rows[100], 100, replace_deleted=True)
    assert index.element_count == 100


def test_loading_over_an_index(rows, tmp_path, capfd):
    build("l2", rows[:100]).save_index(tmp_path / "a.bin")
    index = build("l2", rows[:300])
    index.load_index(tmp_path / "a.bin")
    assert capfd.readouterr().err.startswith("Warning: Calling load_index for an already inited index.")
    assert index.element_count == 100 and index.ef == 10


def test_swapped_spaces(rows, tmp_path):
    build("l2", rows[:100]).save_index(tmp_path / "a.bin")
    index = hnswlib.Index("ip", DIM)
    index.load_index(tmp_path / "a.bin")
    index.set_ef(100)
    found = index.knn_query(rows[:5], k=1)[1][:, 0]
    np.testing.assert_allclose(found, (1 - rows[:5] @ rows[:100].T).min(axis=1), rtol=1e-4)


def test_an_empty_index(tmp_path):
    index = hnswlib.Index("l2", 4)
    index.init_index(10)
    index.save_index(tmp_path / "a.bin")
    assert (tmp_path / "a.bin").stat().st_size == 96
    other = hnswlib.Index("l2", 4)
    other.load_index(tmp_path / "a.bin")
    other.add_items(np.eye(4))
    assert other.knn_query(np.eye(4), k=4)[0].shape == (4, 4)


def test_a_failed_load_leaves_the_old_index(rows, tmp_path):
    index = build("l2", rows[:300])
    want = index.knn_query(rows[:20], k=3)[0]
    index.save_index(tmp_path / "a.bin")
    whole = (tmp_path / "a.bin").read_bytes()
    for name, content in {
        "cut": whole[:-1], "short": whole[:50], "empty": b"", "noise": np.random.default_rng(1).bytes(5000),
        "far": whole[:100] + b"\xff\xff\xff\x7f" + whole[104:], "more": whole + b"\0",
    }.items():  # fmt: skip
        (tmp_path / name).write_bytes(content)
        with pytest.raises(RuntimeError, match="^Index seems to be corrupted or unsupported"):
            index.load_index(tmp_path / name)
    with pytest.raises(RuntimeError, match="^Cannot open file"):
        index.load_index(tmp_path / "nothing")
    with pytest.raises(RuntimeError):
        index.load_index(tmp_path)
    with pytest.raises(ValueError):
        index.load_index("a\0b")
    with pytest.raises(RuntimeError, match="^Index seems to be corrupted or unsupported"):
        hnswlib.Index("l2", DIM + 1).load_index(tmp_path / "a.bin")
    np.testing.assert_array_equal(index.knn_query(rows[:20], k=3)[0], want)


def test_a_failed_save(rows, tmp_path):
    index = build("l2", rows[:100])
    with pytest.raises(RuntimeError, match="^Cannot open file"):
        index.save_index(tmp_path / "no" / "such" / "folder")
    with pytest.raises(RuntimeError):
        index.save_index(tmp_path)
    assert list(tmp_path.iterdir()) == []
