import os
import re
import signal
import threading

import numpy as np
import pytest

import shale
from conftest import DIM, nearest, recall


@pytest.fixture(scope="module")
def many():
    """Rows in groups, as embeddings are."""
    r = np.random.default_rng(9)
    centers = r.standard_normal((40, DIM))
    return (centers[r.integers(0, 40, 20_000)] + 1.2 * r.standard_normal((20_000, DIM))).astype(np.float32)


@pytest.mark.parametrize("output", [None, "a", "a.shale"])
def test_builds_one_graph_in_memory_or_on_disk(space, rows, tmp_path, output):
    path = None if output is None else tmp_path / output
    with shale.build(rows, path, metric=space) as index:
        assert len(index) == 3000 and index.changeable and index.path == ("" if path is None else str(path))
        assert recall(index.search(rows[:50], 10, ef=200).labels, nearest(space, rows, rows[:50], 10)) > 0.98
        index.add(rows[:1])
        assert len(index) == 3001
    if path is not None:
        found = shale.verify(path)
        assert found.ok and found.problems == [] and found.rows == 3000 and found.reachable > 2950


def inputs(rows, folder):
    np.save(folder / "rows.npy", rows)
    np.save(folder / "half.npy", rows.astype(np.float16))
    np.savez(folder / "rows.npz", a=rows)
    yield "array", rows
    yield "half", rows.astype(np.float16)
    yield "double", rows.astype(np.float64)
    yield "columns", np.asfortranarray(rows)
    yield "list", rows.tolist()
    yield "mapped", np.load(folder / "rows.npy", mmap_mode="r")
    yield "mapped part", np.load(folder / "rows.npy", mmap_mode="r")[:]
    yield "mapped half", np.load(folder / "half.npy", mmap_mode="r")
    yield "path", folder / "rows.npy"
    yield "text", str(folder / "half.npy")
    yield "member", f"{folder / 'rows.npz'}:a"


@pytest.mark.parametrize("shards", [None, 3])
def test_builds_of_arrays_mappings_and_files(rows, tmp_path, shards):
    labels = np.arange(3000)[::-1] + 10**12
    want = labels[nearest("l2", rows, rows[:30], 5)]
    for number, (name, vectors) in enumerate(inputs(rows, tmp_path)):
        with shale.build(vectors, tmp_path / f"index {number}", metric="l2", labels=labels, shards=shards) as index:
            assert index.info().shards == (shards or 1) and len(index) == 3000, name
            assert recall(index.search(rows[:30], 5, ef=200, probes=shards).labels, want) > 0.97, name


def test_an_index_of_shards_answers_and_is_changed(many, tmp_path):
    steps = []
    with shale.build(
        many, tmp_path / "a", metric="cosine", shards=4, copies=1.5, progress=lambda *told: steps.append(told)
    ) as index:
        info = index.info()
        assert (info.shards, info.rows, info.changeable, index.changeable) == (
            4,
            20_000,
            True,
            True,
        ) and 1 < info.copies <= 1.5
        true = nearest("cosine", many, many[:40], 10)
        all_, one = (recall(index.search(many[:40], 10, ef=300, probes=n).labels, true) for n in (4, 1))
        assert all_ > 0.97 and one < all_
        assert recall(index.search(many[:40], 10, ef=300, share=1.0).labels, true) >= one
        only = index.search(many[:40], 10, filter=np.arange(100))
        assert (only.labels < 100).all()
        each = index.search(many[:3], 2, filter=[[5], None, np.arange(20_000) == 9])
        assert each.labels[:, 0].tolist() == [5, 1, 9] and each.labels[0, 1] == shale.NO_LABEL
        tuned = index.tune(many[:40], 0.9, save=True)
        assert tuned.recall >= 0.9
        np.testing.assert_allclose(
            index.vectors([17, 3]), many[[17, 3]] / np.linalg.norm(many[[17, 3]], axis=1)[:, None], atol=2e-3
        )
        assert sorted(index.labels().tolist()) == list(range(20_000))
        with pytest.raises(KeyError, match="99999"):
            index.vectors([3, 99_999])
        assert index.add(-many[:2]).tolist() == [20_000, 20_001]
        index.delete([1, 2])
        assert len(index) == 20_000 and index.search(-many[:2], 1).labels[:, 0].tolist() == [20_000, 20_001]
        index.undelete([2])
        with pytest.raises(KeyError, match="99999"):
            index.delete([3, 99_999])
        index.save()
        with pytest.raises(TypeError, match="path"):
            index.__reduce__()
    assert len({step for step, _, _ in steps}) > 1 and all(done <= total or not total for _, done, total in steps)
    with shale.open(tmp_path / "a") as again:
        assert again.info().ef == tuned.ef and len(again) == 20_000 and again.info().deleted == 2
    assert shale.verify(tmp_path / "a").ok


