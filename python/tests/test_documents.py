"""Collections: documents with ids, vectors and payloads, in a directory."""

import copy
import datetime
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import types
import uuid

import numpy as np
import pytest

import shale

RNG = np.random.default_rng(5)
ROWS = RNG.standard_normal((300, 16)).astype(np.float32)
FLAT = shale.Vector(16, "l2", codes="fp32")


def nearest(rows, query, k):
    """The k nearest of rows, by the squared distance."""
    return np.argsort(((rows - query) ** 2).sum(1), kind="stable")[:k].tolist()


@pytest.fixture
def collection(tmp_path):
    with shale.Collection(tmp_path / "c", FLAT, segment_rows=100) as made:
        yield made


def filled(collection, count=300):
    collection.upsert(range(count), ROWS[:count], [{"n": i} for i in range(count)])
    return collection


def test_what_is_written_is_found(collection):
    filled(collection)
    assert len(collection) == 300 and 7 in collection and 300 not in collection and "7" not in collection
    found = collection.query(ROWS[7] + 0.01, 5, exact=True)
    assert found.ids == nearest(ROWS, ROWS[7] + 0.01, 5)
    assert found[0].payload == {"n": 7} and found[0].vectors == {}
    wanted = ((ROWS[found.ids] - (ROWS[7] + 0.01)) ** 2).sum(1)
    np.testing.assert_allclose(found.distances, wanted, rtol=1e-4, atol=1e-6)
    many = collection.query_many(ROWS[:20], 3, payload=False, vectors=True)
    assert [hits[0].id for hits in many] == list(range(20))
    for hits in many:
        assert all(hit.payload is None and (hit.vector == ROWS[hit.id]).all() for hit in hits)


def test_it_is_there_when_opened_again(tmp_path):
    with shale.Collection(tmp_path / "c", FLAT, segment_rows=100) as made:
        filled(made)
        assert made.delete([3, 4, 4, 1000]) == 2
    with shale.Collection(tmp_path / "c") as again:
        assert len(again) == 298 and again.vectors == {"": FLAT}
        assert [one.id for one in again.scroll(page=7)] == [i for i in range(300) if i not in (3, 4)]
        assert again.query(ROWS[3], 1)[0].id == nearest(np.delete(ROWS, [3, 4], 0), ROWS[3], 1)[0] + (
            2 if nearest(np.delete(ROWS, [3, 4], 0), ROWS[3], 1)[0] >= 3 else 0
        )
        info = again.info()
        assert info.documents == 298
    checked = shale.Collection.verify(tmp_path / "c")
    assert checked.ok and checked.documents == 298


def test_ids_are_kept_as_given(collection):
    name = uuid.uuid4()
    ids = [0, 2**64 - 1, "7", "\u00e9\U0001f600", str(name).upper(), name, np.int8(7)]
    collection.upsert(ids, ROWS[: len(ids)])
    kept = [0, 2**64 - 1, "7", "\u00e9\U0001f600", str(name).upper(), str(name), 7]
    assert [one.id for one in collection.get_many(ids)] == kept
    assert sorted(map(repr, (one.id for one in collection.scroll(page=2)))) == sorted(map(repr, kept))
    assert all(collection.query(ROWS[place], 1)[0].id == one for place, one in enumerate(kept))
    assert all(one in collection for one in ids)


def test_payloads_are_kept(collection):
    payload = {
        "text": "a\u00e9\U0001f600\n\u2028", "": None, "large": 2**63, "float": 1e-300, "bool": True,
        "nested": {"list": [1, [2, {"a": []}], {}]},
    }  # fmt: skip
    collection.upsert("a", ROWS[0], payload)
    collection.upsert("b", ROWS[1])
    assert collection.get("a") == shale.Document("a", payload) and collection.get("b").payload is None
    assert collection.get("c") is None and collection.get_many(["c", "b"]) == [shale.Document("b")]
    collection.upsert("a", ROWS[0], {
        "numbers": np.arange(3), "number": np.float32(0.5), "day": datetime.date(2024, 2, 29), "id": uuid.UUID(int=1),
    })  # fmt: skip
    assert collection.get("a").payload == {
        "numbers": [0, 1, 2], "number": 0.5, "day": "2024-02-29", "id": str(uuid.UUID(int=1))
    }  # fmt: skip


