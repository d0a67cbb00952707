"""Makes the fixtures beside it with numpy, pyarrow, pyroaring and h5py: `python make.py` in this folder.

Every file of vectors holds rows(), or its rounding to the file's type, so that one test checks them all.
"""

import datetime
import decimal
import json
import uuid

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyroaring

ROWS, DIM = 7, 5


def rows():
    i, j = np.meshgrid(np.arange(ROWS), np.arange(DIM), indexing="ij")
    return ((i * DIM + j) % 100 - 10).astype(np.float64)


def npy():
    v = rows()
    for t in ("<f2", "<f4", "<f8", ">f2", ">f4", ">f8", "i1"):
        np.save(f"rows_{t.replace('<', 'le_').replace('>', 'be_')}.npy", v.astype(t))
    np.save("rows_u1.npy", (v + 10).astype("u1"))
    np.save("rows_fortran.npy", np.asfortranarray(v.astype("f4")))
    for version in ((2, 0), (3, 0)):
        with open(f"rows_v{version[0]}.npy", "wb") as f:
            np.lib.format.write_array(f, v.astype("f4"), version=version)
    np.save("rows_none.npy", np.zeros((0, DIM), "f4"))


def npz():
    v = rows().astype("f4")
    np.savez("rows.npz", ids=np.arange(ROWS), rows=v, other=v + 1)
    np.savez_compressed("rows_deflated.npz", rows=v)


def labels():
    some = np.array([3, 1, 4, 1, 5, 9, 2, 6])
    for t in ("i1", "u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", ">i4", ">u8"):
        np.save(f"labels_{t.replace('<', 'le_').replace('>', 'be_')}.npy", some.astype(t))
    mask = np.zeros(10, bool)
    mask[some] = True
    np.save("labels_mask.npy", mask)
    np.save("labels_negative.npy", np.array([1, -1]))
    with open("labels.txt", "w") as f:
        f.write("# labels, one a line\n3\n1\n\n4\n 1 \n5 # five\n9\r\n2\n6")


def roaring():
    some = [3, 1, 4, 5, 9, 2, 6]
    for name, bits in (("32", pyroaring.BitMap(some)), ("64", pyroaring.BitMap64(some))):
        with open(f"labels_{name}.roaring", "wb") as f:
            f.write(bits.serialize())
    large = pyroaring.BitMap64(range(70000))
    large.update([2**32 + 7, 2**40])
    large.run_optimize()
    with open("large.roaring", "wb") as f:
        f.write(large.serialize())


def neighbors():
    n = np.array([[1, 2, 3], [4, 5, -1]])
    for t in ("<i4", "<i8"):
        np.save(f"neighbors_{t[1:]}.npy", n.astype(t))
    with open("neighbors.ivecs", "wb") as f:
        np.hstack([np.full((2, 1), 3), n]).astype("<i4").tofile(f)
    with open("neighbors.ibin", "wb") as f:
        np.array([2, 3]).astype("<u4").tofile(f)
        n.astype("<i4").tofile(f)
    with open("neighbors_distances.ibin", "wb") as f:
        np.array([2, 3]).astype("<u4").tofile(f)
        n.astype("<i4").tofile(f)
        n.astype("<f4").tofile(f)


def vecs():
    v = rows()
    head = np.full((ROWS, 1), DIM, "<i4")
    np.hstack([head.view("u1"), v.astype("<f4").view("u1")]).tofile("rows.fvecs")
    np.hstack([head.view("u1"), (v + 10).astype("u1")]).tofile("rows.bvecs")
    for name, w in (("fbin", v.astype("<f4")), ("i8bin", v.astype("i1")), ("u8bin", (v + 10).astype("u1"))):
        with open(f"rows.{name}", "wb") as f:
            np.array([ROWS, DIM]).astype("<u4").tofile(f)
            w.tofile(f)


