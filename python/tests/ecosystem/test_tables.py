"""Tables of pandas, polars and Arrow become documents, and what queries find becomes such tables."""

import datetime

import numpy as np
import pandas
import polars
import pyarrow
import pytest

import shale

ROWS = np.random.default_rng(3).standard_normal((50, 8)).astype(np.float32)
PLAIN = {
    "id": list(range(50)), "vector": list(ROWS), "name": [None if i == 7 else f"name {i}" for i in range(50)],
    "day": [datetime.date(2024, 1, 1) + datetime.timedelta(i) for i in range(50)],
}  # fmt: skip


def arrow(vectors="fixed"):
    if vectors == "fixed":
        column = pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(ROWS.ravel()), 8)
    else:
        column = pyarrow.array(ROWS.tolist(), pyarrow.list_(pyarrow.float64()))
    return pyarrow.table({**PLAIN, "vector": column})


TABLES = {
    "pandas": lambda: pandas.DataFrame(PLAIN),
    "polars": lambda: polars.DataFrame({**PLAIN, "vector": ROWS.tolist()}),
    "polars array": lambda: polars.DataFrame(PLAIN).with_columns(polars.Series("vector", ROWS)),
    "arrow": arrow,
    "arrow lists": lambda: arrow("lists"),
    "batch": lambda: arrow().to_batches()[0],
    "sliced": lambda: pyarrow.concat_tables([arrow().slice(20), arrow().slice(0, 20)]),
    "reader": lambda: arrow().to_reader(max_chunksize=7),
    "iterator": lambda: (arrow().slice(i, 10) for i in range(0, 50, 10)),
}


@pytest.mark.parametrize("table", TABLES)
def test_tables_become_documents(tmp_path, table):
    with shale.Collection(tmp_path / "c", shale.Vector(8, "l2", codes="fp32")) as made:
        assert made.upsert_table(TABLES[table](), batch=13) == len(made) == 50
        for one in made.scroll(vectors=True):
            assert (one.vector == ROWS[one.id]).all()
            assert one.payload.get("name") == PLAIN["name"][one.id]
            assert one.payload["day"].startswith(PLAIN["day"][one.id].isoformat())
        assert "name" not in made.get(7).payload


def test_columns_are_chosen(tmp_path):
    schema = {"a": shale.Vector(8, "l2", codes="fp32"), "b": shale.Vector(8, "ip", codes="fp32")}
    table = {**PLAIN, "other": [None if i % 2 else row for i, row in enumerate(ROWS.tolist())]}
    with shale.Collection(tmp_path / "c", schema) as made:
        wanted = {"a": "vector", "b": "other"}
        assert made.upsert_table(pandas.DataFrame(table), id=None, vector=wanted, payload=["id"]) == 50
        for one in made.scroll(vectors=True):
            assert isinstance(one.id, str) and list(one.payload) == ["id"]
            assert list(one.vectors) == (["a"] if one.payload["id"] % 2 else ["a", "b"])


@pytest.mark.parametrize(
    "table, settings, error, text",
    [
        (arrow(), {"id": "key"}, KeyError, "no column 'key'.*'day'"),
        (arrow(), {"vector": "name"}, TypeError, "'name' holds string"),
        (ROWS, {}, TypeError, "a table is wanted, not a ndarray"),
        (polars.LazyFrame(PLAIN), {}, TypeError, "a LazyFrame: collect"),
        ([{"id": 1}], {}, TypeError, "a table is wanted, not a dict"),
        (arrow().set_column(0, "id", pyarrow.array([1.5] * 50)), {}, TypeError, "1.5"),
    ],
)
def test_bad_tables(tmp_path, table, settings, error, text):
    with shale.Collection(tmp_path / "c", shale.Vector(8, "l2")) as made:
        with pytest.raises(error, match=text):
            made.upsert_table(table, **settings)
        assert len(made) == 0


def test_columns_become_vectors_and_payloads(tmp_path):
    lists = ROWS[:3].tolist()
    with shale.Collection(tmp_path / "c", shale.Vector(8, "l2", codes="fp32")) as made:
        payloads = pandas.DataFrame({"n": [1, 2, 3]}).to_dict("records")
        made.upsert(pandas.Series([1, 2, 3]), pandas.Series(lists), payloads)
        made.upsert(polars.Series(["a", "b", "c"]), polars.Series(lists), ({"n": n} for n in range(3)))
        assert (made.get(2, vectors=True).vector == ROWS[1]).all() and made.get("c").payload == {"n": 2}
        with pytest.raises(TypeError, match="upsert_table"):
            made.upsert([1, 2], ROWS[:2], pandas.DataFrame({"n": [1, 2]}))
        made.upsert_table(polars.DataFrame({"id": [9], "vector": lists[:1], "x": [float("nan")], "y": [1]}))
        assert made.get(9).payload == {"y": 1}
        table = made.query(ROWS[0], 10).to_arrow()
    assert set(table["id"].to_pylist()) == {"1", "2", "3", "9", "a", "b", "c"} and table["distance"][0].as_py() == 0


def test_results_become_tables(tmp_path):
    with shale.Collection(tmp_path / "c", shale.Vector(8, "l2", codes="fp32")) as made:
        made.upsert_table(arrow())
        found = made.query(ROWS[7], 3, vectors=True, exact=True)
    frame = found.to_pandas()
    assert frame["id"].tolist() == found.ids and frame["distance"].iloc[0] == 0 and frame["name"].isna()[0]
    assert found.to_polars()["id"].to_list() == found.ids == found.to_arrow()["id"].to_pylist()
    assert found.to_arrow()["vector"].to_pylist()[0] == ROWS[7].tolist()
