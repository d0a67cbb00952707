#!/usr/bin/env python3
"""Checks Shale's reading and writing of hnswlib's files against hnswlib itself.

    cross.py --count 100        indexes of random shape: saved by hnswlib, read, rewritten and searched by Shale,
                                searched again by hnswlib; and indexes built by Shale, searched by hnswlib
    cross.py --fixtures DIR     writes the files and answers that the Go tests use

Needs what requirements.txt lists, and Go on the PATH.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import hnswlib
import numpy as np

SPACES = ["l2", "ip", "cosine"]
REPOSITORY = pathlib.Path(__file__).resolve().parents[4]


def labels_for(rng, n):
    """Labels as users choose them: counted, shuffled, or anything that 64 bits hold."""
    kind = rng.integers(3)
    if kind == 0:
        return np.arange(n, dtype=np.uint64)
    if kind == 1:
        return rng.permutation(3 * n + 1)[:n].astype(np.uint64)
    return np.unique(rng.integers(0, 2**64 - 1, size=n, dtype=np.uint64))


def build(rng, space, dim, n, m, ef_construction, delete, resize, replace):
    """An index that was filled, and then lived through what is asked for."""
    labels = labels_for(rng, n)
    n = len(labels)
    capacity = n + int(rng.integers(0, n + 2))
    index = hnswlib.Index(space, dim)
    index.init_index(capacity, M=m, ef_construction=ef_construction, random_seed=int(rng.integers(1, 1000)),
                     allow_replace_deleted=replace)
    index.set_num_threads(1)
    rows = rng.normal(size=(n, dim)).astype(np.float32)
    if n:
        index.add_items(rows, labels)
    gone = labels[rng.random(n) < delete]
    for label in gone:
        index.mark_deleted(int(label))
    if resize:
        index.resize_index(capacity + 17)
        index.add_items(rng.normal(size=(5, dim)).astype(np.float32), np.arange(2**63, 2**63 + 5, dtype=np.uint64))
    if replace and len(gone) > 1:
        index.add_items(rng.normal(size=(1, dim)).astype(np.float32), np.array([2**63 + 100], dtype=np.uint64),
                        replace_deleted=True)
    return index, rows, labels


def reload(space, dim, path, ef):
    index = hnswlib.Index(space, dim)
    index.load_index(str(path))
    index.set_num_threads(1)
    index.set_ef(max(ef, 1))
    return index


def answers(index, queries, k):
    """The k nearest of each query, or fewer if hnswlib doesn't find k."""
    while k > 0:
        try:
            return index.knn_query(queries, k=k, num_threads=1)
        except RuntimeError:
            k -= 1
    return np.zeros((len(queries), 0), np.uint64), np.zeros((len(queries), 0), np.float32)


def random_case(rng, i, folder):
    space = SPACES[i % 3]
    dim = int(rng.choice([1, 2, 3, 7, 16, 33, 100, 300, int(rng.integers(1, 500))]))
    n = int(rng.choice([0, 1, 2, 50, int(rng.integers(2, 600)), int(rng.integers(2, 600))]))
    m = int(rng.choice([2, 3, 4, 8, 16, 33, 64]))
    index, rows, labels = build(rng, space, dim, n, m, int(rng.integers(10, 200)), rng.choice([0, 0.1, 0.6]),
                                rng.random() < 0.3, rng.random() < 0.3)
    index.save_index(str(folder / f"{i}.bin"))
    queries = rng.normal(size=(10, dim)).astype(np.float32)
    queries.tofile(folder / f"{i}.queries")
    rows.tofile(folder / f"{i}.rows")
    labels.tofile(folder / f"{i}.labels")
    return {"name": str(i), "space": space, "dim": dim, "m": m, "k": 10, "count": index.element_count}


def random_flat(rng, i, folder):
    space, dim, n = SPACES[i % 3], int(rng.integers(1, 200)), int(rng.integers(1, 300))
    index = hnswlib.BFIndex(space, dim)
    index.init_index(n + int(rng.integers(0, 50)))
    index.add_items(rng.normal(size=(n, dim)).astype(np.float32))
    index.save_index(str(folder / f"{i}.flat"))
    queries = rng.normal(size=(10, dim)).astype(np.float32)
    if space == "cosine":  # hnswlib doesn't normalise these queries
        queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    queries.tofile(folder / f"{i}.flat.queries")
    return {"name": str(i), "space": space, "dim": dim, "k": 10, "count": n}


def check_file(case, folder, other):
    """Both files must give hnswlib the same index, to the last bit of its answers."""
    name, space, dim = case["name"], case["space"], case["dim"]
    queries = np.fromfile(folder / f"{name}.queries", np.float32).reshape(-1, dim)
    for ef in (1, 10, 60, case["count"]):
        a = reload(space, dim, folder / f"{name}.bin", ef)
        b = reload(space, dim, folder / f"{name}.{other}", ef)
        for field in ("max_elements", "element_count", "M", "ef_construction"):
            assert getattr(a, field) == getattr(b, field), (field, getattr(a, field), getattr(b, field))
        assert sorted(a.get_ids_list()) == sorted(b.get_ids_list()), "labels"
        x, y = answers(a, queries, case["k"]), answers(b, queries, case["k"])
        assert np.array_equal(x[0], y[0]) and np.array_equal(x[1], y[1]), f"answers at ef {ef}"
    return answers(a, queries, case["k"]), queries


def close(a, b):
    return np.isclose(a, b, rtol=1e-4, atol=1e-4)


