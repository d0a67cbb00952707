"""Stores of records beside vectors: what is accepted can be saved, loaded, pickled and copied."""

import copy
import datetime
import json
import os
import pickle
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import shale
from shale.integrations import _payloads
from shale.integrations._metadata import checked, decoded
from shale.integrations._store import Store

ROWS = np.random.default_rng(3).standard_normal((400, 16)).astype(np.float32)
KEPT = {
    "text": "a\u00e9\U0001f600\n\u2028\r", "surrogates": "\ud83d", "pair of surrogates": "\ud83d" + "\ude00", "": None,
    "int": -(2**200),
    "bool": True, "float": 1e-300, "infinity": -np.inf, "list": [1, [2, {"a": []}]], "tuple": (1, ("a", [2])),
    "dict": {"$shale": "date"},
    "date": datetime.date(2024, 2, 29), "time": datetime.time(1, 2, 3, 4),
    "datetime": datetime.datetime(2024, 2, 29, 1, 2, 3, 4, datetime.timezone(datetime.timedelta(hours=5))),
    "duration": datetime.timedelta(-3, 4, 5), "bytes": b"\x00\xff", "float32": np.float32(0.1),
    "int64": np.int64(-(2**63)),
    "uint64": np.uint64(2**64 - 1), "bool_": np.bool_(False), "array": np.arange(6, dtype=np.int16).reshape(2, 3),
    "datetime64": np.datetime64("2024-02-29T01:02:03"), "halves": np.zeros((0, 2), np.float16), "$shale": "numpy",
}  # fmt: skip


def same(one, other):
    if isinstance(one, np.ndarray):
        alike = type(other) is type(one) and one.dtype == other.dtype and one.shape == other.shape
        return alike and (one == other).all()
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return type(one) is type(other) and one == other


def filled(count=40, **metadata):
    store = Store("l2", {"codes": "fp32"})
    names = [f"id {i}" for i in range(count)]
    store.add(names, names, [{"n": i, **metadata} for i in range(count)], ROWS[:count])
    return store


def in_order(store):
    """Whether each record is found by its vector, and no other."""
    records = list(store.records())
    for record in records:
        (found,) = store.search(ROWS[int(record.metadata["n"])], 1)
        assert same(vars(found.record), vars(record)) and found.distance == 0
    assert len(records) == len(store) == len(store.search(ROWS[0], 1000))


def read_again(text, metadata):
    """A record as it is after its payload was JSON."""
    return _payloads.record("a", json.loads(json.dumps(_payloads.payload(text, checked(metadata, "a")))))


@pytest.mark.parametrize("key", KEPT)
def test_values_are_kept(key):
    value = checked({key: KEPT[key]}, "id")
    assert same(value, {key: KEPT[key]})
    assert same(read_again("text", value).metadata, value)


def test_nan_is_kept():
    assert np.isnan(read_again("", {"a": np.nan}).metadata["a"])


def test_payloads_are_what_other_programs_expect():
    made = _payloads.payload("text", {"n": 1, "tags": ["a"], "none": None, "more": {"a": [1.5]}, "day": KEPT["date"]})
    assert made["text"] == "text" and made["metadata"] == {"n": 1, "tags": ["a"], "none": None, "more": {"a": [1.5]}}
    assert _payloads.payload("text", {"n": 1}) == {"text": "text", "metadata": {"n": 1}}


def test_what_is_kept_survives_everything(tmp_path):
    store = filled(**KEPT)
    store.add(["a b"], ["\udfff"], [{"n": 50}], ROWS[50:51])
    store.add(["c"], [""], [{"n": 51}], ROWS[51:52])
    store.delete(["id 3"])
    store.save(tmp_path)
    for other in (
        Store.load(tmp_path), pickle.loads(pickle.dumps(store)), copy.copy(store), copy.deepcopy(store),
    ):  # fmt: skip
        in_order(other)
        assert [r.id for r in other.records()] == [r.id for r in store.records()] and len(other) == 41
        assert all(same(vars(a), vars(b)) for a, b in zip(other.records(), store.records()))
        other.delete(["id 5"])
        other.add(["new"], ["new"], [{"n": 60}], ROWS[60:61])
        in_order(other)
    in_order(store)
    assert store.get(["new"]) == [] and len(store.get(["id 5"])) == 1


class Own:
    pass


class Count(int):
    pass


CIRCLE = []
CIRCLE.append(CIRCLE)


def test_what_cannot_be_kept_is_refused_by_id_and_key():
    store = filled(5)
    for value in (
        Own(), {1, 2}, {1: "a"}, {"a": {2: 3}}, [Own()], (Own(),), 1 + 2j, 10**5000, CIRCLE, np.array([Own()]), Own,
        len,
    ):  # fmt: skip
        with pytest.raises((TypeError, ValueError), match="id 'x'.*'the key'"):
            store.add(["y", "x"], ["", ""], [{}, {"the key": value}], ROWS[:2])
    assert len(store) == 5
    in_order(store)


@pytest.mark.parametrize(
    "ids, texts, text",
    [([1], ["a"], "1"), ([None], ["a"], "None"), (["a"], [7], "'a'"), ([b"a"], ["a"], "b'a'")],
)
def test_ids_and_texts_are_strings(ids, texts, text):
    store = filled(5)
    with pytest.raises(TypeError, match=text):
        store.add(ids, texts, [{}], ROWS[:1])
    assert len(store) == 5


def test_what_is_kept_is_nobody_elses():
    inner = [1]
    store = Store("l2", {})
    store.add(["a"], ["a"], [{"n": 0, "list": inner, "count": Count(3)}], ROWS[:1])
    inner.append(2)
    store.get(["a"])[0].metadata["n"] = 7
    assert store.get(["a"])[0].metadata == {"n": 0, "list": [1], "count": 3}


