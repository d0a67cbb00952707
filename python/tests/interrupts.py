"""Raises exceptions at random places of Python's code, within calls of the package: python interrupts.py COUNT SEED.

Memory that is freed is given back to the system at once (the caller sets MALLOC_MMAP_THRESHOLD_), so that work which
goes on with it ends the process. A call that returns has done what it says; one that raises leaves all in order.
"""

import copy
import ctypes
import mmap
import os
import pickle
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter

import numpy as np

import shale
from shale import hnswlib
from shale.integrations._store import Store

DIM, ROWS = 256, 160
RNG = np.random.default_rng(1)
ALL = RNG.standard_normal((4 * ROWS, DIM)).astype(np.float32)
FOLDER = tempfile.mkdtemp()


class Stop(BaseException):
    """What no code expects."""


EXCEPTIONS = (KeyboardInterrupt, Stop, TimeoutError, RuntimeError, MemoryError)


def fleeting(rows):
    """A copy of rows whose memory is unmapped when it is freed."""
    room = mmap.mmap(-1, rows.nbytes)
    array = np.frombuffer(room, rows.dtype).reshape(rows.shape)
    array[:] = rows
    return array


def graph(kind=hnswlib.Index, rows=ALL[:ROWS]):
    index = kind("l2", DIM)
    index.init_index(4 * ROWS)
    index.add_items(rows)
    if kind is hnswlib.Index:
        index.set_ef(50)
    return index


def external():
    index = hnswlib.Index("l2", DIM)
    index.init_index_graph_only(ROWS, fleeting(ALL[:ROWS]), ef_construction=50)
    index.add_items(ALL[:ROWS])
    index.set_ef(ROWS)
    return index


GRAPH, EXACT, MODERN = graph(), graph(hnswlib.BFIndex), shale.build(ALL[:ROWS], metric="l2")
GRAPH.save_index(f"{FOLDER}/graph.bin")
MODERN.save(f"{FOLDER}/modern.shale")
hnswlib.ShardedIndex("l2", DIM).build_shard(ALL[:ROWS], f"{FOLDER}/shards", 0, 0)
EXTERNAL, SHARDS = external(), hnswlib.ShardedIndex("l2", DIM)
SHARDS.load_shards(f"{FOLDER}/shards", fleeting(ALL[:ROWS]), 1)
QUERIES = ALL[:ROWS] + np.float32(0.001)


def nearest(found):
    """Whether each query found the row that it is made of."""
    assert (found[0][:, 0] == np.arange(len(found[0]))).all()


def even(found):
    assert (found[0] % 2 == 0).all() and (found[0][::2, 0] == np.arange(0, len(found[0]), 2)).all()


def within(found, step=1):
    """Whether each query found the row that it is made of, and no other."""
    assert [one.labels.tolist() for one in found] == [[step * i] for i in range(len(found))]


def right(index):
    """Whether an index finds its rows, and no memory that it reads is gone."""
    nearest(index.knn_query(ALL[:20], k=20))


def adding(make, add, get):
    """A call that adds rows to an index that has some."""

    def prepare():
        index, given = make(), [fleeting(ALL[ROWS : 2 * ROWS])]

        def check(result):
            assert np.array_equal(get(index, np.arange(ROWS, 2 * ROWS)), ALL[ROWS : 2 * ROWS])

        def after():
            assert np.array_equal(get(index, np.arange(10)), ALL[:10])
            add(index, ALL[2 * ROWS : 2 * ROWS + 2], np.array([5000, 5001]))
            assert np.array_equal(get(index, np.array([5000, 5001])), ALL[2 * ROWS : 2 * ROWS + 2])

        return lambda: add(index, given.pop(), np.arange(ROWS, 2 * ROWS)), check, after

    return prepare


def asking(ask, check=nearest):
    """A call that asks what there is with queries that are gone right after."""

    def prepare():
        given = [fleeting(QUERIES)]
        return lambda: ask(given.pop()), check, lambda: check(ask(QUERIES))

    return prepare