def check_answers(case, folder, expected):
    """Shale's answers at ef = count against hnswlib's; it may find nearer ones where deletions make it scan."""
    labels = np.fromfile(folder / f"{case['name']}.answer.labels", np.uint64).reshape(10, -1)
    distances = np.fromfile(folder / f"{case['name']}.answer.distances", np.float32).reshape(10, -1)
    k = expected[0].shape[1]
    assert labels.shape[1] >= k, f"{labels.shape[1]} answers, hnswlib has {k}"
    nearer = 0
    for row in range(10):
        ours, theirs = distances[row, :k], expected[1][row]
        if close(ours, theirs).all():
            # Labels may trade places only where distances are alike.
            for j in np.flatnonzero(labels[row, :k] != expected[0][row]):
                assert close(theirs, theirs[j]).sum() > 1 or j == k - 1, f"query {row}, place {j}"
            continue
        assert (ours <= theirs + 1e-4 * np.abs(theirs) + 1e-4).all(), f"query {row}: {ours} and {theirs}"
        nearer += 1
    return nearer


def check_built(case, folder, queries):
    """An index that Shale built from the same rows must serve hnswlib: every row found by itself, exactly."""
    space, dim = case["space"], case["dim"]
    rows = np.fromfile(folder / f"{case['name']}.rows", np.float32).reshape(-1, dim)
    labels = np.fromfile(folder / f"{case['name']}.labels", np.uint64)
    index = reload(space, dim, folder / f"{case['name']}.built", len(rows))
    assert index.element_count == len(rows)
    if not len(rows):
        return
    kept = index.get_items(labels)
    if space != "cosine":
        assert np.array_equal(np.asarray(kept, np.float32), rows), "vectors"
    else:
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        assert np.allclose(kept, rows / norms, atol=1e-5), "vectors"
    answers(index, queries, min(10, len(rows)))


def check_flat(case, folder):
    """Both files must answer alike, and Shale as they do."""
    name, space, dim = case["name"], case["space"], case["dim"]
    got, k = [], min(10, case["count"])
    queries = np.fromfile(folder / f"{name}.flat.queries", np.float32).reshape(-1, dim)
    for ending in ("flat", "flat.rewritten"):
        index = hnswlib.BFIndex(space, dim)
        index.load_index(str(folder / f"{name}.{ending}"))
        got.append(index.knn_query(queries, k=k))
    assert np.array_equal(got[0][0], got[1][0]) and np.array_equal(got[0][1], got[1][1]), "answers"
    distances = np.fromfile(folder / f"{name}.flat.answer.distances", np.float32).reshape(-1, k)
    assert close(distances, got[0][1]).all(), "Shale's answers"


def cross(count, seed):
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        cases = [random_case(rng, i, folder) for i in range(count)]
        flats = [random_flat(rng, i, folder) for i in range(max(count // 5, 1))]
        (folder / "cases.json").write_text(json.dumps({"cases": cases, "flats": flats}))
        subprocess.run(["go", "run", "./internal/store/hnswlib/crosscheck", str(folder)], cwd=REPOSITORY, check=True)
        nearer = 0
        for case in cases:
            try:
                expected, queries = check_file(case, folder, "rewritten")
                nearer += check_answers(case, folder, expected)
                check_built(case, folder, queries)
            except AssertionError as e:
                sys.exit(f"index {case}: {e}")
        for case in flats:
            try:
                check_flat(case, folder)
            except AssertionError as e:
                sys.exit(f"brute-force index {case}: {e}")
    print(f"{count} indexes ({sum(c['count'] for c in cases)} elements) and {len(flats)} brute-force indexes agree; "
          f"in {nearer} of {10 * count} queries Shale found nearer elements than hnswlib's walk reached")


FIXTURES = {
    # name: space, dim, n, M, deleted share, resize, replace
    "l2": ("l2", 8, 60, 4, 0, False, False),
    "ip": ("ip", 5, 60, 4, 0, False, False),
    "cosine": ("cosine", 7, 60, 4, 0, False, False),
    "deleted": ("l2", 4, 60, 4, 0.3, False, True),
    "resized": ("cosine", 3, 40, 2, 0, True, False),
    "empty": ("l2", 6, 0, 16, 0, False, False),
    "one": ("ip", 2, 1, 16, 0, False, False),
}


def fixtures(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for at, (name, (space, dim, n, m, delete, resize, replace)) in enumerate(FIXTURES.items()):
        rng = np.random.default_rng(at)
        index, _, _ = build(rng, space, dim, n, m, 40, delete, resize, replace)
        index.save_index(str(folder / f"{name}.bin"))
        index.set_ef(max(index.element_count, 1))
        queries = rng.normal(size=(5, dim)).astype(np.float32)
        labels, distances = answers(index, queries, 8)
        write_expected(folder / f"{name}.json", space, dim, index, queries, labels, distances)
    flat = hnswlib.BFIndex("l2", 3)
    flat.init_index(12)
    rng = np.random.default_rng(99)
    flat.add_items(rng.normal(size=(9, 3)).astype(np.float32))
    flat.save_index(str(folder / "l2.flat"))


def write_expected(path, space, dim, index, queries, labels, distances):
    path.write_text(json.dumps({
        "space": space, "dim": dim, "max_elements": index.get_max_elements(), "count": index.element_count,
        "m": index.M, "queries": queries.tolist(), "labels": labels.tolist(), "distances": distances.tolist(),
    }) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fixtures", type=pathlib.Path)
    options = parser.parse_args()
    if options.fixtures:
        fixtures(options.fixtures)
    else:
        cross(options.count, options.seed)


if __name__ == "__main__":
    main()
