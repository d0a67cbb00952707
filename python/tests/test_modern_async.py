import asyncio

import numpy as np
import pytest

import shale
from conftest import DIM
from shale._api.search import Search


@pytest.fixture(scope="module")
def index(rows):
    with shale.Index(DIM, "cosine") as index:
        index.add(rows)
        yield index


def test_gives_what_a_search_gives(index, rows):
    found = asyncio.run(index.asearch(rows[:20], 5, ef=50, filter=range(0, 3000, 3)))
    want = index.search(rows[:20], 5, ef=50, filter=range(0, 3000, 3))
    np.testing.assert_array_equal(found.labels, want.labels)
    assert asyncio.run(index.asearch(rows[0], 5)).labels.shape == (5,)


def test_many_go_on_at_once_and_the_loop_too(index, rows):
    async def ticks(stop):
        count = 0
        while not stop.is_set():
            await asyncio.sleep(0.001)
            count += 1
        return count

    async def run():
        stop = asyncio.Event()
        ticking = asyncio.create_task(ticks(stop))
        found = await asyncio.gather(*(index.asearch(rows, 10, ef=300, threads=1) for _ in range(4)))
        stop.set()
        return found, await ticking

    found, ticked = asyncio.run(run())
    assert all((one.labels == found[0].labels).all() for one in found)
    assert ticked > 3


def test_cancelling_ends_the_search(index, rows):
    queries = np.tile(rows, (400, 1))  # minutes of work

    async def run():
        task = asyncio.create_task(index.asearch(queries, 10, ef=1000, threads=1))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())  # ends when its threads have ended
    search = Search(index, queries, 10, 1000, None, None, None, None, None, 1)
    search.cancelled.set()
    with pytest.raises(shale.CancelledError):
        search.run()
    assert index.search(rows[0], 1).labels[0] == 0


def test_mistakes_raise(index, rows):
    with pytest.raises(ValueError, match="24"):
        asyncio.run(index.asearch(rows[:, :3]))
    with pytest.raises(ValueError, match="k is 0"):
        asyncio.run(index.asearch(rows, 0))