def simple(call, check, after=lambda: None):
    return lambda: (call, check, after)


def modern_graph():
    index = shale.Index(DIM, "l2", codes="fp32")
    index.add(ALL[:ROWS])
    return index


def attaching():
    index = hnswlib.Index("l2", DIM)
    index.init_index(10)
    index.load_graph(f"{FOLDER}/graph.links")
    index.set_external_vectors(fleeting(ALL[:ROWS]))

    def after():
        for _ in range(2):
            right(index)
            index.set_external_vectors(fleeting(ALL[:ROWS]))

    return lambda: index.set_external_vectors(fleeting(ALL[:ROWS])), lambda _: right(index), after


def loading():
    index = graph()

    def after():
        right(index)
        index.load_index(f"{FOLDER}/graph.bin")
        right(index)

    return lambda: index.load_index(f"{FOLDER}/graph.bin"), lambda _: right(index), after


def compacting():
    index = modern_graph()
    index.add(ALL[ROWS : ROWS + 30])
    index.delete(range(ROWS, ROWS + 30))

    def after():
        for _ in range(2):
            nearest(index.search(ALL[:20], 5))
            assert len(index) == ROWS
            index.compact()
        assert index.info().rows == ROWS

    return index.compact, lambda _: index.info().rows == ROWS or 1 / 0, after


def sharded():
    index = hnswlib.ShardedIndex("l2", DIM)
    index.load_shards(f"{FOLDER}/shards", fleeting(ALL[:ROWS]), 1)

    def after():
        right(index)

    return lambda: index.load_shards(f"{FOLDER}/shards", fleeting(ALL[:ROWS]), 1), lambda _: right(index), after


def beginning():
    index = hnswlib.Index("l2", DIM)

    def after():
        if not index.max_elements:
            index.init_index(ROWS)
        index.add_items(ALL[:20])
        right(index)

    return lambda: index.init_index(ROWS), lambda _: index.get_max_elements(), after


def collecting(call):
    """A call that changes a store of records, which can be saved and loaded at any time."""

    def prepare():
        store = Store("l2", {"codes": "fp32"})
        names = [str(i) for i in range(40)]
        store.add(names[:20], names[:20], [{}] * 20, ALL[:20])
        folder = tempfile.mkdtemp(dir=FOLDER)
        store.save(folder)

        def after():
            for _ in range(2):
                for record in store.records():
                    found = store.search(ALL[int(record.text)], 1)
                    assert found[0].record.id == record.id, (found, record)
                store.save(folder)
                assert {r.id for r in Store.load(folder).records()} == {r.id for r in store.records()}
                store.add(names[:3], names[:3], [{}] * 3, ALL[:3])

        act, check = call(store, names, folder)
        return act, check, after

    return prepare


def collected_add(store, names, folder):
    return (
        lambda: store.add(names[10:30], names[10:30], [{}] * 20, fleeting(ALL[10:30])),
        lambda _: check_ids(store, names[:30]),
    )


def collected_delete(store, names, folder):
    return lambda: store.delete(names[5:15]), lambda _: check_ids(store, names[:5] + names[15:20])


def collected_save(store, names, folder):
    return lambda: store.save(folder), lambda _: check_ids(Store.load(folder), names[:20])


def check_ids(store, ids):
    assert sorted(record.id for record in store.records()) == sorted(ids)


