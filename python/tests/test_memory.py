"""Memory: nothing is copied that needn't be, and nothing leaks."""

import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.linux

TOOLS = """
import gc, os
import numpy as np
from shale import hnswlib

def resident(kind="RssAnon"):
    gc.collect()
    with open("/proc/self/status") as status:
        return sum(int(line.split()[1]) for line in status if line.startswith(kind)) / 1024

rows = np.random.default_rng(1).standard_normal((20_000, 256)).astype(np.float32)
rows /= np.linalg.norm(rows, axis=1, keepdims=True)
"""


def measured(code):
    """What code, in a process of its own, prints: MiB."""
    done = subprocess.run(
        [sys.executable, "-c", TOOLS + textwrap.dedent(code)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


def test_adding_takes_the_size_of_the_index():
    grown = measured("""
        index = hnswlib.BFIndex("l2", 256)
        index.init_index(len(rows))
        index.add_items(rows[:100])
        before = resident()
        index.add_items(rows, np.arange(len(rows)))
        print(resident() - before)
    """)
    assert grown < 20_000 * (4 * 256 + 8) / 2**20 + 8


def test_a_graph_takes_the_size_of_rows_links_and_codes():
    grown = measured("""
        index = hnswlib.Index("l2", 256)
        index.init_index(len(rows), M=8, ef_construction=20)
        index.add_items(rows[:10])
        before = resident()
        index.add_items(rows, np.arange(len(rows)))
        print(resident() - before)
    """)
    assert grown < 20_000 * (4 * 256 + 256 + 3 * 64 + 100) / 2**20 + 12


def test_attached_rows_take_nothing(tmp_path):
    grown = measured(f"""
        index = hnswlib.Index("cosine", 256)
        index.init_index_graph_only(len(rows), rows, M=8, ef_construction=20)
        index.add_items(rows[:2000])
        np.tile(rows, (10, 1)).tofile({str(tmp_path / "rows")!r})
        mapped = np.memmap({str(tmp_path / "rows")!r}, np.float32, "r", shape=(10 * len(rows), 256))
        before = resident("VmRSS")
        index.set_external_vectors(mapped)
        print(resident("VmRSS") - before)
    """)
    assert grown < 10


@pytest.mark.parametrize("cycle", ["plain", "files", "links", "pickles", "filters"])
def test_cycles_leak_nothing(cycle, tmp_path):
    grown = measured(f"""
        import pickle
        few, path = rows[:50], {str(tmp_path / "a")!r}

        def plain():
            index = hnswlib.Index("l2", 256)
            index.init_index(50)
            index.add_items(few)
            index.knn_query(few[:10], k=3)

        def files():
            index = hnswlib.Index("l2", 256)
            index.init_index(50)
            index.add_items(few)
            index.save_index(path)
            index.load_index(path)
            try:
                index.load_index(path + "x")
            except RuntimeError:
                pass

        def links():
            index = hnswlib.Index("cosine", 256)
            index.init_index_graph_only(50, few.copy())
            index.add_items(few)
            index.set_external_vectors_fp16(few.astype(np.float16))
            index.knn_query(few[:10], k=3)

        def pickles():
            index = hnswlib.Index("l2", 256)
            index.init_index(50)
            index.add_items(few)
            pickle.loads(pickle.dumps(index)).knn_query(few[:10], k=3)

        shared = hnswlib.Index("l2", 256)
        shared.init_index(50)
        shared.add_items(few)

        def filters():
            for given in (lambda label: True, np.ones(50, bool), np.arange(50)):
                shared.knn_query(few[:10], k=3, filter=given)

        import sys
        sys.stderr = open(os.devnull, "w")
        for _ in range(100):
            {cycle}()
        growth = []
        for _ in range(5):
            before = resident()
            for _ in range(300):
                {cycle}()
            growth.append(resident() - before)
        print(min(growth))
    """)
    # The heaps of Go and C grow and shrink by some MiB. What leaks grows every time:
    # 7 KiB a cycle make the 2 MiB, and the 50 rows take 50.
    assert grown < 2
