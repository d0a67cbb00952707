"""External indexes, over rows that the caller holds."""

import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from conftest import DIM, nearest, recall

from shale import hnswlib


@pytest.fixture
def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def external(space, rows, count=None):
    index = hnswlib.Index(space, rows.shape[1])
    index.init_index_graph_only(len(rows), rows)
    index.add_items(rows[:count])
    index.set_ef(80)
    return index


def test_build_and_search(space, unit):
    before = unit.copy()
    index = external(space, unit)
    assert index.element_count == index.max_elements == len(unit)
    labels, _ = index.knn_query(unit[:50], k=10)
    assert recall(labels, nearest(space, unit, unit[:50], 10)) > 0.95
    np.testing.assert_array_equal(unit, before)
    np.testing.assert_array_equal(index.get_items([7, 5]), unit[[7, 5]])


def test_halves(unit):
    index = external("cosine", unit)
    want = index.knn_query(unit[:50], k=1)[0]
    halves = unit.astype(np.float16)
    for given in (halves, halves.view(np.uint16)):
        index.set_external_vectors_fp16(given)
        np.testing.assert_array_equal(index.knn_query(unit[:50], k=1)[0], want)
    index.set_external_vectors(unit)
    np.testing.assert_array_equal(index.knn_query(unit[:50], k=1)[0], want)


def test_piece_by_piece(unit):
    index = external("l2", unit, 500)
    index.add_items(unit[500:1500], num_threads=2)
    index.add_items(unit[1500:].astype(np.float64), np.arange(5000, 5000 + len(unit) - 1500))
    labels = np.r_[0:1500, 5000 : 5000 + len(unit) - 1500]
    np.testing.assert_array_equal(index.knn_query(unit, k=1)[0][:, 0], labels)


def test_rows_live_as_long_as_the_index(unit):
    index = external("l2", unit.copy())
    junk = [np.full_like(unit, i) for i in range(5)]
    np.testing.assert_array_equal(index.knn_query(unit[:50], k=1)[0][:, 0], np.arange(50))
    assert len(junk) == 5


def test_mapped_rows(unit, tmp_path):
    np.save(tmp_path / "rows.npy", unit)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    index = external("cosine", mapped)
    np.testing.assert_array_equal(index.knn_query(unit[:50], k=1)[0][:, 0], np.arange(50))


@pytest.mark.parametrize("faulthandler", ["", "before", "after"])
@pytest.mark.linux
def test_a_file_cut_off_under_the_index(tmp_path, faulthandler):
    """Reading past the end of a mapped file raises a signal; it must become an exception, whoever handles signals
    besides."""
    code = f"""
        import faulthandler
        import numpy as np
        if {faulthandler == "before"}:
            faulthandler.enable()
        from shale import hnswlib
        if {faulthandler == "after"}:
            faulthandler.enable()
        rows = np.random.default_rng(1).standard_normal((3000, 64)).astype(np.float32)
        rows.tofile({str(tmp_path / "rows")!r})
        mapped = np.memmap({str(tmp_path / "rows")!r}, np.float32, "r", shape=rows.shape)
        index = hnswlib.Index("l2", 64)
        index.init_index_graph_only(3000, mapped)
        index.add_items(mapped)
        with open({str(tmp_path / "rows")!r}, "r+b") as f:
            f.truncate(0)
        for queries in (rows[:50], rows[0]):
            try:
                index.knn_query(queries)
            except RuntimeError as error:
                print("mapped file" in str(error))
        import ctypes
        ctypes.string_at(0)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["True", "True"], done.stderr
    assert done.returncode == -signal.SIGSEGV
    assert ("Segmentation fault" in done.stderr) == bool(faulthandler)


def test_what_is_refused(unit):
    index = hnswlib.Index("cosine", DIM)
    for wrong in (unit[0], unit[:, :5], unit[None]):
        with pytest.raises(RuntimeError, match="^External vectors"):
            index.init_index_graph_only(10, wrong)
    with pytest.raises(RuntimeError, match="^External vectors"):
        index.init_index_graph_only(len(unit) + 1, unit)
    with pytest.raises(RuntimeError, match="normalised"):
        index.init_index_graph_only(len(unit), unit * 2)
    index.init_index_graph_only(100, unit)
    with pytest.raises(RuntimeError, match="aren't the external vectors"):
        index.add_items(unit[1:101])
    with pytest.raises(RuntimeError, match="^The number of elements exceeds the specified limit"):
        index.add_items(unit[:101])
    with pytest.raises(RuntimeError, match="^Wrong dimensionality"):
        index.add_items(unit[:10, :5])
    index.add_items(unit[:100])
    index.set_ef(50)
    with pytest.raises(RuntimeError):
        index.set_external_vectors(unit[:99])
    with pytest.raises(TypeError):
        index.set_external_vectors_fp16(unit)
    np.testing.assert_array_equal(index.knn_query(unit[:50], k=1)[0][:, 0], np.arange(50))
    own = hnswlib.Index("l2", DIM)
    own.init_index(10)
    with pytest.raises(RuntimeError, match="rows of its own"):
        own.set_external_vectors(unit)