GRAPH.save_graph(f"{FOLDER}/graph.links")
CALLS = {
    "add_items": adding(graph, lambda i, rows, ids: i.add_items(rows, ids), lambda i, ids: i.get_items(ids)),
    "add": adding(modern_graph, lambda i, rows, ids: i.add(rows, ids), lambda i, ids: i.vectors(ids)),
    "add with progress": adding(
        modern_graph, lambda i, rows, ids: i.add(rows, ids, progress=lambda *_: None), lambda i, ids: i.vectors(ids)
    ),
    "exact add_items": asking(lambda q: [graph(hnswlib.BFIndex, q), EXACT.knn_query(q)][1]),
    "knn_query": asking(lambda q: GRAPH.knn_query(q, k=50)),
    "knn_query of one": asking(lambda q: GRAPH.knn_query(q[0], k=5)),
    "knn_query, callable": asking(lambda q: GRAPH.knn_query(q[:30], k=5, filter=lambda label: label % 2 == 0), even),
    "knn_query, mask": asking(lambda q: GRAPH.knn_query(q, k=20, filter=np.arange(ROWS) % 2 == 0), even),
    "knn_query, labels": asking(lambda q: GRAPH.knn_query(q, k=20, filter=list(range(0, ROWS, 2))), even),
    "exact knn_query": asking(lambda q: EXACT.knn_query(q, k=20)),
    "external knn_query": asking(lambda q: EXTERNAL.knn_query(q, k=20)),
    "sharded knn_query": asking(lambda q: SHARDS.knn_query(q, k=20)),
    "search": asking(lambda q: MODERN.search(q, 40)),
    "search, callable": asking(lambda q: MODERN.search(q[:30], 5, filter=lambda label: label % 2 == 0), even),
    "search, one filter each": asking(lambda q: MODERN.search(q, 5, filter=[np.arange(ROWS) % 2 == 0] * len(q)), even),
    "range_search": asking(lambda q: MODERN.range_search(q, 1.0), within),
    "range_search, callable": asking(
        lambda q: MODERN.range_search(q[:30:2], 1.0, filter=lambda label: label % 2 == 0),
        lambda found: within(found, 2)
    ),
    "get": asking(lambda q: [MODERN.search(q, 1), MODERN.get(range(ROWS)), 7 in MODERN][0]),
    "build": asking(lambda q: shale.build(q, metric="l2", codes="fp32").search(q, 2)),
    "get_items": simple(
        lambda: GRAPH.get_items(range(ROWS)), lambda found: np.testing.assert_array_equal(found, ALL[:ROWS])
    ),
    "get_ids_list": simple(GRAPH.get_ids_list, lambda found: len(found) == ROWS or 1 / 0),
    "info": simple(lambda: MODERN.info().rows, lambda found: found == ROWS or 1 / 0),
    "save_index": simple(
        lambda: GRAPH.save_index(f"{FOLDER}/saved.bin"), lambda _: os.path.getsize(f"{FOLDER}/saved.bin")
    ),
    "compact": compacting,
    "exact copy": simple(lambda: copy.copy(EXACT), right, lambda: right(EXACT)),
    "open": simple(lambda: shale.open(f"{FOLDER}/modern.shale"), lambda found: nearest(found.search(ALL[:20], 1))),
    "pickle": simple(lambda: pickle.loads(pickle.dumps(GRAPH)), right, lambda: right(GRAPH)),
    "copy": simple(lambda: copy.copy(MODERN), lambda found: nearest(found.search(ALL[:20], 1))),
    "init_index": beginning,
    "init_index_graph_only": simple(external, right),
    "set_external_vectors": attaching,
    "load_index": loading,
    "load_shards": sharded,
    "collection add": collecting(collected_add),
    "collection delete": collecting(collected_delete),
    "collection save": collecting(collected_save),
}


class At:
    """Raises at the n-th instruction of a call, whatever code it is of; if asked to, again some instructions later."""

    def __init__(self, n, error, again, later):
        self.n, self.error, self.again, self.later, self.count = n, error, again, later, 0

    def step(self):
        self.count += 1
        if self.count == self.n:
            raise self.error
        if self.again and self.count == self.n + self.later:
            raise self.again