def test_several_vectors(tmp_path):
    schema = {"title": shale.Vector(4, "ip", codes="fp32"), "body": FLAT}
    with shale.Collection(tmp_path / "c", schema) as made:
        assert made.vectors == schema
        titles = [None, *ROWS[1:5, :4]]
        made.upsert(range(5), {"title": titles, "body": ROWS[:5]}, batch=2)
        assert made.query(ROWS[2], 1, vector="body")[0].id == 2
        assert sorted(made.query(ROWS[2, :4], 9, vector="title").ids) == [1, 2, 3, 4]
        got = made.get_many([0, 4], vectors=True)
        assert list(got[0].vectors) == ["body"] and (got[1].vectors["title"] == ROWS[4, :4]).all()
        with pytest.raises(ValueError, match="see vectors"):
            got[1].vector
        with pytest.raises(ValueError, match="no vector"):
            made.query(ROWS[2], 1)


def test_rows_of_every_kind(collection):
    collection.upsert([0, 1], ROWS[:2].astype(np.float16))
    collection.upsert([2], ROWS[2])
    collection.upsert([3, 4], [ROWS[3].tolist(), ROWS[4].tolist()])
    collection.upsert([5, 6], np.array([ROWS[5], None], object)[:1].repeat(2))
    collection.upsert([], np.empty((0, 16)))
    collection.upsert([7, 8], np.array([[*ROWS[7].tolist()], ROWS[8], None], object)[:2])
    assert len(collection) == 9
    assert (collection.get(7, vectors=True).vector == ROWS[7]).all()
    assert (collection.get(0, vectors=True).vector == ROWS[0].astype(np.float16)).all()
    assert (collection.get(6, vectors=True).vector == ROWS[5]).all()


@pytest.mark.parametrize(
    "call, error, text",
    [
        (lambda c: c.upsert([1, 2], ROWS[:3]), ValueError, "3 vectors for 2 ids"),
        (lambda c: c.upsert([1, 2], ROWS[0]), ValueError, "for 2 ids"),
        (lambda c: c.upsert([1, 1], ROWS[:2]), ValueError, "document 1 of the batch, id 1: id: document 0"),
        (lambda c: c.upsert([1, 2], ROWS[:2, :5]), ValueError, "document 0 of the batch, id 1: vector.*not 16"),
        (lambda c: c.upsert(["a", ""], ROWS[:2]), ValueError, "empty"),
        (lambda c: c.upsert([1, -2], ROWS[:2]), ValueError, "-2"),
        (lambda c: c.upsert([1, 2.5], ROWS[:2]), TypeError, "2.5"),
        (lambda c: c.upsert([1, True], ROWS[:2]), TypeError, "True"),
        (lambda c: c.upsert([1, None], ROWS[:2]), TypeError, "None"),
        (lambda c: c.upsert([1, "\ud800"], ROWS[:2]), ValueError, "surrogate"),
        (lambda c: c.upsert([1, 2], [[1.0], [1.0, 2.0]]), ValueError, "vector 1 has 2 values, and the first one 1"),
        (lambda c: c.query(ROWS[0], filter=lambda one: True), TypeError, "a dict, not a function"),
        (lambda c: c.upsert([1, 2], ROWS[:2], [{}]), ValueError, "1 payloads for 2 ids"),
        (lambda c: c.upsert([1, 2], ROWS[:2], [{}, [1]]), TypeError, "id 2 is a list"),
        (lambda c: c.upsert([1, 2], ROWS[:2], [{}, {"a": float("nan")}]), ValueError, "id 2"),
        (lambda c: c.upsert([1, 2], ROWS[:2], [{}, {"a": {1}}]), TypeError, "id 2"),
        (lambda c: c.upsert([1, 2], {"x": ROWS[:2]}), ValueError, 'no vector "x"'),
        (lambda c: c.upsert([1, 2], [[1.0] * 16, [float("inf")] * 16]), ValueError, "document 1 of the batch"),
        (lambda c: c.query_many(ROWS[:2, :5]), ValueError, "5 values, not 16"),
        (lambda c: c.query(ROWS[:2]), ValueError, "query_many"),
        (lambda c: c.get([1, 2]), TypeError, "1, 2"),
        (lambda c: c.query(ROWS[0], 0), ValueError, "k is 0"),
        (lambda c: c.query(ROWS[0], ef=0), ValueError, "ef is 0"),
        (lambda c: c.query(np.full(16, np.nan)), ValueError, "query 0"),
    ],
)
def test_bad_input_is_refused(collection, call, error, text):
    with pytest.raises(error, match=text):
        call(collection)
    assert len(collection) == 0
    filled(collection, 10)
    assert collection.query(ROWS[3], 1).ids == [3]


