"""Shale's stand-in beside hnswlib from PyPI, through Python, in one process: adding, and batches of 1, 10 and 1,000
queries.

    pip install ./python hnswlib==0.8.0
    python bench/python_speed.py [base.npy queries.npy] [--space cosine] [--threads 2] [--rows N]

Without files it takes internal/wordnet. For each recall that hnswlib reaches with an ef of the list, the queries a
second of both at the least ef that gets there.
"""

import argparse
import time
from pathlib import Path

import hnswlib
import numpy as np
from shale import hnswlib as shale

EFS = (10, 14, 20, 28, 40, 56, 80, 112, 160, 224, 320)
BATCHES = (1, 10, 1000)


def load(paths):
    if paths:
        return [np.load(path).astype(np.float32) for path in paths]
    rows = np.load(next((Path(__file__).parent.parent / "internal" / "wordnet").glob("*.npy"))).astype(np.float32)
    return rows[1000:], rows[:1000]


def seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def queries_a_second(index, queries, k, batch):
    parts = [queries[i : i + batch] for i in range(0, len(queries), batch)]
    return len(queries) / min(seconds(lambda: [index.knn_query(part, k=k) for part in parts]) for _ in range(3))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("files", nargs="*", help="base and queries, .npy")
    parser.add_argument("--space", default="cosine")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rows", type=int)
    parser.add_argument("-k", type=int, default=10)
    o = parser.parse_args()
    if hnswlib.Index is shale.Index:
        parser.error("hnswlib is Shale's stand-in here: pip uninstall shale-hnswlib, then pip install hnswlib==0.8.0")
    rows, queries = load(o.files)
    rows = rows[: o.rows]
    exact = shale.BFIndex(o.space, rows.shape[1])
    exact.init_index(len(rows))
    exact.add_items(rows)
    true = exact.knn_query(queries, k=o.k)[0]

    indexes, took = {}, {}
    for name, module in (("hnswlib", hnswlib), ("shale", shale)):
        index = indexes[name] = module.Index(o.space, rows.shape[1])
        index.init_index(len(rows), M=16, ef_construction=200)
        index.set_num_threads(o.threads)
        took[name] = seconds(lambda index=index: index.add_items(rows))
    print(f"{len(rows)} x {rows.shape[1]}, {o.space}, {o.threads} threads, M 16, ef_construction 200")
    print(
        f"add_items: hnswlib {took['hnswlib']:.1f} s, shale {took['shale']:.1f} s: "
        f"{took['shale'] / took['hnswlib']:.2f}"
    )

    recalls = {name: [] for name in indexes}
    for name, index in indexes.items():
        for ef in EFS:
            index.set_ef(ef)
            found = index.knn_query(queries, k=o.k)[0]
            recalls[name].append(np.mean([np.isin(a, b).mean() for a, b in zip(found, true)]))
    for i, least in enumerate(recalls["hnswlib"]):
        reached = [ef for ef, recall in zip(EFS, recalls["shale"]) if recall >= least]
        if not reached:
            continue
        indexes["hnswlib"].set_ef(EFS[i])
        indexes["shale"].set_ef(reached[0])
        line = f"recall@{o.k} {least:.4f} (ef {EFS[i]}, {reached[0]})"
        for batch in BATCHES:
            one, two = (queries_a_second(indexes[name], queries, o.k, batch) for name in ("hnswlib", "shale"))
            line += f" | {batch}: {one:.0f}, {two:.0f} queries/s: {two / one:.2f}"
        print(line, flush=True)


if __name__ == "__main__":
    main()