def parquet():
    v = rows()

    def table(of, fixed=False):
        t = pa.list_(of, DIM) if fixed else pa.list_(of)
        values = [[np.float16(x) for x in r] if of == pa.float16() else list(r) for r in v]
        return pa.table({"id": pa.array(range(ROWS)), "rows": pa.array(values, t)})

    plain = {"use_dictionary": False}
    pq.write_table(table(pa.float32()), "rows_float.parquet")
    pq.write_table(table(pa.float64()), "rows_double.parquet", **plain)
    pq.write_table(table(pa.float16()), "rows_half.parquet", **plain)
    pq.write_table(table(pa.float32(), True), "rows_fixed.parquet", compression="zstd")
    pq.write_table(table(pa.float32()), "rows_gzip.parquet", compression="gzip", **plain)
    pq.write_table(table(pa.float32()), "rows_v2.parquet", data_page_version="2.0")
    pq.write_table(table(pa.float32()), "rows_groups.parquet", row_group_size=3, compression="none",
                   write_page_checksum=True)
    pq.write_table(table(pa.float32()), "rows_pages.parquet", data_page_size=16, write_batch_size=1, **plain)
    pq.write_table(table(pa.float32()), "rows_split.parquet", compression="none", use_dictionary=False,
                   column_encoding={"rows.list.element": "BYTE_STREAM_SPLIT"})
    pq.write_table(table(pa.float32()).slice(0, 0), "rows_none.parquet")
    one = pa.table({"rows": pa.array([list(v[0])], pa.list_(pa.float32()))})
    pq.write_table(one, "rows_one.parquet")
    two = table(pa.float32()).append_column("other", pa.array([[1.0]] * ROWS, pa.list_(pa.float32())))
    pq.write_table(two, "rows_two.parquet")
    for name, bad in (
        ("ragged", [[1.0, 2.0], [3.0]]), ("null", [[1.0], None]), ("hole", [[1.0, None]]), ("empty", [[], [1.0]])
    ):
        pq.write_table(pa.table({"rows": pa.array(bad, pa.list_(pa.float32()))}), f"bad_{name}.parquet")
    pq.write_table(table(pa.float32()), "bad_lz4.parquet", compression="lz4")
    pq.write_table(pa.table({"id": pa.array([1, 2])}), "bad_column.parquet")