def test_settings_are_refused_at_once():
    for metric, settings, error, text in (
        ("l3", {}, ValueError, "l3"), ("l2", {"strage": "fp32"}, TypeError, "strage"),
        ("l2", {"codes": "x"}, ValueError, "'x'"),
    ):  # fmt: skip
        with pytest.raises(error, match=text):
            Store(metric, settings)


@pytest.mark.parametrize("version", [1, 2])
def test_stores_of_before_say_what_to_do(tmp_path, version):
    (tmp_path / "store.json").write_text(json.dumps({"version": version, "metric": "l2", "records": "records-1.jsonl"}))
    for opened in (lambda: Store.load(tmp_path), lambda: Store("l2", {}, tmp_path)):
        with pytest.raises(shale.FormatError, match=f"version {version}.*make a new store of its documents"):
            opened()


@pytest.mark.parametrize(
    "value", [{"$shale": "none"}, {"$shale": "numpy", "value": "", "dtype": "O", "shape": [0]}, {"$shale": []}]
)
def test_damaged_values_are_refused(value):
    with pytest.raises((KeyError, ValueError, TypeError)):
        decoded({"n": value})


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{", b'{"version": 3}', b'{"version": 3, "metric": 1, "settings": {}}', b'{"version": 4}']
)
def test_a_damaged_store_is_refused(tmp_path, content):
    filled(5).save(tmp_path)
    whole = (tmp_path / "store.json").read_bytes()
    (tmp_path / "store.json").write_bytes(content)
    with pytest.raises(shale.FormatError, match=r"store\.json"):
        Store.load(tmp_path)
    (tmp_path / "store.json").write_bytes(whole)
    in_order(Store.load(tmp_path))


WRITER = """
import sys
sys.path.insert(0, sys.argv[2])
from test_store import filled
store = filled(60)
print("begun", flush=True)
for _ in range(int(sys.argv[3])):
    store.save(sys.argv[1])
"""


def test_loads_while_others_save(tmp_path):
    filled(60).save(tmp_path)
    here = os.path.dirname(os.path.abspath(__file__))
    command = [sys.executable, "-c", WRITER, str(tmp_path), here, "10"]
    writers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for writer in writers:
        assert writer.stdout.readline() == "begun\n"
    loads = 0
    while any(writer.poll() is None for writer in writers):
        assert len(Store.load(tmp_path)) == 60
        loads += 1
    assert [writer.wait() for writer in writers] == [0, 0] and loads > 0
    for writer in writers:
        writer.stdout.close()
    in_order(Store.load(tmp_path))
    filled(60).save(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".lock", "collection-22", "store.json"]


def test_saving_clears_what_interrupted_writers_left(tmp_path):
    filled(5).save(tmp_path)
    (tmp_path / "collection-7").mkdir()
    (tmp_path / "collection-2").mkdir()
    (tmp_path / "store.json.123.tmp").write_bytes(b"")
    (tmp_path / "of the user").write_bytes(b"")
    filled(5).save(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".lock", "collection-2", "of the user", "store.json"]


def test_a_store_at_a_path_keeps_what_is_written(tmp_path):
    path = tmp_path / "store"
    for round in range(3):
        store = Store("l2", {"codes": "fp32"}, path)
        assert len(store) == 10 * round
        store.add([f"{round} {i}" for i in range(10)], [""] * 10, [{"n": i} for i in range(10)], ROWS[:10])
        store.save(path)  # which is there already
        store.close()
    assert sorted(os.listdir(path)) == [".lock", "collection-1", "store.json"]
    store = Store(None, {}, path)
    assert store.metric == "l2" and store.collection.vectors[""].codes == "fp32"
    with pytest.raises(shale.Error, match="open elsewhere"):
        Store(None, {}, path)
    store.clear()
    store.add(["a"], ["a"], [{"n": 0}], ROWS[:1, :5])
    store.close()
    assert len(Store(None, {}, path)) == 1
    for metric, settings in (("ip", {}), (None, {"codes": "sq8"})):
        with pytest.raises(ValueError, match="the store"):
            Store(metric, settings, path)


def test_a_save_leaves_to_others_what_they_have_open(tmp_path):
    filled(5).save(tmp_path)
    at_path = Store(None, {}, tmp_path)
    filled(7).save(tmp_path)
    assert len(at_path) == 5 and len(Store.load(tmp_path)) == 7
    at_path.close()
    filled(8).save(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".lock", "collection-3", "store.json"]


def test_temporary_directories_go(tmp_path, monkeypatch):
    code = """
        import sys
        sys.path.insert(0, sys.argv[1])
        from test_store import filled
        kept = filled()
        dropped = filled()
        del dropped
        print(len(__import__("os").listdir(sys.argv[2])))
    """
    here = os.path.dirname(os.path.abspath(__file__))
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), here, str(tmp_path)], capture_output=True, text=True,
        env={**os.environ, "TMPDIR": str(tmp_path), "TMP": str(tmp_path)},
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "") and os.listdir(tmp_path) == []


def test_deleting_and_adding_for_ever_takes_no_more_room():
    store = filled(0)
    for number in range(12):
        names = [f"{number} {i}" for i in range(100)]
        store.add(names, names, [{"n": i} for i in range(100)], ROWS[:100])
        in_order(store)
        store.delete(names)
    for _ in range(5):
        store.add(["a"], ["a"], [{"n": 7}], ROWS[7:8])
    in_order(store)
    store.compact()
    info = store.collection.info()
    assert info.documents == 1 and sum(sum(one["rows"]) for one in info.segments) <= 1
    in_order(store)