@pytest.fixture(scope="module")
def long():
    """Long rows, which take most of an index."""
    return np.random.default_rng(3).standard_normal((6000, 1024)).astype(np.float16)


def test_an_index_searched_in_less_memory_than_it_takes(long, tmp_path):
    shale.build(long, tmp_path / "a", metric="cosine", shards=2, m=8, ef_construction=40).close()
    true = nearest("cosine", long.astype(np.float32), long[:20].astype(np.float32), 5)
    for settings, plan in (({"memory": "30MiB"}, "disk"), ({"mmap": True}, "mapped"), ({}, "memory")):
        with shale.open(tmp_path / "a", **settings) as index:
            assert index.changeable and plan in index.info().plan
            assert recall(index.search(long[:20], 5, ef=1000, probes=2).labels, true) > 0.9
    with pytest.raises(shale.MemoryLimitError, match="MiB"):
        shale.open(tmp_path / "a", memory=1000)


def test_blocks_serve_memory_that_holds_codes_only(long, tmp_path):
    shale.build(long, tmp_path / "a", metric="cosine", blocks=True, m=64, ef_construction=64).close()
    with shale.open(tmp_path / "a", memory="27MiB") as index:
        assert (index.search(long[:10], 1).labels[:, 0] == np.arange(10)).all() and "block" in index.info().plan
    assert shale.verify(tmp_path / "a").ok


def test_plans_tell_what_a_build_takes(many, tmp_path):
    one, four = shale.plan(many, metric="l2"), shale.plan(many, metric="l2", shards=4)
    assert (one.shards, four.shards) == (1, 4) and four.shard_rows < 20_000 <= one.shard_rows
    np.save(tmp_path / "many.npy", many)
    assert shale.plan(tmp_path / "many.npy", metric="l2", shards=4) == four
    assert shale.plan(many, tmp_path / "index", metric="l2", shards=4) == four
    file = shale.plan(many, output=tmp_path / "index.shale", metric="l2")
    assert file.shards == 1 and "file" in file.shards_why and not any(tmp_path.glob("index*"))
    with pytest.raises(shale.Error, match="directory"):
        shale.plan(many, tmp_path / "index.shale", metric="l2", shards=4)
    with pytest.raises(shale.MemoryLimitError):
        shale.plan(many, metric="l2", memory="1MB")


@pytest.mark.unix
def test_an_interrupted_build_goes_on(many, tmp_path):
    output, begun = tmp_path / "a", threading.Event()

    def interrupt(step, done, total):
        if "shards" in step and done and not begun.is_set():
            begun.set()
            os.kill(os.getpid(), signal.SIGINT)

    settings = {"metric": "l2", "shards": 4, "threads": 1, "ef_construction": 600}
    with pytest.raises(KeyboardInterrupt):
        shale.build(many, output, progress=interrupt, **settings)
    assert begun.is_set() and not output.exists()
    (left,) = tmp_path.iterdir()
    steps = []
    with shale.build(many, output, progress=lambda step, *_: steps.append(step), **settings) as index:
        assert len(index) == 20_000
    assert not left.exists() and shale.verify(output).ok
    assert [step for step in dict.fromkeys(steps) if "shards" in step], steps
    assert not [step for step in steps if "sample" in step or "distribut" in step], steps