class Monitored(At):
    """Is told of instructions by sys.monitoring, from Python 3.12 on."""

    def __enter__(self):
        watched = threading.get_ident()
        monitoring.use_tool_id(TOOL, "interrupts")
        monitoring.register_callback(
            TOOL, monitoring.events.INSTRUCTION, lambda *_: self.step() if threading.get_ident() == watched else None
        )
        monitoring.set_events(TOOL, monitoring.events.INSTRUCTION)

    def __exit__(self, *_):
        if monitoring.get_tool(TOOL):
            monitoring.set_events(TOOL, 0)
            monitoring.free_tool_id(TOOL)


class Traced(At):
    """Is told of instructions by a trace function, which is gone once it has raised."""

    def __enter__(self):
        sys.settrace(self.trace)

    def __exit__(self, *_):
        sys.settrace(None)

    def trace(self, frame, event, argument):
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "opcode":
            if self.again and self.count + 1 == self.n:
                throw(threading.get_ident(), self.again)
            self.step()
        return self.trace


monitoring = getattr(sys, "monitoring", None)
TOOL = 4
Instruction = Monitored if monitoring else Traced


def throw(thread, error):
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error))


class Alarm:
    """Raises in the handler of a signal that comes after a while; and again in that of a second one.

    The second is asked for by the first: one that repeats itself comes, where the while is short and the machine busy,
    while its own handler runs, again and again, until the stack is full.
    """

    def __init__(self, seconds, error):
        self.seconds, self.error, self.left = seconds, error, 2

    def __enter__(self):
        signal.signal(signal.SIGALRM, self.handle)
        signal.setitimer(signal.ITIMER_REAL, self.seconds)

    def __exit__(self, *_):
        signal.setitimer(signal.ITIMER_REAL, 0)
        self.left = 0  # another thread may have got a signal and tell Python of it later

    def handle(self, *_):
        self.left -= 1
        if self.left > 0:
            signal.setitimer(signal.ITIMER_REAL, self.seconds)
        if self.left >= 0:
            raise self.error


def attempt(call, how):
    """Whether a call returned, and what. Two exceptions may be raised, the second in the handler of the first; code
    that is broken off may raise others in their place."""
    outcome = [False, None]
    try:
        try:
            try:
                with how:
                    outcome[1] = call()
                    outcome[0] = True
            except BaseException:
                how.__exit__()
            time.sleep(0)
        except BaseException:
            how.__exit__()
    except BaseException:
        how.__exit__()
    how.__exit__()
    return outcome


def main(count, seed):
    sys.unraisablehook = lambda _: None  # what is raised in __del__ is told there
    choose, done, lengths = random.Random(seed), Counter(), {}
    for name, prepare in CALLS.items():
        call, check, after = prepare()
        measured = Instruction(0, None, None, 0)
        with measured:
            result = call()
        check(result)
        after()
        lengths[name] = list(range(1, measured.count + 1))
        choose.shuffle(lengths[name])
    names, raised = list(CALLS), 0
    for number in range(10 * count):
        if raised >= count:
            break
        name = names[number % len(names)]
        call, check, after = CALLS[name]()
        error = choose.choice(EXCEPTIONS)
        if choose.random() < 0.85:
            places = lengths[name]
            place = places[number // len(names) % len(places)]
            again = choose.choice(EXCEPTIONS) if choose.random() < 0.4 else None
            how = Instruction(place, error, again, 2 + int(10 ** choose.uniform(0, 2)))
        else:
            how = Alarm(10 ** choose.uniform(-5, -2), error)
        returned, result = attempt(call, how)
        raised += not returned
        done[name, returned] += 1
        try:
            if returned:
                check(result)
            del call, result
            after()
        except BaseException as problem:
            raise SystemExit(f"{name}, {vars(how)}, returned {returned}: {problem!r}") from problem
    print(f"{raised} calls of {len(names)} kinds raised, {number - raised} returned", flush=True)
    assert raised >= count and all(done[name, False] for name in names), done


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
