#!/usr/bin/env python3
"""Compares searches over product quantization: Shale beside hnswlib-mmap, with the same codebooks and codes.

    pq.py SHALE ROWS.npy QUERIES.npy FOLDER

SHALE is the program, built by "go build ./cmd/shale"; hnswlib-mmap must be installed where this runs (pip install
FOLDER of its sources). Vectors are compared by cosine, on one thread, query by query. All graphs have M = 8. FOLDER
keeps what is built; a second run only searches.

Every index is searched several times, the programs in turn. Queries a second are those of the median query time, which
other work on the machine changes least; the best of the repeats counts.
"""

import json
import pathlib
import subprocess
import sys
import time

import hnswlib
import numpy as np

K, M, EF_CONSTRUCTION, BITS_8, REPEATS = 10, 8, 200, 256, 3
EFS = [10, 20, 40, 80, 160, 320]
SHARDS = [1, 16]
# Name, and how "shale build" makes it. Codes take 4 bits a dimension in all of them.
BUILDS = {
    "pq8": ["--codes", "pq"],
    "pq4": ["--codes", "pq", "--pq-bits", "4"],
    "pq8-shards": ["--codes", "pq", "--shards", str(SHARDS[1])],
    "rabitq4": ["--codes", "rabitq4"],
    "pq8-none": ["--codes", "pq", "--rows", "none"],
    "pq4-none": ["--codes", "pq", "--pq-bits", "4", "--rows", "none"],
    "rabitq4-none": ["--codes", "rabitq4", "--rows", "none"],
}
SECTIONS = {"meta": 1, "labels": 6, "quantizer": 9, "codes": 10}
LINKS = "links"


def section(file: pathlib.Path, name: str) -> bytes:
    """A section of an index file: see docs/format.md."""
    with file.open("rb") as f:
        f.seek(32 + 32 * (SECTIONS[name] - 1))
        entry = f.read(32)
        offset, length = (int.from_bytes(entry[at : at + 8], "little") for at in (8, 16))
        f.seek(offset)
        return f.read(length)


def export(index: pathlib.Path, dim: int, folder: pathlib.Path) -> tuple[np.ndarray, np.ndarray]:
    """The codes, in the order of the rows, and codebooks of an index of one graph whose codes have 8 bits."""
    file = next(index.glob("*.shale"))
    labels = np.frombuffer(section(file, "labels"), np.uint64)
    stored = np.frombuffer(section(file, "codes"), np.uint8).reshape(len(labels), -1)
    codes = np.empty_like(stored)
    codes[labels.astype(np.int64)] = stored
    errors = 2  # that come before the codebooks
    books = np.frombuffer(section(file, "quantizer"), np.float32)[errors : errors + BITS_8 * dim]
    books = books.reshape(codes.shape[1], BITS_8, -1).copy()
    np.save(folder / "codes.npy", codes)
    np.save(folder / "codebooks.npy", books)
    return codes, books