@pytest.mark.unix
def test_an_interrupted_build_in_memory_leaves_nothing(many):
    def interrupt(step, done, total):
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        shale.build(many, metric="l2", progress=interrupt, threads=1, ef_construction=600)
    with shale.Index(DIM, "l2", ef_construction=600) as index:
        with pytest.raises(KeyboardInterrupt):
            index.add(many, progress=interrupt, threads=1)
        assert len(index) < 20_000


def test_what_progress_raises_ends_the_build(many, tmp_path):
    def broken(step, done, total):
        raise LookupError("broken")

    with pytest.raises(LookupError, match="broken"):
        shale.build(many, tmp_path / "a", metric="l2", progress=broken)
    assert not (tmp_path / "a").exists()


def test_shows_bars_of_tqdm(many, tmp_path, capsys):
    shale.build(many, tmp_path / "a", metric="l2", shards=2, progress=True).close()
    shown = capsys.readouterr().err
    assert "building shards" in shown and "100%" in shown


@pytest.mark.unix
def test_does_not_replace_what_is_there_unless_told(rows, tmp_path):
    for output in (tmp_path / "a", tmp_path / "a.shale"):
        shale.build(rows, output, metric="l2").close()
        with pytest.raises(FileExistsError, match="replace=True"):
            shale.build(rows[:10], output, metric="l2")
        with shale.build(rows[:10], output, metric="l2", replace=True) as index:
            assert len(index) == 10
    (tmp_path / "other").write_text("other")
    with pytest.raises((FileExistsError, shale.FormatError)):
        shale.build(rows, tmp_path / "other", metric="l2", replace=True)
    assert (tmp_path / "other").read_text() == "other"


@pytest.mark.parametrize(
    "settings, error, text",
    [
        ({"metric": "L7"}, ValueError, "L7"),
        ({"copies": 3}, ValueError, "copies"),
        ({"shards": 0}, ValueError, "shards"),
        ({"memory": "much"}, ValueError, "much"),
        ({"memory": 0}, ValueError, "memory"),
        ({"memory": -5}, ValueError, "memory"),
        ({"codes": "fp8"}, ValueError, "fp8"),
        ({"rows": "fp8"}, ValueError, "fp8"),
        ({"labels": [1]}, ValueError, "labels"),
        ({"labels": ["a"]}, TypeError, "labels"),
        ({"threads": -1}, ValueError, "threads"),
        ({"m": 1}, ValueError, "m is 1"),
    ],
)
def test_refuses_settings(rows, tmp_path, settings, error, text):
    with pytest.raises(error, match=text):
        shale.build(rows, tmp_path / "a", **{"metric": "l2", **settings})
    assert not (tmp_path / "a").exists()


def test_refuses_vectors(rows, tmp_path):
    bad = rows.copy()
    bad[2999, 5] = np.nan
    for shards in (1, 2):
        with pytest.raises(ValueError, match="NaN"):
            shale.build(bad, tmp_path / "a", metric="l2", shards=shards)
    with pytest.raises(ValueError, match="dimension"):
        shale.build(rows[0], metric="l2")
    with pytest.raises(ValueError, match="disk"):
        shale.build(rows, metric="l2", shards=2)
    with pytest.raises(FileNotFoundError):
        shale.build(tmp_path / "none.npy", metric="l2")
    (tmp_path / "bad.npy").write_bytes(b"\x93NUMPY\x01\x00")
    with pytest.raises(shale.Error, match="bad.npy"):
        shale.build(tmp_path / "bad.npy", metric="l2")


