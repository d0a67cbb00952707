"""Records beside vectors: what is accepted can be saved, loaded, pickled and copied, by several processes too."""

import copy
import datetime
import json
import os
import pickle
import subprocess
import sys
import zlib

import numpy as np
import pytest

import shale
from shale.integrations._collection import Collection
from shale.integrations._metadata import checked, decoded, encoded, line, read_line

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
    collection = Collection("l2", {"codes": "fp32"})
    names = [f"id {i}" for i in range(count)]
    collection.add(names, names, [{"n": i, **metadata} for i in range(count)], ROWS[:count])
    return collection


def in_order(collection):
    """Whether each record is found by its vector, and no vector is there that no record has."""
    for record in collection.records():
        ((found, distance),) = collection.search(ROWS[int(record.metadata["n"])], 1)
        assert found == record and distance == 0
    assert sorted(collection.index.labels().tolist()) == sorted(record.label for record in collection.records())


@pytest.mark.parametrize("key", KEPT)
def test_values_are_kept(key):
    value = checked({key: KEPT[key]}, "id")
    assert same(value, {key: KEPT[key]})
    assert same(decoded(read_line(line(encoded(value)))), value)


def test_nan_is_kept():
    assert np.isnan(decoded(read_line(line(encoded({"a": np.nan}))))["a"])


def test_what_is_kept_survives_everything(tmp_path):
    collection = filled(**KEPT)
    collection.add(["\ud800", ""], ["\udfff", ""], [{"n": 50}, {"n": 51}], ROWS[50:52])
    collection.delete(["id 3"])
    collection.save(tmp_path)
    for other in (
        Collection.load(tmp_path), pickle.loads(pickle.dumps(collection)), copy.copy(collection),
        copy.deepcopy(collection),
    ):  # fmt: skip
        in_order(other)
        assert [r.id for r in other.records()] == [r.id for r in collection.records()] and len(other) == 41
        assert all(same(a.metadata, b.metadata) for a, b in zip(other.records(), collection.records()))
        other.delete(["id 5"])
        other.add(["new"], ["new"], [{"n": 60}], ROWS[60:61])
        in_order(other)
    in_order(collection)
    assert collection.get(["new"]) == [] and len(collection.get(["id 5"])) == 1


class Own:
    pass


class Count(int):
    pass


CIRCLE = []
CIRCLE.append(CIRCLE)


def test_what_cannot_be_kept_is_refused_by_id_and_key():
    collection = filled(5)
    for value in (
        Own(), {1, 2}, {1: "a"}, {"a": {2: 3}}, [Own()], (Own(),), 1 + 2j, 10**5000, CIRCLE, np.array([Own()]), Own,
        len,
    ):  # fmt: skip
        with pytest.raises((TypeError, ValueError), match="id 'x'.*'the key'"):
            collection.add(["y", "x"], ["", ""], [{}, {"the key": value}], ROWS[:2])
    assert len(collection) == 5
    in_order(collection)


@pytest.mark.parametrize(
    "ids, texts, text",
    [([1], ["a"], "1"), ([None], ["a"], "None"), (["a"], [7], "'a'"), ([b"a"], ["a"], "b'a'")],
)
def test_ids_and_texts_are_strings(ids, texts, text):
    collection = filled(5)
    with pytest.raises(TypeError, match=text):
        collection.add(ids, texts, [{}], ROWS[:1])
    assert len(collection) == 5


def test_what_is_kept_is_nobody_elses():
    inner = [1]
    collection = Collection("l2", {})
    collection.add(["a"], ["a"], [{"n": 0, "list": inner, "count": Count(3)}], ROWS[:1])
    inner.append(2)
    assert collection.get(["a"])[0].metadata == {"n": 0, "list": [1], "count": 3}


def test_settings_are_refused_at_once():
    for metric, settings, error, text in (
        ("l3", {}, ValueError, "l3"), ("l2", {"strage": "fp32"}, TypeError, "strage"),
        ("l2", {"codes": "x"}, ValueError, "'x'"),
    ):  # fmt: skip
        with pytest.raises(error, match=text):
            Collection(metric, settings)


def test_stores_of_the_first_version_are_read(tmp_path):
    collection = filled(**{"$shale": "date"})
    collection.save(tmp_path)
    head = json.loads((tmp_path / "store.json").read_text())
    lines = b"".join(line(vars(record)) for record in collection.records())
    (tmp_path / "records-1.jsonl").write_bytes(lines)
    head.update(version=1, bytes=len(lines), crc32=zlib.crc32(lines))
    (tmp_path / "store.json").write_text(json.dumps(head))
    assert Collection.load(tmp_path).records() == collection.records()


@pytest.mark.parametrize(
    "value", [{"$shale": "none"}, {"$shale": "numpy", "value": "", "dtype": "O", "shape": [0]}, {"$shale": []}]
)
def test_damaged_values_are_refused(tmp_path, value):
    filled(1).save(tmp_path)
    content = line({"id": "id 0", "label": 0, "text": "", "metadata": {"n": value}})
    (tmp_path / "records-1.jsonl").write_bytes(content)
    head = json.loads((tmp_path / "store.json").read_text())
    head.update(bytes=len(content), crc32=zlib.crc32(content))
    (tmp_path / "store.json").write_text(json.dumps(head))
    with pytest.raises(shale.FormatError, match="line 1"):
        Collection.load(tmp_path)


WRITER = """
import sys
import numpy as np
sys.path.insert(0, sys.argv[2])
from test_collection import filled
collection = filled(60)
print("begun", flush=True)
for _ in range(int(sys.argv[3])):
    collection.save(sys.argv[1])
"""


def test_loads_while_others_save(tmp_path):
    filled(60).save(tmp_path)
    here = os.path.dirname(os.path.abspath(__file__))
    command = [sys.executable, "-c", WRITER, str(tmp_path), here, "40"]
    writers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for writer in writers:
        assert writer.stdout.readline() == "begun\n"
    loads = 0
    while any(writer.poll() is None for writer in writers):
        assert len(Collection.load(tmp_path)) == 60
        loads += 1
    assert [writer.wait() for writer in writers] == [0, 0] and loads > 0
    for writer in writers:
        writer.stdout.close()
    in_order(Collection.load(tmp_path))
    filled(60).save(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".lock", "index-82", "records-82.jsonl", "store.json"]


def test_saving_clears_what_interrupted_writers_left(tmp_path):
    filled(5).save(tmp_path)
    (tmp_path / "index-7").mkdir()
    (tmp_path / "records-9.jsonl").write_bytes(b"")
    (tmp_path / "records-2.jsonl.123.tmp").write_bytes(b"")
    (tmp_path / "of the user").write_bytes(b"")
    filled(5).save(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".lock", "index-2", "of the user", "records-2.jsonl", "store.json"]


def test_deleting_and_adding_for_ever_takes_no_more_room(tmp_path):
    collection = filled(0)
    for number in range(12):
        names = [f"{number} {i}" for i in range(100)]
        collection.add(names, names, [{"n": i} for i in range(100)], ROWS[:100])
        in_order(collection)
        collection.delete(names)
    for _ in range(5):
        collection.add(["a"], ["a"], [{"n": 7}], ROWS[7:8])
    in_order(collection)
    assert collection.index.info().rows <= 200
    collection.compact()
    assert collection.index.info().rows == 1
    in_order(collection)
