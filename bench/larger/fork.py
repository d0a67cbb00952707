#!/usr/bin/env python3
"""Measures hnswlib-mmap: shards of fp32 and fp16 rows, all probed, and one graph over both.

It must be installed where this runs (pip install FOLDER of its sources). Vectors are compared by cosine.
Usage: fork.py ROWS.npy QUERIES.npy FOLDER
"""

import pathlib
import sys
import time

import hnswlib
import numpy as np

SHARDS = 16


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows as float32 of length 1."""
    rows = rows.astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class Bench:
    """Rows, queries and their true neighbours."""

    def __init__(self, rows: np.ndarray, queries: np.ndarray, folder: pathlib.Path):
        self.rows, self.queries, self.folder = unit(rows), unit(queries), folder
        self.halves = self.rows.astype(np.float16).view(np.uint16)
        self.truth = np.argpartition(-(self.queries @ self.rows.T), 10, axis=1)[:, :10]

    def build(self) -> None:
        """Writes what is searched, once; shards with one thread each, since several mislabel rows."""
        if (self.folder / "full.graph").exists():
            return
        size = -(-len(self.rows) // SHARDS)
        shards = hnswlib.ShardedIndex("cosine", self.rows.shape[1])
        for i in range(SHARDS):
            shards.build_shard(self.rows[i * size : (i + 1) * size], str(self.folder), i, i * size, 8, 200, 1)
        shards.save_metadata(str(self.folder), SHARDS, len(self.rows), 8, 200)
        index = hnswlib.Index("cosine", self.rows.shape[1])
        index.init_index(len(self.rows), M=16, ef_construction=200)
        index.add_items(self.rows)
        index.save_index(str(self.folder / "full.bin"))
        index.save_graph(str(self.folder / "full.graph"))

    def sweep(self, name: str, index, efs: list[int], threads: int) -> None:
        for ef in efs:
            index.set_ef(ef)
            best = float("inf")
            for _ in range(3):
                began = time.time()
                labels, _ = index.knn_query(self.queries, k=10, num_threads=threads)
                best = min(best, time.time() - began)
            recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(labels, self.truth)])
            print(
                f"{name:24} ef {ef:4}  recall@10 {recall:.4f}  {len(self.queries) / best:9,.0f} queries/s", flush=True
            )

    def run(self) -> None:
        dim, folder = self.rows.shape[1], str(self.folder)
        shards = hnswlib.ShardedIndex("cosine", dim)
        shards.load_shards(folder, self.rows, SHARDS)
        self.sweep("shards, fp32, 2 threads", shards, [10, 15, 20, 30, 50, 100], 2)
        shards = hnswlib.ShardedIndex("cosine", dim)
        shards.load_shards_fp16(folder, self.halves, SHARDS)
        self.sweep("shards, fp16, 2 threads", shards, [10, 20, 50], 2)
        index = hnswlib.Index("cosine", dim)
        index.load_index(str(self.folder / "full.bin"))
        self.sweep("graph, fp32, 1 thread", index, [20, 40, 80, 160], 1)
        index = hnswlib.Index("cosine", dim)
        index.load_graph(str(self.folder / "full.graph"))
        index.set_external_vectors_fp16(self.halves)
        self.sweep("graph, fp16, 1 thread", index, [20, 40, 80, 160], 1)


def main() -> None:
    folder = pathlib.Path(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    bench = Bench(np.load(sys.argv[1]), np.load(sys.argv[2]), folder)
    bench.build()
    bench.run()


if __name__ == "__main__":
    main()