def test_bad_places_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError):
        shale.Collection(tmp_path / "none")
    (tmp_path / "file").write_text("x")
    for other in (tmp_path, tmp_path / "file"):
        with pytest.raises((shale.FormatError, NotADirectoryError)):
            shale.Collection(other)
    for bad in ({}, {"a": FLAT, "": FLAT}, shale.Vector(0), shale.Vector(4, "l3"), shale.Vector(4, codes="x")):
        with pytest.raises(ValueError):
            shale.Collection(tmp_path / "bad", bad)
        assert not (tmp_path / "bad").exists()
    with shale.Collection(tmp_path / "c", FLAT):
        with pytest.raises(shale.Error, match="lock|open"):
            shale.Collection(tmp_path / "c")
    with pytest.raises(ValueError, match="other vectors"):
        shale.Collection(tmp_path / "c", shale.Vector(8))
    shale.Collection(tmp_path / "c", shale.Vector(16, "l2")).close()


def test_a_closed_collection_says_so(tmp_path):
    made = shale.Collection(tmp_path / "c", FLAT)
    made.close()
    made.close()
    for call in (lambda: len(made), lambda: made.upsert(1, ROWS[0]), lambda: made.query(ROWS[0])):
        with pytest.raises(shale.ClosedError, match="the collection is closed"):
            call()