def tables():
    """Tables of columns of many types, each with its rows as JSON lines."""
    utc = datetime.timezone.utc
    when = [datetime.datetime(2024, 2, 29, 12, 30, 1, 250000, utc), None, datetime.datetime(1969, 12, 31, tzinfo=utc)]
    columns = {
        "id": (pa.int64(), [7, -2, 2**62], None),
        "u64": (pa.uint64(), [2**64 - 1, 0, None], None),
        "i8": (pa.int8(), [-128, 127, None], None),
        "float": (pa.float32(), [0.1, -1.5, None], None),
        "double": (pa.float64(), [0.1, 1e300, None], None),
        "half": (pa.float16(), [np.float16(0.5), None, np.float16(-2)], [0.5, None, -2]),
        "flag": (pa.bool_(), [True, None, False], None),
        "text": (pa.string(), ["ü\n\"<&>", "", None], None),
        "same": (pa.string(), ["long prefix a", "long prefix b", "long"], None),
        "nothing": (pa.string(), [None, None, None], None),
        "date": (pa.date32(), [datetime.date(2024, 2, 29), None, datetime.date(1, 1, 1)],
                 ["2024-02-29", None, "0001-01-01"]),
        "ms": (pa.timestamp("ms", "UTC"), when, ["2024-02-29T12:30:01.25Z", None, "1969-12-31T00:00:00Z"]),
        "us": (pa.timestamp("us"), [w and w.replace(tzinfo=None) for w in when],
               ["2024-02-29T12:30:01.25Z", None, "1969-12-31T00:00:00Z"]),
        "time": (pa.time64("us"), [datetime.time(1, 2, 3, 4), None, datetime.time(0)],
                 ["01:02:03.000004", None, "00:00:00"]),
        "price": (pa.decimal128(9, 2), [decimal.Decimal("-0.05"), None, decimal.Decimal("123.40")],
                  [-0.05, None, 123.40]),
        "uuid": (pa.uuid(), [uuid.UUID(int=1).bytes, None, uuid.UUID(int=2**128 - 1).bytes],
                 [str(uuid.UUID(int=1)), None, str(uuid.UUID(int=2**128 - 1))]),
        "tags": (pa.list_(pa.string()), [["a", None, "b"], [], None], None),
        "vector": (pa.list_(pa.float32()), [[1, 2.5], [3, 4], [5, 6]], None),
        "grid": (pa.list_(pa.list_(pa.int32())), [[[1], [], None, [2, 3]], None, []], None),
        "object": (pa.struct({"a": pa.int32(), "b": pa.struct({"c": pa.list_(pa.string())})}),
                   [{"a": 1, "b": {"c": ["x"]}}, None, {"a": None, "b": None}], None),
        "objects": (pa.list_(pa.struct({"a": pa.int32(), "b": pa.list_(pa.int32())})),
                    [[{"a": 1, "b": [1, 2]}, {"a": 2, "b": None}], [], None], None),
        "map": (pa.map_(pa.string(), pa.int32()), [[("k", 1), ("l", None)], [], None],
                [{"k": 1, "l": None}, {}, None]),
    }
    count = 3
    table = pa.table({
        name: pa.ExtensionArray.from_storage(kind, pa.array(values, kind.storage_type)) if name == "uuid"
        else pa.array(values, kind) for name, (kind, values, _) in columns.items()
    })
    expected = [{name: (wanted or values)[i] for name, (_, values, wanted) in columns.items()} for i in range(count)]
    with open("table.jsonl", "w") as f:
        for row in expected:
            f.write(json.dumps(row, ensure_ascii=False) + "\n")
    plain = {"use_dictionary": False}
    pq.write_table(table, "table.parquet")
    pq.write_table(table, "table_plain.parquet", compression="zstd", data_page_version="2.0", **plain)
    pq.write_table(table, "table_groups.parquet", row_group_size=1, compression="gzip")
    pq.write_table(table, "table_pages.parquet", data_page_size=1, write_batch_size=1, compression="none", **plain)
    delta = {n: "DELTA_BINARY_PACKED" for n in ("id", "i8", "date", "ms", "us", "time")}
    delta |= {"same": "DELTA_BYTE_ARRAY", "text": "DELTA_LENGTH_BYTE_ARRAY", "uuid": "DELTA_BYTE_ARRAY",
              "flag": "RLE", "double": "BYTE_STREAM_SPLIT"}
    pq.write_table(table, "table_delta.parquet", column_encoding=delta, **plain)
    pq.write_table(table, "table_old.parquet", use_deprecated_int96_timestamps=True, version="1.0")
    many = 1000
    long = pa.table({
        "n": pa.array([i * i * (-1) ** i for i in range(many)], pa.int64()),
        "text": pa.array([f"text {i // 7}" for i in range(many)]),
    })
    pq.write_table(long, "table_long.parquet", column_encoding={"n": "DELTA_BINARY_PACKED", "text": "DELTA_BYTE_ARRAY"},
                   data_page_size=2000, **plain)
    bad = pa.table({
        "bytes": pa.array([b"\xff", b"ok"]), "number": pa.array([1.0, float("nan")]),
        "vector": pa.array([[1.0, None], [1.0, 2.0]], pa.list_(pa.float32())),
    })
    pq.write_table(bad, "bad_values.parquet")


def hdf5():
    with h5py.File("train.hdf5", "w") as f:
        f["train"] = rows().astype("f4")


for make in (npy, npz, labels, roaring, neighbors, vecs, parquet, tables, hdf5):
    make()
