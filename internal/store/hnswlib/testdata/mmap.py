#!/usr/bin/env python3
"""Works with hnswlib-mmap, which must be installed (pip install FOLDER of its sources): it isn't on PyPI.

    mmap.py --fixtures GRAPHS SHARDS   writes the files and answers that the Go tests of two packages use
    mmap.py --check                    builds graphs and shards with Shale, which hnswlib-mmap then opens and searches

The check needs Go on the PATH.
"""
import argparse
import json
import pathlib
import subprocess
import tempfile

import hnswlib
import numpy as np

REPOSITORY = pathlib.Path(__file__).resolve().parents[4]

GRAPHS = {
    # name: space, dim, n, M, labels, deleted
    "graph_l2": ("l2", 6, 60, 4, "counted", False),
    "graph_ip": ("ip", 5, 60, 4, "any", False),
    "graph_shuffled": ("l2", 4, 60, 4, "shuffled", False),
    "graph_deleted": ("l2", 4, 40, 2, "counted", True),
    "graph_empty": ("l2", 3, 0, 8, "counted", False),
    "graph_one": ("l2", 3, 1, 8, "counted", False),
}


def labels_for(rng, n, kind):
    if kind == "shuffled":
        return rng.permutation(n).astype(np.uint64)
    if kind == "any":
        return rng.permutation(5 * n)[:n].astype(np.uint64)
    return np.arange(n, dtype=np.uint64)


def write(path, space, dim, m, rows, queries, labels, distances, deleted=()):
    path.write_text(json.dumps({
        "space": space, "dim": dim, "m": m, "count": len(rows), "max_elements": max(len(rows), 1),
        "rows": rows.tolist(),
        "queries": queries.tolist(), "labels": labels.tolist(), "distances": distances.tolist(),
        "deleted": list(deleted),
    }) + "\n")


def graph_fixtures(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for at, (name, (space, dim, n, m, kind, delete)) in enumerate(GRAPHS.items()):
        rng = np.random.default_rng(at)
        rows = rng.normal(size=(n, dim)).astype(np.float32)
        labels = labels_for(rng, n, kind)
        index = hnswlib.Index(space, dim)
        index.init_index_graph_only(max(n, 1), rows if n else np.zeros((1, dim), np.float32), M=m, ef_construction=40)
        index.set_num_threads(1)
        if n:
            index.add_items(rows, labels)
        gone = [int(label) for label in labels[::5]] if delete else []
        for label in gone:
            index.mark_deleted(label)
        index.set_ef(max(n, 1))
        index.save_graph(str(folder / f"{name}.graph"))
        queries = rng.normal(size=(5, dim)).astype(np.float32)
        k = min(n, 8)
        found = index.knn_query(queries, k=k, num_threads=1) if k else (np.zeros((5, 0)), np.zeros((5, 0)))
        if kind == "shuffled":
            # as a build of several threads leaves it: labels are rows, places are not
            by_label = np.empty_like(rows)
            by_label[labels.astype(np.int64)] = rows
            rows = by_label
        write(folder / f"{name}.json", space, dim, m, rows, queries, *found, deleted=gone)


def shard_fixtures(folder):
    rng = np.random.default_rng(99)
    rows = rng.normal(size=(90, 8)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    queries = rng.normal(size=(5, 8)).astype(np.float32)
    shards = hnswlib.ShardedIndex("cosine", 8)
    bounds = [0, 40, 55, 90]
    for i, (start, end) in enumerate(zip(bounds, bounds[1:])):
        shards.build_shard(rows[start:end].copy(), str(folder), i, start, 4, 40, 1)
    shards.save_metadata(str(folder), 3, len(rows), 4, 40)
    shards.load_shards(str(folder), rows, 3)
    shards.set_ef(100)
    write(folder / "answers.json", "cosine", 8, 4, rows, queries, *shards.knn_query(queries, k=8, num_threads=1))


def shale(*command):
    subprocess.run(
        ["go", "run", "./cmd/shale", *map(str, command)], cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL
    )


def recall(found, queries, rows, space):
    dots = queries @ rows.T
    far = -dots if space != "l2" else (rows * rows).sum(1)[None] - 2 * dots
    truth = np.argsort(far, axis=1)[:, : found.shape[1]]
    return np.mean([len(set(a) & set(b)) / found.shape[1] for a, b in zip(found.astype(np.int64), truth)])


def check():
    rng = np.random.default_rng(5)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        rows = rng.normal(size=(2000, 24)).astype(np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        queries = rng.normal(size=(50, 24)).astype(np.float32)
        queries /= np.linalg.norm(queries, axis=1, keepdims=True)
        np.save(folder / "rows.npy", rows)
        halves = rows.astype(np.float16).view(np.uint16)  # which must outlive the index
        for space in ["l2", "ip", "cosine"]:
            for links in [[], ["--external"]]:
                index, graph, shards = folder / "index", folder / "x.graph", folder / "shards"
                shale("build", "--input", folder / "rows.npy", "--output", index, "--metric", space, "--m", 8, *links)
                shale("convert", index, graph, "--to", "graph")
                shale("convert", index, shards, "--to", "fork-shards")
                x = hnswlib.Index(space, 24)
                x.load_graph(str(graph))
                x.set_external_vectors(rows)
                x.set_ef(200)
                one = recall(x.knn_query(queries, k=10)[0], queries, rows, space)
                y = hnswlib.ShardedIndex(space, 24)
                y.load_shards_fp16(str(shards), halves, 1, True)
                y.set_ef(200)
                all = recall(y.knn_query(queries, k=10)[0], queries, rows, space)
                print(
                    f"{space} {' '.join(links) or 'with vectors'}: recall@10 {one:.4f} of a graph, "
                    f"{all:.4f} of a mapped shard over halves"
                )
                assert min(one, all) > 0.99


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fixtures", type=pathlib.Path, nargs=2)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    if options.fixtures:
        graph_fixtures(options.fixtures[0])
        shard_fixtures(options.fixtures[1])
    if options.check:
        check()


if __name__ == "__main__":
    main()
