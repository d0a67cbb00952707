#!/usr/bin/env python3
"""Build and search DiskANN's index of an .npy file of rows, by diskannpy.

    diskann.py build ROWS FOLDER
    diskann.py search QUERIES TRUTH FOLDER

build makes an index of degree 48 with codes of a tenth of a GiB in all, which takes most of an hour for a million rows.
search answers the queries one thread at a time and prints recall@10, queries a second and what was read a query; run it
in a memory cgroup to bound it, page cache included. TRUTH is an .ivecs of exact neighbours, as "shale groundtruth"
writes. Rows and queries are normalised, so that the l2 that DiskANN's disk indexes have ranks as cosine does.
"""

import os
import sys
import time

import diskannpy
import numpy as np

K = 10


def normalised(path):
    rows = np.load(path).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def build(rows, folder):
    os.makedirs(folder, exist_ok=True)
    began = time.time()
    diskannpy.build_disk_index(
        data=normalised(rows), distance_metric="l2", index_directory=folder, complexity=100, graph_degree=48,
        search_memory_maximum=0.1, build_memory_maximum=8, num_threads=os.cpu_count(), pq_disk_bytes=0,
    )
    # Where the sample lies there, loading the index warms up on it for minutes.
    os.remove(os.path.join(folder, "ann_sample_data.bin"))
    print(f"built in {time.time() - began:.0f} s")


def bytes_read():
    with open("/proc/self/io") as f:
        return int(dict(line.split(": ") for line in f)["read_bytes"])


def search(queries, truth, folder):
    q = normalised(queries)
    true = np.fromfile(truth, dtype=np.int32).reshape(len(q), -1)[:, 1 : 1 + K]
    cached = int(os.environ.get("CACHED", 10_000))
    # One thread here hangs; searches below are given one.
    index = diskannpy.StaticDiskIndex(folder, num_threads=2, num_nodes_to_cache=cached)
    index.batch_search(q[:20], K, 50, num_threads=1)
    for width in 4, 8:
        for complexity in 20, 30, 40, 50, 70, 100, 150, 200:
            began, before = time.time(), bytes_read()
            ids, _ = index.batch_search(q, K, complexity, num_threads=1, beam_width=width)
            took, read = time.time() - began, bytes_read() - before
            recall = np.mean([len(set(a) & set(b)) / K for a, b in zip(ids.astype(np.int64), true)])
            print(
                f"W {width} L {complexity:3}: recall {recall:.3f}, "
                f"{len(q) / took:6.0f} q/s, {read / len(q) / 1024:.0f} KiB a query",
                flush=True
            )


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] == "build":
        build(*sys.argv[2:])
    elif len(sys.argv) == 5 and sys.argv[1] == "search":
        search(*sys.argv[2:])
    else:
        sys.exit(__doc__)