@pytest.mark.parametrize("copy", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_collection_is_not_copied(collection, copy):
    with pytest.raises(TypeError, match="pass its path on"):
        copy(collection)


def test_parts_of_documents_are_updated(tmp_path):
    with shale.Collection(tmp_path / "c", {"title": shale.Vector(4, "ip"), "body": FLAT}, segment_rows=2) as made:
        made.upsert(range(5), {"body": ROWS[:5]}, [{"n": i, "in": {"a": 1, "b": 2}} for i in range(5)])
        assert made.update([1, 2, 9], set={"m": 7, "n": 0}, unset="in.a") == 2
        assert made.get(1).payload == {"n": 0, "in": {"b": 2}, "m": 7} and made.get(3).payload["n"] == 3
        assert made.update(3, payload={"x": 1}) == made.update(4, clear=True) == 1
        assert made.get(3).payload == {"x": 1} and made.get(4).payload is None
        assert made.update(2, vectors={"title": ROWS[0, :4]}) == 1 and made.update(8, set={"a": 1}) == 0
        assert made.query(ROWS[0, :4], vector="title").ids == [2]
        assert made.query(ROWS[2], 1, vector="body")[0] == shale.Hit(2, {"n": 0, "in": {"b": 2}, "m": 7}, {}, 0.0)
        assert made.update(2, drop_vectors=["title"]) == 1 and len(made.query(ROWS[0, :4], vector="title")) == 0
        for bad in (
            {"set": {"a": float("inf")}}, {"vectors": {"title": ROWS[:2, :4]}}, {"vectors": {"x": ROWS[0]}},
            {"drop_vectors": "body"},
        ):  # fmt: skip
            with pytest.raises(ValueError):
                made.update([2, 3], **bad)
        with pytest.raises(TypeError, match="list"):
            made.update(2, set=[1])
        assert made.get(3).payload == {"x": 1} and len(made) == 5


FILTERS = {
    "value": ({"kind": "b"}, lambda p: p["kind"] == "b"),
    "range": ({"n": {"$gte": 50, "$lt": 70.5}}, lambda p: 50 <= p["n"] < 70.5),
    "any": ({"kind": {"$in": ["a", "c"]}, "n": {"$gt": 250}}, lambda p: p["kind"] in "ac" and p["n"] > 250),
    "not": ({"$or": [{"kind": {"$ne": "a"}}, {"n": 0}]}, lambda p: p["kind"] != "a" or p["n"] == 0),
    "tags": ({"tags": "t3"}, lambda p: "t3" in p["tags"]),
    "qdrant": (
        {
            "must": [{"key": "n", "range": {"lt": np.float32(99.5)}}],
            "must_not": [{"key": "kind", "match": {"value": "a"}}],
        },
        lambda p: p["n"] < 99.5 and p["kind"] != "a",
    ),
    "date": ({"day": {"$gt": datetime.date(2024, 6, 1)}}, lambda p: p["day"] > "2024-06-01"),
    "none": ({"kind": "z"}, lambda p: False),
}  # fmt: skip


def payload_of(i):
    day = datetime.date(2024, 1, 1) + datetime.timedelta(i)
    return {"n": i, "kind": "abc"[i % 3], "tags": [f"t{i % 7}", f"t{i % 5}"], "day": day.isoformat()}


@pytest.mark.parametrize("indexed", [False, True])
def test_filters(tmp_path, indexed):
    kinds = {"n": "integer", "kind": "keyword", "tags": "keyword", "day": "datetime"}
    with shale.Collection(tmp_path / "c", FLAT, kinds if indexed else None, segment_rows=120) as made:
        made.upsert(range(300), ROWS, [payload_of(i) for i in range(300)])
        made.delete(range(0, 300, 11))
        payloads = {i: payload_of(i) for i in range(300) if i % 11}
        for filter, allows in FILTERS.values():
            allowed = [i for i, payload in payloads.items() if allows(payload)]
            assert made.count(filter=filter) == len(allowed)
            assert [one.id for one in made.scroll(filter=filter, page=9)] == allowed
            for query in ROWS[:5]:
                found = made.query(query, 5, filter=filter, exact=True)
                assert found.ids == [allowed[i] for i in nearest(ROWS[allowed], query, 5)]
                assert made.query(query, 5, filter=filter).ids == found.ids
                assert (len(found.scanned) == 0) == indexed
            hits = made.query_many(ROWS[:3], 5, filter=filter)
            assert [one.ids for one in hits] == [made.query(row, 5, filter=filter).ids for row in ROWS[:3]]
        counted = made.facets("kind", filter={"n": {"$lt": 100}})
        assert counted == {k: sum(p["kind"] == k and i < 100 for i, p in payloads.items()) for k in counted}
        assert len(counted) == 3 and len(made.facets("tags", limit=2)) == 2
        gone = [i for i in payloads if i < 30]
        assert made.delete(filter={"n": {"$lt": 30}}) == len(gone) and len(made) == len(payloads) - len(gone)
        made.compact()
        assert made.count(filter={"kind": "a"}) == sum(p["kind"] == "a" for i, p in payloads.items() if i >= 30)
    assert shale.Collection.verify(tmp_path / "c").ok


def test_more_of_queries(collection):
    collection.upsert(range(300), ROWS, [payload_of(i) for i in range(300)])
    order = nearest(ROWS, ROWS[9], 300)
    assert collection.query(ROWS[9], 5, offset=3, exact=True).ids == order[3:8]
    assert collection.query(like=9, k=5, exact=True).ids == order[1:6]
    limit = float(((ROWS[order[6]] - ROWS[9]) ** 2).sum()) * 1.0001
    assert collection.query(ROWS[9], 50, max_distance=limit, exact=True).ids == order[:7]
    groups = collection.query(ROWS[9], 2, group_by="kind", group_size=4, exact=True)
    assert [hit.group for hit in groups] == [groups[0].group] * 4 + [groups[4].group] * 4
    for hits in (groups[:4], groups[4:]):
        of = [i for i in order if payload_of(i)["kind"] == hits[0].group]
        assert hits.ids == of[:4]
    some = collection.query(ROWS[9], 1, payload=["n", "kind"])[0]
    assert some.payload == {"n": 9, "kind": "a"} and collection.query(ROWS[9], 1, payload="n")[0].payload == {"n": 9}
    several = collection.query_many(ROWS[:3], 4, offset=1, payload=False, exact=True)
    assert [hits.ids for hits in several] == [nearest(ROWS, row, 5)[1:] for row in ROWS[:3]]
    for call in (
        lambda: collection.query(), lambda: collection.query(ROWS[9], like=9),
        lambda: collection.query_many(ROWS, near=1), lambda: collection.update(set={"a": 1}),
    ):  # fmt: skip
        with pytest.raises(TypeError):
            call()
    with pytest.raises(ValueError, match="999"):
        collection.query(like=999)
    assert collection.update(filter={"kind": "a"}, set={"kind": "d"}) == 100 == collection.count(filter={"kind": "d"})


def test_snapshots(collection, tmp_path):
    filled(collection)
    collection.snapshot(tmp_path / "s")
    collection.delete(range(100))
    with pytest.raises(FileExistsError):
        collection.snapshot(tmp_path / "s")
    with shale.Collection.restore(tmp_path / "s", tmp_path / "r") as restored:
        assert len(restored) == 300 and len(collection) == 200
        assert restored.query(ROWS[7], 1).ids == [7] and restored.get(7).payload == {"n": 7}
        restored.upsert(1000, ROWS[0])
    assert shale.Collection.verify(tmp_path / "r").ok and len(collection) == 200
    with pytest.raises(FileExistsError):
        shale.Collection.restore(tmp_path / "s", tmp_path / "r")
    with pytest.raises(FileNotFoundError):
        shale.Collection.restore(tmp_path / "none", tmp_path / "q")


def test_indexes_come_and_go(collection):
    filled(collection)
    assert collection.query(ROWS[0], filter={"n": 5}).scanned == ("n",)
    collection.create_index("n", "integer")
    assert collection.query(ROWS[0], filter={"n": 5}).ids == [5] and collection.info().indexes[0]["field"] == "n"
    assert collection.query(ROWS[0], filter={"n": 5}).scanned == ()
    assert collection.drop_index("n", "integer") and not collection.drop_index("n", "integer")
    with pytest.raises(ValueError, match="keyword, uuid"):
        collection.create_index("n", "number")


def test_filters_hold_what_python_has(collection):
    collection.upsert([1, 2], ROWS[:2], [{"n": 1, "day": "2024-05-01"}, {"n": 2, "day": "2024-05-03"}])
    for filter in (
        {"n": {"$in": {1, 7}}}, {"n": np.int64(1)}, {"day": {"$lt": datetime.date(2024, 5, 2)}},
        types.MappingProxyType({"n": {"$lt": 1.5}}),
    ):  # fmt: skip
        assert collection.query(ROWS[0], filter=filter).ids == [1]


@pytest.mark.parametrize(
    "filter, text",
    [
        ({"n": {"$near": 1}}, r"\$near"),
        ({"n": {"$gt": "x"}}, "n"),
        ({"must": [{"key": "n", "range": {"gt": float("nan")}}]}, "JSON"),
        ({"must": [{"key": "n", "match": {"value": [1]}}]}, "match"),
        ([1], "object"),
    ],
)
def test_bad_filters(collection, filter, text):
    filled(collection, 10)
    for call in (
        lambda: collection.query(ROWS[0], filter=filter), lambda: collection.count(filter=filter),
        lambda: collection.delete(filter=filter), lambda: list(collection.scroll(filter=filter)),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=text):
            call()
    with pytest.raises(TypeError, match="ids or a filter"):
        collection.delete()
    assert len(collection) == 10


def test_memory_and_the_window_of_syncs(tmp_path):
    with shale.Collection(tmp_path / "c", FLAT, memory="256MiB", sync_window=0.5) as made:
        filled(made)
        made.compact()
        assert made.query(ROWS[5], 1).ids == [5]
    assert shale.Collection.verify(tmp_path / "c").documents == 300
    for bad in ({"memory": "much"}, {"sync_window": -1.0}, {"sync_window": float("nan")}, {"memory": 5}):
        with pytest.raises(ValueError):
            shale.Collection(tmp_path / "c", **bad)
    with shale.Collection(tmp_path / "c", memory="1GiB") as again:
        assert len(again) == 300


def test_tables(collection):
    collection.upsert([1, "b"], ROWS[:2], [{"id": 5, "name": "x"}, None])
    found = collection.query(ROWS[0], 2, vectors=True)
    table = found.columns()
    assert list(table) == ["id", "distance", "payload.id", "name", "vector"]
    assert table["id"] == [1, "b"] and table["payload.id"] == [5, None] and table["vector"][0] == ROWS[0].tolist()
    assert len(found[:1]) == 1 and found[-1] == list(found)[1]


def test_threads_write_and_search(collection):
    failures = []

    def writes(number):
        try:
            for i in range(20):
                ids = [f"{number} {i} {j}" for j in range(5)]
                collection.upsert(ids, RNG_ROWS[number], [{"from": number}] * 5)
                if i % 3 == 0:
                    assert collection.delete(ids[:2]) == 2
        except BaseException as error:
            failures.append(error)

    def searches():
        try:
            while not done.is_set():
                for hit in collection.query(ROWS[0], 5):
                    assert hit.payload["from"] == int(hit.id.split()[0])
        except BaseException as error:
            failures.append(error)

    RNG_ROWS = RNG.standard_normal((3, 5, 16)).astype(np.float32)
    done = threading.Event()
    writers = [threading.Thread(target=writes, args=(i,)) for i in range(3)]
    searcher = threading.Thread(target=searches)
    searcher.start()
    for one in writers:
        one.start()
    for one in writers:
        one.join()
    done.set()
    searcher.join()
    assert not failures and len(collection) == 3 * (20 * 5 - 7 * 2)


WRITER = """
import sys
import numpy as np
import shale

rows = np.zeros((10, 16), np.float32)
with shale.Collection(sys.argv[1], shale.Vector(16, "l2", codes="fp32"), segment_rows=50) as made:
    for i in range(10**6):
        made.upsert([f"{i} {j}" for j in range(10)], rows + i)
        print(i, flush=True)
"""


def test_what_was_acknowledged_survives_a_kill(tmp_path):
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path / "c")], stdout=subprocess.PIPE, text=True
    )  # fmt: skip
    for line in writer.stdout:
        if int(line) == 17:
            break
    writer.send_signal(signal.SIGKILL)
    seen = [17, *map(int, writer.stdout.read().split())]
    writer.wait()
    with shale.Collection(tmp_path / "c") as again:
        batches = len(again) // 10
        assert len(again) % 10 == 0 and batches in (seen[-1] + 1, seen[-1] + 2)
        assert all(f"{i} {j}" in again for i in range(batches) for j in range(10))
    assert shale.Collection.verify(tmp_path / "c").ok


def test_a_child_of_fork_is_refused(tmp_path):
    code = """
        import os, sys
        import shale
        with shale.Collection(sys.argv[1], shale.Vector(2)) as made:
            made.upsert(1, [1.0, 0.0])
            child = os.fork()
            if child == 0:
                try:
                    made.query([1.0, 0.0])
                except shale.ClosedError as error:
                    os._exit(7 if "child of fork" in str(error) else 2)
                os._exit(1)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
            assert made.query([1.0, 0.0]).ids == [1]
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "c")], check=True, timeout=120)
