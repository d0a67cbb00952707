import signal
import sys

import numpy as np
import pytest

from shale import hnswlib

# What starts the tests in the background may have Ctrl-C ignored, and what they start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

DIM = 24


def pytest_runtest_setup(item):
    """Leaves out what a system doesn't have: see the markers in pyproject.toml."""
    if item.get_closest_marker("unix") and sys.platform == "win32":
        pytest.skip("Windows has none of this")
    if item.get_closest_marker("linux") and sys.platform != "linux":
        pytest.skip("only Linux has this")


@pytest.fixture(scope="session")
def rows():
    return np.random.default_rng(7).standard_normal((3000, DIM)).astype(np.float32)


@pytest.fixture(params=["l2", "ip", "cosine"])
def space(request):
    return request.param


def distances(space, rows, query):
    """What the distances of rows from a query are, in double precision."""
    rows, query = rows.astype(np.float64), query.astype(np.float64)
    if space == "l2":
        return ((rows - query) ** 2).sum(axis=1)
    if space == "cosine":
        rows = rows / (np.linalg.norm(rows, axis=1, keepdims=True) + 1e-30)
        query = query / (np.linalg.norm(query) + 1e-30)
    return 1 - rows @ query


def nearest(space, rows, queries, k):
    """The k nearest rows of each query."""
    return np.array([np.argsort(distances(space, rows, query), kind="stable")[:k] for query in queries])


def recall(found, true):
    return np.mean([len(np.intersect1d(a, b)) / len(b) for a, b in zip(found, true)])


def build(space, rows, **options):
    index = hnswlib.Index(space, rows.shape[1])
    index.init_index(len(rows), **options)
    index.add_items(rows)
    index.set_ef(60)
    return index