def test_opens_only_indexes(rows, tmp_path):
    with pytest.raises(FileNotFoundError):
        shale.open(tmp_path / "none")
    (tmp_path / "text").write_text("no index")
    (tmp_path / "folder").mkdir()
    for name in ("text", "folder"):
        with pytest.raises(shale.FormatError, match="not an index"):
            shale.open(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        shale.verify(tmp_path / "none")
    shale.build(rows, tmp_path / "a", metric="l2").close()
    with pytest.raises(ValueError, match="24"):
        shale.open(tmp_path / "a", dim=25)


def test_damage_is_found(rows, tmp_path):
    shale.build(rows, tmp_path / "a.shale", metric="l2").close()
    content = bytearray((tmp_path / "a.shale").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "a.shale").write_bytes(content)
    found = shale.verify(tmp_path / "a.shale")
    assert not found.ok and "a.shale" in found.problems[0]
    with pytest.raises(shale.FormatError, match="a.shale"):
        shale.open(tmp_path / "a.shale")


@pytest.mark.parametrize(
    "text, size", [("500MB", 500_000_000), ("2GiB", 2 << 30), ("1.5 gib", 3 << 29), ("64k", 64_000), ("12", 12)]
)
def test_sizes_of_memory(text, size):
    from shale._core.arguments import memory

    assert memory(text) == size


def resident(path):
    """Kilobytes of a mapped file that lie in this process's memory."""
    with open("/proc/self/smaps") as f:
        maps = re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", f.read(), flags=re.M)
    return sum(int(re.search(r"^Rss:\s+(\d+)", one, re.M).group(1)) for one in maps if str(path) in one)


@pytest.mark.linux
def test_a_mapping_is_given_back_as_it_is_read(long, tmp_path):
    np.save(tmp_path / "long.npy", long)
    vectors = np.load(tmp_path / "long.npy", mmap_mode="r")
    shale.build(vectors, tmp_path / "a", metric="cosine", shards=2, memory="1GiB", ef_construction=20).close()
    assert resident(tmp_path / "long.npy") < 2000
    assert (vectors[:100] == long[:100]).all() and (vectors[-1] == long[-1]).all()


@pytest.mark.parametrize("metric", ["cosine", "l2"])
@pytest.mark.parametrize("scale", [1.0, 1e6])
def test_a_plan_stores_what_a_build_stores(tmp_path, metric, scale):
    halves = np.random.default_rng(4).standard_normal((3000, 256)).astype(np.float16)
    given = halves.astype(np.float32) * np.float32(scale)
    options = {"metric": metric, "shards": 3, "memory": "1GB"}
    planned = shale.plan(given, **options)
    shale.build(given, tmp_path / "index", ef_construction=20, **options).close()
    with shale.open(tmp_path / "index") as built:
        info = built.info()
    assert planned.shards == info.shards == 3
    assert planned == shale.plan(given, rows=info.keep, **options)
    assert planned != shale.plan(given, rows="fp32" if info.keep == "fp16" else "fp16", **options)


@pytest.mark.parametrize("metric", ["l2", "ip", "cosine"])
def test_a_plan_is_what_is_built(tmp_path, metric):
    given = np.random.default_rng(5).standard_normal((3500, 64)).astype(np.float32)
    np.save(tmp_path / "given.npy", given)
    shards = set()
    for rows in (300, 3500):
        for memory in (None, 97 * 2**20 + 2**18, "200MiB"):
            options = {"metric": metric, "memory": memory, "m": 6, "ef_construction": 20}
            planned = shale.plan(given[:rows], **options)
            with shale.build(given[:rows], tmp_path / "index", replace=True, **options) as index:
                info = index.info()
            assert (planned.shards, planned.codes, planned.rows) == (info.shards, info.storage, info.keep)
            assert planned.codes_why and planned.rows_why and planned.shards_why
            assert memory is None or planned.memory_bytes <= 200 * 2**20
            shards.add(planned.shards)
            if rows == 3500:
                assert planned == shale.plan(tmp_path / "given.npy", **options)
    assert shards == {1, 2}
