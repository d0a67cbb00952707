"""Many threads, signals, and what a process forked off finds."""

import multiprocessing
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest
from conftest import DIM, build

from shale import hnswlib

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


def test_everything_at_once(rows, tmp_path):
    index = hnswlib.Index("l2", DIM)
    index.init_index(3000, allow_replace_deleted=True)
    index.add_items(rows[:1000])
    index.set_ef(50)
    errors, done = [], threading.Event()

    def repeat(work):
        try:
            i = 0
            while not done.is_set():
                work(i)
                i += 1
        except BaseException as error:
            errors.append(error)

    def search(i):
        labels, found = index.knn_query(rows[i % 900 : i % 900 + 30], k=3)
        assert (np.diff(found, axis=1) >= 0).all()

    def delete(i):
        index.mark_deleted(i % 100)
        index.unmark_deleted(i % 100)

    def grow(i):
        index.resize_index(3000 + i % 7)

    works = [
        search, lambda i: search(7 * i), delete, grow, lambda i: index.save_index(tmp_path / "a.bin"),
        lambda i: index.__getstate__(), lambda i: index.get_ids_list(), lambda i: index.get_items([500, 600]),
    ]  # fmt: skip
    threads = [threading.Thread(target=repeat, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for start in range(1000, 3000, 100):
        index.add_items(rows[start : start + 100], num_threads=2)
    done.set()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(index.get_ids_list()) == list(range(3000))


def test_closing_while_others_search(rows):
    for _ in range(20):
        index, errors = build("l2", rows[:500]), []

        def search():
            try:
                while True:
                    index.knn_query(rows[:20], k=3)
            except RuntimeError as error:
                errors.append(str(error))

        threads = [threading.Thread(target=search) for _ in range(3)]
        for thread in threads:
            thread.start()
        index.close()
        for thread in threads:
            thread.join(20)
        assert len(errors) == 3 and all("closed" in error for error in errors)


def run(code, *arguments, **options):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments], capture_output=True, text=True, timeout=60, **options
    )


@pytest.mark.parametrize("call", ["index.add_items(rows)", "index.knn_query(rows, k=5)", "exact.knn_query(rows, k=5)"])
@pytest.mark.unix
def test_interrupts(call):
    """Ctrl-C ends what takes long within a fraction of a second, and the index is in order afterwards."""
    code = f"""
        import os, signal, threading, time
        import numpy as np
        from shale import hnswlib
        rows = np.random.default_rng(1).standard_normal((100_000, 64)).astype(np.float32)
        exact = hnswlib.BFIndex("l2", 64)
        exact.init_index(len(rows))
        exact.add_items(rows)
        index = hnswlib.Index("l2", 64)
        index.init_index(len(rows))
        index.add_items(rows[:100])
        index.set_ef(90_000 if "query" in {call!r} else 10)
        def interrupt():
            global asked
            asked = time.monotonic()
            os.kill(os.getpid(), signal.SIGINT)
        timer = threading.Timer(0.5, interrupt)
        timer.start()
        try:
            while True:
                {call}
        except KeyboardInterrupt:
            took = time.monotonic() - asked
        index.add_items(rows[:1], [0])
        index.set_ef(10)
        assert index.knn_query(rows[0])[0].tolist() == [[0]]
        print(took)
    """
    done = run(code)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 5


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.linux
def test_crashes_elsewhere_stay_crashes(when):
    """The handlers of Python and of faulthandler go on working beside Go's."""
    code = f"""
        import faulthandler, signal, sys
        if {when == "before"}:
            faulthandler.enable()
        from shale import hnswlib
        faulthandler.enable()
        caught = []
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGPIPE):
            signal.signal(number, lambda number, frame: caught.append(number))
            signal.raise_signal(number)
        print(len(caught), flush=True)
        import ctypes
        ctypes.string_at(0)
    """
    done = run(code)
    assert done.stdout == "4\n"
    assert done.returncode == -signal.SIGSEGV
    assert "Segmentation fault" in done.stderr


def in_child(work):
    """What work gives in a process forked off."""
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    child = context.Process(target=lambda: answers.put(work()))
    child.start()
    child.join(30)
    assert child.exitcode == 0
    return answers.get()


@pytest.mark.unix
def test_an_index_goes_on_in_a_fork(space, rows):
    index = build(space, rows[:1000])
    index.resize_index(1200)
    index.mark_deleted(3)
    exact = hnswlib.BFIndex(space, DIM)
    exact.init_index(1000)
    exact.add_items(rows[:1000])
    alone = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    links = hnswlib.Index(space, DIM)
    links.init_index_graph_only(1000, alone)
    links.add_items(alone[:1000])

    def answers():
        return [i.knn_query(rows[:1], k=5) for i in (index, exact, links)] + [
            i.knn_query(rows[:40], k=5) for i in (index, exact, links)
        ]

    def child():
        found = answers()
        index.add_items(rows[1000:1100])
        index.unmark_deleted(3)
        index.resize_index(2000)
        index.add_items(rows[1100:1300])
        exact.delete_vector(7)
        own = build(space, rows[:50])
        labels = sorted(index.get_ids_list())
        return found, labels, exact.get_current_count(), own.knn_query(rows[:3])[0], in_child(answers)

    want = answers()
    found, labels, count, own, grandchild = in_child(child)
    for got in (found, grandchild[1:3] + grandchild[4:]):
        for one, two in zip(got, want if len(got) == 6 else want[1:3] + want[4:]):
            if got is found:
                np.testing.assert_array_equal(one[0], two[0])
                np.testing.assert_array_equal(one[1], two[1])
    assert len(grandchild) == 6
    assert labels == list(range(1300)) and count == 999 and own.shape == (3, 1)
    for one, two in zip(answers(), want):  # nothing of that is seen here
        np.testing.assert_array_equal(one[0], two[0])
    assert index.element_count == 1000 and exact.get_current_count() == 1000


@pytest.mark.unix
def test_a_fork_while_others_add(rows):
    index = hnswlib.Index("l2", DIM)
    index.init_index(len(rows))
    adding = threading.Thread(target=lambda: index.add_items(rows, num_threads=2))
    adding.start()
    seen = []
    for _ in range(5):
        time.sleep(0.02)
        seen.append(in_child(lambda: (index.element_count, sorted(index.get_ids_list()))))
    adding.join()
    for count, labels in seen:
        assert labels == list(range(count))
    assert index.element_count == len(rows)


@pytest.mark.unix
def test_many_children(rows):
    index = build("l2", rows[:500])
    want = index.knn_query(rows[:20], k=3)[0].tolist()
    with multiprocessing.get_context("fork").Pool(4) as pool:
        for got in pool.map_async(_query, [(index, rows[:20])] * 20).get(timeout=60):
            assert got == want


def _query(given):
    index, queries = given
    return index.knn_query(queries, k=3)[0].tolist()