class Bench:
    """Rows, queries, their true neighbours and the program."""

    def __init__(self, program: str, rows: str, queries: str, folder: pathlib.Path):
        self.program, self.queries, self.folder = program, queries, folder
        self.rows = np.load(rows).astype(np.float32)
        self.rows /= np.linalg.norm(self.rows, axis=1, keepdims=True)
        self.unit = folder / "unit.npy"  # float16 of length 1
        if not self.unit.exists():
            np.save(self.unit, self.rows.astype(np.float16))
        self.truth_file = folder / "truth.ivecs"
        if not self.truth_file.exists():
            self.shale(
                "groundtruth", "--input", rows, "--queries", queries, "--metric", "cosine", "--output", self.truth_file
            )
        asked = np.load(queries).astype(np.float32)
        self.asked = asked / np.linalg.norm(asked, axis=1, keepdims=True)
        self.truth = np.fromfile(self.truth_file, np.int32).reshape(len(self.asked), -1)[:, 1 : 1 + K]
        self.build(rows)
        self.codes, self.books = export(folder / "pq8.index", self.rows.shape[1], folder)

    def shale(self, *args) -> str:
        return subprocess.run([self.program, *map(str, args)], check=True, stdout=subprocess.PIPE, text=True).stdout

    def build(self, rows: str) -> None:
        common = ["--metric", "cosine", "--m", M, "--ef-construction", EF_CONSTRUCTION]
        for name, flags in BUILDS.items():
            out = self.folder / f"{name}.index"
            if not out.exists():
                self.shale("build", "--input", rows, "--output", out, *common, *flags)
        links = self.folder / f"{LINKS}.index"
        if not links.exists():
            self.shale("build", "--input", self.unit, "--output", links, "--external", *common)
        for shards in SHARDS:
            folder, size = self.folder / f"fork{shards}", -(-len(self.rows) // shards)
            if (folder / "index.meta").exists():
                continue
            folder.mkdir(exist_ok=True)
            index = hnswlib.ShardedIndex("cosine", self.rows.shape[1])
            for i in range(shards):  # with one thread each, since several mislabel rows
                part = self.rows[i * size : (i + 1) * size].copy()
                index.build_shard(part, str(folder), i, i * size, M, EF_CONSTRUCTION, 1)
            index.save_metadata(str(folder), shards, len(self.rows), M, EF_CONSTRUCTION)

    def fork(self, shards: int) -> list[dict]:
        # Opened as l2, which ranks rows of length 1 alike: queries of cosine are copied to one place, by whose address
        # the table is kept, so that all of them get the first one's.
        index = hnswlib.ShardedIndex("l2", self.rows.shape[1])
        index.load_shards_pq(str(self.folder / f"fork{shards}"), self.codes, self.books, shards, *self.books.shape)
        points = []
        for ef in EFS:
            index.set_ef(ef)
            took, right = [], 0
            for i, true in enumerate(self.truth):
                one = self.asked[i : i + 1]
                began = time.perf_counter()
                labels, _ = index.knn_query(one, k=K, num_threads=1)
                took.append(time.perf_counter() - began)
                right += len(set(labels[0].astype(np.int64)) & set(true))
            points.append({"ef": ef, "recall": right / self.truth.size, "us": float(np.median(took)) * 1e6})
        return points

    def measured(self, index: str, *flags) -> list[dict]:
        report = self.shale(
            "eval", self.folder / f"{index}.index", "--queries", self.queries, "--groundtruth", self.truth_file, "-k",
            K,
            "--ef", ",".join(map(str, EFS)), "--json", *flags,
        )
        return [{"ef": p["ef"], "recall": p["recall"], "us": p["p50_us"]} for p in json.loads(report)["rows"]]

    def run(self) -> None:
        given = ["--pq-codes", self.folder / "codes.npy", "--pq-codebooks", self.folder / "codebooks.npy"]
        runs = {f"hnswlib-mmap, {n} shards, codes alone": lambda n=n: self.fork(n) for n in SHARDS}
        runs["shale, those codes alone"] = lambda: self.measured(LINKS, *given)
        runs["shale, those codes, ranked by rows"] = lambda: self.measured(LINKS, *given, "--vectors", self.unit)
        runs |= {f"shale, {name}": lambda name=name: self.measured(name) for name in BUILDS}
        best: dict[str, list[dict]] = {}
        for _ in range(REPEATS):
            for name, search in runs.items():
                points = search()
                if name in best:
                    for point, again in zip(best[name], points):
                        point["us"] = min(point["us"], again["us"])
                else:
                    best[name] = points
        report(best)


def at_recall(points: list[dict], recall: float) -> float:
    """The time that a recall takes, in proportion between the points measured; NaN where none reaches it."""
    for before, after in zip(points, points[1:]):
        if before["recall"] <= recall <= after["recall"]:
            share = (recall - before["recall"]) / max(after["recall"] - before["recall"], 1e-9)
            return before["us"] + share * (after["us"] - before["us"])
    return float("nan") if points[-1]["recall"] < recall else points[0]["us"]


def report(best: dict[str, list[dict]]) -> None:
    for name, points in best.items():
        for p in points:
            print(f"{name:42} ef {p['ef']:4}  recall@10 {p['recall']:.4f}  {1e6 / p['us']:9,.0f} queries/s", flush=True)
    for wanted in 0.8, 0.9, 0.92, 0.95, 0.99:
        print(f"\nqueries a second at recall@10 {wanted}")
        for name, points in best.items():
            us = at_recall(points, wanted)
            print(f"  {name:42} " + (f"{1e6 / us:9,.0f}" if us == us else "        –"))


def main() -> None:
    folder = pathlib.Path(sys.argv[4])
    folder.mkdir(parents=True, exist_ok=True)
    Bench(sys.argv[1], sys.argv[2], sys.argv[3], folder).run()


if __name__ == "__main__":
    main()
