"""Indexes in mapped files."""

import multiprocessing
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from conftest import DIM, build, nearest, recall

from shale import hnswlib


@pytest.mark.unix
def test_an_index_in_a_file(space, rows, tmp_path):
    path = tmp_path / "a.mmap"
    path.write_bytes(b"what was there")
    index = hnswlib.Index(space, DIM)
    index.init_index_mmap(1500, path, M=12, ef_construction=100, allow_replace_deleted=True)
    index.add_items(rows[:1000])
    index.mark_deleted(3)
    index.set_ef(80)
    want = index.knn_query(rows[:50], k=5)
    assert recall(want[0], nearest(space, rows[:1000], rows[:50], 5)) > 0.9
    index.save_index(tmp_path / "a.bin")
    for size in (3000, 1500):  # the file is replaced by one of another size
        index.resize_index(size)
        assert index.max_elements == size
        np.testing.assert_array_equal(index.knn_query(rows[:50], k=5)[0], want[0])
    with pytest.raises(RuntimeError):
        index.resize_index(999)
    with pytest.raises(RuntimeError, match="open elsewhere"):
        hnswlib.Index(space, DIM).load_index_mmap(path, read_only=False)
    index.close()
    for other, load in ((hnswlib.Index(space, DIM), "load_index_mmap"), (hnswlib.Index(space, DIM), "load_index")):
        getattr(other, load)(path if load == "load_index_mmap" else tmp_path / "a.bin")
        other.set_ef(80)
        got = other.knn_query(rows[:50], k=5)
        np.testing.assert_array_equal(got[0], want[0])
        np.testing.assert_array_equal(got[1], want[1])
        if load == "load_index_mmap":
            with pytest.raises(RuntimeError):
                other.add_items(rows[1000:1010])
        other.close()
    index = hnswlib.Index(space, DIM)
    index.load_index_mmap(path, read_only=False)
    assert (index.element_count, index.max_elements, index.M, index.ef_construction) == (1000, 1500, 12, 100)
    index.add_items(rows[1000:1500])
    with pytest.raises(RuntimeError, match="^The number of elements exceeds the specified limit"):
        index.add_items(rows[1500:1501])
    assert index.element_count == 1500
    with pytest.raises(RuntimeError):
        hnswlib.Index(space, DIM + 1).load_index_mmap(tmp_path / "a.mmap")


@pytest.mark.unix
def test_a_process_that_is_killed(tmp_path):
    code = f"""
        import os, signal
        import numpy as np
        from shale import hnswlib
        rows = np.random.default_rng(7).standard_normal((3000, {DIM})).astype(np.float32)
        index = hnswlib.Index("l2", {DIM})
        index.init_index_mmap(3000, {str(tmp_path / "a")!r})
        index.add_items(rows[:2000])
        os.kill(os.getpid(), signal.SIGKILL)
    """
    assert subprocess.run([sys.executable, "-c", textwrap.dedent(code)], timeout=60).returncode == -9
    rows = np.random.default_rng(7).standard_normal((3000, DIM)).astype(np.float32)
    index = hnswlib.Index("l2", DIM)
    index.load_index_mmap(tmp_path / "a", read_only=False)
    index.set_ef(50)
    assert np.mean(index.knn_query(rows[:2000], k=1)[0][:, 0] == np.arange(2000)) > 0.99


@pytest.mark.unix
def test_a_mapped_index_bin(space, rows, tmp_path, capfd):
    index = build(space, rows[:800])
    index.mark_deleted(5)
    want = index.knn_query(rows[:50], k=5)
    index.save_index(tmp_path / "a.bin")
    index.load_index_mmap(tmp_path / "a.bin")
    assert capfd.readouterr().err.startswith("Warning: Calling load_index_mmap for an already inited index.")
    assert (index.ef, index.element_count, index.M) == (10, 800, 16)
    index.set_ef(60)
    got = index.knn_query(rows[:50], k=5)
    np.testing.assert_array_equal(got[0], want[0])
    np.testing.assert_allclose(got[1], want[1], rtol=1e-6, atol=1e-7)
    index.unmark_deleted(5)
    assert index.knn_query(rows[5], k=1)[0][0, 0] == 5 or space == "ip"
    for call in (
        lambda: index.add_items(rows[800:801]), lambda: index.add_items(rows[800:900]), lambda: index.resize_index(900)
    ):
        with pytest.raises(RuntimeError):
            call()
    index.save_index(tmp_path / "b.bin")
    index.mark_deleted(5)
    index.save_index(tmp_path / "a.bin")  # over the file that is mapped
    np.testing.assert_array_equal(index.knn_query(rows[:50], k=5)[0], want[0])
    assert (tmp_path / "a.bin").stat().st_size == (tmp_path / "b.bin").stat().st_size
    whole = (tmp_path / "b.bin").read_bytes()
    for name, content in {"cut": whole[:-1], "empty": b"", "noise": b"x" * 500}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(RuntimeError, match="^Index seems to be corrupted or unsupported"):
            index.load_index_mmap(tmp_path / name)
    with pytest.raises(RuntimeError, match="^Cannot open file"):
        index.load_index_mmap(tmp_path / "nothing")
    assert index.element_count == 800


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.unix
def test_in_a_fork(rows, tmp_path):
    """A child may search what its parent has in a file, and not change it."""
    index = hnswlib.Index("l2", DIM)
    index.init_index_mmap(1000, tmp_path / "a")
    index.add_items(rows[:900])
    build("l2", rows[:900]).save_index(tmp_path / "b")
    other = hnswlib.Index("l2", DIM)
    other.load_index_mmap(tmp_path / "b")
    want = [index.knn_query(rows[:30], k=3)[0], other.knn_query(rows[:30], k=3)[0]]

    def work():
        found = [index.knn_query(rows[:30], k=3)[0], other.knn_query(rows[:30], k=3)[0]]
        errors = 0
        for call in (
            lambda: index.add_items(rows[900:901]), lambda: index.add_items(rows[900:950]),
            lambda: index.mark_deleted(3)
        ):
            try:
                call()
            except RuntimeError:
                errors += 1
        return found, errors

    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    child = context.Process(target=lambda: answers.put(work()))
    child.start()
    child.join(30)
    assert child.exitcode == 0
    found, errors = answers.get()
    np.testing.assert_array_equal(found, want)
    assert errors == 3
    index.add_items(rows[900:1000])
    assert index.element_count == 1000
